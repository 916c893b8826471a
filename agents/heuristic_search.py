"""The kinds of simple heuristics that suit a network, each a `trials.Kind` whose best numbers `trials.search` finds.

A `Kind` says which numbers a heuristic has, where the search starts and how numbers become a policy, on the network or
on a variant of it that states the rule: another basis, lot or cap.

===================== ============================= ====================================================================
kind                  for                           numbers
===================== ============================= ====================================================================
`base_stock`          any network                   a level per source
`echelon_base_stock`  more than one stage           an echelon level per source
`modified_base_stock` a row that pushes, and pays   an echelon level per source; requests end where capacity and the
                      for what it cannot start      supplier's stock do
`cyclic_base_stock`   demand with a season          an echelon level per source and period of the season
`capped_base_stock`   one stage, one source         level, most that is ordered at once
`constant_order`      one stage, one source         quantity per period
`tailored_base_surge` one stage, two sources        constant quantity of the slower one, level of the faster one
`dual_index`          one stage, two sources, one   a level of what is there or due at once, and one of all that is
                      of them at once               ordered; `capped_dual_index` also the most that the slower one gets
`kanban`              push into a buffer, pull out  level of the buffer after the pull stage took its part, base stock
`s_S`                 a fixed cost                  reorder point and gap per source
`r_nQ`                a fixed cost, one source      reorder point and lot
===================== ============================= ====================================================================

All but modified and cyclic base-stock, dual indices and kanban are constant rules and run in compiled code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from pushpull.agents.dual_index import CappedDualIndex, DualIndex
from pushpull.agents.levels import order_levels
from pushpull.agents.trials import Kind, Numbers
from pushpull.envs.actions import ActionSpace
from pushpull.envs.bounds import covering_stock, demand_rates, echelon_exposure, exposure
from pushpull.envs.checks import InputError, suggest
from pushpull.envs.families import market_demand, mean
from pushpull.envs.network import ALL_PULL, ALL_PUSH, Demand, Lot, Network, Source
from pushpull.envs.observations import View
from pushpull.envs.rules import Rules


def kinds(network: Network) -> dict[str, Kind]:
    """Return the kinds of heuristics that suit a network, by name: not those whose variant of it would be refused."""
    found: dict[str, Kind] = {}
    for name, make in KINDS.items():
        try:
            kind = make(network)
        except InputError:
            continue
        if kind is not None:
            found[name] = kind
    return found


def kind_of(network: Network, heuristic: str) -> Kind:
    """Return a kind of heuristic, or say which suit the network."""
    suiting = kinds(network)
    if heuristic not in suiting:
        raise InputError("heuristic", f"{heuristic!r} does not suit {network.name!r}; {suggest(heuristic, suiting)}")
    return suiting[heuristic]


# --- kinds ------------------------------------------------------------------------------------------------------------


def _variant(network: Network, **changes: Any) -> Network:
    """Return a network with keys of all its sources changed."""

    def changed(source: Source) -> Source:
        return replace(source, **changes)

    stages = {
        name: replace(stage, sources=tuple(map(changed, stage.sources))) for name, stage in network.stages.items()
    }
    return replace(network, stages=stages)


def _in_modes(network: Network) -> dict[str, str]:
    """Return the action entry that a level of each source sets, by the source's name."""
    words = {"push": "push_quantity", "pull": "pull_threshold", "mixed": "pull_threshold"}
    return {name: words[mode] for name, mode in zip(network.source_names, network.modes, strict=True)}


def _level_rules(network: Network, levels: Mapping[str, float], gaps: Mapping[str, float] | None = None) -> Rules:
    """Keep every source at its level; with gaps only once the position is at the level, then up to level + gap."""
    held, lifted = {}, {}
    for name, word in _in_modes(network).items():
        if word == "push_quantity":
            up_to = levels[name] if gaps is None else (levels[name], levels[name] + gaps[name])
            lifted[f"{name}.{word}"] = up_to
        else:
            held[f"{name}.{word}"] = levels[name]
            if gaps is not None:
                held[f"{name}.gap"] = gaps[name]
    return Rules(network, held, lifted)


def _start_levels(network: Network) -> np.ndarray:
    """Return the levels that formulas give, [J], or where costs say nothing those that cover two deviations."""
    try:
        levels = order_levels(network).order_up_to
    except InputError:
        levels = covering_stock(network, exposure(network))
    echelon = np.array([source.basis != "installation" for source in network.sources])
    cover = np.where(
        echelon, covering_stock(network, echelon_exposure(network)), covering_stock(network, exposure(network))
    )
    return np.where(np.isfinite(levels), np.maximum(0.0, levels), cover)


def _base_stock(network: Network) -> Kind:
    own = _variant(network, basis="installation", over=None)
    start = dict(zip(own.source_names, _start_levels(own).tolist(), strict=True))
    return Kind(start, lambda levels: _level_rules(own, levels))


def _echelon_base_stock(network: Network) -> Kind | None:
    if len(network.stages) == 1:
        return None
    own = _variant(network, basis="echelon", over=None)
    start = dict(zip(own.source_names, _start_levels(own).tolist(), strict=True))
    return Kind(start, lambda levels: _level_rules(own, levels))


class ModifiedBaseStock:
    """Release what an echelon position lacks to its level, as far as capacity and the supplier's stock allow.

    The modified base-stock policy of OR-Gym's inventory problem (Hubbs et al. 2020), after Glasserman & Tayur (1995).
    """

    def __init__(self, network: Network, levels: np.ndarray):
        self.network, self._levels = network, levels[:, None]
        self._capacity = np.array([source.capacity for source in network.sources])[:, None]
        self._received = network.sequence.index("receive") < network.sequence.index("push")

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, J] in units."""
        network, stock = self.network, view.on_hand
        if self._received:
            stock = stock + np.stack([view.pipeline[own[0]][0] for own in network.sources_of])
        lacking = self._levels - view.echelon_inventory_position[list(network.source_stage)]
        quantity = np.minimum(np.maximum(lacking, 0.0), self._capacity)
        for j, inputs in enumerate(network.inputs):
            for m, units in inputs:
                quantity[j] = np.minimum(quantity[j], stock[m] / units)
        return quantity.T


def _modified_base_stock(network: Network) -> Kind | None:
    in_a_row = len(network.sources) == len(network.stages) and max(map(len, network.users_of)) == 1
    pays = any(source.shortfall_cost for source in network.sources)
    if not (in_a_row and pays) or set(network.modes) != {"push"} or network.promoting:
        return None
    own = _variant(network, basis="echelon", over=None)
    start = dict(zip(own.source_names, _start_levels(own).tolist(), strict=True))
    return Kind(start, lambda numbers: ModifiedBaseStock(own, np.array(list(numbers.values()))))


class CyclicBaseStock:
    """Keep every source's echelon position at a level that depends on the period of the season, [J, K]."""

    def __init__(self, network: Network, levels: np.ndarray):
        self.network, self._levels, self._entries = network, levels, ActionSpace(network).entries

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units."""
        levels = self._levels[:, view.period % self._levels.shape[1]]
        lacking = levels - view.echelon_inventory_position[list(self.network.source_stage)]
        columns = {"quantity": np.maximum(lacking, 0.0), "threshold": levels}
        return np.stack([columns[column][j] for j, column in self._entries], axis=1)


def _cyclic_base_stock(network: Network) -> Kind | None:
    """Start from constant levels, moved by what the season has demand over the echelon exposure deviate by."""
    lengths = {len(d.season) for d in network.market_demands.values() if isinstance(d, Demand) and d.season}
    if len(lengths) != 1 or set(network.modes) - {"push", "pull"} or network.promoting:
        return None
    (length,), own = lengths, _variant(network, basis="echelon", over=None)
    exposures = echelon_exposure(own).round().astype(int)
    paths = [mean(market_demand(own, i), own.units, length + int(exposures.max())) for i in own.markets]
    needs = own.requirements[list(own.source_stage)][:, list(own.markets)] @ np.stack(paths)
    levels = np.stack(
        [
            level
            + [needs[j, k : k + exposures[j]].sum() - exposures[j] * needs[j, :length].mean() for k in range(length)]
            for j, level in enumerate(_start_levels(own))
        ]
    )
    start = {f"{name}.{k}": float(levels[j, k]) for j, name in enumerate(own.source_names) for k in range(length)}
    return Kind(start, lambda numbers: CyclicBaseStock(own, np.reshape(list(numbers.values()), levels.shape)))


def _has_one_stage(network: Network, sources: int) -> bool:
    return len(network.stages) == 1 and len(network.sources) == sources


def _capped_base_stock(network: Network) -> Kind | None:
    if not _has_one_stage(network, 1) or network.sources[0].mode not in (None, "pull"):
        return None
    pulling = _variant(network.with_decoupling_point(ALL_PULL), basis="installation", over=None)
    (name,) = pulling.source_names
    least = 1 if network.units == "integer" else 1e-3

    def rules(numbers: Numbers) -> Rules:
        return _level_rules(_variant(pulling, max_order=max(least, numbers["cap"])), {name: numbers["level"]})

    return Kind({"level": float(_start_levels(pulling)[0]), "cap": 1.5 * float(demand_rates(network)[0])}, rules)


def _constant_order(network: Network) -> Kind | None:
    if not _has_one_stage(network, 1) or network.sources[0].mode not in (None, "push"):
        return None
    pushing = network.with_decoupling_point(ALL_PUSH)
    entry = f"{pushing.source_names[0]}.push_quantity"
    rate = 0.9 * float(demand_rates(network)[0])
    return Kind({"quantity": rate}, lambda numbers: Rules(pushing, {entry: numbers["quantity"]}))


def _tailored_base_surge(network: Network) -> Kind | None:
    """Janakiraman, Seshadri & Sheopuri (2015), Management Science 61(4)."""
    if not _has_one_stage(network, 2) or set(network.modes) != {"push"}:
        return None
    fast, slow = sorted(range(2), key=lambda j: network.sources[j].lead_time)
    entries = [f"{name}.push_quantity" for name in network.source_names]

    def rules(numbers: Numbers) -> Rules:
        return Rules(network, {entries[slow]: numbers["quantity"]}, {entries[fast]: numbers["level"]})

    rate = float(demand_rates(network)[0])
    return Kind({"quantity": np.floor(rate), "level": float(_start_levels(network)[slow])}, rules)


def _dual_index(network: Network, capped: bool = False) -> Kind | None:
    at_once = [source.lead_time == 0 for source in network.sources]
    if not _has_one_stage(network, 2) or set(network.modes) != {"push"} or sum(at_once) != 1:
        return None
    fast = at_once.index(True)
    levels = _start_levels(network)
    start = {"expedited": float(levels[fast]), "regular": float(levels[1 - fast])}
    if capped:
        start["cap"] = float(np.ceil(1.5 * demand_rates(network)[0]))
    policy = CappedDualIndex if capped else DualIndex
    return Kind(start, lambda numbers: policy(network, **numbers))


class Kanban:
    """Release what a buffer lacks to its level once the pull stage has taken its part, which keeps a base stock."""

    def __init__(self, network: Network, buffer: float, finished: float):
        self.network, self._levels = network, (buffer, finished)
        self._capacity = [source.capacity for source in network.sources]

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, 2]: release, threshold."""
        (push, pull), (buffer, finished) = self._capacity, self._levels
        there = view.on_hand[0] + view.pipeline[0][0]
        position = view.on_hand[1] + view.in_process[1] - view.backorders[1]
        taken = np.minimum(np.minimum(there, pull), np.maximum(finished - position, 0.0))
        released = np.minimum(np.maximum(buffer - (there - taken), 0.0), push)
        return np.stack([released, np.full_like(released, finished)], axis=1)


def _kanban(network: Network) -> Kind | None:
    lead_times = [source.lead_time for source in network.sources]
    in_a_row = len(network.stages) == 2 and list(network.inputs) == [(), ((0, 1),)]
    if not in_a_row or network.modes != ("push", "pull") or lead_times[0] != 1:
        return None
    own = _variant(network, basis="installation", over=None)
    buffer, finished = map(float, _start_levels(own))
    start = {"buffer": buffer, "finished": finished}
    return Kind(start, lambda numbers: Kanban(own, **numbers))


def _reorder_point(network: Network) -> Kind | None:
    if not any(source.fixed_cost for source in network.sources):
        return None
    own = _variant(network, basis="installation", over=None, lot=Lot(rule="s_S"))
    levels = order_levels(own, economic_lots=True)
    start = {f"{name}.s": max(0.0, float(s)) for name, s in zip(own.source_names, levels.reorder_point, strict=True)}
    start |= {f"{name}.gap": float(gap) for name, gap in zip(own.source_names, levels.gap, strict=True)}

    def rules(numbers: Numbers) -> Rules:
        return _level_rules(
            own, *({name: numbers[f"{name}.{key}"] for name in own.source_names} for key in ("s", "gap"))
        )

    return Kind(start, rules)


def _lots(network: Network) -> Kind | None:
    (mode, *others), (source, *_) = network.modes, network.sources
    if others or not source.fixed_cost or mode != "pull":
        return None
    own = _variant(network, basis="installation", over=None, lot=Lot(rule="s_S"))
    levels, (name,) = order_levels(own, economic_lots=True), own.source_names

    def rules(numbers: Numbers) -> Rules:
        lots = _variant(own, lot=Lot(rule="r_nQ", Q=max(1.0, numbers["Q"])))
        return Rules(lots, {f"{name}.pull_threshold": numbers["r"]})

    return Kind({"r": max(0.0, float(levels.reorder_point[0])), "Q": max(1.0, float(levels.gap[0]))}, rules)


KINDS: dict[str, Callable[[Network], Kind | None]] = {
    "base_stock": _base_stock,
    "echelon_base_stock": _echelon_base_stock,
    "modified_base_stock": _modified_base_stock,
    "cyclic_base_stock": _cyclic_base_stock,
    "capped_base_stock": _capped_base_stock,
    "constant_order": _constant_order,
    "tailored_base_surge": _tailored_base_surge,
    "dual_index": _dual_index,
    "capped_dual_index": partial(_dual_index, capped=True),
    "kanban": _kanban,
    "s_S": _reorder_point,
    "r_nQ": _lots,
}
