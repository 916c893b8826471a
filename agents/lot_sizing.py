"""Material requirements planning with lots: net requirements over a horizon, put together so that setups are worth it.

======================= ======================================================= ====================================
policy                  a lot covers                                            source
======================= ======================================================= ====================================
`LotForLot`             each period's requirement alone                         Orlicky 1975
`SilverMeal`            periods as long as cost per period falls                Silver & Meal 1973, PIM 14(2)
`WagnerWhitin`          the periods that cost least over the horizon            Wagner & Whitin 1958, MS 5(1)
======================= ======================================================= ====================================

In every period the plan is made anew, from the markets up: gross requirements are what is foreseen, or what the lots of
users need; net requirements take off stock, what is due and add safety stock; lots are released a lead time before they
are needed, or now where that is past; the first period of the plan is acted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pushpull.agents.exposure import regular_sources
from pushpull.agents.levels import order_levels
from pushpull.agents.orders import Orders
from pushpull.agents.requirements import Foresight
from pushpull.envs.checks import InputError, number, optional
from pushpull.envs.network import Network
from pushpull.envs.observations import View

_PERIODS = optional(number(1, whole=True))
_USUAL_HORIZON = 12  # periods, where nothing is forecast further ahead


def lot_for_lot(required: np.ndarray, fixed_cost: float, holding_cost: float) -> np.ndarray:
    """Return lots [T, B] that are the requirements [T, B] themselves."""
    return required


def silver_meal(required: np.ndarray, fixed_cost: float, holding_cost: float) -> np.ndarray:
    """Return lots [T, B] that each cover periods as long as the mean cost per period does not rise.

    A lot of n periods costs (K + h sum over m < n of m d(m)) / n per period (Silver & Meal 1973).
    """
    lots, batch = np.zeros_like(required), np.arange(required.shape[1])
    start, cost = np.full(required.shape[1], -1), np.zeros(required.shape[1])
    for t, needed in enumerate(required):
        age = t - start
        longer = cost + holding_cost * age * needed
        goes_on = (start >= 0) & (longer * age <= cost * (age + 1))
        opens = ~goes_on & (needed > 0)
        start = np.where(goes_on, start, np.where(opens, t, -1))
        cost = np.where(goes_on, longer, fixed_cost)
        lots[np.maximum(start, 0), batch] += np.where(start >= 0, needed, 0.0)
    return lots


def wagner_whitin(required: np.ndarray, fixed_cost: float, holding_cost: float) -> np.ndarray:
    """Return the lots [T, B] of least fixed and holding cost: a lot covers whole periods up to the next.

    F(t) = min over s < t of F(s) + K + h sum over s <= m < t of (m - s) d(m) (Wagner & Whitin 1958).
    """
    periods, batch = len(required), np.arange(required.shape[1])
    total = np.concatenate([np.zeros_like(required[:1]), np.cumsum(required, axis=0)])
    weighted = np.concatenate([total[:1], np.cumsum(required * np.arange(periods)[:, None], axis=0)])
    best, begin = np.zeros_like(total), np.zeros(total.shape, dtype=int)
    for t in range(1, periods + 1):
        units = total[t] - total[:t]
        carried = weighted[t] - weighted[:t] - np.arange(t)[:, None] * units
        costs = best[:t] + fixed_cost * (units > 0) + holding_cost * carried
        begin[t] = t - 1 - costs[::-1].argmin(axis=0)  # of equals the last, which holds stock for less time
        best[t] = costs[begin[t], batch]
    lots, end = np.zeros_like(required), np.full(required.shape[1], periods)
    while end.any():
        start = begin[end, batch]
        lots[start, batch] += total[end, batch] - total[start, batch]
        end = start
    return lots


class LotForLot:
    """Release what each period requires, a lead time before.

    Parameters
    ----------
    network : Network
        All of its sources push; of several sources of a stage the cheapest is planned.
    horizon : int, optional
        Periods that lots are planned for, behind all lead times; by default as many as are forecast, or 12.
    service_level : float, optional
        Share of demand that safety stock covers; by default what costs imply.
    """

    name = "mrp_lot_for_lot"
    lots: Callable[[np.ndarray, float, float], np.ndarray] = staticmethod(lot_for_lot)

    def __init__(self, network: Network, horizon: int | None = None, service_level: float | None = None):
        for name, mode in zip(network.source_names, network.modes, strict=True):
            if mode == "pull":
                raise InputError(
                    "decoupling_point", f"{name!r} pulls; {self.name} plans releases: push, as decoupling_point: market"
                )
        if network.sequence[0] != "receive":
            raise InputError(
                "sequence", f"releases before it receives; {self.name} needs a sequence that begins with receive"
            )
        self.network, self._orders = network, Orders(network, self.name)
        levels, self._regular = order_levels(network, service_level, mixed="push"), regular_sources(network)
        reach, longest = (
            np.zeros(len(network.stages), dtype=int),
            max(m.forecast.horizon for m in network.markets.values()),
        )
        for i in reversed(network.stage_order):
            users = [reach[network.source_stage[j]] for j in network.users_of[i]]
            reach[i] = max(users, default=0) + network.sources[self._regular[i]].planned_lead_time
        wanted = _PERIODS("horizon", horizon)
        ahead = wanted if wanted is not None else longest if longest > 1 else _USUAL_HORIZON
        self._periods = max(reach) + ahead
        self._foresee = Foresight(network, levels, self._periods)
        safety = np.array([levels.held[j] * levels.forecast_error[j] for j in self._regular])
        self.safety_stock = np.maximum(0.0, np.rint(safety) if network.units == "integer" else safety)

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units."""
        network, quantity = self.network, np.zeros_like(view.pending)
        gross = np.zeros((len(network.stages), self._periods, len(view.period)))
        foreseen = self._foresee(view)
        for row, i in enumerate(network.markets):
            gross[i] = foreseen[: self._periods, row]
        for i in reversed(network.stage_order):
            j = self._regular[i]
            source = network.sources[j]
            planned = self.lots(
                self._net(view, i, gross[i]), source.fixed_cost, network.stages[network.stage_names[i]].holding_cost
            )
            planned = planned / source.mean_yield
            quantity[j] = np.minimum(planned[0], source.full_capacity)
            for m, units in network.inputs[j]:
                gross[m, : len(planned)] += units * planned
        return self._orders(view, quantity)

    def _net(self, view: View, i: int, gross: np.ndarray) -> np.ndarray:
        """Return what has to be released now, in the next period, ..., to meet requirements [T, B] in time."""
        j = self._regular[i]
        wait = self.network.sources[j].planned_lead_time
        there = view.on_hand[i] - view.backorders[i] - self.safety_stock[i]
        needed = np.cumsum(gross, axis=0) - there
        for s in self.network.sources_of[i]:
            for k, units in enumerate(view.pipeline[s]):
                needed[k:] -= units
            needed -= view.pending[s]
        short = np.maximum(0.0, np.maximum.accumulate(needed, axis=0))
        if self.network.units == "integer":
            short = np.ceil(short - 1e-9)
        return np.diff(short[wait:], axis=0, prepend=0.0)


class SilverMeal(LotForLot):
    """Release lots that cover periods as long as their cost per period does not rise.

    Parameters
    ----------
    network : Network
        All of its sources push; of several sources of a stage the cheapest is planned.
    horizon : int, optional
        Periods that lots are planned for, behind all lead times; by default as many as are forecast, or 12.
    service_level : float, optional
        Share of demand that safety stock covers; by default what costs imply.
    """

    name = "mrp_silver_meal"
    lots = staticmethod(silver_meal)


class WagnerWhitin(LotForLot):
    """Release lots of least fixed and holding cost over the horizon.

    Parameters
    ----------
    network : Network
        All of its sources push; of several sources of a stage the cheapest is planned.
    horizon : int, optional
        Periods that lots are planned for, behind all lead times; by default as many as are forecast, or 12.
    service_level : float, optional
        Share of demand that safety stock covers; by default what costs imply.
    """

    name = "mrp_wagner_whitin"
    lots = staticmethod(wagner_whitin)
