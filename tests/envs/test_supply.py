"""What sources do by chance has the law that is stated for it, and depends on the world alone."""

import numpy as np
import pytest

from pushpull.envs import Network
from pushpull.envs.engine import Engine
from pushpull.envs.exogenous import draw
from pushpull.envs.observations import Observation

WORLDS = [(seed, 0) for seed in range(2000)]


def shop(*sources, units="integer", **settings):
    """Return a shop with some sources, all of which push."""
    market = {"demand": {"kind": "poisson", "mean": 5}}
    stage = {"sources": [{"mode": "push", **source} for source in sources], "market": market}
    return Network.from_dict({"units": units, "stages": {"shop": stage}, **settings})


def available(network, periods, worlds):
    """Return what is up in some worlds, [T, J, B]."""
    drawn = draw(network, periods, worlds).available
    assert drawn is not None
    return drawn


def down(fail=0.05, repair=0.25, affects="start", **rest):
    return {"disruption": {"affects": affects, "fail": fail, "repair": repair, **rest}}


# --- disruptions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fail", "repair"), [(0.05, 0.25), (0.3, 0.7), (0.02, 1.0)])
def test_up_and_down_times_are_geometric_and_start_in_the_long_run(fail, repair):
    periods = 200
    up = available(shop(down(fail, repair)), periods, WORLDS)[:, 0] == 1
    share, memory = repair / (fail + repair), 1 - fail - repair
    deviation = np.sqrt(share * (1 - share))
    assert up[0].mean() == pytest.approx(share, abs=5 * deviation / np.sqrt(len(WORLDS)))
    error = deviation * np.sqrt((1 + memory) / (1 - memory) / up.size)
    assert up.mean() == pytest.approx(share, abs=5 * error)
    for state, leave in ((up, fail), (~up, repair)):  # how often the chain leaves a state, by its present and its past
        stayed_long = state[1:-1] & state[:-2]
        for seen in (state[1:-1], stayed_long):
            error = np.sqrt(leave * (1 - leave) / max(1, seen.sum())) + 1e-12
            assert (~state[2:])[seen].mean() == pytest.approx(leave, abs=5 * error) if seen.any() else leave == 1
    begun = (~up[1:100] & up[:99]).sum()  # spells that begin early enough to be seen to their end, but for 0.75^100
    lasted = sum(_spells(up[:, b]) for b in range(len(WORLDS)))
    error = np.sqrt(1 - repair) / repair / np.sqrt(begun)
    assert lasted / begun == pytest.approx(1 / repair, abs=5 * error + 1e-12)


def _spells(up):
    """Return the total length of the down spells that begin in periods 1 to 99."""
    first = np.flatnonzero(~up[1:100] & up[:99]) + 1
    return sum(np.argmax(np.append(up[t:], True)) for t in first)


def test_a_schedule_is_kept_and_severity_is_what_is_missing():
    network = shop({"capacity": 10, "disruption": {"affects": "start", "schedule": [[2, 3], [7, 9]], "severity": 0.25}})
    share = available(network, 9, [(0, 0), (1, 5)])[:, 0]
    np.testing.assert_array_equal(share, np.repeat([[1, 1, 0.75, 0.75, 1, 1, 1, 0.75, 0.75]], 2, axis=0).T)


def test_a_source_does_not_depend_on_others_nor_on_demand_nor_on_the_periods_drawn():
    alone, beside = shop(down()), shop(down(), down(0.5, 0.5), {})
    one, other = available(alone, 40, WORLDS[:9]), available(beside, 60, WORLDS[:9])
    np.testing.assert_array_equal(other[:40, 0], one[:, 0])
    assert (other[:, 0] != other[:, 1]).any() and (other[:, 2] == 1).all()
    always_up = draw(shop({}), 40, WORLDS[:9])
    assert always_up.available is None
    np.testing.assert_array_equal(draw(beside, 60, WORLDS[:9]).demand[:40], always_up.demand)


def test_networks_whose_sources_are_always_up_have_no_availability():
    assert draw(shop({"disruption": {"affects": "start"}}), 5, [(0, 0)]).available is None


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_severity_scales_capacity_and_rounds_it_down(backend):
    """0.1 of a capacity of 30 is 3 also where it is a little less in binary."""
    for capacity, severity, left in ((30, 0.9, 3), (10, 0.3, 7), (10, 0.25, 7), (10, 1, 0)):
        spell = {"affects": "start", "schedule": [[0, 0]], "severity": severity}
        for dtype in ("float64", "float32"):
            engine = Engine(shop({"capacity": capacity, "disruption": spell}), 1, backend=backend, dtype=dtype)
            engine.reset(0)
            engine.step(np.array([[50.0]]))
            assert engine.flows.start[0, 0] == left
            engine.step(np.array([[50.0]]))
            assert engine.flows.start[0, 0] == capacity


def test_an_agent_sees_what_is_down_in_the_period_that_begins():
    network = shop({"capacity": 8, **down(0.4, 0.5, severity=0.5)}, {}, {"disruption": {"affects": "start"}})
    assert "available" in Observation(network).blocks and "available" not in Observation(shop({})).blocks
    assert Observation(network, ["available"]).names == ("available.shop/0",)
    seen = {}
    for backend in ("numba", "numpy"):
        engine = Engine(network, 3, periods=20, backend=backend, observation=Observation(network, ["available"]))
        engine.reset(4)
        rows = []
        for _ in range(20):
            rows.append(engine.observe()[:, 0].copy())
            np.testing.assert_array_equal(rows[-1], engine.view().available[0])
            engine.step(np.full((3, 3), 50.0))
            np.testing.assert_array_equal(engine.flows.start[0], 8 * rows[-1])
        seen[backend] = np.stack(rows)
    np.testing.assert_array_equal(seen["numba"], seen["numpy"])
    np.testing.assert_array_equal(seen["numpy"], available(network, 20, [(4, 0), (5, 0), (6, 0)])[:, 0])
