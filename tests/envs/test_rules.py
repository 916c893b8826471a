"""Rules play the same episodes in compiled code as period by period."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pushpull.agents import make_policy
from pushpull.envs import Network, load_network, simulate
from pushpull.envs.checks import InputError
from pushpull.envs.rules import Rules

CHAIN = {
    "name": "chain",
    "horizon": 50,
    "warm_up": 7,
    "decoupling_point": "plant",
    "stages": {
        "plant": {
            "initial_on_hand": 30,
            "holding_cost": 1,
            "sources": [{"lead_time": 2, "capacity": 25}, {"lead_time": 1, "basis": "echelon"}],
        },
        "shop": {
            "initial_on_hand": 20,
            "holding_cost": 2,
            "sources": [{"inputs": {"plant": 1}, "lead_time": 1, "fixed_cost": 3, "lot": {"rule": "s_S"}}],
            "market": {"demand": {"kind": "poisson", "mean": 12}, "price": 9, "backorder_cost": 15},
        },
    },
}
LEVELS = {"shop.pull_threshold": 22, "shop.gap": 10}


class ByHand:
    """Hides that a policy has rules."""

    def __init__(self, policy):
        self._policy = policy

    def act(self, view):
        return self._policy.act(view)


def assert_same_tables(network, policy, **kind):
    compiled = simulate(network, policy, 70, seed=3, **kind)
    played = simulate(network, ByHand(policy), 70, seed=3, **kind)
    arrays = simulate(network, policy, 70, seed=3, backend="numpy")
    pd.testing.assert_frame_equal(compiled, played, rtol=1e-12)
    pd.testing.assert_frame_equal(compiled, arrays, rtol=1e-9)
    return compiled


@pytest.mark.parametrize("units", ["integer", "real"])
@pytest.mark.parametrize(
    "up_to",
    [
        {},
        {"plant/0.push_quantity": 60},
        {"plant/0.push_quantity": (35, 60), "plant/1.push_quantity": 70},
    ],
)
def test_rules_run_compiled_as_they_do_by_hand(units, up_to):
    network = Network.from_dict(CHAIN | {"units": units})
    levels = LEVELS | {f"plant/{k}.push_quantity": 6 for k in (0, 1) if f"plant/{k}.push_quantity" not in up_to}
    table = assert_same_tables(network, Rules(network, levels, up_to))
    assert table["fill_rate"].between(0, 1).all() and table["stock"].nunique() > 1


@pytest.mark.parametrize("name", ["chain4", "beer_game"])
@pytest.mark.parametrize("policy", ["base_stock", "constant"])
def test_heuristics_that_never_change_their_numbers_are_rules(name, policy):
    network = load_network(name).with_decoupling_point("supply")
    heuristic: Any = make_policy(policy, network)
    assert heuristic.rules is not None
    assert_same_tables(network, heuristic, num_envs=33)


def test_base_stock_that_pushes_is_no_rule():
    network = load_network("electronics")
    heuristic: Any = make_policy("base_stock", network)
    assert heuristic.rules is None


@pytest.mark.parametrize(
    ("levels", "up_to", "fragments"),
    [
        ({"shop.threshold": 3}, {}, ["levels.shop.threshold", "did you mean 'shop.pull_threshold'"]),
        ({"shop.gap": "many"}, {}, ["levels.shop.gap", "'many' is not a number"]),
        ({}, {"shop.pull_threshold": 3}, ["up_to.shop.pull_threshold", "plant/0.push_quantity"]),
        ({"plant/0.push_quantity": 3}, {"plant/0.push_quantity": 4}, ["up_to.plant/0.push_quantity", "in levels too"]),
        ({}, {"plant/0.push_quantity": (3, np.nan)}, ["up_to.plant/0.push_quantity", "not finite"]),
    ],
)
def test_wrong_rules_are_refused(levels, up_to, fragments):
    with pytest.raises(InputError) as error:
        Rules(Network.from_dict(CHAIN), levels, up_to)
    for fragment in fragments:
        assert fragment in str(error.value)
