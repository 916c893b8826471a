"""Recorded demand: the rows of a trace, read from a CSV or Parquet file.

A file holds one series per column, or many series in the layout of a forecasting competition, of which a market takes
one or the sum of some. `_LAYOUTS` holds a reader for each. All return the cells that each period adds up, with the row
and column where they stand, so that a cell that cannot be demand is told by its place.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pushpull.envs.checks import InputError, suggest
from pushpull.envs.network import Demand

DATA = Path(__file__).parent / "data"


def read_trace(demand: Demand) -> np.ndarray:
    """Read the rows of a demand trace, times its scale, from a CSV or Parquet file.

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
    status, choice = path.stat(), _Choice(*(getattr(demand, key) for key in _Choice._fields))
    rows = _read_rows(path.resolve(), status.st_mtime_ns, status.st_size, choice)
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


class _Cell(NamedTuple):
    """An entry of a file: its row, counted from 0 below the header, its column and what stands there."""

    row: int
    column: str
    entry: Any


class _Row(NamedTuple):
    """A row of a file, counted from 0 below the header, by column."""

    number: int
    cells: dict[str, Any]


class _Choice(NamedTuple):
    """The settings of a trace that say what is read of its file."""

    layout: str | None
    column: str | None
    item: str | None
    store: str | None
    id: str | None
    negative: str | None
    rows: tuple[int, ...] | None


@lru_cache(maxsize=256)
def _read_rows(path: Path, modified: int, size: int, choice: _Choice) -> np.ndarray:
    """Return the chosen rows; remembered as long as the file does not change."""
    periods = _LAYOUTS[choice.layout](path, choice)
    if not periods:
        raise InputError("file", f"{str(path)!r} is empty; give a file with a header and rows")
    first, end = choice.rows or (0, len(periods))
    if end > len(periods):
        problem = f"[{first}, {end}) reaches beyond the {len(periods)} rows of {str(path)!r}; give less"
        raise InputError("rows", problem)
    rows = np.array([sum((_units(choice, cell) for cell in cells), 0.0) for cells in periods[first:end]])
    rows.setflags(write=False)
    return rows


def _units(choice: _Choice, cell: _Cell) -> float:
    """Return the units of a cell, or refuse it by its place."""
    field = "column" if choice.layout is None else "file"
    where = f"row {cell.row} of column {cell.column!r} (counted from 0 below the header)"
    if is_missing(cell.entry):
        raise InputError(field, f"{where} is missing; fill it in, or leave it out with rows: [first, end]")
    try:
        value = float(cell.entry)
    except (TypeError, ValueError):
        hint = "mend it or choose another column" if choice.layout is None else "mend it"
        raise InputError(field, f"{where} is {cell.entry!r}, not a number; {hint}") from None
    if not np.isfinite(value):
        raise InputError(field, f"{where} is {cell.entry!r}, not a finite number; mend it")
    if value < 0 and choice.negative != "zero":
        problem = "demand is not negative, so count returns elsewhere, or take them as none with negative: zero"
        raise InputError(field, f"{where} is {value:g}; {problem}")
    return max(0.0, value)


# --- layouts ----------------------------------------------------------------------------------------------------------


def _by_column(path: Path, choice: _Choice) -> list[list[_Cell]]:
    column = str(choice.column)
    return [[_Cell(row, column, entry)] for row, entry in enumerate(read_entries(path, column))]


def _m5(path: Path, choice: _Choice) -> list[list[_Cell]]:
    """Read ``sales_train_*`` of the M5 competition (Makridakis, Spiliotis & Assimakopoulos 2022): a row per series.

    Columns are id, item_id, dept_id, cat_id, store_id, state_id and one for each day: d_1, d_2, ...
    """
    columns, rows, _ = _scan(path, choice, {"id": "id", "item": "item_id", "store": "store_id"})
    days = sorted(int(name[2:]) for name in columns if re.fullmatch(r"d_\d+", name))
    if not days:
        raise InputError("file", f"{str(path)!r} has no columns d_1, d_2, ... of days; is it of layout m5?")
    gap = next((day + 1 for day, following in pairwise(days) if following != day + 1), None)
    if gap is not None:
        raise InputError("file", f"{str(path)!r} has no column 'd_{gap}' between its days; add it")
    _refuse_repeated(rows, ("item_id", "store_id"))
    return [[_Cell(row.number, f"d_{day}", row.cells.get(f"d_{day}")) for row in rows] for day in days]


def _favorita(path: Path, choice: _Choice) -> list[list[_Cell]]:
    """Read ``train`` of the Corporacion Favorita competition (Kaggle 2017): a row per date, store and item sold.

    Columns are id, date, store_nbr, item_nbr, unit_sales and onpromotion. Days without a row are days without sales,
    from the first to the last date of the file; negative sales are returns.
    """
    columns, rows, ends = _scan(path, choice, {"item": "item_nbr", "store": "store_nbr"}, dates="date")
    _place(columns, "unit_sales", "file")
    _refuse_repeated(rows, ("date", "item_nbr", "store_nbr"))
    first, last = map(_day, ends)
    periods: list[list[_Cell]] = [[] for _ in range(first, last + 1)]
    for row in rows:
        periods[_day(row) - first].append(_Cell(row.number, "unit_sales", row.cells.get("unit_sales")))
    return periods


def _day(row: _Row) -> int:
    try:
        return date.fromisoformat(str(row.cells["date"])[:10]).toordinal()
    except ValueError:
        problem = f"row {row.number} of column 'date' is {row.cells['date']!r}, not a date as 2017-08-15; mend it"
        raise InputError("file", problem) from None


def _refuse_repeated(rows: list[_Row], key: tuple[str, ...]) -> None:
    seen: dict[tuple, int] = {}
    for row in rows:
        known = tuple(_word(row.cells.get(name)) for name in key)
        if known in seen:
            same = ", ".join(f"{name} {word}" for name, word in zip(key, known, strict=True))
            raise InputError("file", f"rows {seen[known]} and {row.number} are both of {same}; keep one")
        seen[known] = row.number


def _scan(
    path: Path, choice: _Choice, keys: dict[str, str], dates: str | None = None
) -> tuple[list[str], list[_Row], list[_Row]]:
    """Return the columns of a file, its chosen rows, and the rows of its first and its last date.

    `keys` names the column of each setting by which rows are chosen, `dates` the column of dates as 2017-08-15.
    """
    columns = _columns(path)
    chosen = {column: getattr(choice, key) for key, column in keys.items() if getattr(choice, key) is not None}
    for column in [*chosen, dates] if dates else chosen:
        _place(columns, column, "file")
    found: list[_Row] = []
    ends: list[_Row] = []
    for row in _rows(path, columns, chosen, dates):
        if dates:
            when, (first, last) = str(row.cells[dates]), ends or (row, row)
            ends = [
                row if when < str(first.cells[dates]) else first,
                row if when > str(last.cells[dates]) else last,
            ]
        if all(_word(row.cells.get(column)) == word for column, word in chosen.items()):
            found.append(row)
    if not found:
        raise _not_found(path, columns, choice, keys)
    return columns, found, ends


def _not_found(path: Path, columns: list[str], choice: _Choice, keys: dict[str, str]) -> InputError:
    """Return what is wrong with a choice that no row of the file meets."""
    for key, column in keys.items():
        word = getattr(choice, key)
        if word is not None:
            known = {_word(row.cells.get(column)) for row in _rows(path, columns, {}, None)}
            if word not in known:
                return InputError(key, f"{word!r} is no {column} of {str(path)!r}; {suggest(word, sorted(known))}")
    return InputError("item", f"{choice.item!r} is not sold in store {choice.store!r} of {str(path)!r}; choose others")


def _rows(path: Path, columns: list[str], chosen: dict[str, str], always: str | None) -> Iterator[_Row]:
    """Yield the rows that hold the chosen words, and of others only a cell that is always wanted, where it is new."""
    return (_parquet_rows if path.suffix == ".parquet" else _csv_rows)(path, columns, chosen, always)


def _csv_rows(path: Path, columns: list[str], chosen: dict[str, str], always: str | None) -> Iterator[_Row]:
    place, seen, words = columns.index(always) if always else 0, None, tuple(chosen.values())
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            next(csv.reader(file))
            for number, line in enumerate(file):
                if not line.strip():
                    continue
                if '"' in line or all(word in line for word in words):
                    cells = dict(zip(columns, next(csv.reader([line])), strict=False))
                    yield _Row(number, dict.fromkeys(columns) | cells)
                elif always:
                    cells = line.split(",", place + 1)
                    seen, before = cells[place].strip() if place < len(cells) else "", seen
                    if seen != before:
                        yield _Row(number, {always: seen})
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("file", f"{str(path)!r} is not CSV text in UTF-8 ({error}); convert it") from None


def _parquet_rows(path: Path, columns: list[str], chosen: dict[str, str], always: str | None) -> Iterator[_Row]:
    number, words = 0, list(chosen.values())
    for batch in _parquet(path).ParquetFile(path).iter_batches():
        keys = [batch.column(column).to_pylist() for column in chosen]
        wanted = batch.column(always).to_pylist() if always else []
        for k in range(batch.num_rows):
            if [_word(key[k]) for key in keys] == words:
                yield _Row(number + k, batch.slice(k, 1).to_pylist()[0])
            elif always:
                yield _Row(number + k, {always: wanted[k]})
        number += batch.num_rows


def _word(entry: Any) -> str:
    """Return a cell as it is written; a whole number without its decimal point."""
    return str(int(entry)) if isinstance(entry, float) and entry.is_integer() else str(entry).strip()


# --- files ------------------------------------------------------------------------------------------------------------


def _columns(path: Path) -> list[str]:
    """Return the names of the columns of a file."""
    if path.suffix == ".parquet":
        return list(_parquet(path).read_schema(path).names)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return next(csv.reader(file), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("file", f"{str(path)!r} is not CSV text in UTF-8 ({error}); convert it") from None


def _parquet(path: Path) -> Any:
    """Return pyarrow's Parquet module, or refuse a file that it cannot read."""
    try:
        from pyarrow import ArrowInvalid, parquet  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("file", f"{str(path)!r} needs pyarrow; pip install 'pushpull[parquet]' or give CSV") from None
    try:
        parquet.read_schema(path)
    except ArrowInvalid as error:
        raise InputError("file", f"{str(path)!r} is not Parquet ({error}); convert it") from None
    return parquet


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
    parquet = _parquet(path)
    _place(_columns(path), column)
    return parquet.read_table(path, columns=[column]).column(0).to_pylist()


def _place(columns: list[str], column: str, field: str = "column") -> int:
    if column not in columns:
        raise InputError(field, f"{column!r} is no column of the file; {suggest(column, columns)}")
    return columns.index(column)


_LAYOUTS: dict[str | None, Callable[[Path, _Choice], list[list[_Cell]]]] = {
    None: _by_column,
    "m5": _m5,
    "favorita": _favorita,
}
_READERS: dict[str, Callable[[Path, str], list]] = {".csv": _read_csv, ".parquet": _read_parquet}
