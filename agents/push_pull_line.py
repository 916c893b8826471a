"""Two stages in a row with capacities, solved exactly: push into a buffer, pull from it, demand in a season.

Both decide before demand (`push_then_pull` solves the line that pulls after it), and what they start can be used a
period later. The state is the buffer b, the finished stock i less what is owed, and the place in the season. A period
releases u up to the push capacity, pulls r up to the pull capacity and the buffer, and pays for what stays in the
buffer, and for finished stock or backorders after demand: b' = b - r + u, i' = i + r - d. Echelon base-stock levels are
near the best, modified by capacity (Parker & Kapuscinski 2004, Operations Research 52(5)); here every pair (u, r) is
tried, season by season.

Backorders have no end, so demand is forgiven below the lowest finished stock. The space grows until the optimal cost no
longer moves; the error is the distance of the bounds and the last move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pushpull.agents.push_then_pull import PushThenPullPolicy, push_then_pull
from pushpull.agents.solution import (
    Solution,
    cost_that_no_policy_changes,
    demand_laws,
    in_a_row,
    largest_order,
    only,
    order_actions,
    received,
    waits_at_a_price,
    whole_demand,
)
from pushpull.agents.stock_costs import backorder_costs
from pushpull.agents.value_iteration import Converged, push_pull_sweep, relative_value_iteration
from pushpull.envs.checks import InputError
from pushpull.envs.demand import pmf
from pushpull.envs.network import Network
from pushpull.envs.observations import View

_MOVE = 1e-6  # relative change of the cost at which the state space is large enough
_GROWTHS = 6


def solve_push_pull_line(network: Network) -> Solution:
    """Return the optimum of two stages in a row with capacities or a season."""
    only(network, source=("capacity", "max_order"), demand=("season",))
    supplier, shop = reversed(in_a_row(network))
    if waits_for_demand := network.modes[network.sources_of[shop][0]] == "pull" and network.counts_after_demand:
        if network.modes[network.sources_of[supplier][0]] == "pull":
            where = f"stages.{network.stage_names[supplier]}.sources[0].mode"
            raise InputError(where, "pull after demand, with a capacity or a season; use push, or orders before demand")
        _pulls_by_position(network, shop)
    if network.sequence[0] == "push":
        raise InputError("sequence", "releases before receipts; use sequence: [receive, push, pull, demand, ship]")
    for i in (supplier, shop):
        source = network.sources[network.sources_of[i][0]]
        if source.lead_time != 1:
            raise InputError(
                f"stages.{network.stage_names[i]}.sources[0].lead_time",
                f"{source.lead_time} with a capacity or a season; give 1, or leave out capacities and season",
            )
    waits_at_a_price(network, shop)
    season = demand_laws(network)
    for law in season:
        whole_demand(network, law)
    limits = []
    mean = sum(law.mean for law in season) / len(season)
    for i in (supplier, shop):
        limits.append(largest_order(network, network.sources_of[i][0]))
        if limits[-1] <= mean * (1 + _MOVE):
            raise InputError(
                f"stages.{network.stage_names[i]}.sources[0].capacity",
                f"{limits[-1]:g} does not exceed mean demand {mean:g}, so backorders grow for ever; give more",
            )
    holding = [network.stages[network.stage_names[i]].holding_cost for i in (supplier, shop)]
    demands, backorder_cost = [pmf(law) for law in season], network.markets[shop].backorder_cost
    beside = cost_that_no_policy_changes(network)
    if waits_for_demand:
        late = push_then_pull(demands, limits, holding, backorder_cost)
        return Solution(
            cost=late.cost + beside,
            policy=PushThenPullPolicy(network, late, supplier, shop),
            method="relative value iteration over buffer, finished stock, waiting orders and season",
            error=late.error,
        )
    optimum = push_pull_line(demands, limits, holding, backorder_cost)
    return Solution(
        cost=optimum.cost + beside,
        policy=PushPullLinePolicy(network, optimum, supplier, shop),
        method="relative value iteration over buffer, finished stock and season",
        error=optimum.error,
    )


def _pulls_by_position(network: Network, i: int) -> None:
    """Refuse an order rule whose levels are not those of the position of the stage itself."""
    if network.sources[network.sources_of[i][0]].basis == "physical":
        raise InputError(
            f"stages.{network.stage_names[i]}.sources[0].basis", "'physical' is blind to orders; use installation"
        )


@dataclass(frozen=True)
class PushPullLine:
    """The optimum of a line: `releases` and `pulls` by [place in the season, buffer, finished - lowest]."""

    cost: float
    error: float
    lowest: int
    releases: np.ndarray
    pulls: np.ndarray


def push_pull_line(
    season: Sequence[np.ndarray],
    capacities: Sequence[float],
    holding_costs: Sequence[float],
    backorder_cost: float,
) -> PushPullLine:
    """Solve a line of two stages.

    Parameters
    ----------
    season : sequence of ndarray [D + 1]
        Probabilities of 0, 1, ..., D units of demand, for each period of the cycle.
    capacities : sequence of 2 floats
        Most units that are released, and that are pulled, in a period; at least one, and more than mean demand.
    holding_costs : sequence of 2 floats
        Per unit left in the buffer, and in finished stock.
    backorder_cost : float
        Per unit owed at the end of a period.
    """
    scale = max(4, max(int(np.searchsorted(np.cumsum(demand), 1 - 1e-6)) for demand in season))
    size = np.array([3.0, 4.0, 3.0]) * scale  # of the buffer, of backorders, of finished stock
    before = np.inf
    for _ in range(_GROWTHS):
        best, releases, pulls, lowest = _within(season, capacities, holding_costs, backorder_cost, size.astype(int))
        move = abs(best.cost - before)
        if move <= _MOVE * max(1.0, best.cost):
            return PushPullLine(best.cost, (best.high - best.low) / 2 + move, lowest, releases, pulls)
        before, size = best.cost, size * np.array([1.4, 2.0, 1.4])
    raise InputError("capacity", f"{capacities} leaves so little to spare that backorders do not end; give more")


def _within(
    season: Sequence[np.ndarray],
    capacities: Sequence[float],
    holding_costs: Sequence[float],
    backorder_cost: float,
    size: np.ndarray,
) -> tuple[Converged, np.ndarray, np.ndarray, int]:
    """Solve a line whose buffer, backorders and finished stock do not exceed a size."""
    finished = np.arange(-size[1], size[2] + 1)
    shape = (int(size[0]) + 1, finished.size)
    costs = [backorder_costs(finished, demand, holding_costs[1], backorder_cost) for demand in season]
    push_limit, pull_limit = (int(min(capacity, size.max())) for capacity in capacities)
    releases, pulls = (np.zeros((len(season), *shape), dtype=np.int64) for _ in range(2))

    def sweep(values: np.ndarray) -> np.ndarray:
        now = values.reshape(shape)
        for k in reversed(range(len(season))):
            new = np.empty(shape)
            push_pull_sweep(
                season[k], holding_costs[0], costs[k], push_limit, pull_limit, now, releases[k], pulls[k], new
            )
            now = new
        return now.ravel()

    best = relative_value_iteration(sweep, np.zeros(shape[0] * shape[1]), periods=len(season))
    return best, releases, pulls, int(finished[0])


class PushPullLinePolicy:
    """Release and pull what is best for buffer, finished stock and season."""

    def __init__(self, network: Network, optimum: PushPullLine, supplier: int, shop: int):
        self._network, self._optimum = network, optimum
        self._supplier, self._shop = supplier, shop

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, 2] in units."""
        optimum, actions = self._optimum, np.empty((len(view.period), 2))
        place = view.period % len(optimum.pulls)
        push, pull = self._network.sources_of[self._supplier][0], self._network.sources_of[self._shop][0]
        buffer, finished = received(view, self._supplier, push), received(view, self._shop, pull)
        b = np.clip(buffer, 0, optimum.pulls.shape[1] - 1).astype(np.int64)
        i = np.clip(finished - optimum.lowest, 0, optimum.pulls.shape[2] - 1).astype(np.int64)
        actions[:, push] = order_actions(view, push, optimum.releases[place, b, i])
        actions[:, pull] = order_actions(view, pull, optimum.pulls[place, b, i])
        return actions
