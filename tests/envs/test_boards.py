"""Boards are the published problems: policies cost in them what the literature or dynamic programming says they cost.

A policy with a reference cost is played for 4 million periods, and the reference has to lie within 4.5 standard errors
of the mean, which a right board misses once in 150,000 times. A wrong lead time, a wrong order of events or a cost that
is charged in the wrong place moves a cost by far more. Worlds are fixed, so a test that passes once passes always.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import VectorEnv
from scipy import stats

from pushpull.agents import make_policy
from pushpull.envs import InputError, Network, boards, load_network, replay, simulate
from pushpull.envs.actions import ActionSpace
from pushpull.envs.boards import BOARDS, board_id, make_board, references
from pushpull.envs.rules import Rules
from pushpull.envs.sb3_vec_env import PushPullVecEnv

CASES = json.loads((Path(__file__).parents[1] / "golden" / "replay_cases.json").read_text())
PERIODS, WORLD = 4_500_000, 1_000_000
ROWS = [(name, row) for name in BOARDS for row in references(name).get("rows", ())]


def rows_with(policy):
    """Return the boards and rows whose references hold a policy and its cost, as parameters with names."""
    found = [(name, row) for name, row in ROWS if "cost" in row.get(policy, ())]
    assert found
    return [
        pytest.param(name, row, id=f"{name}-{'-'.join(map(str, row['parameters'].values()))}") for name, row in found
    ]


def assert_costs(network, policy, reference, periods=PERIODS, printed=5e-5):
    """Play and compare; `printed` is what the digits of the reference leave open."""
    episodes = min(periods // network.horizon, 16_384)
    cost = simulate(network, policy, episodes, WORLD)["cost"]
    error = cost.std() / np.sqrt(episodes)
    assert error < 0.015 * reference
    assert abs(cost.mean() - reference) < 4.5 * error + printed


# --- costs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("board", "row"), rows_with("constant_order")[::3])
def test_constant_orders_cost_what_they_do_in_the_literature(board, row):
    network = make_board(board, **row["parameters"]).with_decoupling_point("market")
    quantity = row["constant_order"]["quantity"]
    assert_costs(network, Rules(network, {"store.push_quantity": quantity}), row["constant_order"]["cost"])


@pytest.mark.parametrize(("board", "row"), [row for row in rows_with("base_stock") if row.values[0] == "lost_sales"])
def test_base_stock_policies_of_one_stock_cost_what_they_do_in_the_literature(board, row):
    network = make_board(board, **row["parameters"])
    level = row["base_stock"]["level"]
    assert_costs(network, Rules(network, {"store.pull_threshold": level}), row["base_stock"]["cost"])


@pytest.mark.parametrize(("board", "row"), rows_with("capped_base_stock")[::3])
def test_a_cap_on_orders_makes_them_better(board, row):
    settings, own = make_board(board, **row["parameters"]).to_dict(), row["capped_base_stock"]
    settings["stages"]["store"]["sources"][0]["max_order"] = own["cap"]
    network = Network.from_dict(settings)
    assert_costs(network, Rules(network, {"store.pull_threshold": own["level"]}), own["cost"])


@pytest.mark.parametrize(("board", "row"), rows_with("echelon_base_stock"))
def test_echelon_base_stock_policies_cost_what_the_literature_says(board, row):
    own = row["echelon_base_stock"]
    network = make_board(board, **row["parameters"])
    pushed = {f"{stage}.push_quantity": level for stage, level in own["levels"].items()}
    pulled = {f"{stage}.pull_threshold": level for stage, level in own["levels"].items()}
    names = ActionSpace(network).names
    policy = Rules(
        network,
        {name: level for name, level in pulled.items() if name in names},
        {name: level for name, level in pushed.items() if name in names},
    )
    assert_costs(network, policy, own["cost"], printed=0.001)  # of a flat bottom, at levels on a grid


def test_a_cycle_of_levels_costs_what_dynamic_programming_says():
    (row,) = [row for name, row in ROWS if name == "push_pull_two_stage" and "cyclic_echelon_base_stock" in row]
    network, own = make_board("push_pull_two_stage", **row["parameters"]), row["cyclic_echelon_base_stock"]
    assert_costs(network, make_policy("base_stock", network, levels=own["levels"]), own["cost"])


class Kanban:
    """Release what the buffer lacks to its level once the pull stage has taken its part."""

    def __init__(self, network, buffer, finished):
        self.capacities, self.levels = [source.capacity for source in network.sources], (buffer, finished)

    def act(self, view):
        (push, pull), (buffer, finished) = self.capacities, self.levels
        there = view.on_hand[0] + view.pipeline[0][0]
        position = view.on_hand[1] + view.in_process[1] - view.backorders[1]
        taken = np.minimum(np.minimum(there, pull), np.maximum(finished - position, 0))
        released = np.minimum(np.maximum(buffer - (there - taken), 0), push)
        return np.stack([released, np.full_like(released, finished)], axis=1)


@pytest.mark.parametrize(("board", "row"), [row for row in rows_with("kanban") if row.values[0] != "push_pull_tandem"])
def test_kanban_between_two_stages_costs_what_dynamic_programming_says(board, row):
    network, own = make_board(board, **row["parameters"]), row["kanban"]
    assert_costs(network, Kanban(network, **own["levels"]), own["cost"], periods=PERIODS // 8)


@pytest.mark.parametrize(("board", "row"), [row for row in rows_with("kanban") if row.values[0] == "push_pull_tandem"])
def test_kanban_between_two_machines_costs_what_dynamic_programming_says(board, row):
    settings, own = make_board(board, **row["parameters"]).to_dict(), row["kanban"]
    settings["stages"]["buffer"]["sources"][0]["basis"] = "installation"
    network = Network.from_dict(settings)
    levels = {f"{stage}.push_quantity": level for stage, level in own["levels"].items()}
    assert_costs(network, Rules(network, {}, levels), own["cost"])


@pytest.mark.parametrize("kind", ["dual_index", "capped_dual_index"])
@pytest.mark.parametrize(("board", "row"), rows_with("dual_index"))
def test_dual_index_policies_cost_what_dynamic_programming_says(board, row, kind):
    own = {key: value for key, value in row[kind].items() if key != "cost"}
    network = make_board(board, **row["parameters"])
    assert_costs(network, make_policy(kind, network, **own), row[kind]["cost"], periods=PERIODS // 8)


@pytest.mark.parametrize(("board", "row"), [row for row in rows_with("base_stock") if row.values[0] == "beer_game"])
def test_firms_of_the_beer_game_cost_what_clark_and_scarf_say(board, row):
    own, network = row["base_stock"], make_board(board, **row["parameters"])
    levels = {f"{firm}.pull_threshold": level for firm, level in own["levels"].items()}
    assert_costs(network, Rules(network, levels), own["cost"], printed=0.005)


def test_an_assembly_is_three_stocks_in_a_row_in_every_world():
    """Rosling (1989): the slow part alone, then both parts, then the product."""
    assembled, (row,) = boards.assembly(), references("assembly")["rows"]
    levels = row["balanced_base_stock"]["levels"]
    assert list(levels) == list(assembled.stage_names)

    def stage(supplier, lead_time, holding_cost, **market):
        inputs = {"inputs": {supplier: 1}} if supplier else {}
        return {
            "holding_cost": holding_cost,
            "sources": [{"lead_time": lead_time, "basis": "echelon"} | inputs],
        } | market

    stages = {"slow": stage(None, 2, 1), "both": stage("slow", 1, 2)}
    stages["product"] = stage("both", 1, 4, market=assembled.to_dict()["stages"]["product"]["market"])
    settings = {key: value for key, value in assembled.to_dict().items() if key in ("sequence", "horizon", "warm_up")}
    in_a_row = Network.from_dict(settings | {"decoupling_point": "supply", "stages": stages})
    policy = Rules(
        in_a_row,
        dict(
            zip(["both.pull_threshold", "slow.pull_threshold", "product.pull_threshold"], levels.values(), strict=True)
        ),
    )
    balanced = make_policy("balanced_base_stock", assembled, levels=levels)
    one, other = simulate(assembled, balanced, 32, WORLD), simulate(in_a_row, policy, 32, WORLD)
    for term in ("cost.backorder", "cost.holding"):  # the slow part waits a period later, so the first and last differ
        np.testing.assert_allclose(one[term], other[term], rtol=0, atol=0 if term == "cost.backorder" else 0.02)
    assert_costs(in_a_row, policy, row["optimal"])


def test_no_policy_costs_less_than_the_optimum():
    for _, row in ROWS:
        if "optimal" in row:
            costs = [own["cost"] for own in row.values() if isinstance(own, dict) and "cost" in own]
            assert min(costs, default=np.inf) >= row["optimal"] - 1e-9


# --- definitions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sees", "level", "covered"), [(False, 13, 2), (True, 9, 1)])
def test_a_pull_that_sees_demand_covers_a_period_less(sees, level, covered):
    """Behind a full buffer, what is owed is what Poisson demand of the covered periods has above the level."""
    network = boards.push_pull_two_stage((4,), 30, 30, pull_sees_demand=sees, largest_demand=99)
    policy = Rules(network, {"finished.pull_threshold": level}, {"buffer.push_quantity": 60})
    table = simulate(network, policy, 4000, WORLD)
    above = stats.poisson(4 * covered).expect(lambda units: np.maximum(units - level, 0))
    assert table["cost.backorder"].mean() == pytest.approx(18 * above, rel=0.02)


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_the_network_of_or_gym_is_the_recorded_one_with_demand(version):
    (recorded, *_) = [case["network"] for case in CASES if f"NetworkManagement-{version}/" in case["id"]]
    network = boards.or_gym_network(version=version)
    names = {name.rpartition("_")[2]: name for name in network.stage_names}
    text = json.dumps(Network.from_dict(recorded).to_dict())
    for number, name in names.items():
        text = text.replace(f'"{number}":', f'"{name}":')
    stated = network.to_dict()
    assert stated["stages"]["retailer_1"]["market"].pop("demand") == {"kind": "poisson", "mean": 20}
    assert stated["stages"] == json.loads(text)["stages"]
    assert (network.sequence, network.allocation) == (tuple(recorded["sequence"]), recorded["allocation"])
    assert (network.horizon, network.horizon_is_real, network.discount) == (30, True, 1)


@pytest.mark.parametrize("row", references("guaranteed_service")["rows"], ids=lambda row: row["parameters"]["instance"])
def test_safety_stock_at_the_published_promises_costs_what_is_published(row):
    """A stage covers what it waits for its slowest supplier, plus its own time, less what it promises."""
    network = boards.guaranteed_service(**row["parameters"])
    promised = [row["promised"][name] for name in network.stage_names]
    variance, cost = np.zeros(len(promised)), 0.0
    for i, market in network.markets.items():
        assert market.demand is not None and market.demand.sd is not None
        assert promised[i] == market.tolerance
        variance += network.requirements[:, i] ** 2 * market.demand.sd**2
        ratio = market.backorder_cost / (market.backorder_cost + network.stages[network.stage_names[i]].holding_cost)
        z = stats.norm.ppf(ratio)
    for i, stage in enumerate(network.stages.values()):
        (j,) = network.sources_of[i]
        waited = max((promised[m] for m, _ in network.inputs[j]), default=0)
        assert promised[i] <= waited + stage.sources[0].lead_time
        cost += stage.holding_cost * z * np.sqrt(variance[i] * (waited + stage.sources[0].lead_time - promised[i]))
    assert cost == pytest.approx(row["optimal"], rel=1e-4)


def test_an_order_counts_the_bookings_of_the_periods_it_has_to_cover():
    """By hand: customers book a period ahead; the position is the stock less what is due next, and nothing later."""
    settings = boards.advance_demand(rates=(0, 1, 0), lead_time=0, horizon=3).to_dict()
    settings["stages"]["stock"]["market"]["demand"] = {"kind": "deterministic", "values": [0, 5, 0, 9]}
    network = Network.from_dict(settings)
    history = replay(network, [[[0, 0]]] * 3, [{"stock": 0}, {"stock": 5}, {"stock": 0}])
    np.testing.assert_array_equal(history.order[:, 0], [5, 0, 0])
    assert history.total_cost.tolist() == [100, 0, 0]


def test_stores_differ_between_instances_but_not_between_calls():
    first, again, other = (boards.one_warehouse_many_stores(stores=5, instance=k) for k in (0, 0, 1))
    assert first == again != other
    for store in list(first.stages.values())[1:]:
        (source,), market = store.sources, store.market
        assert market is not None and market.demand is not None
        assert 2.5 <= market.demand.mean <= 7.5
        assert 0.249 <= market.demand.sd / market.demand.mean <= 0.501
        assert source.lead_time in (2, 3)
        assert 0.7 <= store.holding_cost <= 1.3
        assert 6.3 <= market.lost_sale_cost <= 11.7


def test_the_published_cost_of_a_warehouse_with_backorders_comes_out():
    """Echelon base-stock with proportional allocation, levels tuned in whole units; only the first state is ours."""
    settings: dict[str, Any] = boards.owmr(1).to_dict() | {"decoupling_point": "supply"}
    settings["stages"]["warehouse"]["sources"][0]["basis"] = "echelon"
    network, (row, *_) = Network.from_dict(settings), references("owmr")["rows"]
    levels = {"warehouse.pull_threshold": 49} | {f"retailer_{k}.pull_threshold": 10 for k in (1, 2, 3)}
    total = 100 * simulate(network, Rules(network, levels), 2000, WORLD)["cost"].mean()
    assert total == pytest.approx(row["echelon_base_stock_proportional"]["cost"], rel=0.01)


@pytest.mark.parametrize("board", ["or_gym_inventory", "or_gym_network"])
def test_a_stationary_variant_has_no_end_to_run_dry_before(board):
    network = make_board(board, stationary=True)
    assert not network.horizon_is_real
    assert network.warm_up
    assert network.discount == 1
    assert network.stages == make_board(board).stages


def test_never_replenishing_pays_where_the_world_ends_and_not_where_it_goes_on():
    levels = {"retailer.push_quantity": 94, "distributor.push_quantity": 213, "manufacturer.push_quantity": 0}
    profits = []
    for stationary in (False, True):
        settings: dict[str, Any] = boards.or_gym_inventory(stationary=stationary).to_dict()
        for stage in settings["stages"].values():
            stage["sources"][0]["basis"] = "echelon"
        network = Network.from_dict(settings)
        profits.append(simulate(network, Rules(network, {}, levels), 100, WORLD)["profit"].mean())
    assert profits[0] > 0 > profits[1]


# --- doors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", BOARDS)
def test_checkers_pass_on_every_id(board):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env: Any = gymnasium.make(board_id(board), action="normalised")
        again: Any = gymnasium.make(env.spec)
        check_env(env.unwrapped, skip_render_check=True)
        assert again.unwrapped.network == env.unwrapped.network == load_network(board)


@pytest.mark.parametrize("board", BOARDS)
def test_vector_environments_of_an_id_repeat_the_single_one(board):
    single = gymnasium.make(board_id(board))
    vector: VectorEnv = gymnasium.make_vec(board_id(board), num_envs=2)
    for_sb3 = PushPullVecEnv({"board": board}, 2)
    for_sb3.seed(3)
    first = [single.reset(seed=4)[0], vector.reset(seed=3)[0][1], for_sb3.reset()[1]]
    single.action_space.seed(0)
    action = single.action_space.sample()
    rewards = [
        single.step(action)[1],
        vector.step(np.stack([action, action]))[1][1],
        for_sb3.step(np.stack([action, action]))[1][1],
    ]
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_array_equal(first[0], first[2])
    assert rewards[0] == rewards[1] == pytest.approx(rewards[2], rel=1e-6)


def test_an_id_takes_parameters_of_the_board_beside_those_of_the_environment():
    env: Any = gymnasium.make("PushPull/LostSales-v0", lead_time=2, demand="geometric", reward="cost", periods=107)
    assert env.unwrapped.network == boards.lost_sales(2, demand="geometric")
    env.reset(seed=0)
    assert [env.step([12])[3] for _ in range(107)] == [False] * 106 + [True]


def test_an_id_refuses_an_argument_that_is_nobodys():
    for make in (gymnasium.make, gymnasium.make_vec):
        with pytest.raises(InputError) as caught:
            make("PushPull/LostSales-v0", leadtime=2)
        assert "PushPull/LostSales-v0.leadtime: unknown argument; did you mean 'lead_time'" in str(caught.value)
        assert "reward" in str(caught.value)


@pytest.mark.parametrize(("board", "row"), ROWS)
def test_references_name_parameters_of_their_board(board, row):
    assert make_board(board, **row["parameters"]).markets
    assert {"source", "quantity"} <= {*references(board)}


@pytest.mark.parametrize("board", BOARDS)
def test_a_page_says_where_a_board_comes_from_what_happens_in_it_and_what_it_takes(board):
    page = BOARDS[board].__doc__ or ""
    for part in ("Source:", "Sequence:", "Lead time:", "Returns\n"):
        assert part in page
    for name in boards.parameters_of(board):
        assert f"{name}" in page.partition("Parameters\n")[2]


# --- bad input --------------------------------------------------------------------------------------------------------

REFUSED = [
    ("lost_sales", {"lead_time": -1}, "lead_time: -1 is out of range; give a whole number of at least 0"),
    ("lost_sales", {"lead_time": 1.5}, "lead_time: 1.5 is not whole"),
    ("lost_sales", {"penalty": "4"}, "penalty: '4' is not a number; give a number of at least 0, without quotes"),
    ("lost_sales", {"demand": "poison"}, "demand: 'poison' is unknown; did you mean 'poisson'?"),
    ("lost_sales", {"mean": 0}, "mean: 0 is out of range; give a number above 0"),
    ("lost_sales", {"leadtime": 3}, "leadtime: unknown parameter; did you mean 'lead_time'?"),  # a slip of the pen
    (
        "dual_sourcing",
        {"regular_lead_time": 0},
        "regular_lead_time: 0 is out of range; give a whole number of at least 1",
    ),
    ("dual_sourcing", {"demand_high": 0}, "demand_high: 0 is out of range"),
    ("serial3", {"demand": "gamma"}, "demand: 'gamma' is unknown; valid: normal, poisson"),
    ("serial4", {"store_lead_time": 0}, "store_lead_time: 0 is out of range; give a whole number of at least 1"),
    ("push_pull_two_stage", {"demand_means": []}, "demand_means: [] has 0 entries; give at least 1"),
    ("push_pull_two_stage", {"demand_means": [4, -1]}, "demand_means[1]: -1 is out of range; give a number above 0"),
    ("push_pull_two_stage", {"holding_costs": [1]}, "holding_costs: [1] has 1 entries; give"),
    ("push_pull_two_stage", {"holding_costs": [1, 2, 3]}, "holding_costs: [1, 2, 3] has 3 entries; give two"),
    ("push_pull_two_stage", {"pull_sees_demand": 1}, "pull_sees_demand: 1 is not true or false"),
    ("push_pull_tandem", {"arrival_rate": 0}, "arrival_rate: 0 is out of range; give a number above 0"),
    ("push_pull_tandem", {"arrival_rate": 1}, "arrival_rate: 1 is not below the service rates [1, 1]"),
    ("push_pull_tandem", {"service_rates": [1, 1, 1]}, "service_rates: [1, 1, 1] has 3 entries; give two"),
    ("beer_game", {"demand": "sterman"}, "demand: 'sterman' is unknown; valid: classic, uniform, normal"),
    ("one_warehouse_many_stores", {"stores": 1}, "stores: 1 is out of range; give a whole number of at least 2"),
    ("owmr", {"instance": 2}, "instance: 2 is none that is known; valid: 1, 5, 6"),
    ("assembly", {"part_lead_times": [0]}, "part_lead_times[0]: 0 is out of range; give a whole number of at least 1"),
    ("assembly", {"part_lead_times": [1, 2, 3]}, "part_holding_costs: 2 entries for 3 part_lead_times; give one for"),
    ("guaranteed_service", {"instance": "camera"}, "instance: 'camera' is unknown; did you mean 'digital_camera'?"),
    ("semiconductor_boundary", {"demand_sd": 0}, "demand_sd: 0 is out of range; give a number above 0"),
    ("advance_demand", {"rates": [0, 0]}, "rates: [0, 0] sum to 0; give at least one above 0"),
    ("advance_demand", {"rates": [6]}, "rates: [6] has 1 entries; give at least 2"),
    ("or_gym_inventory", {"version": "v2"}, "version: 'v2' is unknown; did you mean"),
    ("or_gym_network", {"stationary": "yes"}, "stationary: 'yes' is not true or false"),
]


@pytest.mark.parametrize(("board", "parameters", "words"), REFUSED)
def test_bad_parameters_are_refused_with_a_way_out(board, parameters, words):
    for make in (make_board, lambda name, **given: load_network({"board": name, **given})):
        with pytest.raises(InputError) as caught:
            make(board, **parameters)
        assert f"{board}.{words}" in str(caught.value)


def test_every_board_has_a_row_of_bad_input():
    assert {board for board, *_ in REFUSED} == {name for name in BOARDS if boards.parameters_of(name)}


def test_an_unknown_board_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="board: 'lostsales' is unknown; did you mean 'lost_sales'"):
        load_network({"board": "lostsales"})
    with pytest.raises(InputError, match=r"board: \['serial3'\] is unknown"):
        load_network({"board": ["serial3"]})
    with pytest.raises(InputError, match=r"serial3\.4: unknown parameter; valid: demand"):
        load_network({"board": "serial3", "4": 5})
    with pytest.raises(InputError, match="'serial5' is not in the library; did you mean 'serial"):
        load_network("serial5")
