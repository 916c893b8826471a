"""What an exact solver returns, and the questions that it asks a network first.

A class of problems is recognised by its structure. `only` refuses whatever a class does not know: every key that a
network states beyond those that change nothing, or that the class names, is an error that names the key and the fix.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from pushpull.envs.checks import InputError, Settings
from pushpull.envs.demand import Law, laws
from pushpull.envs.network import DEMAND_KINDS, Demand, Network
from pushpull.envs.observations import View


class _Policy(Protocol):
    def act(self, view: View) -> np.ndarray: ...


@dataclass(frozen=True)
class Solution:
    """The exact optimum of a network.

    Attributes
    ----------
    cost : float
        Least average cost per period in the long run: the sum of all cost terms, as `simulate` reports it.
    policy : Policy
        Its ``act(view)`` returns actions [B, K] in units.
    method : str
        How it was found, with its source.
    error : float
        The optimal cost lies within this of `cost`.
    fill_rate : float, or None
        Share of demand that is met at once under the policy, where the solver knows it.
    levels : mapping of str to float
        The policy in numbers where it has any: echelon base-stock levels by stage, or s, S, r, Q.
    """

    cost: float
    policy: _Policy
    method: str
    error: float = 0.0
    fill_rate: float | None = None
    levels: Mapping[str, float] = field(default_factory=dict)


_NETWORK = {
    "name", "description", "stages", "sequence", "units", "rounding", "allocation", "decoupling_point", "horizon",
    "warm_up",
}  # fmt: skip
_STAGE = {"initial_on_hand", "initial_owed", "holding_cost", "sources", "market"}
_SOURCE = {"mode", "inputs", "lead_time", "initial_pipeline", "unit_cost", "pipeline_holding_cost", "basis"}
_MARKET = {
    "demand", "forecast", "stockout", "backorder_cost", "lost_sale_cost", "price", "tolerance", "satisfaction",
}  # fmt: skip


def only(
    network: Network, source: Collection[str] = (), demand: Collection[str] = (), beside: Collection[str] = ()
) -> None:
    """Refuse what is beyond every solver, but for these keys of sources, of demand and of the network (`beside`).

    Raises
    ------
    InputError
        For a key that is not solved, a mixed source, a random lead time, or demand that is not drawn anew.
    """
    _refuse("", network, {*_NETWORK, *beside})
    for j, (settings, name) in enumerate(zip(network.sources, network.source_names, strict=True)):
        i = network.source_stage[j]
        where = f"stages.{network.stage_names[i]}.sources[{network.sources_of[i].index(j)}]"
        _refuse(f"{where}.", settings, {*_SOURCE, *source})
        if network.modes[j] == "mixed":
            raise InputError(f"{where}.mode", f"{name!r} is mixed; decouple it: mode: push or pull")
        if settings.lead_time_law is not None:
            raise InputError(f"{where}.lead_time", "is random; give a whole number of periods")
    for i, (name, stage) in enumerate(network.stages.items()):
        _refuse(f"stages.{name}.", stage, _STAGE)
        if stage.market is not None:
            where = f"stages.{name}.market"
            _refuse(f"{where}.", stage.market, _MARKET)
            law = network.market_demands[i]
            if not isinstance(law, Demand) or not law.is_drawn_anew or law.kind == "bass":
                kind = f"of kind {law.kind}, or with a memory" if isinstance(law, Demand) else "missing"
                raise InputError(f"{where}.demand", f"is {kind}; solvers need a law that every period is drawn from")
            _refuse(f"{where}.demand.", law, {"kind", *DEMAND_KINDS[law.kind], *demand})


def _refuse(where: str, settings: Settings, known: Collection[str]) -> None:
    for key, value in settings.to_dict().items():
        if key not in known:
            told = f"{value!r}" if isinstance(value, (int, float, str)) else "this"
            raise InputError(f"{where}{key}", f"{told} is beyond what is solved exactly here; leave it out")


def demand_laws(network: Network) -> list[Law]:
    """Return the law of demand at the only market in each period of its season."""
    (demand,) = network.market_demands.values()
    assert isinstance(demand, Demand)  # others are refused
    return laws(demand, network.units, max(1, len(demand.season)))


def demand_law(network: Network) -> Law:
    """Return the law of demand at the only market, which has no season."""
    (law,) = demand_laws(network)
    return law


def largest_order(network: Network, j: int) -> float:
    """Return the units that source j can start in a period, and beyond which an order of it would wait."""
    source = network.sources[j]
    return float(np.floor(min(source.capacity, source.max_order if network.modes[j] == "pull" else np.inf)))


def whole_demand(network: Network, law: Law) -> None:
    """Refuse demand that does not come in whole units."""
    if not law.whole:
        raise InputError("units", "'real', and demand comes in parts of units; use units: integer")


def waits_at_a_price(network: Network, i: int) -> None:
    """Refuse a market that does not wait, and stock or waiting that costs nothing: no finite level is best then."""
    name, market = network.stage_names[i], network.markets[i]
    if market.waiting_share < 1:
        raise InputError(
            f"stages.{name}.market.stockout",
            "demand may be lost; use backorder, or for lost sales one stage with one source",
        )
    if network.stages[name].holding_cost <= 0:
        raise InputError(f"stages.{name}.holding_cost", "0, so no stock is too large; give a cost above 0")
    if market.backorder_cost <= 0:
        raise InputError(f"stages.{name}.market.backorder_cost", "0, so no wait is too long; give a cost above 0")


def in_a_row(network: Network) -> list[int]:
    """Return the stages from the market up, or refuse a network that is not one stage after the other.

    Raises
    ------
    InputError
        For a second market, source or user of a stage, or units of a stage that another does not need one by one.
    """
    if len(network.markets) > 1:
        raise InputError("stages", f"{len(network.markets)} markets; solvers know one")
    for i, name in enumerate(network.stage_names):
        for what, many in (("sources", len(network.sources_of[i])), ("users", len(network.users_of[i]))):
            if many > 1:
                raise InputError(f"stages.{name}", f"{many} {what}; in a row every stage has one")
    (shop,) = network.markets
    row = [shop]
    while inputs := list(network.inputs[network.sources_of[row[-1]][0]]):
        where = f"stages.{network.stage_names[row[-1]]}.sources[0].inputs"
        if len(inputs) > 1:
            raise InputError(where, f"{len(inputs)} of them; in a row every stage has one supplier")
        if inputs[0][1] != 1:
            raise InputError(where, f"{inputs[0][1]:g} units for one; count in units of which one is needed")
        row.append(inputs[0][0])
    if network.users_of[shop]:
        raise InputError(f"stages.{network.stage_names[shop]}", "sells and supplies; in a row only the last one sells")
    if len(row) < len(network.stages):
        other = next(name for i, name in enumerate(network.stage_names) if i not in row)
        raise InputError(f"stages.{other}", "supplies no market; leave it out")
    return row


def decides_before_demand(network: Network, j: int) -> bool:
    """Whether source j acts before the period's demand, on a state that a policy sees."""
    return network.sequence.index(network.modes[j]) < network.sequence.index("demand")


def must_decide_before_demand(network: Network) -> None:
    """Refuse sources whose triggers see demand that the policy, which sets them before, does not see."""
    for j, name in enumerate(network.source_names):
        if not decides_before_demand(network, j):
            raise InputError(
                "sequence",
                f"{name!r} pulls after demand is seen, so that a threshold set before cannot say every order; use "
                "sequence: [receive, push, pull, demand, ship], or push",
            )


def received(view: View, i: int, j: int) -> np.ndarray:
    """Return the net stock [B] of stage i once what its source j has due is there."""
    return view.on_hand[i] + view.pipeline[j][0] - view.backorders[i]


def order_actions(view: View, j: int, quantity: np.ndarray) -> np.ndarray:
    """Return the action [B] that makes source j order a quantity now: itself, or the threshold above its position."""
    if view.network.modes[j] == "push":
        return quantity
    return view.inventory_position[view.network.source_stage[j]] + quantity


def cost_that_no_policy_changes(network: Network) -> float:
    """Return what every unit costs by the way per period, where all demand is met at last.

    Its purchase and, by Little's law, lead time times the rate of the pipeline.
    """
    rate = float(np.mean([law.mean for law in demand_laws(network)]))
    return rate * sum(s.unit_cost + s.pipeline_holding_cost * s.lead_time for s in network.sources)
