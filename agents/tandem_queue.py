"""Two machines in a row that make to stock, with exponential times and backorders, solved exactly.

A period is one event of the uniformised chain (Lippman 1975): a customer, a completion at machine 1 into the buffer, or
one at machine 2 from the buffer into finished stock, each with probability its rate over the sum of the rates. The
state is the buffer and the finished stock less what is owed; a machine is on or off. This is the model of Veatch & Wein
(1994, Operations Research 42(2)): no base-stock, kanban or CONWIP rule is optimal, but a pair of switching curves is.

Neither stock has an end, so machines stop at the largest of the state space, and demand is forgiven below the lowest
finished stock. The space grows until the optimal cost no longer moves; the error is the distance of the bounds and the
last move.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pushpull.agents.solution import Solution, cost_that_no_policy_changes, in_a_row, only, waits_at_a_price
from pushpull.agents.value_iteration import Converged, relative_value_iteration, tandem_sweep
from pushpull.envs.checks import InputError
from pushpull.envs.network import Network
from pushpull.envs.observations import View

_MOVE = 1e-6  # relative change of the cost at which the state space is large enough
_GROWTHS = 6

Works = Callable[[np.ndarray, np.ndarray], np.ndarray]  # from buffer [b, 1] and finished stock [1, i]: whether it is on


def solve_tandem_queue(network: Network) -> Solution:
    """Return the optimum of two stages whose sources race with their customers."""
    only(network, source=("capacity",), beside=("race",))
    row = in_a_row(network)
    if len(row) != 2:
        raise InputError("race", f"of {len(row)} stages in a row; give two")
    shop, supplier = row
    waits_at_a_price(network, shop)
    for i in row:
        source = network.sources[network.sources_of[i][0]]
        where = f"stages.{network.stage_names[i]}.sources[0]"
        if source.lead_time or source.capacity != 1:
            raise InputError(
                f"{where}.lead_time", f"{source.lead_time} and capacity {source.capacity:g} in a race; give 0 and 1"
            )
        if network.modes[network.sources_of[i][0]] != "push":
            raise InputError(f"{where}.mode", "pull, whose orders stay when a machine had better be off; use push")
        if ("source", network.source_names[network.sources_of[i][0]]) not in network.racers:
            raise InputError("race.sources", f"{network.stage_names[i]!r} is not in it; give it a rate")
    if ("market", network.stage_names[shop]) not in network.racers:
        raise InputError("race.markets", f"{network.stage_names[shop]!r} is not in it; give it a rate")
    assert network.race is not None
    arrival = network.race.markets[network.stage_names[shop]]
    service = [network.race.sources[network.source_names[network.sources_of[i][0]]] for i in (supplier, shop)]
    if arrival >= min(service):
        raise InputError("race.markets", f"{arrival:g} is not below the rates {service} of the sources; give less")
    holding = [network.stages[network.stage_names[i]].holding_cost for i in (supplier, shop)]
    optimum = tandem_queue(arrival, service, holding, network.markets[shop].backorder_cost)
    return Solution(
        cost=optimum.cost + cost_that_no_policy_changes(network),
        policy=TandemQueuePolicy(network, optimum, supplier, shop),
        method="relative value iteration of the uniformised chain (Veatch & Wein 1994)",
        error=optimum.error,
    )


@dataclass(frozen=True)
class TandemQueue:
    """The optimum of a tandem queue: whether machine 1 and 2 work, [2, buffer, finished - lowest]."""

    cost: float
    error: float
    lowest: int
    works: np.ndarray


def tandem_queue(
    arrival_rate: float,
    service_rates: Sequence[float],
    holding_costs: Sequence[float],
    backorder_cost: float,
    rules: tuple[Works, Works] | None = None,
) -> TandemQueue:
    """Solve a tandem queue that makes to stock, or evaluate rules for it.

    Parameters
    ----------
    arrival_rate : float
        Customers per unit of time, below both service rates.
    service_rates, holding_costs : sequence of 2 floats
        Of machine 1 and of machine 2; costs per unit and unit of time in the buffer and in finished stock.
    backorder_cost : float
        Per unit owed and unit of time.
    rules : pair of callables, optional
        Whether each machine works, from buffers [b, 1] and finished stocks [1, i]; by default as is best.
    """
    size, before = np.array([40, 80, 40]), np.inf  # of the buffer, of backorders, of finished stock
    for _ in range(_GROWTHS):
        best, works, lowest = _within(arrival_rate, service_rates, holding_costs, backorder_cost, rules, size)
        move = abs(best.cost - before)
        if move <= _MOVE * max(1.0, best.cost):
            return TandemQueue(best.cost, (best.high - best.low) / 2 + move, lowest, works)
        before, size = best.cost, size * 3 // 2
    raise InputError("arrival_rate", f"{arrival_rate:g} leaves so little to spare that queues do not end; give less")


def _within(
    arrival_rate: float,
    service_rates: Sequence[float],
    holding_costs: Sequence[float],
    backorder_cost: float,
    rules: tuple[Works, Works] | None,
    size: np.ndarray,
) -> tuple[Converged, np.ndarray, int]:
    """Solve a queue whose buffer, backorders and finished stock do not exceed a size."""
    buffer, finished = np.arange(size[0] + 1)[:, None], np.arange(-size[1], size[2] + 1)[None]
    stock_cost = holding_costs[1] * np.maximum(finished[0], 0.0) + backorder_cost * np.maximum(-finished[0], 0.0)
    total = arrival_rate + sum(service_rates)
    chances = arrival_rate / total, service_rates[0] / total, service_rates[1] / total
    shape = (buffer.size, finished.size)
    works = np.zeros((2, *shape), dtype=np.bool_)
    for machine, rule in enumerate(rules or ()):
        works[machine] = rule(buffer, finished)

    def sweep(values: np.ndarray) -> np.ndarray:
        new = np.empty(shape)
        best = rules is None
        now = values.reshape(shape)
        tandem_sweep(*chances, float(holding_costs[0]), stock_cost, best, now, works[0], works[1], new)
        return new.ravel()

    return relative_value_iteration(sweep, np.zeros(buffer.size * finished.size)), works, int(finished[0, 0])


class TandemQueuePolicy:
    """Turn each machine on or off as is best for the buffer and the finished stock."""

    def __init__(self, network: Network, optimum: TandemQueue, supplier: int, shop: int):
        self._optimum, self._supplier, self._shop = optimum, supplier, shop
        self._machines = [network.sources_of[i][0] for i in (supplier, shop)]

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, 2]: 1 on, 0 off."""
        works, lowest = self._optimum.works, self._optimum.lowest
        b = np.clip(view.on_hand[self._supplier], 0, works.shape[1] - 1).astype(np.int64)
        net = view.on_hand[self._shop] - view.backorders[self._shop]
        i = np.clip(net - lowest, 0, works.shape[2] - 1).astype(np.int64)
        actions = np.empty((len(b), 2))
        for machine, source in enumerate(self._machines):
            actions[:, source] = works[machine, b, i]
        return actions
