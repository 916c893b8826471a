"""What a set of episodes says about the agents that played them: one row each, and whether learning paid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich.table import Table

from pushpull.envs.accounting import KPIS
from pushpull.envs.network import COST_TERMS
from pushpull.experiments.statistics import Estimate, estimate, paired_difference

MEASURES = (*KPIS, *(f"cost.{term}" for term in COST_TERMS), "discounted_profit")


def comparison(episodes: Any) -> Any:
    """Return one row per agent, best profit first: each measure's mean and the ends of its 95% interval.

    The interval of an agent is over its episodes; of a learned agent with several training seeds over the means of
    its seeds, since episodes of one seed share what was learned. `difference` is profit less that of the best agent
    without training, paired by world (common random numbers), so that the luck of a world cancels.

    Parameters
    ----------
    episodes : pandas.DataFrame
        Rows of `pushpull.experiments.agents.play`.

    Returns
    -------
    pandas.DataFrame
        Columns ``agent``, ``learned``, ``reference`` (whether differences are taken to it), ``unit`` (what the
        interval is over), ``observations``, ``training_seconds``, and for ``difference`` and each of
        `MEASURES` that the episodes tell the mean, MEASURE_low and MEASURE_high.
    """
    fixed = episodes[episodes["training_seed"].isna()]
    best = None if fixed.empty else str(fixed.groupby("agent")["profit"].mean().idxmax())
    reference = fixed[fixed["agent"] == best].set_index("world")["profit"]
    episodes = episodes.assign(reference=episodes["world"].map(reference))
    rows = [
        {"agent": agent, "reference": agent == best, **measured(own, MEASURES)}
        for agent, own in episodes.groupby("agent", sort=False)
    ]
    return pd.DataFrame(rows).sort_values("profit", ascending=False, kind="stable", ignore_index=True)


def measured(own: Any, measures: Sequence[str]) -> dict[str, Any]:
    """Return a row of a table from the episodes of one agent, whose column ``reference`` is the profit to compare with.

    It has ``learned``, ``unit``, ``observations``, ``training_seconds``, and for ``difference`` and each measure that
    the episodes tell the mean, MEASURE_low and MEASURE_high.
    """
    seeds = own.groupby("training_seed")
    several = seeds.ngroups > 1
    observed = seeds.mean(numeric_only=True) if several else own
    row = {
        "learned": seeds.ngroups > 0,
        "unit": "training seeds" if several else "episodes",
        "observations": len(observed),
        "training_seconds": seeds["training_seconds"].first().mean(),
    }
    estimates = {"difference": paired_difference(observed["profit"], observed["reference"])}
    estimates |= {measure: estimate(observed[measure]) for measure in measures if measure in observed}
    for measure, values in estimates.items():
        row |= {measure: values.mean, f"{measure}_low": values.low, f"{measure}_high": values.high}
    return row


def estimate_of(row: dict[Any, Any], measure: str) -> Estimate:
    """Return a measure of a row of `comparison` with its interval."""
    return Estimate(row[measure], row[f"{measure}_low"], row[f"{measure}_high"])


def printed(table: Any, title: str) -> Table:
    """Return the part of a comparison that fits a terminal."""
    over = " or ".join(sorted({f"{row['observations']} {row['unit']}" for row in table.to_dict("records")}))
    caption = f"Profit, cost and stock per period; 95% intervals over {over}."
    out = Table(title=title, caption=caption, caption_justify="left")
    for heading in ("agent", "profit", "cost", "vs best heuristic", "fill rate", "OTIF", "stock", "training"):
        out.add_column(heading, justify="left" if heading == "agent" else "right", no_wrap=True)
    for row in table.to_dict("records"):
        seconds = row["training_seconds"]
        out.add_row(
            row["agent"],
            with_interval(estimate_of(row, "profit")),
            with_interval(estimate_of(row, "cost")),
            "best" if row["reference"] else with_interval(estimate_of(row, "difference"), sign="+"),
            f"{row['fill_rate']:.1%}",
            f"{row['otif']:.1%}",
            f"{row['stock']:,.0f}",
            "-" if pd.isna(seconds) else f"{seconds:.0f} s",
            style="bold" if row["learned"] else None,
        )
    return out


def verdicts(table: Any) -> list[str]:
    """Say of each learned agent whether it beats the best heuristic."""
    rows = table.to_dict("records")
    return [_verdict(row, best["agent"]) for best in rows if best["reference"] for row in rows if row["learned"]]


def _verdict(row: dict[Any, Any], best: str) -> str:
    mean, low, high = estimate_of(row, "difference")
    if pd.isna(low):
        return f"{row['agent']} was measured once, so nothing can be said of its {mean:+,.1f} against {best}."
    if low > 0:
        outcome = "beats"
    elif high < 0:
        outcome = "does not beat"
    else:
        outcome = "cannot be told from"
    return (
        f"{row['agent']} {outcome} {best}, the best heuristic: profit per period differs by "
        f"{mean:+,.1f} (95% interval {low:+,.1f} to {high:+,.1f})."
    )


def with_interval(value: Estimate, sign: str = "") -> str:
    """Return a mean and half its interval, as tables show them."""
    if pd.isna(value.mean):
        return "-"
    half = value.high - value.mean
    digits = 0 if abs(value.mean) >= 1e4 else 3 if half < 0.1 else 1  # boards' costs differ in their thousandths
    return f"{value.mean:{sign},.{digits}f}" + ("" if pd.isna(half) else f" ± {half:,.{digits}f}")
