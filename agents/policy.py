"""Policies and control systems that can be made by name, and the agents that comparisons are made of.

A policy is made for one network and maps a view to actions. An environment gets the same action alone as in a batch: a
policy keeps nothing between calls or, if it learns from what it has seen, remembers each environment by itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pushpull.agents import (
    assembly,
    behaviour,
    cards,
    dual_index,
    heuristics,
    lost_sales_heuristics,
    lot_sizing,
    planning,
    quick_response,
    reorder_systems,
)
from pushpull.agents.ddmrp import ddmrp
from pushpull.agents.drum_buffer_rope import drum_buffer_rope
from pushpull.agents.sales_operations import SalesOperations
from pushpull.agents.system import System
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
    "sales_operations": SalesOperations,
    "capped_base_stock": lost_sales_heuristics.CappedBaseStock,
    "constant_order": lost_sales_heuristics.ConstantOrder,
    "myopic1": lost_sales_heuristics.Myopic1,
    "myopic2": lost_sales_heuristics.Myopic2,
    "dual_index": dual_index.DualIndex,
    "capped_dual_index": dual_index.CappedDualIndex,
    "tailored_base_surge": dual_index.TailoredBaseSurge,
    "balanced_base_stock": assembly.BalancedBaseStock,
    "sterman": behaviour.Sterman,
    "quick_response": quick_response.QuickResponse,
    "mrp_lot_for_lot": lot_sizing.LotForLot,
    "mrp_silver_meal": lot_sizing.SilverMeal,
    "mrp_wagner_whitin": lot_sizing.WagnerWhitin,
}

# Control systems: a network that they turn into their own, and a policy that runs them there.
SYSTEMS: dict[str, Callable[..., System]] = {
    "kanban": cards.kanban,
    "extended_kanban": cards.extended_kanban,
    "echelon_kanban": cards.echelon_kanban,
    "conwip": cards.conwip,
    "polca": cards.polca,
    "drum_buffer_rope": drum_buffer_rope,
    "ddmrp": ddmrp,
    "installation_base_stock": reorder_systems.installation_base_stock,
    "echelon_base_stock": reorder_systems.echelon_base_stock,
    "r_Q": reorder_systems.fixed_lots,
    "mto_mts": reorder_systems.make_to_order_or_stock,
    "vmi": reorder_systems.vendor_managed,
}

# An agent is a policy or a system, and where it decouples the chain; None: where the network says. Sources that state
# their own mode keep it, unless a system changes it.
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
    "sales_operations": ("sales_operations", None),
    **{name: (name, None) for name in ("dlp_rolling", "dlp_shrinking", "mssp_rolling", "mssp_shrinking")},
    **{name: (name, None) for name in ("capped_base_stock", "constant_order", "myopic1", "myopic2")},
    **{name: (name, None) for name in ("dual_index", "capped_dual_index", "tailored_base_surge")},
    **{name: (name, None) for name in ("balanced_base_stock", "sterman", "quick_response")},
    **{name: (name, ALL_PUSH) for name in ("mrp_lot_for_lot", "mrp_silver_meal", "mrp_wagner_whitin")},
    **{name: (name, ALL_PULL) for name in SYSTEMS},
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
    if name in SYSTEMS:
        raise InputError(
            "policy",
            f"{name!r} is a system, which changes the network too; call make_agent, which returns both",
        )
    if name not in POLICIES:
        raise InputError("policy", f"{name!r} is unknown; {suggest(name, [*POLICIES, *SYSTEMS])}")
    return _made(name, POLICIES[name], load_network(network), parameters)


def make_agent(name: str, network: str | Path | Mapping[str, Any] | Network, **parameters: Any) -> System:
    """Make a policy or a control system for a network.

    Parameters
    ----------
    name : str
        One of `POLICIES` or `SYSTEMS`.
    network : str, Path, mapping or Network
        What `load_network` takes.
    **parameters
        Parameters of the policy or system; one that is None or left out is derived from the network.

    Returns
    -------
    System
        The network to be played, which is the one given unless a system changes it, and the policy.

    Raises
    ------
    InputError
        As `make_policy`, and where a network does not suit a system.
    """
    chain = load_network(network)
    if name in SYSTEMS:
        return _made(name, SYSTEMS[name], chain, parameters)
    return System(chain, make_policy(name, chain, **parameters))


def _made(name: str, make: Callable[..., Any], network: Network, parameters: Mapping[str, Any]) -> Any:
    """Call a function with parameters that it knows."""
    known = [key for key in inspect.signature(make).parameters if key != "network"]
    for key in parameters:
        if key not in known:
            hint = suggest(key, known) if known else f"{name} takes none"
            raise InputError(key, f"unknown parameter of policy {name}; {hint}")
    return make(network, **parameters)
