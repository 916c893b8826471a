"""In a race one thing happens in every period, by its rate; nobody knows beforehand, and both engines play it alike.

Samples are compared at five standard errors; worlds are fixed, so what passes once passes always.
"""

import numpy as np
import pytest

from pushpull.envs import Network
from pushpull.envs.engine import Engine
from pushpull.envs.exogenous import draw
from pushpull.envs.families import market_demand, mean, variance
from pushpull.envs.observations import Observation
from tests.envs.twins import played_alike

WORLDS = [(seed, 0) for seed in range(500)]
RATES = {"markets": {"shop": 0.8, "web": 0.4}, "sources": {"part": 1, "shop/1": 1.5}}
CHANCES = np.array([0.8, 0.4, 1, 1.5]) / 3.7


def network(point="market", **settings):
    """Return a part that two stages are made of; the shop has two sources, the second of which races."""
    machine = {"lead_time": 0, "capacity": 1}
    stages = {
        "part": {"initial_on_hand": 3, "holding_cost": 1, "sources": [machine]},
        "shop": {"sources": [{"inputs": {"part": 1}}, machine], "market": {"backorder_cost": 9}},
        "web": {"initial_on_hand": 2, "sources": [{"inputs": {"part": 1}}], "market": {"stockout": "lost"}},
    }
    return Network.from_dict({"decoupling_point": point, "race": RATES, "stages": stages, **settings})


def test_one_thing_happens_in_every_period_with_a_chance_that_is_its_share_of_all_rates():
    traces = draw(network(), 400, WORLDS)
    assert traces.available is not None
    happened = np.concatenate([traces.demand, traces.available[:, [0, 2]]], axis=1)  # shop, web; part, shop/1
    assert set(np.unique(happened)) == {0, 1}
    assert (happened.sum(axis=1) == 1).all()
    count = happened.shape[0] * happened.shape[2]
    for chance, drawn in zip(CHANCES, happened.swapaxes(0, 1), strict=True):
        error = np.sqrt(chance * (1 - chance) / count)
        assert drawn.mean() == pytest.approx(chance, abs=5 * error)
        assert np.mean(drawn[1:] * drawn[:-1]) == pytest.approx(chance**2, abs=5 * error)  # periods are independent
    assert (traces.available[:, [1, 3]] == 1).all()  # who does not race is always up


def test_what_is_drawn_depends_on_the_world_alone():
    long, short = draw(network(), 50, WORLDS[:3]), draw(network(), 20, WORLDS[1:2])
    np.testing.assert_array_equal(long.demand[:20, :, 1], short.demand[..., 0])
    assert long.available is not None and short.available is not None
    np.testing.assert_array_equal(long.available[:20, :, 1], short.available[..., 0])
    assert (draw(network(), 50, [(0, 1)]).demand != long.demand[..., :1]).any()


def test_a_market_knows_the_moments_of_its_demand():
    demand = market_demand(network(), 1)
    assert mean(demand, "integer", 2) == pytest.approx(CHANCES[[0, 0]])
    assert variance(demand, "integer", 2) == pytest.approx((CHANCES * (1 - CHANCES))[[0, 0]])


def test_nobody_sees_who_is_going_to_win():
    own = network()
    engine = Engine(own, 64)
    engine.reset(0)
    assert (engine.view().available == 1).all()
    assert not any("available" in name for name in Observation(own).names)


@pytest.mark.parametrize("point", ["market", "supply", "learned"])
def test_both_engines_play_a_race_alike(point):
    played_alike(network(point), seed=5, most=4)


def test_a_race_survives_being_written_down():
    own = network()
    assert Network.from_dict(own.to_dict()) == own
