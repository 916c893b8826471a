"""A batch of environments on an array library: the dynamics as they are defined, on numpy or torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from pushpull.envs import accounting, dynamics
from pushpull.envs.actions import ActionSpace, decode
from pushpull.envs.backends import namespace, to_numpy
from pushpull.envs.checks import InputError
from pushpull.envs.exogenous import Traces
from pushpull.envs.information import Report, begun, shown
from pushpull.envs.network import Network
from pushpull.envs.observations import Observation, View
from pushpull.envs.rewards import rewards
from pushpull.envs.rules import Rules


class ArrayWorld:
    """States, flows and totals of B environments in arrays [rows, B].

    Parameters
    ----------
    network : Network
        The chain.
    clock : ndarray of int64 [B]
        The period each environment is in, shared with the engine; `step` moves it on.
    dtype : str
        Precision of the dynamics.
    space : ActionSpace
        How action vectors are read.
    observation : Observation, optional
        What is observed.
    weights : mapping
        Reward weights by term.
    backend : str
        Array library of the dynamics.
    """

    def __init__(
        self,
        network: Network,
        clock: np.ndarray,
        dtype: str,
        space: ActionSpace,
        observation: Observation | None,
        weights: Mapping[str, float],
        backend: str,
    ):
        batch = len(clock)
        self.network, self.batch, self._clock, self._observation = network, batch, clock, observation
        self._xp, self._space, self._weights = namespace(backend), space, weights
        self._dtype = getattr(self._xp, dtype)
        self._initial = dynamics.initial_state(self._xp, network, batch, dtype=self._dtype)
        self._nothing = _no_flows(network, batch)
        self._state = self._initial
        self._reports: list[Report] = []  # newest first; none where everything is known at once
        self._charge(self._nothing, np.zeros(batch, dtype=bool))
        self.totals = accounting.no_totals(network, batch)

    def begin(self, which: np.ndarray) -> None:
        """Put the environments of the mask into their initial state."""
        self._state = _choose(self._xp.where, self._xp.asarray(which), self._initial, self._state)
        self._charge(_choose(np.where, which, self._nothing, self.flows), ~which & self._last)
        self.totals = _choose(np.where, which, accounting.no_totals(self.network, self.batch), self.totals)
        delay = max(self.network.information_delays)
        if delay:
            now = self._report()
            self._reports = begun(np, which, now, self._reports or [now] * (delay + 1))

    def step(self, vectors: np.ndarray, traces: Traces) -> np.ndarray:
        """Run one period with action vectors [B, K], move the clock on, return rewards [B]."""
        xp, network, clock = self._xp, self.network, self._clock
        if clock.max() >= len(traces.demand):
            raise episode_over(int(np.argmax(clock)), clock)

        def rows(values: np.ndarray) -> Any:
            return xp.asarray(values, dtype=self._dtype)

        def told(trace: np.ndarray | None) -> Any:
            return None if trace is None else rows(at_clock(trace, clock))

        outside = dynamics.Exogenous(
            demand=told(traces.demand),
            available=told(traces.available),
            forecast=told(traces.forecast[:, 0]),
            booked=told(traces.booked),
            booked_after=told(traces.booked_after),
            lead_time=told(traces.lead_time),
            yields=told(traces.yields),
        )
        action = decode(self._space, self._space.physical(vectors))
        action = dynamics.Action(*(rows(values) for values in vars(action).values()))
        self._state, flows = dynamics.step(xp, network, self._state, outside, action)
        flows = dynamics.Flows(**{name: to_numpy(values) for name, values in vars(flows).items()})
        self._charge(flows, clock == len(traces.demand) - 1)
        self.totals = accounting.add_period(
            network,
            self.totals,
            self.flows,
            None if traces.available is None else at_clock(traces.available, clock),
            self.costs,
            self.revenue,
            counted=(clock >= network.warm_up).astype(float),
            weight=network.discount ** clock.astype(float),
        )
        clock += 1
        if self._reports:
            self._reports = [self._report(), *self._reports[:-1]]
        return rewards(self._weights, self.costs, self.revenue, self.flows)

    def play(self, rules: Rules, traces: Traces) -> None:
        """Leave the episodes to be stepped through: arrays gain nothing from rules."""

    def observe(self, traces: Traces, view: Callable[[], View]) -> np.ndarray:
        """Return the observations of now, [B, D] float32."""
        assert self._observation is not None, "a world made without an observation cannot observe"
        return self._observation(view())

    def _charge(self, flows: dynamics.Flows, last: np.ndarray) -> None:
        self.flows, self._last = flows, last
        self.costs = accounting.costs(np, self.network, flows)
        self.revenue = accounting.revenue(self.network, flows, last)

    @property
    def money(self) -> np.ndarray:
        """The last period's cost by term, then its revenue, [terms + 1, B]."""
        return np.stack([*self.costs.values(), self.revenue])

    @property
    def known(self) -> Report:
        """What stages have told by now, in numpy."""
        return shown(np, self.network, self._reports) if self._reports else self._report()

    def _report(self) -> Report:
        """Return what all stages could tell now."""
        return Report(self.state, self.flows.demand[list(self.network.markets)])

    @property
    def state(self) -> dynamics.State:
        """The states, in numpy."""
        return dynamics.State(**{name: to_numpy(values) for name, values in vars(self._state).items()})


def episode_over(e: int, clock: np.ndarray) -> InputError:
    """Return the error of a step in an environment that has ended."""
    return InputError("step", f"environment {e} has ended after {clock[e]} periods; begin a new episode first")


def at_clock(trace: np.ndarray, clock: np.ndarray) -> np.ndarray:
    """Cut each environment's current period, [..., B], out of a trace [T, ..., B]."""
    if (clock == clock[0]).all():
        return trace[clock[0]]
    return np.moveaxis(trace[clock, ..., np.arange(len(clock))], 0, -1)


def _choose(where: Any, which: Any, new: Any, old: Any) -> Any:
    """Take `new` in the environments of `which` and `old` elsewhere, in every array of a record."""
    chosen = {item.name: where(which, getattr(new, item.name), getattr(old, item.name)) for item in fields(old)}
    return type(old)(**chosen)


def _no_flows(network: Network, batch: int) -> dynamics.Flows:
    """Return the flows of no period: nothing moved, and the initial stocks stand."""
    sources = ("order", "start", "receipt", "shortfall", "in_process")
    rows = {
        item.name: len(network.sources if item.name in sources else network.stages) for item in fields(dynamics.Flows)
    }
    rows["shipped_late"] = sum(network.ages)
    rows["changeovers"] = rows["resource_used"] = len(network.resource_names)
    rows |= {"returned": 2 * len(network.returning)} | dict.fromkeys(("came_back", "restocked"), len(network.returning))
    rows |= {"written_off": rows["demand"] * network.writes_off, "overflow": rows["demand"] * network.limits_storage}
    rows["overtime"] = len(network.overtime_sources)
    rows |= dict.fromkeys(("promotion", "promoted", "taken_back"), len(network.promoting))
    rows |= {"lead_time": len(network.random_lead_times), "scrapped": len(network.yielding_sources)}
    return dynamics.Flows(**{name: np.zeros((count, batch)) for name, count in rows.items()})
