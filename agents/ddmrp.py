"""Demand-driven replenishment (DDMRP): buffers with a red, a yellow and a green zone, and orders by the net flow.

Ptak & Smith (2016), Demand Driven Material Requirements Planning, chapters 7 to 9. With average daily usage ADU and the
decoupled lead time DLT of a buffer, a lead time factor LTF and a variability factor VF,

- yellow = ADU x DLT, what is used while an order is under way
- red    = ADU x DLT x LTF x (1 + VF), the safety that it is not enough
- green  = the largest of ADU x DLT x LTF, a minimum order and ADU x the order cycle: how large and often orders are
- net flow = on hand + on order - qualified demand: what is due or overdue, and large orders that are booked (spikes)
- where the net flow is at or below the top of yellow, order up to the top of green

That is an (s, S) rule whose s and S move with usage. `ddmrp` gives it to a network: the lot rule `s_S`, the
installation position as net flow, `spikes` where customers order ahead. ADU follows the forecast: a moving average is
the usage of the past, a forecast with a longer horizon looks forward; where there is none it is mean demand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pushpull.agents.system import System, by_stage, pulled
from pushpull.envs import families
from pushpull.envs.actions import ActionSpace
from pushpull.envs.bounds import demand_rates
from pushpull.envs.checks import InputError, number, suggest
from pushpull.envs.network import Lot, Network, Spikes
from pushpull.envs.observations import View

_share = number(0, 1)


def ddmrp(
    network: Network,
    lead_time_factor: Mapping[str, float] | float = 0.5,
    variability_factor: Mapping[str, float] | float = 0.5,
    minimum_order: Mapping[str, float] | float | None = None,
    buffers: Sequence[str] | None = None,
    spike_share: float = 0.5,
) -> System:
    """Return the network with demand-driven buffers and the policy that sizes them anew in every period.

    Parameters
    ----------
    network : Network
        Each stage has one source.
    lead_time_factor, variability_factor : float or mapping of str to float
        LTF and VF, of all stages or by stage (0.5 for the others), from 0 to 1. Ptak & Smith take an LTF of 0.2 to 0.4
        for long, to 0.6 for medium and to 1 for short lead times, and a VF up to 0.4, 0.6 and 1 for low, medium and
        high variability.
    minimum_order : float or mapping of str to float, optional
        Units; by default the lot Q of sources that order lots (`r_nQ`), and none for others.
    buffers : sequence of str, optional
        Stages that keep a buffer; by default all. The others order what is ordered from them, and their lead times
        belong to the stages that they supply.
    spike_share : float
        A booked order counts from this share of the red zone on, within the decoupled lead time. Red is that of mean
        demand here.

    Returns
    -------
    System

    Raises
    ------
    InputError
        For a stage that is none or has several sources, or a factor out of range.
    """
    names = list(network.stages)
    kept = names if buffers is None else list(buffers)
    for k, name in enumerate(kept):
        if name not in names:
            raise InputError(f"buffers[{k}]", f"{name!r} is no stage; {suggest(name, names)}")
    half = dict.fromkeys(names, 0.5)
    factors = half | by_stage("lead_time_factor", lead_time_factor, names, _share)
    spread = half | by_stage("variability_factor", variability_factor, names, _share)
    lots = {name: stage.sources[0].lot.Q or 0.0 for name, stage in network.stages.items()}
    least = lots | by_stage("minimum_order", minimum_order, names)
    times = decoupled_lead_times(network, kept)
    cycles = [stage.sources[0].review_period for stage in network.stages.values()]
    buffered = Buffers(
        times * np.isin(names, kept),
        np.array([factors[name] for name in names]),
        np.array([spread[name] for name in names]),
        np.array([least[name] if name in kept else 0.0 for name in names]),
        np.array([cycle if cycle > 1 and name in kept else 0.0 for cycle, name in zip(cycles, names, strict=True)]),
    )
    red = buffered.zones(demand_rates(network)[:, None]).red[:, 0] * _share("spike_share", spike_share)
    changes: dict[str, dict] = {name: {"lot": Lot(rule="s_S")} for name in names}
    for i, market in network.markets.items():
        if market.order_lead is not None and red[i] > 0:
            changes[names[i]]["spikes"] = Spikes(max(1, int(times[i])), float(red[i]))
    own = pulled(network, "DDMRP", changes)
    return System(own, DemandDriven(own, buffered))


class Zones(NamedTuple):
    """The sizes of a buffer's zones, in units."""

    red: np.ndarray
    yellow: np.ndarray
    green: np.ndarray

    @property
    def tops(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The tops of red, yellow and green."""
        return self.red, self.red + self.yellow, self.red + self.yellow + self.green

    def order(self, net_flow: np.ndarray) -> np.ndarray:
        """Return what is ordered at a net flow."""
        _, yellow, green = self.tops
        return np.where(net_flow <= yellow, green - net_flow, 0.0)


class Buffers(NamedTuple):
    """What sizes the buffers of stages, [N] each: DLT, LTF, VF, minimum order and order cycle."""

    decoupled_lead_time: np.ndarray
    lead_time_factor: np.ndarray
    variability_factor: np.ndarray
    minimum_order: np.ndarray
    order_cycle: np.ndarray

    def zones(self, usage: np.ndarray) -> Zones:
        """Return the zones for average daily usage [N, B]."""
        time, factor, spread, least, cycle = (np.asarray(part, dtype=float)[:, None] for part in self)
        yellow = usage * time
        green = np.maximum(np.maximum(yellow * factor, least), usage * cycle)
        return Zones(yellow * factor * (1 + spread), yellow, green)


def decoupled_lead_times(network: Network, buffers: Sequence[str]) -> np.ndarray:
    """Return the decoupled lead time of each stage, [N]: the longest way of an order from the last buffers before it.

    Where orders precede demand, a period is added to that of a buffer: the first one that its order does not see.
    """
    late = network.sequence.index("pull") < network.sequence.index("demand")
    way = np.zeros(len(network.stages))
    for i in network.stage_order:
        for j in network.sources_of[i]:
            before = [way[m] for m, _ in network.inputs[j] if network.stage_names[m] not in buffers]
            own = network.sources[j].planned_lead_time + network.sources[j].order_delay
            way[i] = max(way[i], own + max(before, default=0.0))
    return way + late * np.isin(network.stage_names, buffers)


class DemandDriven:
    """Order up to the top of green at or below the top of yellow, with zones sized by the usage now foreseen."""

    def __init__(self, network: Network, buffers: Buffers):
        self.network, self.buffers = network, buffers
        entries = ActionSpace(network).entries
        self._threshold, self._gap = (
            [k for k, (_, column) in enumerate(entries) if column == own] for own in ("threshold", "gap")
        )
        self._needs = network.requirements[:, list(network.markets)]
        self._means = [
            float(families.mean(families.market_demand(network, i), network.units, network.horizon).mean())
            for i in network.markets
        ]
        self._width = len(entries)

    def usage(self, view: View) -> np.ndarray:
        """Return average daily usage of each stage, [N, B], in units of its item."""
        sold = np.empty((len(self._means), len(view.period)))
        for m, market in enumerate(self.network.markets.values()):
            foreseen = view.forecast[: market.forecast.horizon, m].mean(axis=0)
            sold[m] = self._means[m] if market.forecast.kind == "none" else np.maximum(foreseen, 0.0)
        return np.stack([(row[:, None] * sold).sum(axis=0) for row in self._needs])

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units: the top of yellow, and green above it."""
        _, yellow, green = self.buffers.zones(self.usage(view)).tops
        if self.network.units == "integer":
            yellow, green = np.rint(yellow), np.rint(green)
        rows = list(self.network.source_stage)
        actions = np.zeros((len(view.period), self._width))
        actions[:, self._threshold], actions[:, self._gap] = yellow[rows].T, (green - yellow)[rows].T
        return actions
