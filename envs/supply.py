"""What sources do by chance: when each is down.

All of it is drawn for every period from the streams of a world, one per source, whatever is released or ordered.
"""

from __future__ import annotations

import numpy as np

from pushpull.envs.network import Disruption, Network
from pushpull.envs.streams import World, uniforms


def availability(network: Network, periods: int, worlds: list[World]) -> np.ndarray:
    """Return the share of its capacity that each source has in each period, [T, J, B]: 1 where it is up."""
    share = np.ones((periods, len(network.sources), len(worlds)))
    for j in network.disrupted_sources:
        disruption = network.sources[j].disruption
        assert disruption is not None
        share[:, j] -= disruption.severity * _down(disruption, uniforms("disruption", j, worlds, periods, 1)[:, 0])
    return share


def _down(disruption: Disruption, numbers: np.ndarray) -> np.ndarray:
    """Return whether a source is down, [T, B] of bool, by `numbers` in (0, 1) [T, B]."""
    down = np.zeros(numbers.shape, dtype=bool)
    if disruption.schedule is not None:
        for first, last in disruption.schedule:
            down[first : last + 1] = True
        return down
    fail, repair = disruption.fail, disruption.repair
    assert fail is not None and repair is not None
    chance = fail / (fail + repair)
    for t, drawn in enumerate(numbers):
        down[t] = drawn < chance
        chance = np.where(down[t], 1 - repair, fail)
    return down
