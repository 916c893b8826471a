"""Policies: the protocol, the ones that can be made by name, and the agents that comparisons are made of.

A policy is made for one network and maps a view to actions. It keeps nothing between calls, so that an environment gets
the same action alone as in a batch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pushpull.agents import heuristics, planning
from pushpull.envs.checks import InputError, suggest
from pushpull.envs.library import load_network
from pushpull.envs.network import ALL_PULL, ALL_PUSH, Network
from pushpull.envs.observations import View


class Policy(Protocol):
    """Anything that decides."""

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units, entries in the order of ``ActionSpace(network).entries``."""
        ...


def optimal_policy(network: Network) -> Policy:
    """Return the policy of the exact optimum; see `pushpull.agents.optimal` for the networks that have one."""
    from pushpull.agents.optimal import solve  # compiles; only those who ask for it wait

    return solve(network).policy


POLICIES: dict[str, Callable[..., Policy]] = {
    "random": heuristics.Random,
    "constant": heuristics.Constant,
    "base_stock": heuristics.BaseStock,
    "s_S": heuristics.ReorderPoint,
    "forecast_push": heuristics.ForecastPush,
    "push_pull": heuristics.PushPull,
    "optimal": optimal_policy,
    "dlp_rolling": planning.DeterministicRolling,
    "dlp_shrinking": planning.DeterministicShrinking,
    "mssp_rolling": planning.StochasticRolling,
    "mssp_shrinking": planning.StochasticShrinking,
}

# An agent is a policy and where it decouples the chain; None: where the network says. Sources that state their own
# mode keep it.
AGENTS: dict[str, tuple[str, str | None]] = {
    "random": ("random", None),
    "constant": ("constant", None),
    "base_stock": ("base_stock", None),
    "s_S": ("s_S", None),
    "forecast_push": ("forecast_push", None),
    "pure_push": ("forecast_push", ALL_PUSH),
    "pure_pull": ("base_stock", ALL_PULL),
    "push_pull": ("push_pull", None),
    "optimal": ("optimal", None),
    **{name: (name, None) for name in ("dlp_rolling", "dlp_shrinking", "mssp_rolling", "mssp_shrinking")},
}


def make_policy(name: str, network: str | Path | Mapping[str, Any] | Network, **parameters: Any) -> Policy:
    """Make a policy for a network.

    Parameters
    ----------
    name : str
        One of `POLICIES`.
    network : str, Path, mapping or Network
        What `load_network` takes, decoupled where the policy will act.
    **parameters
        Parameters of the policy; one that is None or left out is derived from the network.

    Returns
    -------
    Policy

    Raises
    ------
    InputError
        For an unknown name or parameter, with the nearest that are known, or a value that cannot be used.
    """
    if name not in POLICIES:
        raise InputError("policy", f"{name!r} is unknown; {suggest(name, POLICIES)}")
    known = [key for key in inspect.signature(POLICIES[name]).parameters if key != "network"]
    for key in parameters:
        if key not in known:
            hint = suggest(key, known) if known else f"{name} takes none"
            raise InputError(key, f"unknown parameter of policy {name}; {hint}")
    return POLICIES[name](load_network(network), **parameters)
