"""The linear program of a network's next T periods: starts, shipments and stocks, with everything outside known.

`LinearProgram` writes a network down once as low <= A x + K y <= high, x >= 0: x is what is decided (what each source
starts, what each market is shipped) and what follows (stocks, backorders), y is what is known (where the chain stands,
and demand). `solve` takes the known numbers and minimises cost less revenue with HiGHS. The matrices depend on what
sources can do, a `Supply` (`pushpull.agents.supply`), and not on the state or on demand.

Two readings of a network are needed. As a *bound* (``relaxed``) every way in which an episode can go is a solution that
costs no more than it did, so that the minimum is a bound on every policy. As a *plan* what is expected counts, and
sources start only when orders reach them. Exact in both are stages, bills of materials, lead times, pipelines,
capacities and overtime, shared resources, the three sequences of events, disruptions, real yields, markets that
backorder or lose, patience, obsolescence, shelf life, storage that holds, salvage and every cost that is linear.
Relaxed, that is left out or weakened, are

- fixed costs, loads, changeovers (left out); price breaks (every unit at the lowest price); shortfall costs (left out);
- lots, order rules, cards, `max_order` (in a bound), allocation, and that what is owed is shipped when it can be;
- whole numbers: quantities are real, and what is rounded in integer units may be half a unit off either way;
- which of the units short wait, where only a part of them does; that stock is thrown away no sooner than it must;
- which of the units shipped were late, where late ones come back more often (in a plan none is);
- `storage_capacity` with ``block``: as if units could wait outside by choice;
- lead times without crossing: a unit arrives after its own time or any later (in a bound);
- `goodwill`: demand of a period is anything between its floor and all of it (in a bound).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from pushpull.agents.supply import Supply, events_of
from pushpull.envs.network import RETURN_REASONS, Network
from pushpull.envs.observations import View

INFINITE = np.inf
_INFEASIBLE = 2
_UNBOUNDED = (3, 4)  # what HiGHS answers where a unit earns more than it costs and nothing limits it


Entries = tuple[list, list, list]  # rows, columns and values


@dataclass(frozen=True)
class Plan:
    """A solution: its `cost`, less revenue, and the units that start, [T, E], on average over scenarios."""

    cost: float
    start: np.ndarray


class LinearProgram:
    """The program of T periods of a network.

    Parameters
    ----------
    network : Network
        The chain.
    supply : Supply
        What its sources can do.
    weights : ndarray [T]
        What a period's money counts.
    relaxed : bool
        Hold every way in which the periods can go, for a bound; otherwise a plan of what is expected.
    revenue : bool
        Count what is earned, salvage included; otherwise minimise cost alone.
    ends : bool
        Whether the last period is that of the episode, after which stock is salvaged.
    """

    def __init__(
        self,
        network: Network,
        supply: Supply,
        weights: np.ndarray,
        *,
        relaxed: bool,
        revenue: bool = True,
        ends: bool = True,
    ):
        self.network, self.supply, self.periods = network, supply, len(weights)
        self._weights, self._relaxed, self._revenue, self._ends = np.asarray(weights, float), relaxed, revenue, ends
        self._half = 0.5 if relaxed and network.units == "integer" else 0.0
        self._cost: list[np.ndarray] = []
        self._highest: list[np.ndarray] = []
        self._lows: list[np.ndarray] = []
        self._highs: list[np.ndarray] = []
        self._entries: Entries = ([], [], [])
        self._known_entries: Entries = ([], [], [])
        self._surcharge: list[tuple[np.ndarray, np.ndarray]] = []
        self._columns_so_far = self._rows_so_far = 0
        self._name_what_is_known()
        self._write_sources()
        self._write_markets()
        self._write_stages()
        self._finish()
        self._scenarios = cache(self._repeat)

    # --- what is known: where the chain stands, and demand ---------------------------------------------------------

    def _name_what_is_known(self) -> None:
        """Give every known number its place in y."""
        network, end = self.network, 0
        sizes = {
            "on_hand": len(network.stages),
            "owed": len(network.stages),
            "ordered": len(network.sources),
            "pipeline": sum(network.pipeline_rows),
            "owed_by_age": sum(network.ages),
            "stock_by_age": sum(network.shelf_lives),
            "returning": sum(network.return_lags),
            "demand": self.periods * len(network.markets),
        }
        self._known: dict[str, np.ndarray] = {}
        for name, size in sizes.items():
            self._known[name] = np.arange(end, end + size)
            end += size
        self._known["demand"] = self._known["demand"].reshape(self.periods, -1)
        self._known_cost = np.zeros(end)

    def _knowledge(self, view: View, which: int, demand: np.ndarray) -> np.ndarray:
        """Return y for each scenario of demand [S, T, M], [Y, S]."""
        rows = [
            view.on_hand[:, which],
            view.backorders[:, which],
            view.pending[:, which] + view.in_transit[:, which],
            *(row[:, which] for row in view.pipeline),
            view.backorders_by_age[:, which],
            *(row[:, which] for row in view.stock_by_age),
            view.returning[:, which],
        ]
        state = np.concatenate(rows)[:, None] + np.zeros(len(demand))
        return np.concatenate([state, demand.reshape(len(demand), -1).T])

    # --- sources -----------------------------------------------------------------------------------------------------

    def _write_sources(self) -> None:
        network, supply, T = self.network, self.supply, self.periods
        counted = np.concatenate([[0.0], np.cumsum(self._weights)])
        self.events = events_of(network)
        price = [min([s.unit_cost, *(step.unit_cost for step in s.price_breaks)]) for s in network.sources]
        own = [j for j, _ in self.events]
        self.start = self._columns(
            (T, len(own)),
            cost=self._weights[:, None] * np.array(price)[own],
            high=self._most_starts(),
        )
        for e, (j, event) in enumerate(self.events):
            closed = self.start[~supply.opens[:, e], e]
            if self._carries(j, event) and len(closed):  # what starts there was ordered before
                row = self._rows(-INFINITE, 0.0, count=1)
                self._put(np.repeat(row, len(closed)), closed, 1.0)
                self._put_known(row, self._known["ordered"][[j]], -1.0)
        self._made = self.start.copy()
        self._received: dict[int, np.ndarray] = {}
        for j, source in enumerate(network.sources):
            mine = [e for e, (k, _) in enumerate(self.events) if k == j]
            if supply.overtime[:, j].any() or (len(mine) > 1 and np.isfinite(supply.capacity[:, j]).any()):
                rows = self._rows(-INFINITE, supply.capacity[:, j])
                for e in mine:
                    self._put(rows, self.start[:, e], 1.0)
                rate = 0.0 if source.overtime is None else source.overtime.cost
                beyond = self._columns((T,), cost=self._weights * rate, high=supply.overtime[:, j])
                self._put(rows, beyond, -1.0)
            for e in mine:
                if source.yield_ is not None:
                    self._made[:, e] = self._yielding(self.start[:, e], supply.yields[:, j])
                travels = counted[np.minimum(supply.arrival[:, j], T)] - counted[:-1]
                self._charge(self._made[:, e], source.pipeline_holding_cost * travels)
            self._known_cost[self._pipeline_of(j)] += (
                source.pipeline_holding_cost * counted[np.minimum(supply.known_arrival[j], T)]
            )
            if supply.may_wait[j] or not supply.receives[:, j].all():
                self._wait(j)
        for r, users in enumerate(network.resource_users):
            rows = self._rows(-INFINITE, (network.resources or {})[network.resource_names[r]].capacity)
            for e, (j, _) in enumerate(self.events):
                if j in users:
                    self._put(rows, self.start[:, e], network.sources[j].resource_use)

    def _most_starts(self) -> np.ndarray:
        """Return the most that can start, [T, E]."""
        supply, most = self.supply, np.empty(self.supply.opens.shape)
        for e, (j, event) in enumerate(self.events):
            most[:, e] = supply.capacity[:, j] + supply.overtime[:, j]
            if event == "pull" and not self._relaxed:
                most[:, e] = np.minimum(most[:, e], self.network.sources[j].max_order)
            if not self._carries(j, event):
                most[~supply.opens[:, e], e] = 0.0
        return most

    def _carries(self, j: int, event: str) -> bool:
        """Whether what could not start in an event may start later."""
        return event == "pull" or self.network.sources[j].carries

    def _yielding(self, start: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Return columns of what turns out well of what starts, [T]."""
        made = self._columns((self.periods,))
        rows = self._rows(-self._half, self._half)
        self._put(rows, made, 1.0)
        self._put(rows, start, -share)
        rows = self._rows(-INFINITE, 0.0)  # rounding makes no unit out of none
        self._put(rows, made, 1.0)
        self._put(rows, start, -1.0)
        return made

    def _wait(self, j: int) -> None:
        """Let what has arrived from source j wait outside, at the price of the pipeline, before it joins the stock."""
        network, source, T = self.network, self.network.sources[j], self.periods
        stage = network.stages[network.stage_names[network.source_stage[j]]]
        receives = self.supply.receives[:, j]
        law = source.lead_time_law
        for_room_only = receives.all() and (law is None or law.crossing)
        blocks = stage.limits_storage and stage.overflow == "block"
        fee = stage.overflow_cost if blocks and for_room_only else 0.0
        waiting = self._columns(
            (T,),
            cost=self._weights * (source.pipeline_holding_cost + fee),
            high=np.where(receives & ~self.supply.may_wait[j], 0.0, INFINITE),
        )
        joins = self._columns((T,), high=np.where(receives, INFINITE, 0.0))
        rows = self._rows()
        self._put(rows, waiting, 1.0)
        self._put(rows[1:], waiting[:-1], -1.0)
        self._put(rows, joins, 1.0)
        self._receive(rows, j, -1.0)
        self._received[j] = joins

    def _receive(self, rows: np.ndarray, j: int, value: float, later: int = 0, before_pull: bool = False) -> None:
        """Add what arrives from source j in period t to the row of period t + `later`.

        `before_pull` leaves out what is pulled and arrives at once.
        """
        T = self.periods
        if j in self._received:
            self._put(rows[later:], self._received[j][: T - later], value)
            return
        for e, (k, event) in enumerate(self.events):
            if k == j:
                arrival = self.supply.arrival[:, j]
                counts = arrival + later < T
                if before_pull and event == "pull":
                    counts &= arrival > np.arange(T)
                self._put(rows[arrival[counts] + later], self._made[counts, e], value)
        arrival = self.supply.known_arrival[j] + later
        self._put_known(rows[arrival[arrival < T]], self._pipeline_of(j)[arrival < T], value)

    def _pipeline_of(self, j: int) -> np.ndarray:
        first = sum(self.network.pipeline_rows[:j])
        return self._known["pipeline"][first : first + self.network.pipeline_rows[j]]

    # --- markets -----------------------------------------------------------------------------------------------------

    def _write_markets(self) -> None:
        network, T = self.network, self.periods
        self.ship = np.empty((T, len(network.markets)), dtype=int)
        self._restocked: dict[int, np.ndarray] = {}
        oldest = 0
        for m, (i, market) in enumerate(network.markets.items()):
            share, patience = market.waiting_share, market.patience
            demand, ages = self._known["demand"][:, m], self._known["owed_by_age"][oldest : oldest + market.ages]
            oldest += market.ages
            price = market.price if self._revenue else 0.0
            self.ship[:, m] = self._columns((T,), cost=-self._weights * price)
            if market.returns is not None:
                self._come_back(i, self.ship[:, m])
            gone = [self.ship[:, m]]  # what a period's demand can become, beside waiting
            if market.goodwill is not None and self._relaxed:
                gone.append(self._missing(demand, 1 - market.goodwill.floor))
            owed = None
            if share > 0 and patience != 0:
                owed = self._columns((T,), cost=self._weights * market.backorder_cost)
                if patience is not None:
                    self._out_of_patience(owed, demand, ages, patience)
            if share < 1:
                lost = self._columns((T,), cost=self._weights * market.lost_sale_cost)
                if share > 0:
                    self._part_waits(i, lost, owed, demand, share, list(gone))
                gone.append(lost)
            if patience is not None:
                left = self._columns((T,), cost=self._weights * market.lost_sale_cost)
                self._leave(left, demand, ages, patience)
                gone.append(left)
            rows = self._rows()
            self._owe(rows, i, owed, gone, demand)

    def _owe(
        self, rows: np.ndarray, i: int, owed: np.ndarray | None, gone: Sequence[np.ndarray], demand: np.ndarray
    ) -> None:
        """Owed at the end = owed before + demand - what became of it."""
        if owed is not None:
            self._put(rows, owed, 1.0)
            self._put(rows[1:], owed[:-1], -1.0)
        self._put_known(rows[:1], self._known["owed"][[i]], -1.0)
        for columns in gone:
            self._put(rows, columns, 1.0)
        self._put_known(rows, demand, -1.0)

    def _missing(self, demand: np.ndarray, share: float) -> np.ndarray:
        """Return columns of demand that low goodwill may have kept away, [T]."""
        fewer = self._columns((self.periods,))
        rows = self._rows(-INFINITE, self._half)
        self._put(rows, fewer, 1.0)
        self._put_known(rows, demand, -share)
        return fewer

    def _part_waits(
        self,
        i: int,
        lost: np.ndarray,
        owed: np.ndarray | None,
        demand: np.ndarray,
        share: float,
        gone: list[np.ndarray],
    ) -> None:
        """Of the units newly unmet, the `share` waits: unmet <= what is owed before any is lost, and <= demand."""
        unmet = self._columns((self.periods,))
        rows = self._rows(-self._half, self._half)
        self._put(rows, lost, 1.0)
        self._put(rows, unmet, -(1 - share))
        rows = self._rows(-INFINITE, 0.0)
        self._put(rows, unmet, 1.0)
        self._put_known(rows, demand, -1.0)
        most, least = self._rows(-INFINITE, 0.0), self._rows(0.0, INFINITE)
        for rows in (most, least):
            self._put(rows, unmet, 1.0)
            for columns in gone:
                self._put(rows, columns, 1.0)
            self._put_known(rows, demand, -1.0)
        if owed is not None:
            self._put(most[1:], owed[:-1], -1.0)
        self._put_known(most[:1], self._known["owed"][[i]], -1.0)

    def _out_of_patience(self, owed: np.ndarray, demand: np.ndarray, ages: np.ndarray, patience: int) -> None:
        """What is owed is demand of the last `patience` periods."""
        rows = self._rows(-INFINITE, 0.0)
        self._put(rows, owed, 1.0)
        for k in range(min(patience, self.periods)):
            self._put_known(rows[k:], demand[: self.periods - k], -1.0)
        for k, known in enumerate(ages):
            still = rows[: max(0, patience - 1 - k)]
            self._put_known(still, np.full(len(still), known), -1.0)

    def _leave(self, left: np.ndarray, demand: np.ndarray, ages: np.ndarray, patience: int) -> None:
        """Who leaves has waited `patience` periods."""
        rows = self._rows(-INFINITE, 0.0)
        self._put(rows, left, 1.0)
        self._put_known(rows[patience:], demand[: max(0, self.periods - patience)], -1.0)
        for k, known in enumerate(ages):
            then = rows[patience - 1 - k : patience - k]  # beyond the last period: no row
            self._put_known(then, np.full(len(then), known), -1.0)

    def _come_back(self, i: int, ship: np.ndarray) -> None:
        """Let a share of what stage i ships come back, and what is resalable of it join the stock.

        Where late units come back more often, they may be any of those shipped. What is rounded down to whole units
        is carried to the next period.
        """
        returns, T = self.network.returning[i], self.periods
        before = list(self.network.returning).index(i)
        first = sum(self.network.return_lags[:before])
        known = self._known["returning"][first : first + returns.lag]
        returned, late = self._columns((T,)), self._columns((T,), high=INFINITE if self._relaxed else 0.0)
        rows = self._carried()
        self._put(rows, returned, 1.0)
        for columns, share in zip((late, ship), returns.by_reason, strict=True):
            self._put(rows, columns, -share)
        rows = self._rows(-INFINITE, 0.0)
        self._put(rows, late, 1.0)
        self._put(rows, ship, -1.0)
        back = returned[: max(0, T - returns.lag)]
        self._charge(back, returns.cost * self._weights[T - len(back) :])
        soon = known[:T]
        self._known_cost[soon] += returns.cost * self._weights[: len(soon)]
        self._restocked[i] = self._columns((T,))
        rows = self._carried()
        self._put(rows, self._restocked[i], 1.0)
        self._put(rows[T - len(back) :], back, -returns.resalable)
        self._put_known(rows[: len(soon)], soon, -returns.resalable)

    def _carried(self) -> np.ndarray:
        """Add rows equal to 0, but for parts of units that a bound may carry from one period to the next."""
        rows = self._rows()
        if self._half:
            parts = self._columns((self.periods,), high=len(RETURN_REASONS))
            self._put(rows, parts, 1.0)
            self._put(rows[1:], parts[:-1], -1.0)
        return rows

    # --- stages ------------------------------------------------------------------------------------------------------

    def _write_stages(self) -> None:
        network, weights, T = self.network, self._weights, self.periods
        self.on_hand = np.empty((T, len(network.stages)), dtype=int)
        markets, oldest = list(network.markets), 0
        for i, stage in enumerate(network.stages.values()):
            capacity = float(np.floor(stage.storage_capacity)) if network.units == "integer" else stage.storage_capacity
            holds = stage.overflow == "hold"
            unlimited = holds or (stage.overflow == "block" and i in self._restocked)  # what comes back needs no room
            stock = self._columns((T,), cost=weights * stage.holding_cost, high=INFINITE if unlimited else capacity)
            self.on_hand[:, i] = stock
            if self._ends and self._revenue:
                self._charge(stock[-1:], -weights[-1:] * stage.salvage_value)
            out = []
            if stage.limits_storage and stage.overflow == "scrap":
                out.append(self._columns((T,), cost=weights * (stage.overflow_cost + stage.obsolescence_cost)))
            if stage.obsolescence:
                staying = [stock, *out]
                out.append(self._obsolete(stage.obsolescence, staying, weights * stage.obsolescence_cost))
            if stage.shelf_life is not None:
                out.append(self._columns((T,), cost=weights * stage.obsolescence_cost))
                ages = self._known["stock_by_age"][oldest : oldest + stage.shelf_life]
                oldest += stage.shelf_life
                self._fresh(i, stock, ages, stage.shelf_life)
            if stage.limits_storage and holds and stage.overflow_cost:
                rows = self._rows(-INFINITE, capacity)
                self._put(rows, stock, 1.0)
                self._put(rows, self._columns((T,), cost=weights * stage.overflow_cost), -1.0)
            if i in network.markets:
                out.append(self.ship[:, markets.index(i)])
            self._balance(i, stock, out)
            self._draw_on_what_is_there(i, stock)

    def _balance(self, i: int, stock: np.ndarray, out: Sequence[np.ndarray]) -> None:
        """Stock at the end = stock before + receipts - what is drawn, shipped or thrown away."""
        rows = self._rows()
        self._put(rows, stock, 1.0)
        self._put(rows[1:], stock[:-1], -1.0)
        self._put_known(rows[:1], self._known["on_hand"][[i]], -1.0)
        self._receive_all(rows, i)
        for e, (j, _) in enumerate(self.events):
            for m, units in self.network.inputs[j]:
                if m == i:
                    self._put(rows, self.start[:, e], units)
        for columns in out:
            self._put(rows, columns, 1.0)

    def _receive_all(self, rows: np.ndarray, i: int, **when: Any) -> None:
        """Take off the rows what joins stage i's stock, from sources and customers."""
        for j in self.network.sources_of[i]:
            self._receive(rows, j, -1.0, **when)
        if i in self._restocked:
            later = when.get("later", 0)
            self._put(rows[later:], self._restocked[i][: self.periods - later], -1.0)

    def _draw_on_what_is_there(self, i: int, stock: np.ndarray) -> None:
        """What is pushed on from a stage was there in the push event."""
        network = self.network
        pushed = [
            (e, units)
            for e, (j, event) in enumerate(self.events)
            for m, units in network.inputs[j]
            if m == i and event == "push"
        ]
        if not pushed:
            return
        rows = self._rows(-INFINITE, 0.0)
        for e, units in pushed:
            self._put(rows, self.start[:, e], units)
        self._put(rows[1:], stock[:-1], -1.0)
        self._put_known(rows[:1], self._known["on_hand"][[i]], -1.0)
        if network.sequence.index("receive") < network.sequence.index("push"):
            self._receive_all(rows, i, before_pull=True)

    def _obsolete(self, share: float, staying: Sequence[np.ndarray], cost: np.ndarray) -> np.ndarray:
        """Return columns of the share of stock that becomes obsolete, `staying` being the rest of it, [T]."""
        gone = self._columns((self.periods,), cost=cost)
        rows = self._rows(-self._half, self._half)
        self._put(rows, gone, 1 - share)
        for columns in staying:
            self._put(rows, columns, -share)
        return gone

    def _fresh(self, i: int, stock: np.ndarray, ages: np.ndarray, shelf_life: int) -> None:
        """Stock at the end was received in the last `shelf_life` - 1 periods, this one included."""
        rows = self._rows(-INFINITE, 0.0)
        self._put(rows, stock, 1.0)
        for k in range(min(shelf_life - 1, self.periods)):
            self._receive_all(rows, i, later=k)
        for age, known in enumerate(ages):
            still = rows[: max(0, shelf_life - 1 - age)]
            self._put_known(still, np.full(len(still), known), -1.0)

    # --- columns and rows --------------------------------------------------------------------------------------------

    def _columns(self, shape: tuple[int, ...], cost: float | np.ndarray = 0.0, high: float | np.ndarray = INFINITE):
        """Add columns and return their numbers."""
        size = int(np.prod(shape))
        self._cost.append(np.broadcast_to(cost, shape).astype(float).ravel())
        self._highest.append(np.broadcast_to(high, shape).astype(float).ravel())
        self._columns_so_far += size
        return np.arange(self._columns_so_far - size, self._columns_so_far).reshape(shape)

    def _rows(
        self, low: float | np.ndarray = 0.0, high: float | np.ndarray = 0.0, count: int | None = None
    ) -> np.ndarray:
        """Add rows, one per period and equal to 0 unless told otherwise, and return their numbers."""
        count = self.periods if count is None else count
        self._lows.append(np.broadcast_to(low, count).astype(float))
        self._highs.append(np.broadcast_to(high, count).astype(float))
        self._rows_so_far += count
        return np.arange(self._rows_so_far - count, self._rows_so_far)

    def _put(self, rows: np.ndarray, columns: np.ndarray, values: float | np.ndarray) -> None:
        _append(self._entries, rows, columns, values)

    def _put_known(self, rows: np.ndarray, places: np.ndarray, values: float | np.ndarray) -> None:
        _append(self._known_entries, rows, places, values)

    def _charge(self, columns: np.ndarray, cost: np.ndarray) -> None:
        """Add to the cost of columns that are there already."""
        self._surcharge.append((columns, cost))

    def _finish(self) -> None:
        shape = self._rows_so_far, self._columns_so_far
        self._matrix = _matrix(self._entries, shape)
        self._knowns = _matrix(self._known_entries, (shape[0], len(self._known_cost))).tocsr()
        self._cost_row, self._high = np.concatenate(self._cost), np.concatenate(self._highest)
        for columns, cost in self._surcharge:
            np.add.at(self._cost_row, columns, cost)
        self._low_side, self._high_side = np.concatenate(self._lows), np.concatenate(self._highs)

    # --- solving -----------------------------------------------------------------------------------------------------

    def solve(
        self, view: View, which: int, demand: np.ndarray, starts: tuple[np.ndarray, np.ndarray] | None = None
    ) -> Plan:
        """Return the best that can be done from where environment `which` of a view stands.

        Parameters
        ----------
        view : View
            The state at the start of the first period.
        which : int
            The environment.
        demand : ndarray [S, T, M]
            Scenarios of demand, as likely as each other. What starts in the first period is the same in all.
        starts : (ndarray [T, E], ndarray [T, E]), optional
            The least and the most that may start, beside what sources can do.

        Returns
        -------
        Plan
            Its cost is minus infinity where a unit earns more than it costs and nothing limits how many there are, and
            infinity where nothing can start within `starts`.
        """
        count = len(demand)
        matrix, columns = self._scenarios(count)
        known = self._knowledge(view, which, demand)
        shift: Any = (self._knowns @ known).T
        cost = np.zeros(matrix.shape[1])
        np.add.at(cost, columns.ravel(), np.tile(self._cost_row / count, count))
        upper: Any = np.empty(matrix.shape[1])
        upper[columns.ravel()] = np.tile(self._high, count)
        lower: Any = np.zeros(len(upper))
        if starts is not None:
            own = columns[:, self.start.ravel()]
            lower[own] = starts[0].ravel()
            upper[own] = np.minimum(upper[own], starts[1].ravel())
            if (lower > upper).any():
                return Plan(INFINITE, np.zeros((self.periods, len(self.events))))
        low, high = ((side - shift).ravel() for side in (self._low_side, self._high_side))
        answer = milp(cost, bounds=Bounds(lower, upper), constraints=LinearConstraint(matrix, low, high))
        if answer.x is None:
            if answer.status in _UNBOUNDED:
                return Plan(-INFINITE, np.zeros((self.periods, len(self.events))))
            if answer.status == _INFEASIBLE and starts is not None:
                return Plan(INFINITE, np.zeros((self.periods, len(self.events))))
            raise RuntimeError(f"HiGHS could not solve the program of {self.network.name!r}: {answer.message}")
        start = answer.x[columns[:, self.start.ravel()]].mean(axis=0).reshape(self.start.shape)
        return Plan(float(answer.fun + (self._known_cost @ known).mean()), start)

    def _repeat(self, count: int) -> tuple[Any, np.ndarray]:
        """Return the matrix of `count` scenarios that share their first starts, and the columns of each, [S, X]."""
        shared = self.start[0]
        others = np.setdiff1d(np.arange(self._columns_so_far), shared)
        columns = np.empty((count, self._columns_so_far), dtype=int)
        columns[:, shared] = np.arange(len(shared))
        columns[:, others] = len(shared) + np.arange(count * len(others)).reshape(count, -1)
        matrix = sparse.hstack(
            [sparse.vstack([self._matrix[:, shared]] * count), sparse.block_diag([self._matrix[:, others]] * count)],
            format="csc",
        )
        return matrix, columns


def _append(entries: Entries, rows: np.ndarray, columns: np.ndarray, values: float | np.ndarray) -> None:
    for part, own in zip(entries, (rows, columns, np.broadcast_to(values, rows.shape)), strict=True):
        part.append(own)


def _matrix(entries: Entries, shape: tuple[int, int]) -> Any:
    rows, columns, values = (np.concatenate(part) if part else np.zeros(0) for part in entries)
    return sparse.coo_array((values, (rows.astype(int), columns.astype(int))), shape=shape).tocsc()
