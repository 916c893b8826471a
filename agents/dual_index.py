"""Two suppliers of one stock by levels: dual index, with a cap, and tailored base-surge.

The fast source lifts to z_e the position that counts only what comes as soon as its own order. The slow one lifts the
whole position to z_r, but orders no more than a cap:

============================ ================= ================= ===================================================
policy                       z_r               cap               source
============================ ================= ================= ===================================================
`DualIndex`                  finite            none              Veeraraghavan & Scheller-Wolf 2008, Oper. Res. 56(4)
`CappedDualIndex`            finite            finite            Sun & Van Mieghem 2019, M&SOM 21(4)
`TailoredBaseSurge`          infinite          constant order    Allon & Van Mieghem 2010, Management Science 56(1)
============================ ================= ================= ===================================================

Slow orders may lift the fast position above z_e. This overshoot depends on z_r - z_e and the cap alone, so the best z_e
for them is a newsvendor's: the quantile at b / (b + h) of demand over the fast lead time and a period, less the
overshoot (Veeraraghavan & Scheller-Wolf 2008). Only the difference and the cap are searched, on demand of trial worlds.
"""

from __future__ import annotations

import numpy as np

from pushpull.agents.orders import Orders, one_stock
from pushpull.agents.trials import Numbers, pattern_search, trial_demand
from pushpull.envs.bounds import demand_rates
from pushpull.envs.checks import InputError, number, optional
from pushpull.envs.network import Network
from pushpull.envs.observations import View

_LEVEL, _CAP = optional(number()), optional(number(0))
_PERIODS, _WARM_UP, _WORLDS = 220, 60, 2000  # of a trial path, and their number
_TRIALS = 100


class DualIndex:
    """Lift what comes soon to z_e by the fast source, and the whole position to z_r by the slow one.

    Parameters
    ----------
    network : Network
        One stage with two sources of different lead times, which decide before demand.
    expedited, regular : float, optional
        z_e and z_r; by default the best, by formula and trial.
    """

    name = "dual_index"

    def __init__(self, network: Network, expedited: float | None = None, regular: float | None = None):
        self._set(network, _LEVEL("expedited", expedited), _LEVEL("regular", regular), np.inf)

    def _set(self, network: Network, expedited: float | None, regular: float | None, cap: float | None) -> None:
        one_stock(network, self.name, sources=2)
        self.network, self._orders = network, Orders(network, self.name)
        self._sources = fast_and_slow(network, self.name)
        if expedited is None or regular is None or cap is None:
            expedited, regular, cap = best_indices(network, self._sources, expedited, regular, cap)
        self.expedited, self.regular, self.cap = expedited, regular, cap

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, 2] in units."""
        fast, slow = self._sources
        quantity = np.empty_like(view.pending)
        soon = self.network.sources[fast].lead_time
        late = view.pending[slow] + view.pipeline[slow][soon + 1 :].sum(axis=0)
        position = view.inventory_position[0]
        quantity[fast] = np.maximum(self.expedited - (position - late), 0.0)
        quantity[slow] = np.clip(self.regular - position - quantity[fast], 0.0, self.cap)
        return self._orders(view, quantity)


class CappedDualIndex(DualIndex):
    """A dual-index policy whose slow orders have a cap, which smooths them.

    Parameters
    ----------
    network : Network
        One stage with two sources of different lead times, which decide before demand.
    expedited, regular, cap : float, optional
        z_e, z_r and the most units of a slow order; by default the best, by formula and trial.
    """

    name = "capped_dual_index"

    def __init__(
        self,
        network: Network,
        expedited: float | None = None,
        regular: float | None = None,
        cap: float | None = None,
    ):
        self._set(network, _LEVEL("expedited", expedited), _LEVEL("regular", regular), _CAP("cap", cap))


class TailoredBaseSurge(DualIndex):
    """Order a constant base from the slow source and surges above it, up to a level, from the fast one.

    Parameters
    ----------
    network : Network
        One stage with two sources of different lead times, which decide before demand.
    base : float, optional
        Units of every slow order, below mean demand; by default the best, by trial.
    level : float, optional
        Level of what comes soon; by default the newsvendor's.
    """

    name = "tailored_base_surge"

    def __init__(self, network: Network, base: float | None = None, level: float | None = None):
        self._set(network, _LEVEL("level", level), np.inf, _CAP("base", base))


def fast_and_slow(network: Network, policy: str) -> tuple[int, int]:
    """Return the fast and the slow source, or refuse two that are as fast, or a market that does not wait."""
    first, second = (source.lead_time + source.order_delay for source in network.sources)
    name = network.stage_names[0]
    if first == second:
        raise InputError(f"stages.{name}.sources", f"lead times {first} and {second}; {policy} needs different ones")
    return (0, 1) if first < second else (1, 0)


def best_indices(
    network: Network, sources: tuple[int, int], expedited: float | None, regular: float | None, cap: float | None
) -> tuple[float, float, float]:
    """Return z_e, z_r and the cap, where not given, that cost least on demand of trial worlds."""
    fast, slow = (network.sources[j] for j in sources)
    (stage,), (market,), (name,) = network.stages.values(), network.markets.values(), network.stage_names
    if market.waiting_share < 1 or market.backorder_cost <= 0 or stage.holding_cost <= 0:
        raise InputError(
            f"stages.{name}",
            "levels follow from backorder_cost and holding_cost above 0 and customers who wait; "
            "state them, or give the policy its levels",
        )
    if (expedited is None) != (regular is None) and regular != np.inf:
        missing = "expedited" if expedited is None else "regular"
        raise InputError(missing, "missing, while the other level is given; give both or none")
    demand, wait = trial_demand(network, _PERIODS + fast.lead_time, _WORLDS), slow.lead_time - fast.lead_time
    totals = np.concatenate([np.zeros_like(demand[:1]), np.cumsum(demand, axis=0)])
    covered = (totals[fast.lead_time + 1 :] - totals[: -fast.lead_time - 1])[_WARM_UP:_PERIODS]
    share = market.backorder_cost / (market.backorder_cost + stage.holding_cost)
    prices = [source.unit_cost + source.pipeline_holding_cost * source.lead_time for source in (fast, slow)]
    rate, whole = float(demand_rates(network)[0]), network.units == "integer"

    def play(gap: float, most: float) -> tuple[float, float]:
        """Return the cost per period of a gap and a cap, and z_e."""
        above, by_fast, by_slow = (part[_WARM_UP:] for part in overshoot(demand[:_PERIODS], wait, gap, most))
        needed = covered - above
        level = expedited
        if level is None:
            level = float(np.quantile(needed, share, method="inverted_cdf" if whole else "linear"))
        left = level - needed
        stock = np.where(left > 0, stage.holding_cost * left, -market.backorder_cost * left).mean()
        return float(stock + prices[0] * by_fast.mean() + prices[1] * by_slow.mean()), level

    def given(searched: Numbers) -> tuple[float, float]:
        """Return the gap and the cap, those that are searched among them."""
        gap = searched.get("gap", np.inf)
        if expedited is not None and regular is not None:
            gap = regular - expedited
        return gap, searched["cap"] if cap is None else cap

    def cost(searched: Numbers) -> float:
        gap, most = given(searched)
        if min(gap, most) < 0 or (gap == np.inf and most >= rate):  # stock would grow for ever
            return np.inf
        return play(gap, most)[0]

    start = {"gap": rate * wait} if regular is None else {}
    start |= {"cap": rate / 2} if cap is None else {}
    searched = pattern_search(start, cost, whole, _TRIALS)[0] if start else {}
    gap, most = given(searched)
    level = play(gap, most)[1]
    return level, level + gap, most


def overshoot(demand: np.ndarray, wait: int, gap: float, cap: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how far the fast position lies above z_e once both have ordered, and fast and slow orders, [T, B] each.

    Parameters
    ----------
    demand : ndarray [T, B]
        Demand of each period, after the orders.
    wait : int
        Periods by which the slow source is slower, at least 1.
    gap, cap : float
        z_r - z_e, and the most units of a slow order.
    """
    position = np.zeros(demand.shape[1])  # fast position less z_e
    due = np.zeros((wait, demand.shape[1]))  # slow orders that the fast position does not count; the next one first
    above, by_fast, by_slow = np.empty_like(demand), np.empty_like(demand), np.empty_like(demand)
    for t, asked in enumerate(demand):
        position = position + due[0]
        due[:-1] = due[1:]
        due[-1] = 0.0
        by_fast[t] = np.maximum(-position, 0.0)
        above[t] = position = position + by_fast[t]
        by_slow[t] = due[-1] = np.clip(gap - position - due.sum(axis=0), 0.0, cap)
        position = position - asked
    return above, by_fast, by_slow
