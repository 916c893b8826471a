"""One stage with backorders and a fixed cost per order, or lots, solved exactly.

With G(y) the cost of the period in which an order placed at position y can be used,

    (s, S)   c = (K + sum_{0 <= j < S - s} m(j) G(S - j)) / sum_{0 <= j < S - s} m(j),  m the renewal measure of demand
    (r, nQ)  c = (K E min(D, Q) + sum_{r < y <= r + Q} G(y)) / Q

(Zheng & Federgruen 1991, Operations Research 39(4); Veinott 1965, Management Science 11(8)). An (s, S) policy is
optimal among all (Scarf 1960), an (r, nQ) policy among those that order whole lots without a fixed cost.
`best_reorder_levels` and `best_lot` find the best parameters by the algorithms of Zheng & Federgruen (1991) and of
Federgruen & Zheng (1992, Operations Research 40(4)), which need G to have one valley.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from pushpull.agents.exposure import periods_covered
from pushpull.agents.solution import (
    Solution,
    cost_that_no_policy_changes,
    decides_before_demand,
    demand_law,
    only,
    order_actions,
    waits_at_a_price,
    whole_demand,
)
from pushpull.agents.stock_costs import backorder_costs, demand_over
from pushpull.envs.checks import InputError
from pushpull.envs.demand import pmf
from pushpull.envs.network import Network
from pushpull.envs.observations import View
from pushpull.envs.rules import Rules


def solve_single_stage(network: Network) -> Solution:
    """Return the optimum of one stage with a fixed cost or a lot rule."""
    only(network, source=("fixed_cost", "lot"))
    waits_at_a_price(network, 0)
    (source,), (stage,), (market,) = network.sources, network.stages.values(), network.markets.values()
    where, law = f"stages.{network.stage_names[0]}.sources[0]", demand_law(network)
    whole_demand(network, law)
    demand, mode, lot = pmf(law), network.modes[0], source.lot
    cost = period_cost(
        demand_over(demand, periods_covered(network, (mode,), 0, "demand", "ship")[0]),
        stage.holding_cost,
        market.backorder_cost,
    )
    beside = cost_that_no_policy_changes(network)
    pulls, entry = mode == "pull", network.source_names[0]
    if pulls and lot.rule == "smoothed":
        raise InputError(f"{where}.lot.rule", "'smoothed' is not solved; use base_stock, s_S or r_nQ")
    if pulls and lot.rule == "r_nQ":
        if lot.at_most_one:
            raise InputError(f"{where}.lot.at_most_one", "true may leave orders behind; leave it out")
        Q = int(lot.Q)
        r, best = best_reorder(cost, Q)
        crossings = float(demand @ np.minimum(np.arange(demand.size), Q)) / Q
        return Solution(
            cost=best + source.fixed_cost * crossings + beside,
            policy=Rules(network, {f"{entry}.pull_threshold": r}),
            method="(r, nQ): best r of the lot that is stated (Veinott 1965)",
            levels={"r": float(r), "Q": float(Q)},
        )
    if pulls and lot.rule == "s_S" and lot.gap is not None:
        gap = int(network.rounded(lot.gap))
        s, best = _best_s(demand, cost, source.fixed_cost, gap)
        method = "(s, S): best s of the gap that is stated (renewal theory; Zheng & Federgruen 1991)"
        policy = Rules(network, {f"{entry}.pull_threshold": s})
        return Solution(best + beside, policy, method, levels={"s": float(s), "S": float(s + gap)})
    s, S, best = best_reorder_levels(demand, cost, source.fixed_cost)
    if not pulls:
        policy = Rules(network, {}, {f"{entry}.push_quantity": (s, S)})
    elif lot.rule == "s_S":
        policy = Rules(network, {f"{entry}.pull_threshold": s, f"{entry}.gap": S - s})
    elif decides_before_demand(network, 0):
        policy = HeldBack(network, s, S)
    else:
        raise InputError(
            f"{where}.lot",
            "rule base_stock, with a fixed cost and demand that is seen before orders, orders every period; use "
            "lot: {rule: s_S}",
        )
    method = "(s, S), exact (Zheng & Federgruen 1991)"
    return Solution(best + beside, policy, method, levels={"s": float(s), "S": float(S)})


class HeldBack:
    """Order up to S if the position is at or below s, where the threshold of the source is set anew every period."""

    def __init__(self, network: Network, s: int, S: int):
        self._network, self._s, self._S = network, s, S

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, 1] in units."""
        position = view.inventory_position[0]
        return order_actions(view, 0, np.where(position <= self._s, self._S - position, 0.0))[:, None]


def period_cost(demand: np.ndarray, holding_cost: float, backorder_cost: float) -> Callable[[int], float]:
    """Return G: the mean cost of the period in which demand of [D + 1] has come since the position was y."""
    highest = demand.size
    table = backorder_costs(np.arange(highest + 1), demand, holding_cost, backorder_cost)

    def cost(y: int) -> float:
        if 0 <= y <= highest:
            return float(table[y])
        return float(table[0] - backorder_cost * y if y < 0 else table[highest] + holding_cost * (y - highest))

    return cost


def renewal_measure(demand: np.ndarray) -> Callable[[int], float]:
    """Return m: m(j) is how many periods, on average, begin with j units of demand since the last order.

    Raises
    ------
    InputError
        If demand is always 0.
    """
    none = float(demand[0])
    if none >= 1:
        raise InputError("demand", "always 0, so nothing is ever ordered; give demand")
    known = [1 / (1 - none)]

    def measure(j: int) -> float:
        while len(known) <= j:
            n = len(known)
            reach = min(n, demand.size - 1)
            known.append(float(demand[1 : reach + 1] @ np.array(known[n - reach : n])[::-1]) / (1 - none))
        return known[j]

    return measure


def best_reorder_levels(demand: np.ndarray, cost: Callable[[int], float], fixed_cost: float) -> tuple[int, int, float]:
    """Return the best s and S, and their average cost per period (Zheng & Federgruen 1991).

    Parameters
    ----------
    demand : ndarray [D + 1]
        Probabilities of 0, 1, ..., D units in a period.
    cost : callable
        G, with one valley.
    fixed_cost : float
        K, per order.
    """
    average = reorder_cost(demand, cost, fixed_cost)
    y = lowest_point(cost)
    S, s = y, y - 1
    while average(s, y) > cost(s):
        s -= 1
    least, trial = average(s, S), S + 1
    while cost(trial) <= least:
        if average(s, trial) < least:
            S = trial
            while average(s, S) <= cost(s + 1) and s + 1 < S:
                s += 1
            least = average(s, S)
        trial += 1
    return s, S, least


def reorder_cost(demand: np.ndarray, cost: Callable[[int], float], fixed_cost: float) -> Callable[[int, int], float]:
    """Return the average cost per period as a function of s and S."""
    measure = renewal_measure(demand)

    @cache
    def average(s: int, S: int) -> float:
        weights = np.array([measure(j) for j in range(S - s)])
        return float((fixed_cost + weights @ np.array([cost(S - j) for j in range(S - s)])) / weights.sum())

    return average


def _best_s(demand: np.ndarray, cost: Callable[[int], float], fixed_cost: float, gap: int) -> tuple[int, float]:
    """Return the best s for S = s + gap: a weighted sum of G at different points has one valley, as G is convex."""
    average = reorder_cost(demand, cost, fixed_cost)
    width = max(1, gap)  # with gap 0 an order of at least a unit lifts to s itself
    if gap == 0:
        y = lowest_point(cost)
        return y, average(y - 1, y)
    s = lowest_point(lambda y: average(y, y + width), lowest_point(cost))
    return s, average(s, s + width)


def best_reorder(cost: Callable[[int], float], Q: int) -> tuple[int, float]:
    """Return the best r for lots of Q, and the mean of G over positions r + 1, ..., r + Q."""

    def average(r: int) -> float:
        return sum(cost(y) for y in range(r + 1, r + Q + 1)) / Q

    r = lowest_point(average, lowest_point(cost) - 1)
    return r, average(r)


def best_lot(cost: Callable[[int], float], order_cost: float) -> tuple[int, int, float]:
    """Return the best r and Q, and their average cost, where units are demanded one by one.

    c(r, Q) = (order_cost + sum_{r < y <= r + Q} G(y)) / Q (Federgruen & Zheng 1992): Q takes in the positions in the
    order of their cost, until the next one costs more than the average.

    Parameters
    ----------
    cost : callable
        G, with one valley.
    order_cost : float
        Fixed cost of an order times the demand rate.
    """
    y = lowest_point(cost)
    r, Q, total = y - 1, 1, order_cost + cost(y)
    while True:
        below, above = cost(r), cost(r + Q + 1)
        if min(below, above) >= total / Q:
            return r, Q, total / Q
        total, Q = total + min(below, above), Q + 1
        if below <= above:
            r -= 1


def lowest_point(cost: Callable[[int], float], start: int = 0) -> int:
    """Return the lowest whole y with least cost, of a function with one valley."""
    y = start
    while cost(y + 1) < cost(y):
        y += 1
    while cost(y - 1) <= cost(y):
        y -= 1
    return y
