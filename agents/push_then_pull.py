"""The line of `push_pull_line` that pulls after demand is seen, solved exactly.

The agent sets the release u and the level S of the pull stage before the period's demand d. The stage then orders what
lifts its position j, finished stock i with the orders that wait, less demand, to S. Of what waits it starts r, as far
as buffer b and capacity allow; the rest goes on waiting, and cannot be withdrawn. So the state is b, i, j and the place
in the season: b' = b + u - r, i' = i - d + r, j' = max(j - d, S). The optimum is over all rules for u and S: it is what
an agent can reach in this sequence of events, with thresholds that are set before demand.

A sweep over all pairs (u, S) is dear. So few are made, each followed by cheap ones over the neighbours of the decisions
that are best so far; bounds come from the dear ones. The space grows as in `push_pull_line`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pushpull.agents.solution import order_actions, received
from pushpull.agents.stock_costs import backorder_costs
from pushpull.agents.value_iteration import Converged, push_then_pull_sweep, relative_value_iteration
from pushpull.envs.checks import InputError
from pushpull.envs.network import Network
from pushpull.envs.observations import View

_MOVE = 1e-5  # relative change of the cost at which the state space is large enough
_GROWTHS = 5
_CHEAP_SWEEPS = 60


@dataclass(frozen=True)
class PushThenPull:
    """The optimum: `releases`, and `levels` above the first, by [place in the season, buffer, finished, position].

    Finished stock counts from `lowest`, positions and levels from `first`.
    """

    cost: float
    error: float
    lowest: int
    first: int
    releases: np.ndarray
    levels: np.ndarray


def push_then_pull(
    season: Sequence[np.ndarray], capacities: Sequence[float], holding_costs: Sequence[float], backorder_cost: float
) -> PushThenPull:
    """Solve a line that pulls after demand; parameters are those of `push_pull_line`."""
    scale = max(4, max(int(np.searchsorted(np.cumsum(demand), 1 - 1e-6)) for demand in season))
    size = np.array([1.3, 3.0, 0.2, 1.3]) * scale  # of buffer, backorders, positions below 0 and above
    before = np.inf
    for _ in range(_GROWTHS):
        best, found = _within(season, capacities, holding_costs, backorder_cost, size.astype(int))
        move = abs(best.cost - before)
        if move <= _MOVE * max(1.0, best.cost):
            return PushThenPull(best.cost, (best.high - best.low) / 2 + move, *found)
        before, size = best.cost, size * np.array([1.25, 1.6, 1.5, 1.25])
    raise InputError("capacity", f"{list(capacities)} leaves so little to spare that backorders do not end; give more")


def _within(
    season: Sequence[np.ndarray],
    capacities: Sequence[float],
    holding_costs: Sequence[float],
    backorder_cost: float,
    size: np.ndarray,
) -> tuple[Converged, tuple[int, int, np.ndarray, np.ndarray]]:
    """Solve a line whose buffer, backorders and positions do not exceed a size."""
    lowest, first, highest = -int(size[1]), -int(size[2]), int(size[3])
    finished = np.arange(lowest, highest + 1)
    shape = (int(size[0]) + 1, finished.size, highest - first + 1)
    costs = [backorder_costs(finished, demand, holding_costs[1], backorder_cost) for demand in season]
    limits = [int(min(capacity, size.max())) for capacity in capacities]
    releases, levels = (np.zeros((len(season), *shape), dtype=np.int32) for _ in range(2))
    levels += shape[2] // 2

    def sweep(values: np.ndarray, reach: int) -> np.ndarray:
        now = values.reshape(shape)
        for k in reversed(range(len(season))):
            new = np.empty(shape)
            arguments = (season[k], first - lowest, float(holding_costs[0]), costs[k], limits[0], limits[1], reach)
            push_then_pull_sweep(*arguments, now, releases[k], levels[k], new)
            now = new
        return now.ravel()

    def approach(values: np.ndarray) -> np.ndarray:
        for n in range(_CHEAP_SWEEPS):
            values = sweep(values, 1 if n % 6 == 0 else 0)
            values = values - values[0]
        return values

    best = relative_value_iteration(
        lambda values: sweep(values, int(size.max())),
        approach(np.zeros(int(np.prod(shape)))),
        periods=len(season),
        between=approach,
    )
    return best, (lowest, first, releases, levels)


class PushThenPullPolicy:
    """Release, and set the level of the pull stage, as is best for buffer, finished stock, position and season."""

    def __init__(self, network: Network, optimum: PushThenPull, supplier: int, shop: int):
        self._network, self._optimum = network, optimum
        self._supplier, self._shop = supplier, shop

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, 2] in units."""
        optimum, actions = self._optimum, np.empty((len(view.period), 2))
        place = view.period % len(optimum.levels)
        push, pull = self._network.sources_of[self._supplier][0], self._network.sources_of[self._shop][0]
        buffer, finished = received(view, self._supplier, push), received(view, self._shop, pull)
        b, i, j = (
            np.clip(units, 0, most - 1).astype(np.int64)
            for units, most in zip(
                (buffer, finished - optimum.lowest, finished + view.pending[pull] - optimum.first),
                optimum.levels.shape[1:],
                strict=True,
            )
        )
        actions[:, push] = order_actions(view, push, optimum.releases[place, b, i, j])
        actions[:, pull] = optimum.first + optimum.levels[place, b, i, j]
        return actions
