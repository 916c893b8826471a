"""The compiled loops give numpy's numbers."""

import numpy as np
import pytest

from pushpull.envs import sampling

SEEDS = np.array([0, 1, 7, 2**32, 2**63 - 1], dtype=np.uint64)
EPISODES = np.array([0, 5, 2**40, 1, 2**63 - 1], dtype=np.uint64)


@pytest.mark.parametrize("count", [1, 4, 5, 103])
def test_numbers_are_those_of_numpys_philox(count):
    got = sampling.raw_numbers(SEEDS, EPISODES, stream=3, place=2, count=count)
    assert got.shape == (count, len(SEEDS))
    for b, (seed, episode) in enumerate(zip(SEEDS.tolist(), EPISODES.tolist(), strict=True)):
        own = np.random.Philox(key=np.array([seed, 3], dtype=np.uint64), counter=[0, 2, 0, episode])
        np.testing.assert_array_equal(got[:, b], own.random_raw(count))


def test_without_numba_the_numbers_are_the_same(monkeypatch):
    compiled = sampling.raw_numbers(SEEDS, EPISODES, 1, 4, 50)
    monkeypatch.setattr(sampling, "_HAS_NUMBA", False)
    np.testing.assert_array_equal(sampling.raw_numbers(SEEDS, EPISODES, 1, 4, 50), compiled)


@pytest.mark.parametrize("size", [1, 2, 5, 3000])
def test_inversion_is_bisection(size):
    rng = np.random.default_rng(size)
    cumulated = np.cumsum(rng.dirichlet(np.full(size, 0.3)))
    values = np.sort(rng.normal(size=size))
    uniforms = np.concatenate(
        [rng.uniform(size=5000), cumulated[cumulated < 1], [0.0, 1 - 2.0**-53], np.arange(1024) / 1024]
    )
    expected = values[np.minimum(np.searchsorted(cumulated, uniforms, side="right"), size - 1)]
    np.testing.assert_array_equal(sampling.invert(cumulated, values, uniforms), expected)
