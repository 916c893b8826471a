"""The martingale model of forecast evolution: forecasts that are conditional means, revised as demand comes to light.

Demand of a period is D = Q(Phi(z)) with Q the quantile function of its law and z a standard normal that is revealed
piece by piece: h periods ahead W(r(h)) is known of it, W a Brownian motion with W(1) = z and 0 <= r(h) <= 1 rising as
the period comes nearer. The forecast is the mean of D given that, E[D | W(r)] = (Q o Phi) smoothed by a normal of
variance 1 - r; for a normal law it is linear. So demand is its mean plus the sum of its forecasts' revisions, and each
revision is uncorrelated with all that was known before (Graves, Meal, Dasu & Qiu 1986; Heath & Jackson 1994, IIE
Transactions 26(3)).

Demand comes first and keeps its law and its world: z is read back from it, and W is the Brownian bridge that ends
there. Worlds that differ in their forecasts only therefore ask for the same units.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import scipy

from pushpull.envs.demand import Law
from pushpull.envs.network import Forecast

_CELLS = 4096
_STEP = 32.0 / _CELLS
_GRID = (np.arange(_CELLS) - _CELLS // 2) * _STEP  # of z, far beyond what is drawn, so that its ends do not matter
_INSIDE = slice(_CELLS // 4, 3 * _CELLS // 4 + 1)  # of the grid: up to _FARTHEST either way
_FREQUENCIES = 2 * np.pi * np.fft.rfftfreq(_CELLS, _STEP)
_FARTHEST = 8.0  # of z: the normal's mass beyond is 1e-15
_SPREADS = (np.arange(65) / 64) ** 2  # at which error is computed; closer together where it may rise as a square root


def evolve(settings: Forecast, demand: np.ndarray, laws: Sequence[Law], uniforms: np.ndarray) -> np.ndarray:
    """Return the forecasts of each target period as it comes nearer.

    Parameters
    ----------
    settings : Forecast
        Of kind ``mmfe``: horizon H, and either the shares `resolved` of demand's variance that are known 0, 1, ...
        periods ahead, or the deviation of the error, mean x error x (1 + error_growth x h), at most demand's own.
    demand : ndarray, [S, B]
        Demand path; periods after it are drawn from their laws.
    laws : sequence of Law, [P]
        The law of each period, independent over periods.
    uniforms : ndarray, [P, H + 1, B]
        Numbers in (0, 1) by period.

    Returns
    -------
    ndarray, [P, H, B]
        Entry [s, h] is made at the start of period s - h.
    """
    number: dict[Law, int] = {}
    law_of = np.array([number.setdefault(law, len(number)) for law in laws])
    forecasts = np.empty((len(laws), settings.horizon, demand.shape[1]))
    for law, n in number.items():
        own = np.flatnonzero(law_of == n)
        chance, normals = uniforms[own, 0], scipy.special.ndtri(uniforms[own, 1:])
        truth = np.concatenate([demand[own[own < len(demand)]], law.quantile(chance[own >= len(demand)])])
        forecasts[own] = _forecasts(settings, law, truth, _score(law, truth, chance), normals)
    return (1 + settings.bias) * forecasts


def _forecasts(settings: Forecast, law: Law, truth: np.ndarray, score: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Return the forecasts of periods of one law, [P, H, B]."""
    if law.variance == 0:
        return np.full(normals.shape, law.mean)
    spreads = _spreads(law, settings)
    cells = (_bridge(score, 1 - spreads**2, normals) + _FARTHEST) / _STEP
    left = np.clip(cells.astype(np.intp), 0, _INSIDE.stop - _INSIDE.start - 2)
    lag, right = np.arange(settings.horizon)[:, None], cells - left
    table = _table(law, settings)
    return np.where(
        (spreads == 0)[:, None], truth[:, None], table[lag, left] * (1 - right) + table[lag, left + 1] * right
    )


def error_variance(settings: Forecast, mean: float, variance: float) -> np.ndarray:
    """Return the variance of the forecast's error by periods ahead, [H], of demand with these moments."""
    if settings.resolved is not None:
        return variance * (1 - np.array(settings.resolved))
    errors = (mean * settings.error * (1 + settings.error_growth * np.arange(settings.horizon))) ** 2
    return np.minimum(errors, variance)


def _score(law: Law, demand: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """Return the normal score of demand; a value that has a probability of its own is spread evenly over it."""
    below, upto = law.cdf(np.nextafter(demand, -np.inf)), law.cdf(demand)
    least = scipy.special.ndtr(-_FARTHEST)
    return scipy.special.ndtri(np.clip(below + uniforms * (upto - below), least, 1 - least))


def _bridge(score: np.ndarray, shares: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Return W(r) at each of the falling shares [H] of a Brownian motion that ends in W(1) = score, [P, H, B].

    Given W(q), W(r) is normal with mean W(q) r / q and variance r (q - r) / q, for r < q.
    """
    out = np.empty_like(normals)
    known, before = score, 1.0
    for h, share in enumerate(shares):
        part = share / before if before > 0 else 0.0
        known = out[:, h] = part * known + np.sqrt(part * (before - share)) * normals[:, h]
        before = share
    return out


# --- one law ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _spreads(law: Law, settings: Forecast) -> np.ndarray:
    """Return by periods ahead the deviation of z that leaves demand the declared error, [H].

    The variance of the error is that of demand less that of the forecast, and grows with the deviation.
    """
    curve = _smoothed(_by_score(law), _SPREADS[:-1])
    sd = np.sqrt(1 - _SPREADS[:-1] ** 2)[:, None]
    weights = np.exp(-((_GRID / sd) ** 2) / 2) / (sd * np.sqrt(2 * np.pi)) * _STEP
    explained = (weights * (curve - law.mean) ** 2).sum(axis=1)
    errors = np.sqrt(np.maximum.accumulate(np.clip(1 - np.append(explained, 0.0) / law.variance, 0.0, 1.0)))
    errors[0] = 0.0  # nothing is left to come
    declared = np.sqrt(error_variance(settings, law.mean, law.variance) / law.variance)
    return np.interp(declared, errors, _SPREADS)


@lru_cache(maxsize=256)
def _table(law: Law, settings: Forecast) -> np.ndarray:
    """Return the mean of demand given what is known of z, from -`_FARTHEST` on, by periods ahead, [H, cells]."""
    return _smoothed(_by_score(law), _spreads(law, settings))[:, _INSIDE]


def _smoothed(values: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    """Return values on the grid smoothed by normals of the given deviations, [spreads, cells]."""
    damping = np.exp(-((spreads[:, None] * _FREQUENCIES) ** 2) / 2)
    return np.fft.irfft(np.fft.rfft(values) * damping, _CELLS)


def _by_score(law: Law) -> np.ndarray:
    """Return Q(Phi(z)) averaged over each cell of the grid.

    Between the scores below and up to each of its values demand is that value; between values it is interpolated.
    """
    values = law.quantile(scipy.special.ndtr(_GRID[_INSIDE]))
    between = np.linspace(values[0], values[-1], len(values))  # where no demand falls, which quantiles step over
    values = np.unique(np.concatenate([values, between]))
    scores = np.column_stack([_score(law, values, np.full(len(values), share)) for share in (0.0, 1.0)]).ravel()
    edges = np.append(_GRID, -_GRID[0]) - _STEP / 2
    points = np.concatenate([scores, edges])
    heights = np.concatenate([np.repeat(values, 2), np.interp(edges, scores, np.repeat(values, 2))])
    order = np.argsort(points, kind="stable")
    points, heights = points[order], heights[order]
    area = np.concatenate([[0.0], np.cumsum(np.diff(points) * (heights[1:] + heights[:-1]) / 2)])
    return np.diff(area[np.searchsorted(points, edges)]) / _STEP
