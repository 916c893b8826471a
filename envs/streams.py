"""Numbers that a world consists of: one stream of numpy's Philox per seed, purpose, place and episode.

A world is a pair (seed, episode). Each purpose and place, a market or a source, reads its own stream (Salmon, Moraes,
Dror & Shaw 2011), with key (seed, stream) and counter from (0, place, 0, episode), period by period, so that what is
drawn for one purpose never moves what is drawn for another.
"""

from __future__ import annotations

import numpy as np

from pushpull.envs.sampling import raw_numbers

STREAMS = {
    "demand": 0,
    "forecast": 1,
    "window": 2,
    "shocks": 3,
    "regimes": 4,
    "level": 5,
    "split": 6,
    "share_drift": 7,
    "race": 8,
    "disruption": 16,
    "lead_time": 17,
    "yield": 18,
    "capacity": 19,
    "booking": 24,
}

World = tuple[int, int]


def uniforms(purpose: str, place: int, worlds: list[World], periods: int, width: int) -> np.ndarray:
    """Return numbers in (0, 1), [periods, width, B], for one of the `STREAMS` and one market or source."""
    if width == 0:
        return np.empty((periods, 0, len(worlds)))
    seeds, episodes = np.array(worlds, dtype=np.uint64).reshape(-1, 2).T
    raw = raw_numbers(seeds.copy(), episodes.copy(), STREAMS[purpose], place, periods * width)
    centred = ((raw >> np.uint64(12)) + 0.5) * 2.0**-52  # 52 bits, so that neither 0 nor 1 comes out
    return centred.reshape(periods, width, len(worlds))
