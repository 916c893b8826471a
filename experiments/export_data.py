"""`pushpull export`: a network as CSV tables, and what a run released as planned orders beside it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pushpull.envs.checks import InputError
from pushpull.envs.network import Network
from pushpull.envs.tables import ORDER, source_places, write_csv, write_tables
from pushpull.experiments.folders import complete
from pushpull.experiments.settings import ExportSettings

MEANINGS = {
    "network": "settings of the whole chain",
    "locations": "places, with defaults for their items",
    "items": "stocks: an item at a location",
    "sources": "ways to replenish an item: supplier, line or transport",
    "bill_of_materials": "components of an item",
    "open_orders": "what is under way at the start",
    "markets": "what customers ask for and pay",
    "demand": "recorded demand",
    "planned_orders": "what the run released",
}


def main(settings: ExportSettings, console: Console) -> None:
    """Write the tables of a network."""
    plan = [] if settings.plan is None else planned_orders(settings.network, Path(settings.plan))
    with complete(settings.to) as (folder,):
        folder.mkdir()
        counts = write_tables(settings.network, folder)
        if plan:
            write_csv(folder / "planned_orders.csv", [column for column in ORDER if column in plan[0]], plan)
            counts["planned_orders"] = len(plan)
    table = Table(title=f"{settings.network.name} in {settings.to}", title_justify="left")
    table.add_column("file")
    table.add_column("rows", justify="right")
    table.add_column("what a row is about")
    for name, count in counts.items():
        table.add_row(f"{name}.csv", f"{count:,}", MEANINGS[name])
    console.print(table)
    console.print(
        f"`pushpull import from={settings.to} to=network.yaml` makes a network of them again.", soft_wrap=True
    )


def planned_orders(network: Network, run: Path) -> list[dict[str, Any]]:
    """Return what a run of `simulate` released: source, quantity, the period of release and the period it is due."""
    try:
        with (run / "trajectory.csv").open(newline="", encoding="utf-8") as file:
            periods = list(csv.DictReader(file))
    except OSError as error:
        raise InputError("plan", f"no run of simulate in {str(run)!r} ({error.strerror}); give its folder") from None
    rows = []
    for name, place, source in zip(network.source_names, source_places(network), network.sources, strict=True):
        for period in periods:
            if f"start.{name}" not in period:
                raise InputError("plan", f"{str(run)!r} knows no source {name!r}; give a run of the same network")
            units = float(period[f"start.{name}"])
            if units > 0:
                release = int(period["period"])
                quantity = int(units) if units.is_integer() else units
                due = release + source.planned_lead_time
                rows.append(place | {"release_period": release, "due_period": due, "quantity": quantity})
    return rows
