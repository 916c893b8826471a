"""`pushpull import`: CSV tables as a network file."""

from __future__ import annotations

import math
from pathlib import Path

import yaml
from rich.console import Console

from pushpull.envs.checks import InputError
from pushpull.envs.demand import longest_horizon
from pushpull.envs.histories import read_trace
from pushpull.envs.network import Network
from pushpull.envs.tables import read_tables, write_csv
from pushpull.experiments.folders import complete
from pushpull.experiments.settings import ImportSettings


def main(settings: ImportSettings, console: Console) -> None:
    """Write the network file, and beside it the demand that it replays."""
    to = Path(settings.to)
    history_file = to.with_name(f"{to.stem}-demand.csv")
    network, history = read_tables(Path(settings.from_), history_file.name, settings.gaps)
    network = network.with_traces_in(Path(settings.from_))
    with complete(*([history_file] if history else []), to) as (*histories, file):
        for path, (columns, rows) in zip(histories, [history] if history else [], strict=True):
            write_csv(path, columns, rows)
        settled = network.to_dict()
        stages = {"stages": settled.pop("stages")}
        text = yaml.safe_dump(settled | stages, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
        file.write_text(f"# Made by `pushpull import` of the tables in {settings.from_}.\n\n{text}", encoding="utf-8")
        shortest = _shortest_trace(Network.from_yaml(file))
    console.print(f"{to} holds {network.name}: {_counted(network)}.", highlight=False, soft_wrap=True)
    if history:
        columns, rows = history
        words = f"{len(columns) - 1} series of demand over {len(rows)} dates"
        console.print(f"{history_file} holds {words}.", highlight=False, soft_wrap=True)
    if shortest < network.horizon:
        words = f"Histories last {shortest} periods and an episode {network.horizon}: lower `horizon` in network.csv."
        console.print(words, highlight=False, soft_wrap=True)
    console.print(f"`pushpull show network={to}` draws it.", highlight=False, soft_wrap=True)


def _shortest_trace(network: Network) -> float:
    """Read every recorded history, so that a fault shows now, and return how many periods all of them last."""
    shortest = math.inf
    for i, market in network.markets.items():
        if market.demand is not None and market.demand.kind == "trace":
            try:
                read_trace(market.demand)
                shortest = min(shortest, longest_horizon(market.demand))
            except InputError as error:
                raise error.within(f"stages.{network.stage_names[i]}.market.demand") from None
    return shortest


def _counted(network: Network) -> str:
    counts = (("stage", network.stages), ("source", network.sources), ("market", network.markets))
    return ", ".join(f"{len(things)} {word}{'s' * (len(things) != 1)}" for word, things in counts)
