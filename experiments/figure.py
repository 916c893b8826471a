"""Pictures of experiments: cost always beside service, since cheap is easy for who lets customers wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pushpull.experiments.results import estimate_of

# Colours of Okabe and Ito (2008), told apart by all common kinds of colour vision; shapes tell them apart in print.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442")
SHAPES = "os^DvPX*<>hp"
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
