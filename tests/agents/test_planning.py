"""Bounds no policy beats, planners that find the best plan where it can be known, and numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pushpull.agents import make_policy
from pushpull.agents.planning import MEASURES, bound
from pushpull.envs import InputError, Network, simulate

from ..envs.strategies import hunt, networks


def chain(**changes):
    """A plant pushes, a shop is pulled; demand 5, 0, 9 and then nothing."""
    shop = {"inputs": {"plant": 1}, "lead_time": 1, "unit_cost": 1}
    market = {"demand": {"kind": "deterministic", "values": [5, 0, 9, 0]}, "price": 10, "backorder_cost": 4}
    mapping = {
        "horizon": 5,
        "decoupling_point": "plant",
        "stages": {
            "plant": {"initial_on_hand": 3, "holding_cost": 1, "sources": [{"lead_time": 1, "unit_cost": 2}]},
            "shop": {"initial_on_hand": 4, "holding_cost": 2, "sources": [shop], "market": market},
        },
    }
    for path, value in changes.items():
        node = mapping
        *above, last = path.split("__")
        for key in above:
            node = node[int(key)] if key.isdigit() else node[key]
        node[last] = value
    return Network.from_dict(mapping)


@hunt(150)
@given(networks(), st.sampled_from(MEASURES), st.sampled_from(["random", "base_stock"]), st.data())
def test_no_policy_beats_the_bound(mapping, measure, policy, data):
    mapping |= {"horizon": data.draw(st.integers(1, 9)), "discount": data.draw(st.sampled_from([1, 0.9]))}
    mapping["warm_up"] = data.draw(st.integers(0, mapping["horizon"] - 1))
    network = Network.from_dict(mapping)
    try:
        acting = make_policy(policy, network)
    except InputError:
        assume(False)
    table = simulate(network, acting, episodes=3, seed=7, backend="numpy")
    best = bound(network, seed=7, episodes=3, measure=measure)
    sign = 1 if measure == "cost" else -1
    assert (sign * (table[measure] - best[measure]) >= -1e-6 * (1 + table[measure].abs())).all()
