"""Simple lost-sales policies cost what the literature says of them, by exact evaluation and by simulation."""

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.agents.lost_sales import average_cost, lost_sales_system
from pushpull.agents.lost_sales_heuristics import (
    CappedBaseStock,
    ConstantOrder,
    Myopic1,
    Myopic2,
    best_constant_order,
    mean_stock,
)
from pushpull.agents.value_iteration import PipelineStates
from pushpull.envs import InputError, Network, simulate
from pushpull.envs.boards import make_board, references
from pushpull.envs.engine import Engine

WORLD = 1_000_000
ROWS = references("lost_sales")["rows"]
NAMES = ["-".join(map(str, row["parameters"].values())) for row in ROWS]


def exact_cost(network, states, orders):
    system = lost_sales_system(network)
    return average_cost(system.demand, states, orders, system.holding_cost, system.lost_sale_cost)


@pytest.mark.parametrize("made", [Myopic1, Myopic2])
@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_myopic_policies_cost_what_zipkin_prints(row, made):
    network = make_board("lost_sales", **row["parameters"])
    policy = made(network)
    assert exact_cost(network, policy.states, policy.orders) == pytest.approx(row[made.name]["cost"], abs=1.1e-5)


@pytest.mark.parametrize("decoupling_point", ["supply", "market"])
def test_a_myopic_policy_costs_in_play_what_it_does_in_theory(decoupling_point):
    network = make_board("lost_sales", lead_time=3).with_decoupling_point(decoupling_point)
    cost = simulate(network, make_policy("myopic1", network), 400, WORLD)["cost"]
    assert abs(cost.mean() - 4.84348) < 4 * cost.sem() < 0.05


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_the_best_constant_order_costs_what_the_literature_says(row):
    network = make_board("lost_sales", **row["parameters"])
    quantity, cost = best_constant_order(network)
    assert quantity == row["constant_order"]["quantity"]
    assert cost == pytest.approx(row["constant_order"]["cost"], abs=1e-5)


def test_stock_under_a_constant_order_is_a_queue_in_discrete_time():
    """By hand: demand 0 or 2 with 0.4 and 0.6, order 1: a walk up by 0.4 and down by 0.6 has mean p / (q - p) = 2."""
    assert mean_stock(np.array([0.4, 0, 0.6]), 1) == pytest.approx(2)
    assert mean_stock(np.array([0, 1.0]), 0) == 0


def test_a_constant_order_that_is_pushed_runs_in_compiled_code_as_step_by_step():
    pushed = make_board("lost_sales").with_decoupling_point("market")
    pulled = make_board("lost_sales")
    policy = ConstantOrder(pushed)
    assert policy.rules is not None
    assert ConstantOrder(pulled).rules is None
    fast, slow = simulate(pushed, policy, 20, WORLD), simulate(pushed, policy, 20, WORLD, backend="numpy")
    np.testing.assert_array_equal(fast["cost"], slow["cost"])
    other = simulate(pulled, ConstantOrder(pulled), 20, WORLD)
    np.testing.assert_array_equal(fast["cost"], other["cost"])


@pytest.mark.parametrize("row", ROWS[::3], ids=NAMES[::3])
def test_trials_find_a_cap_and_a_level_that_are_nearly_best(row):
    network = make_board("lost_sales", **row["parameters"])
    policy, system = CappedBaseStock(network), lost_sales_system(network)
    states = PipelineStates(system.lead_time - 1, int(policy.level) + system.lead_time)
    total = np.concatenate([states.most_units - room + np.arange(room + 1) for room in states.room])
    orders = np.clip(policy.level - total, 0, policy.cap).astype(np.int64)
    best = row["capped_base_stock"]["cost"]
    assert best - 1e-5 <= exact_cost(network, states, orders) < 1.003 * best


@pytest.mark.parametrize("decoupling_point", ["supply", "market"])
def test_an_order_lifts_to_the_level_as_far_as_the_cap_allows(decoupling_point):
    network = make_board("lost_sales", lead_time=2).with_decoupling_point(decoupling_point)
    engine = Engine(network, 1)
    engine.reset(0)
    for level, cap, ordered in ((22, 9, 7), (22, 3, 3), (14, 9, 0)):  # 5 on hand and 10 on the way
        entry = CappedBaseStock(network, level, cap).act(engine.view())[0, 0]
        assert entry == (ordered if decoupling_point == "market" else 15 + ordered)


def test_one_number_that_is_given_leaves_the_other_to_trials():
    network = make_board("lost_sales", lead_time=2, penalty=4)
    assert CappedBaseStock(network, cap=100).level == 16  # the best level without a cap
    assert CappedBaseStock(network, level=100).cap == 4  # the best constant order


def changed(**market):
    settings = make_board("lost_sales").to_dict()
    settings["stages"]["store"]["market"] |= market
    return Network.from_dict(settings)


WAITS = {"stockout": "backorder", "lost_sale_cost": 0, "backorder_cost": 9}
BAD = [
    # policy, network, parameters, what the error says
    ("myopic1", changed(**WAITS), {}, "stages.store.market.stockout: customers wait; myopic1 is for lost sales"),
    ("myopic2", make_board("lost_sales", lead_time=0), {}, r"sources\[0\].lead_time: 0; myopic2 needs at least 1"),
    ("myopic1", make_board("serial3"), {}, "network: 3 stages and 3 sources; myopic1 is for one stage with one"),
    ("constant_order", changed(**WAITS), {}, "stages.store.market.stockout: customers wait, so no constant order"),
    ("constant_order", make_board("lost_sales"), {"quantity": -1}, "quantity: -1 is out of range"),
    ("capped_base_stock", make_board("lost_sales"), {"cap": "5"}, "cap: '5' is not a number"),
    ("capped_base_stock", make_board("dual_sourcing"), {}, "1 stages and 2 sources; capped_base_stock is for one"),
]


@pytest.mark.parametrize(("name", "network", "parameters", "words"), BAD)
def test_a_network_that_does_not_suit_is_told_what_would(name, network, parameters, words):
    with pytest.raises(InputError, match=words):
        make_policy(name, network, **parameters)


def test_the_law_of_the_board_is_the_one_that_is_solved():
    system = lost_sales_system(make_board("lost_sales", demand="geometric"))
    assert system.demand[:3] == pytest.approx([1 / 6, 5 / 36, 25 / 216])
    assert system.demand.sum() == pytest.approx(1)
