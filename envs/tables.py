"""A network as tables, the way planning systems keep one: items, sources, bills of materials, markets, open orders.

`write_tables` and `read_tables` are each other's inverse: what is read is the network that was written. A table is a
CSV file with a row for each thing and, behind the columns of `KEYS` that say which thing, a column for each setting,
under the name it has in a network file. Settings inside settings have dotted names (``lot.rule``), lists and mappings
stand in a cell as YAML writes them in one line, and a blank cell is the default. So every key that a network may hold
has its column, also those that are added to the schema later.

A stage is an item at a location, ``item@location``, or an item alone. Rows are counted as a spreadsheet counts them:
the header is row 1.
"""

from __future__ import annotations

import csv
import math
import re
import types
from collections.abc import Iterator
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import yaml

from pushpull.envs.checks import InputError, Settings, build, key_of, number, suggest
from pushpull.envs.dates import Dates, calendar_of, in_months, read_date, write_date
from pushpull.envs.histories import find_history, is_missing, read_entries
from pushpull.envs.network import DEMAND_KINDS, Demand, Market, Network, Source, Stage


class Layout(NamedTuple):
    """The columns of a table: those that say which thing a row is about, and the settings that follow."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    settings: type[Settings] | None = None
    elsewhere: tuple[str, ...] = ()  # settings that have a table of their own


LAYOUTS = {
    "network": Layout(("setting", "value")),
    "locations": Layout(("location",), settings=Stage, elsewhere=("sources", "market")),
    "items": Layout(("item",), ("location",), Stage, ("sources", "market")),
    "sources": Layout(("item",), ("location", "source"), Source, ("inputs", "initial_pipeline")),
    "bill_of_materials": Layout(("item", "component", "quantity"), ("location", "source", "component_location")),
    "open_orders": Layout(("item", "due_period", "quantity"), ("location", "source")),
    "markets": Layout(("item",), ("location",), Market),
    "demand": Layout(("item", "date", "quantity"), ("location",)),
}
ORDER = (
    "item",
    "location",
    "source",
    "component",
    "component_location",
    "date",
    "release_period",
    "due_period",
    "quantity",
)
NEEDED = ("items", "sources", "markets")
IGNORED = ("planned_orders",)  # a plan that was made with a network is no part of it
GAPS = ("refuse", "zero")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_Row = dict[str, Any]


# --- writing ----------------------------------------------------------------------------------------------------------


def write_tables(network: Network, folder: Path) -> dict[str, int]:
    """Write a network as CSV files into a folder that exists, and return how many rows each table has.

    Raises
    ------
    InputError
        If a recorded demand history cannot be read, or a name ends or begins with a blank.
    """
    tables = {name: rows for name, rows in tables_of(network).items() if rows}
    for name, rows in tables.items():
        write_csv(folder / f"{name}.csv", _columns(name, rows), rows)
    return {name: len(rows) for name, rows in tables.items()}


def tables_of(network: Network) -> dict[str, list[_Row]]:
    """Return the rows of each table of a network, in the order of `LAYOUTS`; a default has no cell."""
    tables: dict[str, list[_Row]] = {name: [] for name in LAYOUTS}
    own = _cells(network, skip=("stages",))
    tables["network"] = [{"setting": key, "value": value} for key, value in own.items()]
    for of, source in zip(source_places(network), network.sources, strict=True):
        tables["sources"].append(of | _cells(source, LAYOUTS["sources"].elsewhere))
        tables["bill_of_materials"] += [
            of | _place(component, "component") | {"quantity": units} for component, units in source.inputs.items()
        ]
        tables["open_orders"] += [
            of | {"due_period": period, "quantity": units} for period, units in _open_orders(source)
        ]
    for name, stage in network.stages.items():
        place = _place(name)
        tables["items"].append(place | _cells(stage, LAYOUTS["items"].elsewhere))
        if stage.market is not None:
            tables["markets"].append(place | _cells(stage.market))
            try:
                tables["demand"] += [place | row for row in _history(stage.market.demand)]
            except InputError as error:
                raise error.within(f"stages.{name}.market.demand") from None
    locations = dict.fromkeys(row["location"] for row in tables["items"] if "location" in row)
    tables["locations"] = [{"location": location} for location in locations]
    return tables


def source_places(network: Network) -> list[_Row]:
    """Return the cells that name each of the J sources: item, location, and its number where there are several."""
    return [
        _place(name) | ({"source": str(k)} if len(stage.sources) > 1 else {})
        for name, stage in network.stages.items()
        for k in range(len(stage.sources))
    ]


def write_csv(path: Path, columns: list[str], rows: list[_Row]) -> None:
    """Write rows as CSV in UTF-8; what a row lacks is a blank cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _place(name: str, column: str = "item") -> _Row:
    """Return the cells that name a stage: its item, and its location if the name has both."""
    if name != name.strip():
        raise InputError(f"stages.{name}", "the name begins or ends with a blank, which tables do not keep; rename it")
    item, _, location = name.rpartition("@")
    if not item.strip() or not location.strip() or name != f"{item.strip()}@{location.strip()}":
        return {column: name}
    return {column: item, "location" if column == "item" else f"{column}_location": location}


def _open_orders(source: Source) -> list[tuple[int, float]]:
    """Return what is due in which period; a zero only at the end, where it says how long the list was."""
    last = len(source.initial_pipeline) - 1
    return [(period, units) for period, units in enumerate(source.initial_pipeline) if units or period == last]


def _history(demand: Demand | None) -> Iterator[_Row]:
    """Yield the date and the quantity of each row of a recorded history."""
    if demand is None or demand.kind != "trace" or demand.layout is not None:  # many series in one file stay there
        return
    units = _recorded(demand)
    dates = _dates(demand, len(units))
    for k, entry in enumerate(units):
        shown = int(entry) if entry is not None and entry.is_integer() else entry
        yield {"date": dates[k] if dates else str(k), "quantity": "" if entry is None else shown}


def _recorded(demand: Demand) -> list[float | None]:
    """Return what the whole column of a trace says, None where it says nothing, whichever rows are replayed."""
    floor = 0.0 if demand.negative == "zero" else -math.inf
    entries = read_entries(find_history(str(demand.file)), str(demand.column))
    try:
        return [None if is_missing(entry) else max(floor, float(entry)) for entry in entries]
    except ValueError as error:
        raise InputError("column", f"{demand.column!r} is not all numbers ({error}); mend it") from None


def _dates(demand: Demand, count: int) -> list[str] | None:
    """Return the dates in the first column of a trace's file, if it has one for each row, and they rise."""
    path = find_history(str(demand.file))
    table = read_csv(path) if path.suffix == ".csv" else None
    if table is None or table.columns[0] == demand.column or len(table.rows) != count:
        return None
    dates = [row.cells.get(table.columns[0], "") for row in table.rows]
    try:
        known = [read_date(date) for date in dates]
    except InputError:
        return None
    return dates if len(set(known)) == len(dates) and known == sorted(known) else None


def _cells(settings: Settings, skip: tuple[str, ...] = (), prefix: str = "") -> _Row:
    """Return the cells of settings, of those inside them too."""
    cells: _Row = {}
    plain = settings.to_dict()
    for item in fields(settings):
        key, value = key_of(item), getattr(settings, item.name)
        if key not in plain or key in skip:
            continue
        if isinstance(value, Settings):
            cells |= _cells(value, prefix=f"{prefix}{key}.") or {f"{prefix}{key}": "{}"}
        else:
            cells[f"{prefix}{key}"] = _cell(f"{prefix}{key}", plain[key], _kinds(type(settings))[key])
    return cells


def _cell(key: str, value: Any, kinds: frozenset) -> str:
    """Return the text from which `_value` reads a value."""
    if isinstance(value, str) and value.strip(" \t") != value:
        raise InputError(key, f"{value!r} begins or ends with a blank, which tables do not keep; leave it out")
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, list) and len(value) == 1 and _value(str(value[0]), kinds) == value:
        return str(value[0])
    if isinstance(value, str) and _value(value, kinds) == value:
        return value
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n...\n").removesuffix("\n")


def _columns(table: str, rows: list[_Row]) -> list[str]:
    """Return the columns that rows have: those that name the row first, then settings in the order of the schema."""
    layout, found = LAYOUTS[table], {column for row in rows for column in row}
    keys = [column for column in (*ORDER, "setting", "value") if column in found]
    if layout.settings is None:
        return keys
    return keys + sorted(found - set(keys), key=lambda column: _schema_place(layout.settings, column))


def _schema_place(settings: Any, column: str) -> list[int]:
    """Return where a column stands among those of the schema."""
    first, _, rest = column.partition(".")
    place = [list(_kinds(settings)).index(first)]
    return place + (_schema_place(_inner(settings, first), rest) if rest else [])


# --- reading ----------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A row of a table: its number as a spreadsheet counts, and its cells that are not blank."""

    number: int
    cells: dict[str, str]


class Table(NamedTuple):
    """A CSV file as it stands; numbers may have a decimal comma where columns are separated by semicolons."""

    file: str
    columns: list[str]
    rows: list[Row]
    decimal_comma: bool = False

    def error(self, row: Row, column: str, problem: str) -> InputError:
        """Return an error about a cell."""
        return InputError(self.file, f"row {row.number}, column {column!r}: {problem}")


class Tables(NamedTuple):
    """What tables hold: a network, and the file of demand (columns, rows) that it replays, if it has to be written."""

    network: Network
    history: tuple[list[str], list[_Row]] | None


def read_tables(folder: Path, history: str = "demand.csv", gaps: str = "refuse") -> Tables:
    """Read the network that the CSV files of a folder hold.

    Parameters
    ----------
    folder : Path
        Where the files are.
    history : str
        Name under which the network is to find the histories of ``demand.csv``, a column for each market. A market
        whose ``demand.file`` says the same as ``demand.csv`` keeps that file.
    gaps : {"refuse", "zero"}
        What a date means that an item of ``demand.csv`` lacks between its first and its last one.

    Raises
    ------
    InputError
        For what cannot be used; the message names the file, the row, the column, the value and the fix.
    """
    tables = _read_folder(folder)
    reading = _Reading(tables)
    settings = reading.settings()
    columns = _histories(reading, history, gaps)
    try:
        return Tables(build(Network, settings, "network"), columns)
    except InputError as error:
        raise reading.place_of(error) from None


def read_csv(path: Path) -> Table:
    """Read a CSV file in UTF-8 whose columns are separated by commas, semicolons or tabs.

    Raises
    ------
    InputError
        If the file cannot be read, a column has no name or stands twice, or a row is longer than the header.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(path.name, f"{str(path)!r} cannot be read ({error.strerror}); give a CSV file") from None
    except UnicodeDecodeError:
        raise InputError(path.name, "not text in UTF-8; save it as CSV UTF-8") from None
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file, delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(path.name, f"not CSV ({error}); mend it or write it anew") from None
    if not lines or not any(cell.strip() for cell in lines[0]):
        raise InputError(path.name, "no header; give the columns their names in row 1")
    columns = [cell.strip() for cell in lines[0]]
    while columns and not columns[-1] and all(not cell.strip() for line in lines for cell in line[len(columns) - 1 :]):
        columns.pop()
    for k, column in enumerate(columns):
        if not column:
            raise InputError(path.name, f"row 1: column {k + 1} has no name; give it one")
        if columns.index(column) < k:
            raise InputError(path.name, f"row 1: column {column!r} stands twice; rename or remove one")
    rows = []
    for k, line in enumerate(lines[1:], start=2):
        cells = {column: cell for column, cell in zip(columns, line, strict=False) if cell.strip()}
        if any(cell.strip() for cell in line[len(columns) :]):
            raise InputError(
                path.name,
                f"row {k}: {len(line)} cells for {len(columns)} columns; put a text with {delimiter!r} in quotes",
            )
        if cells:
            rows.append(Row(k, cells))
    return Table(path.name, columns, rows, delimiter == ";")


def _read_folder(folder: Path) -> dict[str, Table]:
    """Read the tables of a folder and check their columns."""
    if not folder.is_dir():
        raise InputError("from", f"no folder {str(folder)!r}; give one that holds {', '.join(NEEDED)} as CSV files")
    found = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    for name, path in found.items():
        if name not in (*LAYOUTS, *IGNORED):
            raise InputError(path.name, f"no such table; {suggest(name, LAYOUTS)}; or keep it in another folder")
    for name in NEEDED:
        if name not in found:
            raise InputError(f"{name}.csv", f"missing in {str(folder)!r}; a network needs {', '.join(NEEDED)}")
    tables = {name: read_csv(path) for name, path in found.items() if name in LAYOUTS}
    for name, table in tables.items():
        _check_columns(LAYOUTS[name], table)
        if name in NEEDED and not table.rows:
            raise InputError(table.file, "no rows below the header; give at least one")
    return tables


def columns_of(table: str) -> list[str]:
    """Return the columns that a table of `LAYOUTS` may have, settings inside settings of the same kind but once."""
    layout = LAYOUTS[table]
    return [
        *layout.required,
        *layout.optional,
        *(key for key in _schema(layout.settings) if key.partition(".")[0] not in layout.elsewhere),
    ]


def _check_columns(layout: Layout, table: Table) -> None:
    for column in layout.required:
        if column not in table.columns:
            raise InputError(table.file, f"column {column!r} is missing; the file has {', '.join(table.columns)}")
    keys = (*layout.required, *layout.optional)
    for column in table.columns:
        if column in keys or column.startswith("#"):
            continue
        own = column.partition(".")[0]
        if layout.settings is None or own in layout.elsewhere or not _in_schema(layout.settings, column):
            known = columns_of(table.file.removesuffix(".csv"))
            raise InputError(
                table.file,
                f"column {column!r} is unknown; {suggest(column, known)}; a column of your own begins with #",
            )


class _Reading:
    """Builds the mapping of a network from its tables, and remembers which cell each part of it comes from."""

    def __init__(self, tables: dict[str, Table]):
        self.tables = tables
        self.stages: dict[str, _Row] = {}
        self.labels: dict[str, list[str]] = {}  # of the sources of each stage
        self.origins: dict[str, tuple[str, Row | None, str]] = {}  # file, row and column by path

    def settings(self) -> dict[str, Any]:
        """Return the mapping that `Network.from_dict` takes."""
        settings = self._network() | {"stages": self.stages}
        self._items()
        self._sources()
        self._bill_of_materials()
        self._open_orders()
        for table, row in self.rows("markets"):
            name = self.stage(table, row)
            if "market" in self.stages[name]:
                raise table.error(row, "item", f"{name!r} has a market in an earlier row; remove one")
            self.stages[name]["market"] = {}
            self._fill(self.stages[name]["market"], f"network.stages.{name}.market", table, row, Market)
        return settings

    def place_of(self, error: InputError) -> InputError:
        """Return an error about the network as one about the cell that it comes from."""
        within = [path for path in self.origins if re.match(rf"{re.escape(path)}(?![^.\[])", error.field)]
        if not within:
            return error
        path = max(within, key=len)
        file, row, column = self.origins[path]
        column = column or error.field[len(path) :].lstrip(".").partition("[")[0]
        where = [f"row {row.number}"] if row else []
        where += [f"column {column!r}"] if column else []
        return InputError(file, ": ".join([", ".join(where), error.problem] if where else [error.problem]))

    def rows(self, name: str) -> Iterator[tuple[Table, Row]]:
        """Yield a table, if there is one, with each of its rows, whose required cells are filled."""
        table = self.tables.get(name, Table(f"{name}.csv", [], []))
        for row in table.rows:
            for column in LAYOUTS[name].required:
                if column not in row.cells and (name, column) != ("demand", "quantity"):
                    raise table.error(row, column, "blank; fill it in or remove the row")
            yield table, row

    def stage(self, table: Table, row: Row, column: str = "item") -> str:
        """Return the stage that a row names; a component is looked for at the item's own location last."""
        name = _name(row, column)
        beside = f"{name}@{row.cells.get('location', '').strip()}"
        for known in (name, beside) if column == "component" else (name,):
            if known in self.stages:
                return known
        raise table.error(row, column, f"{name!r} is not in items.csv; {suggest(name, self.stages)}")

    def _network(self) -> _Row:
        settings: _Row = {}
        for table, row in self.rows("network"):
            key = row.cells["setting"].strip()
            if key.partition(".")[0] == "stages" or not _in_schema(Network, key):
                known = [name for name in _schema(Network) if name != "stages"]
                raise table.error(row, "setting", f"{key!r} is unknown; {suggest(key, known)}")
            if f"network.{key}" in self.origins:
                raise table.error(row, "setting", f"{key!r} stands twice; remove one")
            self._set(settings, "network", Network, key, row.cells["value"], (table, row, "value"))
        return settings

    def _items(self) -> None:
        self.origins["network.stages"] = ("bill_of_materials.csv", None, "")  # where a cycle is
        defaults = {row.cells["location"].strip(): (table, row) for table, row in self.rows("locations")}
        for table, row in self.rows("items"):
            name = _name(row)
            if name in self.stages:
                first = self.origins[f"network.stages.{name}"][1]
                raise table.error(row, "item", f"{name!r} stands in row {first and first.number} too; remove one")
            location = row.cells.get("location", "").strip()
            if defaults and location and location not in defaults:
                raise table.error(
                    row, "location", f"{location!r} is not in locations.csv; {suggest(location, defaults)}"
                )
            self.stages[name] = {"sources": []}
            self.labels[name] = []
            for given in (defaults.get(location), (table, row)):
                if given:
                    self._fill(self.stages[name], f"network.stages.{name}", *given, Stage)

    def _sources(self) -> None:
        for table, row in self.rows("sources"):
            name = self.stage(table, row)
            label = row.cells.get("source", "").strip()
            if label in self.labels[name]:
                named = f"source {label!r} of {name!r} stands in an earlier row; give each its own name or number"
                raise table.error(row, "source", named)
            sources = self.stages[name]["sources"]
            path = f"network.stages.{name}.sources[{len(sources)}]"
            sources.append({})
            self.labels[name].append(label)
            self._fill(sources[-1], path, table, row, Source)
        for name, labels in self.labels.items():
            if not labels:
                _, row, _ = self.origins[f"network.stages.{name}"]
                named = f"{name!r} (items.csv, row {row and row.number})"
                raise InputError("sources.csv", f"no row for item {named}; one without components buys it from outside")

    def _bill_of_materials(self) -> None:
        for table, row in self.rows("bill_of_materials"):
            source, path = self._source(table, row)
            component = self.stage(table, row, "component")
            inputs = source.setdefault("inputs", {})
            if component in inputs:
                raise table.error(row, "component", f"{component!r} stands twice for this source; add the rows up")
            inputs[component] = self._number(table, row, "quantity")
            self.origins.setdefault(f"{path}.inputs", (table.file, row, "component"))
            self.origins[f"{path}.inputs.{component}"] = (table.file, row, "quantity")

    def _open_orders(self) -> None:
        for table, row in self.rows("open_orders"):
            source, path = self._source(table, row)
            period = self._number(table, row, "due_period")
            if not isinstance(period, int) or not 0 <= period < 10_000:
                raise table.error(row, "due_period", f"{row.cells['due_period']!r} is not a whole number from 0 on")
            pipeline = source.setdefault("initial_pipeline", [])
            where = f"{path}.initial_pipeline[{period}]"
            if where in self.origins:
                raise table.error(row, "due_period", f"{period} stands twice for this source; add the rows up")
            pipeline += [0] * (period + 1 - len(pipeline))
            pipeline[period] = self._number(table, row, "quantity")
            self.origins[where] = (table.file, row, "quantity")
            if len(pipeline) == period + 1:
                self.origins[f"{path}.initial_pipeline"] = (table.file, row, "due_period")

    def _source(self, table: Table, row: Row) -> tuple[_Row, str]:
        """Return the source that a row names, and its path; the only one of its stage needs no name."""
        name, label = self.stage(table, row), row.cells.get("source", "").strip()
        labels = self.labels[name]
        if label == "" and len(labels) == 1:
            label = labels[0]
        if label not in labels:
            said = f"{label!r} is no source" if label else "blank, but there are several sources"
            raise table.error(row, "source", f"{said} of {name!r} in sources.csv; {suggest(label, labels)}")
        k = labels.index(label)
        return self.stages[name]["sources"][k], f"network.stages.{name}.sources[{k}]"

    def _number(self, table: Table, row: Row, column: str) -> Any:
        return _value(row.cells[column], frozenset({float}), table.decimal_comma)

    def _fill(self, node: _Row, path: str, table: Table, row: Row, settings: type[Settings]) -> None:
        """Set what the cells of a row say."""
        self.origins[path] = (table.file, row, "")
        for column, cell in row.cells.items():
            if _in_schema(settings, column):
                self._set(node, path, settings, column, cell, (table, row, column))

    def _set(self, node: _Row, path: str, settings: Any, column: str, cell: str, at: tuple[Table, Row, str]) -> None:
        """Set the part of a mapping that a dotted name leads to."""
        table, row, name = at
        first, _, rest = column.partition(".")
        self.origins[f"{path}.{first}" if not rest else f"{path}.{column}"] = (table.file, row, name)
        if rest:
            inner = node.setdefault(first, {})
            if isinstance(inner, dict):
                self._set(inner, f"{path}.{first}", _inner(settings, first), rest, cell, at)
            return
        try:
            value = _value(cell, _kinds(settings)[first], table.decimal_comma)
        except yaml.YAMLError as error:
            problem = f"{cell!r} cannot be read ({' '.join(str(error).split())}); write a list as [1, 2]"
            raise table.error(row, name, problem) from None
        both = isinstance(value, dict) and isinstance(node.get(first), dict)
        node[first] = value | node[first] if both else value


def _name(row: Row, column: str = "item") -> str:
    """Return the stage that an item and a location make."""
    location = row.cells.get("location" if column == "item" else f"{column}_location", "").strip()
    return row.cells[column].strip() + (f"@{location}" if location else "")


def _value(cell: str, kinds: frozenset, decimal_comma: bool = False) -> Any:
    """Return what a cell says to a field of the given types."""
    text = cell.strip(" \t")
    if kinds == {str}:
        return text
    digits = None if _names_stages(kinds) else as_number(text, decimal_comma)
    if digits is not None:
        return digits
    if text[0] in "[{\"'":
        return yaml.safe_load(text)
    if text.lower() in ("true", "false", "null") and not _names_stages(kinds):
        return {"true": True, "false": False, "null": None}[text.lower()]
    return [text] if _names_stages(kinds) else text


def as_number(cell: str, decimal_comma: bool = False) -> int | float | None:
    """Return the number that a cell writes in digits, None if it is anything else."""
    text = cell.strip()
    if decimal_comma and re.fullmatch(r"[+-]?\d+,\d+", text):
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        return None
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)


def _names_stages(kinds: frozenset) -> bool:
    """Whether a field is a list of names, of which a single one may stand without brackets."""
    return any(get_origin(kind) in (tuple, list) and get_args(kind)[0] is str for kind in kinds)


# --- the schema -------------------------------------------------------------------------------------------------------


@cache
def _kinds(settings: type[Settings]) -> dict[str, frozenset]:
    """Return the types that each field of settings may have; None is one where it is not the default."""
    kinds = {}
    for item, hint in ((item, get_type_hints(settings)[item.name]) for item in fields(settings)):
        own = set(get_args(hint)) if get_origin(hint) in (Union, types.UnionType) else {hint}
        kinds[key_of(item)] = frozenset(own - {types.NoneType} if item.default in (None, MISSING) else own)
    return kinds


def _inner(settings: type[Settings], key: str) -> type[Settings] | None:
    """Return the settings that a key of settings holds, if it does."""
    classes = (kind for kind in _kinds(settings).get(key, ()) if isinstance(kind, type) and get_origin(kind) is None)
    return next((kind for kind in classes if issubclass(kind, Settings)), None)


def _in_schema(settings: type[Settings] | None, column: str) -> bool:
    """Whether a dotted name leads to a key of settings."""
    first, dot, rest = column.partition(".")
    if settings is None or first not in _kinds(settings):
        return False
    return not dot or _in_schema(_inner(settings, first), rest)


def _schema(settings: type[Settings] | None, prefix: str = "", above: tuple[type, ...] = ()) -> list[str]:
    """Return the dotted names of all keys of settings, each kind of settings opened once on the way down."""
    names = []
    for key in _kinds(settings) if settings else ():
        names.append(f"{prefix}{key}")
        inner = _inner(settings, key) if settings else None
        if inner and inner not in above:
            names += _schema(inner, f"{prefix}{key}.", (*above, inner))
    return names


# --- histories --------------------------------------------------------------------------------------------------------

_Series = dict[int, tuple[Row, float | None]]  # by date, as the number of its unit


def _histories(reading: _Reading, file: str, gaps: str) -> tuple[list[str], list[_Row]] | None:
    """Let the markets that ``demand.csv`` speaks of replay it, and return the file they are to read, if it is new."""
    series = _series(reading)
    traces = {name: _trace(reading, name, own) for name, (_, own) in series.items()}
    dated = {name: dated for name, dated in series.items() if not _says_the_same(traces[name], dated[1])}
    if not dated:
        return None
    unit, new = _alike(dated)
    calendar = calendar_of(Dates(unit, [date for own in new.values() for date in own]))
    dates = calendar.dates()
    place = {date: k for k, date in enumerate(dates)}
    head = next(word for word in ("date", "period", "time") if word not in new)
    table: list[_Row] = [{head: write_date(unit, date)} for date in dates]
    for name, own in new.items():
        for date, (row, entry) in own.items():
            if date not in place:
                strange = f"{row.cells['date']!r} is off the calendar of the other rows, {calendar}; mend or remove it"
                raise _demand_error(row, "date", strange)
            if entry is not None:
                table[place[date]][name] = entry
        first, last = place[min(own)], place[max(own)]
        for k in range(first, last + 1):
            if name in table[k] or "rows" in traces[name]:
                continue
            if gaps == "refuse":
                raise _gap(name, own, dates[k], write_date(unit, dates[k]))
            table[k][name] = 0
        for key in set(DEMAND_KINDS["trace"]) - {"rows", "start", "scale"}:
            traces[name].pop(key, None)
        traces[name] |= {"file": file, "column": name}
        if (first, last) != (0, len(dates) - 1):
            traces[name].setdefault("rows", [first, last + 1])
    return [head, *new], table


def _gap(name: str, own: _Series, date: int, when: str) -> InputError:
    """Return an error about a date at which a series has no quantity: at its blank cell, or at the row before it."""
    fix = "or import with gaps=zero if no sale was no demand"
    if date in own:
        return _demand_error(own[date][0], "quantity", f"blank; fill it in, {fix}")
    row, _ = own[max(other for other in own if other < date)]
    return _demand_error(row, "date", f"no row follows for {name!r} on {when}; add one, {fix}")


def _series(reading: _Reading) -> dict[str, tuple[str, _Series]]:
    """Return the rows of ``demand.csv`` by stage and date, and the unit of each stage's dates."""
    series: dict[str, tuple[str, _Series]] = {}
    for table, row in reading.rows("demand"):
        try:
            unit, date = read_date(row.cells["date"])
        except InputError as error:
            raise table.error(row, "date", error.problem) from None
        usual, own = series.setdefault(reading.stage(table, row), (unit, {}))
        if unit != usual:
            raise table.error(row, "date", _unlike(row, unit))
        if date in own:
            raise table.error(row, "date", f"{row.cells['date']!r} is in row {own[date][0].number} too; add them up")
        entry = row.cells.get("quantity", "")
        try:
            given = None if is_missing(entry) else number(0)("", _value(entry, frozenset({float}), table.decimal_comma))
        except InputError as error:
            raise table.error(row, "quantity", error.problem) from None
        own[date] = (row, given)
    return series


def _alike(series: dict[str, tuple[str, _Series]]) -> tuple[str, dict[str, _Series]]:
    """Return the unit that the dates of all series have in common, and the series in it; months where days are."""
    units = [unit for unit, _ in series.values()]
    for unit, own in series.values():
        if unit != units[0]:
            row, _ = next(iter(own.values()))
            raise _demand_error(row, "date", _unlike(row, unit))
    dates = Dates(units[0], [date for _, own in series.values() for date in own])
    unit, named = in_months(dates)
    renamed = dict(zip(dates.numbers, named, strict=True))
    return unit, {name: {renamed[date]: row for date, row in own.items()} for name, (_, own) in series.items()}


def _unlike(row: Row, unit: str) -> str:
    return f"{row.cells['date']!r} is a {unit}, unlike the rows before; write all alike"


def _trace(reading: _Reading, name: str, own: _Series) -> _Row:
    """Return the demand of a market, in place, which has to be a trace."""
    row, _ = next(iter(own.values()))
    market = reading.stages[name].get("market")
    if market is None:
        raise _demand_error(row, "item", f"{name!r} has no market; give it a row in markets.csv")
    demand = market.setdefault("demand", {})
    if demand.setdefault("kind", "trace") != "trace":
        stated = f"{name!r} has a history here, but demand.kind {demand['kind']!r} in markets.csv"
        raise _demand_error(row, "item", f"{stated}; leave demand.kind blank there, or remove these rows")
    return demand


def _says_the_same(demand: _Row, own: _Series) -> bool:
    """Whether the file that a trace names holds the quantities of ``demand.csv``."""
    try:
        recorded = _recorded(build(Demand, demand, "demand"))
    except ValueError:  # InputError is one
        return False
    return recorded == [own[date][1] for date in sorted(own)]


def _demand_error(row: Row, column: str, problem: str) -> InputError:
    return InputError("demand.csv", f"row {row.number}, column {column!r}: {problem}")
