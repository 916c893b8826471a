"""What every control system is: a network that it turns into its own, and a policy that runs it there.

Practitioners name systems (kanban, CONWIP, demand-driven replenishment) that are partly a network, with its cards, the
positions that triggers compare and what pulls, and partly numbers that somebody sets. A function of a system takes a
network and returns both as a `System`; `pushpull.agents.SYSTEMS` lists them by name. Here is what they share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from pushpull.envs.checks import Check, InputError, number, suggest
from pushpull.envs.engine import Acts
from pushpull.envs.network import Network
from pushpull.envs.observations import View
from pushpull.envs.rules import Rules

_units = number(0)
_PLAIN: dict[str, Any] = {  # what a system says itself
    "mode": "pull",
    "shortfall": None,
    "basis": "installation",
    "over": None,
    "cards": None,
    "advance_position": 0,
    "spikes": None,
}


class System(NamedTuple):
    """A network under a control system, and the policy that runs it."""

    network: Network
    policy: Acts


def pulled(network: Network, system: str, changes: Mapping[str, Mapping[str, Any]]) -> Network:
    """Return the network with one plain pull source for each stage, and `changes` of it by stage.

    Plain is a trigger that compares the installation position and counts neither cards nor booked orders.

    Raises
    ------
    InputError
        Where a stage has several sources, or an order rule that leaves its cards no say.
    """
    stages = {}
    for name, stage in network.stages.items():
        source, *others = stage.sources
        if others:
            raise InputError(
                f"stages.{name}.sources",
                f"{len(stage.sources)} entries, but {system} replenishes a stage in one way; leave one source",
            )
        own = {**_PLAIN, **changes.get(name, {})}
        if source.lot.rule in ("s_S", "smoothed") and "lot" not in own:
            raise InputError(
                f"stages.{name}.sources[0].lot.rule",
                f"{source.lot.rule!r} orders less or more than {system} says; use base_stock, or r_nQ for containers",
            )
        try:
            stages[name] = replace(stage, sources=(replace(source, **own),))
        except InputError as error:
            raise error.within(f"stages.{name}.sources[0]") from None
    return replace(network, stages=stages)


def next_stages(network: Network, system: str) -> dict[str, str | None]:
    """Return the stage that each one goes into, None for the last; InputError where there are several."""
    found: dict[str, str | None] = {}
    for i, name in enumerate(network.stage_names):
        users = [network.stage_names[network.source_stage[j]] for j in network.users_of[i]]
        if len(users) > 1:
            raise InputError(f"stages.{name}", f"goes into {users}, but {system} needs one next stage; leave one user")
        found[name] = users[0] if users else None
    return found


def line(network: Network, system: str) -> list[str]:
    """Return the stages of a line, upstream first; InputError where the network is none."""
    for i, name in enumerate(network.stage_names):
        users, inputs = network.users_of[i], {m for j in network.sources_of[i] for m, _ in network.inputs[j]}
        if len(users) > 1 or len(inputs) > 1:
            raise InputError(
                f"stages.{name}",
                f"{len(inputs)} inputs and {len(users)} users, but {system} controls a line, of stages with one each",
            )
    if len(network.markets) > 1:
        raise InputError("stages", f"{len(network.markets)} lines of their own, but {system} controls one line")
    return [network.stage_names[i] for i in network.stage_order]


def downstream(network: Network, name: str) -> tuple[str, ...]:
    """Return a stage and all that its material goes into."""
    needs = network.requirements[network.stage_names.index(name)]
    return tuple(other for other, units in zip(network.stage_names, needs, strict=True) if units)


def by_stage(field: str, given: Any, names: Iterable[str], check: Check = _units) -> dict[str, Any]:
    """Return numbers by stage from a mapping that names some of them, or from one number for all."""
    names = list(names)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        return dict.fromkeys(names, check(field, given))
    for name in given:
        if name not in names:
            raise InputError(f"{field}.{name}", f"no such stage; {suggest(name, names)}")
    return {name: check(f"{field}.{name}", value) for name, value in given.items()}


def whole(network: Network, units: float) -> float:
    """Return a number of units that covers so many: rounded up where units are whole."""
    return float(np.ceil(units - 1e-9)) if network.units == "integer" else float(units)


def paces(network: Network) -> dict[str, float]:
    """Return the units sold in a period that the capacity of each stage of a line allows; infinite without one."""
    needs = network.requirements[:, next(iter(network.markets))].tolist()
    stages = zip(network.stages.items(), needs, strict=True)
    return {name: stage.sources[0].full_capacity / units for (name, stage), units in stages}


def content(network: Network, name: str, over: Iterable[str]) -> float:
    """Return the units of a stage's item that are in some stages and their pipelines at first."""
    needs, held = network.requirements[network.stage_names.index(name)].tolist(), 0.0
    for other in over:
        stage = network.stages[other]
        units = stage.initial_on_hand + sum(sum(source.initial_pipeline) for source in stage.sources)
        held += needs[network.stage_names.index(other)] * units
    return held


class Thresholds:
    """Hold thresholds by stage, of networks in which each stage has one source, which pulls.

    Parameters
    ----------
    network : Network
        The chain.
    levels : mapping of str to float
        Threshold of each stage's source.
    returns : callable, optional
        From a view and the levels [J, 1] to levels [J, B] that hold in this period; without it, levels never change.
    """

    def __init__(
        self,
        network: Network,
        levels: Mapping[str, float],
        returns: Callable[[View, np.ndarray], np.ndarray] | None = None,
    ):
        self.network, self._returns = network, returns
        self.levels = {name: levels[name] for name in network.stage_names}
        self._fixed = Rules(network, {f"{name}.pull_threshold": level for name, level in levels.items()})
        self._rows = np.array([[self.levels[name]] for name in network.stage_names], dtype=float)

    @property
    def rules(self) -> Rules | None:
        """The policy as rules for compiled code, where levels never change."""
        return self._fixed if self._returns is None else None

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units."""
        actions = self._fixed.act(view)
        if self._returns is not None:
            actions[:, : len(self._rows)] = self._returns(view, self._rows).T
        return actions
