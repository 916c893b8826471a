"""Demand histories of any file: columns found, rows counted as a spreadsheet counts them, nothing mended.

A file is *wide*, with a row for each date and a column for each item, or *long*, with a row for each item and date.
What the columns are called tells which; a user may say it instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pushpull.envs.checks import InputError, suggest
from pushpull.envs.histories import find_history, is_missing
from pushpull.envs.tables import Row, Table, as_number, read_csv

DATE_NAMES = ("date", "day", "week", "month", "period", "time", "timestamp", "datum", "ds")
ITEM_NAMES = ("item", "sku", "product", "article", "material", "part", "item_id", "product_id", "unique_id")
LOCATION_NAMES = ("location", "store", "shop", "plant", "site", "warehouse", "store_id", "location_id")
QUANTITY_NAMES = ("quantity", "qty", "units", "demand", "sales", "sold", "volume", "y")


class Series(NamedTuple):
    """The history of one item: row numbers, dates and entries as they are written, "" for none, in the file's order."""

    name: str
    rows: list[int]
    dates: list[str]
    entries: list[str]


class Histories(NamedTuple):
    """All series of a file, and which of its columns they are; `date` is "" where there is none."""

    file: str
    layout: str
    date: str
    series: list[Series]
    left_out: list[str]
    decimal_comma: bool

    def number(self, entry: str) -> float | None:
        """Return the number that an entry is, None if it is missing or none."""
        return as_number(entry, self.decimal_comma)


def read_series(
    file: str, columns: tuple[str, ...] | None = None, date: str | None = None, items: tuple[str, ...] | None = None
) -> Histories:
    """Read the series of a CSV or Parquet file.

    Parameters
    ----------
    file : str
        A path, or the name of a history that comes with the package.
    columns : tuple of str, optional
        Columns of quantities; the one of a long file, any of a wide one. By default `QUANTITY_NAMES` in a long file,
        in a wide one every column of which at least half is numbers.
    date : str, optional
        Column of dates; by default the first of `DATE_NAMES`.
    items : tuple of str, optional
        Columns that say in a long file whose quantity it is, which makes the file long; by default those of
        `ITEM_NAMES` and `LOCATION_NAMES`, if there is also a column of quantities.

    Raises
    ------
    InputError
        If the file cannot be read or lacks a column. The fields are ``file``, ``column``, ``date`` and ``item``.
    """
    path = find_history(file)
    table = _read_parquet(path) if path.suffix == ".parquet" else read_csv(path)
    for field, named in (("column", columns), ("date", (date,) if date else ()), ("item", items)):
        for column in named or ():
            if column not in table.columns:
                raise InputError(field, f"{column!r} is no column of {file}; {suggest(column, table.columns)}")
    if not table.rows:
        raise InputError("file", f"{file!r} has no rows below its header; give one that has")
    dates = date or next(iter(_called(table, DATE_NAMES)), "")
    keys = list(items or (*_called(table, ITEM_NAMES), *_called(table, LOCATION_NAMES)))
    quantities = list(columns or _called(table, QUANTITY_NAMES))
    if items or (keys and quantities):
        if len(quantities) != 1:
            found = f"{len(quantities)} columns of quantities: {', '.join(quantities)}" if quantities else "none found"
            raise InputError("column", f"{found}; name the one, such as column={(quantities or table.columns)[-1]}")
        return Histories(file, "long", dates, _long(table, keys, dates, quantities[0]), [], table.decimal_comma)
    others = [column for column in table.columns if column != dates and not column.startswith("#")]
    chosen = list(columns or (column for column in others if _is_quantity(table, column)))
    if not chosen:
        raise InputError("column", f"no column of {file!r} is numbers; name one; {suggest('', others)}")
    series = [_one(table, table.rows, column, dates, column) for column in chosen]
    left_out = [] if columns else [column for column in others if column not in chosen]
    return Histories(file, "wide", dates, series, left_out, table.decimal_comma)


def _called(table: Table, names: tuple[str, ...]) -> list[str]:
    """Return the columns that bear one of the names, in any case, the likelier names first."""
    own = {column.lower(): column for column in table.columns}
    return [own[name] for name in names if name in own]


def _is_quantity(table: Table, column: str) -> bool:
    entries = [row.cells[column] for row in table.rows if not is_missing(row.cells.get(column))]
    return 2 * sum(as_number(entry, table.decimal_comma) is not None for entry in entries) >= max(1, len(entries))


def _long(table: Table, keys: list[str], date: str, quantity: str) -> list[Series]:
    rows: dict[str, list[Row]] = {}
    for row in table.rows:
        parts = [row.cells.get(key, "").strip() for key in keys]
        rows.setdefault("@".join(part for part in parts if part) or "(no name)", []).append(row)
    return [_one(table, own, name, date, quantity) for name, own in rows.items()]


def _one(table: Table, rows: list[Row], name: str, date: str, column: str) -> Series:
    return Series(
        name,
        [row.number for row in rows],
        [row.cells.get(date, "").strip() for row in rows],
        [row.cells.get(column, "") for row in rows],
    )


def _read_parquet(path: Path) -> Table:
    """Read a Parquet file as the text that a CSV file would hold."""
    try:
        from pyarrow import ArrowInvalid, parquet  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("file", f"{str(path)!r} needs pyarrow; pip install 'pushpull[parquet]' or give CSV") from None
    try:
        columns = parquet.read_table(path).to_pydict()
    except ArrowInvalid as error:
        raise InputError("file", f"{str(path)!r} is not Parquet ({error}); convert it") from None
    lines = zip(*columns.values(), strict=True)
    rows = [
        Row(k, {name: str(cell) for name, cell in zip(columns, line, strict=True) if not is_missing(_text(cell))})
        for k, line in enumerate(lines, start=2)
    ]
    return Table(path.name, list(columns), rows)


def _text(cell: object) -> str | None:
    return None if cell is None else str(cell)
