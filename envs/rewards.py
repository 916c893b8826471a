"""The reward: a weighted sum of a period's named terms.

Terms are ``revenue``, ``cost``, every cost term (``cost.holding`` ...), and units: ``demand``, ``shipped``,
``shipped_on_time``, ``lost``, ``owed`` and ``on_hand``, summed over stages. ``profit`` and ``cost`` are usual.
"""

from __future__ import annotations

from collections.abc import Mapping

from pushpull.envs import bounds
from pushpull.envs.checks import InputError, number, suggest
from pushpull.envs.dynamics import Array, Flows
from pushpull.envs.network import COST_TERMS, Network

PRESETS: dict[str, dict[str, float]] = {
    "profit": {"revenue": 1.0, "cost": -1.0},
    "cost": {"cost": -1.0},
}
UNITS = ("demand", "shipped", "shipped_on_time", "lost", "owed", "on_hand")
TERMS = ("revenue", "cost", *(f"cost.{term}" for term in COST_TERMS), *UNITS)


def reward_weights(reward: str | Mapping[str, float]) -> dict[str, float]:
    """Return weights by term from a preset's name or a mapping, checked."""
    if isinstance(reward, str):
        if reward not in PRESETS:
            raise InputError("reward", f"{reward!r} is unknown; {suggest(reward, PRESETS)}; or give {{term: weight}}")
        return PRESETS[reward]
    if not isinstance(reward, Mapping) or not reward:
        raise InputError("reward", f"{reward!r} is not usable; give one of {list(PRESETS)} or {{term: weight}}")
    for term in reward:
        if term not in TERMS:
            raise InputError(f"reward.{term}", f"unknown term; {suggest(term, TERMS)}")
    return {term: float(number()(f"reward.{term}", weight)) for term, weight in reward.items()}


def rewards(weights: Mapping[str, float], costs: Mapping[str, Array], revenue: Array, flows: Flows) -> Array:
    """Return the weighted sum of the period's terms, [B], as arrays or tensors."""
    total = 0.0 * revenue
    for term, weight in weights.items():
        if term == "revenue":
            value = revenue
        elif term == "cost":
            value = sum(costs.values())
        elif term in UNITS:
            value = getattr(flows, term).sum(axis=0)
        else:
            value = costs.get(term.removeprefix("cost."), 0.0)  # a term of a feature that the network does not state
        total = total + weight * value
    return total


def reward_scale(network: Network) -> float:
    """Return the money that one period's demand is worth: a unit in which rewards are of the order of one."""
    worth = 0.0
    for i, rate in enumerate(bounds.demand_rates(network)):
        market = network.markets.get(i)
        if market is not None:
            worth += rate * max(market.price, market.backorder_cost, market.lost_sale_cost)
        worth += rate * network.stages[network.stage_names[i]].holding_cost
    return worth or 1.0
