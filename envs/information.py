"""What is known of a chain whose stages report late: `shown` puts it together from the last periods.

The physics knows nothing of it: goods, triggers and costs are what they are. Only what an agent sees of a stage, its
stock, its backorders, the orders and pipelines of its sources, its market's demand, goodwill, returns and what is
borrowed, is `information_delay` periods old; before the first period it is what the stage started with, and no demand.
A resource is seen as late as the latest of the stages that use it. The kernel does the same to its rows (`learn`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain, repeat
from typing import Any

from pushpull.envs.dynamics import Array, State
from pushpull.envs.network import Network


@dataclass(frozen=True)
class Report:
    """What all stages could tell at the start of a period."""

    state: State
    last_demand: Array  # [M, B]


def shown(xp: Any, network: Network, reports: Sequence[Report]) -> Report:
    """Return what is known now: of each stage, what it could tell `information_delay` periods ago.

    Parameters
    ----------
    xp : module
        The array namespace of the reports.
    network : Network
        The chain.
    reports : sequence of Report
        Newest first, one more than the longest delay.
    """
    ages, now = row_delays(network), reports[0]

    def late(name: str, told: Sequence[Array]) -> Array:
        delays = ages[name]
        if len(set(delays)) <= 1:
            return told[delays[0] if delays else 0]
        return xp.stack([told[delay][row] for row, delay in enumerate(delays)])

    state = {name: late(name, [getattr(report.state, name) for report in reports]) for name in ages if name != "demand"}
    return Report(replace(now.state, **state), late("demand", [report.last_demand for report in reports]))


def row_delays(network: Network) -> dict[str, list[int]]:
    """Return how many periods old each row of a state is, by its field, and each row of ``demand``."""
    delays = network.information_delays
    sources = [delays[i] for i in network.source_stage]
    markets = [delays[i] for i in network.markets]
    return {
        "on_hand": list(delays),
        "owed": list(delays),
        "pending": sources,
        "pipeline": _repeated(sources, network.pipeline_rows),
        "in_transit": _repeated(sources, network.order_delays),
        "owed_by_age": _repeated(markets, network.ages),
        "stock_by_age": _repeated(delays, network.shelf_lives),
        "setup": [max(sources[j] for j in users) for users in network.resource_users],
        "goodwill": [delays[i] for i in network.remembered],
        "returning": _repeated([delays[i] for i in network.returning], network.return_lags),
        "borrowed": _repeated([delays[i] for i in network.promoting], network.borrowing),
        "return_parts": _repeated([delays[i] for i in network.returning], [3] * len(network.returning)),
        "demand": markets,
    }


def begun(xp: Any, which: Array, now: Report, reports: Sequence[Report]) -> list[Report]:
    """Return the reports after some environments [B] have started anew: all they have told is the start."""

    def chosen(new: Any, old: Any) -> dict[str, Array]:
        names = (item.name for item in fields(new))
        return {name: xp.where(which, getattr(new, name), getattr(old, name)) for name in names}

    return [
        Report(State(**chosen(now.state, report.state)), xp.where(which, now.last_demand, report.last_demand))
        for report in reports
    ]


def _repeated(values: Sequence[int], times: Sequence[int]) -> list[int]:
    return list(chain.from_iterable(repeat(value, count) for value, count in zip(values, times, strict=True)))
