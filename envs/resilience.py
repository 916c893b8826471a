"""How long a chain survives a disruption, and how long it takes to recover from one: counted while an episode runs.

A disruption is a spell of periods in which any source is down that states a process. The shortage of a period is what
its markets owe at its end and what they lost in it. A disruption is followed from its first period until shortage is
back at or below its level before, but at least for the longest time that supply takes to reach a market: what stops far
upstream is felt after it is over. Of each that begins in a counted period are added up

- the periods from its start to the first period with unmet demand, or while it is followed where there is none: its
  time to survive (Simchi-Levi et al. 2015, Interfaces 45(5), for a given disruption instead of the longest one);
- the periods from its end to the one at whose end shortage is back at its level, the last such return while it is
  followed: its time to recover, 0 where there is no more shortage when it ends nor afterwards.

One that begins while another is followed ends the following of that one, and keeps its level. What has not recovered at
the end of the episode counts as far as it was followed.
"""

from __future__ import annotations

import numpy as np

from pushpull.envs import bounds
from pushpull.envs.dynamics import Flows
from pushpull.envs.network import Network

COUNTS = ("disruptions", "down", "surviving", "recovering")
# What they are counted with: the shortage at the end of the last period, that before the disruption, the periods since
# its end (0 while it lasts), how many of them are counted as recovering, whether it is followed (1; -1 where it does
# not count), and whether all demand has been met since it began.
TRACKED = ("shortage", "level", "since", "credited", "followed", "met")


def rows(network: Network) -> int:
    """Return how many numbers are kept: none for a network without disruptions."""
    return len(COUNTS + TRACKED) if network.disrupted_sources else 0


def aftermath(network: Network) -> int:
    """Return how many periods after its end a disruption may still be felt at a market."""
    paths = bounds.echelon_exposure(network)
    return int(max((paths[j] for j in network.disrupted_sources), default=0))


def follow(
    network: Network, kept: np.ndarray, flows: Flows, available: np.ndarray, counted: np.ndarray, dust: float
) -> np.ndarray:
    """Return the kept numbers, [rows, B], after another period.

    Parameters
    ----------
    network : Network
        The chain.
    kept : ndarray [rows, B]
        The numbers so far, in the order of `COUNTS` and `TRACKED`.
    flows : Flows
        What moved.
    available : ndarray [J, B]
        What was up.
    counted : ndarray [B]
        1 where the period counts.
    dust : float
        Units that are none.
    """
    disruptions, downs, surviving, recovering, shortage, level, since, credited, followed, met = kept
    down = (available[list(network.disrupted_sources)] < 1).any(axis=0)
    above = shortage > level + dust
    followed = np.where(~down & (since >= aftermath(network)) & ~above, 0.0, followed)
    begins = down & ~((followed != 0) & (since == 0))
    level = np.where(begins & (followed == 0), shortage, level)
    followed = np.where(begins, np.where(counted > 0, 1.0, -1.0), followed)
    since, credited = np.where(down, 0.0, since + 1), np.where(begins, 0.0, credited)
    late = np.where((followed > 0) & ~down & above, since, credited)
    met = np.where(begins, 1.0, met) * ((flows.demand - flows.shipped_on_time).sum(axis=0) <= dust)
    return np.stack(
        [
            disruptions + counted * begins,
            downs + counted * down,
            surviving + (followed > 0) * met,
            recovering + late - credited,
            (flows.owed + flows.lost).sum(axis=0),
            level,
            since,
            late,
            followed,
            met,
        ]
    )


def count(kept: np.ndarray, name: str) -> np.ndarray:
    """Return one of the `COUNTS`, [B]."""
    return kept[COUNTS.index(name)]


def per_disruption(kept: np.ndarray, name: str) -> np.ndarray:
    """Return one of the `COUNTS` per disruption, [B]; NaN where there was none."""
    disruptions = count(kept, "disruptions")
    return np.where(disruptions > 0, count(kept, name) / np.maximum(disruptions, 1), np.nan)
