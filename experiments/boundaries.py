"""Agents at several boundaries between push and pull: which decoupling point earns most, at what cost and service.

`compare` turns the episodes of `pushpull compare decoupling_point=all` into a table with a row for each agent at each
boundary, a picture, and sentences on which boundary is best. All boundaries meet the same customers, so profits are
compared world by world.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table

from pushpull.envs.checks import InputError
from pushpull.envs.decoupling import PLACES, production_times, production_to_delivery, stock_zones
from pushpull.envs.network import Network
from pushpull.envs.words import amount
from pushpull.experiments import figure
from pushpull.experiments.results import MEASURES, estimate_of, measured, with_interval
from pushpull.experiments.statistics import Estimate, estimate

PLACE_VALUES = tuple(f"stock_value_{place}" for place in PLACES)


def compare(network: Network, places: Mapping[str, Network], episodes: Any, folder: Path) -> list[Table | str]:
    """Write the comparison of boundaries, `places` by name, and return what is printed of it."""
    episodes = with_place_values(episodes, places)
    table = comparison(episodes, places)
    episodes.to_csv(folder / "episodes.csv", index=False)
    table.to_csv(folder / "boundaries.csv", index=False)
    figure.draw_boundaries(table, folder / "boundaries.png", network.name)
    valued_at = "unit costs" if any(source.unit_cost for source in network.sources) else "holding costs (no unit costs)"
    title = f"{network.name}: {network.description}"
    return [printed(table, title, valued_at), *verdicts(episodes, table)]


# --- where agents play ------------------------------------------------------------------------------------------------


def name_of(point: Sequence[str]) -> str:
    """Return a boundary in one word, such as ``board+display``."""
    return "+".join(point)


def decouple(network: Network, point: Sequence[str]) -> Network:
    """Return the network decoupled at a boundary, or say which boundary it cannot have and why."""
    try:
        return network.with_decoupling_point(point)
    except InputError as error:
        if error.field.startswith("decoupling_point"):
            raise
        raise InputError("decoupling_point", f"{name_of(point)!r} cannot be compared; {error}") from None


def seats(own: Sequence[str] | None, networks: Mapping[str | None, Network]) -> dict[str | None, Network]:
    """Return where an agent plays: at every boundary, or only at its `own` if it states one, by the same name."""
    if own is None or None in networks:
        return dict(networks)
    network = next(iter(networks.values())).with_decoupling_point(own)
    same = [name for name, other in networks.items() if other.modes == network.modes]
    return {same[0] if same else name_of(own): network}


# --- the table --------------------------------------------------------------------------------------------------------


def with_place_values(episodes: Any, places: Mapping[str, Network]) -> Any:
    """Return the episodes with the value of stock upstream of, at and downstream of the boundary they are played at."""
    parts = []
    for name, own in episodes.groupby("boundary", sort=False):
        columns: dict[str, list[str]] = {place: [] for place in PLACES}
        for stage, place in zip(places[name].stage_names, stock_zones(places[name]), strict=True):
            columns[place].append(f"stock_value.{stage}")
        parts.append(own.assign(**{f"stock_value_{place}": own[columns[place]].sum(axis=1) for place in PLACES}))
    return pd.concat(parts).sort_index()


def comparison(episodes: Any, places: Mapping[str, Network]) -> Any:
    """Return one row per boundary and agent, in the order of `places`.

    Parameters
    ----------
    episodes : pandas.DataFrame
        Rows of `pushpull.experiments.agents.play`, with `with_place_values`.
    places : mapping of str to Network
        The network at each boundary.

    Returns
    -------
    pandas.DataFrame
        Columns ``boundary``, ``agent``, ``best`` (whether the agent earns most here), ``production_time`` and
        ``production_to_delivery`` (the longest of all markets), and those of `results.measured` for `MEASURES` and
        `PLACE_VALUES`; ``difference`` is profit less that of the same agent at its best boundary, paired by world and
        training seed.
    """
    mean = episodes.groupby(["agent", "boundary"], sort=False)["profit"].mean()
    best = {agent: own.idxmax()[1] for agent, own in mean.groupby("agent", sort=False)}
    key = ["agent", "training_seed", "world"]
    at_best = episodes[episodes["boundary"] == episodes["agent"].map(best)][[*key, "profit"]]
    episodes = episodes.merge(at_best.rename(columns={"profit": "reference"}), on=key, how="left")
    rows = []
    for name, network in places.items():
        for agent, own in episodes[episodes["boundary"] == name].groupby("agent", sort=False):
            about = {
                "boundary": name,
                "agent": agent,
                "best": best[agent] == name,
                "production_time": longest(production_times(network)),
                "production_to_delivery": longest(production_to_delivery(network)),
            }
            rows.append(about | measured(own, (*MEASURES, *PLACE_VALUES)))
    return pd.DataFrame(rows)


def longest(by_market: np.ndarray) -> float:
    """Return the largest of what is known, NaN where nothing is."""
    known = by_market[~np.isnan(by_market)]
    return float(known.max()) if len(known) else np.nan


def printed(table: Any, title: str, valued_at: str) -> Table:
    """Return the part of the table that fits a terminal."""
    over = " or ".join(sorted({f"{row['observations']} {row['unit']}" for row in table.to_dict("records")}))
    caption = (
        f"Money per period; 95% intervals over {over}, of the difference to the same agent at its best boundary.\n"
        f"Stock before, at and behind the boundary at {valued_at}. P: periods from the boundary to the customer; "
        "P:D: that over the periods they tolerate."
    )
    out = Table(title=title, caption=caption, caption_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("boundary", "agent"):
        out.add_column(heading, overflow="fold")
    for heading in ("profit", "cost", "vs own best", "fill rate", "stock: before", "at", "behind", "P", "P:D"):
        out.add_column(heading, justify="right", no_wrap=True)
    places = table.groupby("agent")["boundary"].count()
    for name, rows in table.groupby("boundary", sort=False):
        for k, row in enumerate(rows.to_dict("records")):
            alone = "best" if places[row["agent"]] > 1 else "only here"
            out.add_row(
                name if k == 0 else "",
                row["agent"],
                f"{row['profit']:,.1f}",
                f"{row['cost']:,.1f}",
                alone if row["best"] else with_interval(estimate_of(row, "difference"), sign="+"),
                f"{row['fill_rate']:.1%}",
                *(f"{row[value]:,.0f}" for value in PLACE_VALUES),
                *(amount(row[time]) if k == 0 else "" for time in ("production_time", "production_to_delivery")),
                style="bold" if row["best"] else None,
                end_section=k == len(rows) - 1,
            )
    return out


# --- which boundary is best -------------------------------------------------------------------------------------------


def verdicts(episodes: Any, table: Any) -> list[str]:
    """Say which boundary is best for each agent that plays at several, and which is best of all."""
    groups = {(row["boundary"], row["agent"]): None for row in table.to_dict("records")}
    groups = {key: episodes[(episodes["boundary"] == key[0]) & (episodes["agent"] == key[1])] for key in groups}
    ranked = table.sort_values("profit", ascending=False, kind="stable")
    sentences = []
    for agent, rows in ranked.groupby("agent", sort=False):
        if len(rows) > 1:
            (first, second), earned = rows["boundary"][:2], rows["profit"].iloc[0]
            margin = paired(groups[second, agent], groups[first, agent])
            sentences.append(f"{agent} earns most at {first}, {earned:,.1f} per period; {_next(second, margin)}.")
    champions = ranked.groupby("boundary", sort=False).first().reset_index().to_dict("records")
    if len(champions) > 1 and len(sentences) > 1:
        first, second = champions[:2]
        margin = paired(groups[second["boundary"], second["agent"]], groups[first["boundary"], first["agent"]])
        sentences.append(
            f"Best of all is {first['agent']} at {first['boundary']}; "
            f"{_next(second['boundary'] + ' with ' + second['agent'], margin)}."
        )
    return sentences


def _next(place: str, margin: Estimate) -> str:
    if np.isnan(margin.low):
        return f"{place} differs by {margin.mean:+,.1f}, measured once"
    apart = f"the next, {place}, earns" if margin.high < 0 else f"{place} cannot be told from it:"
    return f"{apart} {margin.mean:+,.1f} (95% interval {margin.low:+,.1f} to {margin.high:+,.1f})"


def paired(own: Any, other: Any) -> Estimate:
    """Return the profit of one agent at a boundary less that of another, or elsewhere, in the same worlds.

    Where one of them was trained several times the interval is over training seeds, each a mean over the worlds.
    """
    profits = [
        rows.assign(seed=rows["training_seed"].fillna(-1)).pivot(index="world", columns="seed", values="profit")
        for rows in (own, other)
    ]
    several = max(profit.shape[1] for profit in profits) > 1
    difference = profits[0].to_numpy() - profits[1].loc[profits[0].index].to_numpy()
    return estimate(difference.mean(axis=0) if several else difference[:, 0])
