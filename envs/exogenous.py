"""The outside world, drawn before anyone acts: demand, forecasts and supply of all periods, for a batch of worlds.

A world is a pair (seed, episode), and its path depends on nothing else: not on the batch it is drawn in, its place
there, other markets, or how many periods are drawn; each purpose and place reads its own of the `streams`.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pushpull.envs import demand as demands
from pushpull.envs import forecast as forecasts
from pushpull.envs.bookings import book, with_bookings
from pushpull.envs.checks import InputError
from pushpull.envs.demand_paths import demand_paths
from pushpull.envs.families import market_demand, mean
from pushpull.envs.network import Demand, Forecast, Network, Variant
from pushpull.envs.streams import World, uniforms
from pushpull.envs.supply import draw_supply


@dataclass(frozen=True)
class Traces:
    """What happens outside the supply chain, whatever is done inside.

    Parameters
    ----------
    demand : ndarray, [T, M, B]
        Units that the customers of each market ask for, markets in the order of `Network.markets`.
    forecast : ndarray, [T, H, M, B]
        Demand of period t + h as foreseen at the start of period t. H is the longest horizon; a market with a
        shorter one repeats its last entry.
    available : ndarray, [T, J, B], or None
        1 where a source is up; where it is down, 0 or the share of its capacity that is left. None where all are
        always up.
    booked, booked_after : ndarray, [T, sum of `Network.book_rows`, B], or None
        Orders that stand in the books at the start of period t, due in t, t + 1, ..., and after its demand event, due
        in t + 1, t + 2, ..., market by market.
    lead_time : ndarray, [T, L, B], or None
        Periods that what each of `Network.random_lead_times` starts in a period travels; None where none is drawn.
    yields : ndarray, [T, Y, B], or None
        Share of what each of `Network.yielding_sources` starts in a period that turns out well; None where all does.
    """

    demand: np.ndarray
    forecast: np.ndarray
    available: np.ndarray | None = None
    booked: np.ndarray | None = None
    booked_after: np.ndarray | None = None
    lead_time: np.ndarray | None = None
    yields: np.ndarray | None = None

    @classmethod
    def empty(cls, sections: Mapping[str, tuple[int, ...]], periods: int, batch: int) -> Traces:
        """Return traces to be filled, cut out of one table."""
        sizes = [math.prod(shape) for shape in sections.values()]
        table = np.empty((periods, sum(sizes), batch))
        parts = np.split(table, np.cumsum(sizes[:-1]), axis=1)
        views = {
            name: part.reshape(periods, *shape, batch)
            for part, (name, shape) in zip(parts, sections.items(), strict=True)
        }
        traces = cls(**views)
        traces.__dict__["table"] = table
        return traces

    @cached_property
    def table(self) -> np.ndarray:
        """All of it in one array [T, X, B], section after section as `trace_sections` lists them."""
        periods, batch = self.demand.shape[0], self.demand.shape[-1]
        parts = [getattr(self, name) for name in SECTIONS]
        return np.concatenate([part.reshape(periods, -1, batch) for part in parts if part is not None], axis=1)


SECTIONS = (
    "demand",
    "available",
    "booked",
    "booked_after",
    "lead_time",
    "yields",
    "forecast",
)  # the forecast last, since its length is the longest horizon's


def trace_sections(network: Network, horizon: int, disrupted: bool = False) -> dict[str, tuple[int, ...]]:
    """Return the shape, but for periods and environments, of each section of a network's traces."""
    markets, book = len(network.markets), (sum(network.book_rows),)
    shapes = {
        "demand": (markets,),
        "available": (len(network.sources),) if disrupted else None,
        "booked": book if any(book) else None,
        "booked_after": book if any(book) else None,
        "lead_time": (len(network.random_lead_times),) if network.random_lead_times else None,
        "yields": (len(network.yielding_sources),) if network.yielding_sources else None,
        "forecast": (horizon, markets),
    }
    return {name: shape for name in SECTIONS if (shape := shapes[name]) is not None}


def first_trace_rows(network: Network, disrupted: bool) -> dict[str, int]:
    """Return the first row of each section in `Traces.table`; of a section that is not there, where it would be."""
    sections, first = trace_sections(network, 0, disrupted), {}
    row = 0
    for name in SECTIONS:
        first[name] = row
        row += math.prod(sections.get(name, (0,)))
    return first


def draw(network: Network, periods: int, worlds: Sequence[World]) -> Traces:
    """Draw the traces of some worlds.

    Parameters
    ----------
    network : Network
        The supply chain; every market must state its demand.
    periods : int
        T, the number of periods.
    worlds : sequence of (int, int)
        The B pairs (seed, episode), both in [0, 2^63).

    Returns
    -------
    Traces
        Float64 arrays.

    Raises
    ------
    InputError
        If a world is not such a pair, or if a market's demand is missing or cannot be drawn.
    """
    worlds = _whole_pairs(worlds)
    horizon = max(market.forecast.horizon for market in network.markets.values())
    sections = trace_sections(network, horizon, network.draws_availability)
    traces = Traces.empty(sections, periods, len(worlds))
    for name, values in draw_supply(network, periods, worlds).items():
        getattr(traces, name)[:] = values
    wanted = [periods + max(market.forecast.horizon - 1, market.booked_ahead) for market in network.markets.values()]
    paths = demand_paths(network, periods, worlds, wanted)
    for m, (i, market) in enumerate(network.markets.items()):
        traces.demand[:, m] = paths[m][:periods]
        own = foresee(market.forecast, market_demand(network, i), network.units, paths[m], periods, worlds, m)
        traces.forecast[:, :, m] = own[:, np.minimum(np.arange(horizon), market.forecast.horizon - 1)]
    keep_books(network, traces, paths, worlds)
    return traces


def keep_books(network: Network, traces: Traces, paths: Sequence[np.ndarray], worlds: list[World]) -> None:
    """Fill in what stands in the books when demand takes its path [S, B] at each market, and let forecasts know it."""
    if traces.booked is None or traces.booked_after is None:
        return
    ends = np.cumsum(network.book_rows)
    for m, (market, end) in enumerate(zip(network.markets.values(), ends, strict=True)):
        rows = slice(end - market.booked_ahead, end)
        numbers = uniforms("booking", m, worlds, len(paths[m]), 2)
        own = book(market, network.units, paths[m], len(traces.demand), numbers)
        traces.booked[:, rows], traces.booked_after[:, rows] = own
        traces.forecast[:, :, m] = with_bookings(market, traces.forecast[:, :, m], own[0])


def recorded(network: Network, demand: np.ndarray, forecast: np.ndarray, **supply: np.ndarray | None) -> Traces:
    """Return the traces of one recorded world: demand [T, M], forecasts [T, H, M] and what sources do, each [T, rows].

    Orders are booked as in the world (0, 0); none is known that is due after the record.
    """
    sections = trace_sections(network, forecast.shape[1], disrupted=supply.get("available") is not None)
    traces = Traces.empty(sections, len(demand), 1)
    traces.demand[..., 0], traces.forecast[..., 0] = demand, forecast
    for name, values in supply.items():
        if values is not None:
            getattr(traces, name)[..., 0] = values
    keep_books(network, traces, [path[:, None] for path in demand.T], [(0, 0)])
    return traces


def foresee(
    forecast: Forecast,
    demand: Demand | Variant,
    units: str,
    path: np.ndarray,
    periods: int,
    worlds: list[World],
    m: int,
) -> np.ndarray:
    """Return the forecasts [T, H, B] of market number m, whose demand path is [S, B], S >= T = `periods`."""
    targets = periods + forecast.horizon - 1
    expected = mean(demand, units, targets + 1)
    laws = demands.laws(demand, units, targets) if forecast.kind == "mmfe" and isinstance(demand, Demand) else ()
    noise = uniforms("forecast", m, worlds, targets, forecasts.uniforms_needed(forecast))
    return forecasts.forecast(forecast, path, expected, noise, laws)


def _whole_pairs(worlds: Sequence[World]) -> list[World]:
    try:
        pairs = np.asarray(worlds) if len(worlds) else np.empty((0, 2), dtype=np.uint64)
    except ValueError:  # of unequal lengths
        pairs = np.empty(0)
    if pairs.shape[1:] != (2,) or pairs.dtype.kind not in "iu" or (pairs < 0).any():
        raise InputError(
            "worlds", f"{reprlib.repr(worlds)} are not pairs (seed, episode) of whole numbers in [0, 2^63)"
        )
    return list(zip(pairs[:, 0].tolist(), pairs[:, 1].tolist(), strict=True))
