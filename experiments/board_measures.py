"""What is measured of a published problem: instances, the money that counts, and the rows of its table.

An instance is a board with the parameters of one row of its reference file. `measure` plays it and returns rows: what
is best (the exact optimum, or a bound by hindsight), what others published, heuristics tuned by search, and agents.
Values, gaps and differences have 95% intervals over test episodes; gaps to a bound and differences are paired by world.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pushpull.agents import make_policy
from pushpull.agents.heuristic_search import kinds
from pushpull.agents.optimal import solve
from pushpull.agents.planning import bound
from pushpull.agents.trials import Heuristic, search
from pushpull.envs import Network, simulate
from pushpull.envs.boards import BOARDS, make_board, references
from pushpull.envs.checks import InputError, suggest
from pushpull.envs.engine import Acts
from pushpull.envs.families import market_demand, mean
from pushpull.envs.rules import Rules
from pushpull.experiments.agents import fixed_agent
from pushpull.experiments.seeds import first_training_world
from pushpull.experiments.settings import AgentSettings
from pushpull.experiments.statistics import Estimate, estimate, paired_difference

Row = dict[str, Any]
GRIDS: dict[str, dict[str, list[Any]]] = {  # of the papers, beyond what the reference files hold
    "lost_sales": {"lead_time": [1, 2, 3, 4], "penalty": [4, 9, 19, 39], "demand": ["poisson", "geometric"]},
    "serial4": {"store_lead_time": [1, 2, 3, 4], "penalty": [4, 9, 19, 39]},
}
LEARNED = ("ppo", "rl", "a3c")  # of published names, those of agents that learned
OURS = {  # published names of what we call otherwise
    "cyclic_echelon_base_stock": "cyclic_base_stock",
    "oracle": "hindsight",
    "shrinking_horizon_lp": "dlp_shrinking",
    "ppo_with_early_delivery": "ppo",
}
SHRINKING = "_shrinking"  # ends the names of policies that plan to the end of an episode


class Money(NamedTuple):
    """What counts: a column of `simulate`, what to multiply it by, and whether more of it is better."""

    column: str
    times: float = 1.0
    sign: float = 1.0  # of cost: +1 where less is better, -1 where more is

    def of(self, table: Any) -> Any:
        """Return the money of each episode, by its world."""
        return pd.Series(self.times * table[self.column].to_numpy(), index=table["seed"].to_numpy())


def money_of(quantity: str, network: Network) -> Money | None:
    """Return what a reference file's `quantity` speaks of; None where no simulation measures it."""
    counted = network.horizon - network.warm_up
    known = {
        "cost per period": Money("cost"),
        "cost of an episode": Money("cost", counted),
        f"cost of {counted} periods": Money("cost", counted),
        f"profit of {counted} periods": Money("profit", counted, sign=-1),
        f"profit of {counted} periods, discounted by {network.discount} a period": Money("discounted_profit", sign=-1),
    }
    return known.get(quantity)


@dataclass(frozen=True)
class Instance:
    """A board with parameters, what is published of it, and where."""

    board: str
    parameters: Mapping[str, Any]
    published: Mapping[str, Any]
    source: str
    quantity: str
    differs: str

    @property
    def name(self) -> str:
        """The call that makes its network."""
        return f"{self.board}({', '.join(f'{key}={value!r}' for key, value in self.parameters.items())})"

    @property
    def network(self) -> Network:
        return make_board(self.board, **self.parameters)


@dataclass(frozen=True)
class Effort:
    """How much is spent on an instance."""

    episodes: int
    world: int
    seconds: float
    trials: int


def instances(patterns: Sequence[str], quick: bool) -> list[Instance]:
    """Return the instances of the boards whose names match any pattern; a quick suite has one of each.

    Raises
    ------
    InputError
        For a pattern that matches nothing, with the nearest names.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in BOARDS):
            raise InputError("boards", f"{pattern!r} names none; {suggest(pattern, BOARDS)}")
    found = []
    for board in (name for name in BOARDS if any(fnmatchcase(name, pattern) for pattern in patterns)):
        known = references(board)
        rows = known.get("rows", [{"parameters": {}}])
        for row in rows[:1] if quick else [*rows, *_others(board, rows)]:
            published = {key: value for key, value in row.items() if key not in ("parameters", "name")}
            quantity = known.get("quantity", "cost per period")
            told = (known.get("source", "no values published"), quantity, known.get("differs", ""))
            found.append(Instance(board, row["parameters"], published, *told))
    return found


def _others(board: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the instances of a paper's grid that are in no reference file."""
    grid = GRIDS.get(board, {})
    points = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())] if grid else []
    return [{"parameters": point} for point in points if point not in [row["parameters"] for row in rows]]


def measure(instance: Instance, agents: Mapping[str, AgentSettings], effort: Effort) -> list[Row]:
    """Return the rows of an instance's table: the best there is first, then published, tuned and other agents."""
    network = instance.network
    money = money_of(instance.quantity, network)
    if money is None:
        return [{**row, "board": instance.name, "measure": instance.quantity} for row in _published(instance)]
    simulate(network, make_policy("random", network), 1, effort.world, network.warm_up + 1)  # compiles what is timed
    best, rows = _best(instance, network, money, effort)
    rows += _published(instance)
    tuned = _tuned(network, money, effort)
    played = {row["name"]: values for row, values in tuned if values is not None}
    reference = played[min(played, key=lambda name: money.sign * played[name].mean())] if played else None
    for row, values in [*tuned, *_agents(network, agents, money, effort)]:
        rows.append(row | _against(reference, values, money))
    unavoidable = unavoidable_cost(network) * money.times if money.column == "cost" else 0.0
    table = []
    for row in rows:
        values = row.pop("values", None)
        gaps = _gaps(row, values, best, unavoidable, money)
        table.append(_plain({"board": instance.name, "measure": instance.quantity, **row, **gaps}))
    return table


# --- what is best -----------------------------------------------------------------------------------------------------


class _Best(NamedTuple):
    """The optimum and what its policy reaches in each world, or the mean of a bound and the bound in each world.

    Gaps are paired with `by_world`: what luck does to the best, it does to others.
    """

    value: float
    by_world: Any | None


def _best(instance: Instance, network: Network, money: Money, effort: Effort) -> tuple[_Best, list[Row]]:
    """Return the exact optimum where a solver finds it or a file knows it, else the bound by hindsight."""
    started = time.perf_counter()
    try:
        solved = solve(network) if money.column == "cost" else None
    except (InputError, RuntimeError):  # of no class that has an exact solver, or without an average to settle to
        solved = None
    if solved is not None:
        value, seconds = money.times * solved.cost, time.perf_counter() - started
        row = _row("optimum", "optimum", solved.method, value=value) | {"seconds": seconds}
        played, values = _play("optimum", "optimal policy", solved.method, network, solved.policy, money, effort)
        return _Best(value, values), [row | {"fill_rate": solved.fill_rate}, played]
    if "optimal" in instance.published:
        value = float(instance.published["optimal"])
        return _Best(value, None), [_row("optimum", "optimum", "reference file", value=value)]
    tables = []
    for first, count in _chunks(effort):
        tables.append(bound(network, effort.world + first, count, measure=money.column))
        if time.perf_counter() - started > effort.seconds:
            break
    by_world = money.of(pd.concat(tables, ignore_index=True))
    row = _row("bound", "hindsight", "linear program that knows the episode", estimate(by_world.to_numpy()))
    row |= {"episodes": len(by_world), "seconds": time.perf_counter() - started}
    return _Best(float(by_world.mean()), by_world), [row]


def _chunks(effort: Effort) -> list[tuple[int, int]]:
    """Return first and number of the episodes that are played together: few at first, then as many as before."""
    chunks, first = [], 0
    while first < effort.episodes:
        count = min(max(2, first), effort.episodes - first)
        chunks.append((first, count))
        first += count
    return chunks


def unavoidable_cost(network: Network) -> float:
    """Return the cost per period below which nobody gets in the long run: each unit asked for, bought or lost.

    The cheapest way to bring a unit to its market, in purchase and on pipelines, or the cost of losing it where that is
    allowed and cheaper. 0 where the end is real, since what is there at the start is free.
    """
    if network.horizon_is_real:
        return 0.0
    least = np.zeros(len(network.stages))
    for i in network.stage_order:
        ways = []
        for j in network.sources_of[i]:
            source = network.sources[j]
            price = min([source.unit_cost, *(step.unit_cost for step in source.price_breaks)])
            way = source.planned_lead_time * source.pipeline_holding_cost
            ways.append(price + way + sum(units * least[m] for m, units in network.inputs[j]))
        least[i] = max(0.0, min(ways))
    total = 0.0
    for i, market in network.markets.items():
        rate = mean(market_demand(network, i), network.units, network.horizon)[network.warm_up :].mean()
        may_lose = market.waiting_share < 1 or market.patience is not None
        total += rate * (min(least[i], market.lost_sale_cost) if may_lose else least[i])
    return float(total)


# --- who plays --------------------------------------------------------------------------------------------------------


def _published(instance: Instance) -> list[Row]:
    """Return what others report, as they do."""
    rows, plays = [], money_of(instance.quantity, instance.network) is not None
    for name, told in instance.published.items():
        if name == "published_gap_percent":
            for policy, gap in told.items():
                value = float(instance.published["optimal"]) * (1 + gap / 100)
                row = _row("published", f"{policy}, as a gap", "published gap to the optimum", value=value)
                rows.append(row | {"learned": policy in LEARNED})
        elif isinstance(told, Mapping) and {"cost", "profit"} & set(told):
            value = float(told.get("cost", told.get("profit", np.nan)))
            numbers = {key: number for key, number in told.items() if key not in ("cost", "profit", "sd")}
            rows.append(_row("published", name, "published", value=value) | {"parameters": _flat(numbers)})
        elif isinstance(told, (int, float)) and name != "optimal_fill_rate" and not (plays and name == "optimal"):
            rows.append(_row("published", name, "published", value=float(told)))
    for row in rows:
        row |= {
            "source": instance.source,
            "learned": row.get("learned") or OURS.get(row["name"], row["name"]) in LEARNED,
        }
    return rows


def _flat(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return numbers with those of nested mappings beside the others."""
    flat: dict[str, Any] = {}
    for key, number in numbers.items():
        flat |= number if isinstance(number, Mapping) else {key: number}
    return flat


def _tuned(network: Network, money: Money, effort: Effort) -> list[tuple[Row, Any | None]]:
    """Tune each kind of heuristic in training worlds and play it in test worlds."""
    found = []
    episodes = max(16, min(1000, 100_000 // network.horizon))
    world = first_training_world(0, episodes)
    for name, kind in kinds(network).items():
        started = time.perf_counter()

        def cost(policy: Heuristic) -> float:
            return float(money.sign * simulate(policy.network, policy, episodes, world)[money.column].mean())

        best = search(kind, cost, network.units == "integer", effort.trials, effort.seconds)
        method = f"pattern search, {best.trials} trials of {episodes} episodes"
        row, values = _play("tuned", name, method, best.policy.network, best.policy, money, effort)
        row |= {"parameters": best.numbers, "seconds": time.perf_counter() - started}
        found.append((row, values))
    return found


def _agents(
    network: Network, agents: Mapping[str, AgentSettings], money: Money, effort: Effort
) -> list[tuple[Row, Any | None]]:
    """Play each agent where it can."""
    found = []
    for name, settings in agents.items():
        if (settings.policy or "").endswith(SHRINKING) and not network.horizon_is_real:
            found.append((_row("agent", name, "plans to an end, and here is none"), None))
            continue
        try:
            agent = fixed_agent(name, settings, network)
        except InputError as error:
            if settings.learns:
                raise
            found.append((_row("agent", name, f"cannot play: {error.problem}"), None))
            continue
        found.append(_play("agent", name, settings.policy or "", agent.network, agent.policy, money, effort))
    return found


class _OutOfTimeError(Exception):
    pass


class _Hurried:
    """A policy that gives up once its time is over."""

    def __init__(self, policy: Acts, deadline: float):
        self.policy, self._deadline = policy, deadline

    def act(self, view: Any) -> np.ndarray:
        if time.perf_counter() > self._deadline:
            raise _OutOfTimeError
        return self.policy.act(view)


def _play(
    kind: str, name: str, method: str, network: Network, policy: Acts, money: Money, effort: Effort
) -> tuple[Row, Any | None]:
    """Play test episodes, all of them or as many as there is time for."""
    started, tables = time.perf_counter(), []
    deadline = started + effort.seconds
    compiled = any(isinstance(rules, Rules) for rules in (policy, getattr(policy, "rules", None)))
    hurried = policy if compiled else _Hurried(policy, deadline)
    try:
        for first, count in _chunks(effort):
            tables.append(simulate(network, hurried, count, effort.world + first))
            if time.perf_counter() > deadline:
                break
    except _OutOfTimeError:
        pass
    seconds = time.perf_counter() - started
    if not tables:
        return _row(kind, name, f"no two episodes in {effort.seconds:g} s") | {"seconds": seconds}, None
    table = pd.concat(tables, ignore_index=True)
    values, served = money.of(table), estimate(table["fill_rate"].to_numpy())
    row = _row(kind, name, method, estimate(values.to_numpy())) | {
        "values": values,
        "episodes": len(values),
        "seconds": seconds,
    }
    return row | {"fill_rate": served.mean, "fill_rate_low": served.low, "fill_rate_high": served.high}, values


# --- rows -------------------------------------------------------------------------------------------------------------


def _row(kind: str, name: str, method: str, told: Estimate | None = None, value: float | None = None) -> Row:
    mean, low, high = told if told is not None else (value, None, None)
    return {"kind": kind, "name": name, "method": method, "value": mean, "low": low, "high": high}


def _against(reference: Any | None, values: Any | None, money: Money) -> Row:
    """Return the difference to the best tuned heuristic in the worlds that both played."""
    if reference is None or values is None:
        return {}
    worlds = values.index.intersection(reference.index)
    told = paired_difference(values[worlds].to_numpy(), reference[worlds].to_numpy())
    return {"difference": told.mean, "difference_low": told.low, "difference_high": told.high}


def _gaps(row: Row, values: Any | None, best: _Best, unavoidable: float, money: Money) -> Row:
    """Return the gap to the best in percent, of all and of what can be controlled, with its interval."""
    reach = abs(best.value)
    if row["value"] is None or reach == 0:
        return {}
    if values is not None and best.by_world is not None:
        worlds = values.index.intersection(best.by_world.index)
        ends = paired_difference(values[worlds].to_numpy(), best.by_world[worlds].to_numpy())
    else:
        ends = Estimate(
            *(np.nan if end is None else end - best.value for end in (row["value"], row["low"], row["high"]))
        )
    gap, low, high = (100 * money.sign * end / reach for end in ends)
    gaps = {"gap": gap, "gap_low": min(low, high), "gap_high": max(low, high)}
    if 0 < unavoidable < reach:
        gaps["controllable_gap"] = gap * reach / (reach - unavoidable)
    return gaps


def _plain(row: Row) -> Row:
    """Return a row without NaN, which JSON does not know."""
    return {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in row.items()}
