"""Levels that follow expected demand, by its season or by forecasts, and build early what capacity cannot do later.

The level of a source is the demand expected in the windows that it covers, plus safety stock. Where requirements after
the windows exceed the capacity there will be for them, the excess is added (backward levelling): with R(h) required
within h periods more and capacity c, the level rises by the largest R(h) - c h.
"""

from __future__ import annotations

from collections.abc import Sequence

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
        Windows and safety stocks.
    capacity : ndarray [J], optional
        Units a period beyond which requirements must be met early.
    look_ahead : int
        Periods after its windows for which each source looks for such requirements.
    """

    def __init__(self, levels: Levels, capacity: np.ndarray | None = None, look_ahead: int = 0):
        self._windows, self._capacity = levels.windows, capacity
        self._ahead = np.arange(look_ahead + 1)
        self._mean = [
            sum(w.units * (w.end - w.first) * levels.demand[w.market].rate for w in windows)
            for windows in levels.windows
        ]
        self.periods = max((w.end for windows in levels.windows for w in windows), default=0) + look_ahead

    def __call__(self, expected: np.ndarray, safety: np.ndarray) -> np.ndarray:
        """Return order-up-to levels [J, B].

        Parameters
        ----------
        expected : ndarray [periods, M, B]
            Demand expected in this period, the next, ...
        safety : ndarray [J]
            Units of safety stock at mean demand.
        """
        # Summed period by period, so that a batch of one adds in the same order as any other.
        total = np.concatenate([np.zeros_like(expected[:1]), np.cumsum(expected, axis=0)])
        up_to = np.empty((len(safety), total.shape[-1]))
        for j, windows in enumerate(self._windows):
            up_to[j] = safety[j]
            if self._mean[j] > 0 and np.isfinite(safety[j]):
                covered = sum(w.units * (total[w.end, w.market] - total[w.first, w.market]) for w in windows)
                up_to[j] = covered + safety[j] * np.sqrt(covered / self._mean[j]) + self._early(j, total)
        return up_to

    def _early(self, j: int, total: np.ndarray) -> np.ndarray | float:
        """Return the most by which later requirements exceed what capacity can make until then, [B]."""
        if self._capacity is None or self._capacity[j] == np.inf:
            return 0.0
        later = sum(w.units * (total[w.end + self._ahead, w.market] - total[w.end, w.market]) for w in self._windows[j])
        return (later - self._capacity[j] * self._ahead[:, None]).max(axis=0)


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


def by_forecast(view: View, levels: Levels, periods: int) -> np.ndarray:
    """Return demand as forecasts have it, [periods, M, B].

    It is the profile plus what the forecast deviates from it, weighted by the forecast's reliability; beyond the
    forecast the last deviation goes on. After an end of the horizon that is real there is no demand.
    """
    ahead = np.arange(periods)
    expected = np.empty((periods, len(levels.demand), len(view.period)))
    for m, (market, demand) in enumerate(zip(view.network.markets.values(), levels.demand, strict=True)):
        shown = np.minimum(ahead, market.forecast.horizon - 1)
        profile = demand.profile(view.periods + periods)[ahead[:, None] + view.period]
        deviation = view.forecast[shown, m] - profile[shown]
        expected[:, m] = np.maximum(0.0, profile + demand.reliability(periods)[:, None] * deviation)
    if view.network.horizon_is_real:
        expected = np.where(ahead[:, None, None] < view.periods_left, expected, 0.0)
    return expected


def by_profile(levels: Levels, starts: int, periods: int) -> np.ndarray:
    """Return demand as its season and trend have it, from each start on, [periods, M, starts]."""
    profiles = np.stack([demand.profile(starts + periods) for demand in levels.demand])
    return profiles[:, np.arange(periods)[:, None] + np.arange(starts)].swapaxes(0, 1)
