"""What sources do by chance: when each is down, what its capacity and yield are, and how long its starts take.

All of it is drawn for every period from the streams of a world, one per source, whatever is released or ordered.
"""

from __future__ import annotations

import numpy as np

from pushpull.envs.network import Disruption, Network, Share
from pushpull.envs.race import won
from pushpull.envs.sampling import invert
from pushpull.envs.streams import World, uniforms


def draw_supply(network: Network, periods: int, worlds: list[World]) -> dict[str, np.ndarray]:
    """Return the parts of `Traces` that sources draw: only those that any source states."""
    drawn = {}
    if network.draws_availability:
        drawn["available"] = _availability(network, periods, worlds)
    if network.random_lead_times:
        rows = []
        for j in network.random_lead_times:
            law = network.sources[j].lead_time_law
            assert law is not None
            numbers = uniforms("lead_time", j, worlds, periods, 1)[:, 0]
            rows.append(invert(np.cumsum(law.law), np.arange(len(law.law), dtype=float), numbers))
        drawn["lead_time"] = np.stack(rows, axis=1)
    if network.yielding_sources:
        rows = []
        for j in network.yielding_sources:
            share = network.sources[j].yield_
            assert share is not None
            rows.append(_shares(share, uniforms("yield", j, worlds, periods, 1)[:, 0]))
        drawn["yields"] = np.stack(rows, axis=1)
    return drawn


def _availability(network: Network, periods: int, worlds: list[World]) -> np.ndarray:
    """Return the share of its capacity that each source has in each period, [T, J, B]: 1 where all is well."""
    share = np.ones((periods, len(network.sources), len(worlds)))
    for j, source in enumerate(network.sources):
        if source.capacity_share is not None:
            share[:, j] = _shares(source.capacity_share, uniforms("capacity", j, worlds, periods, 1)[:, 0])
        elif ("source", network.source_names[j]) in network.racers:
            share[:, j] = won(network, ("source", network.source_names[j]), periods, worlds)
        elif j in network.disrupted_sources and source.disruption is not None:
            down = _down(source.disruption, uniforms("disruption", j, worlds, periods, 1)[:, 0])
            share[:, j] -= source.disruption.severity * down
    return share


def _shares(law: Share, numbers: np.ndarray) -> np.ndarray:
    """Return shares [T, B] by inversion of `numbers` in (0, 1) [T, B]."""
    if law.values is not None:
        order = np.argsort(law.values)
        chances = np.full(len(order), 1 / len(order)) if law.probabilities is None else np.array(law.probabilities)
        return invert(np.cumsum(chances[order]), np.array(law.values, dtype=float)[order], numbers)
    assert law.mean is not None
    if law.sd == 0:
        return np.full(numbers.shape, float(law.mean))
    from scipy.special import betaincinv

    size = law.mean * (1 - law.mean) / law.sd**2 - 1  # of a beta law: a + b
    return betaincinv(law.mean * size, (1 - law.mean) * size, numbers)


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
