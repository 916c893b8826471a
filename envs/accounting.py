"""What a chain costs and how well it serves, from the flows of its periods.

`costs` charges a period's flows by the network's cost terms; `cost` is their sum and profit is revenue less cost.
`Totals` adds periods up, and every key performance indicator stands once as a formula over them: the `RATIOS` of two
sums, and the other `FORMULAS`; `ONLY_WHERE` says which networks have it, and `Kpis` computes them. `STAGE_KPIS` are
those that every stage has for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from pushpull.envs import resilience
from pushpull.envs.dynamics import Array, Flows
from pushpull.envs.network import COST_TERMS, FEATURE_COST_TERMS, Network


def costs(xp: Any, network: Network, flows: Flows) -> dict[str, Array]:
    """Charge each cost term on the period's flows and end-of-period stocks; each term is [B], in money."""
    stages = network.stages.values()
    started = xp.where(flows.start > dust(xp, network, flows), xp.ones_like(flows.start), xp.zeros_like(flows.start))
    charged = {
        "holding": _charge([stage.holding_cost for stage in stages], flows.on_hand),
        "pipeline": _charge([source.pipeline_holding_cost for source in network.sources], flows.in_process),
        "backorder": _charge([s.market.backorder_cost if s.market else 0 for s in stages], flows.owed),
        "lost_sale": _charge([s.market.lost_sale_cost if s.market else 0 for s in stages], flows.lost),
        "production": _charge([source.unit_cost for source in network.sources], flows.start),
        "fixed": _charge([source.fixed_cost for source in network.sources], started),
        "shortfall": _charge([source.shortfall_cost for source in network.sources], flows.shortfall),
    }
    for j, source in enumerate(network.sources):
        for least, change, unchanged in source.price_steps:
            reached = flows.start[j] >= least - dust(xp, network, flows)
            change = xp.where(reached, change * (flows.start[j] - unchanged), 0.0 * flows.start[j])
            charged["production"] = charged["production"] + change
    if network.writes_off:
        charged["obsolescence"] = _charge([stage.obsolescence_cost for stage in stages], flows.written_off)
    if network.limits_storage:
        charged["storage"] = _charge([stage.overflow_cost for stage in stages], flows.overflow)
    if network.resources:
        rates = [resource.changeover_cost for resource in network.resources.values()]
        charged["changeover"] = _charge(rates, flows.changeovers)
    if network.returning:
        charged["returns"] = _charge([returns.cost for returns in network.returning.values()], flows.came_back)
    if network.overtime_sources:
        rates = [source.overtime.cost for source in network.sources if source.overtime is not None]
        charged["overtime"] = _charge(rates, flows.overtime)
    if "loads" in network.cost_terms:
        charged["loads"] = 0.0 * flows.start[0]
        for j, source in enumerate(network.sources):
            if source.load is not None:
                loads = xp.ceil((flows.start[j] - dust(xp, network, flows)) / source.load.size)
                charged["loads"] = charged["loads"] + source.load.cost * loads
    if network.promoting:
        charged["promotion"] = _charge([own.cost for own in network.promoting.values()], flows.promotion)
    return charged


def dust(xp: Any, network: Network, flows: Flows) -> float:
    """Return how many units are none: those that rounding leaves in real units."""
    return 0.0 if network.units == "integer" else 1e-9 if flows.start.dtype == xp.float64 else 1e-4


def revenue(network: Network, flows: Flows, last: Any = False) -> Array:
    """Price times units shipped, and the salvage value of stock on hand where the period is the `last`, [B]."""
    earned = _charge([s.market.price if s.market else 0 for s in network.stages.values()], flows.shipped)
    for i, stage in enumerate(network.stages.values()):
        if stage.salvage_value:
            earned = earned + stage.salvage_value * flows.on_hand[i] * last
    return earned


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
    costs: np.ndarray  # [terms, B] money, in the order of `Network.cost_terms`
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
    cycles: np.ndarray  # [N, B] replenishment cycles of stages that sell, each ended by a receipt
    cycles_in_stock: np.ndarray  # [N, B] of those, without a period whose demand was not met in full
    short: np.ndarray  # [N, B] 1 where the cycle under way has seen such a period: no sum, but what tells cycles apart
    shipped_late: np.ndarray  # [sum of ages, B] units by market and periods late
    overtime: np.ndarray  # [O, B] units, per source with overtime
    lead_time: np.ndarray  # [L, B] units started x their lead time, per source of random lead time
    lead_time_squared: np.ndarray  # [L, B] units started x the square of it
    scrapped: np.ndarray  # [Y, B] units, per source with a yield
    resilience: np.ndarray  # [R, B] what `resilience` counts; no rows without disruptions
    written_off: np.ndarray  # [N, B] units; no rows where no stage writes off
    changeovers: np.ndarray  # [R, B]
    resource_used: np.ndarray  # [R, B] capacity
    returned: np.ndarray  # [2 per market with returns, B] units shipped that come back, late and defective
    promotion: np.ndarray  # [P, B] intensity x periods, per market that promotes
    promoted: np.ndarray  # [P, B] units that campaigns added
    taken_back: np.ndarray  # [P, B] units that were not asked for, since campaigns had borrowed them


PER_SOURCE = ("in_process", "start", "order", "order_squared")
PER_RESOURCE = ("changeovers", "resource_used")
PER_PROMOTION = ("promotion", "promoted", "taken_back")


def no_totals(network: Network, batch: int) -> Totals:
    """Return totals of no period at all."""
    rows = {"costs": (len(network.cost_terms),)}
    rows |= {name: () for name in ("periods", "revenue", "discounted_profit")}
    rows |= {name: (len(network.sources),) for name in PER_SOURCE}
    rows["shipped_late"] = (sum(network.ages),)
    rows |= dict.fromkeys(("lead_time", "lead_time_squared"), (len(network.random_lead_times),))
    rows["overtime"] = (len(network.overtime_sources),)
    rows["scrapped"] = (len(network.yielding_sources),)
    rows["resilience"] = (resilience.rows(network),)
    rows["returned"] = (2 * len(network.returning),)
    rows["written_off"] = (len(network.stages) * network.writes_off,)
    rows |= {name: (len(network.resource_names),) for name in PER_RESOURCE}
    rows |= {name: (len(network.promoting),) for name in PER_PROMOTION}
    return Totals(
        **{item.name: np.zeros((*rows.get(item.name, (len(network.stages),)), batch)) for item in fields(Totals)}
    )


def add_period(
    network: Network,
    totals: Totals,
    flows: Flows,
    available: np.ndarray | None,
    cost: Mapping[str, np.ndarray],
    earned: np.ndarray,
    counted: np.ndarray,
    weight: np.ndarray,
) -> Totals:
    """Add one period: `counted` [B] is 1 past the warm-up, `weight` [B] the discount of its profit."""
    asked, in_full = flows.demand > 0, flows.shipped_on_time >= flows.demand
    closed = np.zeros_like(asked)
    for i in network.markets:
        closed[i] = (flows.receipt[list(network.sources_of[i])] > 0).any(axis=0)
    period = {
        "periods": 1.0,
        "revenue": earned,
        "costs": np.stack(list(cost.values())),
        "orders": asked,
        "orders_in_full": asked & in_full,
        "cycles": closed,
        "cycles_in_stock": closed & (totals.short == 0),
        "ready": flows.on_hand > 0,
        "order_squared": flows.order**2,
        "demand_squared": flows.demand**2,
    }
    same = ("demand", "shipped", "shipped_on_time", "lost", "on_hand", "owed", "in_process", "start", "order")
    travelling = flows.start[list(network.random_lead_times)]
    period["lead_time"] = travelling * flows.lead_time
    period["lead_time_squared"] = travelling * flows.lead_time**2
    for name in (*same, "shipped_late", "scrapped", "overtime"):
        period[name] = getattr(flows, name)
    for name in ("written_off", "returned", *PER_RESOURCE, *PER_PROMOTION):
        period[name] = getattr(flows, name)
    added = {name: getattr(totals, name) + counted * value for name, value in period.items()}
    added["resilience"] = totals.resilience
    if available is not None and resilience.rows(network):
        added["resilience"] = resilience.follow(
            network, totals.resilience, flows, available, counted, dust(np, network, flows)
        )
    added["short"] = (~in_full | (totals.short > 0) & ~closed).astype(float)
    added["discounted_profit"] = totals.discounted_profit + weight * (earned - sum(cost.values()))
    return Totals(**added)


@dataclass(frozen=True)
class Ratio:
    """A KPI that divides one weighted sum of totals by another.

    `part` and `whole` give a weight to fields of `Totals`, or to one cost term (``cost.holding``), summed over their
    rows; `markets` looks at the stages that sell only, `pushes` at the sources that push only. Where the whole is
    nothing the KPI is `empty`.
    """

    part: Mapping[str, float]
    whole: Mapping[str, float]
    empty: float = 0.0
    markets: bool = False
    pushes: bool = False

    def terms(self, network: Network) -> tuple[list[tuple[str, list[int], float]], ...]:
        """Return both sides as (field, its rows, weight)."""
        return tuple(
            [(*self._rows(network, name), weight * self._times(network, name)) for name, weight in side.items()]
            for side in (self.part, self.whole)
        )

    def _rows(self, network: Network, name: str) -> tuple[str, list[int]]:
        if name.startswith("cost."):
            term = name.removeprefix("cost.")
            return "costs", [network.cost_terms.index(term)] if term in network.cost_terms else []
        if name in ("periods", "revenue"):
            return name, [0]
        if name == "costs":
            return name, list(range(len(network.cost_terms)))
        if name in PER_SOURCE:
            return name, [j for j, mode in enumerate(network.modes) if mode == "push" or not self.pushes]
        if name in PER_RESOURCE:
            return name, list(range(len(network.resource_names)))
        return name, list(network.markets) if self.markets else list(range(len(network.stages)))

    def _times(self, network: Network, name: str) -> int:
        """Periods count once for each market that is looked at."""
        return len(network.markets) if self.markets and name == "periods" else 1


def _divide(part: np.ndarray, whole: np.ndarray, empty: float | np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), empty)


def bullwhip_ratio(network: Network, totals: Totals) -> np.ndarray:
    """Variance of the orders placed with outside suppliers over the variance of customer demand (Lee et al. 1997)."""
    outer = [j for j, inputs in enumerate(network.inputs) if not inputs]
    orders = _variance(totals.order[outer], totals.order_squared[outer], totals.periods).sum(axis=0)
    demand = _demand_variance(network, totals)[[network.source_stage[j] for j in outer]].sum(axis=0)
    return _divide(orders, demand, 0.0)


def stage_bullwhip(network: Network, totals: Totals) -> np.ndarray:
    """Variance of the orders of each stage over that of the customer demand for its item, [N, B].

    Chen, Drezner, Ryan & Simchi-Levi (2000), Management Science 46(3). Orders of several sources of a stage, and demand
    of several markets, are added as if independent.
    """
    orders = _variance(totals.order, totals.order_squared, totals.periods)
    by_stage = np.stack([orders[list(own)].sum(axis=0) for own in network.sources_of])
    return _divide(by_stage, _demand_variance(network, totals), 0.0)


def capacity_use(network: Network, totals: Totals) -> np.ndarray:
    """Share of the capacity of resources that was taken, that lost in changeovers included; their mean, [B]."""
    capacity = np.array([resource.capacity for resource in (network.resources or {}).values()])
    return _divide(totals.resource_used / capacity[:, None], totals.periods, 0.0).mean(axis=0)


def demand_cv(network: Network, totals: Totals) -> np.ndarray:
    """Standard deviation of a period's demand over its mean, averaged over markets by their demand, [B].

    Hopp & Spearman (2011), Factory Physics, 3rd ed., section 8.3; the standard deviation divides by the number of
    periods, and known season counts as variation.
    """
    deviation = np.sqrt(_variance(totals.demand, totals.demand_squared, totals.periods)).sum(axis=0)
    return _divide(deviation, _divide(totals.demand, totals.periods, 0.0).sum(axis=0), 0.0)


def _demand_variance(network: Network, totals: Totals) -> np.ndarray:
    """Variance of a period's customer demand for the item of each stage, markets independent, [N, B]."""
    return network.requirements**2 @ _variance(totals.demand, totals.demand_squared, totals.periods)


def _variance(total: np.ndarray, squares: np.ndarray, periods: np.ndarray) -> np.ndarray:
    return np.maximum(_divide(squares, periods, 0.0) - _divide(total, periods, 0.0) ** 2, 0.0)


PER_PERIOD = {"periods": 1.0}
SHORTAGE_TERMS = ("backorder", "lost_sale", "shortfall")  # what the absence of stock costs, and not its ownership
RATIOS: dict[str, Ratio] = {
    # money per period
    "cost": Ratio({"costs": 1}, PER_PERIOD),
    "revenue": Ratio({"revenue": 1}, PER_PERIOD),
    "profit": Ratio({"revenue": 1, "costs": -1}, PER_PERIOD),
    # service: shares of units and of period-orders; a chain that was asked for nothing failed nobody
    "fill_rate": Ratio({"shipped_on_time": 1}, {"demand": 1}, empty=1.0),
    "otif": Ratio({"orders_in_full": 1}, {"orders": 1}, empty=1.0),
    "stockout_frequency": Ratio({"orders": 1, "orders_in_full": -1}, {"orders": 1}),
    "ready_rate": Ratio({"ready": 1}, PER_PERIOD, empty=1.0, markets=True),
    # replenishment cycles that see no stockout (Silver, Pyke & Thomas 2017, the P1 measure); none yet: none short
    "cycle_service_level": Ratio({"cycles_in_stock": 1}, {"cycles": 1}, empty=1.0, markets=True),
    "lost_share": Ratio({"lost": 1}, {"demand": 1}),
    "backlog": Ratio({"owed": 1}, PER_PERIOD),
    # units started for each unit that push sources were asked for
    "push_schedule_adherence": Ratio({"start": 1}, {"order": 1}, empty=1.0, pushes=True),
    # stock: units per period, and how long it lasts
    "stock": Ratio({"on_hand": 1}, PER_PERIOD),
    "work_in_process": Ratio({"in_process": 1}, PER_PERIOD),
    "days_of_inventory": Ratio({"on_hand": 1}, {"shipped": 1}, markets=True),
    "inventory_turnover": Ratio({"shipped": 1}, {"on_hand": 1}, markets=True),
    "write_offs": Ratio({"written_off": 1}, PER_PERIOD),
    "changeovers": Ratio({"changeovers": 1}, PER_PERIOD),
    **{f"cost.{term}": Ratio({f"cost.{term}": 1}, PER_PERIOD) for term in COST_TERMS},
    # all that is spent to get and to keep stock (Ellram 1995), money per period
    "total_cost_of_ownership": Ratio(
        {f"cost.{term}": 1 for term in COST_TERMS if term not in SHORTAGE_TERMS}, PER_PERIOD
    ),
    "cost_per_unit": Ratio({"costs": 1}, {"shipped": 1}, empty=np.nan),  # nothing shipped: no unit to speak of
}


def stage_stock(network: Network, totals: Totals) -> np.ndarray:
    """Mean stock on hand of each stage at the end of a period, [N, B]."""
    return _divide(totals.on_hand, totals.periods, 0.0)


def stage_stock_value(network: Network, totals: Totals) -> np.ndarray:
    """Money tied up in the mean stock on hand of each stage, [N, B]."""
    return network.unit_values[:, None] * stage_stock(network, totals)


# --- what customers feel ----------------------------------------------------------------------------------------------


def _units_by_wait(network: Network, totals: Totals) -> np.ndarray:
    """Units shipped by the periods they were late, over the markets that tell, [1 + longest wait, B]."""
    counts = np.zeros((1 + max(network.ages), *totals.periods.shape))
    late = iter(totals.shipped_late)
    for i, market in network.markets.items():
        if market.tells_waits:
            counts[0] += totals.shipped[i]
            for k in range(1, market.ages + 1):
                units = next(late)
                counts[k] += units
                counts[0] -= units
    return counts


def _tells_waits(network: Network) -> bool:
    return any(market.tells_waits for market in network.markets.values())


def _scores(network: Network) -> bool:
    return any(market.satisfaction is not None for market in network.markets.values())


def _tells_reasons(network: Network) -> bool:
    return any(market.returns is not None and market.returns.reasons for market in network.markets.values())


def return_rate(network: Network, totals: Totals, rows: slice = slice(None)) -> np.ndarray:
    """Share of the units shipped that come back, for all reasons or one, over the markets that have returns, [B]."""
    return _divide(totals.returned[rows].sum(axis=0), totals.shipped[list(network.returning)].sum(axis=0), 0.0)


def order_cycle_time(network: Network, totals: Totals) -> np.ndarray:
    """Mean of the periods that shipped units were late, [B]; 0 is on time, `LONGEST_WAIT` holds all longer waits."""
    counts = _units_by_wait(network, totals)
    return _divide((np.arange(len(counts))[:, None] * counts).sum(axis=0), counts.sum(axis=0), 0.0)


def order_cycle_time_p95(network: Network, totals: Totals) -> np.ndarray:
    """The fewest periods within which 95% of the shipped units were there, [B]."""
    counts = _units_by_wait(network, totals)
    return (counts.cumsum(axis=0) < 0.95 * counts.sum(axis=0)).sum(axis=0).astype(float)


def _share_of_scores(network: Network, totals: Totals, least: int, most: int) -> np.ndarray:
    """Share of the units shipped or lost that score from `least` to `most`, over the markets that score, [B]."""
    counted, found = np.zeros_like(totals.periods), np.zeros_like(totals.periods)
    late = iter(totals.shipped_late)
    for i, market in network.markets.items():
        by_age = [next(late) for _ in range(market.ages)]
        if market.satisfaction is not None:
            on_time = totals.shipped[i] - sum(by_age)
            scores = [*market.satisfaction, *[market.satisfaction[-1]] * len(by_age)]
            for score, units in [*zip(scores, [on_time, *by_age], strict=False), (1, totals.lost[i])]:
                counted += units
                found += units * (least <= score <= most)
    return _divide(found, counted, 0.0)


def csat_proxy(network: Network, totals: Totals) -> np.ndarray:
    """Customer satisfaction: the share of units, shipped or lost, that score 4 or 5, [B]; a lost unit scores 1."""
    return _share_of_scores(network, totals, 4, 5)


def nps_proxy(network: Network, totals: Totals) -> np.ndarray:
    """Net promoter score (Reichheld 2003): the share of units that score 5 less the share that scores 1 to 3, [B]."""
    return _share_of_scores(network, totals, 5, 5) - _share_of_scores(network, totals, 1, 3)


def source_capacity_use(network: Network, totals: Totals) -> np.ndarray:
    """Units started over what regular capacity could, by all sources whose capacity has an end, [B]."""
    limited = _limited_sources(network)
    capacity = sum(network.sources[j].capacity for j in limited) * totals.periods
    return _divide(totals.start[limited].sum(axis=0), capacity, 0.0)


def _limited_sources(network: Network) -> list[int]:
    return [j for j, source in enumerate(network.sources) if source.capacity < float("inf")]


def _lead_time_moments(network: Network, totals: Totals) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the lead time over the units started by sources whose lead time is drawn, [B] each."""
    units = totals.start[list(network.random_lead_times)].sum(axis=0)
    mean, square = (_divide(values.sum(axis=0), units, 0.0) for values in (totals.lead_time, totals.lead_time_squared))
    return mean, np.maximum(square - mean**2, 0.0)


FORMULAS: dict[str, Callable[[Network, Totals], np.ndarray]] = {
    "stock_value": lambda network, totals: stage_stock_value(network, totals).sum(axis=0),
    "demand_cv": demand_cv,
    "bullwhip_ratio": bullwhip_ratio,
    "capacity_use": capacity_use,
    "order_cycle_time": order_cycle_time,
    "order_cycle_time_p95": order_cycle_time_p95,
    "csat_proxy": csat_proxy,
    "nps_proxy": nps_proxy,
    "return_rate": return_rate,
    "return_rate.late": lambda network, totals: return_rate(network, totals, rows=slice(0, None, 2)),
    "return_rate.defect": lambda network, totals: return_rate(network, totals, rows=slice(1, None, 2)),
    # campaigns: their mean intensity, the share of demand that they added, and how much of that they took back
    "promotion_intensity": lambda network, totals: _divide(totals.promotion.mean(axis=0), totals.periods, 0.0),
    "promoted_share": lambda network, totals: _divide(
        totals.promoted.sum(axis=0), totals.demand[list(network.promoting)].sum(axis=0), 0.0
    ),
    "taken_back_share": lambda network, totals: _divide(
        totals.taken_back.sum(axis=0), totals.promoted.sum(axis=0), 0.0
    ),
    # flexible capacity: units on overtime, what each costs, and units started over the regular capacity, where it ends
    "source_capacity_use": source_capacity_use,
    "overtime_share": lambda network, totals: _divide(
        totals.overtime.sum(axis=0), totals.start[list(network.overtime_sources)].sum(axis=0), 0.0
    ),
    "cost_per_flexible_unit": lambda network, totals: _divide(
        totals.costs[network.cost_terms.index("overtime")], totals.overtime.sum(axis=0), np.nan
    ),
    # random supply: the lead time of a unit started by sources whose lead time is drawn, and the share that is lost
    "supplier_lead_time": lambda network, totals: _lead_time_moments(network, totals)[0],
    "supplier_lead_time_sd": lambda network, totals: np.sqrt(_lead_time_moments(network, totals)[1]),
    "scrap_share": lambda network, totals: _divide(
        totals.scrapped.sum(axis=0), totals.start[list(network.yielding_sources)].sum(axis=0), 0.0
    ),
    # disruptions: how many began, share of periods in which a source is down, periods until they are felt and are over
    "disruptions": lambda network, totals: resilience.count(totals.resilience, "disruptions"),
    "down_share": lambda network, totals: _divide(resilience.count(totals.resilience, "down"), totals.periods, 0.0),
    "time_to_survive": lambda network, totals: resilience.per_disruption(totals.resilience, "surviving"),
    "time_to_recover": lambda network, totals: resilience.per_disruption(totals.resilience, "recovering"),
}
STAGE_KPIS: dict[str, Callable[[Network, Totals], np.ndarray]] = {
    "stock": stage_stock,
    "stock_value": stage_stock_value,
    "bullwhip": stage_bullwhip,
}


# KPIs that only some networks have, and which: those of features.
ONLY_WHERE: dict[str, Callable[[Network], bool]] = {
    **{f"cost.{term}": stated for term, stated in FEATURE_COST_TERMS.items()},
    "push_schedule_adherence": lambda network: "push" in network.modes,
    **dict.fromkeys(("order_cycle_time", "order_cycle_time_p95"), _tells_waits),
    **dict.fromkeys(("csat_proxy", "nps_proxy"), _scores),
    "return_rate": lambda network: bool(network.returning),
    **dict.fromkeys(
        ("promotion_intensity", "promoted_share", "taken_back_share"), lambda network: bool(network.promoting)
    ),
    **dict.fromkeys(("return_rate.late", "return_rate.defect"), _tells_reasons),
    **dict.fromkeys(("supplier_lead_time", "supplier_lead_time_sd"), lambda network: bool(network.random_lead_times)),
    "scrap_share": lambda network: bool(network.yielding_sources),
    "source_capacity_use": lambda network: bool(_limited_sources(network)),
    **dict.fromkeys(("overtime_share", "cost_per_flexible_unit"), lambda network: bool(network.overtime_sources)),
    **dict.fromkeys(
        ("disruptions", "down_share", "time_to_survive", "time_to_recover"),
        lambda network: bool(network.disrupted_sources),
    ),
    "write_offs": lambda network: network.writes_off,
    **dict.fromkeys(("changeovers", "capacity_use"), lambda network: bool(network.resources)),
}


class Kpis:
    """Every KPI of a network from the totals of its episodes.

    What the ratios add up is looked up once for the network, and added up for all of them together: a short episode
    would else be quicker to play than to measure.
    """

    def __init__(self, network: Network):
        def has(name: str) -> bool:
            return name not in ONLY_WHERE or ONLY_WHERE[name](network)

        self._network = network
        self._formulas = {name: formula for name, formula in FORMULAS.items() if has(name)}
        ratios = {name: ratio for name, ratio in RATIOS.items() if has(name)}
        self.names = (*ratios, *self._formulas)
        rows: list[int] = []
        weights: list[float] = []
        starts: list[int] = []
        first = first_totals(network)
        for ratio in ratios.values():
            for side in ratio.terms(network):
                starts.append(len(rows))
                rows.append(0)  # at weight 0, so that a side without terms is nothing
                weights.append(0.0)
                for field, own, weight in side:
                    rows += [first[field] + row for row in own]
                    weights += [weight] * len(own)
        self._rows, self._weights, self._starts = np.array(rows), np.array(weights)[:, None], np.array(starts)
        self._empty = np.array([ratio.empty for ratio in ratios.values()])[:, None]

    def __call__(self, totals: Totals) -> dict[str, np.ndarray]:
        """Return every KPI, [B] each."""
        flat = np.concatenate([np.atleast_2d(sums) for sums in vars(totals).values()])
        sums = np.add.reduceat(flat[self._rows] * self._weights, self._starts, axis=0)
        ratios = _divide(sums[0::2], sums[1::2], self._empty)
        formulas = [formula(self._network, totals) for formula in self._formulas.values()]
        return dict(zip(self.names, (*ratios, *formulas), strict=True))


def first_totals(network: Network) -> dict[str, int]:
    """First row of each field of the totals when they are laid one below the other."""
    counts = [len(np.atleast_2d(sums)) for sums in vars(no_totals(network, 1)).values()]
    return dict(zip((item.name for item in fields(Totals)), np.cumsum([0, *counts]).tolist(), strict=False))


def stage_kpis(network: Network, totals: Totals) -> dict[str, np.ndarray]:
    """Return the KPIs that a stage has for itself, such as ``stock.board``, [B] each."""
    return {
        f"{name}.{stage}": values
        for name, formula in STAGE_KPIS.items()
        for stage, values in zip(network.stage_names, formula(network, totals), strict=True)
    }


# --- forecasts --------------------------------------------------------------------------------------------------------


def wape(demand: np.ndarray, forecast: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Weighted absolute percentage error: the sum of |A - F| over the sum of demand A."""
    return _divide((np.abs(demand - forecast) * counted).sum(axis=(0, 1)), (demand * counted).sum(axis=(0, 1)), 0.0)


def mase(demand: np.ndarray, forecast: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Mean absolute scaled error: the mean of |A - F| over that of the naive forecast, demand of the period before.

    Hyndman & Koehler (2006), International Journal of Forecasting 22(4); averaged over markets whose demand changes.
    """
    periods = np.broadcast_to(counted, demand.shape).sum(axis=0)
    errors = (np.abs(demand - forecast) * counted).sum(axis=0)
    after = np.broadcast_to(counted[1:], demand[1:].shape)
    naive = (np.abs(np.diff(demand, axis=0)) * after).sum(axis=0)
    scaled = _divide(_divide(errors, periods, 0.0), _divide(naive, after.sum(axis=0), 0.0), 0.0)
    return _divide(scaled.sum(axis=0), (naive > 0).sum(axis=0), 0.0)


def forecast_bias(demand: np.ndarray, forecast: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The sum of F - A over the sum of demand A: above 0 where forecasts are too high."""
    return _divide(((forecast - demand) * counted).sum(axis=(0, 1)), (demand * counted).sum(axis=(0, 1)), 0.0)


FORECAST_KPIS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "wape": wape,
    "mase": mase,
    "forecast_bias": forecast_bias,
}

KPIS = (*RATIOS, *FORMULAS, *FORECAST_KPIS)  # every name that a network may have


def forecast_kpis(demand: np.ndarray, forecast: np.ndarray, counted: np.ndarray) -> dict[str, np.ndarray]:
    """Return how well each period's demand was foreseen at its start, [B] each; 0 where nothing was asked for.

    Actions have no part in it, so it is computed from the traces when it is asked for and not told in every period.

    Parameters
    ----------
    demand, forecast : ndarray, [T, M, B]
        Demand A of the traces, and its forecast F of the same period.
    counted : ndarray of bool, [T, B]
        Which periods count.
    """
    return {name: formula(demand, forecast, counted[:, None]) for name, formula in FORECAST_KPIS.items()}


def money_names(network: Network) -> tuple[str, ...]:
    """Name the money of a period: its cost by term, then its revenue."""
    return (*(f"period.cost.{term}" for term in network.cost_terms), "period.revenue")
