"""Demand of a market, be it its own or its part of a family's: moments, and how a family's demand is split.

A family's demand D is drawn once and goes to its K variants by shares W of the period, which sum to 1: in integer units
multinomial, every customer choosing by W, in real units D x W. Shares are those stated, s, or wander about them
(`drift`); with a spread c they are Dirichlet about that, so that Var W = s (1 - s) c and Cov(W, W') = -s s' c. Hence

- whole units: Cov(D, D') = s s' ((1 - c) E[D (D - 1)] - E[D]^2): variants are uncorrelated where D is Poisson and
  c = 0, move together where D varies more, against each other where they take customers from each other;
- real units: Cov(D, D') = s s' ((1 - c) E[D^2] - E[D]^2), which is 0 at c = Var D / E[D^2].
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy

from pushpull.envs import demand as demands
from pushpull.envs.checks import InputError
from pushpull.envs.network import Demand, Family, Network, Variant
from pushpull.envs.streams import uniforms

_WALKS = 4096


def market_demand(network: Network, i: int) -> Demand | Variant:
    """Return the demand of stage i's market, its own or its part of a family's, or refuse a market without one."""
    demand = network.market_demands[i]
    if demand is None:
        raise InputError(
            f"stages.{network.stage_names[i]}.market.demand",
            "missing; state it, such as {kind: poisson, mean: 10}, or replay a recorded one",
        )
    return demand


def mean(demand: Demand | Variant, units: str, periods: int) -> np.ndarray:
    """Return the mean demand of each period, [T]; exact for a variant whose share does not drift."""
    if isinstance(demand, Demand):
        return demands.mean(demand, units, periods)
    return demands.mean(demand.demand, units, periods) * _share_moments(demand, periods)[0]


def variance(demand: Demand | Variant, units: str, periods: int) -> np.ndarray:
    """Return the variance of each period's demand, [T], as exact as `mean`."""
    if isinstance(demand, Demand):
        return demands.variance(demand, units, periods)
    whole, share = demands.mean(demand.demand, units, periods), _share_moments(demand, periods)
    squares = demands.variance(demand.demand, units, periods) + whole**2
    of_share = (1 - demand.spread) * share[1] + demand.spread * share[0]  # E[W^2]
    if units == "integer":  # E[D' (D' - 1)] = E[D (D - 1)] E[W^2] of a part D' of D
        return np.maximum(0.0, (squares - whole) * of_share + whole * share[0] * (1 - whole * share[0]))
    return np.maximum(0.0, squares * of_share - (whole * share[0]) ** 2)


def longest_horizon(demand: Demand | Variant) -> float:
    """Return the number of periods that demand can be drawn for."""
    return demands.longest_horizon(demand.demand if isinstance(demand, Variant) else demand)


def drift(family: Family, normals: np.ndarray) -> np.ndarray:
    """Return the shares of each variant [K, T, B] whose logarithms walk at random, from normals [T, K, B].

    They start as stated, so that the normals of period 0 are not read, and are scaled to sum to 1.
    """
    steps = np.moveaxis(family.share_drift * normals, 1, 0)
    steps[:, 0] = np.log(list(family.markets.values()))[:, None]
    return _softmax(np.cumsum(steps, axis=1))


def split(
    demand: np.ndarray, shares: np.ndarray, spread: float, choices: np.ndarray, mixes: np.ndarray, units: str
) -> np.ndarray:
    """Split a family's demand over its variants, one after the other.

    Variant k takes of what is left a part V, with mean its share of the shares left: stated, or of a beta law, which
    makes all shares Dirichlet; in integer units a binomial number with probability V, which makes them multinomial.

    Parameters
    ----------
    demand : ndarray, [T, B]
        Demand of the family, whole in integer units.
    shares : ndarray, [K, T, B] or [K, 1, 1]
        Mean shares.
    spread : float
        Of the shares of a period, in [0, 1).
    choices : ndarray, [T, K - 1, B]
        Numbers in (0, 1) by which customers choose; read in integer units.
    mixes : ndarray, [T, K - 1, B]
        Numbers in (0, 1) by which shares spread; read with a spread.
    units : {"integer", "real"}
        Units of the network.

    Returns
    -------
    ndarray, [K, T, B]
    """
    left = demand
    parts = []
    for k in range(len(shares) - 1):
        after = shares[k + 1 :].sum(axis=0)
        part = np.broadcast_to(shares[k] / (shares[k] + after), demand.shape)
        if spread:
            weight = 1 / spread - 1
            part = scipy.special.betaincinv(weight * shares[k], weight * after, mixes[:, k])
        taken = binomial_quantile(choices[:, k], left, part) if units == "integer" else left * part
        parts.append(taken)
        left = left - taken
    return np.stack([*parts, left])


def binomial_quantile(uniforms: np.ndarray, trials: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Return the first number of successes whose cumulated probability lies above each uniform; all arrays [T, B].

    P(D <= k) is the incomplete beta function I(1 - p; n - k, k + 1) (Johnson, Kemp & Kotz 2005, 3.4).
    """
    u, n, p = uniforms.ravel(), trials.ravel(), chances.ravel()

    def cdf(k: np.ndarray, at: np.ndarray) -> np.ndarray:
        short = np.maximum(n[at] - k, 1.0)
        return np.where(k >= n[at], 1.0, scipy.special.betainc(short, k + 1, 1 - p[at]))

    guess = np.minimum(n, n * p + np.sqrt(n * p * (1 - p)) * scipy.special.ndtri(u))
    return demands.first_above(u, guess, cdf).reshape(uniforms.shape)


def _softmax(logarithms: np.ndarray) -> np.ndarray:
    weights = np.exp(logarithms - logarithms.max(axis=0))
    return weights / weights.sum(axis=0)


def _share_moments(variant: Variant, periods: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and mean square of the variant's share before its spread, [T] each."""
    if variant.share_drift == 0:
        return np.full(periods, variant.share), np.full(periods, variant.share**2)
    return _drifted_moments(variant.shares, variant.place, variant.share_drift, periods)


@lru_cache(maxsize=256)
def _drifted_moments(
    shares: tuple[float, ...], place: int, drift: float, periods: int
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the moments of a share that drifts on 8,192 walks, pairs of opposite ones; there is no closed form."""
    normals = scipy.special.ndtri(uniforms("share_drift", 0, [(2**62, 0)], _WALKS, len(shares))[:, :, 0]).T
    normals = np.concatenate([normals, -normals], axis=1)
    drawn = np.stack([_softmax(np.log(shares)[:, None] + drift * t**0.5 * normals)[place] for t in range(periods)])
    return drawn.mean(axis=1), (drawn**2).mean(axis=1)
