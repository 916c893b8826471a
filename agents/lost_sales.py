"""Lost sales with a lead time, solved exactly (Zipkin 2008, Operations Research 56(5)).

An order q is placed before demand and arrives L periods later. The state is the pipeline: x on hand after this period's
arrival, and v1, ..., v_{L-1} due in the next periods. Demand d leaves max(0, x - d) and loses max(0, d - x).

The value function is L-natural convex (Zipkin 2008, Operations Research 56(4)), so the best order is found by walking
downhill, and falls by no more than a unit for each unit more in the state. Hence, if no order is ever cut by the most
units that a state may hold, none would be in a larger space either: the space is bounded without loss, and if an order
is cut the space grows. It begins with the newsvendor level for L + 1 periods, above which no best order lifts stock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pushpull.agents.solution import (
    Solution,
    demand_law,
    largest_order,
    must_decide_before_demand,
    only,
    order_actions,
    whole_demand,
)
from pushpull.agents.stock_costs import demand_over, left_over, newsvendor_level
from pushpull.agents.value_iteration import (
    Converged,
    PipelineStates,
    lost_sales_evaluation,
    lost_sales_sweep,
    relative_value_iteration,
)
from pushpull.envs.checks import InputError
from pushpull.envs.demand import pmf
from pushpull.envs.network import Network
from pushpull.envs.observations import View
from pushpull.envs.rules import Rules


def solve_lost_sales(network: Network) -> Solution:
    """Return the optimum of one stage whose market does not wait."""
    system = lost_sales_system(network)
    if system.lead_time == 0:
        return _without_lead_time(network, system)
    optimum = lost_sales(
        system.demand,
        system.lead_time,
        system.holding_cost,
        system.lost_sale_cost,
        system.unit_cost,
        system.largest_order,
    )
    return Solution(
        cost=optimum.cost,
        policy=LostSalesPolicy(network, optimum.states, optimum.orders),
        method="relative value iteration over the pipeline (Zipkin 2008)",
        error=optimum.error,
        fill_rate=optimum.fill_rate,
    )


class LostSalesSystem(NamedTuple):
    """What `lost_sales` takes, of a network."""

    demand: np.ndarray
    lead_time: int
    holding_cost: float
    lost_sale_cost: float
    unit_cost: float
    largest_order: float


def lost_sales_system(network: Network) -> LostSalesSystem:
    """Return the lost-sales system that a network is, or refuse it.

    Raises
    ------
    InputError
        For whatever such a system does not know, by the key that states it.
    """
    only(network, source=("capacity", "max_order"))
    (source,), (market,), (stage,) = network.sources, network.markets.values(), network.stages.values()
    name = network.stage_names[0]
    must_decide_before_demand(network)
    law = demand_law(network)
    whole_demand(network, law)
    if market.price:
        raise InputError(
            f"stages.{name}.market.price",
            f"{market.price} of sales that may be lost; add it to lost_sale_cost, since cost is what is minimised",
        )
    if stage.holding_cost <= 0:
        raise InputError(f"stages.{name}.holding_cost", "0, so no stock is too large; give a cost above 0")
    unit_cost = source.unit_cost + source.pipeline_holding_cost * source.lead_time
    most = largest_order(network, 0)
    return LostSalesSystem(pmf(law), source.lead_time, stage.holding_cost, market.lost_sale_cost, unit_cost, most)


@dataclass(frozen=True)
class LostSales:
    """The optimum of a lost-sales system; `orders` by the number of the state among `states`."""

    cost: float
    error: float
    fill_rate: float
    states: PipelineStates
    orders: np.ndarray


def lost_sales(
    demand: np.ndarray,
    lead_time: int,
    holding_cost: float,
    lost_sale_cost: float,
    unit_cost: float = 0.0,
    largest_order: float = np.inf,
) -> LostSales:
    """Solve a lost-sales system.

    Parameters
    ----------
    demand : ndarray [D + 1]
        Probabilities of 0, 1, ..., D units in a period.
    lead_time : int
        L, at least 1: an order of period t can be sold in period t + L.
    holding_cost, lost_sale_cost : float
        Per unit left at the end of a period, and per unit lost.
    unit_cost : float
        Per unit ordered.
    largest_order : float
        Most units of an order.

    Raises
    ------
    InputError
        If there are more states than fit.
    """
    bound = newsvendor_level(demand_over(demand, lead_time + 1), holding_cost, max(0.0, lost_sale_cost - unit_cost)) + 1
    while True:
        states = PipelineStates.within_memory(lead_time - 1, bound)
        system = _System(demand, states)
        cost = holding_cost * system.left + lost_sale_cost * system.lost
        orders, cut = np.zeros(states.size, dtype=np.int64), False
        most = int(min(largest_order, 2 * bound))  # an order that the space cuts stays below it

        def sweep(values: np.ndarray) -> np.ndarray:
            nonlocal cut
            new = np.empty_like(values)
            cut |= lost_sales_sweep(*system.arguments, cost, unit_cost, most, values, orders, new)  # noqa: B023
            return new

        best = relative_value_iteration(sweep, np.zeros(states.size))
        if not cut:
            break
        bound += 1 + bound // 8
    lost = system.average(orders, system.lost)
    mean = float(demand @ np.arange(demand.size))
    return LostSales(best.cost, (best.high - best.low) / 2, 1 - lost.cost / mean, states, orders)


def myopic_orders(
    demand: np.ndarray,
    lead_time: int,
    holding_cost: float,
    lost_sale_cost: float,
    unit_cost: float = 0.0,
    largest_order: float = np.inf,
    periods: int = 1,
) -> tuple[PipelineStates, np.ndarray]:
    """Return the states and, by their number, the best orders if the world ends L + `periods` periods from now.

    Parameters are those of `lost_sales`. What is left at the end is worth its unit cost, so that a unit lost is one
    that need not be bought.
    """
    saved = max(0.0, lost_sale_cost - unit_cost)
    bound = newsvendor_level(demand_over(demand, lead_time + 1), holding_cost, saved) + 1
    while True:
        states = PipelineStates.within_memory(lead_time - 1, bound)
        system = _System(demand, states)
        cost, most = holding_cost * system.left + saved * system.lost, int(min(largest_order, bound))
        orders, values, cut = np.zeros(states.size, dtype=np.int64), np.zeros(states.size), False
        for _ in range(lead_time + periods):
            new = np.empty_like(values)
            cut = lost_sales_sweep(*system.arguments, cost, 0.0, most, values, orders, new)
            values = new
        if not (cut and most < largest_order):
            return states, orders
        bound += 1 + bound // 8


class _System:
    """A period of a lost-sales system by the stock that it begins with."""

    def __init__(self, demand: np.ndarray, states: PipelineStates):
        x = np.arange(states.most_units + 1)
        at_least = np.append(1.0, 1 - np.cumsum(demand))
        above = np.where(x < at_least.size, at_least[np.minimum(x, at_least.size - 1)], 0.0)
        self.left = left_over(x, demand)
        self.lost = float(demand @ np.arange(demand.size)) - x + self.left
        self.arguments = (states.due, states.base, states.block, states.room, states.first, demand, above)

    def average(self, orders: np.ndarray, cost: np.ndarray) -> Converged:
        """Return the average of a cost by stock under given orders."""

        def sweep(values: np.ndarray) -> np.ndarray:
            new = np.empty_like(values)
            lost_sales_evaluation(*self.arguments, cost, orders, values, new)
            return new

        return relative_value_iteration(sweep, np.zeros(orders.size))


def average_cost(
    demand: np.ndarray, states: PipelineStates, orders: np.ndarray, holding_cost: float, lost_sale_cost: float
) -> float:
    """Return the average cost of any orders by state, which must not lead out of the states."""
    system = _System(demand, states)
    return system.average(orders, holding_cost * system.left + lost_sale_cost * system.lost).cost


class LostSalesPolicy:
    """Order what is best for the pipeline; nothing where it holds more than any best order leads to."""

    def __init__(self, network: Network, states: PipelineStates, orders: np.ndarray):
        self._network, self._states, self._orders = network, states, orders

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, 1] in units."""
        pipeline = np.asarray(view.pipeline[0]).astype(np.int64)
        stock = view.on_hand[0].astype(np.int64) + pipeline[0]
        number, inside = self._states.number(stock, list(pipeline[1:-1]))
        quantity = np.where(inside, self._orders[number], 0)
        return order_actions(view, 0, quantity)[:, None].astype(float)


def _without_lead_time(network: Network, system: LostSalesSystem) -> Solution:
    """Solve a lead time of 0: a newsvendor for whom a lost unit is one that need not be bought."""
    demand, _, holding_cost, lost_sale_cost, unit_cost, most = system
    name = network.source_names[0]
    if most < demand.size - 1:
        raise InputError(
            f"stages.{network.stage_names[0]}.sources[0].capacity",
            f"{most:g} cuts orders of lead time 0 below the greatest demand; give more, or a lead time of 1",
        )
    saved = lost_sale_cost - unit_cost
    level = newsvendor_level(demand, holding_cost, max(0.0, saved))
    units = np.arange(demand.size)
    left = float(np.maximum(level - units, 0) @ demand)
    mean = float(demand @ units)
    lost = mean - level + left
    entry = f"{name}.{'pull_threshold' if network.modes[0] == 'pull' else 'push_quantity'}"
    rules = ({entry: level}, None) if network.modes[0] == "pull" else ({}, {entry: level})
    return Solution(
        cost=unit_cost * (mean - lost) + holding_cost * left + lost_sale_cost * lost,
        policy=Rules(network, *rules),
        method="newsvendor (Arrow, Harris & Marschak 1951)",
        fill_rate=1 - lost / mean,
        levels={"S": float(level)},
    )
