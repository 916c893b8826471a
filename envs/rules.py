"""Policies that compiled code can run: constant numbers, and releases up to a level.

With the lot rules of pull sources, constant thresholds are base-stock, (s, S), (r, nQ) and echelon policies alike;
a constant quantity is the constant-order policy, and a push source released up to a level is base-stock by pushing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pushpull.envs.actions import ActionSpace
from pushpull.envs.checks import InputError, number, suggest
from pushpull.envs.network import Network
from pushpull.envs.observations import View


class Rules:
    """Set every action entry by one rule, the same in all periods.

    Parameters
    ----------
    network : Network
        The chain.
    levels : mapping of str to float
        Units of each action entry by its name, such as ``phone.pull_threshold``. An entry left out is 0.
    up_to : mapping of str to float or (float, float), optional
        By the name of a push quantity: the level S to which the source's position is lifted in every period, or
        (s, S): only when the position is at or below s. The position is the one the source's `basis` names.

    Raises
    ------
    InputError
        For an entry that does not exist, or stands in both mappings, or for a level that is no number.
    """

    def __init__(
        self,
        network: Network,
        levels: Mapping[str, float],
        up_to: Mapping[str, float | tuple[float, float]] | None = None,
    ):
        self.network = network
        self._space = ActionSpace(network)
        names = self._space.names
        self.released = np.zeros(len(names), dtype=np.int64)
        self.levels = np.zeros((2, len(names)))
        for name, units in levels.items():
            self._check(f"levels.{name}", name, names)
            self.levels[:, names.index(name)] = number()(f"levels.{name}", units)
        for name, given in (up_to or {}).items():
            self._check(f"up_to.{name}", name, [entry for entry in names if entry.endswith(".push_quantity")])
            if name in levels:
                raise InputError(f"up_to.{name}", "stands in levels too; give one of them")
            reorder, level = given if isinstance(given, (tuple, list)) else (np.inf, given)
            self.levels[:, names.index(name)] = (
                number(infinite=True)(f"up_to.{name}", reorder),
                number()(f"up_to.{name}", level),
            )
            self.released[names.index(name)] = 1

    @staticmethod
    def _check(field: str, name: str, names: list[str] | tuple[str, ...]) -> None:
        if name not in names:
            raise InputError(field, f"no such action entry; {suggest(name, names)}")

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units."""
        network = self.network
        actions = np.repeat(self.levels[1][None], len(view.period), axis=0)
        requested = np.zeros_like(view.on_hand)
        for k in np.flatnonzero(self.released):
            j = self._space.entries[k][0]
            i = network.source_stage[j]
            positions = view.inventory_position + requested
            weights = network.requirements[i] if network.sources[j].basis == "echelon" else np.eye(len(positions))[i]
            position = weights @ positions
            lift = np.where(position <= self.levels[0, k], np.maximum(self.levels[1, k] - position, 0.0), 0.0)
            actions[:, k] = lift
            requested[i] += lift
        return actions
