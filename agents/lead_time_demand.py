"""Demand of a market summed over some periods: its moments, its quantiles, and what is foreseen of it.

Season and trend of a random process are taken as known to planners: moments and quantiles are those of an average
period, and `profile` says how mean demand moves. Demand that is known beforehand is not taken as known: its windows
within the horizon are the distribution; so are those of a history that is replayed from anywhere. Demand whose periods
depend on each other (autocorrelation, shocks, regimes, levels) and parts of a family's are sampled: windows of trial
worlds, about their mean.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, cached_property
from itertools import combinations

import numpy as np
from scipy import special

from pushpull.envs import demand as demands
from pushpull.envs import families
from pushpull.envs.demand_paths import demand_paths
from pushpull.envs.evolution import error_variance
from pushpull.envs.exogenous import draw
from pushpull.envs.histories import read_trace
from pushpull.envs.network import Demand, Network, Source, Stage, Variant

TRIAL_WORLDS = range(2**62, 2**62 + 50)  # seeds on which forecasts are tried; no comparison uses them
SAMPLED_WORLDS = range(2**62, 2**62 + 1000)  # seeds in which demand is sampled


class LeadTimeDemand:
    """Demand of the market of stage `i`.

    Attributes
    ----------
    rate, variance : float
        Mean and variance of one period's demand, averaged over the horizon.
    seasonal : bool
        Whether the profile moves.
    """

    def __init__(self, network: Network, i: int):
        self._market, self._demand, self._network = network.markets[i], families.market_demand(network, i), network
        self._is_sampled = not isinstance(self._demand, Demand) or self._demand.has_memory
        self._forecast, self._units, self._horizon = self._market.forecast, network.units, network.horizon
        mean = families.mean(self._demand, self._units, self._horizon)
        self.rate = float(mean.mean())
        self.variance = float(families.variance(self._demand, self._units, self._horizon).mean())
        self.seasonal = self.variance > 0 and bool(np.ptp(mean) > 1e-9 * self.rate)
        self.moments, self.quantile = cache(self._moments), cache(self._quantile)
        self.profile, self.reliability = cache(self._profile), cache(self._reliability)
        self._trials, self._deviations = cache(self._draw_trials), cache(self._sampled_deviations)
        self._sampled = cache(self._cumulated_deviations)

    def _moments(self, periods: int) -> tuple[float, float]:
        """Mean and variance of demand over some periods."""
        if self.variance == 0:
            windows = self._windows(periods)
            return float(windows.mean()), float(windows.var())
        if self._is_sampled:
            return periods * self.rate, float(self._deviations(periods).var())
        if isinstance(self._demand, Demand) and self._demand.kind == "trace":
            rows = read_trace(self._demand)
            windows = sum((np.roll(rows, -k) for k in range(periods)), np.zeros(len(rows)))
            return periods * self.rate, float(windows.var())
        return periods * self.rate, periods * self.variance

    def _quantile(self, periods: int, share: float) -> float:
        """Level that covers demand over some periods with this probability; with season by a gamma law."""
        if periods == 0:
            return 0.0
        if self.variance == 0:
            return float(np.quantile(self._windows(periods), share, method="inverted_cdf"))
        if self._is_sampled:
            level = max(0.0, periods * self.rate + float(np.quantile(self._deviations(periods), share)))
            return float(np.ceil(level - 1e-9)) if self._units == "integer" else level
        if self.seasonal:
            level = gamma_quantile(share, *self.moments(periods))
            return float(np.ceil(level)) if self._units == "integer" else level
        assert isinstance(self._demand, Demand)  # the others are sampled
        return demands.lead_time_quantile(self._demand, self._units, periods, share)

    def _windows(self, periods: int) -> np.ndarray:
        """Demand known beforehand, summed over the periods from each start in the horizon, [T]."""
        path = families.mean(self._demand, self._units, self._horizon + periods)
        total = np.concatenate([[0.0], np.cumsum(path)])
        return total[periods : periods + self._horizon] - total[: self._horizon]

    def _sampled_deviations(self, periods: int) -> np.ndarray:
        """Demand in sampled worlds less its mean, summed over the periods from each start in the horizon."""
        horizons = -(-periods // self._horizon)  # of demand beyond the first
        total = self._sampled(1 + horizons)[: self._horizon + periods + 1]
        return (total[periods:] - total[: len(total) - periods]).ravel()

    def _cumulated_deviations(self, horizons: int) -> np.ndarray:
        """Demand in sampled worlds less its mean, summed from period 0 to before each, over some horizons."""
        length = int(min(self._horizon * horizons, families.longest_horizon(self._demand)))
        alone, m = self._alone
        path = demand_paths(alone, length, [(seed, 0) for seed in SAMPLED_WORLDS])[m]
        path = path - families.mean(self._demand, self._units, length)[:, None]
        return np.concatenate([np.zeros_like(path[:1]), np.cumsum(path, axis=0)])

    def _profile(self, periods: int) -> np.ndarray:
        """Mean demand of each period as planners know it, [T]."""
        return families.mean(self._demand, self._units, periods) if self.seasonal else np.full(periods, self.rate)

    def _reliability(self, periods: int) -> np.ndarray:
        """Weight of the forecast against the profile, by periods ahead, [periods].

        A noisy forecast errs about the truth by e, the profile by the demand's deviation sd; both are independent, so
        their best combination gives the forecast sd^2 / (sd^2 + e^2) (Bates & Granger 1969), and nothing beyond its
        horizon. A forecast that is a conditional mean (``mmfe``) is right as it is, within its horizon; forecasts that
        extrapolate the history are taken at their word.
        """
        forecast, ahead = self._forecast, np.arange(periods)
        if forecast.kind == "mmfe":
            return (ahead < forecast.horizon).astype(float)
        if forecast.kind != "noisy":
            return np.full(periods, float(forecast.kind != "none"))
        errors = (self.rate * forecast.error * (1 + forecast.error_growth * ahead)) ** 2
        weight = self.variance / np.maximum(self.variance + errors, np.finfo(float).tiny)
        return np.where(ahead < forecast.horizon, weight, 0.0)

    def forecast_variance(self, first: int, end: int) -> float:
        """Variance of demand about its forecast, summed over periods [first, end) from now.

        A noisy forecast leaves of each period's variance what it is not reliable for, one of kind ``mmfe`` its declared
        error; beyond their horizon all of it is left. One that extrapolates is tried on simulated histories, as
        practice sets safety stock by past errors (Silver, Pyke & Thomas 2017, section 6.2); so is one that knows what
        is booked.
        """
        if self._forecast.kind == "mmfe":
            errors = error_variance(self._forecast, self.rate, self.variance)[first:end]
            return float(errors.sum()) + self.variance * (end - first - len(errors))
        if self._forecast.kind == "noisy":
            per_period = self.variance
            if self._is_sampled and end > first:
                per_period = self.moments(end - first)[1] / (end - first)
            return per_period * float(np.sum(1 - self.reliability(end)[first:]))
        if self._forecast.kind == "true_mean" and self.variance == 0:
            return 0.0
        knows_orders = self._market.booked_ahead > 0 and self._forecast.kind != "none"
        if end > self._horizon or (self._forecast.kind in ("true_mean", "none") and not knows_orders):
            return self.moments(end - first)[1]
        total, forecast = self._trials()
        starts = np.arange(self._horizon - end + 1)
        shown = forecast[starts][:, np.minimum(np.arange(first, end), forecast.shape[1] - 1)]
        return float((total[starts + end] - total[starts + first] - shown.sum(axis=1)).var())

    def _draw_trials(self) -> tuple[np.ndarray, np.ndarray]:
        """Cumulated demand [T + 1, B] and forecasts [T, H, B] in the trial worlds."""
        alone, m = self._alone
        traces = draw(alone, self._horizon, [(seed, 0) for seed in TRIAL_WORLDS])
        demand = traces.demand[:, m]
        return np.concatenate([np.zeros_like(demand[:1]), np.cumsum(demand, axis=0)]), traces.forecast[:, :, m]

    @cached_property
    def _alone(self) -> tuple[Network, int]:
        """The market and its family without what supplies them, and the number of the market among them."""
        own, place, markets = None, 0, {"shop": self._market}
        if isinstance(self._demand, Variant):
            own, place = self._demand.family, self._demand.place
            family = (self._network.families or {})[own]
            markets = {name: self._network.stages[name].market for name in family.markets}
        stages = {name: Stage(sources=(Source(mode="pull"),), market=market) for name, market in markets.items()}
        kept = {own: (self._network.families or {})[own]} if own else None
        return replace(
            self._network, stages=stages, families=kept, demand_correlation=None, decoupling_point=None, resources=None
        ), place


def correlations(network: Network) -> np.ndarray:
    """Return the correlation of the markets' demands of one period about their means, [M, M].

    It is sampled where families or a `demand_correlation` tie markets together; histories that start together are not
    counted as tied.
    """
    tied, many = np.eye(len(network.markets)), len(network.markets)
    if not network.families and network.demand_correlation is None:
        return tied
    ends = [families.longest_horizon(families.market_demand(network, i)) for i in network.markets]
    length = int(min(network.horizon, *ends))
    paths = np.stack(demand_paths(network, length, [(seed, 0) for seed in SAMPLED_WORLDS]))
    off = (paths - paths.mean(axis=2, keepdims=True)).reshape(many, -1)
    scale = np.sqrt((off**2).mean(axis=1))
    drawn_by = {m: p for p, process in enumerate(network.processes) for m in process.markets}
    ties = np.eye(len(network.processes)) if network.correlation is None else network.correlation
    for a, b in combinations(range(many), 2):
        if ties[drawn_by[a], drawn_by[b]] and scale[a] * scale[b] > 0:
            tied[a, b] = tied[b, a] = (off[a] * off[b]).mean() / (scale[a] * scale[b])
    return tied


# --- a gamma law by its mean and variance, or a constant without variance ---------------------------------------------


def gamma_cdf(y: float, mean: float, variance: float) -> float:
    """Return P(demand <= y)."""
    if variance == 0 or mean == 0:
        return float(y >= mean)
    return float(special.gammainc(mean**2 / variance, max(0.0, y) * mean / variance))


def gamma_quantile(share: float, mean: float, variance: float) -> float:
    """Return the level that covers demand with this probability."""
    if variance == 0 or mean == 0:
        return mean
    return float(special.gammaincinv(mean**2 / variance, share) * variance / mean)


def gamma_shortage(y: float, mean: float, variance: float) -> float:
    """Return E max(demand - y, 0) (Zipkin 2000, C.2.3.7)."""
    if variance == 0 or mean == 0 or y <= 0:
        return max(0.0, mean - y)
    shape, scaled = mean**2 / variance, y * mean / variance
    return float(mean * special.gammaincc(shape + 1, scaled) - y * special.gammaincc(shape, scaled))
