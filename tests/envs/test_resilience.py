"""Times to survive and to recover, worked by hand period by period, and alike in both engines."""

from typing import Any

import numpy as np
import pytest

from pushpull.envs import Network, simulate
from pushpull.envs.engine import Engine
from pushpull.envs.resilience import aftermath
from pushpull.envs.rules import Rules

KEYS = ["disruptions", "down_share", "time_to_survive", "time_to_recover"]


def measured(backend="numpy", horizon=40, warm_up=0, stockout="backorder", levels=None, **source):
    """Play a shop that sells 10 a period from a source of capacity 15, up to a stock of 20, and return its KPIs."""
    demand = {"kind": "deterministic", "values": 10}
    shop = {
        "initial_on_hand": 20,
        "sources": [{"capacity": 15, **source}],
        "market": {"demand": demand, "stockout": stockout},
    }
    stages = {"shop": shop}
    network = Network.from_dict(
        {"decoupling_point": "supply", "horizon": horizon, "warm_up": warm_up, "stages": stages}
    )
    table = simulate(network, Rules(network, levels or {"shop.pull_threshold": 20}), 2, seed=0, backend=backend)
    return table[KEYS].iloc[1].to_list()


def stop(*spells: list[int], affects: str = "start", **rest: float) -> dict[str, Any]:
    return {"disruption": {"affects": affects, "schedule": list(spells), **rest}}


FAR: dict[str, Any] = {"lead_time": 4, "initial_pipeline": [0, 10, 10, 10], "levels": {"shop.pull_threshold": 50}}


@pytest.mark.parametrize("backend", ["numba", "numpy", "torch"])
def test_a_stop_by_hand(backend):
    """Down in 5 to 7: the stock of 20 lasts for 5 and 6, 7 is owed. Then 15 a period come from 9 on for 10 asked.

    Owed at the ends of 7, 8, ...: 10, 20, 15, 10, 5, 0: back in the fifth period after the end, 12.
    """
    assert measured(backend, **stop([5, 7])) == [1, 3 / 40, 2, 5]


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # none within the episode
        (stop([100, 100]), [0, 0, np.nan, np.nan]),
        # a third of the capacity is missing: 10 are left, as many as are asked for, so nothing happens; the shop is
        # followed for the two periods of the spell and the lead time and review after it
        (stop([5, 6], severity=1 / 3), [1, 2 / 40, 4, 0]),
        # what would be felt after it is over: a lead time of 4, so nothing comes in 9; the stock of 10 lasts
        (stop([5, 5]) | FAR, [1, 1 / 40, 6, 0]),
        # nothing comes in 9 nor in 10, which is owed; 15 come in 11, 12, ...: owed are 10, 5 and, at the end of 12, 0
        (stop([5, 6]) | FAR, [1, 2 / 40, 5, 6]),
        # one begins while another is followed: ends of 7, 8, ... owe 10, 20, 15 (down again), 25, 20, 15, 10, 5 and,
        # at the end of 15, 0; the first counts one period of recovery and the second six, which is short from the start
        (stop([5, 7], [9, 9]), [2, 4 / 40, 1, 3.5]),
        # not recovered when the episode ends
        (stop([5, 7]) | {"horizon": 10}, [1, 3 / 10, 2, 2]),
        # one that begins before the warm-up ends does not count, nor does its recovery
        (stop([5, 7], [30, 30]) | {"warm_up": 6}, [1, 3 / 34, 3, 0]),
        # where sales are lost a shortage lasts as long as it is not served
        (stop([5, 7]) | {"stockout": "lost"}, [1, 3 / 40, 2, 2]),
    ],
)
def test_other_stops_by_hand(backend, settings, expected):
    assert measured(backend, **settings) == pytest.approx(expected, nan_ok=True)


def test_what_stops_far_upstream_is_followed_until_it_would_reach_the_market():
    stages = {
        "mill": {"sources": [{"lead_time": 5, **stop([3, 3])}]},
        "plant": {"sources": [{"inputs": {"mill": 1}, "lead_time": 2}]},
        "shop": {"sources": [{"inputs": {"plant": 1}}], "market": {"demand": {"kind": "deterministic", "values": 1}}},
    }
    network = Network.from_dict({"decoupling_point": "supply", "stages": stages})
    assert aftermath(network) == (5 + 1) + (2 + 1) + (1 + 1)
    del stages["mill"]["sources"][0]["disruption"]
    stages["shop"]["sources"][0] |= stop([3, 3])
    assert aftermath(Network.from_dict({"decoupling_point": "supply", "stages": stages})) == 2


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("units", ["integer", "real"])
def test_both_engines_count_alike(units, dtype):
    sources = [
        {"inputs": {"plant": 1}, "disruption": {"affects": affects, "fail": 0.1, "repair": 0.4}}
        for affects in ("order", "receipt")
    ]
    plant = {"sources": [{"capacity": 12, "disruption": {"affects": "start", "fail": 0.1, "repair": 0.3}}]}
    market = {"demand": {"kind": "poisson", "mean": 8}, "stockout": {"partial": 0.5}}
    network = Network.from_dict(
        {
            "units": units,
            "decoupling_point": "plant",
            "warm_up": 7,
            "stages": {"plant": plant, "shop": {"sources": sources, "market": market}},
        }
    )
    engines = [Engine(network, 150, 60, backend, dtype) for backend in ("numba", "numpy")]
    rng = np.random.default_rng(0)
    for engine in engines:
        engine.reset(0)
    for t in range(60):
        if t == 30:
            restart = rng.uniform(size=150) < 0.5
            for engine in engines:
                engine.begin(restart)
        vectors = rng.uniform(0, 1.2, (150, 3)) * engines[0].space.high
        for engine in engines:
            if not engine.ended.any():
                engine.step(vectors)
        kernel, arrays = (engine.totals.resilience for engine in engines)
        np.testing.assert_allclose(kernel, arrays, rtol=0, atol=0 if units == "integer" else 1e-3)
    counts = engines[0].totals.resilience[:4]
    assert (counts.max(axis=1) > 0).all()


def test_networks_without_disruptions_count_nothing():
    network = Network.from_dict(
        {
            "decoupling_point": "supply",
            "stages": {"shop": {"sources": [{}], "market": {"demand": {"kind": "poisson", "mean": 1}}}},
        }
    )
    engine = Engine(network, 2)
    engine.reset(0)
    assert engine.totals.resilience.shape == (0, 2)
    assert not set(KEYS) & set(engine.kpis())
