"""B environments in step: the only stateful part of the world.

An engine holds the states, the traces of the episodes under way and their totals. `reset` puts environment e in the
world of seed + e; `step` runs one period in all of them; `begin` starts the next episode in those that have ended.
Doors (Gymnasium, vector, stable-baselines3, simulate) stand on it and add nothing to the physics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from pushpull.envs import accounting, dynamics
from pushpull.envs.backends import namespace, to_numpy
from pushpull.envs.checks import InputError, number
from pushpull.envs.exogenous import Traces, draw
from pushpull.envs.network import Network
from pushpull.envs.observations import View


@dataclass(frozen=True)
class Outcome:
    """What one period brought: flows, cost by term and revenue, [B] each."""

    flows: dynamics.Flows
    costs: dict[str, np.ndarray]
    revenue: np.ndarray

    @property
    def cost(self) -> np.ndarray:
        """Sum of the cost terms, [B]."""
        return sum(self.costs.values())  # type: ignore[return-value]


class Engine:
    """Run B independent environments of one network.

    Parameters
    ----------
    network : Network
        The chain; every market needs a demand process.
    num_envs : int
        B.
    periods : int, optional
        Length of an episode; by default the network's horizon.
    backend : {"auto", "numpy", "torch"}
        What computes the dynamics, in float64.
    """

    def __init__(self, network: Network, num_envs: int = 1, periods: int | None = None, backend: str = "auto"):
        self.network = network
        self.num_envs = number(1, whole=True)("num_envs", num_envs)
        self.periods = number(1, whole=True)("periods", network.horizon if periods is None else periods)
        if network.warm_up >= self.periods:
            raise InputError(
                "periods", f"{self.periods} leaves nothing after the warm-up of {network.warm_up}; give more"
            )
        self._xp = namespace(backend)
        self._initial = dynamics.initial_state(self._xp, network, self.num_envs, dtype=self._xp.float64)
        self._traces: Traces | None = None

    def reset(self, seed: int | Sequence[int]) -> None:
        """Start the first episode of every environment: environment e in the world seed + e, or seed[e]."""
        seeds = [seed + e for e in range(self.num_envs)] if isinstance(seed, (int, np.integer)) else list(seed)
        if len(seeds) != self.num_envs:
            raise InputError("seed", f"{len(seeds)} seeds for {self.num_envs} environments; give one each")
        self.seeds = np.array([number(0, whole=True)("seed", value) for value in seeds], dtype=np.int64)
        self.episode = np.full(self.num_envs, -1, dtype=np.int64)
        self.clock = np.zeros(self.num_envs, dtype=np.int64)
        self.state = self._initial
        self.totals = accounting.no_totals(self.network, self.num_envs)
        self.last_demand = np.zeros((len(self.network.markets), self.num_envs))
        self._traces = None
        self.begin(np.ones(self.num_envs, dtype=bool))

    def begin(self, which: np.ndarray) -> None:
        """Start the next episode in the environments of the mask `which` [B]."""
        which = np.asarray(which, dtype=bool)
        self.episode = self.episode + which
        worlds = [(int(self.seeds[e]), int(self.episode[e])) for e in np.flatnonzero(which)]
        fresh = draw(self.network, self.periods, worlds)
        self._traces = fresh if which.all() else _replace_columns(self._traces, fresh, which)
        self.clock = np.where(which, 0, self.clock)
        self.last_demand = np.where(which, 0.0, self.last_demand)
        zero = accounting.no_totals(self.network, self.num_envs)
        self.totals = _choose(np.where, which, zero, self.totals)
        self.state = _choose(self._xp.where, self._xp.asarray(which), self._initial, self.state)

    def step(self, action: dynamics.Action) -> Outcome:
        """Run one period in every environment.

        Raises
        ------
        InputError
            Before `reset`, or in an environment whose episode has ended.
        """
        if self._traces is None:
            raise InputError("step", "called before reset; call reset(seed) first")
        if (self.clock >= self.periods).any():
            e = int(np.argmax(self.clock >= self.periods))
            raise InputError("step", f"environment {e} has ended its {self.periods} periods; begin a new episode first")
        xp, network = self._xp, self.network
        outside = dynamics.Exogenous(
            demand=xp.asarray(self._now(self._traces.demand)),
            available=None if self._traces.available is None else xp.asarray(self._now(self._traces.available)),
            forecast=xp.asarray(self._now(self._traces.forecast)[0]),
        )
        action = dynamics.Action(*(xp.asarray(rows) for rows in vars(action).values()))
        self.state, flows = dynamics.step(xp, network, self.state, outside, action)
        flows = dynamics.Flows(**{name: to_numpy(rows) for name, rows in vars(flows).items()})
        outcome = Outcome(flows, accounting.costs(np, network, flows), accounting.revenue(network, flows))
        self.totals = accounting.add_period(
            self.totals,
            flows,
            outcome.costs,
            outcome.revenue,
            counted=(self.clock >= network.warm_up).astype(float),
            weight=network.discount ** self.clock.astype(float),
        )
        self.last_demand = flows.demand[list(network.markets)]
        self.clock = self.clock + 1
        return outcome

    @property
    def ended(self) -> np.ndarray:
        """Whether each environment's episode is over, [B]."""
        return self.clock >= self.periods

    def view(self) -> View:
        """Return what may be known now."""
        state = dynamics.State(**{name: to_numpy(rows) for name, rows in vars(self.state).items()})
        forecast = self._now(self._traces.forecast)
        return View(self.network, state, self.periods, self.seeds, self.last_demand, forecast)

    def kpis(self) -> dict[str, np.ndarray]:
        """Return the KPIs of each episode so far, [B] each."""
        return accounting.kpis(self.network, self.totals)

    def _now(self, trace: np.ndarray) -> np.ndarray:
        """Cut the current period, [..., B], out of a trace [T, ..., B]."""
        now = np.minimum(self.clock, len(trace) - 1)
        if (now == now[0]).all():
            return trace[now[0]]
        return np.moveaxis(trace[now, ..., np.arange(self.num_envs)], 0, -1)


def _choose(where: Any, which: Any, new: Any, old: Any) -> Any:
    """Take `new` in the environments of `which` and `old` elsewhere, in every array of a record."""
    return type(old)(
        **{item.name: where(which, getattr(new, item.name), getattr(old, item.name)) for item in fields(old)}
    )


def _replace_columns(traces: Traces, fresh: Traces, which: np.ndarray) -> Traces:
    """Put freshly drawn episodes in the columns of the environments that begin them."""
    columns = {}
    for item in fields(Traces):
        old, new = getattr(traces, item.name), getattr(fresh, item.name)
        if old is not None:
            old = old.copy()
            old[..., which] = new
        columns[item.name] = old
    return Traces(**columns)
