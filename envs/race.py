"""Who wins the race of each period: of the markets and sources whose exponential times race, exactly one.

A continuous-time Markov chain that is uniformised (Lippman 1975, Applying a new device in the optimization of
exponential queuing systems, Operations Research 23(4)) steps from event to event of a Poisson stream whose rate is the
sum of all, and each event is of one kind with probability its rate over that sum. A period is one such event, so an
average per period is the chain's average over time.
"""

from __future__ import annotations

import numpy as np

from pushpull.envs.network import Network
from pushpull.envs.streams import World, uniforms


def winners(network: Network, periods: int, worlds: list[World]) -> np.ndarray:
    """Return the place of each period's winner in `Network.racers`, [periods, B]."""
    rates = np.array(list(network.racers.values()), dtype=float)
    below = np.cumsum(rates / rates.sum())[:-1]
    return np.searchsorted(below, uniforms("race", 0, worlds, periods, 1)[:, 0], side="right")


def won(network: Network, racer: tuple[str, str], periods: int, worlds: list[World]) -> np.ndarray:
    """Return 1 in the periods that one of the `Network.racers` wins, else 0, [periods, B]."""
    place = list(network.racers).index(racer)
    return (winners(network, periods, worlds) == place).astype(float)
