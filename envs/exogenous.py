"""The outside world, drawn before anyone acts: demand and forecasts of all periods, for a batch of worlds.

A world is a pair (seed, episode), and its path depends on nothing else: not on the batch it is drawn in, its place
there, other markets, or how many periods are drawn. Each purpose and market reads its own stream of numpy's Philox
(Salmon, Moraes, Dror & Shaw 2011), with key (seed, stream) and counter from (0, market, 0, episode), period by period.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from pushpull.envs import demand as demands
from pushpull.envs.checks import InputError
from pushpull.envs.forecast import errors_needed, forecast
from pushpull.envs.network import Market, Network

STREAMS = {"demand": 0, "forecast": 1}

World = tuple[int, int]


@dataclass(frozen=True)
class Traces:
    """What happens outside the supply chain, whatever is done inside.

    Parameters
    ----------
    demand : ndarray, [T, M, B]
        Units that the customers of each market ask for, markets in the order of `Network.markets`.
    forecast : ndarray, [T, H, M, B]
        Demand of period t + h as foreseen at the start of period t. H is the longest horizon; a market with a
        shorter one repeats its last entry.
    available : ndarray, [T, J, B], or None
        1 where a source is up, 0 where it is down; None where all are always up.
    """

    demand: np.ndarray
    forecast: np.ndarray
    available: np.ndarray | None


def draw(network: Network, periods: int, worlds: Sequence[World]) -> Traces:
    """Draw the traces of some worlds.

    Parameters
    ----------
    network : Network
        The supply chain; every market must state its demand.
    periods : int
        T, the number of periods.
    worlds : sequence of (int, int)
        The B pairs (seed, episode), both in [0, 2^64).

    Returns
    -------
    Traces
        Float64 arrays.

    Raises
    ------
    InputError
        If a world is not such a pair, or if a market's demand is missing or cannot be drawn.
    """
    worlds = [_world(b, world) for b, world in enumerate(worlds)]
    horizon = max(market.forecast.horizon for market in network.markets.values())
    demand = np.empty((periods, len(network.markets), len(worlds)))
    foreseen = np.empty((periods, horizon, len(network.markets), len(worlds)))
    for m, (i, market) in enumerate(network.markets.items()):
        try:
            demand[:, m], own = _draw_market(market, network.units, periods, worlds, m)
        except InputError as error:
            raise error.within(f"stages.{network.stage_names[i]}.market") from None
        foreseen[:, :, m] = own[:, np.minimum(np.arange(horizon), market.forecast.horizon - 1)]
    return Traces(demand, foreseen, available=None)


def _draw_market(
    market: Market, units: str, periods: int, worlds: list[World], m: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return demand [T, B] and forecasts [T, H, B] of market number m."""
    if market.demand is None:
        raise InputError("demand", "missing; state it, such as {kind: poisson, mean: 10}, or replay a recorded one")
    horizon, width = market.forecast.horizon, demands.uniforms_needed(market.demand)
    ahead = horizon - 1 if errors_needed(market.forecast) else 0
    try:
        drawn = int(max(periods, min(periods + ahead, demands.longest_horizon(market.demand))))
        path = demands.sample(market.demand, uniforms("demand", m, worlds, drawn, width), units)
        mean = demands.mean(market.demand, units, periods + horizon)
    except InputError as error:
        raise error.within("demand") from None
    errors = special.ndtri(uniforms("forecast", m, worlds, periods + horizon - 1, errors_needed(market.forecast)))
    return path[:periods], forecast(market.forecast, path, mean, errors)


def uniforms(purpose: str, place: int, worlds: list[World], periods: int, width: int) -> np.ndarray:
    """Return numbers in (0, 1), [periods, width, B], for one of the `STREAMS` and one market."""
    generator = np.random.Philox(key=0)
    state = generator.state
    key, counter = state["state"]["key"], state["state"]["counter"]
    raw = np.empty((len(worlds), periods * width), dtype=np.uint64)
    key[1] = STREAMS[purpose]
    counter[1] = place
    for b, (seed, episode) in enumerate(worlds):
        key[0] = seed
        counter[3] = episode
        generator.state = state
        raw[b] = generator.random_raw(periods * width)
    centred = ((raw.T >> np.uint64(12)) + 0.5) * 2.0**-52  # 52 bits, so that neither 0 nor 1 comes out
    return centred.reshape(periods, width, len(worlds))


def _world(b: int, world: World) -> World:
    try:
        seed, episode = (operator.index(part) for part in world)
    except (TypeError, ValueError):
        raise InputError(
            f"worlds[{b}]", f"{world!r} is not a pair (seed, episode) of whole numbers; give both"
        ) from None
    if not (0 <= seed < 2**64 and 0 <= episode < 2**64):
        raise InputError(f"worlds[{b}]", f"{world!r} is out of range; give a seed and an episode in [0, 2^64)")
    return seed, episode
