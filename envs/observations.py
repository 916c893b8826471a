"""What may be known at the start of a period.

A `View` gives a policy the state of B environments by name. An `Observation` turns chosen blocks of it into the
vector a learning agent reads: named entries, finite bounds, in units or divided by their natural scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from pushpull.envs import bounds
from pushpull.envs.checks import InputError, suggest
from pushpull.envs.dynamics import Array, State, inventory_positions, split
from pushpull.envs.network import Network


class View:
    """The state of B environments at the start of a period, before anything happens in it.

    Arrays are of the namespace `xp`: numpy, or torch tensors that carry gradients in a rollout.

    Attributes
    ----------
    network : Network
    period : ndarray [B]
        Periods since the start of the episode.
    periods : int
        Length of the episode.
    seeds : ndarray [B], or None
        The world each environment is in, where that is known.
    on_hand, backorders : ndarray [N, B]
        Units in stock, and units owed to customers.
    pending, in_process, in_transit, on_order : ndarray [J, B]
        Orders not yet started, units started and not yet received, orders that still travel, and the sum of the three.
    pipeline : list of ndarray [lead_time + 1, B]
        Per source, units received in 0, 1, ... periods.
    travelling : list of list of ndarray [B]
        Per source with an `order_delay`, orders that reach it in this period, the next, ...
    stock_by_age : list of ndarray [shelf_life, B]
        Per stage, units on hand received 0, 1, ... periods ago; without rows where stock does not age.
    setup : ndarray [R, B]
        Index of the source that each resource is set up for.
    inventory_position, echelon_inventory_position : ndarray [N, B]
        As the dynamics define them.
    backorders_by_age : ndarray [sum of ages, B]
        Units owed that will be 1, 2, ... periods late in this period, of the markets that tell waits apart.
    goodwill : ndarray [markets with goodwill, B]
        The factor on their demand.
    returning : ndarray [sum of return lags, B]
        Units that come back in this period, the next, ..., market by market.
    borrowed : ndarray [sum of Network.borrowing, B]
        Units that campaigns have borrowed from the demand of this period, the next, ..., market by market.
    last_demand : ndarray [M, B]
        Demand of the period before at each market; 0 in the first.
    booked : ndarray [sum of `Network.book_rows`, B]
        Orders of customers that are due in this period, the next, ..., market by market.
    forecast : ndarray [H, M, B]
        Demand foreseen for this period, the next, ...
    available : ndarray [J, B]
        The share of its capacity that each source has in this period: 1 where it is up. What a disruption takes is
        known when the period starts, before anything is released or ordered; what varies by `capacity_share` is not.
    """

    def __init__(
        self,
        network: Network,
        state: State,
        periods: int,
        seeds: Array,
        last_demand: Array,
        forecast: Array,
        available: Array | None = None,
        booked: Array | None = None,
        xp: Any = np,
    ):
        self.network, self.periods, self.seeds, self.period = network, periods, seeds, state.period
        self.on_hand, self.backorders, self.pending = state.on_hand, state.owed, state.pending
        self.backorders_by_age = state.owed_by_age
        self.goodwill, self.returning, self.borrowed = state.goodwill, state.returning, state.borrowed
        self.last_demand, self.forecast = last_demand, forecast
        self.booked = last_demand[:0] if booked is None else booked
        self._state, self._available, self._xp = state, available, xp

    def converted(self, convert: Callable[[Array], Array], xp: Any) -> View:
        """Return the same view with every array converted, say to tensors, and `xp` as their namespace."""
        state = State(**{item.name: convert(getattr(self._state, item.name)) for item in fields(State)})
        arrays = (self.last_demand, self.forecast, self._available, self.booked)
        shown = [None if array is None else convert(array) for array in arrays]
        return View(self.network, state, self.periods, self.seeds, *shown, xp=xp)

    @cached_property
    def pipeline(self) -> list[Array]:
        ends = list(accumulate(self.network.pipeline_rows, initial=0))
        return [self._state.pipeline[first:end] for first, end in pairwise(ends)]

    @property
    def setup(self) -> Array:
        return self._state.setup

    @cached_property
    def stock_by_age(self) -> list[Array]:
        ends = list(accumulate(self.network.shelf_lives, initial=0))
        return [self._state.stock_by_age[first:end] for first, end in pairwise(ends)]

    @cached_property
    def in_process(self) -> Array:
        return self._xp.stack([rows.sum(axis=0) for rows in self.pipeline])

    @cached_property
    def in_transit(self) -> Array:
        zero = self._xp.zeros_like(self.pending[0])
        return self._xp.stack([sum(rows, zero) for rows in self.travelling])

    @cached_property
    def on_order(self) -> Array:
        return self.pending + self.in_process + self.in_transit

    @cached_property
    def inventory_position(self) -> Array:
        rows = split(self._state.pipeline, self.network.pipeline_rows)
        on_hand, owed, pending = list(self.on_hand), list(self.backorders), list(self.pending)
        return self._xp.stack(inventory_positions(self.network, on_hand, owed, rows, pending, self.travelling))

    @cached_property
    def echelon_inventory_position(self) -> Array:
        position = self.inventory_position
        return self._xp.asarray(self.network.requirements, dtype=position.dtype, device=position.device) @ position

    @cached_property
    def travelling(self) -> list[list[Array]]:
        return split(self._state.in_transit, self.network.order_delays)

    @property
    def available(self) -> Array:
        up = self._xp.ones_like(self.pending)
        if self._available is None:
            return up
        known = self.network.disrupted_sources  # a capacity that varies is not
        return self._xp.stack([self._available[j] if j in known else row for j, row in enumerate(up)])

    @property
    def periods_left(self) -> Array:
        """Periods until the end of the episode, [B]."""
        return self.periods - self.period


@dataclass(frozen=True)
class Block:
    """One named part of the observation: its entries' names, natural scales and values [rows, B]."""

    names: Callable[[Network], list[str]]
    scales: Callable[[Network], np.ndarray]
    values: Callable[[View], np.ndarray]
    signed: bool = False


def _stages(network: Network) -> list[str]:
    return list(network.stage_names)


def _sources(network: Network) -> list[str]:
    return list(network.source_names)


def _market_names(network: Network) -> list[str]:
    return [network.stage_names[i] for i in network.markets]


def _source_scale(network: Network) -> np.ndarray:
    return bounds.stock_scale(network)[list(network.source_stage)]


def _market_scale(network: Network) -> np.ndarray:
    return np.maximum(1.0, bounds.demand_rates(network)[list(network.markets)])


def _ahead(network: Network, stages: Iterable[int], periods: Sequence[int]) -> list[str]:
    """Name the entries of some stages for each of the coming periods that they look ahead."""
    names = network.stage_names
    return [f"{names[i]}.{k}" for i, count in zip(stages, periods, strict=True) for k in range(count)]


def _market_scales(network: Network, stages: Iterable[int], periods: Sequence[int]) -> np.ndarray:
    scales = dict(zip(network.markets, _market_scale(network), strict=True))
    return np.repeat([scales[i] for i in stages], periods)


def _set_up(view: View) -> Array:
    """Return whether each resource is set up for each of its users, [rows, B]."""
    rows = [view.setup[r] == j for r, users in enumerate(view.network.resource_users) for j in users]
    return view._xp.stack(rows) if rows else view.setup


def _horizon(network: Network) -> int:
    return max(market.forecast.horizon for market in network.markets.values())


BLOCKS: dict[str, Block] = {
    "on_hand": Block(_stages, bounds.stock_scale, lambda view: view.on_hand),
    "backorders": Block(
        _market_names,
        lambda network: bounds.stock_scale(network)[list(network.markets)],
        lambda view: view.backorders[list(view.network.markets)],
    ),
    "backorders_by_age": Block(
        lambda network: [
            f"{name}.{late}"
            for name, ages in zip(_market_names(network), network.ages, strict=True)
            for late in range(1, ages + 1)
        ],
        lambda network: np.repeat(bounds.stock_scale(network)[list(network.markets)], network.ages),
        lambda view: view.backorders_by_age,
    ),
    "pipeline": Block(
        lambda network: [
            f"{name}.{k}"
            for name, rows in zip(network.source_names, network.pipeline_rows, strict=True)
            for k in range(rows)
        ],
        lambda network: np.repeat(_source_scale(network), network.pipeline_rows),
        lambda view: view._state.pipeline,
    ),
    "stock_by_age": Block(
        lambda network: [
            f"{name}.{k}"
            for name, rows in zip(network.stage_names, network.shelf_lives, strict=True)
            for k in range(rows)
        ],
        lambda network: np.repeat(bounds.stock_scale(network), network.shelf_lives),
        lambda view: view._state.stock_by_age,
    ),
    "setup": Block(
        lambda network: [
            f"{resource}.{network.source_names[j]}"
            for resource, users in zip(network.resource_names, network.resource_users, strict=True)
            for j in users
        ],
        lambda network: np.ones(sum(map(len, network.resource_users))),
        _set_up,
    ),
    "in_process": Block(_sources, _source_scale, lambda view: view.in_process),
    "pending": Block(_sources, _source_scale, lambda view: view.pending),
    "in_transit": Block(_sources, _source_scale, lambda view: view.in_transit),
    "inventory_position": Block(_stages, bounds.stock_scale, lambda view: view.inventory_position, signed=True),
    "echelon_inventory_position": Block(
        _stages, bounds.stock_scale, lambda view: view.echelon_inventory_position, signed=True
    ),
    "last_demand": Block(_market_names, _market_scale, lambda view: view.last_demand),
    "goodwill": Block(
        lambda network: [network.stage_names[i] for i in network.remembered],
        lambda network: np.ones(len(network.remembered)),
        lambda view: view.goodwill,
    ),
    "returning": Block(
        lambda network: _ahead(network, network.returning, network.return_lags),
        lambda network: _market_scales(network, network.returning, network.return_lags),
        lambda view: view.returning,
    ),
    "borrowed": Block(
        lambda network: _ahead(network, network.promoting, network.borrowing),
        lambda network: _market_scales(network, network.promoting, network.borrowing),
        lambda view: view.borrowed,
    ),
    "booked": Block(
        lambda network: _ahead(network, network.markets, network.book_rows),
        lambda network: _market_scales(network, network.markets, network.book_rows),
        lambda view: view.booked,
    ),
    "forecast": Block(
        lambda network: [f"{name}.{h}" for h in range(_horizon(network)) for name in _market_names(network)],
        lambda network: np.tile(_market_scale(network), _horizon(network)),
        lambda view: view.forecast.reshape(-1, view.forecast.shape[-1]),
    ),
    "available": Block(
        lambda network: [network.source_names[j] for j in network.disrupted_sources],
        lambda network: np.ones(len(network.disrupted_sources)),
        lambda view: view.available[list(view.network.disrupted_sources)],
    ),
    "periods_left": Block(
        lambda network: ["share"],
        lambda network: np.ones(1),
        lambda view: (view.periods_left / view.periods)[None],
    ),
}
STANDARD_BLOCKS = (
    "on_hand",
    "stock_by_age",
    "backorders",
    "backorders_by_age",
    "pipeline",
    "pending",
    "in_transit",
    "setup",
    "last_demand",
    "goodwill",
    "returning",
    "borrowed",
    "booked",
    "forecast",
    "available",
)
LIMIT = 100.0  # entries are clipped at this many times their natural scale


class Observation:
    """The observation vector: which blocks it holds, the names and bounds of its entries, and its values.

    Parameters
    ----------
    network : Network
        The chain that is observed.
    blocks : sequence of str, optional
        Names from `BLOCKS`; by default the blocks that make the state known, with ``periods_left`` where the horizon
        is real. Blocks without entries, or whose entries never move, are left out of the default.
    scaled : bool
        Divide each entry by its natural scale, for learning agents.
    """

    def __init__(self, network: Network, blocks: Sequence[str] | None = None, scaled: bool = False):
        for name in blocks or ():
            if name not in BLOCKS:
                raise InputError("observation.blocks", f"{name!r} is unknown; {suggest(name, BLOCKS)}")
        self.network, self.scaled = network, scaled
        self.blocks = tuple(blocks) if blocks is not None else standard_blocks(network)
        if not self.blocks:
            raise InputError("observation.blocks", f"empty; name at least one of {list(BLOCKS)}")
        chosen = [(name, BLOCKS[name]) for name in self.blocks]
        self.names = tuple(f"{name}.{entry}" for name, block in chosen for entry in block.names(network))
        scales = np.concatenate([block.scales(network) for _, block in chosen])
        self.factors = (1.0 / scales if scaled else np.ones_like(scales)).astype(np.float32)
        unit = np.ones_like(scales) if scaled else scales
        signed = np.concatenate([np.full(len(block.names(network)), block.signed) for _, block in chosen])
        self.high = (LIMIT * unit).astype(np.float32)
        self.low = np.where(signed, -self.high, np.float32(0))

    def __call__(self, view: View) -> np.ndarray:
        """Return the observations of all environments, [B, D] float32."""
        values = np.concatenate([BLOCKS[name].values(view) for name in self.blocks]).T.astype(np.float32)
        return np.clip(values * self.factors, self.low, self.high)


def standard_blocks(network: Network) -> tuple[str, ...]:
    """Return the blocks that make the network's state known, without those that are always zero."""
    idle = set()
    if all(mode == "push" and not source.carries for mode, source in zip(network.modes, network.sources, strict=True)):
        idle.add("pending")
    if not any(network.order_delays):
        idle.add("in_transit")
    if all(len(users) < 2 for users in network.resource_users):
        idle.add("setup")
    if not any(network.shelf_lives):
        idle.add("stock_by_age")
    if all(market.waiting_share == 0 for market in network.markets.values()):
        idle.add("backorders")
    if not any(market.patience for market in network.markets.values()):
        idle.add("backorders_by_age")  # where nobody leaves, how long they have waited changes nothing
    if not network.remembered:
        idle.add("goodwill")
    if not network.returning:
        idle.add("returning")
    if not any(promotion.borrow for promotion in network.promoting.values()):
        idle.add("borrowed")
    if not any(network.book_rows):
        idle.add("booked")
    if all(market.forecast.kind == "none" for market in network.markets.values()):
        idle.add("forecast")
    if not network.disrupted_sources:
        idle.add("available")
    blocks = [name for name in STANDARD_BLOCKS if name not in idle]
    return tuple(blocks + ["periods_left"] * network.horizon_is_real)
