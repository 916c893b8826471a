"""Random networks, random plans for them, and a player that runs the one on the other.

`networks` draws the mapping of a network: any acyclic chain of up to six stages with any combination of settings that
the door accepts. `plans` draws what the agent and the outside world do to it for some periods, tame or wild. `play`
hands both to ``dynamics.step`` and returns every state and flow.

Quantities have few digits, so that no true amount is as small as dust; shares, availabilities and forecasts of integer
networks are multiples of 1/8, so that rounding does not depend on the precision of the arithmetic.

Tests wear ``@hunt(n)``: n examples, the same ones every time. ``PUSHPULL_HUNT=50 pytest tests/envs/test_properties.py``
tries 50 times as many, new ones every time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from pushpull.envs import Network, dynamics
from pushpull.envs.actions import ActionSpace
from pushpull.envs.exogenous import Traces
from pushpull.envs.network import SEQUENCES

LONGER = int(os.environ.get("PUSHPULL_HUNT", "1"))
INFINITE = float("inf")


def hunt(examples: int) -> settings:
    """Return settings of a property test: repeatable and quick to fail, unless a longer hunt is asked for."""
    return settings(
        phases=[Phase.explicit, Phase.generate] + [Phase.shrink] * (LONGER > 1),
        report_multiple_bugs=False,
        max_examples=examples * LONGER,
        derandomize=LONGER == 1,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@dataclass
class Plan:
    """What the agent and the outside world do in T periods; every column is filled, whether a source uses it or not."""

    quantity: np.ndarray  # [T, J]
    threshold: np.ndarray  # [T, J]
    gap: np.ndarray  # [T, J]
    demand: np.ndarray  # [T, M]
    available: np.ndarray | None  # [T, J]
    booked: np.ndarray  # [T, sum of book_rows]
    booked_after: np.ndarray  # [T, sum of book_rows]
    travel: np.ndarray  # [T, J]
    well: np.ndarray  # [T, J]
    promotion: np.ndarray  # [T, M]

    def supply(self, network: Network) -> dict[str, np.ndarray]:
        """Return what `Traces` would hold of lead times, no more than the longest, and yields: [T, L] and [T, Y]."""
        own = list(network.random_lead_times)
        longest = [network.sources[j].lead_time for j in own]
        drawn = {"lead_time": np.minimum(self.travel[:, own], longest) if own else None}
        drawn["yields"] = self.well[:, list(network.yielding_sources)] if network.yielding_sources else None
        return {name: table for name, table in drawn.items() if table is not None}

    def promoted(self, network: Network) -> np.ndarray:
        """Return the intensities at the markets that promote, [T, P]."""
        return self.promotion[:, [m for m, i in enumerate(network.markets) if i in network.promoting]]

    def vectors(self, network: Network) -> np.ndarray:
        """Return action vectors, [T, K]."""
        tables = {**vars(self), "promotion": self.promoted(network)}
        return np.stack([tables[column][:, row] for row, column in ActionSpace(network).entries], axis=1)

    def traces(self, network: Network, forecast: np.ndarray) -> Traces:
        """Return the outside world of the plan, and what is foreseen in it, [T, H, M, 1]."""
        own: dict[str, Any] = {name: getattr(self, name) for name in ("demand", "available", "booked", "booked_after")}
        own |= self.supply(network)
        return Traces(
            forecast=forecast,
            **{name: table[..., None] for name, table in own.items() if table is not None and table.shape[1]},
        )


# --- networks ------------------------------------------------------------------------------------------------------


@st.composite
def networks(draw: st.DrawFn, units: str | None = None, allocation: str | None = None) -> dict[str, Any]:
    """Draw the mapping of a network, with its stages declared in any order."""
    units = units or draw(st.sampled_from(["integer", "real"]))
    names = [f"s{i}" for i in range(draw(st.integers(1, 6)))]
    mode = draw(st.sampled_from(["push", "pull", "mixed", "any", "implied"]))
    stages = {}
    for i, name in enumerate(names):
        sources = [draw(_sources(units, names[:i], mode)) for _ in range(draw(st.sampled_from([1, 1, 2, 3])))]
        stages[name] = {
            "initial_on_hand": draw(_amount(units)),
            "holding_cost": draw(st.integers(0, 4)),
            "sources": sources,
        }
        if draw(st.integers(0, 2)) == 0:
            draw(_stock(units, stages[name]))
        if name == names[-1] or draw(st.integers(0, 2)) == 0:
            market = stages[name]["market"] = draw(_markets())
            waits = market["stockout"] not in ("lost", {"partial": 0})
            if waits and draw(st.integers(0, 2)) == 0:
                market["patience"] = draw(st.integers(0, 4))
            if draw(st.integers(0, 2)) == 0:
                market["order_lead"] = [0.25, 0.5, 0.25, 0][: draw(st.sampled_from([3, 4]))]
                market["cancellation"] = draw(st.sampled_from([0, 0.5]))
                market["forecast"] = {"horizon": draw(st.integers(4, 5))}
            else:
                if draw(st.integers(0, 2)) == 0:
                    market["goodwill"] = {"loss": 0.5, "gain": 0.125, "floor": draw(st.sampled_from([0, 0.25]))}
                if draw(st.integers(0, 2)) == 0:
                    market["promotion"] = draw(_promotions())
            if draw(st.integers(0, 2)) == 0:
                market["returns"] = draw(_returns())
            if draw(st.integers(0, 3)) == 0:
                market["satisfaction"] = [5, 4, 2, 1][: draw(st.integers(1, 4))]
            if waits and market.get("patience") != 0 and draw(st.booleans()):
                stages[name]["initial_owed"] = draw(_amount(units))
    for name in names:
        for source in stages[name]["sources"]:
            reach = sorted(downstream(stages, name))
            draw(_limits(units, source, reach))
            asking = reach if source["basis"] == "echelon" else [name]
            ahead = any("order_lead" in stages[stage].get("market", {}) for stage in asking)
            if ahead and source["basis"] != "physical" and source.get("mode") != "push" and draw(st.booleans()):
                source |= draw(_counted(units))
    resources = draw(_resources(units, stages)) if draw(st.integers(0, 2)) == 0 else {}
    mapping = {
        "sequence": list(draw(st.sampled_from(list(SEQUENCES.values())))),
        "units": units,
        "horizon_is_real": any("salvage_value" in stage for stage in stages.values()),
        "rounding": draw(st.sampled_from(["round", "truncate"])),
        "allocation": allocation or draw(st.sampled_from(["proportional", "priority"])),
        "stages": {name: stages[name] for name in draw(st.permutations(names))},
    }
    if resources:
        mapping["resources"] = resources
    if mode == "implied":
        mapping["decoupling_point"] = draw(st.sampled_from(["supply", "market", *names]))
    if mode == "mixed" and draw(st.booleans()):
        mapping["decoupling_point"] = "learned"
        for source in (source for stage in stages.values() for source in stage["sources"]):
            del source["mode"]
    return mapping


def downstream(stages: dict[str, Any], name: str) -> set[str]:
    """Return the stage and all that draw on it, directly or through others."""
    found, grown = set(), {name}
    while found != grown:
        found = grown
        grown = found | {
            stage
            for stage, entry in stages.items()
            for source in entry["sources"]
            if found & set(source.get("inputs", {}))
        }
    return found


def _amount(units: str, low: int = 0, high: int = 30) -> st.SearchStrategy[float]:
    return (
        st.integers(low, high)
        if units == "integer"
        else st.integers(1000 * low, 1000 * high).map(lambda thousandths: thousandths / 1000)
    )


@st.composite
def _resources(draw: st.DrawFn, units: str, stages: dict[str, Any]) -> dict[str, Any]:
    """Let some sources run on one or two resources; return these."""
    resources = {}
    for source in (source for stage in stages.values() for source in stage["sources"]):
        name = draw(st.sampled_from([None, "line", "line", "oven"]))
        if name is not None:
            source["resource"] = name
            source["resource_use"] = draw(st.sampled_from([1, 1, 2, 3] if units == "integer" else [1, 1, 2, 0.5]))
            resources[name] = None
    for name in resources:
        loss = draw(st.one_of(st.just(0), _amount(units, high=5)))
        resources[name] = {
            "capacity": loss + 3 + draw(_amount(units)),
            "changeover_cost": draw(st.integers(0, 4)),
            "changeover_loss": loss,
        }
    return resources


@st.composite
def _stock(draw: st.DrawFn, units: str, stage: dict[str, Any]) -> None:
    """Add to a stage what happens to stock that gets old, does not fit or is left at the end."""
    spoils = draw(st.sampled_from(["obsolescence", "shelf_life", None]))
    if spoils == "obsolescence":
        stage["obsolescence"] = draw(st.sampled_from([0.125, 0.5, 1]))
    elif spoils == "shelf_life":
        stage["shelf_life"] = draw(st.integers(1, 4))
    if draw(st.booleans()):
        stage["overflow"] = draw(st.sampled_from(["hold", "scrap", "block"]))
        stage["overflow_cost"] = draw(st.integers(0, 4))
        stage["storage_capacity"] = draw(_amount(units))
        if stage["overflow"] == "block":
            stage["storage_capacity"] += stage["initial_on_hand"]
    if spoils or stage.get("overflow") == "scrap":
        stage["obsolescence_cost"] = draw(st.integers(0, 4))
    if draw(st.integers(0, 3)) == 0:
        stage["salvage_value"] = draw(st.integers(-3, 3))


def _markets() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "demand": st.fixed_dictionaries(
                {"kind": st.just("poisson"), "mean": st.integers(0, 80).map(lambda eighths: eighths / 8)}
            ),
            "stockout": st.sampled_from(
                ["backorder", "backorder", "lost", {"partial": 0}, {"partial": 0.375}, {"partial": 0.5}]
            ),
            "price": st.integers(0, 9),
            "backorder_cost": st.integers(0, 9),
            "lost_sale_cost": st.integers(0, 9),
        }
    )


@st.composite
def _sources(draw: st.DrawFn, units: str, suppliers: list[str], mode: str) -> dict[str, Any]:
    """Draw a source, all but what depends on the stages downstream of it."""
    coefficients = [1, 1, 2, 3] if units == "integer" else [1, 1, 2, 3, 0.5, 1.3]
    source: dict[str, Any] = {"lead_time": draw(st.integers(0, 3))}
    if suppliers:
        source["inputs"] = draw(
            st.dictionaries(st.sampled_from(suppliers), st.sampled_from(coefficients), min_size=0, max_size=3)
        )
    if mode != "implied":
        source["mode"] = draw(st.sampled_from(["push", "pull", "mixed"])) if mode == "any" else mode
    source["initial_pipeline"] = draw(st.lists(_amount(units), max_size=source["lead_time"]))
    if draw(st.integers(0, 3)) == 0:
        source["lead_time"] = {"min": 0, "max": source["lead_time"], "crossing": draw(st.booleans())}
    if draw(st.integers(0, 4)) == 0:
        source["yield"] = {"values": [0.5, 1]}
    lot = source["lot"] = draw(_lots(units))
    if draw(st.booleans()):
        source["capacity"] = draw(st.one_of(_amount(units, low=1), st.sampled_from([2.5, 7.75])))
    if draw(st.integers(0, 3)) == 0:
        source["max_order"] = lot.get("Q", 0) + draw(_amount(units, low=1))
    if draw(st.integers(0, 3)) == 0:
        source["review_period"] = draw(st.integers(1, 3))
        source["review_offset"] = draw(st.integers(0, source["review_period"] - 1))
    if mode == "implied" or source["mode"] == "pull":
        source["order_delay"] = draw(st.sampled_from([0, 0, 0, 1, 2]))
    if mode == "implied" or source["mode"] != "mixed":
        source["shortfall"] = draw(st.sampled_from([None, "carry"]))
    if draw(st.booleans()):
        affects = draw(st.sampled_from(["start", "order", "transit", "receipt"]))
        when: list[dict[str, Any]] = [{}, {}, {"fail": 0.25, "repair": 0.5}, {"schedule": [[0, 1], [4, 4]]}]
        source["disruption"] = {"affects": affects} | draw(st.sampled_from(when))
        if affects == "start" and "capacity" in source and len(source["disruption"]) > 1:
            source["disruption"]["severity"] = draw(st.sampled_from([0.25, 1]))
    if "capacity" in source and draw(st.integers(0, 2)) == 0:
        source["overtime"] = {"capacity": draw(_amount(units, low=1, high=9)), "cost": draw(st.integers(0, 4))}
    if draw(st.integers(0, 3)) == 0:
        source["price_breaks"] = [{"from": 3.5, "unit_cost": draw(st.integers(0, 4))}, {"from": 9, "unit_cost": 1}]
        source["price_rule"] = draw(st.sampled_from(["all_units", "incremental"]))
    if draw(st.integers(0, 3)) == 0:
        source["load"] = {"size": draw(st.integers(1, 7)), "cost": draw(st.integers(0, 4))}
    for cost in ("shortfall_cost", "unit_cost", "fixed_cost", "pipeline_holding_cost"):
        source[cost] = draw(st.integers(0, 4))
    return source


def _returns() -> st.SearchStrategy[dict[str, Any]]:
    share = st.sampled_from([0, 0.125, 0.5])
    rest = {"lag": st.integers(1, 3), "resalable": st.sampled_from([0, 0.375, 1]), "cost": st.integers(0, 4)}
    return st.one_of(
        st.fixed_dictionaries({"share": share, **rest}),
        st.fixed_dictionaries({"reasons": st.fixed_dictionaries({"late": share, "defect": share}), **rest}),
    )


@st.composite
def _promotions(draw: st.DrawFn) -> dict[str, Any]:
    promotion = {"cost": draw(st.integers(0, 4)), "lift": draw(st.sampled_from([0, 0.5, 3]))}
    if borrow := draw(st.sampled_from([0, 0.5, 1])):
        promotion |= {"borrow": borrow, "over": draw(st.sampled_from([1, 2, 4]))}
    return promotion


def _counted(units: str) -> st.SearchStrategy[dict[str, Any]]:
    """Draw which booked orders a trigger counts."""
    reach = st.integers(1, 4)
    return st.one_of(
        st.fixed_dictionaries({"advance_position": reach}),
        st.fixed_dictionaries(
            {"spikes": st.fixed_dictionaries({"horizon": reach, "threshold": _amount(units, low=1, high=15)})}
        ),
    )


@st.composite
def _lots(draw: st.DrawFn, units: str) -> dict[str, Any]:
    lot: dict[str, Any] = {"rule": draw(st.sampled_from(["base_stock", "s_S", "r_nQ", "smoothed"]))}
    if lot["rule"] == "s_S" and draw(st.booleans()):
        lot["gap"] = draw(_amount(units))
    if lot["rule"] == "r_nQ":
        lot |= {"Q": draw(_amount(units, low=1, high=9)), "at_most_one": draw(st.booleans())}
    if lot["rule"] == "smoothed":
        lot["adjust_time"] = draw(st.sampled_from([1, 2, 4]))
    return lot


@st.composite
def _limits(draw: st.DrawFn, units: str, source: dict[str, Any], reach: list[str]) -> None:
    """Add to a source what it looks at: the basis of its threshold and its cards, over stages within reach."""
    over = st.one_of(st.none(), st.lists(st.sampled_from(reach), min_size=1, unique=True))
    source["basis"] = draw(st.sampled_from(["installation", "installation", "echelon", "physical"]))
    if source["basis"] == "physical":
        source["over"] = draw(over)
    if draw(st.integers(0, 2)) == 0:
        source["cards"] = {"limit": draw(_amount(units)), "over": draw(over)}


@st.composite
def demands(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the mapping of a demand process: any kind without a file, composed in any way."""
    level = st.sampled_from([0.3, 2, 7.5, 40])
    kinds: list[dict[str, Any]] = [
        {"kind": "poisson", "mean": draw(level)},
        {"kind": "geometric", "mean": draw(level)},
        {"kind": "poisson", "mean": draw(level), "max": 5},
        {"kind": "negative_binomial", "mean": draw(level), "sd": 9},
        {"kind": "uniform_int", "low": 2, "high": draw(st.integers(2, 9))},
        {"kind": "normal", "mean": draw(level), "sd": draw(st.sampled_from([0, 1.5, 9]))},
        {"kind": "gamma", "mean": draw(level), "sd": 3},
        {"kind": "deterministic", "values": draw(st.lists(level, min_size=1, max_size=3))},
        {"kind": "empirical", "values": [0, 2.5, 9]},
        {"kind": "bass", "innovation": 0.02, "imitation": draw(st.sampled_from([0, 0.5])), "market_size": 300},
    ]
    demand = draw(st.sampled_from(kinds))
    if draw(st.integers(0, 3)) == 0:
        demand = {"kind": "intermittent", "probability": draw(st.sampled_from([0, 0.3, 1])), "size": demand}
    factor = st.sampled_from([0, 0.5, 1, 3])
    composed = {
        "season": st.lists(factor, min_size=1, max_size=3),
        "trend": st.sampled_from([-0.3, 0.1]),
        "shocks": st.lists(
            st.fixed_dictionaries({"factor": factor, "duration": st.integers(1, 9)}).flatmap(
                lambda shock: st.sampled_from([shock | {"period": 2}, shock | {"probability": 0.2}])
            ),
            min_size=1,
            max_size=2,
        ),
        "regimes": st.fixed_dictionaries({"factors": st.tuples(factor, factor).map(list)}).map(
            lambda regimes: regimes | {"transitions": [[0.8, 0.2], [0.5, 0.5]]}
        ),
        "level_sd": st.sampled_from([0.2, 1.5]),
    }
    if demand["kind"] != "deterministic":
        composed["autocorrelation"] = st.sampled_from([-0.6, 0.9])
    return demand | draw(st.fixed_dictionaries({}, optional=composed))


# --- plans ---------------------------------------------------------------------------------------------------------


@st.composite
def plans(
    draw: st.DrawFn, network: Network, periods: int = 8, wild: bool = False, disrupted: bool | None = None
) -> Plan:
    """Draw actions, demand and availability; wild actions are negative, huge, fractional or minus infinity."""
    units, shape = network.units, (periods, len(network.sources))
    tame = _amount(units, high=50)
    odd = st.sampled_from([-1e9, -7.0, -0.5, 0.4999, 0.5, 1.5, 2.5, 1e9, 1e9 + 0.5])
    if wild:
        actions = st.one_of(tame, odd, st.floats(-100, 100), st.floats(-1e9, 1e9))
    else:
        actions = tame
    thresholds = st.one_of(actions, actions, st.just(-INFINITE)) if wild else actions
    disrupted = draw(st.booleans()) if disrupted is None else disrupted
    shares = st.sampled_from([1.0, 1.0, 1.0, 0.0, 0.0, 0.125, 0.5, 0.75])
    intensities = st.one_of(shares, odd) if wild else shares
    return Plan(
        quantity=draw(_table(actions, shape)),
        threshold=draw(_table(thresholds, shape)),
        gap=draw(_table(actions, shape)),
        demand=draw(_table(_amount(units, high=20), (periods, len(network.markets)))),
        available=draw(_table(shares, shape)) if disrupted else None,
        booked=draw(_table(_amount(units, high=20), (periods, sum(network.book_rows)))),
        booked_after=draw(_table(_amount(units, high=20), (periods, sum(network.book_rows)))),
        travel=draw(_table(st.integers(0, 3), shape)),
        well=draw(_table(shares, shape)),
        promotion=draw(_table(intensities, (periods, len(network.markets)))),
    )


def _table(entries: st.SearchStrategy[float], shape: tuple[int, int]) -> st.SearchStrategy[np.ndarray]:
    size = shape[0] * shape[1]
    return st.lists(entries, min_size=size, max_size=size).map(lambda values: np.reshape(values, shape).astype(float))


@st.composite
def cases(
    draw: st.DrawFn, units: str | None = None, wild: bool = False, allocation: str | None = None
) -> tuple[dict[str, Any], Plan]:
    """Draw the mapping of a network and a plan for it."""
    mapping = draw(networks(units, allocation))
    return mapping, draw(plans(Network.from_dict(mapping), wild=wild))


# --- the player ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Period:
    """One period as it was played."""

    before: dynamics.State
    flows: dynamics.Flows
    after: dynamics.State


def play(network: Network, *plans: Plan, xp: Any = np, dtype: str = "float64", start: int = 0) -> list[Period]:
    """Run plans side by side, one environment each; environment b starts in period `start` + b."""
    kind = {"dtype": getattr(xp, dtype)}

    def column(tables: list[np.ndarray], t: int) -> Any:
        return xp.asarray(np.stack([table[t] for table in tables], axis=1), **kind)

    state = dynamics.initial_state(xp, network, len(plans), **kind)
    state = dynamics.State(**{**vars(state), "period": start + xp.arange(len(plans))})
    means = [market.demand.mean for market in network.markets.values() if market.demand is not None]
    forecast = xp.asarray([[mean] * len(plans) for mean in means], **kind)
    periods = []
    for t in range(len(plans[0].demand)):
        available = [plan.available for plan in plans if plan.available is not None]
        supply = [plan.supply(network) for plan in plans]
        outside = dynamics.Exogenous(
            demand=column([plan.demand for plan in plans], t),
            available=column(available, t) if available else None,
            forecast=forecast,
            booked=column([plan.booked for plan in plans], t),
            booked_after=column([plan.booked_after for plan in plans], t),
            **{name: column([drawn[name] for drawn in supply], t) for name in supply[0]},
        )
        action = dynamics.Action(
            *(column([getattr(plan, name) for plan in plans], t) for name in ("quantity", "threshold", "gap")),
            promotion=column([plan.promoted(network) for plan in plans], t),
        )
        before = state
        state, flows = dynamics.step(xp, network, before, outside, action)
        periods.append(Period(before, flows, state))
    return periods
