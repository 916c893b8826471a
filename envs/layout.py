"""Where push ends and pull begins in a network, and where its stages stand on a page.

Every stage is in a zone: ``push`` if the agent releases all its sources, ``pull`` if orders trigger all of them,
``mixed`` otherwise. Where the zones follow one another from supply to market, the decoupling point is a line between
them, and `reading_order` lists the stages on its two sides one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from pushpull.envs.network import ALL_PULL, ALL_PUSH, Network

ZONES = ("push", "mixed", "pull")


def stage_zones(network: Network) -> tuple[str, ...]:
    """Return the zone of each stage, [N]."""
    modes = [{network.modes[j] for j in sources} for sources in network.sources_of]
    return tuple(mode.pop() if len(mode) == 1 else "mixed" for mode in modes)


def zones_in_order(network: Network) -> bool:
    """Whether no stage pushes (or mixes) what a stage further on the side of pull has made."""
    rank = [ZONES.index(zone) for zone in stage_zones(network)]
    return all(
        rank[m] <= rank[i] for j, i in enumerate(network.source_stage) for m, _ in network.inputs[j]
    )


def decoupling_points(network: Network) -> tuple[str, ...]:
    """Return the stages up to which the network pushes, whatever it states: their stock is what pull draws on.

    ``supply`` alone where no stage only pushes, ``market`` alone where all do.
    """
    zones = stage_zones(network)
    if "push" not in zones:
        return (ALL_PULL,)
    if set(zones) == {"push"}:
        return (ALL_PUSH,)
    return tuple(
        name
        for i, name in enumerate(network.stage_names)
        if zones[i] == "push"
        and (i in network.markets or any(network.modes[j] != "push" for j in network.users_of[i]))
    )


def decoupling_lines(zones: Sequence[str]) -> dict[str, str]:
    """Return the zones (or ``market``) that begin with a decoupling line, with what to write on the line."""
    here = [zone for zone in ZONES if zone in zones] + [ALL_PUSH]
    if "mixed" in here:
        return {"mixed": "decoupling point between here", here[here.index("mixed") + 1]: "and here"}
    return {next(zone for zone in here if zone != "push"): "decoupling point"}


def reading_order(network: Network) -> tuple[int, ...]:
    """Return stage indices upstream first, zone by zone where the zones are in order."""
    if not zones_in_order(network):
        return network.stage_order
    zones = stage_zones(network)
    return tuple(sorted(network.stage_order, key=lambda i: ZONES.index(zones[i])))
