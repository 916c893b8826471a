"""The two loops that drawing a world consists of, compiled: Philox numbers, and inversion of a table.

`raw_numbers` gives the very numbers of ``numpy.random.Philox`` for many keys at once, side by side instead of one
generator after the other; `invert` looks quantiles up with a guide (Chen & Asau 1974) instead of by bisection. Without
numba both fall back on numpy, with the same result.
"""

from __future__ import annotations

import importlib.util

import numpy as np

_HAS_NUMBA = importlib.util.find_spec("numba") is not None
_GUIDES = 1024


def raw_numbers(seeds: np.ndarray, episodes: np.ndarray, stream: int, place: int, count: int) -> np.ndarray:
    """Return the first `count` numbers of each Philox stream, key (seed, stream), counter from (0, place, 0, episode).

    Parameters
    ----------
    seeds, episodes : ndarray of uint64 [B]
        The worlds.
    stream, place : int
        Purpose and market.
    count : int
        How many numbers.

    Returns
    -------
    ndarray of uint64, [count, B]
    """
    if _HAS_NUMBA:
        from pushpull.envs.sampling_loops import fill_philox

        blocks = np.empty((-(-count // 4) * 4, len(seeds)), dtype=np.uint64)
        fill_philox(seeds, episodes, np.uint64(stream), np.uint64(place), blocks)
        return blocks[:count]
    generator = np.random.Philox(key=0)
    state = generator.state
    key, counter = state["state"]["key"], state["state"]["counter"]
    key[1], counter[1] = stream, place
    raw = np.empty((len(seeds), count), dtype=np.uint64)
    for b in range(len(seeds)):
        key[0], counter[3] = seeds[b], episodes[b]
        generator.state = state
        raw[b] = generator.random_raw(count)
    return raw.T


def invert(cumulated: np.ndarray, values: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """Return for each uniform the first value whose cumulated probability lies above it."""
    uniforms = np.asarray(uniforms, dtype=np.float64)
    if _HAS_NUMBA and uniforms.size > _GUIDES:
        from pushpull.envs.sampling_loops import look_up

        guide = np.searchsorted(cumulated, np.arange(_GUIDES) / _GUIDES, side="right")
        drawn = np.empty(uniforms.shape)
        look_up(cumulated, values.astype(np.float64), guide, np.ascontiguousarray(uniforms).ravel(), drawn.ravel())
        return drawn
    return values[np.minimum(np.searchsorted(cumulated, uniforms, side="right"), len(values) - 1)]
