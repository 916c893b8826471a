"""`pushpull bench`: what `bench_cases` lists, measured, printed beside its targets and kept as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pushpull.envs.checks import InputError, suggest
from pushpull.experiments.bench_cases import HIGHER_IS_BETTER, AbsentError, Case, Effort, cases
from pushpull.experiments.folders import run_folder
from pushpull.experiments.machine import describe
from pushpull.experiments.progress import training_bars
from pushpull.experiments.settings import BenchSettings

FULL, QUICK = Effort(repeats=7, seconds=0.1), Effort(repeats=3, seconds=0.02)
Record = dict[str, Any]  # a case in bench.json
MACHINE = ("processor", "python", "versions")  # what makes two runs comparable
BUSY = 0.9  # of a core, below which others had a part in what was measured


def main(settings: BenchSettings, console: Console) -> None:
    """Measure the cases, print a table of each group as it is done, and write all of it."""
    chosen = choose(settings.cases, quick=settings.quick)
    earlier = None if settings.compare is None else read(settings.compare)
    effort = QUICK if settings.quick else FULL
    report = {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": describe(),
        "effort": effort._asdict(),
        "cases": {},
    }
    console.print(_machine(report["machine"]), "", highlight=False)
    with run_folder(settings.folder, "bench", "quick" if settings.quick else "full") as run:
        with training_bars(console) as bar:
            progress, done = bar("bench", len(chosen)), report["cases"]
            for group, members in groupby(chosen, key=_group):
                measured = {}
                for case in members:
                    measured[case.name] = measure(case, effort)
                    progress(len(done) + len(measured))
                done |= measured
                console.print(printed(group, measured, {} if earlier is None else earlier["cases"]), "")
        (run.path / "bench.json").write_text(json.dumps(report, indent=1) + "\n")
    for sentence in _remarks(report, earlier):
        console.print(sentence, highlight=False)
    console.print(f"All of it is in {run.final / 'bench.json'}", highlight=False, soft_wrap=True)


def choose(patterns: Sequence[str], quick: bool) -> list[Case]:
    """Return the cases whose name, or a part of it from the start, matches any pattern; a quick run has no slow ones.

    Raises
    ------
    InputError
        For a pattern that matches nothing, with the nearest names.
    """
    every = list(cases())
    for pattern in patterns:
        if not any(_matches(case, pattern) for case in every):
            names = dict.fromkeys([*map(_group, every), *(case.name for case in every)])
            raise InputError("cases", f"{pattern!r} names none; {suggest(pattern, names)}")
    chosen = [case for case in every if any(_matches(case, pattern) for pattern in patterns)]
    fast = [case for case in chosen if not (quick and case.slow)]
    if not fast:
        raise InputError("cases", f"{list(patterns)} names slow cases only; leave quick=true out")
    return fast


def _group(case: Case) -> str:
    """Return what its table is headed by: step/chain4 for step/chain4/numpy/64, sb3 for sb3/chain4/64."""
    parts = case.name.split("/")
    return "/".join(parts[: max(1, len(parts) - 2)])


def _matches(case: Case, pattern: str) -> bool:
    return fnmatchcase(case.name, pattern) or case.name.startswith(f"{pattern}/")


def measure(case: Case, effort: Effort) -> Record:
    """Return a case's readings with their medians and spread, and whether its target is met."""
    record: Record = {
        "unit": case.unit,
        "higher_is_better": HIGHER_IS_BETTER[case.unit],
        "target": case.target,
        "met": None,
        "absent": None,
        "took": 0.0,
        "readings": {},
    }
    started = time.perf_counter()
    try:
        repeat = case.prepare(effort)
    except AbsentError as reason:
        return {**record, "absent": str(reason)}
    repeats = [repeat() for _ in range(min(effort.repeats, case.repeats or effort.repeats))]
    for name in repeats[0]:
        samples = [readings[name] for readings in repeats]
        record["readings"][name] = {
            "median": median(samples),
            "low": min(samples),
            "high": max(samples),
            "samples": samples,
        }
    if case.target is not None:
        found = record["readings"][case.unit]["median"]
        record["met"] = found >= case.target if record["higher_is_better"] else found <= case.target
    record["took"] = time.perf_counter() - started
    return record


def read(path: str) -> dict[str, Any]:
    """Return what an earlier run has written."""
    try:
        report = json.loads(Path(path).read_text())
        for record in report["cases"].values():
            gain(record, record)
        _ = [report["machine"][key] for key in MACHINE]
    except OSError as error:
        raise InputError(
            "compare", f"{path!r} cannot be read ({error.strerror}); give the bench.json of a run"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError("compare", f"{path!r} was not written by bench; give the bench.json of a run") from None
    return report


def gain(now: Record, earlier: Record) -> float | None:
    """Return how many times as good a case is as it was, None where one of the two was not measured."""
    unit = now["unit"]
    if unit not in now["readings"] or unit not in earlier.get("readings", {}):
        return None
    new, old = now["readings"][unit]["median"], earlier["readings"][unit]["median"]
    ratio = (new, old) if now["higher_is_better"] else (old, new)
    return ratio[0] / ratio[1] if ratio[1] else None


def printed(group: str, measured: dict[str, Record], earlier: dict[str, Record]) -> Table:
    """Return a group of cases as a table: the main reading with its spread, medians of the others, the target."""
    rows = {name.removeprefix(f"{group}/"): _row(record, earlier.get(name, {})) for name, record in measured.items()}
    headings = list(dict.fromkeys(heading for row in rows.values() for heading in row))
    table = Table(box=None, header_style="italic", padding=(0, 1, 0, 0))
    table.add_column(group, no_wrap=True)
    for heading in headings:
        table.add_column(
            heading, justify="right", min_width=max(map(len, heading.split())), no_wrap=heading == "target"
        )
    for name, row in rows.items():
        table.add_row(name, *(row.get(heading, "") for heading in headings))
    return table


def _row(record: Record, earlier: Record) -> dict[str, str]:
    """Return what is printed of a case, by heading."""
    unit, readings = record["unit"], record["readings"]
    if record["absent"] is not None:
        return {unit: "-", "why": escape(record["absent"])}
    row = {unit: shown(readings[unit]["median"])}
    row |= {end: shown(readings[unit][end]) for end in ("low", "high")}
    row |= {name: shown(values["median"]) for name, values in readings.items() if name != unit}
    ratio = gain(record, earlier)
    if ratio is not None:
        row["gain"] = shown(ratio)
    if record["target"] is not None:
        word, colour = ("met", "green") if record["met"] else ("missed", "red")
        row["target"] = f"[{colour}]{shown(record['target'])} {word}[/]"
    return row


def shown(value: float) -> str:
    """Write a number with three digits: 15.2M, 812k, 7.31, 0.0192."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _machine(machine: dict[str, Any]) -> str:
    """Say in two lines what is measured, and on what."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    changed = f" and {machine['changed_files']} changed files" if machine["changed_files"] else ""
    return (
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load']}, one thread; "
        f"revision {machine['revision']}{changed}\nPython {machine['python']}, {versions}"
    )


def _remarks(report: dict[str, Any], earlier: dict[str, Any] | None) -> Iterator[str]:
    """Say how many targets are met, and what makes the numbers doubtful."""
    records = report["cases"].values()
    judged = [record["met"] for record in records if record["met"] is not None]
    if judged:
        yield f"{sum(judged)} of {len(judged)} targets met."
    shares = [record["readings"]["of a core"]["median"] for record in records if "of a core" in record["readings"]]
    if shares and median(shares) < BUSY:
        yield (
            f"The machine was busy: the median case had {median(shares):.0%} of a core to itself, so that speeds are "
            "too low by about that, and targets may be missed that an idle machine meets."
        )
    if earlier is not None:
        yield "A gain above 1 is better than the earlier run, below 1 worse."
        for key in MACHINE:
            if earlier["machine"][key] != report["machine"][key]:
                yield f"The earlier run had another {key}: {earlier['machine'][key]}."
