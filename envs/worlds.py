"""What computes a batch of environments: `ArrayWorld` by the definition, or `CompiledWorld` by the kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from pushpull.envs import accounting, dynamics
from pushpull.envs.actions import ActionSpace
from pushpull.envs.array_world import ArrayWorld
from pushpull.envs.backends import resolve
from pushpull.envs.exogenous import Traces
from pushpull.envs.information import Report
from pushpull.envs.network import Network
from pushpull.envs.observations import Observation, View
from pushpull.envs.rules import Rules


class World(Protocol):
    """States, flows and totals of B environments.

    It shares the clock [B], the period each environment is in, with whoever made it, and moves it on.
    """

    @property
    def state(self) -> dynamics.State:
        """The states, in numpy."""
        ...

    @property
    def known(self) -> Report:
        """What may be known of the states and of the last demand, in numpy: where stages report late, what was."""
        ...

    @property
    def flows(self) -> dynamics.Flows:
        """The last period's flows; read them before the next step."""
        ...

    @property
    def money(self) -> np.ndarray:
        """The last period's cost by term, then its revenue, [terms + 1, B]; read it before the next step."""
        ...

    @property
    def totals(self) -> accounting.Totals:
        """Sums of the episodes so far."""
        ...

    def begin(self, which: np.ndarray) -> None:
        """Put the environments of the mask [B] into their initial state."""
        ...

    def step(self, vectors: np.ndarray, traces: Traces) -> np.ndarray:
        """Run one period with action vectors [B, K], move the clock on, return rewards [B]."""
        ...

    def play(self, rules: Rules, traces: Traces) -> None:
        """Run the episodes of the traces under a policy of rules, where the world can do so faster than by steps."""
        ...

    def observe(self, traces: Traces, view: Callable[[], View]) -> np.ndarray:
        """Return the observations of now, [B, D] float32."""
        ...


def make_world(
    network: Network,
    clock: np.ndarray,
    backend: str,
    dtype: str,
    space: ActionSpace,
    observation: Observation | None,
    weights: Mapping[str, float],
    disrupted: bool,
) -> World:
    """Return a world in its initial state; without an observation it cannot observe.

    `disrupted` says that the traces will tell which sources are available.
    """
    parts = (network, clock, dtype, space, observation, weights)
    if resolve(backend) != "numba":
        return ArrayWorld(*parts, backend=resolve(backend))
    from pushpull.envs.compiled_world import CompiledWorld

    return CompiledWorld(*parts, disrupted=disrupted)
