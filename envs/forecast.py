"""Forecasts: what is foreseen of a market's demand at the start of each period, before its demand is seen.

Entry [t, h] is made at the start of period t for demand of period t + h. `FORECASTS` holds one function per kind:
kinds that know the process read its mean, ``noisy`` and ``mmfe`` also read the future, and kinds that extrapolate the
history read demand before period t only, from a history that before period 0 equals the mean of period 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy

from pushpull.envs.demand import Law
from pushpull.envs.evolution import evolve
from pushpull.envs.network import Forecast


def forecast(
    settings: Forecast, demand: np.ndarray, mean: np.ndarray, uniforms: np.ndarray, laws: Sequence[Law] = ()
) -> np.ndarray:
    """Return the forecasts of one market.

    Parameters
    ----------
    settings : Forecast
        Kind, horizon H and their parameters.
    demand : ndarray, [S, B]
        Demand path, S >= T; what lies beyond period T - 1 is read by ``noisy`` and ``mmfe`` only.
    mean : ndarray, [T + H]
        Mean demand of the process.
    uniforms : ndarray, [T + H - 1, U, B]
        Numbers in (0, 1) by target period, U = `uniforms_needed(settings)`.
    laws : sequence of Law, [T + H - 1]
        The law of each target period, which only ``mmfe`` reads.

    Returns
    -------
    ndarray, [T, H, B]
        Forecast units, never negative.
    """
    return np.maximum(0.0, FORECASTS[settings.kind](settings, demand, mean, uniforms, laws))


def uniforms_needed(settings: Forecast) -> int:
    """Return U, the number of uniforms that the forecasts of one target period take."""
    return {"noisy": settings.horizon, "mmfe": settings.horizon + 1}.get(settings.kind, 0)


def _true_mean(
    settings: Forecast, demand: np.ndarray, mean: np.ndarray, uniforms: np.ndarray, laws: Sequence[Law]
) -> np.ndarray:
    periods, targets = _targets(settings, mean)
    return np.broadcast_to(mean[targets][..., None], (periods, settings.horizon, demand.shape[1]))


def _noisy(
    settings: Forecast, demand: np.ndarray, mean: np.ndarray, uniforms: np.ndarray, laws: Sequence[Law]
) -> np.ndarray:
    """Add to the truth D(s) of target period s the errors that are still unresolved h periods ahead.

    F(t, t + h) = D(s) + mean(s) x (bias + sum over k = 0..h of w(k) Z(s, k)), s = t + h, Z independent standard normals
    and w(0)^2 + ... + w(h)^2 = (error x (1 + error_growth x h))^2. So the error's standard deviation is mean x error x
    (1 + error_growth x h), and from period t to t + 1 the forecast of s is revised by -mean(s) w(h) Z(s, h),
    independent of all other revisions. Errors are independent of demand, not of the forecast: unlike that of ``mmfe``
    the forecast is not the mean of demand given what is known. Beyond the last period of `demand`, the mean stands for
    the truth.
    """
    _, targets = _targets(settings, mean)
    lags = np.arange(settings.horizon)
    relative_sd = settings.error * (1 + settings.error_growth * lags)
    weights = np.sqrt(np.diff(relative_sd**2, prepend=0.0))
    relative_error = settings.bias + np.cumsum(weights[:, None] * scipy.special.ndtri(uniforms), axis=1)
    truth = np.repeat(mean[:, None], demand.shape[1], axis=1)
    truth[: len(demand)] = demand
    return truth[targets] + mean[targets][..., None] * relative_error[targets, lags]


def _mmfe(
    settings: Forecast, demand: np.ndarray, mean: np.ndarray, uniforms: np.ndarray, laws: Sequence[Law]
) -> np.ndarray:
    """Take the mean of demand given what has come to light of it (`pushpull.envs.evolution`)."""
    _, targets = _targets(settings, mean)
    return evolve(settings, demand, laws, uniforms)[targets, np.arange(settings.horizon)]


def _moving_average(
    settings: Forecast, demand: np.ndarray, mean: np.ndarray, uniforms: np.ndarray, laws: Sequence[Law]
) -> np.ndarray:
    """Average the last `window` demands."""
    periods, _ = _targets(settings, mean)
    history = np.concatenate([np.full((settings.window, demand.shape[1]), mean[0]), demand])
    total = sum((history[k : k + periods] for k in range(settings.window)), np.zeros((periods, demand.shape[1])))
    return _flat(settings, total / settings.window)


def _exponential_smoothing(
    settings: Forecast, demand: np.ndarray, mean: np.ndarray, uniforms: np.ndarray, laws: Sequence[Law]
) -> np.ndarray:
    """Move the level by `alpha` of the last error (Brown 1959)."""
    periods, _ = _targets(settings, mean)
    level = np.full((periods, demand.shape[1]), mean[0])
    for t in range(1, periods):
        level[t] = level[t - 1] + settings.alpha * (demand[t - 1] - level[t - 1])
    return _flat(settings, level)


def _holt_winters(
    settings: Forecast, demand: np.ndarray, mean: np.ndarray, uniforms: np.ndarray, laws: Sequence[Law]
) -> np.ndarray:
    """Smooth level, trend and additive season, trend and season from 0 (Winters 1960); no season at length 1."""
    periods, targets = _targets(settings, mean)
    ahead = np.arange(1, settings.horizon + 1)[:, None]
    length = settings.season_length
    gamma = settings.gamma if length > 1 else 0.0
    level, trend = np.full(demand.shape[1], mean[0]), np.zeros(demand.shape[1])
    season = np.zeros((length, demand.shape[1]))
    out = np.empty((periods, settings.horizon, demand.shape[1]))
    for t in range(periods):
        out[t] = level + ahead * trend + season[targets[t] % length]
        before = level
        level = settings.alpha * (demand[t] - season[t % length]) + (1 - settings.alpha) * (level + trend)
        trend = settings.beta * (level - before) + (1 - settings.beta) * trend
        season[t % length] = gamma * (demand[t] - level) + (1 - gamma) * season[t % length]
    return out


def _none(
    settings: Forecast, demand: np.ndarray, mean: np.ndarray, uniforms: np.ndarray, laws: Sequence[Law]
) -> np.ndarray:
    periods, _ = _targets(settings, mean)
    return np.zeros((periods, settings.horizon, demand.shape[1]))


FORECASTS: dict[str, Callable[[Forecast, np.ndarray, np.ndarray, np.ndarray, Sequence[Law]], np.ndarray]] = {
    "true_mean": _true_mean,
    "noisy": _noisy,
    "mmfe": _mmfe,
    "moving_average": _moving_average,
    "exponential_smoothing": _exponential_smoothing,
    "holt_winters": _holt_winters,
    "none": _none,
}


def _targets(settings: Forecast, mean: np.ndarray) -> tuple[int, np.ndarray]:
    """Return T and the target periods t + h, [T, H]."""
    periods = len(mean) - settings.horizon
    return periods, np.arange(periods)[:, None] + np.arange(settings.horizon)


def _flat(settings: Forecast, level: np.ndarray) -> np.ndarray:
    return np.repeat(level[:, None], settings.horizon, axis=1)
