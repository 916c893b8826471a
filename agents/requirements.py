"""Levels that follow expected demand, by its season or by forecasts, and build early what capacity cannot do later.

The level of a source is the demand expected in the windows that it covers, plus safety stock. Where requirements after
the windows exceed the capacity there will be for them, the excess is added (backward levelling): with R(h) required
within h periods more and capacity c, the level rises by the largest R(h) - c h.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from pushpull.agents.exposure import regular_sources
from pushpull.agents.levels import Levels
from pushpull.envs.network import Network
from pushpull.envs.observations import View


class Requirements:
    """Order-up-to levels from expected demand: what it says of the windows that levels cover, plus safety stock.

    Safety stock grows with the square root of demand, as the deviation of counts does.

    Parameters
    ----------
    levels : Levels
        Windows of the levels.
    safety : ndarray [J]
        Units of safety stock at mean demand; minus infinity for a source that never orders.
    capacity : ndarray [J], optional
        Units a period beyond which requirements must be met early.
    look_ahead : int
        Periods after its windows for which each source looks for such requirements.
    """

    def __init__(self, levels: Levels, safety: np.ndarray, capacity: np.ndarray | None = None, look_ahead: int = 0):
        windows = [(j, *window) for j, own in enumerate(levels.windows) for window in own]
        self._source, self._market, self._units, self._first, self._end = (
            np.array(column, dtype=kind)
            for column, kind in zip(
                zip(*windows, strict=True) if windows else [()] * 5, (int, int, float, int, int), strict=True
            )
        )
        self._never, self._safety = np.isneginf(safety), np.where(np.isneginf(safety), 0.0, safety)[:, None]
        rates = np.array([demand.rate for demand in levels.demand])[self._market]
        self._mean = self._by_source((self._units * (self._end - self._first) * rates)[:, None])
        self._levelled = np.flatnonzero(capacity < np.inf) if capacity is not None else np.arange(0)
        self._early = np.flatnonzero(np.isin(self._source, self._levelled))
        self._ahead = np.arange(look_ahead + 1)
        self._made = (
            np.multiply.outer(capacity[self._levelled], self._ahead)[..., None] if capacity is not None else None
        )
        self.periods = int(self._end.max(initial=0)) + look_ahead

    def __call__(self, expected: np.ndarray) -> np.ndarray:
        """Return order-up-to levels [J, B] from demand expected in this period, the next, ..., [periods, M, B]."""
        total = np.zeros((len(expected) + 1, *expected.shape[1:]))
        np.cumsum(expected, axis=0, out=total[1:])
        until = total[self._end, self._market]
        covered = self._by_source(self._units[:, None] * (until - total[self._first, self._market]))
        up_to = covered + self._safety * np.sqrt(covered / np.where(self._mean > 0, self._mean, 1.0))
        if len(self._early):
            pairs = self._early[:, None]
            later = total[self._end[pairs] + self._ahead, self._market[pairs]] - until[self._early, None]
            required = self._by_source(self._units[self._early, None, None] * later, self._source[self._early])
            up_to[self._levelled] += (required[self._levelled] - self._made).max(axis=1)
        up_to[self._never] = -np.inf
        return up_to

    def _by_source(self, parts: np.ndarray, source: np.ndarray | None = None) -> np.ndarray:
        """Add parts [windows, ..., B] up by source, one after the other, so that every batch adds in the same order."""
        total = np.zeros((len(self._never), *parts.shape[1:]))
        for part, j in zip(parts, self._source if source is None else source, strict=True):
            total[j] += part
        return total


def push_capacities(network: Network, modes: Sequence[str]) -> np.ndarray:
    """Return the units a period that each source, and all that pushes after it, can pass on, [J].

    Infinite for all but the cheapest source of a stage, which makes early; the others are there for what is late.
    """
    regular, passed = regular_sources(network), np.full(len(network.sources), np.inf)
    for i in reversed(network.stage_order):
        after = [
            units * passed[u] if modes[u] == "push" else np.inf
            for u in network.users_of[i]
            for m, units in network.inputs[u]
            if m == i
        ]
        source = network.sources[regular[i]]
        if modes[regular[i]] == "push":
            own = source.capacity / (1 if source.carries else source.review_period)
            passed[regular[i]] = min(own, np.inf if i in network.markets or not after else sum(after))
    return passed


class Foresight:
    """Demand as forecasts have it.

    It is the profile plus what the forecast deviates from it, weighted by the forecast's reliability; beyond the
    forecast the last deviation goes on. After an end of the horizon that is real there is no demand.

    Parameters
    ----------
    network : Network
        The chain.
    levels : Levels
        Demand of its markets.
    periods : int
        How far to look.
    """

    def __init__(self, network: Network, levels: Levels, periods: int):
        self._levels, self._ends = levels, network.horizon_is_real
        self._ahead = np.arange(periods)[:, None]
        last = np.array([market.forecast.horizon - 1 for market in network.markets.values()])
        self._shown, self._market = np.minimum(self._ahead, last), np.arange(len(last))
        self._weight = np.stack([demand.reliability(periods) for demand in levels.demand], axis=1)[..., None]
        self._seasonal = any(demand.seasonal for demand in levels.demand)
        self._unforecast = cache(self._without_forecast)

    def __call__(self, view: View) -> np.ndarray:
        """Return demand expected in this period, the next, ..., [periods, M, B]."""
        known = self._unforecast(view.periods)
        known = known[..., view.period] if self._seasonal else known[..., :1]
        expected = np.maximum(0.0, known + self._weight * view.forecast[self._shown, self._market])
        return np.where(self._ahead[..., None] < view.periods_left, expected, 0.0) if self._ends else expected

    def _without_forecast(self, starts: int) -> np.ndarray:
        """Return what the profiles contribute, seen from each start on, [periods, M, starts]."""
        profile = by_profile(self._levels, starts, len(self._ahead))
        return profile - self._weight * profile[self._shown, self._market]


def by_profile(levels: Levels, starts: int, periods: int) -> np.ndarray:
    """Return demand as its season and trend have it, from each start on, [periods, M, starts]."""
    profiles = np.stack([demand.profile(starts + periods) for demand in levels.demand])
    return profiles[:, np.arange(periods)[:, None] + np.arange(starts)].swapaxes(0, 1)
