"""What a period costs and earns, by name, from its flows.

`costs` returns one row per term of `COST_TERMS`; `cost` is their sum, and profit is revenue less cost.
"""

from __future__ import annotations

from typing import Any

from pushpull.envs.dynamics import Array, Flows
from pushpull.envs.network import Network

COST_TERMS = ("holding", "pipeline", "backorder", "lost_sale", "production", "fixed", "shortfall")


def costs(xp: Any, network: Network, flows: Flows) -> dict[str, Array]:
    """Charge each cost term on the period's flows and end-of-period stocks; each term is [B], in money."""
    stages = network.stages.values()
    dust = 0.0 if network.units == "integer" else 1e-9 if flows.start.dtype == xp.float64 else 1e-4
    started = xp.where(flows.start > dust, xp.ones_like(flows.start), xp.zeros_like(flows.start))
    return {
        "holding": _charge(xp, [stage.holding_cost for stage in stages], flows.on_hand),
        "pipeline": _charge(xp, [source.pipeline_holding_cost for source in network.sources], flows.in_process),
        "backorder": _charge(xp, [s.market.backorder_cost if s.market else 0 for s in stages], flows.owed),
        "lost_sale": _charge(xp, [s.market.lost_sale_cost if s.market else 0 for s in stages], flows.lost),
        "production": _charge(xp, [source.unit_cost for source in network.sources], flows.start),
        "fixed": _charge(xp, [source.fixed_cost for source in network.sources], started),
        "shortfall": _charge(xp, [source.shortfall_cost for source in network.sources], flows.shortfall),
    }


def revenue(xp: Any, network: Network, flows: Flows) -> Array:
    """Price times units shipped, [B]."""
    return _charge(xp, [s.market.price if s.market else 0 for s in network.stages.values()], flows.shipped)


def _charge(xp: Any, rates: list[float], units: Array) -> Array:
    """Sum over rows of rate x units; rows without a rate cost nothing to compute."""
    total = 0.0 * units[0]
    for row, rate in enumerate(rates):
        if rate:
            total = total + rate * units[row]
    return total
