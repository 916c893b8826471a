"""Every network that ships is a network: it loads, comes back from its mapping, decouples anywhere and runs.

What the comments of the files promise about their numbers (the best heuristic and its fill rate, capacities, critical
ratios, the beer game's levels, the rows of the shops) is checked here too. That every agent plays every network is
checked beside the agents.
"""

import itertools
import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.envs import accounting, dynamics, families, simulate
from pushpull.envs.demand import mean
from pushpull.envs.exogenous import draw
from pushpull.envs.histories import read_trace
from pushpull.envs.library import network_names
from pushpull.envs.network import Demand, Market, Network
from pushpull.experiments.statistics import paired_difference

FOLDER = Path(__file__).parents[2] / "configs" / "network"
FILES = sorted(FOLDER.glob("*.yaml"))
NETWORKS = {path.stem: Network.from_yaml(path) for path in FILES}
OURS = (
    "car",
    "chain4",
    "distribution10",
    "electronics",
    "electronics_full",
    "enterprise",
    "fashion",
    "marketing_channel",
    "mid_size",
    "pharma",
    "postponement",
    "retail",
    "retail_catalogue",
    "semiconductor",
    "small_business",
)
# Files that state the mode of every source, because another program fixes it; a decoupling point changes nothing there.
FIXED = ("or_gym_inventory", "or_gym_inventory_backlog")
POINTS = [(name, point) for name, network in NETWORKS.items() for point in (*network.stage_names, "supply", "market")]
LARGE = 10  # stages; larger networks are run at their own boundary and the extreme ones
RUNS = [(name, point) for name, point in POINTS if len(NETWORKS[name].stages) <= LARGE or point in ("supply", "market")]
RUNS += [(name, None) for name, network in NETWORKS.items() if len(network.stages) > LARGE]
HEURISTICS = ("push_pull", "forecast_push", "base_stock", "s_S", "constant")
STATED = re.compile(
    r"^# Best heuristic: (\w+), fill rate (0\.\d\d|1\.00) \(most profit of 200 episodes, seeds 0 to 199\)\.$", re.M
)


def demand_of(market: Market) -> Demand:
    assert market.demand is not None
    return market.demand


def rates(network: Network) -> np.ndarray:
    """Mean demand on each stage by period of the horizon, [N, T], in units of its item."""
    at_markets = np.zeros((len(network.stages), network.horizon))
    for i in network.markets:
        at_markets[i] = families.mean(families.market_demand(network, i), network.units, network.horizon)
    return network.requirements @ at_markets


def test_the_library_holds_these_files():
    assert network_names() == tuple(NETWORKS)
    assert set(OURS) | set(FIXED) | {"beer_game"} == set(NETWORKS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_opens_with_its_story_and_source_and_bears_its_name(path):
    story = list(itertools.takewhile(lambda line: line.startswith("#"), path.read_text().splitlines()))
    assert len(story) >= 2
    assert any(line.startswith("# Source") for line in story)
    assert NETWORKS[path.stem].name == path.stem
    assert NETWORKS[path.stem].description != "no description"
    assert len(STATED.findall(path.read_text())) == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_best_heuristic_is_the_one_that_is_stated_and_reaches_its_fill_rate(path):
    """Among those that leave the boundary where the file puts it; ties go to the first of `HEURISTICS`."""
    network, ((best, fill_rate),) = NETWORKS[path.stem], STATED.findall(path.read_text())
    stated = simulate(network, make_policy(best, network), 200, seed=0)
    assert stated["fill_rate"].mean() == pytest.approx(float(fill_rate), abs=0.006)
    for name in HEURISTICS:
        rival = simulate(network, make_policy(name, network), 50, seed=0)
        assert name == best or paired_difference(rival["profit"], stated["profit"][:50]).low <= 0, name


def test_the_page_of_networks_says_what_the_files_say():
    page = (FOLDER.parents[1] / "docs" / "networks.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")] for line in page.splitlines() if line.startswith("| `")]
    found = {row[1].strip("`"): (int(row[3]), row[-2]) for row in rows}
    stated = {path.stem: " ".join(STATED.findall(path.read_text())[0]) for path in FILES}
    assert found == {name: (len(NETWORKS[name].stages), stated[name]) for name in NETWORKS}


@pytest.mark.parametrize("name", NETWORKS)
def test_network_comes_back_from_its_mapping(name):
    assert Network.from_dict(NETWORKS[name].to_dict()) == NETWORKS[name]


@pytest.mark.parametrize(("name", "point"), POINTS)
def test_decoupling_point_pushes_itself_and_what_is_upstream_of_it(name, point):
    network = NETWORKS[name].with_decoupling_point(point)
    if name in FIXED:
        assert network.modes == ("push",) * len(network.sources)
        return
    if point in network.stages:
        pushes = network.requirements[:, network.stage_names.index(point)] > 0
    else:
        pushes = np.full(len(network.stages), point == "market")
    assert network.modes == tuple("push" if pushes[i] else "pull" for i in network.source_stage)


@pytest.mark.parametrize(("name", "point"), RUNS)
def test_random_actions_leave_whole_stocks_that_are_never_negative(name, point):
    network, batch, periods = NETWORKS[name].with_decoupling_point(point), 4, 50
    assert network.units == "integer"
    world = draw(network, periods, [(7, episode) for episode in range(batch)])
    generator = np.random.default_rng(7)
    scale = rates(network).mean(axis=1)[list(network.source_stage), None]
    moved = np.zeros(len(scale))
    told = [field.name for field in fields(dynamics.Exogenous) if field.name != "forecast"]
    traces = {field: getattr(world, field) for field in told if getattr(world, field) is not None}
    state = dynamics.initial_state(np, network, batch, dtype=np.float64)
    for t in range(periods):
        quantity = scale * generator.uniform(-1, 4, (len(scale), batch))
        threshold = scale * generator.uniform(-1, 10, (len(scale), batch))
        outside = dynamics.Exogenous(**{field: trace[t] for field, trace in traces.items()})
        state, flows = dynamics.step(np, network, state, outside, dynamics.Action(quantity, threshold))
        for field in ("on_hand", "owed", "pending", "pipeline", "in_transit"):
            units = getattr(state, field)
            assert (units >= 0).all(), field
            np.testing.assert_array_equal(units, np.rint(units), err_msg=field)
        moved += flows.start.sum(axis=1)
    assert (moved > 0).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_capacity_exceeds_mean_demand_with_a_margin(name):
    network = NETWORKS[name]
    capacity = np.array([sum(source.capacity for source in stage.sources) for stage in network.stages.values()])
    need = rates(network).mean(axis=1)
    assert (need <= 0.9 * capacity).all()
    for name, resource in (network.resources or {}).items():
        users = [j for j, source in enumerate(network.sources) if source.resource == name]
        taken = sum(network.sources[j].resource_use * need[network.source_stage[j]] for j in users)
        assert taken + resource.changeover_loss * (len(users) - 1) < 0.95 * resource.capacity


@pytest.mark.parametrize("name", OURS)
def test_critical_ratios_lie_between_eight_tenths_and_ninety_eight_hundredths(name):
    network = NETWORKS[name]

    @cache
    def value(i: int) -> float:
        """Money spent on one unit of stage i, from its first source back to the outside."""
        j = network.sources_of[i][0]
        return network.sources[j].unit_cost + sum(units * value(m) for m, units in network.inputs[j])

    for i, market in network.markets.items():
        held = network.stages[network.stage_names[i]].holding_cost
        missed = market.backorder_cost or market.price - value(i) + market.lost_sale_cost
        assert 0.8 <= missed / (missed + held) <= 0.98
        assert market.price > value(i)


def test_electronics_cannot_make_the_peak_in_the_peak():
    network = NETWORKS["electronics"]
    board = network.stages["board"].sources[0]
    (year,) = {len(demand_of(market).season) for market in network.markets.values()}
    need = rates(network)[network.stage_names.index("board"), :year]
    excess, slack = np.maximum(need - board.capacity, 0).sum(), np.maximum(board.capacity - need, 0).sum()
    assert need.max() == pytest.approx(1.5 * board.capacity)
    assert excess > board.capacity  # more than a period of boards has to be built ahead
    assert slack > 2 * excess  # and there is room for it
    for i in network.markets:
        assert network.sources[network.sources_of[i][0]].capacity >= 1.2 * rates(network)[i].max()
        assert np.mean(demand_of(network.markets[i]).season) == pytest.approx(1)


def test_beer_game_costs_least_at_levels_that_cover_the_lead_times():
    """Once demand is 8 for good, 8 a week over lead times of 4, 4, 4, 3 leaves neither stock nor backlog."""
    network = NETWORKS["beer_game"]
    best = np.array([24, 32, 32, 32])  # manufacturer to retailer, as the DeepBeer project publishes them
    levels = best[:, None] + np.array(list(itertools.product((-1, 0, 1), repeat=4))).T
    centre = int(np.flatnonzero((levels == best[:, None]).all(axis=0))[0])
    state = dynamics.initial_state(np, network, levels.shape[1], dtype=np.float64)
    demand = mean(demand_of(network.markets[3]), network.units, network.horizon)
    action = dynamics.Action(quantity=np.zeros(levels.shape), threshold=levels.astype(float))
    total = np.zeros(levels.shape[1])
    for asked in demand:
        outside = dynamics.Exogenous(np.full((1, levels.shape[1]), asked))
        state, flows = dynamics.step(np, network, state, outside, action)
        total = total + sum(accounting.costs(np, network, flows).values())
    assert not state.on_hand[:, centre].any()
    assert not state.owed[:, centre].any()
    assert not state.pending[:, centre].any()
    assert total[centre] == 164
    assert (np.delete(total, centre) > 164).all()


def test_retail_keeps_a_year_of_the_same_shops_for_evaluation():
    training = NETWORKS["retail"]
    settings = training.to_dict()
    for stage in settings["stages"].values():
        if "market" in stage:
            stage["market"]["demand"]["rows"] = [847, 1211]
    later = Network.from_dict(settings)
    shops = [[demand_of(market) for market in network.markets.values()] for network in (training, later)]
    for demands, rows in zip(shops, [(0, 847), (847, 1211)], strict=True):
        assert [demand.rows for demand in demands] == [rows] * 5
        assert (rows[1] - rows[0]) % 7 == 0  # a trace that wraps keeps its weekday
    before, after = (sum(read_trace(demand).mean() for demand in demands) for demands in shops)
    assert round(before) == 974
    assert 1 - after / before == pytest.approx(0.28, abs=0.005)
