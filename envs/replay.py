"""Replay a recorded trajectory: given actions, demand and availability, tell what the chain did.

This is how the model is compared with other programs, with a log from practice, or with itself on another backend.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pushpull.envs.actions import ActionSpace
from pushpull.envs.backends import resolve
from pushpull.envs.checks import InputError, number, suggest
from pushpull.envs.exogenous import recorded
from pushpull.envs.families import mean
from pushpull.envs.network import Network
from pushpull.envs.rewards import PRESETS
from pushpull.envs.worlds import make_world

_MOST_UNITS = 1e15  # a double counts up to 2^53 units one by one


@dataclass(frozen=True)
class History:
    """A replayed trajectory of T periods.

    Attributes
    ----------
    total_cost, revenue : ndarray [T]
        Money per period; profit is their difference.
    cost : dict of ndarray [T]
        Cost by term.
    demand, shipped, lost, on_hand, owed : ndarray [T, N]
        Units by stage; stocks and backorders stand at the end of the period.
    order, start, receipt, shortfall : ndarray [T, J]
        Units by source: requests (push) or orders (pull), starts, receipts, and what had not started.
    written_off, overflow : ndarray [T, N], or [T, 0] where no stage states what brings them about
        Units that left the stock unused, and units that storage had no room for.
    changeovers, resource_used : ndarray [T, R]
        Changeovers of each resource, and the capacity taken of it.
    promoted, taken_back : ndarray [T, P]
        Units that campaigns added to demand, and that they took back from it, of each market that promotes.
    """

    stage_names: tuple[str, ...]
    source_names: tuple[str, ...]
    resource_names: tuple[str, ...]
    promoting_names: tuple[str, ...]
    total_cost: np.ndarray
    revenue: np.ndarray
    cost: dict[str, np.ndarray]
    demand: np.ndarray
    shipped: np.ndarray
    lost: np.ndarray
    on_hand: np.ndarray
    owed: np.ndarray
    order: np.ndarray
    start: np.ndarray
    receipt: np.ndarray
    shortfall: np.ndarray
    written_off: np.ndarray
    overflow: np.ndarray
    changeovers: np.ndarray
    resource_used: np.ndarray
    promoted: np.ndarray
    taken_back: np.ndarray

    def to_pandas(self) -> Any:
        """Return one row per period, with columns such as ``on_hand.phone`` and ``cost.holding``."""
        import pandas as pd

        columns = {"total_cost": self.total_cost, "revenue": self.revenue}
        columns |= {f"cost.{term}": values for term, values in self.cost.items()}
        for names, fields in (
            (self.stage_names, ("demand", "shipped", "lost", "on_hand", "owed", "written_off", "overflow")),
            (self.source_names, ("order", "start", "receipt", "shortfall")),
            (self.resource_names, ("changeovers", "resource_used")),
            (self.promoting_names, ("promoted", "taken_back")),
        ):
            columns |= {
                f"{field}.{name}": values
                for field in fields
                if getattr(self, field).shape[1]
                for name, values in zip(names, getattr(self, field).T, strict=True)
            }
        return pd.DataFrame(columns).rename_axis("period")


def replay(
    network: Network,
    actions: Sequence[Sequence[Any]],
    demand: Sequence[Mapping[str, float]],
    available: Sequence[Sequence[float]] | None = None,
    backend: str = "auto",
    lead_time: Sequence[Mapping[str, float]] | None = None,
    yields: Sequence[Mapping[str, float]] | None = None,
    promotion: Sequence[Mapping[str, float]] | None = None,
) -> History:
    """Run recorded actions against recorded demand, from the network's initial state, in float64.

    The last period recorded is taken for the end of the episode, where salvage is paid.

    Parameters
    ----------
    network : Network
        The chain.
    actions : [T][J]
        Per source a push quantity; a threshold, or ``[threshold, gap]``, of a pull source; ``[quantity, threshold]``
        (or with a gap at its end) of a mixed one.
    demand : [T] of {stage: units}
        Units asked for at each market; a market left out asks for none.
    available : [T][J], optional
        1 normal, 0 down, between them a share of capacity.
    backend : {"auto", "numba", "numpy", "torch"}
        What computes it; all agree.
    lead_time : [T] of {source: periods}
        How long what starts in each period travels, for every source whose lead time is drawn; others need none.
    yields : [T] of {source: share}
        What turns out well of what starts in each period, for every source with a yield; others need none.
    promotion : [T] of {stage: intensity}, optional
        Intensity of the campaign, from 0 to 1, at each market that promotes; a market left out has none.

    Returns
    -------
    History
        Costs, stocks and flows of the T periods.

    Raises
    ------
    InputError
        For an action, demand, availability or intensity that cannot be used, naming period and source.
    """
    if not isinstance(network, Network):
        raise InputError(
            "network", f"a {type(network).__name__} is not a Network; build it with from_dict or from_yaml"
        )
    resolve(backend)
    for field, rows in (("actions", actions), ("demand", demand), ("available", available), ("promotion", promotion)):
        if rows is not None or field in ("actions", "demand"):
            _check_periods(field, rows, actions)
    intensities = [{}] * len(actions) if promotion is None else promotion
    vectors = np.hstack([_action_table(network, actions), _promotion_table(network, intensities)])
    traces = recorded(
        network,
        _demand_table(network, demand),
        _forecast_table(network, len(actions))[:, None],
        available=None if available is None else _available_table(network, available),
        lead_time=_drawn_table("lead_time", network, network.random_lead_times, lead_time, len(actions)),
        yields=_drawn_table("yields", network, network.yielding_sources, yields, len(actions)),
    )
    clock = np.zeros(1, dtype=np.int64)
    space, disrupted = ActionSpace(network), available is not None
    world = make_world(network, clock, backend, "float64", space, None, PRESETS["profit"], disrupted)
    periods: list[dict[str, Any]] = []
    for vector in vectors:
        world.step(vector[None], traces)
        record = {key: value[:, 0].copy() for key, value in vars(world.flows).items()}
        *costs, revenue = world.money[:, 0]
        record |= {"cost": dict(zip(network.cost_terms, costs, strict=True)), "revenue": revenue}
        periods.append(record)
    cost = {term: np.array([p["cost"][term] for p in periods]) for term in network.cost_terms}
    told = ("demand", "shipped", "lost", "on_hand", "owed", "written_off", "overflow")
    told += ("order", "start", "receipt", "shortfall", "changeovers", "resource_used", "promoted", "taken_back")
    rows = {key: len(getattr(world.flows, key)) for key in told}
    return History(
        stage_names=network.stage_names,
        source_names=network.source_names,
        resource_names=network.resource_names,
        promoting_names=tuple(network.stage_names[i] for i in network.promoting),
        total_cost=np.sum(list(cost.values()), axis=0),
        revenue=np.array([p["revenue"] for p in periods]),
        cost=cost,
        **{key: np.array([p[key] for p in periods]).reshape(len(periods), width) for key, width in rows.items()},
    )


def _check_periods(field: str, rows: Any, actions: Any) -> None:
    if not isinstance(rows, (list, tuple, np.ndarray)):
        raise InputError(field, f"{rows!r} is not a list of periods; give one row per period")
    if len(rows) != len(actions):
        raise InputError(field, f"{len(rows)} periods for {len(actions)} periods of actions; give as many of each")


def _action_table(network: Network, actions: Sequence[Sequence[Any]]) -> np.ndarray:
    """Return the part of sources in action vectors, [T, columns], from what each source's mode is given."""
    table = np.zeros((len(actions), sum(len(columns) for columns in network.action_columns)))
    for t, row in enumerate(actions):
        if not isinstance(row, (list, tuple, np.ndarray)) or len(row) != len(network.sources):
            raise InputError(
                f"actions[{t}]",
                f"{row!r} is not one entry per source; give one for each of {reprlib.repr(list(network.source_names))}",
            )
        vector: list[float] = []
        for j, entry in enumerate(row):
            columns = network.action_columns[j]
            values = list(entry) if isinstance(entry, (list, tuple, np.ndarray)) else [entry]
            if len(values) != len(columns):
                raise InputError(
                    f"actions[{t}][{j}]",
                    f"{entry!r} has {len(values)} numbers; source {network.source_names[j]!r} takes {list(columns)}",
                )
            vector += [
                _action_value(f"actions[{t}][{j}]", name, value) for name, value in zip(columns, values, strict=True)
            ]
        table[t] = vector
    return table


def _action_value(field: str, column: str, value: Any) -> float:
    """Accept a number that counts units exactly; a threshold may be minus infinity, which never fires."""
    if column == "threshold" and isinstance(value, float) and math.isinf(value):
        if value > 0:
            raise InputError(f"{field}.threshold", f"{value!r} orders without end; give a number, or -inf for never")
        return value
    return number(-_MOST_UNITS, _MOST_UNITS)(f"{field}.{column}", value)


def _demand_table(network: Network, demand: Sequence[Mapping[str, float]]) -> np.ndarray:
    """Return demand by market, [T, M]."""
    markets = [network.stage_names[i] for i in network.markets]
    return _table_by_stage("demand", demand, markets, "market", "units", number(0, whole=network.units == "integer"))


def _promotion_table(network: Network, promotion: Sequence[Mapping[str, float]]) -> np.ndarray:
    """Return intensities by market that promotes, [T, P]."""
    markets = [network.stage_names[i] for i in network.promoting]
    return _table_by_stage("promotion", promotion, markets, "market that promotes", "intensity", number(0, 1))


def _table_by_stage(
    field: str, rows: Sequence[Mapping[str, float]], stages: list[str], what: str, holds: str, check: Callable
) -> np.ndarray:
    """Return what is recorded of some stages, [T, stages]; 0 where nothing is."""
    table = np.zeros((len(rows), len(stages)))
    for t, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InputError(f"{field}[{t}]", f"{row!r} is not a mapping; give {{stage: {holds}}}")
        for name, value in row.items():
            if str(name) not in stages:
                hint = suggest(name, stages) if stages else "leave it out"
                raise InputError(f"{field}[{t}]", f"{name!r} has no {what}; {hint}")
            table[t, stages.index(str(name))] = check(f"{field}[{t}].{name}", value)
    return table


def _available_table(network: Network, available: Sequence[Sequence[float]]) -> np.ndarray:
    """Return availability by source, [T, J]."""
    width = len(network.sources)
    for t, row in enumerate(available):
        if not isinstance(row, (list, tuple, np.ndarray)) or len(row) != width:
            raise InputError(
                f"available[{t}]",
                f"{row!r} is not one entry per source; give one for each of {reprlib.repr(list(network.source_names))}",
            )
        for j, share in enumerate(row):
            number(0, 1)(f"available[{t}][{j}]", share)
    return np.array(available, dtype=float).reshape(-1, width)


def _drawn_table(
    field: str, network: Network, sources: tuple[int, ...], rows: Sequence[Mapping[str, float]] | None, periods: int
) -> np.ndarray | None:
    """Return what is recorded of the sources that draw it, [T, sources]."""
    names = [network.source_names[j] for j in sources]
    if rows is None and names:
        raise InputError(field, f"missing; {names} draw it, so give what was recorded: [T] of {{source: value}}")
    if rows is None:
        return None
    _check_periods(field, rows, range(periods))
    table = np.zeros((periods, len(names)))
    for t, row in enumerate(rows):
        if not isinstance(row, Mapping) or set(row) != set(names):
            raise InputError(f"{field}[{t}]", f"{row!r} does not fit; give {{source: value}} for each of {names}")
        for k, (j, name) in enumerate(zip(sources, names, strict=True)):
            longest = network.sources[j].lead_time
            check = number(0, longest, whole=True) if field == "lead_time" else number(0, 1)
            table[t, k] = check(f"{field}[{t}].{name}", row[name])
    return table if names else None


def _forecast_table(network: Network, periods: int) -> np.ndarray:
    """Return the mean of each market's demand process, [T, M], where an order rule asks for a forecast; else zeros."""
    if all(source.lot.rule != "smoothed" for source in network.sources):
        return np.zeros((periods, len(network.markets)))
    means = []
    for i, demand in network.market_demands.items():
        if demand is None:
            where = f"network.stages.{network.stage_names[i]}.market.demand"
            raise InputError(where, "missing; the smoothed rule orders by its mean, so state it")
        means.append(mean(demand, network.units, periods))
    return np.stack(means, axis=1)
