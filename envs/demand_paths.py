"""Paths of demand: the process of each market, drawn from the streams of its world."""

from __future__ import annotations

import numpy as np

from pushpull.envs import demand as demands
from pushpull.envs.network import Demand
from pushpull.envs.streams import World, uniforms


def demand_path(demand: Demand, units: str, periods: int, worlds: list[World], m: int) -> np.ndarray:
    """Return the demand of market number m, [periods, B]."""
    # Traces start together, so that shops recorded side by side keep their weekdays and their common days.
    purpose, place = ("window", 0) if demand.kind == "trace" else ("demand", m)
    drawn = uniforms(purpose, place, worlds, periods, demands.uniforms_needed(demand))
    if demand.autocorrelation:
        drawn = demands.autocorrelated(drawn, demand.autocorrelation)
    return demands.sample(demand, drawn, units, _modulation(demand, periods, worlds, m))


def _modulation(demand: Demand, periods: int, worlds: list[World], m: int) -> np.ndarray | None:
    if not (demand.random_shocks or demand.regimes or demand.level_sd):
        return None
    return demands.modulation(
        demand,
        shocks=uniforms("shocks", m, worlds, periods, len(demand.random_shocks)),
        regimes=uniforms("regimes", m, worlds, periods, int(demand.regimes is not None)),
        level=uniforms("level", m, worlds, 1, int(demand.level_sd > 0)),
    )
