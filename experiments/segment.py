"""`pushpull segment`: which items to push and which to pull, by what their demand looks like and what it is worth.

An item is classed by value (ABC), by how often and how evenly it is asked for (Syntetos, Boylan & Croston 2005), and by
whether customers wait as long as it takes (the P:D ratio). `PROPOSALS` turns the classes into push or pull with a
reason: push where a forecast can be good or a mistake is cheap, pull where neither holds (Simchi-Levi, Kaminsky &
Simchi-Levi 2008, Designing and Managing the Supply Chain). A proposal is a start; `pushpull compare` tells what
it costs.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pushpull.envs.checks import InputError, number, suggest
from pushpull.envs.exogenous import draw
from pushpull.envs.network import Network
from pushpull.envs.tables import as_number, read_csv
from pushpull.experiments.check_data import dated_series
from pushpull.experiments.series import read_series
from pushpull.experiments.settings import SegmentSettings

ABC_CUTS = (0.80, 0.95)  # shares of all value where A and B end (Silver, Pyke & Thomas 2017)
INTERVAL_CUT, SIZE_CUT = 1.32, 0.49  # of ADI and CV2 (Syntetos, Boylan & Croston 2005, J. Oper. Res. Soc. 56)
XYZ_CUTS = (0.5, 1.0)  # of the coefficient of variation of demand per period, where X and Y end
SAMPLE = 1000  # periods at least, by which the demand of a network is judged
SHOWN = 60  # items in the table on the screen
FACTS = ("price", "lead_time", "tolerance")  # columns of a file of items

PROPOSALS = {
    ("smooth", "A"): ("push", "steady, so forecasts are good; worth planning"),
    ("smooth", "B"): ("push", "steady, so forecasts are good"),
    ("smooth", "C"): ("push", "steady and of little value: make it ahead in long runs"),
    ("erratic", "A"): ("pull", "often, but amounts vary: replenish what was taken, closely"),
    ("erratic", "B"): ("pull", "often, but amounts vary: replenish what was taken"),
    ("erratic", "C"): ("push", "amounts vary, but of little value: a large stock is cheap"),
    ("intermittent", "A"): ("pull", "seldom: stock made on a forecast would wait, and is dear"),
    ("intermittent", "B"): ("pull", "seldom: stock made on a forecast would wait"),
    ("intermittent", "C"): ("pull", "seldom: reorder the usual amount once it is taken"),
    ("lumpy", "A"): ("pull", "seldom, in any amount: no forecast holds; stock its parts"),
    ("lumpy", "B"): ("pull", "seldom, in any amount: no forecast holds"),
    ("lumpy", "C"): ("pull", "seldom, in any amount: get it when it is asked for"),
}
NEVER = ("pull", "never asked for: keep none")


class Item(NamedTuple):
    """What is known of an item: demand per period [n], value of a unit, and, or NaN, lead time and what customers wait.

    `lead_time` P is how long it takes to get or make the item from what is in stock before it, `tolerance` D how long
    customers, or what is left of their patience after all later steps, let it take; both in periods.
    """

    name: str
    demand: np.ndarray
    value: float = 1.0
    lead_time: float = math.nan
    tolerance: float = math.nan


class Segment(NamedTuple):
    """The classes of an item, and what is proposed for it, with the reason."""

    item: str
    value_share: float
    abc: str
    adi: float
    cv2: float
    demand: str
    xyz: str
    pd_ratio: float
    proposal: str
    reason: str


def main(settings: SegmentSettings, console: Console) -> None:
    """Class the items of a file or a network and say what to push and what to pull."""
    if settings.network is not None:
        name, items = settings.network.name, items_of_network(settings.network)
    else:
        name, items = str(settings.file), items_of_file(settings)
    segments = segment(items)
    if settings.format == "csv":
        writer = csv.writer(console.file, lineterminator="\n")
        writer.writerow(Segment._fields)
        writer.writerows([_cells(own) for own in segments])
        return
    console.print(_table(name, segments, settings.xyz))
    for line in summary(segments, settings.network, settings.xyz):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def segment(items: Sequence[Item]) -> list[Segment]:
    """Return the segment of each item, the most valuable first."""
    values = [own.value * float(np.nanmean(own.demand)) if len(own.demand) else 0.0 for own in items]
    total, classes = sum(values), abc_classes(values)
    segments = []
    for own, value, abc in zip(items, values, classes, strict=True):
        adi, cv2 = average_demand_interval(own.demand), squared_variation(own.demand)
        kind, ratio = demand_class(adi, cv2), production_to_delivery(own.lead_time, own.tolerance)
        mode, reason = propose(kind, abc, ratio)
        share = value / total if total > 0 else 0.0
        segments.append(Segment(own.name, share, abc, adi, cv2, kind, xyz_class(own.demand), ratio, mode, reason))
    return sorted(segments, key=lambda own: -own.value_share)


# --- classes ----------------------------------------------------------------------------------------------------------


def abc_classes(values: Sequence[float]) -> list[str]:
    """Return A, B or C for each value [n]: A until 80% of the sum is reached, B until 95%, C beyond, and for 0.

    The item that reaches a cut still belongs to the class above it. Of equal values the first is taken first.
    """
    total, before, classes = sum(values), 0.0, ["C"] * len(values)
    for k in sorted(range(len(values)), key=lambda k: -values[k]):
        if values[k] > 0:
            reached = before / total
            classes[k] = "A" if reached < ABC_CUTS[0] - 1e-12 else "B" if reached < ABC_CUTS[1] - 1e-12 else "C"
        before += values[k]
    return classes


def average_demand_interval(demand: np.ndarray) -> float:
    """Return ADI: periods from the first demand on, per period with demand; infinite without any. [n] to number."""
    known = demand[~np.isnan(demand)]
    asked = np.flatnonzero(known > 0)
    return (len(known) - asked[0]) / len(asked) if len(asked) else math.inf


def squared_variation(demand: np.ndarray) -> float:
    """Return CV2: the variance of demand where there is any, by n - 1, over its squared mean; 0 of a single one."""
    sizes = demand[demand > 0]
    return float(np.var(sizes, ddof=1) / np.mean(sizes) ** 2) if len(sizes) > 1 else 0.0


def demand_class(adi: float, cv2: float) -> str:
    """Return smooth, erratic, intermittent or lumpy, or none; a value on a cut belongs beyond it."""
    if math.isinf(adi):
        return "none"
    seldom, uneven = adi >= INTERVAL_CUT, cv2 >= SIZE_CUT
    return {(False, False): "smooth", (False, True): "erratic", (True, False): "intermittent", (True, True): "lumpy"}[
        seldom, uneven
    ]


def xyz_class(demand: np.ndarray) -> str:
    """Return X, Y or Z: demand per period, zeros included, has a coefficient of variation up to 0.5, up to 1, above."""
    known = demand[~np.isnan(demand)]
    mean = float(np.mean(known)) if len(known) else 0.0
    variation = float(np.std(known, ddof=1)) / mean if len(known) > 1 and mean > 0 else math.inf
    return "X" if variation <= XYZ_CUTS[0] else "Y" if variation <= XYZ_CUTS[1] else "Z"


def production_to_delivery(lead_time: float, tolerance: float) -> float:
    """Return P:D, lead time over tolerated wait (Hoekstra & Romme 1992); infinite where nobody waits, NaN unknown."""
    if math.isnan(lead_time) or math.isnan(tolerance):
        return math.nan
    return lead_time / tolerance if tolerance > 0 else math.inf if lead_time > 0 else 0.0


def propose(kind: str, abc: str, ratio: float) -> tuple[str, str]:
    """Return push or pull for a class of demand and of value, and the reason; what can wait is made to order."""
    if kind == "none":
        return NEVER
    if ratio <= 1:
        return "pull", f"customers wait long enough (P:D {ratio:.2g}): make it to order"
    mode, reason = PROPOSALS[kind, abc]
    if mode == "pull" and ratio > 1:
        reason += "; hold stock, nobody waits that long"
    return mode, reason


# --- items ------------------------------------------------------------------------------------------------------------


def items_of_file(settings: SegmentSettings) -> list[Item]:
    """Return the items of a demand history, with what a file of items says of them.

    In a long file a date of the calendar without a row is one without demand.
    """
    histories = read_series(str(settings.file), settings.column, settings.date, settings.item)
    facts = read_facts(settings.items) if settings.items else {}
    items = []
    for dated in dated_series(histories)[0]:
        name, demand = dated.series.name, dated.quantities
        negative = np.flatnonzero(demand < 0)
        if len(negative):
            row = dated.series.rows[negative[0]]
            told = f"row {row}: demand of {name!r} is {demand[negative[0]]:g}, below 0; mend it, check-data finds all"
            raise InputError("file", told)
        if histories.layout == "long" and dated.calendar:
            place = {date: k for k, date in enumerate(dated.calendar.dates())}
            filled = np.zeros(len(place))
            for date, units in zip(dated.numbers, demand, strict=True):
                if date in place and not np.isnan(units):
                    filled[place[date]] += units
            demand = filled
        items.append(Item(name, demand, **facts.pop(name, {})))
    if facts:
        strange = next(iter(facts))
        raise InputError("items", f"{strange!r} has no history; {suggest(strange, [own.name for own in items])}")
    return items


def read_facts(file: str) -> dict[str, dict[str, float]]:
    """Return value, lead time and tolerance of the items of a CSV file with the columns `item` and any of `FACTS`."""
    if not Path(file).is_file():
        raise InputError("items", f"no file {file!r}; give a CSV file with the columns item, {', '.join(FACTS)}")
    table = read_csv(Path(file))
    known = ("item", "location", *FACTS)
    if "item" not in table.columns:
        raise InputError(table.file, f"column 'item' is missing; it needs item, and any of {', '.join(FACTS)}")
    for column in table.columns:
        if column not in known and not column.startswith("#"):
            raise InputError(table.file, f"column {column!r} is unknown; {suggest(column, known)}")
    facts = {}
    for row in table.rows:
        if "item" not in row.cells:
            raise table.error(row, "item", "blank; fill it in or remove the row")
        location = row.cells.get("location", "").strip()
        name = row.cells["item"].strip() + (f"@{location}" if location else "")
        if name in facts:
            raise table.error(row, "item", f"{name!r} stands in an earlier row; remove one")
        facts[name] = {}
        for column, key in zip(FACTS, ("value", "lead_time", "tolerance"), strict=True):
            if column in row.cells:
                given = as_number(row.cells[column], table.decimal_comma)
                try:
                    facts[name][key] = number(0)(column, row.cells[column] if given is None else given)
                except InputError as error:
                    raise table.error(row, column, error.problem) from None
    return facts


def items_of_network(network: Network) -> list[Item]:
    """Return the stages of a network as items: what customers need of each, drawn from its demand processes.

    Demand of a stage that others are made of is that of its markets times the units needed, and the value of a unit is
    the money tied up in it. The lead time is the longest of the stage's sources, its tolerance what is left of its
    customers' when all that comes after it is done: from the market on upstream, stages whose lead time fits can be
    made to order, and the first that does not fit has to be in stock (Hoekstra & Romme 1992).
    """
    episodes = math.ceil(SAMPLE / network.horizon)
    drawn = draw(network, network.horizon, [(0, episode) for episode in range(episodes)]).demand
    at_stages = np.zeros((len(network.stages), drawn.shape[0] * episodes))
    for m, i in enumerate(network.markets):
        at_stages[i] = drawn[:, m].T.ravel()
    values = network.unit_values if network.unit_values.any() else np.ones(len(network.stages))
    needed, tolerances = network.requirements @ at_stages, _tolerances(network)
    times = [source.planned_lead_time + source.order_delay for source in network.sources]
    return [
        Item(
            name, needed[i], float(values[i]), float(max(times[j] for j in network.sources_of[i])), float(tolerances[i])
        )
        for i, name in enumerate(network.stage_names)
    ]


def _tolerances(network: Network) -> np.ndarray:
    """Return what is left at each stage of its customers' tolerance, [N], in periods; NaN where one is not known."""
    left = np.full(len(network.stages), np.inf)
    for i in reversed(network.stage_order):
        if i in network.markets:
            tolerance = network.markets[i].tolerance
            left[i] = np.nan if tolerance is None else tolerance
        for j in network.users_of[i]:
            after = network.sources[j].planned_lead_time + network.sources[j].order_delay
            left[i] = np.minimum(left[i], left[network.source_stage[j]] - after)  # NaN if either is
    return np.where(np.isinf(left), np.nan, np.maximum(left, 0.0))


# --- what is printed --------------------------------------------------------------------------------------------------


def _table(name: str, segments: list[Segment], xyz: bool) -> Table:
    table = Table(title=f"Segments of {name}", title_justify="left")
    known = any(not math.isnan(own.pd_ratio) for own in segments)
    shown = [key for key in HEADINGS if (key != "xyz" or xyz) and (key != "pd_ratio" or known)]
    for key in shown:
        right = key in ("value_share", "adi", "cv2", "pd_ratio")
        table.add_column(HEADINGS[key], justify="right" if right else "left", no_wrap=key != "reason")
    for own in segments[:SHOWN]:
        table.add_row(*(escape(_shown(key, getattr(own, key))) for key in shown))
    return table


HEADINGS = {
    "item": "item",
    "value_share": "value",
    "abc": "ABC",
    "adi": "ADI",
    "cv2": "CV²",
    "demand": "demand",
    "xyz": "XYZ",
    "pd_ratio": "P:D",
    "proposal": "proposal",
    "reason": "reason",
}


def _shown(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return "-"
    return f"{value:.1%}" if key == "value_share" else f"{value:.2f}"


def _cells(own: Segment) -> list[str]:
    return [value if isinstance(value, str) else "" if math.isnan(value) else f"{value:.6g}" for value in own]


def summary(segments: list[Segment], network: Network | None, xyz: bool) -> list[str]:
    """Say how many are to be pushed and pulled, by which cuts, and which decoupling point that is."""
    counts = {mode: sum(own.proposal == mode for own in segments) for mode in ("push", "pull")}
    lines = [
        f"{len(segments)} item{'s' * (len(segments) != 1)}: push {counts['push']}, pull {counts['pull']}.",
        f"ABC: until {ABC_CUTS[0]:.0%} and {ABC_CUTS[1]:.0%} of the value are reached. Demand: ADI {INTERVAL_CUT} and "
        f"CV² {SIZE_CUT} part smooth, erratic, intermittent and lumpy.",
    ]
    if xyz:
        lines.append(f"XYZ: demand per period varies (sd / mean) up to {XYZ_CUTS[0]}, up to {XYZ_CUTS[1]}, or more.")
    if len(segments) > SHOWN:
        lines.append(f"The table shows the {SHOWN} most valuable; format=csv prints all, ready for > segments.csv.")
    if network is not None:
        lines.append(_decoupling(segments, network))
    return lines


def _decoupling(segments: list[Segment], network: Network) -> str:
    """Say which decoupling point the proposals come to."""
    pushed = {own.item for own in segments if own.proposal == "push"}
    if not pushed:
        return "As a decoupling point: decoupling_point=supply."
    reached = network.pushing_stages(sorted(pushed))
    points = [name for name in network.stage_names if name in reached and not _feeds(network, name, reached)]
    more = [name for name in network.stage_names if name in reached - pushed]
    words = f", which pushes {', '.join(more)} too, being upstream" if more else ""
    written = points[0] if len(points) == 1 else f"[{','.join(points)}]"
    return f"As a decoupling point: decoupling_point={written}{words}."


def _feeds(network: Network, name: str, others: set[str]) -> bool:
    """Whether a stage is an input of one of others."""
    users = network.users_of[network.stage_names.index(name)]
    return any(network.stage_names[network.source_stage[j]] in others for j in users)
