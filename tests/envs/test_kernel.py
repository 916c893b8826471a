"""The compiled kernel is the dynamics: the same numbers on random networks, batches and episodes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from pushpull.envs import Network, load_network, network_names
from pushpull.envs.actions import ActionSpace
from pushpull.envs.engine import Engine
from pushpull.envs.observations import BLOCKS, Observation
from pushpull.envs.rewards import PRESETS
from pushpull.envs.worlds import make_world
from tests.envs.strategies import cases, hunt


def worlds(network, batch, dtype, disrupted):
    """Return the kernel's world and the array world, with their clocks."""
    pair = []
    for backend in ("numba", "numpy"):
        clock = np.zeros(batch, dtype=np.int64)
        space = ActionSpace(network)
        pair.append(make_world(network, clock, backend, dtype, space, None, PRESETS["profit"], disrupted))
    return pair


def assert_equal_records(one, other, exact, scale=1.0):
    """Compare two records of arrays: to the last bit, or to 1e-12 of the largest number about."""
    for name, value in vars(other).items():
        if exact:
            np.testing.assert_array_equal(getattr(one, name), value, err_msg=name)
        else:
            np.testing.assert_allclose(getattr(one, name), value, rtol=0, atol=1e-12 * scale, err_msg=name)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@hunt(120)
@given(case=cases())
def test_random_networks_are_played_alike(dtype, case):
    mapping, plan = case
    network = Network.from_dict(mapping)
    exact = network.units == "integer"
    if dtype == "float32" and (not exact or np.abs(plan.quantity).max(initial=0) > 1e5):
        return  # single precision is exact in whole units below 2^24, and promises nothing else
    disrupted = plan.available is not None
    traces = plan.traces(network, forecasts(network, len(plan.demand)))
    kernel, arrays = worlds(network, 1, dtype, disrupted)
    for vector in plan.vectors(network):
        kernel.step(vector[None], traces)
        arrays.step(vector[None], traces)
        largest = max(1.0, *(np.abs(rows).max(initial=0) for rows in vars(arrays.flows).values()))
        assert_equal_records(kernel.flows, arrays.flows, exact, largest)
        assert_equal_records(kernel.state, arrays.state, exact, largest)
        close: Any = {"rtol": 0, "atol": 0} if exact else {"rtol": 1e-12, "atol": 1e-10 * largest}
        for term, fast, slow in zip((*network.cost_terms, "revenue"), kernel.money, arrays.money, strict=True):
            np.testing.assert_allclose(fast, slow, err_msg=term, **close)


def forecasts(network, periods):
    """Return a forecast that differs by market and period, [T, 1, M, 1]."""
    markets = len(network.markets)
    return (1 + np.arange(periods * markets, dtype=float) % 7).reshape(periods, 1, markets, 1)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", network_names())
def test_library_networks_are_played_alike_in_batches(name, dtype):
    """270 environments fill two blocks and a bit; some start again early, so that clocks differ."""
    network, batch = load_network(name), 270
    engines = [Engine(network, batch, backend=backend, dtype=dtype) for backend in ("numba", "numpy")]
    rng = np.random.default_rng(0)
    for engine in engines:
        engine.reset(5)
    for t in range(45):
        vectors = rng.uniform(0, 1.3, (batch, len(engines[0].space.entries))) * engines[0].space.high
        restart = rng.uniform(size=batch) < 0.3 if t == 25 else engines[0].ended
        if restart.any():
            for engine in engines:
                engine.begin(restart)
        paid = [engine.step(vectors) for engine in engines]
        kernel, arrays = engines
        np.testing.assert_array_equal(kernel.observe(), arrays.observe())
        assert_equal_records(kernel.flows, arrays.flows, exact=True)
        for term, cost in arrays.costs.items():
            np.testing.assert_array_equal(kernel.costs[term], cost, err_msg=term)
        close: Any = {"rtol": 1e-12, "atol": 1e-6} if dtype == "float64" else {"rtol": 1e-4, "atol": 1.0}
        np.testing.assert_allclose(paid[0], paid[1], **close)
        np.testing.assert_array_equal(kernel.money, arrays.money)
        for total, value in vars(arrays.totals).items():
            np.testing.assert_allclose(getattr(kernel.totals, total), value, err_msg=total, **close)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_is_observed_alike(block, scaled):
    network = load_network("electronics")
    engines = [
        Engine(network, 3, backend=backend, observation=Observation(network, [block], scaled))
        for backend in ("numba", "numpy")
    ]
    for engine in engines:
        engine.reset(0)
    rng = np.random.default_rng(0)
    for _ in range(10):
        np.testing.assert_array_equal(engines[0].observe(), engines[1].observe())
        vectors = rng.uniform(0, 1, (3, len(engines[0].space.entries))) * engines[0].space.high
        for engine in engines:
            engine.step(vectors)


@pytest.mark.parametrize(
    "weights",
    [{"revenue": 1.0, "cost": -2.0}, {"cost.holding": -1.0, "lost": -3.0, "shipped_on_time": 2.0}, {"on_hand": -1.0}],
)
def test_rewards_are_paid_alike(weights):
    engines = [Engine(load_network("retail"), 70, backend=backend, weights=weights) for backend in ("numba", "numpy")]
    rng = np.random.default_rng(0)
    for engine in engines:
        engine.reset(3)
    for _ in range(20):
        vectors = rng.uniform(0, 1, (70, len(engines[0].space.entries))) * engines[0].space.high
        paid = [engine.step(vectors) for engine in engines]
        assert np.ptp(paid[1]) > 0
        np.testing.assert_allclose(paid[0], paid[1], rtol=1e-12, atol=1e-9)
