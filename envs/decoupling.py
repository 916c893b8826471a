"""Where push ends and pull begins in a network.

Every stage is in a zone: ``push`` if the agent releases all its sources, ``pull`` if orders trigger all of them,
``mixed`` otherwise. Where material only moves from push to mixed to pull, the decoupling point is a line between zones.
"""

from __future__ import annotations

from pushpull.envs.network import ALL_PULL, ALL_PUSH, Network

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
