"""How a chain is shown: as text, as a picture, in a window; and the network itself, as tables or a drawing.

A `Scene` is what one environment looks like at the start of a period. `text` and `picture` are functions of it, so
showing a chain never touches it. What needs matplotlib is in ``drawing.py``, imported when first called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pushpull.envs import bounds
from pushpull.envs.dynamics import Flows
from pushpull.envs.layout import decoupling_lines, decoupling_points, reading_order, stage_zones, zones_in_order
from pushpull.envs.network import ALL_PUSH, Demand, Network
from pushpull.envs.task import Task

WIDTH = 100  # columns of a terminal
NOTHING = "·"


@dataclass(frozen=True, eq=False)
class Scene:
    """One environment at the start of a period, and what the period before brought.

    Attributes
    ----------
    network : Network
        The chain.
    period, periods : int
        Periods since the start of the episode, and its length.
    on_hand, backorders : ndarray [N]
        Units in stock, and units owed to customers.
    pipeline : list of ndarray [lead_time + 1]
        Per source, units received in 0, 1, ... periods.
    waiting : ndarray [J]
        Orders not yet started: those that wait at the source and those that still travel to it.
    flows : Flows or None
        Flows of the last period, one number per stage or source; None before the first.
    cost, profit : float
        Money of the last period; 0 before the first.
    kpis : dict of float
        KPIs of the episode so far.
    """

    network: Network
    period: int
    periods: int
    on_hand: np.ndarray
    backorders: np.ndarray
    pipeline: list[np.ndarray]
    waiting: np.ndarray
    flows: Flows | None
    cost: float
    profit: float
    kpis: dict[str, float]

    @classmethod
    def of(cls, task: Task) -> Scene:
        """Copy what a picture needs from environment 0 of a task."""
        view = task.engine.view()
        outcome = task.outcome if view.period[0] > 0 else None
        return cls(
            network=task.network,
            period=int(view.period[0]),
            periods=view.periods,
            on_hand=view.on_hand[:, 0].copy(),
            backorders=view.backorders[:, 0].copy(),
            pipeline=[rows[:, 0].copy() for rows in view.pipeline],
            waiting=view.pending[:, 0] + view.in_transit[:, 0],
            flows=Flows(**{name: rows[:, 0].copy() for name, rows in vars(outcome.flows).items()}) if outcome else None,
            cost=float(outcome.cost[0]) if outcome else 0.0,
            profit=float((outcome.revenue - outcome.cost)[0]) if outcome else 0.0,
            kpis={name: float(values[0]) for name, values in task.engine.kpis().items()},
        )


def headline(scene: Scene) -> list[str]:
    """Return the period and how the chain does, in a few phrases."""
    phrases = [f"period {scene.period} of {scene.periods}"]
    if scene.flows is None:
        return phrases
    phrases += [f"profit {amount(scene.profit)}", f"cost {amount(scene.cost)}"]
    if scene.period <= scene.network.warm_up:
        return [*phrases, "warm-up"]
    return [*phrases, f"mean profit {amount(scene.kpis['profit'])}", f"fill rate {scene.kpis['fill_rate']:.1%}"]


def text(scene: Scene) -> str:
    """Return the scene as plain text: a line per stage, upstream first, with a rule at the decoupling point.

    A stage with several sources takes a line for each. Units on the way are listed by the periods until they arrive,
    those of the coming period first. Orders, demand and losses are those of the period before.
    """
    network, flows = scene.network, scene.flows
    scales = bounds.stock_scale(network)
    headings = ["stage", "mode", "stock", "on hand", "owed", "on the way", "waits", "order", "start", "demand", "lost"]
    order = reading_order(network)
    rows = []
    for i in order:
        for place, j in enumerate(network.sources_of[i]):
            stock, market = ["", amount(scene.on_hand[i]), ""], ["", ""]
            if place == 0:
                stock = [bar(scene.on_hand[i] / scales[i], 10), amount(scene.on_hand[i]), ""]
                if i in network.markets:
                    stock[2] = amount(scene.backorders[i])
                    market = [amount(flows.demand[i]), amount(flows.lost[i])] if flows else market
            moved = [amount(flows.order[j]), amount(flows.start[j])] if flows else ["", ""]
            rows.append([network.source_names[j], network.modes[j], *stock, "", amount(scene.waiting[j]), *moved, *market])
    return "\n".join([f"{network.name}   {'   '.join(headline(scene))}", "", *table(headings, rows)]) + "\n"


def describe(network: Network) -> str:
    """Return the network."""
    return network.name


def picture(scene: Scene) -> np.ndarray:
    """Return the scene as an image, uint8 [height, width, 3]."""
    from pushpull.envs import drawing

    return drawing.picture(scene)


def show(scene: Scene) -> None:
    """Show the scene in a window; without a display, say so once and do nothing."""
    from pushpull.envs import drawing

    drawing.show(scene)


def close() -> None:
    """Close the window of `show`."""
    from pushpull.envs import drawing

    drawing.close()


def draw_network(network: Network, path: str | Path) -> None:
    """Draw the network into a file, .png, .svg or .pdf."""
    from pushpull.envs import drawing

    drawing.draw_network(network, path)


def amount(units: float) -> str:
    """Return a number in at most six characters."""
    return f"{units:g}"


def bar(share: float, width: int) -> str:
    """Return a bar."""
    return "█" * int(min(1, share) * width)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines."""
    widths = [max(len(row[k]) for row in [headings, *rows]) for k in range(len(headings))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [headings, *rows]]
