"""What one environment looks like at a moment: all that text and pictures show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pushpull.envs.dynamics import Flows
from pushpull.envs.network import Network
from pushpull.envs.task import Task
from pushpull.envs.words import amount


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
    pending, in_transit : ndarray [J]
        Orders that wait at the source for inputs or capacity, and orders that still travel to it.
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
    pending: np.ndarray
    in_transit: np.ndarray
    flows: Flows | None
    cost: float
    profit: float
    kpis: dict[str, float]

    @classmethod
    def of(cls, task: Task) -> Scene:
        """Copy what a picture needs from environment 0 of a task."""
        engine = task.engine
        view, started = engine.live_view(), engine.clock[0] > 0
        cost = sum(float(term[0]) for term in engine.costs.values()) if started else 0.0
        return cls(
            network=task.network,
            period=int(engine.clock[0]),
            periods=engine.periods,
            on_hand=view.on_hand[:, 0].copy(),
            backorders=view.backorders[:, 0].copy(),
            pipeline=[rows[:, 0].copy() for rows in view.pipeline],
            pending=view.pending[:, 0].copy(),
            in_transit=view.in_transit[:, 0].copy(),
            flows=Flows(**{name: rows[:, 0].copy() for name, rows in vars(engine.flows).items()}) if started else None,
            cost=cost,
            profit=float(engine.revenue[0]) - cost if started else 0.0,
            kpis={name: float(values[0]) for name, values in engine.kpis().items()},
        )


def headline(scene: Scene) -> list[str]:
    """Return the period and how the chain does, in a few phrases."""
    phrases = [f"period {scene.period} of {scene.periods}"]
    if scene.flows is None:
        return phrases
    phrases += [f"profit {amount(scene.profit)}", f"cost {amount(scene.cost)}"]
    if scene.period <= scene.network.warm_up:
        return [*phrases, f"KPIs count from period {scene.network.warm_up} on"]
    return [*phrases, f"mean profit {amount(scene.kpis['profit'])}", f"fill rate {scene.kpis['fill_rate']:.1%}"]


def due(rows: np.ndarray) -> np.ndarray:
    """Return a source's units on the way by the periods until they arrive.

    Nothing is lead_time periods away at the start of a period, unless a disrupted transit has held it there.
    """
    return rows if rows[-1] > 0 or len(rows) == 1 else rows[:-1]
