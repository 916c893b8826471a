"""Dual sourcing with backorders, solved exactly: a cheap slow source and a dear fast one.

Both orders are placed before demand. With lead times l < L the state is x, stock on hand and due within l periods less
what is owed, and the slow orders v1, ..., v_{L-l-1} due after that (Whittemore & Saunders 1977; Sheopuri, Janakiraman &
Seshadri 2010, Operations Research 58(3)). The fast source lifts x to y, then the slow one orders q; demand d leaves
x' = y - d + v1. Costs of y are those of period t + l, after the demand of l + 1 periods.

The value function is L-natural convex (Hua, Yu, Zhang & Xu 2015, Operations Research 63(4)), so best orders are found
by walking downhill. The state space is cut at a lowest x and a largest total. It grows until no state that the best
orders lead to has an order that is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pushpull.agents.solution import (
    Solution,
    demand_law,
    largest_order,
    must_decide_before_demand,
    only,
    waits_at_a_price,
    whole_demand,
)
from pushpull.agents.stock_costs import backorder_costs, demand_over, newsvendor_level
from pushpull.agents.value_iteration import (
    PipelineStates,
    dual_sourcing_edges,
    dual_sourcing_sweep,
    relative_value_iteration,
)
from pushpull.envs.checks import InputError
from pushpull.envs.demand import pmf
from pushpull.envs.network import Network
from pushpull.envs.observations import View


def solve_dual_sourcing(network: Network) -> Solution:
    """Return the optimum of one stage with two sources of different lead times."""
    only(network, source=("capacity", "max_order"))
    must_decide_before_demand(network)
    (stage,), (market,), name = network.stages.values(), network.markets.values(), network.stage_names[0]
    waits_at_a_price(network, 0)
    law = demand_law(network)
    whole_demand(network, law)
    fast, slow = sorted(range(2), key=lambda j: network.sources[j].lead_time)
    quick, late = network.sources[fast], network.sources[slow]
    prices = [s.unit_cost + s.pipeline_holding_cost * s.lead_time for s in (quick, late)]
    waiting = market.backorder_cost * (late.lead_time - quick.lead_time)
    if not 0 < prices[0] - prices[1] < waiting:
        raise InputError(
            f"stages.{name}.sources",
            f"lead times {quick.lead_time} and {late.lead_time} at costs {prices[0]:g} and {prices[1]:g}: one source "
            f"is never worth its price; leave it out, or make the faster one dearer, by less than the {waiting:g} that "
            "it costs to wait for the other",
        )
    if largest_order(network, fast) < np.inf:
        raise InputError(f"stages.{name}.sources[{fast}].capacity", "of the faster source; leave it out")
    optimum = dual_sourcing(
        pmf(law),
        (quick.lead_time, late.lead_time),
        stage.holding_cost,
        market.backorder_cost,
        (prices[0], prices[1]),
        largest_order(network, slow),
    )
    return Solution(
        cost=optimum.cost,
        policy=DualSourcingPolicy(network, optimum, fast, slow),
        method="relative value iteration over stock and slow orders (Whittemore & Saunders 1977)",
        error=optimum.error,
    )


@dataclass(frozen=True)
class DualSourcing:
    """The optimum of a dual-sourcing system: `levels` to lift x to and `orders` by level, numbered by `states`."""

    cost: float
    error: float
    lowest: int
    states: PipelineStates
    levels: np.ndarray
    orders: np.ndarray


def dual_sourcing(
    demand: np.ndarray,
    lead_times: tuple[int, int],
    holding_cost: float,
    backorder_cost: float,
    unit_costs: tuple[float, float],
    largest_slow_order: float = np.inf,
) -> DualSourcing:
    """Solve a dual-sourcing system.

    Parameters
    ----------
    demand : ndarray [D + 1]
        Probabilities of 0, 1, ..., D units in a period.
    lead_times : (int, int)
        Of the fast and of the slow source; what is ordered in period t can be sold in t + lead time.
    holding_cost, backorder_cost : float
        Per unit left and per unit owed at the end of a period.
    unit_costs : (float, float)
        Per unit ordered from the fast and from the slow source. They differ by less than b (L - l), what it costs to
        wait for the slow one, or no stock would be low enough for the fast one.
    largest_slow_order : float
        Most units of a slow order.
    """
    quick, late = lead_times
    fast_cost, slow_cost = unit_costs
    due, most_demand = late - quick - 1, demand.size - 1
    ahead = demand_over(demand, quick + 1)
    lowest = -most_demand
    bound = newsvendor_level(demand_over(demand, late + 1), holding_cost, backorder_cost) + 2 * most_demand
    while True:
        states = PipelineStates.within_memory(due, bound - lowest)
        cost = backorder_costs(np.arange(lowest, bound + 1), ahead, holding_cost, backorder_cost)
        levels, orders = np.zeros(states.size, dtype=np.int64), np.zeros(states.size, dtype=np.int64)
        most = int(min(largest_slow_order, bound - lowest))
        arguments = (states.due, states.base, states.block, states.room, states.first, demand, cost, fast_cost)

        def sweep(values: np.ndarray) -> np.ndarray:
            new = np.empty_like(values)
            dual_sourcing_sweep(*arguments, slow_cost, most, values, levels, orders, new)  # noqa: B023
            return new

        stock = np.concatenate([np.arange(room + 1) for room in states.room])
        best = relative_value_iteration(sweep, -float(fast_cost) * stock)
        start = states.first[0] - lowest  # no stock, and nothing on the way
        too_low, cut = dual_sourcing_edges(*arguments[:6], most, levels, orders, start)
        if not (too_low or cut):
            return DualSourcing(best.cost, (best.high - best.low) / 2, lowest, states, levels, orders)
        lowest -= max(most_demand, -lowest // 2) * too_low
        bound += max(most_demand, bound // 4) * cut


class DualSourcingPolicy:
    """Lift stock with the fast source and order from the slow one as is best for the slow orders under way.

    Stock below the lowest of the state space is lifted from there, and stock above the largest is left alone.
    """

    def __init__(self, network: Network, optimum: DualSourcing, fast: int, slow: int):
        self._network, self._optimum, self._fast, self._slow = network, optimum, fast, slow
        self._soon = network.sources[fast].lead_time + 1  # rows of a pipeline that the fast source cannot beat

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, 2] in units."""
        optimum, slow = self._optimum, np.asarray(view.pipeline[self._slow]).astype(np.int64)
        soon = sum(np.asarray(view.pipeline[j])[: self._soon].sum(axis=0) for j in range(2))
        position = (view.on_hand[0] - view.backorders[0] + soon).astype(np.int64) - optimum.lowest
        due = list(slow[self._soon : -1])
        number, inside = optimum.states.number(np.maximum(position, 0), due)
        lifted = np.where(inside, optimum.levels[number], position)
        ordered, known = optimum.states.number(np.maximum(lifted, 0), due)
        quantity = np.zeros((2, len(position)))
        quantity[self._fast] = np.maximum(lifted - position, 0)
        quantity[self._slow] = np.where(known, optimum.orders[ordered], 0)
        return self._actions(view, quantity)

    def _actions(self, view: View, quantity: np.ndarray) -> np.ndarray:
        """Return quantities as they are, or thresholds; a source that triggers second sees what the first ordered."""
        before = np.zeros_like(quantity[0])
        actions = np.empty((quantity.shape[1], 2))
        for j in sorted(range(2), key=lambda j: (self._network.modes[j] == "pull", j)):
            if self._network.modes[j] == "pull":
                actions[:, j] = view.inventory_position[0] + before + quantity[j]
            else:
                actions[:, j] = quantity[j]
            before = before + quantity[j]
        return actions
