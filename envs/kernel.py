"""The same period as `dynamics.py`, compiled: never a second meaning, proved equal by the tests.

A network becomes two flat tables (`pack`), and a batch blocks of up to 128 environments, each a small matrix
[R, lanes] with one row per number of the state, the flows and the money, so that a block stays in the first cache
while it is worked on. What `dynamics.py` does with a few array expressions is here one small loop over a block's lanes.
Integer networks agree with it to the last bit, real ones to rounding.

Read `dynamics.py` first: functions here carry the names of its methods, and names of rows are row numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from pushpull.envs import resilience
from pushpull.envs.dynamics import ROUNDING
from pushpull.envs.exogenous import first_trace_rows
from pushpull.envs.information import row_delays
from pushpull.envs.network import ACTION_COLUMNS, COST_TERMS, MODES, OVERFLOWS, Network

LANES = 128
entry_point = njit(cache=True, nogil=True, error_model="numpy")
_INTERNAL: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # called by compiled code only: compiles faster
compiled: Any = njit(nogil=True, error_model="numpy", **_INTERNAL)
# For a lone environment a call costs more than the loop of one turn in it: functions that are called often, or from one
# place, are spliced into their callers. Of the others that would double the time to compile.
spliced: Any = njit(nogil=True, error_model="numpy", forceinline=True, **_INTERNAL)


def values(plain: Iterable[int]) -> Any:
    """Numbers and flags as numpy's: of plain ones numba would compile a version of a function for every value."""
    return np.array(list(plain))


# --- the tables: a head, then one record per source and per stage, then lists -------------------------------------

# fmt: off
(N, J, M, K, D, INTEGER, TRUNCATE, PROPORTIONAL, SHIPS_WHILE_PULLING, PUSH_FIRST, SOME_PULL, SOME_PUSH, DISRUPTED,
 FORECASTS, WARM_UP,
 STAGES, ORDER, MARKETS, LISTED, ENTRIES, PAID, PAID_COUNT, SEEN,  # where in the ints
 SEES_POSITIONS, TERMS, COST_ROWS, TOTALS, FOLLOWS_DISRUPTIONS, AFTERMATH, WRITES_OFF, LIMITS_STORAGE, SALVAGES,
 RESOURCES, REMEMBERS, TAKES_BACK, ECONOMIES, PROMOTES, SHOWN, MEMORY, LATE,
 # first rows of traces
 OUTSIDE_DEMAND, OUTSIDE_AVAILABLE, OUTSIDE_BOOKED, OUTSIDE_COUNTED, OUTSIDE_LEAD_TIME, OUTSIDE_YIELDS,
 OUTSIDE_FORECAST,
 STAGE_RATE, WEIGHT, REQUIREMENT, BETA, RESOURCE_RATE,  # where in the rates
 ON_HAND, OWED, PENDING, PIPELINE, IN_TRANSIT, OWED_BY_AGE, STOCK_BY_AGE, SETUP, GOODWILL, RETURNING,
 RETURN_PARTS, BORROWED, DEMAND, IN_PROCESS, SHIPPED, ON_TIME,
 LOST, ORDERED, STARTED, RECEIPT, SHORTFALL, WRITTEN_OFF, OVERFLOW, CHANGEOVERS, RESOURCE_USED, ON_OVERTIME, TRAVEL,
 SCRAPPED, RETURNED, CAME_BACK, RESTOCKED, PROMOTION, PROMOTED, TAKEN_BACK, SHIPPED_LATE, COSTS, REVENUE, KNOWN, PAST,
 ROWS,  # sections
 QUANTITY, THRESHOLD, GAP, INTENSITY, AVAILABLE, DRAWN_LEAD_TIME, YIELDS, FORESEEN, POSITION, NEED, FINAL, WANT,
 COUNTED, CLAIM, NEXT_SETUP, SCRATCH, TURN, WORK_ROWS,  # scratch
 HEAD) = values(range(111))
(MODE, STAGE, LEAD_TIME, DELAY, PIPELINE_ROW, TRANSIT_ROW, LINK, END_LINK, CARRIES, RULE, AT_MOST_ONE, FIXED_GAP,
 BASIS, BASIS_LIST, END_BASIS_LIST, HAS_CARDS, CARDS_LIST, END_CARDS_LIST, REVIEW_PERIOD, REVIEW_OFFSET, AFFECTS,
 IS_DISRUPTED, TRAVEL_ROW, IN_ORDER, SCRAP_ROW, COUNTED_LIST, END_COUNTED_LIST, RESOURCE, OVERTIME_ROW, BREAKS,
 END_BREAKS, SOURCE_INTS) = values(range(32))
(CAPACITY, LOT_SIZE, LOT_GAP, MAX_ORDER, ADJUST_TIME, CARDS_LIMIT, UNIT_COST, FIXED_COST, PIPELINE_COST,
 SHORTFALL_COST, SPIKE, RESOURCE_USE, OVERTIME_CAPACITY, OVERTIME_COST, LOAD_SIZE, LOAD_COST,
 SOURCE_RATES) = values(range(17))
(SOURCE, END_SOURCE, HAS_MARKET, TELLS_WAITS, LOSES_OLDEST, AGES, AGE_ROW, LATE_ROW, HAS_GOODWILL, GOODWILL_ROW,
 RETURN_LAG, RETURNING_ROW, PARTS_ROW, RETURNED_ROW, BACK_ROW, RESTOCKED_ROW, OVER, CAMPAIGN, BORROWED_ROW, SHELF_LIFE,
 SHELF_ROW, WHEN_FULL, STAGE_INTS) = values(range(23))
(HOLDING_COST, PRICE, BACKORDER_COST, LOST_SALE_COST, WAITING_SHARE, LOSS, GAIN, FLOOR, LATE_SHARE,
 DEFECT_SHARE, RESALABLE, RETURN_COST, LIFT, BORROW, PROMOTION_COST, OBSOLESCENCE, OBSOLESCENCE_COST, STORAGE_CAPACITY,
 OVERFLOW_COST, SALVAGE_VALUE, STAGE_RATES) = values(range(21))
(RESOURCE_CAPACITY, CHANGEOVER_COST, CHANGEOVER_LOSS, RESOURCE_RATES) = values(range(4))
# fmt: on
PUSH, PULL = values([MODES.index("push"), MODES.index("pull")])
NO, YES = values([False, True])
RULES = ("base_stock", "s_S", "r_nQ", "smoothed")
S_S, R_NQ, SMOOTHED = values([RULES.index(rule) for rule in ("s_S", "r_nQ", "smoothed")])
TOTALS_FIELDS = (
    "periods", "revenue", "costs", "discounted_profit", "demand", "shipped", "shipped_on_time", "lost", "orders",
    "orders_in_full", "ready", "on_hand", "owed", "in_process", "start", "order", "order_squared", "demand_squared",
    "cycles", "cycles_in_stock", "short", "shipped_late", "resilience",
    "written_off", "changeovers", "resource_used", "returned", "lead_time", "lead_time_squared", "scrapped", "overtime",
    "promotion", "promoted", "taken_back",
)  # fmt: skip
(T_PERIODS, T_REVENUE, T_COSTS, T_DISCOUNTED_PROFIT, T_DEMAND, T_SHIPPED, T_SHIPPED_ON_TIME, T_LOST, T_ORDERS,
 T_ORDERS_IN_FULL, T_READY, T_ON_HAND, T_OWED, T_IN_PROCESS, T_START, T_ORDER, T_ORDER_SQUARED,
 T_DEMAND_SQUARED, T_CYCLES, T_CYCLES_IN_STOCK, T_SHORT, T_SHIPPED_LATE, T_RESILIENCE, T_WRITTEN_OFF,
 T_CHANGEOVERS, T_RESOURCE_USED, T_RETURNED, T_LEAD_TIME, T_LEAD_TIME_SQUARED, T_SCRAPPED, T_OVERTIME,
 T_PROMOTION, T_PROMOTED, T_TAKEN_BACK,
 ) = values(range(len(TOTALS_FIELDS)))  # fmt: skip
BASES = ("installation", "echelon", "physical")
INSTALLATION, ECHELON, PHYSICAL = values(range(3))
DISRUPTIONS = (None, "start", "order", "transit", "receipt")
AFFECTS_START, AFFECTS_ORDER, AFFECTS_TRANSIT, AFFECTS_RECEIPT = values(range(1, 5))
HAS_ROOM, HOLDS, SCRAPS, BLOCKS = values(range(4))  # what a stage does when it is full
OBSOLESCENCE_TERM, STORAGE_TERM = COST_TERMS.index("obsolescence"), COST_TERMS.index("storage")
CHANGEOVER_TERM = COST_TERMS.index("changeover")
RETURNS_TERM = COST_TERMS.index("returns")
PRODUCTION_TERM = COST_TERMS.index("production")
OVERTIME_TERM, LOADS_TERM = COST_TERMS.index("overtime"), COST_TERMS.index("loads")
PROMOTION_TERM = COST_TERMS.index("promotion")
# What an observation entry shows that is no row of the block; from a first code on they go downwards.
TIME_LEFT, FIRST_FORECAST, FIRST_POSITION, FIRST_ECHELON, FIRST_TRANSIT = -1, -2, -1_000_000, -2_000_000, -3_000_000
FIRST_AVAILABLE, FIRST_BOOKED, FIRST_SETUP = -4_000_000, -5_000_000, -6_000_000

STATE = {
    "on_hand": ON_HAND,
    "owed": OWED,
    "pending": PENDING,
    "pipeline": PIPELINE,
    "in_transit": IN_TRANSIT,
    "owed_by_age": OWED_BY_AGE,
    "stock_by_age": STOCK_BY_AGE,
    "setup": SETUP,
    "goodwill": GOODWILL,
    "returning": RETURNING,
    "return_parts": RETURN_PARTS,
    "borrowed": BORROWED,
}
FLOWS = {
    "demand": DEMAND,
    "shipped": SHIPPED,
    "shipped_on_time": ON_TIME,
    "lost": LOST,
    "order": ORDERED,
    "start": STARTED,
    "receipt": RECEIPT,
    "shortfall": SHORTFALL,
    "on_hand": ON_HAND,
    "owed": OWED,
    "in_process": IN_PROCESS,
    "overtime": ON_OVERTIME,
    "lead_time": TRAVEL,
    "scrapped": SCRAPPED,
    "shipped_late": SHIPPED_LATE,
    "written_off": WRITTEN_OFF,
    "overflow": OVERFLOW,
    "changeovers": CHANGEOVERS,
    "resource_used": RESOURCE_USED,
    "returned": RETURNED,
    "came_back": CAME_BACK,
    "restocked": RESTOCKED,
    "promotion": PROMOTION,
    "promoted": PROMOTED,
    "taken_back": TAKEN_BACK,
}


class Tables(NamedTuple):
    """A network as the kernel reads it."""

    ints: np.ndarray  # int64: the head, source and stage records, lists of stages, and what vectors stand for
    rates: np.ndarray  # of the kernel's dtype: tolerance, source and stage rates, weights of the lists
    scales: (
        np.ndarray
    )  # float64: low and span per action entry, weight per paid row, factor and bounds per seen entry, and so on


class Vectors(NamedTuple):
    """What a task's vectors stand for, by rows of a block."""

    low: np.ndarray  # [K] units at an entry's lower bound
    span: np.ndarray  # [K] units between its bounds; 0 where entries are units already
    paid: list[tuple[int, float]]  # rows, and their weights in the reward
    seen: list[int]  # [D] a row, or the code of something else
    factor: np.ndarray  # [D] what an observation entry is multiplied by
    floor: np.ndarray  # [D] its bounds
    ceiling: np.ndarray  # [D]
    totals: dict[str, int]  # first row of each field of the totals


def section_sizes(network: Network, disrupted: bool) -> tuple[dict[int, int], dict[int, int]]:
    """Rows of each section of a block, and of its scratch, in their order."""
    n, j, ages, r = len(network.stages), len(network.sources), sum(network.ages), len(network.resource_names)
    back, campaigns = len(network.returning), len(network.promoting)
    told = {  # what stages can tell of themselves
        ON_HAND: n, OWED: n, PENDING: j, PIPELINE: sum(network.pipeline_rows), IN_TRANSIT: sum(network.order_delays),
        OWED_BY_AGE: ages, STOCK_BY_AGE: sum(network.shelf_lives), SETUP: r,
        GOODWILL: len(network.remembered), RETURNING: sum(network.return_lags), RETURN_PARTS: 3 * back,
        BORROWED: sum(network.borrowing), DEMAND: n, IN_PROCESS: j,
    }  # fmt: skip
    size, memory = sum(told.values()), periods_kept(network)
    kept = told | {
        SHIPPED: n, ON_TIME: n, LOST: n, ORDERED: j, STARTED: j, RECEIPT: j, SHORTFALL: j,
        WRITTEN_OFF: n * network.writes_off, OVERFLOW: n * network.limits_storage, CHANGEOVERS: r,
        RESOURCE_USED: r, ON_OVERTIME: len(network.overtime_sources),
        TRAVEL: len(network.random_lead_times), SCRAPPED: len(network.yielding_sources),
        RETURNED: 2 * back, CAME_BACK: back, RESTOCKED: back,
        PROMOTION: campaigns, PROMOTED: campaigns, TAKEN_BACK: campaigns, SHIPPED_LATE: ages,
        COSTS: len(network.cost_terms), REVENUE: 1,
        KNOWN: size if memory else 0, PAST: size * memory, ROWS: 0,
    }  # fmt: skip
    scratch = {
        QUANTITY: j, THRESHOLD: j, GAP: j, INTENSITY: campaigns, AVAILABLE: j if disrupted else 0,
        DRAWN_LEAD_TIME: len(network.random_lead_times), YIELDS: len(network.yielding_sources),
        FORESEEN: n, POSITION: n, NEED: n, FINAL: n, WANT: j,
        COUNTED: sum(network.book_rows) if any(network.counted_orders) else 0,
        CLAIM: r, NEXT_SETUP: r, SCRATCH: 6, TURN: 1 if memory else 0, WORK_ROWS: 0,
    }  # fmt: skip
    return kept, scratch


def periods_kept(network: Network) -> int:
    """Return how many periods back a block remembers what stages told, this one included; 0 where none is late."""
    longest = max(network.information_delays)
    return longest + 1 if longest else 0


def _lateness(network: Network) -> list[int]:
    """Return how many periods old each row that stages tell is when it is shown; nothing where none is late."""
    if not periods_kept(network):
        return []
    delays = row_delays(network)
    return [*chain(*(delays[name] for name in STATE)), *network.information_delays, *delays["pending"]]


def first_rows(network: Network, disrupted: bool = False) -> dict[int, int]:
    """Return the first row of each section."""
    return {
        section: int(row)
        for sizes in section_sizes(network, disrupted)
        for section, row in zip(sizes, np.cumsum([0, *sizes.values()]), strict=False)
    }


def _place(sources: tuple[int, ...], j: int) -> int:
    """Place of source j among some; -1 where it is not one of them."""
    return sources.index(j) if j in sources else -1


def pack(network: Network, dtype: type, vectors: Vectors, disrupted: bool = False) -> Tables:
    """Write a network into tables; `disrupted` says that availability will be given."""
    n, j, integer = len(network.stages), len(network.sources), network.units == "integer"
    rows = first_rows(network, disrupted)
    lists: list[tuple[int, float]] = []

    def place(entries: list[tuple[int, float]]) -> tuple[int, int]:
        lists.extend(entries)
        return len(lists) - len(entries), len(lists)

    def whole(units: float) -> float:
        return float(np.floor(units)) if integer else units

    sources, source_rates = np.zeros((j, SOURCE_INTS), dtype=np.int64), np.zeros((j, SOURCE_RATES))
    pipeline_row, transit_row = rows[PIPELINE], rows[IN_TRANSIT]
    for k, source in enumerate(network.sources):
        i, lot, cards = network.source_stage[k], source.lot, source.cards
        beta = network.requirements[i]
        position: list[tuple[int, float]] = []
        if source.basis == "echelon":
            position = [(m, float(beta[m])) for m in range(n) if beta[m]]
        elif source.basis == "physical":
            position = [(m, float(beta[m])) for m in network.stages_over(i, source.over)]
        limited = [] if cards is None else [(m, float(beta[m])) for m in network.stages_over(i, cards.over)]
        affects = None if source.disruption is None else source.disruption.affects
        sources[k] = [
            MODES.index(network.modes[k]), i, source.lead_time, network.order_delays[k], pipeline_row, transit_row,
            *place(list(network.inputs[k])), network.modes[k] == "push" and source.carries, RULES.index(lot.rule),
            lot.at_most_one, lot.gap is not None, BASES.index(source.basis), *place(position),
            cards is not None, *place(limited), source.review_period, source.review_offset, DISRUPTIONS.index(affects),
            k in network.disrupted_sources, _place(network.random_lead_times, k),
            source.lead_time_law is not None and not source.lead_time_law.crossing, _place(network.yielding_sources, k),
            *place(list(network.counted_orders[k])), network.resource_of[k], _place(network.overtime_sources, k),
            *place([(0, number) for step in source.price_steps for number in step]),  # three numbers a break
        ]  # fmt: skip
        source_rates[k] = [
            source.capacity, lot.Q or 0, network.rounded(lot.gap or 0),
            source.max_order if lot.rule == "r_nQ" else whole(source.max_order), lot.adjust_time,
            whole(cards.limit) if cards else 0, source.unit_cost, source.fixed_cost, source.pipeline_holding_cost,
            source.shortfall_cost, source.spikes.threshold if source.spikes else 0,
            source.resource_use,
            *((source.overtime.capacity, source.overtime.cost) if source.overtime else (0, 0)),
            *((source.load.size, source.load.cost) if source.load else (1, 0)),
        ]  # fmt: skip
        pipeline_row += network.pipeline_rows[k]
        transit_row += network.order_delays[k]

    stages, stage_rates = np.zeros((n, STAGE_INTS), dtype=np.int64), np.zeros((n, STAGE_RATES))
    age, shelf_row = 0, rows[STOCK_BY_AGE]
    for i, stage in enumerate(network.stages.values()):
        own, market, life = network.sources_of[i], stage.market, network.shelf_lives[i]
        when_full = HOLDS + OVERFLOWS.index(stage.overflow) if stage.limits_storage else HAS_ROOM
        stages[i, : HAS_MARKET + 1] = own[0], own[-1] + 1, market is not None
        stages[i, SHELF_LIFE:] = life, shelf_row, when_full
        shelf_row += life
        stage_rates[i, HOLDING_COST] = stage.holding_cost
        stage_rates[i, OBSOLESCENCE:] = [
            stage.obsolescence, stage.obsolescence_cost, whole(stage.storage_capacity), stage.overflow_cost,
            stage.salvage_value,
        ]  # fmt: skip
        if market is not None:
            stages[i, TELLS_WAITS:HAS_GOODWILL] = [
                market.tells_waits and market.waiting_share > 0, market.patience is not None, market.ages,
                rows[OWED_BY_AGE] + age, rows[SHIPPED_LATE] + age,
            ]  # fmt: skip
            if market.goodwill is not None:
                stages[i, HAS_GOODWILL:RETURN_LAG] = 1, rows[GOODWILL] + list(network.remembered).index(i)
                stage_rates[i, LOSS:LATE_SHARE] = market.goodwill.loss, market.goodwill.gain, market.goodwill.floor
            if market.returns is not None:
                place_of = list(network.returning).index(i)
                stages[i, RETURN_LAG:OVER] = [
                    market.returns.lag, rows[RETURNING] + sum(network.return_lags[:place_of]),
                    rows[RETURN_PARTS] + 3 * place_of, rows[RETURNED] + 2 * place_of, rows[CAME_BACK] + place_of,
                    rows[RESTOCKED] + place_of,
                ]  # fmt: skip
                stage_rates[i, LATE_SHARE:LIFT] = [
                    *market.returns.by_reason, market.returns.resalable, market.returns.cost,
                ]  # fmt: skip
            if market.promotion is not None:
                campaign, own = list(network.promoting).index(i), market.promotion
                borrowed = rows[BORROWED] + sum(network.borrowing[:campaign])
                stages[i, OVER:SHELF_LIFE] = own.over, campaign, borrowed
                stage_rates[i, LIFT:OBSOLESCENCE] = own.lift, own.borrow / own.over, own.cost
            age += market.ages
            stage_rates[i, PRICE:LOSS] = [
                market.price, market.backorder_cost, market.lost_sale_cost, market.waiting_share,
            ]  # fmt: skip

    column_rows: dict[str, int] = dict(zip(ACTION_COLUMNS, (QUANTITY, THRESHOLD, GAP), strict=True))
    entries = [
        (rows[column_rows[column]] + k, column != "threshold")
        for k, columns in enumerate(network.action_columns)
        for column in columns
    ]
    entries += [(rows[INTENSITY] + campaign, True) for campaign in range(len(network.promoting))]
    head = np.zeros(HEAD, dtype=np.int64)
    head[list(rows)] = list(rows.values())
    outside = first_trace_rows(network, disrupted)
    for section, name in (
        (OUTSIDE_DEMAND, "demand"),
        (OUTSIDE_AVAILABLE, "available"),
        (OUTSIDE_BOOKED, "booked"),
        (OUTSIDE_COUNTED, "booked_after" if network.counts_after_demand else "booked"),
        (OUTSIDE_LEAD_TIME, "lead_time"),
        (OUTSIDE_YIELDS, "yields"),
        (OUTSIDE_FORECAST, "forecast"),
    ):
        head[section] = outside[name]
    head[[N, J, M, K, D]] = n, j, len(network.markets), len(entries), len(vectors.seen)
    head[INTEGER] = integer
    head[TRUNCATE] = network.rounding == "truncate"
    head[PROPORTIONAL] = network.allocation == "proportional"
    head[SHIPS_WHILE_PULLING] = network.sequence[3:] == ("pull", "ship")
    head[PUSH_FIRST] = network.sequence[0] == "push"
    head[SOME_PULL] = any(mode != "push" for mode in network.modes)
    head[SOME_PUSH] = any(mode != "pull" for mode in network.modes)
    head[DISRUPTED] = disrupted
    head[FORECASTS] = any(source.lot.rule == "smoothed" for source in network.sources)
    head[SEES_POSITIONS] = any(FIRST_TRANSIT < what <= FIRST_POSITION for what in vectors.seen)
    head[WARM_UP] = network.warm_up
    head[REMEMBERS] = bool(network.remembered)
    head[TAKES_BACK] = bool(network.returning)
    head[ECONOMIES] = network.has_economies
    head[PROMOTES] = bool(network.promoting)
    head[MEMORY] = periods_kept(network)
    head[SHOWN] = rows[KNOWN] if head[MEMORY] else 0
    head[FOLLOWS_DISRUPTIONS] = disrupted and resilience.rows(network) > 0
    head[AFTERMATH] = resilience.aftermath(network)
    head[TERMS] = len(network.cost_terms)
    head[WRITES_OFF], head[LIMITS_STORAGE] = network.writes_off, network.limits_storage
    head[SALVAGES] = any(stage.salvage_value for stage in network.stages.values())
    head[RESOURCES] = len(network.resource_names)
    head[PAID_COUNT] = len(vectors.paid)
    lists_of_ints = {
        STAGES: stages.ravel(), ORDER: network.stage_order, MARKETS: list(network.markets),
        LISTED: [m for m, _ in lists], ENTRIES: np.ravel(entries), PAID: [row for row, _ in vectors.paid],
        SEEN: vectors.seen, LATE: _lateness(network),
        TOTALS: [vectors.totals[name] for name in TOTALS_FIELDS],
        COST_ROWS: [
            rows[COSTS] + network.cost_terms.index(term) if term in network.cost_terms else -1 for term in COST_TERMS
        ],
    }  # fmt: skip
    ints = [head, sources.ravel()]
    for where, values in lists_of_ints.items():
        head[where] = sum(map(len, ints))
        ints.append(np.asarray(values, dtype=np.int64))
    tolerance = 0.0 if integer else 1e-9 if dtype == np.float64 else 1e-4
    rates = [np.array([tolerance]), source_rates.ravel()]
    for where, values in (
        (STAGE_RATE, stage_rates.ravel()),
        (WEIGHT, [units for _, units in lists]),
        (REQUIREMENT, network.requirements[:, list(network.markets)].ravel()),
        (BETA, network.requirements.ravel()),
        (RESOURCE_RATE, np.ravel([list(vars(resource).values()) for resource in (network.resources or {}).values()])),
    ):
        head[where] = sum(map(len, rates))
        rates.append(np.asarray(values, dtype=float))
    scales = [
        vectors.low, vectors.span, [weight for _, weight in vectors.paid],
        vectors.factor, vectors.floor, vectors.ceiling,
    ]  # fmt: skip
    return Tables(
        ints=np.concatenate(ints).astype(np.int64),
        rates=np.concatenate(rates).astype(dtype),
        scales=np.concatenate(scales).astype(np.float64),
    )


@compiled
def source(ints, j, field):
    """One int of a source's record."""
    return ints[HEAD + j * SOURCE_INTS + field]


@compiled
def source_rate(rates, j, field):
    """One rate of a source's record."""
    return rates[1 + j * SOURCE_RATES + field]


@compiled
def stage(ints, i, field):
    """One int of a stage's record."""
    return ints[ints[STAGES] + i * STAGE_INTS + field]


@compiled
def stage_rate(ints, rates, i, field):
    """One rate of a stage's record."""
    return rates[ints[STAGE_RATE] + i * STAGE_RATES + field]


@compiled
def resource_rate(ints, rates, r, field):
    """One rate of a resource's record."""
    return rates[ints[RESOURCE_RATE] + r * RESOURCE_RATES + field]


# --- one period on one block ---------------------------------------------------------------------------------------
#
# `rows` [R, lanes] holds what lasts; `work` what serves one period: the action, availability, forecasts, scratch.


@compiled
def period(ints, rates, rows, work, clock, periods):
    """Run the sequence of events on a block whose demand, action, availability and forecast rows are filled."""
    for row in range(ints[SHIPPED], ints[RETURNED]):
        for e in range(rows.shape[1]):
            rows[row, e] = 0
    if ints[PUSH_FIRST] and ints[SOME_PUSH]:
        push(ints, rates, rows, work, clock, NO)
    receive(ints, rates, rows, work)
    if ints[SOME_PUSH] and not ints[PUSH_FIRST]:
        push(ints, rates, rows, work, clock, YES)
    if ints[SHIPS_WHILE_PULLING]:
        ask(ints, rates, rows, work)
        pull(ints, rates, rows, work, clock)
        start_orders(ints, rates, rows, work, YES)
    else:
        pull(ints, rates, rows, work, clock)
        start_orders(ints, rates, rows, work, NO)
        ask(ints, rates, rows, work)
        for m in range(ints[M]):
            serve(ints, rates, rows, work, ints[ints[MARKETS] + m])
    if ints[WRITES_OFF] or ints[LIMITS_STORAGE]:
        write_off(ints, rates, rows, work)
    advance(ints, rows, work)
    charge(ints, rates, rows, work, clock, periods)


@compiled
def receive(ints, rates, rows, work):
    """Orders that travelled long enough reach the source; units due join the stock."""
    lanes, due = rows.shape[1], ints[SCRATCH]
    for j in range(ints[J]):
        delay = source(ints, j, DELAY)
        if delay > 0:
            first, pending = source(ints, j, TRANSIT_ROW), ints[PENDING] + j
            for e in range(lanes):
                rows[pending, e] += rows[first, e]
            shift(rows, first, first + delay - 1)
        arriving = source(ints, j, PIPELINE_ROW)
        for e in range(lanes):
            work[due, e] = rows[arriving, e]
            rows[arriving, e] = 0
        join_stock(ints, rates, rows, work, j, due)
    if ints[TAKES_BACK]:
        for i in range(ints[N]):
            if stage(ints, i, RETURN_LAG) > 0:
                take_back(ints, rates, rows, work, i)


@compiled
def take_back(ints, rates, rows, work, i):
    """Let returns arrive: a share of them joins the stock, the rest is scrapped."""
    lanes, resalable, units = rows.shape[1], stage_rate(ints, rates, i, RESALABLE), ints[SCRATCH]
    first, back, stocked = stage(ints, i, RETURNING_ROW), stage(ints, i, BACK_ROW), stage(ints, i, RESTOCKED_ROW)
    on_hand = ints[ON_HAND] + i
    for e in range(lanes):
        rows[back, e] = rows[first, e]
        work[units, e] = resalable * rows[back, e]
    shift(rows, first, first + stage(ints, i, RETURN_LAG) - 1)
    take_whole(ints, rows, work, units, stage(ints, i, PARTS_ROW) + 2, stocked)
    for e in range(lanes):
        rows[on_hand, e] += rows[stocked, e]
    if stage(ints, i, SHELF_LIFE) > 0:  # as fresh as what is received
        youngest = stage(ints, i, SHELF_ROW)
        for e in range(lanes):
            rows[youngest, e] += rows[stocked, e]


@compiled
def send_back(ints, rates, rows, work, i):
    """Decide how much of what was shipped will come back, for each reason."""
    lanes, zero, units, back = rows.shape[1], rows.dtype.type(0), ints[SCRATCH], stage(ints, i, RETURNED_ROW)
    shipped, on_time, parts = ints[SHIPPED] + i, ints[ON_TIME] + i, stage(ints, i, PARTS_ROW)
    last = stage(ints, i, RETURNING_ROW) + stage(ints, i, RETURN_LAG) - 1
    share = stage_rate(ints, rates, i, LATE_SHARE)
    for e in range(lanes):
        work[units, e] = share * max(rows[shipped, e] - rows[on_time, e], zero)
    take_whole(ints, rows, work, units, parts, back)
    share = stage_rate(ints, rates, i, DEFECT_SHARE)
    for e in range(lanes):
        work[units, e] = share * rows[shipped, e]
    take_whole(ints, rows, work, units, parts + 1, back + 1)
    for e in range(lanes):
        rows[last, e] = rows[back, e] + rows[back + 1, e]


@compiled
def take_whole(ints, rows, work, units, part, out):
    """Add units to the part of one that is carried, and take what is whole; in real units take all."""
    zero = rows.dtype.type(0)
    if ints[INTEGER]:
        near = rows.dtype.type(1e-9) if rows.itemsize == 8 else rows.dtype.type(1e-4)
        for e in range(rows.shape[1]):
            total = rows[part, e] + work[units, e]
            rows[out, e] = np.floor(total + near)
            rows[part, e] = max(total - rows[out, e], zero)
    else:
        for e in range(rows.shape[1]):
            rows[out, e] = work[units, e]


@compiled
def remember(ints, rates, rows, work, i):
    """Let goodwill fall with the share of demand that was not met, or recover if all was."""
    one, zero, tolerance = rows.dtype.type(1), rows.dtype.type(0), rates[0]
    loss, gain, floor = (
        stage_rate(ints, rates, i, LOSS),
        stage_rate(ints, rates, i, GAIN),
        stage_rate(ints, rates, i, FLOOR),
    )
    demand, unmet, factor = ints[DEMAND] + i, ints[SCRATCH] + 3, stage(ints, i, GOODWILL_ROW)
    for e in range(rows.shape[1]):
        asked = rows[demand, e] > tolerance
        pleased = gain if asked & (work[unmet, e] <= tolerance) else zero
        missed = work[unmet, e] / (rows[demand, e] if asked else one)
        rows[factor, e] = min(max(rows[factor, e] - loss * missed + pleased, floor), one)


@compiled
def shift(rows, first, last):
    """Move rows one place down, and clear the last."""
    for row in range(first, last):
        for e in range(rows.shape[1]):
            rows[row, e] = rows[row + 1, e]
    for e in range(rows.shape[1]):
        rows[last, e] = 0


@compiled
def join_stock(ints, rates, rows, work, j, units):
    """Put units that are due on hand, or let them wait outside for a disruption to end or for room."""
    i, waiting, zero = source(ints, j, STAGE), source(ints, j, PIPELINE_ROW), rows.dtype.type(0)
    receipt, on_hand = ints[RECEIPT] + j, ints[ON_HAND] + i
    if ints[DISRUPTED] and source(ints, j, AFFECTS) == AFFECTS_RECEIPT:
        up = ints[AVAILABLE] + j
        for e in range(rows.shape[1]):
            outside = zero if work[up, e] > 0 else work[units, e]
            rows[waiting, e] += outside
            work[units, e] -= outside
    if stage(ints, i, WHEN_FULL) == BLOCKS:
        overflow, limit = ints[OVERFLOW] + i, stage_rate(ints, rates, i, STORAGE_CAPACITY)
        for e in range(rows.shape[1]):
            outside = work[units, e] - min(work[units, e], max(limit - rows[on_hand, e], zero))
            rows[waiting, e] += outside
            rows[overflow, e] += outside
            work[units, e] -= outside
    for e in range(rows.shape[1]):
        rows[receipt, e] += work[units, e]
        rows[on_hand, e] += work[units, e]


@compiled
def push(ints, rates, rows, work, clock, received):
    """Each push source starts its release, before demand is seen."""
    lanes, zero = rows.shape[1], rows.dtype.type(0)
    requested, room = ints[SCRATCH] + 1, ints[SCRATCH] + 2
    for place in range(ints[N]):
        i = ints[ints[ORDER] + place]
        for e in range(lanes):
            work[requested, e] = 0
        for j in range(stage(ints, i, SOURCE), stage(ints, i, END_SOURCE)):
            if source(ints, j, MODE) == PULL:
                continue
            request, quantity = ints[ORDERED] + j, ints[QUANTITY] + j
            for e in range(lanes):
                rows[request, e] = max(work[quantity, e], zero)
            when_acting(ints, work, clock, j, rows, request)
            if source(ints, j, HAS_CARDS):
                cards_left(ints, rates, rows, work, j, room)
                for e in range(lanes):
                    rows[request, e] = max(min(rows[request, e], work[room, e] - work[requested, e]), zero)
            target, pending = ints[SHORTFALL] + j, ints[PENDING] + j
            carries = source(ints, j, CARRIES) == 1
            for e in range(lanes):
                work[requested, e] += rows[request, e]
                rows[target, e] = rows[request, e] + rows[pending, e] if carries else rows[request, e]
            within_capacity(ints, rates, rows, work, j, target)
    pass_downstream(ints, rates, rows, work, PULL, NO, received)
    for j in range(ints[J]):
        if source(ints, j, MODE) != PULL:
            shortfall, started, pending = ints[SHORTFALL] + j, ints[STARTED] + j, ints[PENDING] + j
            for e in range(lanes):
                rows[shortfall, e] -= rows[started, e]
            if source(ints, j, CARRIES):
                for e in range(lanes):
                    rows[pending, e] = rows[shortfall, e]


@spliced
def ask(ints, rates, rows, work):
    """Customer demand becomes owed."""
    for m in range(ints[M]):
        i = ints[ints[MARKETS] + m]
        owed, demand = ints[OWED] + i, ints[DEMAND] + i
        if ints[REMEMBERS] and stage(ints, i, HAS_GOODWILL):
            factor, whole = stage(ints, i, GOODWILL_ROW), ints[INTEGER] == 1
            for e in range(rows.shape[1]):
                units = rows[factor, e] * rows[demand, e]
                rows[demand, e] = np.rint(units) if whole else units
        if ints[PROMOTES] and stage(ints, i, OVER) > 0:
            promote(ints, rates, rows, work, i)
        for e in range(rows.shape[1]):
            rows[owed, e] += rows[demand, e]


@compiled
def promote(ints, rates, rows, work, i):
    """Take from demand what earlier campaigns borrowed of it, and lift the rest by this period's."""
    lanes, zero, one, whole = rows.shape[1], rows.dtype.type(0), rows.dtype.type(1), ints[INTEGER] == 1
    near = rows.dtype.type(1e-9) if rows.itemsize == 8 else rows.dtype.type(1e-4)
    campaign, lift, borrow = (
        stage(ints, i, CAMPAIGN),
        stage_rate(ints, rates, i, LIFT),
        stage_rate(ints, rates, i, BORROW),
    )
    asked, told, demand = ints[INTENSITY] + campaign, ints[PROMOTION] + campaign, ints[DEMAND] + i
    gained, back, left = ints[PROMOTED] + campaign, ints[TAKEN_BACK] + campaign, ints[SCRATCH]
    first, last = stage(ints, i, BORROWED_ROW), stage(ints, i, BORROWED_ROW) + stage(ints, i, OVER) - 1
    for e in range(lanes):
        due = rows[first, e]
        rows[back, e] = min(np.floor(due + near) if whole else due, rows[demand, e])
        work[left, e] = max(due - rows[back, e], zero)
    for e in range(lanes):
        rows[told, e] = min(max(work[asked, e], zero), one)
        units = lift * rows[told, e] * (rows[demand, e] - rows[back, e])
        rows[gained, e] = np.rint(units) if whole else units
        rows[demand, e] = rows[demand, e] - rows[back, e] + rows[gained, e]
    shift(rows, first, last)
    for e in range(lanes):
        rows[first, e] += work[left, e]
    for row in range(first, last + 1):
        for e in range(lanes):
            rows[row, e] += borrow * rows[gained, e]


@compiled
def pull(ints, rates, rows, work, clock):
    """Triggers run downstream to upstream, and orders are placed."""
    if not ints[SOME_PULL]:
        return
    inventory_positions(ints, rates, rows, work)
    for place in range(ints[N] - 1, -1, -1):
        i = ints[ints[ORDER] + place]
        for j in range(stage(ints, i, SOURCE), stage(ints, i, END_SOURCE)):
            if source(ints, j, MODE) != PUSH:
                trigger(ints, rates, rows, work, clock, i, j)


@spliced
def trigger(ints, rates, rows, work, clock, i, j):
    """Place source j's order and let all positions feel it."""
    lanes, zero, tolerance = rows.shape[1], rows.dtype.type(0), rates[0]
    order, ordered, position = ints[SCRATCH], ints[ORDERED] + j, ints[POSITION] + i
    find_order(ints, rates, rows, work, i, j, order)
    for e in range(lanes):
        work[order, e] = work[order, e] if work[order, e] > tolerance else zero
    when_acting(ints, work, clock, j, work, order)
    delay = source(ints, j, DELAY)
    if delay > 0:
        travelling = source(ints, j, TRANSIT_ROW) + delay - 1
        for e in range(lanes):
            rows[ordered, e] += work[order, e]
            work[position, e] += work[order, e]
            rows[travelling, e] = work[order, e]
        return
    pending = ints[PENDING] + j
    for e in range(lanes):
        rows[ordered, e] += work[order, e]
        work[position, e] += work[order, e]
        rows[pending, e] += work[order, e]
    for link in range(source(ints, j, LINK), source(ints, j, END_LINK)):
        supplier, per_unit = ints[POSITION] + ints[ints[LISTED] + link], rates[ints[WEIGHT] + link]
        for e in range(lanes):
            work[supplier, e] -= per_unit * work[order, e]


@spliced
def find_order(ints, rates, rows, work, i, j, order):
    """Apply the lot rule to the distance between threshold and position, then the caps."""
    lanes, zero, tolerance = rows.shape[1], rows.dtype.type(0), rates[0]
    threshold, position, distance, room = ints[THRESHOLD] + j, ints[POSITION] + i, ints[SCRATCH] + 2, ints[SCRATCH] + 1
    if source(ints, j, BASIS) != INSTALLATION:
        position = order  # a scratch row until the order is known
        find_basis(ints, rates, rows, work, i, j, position)
    for e in range(lanes):
        work[distance, e] = work[threshold, e] - work[position, e]
    if source(ints, j, COUNTED_LIST) < source(ints, j, END_COUNTED_LIST):
        count_orders(ints, rates, work, j, distance)
    rule, limited, most = source(ints, j, RULE), source(ints, j, HAS_CARDS), source_rate(rates, j, MAX_ORDER)
    if limited:
        cards_left(ints, rates, rows, work, j, room)
        for e in range(lanes):
            work[room, e] = max(work[room, e], zero)
    if rule == R_NQ:
        size, one, unit = source_rate(rates, j, LOT_SIZE), source(ints, j, AT_MOST_ONE), rows.dtype.type(1)
        most = np.floor((most + tolerance) / size)
        for e in range(lanes):
            lots = unit if one else np.floor((work[distance, e] + tolerance) / size) + unit
            work[order, e] = min(lots, most) if work[distance, e] >= -tolerance else zero
        if limited:
            for e in range(lanes):
                work[order, e] = min(work[order, e], np.floor((work[room, e] + tolerance) / size))
        for e in range(lanes):
            work[order, e] *= size
        return
    if rule == S_S:
        gap, agents, fixed = source_rate(rates, j, LOT_GAP), ints[GAP] + j, source(ints, j, FIXED_GAP) == 1
        for e in range(lanes):
            lift = gap if fixed else work[agents, e]
            work[order, e] = work[distance, e] + lift if work[distance, e] >= -tolerance else zero
    elif rule == SMOOTHED:
        adjust_time, foreseen = source_rate(rates, j, ADJUST_TIME), ints[FORESEEN] + i
        for e in range(lanes):
            work[order, e] = work[foreseen, e] + (work[distance, e] - work[foreseen, e]) / adjust_time
        if ints[INTEGER]:
            for e in range(lanes):
                work[order, e] = np.rint(work[order, e])
    else:
        for e in range(lanes):
            work[order, e] = work[distance, e]
    for e in range(lanes):
        work[order, e] = min(max(work[order, e], zero), most)
    if limited:
        for e in range(lanes):
            work[order, e] = min(work[order, e], work[room, e])


@compiled
def count_orders(ints, rates, work, j, distance):
    """Add the booked orders that source j's trigger counts, in units of its stage."""
    zero, spike, total = work.dtype.type(0), source_rate(rates, j, SPIKE), ints[SCRATCH] + 3
    for e in range(work.shape[1]):
        work[total, e] = 0
    for k in range(source(ints, j, COUNTED_LIST), source(ints, j, END_COUNTED_LIST)):
        row, units = ints[COUNTED] + ints[ints[LISTED] + k], rates[ints[WEIGHT] + k]
        for e in range(work.shape[1]):
            work[total, e] += units * (work[row, e] if work[row, e] >= spike else zero)
    for e in range(work.shape[1]):
        work[distance, e] += work[total, e]


@spliced
def inventory_positions(ints, rates, rows, work):
    """What a stage has and has coming, less what it owes to customers and downstream sources."""
    lanes, coming = rows.shape[1], ints[SCRATCH]
    for i in range(ints[N]):
        position, on_hand, owed = ints[POSITION] + i, ints[ON_HAND] + i, ints[OWED] + i
        for e in range(lanes):
            work[position, e] = rows[on_hand, e] - rows[owed, e]
    for j in range(ints[J]):
        pending, position = ints[PENDING] + j, ints[POSITION] + source(ints, j, STAGE)
        sum_pipeline(ints, rows, j, work, coming)
        for e in range(lanes):
            work[coming, e] += rows[pending, e]
        for row in range(source(ints, j, TRANSIT_ROW), source(ints, j, TRANSIT_ROW) + source(ints, j, DELAY)):
            for e in range(lanes):
                work[coming, e] += rows[row, e]
        for e in range(lanes):
            work[position, e] += work[coming, e]
        for link in range(source(ints, j, LINK), source(ints, j, END_LINK)):
            supplier, per_unit = ints[POSITION] + ints[ints[LISTED] + link], rates[ints[WEIGHT] + link]
            for e in range(lanes):
                work[supplier, e] -= per_unit * rows[pending, e]


@spliced
def sum_pipeline(ints, rows, j, out, total):
    """Units in source j's pipeline, into row `total` of the matrix `out`."""
    first = source(ints, j, PIPELINE_ROW)
    for e in range(rows.shape[1]):
        out[total, e] = rows[first, e]
    for row in range(first + 1, first + source(ints, j, LEAD_TIME) + 1):
        for e in range(rows.shape[1]):
            out[total, e] += rows[row, e]


@compiled
def find_basis(ints, rates, rows, work, i, j, out):
    """The echelon or physical position that source j's threshold is compared with."""
    first, end = source(ints, j, BASIS_LIST), source(ints, j, END_BASIS_LIST)
    if source(ints, j, BASIS) == PHYSICAL:
        physical_position(ints, rates, rows, work, i, first, end, out)
        return
    for e in range(rows.shape[1]):
        work[out, e] = 0
    for k in range(first, end):
        position, units = ints[POSITION] + ints[ints[LISTED] + k], rates[ints[WEIGHT] + k]
        for e in range(rows.shape[1]):
            work[out, e] += units * work[position, e]


@compiled
def physical_position(ints, rates, rows, work, i, first, end, out):
    """Units that exist over some stages, whatever is owed, and own orders not yet started."""
    lanes, there, moving = rows.shape[1], ints[SCRATCH] + 4, ints[SCRATCH] + 5
    for e in range(lanes):
        work[out, e] = 0
    for j in range(stage(ints, i, SOURCE), stage(ints, i, END_SOURCE)):
        pending = ints[PENDING] + j
        for e in range(lanes):
            work[out, e] += rows[pending, e]
        for row in range(source(ints, j, TRANSIT_ROW), source(ints, j, TRANSIT_ROW) + source(ints, j, DELAY)):
            for e in range(lanes):
                work[out, e] += rows[row, e]
    for k in range(first, end):
        m, units = ints[ints[LISTED] + k], rates[ints[WEIGHT] + k]
        on_hand = ints[ON_HAND] + m
        for e in range(lanes):
            work[there, e] = rows[on_hand, e]
        for j in range(stage(ints, m, SOURCE), stage(ints, m, END_SOURCE)):
            sum_pipeline(ints, rows, j, work, moving)
            for e in range(lanes):
                work[there, e] += work[moving, e]
        for e in range(lanes):
            work[out, e] += units * work[there, e]


@compiled
def cards_left(ints, rates, rows, work, j, out):
    """The limit less the physical position."""
    first, end, limit = source(ints, j, CARDS_LIST), source(ints, j, END_CARDS_LIST), source_rate(rates, j, CARDS_LIMIT)
    physical_position(ints, rates, rows, work, source(ints, j, STAGE), first, end, out)
    for e in range(rows.shape[1]):
        work[out, e] = limit - work[out, e]


@spliced
def when_acting(ints, work, clock, j, out, units):
    """Keep units, a row of the matrix `out`, only in review periods and while orders get through."""
    every, offset = source(ints, j, REVIEW_PERIOD), source(ints, j, REVIEW_OFFSET)
    if every > 1:
        for e in range(clock.size):
            if (clock[e] - offset) % every != 0:
                out[units, e] = 0
    if ints[DISRUPTED] and source(ints, j, AFFECTS) == AFFECTS_ORDER:
        up = ints[AVAILABLE] + j
        for e in range(out.shape[1]):
            if not work[up, e] > 0:
                out[units, e] = 0


@compiled
def start_orders(ints, rates, rows, work, serving):
    """Start what is pending, as capacity and inputs allow."""
    for j in range(ints[J]):
        if source(ints, j, MODE) != PUSH:
            within_capacity(ints, rates, rows, work, j, ints[PENDING] + j)
    pass_downstream(ints, rates, rows, work, PUSH, serving, YES)
    for j in range(ints[J]):
        if source(ints, j, MODE) != PUSH:
            shortfall, pending = ints[SHORTFALL] + j, ints[PENDING] + j
            for e in range(rows.shape[1]):
                rows[shortfall, e] += rows[pending, e]


@compiled
def is_scaled(ints, j):
    """Whether availability scales the capacity of source j."""
    return ints[DISRUPTED] == 1 and source(ints, j, AFFECTS) <= AFFECTS_START


@compiled
def within_capacity(ints, rates, rows, work, j, units):
    """Want what capacity and availability leave of a row of units after this period's earlier starts."""
    lanes, zero, whole, missing = rows.shape[1], rows.dtype.type(0), ints[INTEGER] == 1, rows.dtype.type(ROUNDING)
    capacity, started, up, want = (
        source_rate(rates, j, CAPACITY),
        ints[STARTED] + j,
        ints[AVAILABLE] + j,
        ints[WANT] + j,
    )
    scaled, overtime = is_scaled(ints, j), source_rate(rates, j, OVERTIME_CAPACITY)
    if capacity == np.inf:
        if scaled:
            for e in range(lanes):
                work[want, e] = rows[units, e] if work[up, e] > 0 else zero
        else:
            for e in range(lanes):
                work[want, e] = rows[units, e]
    elif scaled:
        for e in range(lanes):
            rate, extra = capacity * work[up, e], overtime * work[up, e]
            if whole:
                rate, extra = np.floor(rate + missing), np.floor(extra + missing)
            work[want, e] = min(rows[units, e], rate + extra - rows[started, e])
    else:
        rate = np.floor(capacity) + np.floor(overtime) if whole else capacity + overtime
        for e in range(lanes):
            work[want, e] = min(rows[units, e], rate - rows[started, e])
    r = source(ints, j, RESOURCE)
    if r >= 0:
        limit, use = resource_rate(ints, rates, r, RESOURCE_CAPACITY), source_rate(rates, j, RESOURCE_USE)
        used = ints[RESOURCE_USED] + r
        for e in range(lanes):
            room = max(limit - rows[used, e], zero) / use
            work[want, e] = min(work[want, e], np.floor(room) if whole else room)


@compiled
def pass_downstream(ints, rates, rows, work, excluded, serving, received):
    """Go upstream to downstream once: start each stage's sources but those of the excluded mode, then serve."""
    lanes = rows.shape[1]
    if ints[PROPORTIONAL]:
        for row in range(ints[NEED], ints[NEED] + ints[N]):
            for e in range(lanes):
                work[row, e] = 0
        for place in range(ints[N]):
            i = ints[ints[ORDER] + place]
            for j in range(stage(ints, i, SOURCE), stage(ints, i, END_SOURCE)):
                if source(ints, j, MODE) != excluded:
                    for link in range(source(ints, j, LINK), source(ints, j, END_LINK)):
                        need, per_unit = ints[NEED] + ints[ints[LISTED] + link], rates[ints[WEIGHT] + link]
                        want = ints[WANT] + j
                        for e in range(lanes):
                            work[need, e] += per_unit * work[want, e]
    if ints[RESOURCES]:
        claim_resources(ints, rates, rows, work, excluded)
    for place in range(ints[N]):
        i = ints[ints[ORDER] + place]
        for j in range(stage(ints, i, SOURCE), stage(ints, i, END_SOURCE)):
            if source(ints, j, MODE) != excluded:
                start(ints, rates, rows, work, j, excluded == PUSH, received)
        if serving and stage(ints, i, HAS_MARKET):
            serve(ints, rates, rows, work, i)
        if ints[PROPORTIONAL]:
            final, on_hand = ints[FINAL] + i, ints[ON_HAND] + i
            for e in range(lanes):
                work[final, e] = rows[on_hand, e]
    for r in range(ints[RESOURCES]):
        for e in range(lanes):
            rows[ints[SETUP] + r, e] = work[ints[NEXT_SETUP] + r, e]


@compiled
def claim_resources(ints, rates, rows, work, excluded):
    """Add up what is wanted of each resource in this event, and start from what each is set up for."""
    lanes = rows.shape[1]
    for r in range(ints[RESOURCES]):
        for e in range(lanes):
            work[ints[CLAIM] + r, e] = 0
            work[ints[NEXT_SETUP] + r, e] = rows[ints[SETUP] + r, e]
    for place in range(ints[N]):
        i = ints[ints[ORDER] + place]
        for j in range(stage(ints, i, SOURCE), stage(ints, i, END_SOURCE)):
            r = source(ints, j, RESOURCE)
            if r >= 0 and source(ints, j, MODE) != excluded:
                use, want, claim = source_rate(rates, j, RESOURCE_USE), ints[WANT] + j, ints[CLAIM] + r
                for e in range(lanes):
                    work[claim, e] += use * work[want, e]


@compiled
def resource_share(ints, rates, rows, work, r, j, units):
    """Cap units at what the resource has capacity for, after a changeover where source j needs one."""
    lanes, zero, one, whole = rows.shape[1], rows.dtype.type(0), rows.dtype.type(1), ints[INTEGER] == 1
    capacity, loss = resource_rate(ints, rates, r, RESOURCE_CAPACITY), resource_rate(ints, rates, r, CHANGEOVER_LOSS)
    use, setup, used = source_rate(rates, j, RESOURCE_USE), ints[SETUP] + r, ints[RESOURCE_USED] + r
    want, claim = ints[WANT] + j, ints[CLAIM] + r
    for e in range(lanes):
        left = max(capacity - rows[used, e] - (zero if rows[setup, e] == j else loss), zero)
        room = left / use
        if ints[PROPORTIONAL]:
            scarce = work[claim, e] > left
            fair = work[want, e] * left / (work[claim, e] if scarce else one)
            fair = np.rint(fair) if whole else fair
            room = min(room, fair if scarce else work[want, e])
            work[claim, e] = max(work[claim, e] - use * work[want, e], zero)
        work[units, e] = min(work[units, e], np.floor(room) if whole else room)


@compiled
def occupy(ints, rates, rows, work, r, j, units):
    """Take what source j started from its resource, and the changeover that it needed."""
    use, loss = source_rate(rates, j, RESOURCE_USE), resource_rate(ints, rates, r, CHANGEOVER_LOSS)
    setup, next_setup, zero = ints[SETUP] + r, ints[NEXT_SETUP] + r, rows.dtype.type(0)
    changeovers, used = ints[CHANGEOVERS] + r, ints[RESOURCE_USED] + r
    for e in range(rows.shape[1]):
        changed = (work[units, e] > 0) & (rows[setup, e] != j)
        rows[changeovers, e] += changed
        rows[used, e] = rows[used, e] + use * work[units, e] + (loss if changed else zero)
        work[next_setup, e] = j if changed else work[next_setup, e]


@compiled
def start(ints, rates, rows, work, j, ordered, received):
    """Start what the inputs allow, consume them, and fill the pipeline."""
    lanes, zero, tolerance = rows.shape[1], rows.dtype.type(0), rates[0]
    want, units = ints[WANT] + j, ints[SCRATCH]
    for e in range(lanes):
        work[units, e] = work[want, e]
    for link in range(source(ints, j, LINK), source(ints, j, END_LINK)):
        m, per_unit = ints[ints[LISTED] + link], rates[ints[WEIGHT] + link]
        if ints[PROPORTIONAL]:
            need, final = ints[NEED] + m, ints[FINAL] + m
            for e in range(lanes):
                fair = work[want, e] * work[final, e] / work[need, e]
                work[units, e] = min(work[units, e], fair if work[need, e] > work[final, e] else work[want, e])
        else:
            on_hand = ints[ON_HAND] + m
            for e in range(lanes):
                work[units, e] = min(work[units, e], rows[on_hand, e] / per_unit)
    r = source(ints, j, RESOURCE)
    if r >= 0:
        resource_share(ints, rates, rows, work, r, j, units)
    if ints[INTEGER]:
        for e in range(lanes):
            work[units, e] = np.floor(work[units, e])
    else:
        for e in range(lanes):
            work[units, e] = work[units, e] if work[units, e] > tolerance else zero
    if r >= 0:
        occupy(ints, rates, rows, work, r, j, units)
    for link in range(source(ints, j, LINK), source(ints, j, END_LINK)):
        on_hand, per_unit = ints[ON_HAND] + ints[ints[LISTED] + link], rates[ints[WEIGHT] + link]
        for e in range(lanes):
            rows[on_hand, e] = max(rows[on_hand, e] - per_unit * work[units, e], zero)
    started, pending, last = (
        ints[STARTED] + j,
        ints[PENDING] + j,
        source(ints, j, PIPELINE_ROW) + source(ints, j, LEAD_TIME),
    )
    for e in range(lanes):
        rows[started, e] += work[units, e]
    if ordered:
        for e in range(lanes):
            rows[pending, e] -= work[units, e]
    if source(ints, j, SCRAP_ROW) >= 0:
        made(ints, rows, work, j, units)
    if source(ints, j, TRAVEL_ROW) >= 0:
        send(ints, rates, rows, work, j, units, received)
    elif source(ints, j, LEAD_TIME) == 0 and received:
        join_stock(ints, rates, rows, work, j, units)
    else:
        for e in range(lanes):
            rows[last, e] += work[units, e]


@compiled
def made(ints, rows, work, j, units):
    """Leave of a row of started units what turns out well; in integer units to the nearest, half to even."""
    k, whole = source(ints, j, SCRAP_ROW), ints[INTEGER] == 1
    share, scrapped = ints[YIELDS] + k, ints[SCRAPPED] + k
    for e in range(rows.shape[1]):
        well = work[units, e] * work[share, e]
        well = np.rint(well) if whole else well
        rows[scrapped, e] += work[units, e] - well
        work[units, e] = well


@compiled
def send(ints, rates, rows, work, j, units, received):
    """Put a row of units into source j's pipeline by its drawn lead time, behind what may not be overtaken."""
    lanes, zero, arriving = rows.shape[1], rows.dtype.type(0), ints[SCRATCH] + 1
    drawn, due = ints[DRAWN_LEAD_TIME] + source(ints, j, TRAVEL_ROW), ints[TRAVEL] + source(ints, j, TRAVEL_ROW)
    first, longest = source(ints, j, PIPELINE_ROW), source(ints, j, LEAD_TIME)
    for e in range(lanes):
        rows[due, e] = work[drawn, e]
    if source(ints, j, IN_ORDER):
        for k in range(1, longest + 1):
            for e in range(lanes):
                last = rows.dtype.type(k) if rows[first + k, e] > 0 else zero
                rows[due, e] = max(rows[due, e], last)
    for k in range(longest + 1):
        if k == 0 and received:
            for e in range(lanes):
                work[arriving, e] = work[units, e] if rows[due, e] == 0 else zero
            join_stock(ints, rates, rows, work, j, arriving)
        else:
            for e in range(lanes):
                rows[first + k, e] += work[units, e] if rows[due, e] == k else zero


@compiled
def serve(ints, rates, rows, work, i):
    """Ship to stage i's market, oldest demand first; what stays owed waits or is lost."""
    lanes, share, tells_waits = rows.shape[1], stage_rate(ints, rates, i, WAITING_SHARE), stage(ints, i, TELLS_WAITS)
    on_hand, owed, demand = ints[ON_HAND] + i, ints[OWED] + i, ints[DEMAND] + i
    shipped, on_time, lost, young = ints[SHIPPED] + i, ints[ON_TIME] + i, ints[LOST] + i, ints[SCRATCH] + 1
    for e in range(lanes):
        units = min(rows[on_hand, e], rows[owed, e])
        rows[shipped, e] = units
        rows[on_hand, e] -= units
        rows[owed, e] -= units
        rows[on_time, e] = rows[demand, e] - min(rows[demand, e], rows[owed, e])
    if tells_waits:
        for e in range(lanes):
            work[young, e] = min(rows[demand, e], rows[owed, e])
    if ints[REMEMBERS]:
        for e in range(lanes):
            work[ints[SCRATCH] + 3, e] = min(rows[demand, e], rows[owed, e])
    if share < 1:
        whole = ints[INTEGER] == 1
        for e in range(lanes):
            unmet = min(rows[demand, e], rows[owed, e])
            waits = share * unmet
            rows[lost, e] = unmet - (np.rint(waits) if whole else waits)
            rows[owed, e] -= rows[lost, e]
    if tells_waits:
        for e in range(lanes):
            work[young, e] -= rows[lost, e]
        grow_older(ints, rows, work, i, young)
    if ints[REMEMBERS] and stage(ints, i, HAS_GOODWILL):
        remember(ints, rates, rows, work, i)
    if ints[TAKES_BACK] and stage(ints, i, RETURN_LAG) > 0:
        send_back(ints, rates, rows, work, i)


@compiled
def grow_older(ints, rows, work, i, young):
    """Take what was shipped from the oldest orders, lose those out of patience, and let the others age."""
    lanes, left, oldest = rows.shape[1], ints[SCRATCH], ints[SCRATCH] + 2
    shipped, lost, owed = ints[SHIPPED] + i, ints[LOST] + i, ints[OWED] + i
    ages, first, late = stage(ints, i, AGES), stage(ints, i, AGE_ROW), stage(ints, i, LATE_ROW)
    for e in range(lanes):
        work[left, e] = rows[shipped, e]
        work[oldest, e] = work[young, e]
    for k in range(ages - 1, -1, -1):
        for e in range(lanes):
            units = min(rows[first + k, e], work[left, e])
            rows[late + k, e] = units
            rows[first + k, e] -= units
            work[left, e] -= units
    if ages > 0:
        for e in range(lanes):
            work[oldest, e] = rows[first + ages - 1, e]
        for row in range(first + ages - 1, first, -1):
            for e in range(lanes):
                rows[row, e] = rows[row - 1, e]
        for e in range(lanes):
            rows[first, e] = work[young, e]
    if stage(ints, i, LOSES_OLDEST):
        for e in range(lanes):
            rows[lost, e] += work[oldest, e]
    else:
        for e in range(lanes):
            rows[first + ages - 1, e] += work[oldest, e]
    for e in range(lanes):
        rows[owed, e] = 0
    for row in range(first, first + ages):
        for e in range(lanes):
            rows[owed, e] += rows[row, e]


@compiled
def write_off(ints, rates, rows, work):
    """Take off what is obsolete and what is thrown away; what stays is the youngest stock, one period older."""
    lanes, zero, whole, young = rows.shape[1], rows.dtype.type(0), ints[INTEGER] == 1, ints[SCRATCH]
    for i in range(ints[N]):
        on_hand, written_off, overflow = ints[ON_HAND] + i, ints[WRITTEN_OFF] + i, ints[OVERFLOW] + i
        share, life = stage_rate(ints, rates, i, OBSOLESCENCE), stage(ints, i, SHELF_LIFE)
        first, when_full = stage(ints, i, SHELF_ROW), stage(ints, i, WHEN_FULL)
        if share > 0:
            for e in range(lanes):
                units = share * rows[on_hand, e]
                rows[written_off, e] = np.rint(units) if whole else units
                rows[on_hand, e] -= rows[written_off, e]
        elif life > 0:
            for j in range(stage(ints, i, SOURCE), stage(ints, i, END_SOURCE)):
                for e in range(lanes):
                    rows[first, e] += rows[ints[RECEIPT] + j, e]
            for e in range(lanes):
                work[young, e] = 0
            for row in range(first, first + life - 1):
                for e in range(lanes):
                    work[young, e] += rows[row, e]
            for e in range(lanes):
                rows[written_off, e] = max(rows[on_hand, e] - work[young, e], zero)
                rows[on_hand, e] -= rows[written_off, e]
        if HAS_ROOM < when_full < BLOCKS:
            limit = stage_rate(ints, rates, i, STORAGE_CAPACITY)
            for e in range(lanes):
                rows[overflow, e] = max(rows[on_hand, e] - limit, zero)
            if when_full == SCRAPS:
                for e in range(lanes):
                    rows[on_hand, e] -= rows[overflow, e]
                    rows[written_off, e] += rows[overflow, e]
        if life > 0:
            for e in range(lanes):
                left, younger = rows[on_hand, e], rows[first, e]
                rows[first, e] = 0
                for row in range(first + 1, first + life):
                    kept = min(left, younger)
                    younger = rows[row, e]
                    rows[row, e] = kept
                    left -= kept


@spliced
def advance(ints, rows, work):
    """Tell what is in process, then move the pipelines one period on, unless their transit is disrupted."""
    for j in range(ints[J]):
        sum_pipeline(ints, rows, j, rows, ints[IN_PROCESS] + j)
        first, last = source(ints, j, PIPELINE_ROW), source(ints, j, PIPELINE_ROW) + source(ints, j, LEAD_TIME)
        if first == last:
            continue
        if ints[DISRUPTED] and source(ints, j, AFFECTS) == AFFECTS_TRANSIT:
            up = ints[AVAILABLE] + j
            for e in range(rows.shape[1]):
                if work[up, e] > 0:
                    rows[first, e] += rows[first + 1, e]
                    for row in range(first + 1, last):
                        rows[row, e] = rows[row + 1, e]
                    rows[last, e] = 0
        else:
            for e in range(rows.shape[1]):
                rows[first, e] += rows[first + 1, e]
            shift(rows, first + 1, last)


@spliced
def charge(ints, rates, rows, work, clock, periods):
    """Cost by term, in the order of `Network.cost_terms`, and revenue."""
    holding, pipeline, backorder, lost_sale, production, fixed, shortfall = range(7)
    lanes, zero, tolerance, cost = rows.shape[1], rows.dtype.type(0), rates[0], ints[COSTS]
    for row in range(cost, ints[REVENUE] + 1):
        for e in range(lanes):
            rows[row, e] = 0
    for i in range(ints[N]):
        add(rows, cost + holding, stage_rate(ints, rates, i, HOLDING_COST), ints[ON_HAND] + i)
        if stage(ints, i, HAS_MARKET):
            add(rows, cost + backorder, stage_rate(ints, rates, i, BACKORDER_COST), ints[OWED] + i)
            add(rows, cost + lost_sale, stage_rate(ints, rates, i, LOST_SALE_COST), ints[LOST] + i)
            add(rows, ints[REVENUE], stage_rate(ints, rates, i, PRICE), ints[SHIPPED] + i)
    for j in range(ints[J]):
        add(rows, cost + pipeline, source_rate(rates, j, PIPELINE_COST), ints[IN_PROCESS] + j)
        add(rows, cost + production, source_rate(rates, j, UNIT_COST), ints[STARTED] + j)
        add(rows, cost + shortfall, source_rate(rates, j, SHORTFALL_COST), ints[SHORTFALL] + j)
        rate, started = source_rate(rates, j, FIXED_COST), ints[STARTED] + j
        if rate != 0:
            for e in range(lanes):
                rows[cost + fixed, e] += rate if rows[started, e] > tolerance else zero
    if ints[ECONOMIES]:
        for j in range(ints[J]):
            charge_economies(ints, rates, rows, work, j)
    if ints[WRITES_OFF]:
        for i in range(ints[N]):
            term, rate = ints[ints[COST_ROWS] + OBSOLESCENCE_TERM], stage_rate(ints, rates, i, OBSOLESCENCE_COST)
            add(rows, term, rate, ints[WRITTEN_OFF] + i)
    if ints[LIMITS_STORAGE]:
        for i in range(ints[N]):
            term, rate = ints[ints[COST_ROWS] + STORAGE_TERM], stage_rate(ints, rates, i, OVERFLOW_COST)
            add(rows, term, rate, ints[OVERFLOW] + i)
    for r in range(ints[RESOURCES]):
        term, rate = ints[ints[COST_ROWS] + CHANGEOVER_TERM], resource_rate(ints, rates, r, CHANGEOVER_COST)
        add(rows, term, rate, ints[CHANGEOVERS] + r)
    if ints[TAKES_BACK]:
        for i in range(ints[N]):
            if stage(ints, i, RETURN_LAG) > 0:
                term, rate = ints[ints[COST_ROWS] + RETURNS_TERM], stage_rate(ints, rates, i, RETURN_COST)
                add(rows, term, rate, stage(ints, i, BACK_ROW))
    if ints[PROMOTES]:
        for i in range(ints[N]):
            if stage(ints, i, OVER) > 0:
                term, rate = ints[ints[COST_ROWS] + PROMOTION_TERM], stage_rate(ints, rates, i, PROMOTION_COST)
                add(rows, term, rate, ints[PROMOTION] + stage(ints, i, CAMPAIGN))
    if ints[SALVAGES]:
        for i in range(ints[N]):
            rate, on_hand = stage_rate(ints, rates, i, SALVAGE_VALUE), ints[ON_HAND] + i
            for e in range(clock.size):
                rows[ints[REVENUE], e] += rate * rows[on_hand, e] if clock[e] == periods - 1 else zero


@compiled
def charge_economies(ints, rates, rows, work, j):
    """Charge source j's price breaks, overtime and loads, and tell what it started on overtime."""
    lanes, zero, whole, tolerance = rows.shape[1], rows.dtype.type(0), ints[INTEGER] == 1, rates[0]
    started, production = ints[STARTED] + j, ints[ints[COST_ROWS] + PRODUCTION_TERM]
    for step in range(ints[WEIGHT] + source(ints, j, BREAKS), ints[WEIGHT] + source(ints, j, END_BREAKS), 3):
        least, change, unchanged = rates[step], rates[step + 1], rates[step + 2]
        for e in range(lanes):
            more = change * (rows[started, e] - unchanged)
            rows[production, e] += more if rows[started, e] >= least - tolerance else zero
    if source(ints, j, OVERTIME_ROW) >= 0:
        capacity, scaled, missing = source_rate(rates, j, CAPACITY), is_scaled(ints, j), rows.dtype.type(ROUNDING)
        beyond, up = ints[ON_OVERTIME] + source(ints, j, OVERTIME_ROW), ints[AVAILABLE] + j
        if not scaled:
            regular = np.floor(capacity) if whole else capacity
            for e in range(lanes):
                rows[beyond, e] = max(rows[started, e] - regular, zero)
        else:
            for e in range(lanes):
                regular = capacity * work[up, e]
                regular = np.floor(regular + missing) if whole else regular
                rows[beyond, e] = max(rows[started, e] - regular, zero)
        add(rows, ints[ints[COST_ROWS] + OVERTIME_TERM], source_rate(rates, j, OVERTIME_COST), beyond)
    size, cost = source_rate(rates, j, LOAD_SIZE), source_rate(rates, j, LOAD_COST)
    if cost != 0:
        loads = ints[ints[COST_ROWS] + LOADS_TERM]
        for e in range(lanes):
            rows[loads, e] += cost * np.ceil((rows[started, e] - tolerance) / size)


@spliced
def add(rows, total, rate, units):
    """Add rate x units to a total; all are rows but the rate."""
    if rate != 0:
        for e in range(rows.shape[1]):
            rows[total, e] += rate * rows[units, e]


# --- a step of the whole batch: actions in, observations and rewards out -------------------------------------------
#
# What a block reads and writes of the batch's arrays is cut out row by row first: a loop over a cut that is known to be
# contiguous becomes vector instructions, one over a[row, first + e] does not.


@entry_point
def step(ints, rates, scales, rows, totals, work, clock, discount, outside, actions, seen, paid):
    """Run one period in every environment.

    Parameters
    ----------
    ints, rates, scales : ndarray
        The network, from `pack`.
    rows : ndarray [blocks, R, lanes]
        State, flows and money of the batch; rewritten.
    totals : ndarray of float64 [blocks, totals, lanes]
        Sums of the episodes so far; added to.
    work : ndarray [work rows, lanes]
        Scratch.
    clock : ndarray of int64 [B]
        The period each environment is in; moved on.
    discount : float
        Weight of a period's profit against the one before.
    outside : ndarray of float64 [T, X, B]
        Traces of the episodes, `Traces.table`.
    actions : ndarray of float64 [B, K]
        The agent's vectors.
    seen : ndarray of float32 [D, B]
        Receives the observations at the start of the next period.
    paid : ndarray of float64 [B]
        Receives the rewards.

    Returns
    -------
    int
        -1; or the first action entry that is not a usable number; or -2 - b when environment b has ended. In the last
        two cases nothing has been done.
    """
    refused = refuse(ints, clock, outside.shape[0], actions)
    if refused != -1:
        return refused
    lanes, turn = rows.shape[2], turn_of(ints, work)
    for block in range(rows.shape[0]):
        first = block * lanes
        last = min(first + lanes, clock.size)
        now, own, sums = clock[first:last], rows[block], totals[block]
        fill_outside(ints, rates, own, work, now, outside, first)
        fill_action(ints, scales, work, actions[first:last])
        period(ints, rates, own, work, now, outside.shape[0])
        tally(ints, rates, own, work, sums, now, discount)
        pay(ints, scales, own, paid[first:last])
        for e in range(now.size):
            now[e] += 1
        if ints[MEMORY]:
            learn(ints, own, turn)
        look(ints, rates, scales, own[ints[SHOWN] :], work, now, outside, seen, first)
    if ints[MEMORY]:
        work[ints[TURN], 0] = (turn + 1) % ints[MEMORY]
    return -1


@compiled
def turn_of(ints, work):
    """Return where in the memory of late stages this period's news belong."""
    return int(work[ints[TURN], 0]) if ints[MEMORY] else 0


@compiled
def learn(ints, rows, turn):
    """Remember what stages could tell now, and show of each row what it told when it was as late as it is."""
    size, memory, known = ints[SHIPPED], ints[MEMORY], ints[KNOWN]
    for row in range(size):
        late = ints[ints[LATE] + row]
        now, then = ints[PAST] + turn * size + row, ints[PAST] + (turn - late) % memory * size + row
        for e in range(rows.shape[1]):
            rows[now, e] = rows[row, e]
        for e in range(rows.shape[1]):
            rows[known + row, e] = rows[then, e]


@compiled
def refuse(ints, clock, periods, actions):
    """Find the first thing that cannot be used, as `step` returns it."""
    over = 0
    for b in range(clock.size):
        over |= clock[b] >= periods
    if over:
        for b in range(clock.size):
            if clock[b] >= periods:
                return -2 - b
    unusable, every = 0, actions.reshape(actions.size)
    for n in range(every.size):
        unusable |= not abs(every[n]) < np.inf
    if unusable:
        for k in range(ints[K]):
            bounded = ints[ints[ENTRIES] + 2 * k + 1]
            for b in range(clock.size):
                units = actions[b, k]
                if np.isnan(units) or units == np.inf or (units == -np.inf and bounded):
                    return k
    return -1


@entry_point
def observe(ints, rates, scales, rows, work, clock, outside, seen):
    """Write what may be known at the start of the period that each clock shows, [D, B]."""
    lanes = rows.shape[2]
    for block in range(rows.shape[0]):
        first = block * lanes
        now, own = clock[first : min(first + lanes, clock.size)], rows[block]
        look(ints, rates, scales, own[ints[SHOWN] :], work, now, outside, seen, first)


@entry_point
def play(ints, rates, rows, totals, work, clock, outside, released, levels, discount):
    """Run whole episodes of a policy of rules, block by block, each through all its periods.

    Parameters
    ----------
    ints, rates, rows, totals, work, clock, outside, discount
        As for `step`.
    released : ndarray of int64 [K]
        1 where a quantity is what lifts the position to its level, 0 where the entry is the level itself.
    levels : ndarray of float64 [2, K]
        Of each entry: the position at or below which a quantity is released, and the level.
    """
    lanes, turn, some = rows.shape[2], turn_of(ints, work), 0
    for k in range(ints[K]):
        row, some = ints[ints[ENTRIES] + 2 * k], some + released[k]
        for e in range(lanes):
            work[row, e] = levels[1, k]
        round_row(ints, work, row)
    for block in range(rows.shape[0]):
        first = block * lanes
        now, own, sums = clock[first : min(first + lanes, clock.size)], rows[block], totals[block]
        for t in range(outside.shape[0]):
            fill_outside(ints, rates, own, work, now, outside, first)
            if some:
                release(ints, rates, own[ints[SHOWN] :], work, released, levels)
            period(ints, rates, own, work, now, outside.shape[0])
            tally(ints, rates, own, work, sums, now, discount)
            for e in range(now.size):
                now[e] += 1
            if ints[MEMORY]:
                learn(ints, own, (turn + t) % ints[MEMORY])
    if ints[MEMORY]:
        work[ints[TURN], 0] = (turn + outside.shape[0]) % ints[MEMORY]


@compiled
def release(ints, rates, rows, work, released, levels):
    """Put the quantities that rules release, by the rows that are known, into the block.

    The second source of a stage counts what the first releases.
    """
    lanes, tolerance, position, zero = rows.shape[1], rates[0], ints[SCRATCH] + 3, rows.dtype.type(0)
    inventory_positions(ints, rates, rows, work)
    for k in range(ints[K]):
        if not released[k]:
            continue
        row, level, reorder = ints[ints[ENTRIES] + 2 * k], rows.dtype.type(levels[1, k]), rows.dtype.type(levels[0, k])
        j = row - ints[QUANTITY]
        i = source(ints, j, STAGE)
        here = ints[POSITION] + i
        if source(ints, j, BASIS) == INSTALLATION:
            for e in range(lanes):
                work[position, e] = work[here, e]
        else:
            find_basis(ints, rates, rows, work, i, j, position)
        for e in range(lanes):
            lift = level - work[position, e]
            work[row, e] = max(lift, zero) if work[position, e] <= reorder + tolerance else zero
            work[here, e] += work[row, e]
        round_row(ints, work, row)


@compiled
def fill_outside(ints, rates, rows, work, clock, outside, first):
    """Put what the outside world does in this period into the block."""
    for m in range(ints[M]):
        cut(outside, first, ints[OUTSIDE_DEMAND] + m, clock, rows, ints[DEMAND] + ints[ints[MARKETS] + m])
    if ints[DISRUPTED]:
        for j in range(ints[J]):
            cut(outside, first, ints[OUTSIDE_AVAILABLE] + j, clock, work, ints[AVAILABLE] + j)
    for row in range(ints[CLAIM] - ints[COUNTED]):
        cut(outside, first, ints[OUTSIDE_COUNTED] + row, clock, work, ints[COUNTED] + row)
    for k in range(ints[FORESEEN] - ints[DRAWN_LEAD_TIME]):  # lead times, then yields, there as here
        cut(outside, first, ints[OUTSIDE_LEAD_TIME] + k, clock, work, ints[DRAWN_LEAD_TIME] + k)
    if ints[FORECASTS]:
        expected = ints[SCRATCH]
        for row in range(ints[FORESEEN], ints[FORESEEN] + ints[N]):
            for e in range(clock.size):
                work[row, e] = 0
        for m in range(ints[M]):
            cut(outside, first, ints[OUTSIDE_FORECAST] + m, clock, work, expected)
            for i in range(ints[N]):
                foreseen, needs = ints[FORESEEN] + i, rates[ints[REQUIREMENT] + i * ints[M] + m]
                for e in range(clock.size):
                    work[foreseen, e] += needs * work[expected, e]


@spliced
def cut(outside, first, row, clock, out, to):
    """Put a row of the outside world, each environment's at its own period (the last beyond the end), in a row."""
    last, together = outside.shape[0] - 1, True
    for e in range(clock.size):
        together &= clock[e] == clock[0]
    if together:
        now = outside[min(clock[0], last), row, first : first + clock.size]
        for e in range(now.size):
            out[to, e] = now[e]
    else:
        for e in range(clock.size):
            out[to, e] = outside[min(clock[e], last), row, first + e]


@compiled
def fill_action(ints, scales, work, actions):
    """Put the agent's vectors, in units and rounded where units are whole, into the block."""
    for k in range(ints[K]):
        row, low, span = ints[ints[ENTRIES] + 2 * k], scales[k], scales[ints[K] + k]
        if span > 0:
            for e in range(actions.shape[0]):
                work[row, e] = low + (actions[e, k] + 1.0) * 0.5 * span
        else:
            for e in range(actions.shape[0]):
                work[row, e] = actions[e, k]
        round_row(ints, work, row)


@spliced
def round_row(ints, work, row):
    """Round what is asked for, in integer units; intensities are no units."""
    if ints[INTEGER] and row < ints[INTENSITY]:
        if ints[TRUNCATE]:
            for e in range(work.shape[1]):
                work[row, e] = np.trunc(work[row, e])
        else:
            for e in range(work.shape[1]):
                work[row, e] = np.rint(work[row, e])


@spliced
def pay(ints, scales, rows, paid):
    """Sum the weighted rows of the reward."""
    for e in range(paid.size):
        paid[e] = 0.0
    for k in range(ints[PAID_COUNT]):
        row, weight = ints[ints[PAID] + k], scales[2 * ints[K] + k]
        for e in range(paid.size):
            paid[e] += weight * rows[row, e]


@compiled
def look(ints, rates, scales, rows, work, clock, outside, seen, first):
    """Write a block's observations, of the rows that are known."""
    periods, shown, dimensions = outside.shape[0], ints[SCRATCH], ints[D]
    if ints[SEES_POSITIONS]:
        inventory_positions(ints, rates, rows, work)
    at = 2 * ints[K] + ints[PAID_COUNT]
    for d in range(dimensions):
        what, factor = ints[ints[SEEN] + d], np.float32(scales[at + d])
        low, high = np.float32(scales[at + dimensions + d]), np.float32(scales[at + 2 * dimensions + d])
        entry = seen[d, first : first + clock.size]
        if what >= 0 and entry.size == 1:  # no loop of one turn
            entry[0] = min(max(np.float32(rows[what, 0]) * factor, low), high)
            continue
        if what >= 0:
            show(rows, what, factor, low, high, entry)
            continue
        if what == TIME_LEFT:
            for e in range(clock.size):
                work[shown, e] = (periods - clock[e]) / periods
        elif what <= FIRST_SETUP:
            j = FIRST_SETUP - what
            setup = ints[SETUP] + source(ints, j, RESOURCE)
            for e in range(clock.size):
                work[shown, e] = 1 if rows[setup, e] == j else 0
        elif what <= FIRST_BOOKED:
            cut(outside, first, ints[OUTSIDE_BOOKED] + FIRST_BOOKED - what, clock, work, shown)
        elif what <= FIRST_AVAILABLE:
            cut(outside, first, ints[OUTSIDE_AVAILABLE] + FIRST_AVAILABLE - what, clock, work, shown)
        elif what <= FIRST_TRANSIT:
            sum_transit(ints, rows, FIRST_TRANSIT - what, work, shown)
        elif what <= FIRST_ECHELON:
            sum_echelon(ints, rates, FIRST_ECHELON - what, work, shown)
        elif what <= FIRST_POSITION:
            show(work, ints[POSITION] + FIRST_POSITION - what, factor, low, high, entry)
            continue
        else:
            cut(outside, first, ints[OUTSIDE_FORECAST] + FIRST_FORECAST - what, clock, work, shown)
        show(work, shown, factor, low, high, entry)


@spliced
def show(rows, row, factor, low, high, entry):
    """Write one entry of the observations: a row in its scale, within its bounds."""
    for e in range(entry.size):
        entry[e] = min(max(np.float32(rows[row, e]) * factor, low), high)


@compiled
def sum_transit(ints, rows, j, work, total):
    """Orders that travel to source j."""
    for e in range(rows.shape[1]):
        work[total, e] = 0
    for row in range(source(ints, j, TRANSIT_ROW), source(ints, j, TRANSIT_ROW) + source(ints, j, DELAY)):
        for e in range(rows.shape[1]):
            work[total, e] += rows[row, e]


@compiled
def sum_echelon(ints, rates, i, work, total):
    """Echelon position of stage i, from the positions of all stages."""
    for e in range(work.shape[1]):
        work[total, e] = 0
    for k in range(ints[N]):
        beta, position = rates[ints[BETA] + i * ints[N] + k], ints[POSITION] + k
        if beta != 0:
            for e in range(work.shape[1]):
                work[total, e] += beta * work[position, e]


@compiled
def total_row(ints, field):
    """First row of a field of the totals."""
    return ints[ints[TOTALS] + field]


@spliced
def tally(ints, rates, rows, work, totals, clock, discount):
    """Add the period to the totals, as `accounting.add_period` does."""
    warm_up, profit = ints[WARM_UP], total_row(ints, T_DISCOUNTED_PROFIT)
    if discount == 1.0:
        for e in range(clock.size):
            totals[profit, e] += rows[ints[REVENUE], e]
        for row in range(ints[COSTS], ints[REVENUE]):
            for e in range(clock.size):
                totals[profit, e] -= rows[row, e]
    else:
        for e in range(clock.size):
            earned = np.float64(rows[ints[REVENUE], e])
            for row in range(ints[COSTS], ints[REVENUE]):
                earned -= rows[row, e]
            totals[profit, e] += earned * discount ** clock[e]
    if ints[FOLLOWS_DISRUPTIONS]:
        follow_disruptions(ints, rates, rows, work, totals, clock)
    follow_cycles(ints, rows, work, totals, clock)
    counted = 0
    for e in range(clock.size):
        counted += clock[e] >= warm_up
    if counted == 0:
        return
    everywhere, periods = counted == clock.size, total_row(ints, T_PERIODS)
    for e in range(clock.size):  # true and false add 1 and 0: no branch, whose outcome differs from lane to lane
        totals[periods, e] += clock[e] >= warm_up
    for field, row, count in (
        (T_REVENUE, ints[REVENUE], 1),
        (T_COSTS, ints[COSTS], ints[TERMS]),
        (T_ON_HAND, ints[ON_HAND], ints[N]),
        (T_IN_PROCESS, ints[IN_PROCESS], ints[J]),
        (T_START, ints[STARTED], ints[J]),
        (T_ORDER, ints[ORDERED], ints[J]),
        (T_SHIPPED_LATE, ints[SHIPPED_LATE], ints[COSTS] - ints[SHIPPED_LATE]),
        (T_RETURNED, ints[RETURNED], ints[CAME_BACK] - ints[RETURNED]),
        (T_WRITTEN_OFF, ints[WRITTEN_OFF], ints[OVERFLOW] - ints[WRITTEN_OFF]),
        (T_CHANGEOVERS, ints[CHANGEOVERS], ints[RESOURCES]),
        (T_RESOURCE_USED, ints[RESOURCE_USED], ints[RESOURCES]),
        (T_OVERTIME, ints[ON_OVERTIME], ints[TRAVEL] - ints[ON_OVERTIME]),
        (T_PROMOTION, ints[PROMOTION], ints[SHIPPED_LATE] - ints[PROMOTION]),  # and what it added and took back
    ):
        sum_up(rows, row, totals, total_row(ints, field), count, clock, warm_up, everywhere)
    if ints[RETURNED] > ints[TRAVEL]:
        tally_supply(ints, rows, totals, clock)
    sum_squares(rows, ints[ORDERED], totals, total_row(ints, T_ORDER_SQUARED), ints[J], clock, warm_up, everywhere)
    for i in range(ints[N]):
        on_hand, ready = ints[ON_HAND] + i, total_row(ints, T_READY) + i
        for e in range(clock.size):
            totals[ready, e] += (rows[on_hand, e] > 0) & (clock[e] >= warm_up)
    for m in range(ints[M]):  # what only stages with a market have
        i = ints[ints[MARKETS] + m]
        for field, row in (
            (T_DEMAND, ints[DEMAND]),
            (T_SHIPPED, ints[SHIPPED]),
            (T_SHIPPED_ON_TIME, ints[ON_TIME]),
            (T_LOST, ints[LOST]),
            (T_OWED, ints[OWED]),
        ):
            sum_up(rows, row + i, totals, total_row(ints, field) + i, 1, clock, warm_up, everywhere)
        demand, on_time = ints[DEMAND] + i, ints[ON_TIME] + i
        sum_squares(rows, demand, totals, total_row(ints, T_DEMAND_SQUARED) + i, 1, clock, warm_up, everywhere)
        orders, in_full = total_row(ints, T_ORDERS) + i, total_row(ints, T_ORDERS_IN_FULL) + i
        for e in range(clock.size):
            asked = (rows[demand, e] > 0) & (clock[e] >= warm_up)
            totals[orders, e] += asked
            totals[in_full, e] += asked & (rows[on_time, e] >= rows[demand, e])


@spliced
def follow_cycles(ints, rows, work, totals, clock):
    """Count replenishment cycles of stages that sell, and those without a stockout."""
    received, warm_up = ints[SCRATCH], ints[WARM_UP]
    for m in range(ints[M]):
        i = ints[ints[MARKETS] + m]
        for e in range(clock.size):
            work[received, e] = 0
        for j in range(stage(ints, i, SOURCE), stage(ints, i, END_SOURCE)):
            receipt = ints[RECEIPT] + j
            for e in range(clock.size):
                work[received, e] = max(work[received, e], rows[receipt, e])
        demand, on_time, short = ints[DEMAND] + i, ints[ON_TIME] + i, total_row(ints, T_SHORT) + i
        cycles, in_stock = total_row(ints, T_CYCLES) + i, total_row(ints, T_CYCLES_IN_STOCK) + i
        for e in range(clock.size):
            closed, fine = work[received, e] > 0, totals[short, e] == 0
            counts = closed & (clock[e] >= warm_up)
            totals[cycles, e] += counts
            totals[in_stock, e] += counts & fine
            totals[short, e] = np.float64((rows[on_time, e] < rows[demand, e]) | ((not fine) & (not closed)))


@compiled
def tally_supply(ints, rows, totals, clock):
    """Add what travels by a drawn lead time, and what is scrapped."""
    for j in range(ints[J]):
        k = source(ints, j, TRAVEL_ROW)
        if k >= 0:
            mean, square = total_row(ints, T_LEAD_TIME) + k, total_row(ints, T_LEAD_TIME_SQUARED) + k
            started, travel = ints[STARTED] + j, ints[TRAVEL] + k
            for e in range(clock.size):
                weight = np.float64(rows[started, e]) * rows[travel, e]
                counts = clock[e] >= ints[WARM_UP]
                totals[mean, e] += weight if counts else 0.0
                totals[square, e] += weight * rows[travel, e] if counts else 0.0
        k = source(ints, j, SCRAP_ROW)
        if k >= 0:
            lost, scrapped = total_row(ints, T_SCRAPPED) + k, ints[SCRAPPED] + k
            for e in range(clock.size):
                totals[lost, e] += rows[scrapped, e] if clock[e] >= ints[WARM_UP] else 0.0


@compiled
def follow_disruptions(ints, rates, rows, work, totals, clock):
    """Count what `resilience.follow` counts."""
    lanes, tolerance, shortage, unmet, down = clock.size, rates[0], ints[SCRATCH], ints[SCRATCH] + 1, ints[SCRATCH] + 2
    for row in range(shortage, down + 1):
        for e in range(lanes):
            work[row, e] = 0
    for m in range(ints[M]):
        i = ints[ints[MARKETS] + m]
        owed, lost, demand, on_time = ints[OWED] + i, ints[LOST] + i, ints[DEMAND] + i, ints[ON_TIME] + i
        for e in range(lanes):
            work[shortage, e] += rows[owed, e] + rows[lost, e]
            work[unmet, e] += rows[demand, e] - rows[on_time, e]
    for j in range(ints[J]):
        if source(ints, j, IS_DISRUPTED):
            up = ints[AVAILABLE] + j
            for e in range(lanes):
                work[down, e] = 1 if work[up, e] < 1 else work[down, e]
    first = total_row(ints, T_RESILIENCE)
    disruptions, downs, surviving, recovering, last, level, since, credited, followed, met = range(first, first + 10)
    for e in range(lanes):
        is_down, counts = work[down, e] > 0, clock[e] >= ints[WARM_UP]
        above = totals[last, e] > totals[level, e] + tolerance
        if (not is_down) & (totals[since, e] >= ints[AFTERMATH]) & (not above):
            totals[followed, e] = 0.0
        if is_down & ((totals[followed, e] == 0.0) | (totals[since, e] > 0.0)):
            totals[level, e] = totals[last, e] if totals[followed, e] == 0.0 else totals[level, e]
            totals[followed, e] = 1.0 if counts else -1.0
            totals[credited, e] = 0.0
            totals[met, e] = 1.0
            totals[disruptions, e] += counts
        totals[since, e] = 0.0 if is_down else totals[since, e] + 1.0
        totals[downs, e] += counts & is_down
        if (totals[followed, e] > 0.0) & (not is_down) & above:
            totals[recovering, e] += totals[since, e] - totals[credited, e]
            totals[credited, e] = totals[since, e]
        if work[unmet, e] > tolerance:
            totals[met, e] = 0.0
        totals[surviving, e] += totals[met, e] if totals[followed, e] > 0.0 else 0.0
        totals[last, e] = work[shortage, e]


@spliced
def sum_up(rows, row, totals, total, count, clock, warm_up, everywhere):
    """Add rows to totals in the environments past their warm-up."""
    for k in range(count):
        if everywhere:
            for e in range(clock.size):
                totals[total + k, e] += rows[row + k, e]
        else:
            for e in range(clock.size):
                totals[total + k, e] += rows[row + k, e] if clock[e] >= warm_up else 0.0


@spliced
def sum_squares(rows, row, totals, total, count, clock, warm_up, everywhere):
    """Add squares of rows to totals in the environments past their warm-up."""
    for k in range(count):
        if everywhere:
            for e in range(clock.size):
                totals[total + k, e] += np.float64(rows[row + k, e]) * rows[row + k, e]
        else:
            for e in range(clock.size):
                units = np.float64(rows[row + k, e])
                totals[total + k, e] += units * units if clock[e] >= warm_up else 0.0
