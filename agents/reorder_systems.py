"""Base-stock and reorder-point rules by their exact names: control systems that say which position triggers compare.

============================ ======================== ================================================================
system                       position                 orders
============================ ======================== ================================================================
`installation_base_stock`    of the stage             what it lacks to S
`echelon_base_stock`         of the stage and all     what it lacks to S
                             downstream
`fixed_lots` (``r_Q``)       of the stage             the fewest lots of Q that lift it above r, when it is at or below
`make_to_order_or_stock`     of the stage             what it lacks to S, or to 0 where it is made to order
(``mto_mts``)
`vendor_managed` (``vmi``)   of the stage             up to Z when at or below z
============================ ======================== ================================================================

Policy ``base_stock`` plays the bases that a network states, ``s_S`` orders up to S when the position is at or below s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pushpull.agents.heuristics import BaseStock
from pushpull.agents.levels import Chain, order_levels
from pushpull.agents.system import System, by_stage, pulled, whole
from pushpull.envs.checks import InputError, number, suggest
from pushpull.envs.network import Lot, Network, Source

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


def make_to_order_or_stock(
    network: Network,
    make_to_order: Sequence[str] | None = None,
    service_level: float | None = None,
    levels: Mapping[str, Any] | None = None,
) -> System:
    """Make some stages to order, with a level of 0, and the others to stock.

    Soman, van Donk & Gaalman (2004), Combined make-to-order and make-to-stock in a food production system,
    International Journal of Production Economics 90(2).

    Parameters
    ----------
    network : Network
        One source per stage.
    make_to_order : sequence of str, optional
        Stages that wait for orders. By default those whose customers tolerate a wait (`tolerance` of the market) of at
        least the time it takes: a ratio of production to delivery time of at most 1.
    service_level, levels : optional
        As of `installation_base_stock`, for the stages that make to stock.
    """
    if make_to_order is None:
        make_to_order = [
            network.stage_names[i]
            for i, market in network.markets.items()
            if (market.tolerance or 0) >= max(replenishment_time(network.sources[j]) for j in network.sources_of[i])
        ]
    for name in make_to_order:
        if name not in network.stages:
            raise InputError("make_to_order", f"{name!r} is no stage; {suggest(name, network.stages)}")
        if levels and name in levels:
            raise InputError(f"levels.{name}", "is made to order; leave it out of one of them")
    own = pulled(network, "mto_mts", {name: {"basis": "installation"} for name in network.stages})
    return System(own, BaseStock(own, service_level, {**(levels or {}), **dict.fromkeys(make_to_order, 0.0)}))


def replenishment_time(source: Source) -> int:
    """Return the periods from an order to its units."""
    return source.planned_lead_time + source.order_delay


def vendor_managed(
    network: Network, low: Mapping[str, float] | float | None = None, high: Mapping[str, float] | float | None = None
) -> System:
    """Let the vendor keep stocks between z and Z: up to Z when the position is at or below z, else nothing.

    The band is what the parties agree on (Fry, Kapuscinski & Olsen 2001, Coordinating production and delivery under a
    (z, Z)-type vendor-managed inventory contract, M&SOM 3(2)). Stages of no band keep their base-stock levels.

    Parameters
    ----------
    network : Network
        One source per stage.
    low, high : mapping of str to float, or float, optional
        z and Z by stage that sells, or one for all of them. By default z is mean demand until the next order can be
        there, and Z the base-stock level, or what a period is expected to take above z if that is more.
    """
    sells = [network.stage_names[i] for i in network.markets]
    bottom, top = by_stage("low", low, sells, number()), by_stage("high", high, sells, number())
    base = pulled(network, "vmi", {})
    levels, chain = order_levels(base), Chain(base, None, "pull")
    for i in base.markets:
        name, j = base.stage_names[i], base.sources_of[i][0]
        mean, per_period = chain.moments(j)[0], chain.moments_per_period(j)[0]
        bottom.setdefault(name, whole(base, mean))
        top.setdefault(name, whole(base, max(float(levels.order_up_to[j]), bottom[name] + per_period)))
        if top[name] < bottom[name]:
            raise InputError(f"high.{name}", f"{top[name]:g} is below low, {bottom[name]:g}; give more")
    lots = {name: {"lot": Lot(rule="s_S", gap=top[name] - bottom[name])} for name in sells}
    own = pulled(network, "vmi", lots)
    return System(own, BaseStock(own, levels=top))
