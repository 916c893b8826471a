"""People order as Sterman (1989) says: by hand, where the rule is a base-stock rule, and as players did."""

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.agents.behaviour import Sterman
from pushpull.envs import InputError, Network, load_network, simulate
from pushpull.envs.boards import make_board
from pushpull.envs.engine import Engine


def played(network, policy, periods, batch=1):
    """Return orders [T, J, B] in the first periods of an episode."""
    engine = Engine(network, batch, backend="numpy")
    engine.reset(3)
    orders = []
    for _ in range(periods):
        engine.step(policy.act(engine.view()))
        orders.append(engine.flows.order.copy())
    return np.array(orders)


def firm(values=(8, 4, 9, 2, 2, 6), **source):
    """Return one firm that orders after it has seen demand, in parts of units."""
    return Network.from_dict(
        {
            "units": "real",
            "decoupling_point": "supply",
            "horizon": len(values),
            "stages": {
                "firm": {
                    "initial_on_hand": 10,
                    "sources": [{"lead_time": 2, "initial_pipeline": [3, 1], **source}],
                    "market": {"demand": {"kind": "deterministic", "values": list(values)}},
                }
            },
        }
    )


ALPHA, BETA, THETA = 0.25, 0.5, 0.25


def test_the_rule_to_the_letter_by_hand():
    """With the smoothed rule that its slope asks for, orders are those of the paper on the demand of the week."""
    network = firm(lot={"rule": "smoothed", "adjust_time": 1 / (ALPHA + THETA)})
    policy = Sterman(network, ALPHA, BETA, THETA, desired_stock=12, expected=6)
    orders = played(network, policy, 3)
    # week 0: L = 2 + 4.5 = 6.5; S = 10 + 3 - 8 = 5, SL = 1: O = 6.5 + (12 - 5 - 0.5) / 4 = 8.125
    # week 1: L = 1 + 4.875 = 5.875; S = 5 + 1 - 4 = 2, SL = 8.125: O = 5.875 + (12 - 2 - 4.0625) / 4 = 7.359375
    # week 2: L = 2.25 + 4.40625 = 6.65625; S = 2 + 8.125 - 9 = 1.125, SL = 7.359375: O = 8.455078125
    assert orders[:, 0, 0].tolist() == pytest.approx([8.125, 7.359375, 8.455078125])


def test_a_surprise_is_passed_on_by_a_rule_that_closes_the_whole_gap():
    """Expected 6 and 6.5 where 8 and 4 come: 2 more and 2.5 less than the rule says of what is expected."""
    network = firm()
    orders = played(network, Sterman(network, ALPHA, BETA, THETA, desired_stock=12, expected=6), 2)
    # week 0: 6 + (12 - (13 - 6) - 0.5) / 4 = 7.125, and 2; week 1: SL = 9.125: 6.5 + (12 + 0.5 - 4.5625) / 4 - 2.5
    assert orders[:, 0, 0].tolist() == pytest.approx([9.125, 6.5 + (12 - (5 + 1 - 6.5) - 9.125 / 2) / 4 - 2.5])


def test_upstream_firms_anchor_on_the_orders_in_their_mail():
    """The wholesaler finds nothing in its mail for two weeks, then what the retailer ordered in week 0."""
    network = load_network("beer_game")
    policy, engine = Sterman(network, 0, 0, 0.5, expected=4), Engine(network, 1, backend="numpy")
    engine.reset(0)
    orders = []
    for _ in range(4):
        engine.step(policy.act(engine.view()))
        orders.append(engine.flows.order[:, 0].tolist())
    names = network.stage_names
    wholesaler, retailer = names.index("wholesaler"), names.index("retailer")
    assert [row[retailer] for row in orders] == [4, 4, 4, 4]
    assert [row[wholesaler] for row in orders] == [2, 1, 2, 3]  # halves: 2, 1, 2.5, 3.25


def test_without_forgetting_it_is_a_base_stock_rule():
    network = make_board("beer_game", demand="normal")
    policy = Sterman(network, alpha=1, beta=1, theta=0, desired_stock=33, expected=10)
    other = make_policy("base_stock", network, levels=dict.fromkeys(network.source_names, 43))
    one, two = (simulate(network, own, 4, seed=0, periods=200) for own in (policy, other))
    np.testing.assert_allclose(one["cost"], two["cost"])


def test_forgetting_the_supply_line_makes_the_chain_swing():
    """Players cost about ten times the optimum of 204, and orders vary more with every firm upstream."""
    network = load_network("beer_game")
    costs, tables = [], []
    for beta in (0.34, 1.0):
        tables.append(simulate(network, make_policy("sterman", network, beta=beta), 1, seed=0))
        costs.append(36 * tables[-1]["cost"].iloc[0])
    assert costs[0] > 1.5 * costs[1]
    assert costs[0] > 5 * 204
    bullwhip = [tables[0][f"bullwhip.{name}"].iloc[0] for name in ("retailer", "wholesaler", "distributor")]
    assert bullwhip[0] < bullwhip[1] < bullwhip[2]


@pytest.mark.parametrize("decoupling_point", ["supply", "market"])
def test_an_environment_gets_the_same_orders_alone_and_in_a_batch(decoupling_point):
    network = make_board("beer_game", demand="uniform").with_decoupling_point(decoupling_point)
    together = played(network, Sterman(network), 20, batch=3)
    alone = played(network, Sterman(network), 20)
    assert together.any()
    np.testing.assert_array_equal(together[..., 0], alone[..., 0])


def test_environments_that_begin_anew_forget_and_others_do_not():
    network = make_board("beer_game", demand="uniform")
    engine, other = Engine(network, 2), Engine(network, 2)
    policy = Sterman(network)
    for own in (engine, other):
        own.reset(5)
    for _ in range(4):
        engine.step(policy.act(engine.view()))
        other.step(np.zeros((2, 4)))
    engine.begin(np.array([True, False]))
    engine.step(policy.act(engine.view()))  # nobody is refused, and the first starts as in any episode
    with pytest.raises(InputError, match="not seen all periods"):
        policy.act(other.view())


def test_what_passed_by_unseen_is_not_guessed():
    network = make_board("beer_game", demand="uniform")
    engine, policy = Engine(network, 1), Sterman(network)
    engine.reset(0)
    actions = policy.act(engine.view())
    engine.step(actions)
    engine.step(actions)
    with pytest.raises(InputError, match="sterman: remembers, and has not seen all periods of these episodes"):
        policy.act(engine.view())


BAD = [
    # network, parameters, what the error says
    ("chain4", {}, r"sources\[0\].order_delay: 0, so that its supplier meets orders of the same period"),
    ("dual_sourcing", {}, "stages.stock.sources: 2 entries; sterman orders from one source per stage"),
    ("beer_game", {"alpha": 1.5}, "alpha: 1.5 is out of range"),
    ("beer_game", {"beta": -0.1}, "beta: -0.1 is out of range"),
    ("beer_game", {"theta": "all"}, "theta: 'all' is not a number"),
    ("beer_game", {"desired_stock": {"retaler": 4}}, "desired_stock.retaler: no stage of this name; did you mean"),
    ("beer_game", {"expected": -4}, "expected: -4 is out of range"),
]


@pytest.mark.parametrize(("network", "parameters", "words"), BAD)
def test_what_cannot_be_used_is_told(network, parameters, words):
    with pytest.raises(InputError, match=words):
        make_policy("sterman", network, **parameters)
