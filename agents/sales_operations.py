"""Sales and operations planning: what is pushed is planned every few periods, its near future frozen; the rest pulls.

At every review a linear program (`pushpull.agents.linear_program`) plans `horizon` periods on expected demand and a
safety stock. Until the next review push sources release what the plan says, whatever customers do; pull sources order
every period by their base-stock levels. What the plan before said of the first `frozen` periods stays (Sridharan, Berry
& Udayabhanu 1987, Freezing the master production schedule under rolling planning horizons, Management Science 33(9)),
so that suppliers and shops can rely on it, and what is learnt of demand waits.

Plans that change are called nervous. `SalesOperations.nervousness` is the units by which new plans change what plans
before them said of the same periods, per unit they said, the nearer a period the more it counts (`FADING`), after the
instability of Sridharan, Berry & Udayabhanu (1988), Measuring master production schedule stability under rolling
planning horizons, Decision Sciences 19.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pushpull.agents.exposure import regular_sources
from pushpull.agents.heuristics import BaseStock
from pushpull.agents.levels import order_levels, planned_safety
from pushpull.agents.planning import DeterministicRolling
from pushpull.envs.checks import InputError, number, optional
from pushpull.envs.network import Network, Source
from pushpull.envs.observations import View

FADING = 0.8  # what a change of a plan counts, relative to that of the period before
_COUNT = number(1, whole=True)
_PERIODS = number(0, whole=True)


class InForce(NamedTuple):
    """A plan: the world it is of, the period it was made in, and what starts in that and the next ones, [T, E]."""

    world: int
    made: int
    start: np.ndarray


class SalesOperations(DeterministicRolling):
    """Push by a plan that is made every `review` periods, pull by base-stock levels in every period.

    It remembers the plan in force of each environment of a batch, so environments are to be played from their first
    period on and in order; one that it meets later is planned for when it meets it.

    Parameters
    ----------
    network : Network
        The chain. Mixed sources release the plan, and pull what it leaves missing; where everything pulls there is
        nothing to plan, and this is `BaseStock`.
    review : int
        Periods from one plan to the next.
    frozen : int
        Periods, from a review on, for which the plan before stays.
    horizon : int, optional
        Periods that a plan reaches ahead, at least `review` and `frozen` together; by default twice the longest way
        from outside to a market, or those.
    service_level : float, optional
        As for `BaseStock`, of what is pulled.

    Attributes
    ----------
    in_force : dict of int to InForce
        The plan that each environment of the batch goes by.

    Raises
    ------
    InputError
        For numbers out of range.
    """

    def __init__(
        self,
        network: Network,
        review: int = 4,
        frozen: int = 2,
        horizon: int | None = None,
        service_level: float | None = None,
    ):
        self.review, self.frozen = _COUNT("review", review), _PERIODS("frozen", frozen)
        super().__init__(network, horizon)
        least = self.review + self.frozen
        if optional(_COUNT)("horizon", horizon) is None:
            self._horizon = max(self._horizon or 0, least)
        elif self._horizon is not None and self._horizon < least:
            raise InputError(
                "horizon", f"{horizon} is less than review and frozen, {least} periods; give at least that"
            )
        self._pull = BaseStock(network, service_level)
        self._safety = safety_stock(network, self.review, self.frozen, service_level)
        self._pushed = np.array([event == "push" for _, event in self._events])
        self.in_force: dict[int, InForce] = {}
        self._changed = self._said = 0.0

    @property
    def nervousness(self) -> float:
        """Units by which plans so far changed what plans before them said, per unit said; what is pushed counts."""
        return self._changed / self._said if self._said else 0.0

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units."""
        if not self._pushed.any():
            return self._pull.act(view)
        columns = self._pull.columns(view)
        columns |= {"quantity": np.stack([self._releases(view, which) for which in range(len(view.period))], axis=1)}
        actions = np.zeros((len(view.period), len(self._entries)))
        for k, (row, column) in enumerate(self._entries):
            if column in columns:
                actions[:, k] = columns[column][row]
        return np.rint(actions) if self.network.units == "integer" else actions

    def _releases(self, view: View, which: int) -> np.ndarray:
        """Return what the plan in force releases now, [J]."""
        now, world = int(view.period[which]), _world(view, which)
        plan = self.in_force.get(which)
        if plan is not None and (plan.world != world or now == 0 or not plan.made <= now < plan.made + len(plan.start)):
            plan = None
        if plan is None or (now % self.review == 0 and now > plan.made):
            plan = self.in_force[which] = self._plan(view, which, plan)
        quantity = np.zeros(len(self.network.sources))
        for (j, event), units in zip(self._events, plan.start[now - plan.made], strict=True):
            if event == "push":
                waits = view.pending[j, which] if self.network.sources[j].carries else 0.0
                quantity[j] = max(0.0, units - waits)
        return quantity

    def _plan(self, view: View, which: int, before: InForce | None) -> InForce:
        """Return the plan to the horizon, with the frozen part of the plan before."""
        program, demand = self._task(view, which)
        for m, asked in enumerate(self._safety):
            for ahead, units in asked.items():
                demand[0, min(ahead, program.periods - 1), m] += units
        said = (
            np.zeros((0, len(self._events)))
            if before is None
            else before.start[int(view.period[which]) - before.made :]
        )
        said = said[: program.periods]
        least, most = np.zeros_like(program.start, float), np.full(program.start.shape, np.inf)
        kept = np.zeros(least.shape, bool)
        kept[: min(self.frozen, len(said))] = self._pushed
        least[kept] = most[kept] = said[kept[: len(said)]]
        plan = program.solve(view, which, demand, (least, most))
        if plan.cost == np.inf:  # what was promised cannot be made as it stands: no more than that
            plan = program.solve(view, which, demand, (np.zeros_like(least), most))
        start = plan.start
        if self.network.units == "integer":  # on average what is planned, period by period
            start = np.diff(np.rint(np.cumsum(start, axis=0) - 1e-9), axis=0, prepend=0.0)
        weights = np.power(FADING, np.arange(len(said)))
        self._changed += float(weights @ np.abs(start[: len(said)] - said)[:, self._pushed].sum(axis=1))
        self._said += float(weights @ said[:, self._pushed].sum(axis=1))
        return InForce(_world(view, which), int(view.period[which]), start)


def safety_stock(
    network: Network, review: int, frozen: int, service_level: float | None = None
) -> list[dict[int, float]]:
    """Return the safety stock that plans ask for at each market, units sold by how many periods ahead, [M].

    For each stage that pushes it covers what demand errs over the exposure of a release and the periods for which plans
    stand. It is asked for as soon as a release that is not frozen can be there, so that no plan puts it off; a stage
    farther from the market asks for what it needs beyond those nearer. Markets share it by their demand.
    """
    pushing = {j for j in regular_sources(network) if network.modes[j] != "pull"}
    times, standing = review + frozen, {}
    for (name, stage), own in zip(network.stages.items(), network.sources_of, strict=True):
        sources = [_less_often(network.sources[j], times) if j in pushing else network.sources[j] for j in own]
        standing[name] = replace(stage, sources=tuple(sources))
    levels = order_levels(network, service_level, mixed="push")
    rarely = replace(network, stages=standing)
    follows = [mode != "pull" for mode in network.modes]
    safety = planned_safety(rarely, order_levels(rarely, service_level, mixed="push"), follows)
    asked: list[dict[int, float]] = [{} for _ in network.markets]
    for j in (j for j in pushing if np.isfinite(safety[j])):
        rates = [window.units * levels.demand[window.market].rate for window in levels.windows[j]]
        for window, rate in zip(levels.windows[j], rates, strict=True):
            ahead, own = window.end - 1 + frozen, asked[window.market]
            share = rate / sum(rates) if rate else 0.0
            own[ahead] = max(own.get(ahead, 0.0), float(safety[j]) * share / window.units)
    return [_beyond(own) for own in asked]


def _less_often(source: Source, times: int) -> Source:
    """Return a source that is decided so many times less often, for as many units at once."""
    capacity = source.full_capacity * times
    return replace(source, review_period=source.review_period * times, capacity=capacity, overtime=None)


def _beyond(asked: Mapping[int, float]) -> dict[int, float]:
    """Return what each time asks for beyond the times before it."""
    found, so_far = {}, 0.0
    for ahead in sorted(asked):
        found[ahead], so_far = max(0.0, asked[ahead] - so_far), max(so_far, asked[ahead])
    return found


def _world(view: View, which: int) -> int:
    return 0 if view.seeds is None else int(view.seeds[which])
