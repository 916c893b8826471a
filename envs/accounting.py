"""What a chain costs and how well it serves, from the flows of its periods.

`costs` charges a period's flows by the terms of `COST_TERMS`; `cost` is their sum and profit is revenue less cost.
`Totals` adds periods up, and `KPIS` holds every key performance indicator once, as a formula over totals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from pushpull.envs.dynamics import Array, Flows
from pushpull.envs.network import Network

COST_TERMS = ("holding", "pipeline", "backorder", "lost_sale", "production", "fixed", "shortfall")


def costs(xp: Any, network: Network, flows: Flows) -> dict[str, Array]:
    """Charge each cost term on the period's flows and end-of-period stocks; each term is [B], in money."""
    stages = network.stages.values()
    dust = 0.0 if network.units == "integer" else 1e-9 if flows.start.dtype == xp.float64 else 1e-4
    started = xp.where(flows.start > dust, xp.ones_like(flows.start), xp.zeros_like(flows.start))
    return {
        "holding": _charge([stage.holding_cost for stage in stages], flows.on_hand),
        "pipeline": _charge([source.pipeline_holding_cost for source in network.sources], flows.in_process),
        "backorder": _charge([s.market.backorder_cost if s.market else 0 for s in stages], flows.owed),
        "lost_sale": _charge([s.market.lost_sale_cost if s.market else 0 for s in stages], flows.lost),
        "production": _charge([source.unit_cost for source in network.sources], flows.start),
        "fixed": _charge([source.fixed_cost for source in network.sources], started),
        "shortfall": _charge([source.shortfall_cost for source in network.sources], flows.shortfall),
    }


def revenue(network: Network, flows: Flows) -> Array:
    """Price times units shipped, [B]."""
    return _charge([s.market.price if s.market else 0 for s in network.stages.values()], flows.shipped)


def _charge(rates: list[float], units: Array) -> Array:
    """Sum over rows of rate x units; rows without a rate cost nothing to compute."""
    total = 0.0 * units[0]
    for row, rate in enumerate(rates):
        if rate:
            total = total + rate * units[row]
    return total


@dataclass(frozen=True)
class Totals:
    """Sums over the counted periods of an episode, those after the warm-up, for each of B environments."""

    periods: np.ndarray  # [B] counted periods
    revenue: np.ndarray  # [B] money
    costs: np.ndarray  # [terms, B] money, in the order of COST_TERMS
    discounted_profit: np.ndarray  # [B] money, every period of the episode, the first at weight 1
    demand: np.ndarray  # [N, B] units
    shipped: np.ndarray  # [N, B] units
    shipped_on_time: np.ndarray  # [N, B] units
    lost: np.ndarray  # [N, B] units
    orders: np.ndarray  # [N, B] period-orders: periods with demand
    orders_in_full: np.ndarray  # [N, B] of those, shipped in full on time
    ready: np.ndarray  # [N, B] periods that end with stock on hand
    on_hand: np.ndarray  # [N, B] units x periods
    owed: np.ndarray  # [N, B] units x periods
    in_process: np.ndarray  # [J, B] units x periods
    start: np.ndarray  # [J, B] units
    order: np.ndarray  # [J, B] units
    order_squared: np.ndarray  # [J, B]
    demand_squared: np.ndarray  # [N, B]


def no_totals(network: Network, batch: int) -> Totals:
    """Return totals of no period at all."""
    rows = {"costs": (len(COST_TERMS),)}
    rows |= {name: () for name in ("periods", "revenue", "discounted_profit")}
    rows |= {name: (len(network.sources),) for name in ("in_process", "start", "order", "order_squared")}
    return Totals(
        **{item.name: np.zeros((*rows.get(item.name, (len(network.stages),)), batch)) for item in fields(Totals)}
    )


def add_period(
    totals: Totals,
    flows: Flows,
    cost: Mapping[str, np.ndarray],
    earned: np.ndarray,
    counted: np.ndarray,
    weight: np.ndarray,
) -> Totals:
    """Add one period: `counted` [B] is 1 past the warm-up, `weight` [B] the discount of its profit."""
    asked = flows.demand > 0
    period = {
        "periods": 1.0,
        "revenue": earned,
        "costs": np.stack([cost[term] for term in COST_TERMS]),
        "orders": asked,
        "orders_in_full": asked & (flows.shipped_on_time >= flows.demand),
        "ready": flows.on_hand > 0,
        "order_squared": flows.order**2,
        "demand_squared": flows.demand**2,
    }
    for name in ("demand", "shipped", "shipped_on_time", "lost", "on_hand", "owed", "in_process", "start", "order"):
        period[name] = getattr(flows, name)
    added = {name: getattr(totals, name) + counted * value for name, value in period.items()}
    profit = earned - sum(cost.values())
    return Totals(discounted_profit=totals.discounted_profit + weight * profit, **added)


def _ratio(part: np.ndarray, whole: np.ndarray, empty: float) -> np.ndarray:
    """Divide; where there is nothing to divide by, say `empty`."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), empty)


def _per_period(totals: Totals, value: np.ndarray) -> np.ndarray:
    return _ratio(value, totals.periods, 0.0)


def _markets(network: Network, rows: np.ndarray) -> np.ndarray:
    return rows[list(network.markets)]


def _order_variance_ratio(network: Network, totals: Totals) -> np.ndarray:
    """Variance of the orders placed with outside suppliers over the variance of customer demand (Lee et al. 1997)."""
    outer = [j for j, inputs in enumerate(network.inputs) if not inputs]
    needs = network.requirements[[network.source_stage[j] for j in outer]]
    orders = _variance(totals.order[outer], totals.order_squared[outer], totals.periods).sum(axis=0)
    demand = (needs**2 @ _variance(totals.demand, totals.demand_squared, totals.periods)).sum(axis=0)
    return _ratio(orders, demand, 0.0)


def _variance(total: np.ndarray, squares: np.ndarray, periods: np.ndarray) -> np.ndarray:
    mean = _ratio(total, periods, 0.0)
    return np.maximum(_ratio(squares, periods, 0.0) - mean**2, 0.0)


KPIS: dict[str, Callable[[Network, Totals], np.ndarray]] = {
    # money per period
    "cost": lambda network, t: _per_period(t, t.costs.sum(axis=0)),
    "revenue": lambda network, t: _per_period(t, t.revenue),
    "profit": lambda network, t: _per_period(t, t.revenue - t.costs.sum(axis=0)),
    # service: shares of units and of period-orders; a chain that was asked for nothing failed nobody
    "fill_rate": lambda network, t: _ratio(t.shipped_on_time.sum(axis=0), t.demand.sum(axis=0), 1.0),
    "otif": lambda network, t: _ratio(t.orders_in_full.sum(axis=0), t.orders.sum(axis=0), 1.0),
    "stockout_frequency": lambda network, t: 1.0 - _ratio(t.orders_in_full.sum(axis=0), t.orders.sum(axis=0), 1.0),
    "ready_rate": lambda network, t: _ratio(
        _markets(network, t.ready).sum(axis=0), len(network.markets) * t.periods, 1.0
    ),
    "lost_share": lambda network, t: _ratio(t.lost.sum(axis=0), t.demand.sum(axis=0), 0.0),
    "backlog": lambda network, t: _per_period(t, t.owed.sum(axis=0)),
    # stock: units per period, and how long it lasts
    "stock": lambda network, t: _per_period(t, t.on_hand.sum(axis=0)),
    "work_in_process": lambda network, t: _per_period(t, t.in_process.sum(axis=0)),
    "days_of_inventory": lambda network, t: _ratio(
        _markets(network, t.on_hand).sum(axis=0), _markets(network, t.shipped).sum(axis=0), 0.0
    ),
    "inventory_turnover": lambda network, t: _ratio(
        _markets(network, t.shipped).sum(axis=0), _markets(network, t.on_hand).sum(axis=0), 0.0
    ),
    "bullwhip_ratio": _order_variance_ratio,
}


def kpis(network: Network, totals: Totals) -> dict[str, np.ndarray]:
    """Return every KPI, then cost per period by term (``cost.holding`` ...), each [B]."""
    by_term = {f"cost.{term}": _per_period(totals, totals.costs[k]) for k, term in enumerate(COST_TERMS)}
    return {name: formula(network, totals) for name, formula in KPIS.items()} | by_term
