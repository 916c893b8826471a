"""`pushpull boards`: how far heuristics, planners and learned agents are from the best there is, on published problems.

What `board_measures` measures of each instance is printed as a table as soon as it is done, and kept as a file in the
run folder's ``rows``, written whole or not at all; so a run that stops can go on (`resume`). At the end all rows are
written as CSV, JSON, Markdown and LaTeX.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from pushpull.experiments.board_measures import OURS, Effort, Instance, Row, instances, measure
from pushpull.experiments.folders import StoppedError, kept_folder, write
from pushpull.experiments.seeds import first_test_world
from pushpull.experiments.settings import BoardsSettings

QUICK = {"episodes": 40, "seconds": 2.0, "trials": 60}  # most of each in a quick suite
REFERENCES = ("optimum", "bound")  # kinds of rows that gaps are taken to
KEYS = ("board", "measure", "kind", "name", "value", "low", "high", "gap", "gap_low", "gap_high", "controllable_gap",
        "fill_rate", "fill_rate_low", "fill_rate_high", "difference", "difference_low", "difference_high", "published",
        "episodes", "seconds", "learned", "method", "parameters", "source", "differs")  # fmt: skip
HEADINGS = ("", "", "value", "gap %", "ctrl. %", "fill rate", "to best tuned", "published", "n", "s")
LEGEND = "ctrl. %: gap on the cost that can be controlled; to best tuned: paired by world; n: episodes; s: seconds."


def main(settings: BoardsSettings, console: Console) -> None:
    """Measure the instances that no earlier part of the run has measured, and write what is known of all."""
    chosen = instances(settings.boards, settings.quick)
    first_test_world(settings.world, settings.episodes)
    effort = Effort(settings.episodes, settings.world, settings.seconds, settings.trials)
    if settings.quick:
        effort = Effort(**{**vars(effort), **{key: min(most, getattr(effort, key)) for key, most in QUICK.items()}})
    folder = _folder(settings)
    rows: list[Row] = []
    try:
        for instance in chosen:
            file = folder / "rows" / f"{_file_name(instance.name)}.json"
            if not file.exists():
                own = [_with_published(instance, row) for row in measure(instance, settings.agent, effort)]
                write(file, json.dumps(own, indent=1))
            own = json.loads(file.read_text())
            console.print(printed(instance.name, own), "")
            rows += own
    except (KeyboardInterrupt, Exception) as error:
        raise StoppedError(error, f"go on with resume={folder}") from error
    for name, form in FORMATS.items():
        write(folder / name, form(rows))
    console.print(LEGEND, highlight=False)
    console.print(f"All of it is in {folder}", highlight=False, soft_wrap=True)


def _with_published(instance: Instance, row: Row) -> Row:
    """Return a row with the value that others report under its name, if they do."""
    ordered = dict.fromkeys(KEYS) | {"learned": False} | row
    if row["name"] == "optimum":
        ordered["published"] = instance.published.get("optimal")
    elif row["kind"] != "published":
        for name, told in instance.published.items():
            if OURS.get(name, name) == row["name"] and isinstance(told, dict):
                ordered["published"] = told.get("cost", told.get("profit"))
    ordered["differs"] = instance.differs or None
    return ordered


# --- the run folder ---------------------------------------------------------------------------------------------------


def _folder(settings: BoardsSettings) -> Path:
    """Return the folder of the run; one that goes on may measure other boards."""
    mine = {key: value for key, value in settings.to_dict().items() if key not in ("boards", "folder", "resume")}
    label = "quick" if settings.quick else "full"
    folder = kept_folder(settings.folder, "boards", label, mine, settings.resume)
    (folder / "rows").mkdir(exist_ok=True)
    return folder


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip("_")


# --- tables -----------------------------------------------------------------------------------------------------------


def printed(name: str, rows: Sequence[Row]) -> Table:
    """Return the table of an instance, as wide as a terminal."""
    caption = " ".join([f"{rows[0]['measure'].capitalize()}; 95% intervals." if rows else "", *_notes(rows)])
    out = Table(title=name, caption=caption, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    out.caption_justify = out.title_justify = "left"
    for k, heading in enumerate(HEADINGS):
        out.add_column(heading, justify="left" if k < 2 else "right", no_wrap=k != 1, overflow="fold")
    for row in rows:
        if row["value"] is not None:
            out.add_row(*_cells(row), style="bold" if row["kind"] in REFERENCES else None)
    return out


def _notes(rows: Sequence[Row]) -> list[str]:
    """Return who did not play, and what sets our figures apart from published ones."""
    absent = [f"{row['name']}: {row['method']}." for row in rows if row["value"] is None]
    return [*absent, *dict.fromkeys(row["differs"] for row in rows if row["differs"])]


def _cells(row: Row) -> list[str]:
    """Return what a table shows of a row, under `HEADINGS`."""
    gaps = row["kind"] not in REFERENCES
    return [
        row["kind"],
        f"{row['name']} (learned)" if row["learned"] else row["name"],
        _number(row, "value"),
        _number(row, "gap", 2 if abs(row["gap"] or 0) < 100 else 0) if gaps else "",
        _number(row, "controllable_gap", 2) if gaps else "",
        "" if row["fill_rate"] is None else f"{row['fill_rate']:.1%}",
        _number(row, "difference", sign="+") if row["difference"] else "",
        _number(row, "published"),
        "" if row["episodes"] is None else f"{row['episodes']}",
        "" if row["seconds"] is None else f"{row['seconds']:.{int(row['seconds'] < 10)}f}",
    ]


def _number(row: Row, key: str, digits: int | None = None, sign: str = "") -> str:
    """Return a number of a row with half its interval."""
    value, high = row.get(key), row.get(f"{key}_high" if key != "value" else "high")
    if value is None:
        return ""
    size = abs(row["value"])
    digits = digits if digits is not None else 3 if size < 100 else 1
    half = "" if high is None else f" ± {high - value:,.{digits}f}"
    return f"{round(value, digits) + 0.0:{sign},.{digits}f}{half}"


def _table(rows: Sequence[Row]) -> pd.DataFrame:
    flat = [{**row, "parameters": None if not row["parameters"] else json.dumps(row["parameters"])} for row in rows]
    return pd.DataFrame(flat, columns=list(KEYS))


def _markdown(rows: Sequence[Row]) -> str:
    lines = ["# Boards", "", LEGEND, ""]
    for board in dict.fromkeys(row["board"] for row in rows):
        own = [row for row in rows if row["board"] == board]
        lines += [f"## {board}", "", f"{own[0]['measure']}, with 95% intervals.", ""]
        lines += [f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}"]
        lines += [f"| {' | '.join(_cells(row))} |" for row in own if row["value"] is not None]
        lines += ["", " ".join(_notes(own)), ""]
    return "\n".join(lines)


def _latex(rows: Sequence[Row]) -> str:
    """Return one tabular of all rows, for the package booktabs."""
    lines = [rf"\begin{{tabular}}{{ll{'r' * (len(HEADINGS) - 2)}}}", r"\toprule"]
    lines.append(f"{' & '.join(map(_escaped, HEADINGS))} \\\\")
    for board in dict.fromkeys(row["board"] for row in rows):
        lines += [r"\midrule", rf"\multicolumn{{{len(HEADINGS)}}}{{l}}{{\texttt{{{_escaped(board)}}}}} \\"]
        own = [row for row in rows if row["board"] == board and row["value"] is not None]
        lines += [f"{' & '.join(map(_escaped, _cells(row)))} \\\\" for row in own]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _escaped(text: str) -> str:
    escaped = re.sub(r"([#$%&_{}])", r"\\\1", text)
    return escaped.replace("±", r"$\pm$")


FORMATS: dict[str, Callable[[Sequence[Row]], str]] = {
    "boards.csv": lambda rows: str(_table(rows).to_csv(index=False)),
    "boards.json": lambda rows: json.dumps(list(rows), indent=1) + "\n",
    "boards.md": _markdown,
    "boards.tex": _latex,
}
