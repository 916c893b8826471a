"""Where push ends and pull begins in a network, where else it could, and what that means for customers and stocks.

Every stage is in a zone: ``push`` if the agent releases all its sources, ``pull`` if orders trigger all of them,
``mixed`` otherwise. Where material only moves from push to mixed to pull, the decoupling point is a line between zones.
`boundaries` lists the decoupling points that a network can have; `stock_zones` says which stocks lie before, at and
behind the one it has, and `production_to_delivery` whether customers will wait for what happens behind it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pushpull.envs.network import ALL_PULL, ALL_PUSH, SEQUENCES, Network, Source

ZONES = ("push", "mixed", "pull")


def stage_zones(network: Network) -> tuple[str, ...]:
    """Return the zone of each stage, [N]."""
    modes = [{network.modes[j] for j in sources} for sources in network.sources_of]
    return tuple(mode.pop() if len(mode) == 1 else "mixed" for mode in modes)


def zones_in_order(network: Network) -> bool:
    """Whether material only moves from push to mixed to pull."""
    rank = [ZONES.index(zone) for zone in stage_zones(network)]
    return all(rank[m] <= rank[i] for j, i in enumerate(network.source_stage) for m, _ in network.inputs[j])


def decoupling_points(network: Network) -> tuple[str, ...]:
    """Return the stages up to which the network pushes, whatever it states: pull draws on their stock.

    ``supply`` where no stage only pushes, ``market`` where all do.
    """
    zones = stage_zones(network)
    if "push" not in zones:
        return (ALL_PULL,)
    if set(zones) == {"push"}:
        return (ALL_PUSH,)
    return tuple(
        name
        for i, name in enumerate(network.stage_names)
        if zones[i] == "push" and (i in network.markets or any(network.modes[j] != "push" for j in network.users_of[i]))
    )


def decoupling_lines(network: Network) -> dict[str, str]:
    """Return the zones (or ``market``) before which push ends, with words for the line; none where zones alternate.

    A mixed zone has a line at both ends: its policy decides where between them push ends.
    """
    if not zones_in_order(network):
        return {}
    present = [zone for zone in ZONES if zone in stage_zones(network)] + [ALL_PUSH]
    if "mixed" in present:
        return {"mixed": "decoupling point from here", present[present.index("mixed") + 1]: "to here"}
    return {next(zone for zone in present if zone != "push"): "decoupling point"}


def reading_order(network: Network) -> tuple[int, ...]:
    """Return stage indices upstream first, zone by zone where zones are in order."""
    if not zones_in_order(network):
        return network.stage_order
    zones = stage_zones(network)
    return tuple(sorted(network.stage_order, key=lambda i: ZONES.index(zones[i])))


# --- every boundary ---------------------------------------------------------------------------------------------------


def boundaries(network: Network) -> tuple[tuple[str, ...], ...]:
    """Return the decoupling points that a network can have, all-pull first and all-push last.

    They are ``supply``, each stage alone, all stages equally far from the market (the points of several product
    families, or of the parts of one product), what the network states itself, and ``market``; of those that push the
    same sources one, fewest pushing stages first.
    """
    away = stages_to_market(network)
    levels = [[name for name, steps in zip(network.stage_names, away, strict=True) if steps == k] for k in set(away)]
    stated = network.decoupling_point if set(network.decoupling_point or ()) <= set(network.stages) else None
    points = [(ALL_PULL,), (ALL_PUSH,), *((network.stage_names[i],) for i in network.stage_order)]
    points += [point for point in (stated, *map(tuple, levels)) if point]
    movable = {name for name, stage in network.stages.items() if any(source.mode is None for source in stage.sources)}
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for point in points:
        found.setdefault(frozenset(network.pushing_stages(point) & movable), point)
    return tuple(found[pushing] for pushing in sorted(found, key=len))


def stages_to_market(network: Network) -> list[int]:
    """Return how many stages each stage has behind it on its longest way to a market, [N]."""
    away = [0] * len(network.stages)
    for i in reversed(network.stage_order):
        away[i] = max((1 + away[network.source_stage[j]] for j in network.users_of[i]), default=0)
    return away


def unmixed(network: Network) -> Network:
    """Return the network with its mixed sources left to a decoupling point, all pull for now, and all others held."""

    def settled(source: Source, mode: str) -> Source:
        if mode == "push" and source.order_delay:
            return replace(source, mode=mode, order_delay=0)  # a release has no order to delay
        return replace(source, mode=None if mode == "mixed" else mode)

    stages = {
        name: replace(
            stage, sources=tuple(settled(network.sources[j], network.modes[j]) for j in network.sources_of[i])
        )
        for i, (name, stage) in enumerate(network.stages.items())
    }
    return replace(network, stages=stages, decoupling_point=(ALL_PULL,))


# --- what a boundary means --------------------------------------------------------------------------------------------

PLACES = ("upstream", "at", "downstream")


def stock_zones(network: Network) -> tuple[str, ...]:
    """Return where each stage's stock lies from the decoupling point: one of `PLACES`, [N].

    At it are pushed stages on whose stock orders or customers draw, and mixed ones, within which it may move; before it
    are the other pushed ones; behind it is all that is pulled.
    """
    points = decoupling_points(network)
    sold = {network.stage_names[i] for i in network.markets}
    drawn = sold if points == (ALL_PUSH,) else set(points)
    return tuple(
        "downstream" if zone == "pull" else "at" if zone == "mixed" or name in drawn else "upstream"
        for name, zone in zip(network.stage_names, stage_zones(network), strict=True)
    )


def production_times(network: Network) -> np.ndarray:
    """Return how long each market's order takes from the decoupling point, [M], in periods.

    It is the longest sum of lead times and order delays along sources that pull, 0 where the customer buys from stock
    that is pushed, and one period more where orders are placed before the period's demand. Where a source is mixed the
    decoupling point is not known beforehand, and neither is the time: NaN.
    """
    since = np.zeros(len(network.stages))
    for i in network.stage_order:
        ways = [0.0]
        for j in network.sources_of[i]:
            if network.modes[j] != "push":
                before = max((since[m] for m, _ in network.inputs[j]), default=0.0)
                ways.append(before + network.sources[j].planned_lead_time + network.order_delays[j])
            if network.modes[j] == "mixed":
                ways.append(np.nan)
        since[i] = np.max(ways)
    late = network.sequence == SEQUENCES["pull_before_demand"]
    waits = [any(network.modes[j] != "push" for j in network.sources_of[i]) for i in network.markets]
    return since[list(network.markets)] + late * np.array(waits)


def production_to_delivery(network: Network) -> np.ndarray:
    """Return the P:D ratio of each market, [M]: production time over the time its customers tolerate.

    Above 1 customers will not wait for what happens behind the decoupling point, so it has to move towards them. NaN
    where no tolerance is stated. Source: Hoekstra & Romme (1992), Integral Logistic Structures.
    """
    times = production_times(network)
    tolerated = np.array([np.nan if m.tolerance is None else m.tolerance for m in network.markets.values()])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((times == 0) & (tolerated == 0), 0.0, times / tolerated)
