"""Lots are those of textbooks and of brute force, and plans release them a lead time before they are needed."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushpull.agents import make_policy
from pushpull.agents.lot_sizing import lot_for_lot, silver_meal, wagner_whitin
from pushpull.envs import InputError, Network, load_network, simulate
from pushpull.envs.engine import Engine

# The example of Silver, Pyke & Thomas (2017), Inventory and Production Management in Supply Chains, chapter 5: a setup
# costs 54, a unit and month 0.4; both rules find 501.20.
BOOK = [10, 62, 12, 130, 154, 129, 88, 52, 124, 160, 238, 41]
BOOK_LOTS = [84, 0, 0, 130, 283, 0, 140, 0, 124, 160, 279, 0]


def cost(lots, required, fixed_cost, holding_cost):
    """Return the cost of lots [T], which must never be short."""
    stock = np.cumsum(lots) - np.cumsum(required)
    assert (stock > -1e-9).all()
    return fixed_cost * np.count_nonzero(lots) + holding_cost * stock.sum()


@pytest.mark.parametrize("rule", [silver_meal, wagner_whitin])
def test_the_textbook_example(rule):
    lots = rule(np.array(BOOK, dtype=float)[:, None], 54, 0.4)[:, 0]
    assert lots.tolist() == BOOK_LOTS
    assert cost(lots, BOOK, 54, 0.4) == pytest.approx(501.20)


def test_silver_meal_by_hand():
    """A setup costs 80, a unit and period 2."""
    required = np.array([18.0, 30, 42, 5, 20])[:, None]
    # from 18 on: 80, (80 + 60) / 2 = 70, (140 + 168) / 3 > 70; from 42 on: 80, (80 + 10) / 2 = 45, (90 + 80) / 3 > 45
    assert silver_meal(required, 80, 2)[:, 0].tolist() == [48, 0, 47, 0, 20]


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=7),
    st.integers(0, 40),
    st.integers(1, 5),
)
def test_wagner_and_whitin_find_what_trying_all_finds(required, fixed_cost, holding_cost):
    best = np.inf
    for setups in product((False, True), repeat=len(required)):
        lots, at = [0] * len(required), None
        for t, units in enumerate(required):
            at = t if setups[t] else at
            if at is not None:
                lots[at] += units
            elif units:
                break
        else:
            best = min(best, cost(lots, required, fixed_cost, holding_cost))
    column = np.array(required, dtype=float)[:, None]
    found = [
        cost(rule(column, fixed_cost, holding_cost)[:, 0], required, fixed_cost, holding_cost)
        for rule in (wagner_whitin, silver_meal, lot_for_lot)
    ]
    assert found[0] == pytest.approx(best)
    assert min(found) == found[0]


@given(st.lists(st.lists(st.integers(0, 9), min_size=6, max_size=6), min_size=1, max_size=4), st.integers(0, 40))
def test_rules_plan_each_environment_alone(required, fixed_cost):
    batch = np.array(required, dtype=float).T
    for rule in (silver_meal, wagner_whitin):
        together = rule(batch, fixed_cost, 2)
        for e in range(batch.shape[1]):
            np.testing.assert_array_equal(together[:, e], rule(batch[:, [e]], fixed_cost, 2)[:, 0])


def line(values, **source):
    """Return a product of two parts, ordered 2 periods ahead, in a week that is known."""
    return Network.from_dict(
        {
            "decoupling_point": "market",
            "horizon": len(values) - 3,
            "horizon_is_real": True,
            "stages": {
                "part": {"initial_on_hand": 60, "holding_cost": 1, "sources": [{"lead_time": 2, **source}]},
                "product": {
                    "initial_on_hand": 10,
                    "holding_cost": 2,
                    "sources": [{"inputs": {"part": 2}, "lead_time": 1}],
                    "market": {
                        "demand": {"kind": "deterministic", "values": values},
                        "forecast": {"kind": "true_mean", "horizon": 6},
                        "backorder_cost": 90,
                    },
                },
            },
        }
    )


def test_a_plan_by_hand():
    """The product is made a period ahead, its parts two more; what the first periods lack is released at once."""
    values = [8, 6, 7, 9, 4, 5, 6, 3, 7, 6, 5, 8]
    network = line(values)
    policy, engine = make_policy("mrp_lot_for_lot", network, service_level=0.5), Engine(network, 1)
    engine.reset(0)
    released = []
    while not engine.ended.all():
        released.append(policy.act(engine.view())[0].tolist())
        engine.step(np.array(released[-1:]))
    # product: 10 in stock less 8, so 4 for the next period, then what is needed; parts: 60 less twice 4, 7, 9, 4 is 12,
    # less twice 5 is 2, so 10 for the release of 6 in period 5, ordered in period 3
    assert [row[1] for row in released][:7] == [4, 7, 9, 4, 5, 6, 3]
    assert [row[0] for row in released][:5] == [0, 0, 0, 10, 6]
    assert engine.kpis()["fill_rate"][0] == 1


def test_lots_pay_where_setups_cost():
    network = line([5] * 33, fixed_cost=60)
    costs = [
        simulate(network, make_policy(f"mrp_{rule}", network, service_level=0.5), 1, seed=0)["cost"].iloc[0]
        for rule in ("wagner_whitin", "silver_meal", "lot_for_lot")
    ]
    assert costs[0] <= costs[1] < costs[2] - 10


def test_it_serves_where_demand_is_random():
    network = load_network("chain4").with_decoupling_point("market")
    for rule in ("wagner_whitin", "silver_meal", "lot_for_lot"):
        assert simulate(network, make_policy(f"mrp_{rule}", network), 20, seed=0)["fill_rate"].mean() > 0.9


BAD = [
    # changes of chain4, parameters, what the error says
    ({"decoupling_point": "supply"}, {}, "decoupling_point: 'factory' pulls; mrp_wagner_whitin plans releases"),
    ({"sequence": ["push", "receive", "demand", "pull", "ship"]}, {}, "sequence: releases before it receives"),
    ({}, {"horizon": 0}, "horizon: 0 is out of range; give a whole number of at least 1"),
    ({}, {"service_level": 1}, "service_level: 1 is out of range"),
]


@pytest.mark.parametrize(("changes", "parameters", "words"), BAD)
def test_a_network_that_does_not_suit_is_told_what_would(changes, parameters, words):
    network = load_network("chain4").to_dict() | {"decoupling_point": "market"} | changes
    with pytest.raises(InputError, match=words):
        make_policy("mrp_wagner_whitin", network, **parameters)
