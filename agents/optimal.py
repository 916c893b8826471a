"""The exact optimum of a network, for the classes of problems that have one.

`solve` asks what the network looks like and hands it to the solver of that class, the first in `CLASSES` that it looks
like. A solver knows what its class takes, and refuses the rest by naming it.

============================ ========================================================== ==============================
class                        looks like                                                 solved by
============================ ========================================================== ==============================
lost sales                   one stage, one source, demand that finds no stock is lost  `lost_sales`
dual sourcing                one stage, two sources, backorders                         `dual_sourcing`
fixed costs and lots         one stage, one source with fixed cost or lot, backorders   `single_stage`
tandem queue                 two stages in a row, whose machines and customers race      `tandem_queue`
push-pull line               two stages in a row, capacities or a season, backorders    `push_pull_line`
serial system, newsvendor    stages in a row, no capacities, backorders                 `serial_systems`
============================ ========================================================== ==============================

Where safety stock belongs in a tree of stages that promise service times is another question: `guaranteed_service`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pushpull.agents.dual_sourcing import solve_dual_sourcing
from pushpull.agents.lost_sales import solve_lost_sales
from pushpull.agents.push_pull_line import solve_push_pull_line
from pushpull.agents.serial_systems import solve_serial_system
from pushpull.agents.single_stage import solve_single_stage
from pushpull.agents.solution import Solution
from pushpull.agents.tandem_queue import solve_tandem_queue
from pushpull.envs.checks import InputError
from pushpull.envs.network import Network

__all__ = ["CLASSES", "Solution", "solve"]


def solve(network: Network) -> Solution:
    """Return the exact optimum of a network: its least average cost per period, and a policy that reaches it.

    Parameters
    ----------
    network : Network
        The chain, decoupled where it is to be played.

    Returns
    -------
    Solution

    Raises
    ------
    InputError
        For a network of no class that is solved, or with settings beyond its class: it names what does not fit, and the
        classes. `ConvergenceError` (a RuntimeError) where demand is such that costs never settle to an average.
    """
    for solvable in CLASSES:
        if solvable.looks_like(network):
            try:
                return solvable.solve(network)
            except InputError as error:
                problem = f"{error.problem} (taken for the class {solvable.name}; solvable are {_names()})"
                raise InputError(error.field, problem) from None
    raise AssertionError("the last class takes all")


class Solvable(NamedTuple):
    """A class of problems: its name, what it looks like, and its solver."""

    name: str
    looks_like: Callable[[Network], bool]
    solve: Callable[[Network], Solution]


def _is_one_stage(network: Network, sources: int) -> bool:
    return len(network.stages) == 1 and len(network.sources) == sources


def _loses_sales(network: Network) -> bool:
    return any(market.waiting_share == 0 for market in network.markets.values())


def _has_lots(network: Network) -> bool:
    return any({"fixed_cost", "lot"} & set(source.to_dict()) for source in network.sources)


def _is_limited(network: Network) -> bool:
    limited = any({"capacity", "max_order"} & set(source.to_dict()) for source in network.sources)
    return limited or any(market.demand is not None and market.demand.season for market in network.markets.values())


CLASSES = (
    Solvable("lost sales", lambda network: _is_one_stage(network, 1) and _loses_sales(network), solve_lost_sales),
    Solvable("dual sourcing", lambda network: _is_one_stage(network, 2), solve_dual_sourcing),
    Solvable(
        "fixed costs and lots", lambda network: _is_one_stage(network, 1) and _has_lots(network), solve_single_stage
    ),
    Solvable("tandem queue", lambda network: network.race is not None, solve_tandem_queue),
    Solvable("push-pull line", lambda network: len(network.stages) == 2 and _is_limited(network), solve_push_pull_line),
    Solvable("serial system", lambda network: True, solve_serial_system),
)


def _names() -> str:
    return ", ".join(solvable.name for solvable in CLASSES)
