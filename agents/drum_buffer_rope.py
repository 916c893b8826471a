"""Drum-buffer-rope: the bottleneck sets the pace, a buffer keeps it busy, a rope ties releases to it.

Goldratt & Fox (1986), The Race; Schragenheim & Ronen (1990), Drum-buffer-rope shop floor control, Production and
Inventory Management Journal 31(3). In a line,

- the **drum** is the stage with the least capacity for what is sold; it works while its shipping buffer, the echelon
  position from there to the market, is below its level
- the **rope** lets the gate release a unit when the drum takes one: cards over the stages before the drum
- the **buffer** is the time that material is released before the drum needs it, so that the rope holds what the drum
  takes in that time
- all other stages pass on at once what they have
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pushpull.agents.levels import order_levels
from pushpull.agents.system import System, Thresholds, content, line, paces, pulled, whole
from pushpull.envs.checks import InputError, number, optional, suggest
from pushpull.envs.network import Network

_units = optional(number(0))


def drum_buffer_rope(
    network: Network, drum: str | None = None, buffer: float | None = None, shipping_buffer: float | None = None
) -> System:
    """Return the network under drum-buffer-rope, and the policy that runs it.

    Parameters
    ----------
    network : Network
        A line of stages with one source each, of which at least one has a capacity.
    drum : str, optional
        The stage that sets the pace; by default the first of those with the least capacity.
    buffer : float, optional
        Periods from a release at the gate to the drum's start, by default the lead times up to there, half of them
        again, and one: a card is a period on its way back. With less than those lead times the drum starves.
    shipping_buffer : float, optional
        Level of the echelon position of the drum, in its units; by default its echelon base-stock level.

    Returns
    -------
    System

    Raises
    ------
    InputError
        For a network that is no line or has no capacity, a drum that is no stage or has none, or a negative buffer.
    """
    names = line(network, "drum-buffer-rope")
    pulled(network, "drum-buffer-rope", {})  # refuses what is no system's network before anything is asked of it
    pace = paces(network)
    if drum is None:
        drum = min(names, key=lambda name: pace[name])
    elif drum not in names:
        raise InputError("drum", f"{drum!r} is no stage; {suggest(drum, names)}")
    if pace[drum] == np.inf:
        raise InputError("drum", f"{drum!r} has no capacity, so it sets no pace; state the capacity of its source")
    before, behind = names[: names.index(drum)], names[names.index(drum) + 1 :]
    changes: dict[str, dict[str, Any]] = {drum: {"basis": "echelon"}}
    if before:
        changes[before[0]] = {"basis": "physical", "over": tuple(before)}
    own = pulled(network, "drum-buffer-rope", changes)
    buffer, level = _units("buffer", buffer), _units("shipping_buffer", shipping_buffer)
    if level is None:
        level = max(0.0, float(order_levels(own).order_up_to[own.source_names.index(drum)]))
    levels = {drum: whole(own, level)}
    if before:
        if buffer is None:
            times = sum(own.stages[name].sources[0].planned_lead_time for name in before)
            buffer = times + int(np.ceil(times / 2)) + 1
        units = own.requirements[own.stage_names.index(before[0]), own.stage_names.index(drum)]
        rope = whole(own, own.stages[drum].sources[0].full_capacity * float(units) * buffer)
        levels |= dict.fromkeys(before, max(rope, content(own, before[0], before))) | {before[0]: rope}
    passing = max(levels[drum], content(own, drum, [drum, *behind]))
    return System(own, Thresholds(own, levels | dict.fromkeys(behind, passing)))
