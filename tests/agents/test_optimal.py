"""Exact optima are those of the literature, of a linear program over the engine's own periods, and of simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import optimize, sparse

from pushpull.agents.dual_sourcing import dual_sourcing
from pushpull.agents.optimal import CLASSES, Solution, solve
from pushpull.agents.stock_costs import backorder_costs
from pushpull.agents.tandem_queue import tandem_queue
from pushpull.agents.value_iteration import PipelineStates, lost_sales_sweep
from pushpull.envs import InputError, Network, accounting, dynamics, load_network, simulate
from pushpull.envs.boards import make_board, references
from pushpull.envs.network import SEQUENCES

BEFORE, AFTER, RELEASE_FIRST = (
    list(SEQUENCES[name]) for name in ("pull_before_demand", "pull_after_demand", "push_before_receive")
)
BOARDS = ("lost_sales", "dual_sourcing", "serial3", "serial4", "push_pull_two_stage", "push_pull_tandem")
ROWS = [(board, row) for board in BOARDS for row in references(board)["rows"] if "optimal" in row]
NAMES = [f"{board}-{'-'.join(map(str, row['parameters'].values()))}" for board, row in ROWS]


@cache
def solved(board: str, *parameters: tuple[str, Any]) -> tuple[Network, Solution]:
    """Return a board and its optimum, solved once."""
    given = {key: list(value) if isinstance(value, tuple) else value for key, value in parameters}
    network = make_board(board, **given)
    return network, solve(network)


def of_row(board: str, row: Mapping[str, Any]) -> tuple[Network, Solution]:
    return solved(
        board, *((key, tuple(value) if isinstance(value, list) else value) for key, value in row["parameters"].items())
    )


# --- the literature ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("board", "row"), ROWS, ids=NAMES)
def test_boards_cost_at_best_what_their_reference_says(board, row):
    _, solution = of_row(board, row)
    assert solution.cost == pytest.approx(row["optimal"], rel=2e-4)
    assert solution.error <= 1e-5 * solution.cost
    if "optimal_fill_rate" in row:
        assert solution.fill_rate == pytest.approx(row["optimal_fill_rate"], abs=1e-5)


@pytest.mark.parametrize(("board", "row"), ROWS, ids=NAMES)
def test_no_policy_of_the_literature_costs_less(board, row):
    _, solution = of_row(board, row)
    named = [value["cost"] for value in row.values() if isinstance(value, Mapping) and "cost" in value]
    assert all(cost >= solution.cost - solution.error - 5e-5 for cost in named)


# Zipkin (2008), Operations Research 56(5), the optimal costs for lead times 1 to 4.
ZIPKIN = {
    ("poisson", 4): (4.04, 4.40, 4.60, 4.73),
    ("poisson", 9): (5.44, 6.09, 6.53, 6.84),
    ("poisson", 19): (6.68, 7.66, 8.36, 8.89),
    ("poisson", 39): (7.84, 9.11, 10.04, 10.79),
    ("geometric", 4): (9.82, 10.24, 10.47, 10.61),
    ("geometric", 9): (14.51, 15.50, 16.14, 16.58),
    ("geometric", 19): (19.22, 20.89, 22.06, 22.95),
    ("geometric", 39): (23.87, 26.21, 27.96, 29.36),
}


@pytest.mark.parametrize(("demand", "penalty"), ZIPKIN)
def test_lost_sales_cost_what_zipkin_prints(demand, penalty):
    for lead_time, printed in enumerate(ZIPKIN[demand, penalty], start=1):
        _, solution = solved("lost_sales", ("lead_time", lead_time), ("penalty", penalty), ("demand", demand))
        assert abs(solution.cost - printed) <= 0.00501
        assert solution.error < 1e-4


SERIAL4 = [
    (row["parameters"], row["optimal"], list(row["echelon_base_stock"]["levels"].values()))
    for row in references("serial4")["rows"]
]


@pytest.mark.parametrize(("parameters", "optimal", "levels"), SERIAL4)
def test_echelon_levels_are_those_that_were_published(parameters, optimal, levels):
    _, solution = solved("serial4", *parameters.items())
    assert list(solution.levels.values()) == pytest.approx(levels, abs=0.05)  # printed in steps of 0.05


def test_costs_of_all_sixteen_serial_boards_rise_with_lead_time_and_penalty():
    costs = np.array(
        [
            [solved("serial4", ("store_lead_time", lead), ("penalty", p))[1].cost for p in (4, 9, 19, 39)]
            for lead in (1, 2, 3, 4)
        ]
    )
    assert (np.diff(costs, axis=0) > 0).all()
    assert (np.diff(costs, axis=1) > 0).all()
    assert (np.diff(costs, 2, axis=1) < 0).all()  # ever less, for each doubling of the penalty


@pytest.mark.parametrize(
    ("arrival_rate", "works", "cost"),
    [
        (0.6, (lambda b, i: b + i < 5, lambda b, i: i + 0 * b < 6), 11.0987),
        (0.6, (lambda b, i: b + 0 * i < 5, lambda b, i: i + 0 * b < 4), 12.1471),
        (0.6, (lambda b, i: b + np.maximum(i, 0) < 6, lambda b, i: i + 0 * b < np.inf), 11.33),
        (0.8, (lambda b, i: b + i < 14, lambda b, i: i + 0 * b < 10), 25.6217),
    ],
    ids=["echelon base-stock", "kanban", "CONWIP", "echelon base-stock, busier"],
)
def test_simple_rules_of_a_tandem_queue_cost_what_was_computed_of_them(arrival_rate, works, cost):
    assert tandem_queue(arrival_rate, (1, 1), (1, 2), 10, works).cost == pytest.approx(cost, rel=5e-5)
    _, best = solved("push_pull_tandem", ("arrival_rate", arrival_rate))
    assert cost > best.cost


def test_the_beer_game_costs_a_little_more_than_was_computed_on_a_coarser_lattice():
    """12.48 and levels 48.09, 42.52, 41.3, 30.37 were computed of it; these levels cost 12.497 on a fine lattice."""
    _, solution = solved("beer_game", ("demand", "normal"))
    assert solution.cost == pytest.approx(12.4963, abs=1e-4)
    assert solution.cost == pytest.approx(12.48, rel=2e-3)
    own = np.diff(
        [solution.levels[name] for name in ("retailer", "wholesaler", "distributor", "manufacturer")], prepend=0
    )
    assert own == pytest.approx([48.09, 42.52, 41.3, 30.37], abs=0.15)


def test_searched_levels_of_the_plain_chain_cost_hardly_more_than_the_best():
    """The file of `chain4` states 14.4 for levels found by search, without 50 of production."""
    assert solve(load_network("chain4")).cost - 50 == pytest.approx(14.4, abs=0.05)


def test_demand_that_hardly_varies_takes_no_endless_lattice():
    settings = make_board("serial3").to_dict()
    settings["stages"]["store"]["market"]["demand"] = {"kind": "normal", "mean": 1000, "sd": 1e-3}
    on_the_way = 1000 * (4 + 2)  # from warehouse and factory, each for a period at its sender's rate
    assert solve(Network.from_dict(settings)).cost == pytest.approx(on_the_way, rel=1e-4)


# --- the engine, period by period -------------------------------------------------------------------------------------


def least_cost(network: Network, laws: list[dict[int, float]], largest: int, inside: Callable[..., bool]) -> float:
    """Return the least average cost of a network by a linear program over periods of `dynamics.step`.

    `laws` holds the demand of each period of the cycle, `largest` the largest quantity or threshold. An action is
    allowed where every demand leads to a state that is `inside`, and states without any are left out.
    """
    quantities = list(product(range(largest + 1), repeat=len(network.sources)))
    start = state_of(dynamics.initial_state(np, network, 1), 0)
    options: dict[tuple, list[tuple[float, dict[tuple, float]]]] = {}
    frontier = [(0, start)]
    while frontier:
        phase, state = frontier.pop()
        if (phase, state) in options:
            continue
        law, after = laws[phase], (phase + 1) % len(laws)
        cases = list(product(quantities, law))
        cost, ends = stepped(network, state, np.array([case[0] for case in cases]).T, [case[1] for case in cases])
        found = []
        for n in range(0, len(cases), len(law)):
            nexts, mean = {}, 0.0
            for k, chance in enumerate(law.values()):
                key = (after, ends[n + k])
                nexts[key] = nexts.get(key, 0.0) + chance
                mean += chance * cost[n + k]
            if all(inside(*key[1]) for key in nexts):
                found.append((mean, nexts))
        options[phase, state] = found
        frontier += [key for _, nexts in found for key in nexts]
    while dead := {key for key, found in options.items() if not found}:
        options = {
            key: [one for one in found if not dead & one[1].keys()] for key, found in options.items() if key not in dead
        }
    assert (0, start) in options
    number = {key: k for k, key in enumerate(options)}
    rows, bounds = [], []
    for key, found in options.items():
        for mean, nexts in found:
            row = {0: 1.0, number[key] + 1: 1.0}
            for other, chance in nexts.items():
                row[number[other] + 1] = row.get(number[other] + 1, 0.0) - chance
            rows.append(row)
            bounds.append(mean)
    places = [(r, c) for r, row in enumerate(rows) for c in row]
    entries = [value for row in rows for value in row.values()]
    matrix = sparse.csr_matrix((entries, tuple(zip(*places, strict=True))), shape=(len(rows), len(number) + 1))
    goal = np.zeros(len(number) + 1)
    goal[0] = -1.0
    result = optimize.linprog(goal, matrix, bounds, bounds=(None, None), method="highs")
    assert result.status == 0, result.message
    return -result.fun


def state_of(state: dynamics.State, b: int) -> tuple:
    return tuple(
        tuple(int(units) for units in getattr(state, name)[:, b]) for name in ("on_hand", "owed", "pending", "pipeline")
    )


def stepped(network: Network, state: tuple, quantity: np.ndarray, demand: list[int]) -> tuple[np.ndarray, list[tuple]]:
    """Return cost and end of one period from a state, for each column of quantities and entry of demand."""
    batch = len(demand)
    rows = zip(("on_hand", "owed", "pending", "pipeline"), state, strict=True)
    columns = {name: np.repeat(np.array(units, dtype=float)[:, None], batch, axis=1) for name, units in rows}
    start = replace(dynamics.initial_state(np, network, batch), **columns)
    outside = dynamics.Exogenous(np.array(demand, dtype=float)[None])
    action = dynamics.Action(quantity.astype(float), quantity.astype(float))  # of each source its mode reads one
    end, flows = dynamics.step(np, network, start, outside, action)
    costs = sum(accounting.costs(np, network, flows).values())
    return np.broadcast_to(np.asarray(costs), batch), [state_of(end, b) for b in range(batch)]


LAW = {0: 0.3, 1: 0.4, 2: 0.3}
DEMAND = {"kind": "empirical", "values": list(LAW), "probabilities": list(LAW.values())}


def one_stage(sources: list[dict], market: dict, sequence: list[str] = AFTER, holding_cost: float = 1) -> Network:
    shop = {
        "initial_on_hand": 2,
        "holding_cost": holding_cost,
        "sources": sources,
        "market": {"demand": DEMAND, **market},
    }
    return Network.from_dict({"decoupling_point": "market", "sequence": sequence, "stages": {"shop": shop}})


def two_stages(holding_costs: tuple[float, float], sources: tuple[dict, dict], demand: dict, **more: Any) -> Network:
    upper = {"initial_on_hand": 2, "holding_cost": holding_costs[0], "sources": [sources[0]]}
    lower = {
        "initial_on_hand": 2,
        "holding_cost": holding_costs[1],
        "sources": [{"inputs": {"upper": 1}, **sources[1]}],
    }
    lower["market"] = {"demand": demand, "backorder_cost": 6}
    return Network.from_dict({"decoupling_point": "market", **more, "stages": {"upper": upper, "lower": lower}})


def within(most: int, owed: int) -> Callable[..., bool]:
    """Return whether a state holds at most `most` units and owes at most `owed`."""
    return lambda on_hand, backorders, _, pipeline: sum(on_hand) + sum(pipeline) <= most and sum(backorders) <= owed


TINY = {
    "lost sales": (one_stage([{"lead_time": 2, "unit_cost": 0.5}], {"stockout": "lost", "lost_sale_cost": 4}), 3, 7, 0),
    "lost sales with a capacity": (
        one_stage([{"lead_time": 3, "capacity": 1}], {"stockout": "lost", "lost_sale_cost": 9}), 1, 7, 0
    ),
    "releases before receipts": (
        one_stage([{"lead_time": 1}], {"stockout": "lost", "lost_sale_cost": 4}, RELEASE_FIRST), 3, 7, 0
    ),
    "no lead time": (one_stage([{"lead_time": 0}], {"stockout": "lost", "lost_sale_cost": 4}, BEFORE), 3, 7, 0),
    "dual sourcing": (
        one_stage([{"lead_time": 0, "unit_cost": 3}, {"lead_time": 2, "unit_cost": 1}], {"backorder_cost": 9}), 4, 8, 4
    ),
    "dual sourcing, slow source first": (
        one_stage([{"lead_time": 2, "unit_cost": 1}, {"lead_time": 1, "unit_cost": 2}], {"backorder_cost": 5}),
        3, 8, 5,
    ),
    "dual sourcing that waits for the slow source": (
        one_stage([{"lead_time": 0, "unit_cost": 5.5}, {"lead_time": 1, "unit_cost": 1}], {"backorder_cost": 5}),
        4, 6, 5,
    ),
    "fixed cost": (one_stage([{"lead_time": 1, "fixed_cost": 2}], {"backorder_cost": 4}), 6, 9, 6),
    "newsvendor": (one_stage([{"lead_time": 1, "unit_cost": 2}], {"backorder_cost": 4}), 4, 8, 5),
    "serial": (two_stages((0.5, 2), ({"lead_time": 1}, {"lead_time": 1}), DEMAND), 2, 8, 4),
    "serial with stock on its way": (
        two_stages((1, 2), ({"lead_time": 1}, {"lead_time": 2, "pipeline_holding_cost": 1, "unit_cost": 3}), DEMAND),
        2, 9, 4,
    ),
    "serial, releases before receipts": (
        two_stages((0.5, 2), ({"lead_time": 1}, {"lead_time": 1}), DEMAND, sequence=RELEASE_FIRST), 2, 9, 5
    ),
    "capacities, and a pull that sees demand": (
        two_stages((1, 2), ({"capacity": 3}, {"capacity": 2}), DEMAND, decoupling_point="upper"), 4, 7, 4
    ),
    "capacities": (two_stages((1, 2), ({"capacity": 3}, {"capacity": 2}), DEMAND), 3, 9, 5),
}  # fmt: skip


@pytest.mark.parametrize("name", TINY)
def test_tiny_problems_cost_at_best_what_a_linear_program_over_the_engine_says(name):
    network, largest, most, owed = TINY[name]
    solution = solve(network)
    exact = least_cost(network, [LAW], largest, within(most, owed))
    assert solution.cost == pytest.approx(exact, rel=2e-5)


def test_a_season_costs_at_best_what_a_linear_program_over_the_engine_says():
    demand = {"kind": "empirical", "values": [0, 1], "probabilities": [0.4, 0.6], "season": [1, 2, 0]}
    network = two_stages((1, 2), ({"capacity": 1}, {"capacity": 2}), demand)
    laws = [{0: 0.4, 1: 0.6}, {0: 0.4, 2: 0.6}, {0: 1.0}]
    assert solve(network).cost == pytest.approx(least_cost(network, laws, 2, within(8, 5)), rel=2e-5)


def test_pulling_after_demand_is_better_than_before():
    parameters = {"demand_means": [1, 2], "largest_demand": 5}
    costs = [
        solve(make_board("push_pull_two_stage", **parameters, pull_sees_demand=sees)).cost for sees in (True, False)
    ]
    assert costs[0] < 0.98 * costs[1]


def test_a_space_that_is_too_small_says_that_it_cuts_orders():
    law = np.array(list(LAW.values()))
    for units, cuts in ((3, True), (12, False)):
        states = PipelineStates(1, units)
        x = np.arange(units + 1)
        above = np.maximum(0.0, 1 - np.array([law[:k].sum() for k in x]))
        left = np.array([law @ np.maximum(k - np.arange(3), 0) for k in x])
        cost = left + 9 * (1 - x + left)
        values, orders, cut = np.zeros(states.size), np.zeros(states.size, dtype=np.int64), False
        table = (1, states.base, states.block, states.room, states.first, law, above, cost, 0.0, 99)
        for _ in range(20):
            new = np.empty_like(values)
            cut |= lost_sales_sweep(*table, values, orders, new)
            values = new
        assert cut == cuts


def test_stock_may_sink_far_before_a_dear_source_helps():
    """The state space has to grow downwards; in the long run the dear source is then as good as none."""
    law = np.array([0.6, 0.1, 0, 0, 0.3])
    found = dual_sourcing(law, (0, 2), 1, 5, (9, 1))
    assert found.lowest < 1 - law.size
    ahead = np.convolve(np.convolve(law, law), law)
    least = backorder_costs(np.arange(13), ahead, 1, 5).min()
    assert found.cost == pytest.approx(least + law @ np.arange(5), rel=1e-6)


# --- simulation -------------------------------------------------------------------------------------------------------


def assert_played(network: Network, solution: Solution, episodes: int, seed: int = 10_000, precision: float = 0.01):
    """Play a solution, and let its cost lie within 4 standard errors."""
    table = simulate(network, solution.policy, episodes, seed)
    error = table["cost"].std() / np.sqrt(episodes)
    assert error < precision * solution.cost
    assert abs(table["cost"].mean() - solution.cost) < 4 * error
    if solution.fill_rate is not None:
        assert table["fill_rate"].mean() == pytest.approx(solution.fill_rate, abs=0.005)


@pytest.mark.parametrize(
    ("board", "parameters"),
    [
        ("lost_sales", {"lead_time": 4, "penalty": 4}),
        ("lost_sales", {"lead_time": 2, "penalty": 19, "demand": "geometric"}),
        ("lost_sales", {"lead_time": 0, "penalty": 9}),
        ("dual_sourcing", {}),
        ("dual_sourcing", {"regular_lead_time": 4, "expedited_cost": 110}),
        ("serial3", {}),
        ("serial3", {"demand": "poisson"}),
        ("serial4", {"store_lead_time": 4, "penalty": 39}),
        ("push_pull_two_stage", {}),
        ("push_pull_two_stage", {"demand_means": [4], "push_capacity": 6}),
        ("push_pull_two_stage", {"demand_means": [1, 2], "largest_demand": 5, "pull_sees_demand": True}),
        ("push_pull_tandem", {"arrival_rate": 0.6}),
    ],
)
def test_the_optimal_policy_costs_in_play_what_it_should(board, parameters):
    network = make_board(board, **parameters)
    queue = board == "push_pull_tandem"
    assert_played(network, solve(network), 200 if queue else 300, precision=0.015 if queue else 0.01)


@pytest.mark.parametrize("board", ["lost_sales", "dual_sourcing", "serial4"])
def test_pushing_and_pulling_are_two_ways_to_play_the_same_policy(board):
    costs = []
    for point in "market", "supply":
        network = make_board(board).with_decoupling_point(point)
        costs.append(simulate(network, solve(network).policy, 20, 0)["cost"].to_numpy())
    np.testing.assert_allclose(*costs, rtol=1e-9)


def row_of(
    modes: list[str], sequence: list[str], basis: str = "installation", longer: int = 0, **source: Any
) -> Network:
    """Return three stages in a row, upstream first."""
    stages: dict[str, Any] = {}
    for k, mode in enumerate(modes):
        own = {"mode": mode, "lead_time": (3, 1, 2)[k] + longer, "basis": basis, **source}
        own |= {"inputs": {f"stage{k - 1}": 1}} if k else {}
        stages[f"stage{k}"] = {"initial_on_hand": 10, "holding_cost": (0.2, 0.5, 1)[k], "sources": [own]}
    stages[f"stage{len(modes) - 1}"]["market"] = {"demand": {"kind": "poisson", "mean": 4}, "backorder_cost": 9}
    return Network.from_dict({"sequence": sequence, "horizon": 1100, "warm_up": 100, "stages": stages})


@pytest.mark.parametrize("sequence", [AFTER, BEFORE, RELEASE_FIRST], ids=["after", "before", "release first"])
@pytest.mark.parametrize("modes", [["pull"] * 3, ["push", "pull", "pull"], ["push", "push", "pull"], ["push"] * 3])
def test_stages_in_a_row_cost_in_play_what_they_should_wherever_push_meets_pull(modes, sequence):
    network = row_of(modes, sequence)
    assert_played(network, solve(network), 200)


def test_order_delays_add_to_lead_times():
    delayed = solve(row_of(["pull"] * 3, AFTER, order_delay=2))
    assert_played(row_of(["pull"] * 3, AFTER, order_delay=2), delayed, 400)
    longer = solve(row_of(["pull"] * 3, AFTER, longer=2))
    assert delayed.cost == pytest.approx(longer.cost)
    assert delayed.levels == pytest.approx(dict(longer.levels))


def test_echelon_and_installation_levels_order_alike():
    networks = [row_of(["pull"] * 3, AFTER, basis) for basis in ("echelon", "installation")]
    costs = [simulate(network, solve(network).policy, 20, 0)["cost"].to_numpy() for network in networks]
    np.testing.assert_array_equal(*costs)


@pytest.mark.parametrize(
    ("sequence", "source"),
    [
        *product(
            (AFTER, BEFORE),
            (
                {"lot": {"rule": "s_S"}, "fixed_cost": 30},
                {"lot": {"rule": "s_S", "gap": 12}, "fixed_cost": 30},
                {"lot": {"rule": "r_nQ", "Q": 7}, "fixed_cost": 10},
                {"fixed_cost": 30, "mode": "push"},
            ),
        ),
        (BEFORE, {"fixed_cost": 30}),  # a threshold that is set anew every period holds back
    ],
)
def test_fixed_costs_and_lots_cost_in_play_what_they_should(sequence, source):
    stage = {"initial_on_hand": 10, "holding_cost": 1, "sources": [{"lead_time": 2, **source}]}
    stage["market"] = {"demand": {"kind": "negative_binomial", "mean": 4, "sd": 3}, "backorder_cost": 9}
    network = Network.from_dict(
        {"decoupling_point": "supply", "sequence": sequence, "horizon": 1100, "warm_up": 100, "stages": {"shop": stage}}
    )
    assert_played(network, solve(network), 200)


# --- what is not solved -----------------------------------------------------------------------------------------------


def test_a_network_beyond_all_classes_is_told_which_there_are():
    with pytest.raises(InputError) as caught:
        solve(make_board("or_gym_network"))
    for solvable in CLASSES:
        assert solvable.name in caught.value.problem
