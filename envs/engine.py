"""B environments in step: the only stateful part of the world.

An engine holds the clocks and traces of the episodes under way, and a world that computes them: compiled where numba
is at hand, on an array library otherwise. `reset` puts environment e in the world of seed + e; `step` runs one period
in all of them; `begin` starts the next episode in those that have ended. Doors (Gymnasium, vector,
stable-baselines3, simulate) stand on it and add nothing to the physics.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from pushpull.envs import accounting, dynamics
from pushpull.envs.actions import ActionSpace
from pushpull.envs.array_world import at_clock
from pushpull.envs.checks import InputError, choice, number
from pushpull.envs.exogenous import Traces, draw
from pushpull.envs.information import Report
from pushpull.envs.network import Network
from pushpull.envs.observations import Observation, View
from pushpull.envs.rewards import PRESETS
from pushpull.envs.rules import Rules
from pushpull.envs.worlds import make_world


class Acts(Protocol):
    """Anything that sets actions [B, K], in units, from a view."""

    def act(self, view: View) -> np.ndarray: ...


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
    backend : {"auto", "numba", "numpy", "torch"}
        What computes the dynamics.
    dtype : {"float64", "float32"}
        Precision of the dynamics; integer units are exact in both below 2^24.
    space : ActionSpace, optional
        How action vectors are read; by default in units.
    observation : Observation, optional
        What `observe` returns; by default the standard blocks, in units.
    weights : mapping, optional
        Reward weights by term; by default profit.
    """

    def __init__(
        self,
        network: Network,
        num_envs: int = 1,
        periods: int | None = None,
        backend: str = "auto",
        dtype: str = "float64",
        space: ActionSpace | None = None,
        observation: Observation | None = None,
        weights: Mapping[str, float] | None = None,
    ):
        self.network = network
        self.num_envs = number(1, whole=True)("num_envs", num_envs)
        self.periods = number(1, whole=True)("periods", network.horizon if periods is None else periods)
        if network.warm_up >= self.periods:
            raise InputError("periods", f"{self.periods} leaves nothing after warm_up {network.warm_up}; give more")
        choice("float64", "float32")("dtype", dtype)
        self.space = ActionSpace(network) if space is None else space
        self.observation = Observation(network) if observation is None else observation
        weights = PRESETS["profit"] if weights is None else weights
        self._kpis = accounting.Kpis(network)
        self.clock = np.zeros(self.num_envs, dtype=np.int64)
        self._shape = (self.num_envs, len(self.space.entries))
        disrupted = network.draws_availability
        self._world = make_world(network, self.clock, backend, dtype, self.space, self.observation, weights, disrupted)
        self._traces: Traces | None = None

    def reset(self, seed: int | Sequence[int]) -> None:
        """Start the first episode of every environment: environment e in the world seed + e, or seed[e]."""
        seeds = [seed + e for e in range(self.num_envs)] if isinstance(seed, (int, np.integer)) else list(seed)
        if len(seeds) != self.num_envs:
            raise InputError("seed", f"{len(seeds)} seeds for {self.num_envs} environments; give one each")
        self.seeds = np.array([number(0, whole=True)("seed", value) for value in seeds], dtype=np.int64)
        self.episode = np.full(self.num_envs, -1, dtype=np.int64)
        self.begin(np.ones(self.num_envs, dtype=bool))

    def begin(self, which: np.ndarray) -> None:
        """Start the next episode in the environments of the mask `which` [B]."""
        which = np.asarray(which, dtype=bool)
        self.episode = self.episode + which
        worlds = [(int(self.seeds[e]), int(self.episode[e])) for e in np.flatnonzero(which)]
        fresh = draw(self.network, self.periods, worlds)
        if which.all() or self._traces is None:
            self._traces = fresh
        else:
            self._traces.table[..., which] = fresh.table
        self.clock[which] = 0
        self._world.begin(which)

    def step(self, vectors: np.ndarray) -> np.ndarray:
        """Run one period with action vectors [B, K]; return rewards [B].

        Raises
        ------
        InputError
            Before `reset`, in an environment whose episode has ended, or for a vector that cannot be used.
        """
        traces = self._episodes
        vectors = np.asarray(vectors, np.float64, order="C")
        self._examine_shape("action", vectors)
        return self._world.step(vectors, traces)

    def play(self, policy: Acts) -> None:
        """Run all episodes to their end under a policy; one of rules runs in compiled code where that is at hand."""
        rules = policy if isinstance(policy, Rules) else getattr(policy, "rules", None)
        if isinstance(rules, Rules) and not self.clock.any():
            self._world.play(rules, self._episodes)
        while not self.ended.all():
            vectors = np.asarray(policy.act(self.view()))
            self._examine_shape("policy.act", vectors)
            self.step(self.space.from_physical(vectors))

    def _examine_shape(self, field: str, vectors: np.ndarray) -> None:
        """Refuse action vectors that are not [B, K]."""
        if vectors.shape != self._shape:
            entries = reprlib.repr(list(self.space.names))
            raise InputError(
                field,
                f"shape {list(vectors.shape)} does not fit; give {list(self._shape)}, one entry for each of {entries}",
            )

    @property
    def _episodes(self) -> Traces:
        """Traces of the episodes under way."""
        if self._traces is None:
            raise InputError("reset", "not called yet; call reset(seed) first")
        return self._traces

    def observe(self) -> np.ndarray:
        """Return the observations of now, [B, D] float32."""
        return self._world.observe(self._episodes, self.view)

    def view(self) -> View:
        """Return what may be known now."""
        return self._view(self._world.known)

    def live_view(self) -> View:
        """Return how things are now, even where stages report late."""
        return self._view(Report(self._world.state, self._world.flows.demand[list(self.network.markets)]))

    def _view(self, known: Report) -> View:
        traces = self._episodes
        now = np.minimum(self.clock, len(traces.forecast) - 1)
        forecast = at_clock(traces.forecast, now)
        available = None if traces.available is None else at_clock(traces.available, now)
        booked = None if traces.booked is None else at_clock(traces.booked, now)
        return View(self.network, known.state, self.periods, self.seeds, known.last_demand, forecast, available, booked)

    @property
    def ended(self) -> np.ndarray:
        """Whether each environment's episode is over, [B]."""
        return self.clock >= self.periods

    @property
    def flows(self) -> dynamics.Flows:
        """The last period's flows; read them before the next step."""
        return self._world.flows

    @property
    def money(self) -> np.ndarray:
        """The last period's cost by term, then its revenue, [terms + 1, B]; read it before the next step."""
        return self._world.money

    @property
    def costs(self) -> dict[str, np.ndarray]:
        """The last period's cost by term, [B] each."""
        return dict(zip(self.network.cost_terms, self.money, strict=False))

    @property
    def revenue(self) -> np.ndarray:
        """The last period's revenue, [B]."""
        return self.money[-1]

    @property
    def totals(self) -> accounting.Totals:
        """Sums of the episodes so far."""
        return self._world.totals

    @property
    def kpi_names(self) -> tuple[str, ...]:
        """Name every KPI, those of forecasts last."""
        return (*self._kpis.names, *accounting.FORECAST_KPIS)

    def kpis(self) -> dict[str, np.ndarray]:
        """Return the KPIs of each episode so far, those of its forecasts included, [B] each."""
        traces, period = self._episodes, np.arange(self.periods)[:, None]
        counted = (period >= self.network.warm_up) & (period < self.clock)
        foreseen = accounting.forecast_kpis(traces.demand, traces.forecast[:, 0], counted)
        return {**self._kpis(self.totals), **foreseen}
