"""From levels to actions: the orders that lift positions to levels, and the columns of the action that place them.

A push source releases what lifts its position to the level, as far as capacity and the stock of its inputs allow. A
pull source holds the level as its threshold; where its rule cannot hold back until the reorder point, the threshold is
minus infinity until an order is due.

Several sources of one stage claim its need one after the other, what arrives first before the rest, each up to its own
level: the fast one what the others will not bring in its own, shorter time, the next what is left of theirs (the
dual-index policy of Veeraraghavan & Scheller-Wolf 2008, Operations Research 56(4)). So nothing is ordered twice.
"""

from __future__ import annotations

import numpy as np

from pushpull.agents.exposure import arrival, claim_order
from pushpull.agents.levels import Levels, stages_counted
from pushpull.envs.bounds import demand_rates
from pushpull.envs.network import Network
from pushpull.envs.observations import View


class Replenishment:
    """The action columns that replenish a network.

    Parameters
    ----------
    network : Network
        The chain.
    levels : Levels
        As what each source decides and when, which position it compares, and its gap.
    """

    def __init__(self, network: Network, levels: Levels):
        self.network, self.levels = network, levels
        self._claims = [claim_order(network, i) for i in range(len(network.stages))]
        self._rates = demand_rates(network)
        self._counted = [stages_counted(network, j, basis) for j, basis in enumerate(levels.basis)]
        self._pushed = [j for i in network.stage_order for j in network.sources_of[i] if levels.modes[j] == "push"]
        self._received = network.sequence.index("receive") < network.sequence.index("push")
        self._withheld = [
            levels.modes[j] == "pull" and levels.gap[j] > 0 and source.lot.rule in ("base_stock", "smoothed")
            for j, source in enumerate(network.sources)
        ]
        self._planned = [
            any(len(claims) > 1 or levels.modes[j] == "push" or self._withheld[j] for j in claims)
            for claims in self._claims
        ]

    def __call__(self, view: View, order_up_to: np.ndarray) -> dict[str, np.ndarray]:
        """Return columns ``quantity``, ``threshold`` and ``gap``, [J, B] or [J, 1], for levels [J, B] or [J, 1]."""
        planned = np.zeros((len(order_up_to), len(view.period)))
        late = np.zeros_like(planned)
        for claims in (claims for claims, plan in zip(self._claims, self._planned, strict=True) if plan):
            self._claim(view, claims, order_up_to, planned, late)
        return {
            "quantity": self._releases(view, planned),
            "threshold": self._thresholds(order_up_to, planned, late),
            "gap": self.levels.gap[:, None],
        }

    # --- what each source should order now ------------------------------------------------------------------------

    def _claim(
        self, view: View, claims: list[int], order_up_to: np.ndarray, planned: np.ndarray, late: np.ndarray
    ) -> None:
        """Write what each source of a stage should order now, and the units that it cannot count on."""
        claimed: np.ndarray | float = 0.0
        for j in claims:
            source, levels = self.network.sources[j], self.levels
            late[j] = self._late(view, j, claims)
            unseen = self._rates[self.network.source_stage[j]] if levels.after_demand[j] else 0.0
            need = order_up_to[j] - (self._position(view, j) - late[j] + claimed - unseen)
            planned[j] = np.where(need >= levels.gap[j], np.maximum(0.0, need), 0.0)
            if levels.modes[j] == "push":
                planned[j] = np.minimum(planned[j], np.maximum(0.0, source.capacity - view.pending[j]))
            claimed = claimed + planned[j]

    def _position(self, view: View, j: int) -> np.ndarray:
        """Return the position that source j's level is meant for, [B]."""
        i = self.network.source_stage[j]
        if self.levels.basis[j] != "physical":
            echelon = self.levels.basis[j] == "echelon"
            return (view.echelon_inventory_position if echelon else view.inventory_position)[i]
        own = self.network.sources_of
        units = view.pending[own[i], :].sum(axis=0) + view.in_transit[own[i], :].sum(axis=0)
        for k in self._counted[j]:
            units = units + self.network.requirements[i, k] * (
                view.on_hand[k] + sum(view.in_process[s] for s in own[k])
            )
        return units

    def _late(self, view: View, j: int, sources: list[int]) -> np.ndarray | float:
        """Return the units on order from the stage's other sources that come later than an order of source j, [B].

        Of orders that wait, what capacity lets start in time is not late.
        """
        late: np.ndarray | float = 0.0
        for s in (s for s in sources if s != j):
            soon = arrival(self.network, j)
            starts = max(0, soon - self.network.sources[s].lead_time + 1)
            in_time = self.network.sources[s].capacity * starts if starts else 0.0
            waiting = np.maximum(0.0, view.pending[s] + view.in_transit[s] - in_time)
            late = late + view.pipeline[s][soon + 1 :].sum(axis=0) + waiting
        return late

    # --- how it orders that ----------------------------------------------------------------------------------------

    def _releases(self, view: View, planned: np.ndarray) -> np.ndarray:
        """Return releases [J, B]: those that are dropped unless they start are cut to what their inputs allow."""
        network, quantity = self.network, np.zeros_like(planned)
        quantity[self._pushed] = planned[self._pushed]
        if not any(network.inputs[j] for j in self._pushed):
            return quantity
        stock = list(view.on_hand)
        for j, i in enumerate(network.source_stage):
            if self._received:
                stock[i] = stock[i] + view.pipeline[j][0]
        need = [np.zeros(planned.shape[1])] * len(stock)
        for j in self._pushed:
            for m, units in network.inputs[j]:
                need[m] = need[m] + units * (quantity[j] + view.pending[j])
        for j in self._pushed:
            source, wanted = network.sources[j], quantity[j].copy()
            for m, units in network.inputs[j] if not source.carries else ():
                if network.allocation == "proportional":
                    scarce = need[m] > stock[m]
                    allowed = np.where(scarce, wanted * stock[m] / np.where(scarce, need[m], 1.0), wanted)
                else:
                    allowed = stock[m] / units
                quantity[j] = np.minimum(quantity[j], allowed)
            if network.units == "integer":
                quantity[j] = np.floor(quantity[j])
            for m, units in network.inputs[j] if network.allocation == "priority" else ():
                stock[m] = np.maximum(0.0, stock[m] - units * quantity[j])
            if self._received and source.lead_time == 0:
                stock[network.source_stage[j]] = stock[network.source_stage[j]] + quantity[j]
        return quantity

    def _thresholds(self, order_up_to: np.ndarray, planned: np.ndarray, late: np.ndarray) -> np.ndarray:
        """Return thresholds [J, B] that place the planned orders, and more where demand turns out higher.

        Releases come first, then triggers in order of declaration, each seeing what was ordered before it. So a source
        must not count what a slower one has just ordered, and must leave to a faster one behind it what that one wants.
        """
        threshold = np.full_like(planned, -np.inf)
        for claims in self._claims:
            for rank, j in enumerate(claims):
                if self.levels.modes[j] == "push":
                    continue
                own_lot = self.network.sources[j].lot.rule in ("s_S", "r_nQ")
                threshold[j] = order_up_to[j] - (self.levels.gap[j] if own_lot else 0.0) + late[j]
                for other, s in enumerate(claims):
                    ordered_before = s < j or self.levels.modes[s] == "push"
                    if other > rank and ordered_before:
                        threshold[j] += planned[s]
                    elif other < rank and not ordered_before:
                        threshold[j] -= planned[s]
                if self._withheld[j]:
                    threshold[j] = np.where(planned[j] > 0, threshold[j], -np.inf)
        return threshold
