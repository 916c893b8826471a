"""Paths of demand: what is drawn of each market, or of each family and then split, from the streams of its worlds."""

from __future__ import annotations

import numpy as np
import scipy

from pushpull.envs import demand as demands
from pushpull.envs import families
from pushpull.envs.checks import InputError
from pushpull.envs.network import Demand, Family, Network, Process, Variant
from pushpull.envs.race import won
from pushpull.envs.streams import World, uniforms


def demand_paths(
    network: Network, periods: int, worlds: list[World], wanted: list[int] | None = None
) -> list[np.ndarray]:
    """Draw the demand of all markets.

    Parameters
    ----------
    network : Network
        The supply chain; every market must state its demand or belong to a family.
    periods : int
        T, how far every market is drawn.
    worlds : list of (int, int)
        The B pairs (seed, episode).
    wanted : list of int, [M], optional
        How far to draw each market where its demand can be drawn that far; at least T.

    Returns
    -------
    list of ndarray, [M] of [S, B]
        With S from T to what is wanted.

    Raises
    ------
    InputError
        If a market's demand is missing or cannot be drawn.
    """
    stated = [families.market_demand(network, i) for i in network.markets]
    wanted = wanted or [periods] * len(stated)
    paths: list[np.ndarray] = [np.empty(0)] * len(stated)
    normals = _correlated(network, max(wanted), worlds)
    for p, process in enumerate(network.processes):
        first, most = stated[process.markets[0]], max(wanted[m] for m in process.markets)
        demand = first.demand if isinstance(first, Variant) else first
        try:
            length = int(max(periods, min(most, demands.longest_horizon(demand))))
            racer = ("market", network.stage_names[list(network.markets)[process.markets[0]]])
            if racer in network.racers:
                paths[process.markets[0]] = won(network, racer, length, worlds)
                continue
            own = _paths(process, demand, network.units, length, worlds, None if normals is None else normals[p])
        except InputError as error:
            raise error.within(f"{process.field}.demand") from None
        for m, path in zip(process.markets, own, strict=True):
            paths[m] = path[: wanted[m]]
    return paths


def _paths(
    process: Process, demand: Demand, units: str, periods: int, worlds: list[World], normals: np.ndarray | None
) -> list[np.ndarray]:
    """Return the demand [periods, B] of each market of a process; a family draws where its first market would."""
    place = min(process.markets)
    drawn = _uniforms(demand, periods, worlds, place, normals)
    path = demands.sample(demand, drawn, units, _modulation(demand, periods, worlds, place))
    return [path] if process.family is None else [*_split(process.family, path, worlds, place, units)]


def _uniforms(demand: Demand, periods: int, worlds: list[World], place: int, normals: np.ndarray | None) -> np.ndarray:
    """Return the numbers that the demand's law is inverted at, [periods, U, B]."""
    width = demands.uniforms_needed(demand)
    if demand.kind == "trace":  # they start together, so that shops recorded side by side keep their common days
        return uniforms("window", 0, worlds, periods, width)
    if normals is None or width == 0:
        drawn = uniforms("demand", place, worlds, periods, width)
    else:
        drawn = demands.uniforms_of(normals[:periods, None])
    return demands.autocorrelated(drawn, demand.autocorrelation) if demand.autocorrelation else drawn


def _correlated(network: Network, periods: int, worlds: list[World]) -> np.ndarray | None:
    """Return standard normals of each process, [P, periods, B], with the network's correlation, if it states one.

    They are the processes' own independent normals times a Cholesky factor: each keeps its law, the first also its path
    (a Gaussian copula; Cario & Nelson 1997, normal to anything).
    """
    if network.correlation is None:
        return None
    factor, places = np.linalg.cholesky(network.correlation), [min(process.markets) for process in network.processes]
    own = [scipy.special.ndtri(uniforms("demand", place, worlds, periods, 1)[:, 0]) for place in places]
    return np.stack([sum(weight * z for weight, z in zip(row, own, strict=True)) for row in factor])


def _modulation(demand: Demand, periods: int, worlds: list[World], place: int) -> np.ndarray | None:
    if not (demand.random_shocks or demand.regimes or demand.level_sd):
        return None
    return demands.modulation(
        demand,
        shocks=uniforms("shocks", place, worlds, periods, len(demand.random_shocks)),
        regimes=uniforms("regimes", place, worlds, periods, int(demand.regimes is not None)),
        level=uniforms("level", place, worlds, 1, int(demand.level_sd > 0)),
    )


def _split(family: Family, path: np.ndarray, worlds: list[World], place: int, units: str) -> np.ndarray:
    """Return the demand of a family's markets, [K, periods, B]."""
    periods, many = len(path), len(family.markets)
    shares = np.reshape(list(family.markets.values()), (many, 1, 1))
    if family.share_drift:
        shares = families.drift(family, scipy.special.ndtri(uniforms("share_drift", place, worlds, periods, many)))
    numbers = uniforms("split", place, worlds, periods, 2 * (many - 1))
    return families.split(path, shares, family.spread, numbers[:, : many - 1], numbers[:, many - 1 :], units)
