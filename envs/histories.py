"""Recorded demand: the rows of a trace, read from a column of a CSV or Parquet file."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pushpull.envs.checks import InputError, suggest
from pushpull.envs.network import Demand

DATA = Path(__file__).parent / "data"


def read_trace(demand: Demand) -> np.ndarray:
    """Read the rows of a demand trace, times its scale, from a column of a CSV or Parquet file.

    The file is looked for as given, then among the histories that come with the package. Rows are counted from 0
    below the header. A trace drawn from a random start goes on at its first row after its last (the circular block
    bootstrap of Politis & Romano 1992), so that every row is as likely as any other in every period.

    Parameters
    ----------
    demand : Demand
        Settings of kind ``trace``.

    Returns
    -------
    ndarray, [rows]
        Demand per period, before season and trend.

    Raises
    ------
    InputError
        If the file, the column, the rows or one of their values cannot be used.
    """
    path = find_history(str(demand.file))
    status = path.stat()
    rows = _read_column(path.resolve(), status.st_mtime_ns, status.st_size, str(demand.column), demand.rows)
    if first_row(demand) >= len(rows):
        raise InputError("start", f"{demand.start} is beyond the {len(rows)} rows of the trace; give less")
    return rows if demand.scale is None else rows * demand.scale


def find_history(file: str) -> Path:
    """Return the path of a file of demand: as given, or among the histories that come with the package."""
    path = next((path for path in (Path(file), DATA / file) if path.is_file()), None)
    if path is None:
        known = sorted(path.name for path in DATA.iterdir() if path.suffix in _READERS)
        hint = suggest(file, known)
        raise InputError("file", f"no file {file!r}; give its full path or a history of the package; {hint}")
    return path


def read_entries(path: Path, column: str) -> list[Any]:
    """Return the entries of a column as they stand in a CSV or Parquet file, from the row below the header on."""
    return _READERS.get(path.suffix, _read_csv)(path, column)


def is_missing(entry: Any) -> bool:
    """Whether an entry of a file says that there is none."""
    return entry is None or (isinstance(entry, str) and entry.strip().lower() in ("", "na", "nan", "null", "none"))


def first_row(demand: Demand) -> int:
    """Return the row that period 0 replays; 0 where it is random."""
    return demand.start if isinstance(demand.start, int) else 0


@lru_cache(maxsize=64)
def _read_column(path: Path, modified: int, size: int, column: str, chosen: tuple[int, ...] | None) -> np.ndarray:
    entries = read_entries(path, column)
    if not entries:
        raise InputError("file", f"{str(path)!r} is empty; give a file with a header and rows")
    first, end = chosen or (0, len(entries))
    if end > len(entries):
        raise InputError("rows", f"[{first}, {end}) reaches beyond the {len(entries)} rows of {str(path)!r}; give less")
    rows = np.array([_entry(column, row, entries[row]) for row in range(first, end)])
    rows.setflags(write=False)
    return rows


def _entry(column: str, row: int, entry: Any) -> float:
    where = f"row {row} of column {column!r} (counted from 0 below the header)"
    if is_missing(entry):
        raise InputError("column", f"{where} is missing; fill it in, or leave it out with rows: [first, end]")
    try:
        value = float(entry)
    except (TypeError, ValueError):
        raise InputError("column", f"{where} is {entry!r}, not a number; mend it or choose another column") from None
    if not np.isfinite(value):
        raise InputError("column", f"{where} is {entry!r}, not a finite number; mend it")
    if value < 0:
        raise InputError("column", f"{where} is {value:g}; demand is not negative, so count returns elsewhere")
    return value


def _read_csv(path: Path, column: str) -> list[str | None]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("file", f"{str(path)!r} is not CSV text in UTF-8 ({error}); convert it") from None
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        return []
    place = _place(lines[0], column)
    return [line[place] if place < len(line) else None for line in lines[1:]]


def _read_parquet(path: Path, column: str) -> list[Any]:
    try:
        from pyarrow import ArrowInvalid, parquet  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("file", f"{str(path)!r} needs pyarrow; pip install 'pushpull[parquet]' or give CSV") from None
    try:
        _place(parquet.read_schema(path).names, column)
        return parquet.read_table(path, columns=[column]).column(0).to_pylist()
    except ArrowInvalid as error:
        raise InputError("file", f"{str(path)!r} is not Parquet ({error}); convert it") from None


def _place(columns: list[str], column: str) -> int:
    if column not in columns:
        raise InputError("column", f"{column!r} is no column of the file; {suggest(column, columns)}")
    return columns.index(column)


_READERS: dict[str, Callable[[Path, str], list]] = {".csv": _read_csv, ".parquet": _read_parquet}
