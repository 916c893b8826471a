"""The same period as `dynamics.py`, compiled: never a second meaning, proved equal by the tests.

The network becomes a few tables (`pack`), and the batch blocks of up to 64 environments, each a small matrix [R, lanes]
with one row per number of the state, the flows and the money, so that a block stays in the first cache while it is
worked on. What `dynamics.py` does with a few array expressions is here one small loop over a block's lanes. Integer
networks agree with it to the last bit, real ones to rounding.

Read `dynamics.py` first: functions here carry the names of its methods.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from pushpull.envs.accounting import COST_TERMS
from pushpull.envs.network import MODES, Network

LANES = 64
entry_point = njit(cache=True, nogil=True, error_model="numpy")
compiled = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)  # into its callers

# Columns of the tables, entries of the head, and the first rows of a block's sections.
# fmt: off
(N, J, M, INTEGER, TRUNCATE, PROPORTIONAL, SHIPS_WHILE_PULLING, PUSH_FIRST, SOME_PULL, SOME_PUSH, DISRUPTED, FORECASTS,
 ON_HAND, OWED, PENDING, PIPELINE, IN_TRANSIT, DEMAND, SHIPPED, ON_TIME, LOST, ORDERED, STARTED, RECEIPT, SHORTFALL,
 IN_PROCESS, COSTS, REVENUE, ROWS,
 QUANTITY, THRESHOLD, GAP, AVAILABLE, FORESEEN, POSITION, NEED, FINAL, WANT, SCRATCH, WORK_ROWS, HEAD) = range(41)
(MODE, STAGE, LEAD_TIME, DELAY, PIPELINE_ROW, TRANSIT_ROW, LINK, END_LINK, CARRIES, RULE, AT_MOST_ONE, FIXED_GAP,
 BASIS, BASIS_LIST, END_BASIS_LIST, HAS_CARDS, CARDS_LIST, END_CARDS_LIST, REVIEW_PERIOD, REVIEW_OFFSET, AFFECTS,
 SOURCE_COLUMNS) = range(22)
(CAPACITY, LOT_SIZE, LOT_GAP, MAX_ORDER, ADJUST_TIME, CARDS_LIMIT, UNIT_COST, FIXED_COST, PIPELINE_COST,
 SHORTFALL_COST, SOURCE_RATES) = range(11)
(SOURCE, END_SOURCE, HAS_MARKET, STAGE_COLUMNS) = range(4)
(HOLDING_COST, PRICE, BACKORDER_COST, LOST_SALE_COST, WAITING_SHARE, STAGE_RATES) = range(6)
# fmt: on
PUSH, PULL = MODES.index("push"), MODES.index("pull")
RULES = ("base_stock", "s_S", "r_nQ", "smoothed")
S_S, R_NQ, SMOOTHED = RULES.index("s_S"), RULES.index("r_nQ"), RULES.index("smoothed")
BASES = ("installation", "echelon", "physical")
ECHELON, PHYSICAL = BASES.index("echelon"), BASES.index("physical")
DISRUPTIONS = (None, "start", "order", "transit", "receipt")
AFFECTS_START, AFFECTS_ORDER, AFFECTS_TRANSIT, AFFECTS_RECEIPT = range(1, 5)
TERMS = len(COST_TERMS)

STATE = {"on_hand": ON_HAND, "owed": OWED, "pending": PENDING, "pipeline": PIPELINE, "in_transit": IN_TRANSIT}
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
}


class Tables(NamedTuple):
    """A network as the kernel reads it; the dtype of the rates is the kernel's."""

    head: np.ndarray  # counts, flags, and the first row of each section
    order: np.ndarray  # [N] stages, upstream first
    markets: np.ndarray  # [M] stages that sell
    source: np.ndarray  # [J, SOURCE_COLUMNS]
    source_rate: np.ndarray  # [J, SOURCE_RATES]
    stage: np.ndarray  # [N, STAGE_COLUMNS]
    stage_rate: np.ndarray  # [N, STAGE_RATES]
    listed: np.ndarray  # stages of all lists: a source's inputs, what its position and its cards look at
    weight: np.ndarray  # units of each listed stage
    requirement: np.ndarray  # [N, M] units of each stage in one unit of each stage that sells
    tolerance: np.ndarray  # [1] units below it are dust; 0 in integer units


def pack(network: Network, dtype: type, disrupted: bool = False) -> Tables:
    """Write a network into tables; `disrupted` says that availability will be given."""
    n, j, integer = len(network.stages), len(network.sources), network.units == "integer"
    head = np.zeros(HEAD, dtype=np.int64)
    head[[N, J, M]] = n, j, len(network.markets)
    head[INTEGER] = integer
    head[TRUNCATE] = network.rounding == "truncate"
    head[PROPORTIONAL] = network.allocation == "proportional"
    head[SHIPS_WHILE_PULLING] = network.sequence[3:] == ("pull", "ship")
    head[PUSH_FIRST] = network.sequence[0] == "push"
    head[SOME_PULL] = any(mode != "push" for mode in network.modes)
    head[SOME_PUSH] = any(mode != "pull" for mode in network.modes)
    head[DISRUPTED] = disrupted
    head[FORECASTS] = any(source.lot.rule == "smoothed" for source in network.sources)
    kept = {
        ON_HAND: n, OWED: n, PENDING: j, PIPELINE: sum(network.pipeline_rows), IN_TRANSIT: sum(network.order_delays),
        DEMAND: n, SHIPPED: n, ON_TIME: n, LOST: n, ORDERED: j, STARTED: j, RECEIPT: j, SHORTFALL: j, IN_PROCESS: j,
        COSTS: TERMS, REVENUE: 1, ROWS: 0,
    }  # fmt: skip
    scratch = {
        QUANTITY: j, THRESHOLD: j, GAP: j, AVAILABLE: j if disrupted else 0, FORESEEN: n, POSITION: n, NEED: n,
        FINAL: n, WANT: j, SCRATCH: 6, WORK_ROWS: 0,
    }  # fmt: skip
    for sizes in (kept, scratch):
        head[list(sizes)] = np.cumsum([0, *sizes.values()])[:-1]

    source, source_rate = np.zeros((j, SOURCE_COLUMNS), dtype=np.int64), np.zeros((j, SOURCE_RATES))
    lists: list[tuple[int, float]] = []

    def place(entries: list[tuple[int, float]]) -> tuple[int, int]:
        lists.extend(entries)
        return len(lists) - len(entries), len(lists)

    def whole(units: float) -> float:
        return float(np.floor(units)) if integer else units

    pipeline_row, transit_row = head[PIPELINE], head[IN_TRANSIT]
    for k, settings in enumerate(network.sources):
        i, lot, cards = network.source_stage[k], settings.lot, settings.cards
        beta = network.requirements[i]
        seen = {
            "installation": [],
            "echelon": [(m, float(beta[m])) for m in range(n) if beta[m]],
            "physical": [(m, float(beta[m])) for m in network.stages_over(i, settings.over)],
        }
        limited = [] if cards is None else [(m, float(beta[m])) for m in network.stages_over(i, cards.over)]
        affects = None if settings.disruption is None else settings.disruption.affects
        source[k] = [
            MODES.index(network.modes[k]), i, settings.lead_time, network.order_delays[k], pipeline_row, transit_row,
            *place(list(network.inputs[k])), network.modes[k] == "push" and settings.carries, RULES.index(lot.rule),
            lot.at_most_one, lot.gap is not None, BASES.index(settings.basis), *place(seen[settings.basis]),
            cards is not None, *place(limited), settings.review_period, settings.review_offset,
            DISRUPTIONS.index(affects),
        ]  # fmt: skip
        source_rate[k] = [
            settings.capacity, lot.Q or 0, network.rounded(lot.gap or 0),
            settings.max_order if lot.rule == "r_nQ" else whole(settings.max_order), lot.adjust_time,
            whole(cards.limit) if cards else 0, settings.unit_cost, settings.fixed_cost,
            settings.pipeline_holding_cost, settings.shortfall_cost,
        ]  # fmt: skip
        pipeline_row += network.pipeline_rows[k]
        transit_row += network.order_delays[k]

    stage, stage_rate = np.zeros((n, STAGE_COLUMNS), dtype=np.int64), np.zeros((n, STAGE_RATES))
    for i, settings in enumerate(network.stages.values()):
        own, market = network.sources_of[i], settings.market
        stage[i] = [own[0], own[-1] + 1, market is not None]
        stage_rate[i, HOLDING_COST] = settings.holding_cost
        if market is not None:
            stage_rate[i, PRICE:] = [market.price, market.backorder_cost, market.lost_sale_cost, market.waiting_share]
    return Tables(
        head=head,
        order=np.array(network.stage_order, dtype=np.int64),
        markets=np.array(list(network.markets), dtype=np.int64),
        source=source,
        source_rate=source_rate.astype(dtype),
        stage=stage,
        stage_rate=stage_rate.astype(dtype),
        listed=np.array([m for m, _ in lists], dtype=np.int64),
        weight=np.array([units for _, units in lists], dtype=dtype),
        requirement=network.requirements[:, list(network.markets)].astype(dtype),
        tolerance=np.array([0.0 if integer else 1e-9 if dtype == np.float64 else 1e-4], dtype=dtype),
    )


# --- one period on one block ---------------------------------------------------------------------------------------
#
# `rows` [R, lanes] holds what lasts, `work` what serves one period: the action, availability, forecasts, scratch.


@compiled
def _period(net, rows, work, clock):
    """Run the sequence of events on a block whose demand, action, availability and forecast rows are filled."""
    head = net.head
    rows[head[SHIPPED] : head[IN_PROCESS]] = 0
    if head[PUSH_FIRST] and head[SOME_PUSH]:
        _push(net, rows, work, clock, False)
    _receive(net, rows, work)
    if head[SOME_PUSH] and not head[PUSH_FIRST]:
        _push(net, rows, work, clock, True)
    if head[SHIPS_WHILE_PULLING]:
        _demand(net, rows)
        _pull(net, rows, work, clock)
        _start_orders(net, rows, work, True)
    else:
        _pull(net, rows, work, clock)
        _start_orders(net, rows, work, False)
        _demand(net, rows)
        for i in net.markets:
            _serve(net, rows, i)
    _advance(net, rows, work)
    _charge(net, rows)


@compiled
def _receive(net, rows, work):
    lanes = rows.shape[1]
    for j in range(net.head[J]):
        delay = net.source[j, DELAY]
        if delay > 0:
            first, pending = net.source[j, TRANSIT_ROW], rows[net.head[PENDING] + j]
            for e in range(lanes):
                pending[e] += rows[first, e]
            _shift(rows, first, first + delay - 1)
        arriving, due = rows[net.source[j, PIPELINE_ROW]], work[net.head[SCRATCH]]
        for e in range(lanes):
            due[e] = arriving[e]
            arriving[e] = 0
        _join_stock(net, rows, work, j, due)


@compiled
def _copy(row, units):
    for e in range(row.size):
        row[e] = units[e]


@compiled
def _shift(rows, first, last):
    """Move rows one place down, and clear the last."""
    for row in range(first, last):
        _copy(rows[row], rows[row + 1])
    for e in range(rows.shape[1]):
        rows[last, e] = 0


@compiled
def _join_stock(net, rows, work, j, units):
    """Put units that are due on hand, or let them wait outside while receipts are disrupted."""
    receipt, on_hand = rows[net.head[RECEIPT] + j], rows[net.head[ON_HAND] + net.source[j, STAGE]]
    if net.head[DISRUPTED] and net.source[j, AFFECTS] == AFFECTS_RECEIPT:
        up, waiting = work[net.head[AVAILABLE] + j], rows[net.source[j, PIPELINE_ROW]]
        for e in range(rows.shape[1]):
            if up[e] > 0:
                receipt[e] += units[e]
                on_hand[e] += units[e]
            else:
                waiting[e] += units[e]
    else:
        for e in range(rows.shape[1]):
            receipt[e] += units[e]
            on_hand[e] += units[e]


@compiled
def _push(net, rows, work, clock, received):
    head, lanes, zero = net.head, rows.shape[1], rows.dtype.type(0)
    requested, room = work[head[SCRATCH] + 1], work[head[SCRATCH] + 2]
    for i in net.order:
        requested[:] = 0
        for j in range(net.stage[i, SOURCE], net.stage[i, END_SOURCE]):
            if net.source[j, MODE] == PULL:
                continue
            request, quantity = rows[head[ORDERED] + j], work[head[QUANTITY] + j]
            for e in range(lanes):
                request[e] = max(quantity[e], zero)
            _when_acting(net, work, clock, j, request)
            if net.source[j, HAS_CARDS]:
                _room(net, rows, work, j, room)
                for e in range(lanes):
                    request[e] = max(min(request[e], room[e] - requested[e]), zero)
                    requested[e] += request[e]
            else:
                for e in range(lanes):
                    requested[e] += request[e]
            want, target = work[head[WANT] + j], rows[head[SHORTFALL] + j]
            if net.source[j, CARRIES]:
                pending = rows[head[PENDING] + j]
                for e in range(lanes):
                    target[e] = request[e] + pending[e]
            else:
                _copy(target, request)
            _within_capacity(net, rows, work, j, target, want)
    _pass(net, rows, work, PULL, False, received)
    for j in range(head[J]):
        if net.source[j, MODE] != PULL:
            shortfall, started = rows[head[SHORTFALL] + j], rows[head[STARTED] + j]
            for e in range(lanes):
                shortfall[e] -= started[e]
            if net.source[j, CARRIES]:
                _copy(rows[head[PENDING] + j], shortfall)


@compiled
def _demand(net, rows):
    for i in net.markets:
        owed, demand = rows[net.head[OWED] + i], rows[net.head[DEMAND] + i]
        for e in range(rows.shape[1]):
            owed[e] += demand[e]


@compiled
def _pull(net, rows, work, clock):
    if not net.head[SOME_PULL]:
        return
    _inventory_positions(net, rows, work)
    for k in range(net.head[N] - 1, -1, -1):
        i = net.order[k]
        for j in range(net.stage[i, SOURCE], net.stage[i, END_SOURCE]):
            if net.source[j, MODE] != PUSH:
                _trigger(net, rows, work, clock, i, j)


@compiled
def _trigger(net, rows, work, clock, i, j):
    """Place source j's order and let all positions feel it."""
    head, lanes, zero, tolerance = net.head, rows.shape[1], rows.dtype.type(0), net.tolerance[0]
    order, room = work[head[SCRATCH]], work[head[SCRATCH] + 1]
    _order(net, rows, work, i, j, order, room)
    for e in range(lanes):
        order[e] = order[e] if order[e] > tolerance else zero
    _when_acting(net, work, clock, j, order)
    ordered, position, delay = rows[head[ORDERED] + j], work[head[POSITION] + i], net.source[j, DELAY]
    if delay > 0:
        travelling = rows[net.source[j, TRANSIT_ROW] + delay - 1]
        for e in range(lanes):
            ordered[e] += order[e]
            position[e] += order[e]
            travelling[e] = order[e]
        return
    pending = rows[head[PENDING] + j]
    for e in range(lanes):
        ordered[e] += order[e]
        position[e] += order[e]
        pending[e] += order[e]
    for link in range(net.source[j, LINK], net.source[j, END_LINK]):
        supplier, per_unit = work[head[POSITION] + net.listed[link]], net.weight[link]
        for e in range(lanes):
            supplier[e] -= per_unit * order[e]


@compiled
def _order(net, rows, work, i, j, order, room):
    """Apply the lot rule to the distance between threshold and position, then the caps."""
    head, lanes, zero, tolerance = net.head, rows.shape[1], rows.dtype.type(0), net.tolerance[0]
    threshold, distance = work[head[THRESHOLD] + j], work[head[SCRATCH] + 2]
    if net.source[j, BASIS] == 0:
        position = work[head[POSITION] + i]
    else:
        position = order  # scratch until the order is known
        _basis(net, rows, work, i, j, position)
    for e in range(lanes):
        distance[e] = threshold[e] - position[e]
    rule, limited, most = net.source[j, RULE], net.source[j, HAS_CARDS], net.source_rate[j, MAX_ORDER]
    if limited:
        _room(net, rows, work, j, room)
        for e in range(lanes):
            room[e] = max(room[e], zero)
    if rule == R_NQ:
        size, one = net.source_rate[j, LOT_SIZE], net.source[j, AT_MOST_ONE]
        unit, most = rows.dtype.type(1), np.floor((most + tolerance) / size)
        for e in range(lanes):
            lots = unit if one else np.floor((distance[e] + tolerance) / size) + unit
            order[e] = min(lots, most) if distance[e] >= -tolerance else zero
        for e in range(lanes if limited else 0):
            order[e] = min(order[e], np.floor((room[e] + tolerance) / size))
        for e in range(lanes):
            order[e] *= size
        return
    if rule == S_S:
        gap, fixed, agents = net.source_rate[j, LOT_GAP], net.source[j, FIXED_GAP], work[head[GAP] + j]
        for e in range(lanes):
            order[e] = distance[e] + (gap if fixed else agents[e]) if distance[e] >= -tolerance else zero
    elif rule == SMOOTHED:
        adjust_time, foreseen = net.source_rate[j, ADJUST_TIME], work[head[FORESEEN] + i]
        for e in range(lanes):
            order[e] = foreseen[e] + (distance[e] - foreseen[e]) / adjust_time
        for e in range(lanes if head[INTEGER] else 0):
            order[e] = np.rint(order[e])
    else:
        _copy(order, distance)
    for e in range(lanes):
        order[e] = min(max(order[e], zero), most)
    for e in range(lanes if limited else 0):
        order[e] = min(order[e], room[e])


@compiled
def _inventory_positions(net, rows, work):
    head, lanes = net.head, rows.shape[1]
    for i in range(head[N]):
        position, on_hand, owed = work[head[POSITION] + i], rows[head[ON_HAND] + i], rows[head[OWED] + i]
        for e in range(lanes):
            position[e] = on_hand[e] - owed[e]
    coming = work[head[SCRATCH]]
    for j in range(head[J]):
        pending, position = rows[head[PENDING] + j], work[head[POSITION] + net.source[j, STAGE]]
        _in_process(net, rows, j, coming)
        for e in range(lanes):
            coming[e] += pending[e]
        for row in range(net.source[j, TRANSIT_ROW], net.source[j, TRANSIT_ROW] + net.source[j, DELAY]):
            for e in range(lanes):
                coming[e] += rows[row, e]
        for e in range(lanes):
            position[e] += coming[e]
        for link in range(net.source[j, LINK], net.source[j, END_LINK]):
            supplier, per_unit = work[head[POSITION] + net.listed[link]], net.weight[link]
            for e in range(lanes):
                supplier[e] -= per_unit * pending[e]


@compiled
def _in_process(net, rows, j, total):
    """Units in source j's pipeline."""
    first = net.source[j, PIPELINE_ROW]
    _copy(total, rows[first])
    for row in range(first + 1, first + net.source[j, LEAD_TIME] + 1):
        for e in range(rows.shape[1]):
            total[e] += rows[row, e]


@compiled
def _basis(net, rows, work, i, j, out):
    """The echelon or physical position that source j's threshold is compared with."""
    if net.source[j, BASIS] == PHYSICAL:
        _physical_position(net, rows, work, i, net.source[j, BASIS_LIST], net.source[j, END_BASIS_LIST], out)
        return
    out[:] = 0
    for k in range(net.source[j, BASIS_LIST], net.source[j, END_BASIS_LIST]):
        position, units = work[net.head[POSITION] + net.listed[k]], net.weight[k]
        for e in range(rows.shape[1]):
            out[e] += units * position[e]


@compiled
def _physical_position(net, rows, work, i, first, end, out):
    """Units that exist over some stages, whatever is owed, and own orders not yet started."""
    head, lanes = net.head, rows.shape[1]
    there, moving = work[head[SCRATCH] + 4], work[head[SCRATCH] + 5]
    out[:] = 0
    for j in range(net.stage[i, SOURCE], net.stage[i, END_SOURCE]):
        for e in range(lanes):
            out[e] += rows[head[PENDING] + j, e]
        for row in range(net.source[j, TRANSIT_ROW], net.source[j, TRANSIT_ROW] + net.source[j, DELAY]):
            for e in range(lanes):
                out[e] += rows[row, e]
    for k in range(first, end):
        m, units = net.listed[k], net.weight[k]
        _copy(there, rows[head[ON_HAND] + m])
        for j in range(net.stage[m, SOURCE], net.stage[m, END_SOURCE]):
            _in_process(net, rows, j, moving)
            for e in range(lanes):
                there[e] += moving[e]
        for e in range(lanes):
            out[e] += units * there[e]


@compiled
def _room(net, rows, work, j, out):
    """Cards left: the limit less the physical position."""
    first, end = net.source[j, CARDS_LIST], net.source[j, END_CARDS_LIST]
    _physical_position(net, rows, work, net.source[j, STAGE], first, end, out)
    for e in range(rows.shape[1]):
        out[e] = net.source_rate[j, CARDS_LIMIT] - out[e]


@compiled
def _when_acting(net, work, clock, j, units):
    """Keep units only in review periods and while orders get through."""
    every, offset = net.source[j, REVIEW_PERIOD], net.source[j, REVIEW_OFFSET]
    for e in range(units.size if every > 1 else 0):
        if (clock[e] - offset) % every != 0:
            units[e] = 0
    if net.head[DISRUPTED] and net.source[j, AFFECTS] == AFFECTS_ORDER:
        up = work[net.head[AVAILABLE] + j]
        for e in range(units.size):
            if not up[e] > 0:
                units[e] = 0


@compiled
def _start_orders(net, rows, work, serving):
    head, lanes = net.head, rows.shape[1]
    for j in range(head[J]):
        if net.source[j, MODE] != PUSH:
            _within_capacity(net, rows, work, j, rows[head[PENDING] + j], work[head[WANT] + j])
    _pass(net, rows, work, PUSH, serving, True)
    for j in range(head[J]):
        if net.source[j, MODE] != PUSH:
            shortfall, pending = rows[head[SHORTFALL] + j], rows[head[PENDING] + j]
            for e in range(lanes):
                shortfall[e] += pending[e]


@compiled
def _within_capacity(net, rows, work, j, units, want):
    """Cap units at what capacity and availability leave after this period's earlier starts."""
    capacity, started, up = net.source_rate[j, CAPACITY], rows[net.head[STARTED] + j], work[net.head[AVAILABLE] + j]
    lanes, zero, whole = rows.shape[1], rows.dtype.type(0), net.head[INTEGER] == 1
    scaled = net.head[DISRUPTED] and net.source[j, AFFECTS] <= AFFECTS_START
    if capacity == np.inf:
        if scaled:
            for e in range(lanes):
                want[e] = units[e] if up[e] > 0 else zero
        else:
            _copy(want, units)
    elif scaled:
        for e in range(lanes):
            rate = capacity * up[e]
            want[e] = min(units[e], (np.floor(rate) if whole else rate) - started[e])
    else:
        rate = np.floor(capacity) if whole else capacity
        for e in range(lanes):
            want[e] = min(units[e], rate - started[e])


@compiled
def _pass(net, rows, work, excluded, serving, received):
    """Go upstream to downstream once: start each stage's sources but those of the excluded mode, then serve."""
    head, lanes = net.head, rows.shape[1]
    if head[PROPORTIONAL]:
        work[head[NEED] : head[NEED] + head[N]] = 0
        for i in net.order:
            for j in range(net.stage[i, SOURCE], net.stage[i, END_SOURCE]):
                if net.source[j, MODE] != excluded:
                    want = work[head[WANT] + j]
                    for link in range(net.source[j, LINK], net.source[j, END_LINK]):
                        need, per_unit = work[head[NEED] + net.listed[link]], net.weight[link]
                        for e in range(lanes):
                            need[e] += per_unit * want[e]
    for i in net.order:
        for j in range(net.stage[i, SOURCE], net.stage[i, END_SOURCE]):
            if net.source[j, MODE] != excluded:
                _start(net, rows, work, j, excluded == PUSH, received)
        if serving and net.stage[i, HAS_MARKET]:
            _serve(net, rows, i)
        if head[PROPORTIONAL]:
            _copy(work[head[FINAL] + i], rows[head[ON_HAND] + i])


@compiled
def _start(net, rows, work, j, ordered, received):
    """Start what the inputs allow, consume them, and fill the pipeline."""
    head, lanes, zero, tolerance = net.head, rows.shape[1], rows.dtype.type(0), net.tolerance[0]
    want, units = work[head[WANT] + j], work[head[SCRATCH]]
    _copy(units, want)
    for link in range(net.source[j, LINK], net.source[j, END_LINK]):
        m = net.listed[link]
        if head[PROPORTIONAL]:
            need, final = work[head[NEED] + m], work[head[FINAL] + m]
            for e in range(lanes):
                fair = want[e] * final[e] / need[e]
                units[e] = min(units[e], fair if need[e] > final[e] else want[e])
        else:
            on_hand, per_unit = rows[head[ON_HAND] + m], net.weight[link]
            for e in range(lanes):
                units[e] = min(units[e], on_hand[e] / per_unit)
    if head[INTEGER]:
        for e in range(lanes):
            units[e] = np.floor(units[e])
    else:
        for e in range(lanes):
            units[e] = units[e] if units[e] > tolerance else zero
    for link in range(net.source[j, LINK], net.source[j, END_LINK]):
        on_hand, per_unit = rows[head[ON_HAND] + net.listed[link]], net.weight[link]
        for e in range(lanes):
            on_hand[e] = max(on_hand[e] - per_unit * units[e], zero)
    started, last = rows[head[STARTED] + j], rows[net.source[j, PIPELINE_ROW] + net.source[j, LEAD_TIME]]
    if net.source[j, LEAD_TIME] == 0 and received:
        for e in range(lanes):
            started[e] += units[e]
        _join_stock(net, rows, work, j, units)
    else:
        for e in range(lanes):
            started[e] += units[e]
            last[e] += units[e]
    if ordered:
        pending = rows[head[PENDING] + j]
        for e in range(lanes):
            pending[e] -= units[e]


@compiled
def _serve(net, rows, i):
    """Ship to stage i's market, oldest demand first; what stays owed waits or is lost."""
    head, lanes = net.head, rows.shape[1]
    on_hand, owed, demand = rows[head[ON_HAND] + i], rows[head[OWED] + i], rows[head[DEMAND] + i]
    shipped, on_time = rows[head[SHIPPED] + i], rows[head[ON_TIME] + i]
    for e in range(lanes):
        shipped[e] = min(on_hand[e], owed[e])
        on_hand[e] -= shipped[e]
        owed[e] -= shipped[e]
        on_time[e] = demand[e] - min(demand[e], owed[e])
    share, lost, whole = net.stage_rate[i, WAITING_SHARE], rows[head[LOST] + i], head[INTEGER] == 1
    if share < 1:
        for e in range(lanes):
            unmet = min(demand[e], owed[e])
            waits = share * unmet
            lost[e] = unmet - (np.rint(waits) if whole else waits)
            owed[e] -= lost[e]


@compiled
def _advance(net, rows, work):
    """Tell what is in process, then move the pipelines one period on, unless their transit is disrupted."""
    lanes = rows.shape[1]
    for j in range(net.head[J]):
        _in_process(net, rows, j, rows[net.head[IN_PROCESS] + j])
        first, last = net.source[j, PIPELINE_ROW], net.source[j, PIPELINE_ROW] + net.source[j, LEAD_TIME]
        if first == last:
            continue
        if net.head[DISRUPTED] and net.source[j, AFFECTS] == AFFECTS_TRANSIT:
            up = work[net.head[AVAILABLE] + j]
            for e in range(lanes):
                if up[e] > 0:
                    rows[first, e] += rows[first + 1, e]
                    for row in range(first + 1, last):
                        rows[row, e] = rows[row + 1, e]
                    rows[last, e] = 0
        else:
            for e in range(lanes):
                rows[first, e] += rows[first + 1, e]
            _shift(rows, first + 1, last)


@compiled
def _charge(net, rows):
    """Cost by term, in the order of COST_TERMS, and revenue."""
    head, lanes, zero, tolerance = net.head, rows.shape[1], rows.dtype.type(0), net.tolerance[0]
    holding, pipeline, backorder, lost_sale, production, fixed, shortfall = range(7)
    cost = head[COSTS]
    rows[cost : cost + TERMS + 1] = 0
    for i in range(head[N]):
        _add(rows, cost + holding, net.stage_rate[i, HOLDING_COST], head[ON_HAND] + i)
        if net.stage[i, HAS_MARKET]:
            _add(rows, cost + backorder, net.stage_rate[i, BACKORDER_COST], head[OWED] + i)
            _add(rows, cost + lost_sale, net.stage_rate[i, LOST_SALE_COST], head[LOST] + i)
            _add(rows, head[REVENUE], net.stage_rate[i, PRICE], head[SHIPPED] + i)
    for j in range(head[J]):
        _add(rows, cost + pipeline, net.source_rate[j, PIPELINE_COST], head[IN_PROCESS] + j)
        _add(rows, cost + production, net.source_rate[j, UNIT_COST], head[STARTED] + j)
        _add(rows, cost + shortfall, net.source_rate[j, SHORTFALL_COST], head[SHORTFALL] + j)
        rate = net.source_rate[j, FIXED_COST]
        if rate != 0:
            total, started = rows[cost + fixed], rows[head[STARTED] + j]
            for e in range(lanes):
                total[e] += rate if started[e] > tolerance else zero


@compiled
def _add(rows, total, rate, units):
    """Add rate x units to a total; all are rows but the rate."""
    if rate != 0:
        for e in range(rows.shape[1]):
            rows[total, e] += rate * rows[units, e]


# --- a step of the whole batch: actions in, observations and rewards out -------------------------------------------


class Door(NamedTuple):
    """How a task's vectors meet the blocks' rows."""

    entry: np.ndarray  # [K] work row of each action entry
    low: np.ndarray  # [K] units at the lower bound
    span: np.ndarray  # [K] units between the bounds; 0 where entries are units already
    bounded: np.ndarray  # [K] whether minus infinity is refused, as it is for all but thresholds
    reward_row: np.ndarray  # rows whose weighted sum is the reward
    reward_weight: np.ndarray
    seen: np.ndarray  # [D] what each entry of the observation shows: a row, or below 0 a forecast or the time left
    scale: np.ndarray  # [D] what it is divided by
    floor: np.ndarray  # [D] its bounds
    ceiling: np.ndarray  # [D]


TIME_LEFT = -1
FIRST_FORECAST = -2  # and downwards: -2 - (h M + m)


@entry_point
def step(net, door, rows, totals, work, clock, demand, available, forecast, actions, warm_up, discount, paid, seen):
    """Run one period in every environment.

    Parameters
    ----------
    net, door : Tables, Door
        The network, and how vectors are read and written.
    rows : ndarray [blocks, R, lanes]
        State, flows and money of the batch; rewritten.
    totals : ndarray of float64 [blocks, totals, lanes]
        Sums of the episodes so far; added to.
    work : ndarray [work rows, lanes]
        Scratch.
    clock : ndarray of int64 [B]
        The period each environment is in; moved on.
    demand, available, forecast : ndarray [T, M, B], [T, J, B] or nothing, [T, H, M, B]
        Traces of the episodes.
    actions : ndarray of float64 [B, K]
        The agent's vectors.
    warm_up, discount : int, float
        Periods that totals leave out; weight of a period's profit against the one before.
    paid : ndarray of float64 [B]
        Receives the rewards.
    seen : ndarray of float32 [D, B]
        Receives the observations at the start of the next period.

    Returns
    -------
    int
        -1, or the first action entry that is not a usable number; then nothing has been done.
    """
    for k in range(actions.shape[1]):
        for b in range(actions.shape[0]):
            units = actions[b, k]
            if np.isnan(units) or units == np.inf or (units == -np.inf and door.bounded[k]):
                return k
    lanes = rows.shape[2]
    for block in range(rows.shape[0]):
        first = block * lanes
        width = min(lanes, clock.size - first)
        now = clock[first : first + width]
        _fill_outside(net, rows[block], work, now, demand, available, forecast, first)
        _fill_action(net, door, work, actions, first, width)
        _period(net, rows[block], work, now)
        _tally(net, rows[block], totals[block], now, warm_up, discount)
        _pay(door, rows[block], paid, first, width)
        for e in range(width):
            now[e] += 1
    observe(net, door, rows, clock, forecast, demand.shape[0], seen)
    return -1


@compiled
def _fill_outside(net, rows, work, clock, demand, available, forecast, first):
    """Put what the outside world does in this period into the block."""
    head = net.head
    for m in range(head[M]):
        asked = rows[head[DEMAND] + net.markets[m]]
        for e in range(clock.size):
            asked[e] = demand[clock[e], m, first + e]
    if head[DISRUPTED]:
        for j in range(head[J]):
            up = work[head[AVAILABLE] + j]
            for e in range(clock.size):
                up[e] = available[clock[e], j, first + e]
    if head[FORECASTS]:
        for i in range(head[N]):
            foreseen = work[head[FORESEEN] + i]
            foreseen[:] = 0
            for m in range(head[M]):
                for e in range(clock.size):
                    foreseen[e] += net.requirement[i, m] * forecast[clock[e], 0, m, first + e]


@compiled
def _fill_action(net, door, work, actions, first, width):
    """Put the agent's vectors, in units and rounded where units are whole, into the block."""
    for k in range(door.entry.size):
        row, low, span = work[door.entry[k]], door.low[k], door.span[k]
        if span > 0:
            for e in range(width):
                row[e] = low + (actions[first + e, k] + 1.0) * 0.5 * span
        else:
            for e in range(width):
                row[e] = actions[first + e, k]
        if net.head[INTEGER]:
            if net.head[TRUNCATE]:
                for e in range(width):
                    row[e] = np.trunc(row[e])
            else:
                for e in range(width):
                    row[e] = np.rint(row[e])


@compiled
def _pay(door, rows, paid, first, width):
    for e in range(width):
        paid[first + e] = 0.0
    for k in range(door.reward_row.size):
        row, weight = rows[door.reward_row[k]], door.reward_weight[k]
        for e in range(width):
            paid[first + e] += weight * row[e]


@compiled
def _tally(net, rows, totals, clock, warm_up, discount):
    """Add the period to the totals, whose rows follow the fields of `accounting.Totals`."""
    head, width = net.head, clock.size
    n, sources = head[N], head[J]
    profit = totals[2 + TERMS]
    for e in range(width):
        weight = 1.0 if discount == 1.0 else discount ** clock[e]
        earned = np.float64(rows[head[REVENUE], e])
        for term in range(TERMS):
            earned -= rows[head[COSTS] + term, e]
        profit[e] += weight * earned
    counted = True
    for e in range(width):
        counted = counted and clock[e] >= warm_up
    if not counted:
        any_counted = False
        for e in range(width):
            any_counted = any_counted or clock[e] >= warm_up
        if not any_counted:
            return
    for e in range(width):
        if clock[e] < warm_up:
            continue
        totals[0, e] += 1.0
    _sum(rows, totals, head[REVENUE], 1, 1, clock, warm_up, counted)
    _sum(rows, totals, head[COSTS], 2, TERMS, clock, warm_up, counted)
    at = 3 + TERMS
    for section in (DEMAND, SHIPPED, ON_TIME, LOST):
        _sum(rows, totals, head[section], at, n, clock, warm_up, counted)
        at += n
    for i in net.markets:
        demand, on_time, on_hand = rows[head[DEMAND] + i], rows[head[ON_TIME] + i], rows[head[ON_HAND] + i]
        orders, in_full = totals[at + i], totals[at + n + i]
        for e in range(width):
            asked = 1.0 if demand[e] > 0 and clock[e] >= warm_up else 0.0
            orders[e] += asked
            in_full[e] += asked if on_time[e] >= demand[e] else 0.0
    for i in range(n):
        on_hand, ready = rows[head[ON_HAND] + i], totals[at + 2 * n + i]
        for e in range(width):
            ready[e] += 1.0 if on_hand[e] > 0 and clock[e] >= warm_up else 0.0
    at += 3 * n
    for section in (ON_HAND, OWED):
        _sum(rows, totals, head[section], at, n, clock, warm_up, counted)
        at += n
    for section in (IN_PROCESS, STARTED, ORDERED):
        _sum(rows, totals, head[section], at, sources, clock, warm_up, counted)
        at += sources
    _sum_squares(rows, totals, head[ORDERED], at, sources, clock, warm_up)
    _sum_squares(rows, totals, head[DEMAND], at + sources, n, clock, warm_up)


@compiled
def _sum(rows, totals, row, total, count, clock, warm_up, counted):
    for k in range(count):
        for e in range(clock.size):
            if counted or clock[e] >= warm_up:
                totals[total + k, e] += rows[row + k, e]


@compiled
def _sum_squares(rows, totals, row, total, count, clock, warm_up):
    for k in range(count):
        for e in range(clock.size):
            units = np.float64(rows[row + k, e])
            totals[total + k, e] += units * units if clock[e] >= warm_up else 0.0


@entry_point
def observe(net, door, rows, clock, forecast, periods, seen):
    """Write what may be known at the start of the period that each clock shows, [D, B]."""
    lanes, last, markets = rows.shape[2], forecast.shape[0] - 1, net.head[M]
    for block in range(rows.shape[0]):
        first = block * lanes
        width = min(lanes, clock.size - first)
        for d in range(door.seen.size):
            out, what, scale = seen[d, first : first + width], door.seen[d], door.scale[d]
            floor, ceiling = door.floor[d], door.ceiling[d]
            if what >= 0:
                row = rows[block, what]
                for e in range(width):
                    out[e] = min(max(row[e] / scale, floor), ceiling)
            elif what == TIME_LEFT:
                for e in range(width):
                    out[e] = min(max((periods - clock[first + e]) / (periods * scale), floor), ceiling)
            else:
                h, m = (FIRST_FORECAST - what) // markets, (FIRST_FORECAST - what) % markets
                for e in range(width):
                    foreseen = forecast[min(clock[first + e], last), h, m, first + e]
                    out[e] = min(max(foreseen / scale, floor), ceiling)
