"""`pushpull sense`: what knowing demand earlier, or better, is worth: cost of agents along an axis of foresight.

Each value of an axis of `AXES` makes a variant of the network, in which customers ask for the same units; every agent
plays every variant in the same worlds, so differences between values are paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import yaml
from rich.console import Console
from rich.table import Table

from pushpull.envs.checks import InputError, number
from pushpull.envs.network import Forecast, Market, Network
from pushpull.experiments import figure
from pushpull.experiments.agents import fixed_agent, play
from pushpull.experiments.folders import run_folder
from pushpull.experiments.results import MEASURES, estimate_of, with_interval
from pushpull.experiments.seeds import first_test_world
from pushpull.experiments.settings import SenseSettings
from pushpull.experiments.statistics import estimate, paired_difference


def main(settings: SenseSettings, console: Console) -> None:
    """Play every agent at every value and write the run's folder."""
    first_test_world(settings.world, settings.episodes)
    axis = AXES[settings.over]
    values = tuple(axis.check(f"values[{k}]", value) for k, value in enumerate(settings.values or axis.values))
    with run_folder(settings.folder, "sense", f"{settings.network.name}-{settings.over}") as run:
        episodes = pd.concat([_episodes(settings, axis, value) for value in values], ignore_index=True)
        table = curves(episodes, settings.over, axis.unsensed(values))
        (run.path / "config.yaml").write_text(yaml.safe_dump(settings.to_dict(), sort_keys=False))
        episodes.to_csv(run.path / "episodes.csv", index=False)
        table.to_csv(run.path / "sense.csv", index=False)
        figure.draw_curves(table, settings.over, run.path / "sense.png", settings.network.name, axis.label)
    console.print(printed(table, settings.over, f"{settings.network.name}: {settings.network.description}"))
    for sentence in verdicts(table, settings.over):
        console.print(sentence, highlight=False)
    console.print(f"All of it is in {run.final}", highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Axis:
    """An x axis: its label, the values to begin with, what a value does to a market, and which senses least.

    `key` is the setting that is to blame where a market cannot be changed.
    """

    key: str
    label: str
    values: tuple[float, ...]
    check: Callable[[str, Any], float]
    market: Callable[[Market, float, SenseSettings], Market]
    unsensed: Callable[[tuple[float, ...]], float]


def _with_error(market: Market, error: float, settings: SenseSettings) -> Market:
    """Return a market whose forecast errs by this share of mean demand; what is not stated stays."""
    own = market.forecast
    forecast = Forecast(
        kind=settings.forecast,
        horizon=settings.horizon or own.horizon,
        error=error,
        error_growth=own.error_growth if settings.error_growth is None else settings.error_growth,
        bias=own.bias,
    )
    return replace(market, forecast=forecast)


def _with_lead(market: Market, lead: float, settings: SenseSettings) -> Market:
    """Return a market all of whose orders are booked this many periods before they are due."""
    horizon = max(settings.horizon or market.forecast.horizon, int(lead) + 1)
    return replace(market, order_lead=(0.0,) * int(lead) + (1.0,), forecast=replace(market.forecast, horizon=horizon))


AXES = {
    "forecast_error": Axis(
        key="forecast",
        label="standard deviation of the forecast's error, as a share of mean demand",
        values=(0, 0.1, 0.2, 0.3, 0.4, 0.5),
        check=number(0),
        market=_with_error,
        unsensed=max,
    ),
    "booking_lead": Axis(
        key="order_lead",
        label="periods that orders are booked before they are due",
        values=(0, 1, 2, 3, 4),
        check=number(0, whole=True),
        market=_with_lead,
        unsensed=min,
    ),
}


def _episodes(settings: SenseSettings, axis: Axis, value: float) -> Any:
    """Return the episodes of all agents at one value."""
    network = _variant(settings, axis, value).with_decoupling_point(settings.decoupling_point)
    tables = []
    for name, agent in settings.agent.items():
        if agent.learns:
            raise InputError(f"agent.{name}", "would learn anew at every value; choose agents that need no training")
        tables.append(play(fixed_agent(name, agent, network), settings.episodes, settings.world, settings.periods))
    table = pd.concat(tables, ignore_index=True)
    table.insert(1, settings.over, value)
    return table


def _variant(settings: SenseSettings, axis: Axis, value: float) -> Network:
    """Return the network with every market changed to a value of the axis."""
    network, stages = settings.network, {}
    try:
        for name, stage in network.stages.items():
            stages[name] = stage
            if stage.market is not None:
                try:
                    stages[name] = replace(stage, market=axis.market(stage.market, value, settings))
                except InputError as error:
                    raise error.within(f"stages.{name}.market") from None
        return replace(network, stages=stages)
    except InputError as error:
        raise InputError(axis.key, f"does not fit {error}") from error


# --- what the episodes say --------------------------------------------------------------------------------------------


def curves(episodes: Any, over: str, unsensed: float) -> Any:
    """Return one row per agent and value: each measure's mean and the ends of its 95% interval over episodes.

    `saving` is the cost at the value where least is sensed less the cost at this one, paired by world.

    Parameters
    ----------
    episodes : pandas.DataFrame
        Rows of `pushpull.experiments.agents.play`, with a column named as the axis.
    over : str
        The axis.
    unsensed : float
        The value that savings are taken against.

    Returns
    -------
    pandas.DataFrame
        Columns ``agent``, the axis, ``observations``, and for ``saving`` and each of `MEASURES` the mean, MEASURE_low
        and MEASURE_high.
    """
    rows = []
    for agent, own in episodes.groupby("agent", sort=False):
        reference = own[own[over] == unsensed].set_index("world")["cost"]
        for value, observed in own.groupby(over):
            estimates = {"saving": paired_difference(observed["world"].map(reference), observed["cost"])}
            estimates |= {measure: estimate(observed[measure]) for measure in MEASURES if measure in observed}
            row = {"agent": agent, over: value, "observations": len(observed)}
            for measure, made in estimates.items():
                row |= {measure: made.mean, f"{measure}_low": made.low, f"{measure}_high": made.high}
            rows.append(row)
    return pd.DataFrame(rows)


def printed(table: Any, over: str, title: str) -> Table:
    """Return the part of the curves that fits a terminal."""
    caption = (
        f"Cost, saving and stock per period; 95% intervals over {table['observations'].max()} episodes. Savings are "
        "against the value where least is sensed, in the same worlds."
    )
    out = Table(title=title, caption=caption, caption_justify="left")
    for heading in ("agent", over.replace("_", " "), "WAPE", "cost", "saving", "fill rate", "stock"):
        out.add_column(heading, justify="left" if heading == "agent" else "right", no_wrap=True)
    for _, own in table.groupby("agent", sort=False):
        for k, row in enumerate(own.to_dict("records")):
            out.add_row(
                row["agent"] if k == 0 else "",
                f"{row[over]:g}",
                f"{row['wape']:.1%}",
                with_interval(estimate_of(row, "cost")),
                with_interval(estimate_of(row, "saving"), sign="+"),
                f"{row['fill_rate']:.1%}",
                f"{row['stock']:,.0f}",
                end_section=k == len(own) - 1,
            )
    return out


def verdicts(table: Any, over: str) -> list[str]:
    """Say of each agent what the most that is sensed saves it."""
    said = []
    for agent, own in table.groupby("agent", sort=False):
        rows = own.to_dict("records")
        best = max(rows, key=lambda row: row["saving"])
        mean, low, high = estimate_of(best, "saving")
        what = f"{over.replace('_', ' ')} {best[over]:g}"
        if pd.isna(low) or low <= 0 <= high:
            said.append(f"{agent}: no saving that can be told from none.")
        else:
            share = mean / (best["cost"] + mean)
            said.append(
                f"{agent}: {what} saves {mean:,.1f} a period (95% interval {low:,.1f} to {high:,.1f}), {share:.1%}."
            )
    return said
