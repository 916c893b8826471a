"""What sources can do in the periods that a linear program looks at: as it was recorded, or as it is expected.

Arrivals are worked out here, so that the program need not know why a unit is late: lead times, pipelines that stand
still and receipts that are stopped all end in the period in which a unit arrives, and whether it can join the stock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pushpull.envs.dynamics import ROUNDING
from pushpull.envs.exogenous import Traces
from pushpull.envs.network import Network


def events_of(network: Network) -> tuple[tuple[int, str], ...]:
    """Return the E pairs (source, event) in which something may start: a mixed source has both events."""
    both = {"push": ("push",), "pull": ("pull",), "mixed": ("push", "pull")}
    return tuple((j, event) for j, mode in enumerate(network.modes) for event in both[mode])


@dataclass(frozen=True)
class Supply:
    """What the sources can do in T periods.

    Attributes
    ----------
    capacity, overtime : ndarray [T, J]
        Units that can start, and units beyond them at the price of overtime.
    opens : ndarray of bool [T, E]
        Whether what was not yet ordered can start, by the network's `events_of`.
    arrival : ndarray [T, J]
        The period in which what starts now arrives; T or more where that is too late.
    known_arrival : list of ndarray [lead_time + 1]
        Per source, the period in which each row of its pipeline arrives.
    yields : ndarray [T, J]
        Share of what starts that turns out well.
    receives : ndarray of bool [T, J]
        Whether what has arrived can join the stock.
    may_wait : ndarray of bool [J]
        Whether what has arrived may join the stock later.
    """

    capacity: np.ndarray
    overtime: np.ndarray
    opens: np.ndarray
    arrival: np.ndarray
    known_arrival: list[np.ndarray]
    yields: np.ndarray
    receives: np.ndarray
    may_wait: np.ndarray


def recorded_supply(network: Network, traces: Traces, which: int) -> Supply:
    """Return what the sources could do in environment `which` of the traces, in whatever way they were used."""
    periods, sources = len(traces.demand), len(network.sources)
    lead_time = np.tile([source.lead_time for source in network.sources], (periods, 1))
    yields = np.ones((periods, sources))
    if traces.lead_time is not None:
        lead_time[:, list(network.random_lead_times)] = traces.lead_time[..., which]
    if traces.yields is not None:
        yields[:, list(network.yielding_sources)] = traces.yields[..., which]
    available = None if traces.available is None else traces.available[..., which]
    overtaking = [source.lead_time_law is None or source.lead_time_law.crossing for source in network.sources]
    return _supply(network, 0, lead_time, yields, available, ~np.array(overtaking), relaxed=True)


def expected_supply(network: Network, first: int, periods: int, available: np.ndarray | None) -> Supply:
    """Return what the sources are expected to do from period `first` on.

    Lead times and yields are their means, capacities those that are available on average. What is `available` [J] in
    the first period is known, and so are the spells of a schedule.
    """
    lead_time = np.tile([source.planned_lead_time for source in network.sources], (periods, 1))
    yields = np.tile([source.mean_yield for source in network.sources], (periods, 1))
    up = None
    if network.draws_availability:
        shares = [_expected_share(network, j, first, periods, available) for j in range(len(network.sources))]
        up = np.stack(shares, axis=1)
    return _supply(network, first, lead_time, yields, up, np.zeros(len(network.sources), dtype=bool), relaxed=False)


def chances(network: Network) -> np.ndarray:
    """Return the probability that a source may start at all in a period, [J]: below 1 where it races."""
    named = [("source", name) for name in network.source_names]
    return np.array([network.chance(*racer) if racer in network.racers else 1.0 for racer in named])


def _expected_share(network: Network, j: int, first: int, periods: int, available: np.ndarray | None) -> np.ndarray:
    """Return the share of its capacity that source j has on average in each period, [T].

    Where a failure stops something else than starts, the source is taken to be up whenever it is not known to be down.
    """
    source, disruption = network.sources[j], network.sources[j].disruption
    if source.capacity_share is not None:
        return np.full(periods, source.capacity_share.average)
    if j not in network.disrupted_sources or disruption is None:
        return np.full(periods, chances(network)[j])
    down = np.zeros(periods)
    for start, last in disruption.schedule or ():
        down[max(0, start - first) : max(0, last + 1 - first)] = 1.0
    if disruption.fail is not None and disruption.repair is not None:
        chance = float(available is not None and available[j] < 1)
        for t in range(periods):
            down[t] = chance
            chance = chance * (1 - disruption.repair) + (1 - chance) * disruption.fail
        if disruption.affects != "start":
            down[1:] = 0.0
    return 1.0 - disruption.severity * down


def _supply(
    network: Network,
    first: int,
    lead_time: np.ndarray,
    yields: np.ndarray,
    available: np.ndarray | None,
    may_wait: np.ndarray,
    relaxed: bool,
) -> Supply:
    periods, integer = len(lead_time), network.units == "integer"
    up = {what: np.ones(lead_time.shape, dtype=bool) for what in ("order", "transit", "receipt")}
    capacity, overtime = (
        np.tile([float(units) for units in row], (periods, 1))
        for row in (
            [source.capacity for source in network.sources],
            [0.0 if source.overtime is None else source.overtime.capacity for source in network.sources],
        )
    )
    if integer and not (relaxed and available is not None):
        capacity, overtime = np.floor(capacity), np.floor(overtime)
    if available is not None:
        for j, source in enumerate(network.sources):
            if source.disruption is None or source.disruption.affects == "start":
                share = available[:, j]
                capacity[:, j] = np.where(share > 0, capacity[:, j] * np.where(share > 0, share, 1.0), 0.0)
                overtime[:, j] *= share
            else:
                up[source.disruption.affects][:, j] = available[:, j] > 0
        if integer and relaxed:  # in a plan shares are averages
            capacity, overtime = np.floor(capacity + ROUNDING), np.floor(overtime + ROUNDING)
    advanced = np.concatenate([np.zeros((1, len(network.sources))), np.cumsum(up["transit"], axis=0)])
    arrival, known = np.empty_like(lead_time), []
    for j, rows in enumerate(network.pipeline_rows):
        done = np.searchsorted(advanced[:, j], advanced[:-1, j] + lead_time[:, j])
        arrival[:, j] = np.maximum(done, np.arange(periods))
        known.append(np.searchsorted(advanced[:, j], np.arange(rows)))
    blocked = [network.stages[network.stage_names[i]] for i in network.source_stage]
    waits = may_wait | np.array([stage.limits_storage and stage.overflow == "block" for stage in blocked])
    opens = _opens(network, first, up["order"], relaxed)
    return Supply(capacity, overtime, opens, arrival, known, yields, up["receipt"], waits)


def _opens(network: Network, first: int, gets_through: np.ndarray, relaxed: bool) -> np.ndarray:
    """Return whether what was not yet ordered can start, [T, E].

    In a plan that is when a request or an order reaches the source. In a bound what is carried may start later.
    """
    events, periods = events_of(network), len(gets_through)
    opens = np.zeros((periods, len(events)), dtype=bool)
    for e, (j, event) in enumerate(events):
        source, delay = network.sources[j], network.order_delays[j]
        acts = gets_through[:, j] & ((first + np.arange(periods) - source.review_offset) % source.review_period == 0)
        opens[delay:, e] = acts[: max(0, periods - delay)]
        if relaxed and (event == "pull" or source.carries):
            opens[:, e] = np.maximum.accumulate(opens[:, e])
    return opens
