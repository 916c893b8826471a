"""Systems of cards: kanban, extended and echelon kanban, CONWIP, POLCA.

A card belongs to a loop of stages. A unit may enter the loop only with a card, and gives it back where it leaves, so
that cards limit the stock in the loop. What differs is where loops begin and end, and what else has to agree:

===================== ============================== ==============================================================
system                loops                          a stage orders
===================== ============================== ==============================================================
`kanban`              each stage                     for every free card
`extended_kanban`     each stage                     up to an echelon base stock, if a card is free
`echelon_kanban`      each stage to the market       for every free card
`conwip`              the line, from its gate        at the gate for every free card, behind it whatever is there
`polca`               each pair of stages in a row   up to an echelon base stock, if a card of the pair is free
===================== ============================== ==============================================================

When a card is free. A unit that leaves in this period's pull event, or at its end, gives its card back in the next
period, since cards are counted before anything moves. Only where orders precede demand kanban, echelon kanban and
CONWIP know beforehand what is about to leave, and count its cards as free (`returning`).

How many cards there are may be given. Otherwise they are `toyota_cards`: demand over the lead times of the loop, and a
`safety`; `critical_wip` is what CONWIP needs to keep its bottleneck busy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from pushpull.agents.levels import order_levels
from pushpull.agents.replenishment import physical_position
from pushpull.agents.system import (
    System,
    Thresholds,
    by_stage,
    content,
    downstream,
    line,
    next_stages,
    paces,
    pulled,
    whole,
)
from pushpull.envs.bounds import covering_stock, demand_rates
from pushpull.envs.checks import InputError, number, optional
from pushpull.envs.network import Cards, Network
from pushpull.envs.observations import View

_safety = optional(number(0))
_NINETEEN_IN_TWENTY = 1.645  # standard deviations of a normal law


def kanban(
    network: Network,
    cards: Mapping[str, float] | float | None = None,
    base_stock: Mapping[str, float] | None = None,
    safety: float | None = None,
) -> System:
    """Let each stage order for every free card of its own (Sugimori, Kusunoki, Cho & Uchikawa 1977, IJPR 15(6)).

    Parameters
    ----------
    network : Network
        Each stage has one source.
    cards : mapping of str to float, or float, optional
        Units that each stage's cards stand for: on hand, in process and ordered; by default by formula.
    base_stock : mapping of str to float, optional
        Stages without cards, and the level of the inventory position up to which they order: the customers' orders
        reach these, as they do in two-stage push-pull systems whose last stage keeps a base stock.
    safety : float, optional
        Share a by which cards of stages not named exceed mean demand until a card is there again (`toyota_cards`); by
        default so large that demand exceeds them one time in twenty.

    Returns
    -------
    System

    Raises
    ------
    InputError
        For a stage that is none or has several sources, or a rule that is not base_stock or r_nQ (containers of Q).
    """
    levels = by_stage("base_stock", base_stock, network.stages)
    looped = [name for name in network.stages if name not in levels]
    own = pulled(network, "kanban", {name: {"basis": "physical"} for name in looped})
    return _loops(own, _filled(by_stage("cards", cards, looped), own, looped, safety), levels)


def echelon_kanban(
    network: Network, cards: Mapping[str, float] | float | None = None, safety: float | None = None
) -> System:
    """Let each stage order for every free card of the loop from there to the market.

    A card is free when a customer takes the unit, so demand reaches all stages at once (Koukoumialos & Liberopoulos
    2005, An analytical method for the performance evaluation of echelon kanban control systems, OR Spectrum 27).

    Parameters
    ----------
    network : Network
        Each stage has one source.
    cards : mapping of str to float, or float, optional
        Units of each stage's item that its cards stand for, there and downstream; by default by formula.
    safety : float, optional
        As for `kanban`.

    Returns
    -------
    System

    Raises
    ------
    InputError
        As for `kanban`.
    """
    own = pulled(
        network,
        "echelon kanban",
        {name: {"basis": "physical", "over": downstream(network, name)} for name in network.stages},
    )
    return _loops(own, _filled(by_stage("cards", cards, own.stages), own, own.stages, safety), {})


def conwip(network: Network, limit: Mapping[str, float] | float | None = None, safety: float | None = None) -> System:
    """Keep the work in process constant: a unit enters the line when one leaves it, and then moves on as it can.

    Spearman, Woodruff & Hopp (1990), CONWIP: a pull alternative to kanban, IJPR 28(5). A deterministic line with
    customers enough has a throughput of min(limit / T0, bottleneck rate) (`best_case_throughput`).

    Parameters
    ----------
    network : Network
        Each stage has one source, and goes into one other at most. Every stage supplied from outside is a gate with
        cards of its own.
    limit : mapping of str to float, or float, optional
        Units of each gate's item in the line, finished stock included; by default by formula.
    safety : float, optional
        As for `kanban`.

    Returns
    -------
    System

    Raises
    ------
    InputError
        As for `kanban`, and for a stage that goes into several others, of which nobody would say which is to have it.
    """
    next_stages(network, "CONWIP")
    gates = [name for name, stage in network.stages.items() if not any(source.inputs for source in stage.sources)]
    over = {name: {"basis": "physical", "over": downstream(network, name)} for name in gates}
    own = pulled(network, "CONWIP", over)
    limits = _filled(by_stage("limit", limit, gates), own, gates, safety)
    room = {name: max(limits[name], content(own, name, own.stages)) for name in gates}
    flows = {name: max(room[gate] for gate in gates if name in over[gate]["over"]) for name in own.stages}
    return _loops(own, limits, {name: flow for name, flow in flows.items() if name not in gates})


def extended_kanban(
    network: Network,
    base_stock: Mapping[str, float] | float | None = None,
    cards: Mapping[str, float] | float | None = None,
) -> System:
    """Tell all stages of demand at once, as base stock does, and limit each stage's stock by cards, as kanban does.

    Dallery & Liberopoulos (2000), Extended kanban control system: combining kanban and base stock, IIE Transactions
    32(4). With as many cards as base stock it is kanban, with infinitely many it is base stock.

    Parameters
    ----------
    network : Network
        Each stage has one source.
    base_stock : mapping of str to float, or float, optional
        Units that each stage has in stock when all is quiet; by default those of `order_levels`.
    cards : mapping of str to float, or float, optional
        Units that each stage's cards stand for, at least its base stock; infinity for no limit. By default the base
        stock and what is demanded over the lead time.

    Returns
    -------
    System

    Raises
    ------
    InputError
        As for `kanban`, and for fewer cards than base stock.
    """
    plain = pulled(network, "extended kanban", {})
    stock = _base_stock(base_stock, plain)
    given = by_stage("cards", cards, plain.stages, number(0, infinite=True))
    rates, limits = demand_rates(plain), {}
    for i, name in enumerate(plain.stages):
        limits[name] = given.get(name, stock[name] + whole(plain, rates[i] * (_lead_time(plain, name) + 1)))
        if limits[name] < stock[name]:
            raise InputError(
                f"cards.{name}", f"{limits[name]:g} is below its base stock {stock[name]:g}; give as many, or more"
            )
    return _authorised(network, "extended kanban", stock, {name: (k, (name,)) for name, k in limits.items()})


def polca(
    network: Network,
    cards: Mapping[str, float] | float | None = None,
    base_stock: Mapping[str, float] | float | None = None,
    safety: float | None = None,
) -> System:
    """Let a stage start what is authorised only with a card of the pair that it forms with the next stage.

    Paired-cell overlapping loops of cards with authorisation (Suri 1998, Quick Response Manufacturing, chapter 9):
    the card goes with the unit through both stages and comes back when it leaves the second. The last stage of a line
    has no card of its own. What is authorised, there by dates of a material plan, is here what an echelon base stock
    lacks.

    Parameters
    ----------
    network : Network
        Each stage has one source, and goes into one other at most.
    cards : mapping of str to float, or float, optional
        Units of each stage's item with a card of its pair, for all stages but the last; by default by formula.
    base_stock : mapping of str to float, or float, optional
        As for `extended_kanban`.
    safety : float, optional
        As for `kanban`: Suri's number of cards is the units demanded over the lead times of both stages.

    Returns
    -------
    System

    Raises
    ------
    InputError
        As for `kanban`, and for a stage that goes into several others, since a unit cannot carry cards of two pairs.
    """
    plain = pulled(network, "POLCA", {})
    pairs = {name: (name, user) for name, user in next_stages(plain, "POLCA").items() if user is not None}
    stock = _base_stock(base_stock, plain)
    looped = pulled(network, "POLCA", {name: {"basis": "physical", "over": over} for name, over in pairs.items()})
    limits = _filled(by_stage("cards", cards, pairs), looped, pairs, safety)
    return _authorised(network, "POLCA", stock, {name: (limits[name], over) for name, over in pairs.items()})


# --- numbers of cards -------------------------------------------------------------------------------------------------


def toyota_cards(demand_rate: float, lead_time: float, safety: float = 0.0, container: float = 1.0) -> int:
    """Return the number of kanban n = D L (1 + a) / C, rounded up.

    Sugimori, Kusunoki, Cho & Uchikawa (1977), Toyota production system and kanban system, International Journal of
    Production Research 15(6), 553-564.

    Parameters
    ----------
    demand_rate, lead_time : float
        D, units per period, and L, periods from a card's leaving a unit to the next unit with it.
    safety, container : float
        a, the share that is added, and C, units that a card stands for.
    """
    return int(np.ceil(demand_rate * lead_time * (1 + safety) / container - 1e-9))


def raw_process_time(network: Network) -> float:
    """Return T0 of a line: the periods from a unit's start at the gate to the start of another with its card.

    It is the sum of lead times, and a period for the card to come back where orders follow demand.
    """
    names = line(network, "a raw process time")
    return float(sum(network.stages[name].sources[0].planned_lead_time for name in names)) + _card_return(network)


def bottleneck_rate(network: Network) -> float:
    """Return rb of a line, units sold per period that its capacities allow; infinite without capacities."""
    line(network, "a bottleneck rate")
    return min(paces(network).values())


def critical_wip(network: Network) -> float:
    """Return W0 = rb T0, the least work in process with which a line without variability is at its bottleneck's rate.

    Hopp & Spearman (2011), Factory Physics, 3rd edition, section 7.3.
    """
    return bottleneck_rate(network) * raw_process_time(network)


def best_case_throughput(network: Network, limit: float) -> float:
    """Return min(w / T0, rb), the throughput of a line of w units without variability (Factory Physics, 7.3)."""
    return min(limit / raw_process_time(network), bottleneck_rate(network))


def _filled(given: Mapping[str, float], own: Network, names: Iterable[str], safety: float | None) -> dict[str, float]:
    """Return given numbers of cards and, for other names, what covers demand until a card is there again.

    That takes the lead times of the loop and a period, in which the card comes back or demand follows the order.
    Without a safety, what is added covers all but one in twenty of such spells of independent, normal demand.
    """
    share, numbers = _safety("safety", safety), dict(given)
    for name in (name for name in names if name not in given):
        j, source = own.source_names.index(name), own.stages[name].sources[0]
        periods = np.full(len(own.sources), sum(_lead_time(own, k) for k in source.over or (name,)) + 1.0)
        mean = covering_stock(own, periods, 0.0)[j]
        units = covering_stock(own, periods, _NINETEEN_IN_TWENTY)[j] if share is None else mean * (1 + share)
        numbers[name] = whole(own, float(units))
    return numbers


def _base_stock(given: Any, own: Network) -> dict[str, float]:
    """Return given base-stock levels and, for other stages, those that costs imply."""
    numbers = by_stage("base_stock", given, own.stages)
    if len(numbers) == len(own.stages):
        return numbers
    levels = order_levels(own).order_up_to
    derived = {name: max(0.0, float(level)) for name, level in zip(own.stages, levels, strict=True)}
    return derived | numbers


def _lead_time(network: Network, name: str) -> int:
    """Return the periods until a stage's order arrives, and those that it may have to wait for its review."""
    source = network.stages[name].sources[0]
    return source.planned_lead_time + source.order_delay + source.review_period - 1


def _card_return(network: Network) -> int:
    """Return the periods that a card takes back."""
    return int(network.sequence.index("pull") > network.sequence.index("demand"))


# --- how they run -----------------------------------------------------------------------------------------------------


def _loops(network: Network, cards: Mapping[str, float], base_stock: Mapping[str, float]) -> System:
    """Return the system of stages that order for every free card, and of others that keep a base stock."""
    levels = {}
    for name in network.stages:
        lot = network.stages[name].sources[0].lot
        container = lot.Q if name in cards and lot.rule == "r_nQ" else 0.0  # it is ordered when it has room
        levels[name] = cards[name] - container if name in cards else base_stock[name]
    knows = network.sequence.index("pull") < network.sequence.index("demand")
    return System(network, Thresholds(network, levels, returning if knows else None))


def _authorised(
    network: Network, system: str, stock: Mapping[str, float], loops: Mapping[str, tuple[float, tuple[str, ...]]]
) -> System:
    """Return the system of echelon base stocks with a limit of cards over each loop."""
    changes: dict[str, dict[str, Any]] = {name: {"basis": "echelon"} for name in network.stages}
    for name, (limit, over) in loops.items():
        if limit < np.inf:
            changes[name]["cards"] = Cards(limit, over)
    own = pulled(network, system, changes)
    rows = {name: own.requirements[i] for i, name in enumerate(own.stage_names)}
    held = np.array([stock[name] for name in own.stage_names])
    return System(own, Thresholds(own, {name: float(row @ held) for name, row in rows.items()}))


def returning(view: View, levels: np.ndarray) -> np.ndarray:
    """Return thresholds [J, B]: levels [J, 1], of loops with the cards that surely come back in this period.

    Orders precede demand, so what stages order and start follows from the view: from the market upstream, each stage
    is asked for what its users want and can start, and its market takes what is owed. What a user with several
    inputs takes is not certain, nor is what one takes whose capacity is left to chance or shared: they may take what
    they want from others, and count for nothing.
    """
    network = view.network
    there = view.on_hand + np.array([sum(view.pipeline[j][0] for j in own) for own in network.sources_of])
    threshold = levels + np.zeros_like(view.pending)
    position, order = view.inventory_position.copy(), np.zeros_like(view.pending)
    taken, wants, shipped = np.zeros_like(order), np.zeros_like(order), np.zeros_like(there)
    for i in reversed(network.stage_order):
        left = there[i].copy()
        for u, units in _rationed(network, i, there[i], wants):
            left -= units
            taken[u] = units if _is_certain(network, u) else 0.0
        shipped[i] = np.minimum(np.maximum(left, 0.0), view.backorders[i])
        (j,) = network.sources_of[i]
        source, compared = network.sources[j], position[i]
        if source.basis == "physical":
            loop = network.stages_over(i, source.over)
            for k in loop:
                leaves = shipped[k] + sum(taken[u] for u in network.users_of[k] if network.source_stage[u] not in loop)
                threshold[j] += float(network.requirements[i, k]) * leaves
            compared = physical_position(view, i, loop)
        order[j] = _order(network, j, threshold[j] - compared, view.period)
        if not network.order_delays[j]:
            for m, units in network.inputs[j]:
                position[m] -= units * order[j]
        due = view.pending[j] + (order[j] if not network.order_delays[j] else 0.0)
        wants[j] = np.minimum(due, source.full_capacity)
    return threshold


def _rationed(network: Network, i: int, there: np.ndarray, wants: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the users of stage i, and the units [B] that each takes of what is there if other inputs do not stop it."""
    units = {u: dict(network.inputs[u])[i] for u in network.users_of[i]}
    need = sum((units[u] * wants[u] for u in units), np.zeros_like(there))
    share, left = np.where(need > there, there / np.where(need > 0, need, 1.0), 1.0), there.copy()
    for u in units:
        start = wants[u] * share if network.allocation == "proportional" else np.minimum(wants[u], left / units[u])
        start = np.floor(start + 1e-9) if network.units == "integer" else start
        left = left - units[u] * start
        yield u, units[u] * start


def _order(network: Network, j: int, distance: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Return what source j orders at a distance of its position below its threshold."""
    source = network.sources[j]
    if source.lot.rule == "r_nQ":
        lots = np.maximum(0.0, np.floor(distance / source.lot.Q + 1e-9) + 1.0)
        lots = np.minimum(lots, 1.0) if source.lot.at_most_one else lots
        distance = np.minimum(lots, np.floor(source.max_order / source.lot.Q)) * source.lot.Q
    acts = (period - source.review_offset) % source.review_period == 0
    return np.where(acts, np.clip(distance, 0.0, source.max_order), 0.0)


def _is_certain(network: Network, j: int) -> bool:
    """Whether what source j takes from its one input follows from what it wants."""
    source, raced = network.sources[j], network.race is not None
    chance = source.disruption is not None or source.capacity_share is not None or raced
    return len(network.inputs[j]) == 1 and not chance and source.resource is None
