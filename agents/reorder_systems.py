"""Base-stock and reorder-point rules by their exact names: control systems that say which position triggers compare.

============================ ======================== ================================================================
system                       position                 orders
============================ ======================== ================================================================
`installation_base_stock`    of the stage             what it lacks to S
`echelon_base_stock`         of the stage and all     what it lacks to S
                             downstream
`fixed_lots` (``r_Q``)       of the stage             the fewest lots of Q that lift it above r, when it is at or below
============================ ======================== ================================================================

Policy ``base_stock`` plays the bases that a network states, ``s_S`` orders up to S when the position is at or below s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pushpull.agents.heuristics import BaseStock
from pushpull.agents.levels import Chain
from pushpull.agents.system import System, by_stage, pulled
from pushpull.envs.checks import InputError, number
from pushpull.envs.network import Lot, Network

_LOT = number(above=0)


def installation_base_stock(
    network: Network, service_level: float | None = None, levels: Mapping[str, Any] | None = None
) -> System:
    """Pull every stage up to a level of its own inventory position.

    Parameters
    ----------
    network : Network
        One source per stage.
    service_level : float, optional
        Share of demand over its exposure that every stage covers; by default what costs imply.
    levels : mapping of str to float or list of float, optional
        Levels by stage, constant or for each period of a cycle; by default near-optimal ones (Shang & Song 2003).
    """
    return _base_stock(network, "installation", service_level, levels)


def echelon_base_stock(
    network: Network, service_level: float | None = None, levels: Mapping[str, Any] | None = None
) -> System:
    """Pull every stage up to a level of its echelon's position, which is optimal in a line (Clark & Scarf 1960).

    Parameters
    ----------
    network : Network
        One source per stage.
    service_level : float, optional
        Share of demand over its exposure that every stage covers; by default what costs imply.
    levels : mapping of str to float or list of float, optional
        Levels by stage, constant or for each period of a cycle; by default near-optimal ones (Shang & Song 2003).
    """
    return _base_stock(network, "echelon", service_level, levels)


def _base_stock(network: Network, basis: str, service_level: float | None, levels: Mapping[str, Any] | None) -> System:
    own = pulled(network, f"{basis}_base_stock", {name: {"basis": basis} for name in network.stages})
    return System(own, BaseStock(own, service_level, levels))


def fixed_lots(
    network: Network,
    reorder_point: Mapping[str, float] | float | None = None,
    quantity: Mapping[str, float] | float | None = None,
    service_level: float | None = None,
) -> System:
    """Order whole lots of Q when the position is at or below r (Hadley & Whitin 1963; in discrete time Zheng 1992).

    Parameters
    ----------
    network : Network
        One source per stage.
    reorder_point, quantity : mapping of str to float, or float, optional
        r and Q by stage, or one for all. By default Q is the economic order quantity with backorders,
        sqrt(2 K rate (h + b) / (h b)), or 1 where orders have no fixed cost, and r such that the positions r + 1 to
        r + Q serve like the base-stock level.
    service_level : float, optional
        Share of demand over its exposure that every stage covers; by default what costs imply.
    """
    names = network.stages
    given = by_stage("quantity", quantity, names, _LOT)
    reorder = by_stage("reorder_point", reorder_point, names, number())
    lots = economic_order_quantities(network) | given
    own = pulled(network, "r_Q", {name: {"lot": Lot(rule="r_nQ", Q=lots[name])} for name in names})
    return System(own, BaseStock(own, service_level, {name: r + lots[name] for name, r in reorder.items()}))


def economic_order_quantities(network: Network) -> dict[str, float]:
    """Return the economic order quantity of each stage with one source, by its echelon holding cost and shortage cost.

    Raises
    ------
    InputError
        Where orders cost something and holding stock nothing.
    """
    chain, found = Chain(network, None, "pull"), {}
    for i, (name, stage) in enumerate(network.stages.items()):
        j, source = network.sources_of[i][0], stage.sources[0]
        rate = chain.moments_per_period(j)[0]
        added = stage.holding_cost - sum(units * chain.holding[m] for m, units in network.inputs[j])
        holding = added if added > 0 else stage.holding_cost
        if source.fixed_cost and not holding:
            raise InputError(
                f"stages.{name}.holding_cost", "0, so no lot is too large; give quantity, or a cost above 0"
            )
        penalty = sum(service.penalty / service.units for service in chain.services[j]) / max(1, len(chain.services[j]))
        squared = 2 * source.fixed_cost * rate / holding if source.fixed_cost else 0.0
        lot = float(np.sqrt(squared * ((holding + penalty) / penalty if penalty > 0 else 1.0)))
        found[name] = max(1.0, float(np.rint(lot))) if network.units == "integer" else lot or 1.0
    return found
