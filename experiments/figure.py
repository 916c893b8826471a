"""Pictures of experiments: cost always beside service, since cheap is easy for who lets customers wait."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from pushpull.experiments.results import estimate_of

# Colours of Okabe and Ito (2008), told apart by all common kinds of colour vision; shapes tell them apart in print.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442")
SHAPES = "os^DvPX*<>hp"
STOCKS = {  # where stock lies, its column, and a grey
    "before the boundary": ("stock_value_upstream", "#D0D0D0"),
    "at it": ("stock_value_at", "#8C8C8C"),
    "behind it": ("stock_value_downstream", "#404040"),
}
FARTHEST = 2.0  # agents whose cost exceeds this multiple of the lowest are named beside the chart, not in it


def draw(table: Any, path: Path, title: str) -> None:
    """Write the chart of a comparison as PNG: cost against fill rate."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    rows = table.to_dict("records")
    lowest = min(row["cost"] for row in rows)
    near = [row for row in rows if row["cost"] <= FARTHEST * lowest]
    for k, row in enumerate(near):
        cost, fill = estimate_of(row, "cost"), estimate_of(row, "fill_rate")
        axes.errorbar(
            fill.mean,
            cost.mean,
            xerr=[[fill.mean - fill.low], [fill.high - fill.mean]],
            yerr=[[cost.mean - cost.low], [cost.high - cost.mean]],
            fmt=SHAPES[k % len(SHAPES)],
            color=COLOURS[k % len(COLOURS)],
            markersize=11 if row["learned"] else 8,
            markeredgecolor="black" if row["learned"] else "none",
            capsize=3,
            label=row["agent"],
        )
    axes.set(title=title, xlabel="fill rate (share of units shipped on time)", ylabel="cost per period")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(alpha=0.3)
    axes.legend(title="bars: 95% intervals", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    far = [f"{row['agent']} ({row['fill_rate']:.0%}, {row['cost']:,.0f})" for row in rows if row not in near]
    if far:
        figure.supxlabel(f"too costly for the chart: {', '.join(far)}", fontsize="small", x=0.01, ha="left")
    figure.savefig(path, dpi=150)


def draw_curves(table: Any, over: str, path: Path, title: str, label: str) -> None:
    """Write cost and fill rate of agents along an axis as PNG."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for k, (agent, own) in enumerate(table.groupby("agent", sort=False)):
        for axes, measure in ((upper, "cost"), (lower, "fill_rate")):
            estimates = [estimate_of(row, measure) for row in own.to_dict("records")]
            axes.errorbar(
                own[over],
                [value.mean for value in estimates],
                yerr=[[v.mean - v.low for v in estimates], [v.high - v.mean for v in estimates]],
                marker=SHAPES[k % len(SHAPES)],
                color=COLOURS[k % len(COLOURS)],
                capsize=3,
                label=agent,
            )
    upper.set(title=title, ylabel="cost per period")
    lower.set(xlabel=label, ylabel="fill rate")
    lower.yaxis.set_major_formatter(PercentFormatter(1.0))
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    upper.legend(title="bars: 95% intervals", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, dpi=150)


def draw_boundaries(table: Any, path: Path, title: str) -> None:
    """Write the chart of a comparison of boundaries as PNG: cost against service, and what stock lies where."""
    names, agents = list(dict.fromkeys(table["boundary"])), list(dict.fromkeys(table["agent"]))
    figure = Figure(figsize=(13, 4 + 0.18 * max(10, len(names) + len(agents))), layout="constrained")
    service, stock = figure.subplots(1, 2, width_ratios=[3, 2])
    near = table[table["cost"] <= _fence(table["cost"])]
    _draw_service(service, near, names, agents)
    _draw_stock(stock, table, names)
    far = [
        f"{agent} at {', '.join(rows['boundary'])}"
        for agent, rows in table.drop(near.index).groupby("agent", sort=False)
    ]
    if far:
        words = fill(f"too costly for the left chart: {'; '.join(far)}", 200)
        figure.supxlabel(words, fontsize="small", x=0.01, ha="left")
    figure.suptitle(title)
    figure.savefig(path, dpi=150)


def _fence(costs: Any) -> float:
    """Return the cost beyond which a point is far out: a box and a half above the box (Tukey 1977)."""
    low, high = costs.quantile(0.25), costs.quantile(0.75)
    return float(high + 1.5 * (high - low))


def _draw_service(axes: Any, near: Any, names: list[str], agents: list[str]) -> None:
    """Draw each agent as a line in its colour through the boundaries in their order, each boundary a shape."""
    marker, grey = {}, {}
    for k, name in enumerate(names):
        marker[name] = {"marker": SHAPES[k % len(SHAPES)], "linestyle": "", "markersize": 8}
        grey[name] = {"color": "grey", "markerfacecolor": "white" if k >= len(SHAPES) else "grey"}
    for agent, rows in near.groupby("agent", sort=False):
        colour = COLOURS[agents.index(agent) % len(COLOURS)]
        axes.plot(rows["fill_rate"], rows["cost"], color=colour, linewidth=1, alpha=0.4, zorder=1)
        for row in rows.to_dict("records"):
            fill_rate, cost = estimate_of(row, "fill_rate"), estimate_of(row, "cost")
            hollow = grey[row["boundary"]]["markerfacecolor"] == "white"
            axes.errorbar(
                fill_rate.mean,
                cost.mean,
                xerr=[[fill_rate.mean - fill_rate.low], [fill_rate.high - fill_rate.mean]],
                yerr=[[cost.mean - cost.low], [cost.high - cost.mean]],
                **marker[row["boundary"]],
                color=colour,
                markerfacecolor="white" if hollow else colour,
                markeredgecolor="black" if row["best"] else colour,
                markeredgewidth=2 if row["best"] else 1,
                elinewidth=1,
                capsize=2,
            )
    axes.set(xlabel="fill rate (share of units shipped on time)", ylabel="cost per period")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(alpha=0.3)
    key = [Line2D([], [], color=COLOURS[k % len(COLOURS)], linewidth=3, label=agent) for k, agent in enumerate(agents)]
    key += [Line2D([], [], **marker[name], **grey[name], label=name) for name in names]
    key.append(Line2D([], [], **marker[names[0]] | {"marker": "o"}, color="white", markeredgecolor="black",
                      markeredgewidth=2, label="earns the agent most"))  # fmt: skip
    axes.legend(handles=key, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize="small")


def _draw_stock(axes: Any, table: Any, names: list[str]) -> None:
    """Draw the value of stock before, at and behind each boundary, and how long its customers' orders take."""
    best = table.sort_values("profit", ascending=False, kind="stable").groupby("boundary").first().loc[names]
    left = 0.0 * best["cost"].to_numpy()
    for place, (column, grey) in STOCKS.items():
        axes.barh(range(len(names)), best[column], left=left, color=grey, label=place, edgecolor="white")
        left = left + best[column].to_numpy()
    for k, row in enumerate(best.to_dict("records")):
        time, ratio = row["production_time"], row["production_to_delivery"]
        words = "" if isnan(time) else f" P {time:g}" if isnan(ratio) else f" P {time:g}, P:D {ratio:.2g}"
        axes.text(left[k], k, words, va="center", fontsize="small")
    axes.margins(x=0.25)
    axes.set_yticks(range(len(names)), [f"{name}\n{best.loc[name, 'agent']}" for name in names], fontsize="small")
    axes.invert_yaxis()
    axes.set_xlabel("value of stock, with the agent that earns most there")
    axes.legend(frameon=False, fontsize="small", ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
