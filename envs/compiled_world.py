"""A batch of environments on the compiled kernel: one call a step, from action vectors to observations and rewards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial

import numpy as np

from pushpull.envs import accounting, dynamics, kernel
from pushpull.envs.actions import ActionSpace, unusable
from pushpull.envs.array_world import episode_over
from pushpull.envs.exogenous import Traces
from pushpull.envs.information import Report
from pushpull.envs.network import Network
from pushpull.envs.observations import Observation, View
from pushpull.envs.rewards import UNITS
from pushpull.envs.rules import Rules


class CompiledWorld:
    """States, flows and totals of B environments in the kernel's blocks.

    Parameters
    ----------
    network : Network
        The chain.
    clock : ndarray of int64 [B]
        The period each environment is in, shared with the engine; `step` moves it on.
    dtype : str
        Precision of the dynamics; totals are always float64.
    space : ActionSpace
        How action vectors are read.
    observation : Observation, optional
        What is observed.
    weights : mapping
        Reward weights by term.
    disrupted : bool
        Whether traces tell which sources are available.
    """

    def __init__(
        self,
        network: Network,
        clock: np.ndarray,
        dtype: str,
        space: ActionSpace,
        observation: Observation | None,
        weights: Mapping[str, float],
        disrupted: bool,
    ):
        batch = len(clock)
        self.network, self.batch, self._clock = network, batch, clock
        self._space = space
        self._dtype = np.dtype(dtype).type
        self._first = kernel.first_rows(network, disrupted)
        self._sizes, _ = kernel.section_sizes(network, disrupted)
        self._total_rows = _total_rows(network)
        vectors = _vectors(network, self._first, space, observation, weights)
        self._tables = kernel.pack(network, self._dtype, vectors, disrupted)
        self._seen: np.ndarray | None = None
        self._seen_shape = (len(vectors.seen), batch)
        lanes = min(batch, kernel.LANES)
        blocks = -(-batch // lanes)
        self._rows = np.zeros((blocks, self._first[kernel.ROWS], lanes), self._dtype)
        self._work = np.zeros((self._first[kernel.WORK_ROWS], lanes), self._dtype)
        self._totals = np.zeros((blocks, sum(rows for rows, _ in self._total_rows.values()), lanes))
        own = (self._rows, self._totals, self._work, self._clock)
        self._step = partial(kernel.step, *self._tables, *own, float(network.discount))
        self._initial = self._initial_rows()
        self.begin(np.ones(batch, dtype=bool))

    def _initial_rows(self) -> np.ndarray:
        """One environment's rows at the start of an episode, [R]."""
        rows = np.zeros(self._rows.shape[1], self._dtype)
        state = dynamics.initial_state(np, self.network, 1, dtype=self._dtype)
        for name, section in kernel.STATE.items():
            values = getattr(state, name)[:, 0]
            rows[self._first[section] : self._first[section] + len(values)] = values
        pipelines = dynamics.split(state.pipeline[:, 0], self.network.pipeline_rows)
        for j, units in enumerate(pipelines):
            rows[self._first[kernel.IN_PROCESS] + j] = sum(units)
        told, known = rows[: self._first[kernel.SHIPPED]], rows[self._first[kernel.KNOWN] :]
        known[:] = np.resize(told, known.shape)  # who begins has told nothing but this, whenever
        return rows

    def begin(self, which: np.ndarray) -> None:
        """Put the environments of the mask into their initial state."""
        self._seen = None
        if which.all():
            self._rows[:] = self._initial[:, None]
            self._totals[:] = 0.0
        else:
            block, lane = np.divmod(np.flatnonzero(which), self._rows.shape[2])
            self._rows[block, :, lane] = self._initial
            self._totals[block, :, lane] = 0.0

    def step(self, vectors: np.ndarray, traces: Traces) -> np.ndarray:
        """Run one period with action vectors [B, K], move the clock on, return rewards [B]."""
        seen, paid = np.empty(self._seen_shape, np.float32), np.empty(self.batch)
        refused = self._step(traces.table, vectors, seen, paid)
        if refused != -1:
            self._refuse(vectors, refused)
        self._seen = seen
        return paid

    def play(self, rules: Rules, traces: Traces) -> None:
        """Run the episodes of the traces from their start to their end under a policy of rules."""
        kernel.play(
            self._tables.ints, self._tables.rates, self._rows, self._totals, self._work, self._clock, traces.table,
            rules.released, rules.levels, float(self.network.discount),
        )  # fmt: skip
        self._seen = None

    def observe(self, traces: Traces, view: Callable[[], View]) -> np.ndarray:
        """Return the observations of now, [B, D] float32."""
        if self._seen is None:
            self._seen = np.empty(self._seen_shape, np.float32)
            kernel.observe(*self._tables, self._rows, self._work, self._clock, traces.table, self._seen)
        return self._seen.T

    def _refuse(self, vectors: np.ndarray, entry: int) -> None:
        if entry < 0:
            raise episode_over(-2 - entry, self._clock)
        values = vectors[:, entry]
        raise unusable(self._space, entry, values[~np.isfinite(values)][0])

    def _section(self, section: int, shown: int = 0) -> np.ndarray:
        """Rows of one section of all environments, [rows, B]; `shown` rows further back, as they are known."""
        first = shown + self._first[section]
        return _unblocked(self._rows[:, first : first + self._sizes[section]], self.batch)

    @property
    def state(self) -> dynamics.State:
        """The states."""
        return self._state_from(0)

    @property
    def known(self) -> Report:
        """What stages have told by now."""
        shown = self._first[kernel.KNOWN] if kernel.periods_kept(self.network) else 0
        return Report(self._state_from(shown), self._section(kernel.DEMAND, shown)[list(self.network.markets)])

    def _state_from(self, shown: int) -> dynamics.State:
        """Return states whose rows stand behind row `shown`."""
        rows = {name: self._section(section, shown) for name, section in kernel.STATE.items()}
        return dynamics.State(period=self._clock, **rows)

    @property
    def flows(self) -> dynamics.Flows:
        """The last period's flows."""
        return dynamics.Flows(**{name: self._section(section) for name, section in kernel.FLOWS.items()})

    @property
    def totals(self) -> accounting.Totals:
        """Sums of the episodes so far."""
        rows, first = {}, 0
        for name, (count, shape) in self._total_rows.items():
            rows[name] = _unblocked(self._totals[:, first : first + count], self.batch).reshape(*shape, self.batch)
            first += count
        return accounting.Totals(**rows)

    @property
    def money(self) -> np.ndarray:
        """The last period's cost by term, then its revenue, [terms + 1, B]."""
        return _unblocked(self._rows[:, self._first[kernel.COSTS] : self._first[kernel.REVENUE] + 1], self.batch)


def _unblocked(blocks: np.ndarray, batch: int) -> np.ndarray:
    """Lay [blocks, rows, lanes] out as [rows, B]; a view where there is one block."""
    if len(blocks) == 1:
        return blocks[0]
    return blocks.transpose(1, 0, 2).reshape(blocks.shape[1], blocks.shape[0] * blocks.shape[2])[:, :batch]


def _total_rows(network: Network) -> dict[str, tuple[int, tuple[int, ...]]]:
    """Rows and leading shape of each field of the totals, in their order."""
    none = accounting.no_totals(network, 1)
    shapes = {item.name: getattr(none, item.name).shape[:-1] for item in fields(none)}
    return {name: (int(np.prod(shape, dtype=int)), shape) for name, shape in shapes.items()}


def _vectors(
    network: Network,
    first: Mapping[int, int],
    space: ActionSpace,
    observation: Observation | None,
    weights: Mapping[str, float],
) -> kernel.Vectors:
    """Say what a task's vectors stand for, in rows of the kernel's blocks."""
    n, entries, none = len(network.stages), len(space.entries), np.zeros(0)
    cost_row = {term: first[kernel.COSTS] + k for k, term in enumerate(network.cost_terms)}
    paid: list[tuple[int, float]] = []
    for term, weight in weights.items():
        if term == "revenue":
            paid.append((first[kernel.REVENUE], weight))
        elif term == "cost":
            paid += [(row, weight) for row in cost_row.values()]
        elif term in UNITS:
            paid += [(first[kernel.FLOWS[term]] + i, weight) for i in range(n)]
        elif (name := term.removeprefix("cost.")) in cost_row:
            paid.append((cost_row[name], weight))
    normalised = space.form == "normalised"
    return kernel.Vectors(
        low=space.low if normalised else np.zeros(entries),
        span=space.high - space.low if normalised else np.zeros(entries),
        paid=paid,
        seen=[] if observation is None else _seen(network, first, observation),
        factor=none if observation is None else observation.factors,
        floor=none if observation is None else observation.low,
        ceiling=none if observation is None else observation.high,
        totals=accounting.first_totals(network),
    )


def _seen(network: Network, first: Mapping[int, int], observation: Observation) -> list[int]:
    """Row of each entry of the observation, or the kernel's code of what is no row."""
    n, j, markets = len(network.stages), len(network.sources), list(network.markets)
    horizon = max(market.forecast.horizon for market in network.markets.values())
    places = {
        "on_hand": [first[kernel.ON_HAND] + i for i in range(n)],
        "backorders": [first[kernel.OWED] + i for i in markets],
        "backorders_by_age": [first[kernel.OWED_BY_AGE] + row for row in range(sum(network.ages))],
        "pipeline": [first[kernel.PIPELINE] + row for row in range(sum(network.pipeline_rows))],
        "stock_by_age": [first[kernel.STOCK_BY_AGE] + row for row in range(sum(network.shelf_lives))],
        "in_process": [first[kernel.IN_PROCESS] + k for k in range(j)],
        "pending": [first[kernel.PENDING] + k for k in range(j)],
        "in_transit": [kernel.FIRST_TRANSIT - k for k in range(j)],
        "inventory_position": [kernel.FIRST_POSITION - i for i in range(n)],
        "echelon_inventory_position": [kernel.FIRST_ECHELON - i for i in range(n)],
        "last_demand": [first[kernel.DEMAND] + i for i in markets],
        "goodwill": [first[kernel.GOODWILL] + row for row in range(len(network.remembered))],
        "returning": [first[kernel.RETURNING] + row for row in range(sum(network.return_lags))],
        "borrowed": [first[kernel.BORROWED] + row for row in range(sum(network.borrowing))],
        "booked": [kernel.FIRST_BOOKED - row for row in range(sum(network.book_rows))],
        "forecast": [kernel.FIRST_FORECAST - k for k in range(horizon * len(markets))],
        "available": [kernel.FIRST_AVAILABLE - k for k in network.disrupted_sources],
        "setup": [kernel.FIRST_SETUP - k for users in network.resource_users for k in users],
        "periods_left": [kernel.TIME_LEFT],
    }
    return [place for name in observation.blocks for place in places[name]]
