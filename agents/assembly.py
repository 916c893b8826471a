"""Assembly: order a part only as far as the other parts will be there for it (Rosling 1989, Operations Research 37(4)).

A product of several parts needs all of them. What there will be of a slower part by the time an order of a quicker one
arrives is known, so more of the quicker one would only wait for it. The balanced echelon base-stock policy orders a
part up to its level, but to no more than that; in the long run it makes the assembly a line, where it is optimal. With
level 0 of the product it is assemble-to-order: parts are kept, and committed to a customer when an order comes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pushpull.agents.levels import order_levels
from pushpull.envs.checks import InputError, number, suggest
from pushpull.envs.network import Network
from pushpull.envs.observations import View

_LEVEL = number()


class BalancedBaseStock:
    """Keep echelon base-stock levels, cut to what the slower parts will allow.

    Parameters
    ----------
    network : Network
        One product that sells, made one to one of parts from outside; one source per stage, all of them pull before
        demand and compare echelon positions, as board ``assembly`` does.
    levels : mapping of str to float, optional
        Echelon levels by stage; by default near-optimal ones (Shang & Song 2003).
    """

    name = "balanced_base_stock"

    def __init__(self, network: Network, levels: Mapping[str, float] | None = None):
        self.network, names = network, network.stage_names
        ends = [i for i in network.markets if network.inputs[network.sources_of[i][0]]]
        if len(ends) != 1 or len(network.markets) > 1 or len(network.sources) > len(names):
            raise InputError(
                "network", f"{self.name} is for one product made of parts, with one source each, such as board assembly"
            )
        self._product, self._source = ends[0], [own[0] for own in network.sources_of]
        inputs = dict(network.inputs[self._source[self._product]])
        if len(inputs) < len(names) - 1 or set(inputs.values()) != {1.0}:
            raise InputError("network", f"{self.name} needs parts from outside, one of each in a product")
        before = network.sequence.index("pull") < network.sequence.index("demand")
        for i, j in enumerate(self._source):
            source, where = network.sources[j], f"stages.{names[i]}.sources[0]"
            if network.modes[j] != "pull" or not before:
                raise InputError(
                    "sequence",
                    f"{self.name} cuts orders by what it sees: pull (decoupling_point: supply) before demand, as in "
                    "[receive, push, pull, demand, ship]",
                )
            if source.basis != "echelon":
                raise InputError(f"{where}.basis", f"{source.basis}; {self.name} compares echelons: use echelon")
        self._wait = {i: network.sources[self._source[i]].planned_lead_time for i in inputs}
        if levels is None or len(levels) < len(names):
            derived = order_levels(network).order_up_to
            self.levels = {name: float(derived[j]) for name, j in zip(names, self._source, strict=True)}
        else:
            self.levels = {}
        for name, units in (levels or {}).items():
            if name not in names:
                raise InputError(f"levels.{name}", f"no stage of this name; {suggest(name, names)}")
            self.levels[name] = float(_LEVEL(f"levels.{name}", units))

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, J] in units."""
        names, product = self.network.stage_names, self._product
        actions = np.empty((len(view.period), len(names)))
        after = view.on_hand[product] + view.in_process[self._source[product]] - view.backorders[product]
        for i, j in enumerate(self._source):
            level = np.full(len(view.period), self.levels[names[i]])
            for slow, wait in self._wait.items():
                if i != product and wait > self._wait[i]:
                    due = view.pipeline[self._source[slow]][: self._wait[i] + 1].sum(axis=0)
                    level = np.minimum(level, view.on_hand[slow] + due + after)
            actions[:, j] = level
        return np.rint(actions) if self.network.units == "integer" else actions
