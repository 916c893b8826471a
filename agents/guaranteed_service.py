"""Where safety stock belongs when every stage promises a time of delivery: the guaranteed-service model.

Stage k waits for its suppliers up to SI_k, works T_k and promises its users S_k, so that its stock has to cover a net
time of SI_k + T_k - S_k. Stock covers demand up to z deviations, so it costs holding cost x z x deviation x the square
root of the net time. In a tree the best promises follow from one pass of dynamic programming (Graves & Willems 2000,
Manufacturing & Service Operations Management 2(1)). With concave costs a stage covers all of what it could or nothing
(Simpson 1958): those that hold stock are where the chain is decoupled, and the others make to order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from pushpull.agents.exposure import periods_covered
from pushpull.envs.bounds import demand_rates
from pushpull.envs.checks import InputError, number, optional
from pushpull.envs.families import market_demand, variance
from pushpull.envs.network import Network

_FACTOR = optional(number(above=0))


@dataclass(frozen=True)
class Placement:
    """The best promises of a tree of stages; mappings are by stage.

    Attributes
    ----------
    cost : float
        Holding cost of safety stock per period.
    service_times : mapping of str to int
        Periods after which each stage has delivered what was ordered.
    net_times : mapping of str to int
        Periods of demand that its stock has to cover.
    safety_stock, base_stock : mapping of str to float
        Units beyond mean demand, and with it, over the net time.
    decoupling_points : tuple of str
        The stages that hold safety stock: what is before them is made to stock, what is behind them to order.
    """

    cost: float
    service_times: Mapping[str, int]
    net_times: Mapping[str, int]
    safety_stock: Mapping[str, float]
    base_stock: Mapping[str, float]
    decoupling_points: tuple[str, ...]


def place_safety_stock(network: Network, safety_factor: float | None = None) -> Placement:
    """Return where the least costly safety stock of a tree of stages is.

    Every stage is taken to order what was ordered from it. It works as long as an order covers where all stages pull:
    its lead time, review and delays of orders included. What customers are promised at most is the `tolerance` of their
    market, 0 where it states none, in whole periods. Demand of different markets is independent. Capacities are none.

    Parameters
    ----------
    network : Network
        One source per stage, and at most one way between any two stages.
    safety_factor : float, optional
        z, deviations of demand that are covered; by default that of each market's critical ratio, Phi(z) = b / (b + h).

    Raises
    ------
    InputError
        If the network is no tree, if a stage has several sources, or if z cannot be derived.
    """
    _examine(network)
    factor = _FACTOR("safety_factor", safety_factor)
    spread = np.zeros(len(network.stages))  # z deviations of each market's demand, squared
    promised = {}
    for i, market in network.markets.items():
        z = _market_factor(network, i) if factor is None else factor
        spread[i] = z**2 * variance(market_demand(network, i), network.units, network.horizon).mean()
        promised[i] = int(market.tolerance or 0)
    bound = np.sqrt(network.requirements**2 @ spread)
    holding = np.array([stage.holding_cost for stage in network.stages.values()])
    works = np.array([_processing_time(network, i) for i in range(len(holding))])
    arcs = [(m, network.source_stage[j]) for j, inputs in enumerate(network.inputs) for m, _ in inputs]
    times, net = guaranteed_service(works, holding * bound, arcs, promised)
    stock = bound * np.sqrt(net)

    def named(values: np.ndarray) -> dict:
        return dict(zip(network.stage_names, values.tolist(), strict=True))

    return Placement(
        cost=float(holding @ stock),
        service_times=named(times),
        net_times=named(net),
        safety_stock=named(stock),
        base_stock=named(stock + demand_rates(network) * net),
        decoupling_points=tuple(name for name, periods in named(net).items() if periods > 0),
    )


def guaranteed_service(
    processing_times: np.ndarray, rates: np.ndarray, arcs: list[tuple[int, int]], promised: Mapping[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best service times and net times of a tree, [N] each.

    Parameters
    ----------
    processing_times : ndarray [N]
        Whole periods.
    rates : ndarray [N]
        What a net time of one period costs each stage; n periods cost sqrt(n) times as much.
    arcs : list of (int, int)
        Supplier and user, a tree or several.
    promised : mapping of int to int
        The longest service time to customers, by stage.
    """
    suppliers = [[m for m, k in arcs if k == i] for i in range(len(rates))]
    users = [[k for m, k in arcs if m == i] for i in range(len(rates))]
    longest = _longest_times(processing_times, suppliers)
    tables: dict[int, np.ndarray] = {}  # cost of a stage and of all beyond it, [S, SI], infinite where impossible

    def solve(i: int, root: int | None) -> np.ndarray:
        """Fill the tables of a stage and of those beyond it, away from the root; return the own."""
        own, out, into = int(processing_times[i]), longest[i], longest[i] - processing_times[i]
        net = np.arange(into + 1)[None] + own - np.arange(out + 1)[:, None]
        cost = np.where(net >= 0, rates[i] * np.sqrt(np.maximum(net, 0)), np.inf)
        cost[min(promised.get(i, out), out) + 1 :] = np.inf
        for m in (m for m in suppliers[i] if m != root):  # it promises no later than this stage waits
            least = np.minimum.accumulate(solve(m, i).min(axis=1))
            cost = cost + least[np.minimum(np.arange(into + 1), least.size - 1)][None]
        for k in (k for k in users[i] if k != root):  # it waits no shorter than this stage promises
            least = np.minimum.accumulate(solve(k, i).min(axis=0)[::-1])[::-1]
            cost = cost + least[: out + 1, None]
        tables[i] = cost
        return cost

    times, waits = np.zeros(len(rates), dtype=np.int64), np.zeros(len(rates), dtype=np.int64)

    def choose(i: int, root: int | None) -> None:
        """Read a stage's times off its table, given those of the root, and go on beyond it."""
        table = tables[i].copy()
        if root in users[i]:
            table[waits[root] + 1 :] = np.inf
        if root in suppliers[i]:
            table[:, : times[root]] = np.inf
        times[i], waits[i] = np.unravel_index(int(np.argmin(table)), table.shape)
        for k in (k for k in suppliers[i] + users[i] if k != root):
            choose(k, i)

    for i in range(len(rates)):
        if i not in tables:
            solve(i, None)
            choose(i, None)
    return times, waits + processing_times - times


def _longest_times(processing_times: np.ndarray, suppliers: list[list[int]]) -> np.ndarray:
    """Return the periods that each stage takes if nobody holds stock, [N]."""
    longest = np.full(len(suppliers), -1)

    def of(i: int) -> int:
        if longest[i] < 0:
            longest[i] = processing_times[i] + max((of(m) for m in suppliers[i]), default=0)
        return longest[i]

    for i in range(len(suppliers)):
        of(i)
    return longest


def _examine(network: Network) -> None:
    for i, name in enumerate(network.stage_names):
        if len(network.sources_of[i]) > 1:
            raise InputError(
                f"stages.{name}.sources", f"{len(network.sources_of[i])} of them; every stage promises for one source"
            )
        source = network.sources[network.sources_of[i][0]]
        if source.lead_time_law is not None:
            raise InputError(f"stages.{name}.sources[0].lead_time", "is random, and cannot be promised; give a number")
    group = list(range(len(network.stages)))  # stages that ways lead between have the same number
    for j, inputs in enumerate(network.inputs):
        for m, _ in inputs:
            i = network.source_stage[j]
            if group[m] == group[i]:
                names = network.stage_names
                raise InputError(
                    f"stages.{names[i]}.sources[0].inputs",
                    f"{names[m]!r} and {names[i]!r} are joined in two ways; safety stock is placed in trees, so join "
                    "stages, or leave one way out",
                )
            group = [group[i] if own == group[m] else own for own in group]
    if network.families or network.demand_correlation is not None:
        raise InputError("families" if network.families else "demand_correlation", "demand has to be independent")


def _market_factor(network: Network, i: int) -> float:
    stage, market = network.stages[network.stage_names[i]], network.markets[i]
    if not (stage.holding_cost > 0 and market.backorder_cost > stage.holding_cost):
        raise InputError(
            "safety_factor",
            f"missing, and costs of {network.stage_names[i]!r} imply none: holding {stage.holding_cost:g}, backorders "
            f"{market.backorder_cost:g}; state it, or a backorder cost above the holding cost",
        )
    return float(ndtri(market.backorder_cost / (market.backorder_cost + stage.holding_cost)))


def _processing_time(network: Network, i: int) -> int:
    """Return the periods that an order of stage i covers where all stages pull."""
    event, use = ("demand", "ship") if i in network.markets and not network.users_of[i] else ("pull", "pull")
    return periods_covered(network, ["pull"] * len(network.sources), network.sources_of[i][0], event, use)[0]
