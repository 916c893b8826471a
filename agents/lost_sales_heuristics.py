"""Simple policies of one stock whose lead time is long and whose customers do not wait, and what they cost.

===================== ================================================= ==============================================
policy                orders                                            parameters
===================== ================================================= ==============================================
`CappedBaseStock`     min(cap, S - position), at least 0                S and cap by trial
`ConstantOrder`       r, whatever happens                               r by the stationary queue
`Myopic1`             what is best for the period in which it arrives   none
`Myopic2`             what is best for that period and the next         none
===================== ================================================= ==============================================

A constant order is optimal as lead times grow, a base-stock level where there is none; a cap joins the two. All are
compared in Zipkin (2008), Old and new methods for lost-sales inventory systems, Operations Research 56(5).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pushpull.agents.lead_time_demand import TRIAL_WORLDS
from pushpull.agents.levels import order_levels
from pushpull.agents.orders import Orders, one_stock
from pushpull.agents.solution import demand_law, whole_demand
from pushpull.agents.trials import Numbers, pattern_search
from pushpull.envs.bounds import demand_rates
from pushpull.envs.checks import InputError, number, optional
from pushpull.envs.demand import pmf
from pushpull.envs.network import ALL_PULL, SEQUENCES, Network
from pushpull.envs.observations import View
from pushpull.envs.rules import Rules
from pushpull.envs.simulate import simulate

_UNITS = optional(number(0))
_EPISODES, _TRIALS = 300, 100
_MOST_STATES = 4000  # of the stationary queue behind a constant order


class CappedBaseStock:
    """Order up to S, but never more than a cap at once (Xin 2021, Operations Research 69(1)).

    Without a cap it is a base-stock policy, without S a constant order. What is not given is found by trial: the
    levels that earn most in trial worlds.

    Parameters
    ----------
    network : Network
        One stage with one source, which decides before demand.
    level, cap : float, optional
        S, and the most units of an order.
    """

    def __init__(self, network: Network, level: float | None = None, cap: float | None = None):
        one_stock(network, "capped_base_stock")
        self._orders = Orders(network, "capped_base_stock")
        level, cap = _UNITS("level", level), _UNITS("cap", cap)
        if level is None or cap is None:
            level, cap = best_capped_base_stock(network, level, cap)
        self.level, self.cap = level, cap

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, 1] in units."""
        return self._orders(view, np.clip(self.level - view.inventory_position, 0.0, self.cap))


def best_capped_base_stock(network: Network, level: float | None, cap: float | None) -> tuple[float, float]:
    """Return the level and the cap, where not given, that earn most in trial worlds.

    The trials play in compiled code: the source pulls, and its cap is the network's.
    """
    (source,), (name,) = network.sources, network.stage_names

    def given(searched: Numbers) -> tuple[float, float]:
        return searched["level"] if level is None else level, searched["cap"] if cap is None else cap

    def lost(searched: Numbers) -> float:
        up_to, most = given(searched)
        if most <= 0:
            return np.inf
        capped = replace(source, mode="pull", shortfall=None, max_order=min(most, source.capacity, source.max_order))
        stages = {name: replace(network.stages[name], sources=(capped,))}
        trial = replace(network, stages=stages, sequence=SEQUENCES["pull_before_demand"], decoupling_point=ALL_PULL)
        rules = Rules(trial, {f"{name}.pull_threshold": up_to})
        return -float(simulate(trial, rules, _EPISODES, TRIAL_WORLDS[0])["profit"].mean())

    start = {"level": float(order_levels(network).order_up_to[0])} if level is None else {}
    start |= {"cap": 1.5 * float(demand_rates(network)[0])} if cap is None else {}
    return given(pattern_search(start, lost, network.units == "integer", _TRIALS)[0])


class ConstantOrder:
    """Order the same quantity in every period, which is optimal as the lead time grows (Goldberg, Katz-Rogozhnikov, Lu,
    Sharma & Squillante 2016, Mathematics of Operations Research 41(3)).

    Stock after demand moves as x' = max(0, x + r - d), the waiting time of a queue, whatever the lead time. By default
    r is the whole number with least h E x + p (mean - r), E x by the stationary law of that queue.

    Parameters
    ----------
    network : Network
        One stage with one source, which decides before demand.
    quantity : float, optional
        r.
    """

    def __init__(self, network: Network, quantity: float | None = None):
        one_stock(network, "constant_order")
        self.network, self._orders = network, Orders(network, "constant_order")
        quantity = _UNITS("quantity", quantity)
        self.quantity = best_constant_order(network)[0] if quantity is None else quantity

    @property
    def rules(self) -> Rules | None:
        """The policy as rules for compiled code, where it pushes."""
        entry = f"{self.network.source_names[0]}.push_quantity"
        return Rules(self.network, {entry: self.quantity}) if self.network.modes[0] == "push" else None

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, 1] in units."""
        return self._orders(view, np.full_like(view.on_hand, self.quantity))


def best_constant_order(network: Network) -> tuple[float, float]:
    """Return the best whole constant order and its cost per period.

    Raises
    ------
    InputError
        If customers wait, since no constant order below the mean would ever serve them all, or for demand that is not
        drawn anew in whole units.
    """
    (stage,), (market,), (source,) = network.stages.values(), network.markets.values(), network.sources
    name = network.stage_names[0]
    if market.waiting_share > 0:
        raise InputError(
            f"stages.{name}.market.stockout", "customers wait, so no constant order is stable; give quantity, or lost"
        )
    law = demand_law(network)
    whole_demand(network, law)
    demand = pmf(law)
    unit_cost = source.unit_cost + source.pipeline_holding_cost * source.lead_time

    def cost(r: int) -> float:
        lost = law.mean - r
        stock = stage.holding_cost * mean_stock(demand, r)
        return stock + market.lost_sale_cost * lost + (unit_cost - market.price) * r

    costs = [cost(r) for r in range(int(np.ceil(law.mean)))]
    best = int(np.argmin(costs))
    return float(best), float(costs[best])


def mean_stock(demand: np.ndarray, quantity: int) -> float:
    """Return the mean stock after demand under a constant order below mean demand, infinite above `_MOST_STATES`.

    It is the stationary law of x' = max(0, x + r - d) on 0, ..., n, where n doubles until it is never reached.
    """
    units, states = np.arange(demand.size), 64
    while states <= _MOST_STATES:
        moves = np.zeros((states, states))
        for x in range(states):
            np.add.at(moves[x], np.clip(x + quantity - units, 0, states - 1), demand)
        balance = np.vstack([(moves.T - np.eye(states))[:-1], np.ones(states)])
        law = np.linalg.solve(balance, np.append(np.zeros(states - 1), 1.0))
        if law[-1] < 1e-12:
            return float(law @ np.arange(states))
        states *= 2
    return np.inf


class Myopic1:
    """Order what costs least in the period in which the order arrives.

    An order of period t arrives in t + L. Myopic policies look at the expected cost of the first periods that it can
    change, as if the world ended after them and gave back what stock is worth (Morton 1971, Management Science 17(7);
    Zipkin 2008). In terms of dynamic programming that is L + 1 periods of value iteration here, L + 2 in `Myopic2`.

    Parameters
    ----------
    network : Network
        What `optimal` solves as lost sales: one stage whose market does not wait, with a lead time of at least 1.
    """

    name, periods = "myopic1", 1

    def __init__(self, network: Network):
        from pushpull.agents.lost_sales import LostSalesPolicy, lost_sales_system, myopic_orders  # compiles

        one_stock(network, self.name)
        (where,) = network.stage_names
        if network.markets[0].waiting_share > 0:
            raise InputError(f"stages.{where}.market.stockout", f"customers wait; {self.name} is for lost sales")
        system = lost_sales_system(network)
        if system.lead_time == 0:
            raise InputError(
                f"stages.{where}.sources[0].lead_time", f"0; {self.name} needs at least 1, and optimal solves 0"
            )
        self.states, self.orders = myopic_orders(*system, periods=self.periods)
        self._policy = LostSalesPolicy(network, self.states, self.orders)

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, 1] in units."""
        return self._policy.act(view)


class Myopic2(Myopic1):
    """Order what costs least in the period in which the order arrives and the next, which is ordered for as well.

    Parameters
    ----------
    network : Network
        What `optimal` solves as lost sales: one stage whose market does not wait, with a lead time of at least 1.
    """

    name, periods = "myopic2", 2
