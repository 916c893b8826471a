"""From levels to actions: the orders that lift positions to levels, and the columns of the action that place them.

A push source releases what lifts its position to the level, as far as capacity and the stock of its inputs allow. A
pull source holds the level as its threshold; where its rule cannot hold back until the reorder point, the threshold is
minus infinity until an order is due.

Several sources of one stage claim its need one after the other, what arrives first before the rest, each up to its own
level: the fast one what the others will not bring in its own, shorter time, the next what is left of theirs (the
dual-index policy of Veeraraghavan & Scheller-Wolf 2008, Operations Research 56(4)). So nothing is ordered twice. One
that is closed for the period claims nothing; that a cheap one will close again makes nobody buy ahead.
"""

from __future__ import annotations

from collections.abc import Iterable

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
        claims = [claim_order(network, i) for i in range(len(network.stages))]
        self._alternatives = [own for own in claims if len(own) > 1]
        closing = [source.disruption is not None and source.disruption.closes for source in network.sources]
        self._closing = [j for own in self._alternatives for j in own if closing[j]]
        self._counted = [stages_counted(network, j, basis) for j, basis in enumerate(levels.basis)]
        self._stage = np.array(network.source_stage)
        self._echelon = np.array([basis == "echelon" for basis in levels.basis])[:, None]
        self._pushes = np.array([mode == "push" for mode in levels.modes])[:, None]
        self._pushed = [j for i in network.stage_order for j in network.sources_of[i] if levels.modes[j] == "push"]
        self._drawn = sorted({m for j in self._pushed for m, _ in network.inputs[j]})
        self._received = network.sequence.index("receive") < network.sequence.index("push")
        self._unseen = np.where(levels.after_demand, demand_rates(network)[self._stage], 0.0)[:, None]
        self._yield = np.array([source.mean_yield for source in network.sources])[:, None]
        sources = zip(network.sources, levels.modes, strict=True)
        most = [source.full_capacity if mode == "push" else source.max_order for source, mode in sources]
        self._capacity = np.array(most)[:, None]
        rules = [source.lot.rule for source in network.sources]
        gap = self._gap = levels.gap[:, None]
        own_lot = np.isin(rules, ("s_S", "r_nQ"))[:, None]
        self._below = np.where(own_lot, gap, 0.0)
        self._withheld = ~self._pushes & ~own_lot & (gap > 0)
        self.static = not (self._pushed or self._alternatives or self._withheld.any())

    def __call__(self, view: View, order_up_to: np.ndarray) -> dict[str, np.ndarray]:
        """Return columns ``quantity``, ``threshold`` and ``gap``, [J, B] or [J, 1], for levels [J, B] or [J, 1]."""
        if self.static:
            return self.held(order_up_to)
        threshold = order_up_to - self._below
        need = order_up_to - self._position(view) + self._unseen
        planned = self._planned(view, slice(None), need)
        for claims in self._alternatives:
            late = self._claim(view, claims, need, planned)
            threshold = self._live(claims, threshold, planned, late)
        threshold = np.where(self._pushes | (self._withheld & (planned <= 0)), -np.inf, threshold)
        for j in self._closing:
            threshold[j] = np.where(view.available[j] > 0, threshold[j], -np.inf)
        return {
            "quantity": self._releases(view, np.where(self._pushes, planned, 0.0) / self._yield),
            "threshold": threshold,
            "gap": self._gap,
        }

    def held(self, order_up_to: np.ndarray) -> dict[str, np.ndarray]:
        """Return the columns of a network where all sources pull and none holds back: thresholds, whatever is seen."""
        threshold = order_up_to - self._below
        return {"quantity": np.zeros_like(threshold), "threshold": threshold, "gap": self._gap}

    # --- what each source should order now ------------------------------------------------------------------------

    def _planned(self, view: View, j: int | slice, need: np.ndarray) -> np.ndarray:
        """Return what sources order for a need: nothing above the reorder point, no more than they can."""
        planned = np.where(need >= self._gap[j], np.maximum(0.0, need), 0.0)
        return np.minimum(planned, np.maximum(0.0, self._capacity[j] - view.pending[j]))

    def _claim(self, view: View, claims: list[int], need: np.ndarray, planned: np.ndarray) -> np.ndarray:
        """Plan the sources of one stage one after the other; return what each cannot count on, [claims, B]."""
        late = np.stack([self._late(view, j, claims) for j in claims])
        claimed = 0.0
        for rank, j in enumerate(claims):
            planned[j] = self._planned(view, j, need[j] + late[rank] - claimed)
            if j in self._closing:
                planned[j] = np.where(view.available[j] > 0, planned[j], 0.0)
            claimed = claimed + planned[j]
        return late

    def _position(self, view: View) -> np.ndarray:
        """Return the position that each source's level is meant for, [J, B]."""
        if self._echelon.all():
            return view.echelon_inventory_position[self._stage]
        position = view.inventory_position[self._stage]
        if self._echelon.any():
            position = np.where(self._echelon, view.echelon_inventory_position[self._stage], position)
        for j in (j for j, basis in enumerate(self.levels.basis) if basis == "physical"):
            position[j] = physical_position(view, self.network.source_stage[j], self._counted[j])
        return position

    def _late(self, view: View, j: int, claims: list[int]) -> np.ndarray:
        """Return the units on order from the stage's other sources that come later than an order of source j, [B].

        Of orders that wait, what capacity lets start in time is not late.
        """
        late, soon = np.zeros(len(view.period)), arrival(self.network, j)
        for s in (s for s in claims if s != j):
            source = self.network.sources[s]
            if source.lead_time > soon:
                late += view.pipeline[s][soon + 1 :].sum(axis=0)
            if self.levels.modes[s] == "pull" or source.carries:
                starts = max(0, soon - source.planned_lead_time + 1)
                in_time = source.full_capacity * starts if starts else 0.0
                late += np.maximum(0.0, view.pending[s] + view.in_transit[s] - in_time)
        return late

    # --- how it orders that ----------------------------------------------------------------------------------------

    def _releases(self, view: View, quantity: np.ndarray) -> np.ndarray:
        """Return releases [J, B]: those that are dropped unless they start are cut to what their inputs allow."""
        network, stock = self.network, list(view.on_hand)
        for s in (s for m in self._drawn for s in network.sources_of[m] if self._received):
            stock[network.source_stage[s]] = stock[network.source_stage[s]] + view.pipeline[s][0]
        need = [np.zeros(quantity.shape[1])] * len(stock)
        for j in self._pushed:
            for m, units in network.inputs[j]:
                need[m] = need[m] + units * (quantity[j] + view.pending[j])
        for j in self._pushed if self._drawn else ():
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

    def _live(self, claims: list[int], threshold: np.ndarray, planned: np.ndarray, late: np.ndarray) -> np.ndarray:
        """Return thresholds [J, B] that make the sources of one stage order as planned, and more if demand is higher.

        Releases come first, then triggers in order of declaration, each seeing what was ordered before it. So a source
        must not count what a slower one has just ordered, and must leave to a faster one behind it what that one wants.
        """
        threshold = threshold + np.zeros_like(planned)
        for rank, j in enumerate(claims):
            threshold[j] += late[rank]
            for other, s in enumerate(claims):
                ordered_before = s < j or self.levels.modes[s] == "push"
                if other > rank and ordered_before:
                    threshold[j] += planned[s]
                elif other < rank and not ordered_before:
                    threshold[j] -= planned[s]
        return threshold


def physical_position(view: View, i: int, stages: Iterable[int]) -> np.ndarray:
    """Return the units of stage i's item that exist over some stages, and its own waiting orders, [B]."""
    network, own = view.network, view.network.sources_of
    units = view.pending[own[i], :].sum(axis=0) + view.in_transit[own[i], :].sum(axis=0)
    for k in stages:
        units = units + network.requirements[i, k] * (view.on_hand[k] + sum(view.in_process[s] for s in own[k]))
    return units
