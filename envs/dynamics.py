"""One period of a push-pull network: the definition of the model.

``step`` takes the state at the start of a period, what the outside world does in it and the agent's action, runs the
network's sequence of events, and returns the next state and the period's flows. It is pure, works on a batch of B
independent environments in arrays of shape [rows, B], and on numpy or torch alike (gradients included): rows are
replaced, never written into.

The events, in the default sequence:

1. ``receive``  orders that travelled long enough reach the source; units due join the stock
2. ``push``     each push source starts its release, before demand is seen
3. ``demand``   customer demand becomes owed
4. ``pull``     triggers run downstream to upstream, and orders are placed
5. ``ship``     upstream to downstream: pull orders start, and each market is served before downstream draws
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pushpull.envs.network import Cards, Network, Source, Stage

Array = Any  # a numpy array or a torch tensor
ROUNDING = 1e-3  # units by which a share of a capacity may fall short of a whole number: 0.1 of 30 is 3, not 2.9999998


@dataclass(frozen=True)
class State:
    """What one period hands to the next.

    `goodwill` is the factor on demand at the markets that state it. `returning` has `lag` rows per market with returns:
    row k holds the units that come back k periods later; `return_parts` three rows: the parts of units, in integer
    units, that late returns, defective ones and resalable ones are short of the next whole one. `borrowed` has `over`
    rows per market that promotes: row k holds the units that campaigns have borrowed from the demand k periods later,
    parts of units included.

    `pipeline` has lead_time + 1 rows per source, by the longest there may be: row k holds the units received k periods
    later. `in_transit` has order_delay rows per source: row k holds the orders that reach the source k periods later.
    `owed_by_age` has `Market.ages` rows per market: row k holds what is owed and will be k + 1 periods late in the
    coming period (the last row also what will be later, unless patience ends it); where a market has such rows, they
    add up to `owed`. `stock_by_age` has shelf_life rows per stage: row k holds the units on hand that were received k
    periods ago; where a stage has such rows, they add up to `on_hand`. `setup` holds the index of the source each
    resource is set up for.
    """

    period: Array  # [B], whole numbers
    on_hand: Array  # [N, B]
    owed: Array  # [N, B]
    pending: Array  # [J, B]
    pipeline: Array  # [sum of lead_time + 1, B]
    in_transit: Array  # [sum of order_delay, B]
    owed_by_age: Array  # [sum of ages, B]
    stock_by_age: Array  # [sum of shelf_life, B]
    setup: Array  # [R, B]
    goodwill: Array  # [markets with goodwill, B]
    returning: Array  # [sum of return lags, B]
    return_parts: Array  # [3 per market with returns, B]
    borrowed: Array  # [sum of Network.borrowing, B]


@dataclass(frozen=True)
class Exogenous:
    """What the outside world does in one period, whatever the agent does."""

    demand: Array  # [M, B], one row per market
    available: Array | None = None  # [J, B], 1 normal, 0 down; None: always normal
    forecast: Array = None  # [M, B], demand foreseen per period; only the smoothed rule needs it
    booked: Array = (
        None  # [sum of book_rows, B], orders in the books at the start of the period, due in it, the next, ...
    )
    booked_after: Array = None  # [sum of book_rows, B], after its demand event, due in the next period, ...
    lead_time: Array = None  # [L, B], whole periods that what starts now travels, per source of random lead time
    yields: Array = None  # [Y, B], share of what starts now that turns out well, per source with a yield


@dataclass(frozen=True)
class Action:
    """What the agent sets at the start of a period; rows that a source's mode does not use are ignored."""

    quantity: Array  # [J, B], release requests of push and mixed sources
    threshold: Array  # [J, B], of pull and mixed sources; minus infinity never fires
    gap: Array = None  # [J, B], of (s, S) sources that do not state their gap
    promotion: Array = None  # [P, B], intensities at the markets that promote, cut to [0, 1]; None: 0


@dataclass(frozen=True)
class Flows:
    """What moved in one period, and what stood at its end before the pipelines advance."""

    demand: Array  # [N, B] units asked for by customers
    shipped: Array  # [N, B] units shipped to customers
    shipped_on_time: Array  # [N, B] of those, units shipped in the period they were asked for
    lost: Array  # [N, B] units of demand lost
    order: Array  # [J, B] requests before capacity, orders after all caps
    start: Array  # [J, B] units started
    receipt: Array  # [J, B] units that joined the stock
    shortfall: Array  # [J, B] requests or orders not started at the end of the period
    on_hand: Array  # [N, B]
    owed: Array  # [N, B]
    in_process: Array  # [J, B] units in the pipelines, held ones included
    returned: Array  # [2 per market with returns, B] of the units shipped, those that will come back: late, defective
    came_back: Array  # [markets with returns, B] units that came back in the period
    restocked: Array  # [markets with returns, B] of those, units that joined the stock
    overtime: Array  # [O, B] of the units started, those beyond the regular capacity, per source with overtime
    lead_time: Array  # [L, B] periods from these starts to their arrival, per source of random lead time
    scrapped: Array  # [Y, B] of the units started, those that do not turn out well, per source with a yield
    shipped_late: Array  # [sum of ages, B] of the units shipped, those 1, 2, ... periods late, market by market
    written_off: Array  # [N, B] units that left the stock unused; no rows where no stage writes off
    overflow: Array  # [N, B] units that storage had no room for; no rows where all stages have room
    changeovers: Array  # [R, B] sources that each resource had to be set up for
    resource_used: Array  # [R, B] capacity taken of each resource, that lost in changeovers included
    promotion: Array  # [P, B] intensity of the campaign at each market that promotes
    promoted: Array  # [P, B] of the units asked for, those that the campaign added
    taken_back: Array  # [P, B] units not asked for, since earlier campaigns had borrowed them


def step(xp: Any, network: Network, state: State, exogenous: Exogenous, action: Action) -> tuple[State, Flows]:
    """Run one period.

    Parameters
    ----------
    xp : module
        The array namespace of the arrays: numpy, or ``array_api_compat.torch``.
    network : Network
        The chain; its sequence names the events and their order.
    state, exogenous, action
        The start of the period, in units of each stage's item.

    Returns
    -------
    State, Flows
        The start of the next period and what moved in this one.
    """
    period = _Period(xp, network, state, exogenous, action)
    for event in network.sequence:
        getattr(period, event)()
    return period.end()


def initial_state(xp: Any, network: Network, batch: int, **kind: Any) -> State:
    """Return the state that the network's initial settings describe, `batch` times (`kind`: dtype, device)."""
    stages = network.stages.values()

    def rows(values: list[float]) -> Array:
        column = xp.reshape(xp.asarray(values, **kind), (-1, 1))
        return column + xp.zeros((1, batch), **kind)

    pipeline = [
        units
        for source in network.sources
        for units in [*source.initial_pipeline, *[0.0] * (source.lead_time + 1 - len(source.initial_pipeline))]
    ]
    return State(
        period=xp.zeros((batch,), dtype=xp.int64, **{key: value for key, value in kind.items() if key != "dtype"}),
        on_hand=rows([float(stage.initial_on_hand) for stage in stages]),
        owed=rows([float(stage.initial_owed) for stage in stages]),
        pending=rows([0.0] * len(network.sources)),
        pipeline=rows(pipeline),
        in_transit=rows([0.0] * sum(network.order_delays)),
        owed_by_age=rows(
            [
                float(network.stages[network.stage_names[i]].initial_owed) if age == 0 else 0.0
                for i, market in network.markets.items()
                for age in range(market.ages)
            ]
        ),
        setup=rows([float(users[0]) for users in network.resource_users]),
        stock_by_age=rows(
            [
                units
                for stage in stages
                for units in [float(stage.initial_on_hand), *[0.0] * ((stage.shelf_life or 1) - 1)]
                if stage.shelf_life
            ]
        ),
        goodwill=rows([1.0] * len(network.remembered)),
        returning=rows([0.0] * sum(network.return_lags)),
        return_parts=rows([0.0] * 3 * len(network.returning)),
        borrowed=rows([0.0] * sum(network.borrowing)),
    )


def inventory_positions(
    network: Network,
    on_hand: Sequence[Array],
    owed: Sequence[Array],
    pipeline: Sequence[Sequence[Array]],
    pending: Sequence[Array],
    in_transit: Sequence[Sequence[Array]],
) -> list[Array]:
    """Return IP of every stage: what it has and has coming, less what it owes to customers and downstream sources."""
    position = [units - backorders for units, backorders in zip(on_hand, owed, strict=True)]
    for j, i in enumerate(network.source_stage):
        position[i] = position[i] + _total([*pipeline[j], pending[j], *in_transit[j]])
        for m, units in network.inputs[j]:
            position[m] = position[m] - units * pending[j]
    return position


def split(rows: Array, lengths: Sequence[int]) -> list[list[Array]]:
    """Cut stacked rows into one list of rows per source."""
    remaining = iter(rows)
    return [[next(remaining) for _ in range(length)] for length in lengths]


class _Period:
    """The working rows of one period: one [B] array per stage or source, and one method per event."""

    def __init__(self, xp: Any, network: Network, state: State, exogenous: Exogenous, action: Action):
        self.xp, self.network, self.exogenous, self.action = xp, network, exogenous, action
        self.period = state.period
        self.integer = network.units == "integer"
        self.tolerance = 0.0 if self.integer else 1e-9 if state.on_hand.dtype == xp.float64 else 1e-4
        self.received = False
        self.on_hand = list(state.on_hand)
        self.owed = list(state.owed)
        self.pending = list(state.pending)
        self.pipeline = split(state.pipeline, network.pipeline_rows)
        self.in_transit = split(state.in_transit, network.order_delays)
        self.ages = dict(zip(network.markets, split(state.owed_by_age, network.ages), strict=True))
        self.shipped_late = {i: list(rows) for i, rows in self.ages.items()}
        self.stock_by_age = split(state.stock_by_age, network.shelf_lives)
        self.setup = list(state.setup)
        self.goodwill = dict(zip(network.remembered, state.goodwill, strict=True))
        coming_back, parts = split(state.returning, network.return_lags), [3] * len(network.returning)
        self.returning = dict(zip(network.returning, coming_back, strict=True))
        self.return_parts = dict(zip(network.returning, split(state.return_parts, parts), strict=True))
        self.returned: dict[int, list[Array]] = {}
        self.borrowed = dict(zip(network.promoting, split(state.borrowed, network.borrowing), strict=True))
        self.came_back: dict[int, Array] = {}
        self.restocked: dict[int, Array] = {}
        self.zero = xp.zeros_like(self.on_hand[0])
        zeros_per_stage = [self.zero] * len(network.stages)
        zeros_per_source = [self.zero] * len(network.sources)
        self.demanded, self.shipped, self.on_time, self.lost = (list(zeros_per_stage) for _ in range(4))
        self.written_off, self.overflow = (list(zeros_per_stage) for _ in range(2))
        self.changeovers, self.resource_used = ([self.zero] * len(network.resource_names) for _ in range(2))
        self.order, self.started, self.receipt, self.shortfall = (list(zeros_per_source) for _ in range(4))
        self.lead_time = dict.fromkeys(network.random_lead_times, self.zero)
        self.scrapped = dict.fromkeys(network.yielding_sources, self.zero)
        self.promotion, self.promoted, self.taken_back = (dict.fromkeys(network.promoting, self.zero) for _ in range(3))

    # --- the five events -------------------------------------------------------------------------------------

    def receive(self) -> None:
        for j, source in enumerate(self.network.sources):
            if self.in_transit[j]:
                arrived, *self.in_transit[j] = self.in_transit[j]
                self.pending[j] = self.pending[j] + arrived
            due = self.pipeline[j][0]
            self.pipeline[j][0] = self.zero
            self._join_stock(j, source, due)
        for i in self.network.returning:
            self._take_back(i)
        self.received = True

    def push(self) -> None:
        requests = {}
        for i in self.network.stage_order:
            requested = self.zero
            for j in self.network.sources_of[i]:
                if self.network.modes[j] != "pull":
                    source = self.network.sources[j]
                    request = self.xp.maximum(self._rounded(self.action.quantity[j]), self.zero)
                    request = self._when_acting(source, j, request)
                    if source.cards is not None:
                        request = self.xp.minimum(request, self._room(i, source.cards) - requested)
                        request = self.xp.maximum(request, self.zero)
                    requests[j] = request
                    requested = requested + request
        target = {j: request + self.pending[j] if self._carries(j) else request for j, request in requests.items()}
        starts = self._pass({j: self._within_capacity(j, units) for j, units in target.items()})
        for j in requests:
            self.order[j] = requests[j]
            self.shortfall[j] = target[j] - starts[j]
            if self._carries(j):
                self.pending[j] = self.shortfall[j]

    def demand(self) -> None:
        for row, i in enumerate(self.network.markets):
            units = self.exogenous.demand[row]
            if i in self.goodwill:
                units = self.goodwill[i] * units
                units = self.xp.round(units) if self.integer else units
            self.demanded[i] = self._promote(i, units) if i in self.borrowed else units
            self.owed[i] = self.owed[i] + self.demanded[i]

    def pull(self) -> None:
        if set(self.network.modes) == {"push"}:
            return
        position = inventory_positions(
            self.network, self.on_hand, self.owed, self.pipeline, self.pending, self.in_transit
        )
        for i in reversed(self.network.stage_order):
            for j in self.network.sources_of[i]:
                if self.network.modes[j] != "push":
                    self._trigger(i, j, position)
        if not self._ships_while_pulling:
            self._start_orders(serving=False)

    def ship(self) -> None:
        if self._ships_while_pulling:
            self._start_orders(serving=True)
        else:
            for i in self.network.markets:
                self._serve(i)

    def end(self) -> tuple[State, Flows]:
        xp = self.xp
        if self.network.writes_off or self.network.limits_storage:
            for i, stage in enumerate(self.network.stages.values()):
                self._write_off(i, stage)
        in_process = [_total(rows) for rows in self.pipeline]
        flows = Flows(
            demand=xp.stack(self.demanded),
            shipped=xp.stack(self.shipped),
            shipped_on_time=xp.stack(self.on_time),
            lost=xp.stack(self.lost),
            order=xp.stack(self.order),
            start=xp.stack(self.started),
            receipt=xp.stack(self.receipt),
            shortfall=xp.stack(self.shortfall),
            on_hand=xp.stack(self.on_hand),
            owed=xp.stack(self.owed),
            in_process=xp.stack(in_process),
            overtime=self._stack([[self._overtime(j) for j in self.network.overtime_sources]]),
            lead_time=self._stack([list(self.lead_time.values())]),
            scrapped=self._stack([list(self.scrapped.values())]),
            shipped_late=self._stack(self.shipped_late.values()),
            written_off=self._stack([self.written_off] if self.network.writes_off else []),
            overflow=self._stack([self.overflow] if self.network.limits_storage else []),
            changeovers=self._stack([self.changeovers]),
            resource_used=self._stack([self.resource_used]),
            returned=self._stack(self.returned[i] for i in self.network.returning),
            came_back=self._stack([list(self.came_back.values())]),
            restocked=self._stack([list(self.restocked.values())]),
            promotion=self._stack([list(self.promotion.values())]),
            promoted=self._stack([list(self.promoted.values())]),
            taken_back=self._stack([list(self.taken_back.values())]),
        )
        pipeline = [row for j, rows in enumerate(self.pipeline) for row in self._advance(j, rows)]
        state = State(
            period=self.period + 1,
            on_hand=flows.on_hand,
            owed=flows.owed,
            pending=xp.stack(self.pending),
            pipeline=xp.stack(pipeline),
            in_transit=self._stack(self.in_transit),
            owed_by_age=self._stack(self.ages.values()),
            stock_by_age=self._stack(self.stock_by_age),
            setup=self._stack([self.setup]),
            goodwill=self._stack([list(self.goodwill.values())]),
            returning=self._stack(self.returning.values()),
            return_parts=self._stack(self.return_parts.values()),
            borrowed=self._stack(self.borrowed.values()),
        )
        return state, flows

    def _stack(self, parts: Iterable[list[Array]]) -> Array:
        """Stack rows of several parts, none of which may have any."""
        rows = [row for part in parts for row in part]
        return self.xp.stack(rows) if rows else self.xp.stack(self.on_hand)[:0]

    # --- what customers ask for ------------------------------------------------------------------------------

    def _promote(self, i: int, units: Array) -> Array:
        """Return demand at stage i after its campaigns: less what earlier ones borrowed, lifted by this period's.

        In integer units what is taken back is rounded down, and the lift to the nearest, half to even.
        """
        xp, promotion, (due, *later) = self.xp, self.network.promoting[i], [*self.borrowed[i], self.zero]
        back = xp.minimum(self._floor(due) if self.integer else due, units)
        later[0] = later[0] + xp.maximum(due - back, self.zero)
        asked = self.action.promotion
        intensity = self.zero if asked is None else asked[list(self.borrowed).index(i)]
        intensity = xp.minimum(xp.maximum(intensity, self.zero), self.zero + 1.0)
        lift = promotion.lift * intensity * (units - back)
        lift = xp.round(lift) if self.integer else lift
        self.borrowed[i] = [row + promotion.borrow / promotion.over * lift for row in later]
        self.promotion[i], self.promoted[i], self.taken_back[i] = intensity, lift, back
        return units - back + lift

    # --- requests and orders -----------------------------------------------------------------------------------

    def _trigger(self, i: int, j: int, position: list[Array]) -> None:
        """Place source j's order and let all positions feel it."""
        source = self.network.sources[j]
        room = None if source.cards is None else self.xp.maximum(self._room(i, source.cards), self.zero)
        order = self._order(i, j, source, self._basis(i, source, position), room)
        order = self._when_acting(source, j, self.xp.where(order > self.tolerance, order, self.zero))
        self.order[j] = self.order[j] + order
        position[i] = position[i] + order
        if self.network.order_delays[j]:
            self.in_transit[j] = [*self.in_transit[j], order]
        else:
            self.pending[j] = self.pending[j] + order
            for m, units in self.network.inputs[j]:
                position[m] = position[m] - units * order

    def _order(self, i: int, j: int, source: Source, position: Array, room: Array | None) -> Array:
        """Apply the lot rule to the distance between threshold and position, then the caps."""
        xp, lot = self.xp, source.lot
        distance = self._rounded(self.action.threshold[j]) - position + self._ordered_ahead(j)
        if lot.rule == "r_nQ":
            lots = self.zero + 1.0 if lot.at_most_one else xp.floor((distance + self.tolerance) / lot.Q) + 1.0
            lots = xp.where(distance >= -self.tolerance, lots, self.zero)
            if source.max_order < float("inf"):
                lots = xp.minimum(lots, (source.max_order + self.tolerance) // lot.Q)
            if room is not None:
                lots = xp.minimum(lots, xp.floor((room + self.tolerance) / lot.Q))
            return lots * lot.Q
        if lot.rule == "s_S":
            gap = self._rounded(self.action.gap[j]) if lot.gap is None else self.network.rounded(lot.gap)
            order = xp.where(distance >= -self.tolerance, distance + gap, self.zero)
        elif lot.rule == "smoothed":
            forecast = self._forecast(i)
            order = forecast + (distance - forecast) / lot.adjust_time
            order = xp.round(order) if self.integer else order
        else:
            order = distance
        order = xp.maximum(order, self.zero)
        if source.max_order < float("inf"):
            order = xp.minimum(order, self._floor_scalar(source.max_order))
        return order if room is None else xp.minimum(order, room)

    def _ordered_ahead(self, j: int) -> Array:
        """Booked orders that source j's trigger counts, in units of its stage."""
        exogenous, spikes = self.exogenous, self.network.sources[j].spikes
        book, total = exogenous.booked_after if self.network.counts_after_demand else exogenous.booked, self.zero
        for row, units in self.network.counted_orders[j]:
            large = book[row] if spikes is None else self.xp.where(book[row] >= spikes.threshold, book[row], self.zero)
            total = total + units * large
        return total

    def _forecast(self, i: int) -> Array:
        """Demand per period on stage i that its markets' forecasts imply."""
        needs = self.network.requirements[i]
        return _total(
            [float(needs[k]) * self.exogenous.forecast[row] for row, k in enumerate(self.network.markets) if needs[k]]
            or [self.zero]
        )

    def _basis(self, i: int, source: Source, position: list[Array]) -> Array:
        """Return the position that source's threshold is compared with."""
        if source.basis == "physical":
            return self._physical_position(i, source.over)
        if source.basis == "echelon":
            needs = self.network.requirements[i]
            return _total([float(beta) * position[k] for k, beta in enumerate(needs) if beta])
        return position[i]

    def _physical_position(self, i: int, over: tuple[str, ...] | None) -> Array:
        """Units that exist over some stages, whatever is owed, and own orders not yet started."""
        terms = [row for j in self.network.sources_of[i] for row in (self.pending[j], *self.in_transit[j])]
        for k in self.network.stages_over(i, over):
            rows = [self.on_hand[k], *(row for j in self.network.sources_of[k] for row in self.pipeline[j])]
            terms.append(float(self.network.requirements[i, k]) * _total(rows))
        return _total(terms)

    def _room(self, i: int, cards: Cards) -> Array:
        """Cards left: the limit less the physical position."""
        return self._floor_scalar(cards.limit) - self._physical_position(i, cards.over)

    def _when_acting(self, source: Source, j: int, units: Array) -> Array:
        """Keep units only in review periods and while orders get through."""
        if source.review_period > 1:
            acting = (self.period - source.review_offset) % source.review_period == 0
            units = self.xp.where(acting, units, self.zero)
        up = self._up(j, "order")
        return units if up is None else self.xp.where(up, units, self.zero)

    # --- starts and shipments ----------------------------------------------------------------------------------

    @cached_property
    def _ships_while_pulling(self) -> bool:
        """Whether orders start in the same pass as markets are served: when ship follows pull at once."""
        sequence = self.network.sequence
        return sequence.index("ship") == sequence.index("pull") + 1

    def _start_orders(self, *, serving: bool) -> None:
        want = {}
        for j, mode in enumerate(self.network.modes):
            if mode != "push":
                want[j] = self._within_capacity(j, self.pending[j])
        starts = self._pass(want, serving=serving)
        for j in want:
            self.pending[j] = self.pending[j] - starts[j]
            self.shortfall[j] = self.shortfall[j] + self.pending[j]

    def _within_capacity(self, j: int, units: Array) -> Array:
        """Cap units at what capacity and availability leave after this period's earlier starts."""
        source, available = self.network.sources[j], self._available(j)
        if self.network.resource_of[j] >= 0:
            room = self._resource_left(j) / source.resource_use
            units = self.xp.minimum(units, self.xp.floor(room) if self.integer else room)
        if source.capacity == float("inf"):
            return units if available is None else self.xp.where(available > 0, units, self.zero)
        rate = self._rate(j, source.capacity)
        if source.overtime is not None:
            rate = rate + self._rate(j, source.overtime.capacity)
        return self.xp.minimum(units, rate - self.started[j])

    def _rate(self, j: int, capacity: float) -> Array:
        """Return what is available of a capacity; in integer units rounded down."""
        available = self._available(j)
        if available is None:
            return self.zero + self._floor_scalar(capacity)
        return self.xp.floor(capacity * available + ROUNDING) if self.integer else capacity * available

    def _available(self, j: int) -> Array | None:
        """Return the share of source j's capacity that is available, or None when all always is."""
        disruption = self.network.sources[j].disruption
        if self.exogenous.available is None or (disruption is not None and disruption.affects != "start"):
            return None
        return self.exogenous.available[j]

    def _overtime(self, j: int) -> Array:
        """Return the units that source j started beyond its regular capacity."""
        return self.xp.maximum(self.started[j] - self._rate(j, self.network.sources[j].capacity), self.zero)

    def _pass(self, want: dict[int, Array], *, serving: bool = False) -> dict[int, Array]:
        """Go upstream to downstream once: start each stage's sources, then serve its market; return the starts."""
        network, starts = self.network, {}
        need = [
            _total([units * want[j] for j, units in self._draws(m, want)] or [self.zero])
            for m in range(len(network.stages))
        ]
        final = list(self.on_hand)
        claims = [
            _total([network.sources[j].resource_use * want[j] for j in users if j in want] or [self.zero])
            for users in network.resource_users
        ]
        self.next_setup = list(self.setup)
        for i in network.stage_order:
            for j in network.sources_of[i]:
                if j in want:
                    starts[j] = self._start(i, j, want[j], need, final, claims)
            if serving and i in network.markets:
                self._serve(i)
            final[i] = self.on_hand[i]
        self.setup = self.next_setup
        return starts

    def _draws(self, m: int, want: dict[int, Array]) -> list[tuple[int, float]]:
        """Sources that draw on stage m in this event, with the units they take per unit made."""
        return [
            (j, units) for j in self.network.users_of[m] if j in want for k, units in self.network.inputs[j] if k == m
        ]

    def _start(self, i: int, j: int, want: Array, need: list[Array], final: list[Array], claims: list[Array]) -> Array:
        """Start what inputs and resource allow, consume them, and fill the pipeline; return the units started."""
        xp, inputs, shares = self.xp, self.network.inputs[j], self.network.resource_of[j] >= 0
        units = want
        for m, per_unit in inputs:
            if self.network.allocation == "proportional":
                scarce = need[m] > final[m]
                fair = want * final[m] / xp.where(scarce, need[m], 1.0)
                units = xp.minimum(units, xp.where(scarce, fair, want))
            else:
                units = xp.minimum(units, self.on_hand[m] / per_unit)
        if shares:
            units = xp.minimum(units, self._resource_share(j, want, claims))
        units = xp.floor(units) if self.integer else xp.where(units > self.tolerance, units, self.zero)
        if shares:
            self._occupy(j, units)
        for m, per_unit in inputs:
            left = self.on_hand[m] - per_unit * units
            self.on_hand[m] = left if self.integer else xp.maximum(left, self.zero)
        self.started[j] = self.started[j] + units
        self._send(j, self._made(j, units))
        return units

    def _made(self, j: int, units: Array) -> Array:
        """Return what of the started units turns out well; in integer units to the nearest, half to even."""
        if j not in self.scrapped:
            return units
        made = units * self.exogenous.yields[self.network.yielding_sources.index(j)]
        made = self.xp.round(made) if self.integer else made
        self.scrapped[j] = self.scrapped[j] + (units - made)
        return made

    def _send(self, j: int, units: Array) -> None:
        """Put units into source j's pipeline, or on hand where nothing keeps them."""
        source, rows = self.network.sources[j], self.pipeline[j]
        if source.lead_time_law is not None:
            due = self._due(j, rows)
            for k in range(source.lead_time + 1):
                arriving = self.xp.where(due == k, units, self.zero)
                if k == 0 and self.received:
                    self._join_stock(j, source, arriving)
                else:
                    rows[k] = rows[k] + arriving
        elif source.lead_time == 0 and self.received:
            self._join_stock(j, source, units)
        else:
            rows[-1] = rows[-1] + units

    def _due(self, j: int, rows: list[Array]) -> Array:
        """Return in how many periods what starts now arrives: after its own time, or with the last under way."""
        due = self.exogenous.lead_time[self.network.random_lead_times.index(j)]
        law = self.network.sources[j].lead_time_law
        if law is not None and not law.crossing:
            for k in range(1, len(rows)):
                due = self.xp.where(rows[k] > 0, self.xp.maximum(due, self.zero + k), due)
        self.lead_time[j] = due
        return due

    # --- shared resources ----------------------------------------------------------------------------------------

    def _resource_left(self, j: int, lost: float | Array = 0.0) -> Array:
        """Capacity that is left of source j's resource in this period, less what is lost."""
        r = self.network.resource_of[j]
        capacity = (self.network.resources or {})[self.network.resource_names[r]].capacity
        return self.xp.maximum(capacity - self.resource_used[r] - lost, self.zero)

    def _resource_share(self, j: int, want: Array, claims: list[Array]) -> Array:
        """Units of source j that its resource has capacity for, after a changeover where it needs one.

        By priority that is all that is left. Proportionally it is the source's part, by what was wanted, of what is
        left for it and for those behind it in stage order; rounded in integer units, half to even.
        """
        xp, r, use = self.xp, self.network.resource_of[j], self.network.sources[j].resource_use
        left = self._resource_left(j, self._changeover_loss(r) * self._needs_changeover(r, j))
        room = left / use
        if self.network.allocation == "proportional":
            scarce = claims[r] > left
            fair = want * left / xp.where(scarce, claims[r], 1.0)
            fair = xp.round(fair) if self.integer else fair
            room = xp.minimum(room, xp.where(scarce, fair, want))
            claims[r] = xp.maximum(claims[r] - use * want, self.zero)
        return xp.floor(room) if self.integer else room

    def _occupy(self, j: int, units: Array) -> None:
        """Take what source j started from its resource, and the changeover that it needed."""
        r, use = self.network.resource_of[j], self.network.sources[j].resource_use
        changed = self.xp.where(units > 0, self._needs_changeover(r, j), self.zero)
        self.changeovers[r] = self.changeovers[r] + changed
        self.resource_used[r] = self.resource_used[r] + use * units + self._changeover_loss(r) * changed
        self.next_setup[r] = self.xp.where(changed > 0, self.zero + float(j), self.next_setup[r])

    def _needs_changeover(self, r: int, j: int) -> Array:
        """1 where resource r is not set up for source j, else 0."""
        return self.xp.where(self.setup[r] == float(j), self.zero, self.zero + 1.0)

    def _changeover_loss(self, r: int) -> float:
        return (self.network.resources or {})[self.network.resource_names[r]].changeover_loss

    def _join_stock(self, j: int, source: Source, units: Array) -> None:
        """Put units that are due on hand, or let them wait outside for a disruption to end or for room."""
        up, i = self._up(j, "receipt"), self.network.source_stage[j]
        stage = self.network.stages[self.network.stage_names[i]]
        if up is not None:
            self.pipeline[j][0] = self.pipeline[j][0] + self.xp.where(up, self.zero, units)
            units = self.xp.where(up, units, self.zero)
        if stage.limits_storage and stage.overflow == "block":
            room = self.xp.maximum(self._floor_scalar(stage.storage_capacity) - self.on_hand[i], self.zero)
            outside = units - self.xp.minimum(units, room)
            self.pipeline[j][0] = self.pipeline[j][0] + outside
            self.overflow[i] = self.overflow[i] + outside
            units = units - outside
        self.receipt[j] = self.receipt[j] + units
        self.on_hand[i] = self.on_hand[i] + units

    def _serve(self, i: int) -> None:
        """Ship to stage i's market, oldest demand first; what stays owed waits or is lost."""
        xp, share = self.xp, self.network.markets[i].waiting_share
        self.shipped[i] = xp.minimum(self.on_hand[i], self.owed[i])
        self.on_hand[i] = self.on_hand[i] - self.shipped[i]
        self.owed[i] = self.owed[i] - self.shipped[i]
        unmet = xp.minimum(self.demanded[i], self.owed[i])
        self.on_time[i] = self.demanded[i] - unmet
        if share < 1:
            waits = share * unmet
            self.lost[i] = unmet - (xp.round(waits) if self.integer else waits)
            self.owed[i] = self.owed[i] - self.lost[i]
        if share > 0 and self.network.markets[i].tells_waits:
            self._grow_older(i, unmet - self.lost[i])
        if i in self.goodwill:
            self._remember(i, unmet)
        if i in self.returning:
            self._send_back(i)

    def _remember(self, i: int, unmet: Array) -> None:
        """Let goodwill fall with the share of demand that was not met, or recover if all was."""
        xp, demanded, goodwill = self.xp, self.demanded[i], self.network.remembered[i]
        asked = demanded > self.tolerance
        pleased = xp.where(asked & (unmet <= self.tolerance), self.zero + goodwill.gain, self.zero)
        missed = unmet / xp.where(asked, demanded, self.zero + 1.0)
        factor = self.goodwill[i] - goodwill.loss * missed + pleased
        self.goodwill[i] = xp.minimum(xp.maximum(factor, self.zero + goodwill.floor), self.zero + 1.0)

    def _send_back(self, i: int) -> None:
        """Decide how much of what was shipped will come back, for each reason."""
        late, parts = self.xp.maximum(self.shipped[i] - self.on_time[i], self.zero), self.return_parts[i]
        shares = self.network.returning[i].by_reason
        self.returned[i] = [
            self._whole(share * units, parts, reason)
            for reason, (share, units) in enumerate(zip(shares, (late, self.shipped[i]), strict=True))
        ]
        self.returning[i] = [*self.returning[i], self.returned[i][0] + self.returned[i][1]]

    def _take_back(self, i: int) -> None:
        """Let returns arrive: a share of them joins the stock, the rest is scrapped."""
        self.came_back[i], *self.returning[i] = self.returning[i]
        resalable = self.network.returning[i].resalable
        self.restocked[i] = self._whole(resalable * self.came_back[i], self.return_parts[i], 2)
        self.on_hand[i] = self.on_hand[i] + self.restocked[i]
        if self.stock_by_age[i]:  # as fresh as what is received
            self.stock_by_age[i][0] = self.stock_by_age[i][0] + self.restocked[i]

    def _whole(self, units: Array, parts: list[Array], place: int) -> Array:
        """Add units to the part of one that is carried at a place, and take what is whole; in real units take all."""
        if not self.integer:
            return units
        total = parts[place] + units
        whole = self._floor(total)
        parts[place] = self.xp.maximum(total - whole, self.zero)
        return whole

    def _grow_older(self, i: int, young: Array) -> None:
        """Take what was shipped from the oldest orders, lose those out of patience, and let the others age.

        `young` is what stays owed of this period's demand. Where ages are told apart, `owed` is the sum of the ages, so
        that real units do not drift apart.
        """
        xp, ages, patience = self.xp, self.ages[i], self.network.markets[i].patience
        left = self.shipped[i]
        for k in reversed(range(len(ages))):
            self.shipped_late[i][k] = xp.minimum(ages[k], left)
            ages[k] = ages[k] - self.shipped_late[i][k]
            left = left - self.shipped_late[i][k]
        *older, oldest = [young, *ages]
        if patience is None:
            older[-1] = older[-1] + oldest
        else:
            self.lost[i] = self.lost[i] + oldest
        self.ages[i] = older
        self.owed[i] = _total(older or [self.zero])

    def _write_off(self, i: int, stage: Stage) -> None:
        """Take off what is obsolete and what is thrown away; what stays is the youngest stock, one period older."""
        xp, zero, rows = self.xp, self.zero, self.stock_by_age[i]
        if stage.obsolescence:
            units = stage.obsolescence * self.on_hand[i]
            self.written_off[i] = xp.round(units) if self.integer else units
        elif stage.shelf_life:
            rows = [_total([rows[0], *(self.receipt[j] for j in self.network.sources_of[i])]), *rows[1:]]
            self.written_off[i] = xp.maximum(self.on_hand[i] - _total([zero, *rows[:-1]]), zero)
        self.on_hand[i] = self.on_hand[i] - self.written_off[i]
        if stage.limits_storage and stage.overflow != "block":
            self.overflow[i] = xp.maximum(self.on_hand[i] - self._floor_scalar(stage.storage_capacity), zero)
            if stage.overflow == "scrap":
                self.on_hand[i] = self.on_hand[i] - self.overflow[i]
                self.written_off[i] = self.written_off[i] + self.overflow[i]
        if stage.shelf_life:
            left, older = self.on_hand[i], [zero]
            for row in rows[:-1]:
                older.append(xp.minimum(left, row))
                left = left - older[-1]
            self.stock_by_age[i] = older

    def _advance(self, j: int, rows: list[Array]) -> list[Array]:
        """Move the pipeline one period on, unless its transit is disrupted."""
        if len(rows) == 1:
            return rows
        moved = [rows[0] + rows[1], *rows[2:], self.zero]
        up = self._up(j, "transit")
        return moved if up is None else [self.xp.where(up, new, old) for new, old in zip(moved, rows, strict=True)]

    # --- small things ------------------------------------------------------------------------------------------

    def _up(self, j: int, what: str) -> Array | None:
        """Whether `what` works at source j, or None when nothing ever stops it."""
        disruption = self.network.sources[j].disruption
        if self.exogenous.available is None or disruption is None or disruption.affects != what:
            return None
        return self.exogenous.available[j] > 0

    def _carries(self, j: int) -> bool:
        return self.network.modes[j] == "push" and self.network.sources[j].carries

    def _rounded(self, units: Array) -> Array:
        """Round what the agent asks for, in integer units."""
        if not self.integer:
            return units
        return self.xp.round(units) if self.network.rounding == "round" else self.xp.trunc(units)

    def _floor(self, units: Array) -> Array:
        """Return the whole units in a sum of parts, which may be a whisker short of them."""
        return self.xp.floor(units + (1e-9 if units.dtype == self.xp.float64 else 1e-4))

    def _floor_scalar(self, units: float) -> float:
        return float(units // 1) if self.integer else units


def _total(rows: list[Array]) -> Array:
    """Add rows up, in their order."""
    total = rows[0]
    for row in rows[1:]:
        total = total + row
    return total
