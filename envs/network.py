"""A push-pull supply chain as frozen settings: stages, their sources and markets, and the network they form.

`Network` is the mapping of a network file (YAML), checked to the last key. Beside it stand the few tables that
follow from it and that everything else reads: sources in one list, who draws on whom, the stage order, the modes
that a decoupling point implies, and how much of each stage one unit of another needs.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from pushpull.envs.checks import (
    InputError,
    Settings,
    build,
    choice,
    flag,
    listing,
    mapping,
    number,
    optional,
    record,
    records,
    setting,
    suggest,
    text,
)

SEQUENCES = {
    "pull_after_demand": ("receive", "push", "demand", "pull", "ship"),
    "pull_before_demand": ("receive", "push", "pull", "demand", "ship"),
    "push_before_receive": ("push", "receive", "demand", "pull", "ship"),
}
MODES = ("push", "pull", "mixed")
OVERFLOWS = ("hold", "scrap", "block")
ACTION_COLUMNS = ("quantity", "threshold", "gap")
COMMON_COST_TERMS = ("holding", "pipeline", "backorder", "lost_sale", "production", "fixed", "shortfall")
FEATURE_COST_TERMS: dict[str, Callable[[Network], bool]] = {  # further terms, and which networks have them
    "obsolescence": lambda network: network.writes_off,
    "storage": lambda network: network.limits_storage,
    "changeover": lambda network: bool(network.resources),
    "returns": lambda network: bool(network.returning),
    "overtime": lambda network: bool(network.overtime_sources),
    "loads": lambda network: any(source.load is not None for source in network.sources),
    "promotion": lambda network: bool(network.promoting),
}
COST_TERMS = (*COMMON_COST_TERMS, *FEATURE_COST_TERMS)
POINT_WORDS = ALL_PULL, ALL_PUSH, LEARNED = "supply", "market", "learned"  # decoupling points that are no stages
RETURN_REASONS = ("late", "defect")
LONGEST_WAIT = 20  # periods up to which waits are told apart where no patience ends them
EVERY_BOUNDARY = "all"  # a comparison's word for all decoupling points, so no stage's name either

_share = number(0, 1)
_money = number(0)
_units = number(0)
_periods = number(0, whole=True)
_capacity = number(above=0, infinite=True)


@dataclass(frozen=True)
class Lot(Settings):
    """How a pull source turns a threshold s and the inventory position IP into an order.

    ``base_stock`` orders s - IP; ``s_S`` orders s + gap - IP once IP <= s (`gap` None: the agent sets it);
    ``r_nQ`` orders the fewest lots `Q` that lift IP above s; ``smoothed`` closes 1 / `adjust_time` of the distance
    each review (Dejonckheere, Disney, Lambrecht & Towill 2003).
    """

    rule: str = setting(choice("base_stock", "s_S", "r_nQ", "smoothed"), "base_stock")
    gap: float | None = setting(optional(_units), None)
    Q: float = setting(optional(number(above=0)), None)
    at_most_one: bool = setting(flag, False)
    adjust_time: float = setting(number(1), 1)

    def examine(self):
        for key, rule in (("gap", "s_S"), ("Q", "r_nQ"), ("at_most_one", "r_nQ"), ("adjust_time", "smoothed")):
            if key in self.to_dict() and self.rule != rule:
                raise InputError(
                    key, f"{getattr(self, key)!r} does not go with rule {self.rule}; leave it out, or use rule: {rule}"
                )
        if self.rule == "r_nQ" and self.Q is None:
            raise InputError("Q", "missing; rule r_nQ orders whole lots of Q units, so state it")


@dataclass(frozen=True)
class Cards(Settings):
    """A limit on the physical position over some stages (kanban, CONWIP, POLCA)."""

    limit: float = setting(_units)
    over: tuple[str, ...] | None = setting(optional(listing(text, at_least=1)), None)


def _spells(field: str, value: Any) -> tuple[tuple[int, int], ...]:
    """Accept pairs [first, last] of periods that follow each other without overlap."""
    spells = listing(listing(_periods), at_least=1)(field, value)
    for k, spell in enumerate(spells):
        if len(spell) != 2 or spell[0] > spell[1]:
            raise InputError(f"{field}[{k}]", f"{list(spell)} is not [first, last]; give two periods, the later last")
        if k and spell[0] <= spells[k - 1][1]:
            raise InputError(
                f"{field}[{k}]",
                f"{list(spell)} does not begin after {list(spells[k - 1])} ends; sort spells and join what overlaps",
            )
    return spells


@dataclass(frozen=True)
class Disruption(Settings):
    """What stops at a source while it is down (starts, orders, the pipeline or receipts), and when it is down.

    It is down by a Markov chain: an up period is followed by a down one with probability `fail`, a down one by an up
    one with probability `repair`, so that the mean down time is 1 / repair, the mean up time 1 / fail and the share of
    up periods repair / (fail + repair); the first period is up with that probability. Or it is down in the periods of a
    `schedule` of spells [first, last]. With neither it is down where a replayed record says so. Where it `affects`
    starts, `severity` is the share of the capacity that is missing while it is down; all else stops altogether.
    """

    affects: str = setting(choice("start", "order", "transit", "receipt"))
    fail: float | None = setting(optional(number(above=0, high=1)), None)
    repair: float | None = setting(optional(number(above=0, high=1)), None)
    schedule: tuple[tuple[int, int], ...] | None = setting(optional(_spells), None)
    severity: float = setting(number(above=0, high=1), 1)

    def examine(self):
        for key, other in (("fail", "repair"), ("repair", "fail")):
            if getattr(self, key) is not None and getattr(self, other) is None:
                raise InputError(other, f"missing beside {key} {getattr(self, key)}; a Markov chain needs both")
        if self.fail is not None and self.schedule is not None:
            raise InputError(
                "schedule", f"{list(map(list, self.schedule))} does not go with fail and repair; state one of the two"
            )
        if self.severity < 1 and self.affects != "start":
            raise InputError(
                "severity",
                f"{self.severity} does not go with affects {self.affects}, which stops altogether; leave it out, or "
                "use affects: start",
            )

        if self.severity < 1 and not self.happens:
            raise InputError("severity", f"{self.severity} of what never happens; state fail and repair, or a schedule")

    @property
    def happens(self) -> bool:
        """Whether these settings say when it happens."""
        return self.fail is not None or self.schedule is not None

    @property
    def closes(self) -> bool:
        """Whether nothing is started, or ordered, while it is down."""
        return self.happens and self.affects in ("start", "order") and self.severity == 1

    def open_share(self, periods: int) -> float:
        """Share of `periods` in which it does not close the source, on average."""
        if not self.closes:
            return 1.0
        if self.schedule is not None:
            return 1 - sum(max(0, min(last + 1, periods) - first) for first, last in self.schedule) / periods
        assert self.fail is not None and self.repair is not None
        return self.repair / (self.fail + self.repair)


@dataclass(frozen=True)
class Spikes(Settings):
    """Which booked orders a trigger counts: those due within `horizon` periods, of periods with at least `threshold`.

    The qualified order spikes of demand-driven material requirements planning (Ptak & Smith 2016).
    """

    horizon: int = setting(number(1, whole=True))
    threshold: float = setting(number(above=0))


@dataclass(frozen=True)
class Resource(Settings):
    """What several sources run on, such as a line: `capacity` per period, shared by them all.

    It is set up for one source at a time, at first for the first one in stage order that uses it. In each event the
    source it is set up for goes first; each other source that starts anything costs a changeover, `changeover_cost` in
    money and `changeover_loss` of the period's capacity; the last one in stage order is what it is set up for then.
    """

    capacity: float = setting(number(above=0))
    changeover_cost: float = setting(_money, 0)
    changeover_loss: float = setting(number(0), 0)

    def examine(self):
        if self.changeover_loss >= self.capacity:
            raise InputError(
                "changeover_loss", f"{self.changeover_loss} leaves nothing of capacity {self.capacity}; give less"
            )


@dataclass(frozen=True)
class LeadTime(Settings):
    """A lead time that is drawn in every period, for what a source starts in it.

    It is one of `values`, with `probabilities` that are equal by default, or any whole number from `min` to `max`. With
    `crossing` every start arrives after its own time, be it before an earlier one. Without, it waits for all that is
    still under way, so that a source delivers in the order in which it started.
    """

    values: tuple[int, ...] | None = setting(optional(listing(_periods, at_least=1)), None)
    probabilities: tuple[float, ...] | None = setting(optional(listing(_share, at_least=1)), None)
    min_: int | None = setting(optional(_periods), None)
    max_: int | None = setting(optional(_periods), None)
    crossing: bool = setting(flag, False)

    def examine(self):
        if self.values is None:
            if self.probabilities is not None:
                raise InputError("values", "missing; probabilities are those of values, so state them")
            if self.min_ is None or self.max_ is None:
                raise InputError("values", "missing; state values, or min and max")
            if self.min_ > self.max_:
                raise InputError("max", f"{self.max_} is below min {self.min_}; give max >= min")
        else:
            for key, value in (("min", self.min_), ("max", self.max_)):
                if value is not None:
                    raise InputError(key, f"{value} does not go with values; state values, or min and max")
            _examine_law(self.values, self.probabilities)

    @cached_property
    def law(self) -> np.ndarray:
        """Probability of each lead time from 0 to the longest."""
        if self.values is None:
            assert self.min_ is not None and self.max_ is not None
            law = np.zeros(self.max_ + 1)
            law[self.min_ :] = 1 / (self.max_ + 1 - self.min_)
            return law
        chances = self.probabilities or (1 / len(self.values),) * len(self.values)
        return np.bincount(self.values, weights=chances)

    @cached_property
    def law_in_order(self) -> np.ndarray:
        """Probability of each lead time, waiting for earlier starts included, where something starts in every period.

        Without crossing a start of lead time L arrives at the latest of its own and earlier dues, so that within l
        periods it arrives with probability F(l) F(l + 1) F(l + 2) ..., F being the distribution of `law` (as in the
        sequential systems of Kaplan 1970, Management Science 16(7)).
        """
        if self.crossing:
            return self.law
        within = np.cumsum(self.law)
        return np.diff(np.cumprod(within[::-1])[::-1], prepend=0.0)


@dataclass(frozen=True)
class Share(Settings):
    """A share that is drawn in every period: beta with `mean` and `sd`, or one of `values` with `probabilities`.

    Without `sd` it is the mean always; without `probabilities` all values are as likely. A number alone is a mean.
    """

    mean: float | None = setting(optional(_share), None)
    sd: float = setting(number(0), 0)
    values: tuple[float, ...] | None = setting(optional(listing(_share, at_least=1)), None)
    probabilities: tuple[float, ...] | None = setting(optional(listing(_share, at_least=1)), None)

    def examine(self):
        if (self.mean is None) == (self.values is None):
            raise InputError("mean", f"{self.mean} with values {self.values}; state one of the two")
        if self.values is None:
            if self.probabilities is not None:
                raise InputError("probabilities", "they are those of values; state values, or leave them out")
            assert self.mean is not None
            if self.sd and self.sd**2 >= self.mean * (1 - self.mean):
                raise InputError(
                    "sd", f"{self.sd} is more than a share of mean {self.mean} can spread; give sd^2 < mean (1 - mean)"
                )
        else:
            if self.sd:
                raise InputError("sd", f"{self.sd} does not go with values; leave it out")
            _examine_law(self.values, self.probabilities)

    @cached_property
    def average(self) -> float:
        """Mean of the share."""
        if self.values is None:
            return 0.0 if self.mean is None else float(self.mean)
        return float(np.average(self.values, weights=self.probabilities))


def _examine_law(values: Sequence[float] | None, probabilities: Sequence[float] | None) -> None:
    if probabilities is not None and values is not None:
        if len(probabilities) != len(values):
            raise InputError("probabilities", f"{len(probabilities)} entries for {len(values)} values; give one each")
        if abs(sum(probabilities) - 1) > 1e-9:
            raise InputError("probabilities", f"they sum to {sum(probabilities):g}; make them sum to 1")


def _share_law(field: str, value: Any) -> Share:
    return build(Share, value if isinstance(value, (Share, Mapping)) else {"mean": value}, field)


def _lead_time(field: str, value: Any) -> int | LeadTime:
    return build(LeadTime, value, field) if isinstance(value, (LeadTime, Mapping)) else _periods(field, value)


@dataclass(frozen=True)
class Overtime(Settings):
    """Capacity beyond the regular one, and what every unit started on it costs beside its unit cost."""

    capacity: float = setting(number(above=0))
    cost: float = setting(_money)


@dataclass(frozen=True)
class PriceBreak(Settings):
    """The unit cost that holds from a number of units on, started in one period."""

    from_: float = setting(number(above=0))
    unit_cost: float = setting(number())


@dataclass(frozen=True)
class Load(Settings):
    """A truck or batch: it holds `size` units, and each that is begun costs `cost`."""

    size: float = setting(number(above=0))
    cost: float = setting(_money)


@dataclass(frozen=True)
class Source(Settings):
    """One way to replenish a stage: `inputs` per unit made, from upstream stages or (none) from outside.

    `advance_position` has a trigger take orders due within so many periods off its position; `spikes` only large ones.
    A source that runs on a `resource` of the network takes `resource_use` of its capacity for each unit started.
    """

    mode: str | None = setting(optional(choice(*MODES)), None)
    inputs: Mapping[str, float] = setting(mapping(number(above=0)), None)
    lead_time_: int | LeadTime = setting(_lead_time, 1)
    capacity: float = setting(_capacity, float("inf"))
    capacity_share: Share | None = setting(optional(_share_law), None)
    yield_: Share | None = setting(optional(_share_law), None)
    overtime: Overtime | None = setting(optional(record(Overtime)), None)
    lot: Lot = setting(record(Lot), Lot())
    basis: str = setting(choice("installation", "echelon", "physical"), "installation")
    over: tuple[str, ...] | None = setting(optional(listing(text, at_least=1)), None)
    cards: Cards | None = setting(optional(record(Cards)), None)
    initial_pipeline: tuple[float, ...] = setting(listing(_units), ())
    max_order: float = setting(_capacity, float("inf"))
    review_period: int = setting(number(1, whole=True), 1)
    review_offset: int = setting(_periods, 0)
    order_delay: int = setting(_periods, 0)
    shortfall: str | None = setting(optional(choice("drop", "carry")), None)
    shortfall_cost: float = setting(_money, 0)
    unit_cost: float = setting(number(), 0)
    price_breaks: tuple[PriceBreak, ...] = setting(records(PriceBreak), ())
    price_rule: str = setting(choice("all_units", "incremental"), "all_units")
    fixed_cost: float = setting(_money, 0)
    load: Load | None = setting(optional(record(Load)), None)
    pipeline_holding_cost: float = setting(_money, 0)
    disruption: Disruption | None = setting(optional(record(Disruption)), None)
    advance_position: int = setting(_periods, 0)
    spikes: Spikes | None = setting(optional(record(Spikes)), None)
    resource: str | None = setting(optional(text), None)
    resource_use: float = setting(number(above=0), 1)

    def __post_init__(self):
        if self.inputs is None:
            object.__setattr__(self, "inputs", {})
        super().__post_init__()

    def examine(self):
        if len(self.initial_pipeline) > self.lead_time:
            raise InputError(
                "initial_pipeline",
                f"{list(self.initial_pipeline)} has {len(self.initial_pipeline)} entries but lead_time is "
                f"{self.lead_time}; entry k is received in period k, so give at most lead_time entries",
            )
        if self.capacity_share is not None:
            if self.capacity == float("inf"):
                raise InputError("capacity_share", "of an unlimited capacity; state the source's capacity")
            if self.disruption is not None:
                raise InputError("capacity_share", "does not go with a disruption of the same source; leave one out")
        if self.overtime is not None and self.capacity == float("inf"):
            raise InputError("overtime", "beyond an unlimited capacity; state the source's regular capacity")
        if self.price_rule != "all_units" and not self.price_breaks:
            raise InputError("price_rule", f"{self.price_rule!r} of no price_breaks; state them, or leave it out")
        for k in range(1, len(self.price_breaks)):
            before, own = self.price_breaks[k - 1].from_, self.price_breaks[k].from_
            if own <= before:
                raise InputError(f"price_breaks[{k}].from", f"{own} is not above {before}; sort breaks, one price each")
        if self.yield_ is not None and self.yield_.average == 0:
            raise InputError("yield", "0 makes nothing of what is started; give a mean above 0")
        if self.disruption is not None and self.disruption.severity < 1 and self.capacity == float("inf"):
            raise InputError(
                "disruption.severity",
                f"{self.disruption.severity} of an unlimited capacity; state the source's capacity",
            )
        if self.lot.rule == "r_nQ" and self.max_order < self.lot.Q:
            raise InputError(
                "max_order", f"{self.max_order!r} is below one lot of {self.lot.Q}; raise it or lower lot.Q"
            )
        if self.review_offset >= self.review_period:
            raise InputError(
                "review_offset", f"{self.review_offset} is not below review_period {self.review_period}; give less"
            )
        if self.over is not None and self.basis != "physical":
            raise InputError(
                "over", f"{list(self.over)} does not go with basis {self.basis}; leave it out, or use basis: physical"
            )
        if self.resource is None and self.resource_use != 1:
            raise InputError("resource_use", f"{self.resource_use} of nothing; state a resource, or leave it out")
        if self.order_delay and self.mode == "push":
            raise InputError(
                "order_delay", f"{self.order_delay} is refused on a push source; leave it out, or use mode: pull"
            )
        for key in ("advance_position", "spikes"):
            stated = self.to_dict().get(key)
            if stated and self.mode == "push":
                raise InputError(key, f"{stated} is for triggers, and a push source has none; leave it out")
            if stated and self.basis == "physical":
                raise InputError(
                    key, f"{stated} is refused with basis physical, which is blind to orders; leave it out"
                )
        if self.advance_position and self.spikes:
            raise InputError("spikes", f"{self.spikes.to_dict()} besides advance_position; state one of the two")
        self.examine_mode(self.mode)

    @property
    def counts_orders(self) -> bool:
        """Whether its trigger counts booked orders."""
        return self.advance_position > 0 or self.spikes is not None

    def examine_mode(self, mode: str | None) -> None:
        """Check that the source can run in `mode`, be it stated or implied by the decoupling point."""
        if mode == "pull" and self.shortfall == "drop":
            raise InputError("shortfall", "'drop' is refused on a pull source, which carries; leave shortfall out")
        if mode == "mixed" and self.shortfall is not None:
            raise InputError(
                "shortfall",
                f"{self.shortfall!r} is refused on a mixed source: releases drop, orders carry; leave it out",
            )
        if mode == "mixed" and self.order_delay:
            raise InputError(
                "order_delay", f"{self.order_delay} is refused on a mixed source; leave it out, or use mode: pull"
            )

    @property
    def lead_time_law(self) -> LeadTime | None:
        """The law of a lead time that is drawn."""
        return self.lead_time_ if isinstance(self.lead_time_, LeadTime) else None

    @cached_property
    def lead_time(self) -> int:
        """Periods from a start to its arrival, the longest there may be."""
        law = self.lead_time_
        return len(law.law) - 1 if isinstance(law, LeadTime) else law

    @cached_property
    def planned_lead_time(self) -> int:
        """The mean of the lead time, waiting for earlier starts included, rounded to whole periods."""
        law = self.lead_time_law
        return self.lead_time if law is None else round(float(law.law_in_order @ np.arange(len(law.law))))

    @cached_property
    def lead_time_variance(self) -> float:
        """Variance of the lead time, waiting for earlier starts included."""
        law = self.lead_time_law
        if law is None:
            return 0.0
        periods = np.arange(len(law.law))
        return float(law.law_in_order @ periods**2 - (law.law_in_order @ periods) ** 2)

    @property
    def full_capacity(self) -> float:
        """Regular capacity and overtime, units per period."""
        return self.capacity + (0 if self.overtime is None else self.overtime.capacity)

    @cached_property
    def price_steps(self) -> tuple[tuple[float, float, float], ...]:
        """For each price break: from how many units on, by how much a unit's cost changes, and for how many not.

        Starting q units costs unit_cost x q + the sum over breaks with q >= from of change x (q - unchanged).
        """
        costs = [self.unit_cost, *(step.unit_cost for step in self.price_breaks)]
        return tuple(
            (step.from_, costs[k + 1] - costs[k], step.from_ if self.price_rule == "incremental" else 0.0)
            for k, step in enumerate(self.price_breaks)
        )

    @property
    def mean_yield(self) -> float:
        """Mean share of the started units that turn out well."""
        return 1.0 if self.yield_ is None else self.yield_.average

    @property
    def carries(self) -> bool:
        """Whether a push source keeps what it could not start (pull sources always do)."""
        return self.shortfall == "carry"


DEMAND_KINDS: dict[str, tuple[str, ...]] = {
    "poisson": ("mean", "max"),
    "negative_binomial": ("mean", "sd", "max"),
    "geometric": ("mean", "max"),
    "uniform_int": ("low", "high"),
    "normal": ("mean", "sd"),
    "gamma": ("mean", "sd"),
    "deterministic": ("values",),
    "empirical": ("values", "probabilities"),
    "trace": ("file", "column", "rows", "start", "scale", "layout", "item", "store", "id", "negative"),
    "intermittent": ("probability", "size"),
    "bass": ("innovation", "imitation", "market_size", "launch"),
}
_OPTIONAL_DEMAND_KEYS = {"max", "probabilities", "launch", *DEMAND_KINDS["trace"][1:]}
_RANDOM_FACTORS = ("shocks", "regimes", "level_sd")


@dataclass(frozen=True)
class Shock(Settings):
    """Demand times `factor` for `duration` periods: from a known `period` on, or from any one, with `probability`."""

    factor: float = setting(number(0))
    period: int | None = setting(optional(_periods), None)
    probability: float = setting(optional(_share), None)
    duration: int = setting(number(1, whole=True), 1)

    def examine(self):
        if (self.period is None) == (self.probability is None):
            raise InputError(
                "period", f"{self.period} with probability {self.probability}; state one: when it comes, or how likely"
            )


@dataclass(frozen=True)
class Regimes(Settings):
    """A Markov chain of states of the market: the factor on demand in each, and the chances of the next state.

    Row r of `transitions` holds the probabilities of what follows state r. The first period is in state `start`, or in
    any by the chain's stationary distribution.
    """

    factors: tuple[float, ...] = setting(listing(number(0), at_least=2))
    transitions: tuple[tuple[float, ...], ...] = setting(listing(listing(_share)))
    start: int | None = setting(optional(_periods), None)

    def examine(self):
        states = len(self.factors)
        if [len(row) for row in self.transitions] != [states] * states:
            shape = [len(row) for row in self.transitions]
            raise InputError(
                "transitions", f"{len(shape)} rows of {shape} entries for {states} factors; give {states} of {states}"
            )
        for r, row in enumerate(self.transitions):
            if abs(sum(row) - 1) > 1e-9:
                raise InputError(f"transitions[{r}]", f"they sum to {sum(row):g}; make them sum to 1")
        if self.start is not None and self.start >= states:
            raise InputError(
                "start", f"{self.start} is no state; give a number from 0 to {states - 1}, or leave it out"
            )
        if self.start is None and np.linalg.matrix_rank(np.array(self.transitions) - np.eye(states)) < states - 1:
            raise InputError("start", "missing, and the states fall apart into several closed groups; state one")

    @cached_property
    def first(self) -> np.ndarray:
        """Probability of each state in period 0."""
        states = len(self.factors)
        if self.start is not None:
            return np.eye(states)[self.start]
        balance = np.vstack([np.array(self.transitions).T - np.eye(states), np.ones(states)])
        weights = np.maximum(0.0, np.linalg.lstsq(balance, np.append(np.zeros(states), 1.0), rcond=None)[0])
        return weights / weights.sum()


def _size(field: str, value: Any) -> Demand:
    return build(Demand, value, field)


@dataclass(frozen=True)
class Demand(Settings):
    """The demand process of a market; `DEMAND_KINDS` lists the keys of each kind.

    ``geometric`` counts failures, P(D = k) = (1 / (1 + mean)) (mean / (1 + mean))^k; counts above `max` are taken as
    `max`, which lowers the mean; ``normal`` is clipped at 0;
    ``deterministic`` holds its last value; ``empirical`` draws its values with `probabilities`, equal by default;
    ``trace`` replays `column` of `file`, `rows` [first, end) counted from 0 below the header, from row `start` of them
    or a random one, times `scale`; or, in the `layout` of the M5 or the Favorita competition, the sales of an `item`,
    of a `store` or both, or of one `id`; `negative` sales are refused or taken as zero. ``intermittent`` is 0 unless,
    with `probability`, a demand of `size` arrives.
    ``bass`` counts the adopters of a new product, out of `market_size` from period `launch` on (0 by default).
    A key that its kind does not take is None.

    Any kind may be composed with these. `season` is a list of factors applied period by period and repeated; `trend`
    is the change per period relative to period 0: the factor is max(0, 1 + trend x t). `shocks` and `regimes` are
    factors that come and go, `level_sd` the standard deviation of one drawn for the whole episode from a gamma law of
    mean 1. `autocorrelation` is that of an AR(1) of standard normals, whose quantiles demand takes: its law stays.
    """

    kind: str = setting(choice(*DEMAND_KINDS))
    mean: float = setting(optional(number(0)), None)
    sd: float = setting(optional(number(0)), None)
    low: int = setting(optional(number(0, whole=True)), None)
    high: int = setting(optional(number(0, whole=True)), None)
    max_: int | None = setting(optional(number(1, whole=True)), None)
    values: tuple[float, ...] = setting(optional(listing(number(0), at_least=1)), None)
    probabilities: tuple[float, ...] = setting(optional(listing(_share, at_least=1)), None)
    file: str = setting(optional(text), None)
    column: str = setting(optional(text), None)
    rows: tuple[int, ...] = setting(optional(listing(_periods, at_least=2)), None)
    layout: str = setting(optional(choice("m5", "favorita")), None)
    item: str = setting(optional(text), None)
    store: str = setting(optional(text), None)
    id: str = setting(optional(text), None)
    negative: str = setting(optional(choice("refuse", "zero")), None)
    start: str | int = setting(optional(lambda f, v: v if v == "random" else _periods(f, v)), None)
    scale: float = setting(optional(number(above=0)), None)
    probability: float = setting(optional(_share), None)
    size: Demand = setting(optional(_size), None)
    innovation: float = setting(optional(number(above=0, high=1)), None)
    imitation: float = setting(optional(number(0)), None)
    market_size: float = setting(optional(number(above=0)), None)
    launch: int = setting(optional(number(whole=True)), None)
    season: tuple[float, ...] = setting(listing(number(0), at_least=0), ())
    trend: float = setting(number(-1, 1), 0)
    shocks: tuple[Shock, ...] = setting(records(Shock), ())
    regimes: Regimes | None = setting(optional(record(Regimes)), None)
    level_sd: float = setting(number(0), 0)
    autocorrelation: float = setting(number(-0.999, 0.999), 0)

    def examine(self):
        own = DEMAND_KINDS[self.kind]
        for key in (key for keys in DEMAND_KINDS.values() for key in keys):
            value = self.max_ if key == "max" else getattr(self, key)
            stated = value is not None
            if stated and key not in own:
                raise InputError(key, f"{value!r} does not go with kind {self.kind}, which takes {', '.join(own)}")
            if not stated and key in own and key not in _OPTIONAL_DEMAND_KEYS:
                raise InputError(key, f"missing; demand of kind {self.kind} takes {', '.join(own)}")
        if self.kind == "trace":
            self._examine_layout()
        if self.kind == "uniform_int" and self.low > self.high:
            raise InputError("high", f"{self.high} is below low {self.low}; give high >= low")
        if self.kind == "negative_binomial" and self.mean == 0:
            raise InputError("mean", "0 leaves nothing to spread; give a mean above 0, or poisson for no demand")
        if self.kind == "negative_binomial" and self.sd**2 <= self.mean:
            raise InputError(
                "sd", f"{self.sd} gives a variance of {self.sd**2:g}, not above the mean; use poisson or a larger sd"
            )
        if self.kind == "gamma" and not (self.mean > 0 and self.sd > 0):
            raise InputError("sd", f"{self.sd} with mean {self.mean}: a gamma demand needs both above 0")
        if self.size is not None and self.size.kind == "trace":
            raise InputError("size", "a trace has its own zeros; use kind trace itself, or empirical values as size")
        if self.max_ is not None and self.level_sd:
            raise InputError("max", f"{self.max_} does not go with level_sd, whose law has no tables; leave one out")
        if self.size is not None and self.size.max_ is not None and self.level_sd:
            raise InputError("size.max", f"{self.size.max_} does not go with level_sd; leave one out")
        for key in ("autocorrelation", *_RANDOM_FACTORS):
            if self.size is not None and getattr(self.size, key):
                raise InputError(f"size.{key}", "belongs to the demand, not to its size; state it one level up")
        if self.autocorrelation and not self.has_law:
            raise InputError(
                "autocorrelation",
                f"{self.autocorrelation} does not go with kind {self.kind}, whose periods follow each other as they "
                "were stated; leave it out, or use a kind that is drawn",
            )
        _examine_law(self.values, self.probabilities)
        if self.rows is not None and not (len(self.rows) == 2 and self.rows[0] < self.rows[1]):
            raise InputError("rows", f"{list(self.rows)} is not [first, end); give two rising row numbers")

    def _examine_layout(self) -> None:
        chosen = [key for key in ("item", "store", "id") if getattr(self, key) is not None]
        if self.layout is None and chosen:
            raise InputError(chosen[0], f"{getattr(self, chosen[0])!r} needs a layout, m5 or favorita; state it")
        if self.layout is None and self.column is None:
            raise InputError("column", "missing; name the column that holds demand, or the layout of the file")
        if self.layout is not None and self.column is not None:
            raise InputError("column", f"{self.column!r} does not go with layout {self.layout}; name an item or store")
        if self.layout is not None and not chosen:
            raise InputError("item", f"missing; layout {self.layout} holds many series: name an item, a store or both")
        if "id" in chosen and (self.layout == "favorita" or len(chosen) > 1):
            raise InputError("id", f"{self.id!r} names one series of an M5 file by itself; leave it out, or all else")

    @property
    def has_law(self) -> bool:
        """Whether each period is drawn from a law, not stated or recorded."""
        return self.kind not in ("deterministic", "trace")

    @property
    def is_drawn_anew(self) -> bool:
        """Whether each period is drawn from a law of its own, whatever happens in the others."""
        return self.has_law and not self.has_memory

    @property
    def random_shocks(self) -> tuple[Shock, ...]:
        """The shocks that come by chance."""
        return tuple(shock for shock in self.shocks if shock.period is None)

    @property
    def has_memory(self) -> bool:
        """Whether a period tells of another one, so that demand over several is more than a sum of their laws."""
        return bool(self.autocorrelation or self.random_shocks or self.regimes or self.level_sd)


def _shares(field: str, value: Any) -> dict[str, float]:
    if isinstance(value, (list, tuple)):
        names = listing(text, at_least=1)(field, value)
        if len(set(names)) < len(names):
            raise InputError(field, f"{list(names)} names a market twice; name each once, or give shares")
        return mapping(number())(field, dict.fromkeys(names, 1 / len(names)))
    return mapping(number(above=0, high=1))(field, value)


@dataclass(frozen=True)
class Family(Settings):
    """Demand for a family of products, drawn once and split over the markets of its variants.

    `markets` names the variants' stages, equally popular, or gives each its share of the family's demand. In integer
    units every customer chooses by the shares (multinomial), in real units the shares divide demand. `spread` makes the
    shares of a period themselves random (Dirichlet) with variance share x (1 - share) x spread; `share_drift` lets
    preferences wander, the logarithm of each share by a normal step of that deviation per period.
    """

    markets: Mapping[str, float] = setting(_shares)
    demand: Demand = setting(record(Demand))
    spread: float = setting(number(0, 0.999), 0)
    share_drift: float = setting(number(0, 10), 0)

    def examine(self):
        if len(self.markets) < 2:
            raise InputError("markets", f"{list(self.markets)} is no family; name at least two stages with a market")
        if abs(sum(self.markets.values()) - 1) > 1e-9:
            raise InputError("markets", f"shares sum to {sum(self.markets.values()):g}; make them sum to 1")


@dataclass(frozen=True)
class Variant(Settings):
    """What a market asks for of its family's demand: the part number `place` of all `shares`."""

    family: str = setting(text)
    demand: Demand = setting(record(Demand))
    shares: tuple[float, ...] = setting(listing(_share))
    place: int = setting(_periods)
    spread: float = setting(_share, 0)
    share_drift: float = setting(number(0), 0)

    @property
    def share(self) -> float:
        """Its share of the family's demand, at first where shares drift."""
        return self.shares[self.place]

    @property
    def has_law(self) -> bool:
        """Whether its family's demand is drawn from a law, not stated or recorded."""
        return self.demand.has_law

    def to_dict(self) -> dict[str, Any]:
        return {"family": self.family, "share": self.share, **self.demand.to_dict()}


@dataclass(frozen=True)
class Race(Settings):
    """Exponential times that race: in every period one thing happens, with probability its rate over the sum of all.

    Where a market of `markets` wins, one unit is asked for there; where a source of `sources` wins, it may start. In
    all other periods the market has no demand and the source starts nothing. `pushpull.envs.race` has the theory.
    """

    markets: Mapping[str, float] = setting(mapping(number(above=0)))
    sources: Mapping[str, float] = setting(mapping(number(above=0)))

    def examine(self):
        if len(self.markets) + len(self.sources) < 2:
            raise InputError("markets", "a race of fewer than two; give rates of markets, of sources or of both")


class Process(NamedTuple):
    """Demand that is drawn together: a market's own, or a family's; `markets` are numbers in `Network.markets`."""

    field: str
    family: Family | None
    markets: tuple[int, ...]


FORECAST_KINDS: dict[str, tuple[str, ...]] = {
    "true_mean": (),
    "noisy": ("bias", "error", "error_growth"),
    "mmfe": ("bias", "error", "error_growth", "resolved"),
    "moving_average": ("window",),
    "exponential_smoothing": ("alpha",),
    "holt_winters": ("alpha", "beta", "gamma", "season_length"),
    "none": (),
}


@dataclass(frozen=True)
class Forecast(Settings):
    """What is foreseen of a market's demand, `horizon` periods from the current one on.

    ``true_mean`` is the mean of the process; ``noisy`` is the truth plus a `bias` and an error, both relative to the
    mean: the error's standard deviation is `error` for the current period, grows by `error_growth` of that per further
    period and is revised every period; ``mmfe`` is the mean of demand given what is known by then, the martingale model
    of forecast evolution (Heath & Jackson 1994), times 1 + `bias`: its error is stated as for ``noisy``, up to demand's
    own deviation, or by the shares of demand's variance that are `resolved` 0, 1, ... periods ahead. The others
    extrapolate the history, ``none`` is 0.
    `FORECAST_KINDS` lists the keys of each kind.
    """

    kind: str = setting(choice(*FORECAST_KINDS), "true_mean")
    horizon: int = setting(number(1, whole=True), 1)
    bias: float = setting(number(-1, 10), 0)
    error: float = setting(number(0), 0)
    error_growth: float = setting(number(0), 0)
    resolved: tuple[float, ...] | None = setting(optional(listing(_share, at_least=1)), None)
    window: int = setting(number(1, whole=True), 4)
    alpha: float = setting(_share, 0.2)
    beta: float = setting(_share, 0.1)
    gamma: float = setting(_share, 0.1)
    season_length: int = setting(number(1, whole=True), 1)

    def examine(self):
        own = FORECAST_KINDS[self.kind]
        for key in self.to_dict():
            if key not in ("kind", "horizon", *own):
                takes = f"takes {', '.join(own)}" if own else "takes none"
                raise InputError(key, f"{getattr(self, key)!r} does not go with kind {self.kind}, which {takes}")
        if self.resolved is not None:
            shares = list(self.resolved)
            if self.error or self.error_growth:
                raise InputError("resolved", f"{shares} says what error says too; state one of the two")
            if len(shares) != self.horizon:
                raise InputError("resolved", f"{len(shares)} shares for horizon {self.horizon}; give one per period")
            if shares != sorted(shares, reverse=True):
                raise InputError("resolved", f"{shares} rises; less is known of periods farther ahead, so let it fall")


def _stockout(field: str, value: Any) -> str | Mapping[str, float]:
    if isinstance(value, Mapping):
        if set(value) != {"partial"}:
            raise InputError(field, f"{dict(value)!r} is unknown; write backorder, lost or {{partial: share}}")
        return {"partial": _share(f"{field}.partial", value["partial"])}
    if value not in ("backorder", "lost"):
        raise InputError(field, f"{value!r} is unknown; write backorder, lost or {{partial: share}}")
    return value


@dataclass(frozen=True)
class Goodwill(Settings):
    """How service feeds back on demand: a factor on it, 1 at first, that stays between `floor` and 1.

    A period in which a share of what was due is not shipped lowers the factor by `loss` times that share; one in which
    all that was due is shipped raises it by `gain`; one in which nothing was due leaves it.
    """

    loss: float = setting(_share)
    gain: float = setting(_share)
    floor: float = setting(_share, 0)


@dataclass(frozen=True)
class Promotion(Settings):
    """What a campaign at a market does, at an intensity from 0 to 1 that the agent sets in every period.

    It costs `cost` x intensity, and adds the share `lift` x intensity to the period's demand. Of the units it adds, the
    share `borrow` is bought ahead of need: they are taken back from the demand of the next `over` periods, as many from
    each. A period whose demand is less gives what it has and leaves the rest to the next, as do parts of a unit in
    integer units, so that over time all that was borrowed is taken back (the dip after a promotion: Blattberg, Briesch
    & Fox 1995, Marketing Science 14(3)).
    """

    cost: float = setting(_money)
    lift: float = setting(number(0, 100))
    borrow: float = setting(_share, 0)
    over: int = setting(number(1, 100, whole=True), 1)

    def examine(self):
        if "over" in self.to_dict() and not self.borrow:
            raise InputError("over", f"{self.over} periods give nothing back; state borrow, or leave it out")


@dataclass(frozen=True)
class Returns(Settings):
    """What customers send back `lag` periods after it was shipped.

    `share` is the share of all units shipped. `reasons` tells two apart instead: the share of units shipped late that
    come back because they were ``late``, and of all units shipped for a ``defect``. Of what comes back, the share
    `resalable` joins the stock and the rest is scrapped; every unit costs `cost` when it comes back.
    """

    share: float | None = setting(optional(_share), None)
    reasons: Mapping[str, float] | None = setting(optional(mapping(_share)), None)
    lag: int = setting(number(1, 100, whole=True), 1)
    resalable: float = setting(_share, 0)
    cost: float = setting(_money, 0)

    def examine(self):
        if (self.share is None) == (self.reasons is None):
            raise InputError("share", f"{self.share} with reasons {self.reasons}; state one of the two")
        for reason in self.reasons or ():
            if reason not in RETURN_REASONS:
                raise InputError(f"reasons.{reason}", f"unknown reason; {suggest(reason, RETURN_REASONS)}")
        if sum((self.reasons or {}).values()) > 1:
            raise InputError(
                "reasons", f"they sum to {sum((self.reasons or {}).values()):g}; no more comes back than went"
            )

    @property
    def by_reason(self) -> tuple[float, float]:
        """Shares that come back: of units shipped late, and of all."""
        reasons = self.reasons or {}
        return reasons.get("late", 0.0), reasons.get("defect", 0.0) if self.share is None else self.share


@dataclass(frozen=True)
class Market(Settings):
    """The customers of a stage: their demand, what they pay, and what happens to demand that is not met.

    `tolerance` is how many periods they accept to wait for an order; it is what production time is held against
    (`pushpull.envs.decoupling.production_to_delivery`) and changes nothing else. `patience` is after how many periods
    they leave: a unit that is due in period t and not shipped by the end of period t + patience is lost. `satisfaction`
    scores a unit from 1 to 5 by the periods it came late: the first entry is on time, the last holds for all later.
    `order_lead` lists the shares of demand that are ordered 0, 1, ... periods before they are due; of what is booked
    and not yet due, the share `cancellation` is cancelled every period, on top of demand.
    """

    demand: Demand | None = setting(optional(record(Demand)), None)
    forecast: Forecast = setting(record(Forecast), Forecast())
    price: float = setting(_money, 0)
    stockout: str | Mapping[str, float] = setting(_stockout, "backorder")
    backorder_cost: float = setting(_money, 0)
    lost_sale_cost: float = setting(_money, 0)
    tolerance: float | None = setting(optional(number(0)), None)
    patience: int | None = setting(optional(number(0, 100, whole=True)), None)
    satisfaction: tuple[int, ...] | None = setting(optional(listing(number(1, 5, whole=True), at_least=1)), None)
    order_lead: tuple[float, ...] | None = setting(optional(listing(_share, at_least=1)), None)
    cancellation: float = setting(number(0, 0.9), 0)
    goodwill: Goodwill | None = setting(optional(record(Goodwill)), None)
    returns: Returns | None = setting(optional(record(Returns)), None)
    promotion: Promotion | None = setting(optional(record(Promotion)), None)

    def examine(self):
        if self.patience is not None and self.waiting_share == 0:
            raise InputError(
                "patience", f"{self.patience} says how long customers wait, but none does; use stockout: backorder"
            )
        if self.satisfaction is not None and list(self.satisfaction) != sorted(self.satisfaction, reverse=True):
            raise InputError(
                "satisfaction",
                f"{list(self.satisfaction)} rises; nobody likes late units better, let it fall",
            )
        if self.order_lead is not None and abs(sum(self.order_lead) - 1) > 1e-9:
            raise InputError("order_lead", f"its shares sum to {sum(self.order_lead):g}; make them sum to 1")
        if self.cancellation and not self.booked_ahead:
            raise InputError(
                "cancellation",
                f"{self.cancellation} of nothing, since none orders ahead; state order_lead, or leave out",
            )
        for key in ("goodwill", "promotion"):
            stated = getattr(self, key)
            if stated and self.booked_ahead:
                raise InputError(
                    key, f"{stated.to_dict()} would change orders that are booked; leave out order_lead, or it"
                )
        if self.booked_ahead >= self.forecast.horizon and self.forecast.kind != "none":
            raise InputError(
                "forecast.horizon",
                f"{self.forecast.horizon} does not reach all of what is booked; give at least {self.booked_ahead + 1}, "
                "one more than the longest order_lead",
            )
        if self.forecast.kind == "mmfe" and self.demand is not None and not self.demand.is_drawn_anew:
            reason = f"is of kind {self.demand.kind}" if not self.demand.has_law else "remembers other periods"
            raise InputError(
                "forecast.kind",
                f"'mmfe' reveals demand that is drawn anew in every period, but demand {reason}; use kind: noisy",
            )

    @property
    def waiting_share(self) -> float:
        """Share of newly unmet units that waits: 1 backorder, 0 lost."""
        return self.stockout["partial"] if isinstance(self.stockout, Mapping) else float(self.stockout == "backorder")

    @property
    def booked_ahead(self) -> int:
        """Periods before they are due in which the first orders are booked."""
        return 0 if self.order_lead is None else len(self.order_lead) - 1

    @property
    def tells_waits(self) -> bool:
        """Whether units are told apart by how late they are."""
        return self.patience is not None or self.satisfaction is not None

    @property
    def ages(self) -> int:
        """Periods late, from 1 on, that units still owed are told apart by; the last may hold all later ones."""
        if not self.tells_waits or self.waiting_share == 0:
            return 0
        return LONGEST_WAIT if self.patience is None else self.patience


@dataclass(frozen=True)
class Stage(Settings):
    """A stock point for one item; replenished by its sources, drawn on by others and by its market.

    At the end of a period, before costs are charged, stock loses a share `obsolescence` (rounded half to even in
    integer units), or what has reached the age of `shelf_life` periods: it is received at age 0, ages by one at the end
    of each period, and leaves oldest first whoever draws on it.

    Above `storage_capacity`, `overflow` says what happens to a unit: ``hold`` keeps it, ``scrap`` writes it off at the
    end of the period, after what is obsolete, ``block`` lets it wait outside, in its pipeline, until a receive event
    finds room. Each such unit costs `overflow_cost`, held and blocked ones in every period. Each unit written off, for
    whatever reason, costs `obsolescence_cost`. What is left after the last period of an episode earns `salvage_value` a
    unit, or costs it where it is negative.

    Agents see the stage as it was `information_delay` periods ago; where it states none, the network's counts.
    """

    initial_on_hand: float = setting(_units, 0)
    initial_owed: float = setting(_units, 0)
    holding_cost: float = setting(_money, 0)
    obsolescence: float = setting(_share, 0)
    shelf_life: int | None = setting(optional(number(1, whole=True)), None)
    obsolescence_cost: float = setting(_money, 0)
    storage_capacity: float = setting(number(0, infinite=True), float("inf"))
    overflow: str = setting(choice(*OVERFLOWS), "hold")
    overflow_cost: float = setting(_money, 0)
    salvage_value: float = setting(number(), 0)
    information_delay: int | None = setting(optional(_periods), None)
    sources: tuple[Source, ...] = setting(records(Source), ())
    market: Market | None = setting(optional(record(Market)), None)

    def examine(self):
        self._examine_stock()
        if not self.sources:
            raise InputError("sources", "empty; a stage needs at least one source (without inputs: outside supply)")
        if self.initial_owed and (self.market is None or self.market.waiting_share == 0):
            raise InputError("initial_owed", f"{self.initial_owed} needs a market that backorders; set it to 0")
        if self.initial_owed and self.market is not None and self.market.patience == 0:
            raise InputError("initial_owed", f"{self.initial_owed} needs customers who wait; set it to 0")

    def _examine_stock(self):
        if self.shelf_life is not None and self.obsolescence:
            raise InputError(
                "obsolescence", f"{self.obsolescence} beside shelf_life {self.shelf_life}; state one of the two"
            )
        if self.obsolescence_cost and not self.writes_off:
            problem = f"{self.obsolescence_cost} but nothing is written off; state obsolescence, shelf_life or overflow"
            raise InputError("obsolescence_cost", problem)
        for key in ("overflow", "overflow_cost"):
            if key in self.to_dict() and self.storage_capacity == float("inf"):
                raise InputError(key, f"{getattr(self, key)!r} but no storage_capacity; state it, or leave {key} out")
        if self.overflow == "block" and self.initial_on_hand > self.storage_capacity:
            raise InputError(
                "initial_on_hand",
                f"{self.initial_on_hand} is above storage_capacity {self.storage_capacity}, which blocks; give less",
            )

    @property
    def writes_off(self) -> bool:
        """Whether stock may leave without being used or sold."""
        return bool(self.obsolescence or self.shelf_life) or (self.limits_storage and self.overflow == "scrap")

    @property
    def limits_storage(self) -> bool:
        """Whether there is an end to what the stage can store."""
        return self.storage_capacity < float("inf")


def _correlation(field: str, value: Any) -> float | tuple[tuple[float, ...], ...]:
    entry = number(-1, 1)
    return listing(listing(entry))(field, value) if isinstance(value, (list, tuple)) else entry(field, value)


def _sequence(field: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or tuple(value) not in SEQUENCES.values():
        legal = "; ".join(str(list(sequence)) for sequence in SEQUENCES.values())
        raise InputError(field, f"{value!r} is not a legal sequence of events; use one of {legal}")
    return tuple(value)


@dataclass(frozen=True)
class Network(Settings):
    """A push-pull supply chain.

    Index i runs over stages as declared, j over all sources in the order of their stages. `horizon` is the length of
    an episode in periods; it truncates, unless `horizon_is_real`, when the end of the world is part of the problem.
    `families` are markets that share one demand; `demand_correlation` is one coefficient between all that is drawn, or
    a matrix with a row for each market that stands alone and each family, in the order of their first markets. `race`
    makes of a period one event of a continuous-time chain.

    Raises
    ------
    InputError
        For a key, value or combination that cannot be used; the message names the field, the value and the fix.
    """

    stages: Mapping[str, Stage] = setting(mapping(record(Stage)))
    information_delay: int = setting(_periods, 0)
    resources: Mapping[str, Resource] | None = setting(optional(mapping(record(Resource))), None)
    families: Mapping[str, Family] | None = setting(optional(mapping(record(Family))), None)
    demand_correlation: float | tuple[tuple[float, ...], ...] | None = setting(optional(_correlation), None)
    race: Race | None = setting(optional(record(Race)), None)
    name: str = setting(text, "network")
    description: str = setting(text, "no description")
    sequence: tuple[str, ...] = setting(_sequence, SEQUENCES["pull_after_demand"])
    units: str = setting(choice("integer", "real"), "integer")
    rounding: str = setting(choice("round", "truncate"), "round")
    allocation: str = setting(choice("proportional", "priority"), "proportional")
    decoupling_point: tuple[str, ...] | None = setting(optional(listing(text, at_least=1)), None)
    horizon: int = setting(number(1, whole=True), 100)
    horizon_is_real: bool = setting(flag, False)
    warm_up: int = setting(_periods, 0)
    discount: float = setting(number(0, 1), 1)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> Network:
        """Build a network from the mapping that a network file holds."""
        return build(cls, d, "network")

    @classmethod
    def from_yaml(cls, path: str | Path) -> Network:
        """Read a network file; a demand trace is looked for beside it first."""
        path = Path(path)
        try:
            content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
        except FileNotFoundError:
            raise InputError("network", f"no file {str(path)!r}; give the path of a network file") from None
        except OSError as error:
            raise InputError(
                "network", f"{str(path)!r} cannot be read ({error.strerror}); give the path of a network file"
            ) from None
        except UnicodeDecodeError:
            raise InputError("network", f"{str(path)!r} is not text; save it as UTF-8") from None
        except yaml.YAMLError as error:
            raise InputError(
                "network", f"{str(path)!r} is not YAML: {' '.join(str(error).split())}; mend the file"
            ) from None
        network = build(cls, content, str(path))
        return network.with_traces_in(path.parent)

    def with_traces_in(self, folder: Path) -> Network:
        """Return the network with trace files found in `folder` named by their full path."""

        def locate(demand: Demand) -> Demand:
            there = demand.file and (folder / demand.file).is_file()
            return replace(demand, file=str((folder / demand.file).resolve())) if there else demand

        def in_stage(stage: Stage) -> Stage:
            if stage.market is None or stage.market.demand is None:
                return stage
            return replace(stage, market=replace(stage.market, demand=locate(stage.market.demand)))

        stages = {name: in_stage(stage) for name, stage in self.stages.items()}
        families = {name: replace(own, demand=locate(own.demand)) for name, own in (self.families or {}).items()}
        return replace(self, stages=stages, families=families or None)

    def with_decoupling_point(self, point: str | Sequence[str] | None) -> Network:
        """Return the network decoupled elsewhere; None keeps it as it is."""
        return self if point is None else replace(self, decoupling_point=point)

    def examine(self):
        if not self.stages:
            raise InputError("stages", "empty; declare at least one stage")
        for point in self.decoupling_point or ():
            known = [*self.stages, *POINT_WORDS]
            if point not in known:
                raise InputError("decoupling_point", f"{point!r} names no stage; {suggest(point, known)}")
            if point not in self.stages and len(self.decoupling_point or ()) > 1:
                raise InputError(
                    "decoupling_point", f"{list(self.decoupling_point or ())}: {point!r} speaks for all; give it alone"
                )
        for name, stage in self.stages.items():
            if name in (*POINT_WORDS, EVERY_BOUNDARY):
                raise InputError(f"stages.{name}", f"{name!r} is a decoupling point's own word; rename the stage")
            for k, source in enumerate(stage.sources):
                try:
                    self._examine_source(name, source)
                except InputError as error:
                    raise error.within(f"stages.{name}.sources[{k}]") from None
            if self.units == "integer":
                for key in ("initial_on_hand", "initial_owed"):
                    _require_whole(f"stages.{name}.{key}", getattr(stage, key))
            if stage.salvage_value and not self.horizon_is_real:
                raise InputError(
                    f"stages.{name}.salvage_value",
                    f"{stage.salvage_value} needs an end to be paid at; set horizon_is_real: true, or leave it out",
                )
        if self.warm_up >= self.horizon:
            raise InputError("warm_up", f"{self.warm_up} leaves nothing of horizon {self.horizon}; give less")
        if not self.markets:
            raise InputError("stages", "no stage has a market; give at least one stage a market")
        self._examine_families()
        self._examine_race()
        self._examine_resources()
        self.correlation  # noqa: B018  refuses a matrix that is none
        self.stage_order  # noqa: B018  refuses a cycle
        for j, source in enumerate(self.sources):
            asked = [market for market, units in zip(self.markets.values(), self._orders_on(j), strict=True) if units]
            where = f"stages.{self.stage_names[self.source_stage[j]]}.sources[{self._place[j]}]"
            try:
                source.examine_mode(self.modes[j])
            except InputError as error:
                raise error.within(where) from None
            if source.counts_orders and all(market.order_lead is None for market in asked):
                raise InputError(
                    f"{where}.{'spikes' if source.spikes else 'advance_position'}",
                    "no market that this position answers to takes orders ahead; state its order_lead, "
                    "or use basis: echelon",
                )
            for field, over in (("over", source.over), ("cards.over", source.cards and source.cards.over)):
                for stage in over or ():
                    if self.requirements[self.source_stage[j], self.stage_names.index(stage)] == 0:
                        own = self.stage_names[self.source_stage[j]]
                        raise InputError(f"{where}.{field}", f"{stage!r} is not downstream of {own!r}; leave it out")

    def _examine_resources(self) -> None:
        used = {source.resource for source in self.sources}
        for name, resource in (self.resources or {}).items():
            if name not in used:
                raise InputError(
                    f"resources.{name}", "no source runs on it; name it as a source's resource, or remove it"
                )
            if self.units == "integer":
                for key in ("capacity", "changeover_loss"):
                    _require_whole(f"resources.{name}.{key}", getattr(resource, key))

    def _examine_resource(self, source: Source) -> None:
        resources = self.resources or {}
        if source.resource is None:
            return
        if source.resource not in resources:
            hint = suggest(source.resource, resources) if resources else "state resources: {name: {capacity: ...}}"
            raise InputError("resource", f"{source.resource!r} is no resource of the network; {hint}")
        if self.units == "integer":
            _require_whole("resource_use", source.resource_use)
            resource = resources[source.resource]
            left = resource.capacity - resource.changeover_loss
            if source.resource_use > left:
                raise InputError(
                    "resource_use", f"{source.resource_use} is more than the {left} that a changeover leaves; give less"
                )

    def _examine_families(self) -> None:
        members: dict[str, str] = {}
        for family, settings in (self.families or {}).items():
            for name in settings.markets:
                field = f"families.{family}.markets.{name}"
                if name not in self.stages or self.stages[name].market is None:
                    markets = [self.stage_names[i] for i in self.markets]
                    raise InputError(field, f"{name!r} is no stage with a market; {suggest(name, markets)}")
                if name in members:
                    raise InputError(field, f"{name!r} is of family {members[name]!r} already; leave it out of one")
                members[name] = family
        for i, market in self.markets.items():
            name = self.stage_names[i]
            if name in members and market.demand is not None:
                raise InputError(
                    f"stages.{name}.market.demand",
                    f"{name!r} takes its part of family {members[name]!r}; leave its own demand out, or the family's",
                )
            if name in members and market.forecast.kind == "mmfe":
                raise InputError(
                    f"stages.{name}.market.forecast.kind",
                    f"'mmfe' reveals demand of a law of its own, but {name!r} takes its part of family "
                    f"{members[name]!r}; use kind: noisy",
                )

    def _examine_race(self) -> None:
        if (race := self.race) is None:
            return
        markets = {self.stage_names[i]: market for i, market in self.markets.items()}
        for name in race.markets:
            if name not in markets:
                raise InputError(
                    f"race.markets.{name}", f"{name!r} is no stage with a market; {suggest(name, markets)}"
                )
            market, at = markets[name], f"stages.{name}.market"
            if market.demand is not None or any(name in family.markets for family in (self.families or {}).values()):
                raise InputError(f"{at}.demand", f"{name!r} is asked for a unit where it wins the race; leave it out")
            if market.forecast.kind == "mmfe":
                raise InputError(f"{at}.forecast.kind", "'mmfe' reveals who wins the race; use kind: true_mean")
        for name in race.sources:
            if name not in self.source_names:
                raise InputError(f"race.sources.{name}", f"{name!r} is no source; {suggest(name, self.source_names)}")
            source = self.sources[self.source_names.index(name)]
            for key, stated in (("capacity_share", source.capacity_share), ("disruption", source.disruption)):
                if stated is not None:
                    raise InputError(f"race.sources.{name}", f"its {key} says too when it may start; leave out one")
        if race.markets and self.demand_correlation is not None:
            raise InputError(
                "demand_correlation", "who wins a race says already how its markets go together; leave out"
            )

    def _examine_source(self, name: str, source: Source) -> None:
        for field, stages in (
            ("inputs", source.inputs),
            ("over", source.over),
            ("cards.over", source.cards and source.cards.over),
        ):
            for stage in stages or ():
                if stage not in self.stages:
                    raise InputError(field, f"{stage!r} is no stage; {suggest(stage, self.stages)}")
        self._examine_resource(source)
        if name in source.inputs:
            raise InputError("inputs", f"{name!r} needs itself; a network has no cycles, so leave it out")
        if source.mode is None and self.decoupling_point is None:
            raise InputError(
                "mode", "missing, and the network has no decoupling_point to imply it; state one of the two"
            )
        if self.units == "integer":
            for stage, units in source.inputs.items():
                _require_whole(f"inputs.{stage}", units)
            for k, units in enumerate(source.initial_pipeline):
                _require_whole(f"initial_pipeline[{k}]", units)
            if source.lot.Q is not None:
                _require_whole("lot.Q", source.lot.Q)
            if source.load is not None:
                _require_whole("load.size", source.load.size)
            most = {"capacity": source.capacity, "max_order": source.max_order}
            most |= {"overtime.capacity": source.overtime.capacity} if source.overtime else {}
            for key, units in most.items():
                if units < 1:
                    raise InputError(key, f"{units} is less than a unit, but units are integer; give at least 1")

    # --- what follows from the settings -----------------------------------------------------------------------

    @cached_property
    def stage_names(self) -> tuple[str, ...]:
        """Names of the N stages, as declared."""
        return tuple(self.stages)

    @cached_property
    def source_names(self) -> tuple[str, ...]:
        """Names of the J sources: the stage, or stage/0, stage/1 where it has several."""
        return tuple(
            name if len(stage.sources) == 1 else f"{name}/{k}"
            for name, stage in self.stages.items()
            for k in range(len(stage.sources))
        )

    @cached_property
    def _place(self) -> tuple[int, ...]:
        return tuple(k for stage in self.stages.values() for k in range(len(stage.sources)))

    @cached_property
    def source_stage(self) -> tuple[int, ...]:
        """Stage index of each source."""
        return tuple(i for i, stage in enumerate(self.stages.values()) for _ in stage.sources)

    @cached_property
    def sources_of(self) -> tuple[tuple[int, ...], ...]:
        """Source indices of each stage, in declaration order."""
        own: list[list[int]] = [[] for _ in self.stages]
        for j, i in enumerate(self.source_stage):
            own[i].append(j)
        return tuple(tuple(sources) for sources in own)

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """All J sources."""
        return tuple(source for stage in self.stages.values() for source in stage.sources)

    @cached_property
    def modes(self) -> tuple[str, ...]:
        """Mode of each source: stated, or implied by the decoupling point."""
        points = self.decoupling_point or (ALL_PULL,)
        pushing, other = self.pushing_stages(points), "mixed" if LEARNED in points else "pull"
        return tuple(
            source.mode or ("push" if name in pushing else other)
            for name, stage in self.stages.items()
            for source in stage.sources
        )

    @cached_property
    def cost_terms(self) -> tuple[str, ...]:
        """Names of the terms that cost is the sum of: the common ones, and those of features that are stated."""
        return (*COMMON_COST_TERMS, *(term for term, stated in FEATURE_COST_TERMS.items() if stated(self)))

    @cached_property
    def action_columns(self) -> tuple[tuple[str, ...], ...]:
        """For each source, which of `ACTION_COLUMNS` the agent sets."""
        return tuple(
            ("quantity",) * (mode != "pull")
            + ("threshold",) * (mode != "push")
            + ("gap",) * (mode != "push" and source.lot.rule == "s_S" and source.lot.gap is None)
            for source, mode in zip(self.sources, self.modes, strict=True)
        )

    @cached_property
    def pipeline_rows(self) -> tuple[int, ...]:
        """Rows of each source's pipeline: what is due in 0 to lead_time periods."""
        return tuple(source.lead_time + 1 for source in self.sources)

    @cached_property
    def information_delays(self) -> tuple[int, ...]:
        """Periods after which agents see what happened at each stage."""
        return tuple(
            self.information_delay if stage.information_delay is None else stage.information_delay
            for stage in self.stages.values()
        )

    @cached_property
    def resource_names(self) -> tuple[str, ...]:
        """Names of the R resources, as declared."""
        return tuple(self.resources or ())

    @cached_property
    def resource_of(self) -> tuple[int, ...]:
        """Resource index of each source; -1 where it runs on none."""
        return tuple(
            -1 if source.resource is None else self.resource_names.index(source.resource) for source in self.sources
        )

    @cached_property
    def resource_users(self) -> tuple[tuple[int, ...], ...]:
        """For each resource, the sources that run on it, in stage order, then declaration order."""
        ordered = [j for i in self.stage_order for j in self.sources_of[i]]
        return tuple(tuple(j for j in ordered if self.resource_of[j] == r) for r in range(len(self.resource_names)))

    @cached_property
    def shelf_lives(self) -> tuple[int, ...]:
        """Ages at which stock of each stage is told apart; 0 where it does not age."""
        return tuple(stage.shelf_life or 0 for stage in self.stages.values())

    @cached_property
    def writes_off(self) -> bool:
        """Whether any stage's stock may leave without being used or sold."""
        return any(stage.writes_off for stage in self.stages.values())

    @cached_property
    def limits_storage(self) -> bool:
        """Whether there is an end to what any stage can store."""
        return any(stage.limits_storage for stage in self.stages.values())

    @cached_property
    def order_delays(self) -> tuple[int, ...]:
        """Periods an order of each source travels; a source that pushes has no orders to delay."""
        return tuple(
            source.order_delay if mode == "pull" else 0 for source, mode in zip(self.sources, self.modes, strict=True)
        )

    @cached_property
    def book_rows(self) -> tuple[int, ...]:
        """Rows of each market's book of orders, one per period that orders may be due in."""
        return tuple(market.booked_ahead for market in self.markets.values())

    @cached_property
    def counts_after_demand(self) -> bool:
        """Whether triggers count the book after the period's demand, so that its first row is due a period later."""
        return self.sequence.index("pull") > self.sequence.index("demand")

    @cached_property
    def counted_orders(self) -> tuple[tuple[tuple[int, float], ...], ...]:
        """For each source, pairs (row of the book, units of its stage) of the booked orders that its trigger counts."""
        counted: list[tuple[tuple[int, float], ...]] = []
        first = np.cumsum([0, *self.book_rows])
        for j, source in enumerate(self.sources):
            own: list[tuple[int, float]] = []
            reach = source.spikes.horizon if source.spikes else source.advance_position
            if source.counts_orders and self.modes[j] != "push":
                for m, (units, market) in enumerate(zip(self._orders_on(j), self.markets.values(), strict=True)):
                    rows = min(market.booked_ahead, reach if self.counts_after_demand else reach + 1)
                    own += [(int(first[m]) + row, units) for row in range(rows) if units]
            counted.append(tuple(own))
        return tuple(counted)

    def _orders_on(self, j: int) -> list[float]:
        """Units of source j's stage that a unit ordered at each market takes off its position."""
        i, echelon = self.source_stage[j], self.sources[j].basis == "echelon"
        return [float(self.requirements[i, k]) if echelon else float(k == i) for k in self.markets]

    @cached_property
    def returning(self) -> dict[int, Returns]:
        """What customers send back, by the index of the stage that sold it."""
        return {i: market.returns for i, market in self.markets.items() if market.returns is not None}

    @cached_property
    def return_lags(self) -> tuple[int, ...]:
        """Periods that returns take, of each stage that has them."""
        return tuple(returns.lag for returns in self.returning.values())

    @cached_property
    def remembered(self) -> dict[int, Goodwill]:
        """How customers remember their service, by the index of the stage that serves them."""
        return {i: market.goodwill for i, market in self.markets.items() if market.goodwill is not None}

    @cached_property
    def promoting(self) -> dict[int, Promotion]:
        """What campaigns do at the P markets that state it, by the index of the stage that serves them."""
        return {i: market.promotion for i, market in self.markets.items() if market.promotion is not None}

    @cached_property
    def borrowing(self) -> tuple[int, ...]:
        """Periods that campaigns borrow from, at each market that has them."""
        return tuple(promotion.over for promotion in self.promoting.values())

    @cached_property
    def ages(self) -> tuple[int, ...]:
        """Rows of each market's backorders by age."""
        return tuple(market.ages for market in self.markets.values())

    @cached_property
    def disrupted_sources(self) -> tuple[int, ...]:
        """Sources that state when they are down."""
        return tuple(j for j, s in enumerate(self.sources) if s.disruption is not None and s.disruption.happens)

    @cached_property
    def draws_availability(self) -> bool:
        """Whether any source is down, or short of capacity, by chance or by schedule."""
        return (
            bool(self.disrupted_sources)
            or any(source.capacity_share is not None for source in self.sources)
            or bool(self.race is not None and self.race.sources)
        )

    @cached_property
    def open_shares(self) -> np.ndarray:
        """Share of the horizon's periods in which each source can start, or take orders, at all, [J], on average."""
        return np.array(
            [source.disruption.open_share(self.horizon) if source.disruption else 1.0 for source in self.sources]
        )

    @cached_property
    def random_lead_times(self) -> tuple[int, ...]:
        """Sources whose lead time is drawn."""
        return tuple(j for j, source in enumerate(self.sources) if source.lead_time_law is not None)

    @cached_property
    def overtime_sources(self) -> tuple[int, ...]:
        """Sources that may work overtime."""
        return tuple(j for j, source in enumerate(self.sources) if source.overtime is not None)

    @cached_property
    def has_economies(self) -> bool:
        """Whether any source has price breaks, loads or overtime."""
        return any(source.price_breaks or source.load or source.overtime for source in self.sources)

    @cached_property
    def yielding_sources(self) -> tuple[int, ...]:
        """Sources of which not all that is started turns out well."""
        return tuple(j for j, source in enumerate(self.sources) if source.yield_ is not None)

    def pushing_stages(self, points: Sequence[str]) -> set[str]:
        """Return the stages at and upstream of decoupling points: whose sources push unless they say otherwise."""
        if ALL_PUSH in points:
            return set(self.stages)
        found, frontier = set(), [point for point in points if point in self.stages]
        while frontier:
            name = frontier.pop()
            if name not in found:
                found.add(name)
                frontier += [stage for source in self.stages[name].sources for stage in source.inputs]
        return found

    @cached_property
    def inputs(self) -> tuple[tuple[tuple[int, float], ...], ...]:
        """For each source, pairs (stage index, units needed per unit made)."""
        place = {name: i for i, name in enumerate(self.stages)}
        return tuple(
            tuple((place[stage], units) for stage, units in source.inputs.items())
            for stage_settings in self.stages.values()
            for source in stage_settings.sources
        )

    @cached_property
    def stage_order(self) -> tuple[int, ...]:
        """Stage indices upstream first: repeatedly the first declared stage whose suppliers are all placed."""
        suppliers = [{m for j in self.sources_of[i] for m, _ in self.inputs[j]} for i in range(len(self.stages))]
        waiting = [len(needed) for needed in suppliers]
        customers: list[list[int]] = [[] for _ in suppliers]
        for i, needed in enumerate(suppliers):
            for m in needed:
                customers[m].append(i)
        ready = [i for i, count in enumerate(waiting) if count == 0]  # a heap: the first declared comes out first
        order: list[int] = []
        while ready:
            order.append(heapq.heappop(ready))
            for i in customers[order[-1]]:
                waiting[i] -= 1
                if waiting[i] == 0:
                    heapq.heappush(ready, i)
        if len(order) < len(suppliers):
            stuck = [self.stage_names[i] for i, count in enumerate(waiting) if count]
            raise InputError("stages", f"{stuck} form or wait on a cycle of inputs; remove one of their inputs")
        return tuple(order)

    @cached_property
    def users_of(self) -> tuple[tuple[int, ...], ...]:
        """For each stage, the sources that draw on it, in stage order, then declaration order."""
        users: list[list[int]] = [[] for _ in self.stages]
        for i in self.stage_order:
            for j in self.sources_of[i]:
                for m, _ in self.inputs[j]:
                    users[m].append(j)
        return tuple(tuple(own) for own in users)

    @cached_property
    def markets(self) -> dict[int, Market]:
        """The M markets by the index of their stage."""
        return {i: stage.market for i, stage in enumerate(self.stages.values()) if stage.market is not None}

    @cached_property
    def market_demands(self) -> dict[int, Demand | Variant | None]:
        """What each market asks for, by the index of its stage: its own demand, its part of a family's, or unknown."""
        parts: dict[str, Demand | Variant] = {
            name: Variant(family, own.demand, tuple(own.markets.values()), place, own.spread, own.share_drift)
            for family, own in (self.families or {}).items()
            for place, name in enumerate(own.markets)
        }
        parts |= {name: _bernoulli(self.chance("market", name)) for name in (self.race.markets if self.race else ())}
        return {i: parts.get(self.stage_names[i], market.demand) for i, market in self.markets.items()}

    @cached_property
    def racers(self) -> dict[tuple[str, str], float]:
        """Rate of each market and source in the race, by ("market", stage) and ("source", name)."""
        if self.race is None:
            return {}
        return {("market", name): rate for name, rate in self.race.markets.items()} | {
            ("source", name): rate for name, rate in self.race.sources.items()
        }

    def chance(self, kind: str, name: str) -> float:
        """Return the probability that a market or source wins a period's race."""
        return self.racers[kind, name] / sum(self.racers.values())

    @cached_property
    def processes(self) -> tuple[Process, ...]:
        """Demand that is drawn: of each market, and of each family where its first market stands."""
        numbers = {self.stage_names[i]: m for m, i in enumerate(self.markets)}
        found: dict[tuple[str, str], Process] = {}
        for i, demand in self.market_demands.items():
            name = self.stage_names[i]
            if isinstance(demand, Variant):
                family = (self.families or {})[demand.family]
                members = tuple(numbers[member] for member in family.markets)
                found["families", demand.family] = Process(f"families.{demand.family}", family, members)
            else:
                found["stages", name] = Process(f"stages.{name}.market", None, (numbers[name],))
        return tuple(found.values())

    @cached_property
    def correlation(self) -> np.ndarray | None:
        """Correlation of the normals behind the demand of the P `processes`, [P, P]; None where none is stated."""
        stated, many = self.demand_correlation, len(self.processes)
        if stated is None:
            return None
        parts = list(self.market_demands.values())
        first = [parts[process.markets[0]] for process in self.processes]
        drawn = np.array([demand is None or demand.has_law for demand in first])
        if isinstance(stated, tuple):
            matrix = np.array(stated) if [len(row) for row in stated] == [many] * many else np.empty((0, 0))
            if matrix.shape != (many, many):
                raise InputError("demand_correlation", f"not {many} rows of {many}; give one for each market or family")
            if (matrix != matrix.T).any() or (matrix.diagonal() != 1).any():
                raise InputError("demand_correlation", "not symmetric with a diagonal of 1; mend it")
            if ((matrix != np.eye(many)) & ~(drawn[:, None] & drawn)).any():
                raise InputError(
                    "demand_correlation", "demand that is stated or replayed has no part in it; put 0 there"
                )
        else:
            if drawn.sum() < 2:
                raise InputError("demand_correlation", f"{stated} lies between demands that are drawn; leave it out")
            matrix = np.where(drawn[:, None] & drawn, stated, 0.0)
            np.fill_diagonal(matrix, 1.0)
        least = np.linalg.eigvalsh(matrix).min()
        if least < 1e-9:
            raise InputError(
                "demand_correlation",
                f"{stated!r} is not positive definite (least eigenvalue {least:.3g}); give correlations nearer to 0",
            )
        return matrix

    @cached_property
    def requirements(self) -> np.ndarray:
        """Units of stage i in one unit of stage k along all paths, [N, N]; the largest where sources differ."""
        beta = np.eye(len(self.stages))
        for k in self.stage_order:
            largest: dict[int, float] = {}
            for j in self.sources_of[k]:
                for m, units in self.inputs[j]:
                    largest[m] = max(largest.get(m, 0), units)
            for m, units in largest.items():
                beta[:, k] += units * beta[:, m]
        return beta

    @cached_property
    def landed_costs(self) -> np.ndarray:
        """Money that a unit from each source costs with its inputs, each from its cheapest source, [J]."""
        landed = np.zeros(len(self.sources))
        for i in self.stage_order:
            for j in self.sources_of[i]:
                inputs = [units * min(landed[s] for s in self.sources_of[m]) for m, units in self.inputs[j]]
                landed[j] = self.sources[j].unit_cost + sum(inputs)
        return landed

    @cached_property
    def unit_values(self) -> np.ndarray:
        """Money tied up in a unit of each stage, [N]: its landed cost from the cheapest source.

        Where no source states a unit cost, the holding cost stands in for it, as if holding cost 100% a period.
        """
        if not any(source.unit_cost for source in self.sources):
            return np.array([float(stage.holding_cost) for stage in self.stages.values()])
        return np.array([min(self.landed_costs[j] for j in own) for own in self.sources_of])

    def stages_over(self, i: int, names: tuple[str, ...] | None) -> tuple[int, ...]:
        """Indices of the stages a physical position of stage i looks at: those named, or the stage itself."""
        return tuple(sorted({self.stage_names.index(name) for name in names})) if names else (i,)

    def rounded(self, units: float) -> float:
        """Round a fixed quantity as the agent's are rounded, in integer units."""
        if self.units == "real":
            return units
        return float(np.round(units) if self.rounding == "round" else np.trunc(units))


def _bernoulli(probability: float) -> Demand:
    """Return a demand of one unit with a probability, else of none."""
    return Demand(kind="empirical", values=(0, 1), probabilities=(1 - probability, probability))


class _UniqueKeys(yaml.SafeLoader):
    """Reads YAML, and refuses a key that stands twice where YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        for k, (key, _) in enumerate(node.value):
            if any(key.value == other.value and key.tag == other.tag for other, _ in node.value[:k]):
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
        return super().construct_mapping(node, deep)


def _require_whole(field: str, value: float) -> None:
    if value != round(value):
        raise InputError(field, f"{value!r} is not whole, but units are integer; give a whole number or units: real")
