"""Published problems as networks: one function each, its parameters those of the literature.

A board's docstring is its page: where the problem comes from, what happens in a period, how its lead times read here,
what its parameters may be, and what is known of it. Reference values stand in the file of its name in
``configs/reference``; `references` reads them. Every board has an id of its own, ``PushPull/LostSales-v0`` for
`lost_sales`, that takes the function's parameters beside the arguments of an environment.

Lead times. A source of lead time L that starts in period t delivers at the start of t + L. Where sources pull before
demand is seen, ``[receive, push, pull, demand, ship]``, or push, what is ordered in period t has to cover demand of the
L + 1 periods t, ..., t + L. Where they pull after demand, the default, demand of t is known and L periods are left.

Infinite horizons. Boards that count an average cost per period run for 1,100 periods and count the last 1,000; their
episodes are truncated, not terminated, so that a learning agent looks beyond the end. ``periods`` of an environment or
of `simulate` asks for another length, above the 100 of the warm-up.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from importlib.resources import files
from typing import Any, ParamSpec

import numpy as np
import scipy
import yaml

from pushpull.envs.checks import Check, InputError, choice, flag, listing, number, suggest
from pushpull.envs.demand import mean as mean_demand
from pushpull.envs.network import SEQUENCES, Demand, Network
from pushpull.envs.network_files import read_network

P = ParamSpec("P")

BOARDS: dict[str, Callable[..., Network]] = {}

_money = number(0)
_mean = number(above=0)
_periods = number(0, whole=True)
_steady = {"horizon": 1100, "warm_up": 100}
_before_demand = list(SEQUENCES["pull_before_demand"])


def board(**checks: Check) -> Callable[[Callable[P, Mapping[str, Any] | Network]], Callable[P, Network]]:
    """Make a function a board: check its parameters, name the network it describes, keep it in `BOARDS`."""

    def register(function: Callable[P, Mapping[str, Any] | Network]) -> Callable[P, Network]:
        signature, name = inspect.signature(function), function.__name__

        @wraps(function)
        def make(*args: P.args, **kwargs: P.kwargs) -> Network:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            try:
                clean = {key: checks[key](key, value) for key, value in given.arguments.items()}
                made = function(**clean)  # type: ignore[call-arg]
            except InputError as error:
                raise error.within(name) from None
            if isinstance(made, Network):
                return made
            return Network.from_dict(
                {"name": name, "description": (function.__doc__ or "").partition("\n")[0].rstrip("."), **made}
            )

        BOARDS[name] = make
        return make

    return register


def make_board(board: str, **parameters: Any) -> Network:
    """Return the network of a board by its name.

    Parameters
    ----------
    board : str
        One of `BOARDS`.
    **parameters
        Parameters of its function.

    Raises
    ------
    InputError
        For an unknown name or parameter, with the nearest that are known, or a value out of range.
    """
    known = parameters_of(board)
    for key in parameters:
        if key not in known:
            raise InputError(f"{board}.{key}", f"unknown parameter; {suggest(key, known)}")
    return BOARDS[board](**parameters)


def parameters_of(board: str) -> tuple[str, ...]:
    """Return the names of a board's parameters."""
    if str(board) not in BOARDS:
        raise InputError("board", f"{board!r} is unknown; {suggest(board, BOARDS)}")
    return tuple(inspect.signature(BOARDS[board]).parameters)


def board_and_others(board: str, arguments: Mapping[str, Any], others: Sequence[str]) -> tuple[Network, dict[str, Any]]:
    """Return the network of a board, made with those arguments that are its parameters, and those among `others`."""
    own = parameters_of(board)
    for key in arguments:
        if key not in own and key not in others:
            raise InputError(f"{board_id(board)}.{key}", f"unknown argument; {suggest(key, (*own, *others))}")
    network = make_board(board, **{key: value for key, value in arguments.items() if key in own})
    return network, {key: value for key, value in arguments.items() if key not in own}


def board_id(board: str) -> str:
    """Return the id of a board's environment: ``PushPull/LostSales-v0`` for ``lost_sales``."""
    return f"PushPull/{''.join(word.capitalize() for word in board.split('_'))}-v0"


def references(board: str) -> dict[str, Any]:
    """Return what is published or computed of a board: ``source``, ``quantity`` and ``rows``.

    Each row holds the ``parameters`` it belongs to (those left out have their defaults) and values by name; a named
    policy is a mapping with its parameters and its ``cost``. `quantity` says what the values measure.
    """
    parameters_of(board)
    file = files("pushpull.configs") / "reference" / f"{board}.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}


# --- one stock --------------------------------------------------------------------------------------------------------


@board(
    lead_time=_periods,
    penalty=_money,
    demand=choice("poisson", "geometric"),
    holding_cost=_money,
    mean=_mean,
)
def lost_sales(
    lead_time: int = 4, penalty: float = 4, demand: str = "poisson", holding_cost: float = 1, mean: float = 5
) -> Any:
    """Lost sales with a lead time: one stock, demand that finds none is lost.

    Source: Zipkin (2008), Old and new methods for lost-sales inventory systems, Operations Research 56(5), 1256-1263.

    Sequence: units due arrive; the order is placed; demand is met or lost; costs are charged on what is left.

    Lead time: an order of period t arrives at the start of t + `lead_time`, before that period's demand. That is the
    paper's L.

    As it stands the stock pulls: the action is the level up to which inventory on hand and on order is raised, so that
    base-stock is a constant action. With ``decoupling_point="market"`` the action is the order itself. Both can play
    any policy.

    Parameters
    ----------
    lead_time : int
        L, periods, at least 0. The paper has 1 to 4.
    penalty : float
        Cost of a lost unit, at least 0. The paper has 4, 9, 19 and 39.
    demand : {"poisson", "geometric"}
        Law of a period's demand; geometric is P(D = k) = (1 - q) q^k with q = mean / (1 + mean).
    holding_cost : float
        Per unit left at the end of a period.
    mean : float
        Mean demand, above 0. The paper has 5.

    Returns
    -------
    Network

    Notes
    -----
    Optimal cost per period 4.73 at L = 4, p = 4 with Poisson demand, and 10.61 with geometric demand. Constant-order
    costs in the paper for Poisson p >= 19 and geometric p >= 9 lie below what any stationary integer order can cost.
    """
    usual = round(mean)
    return {
        "sequence": _before_demand,
        "decoupling_point": "supply",
        **_steady,
        "stages": {
            "store": {
                "initial_on_hand": usual,
                "holding_cost": holding_cost,
                "sources": [{"lead_time": lead_time, "initial_pipeline": [usual] * lead_time}],
                "market": {"demand": {"kind": demand, "mean": mean}, "stockout": "lost", "lost_sale_cost": penalty},
            }
        },
    }


@board(
    regular_lead_time=number(1, whole=True),
    expedited_cost=_money,
    regular_cost=_money,
    holding_cost=_money,
    backorder_cost=_money,
    demand_high=number(1, whole=True),
)
def dual_sourcing(
    regular_lead_time: int = 2,
    expedited_cost: float = 105,
    regular_cost: float = 100,
    holding_cost: float = 5,
    backorder_cost: float = 495,
    demand_high: int = 4,
) -> Any:
    """Dual sourcing: a cheap supplier who is slow, a dear one who delivers at once.

    Source: Gijsbrechts, Boute, Van Mieghem & Zhang (2022), Can deep reinforcement learning improve inventory
    management? Manufacturing & Service Operations Management 24(3), 1349-1368; instances with lead times 2 to 4.

    Sequence: regular units due arrive; both orders are placed and the expedited one arrives; demand is met or waits;
    costs are charged on what is left or owed.

    Lead time: a regular order of period t arrives at the start of t + `regular_lead_time`, an expedited one of period t
    in t. Both come before that period's demand, as in the paper.

    As it stands the agent pushes: it sets both order quantities. With ``decoupling_point="supply"`` it sets two levels
    for the inventory position, the expedited order first: single-index policies are constant actions.

    Parameters
    ----------
    regular_lead_time : int
        Periods, at least 1. The paper has 2, 3 and 4.
    expedited_cost, regular_cost : float
        Per unit ordered. The paper has 105 and 110 against 100.
    holding_cost, backorder_cost : float
        Per unit left and per unit owed at the end of a period.
    demand_high : int
        Demand is uniform on 0, 1, ..., `demand_high`. The paper has 4.

    Returns
    -------
    Network

    Notes
    -----
    Every unit has to be bought, so 200 of a cost of 216.77 (regular lead time 2, expedited cost 105) is out of reach
    of any policy: compare what is above it.
    """
    usual = (demand_high + 1) // 2
    return {
        "sequence": _before_demand,
        "decoupling_point": "market",
        **_steady,
        "stages": {
            "stock": {
                "initial_on_hand": demand_high,
                "holding_cost": holding_cost,
                "sources": [
                    {"lead_time": 0, "unit_cost": expedited_cost},
                    {
                        "lead_time": regular_lead_time,
                        "unit_cost": regular_cost,
                        "initial_pipeline": [usual] * regular_lead_time,
                    },
                ],
                "market": {
                    "demand": {"kind": "uniform_int", "low": 0, "high": demand_high},
                    "backorder_cost": backorder_cost,
                },
            }
        },
    }


# --- stocks in a row --------------------------------------------------------------------------------------------------


@board(demand=choice("normal", "poisson"))
def serial3(demand: str = "normal") -> Any:
    """Three stocks in a row, the textbook case of Clark and Scarf.

    Source: Snyder & Shen (2019), Fundamentals of Supply Chain Theory, 2nd edition, Example 6.1; the theory is Clark &
    Scarf (1960), Optimal policies for a multi-echelon inventory problem, Management Science 6(4), 475-490.

    Sequence: units due arrive; demand is seen; every stage orders and ships; costs are charged on what is left.

    Lead time: orders follow demand, so a lead time of L covers L periods, as in the book, whose newsvendor ratio at the
    store is that of one period for a lead time of 1.

    All stages pull by echelon base-stock levels, which is optimal. Echelon holding costs 3, 2, 2 (store to factory)
    make local ones of 7, 4, 2; units on their way are charged at their sender's rate.

    Parameters
    ----------
    demand : {"normal", "poisson"}
        Normal with mean 5 and deviation 1, cut at 0, in real units; or Poisson with mean 5, in whole units.

    Returns
    -------
    Network

    Notes
    -----
    The optimal cost is 47.6654 per period with echelon base-stock levels 6.484, 12.028 and 22.72 (store to factory).
    30 of it are the units on their way.
    """
    law = {"kind": "normal", "mean": 5, "sd": 1} if demand == "normal" else {"kind": "poisson", "mean": 5}
    return {
        "units": "real" if demand == "normal" else "integer",
        "decoupling_point": "supply",
        **_steady,
        "stages": _serial(
            {"factory": (2, 2), "warehouse": (4, 1), "store": (7, 1)},
            law,
            mean=5,
            backorder_cost=37.12,
            in_transit=True,
        ),
    }


@board(store_lead_time=number(1, whole=True), penalty=_money)
def serial4(store_lead_time: int = 1, penalty: float = 9) -> Any:
    """Four stocks in a row that order before demand is seen.

    Source: Alvo, Russo & Kanoria (2023), Neural inventory control in networks via hindsight differentiable policy
    optimization, arXiv:2306.11246, the serial setting.

    Sequence: units due arrive; every stage orders, and its supplier ships at once what it has; demand is met or
    waits; costs are charged on what is left, not on what is on its way.

    Lead time: an order that is shipped in period t can be used from t + L on, before that period's demand, which makes
    L + 1 periods to cover. Store to manufacturer: `store_lead_time`, 3, 4, 2.

    All stages pull by echelon base-stock levels, which is optimal; an order that a supplier cannot fill stays with it.
    With ``decoupling_point="market"`` the actions are quantities, of which what the supplier lacks is forgotten, as in
    the paper.

    Parameters
    ----------
    store_lead_time : int
        Periods, at least 1. The paper has 1 to 4.
    penalty : float
        Per unit owed at the end of a period. The paper has 4, 9, 19 and 39.

    Returns
    -------
    Network

    Notes
    -----
    Demand is normal with mean 5 and deviation 2, cut at 0, in real units; holding costs are 1, 0.5, 0.2, 0.1 from the
    store up. Optimal cost 6.8988 at lead time 1 and penalty 4. The paper tests 5,000 periods and counts the last 2,000.
    """
    stages = {"manufacturer": (0.1, 2), "wholesaler": (0.2, 4), "distributor": (0.5, 3), "store": (1, store_lead_time)}
    return {
        "sequence": _before_demand,
        "units": "real",
        "decoupling_point": "supply",
        **_steady,
        "stages": _serial(stages, {"kind": "normal", "mean": 5, "sd": 2}, mean=5, backorder_cost=penalty),
    }


@board(demand=choice("classic", "uniform", "normal"))
def beer_game(demand: str = "classic") -> Any:
    """The beer game: four firms in a row that order slowly and ship slowly.

    Source: Sterman (1989), Modeling managerial behavior, Management Science 35(3), 321-339, the file ``beer_game`` of
    the library; the two other demands and their costs as in the DeepBeer project, Oroojlooyjadid, Nazari, Snyder &
    Takac (2022), A deep Q-network for the beer game, Manufacturing & Service Operations Management 24(1), 285-304.

    Sequence: units due arrive and so do orders that were in the mail; demand is seen; every firm orders and ships;
    costs are charged on what is left and owed.

    Lead time: an order is in the mail for 2 periods (the manufacturer's 1) and its units on the way for 2, so that
    orders, which follow demand, cover 4 periods (3), as in DeepBeer's levels.

    Parameters
    ----------
    demand : {"classic", "uniform", "normal"}
        ``classic``: 4 a week for four weeks, then 8; holding costs 0.5 and backorders 1 everywhere; 36 weeks.
        ``uniform``: 0 to 8, equally likely, at the same costs. ``normal``: mean 10 and deviation 2, in real units; from
        retailer to manufacturer holding costs 1, 0.75, 0.5, 0.25, and backorders 10 at the retailer only.

    Returns
    -------
    Network

    Notes
    -----
    On Sterman's board orders are in the mail at the start; here the mail is empty, so that 36 weeks cost 164 at levels
    32, 32, 32, 24 (retailer to manufacturer) and not the 204 of his optimum. In the other two games that is over before
    costs count. In DeepBeer normal demand is rounded; here it is not, so that Clark and Scarf's levels are exact.
    """
    classic = read_network("beer_game")
    if demand == "classic":
        return classic
    usual, law, holding, backorder = _BEER_GAMES[demand]
    stages: dict[str, Any] = classic.to_dict()["stages"]
    for name, holding_cost, backorder_cost in zip(_BEER_FIRMS, holding, (*backorder[1:], 0), strict=True):
        (source,) = stages[name]["sources"]
        source |= {"initial_pipeline": [usual, usual], "shortfall_cost": backorder_cost}
        stages[name] |= {"initial_on_hand": 2 * usual, "holding_cost": holding_cost}
    stages["retailer"]["market"] |= {"demand": law, "backorder_cost": backorder[0]}
    return {
        "units": "real" if demand == "normal" else "integer",
        "decoupling_point": "supply",
        **_steady,
        "stages": stages,
    }


_BEER_FIRMS = ("retailer", "wholesaler", "distributor", "manufacturer")
_BEER_GAMES = {  # usual demand, its law, holding and backorder costs by firm; a firm owes the next one downstream
    "uniform": (4, {"kind": "uniform_int", "low": 0, "high": 8}, (0.5,) * 4, (1,) * 4),
    "normal": (10, {"kind": "normal", "mean": 10, "sd": 2}, (1, 0.75, 0.5, 0.25), (10, 0, 0, 0)),
}


def _serial(
    stages: Mapping[str, tuple[float, int]],
    demand: Mapping[str, Any],
    mean: float,
    backorder_cost: float,
    in_transit: bool = False,
) -> dict[str, Any]:
    """Return stages in a row, upstream first, from (holding cost, lead time) each; they start with what is usual."""
    made: dict[str, Any] = {}
    for name, (holding_cost, lead_time) in stages.items():
        supplier = list(made)[-1] if made else None
        source: dict[str, Any] = {"lead_time": lead_time, "basis": "echelon", "initial_pipeline": [mean] * lead_time}
        if supplier is not None:
            source["inputs"] = {supplier: 1}
            if in_transit:
                source["pipeline_holding_cost"] = made[supplier]["holding_cost"]
        made[name] = {"initial_on_hand": mean, "holding_cost": holding_cost, "sources": [source]}
    made[list(made)[-1]]["market"] = {"demand": dict(demand), "backorder_cost": backorder_cost}
    return made


# --- push meets pull --------------------------------------------------------------------------------------------------


@board(
    demand_means=listing(_mean, at_least=1),
    push_capacity=number(1, whole=True),
    pull_capacity=number(1, whole=True),
    pull_sees_demand=flag,
    holding_costs=listing(_money, at_least=2),
    backorder_cost=_money,
    largest_demand=number(1, whole=True),
)
def push_pull_two_stage(
    demand_means: Sequence[float] = (2, 3, 5, 6),
    push_capacity: int = 5,
    pull_capacity: int = 5,
    pull_sees_demand: bool = False,
    holding_costs: Sequence[float] = (1, 2),
    backorder_cost: float = 18,
    largest_demand: int = 16,
) -> Any:
    """A capacitated push stage and a capacitated pull stage, with demand that comes in a cycle.

    Source: ours, the smallest problem in which the push-pull boundary, capacity and a season meet; solved by dynamic
    programming. Modified echelon base-stock policies are those of Parker & Kapuscinski (2004), Optimal policies for a
    capacitated two-echelon inventory system, Operations Research 52(5), 739-755.

    Sequence: units due arrive; the push stage releases into the buffer of semi-finished units and the pull stage takes
    from the buffer; demand is met or waits; costs are charged on what is left in the buffer and in finished stock, and
    on what is owed. With `pull_sees_demand` demand comes between the two releases.

    Lead time: 1 for both: what is started in period t can be used in t + 1.

    Parameters
    ----------
    demand_means : sequence of float
        Mean of Poisson demand in each period of the cycle. One entry is demand without a season.
    push_capacity, pull_capacity : int
        Most units each stage starts in a period, at least 1.
    pull_sees_demand : bool
        Whether the pull stage waits for the period's demand, as in the default sequence of events.
    holding_costs : (float, float)
        Per unit left in the buffer and in finished stock.
    backorder_cost : float
        Per unit owed at the end of a period.
    largest_demand : int
        Demand above it counts as it, so that the problem is finite.

    Returns
    -------
    Network

    Notes
    -----
    Three instances have names: PP-1 has demand means (4,) and capacities 30, which never bind; PP-1c the same with
    capacities 6 and 5; PP-2 is the default. Optimal costs are 12.5147, 14.8979 and 15.3829.
    """
    _pair("holding_costs", holding_costs)
    usual = round(sum(demand_means) / len(demand_means))
    demand: dict[str, Any] = {"kind": "poisson", "mean": demand_means[0], "max": largest_demand}
    if len(demand_means) > 1:
        demand |= {"mean": 1, "season": list(demand_means)}
    return {
        "sequence": list(SEQUENCES["pull_after_demand"]) if pull_sees_demand else _before_demand,
        "decoupling_point": "buffer",
        **_steady,
        "stages": {
            "buffer": {
                "initial_on_hand": usual,
                "holding_cost": holding_costs[0],
                "sources": [{"capacity": push_capacity, "basis": "echelon", "initial_pipeline": [usual]}],
            },
            "finished": {
                "initial_on_hand": 2 * usual,
                "holding_cost": holding_costs[1],
                "sources": [{"inputs": {"buffer": 1}, "capacity": pull_capacity, "initial_pipeline": [usual]}],
                "market": {"demand": demand, "backorder_cost": backorder_cost},
            },
        },
    }


@board(
    arrival_rate=_mean,
    service_rates=listing(_mean, at_least=2),
    holding_costs=listing(_money, at_least=2),
    backorder_cost=_money,
)
def push_pull_tandem(
    arrival_rate: float = 0.8,
    service_rates: Sequence[float] = (1, 1),
    holding_costs: Sequence[float] = (1, 2),
    backorder_cost: float = 10,
) -> Any:
    """Two machines in a row that make to stock, with exponential times: when should each of them work?

    Source: the model of Veatch & Wein (1994), Optimal control of a two-station tandem production/inventory system,
    Operations Research 42(2), 337-350, with backorders.

    Sequence: a period is one event of the uniformised chain (Lippman 1975). The agent says which machines are on; then
    a customer comes, or machine 1 ends a unit into the buffer, or machine 2 ends one out of it, each with probability
    its rate over the sum of the three rates; a machine that is off, or finds nothing to work on, lets its event pass.
    Costs are charged on what is left, so that cost per period is the chain's cost per unit of time, and a unit of time
    has as many periods on average as the rates sum to. Which event comes is not seen beforehand.

    Lead time: 0. A unit is in the stock before a machine while it is worked on, as in the paper.

    Both machines push: a quantity of 1 is on, 0 is off, anew in every period, and what could not start is forgotten.
    Pull orders would stay until they are filled, so that a machine could not be switched off again; with
    ``decoupling_point="buffer"`` or ``"supply"`` base-stock policies and kanban can be played that way all the same.

    Parameters
    ----------
    arrival_rate : float
        Customers per unit of time, above 0 and below both service rates.
    service_rates : (float, float)
        Units per unit of time of machine 1 and machine 2.
    holding_costs : (float, float)
        Per unit and unit of time in the buffer, unit in work included, and in finished stock.
    backorder_cost : float
        Per unit owed and unit of time.

    Returns
    -------
    Network

    Notes
    -----
    Queues change slowly, so 6,000 periods are run and the last 5,000 counted. Optimal costs per period are 25.563 by
    default and 10.8272 at arrival rate 0.6.
    """
    _pair("service_rates", service_rates)
    _pair("holding_costs", holding_costs)
    if arrival_rate >= min(service_rates):
        raise InputError(
            "arrival_rate",
            f"{arrival_rate} is not below the service rates {list(service_rates)}, so that queues would grow for ever; "
            "give less",
        )
    machine = {"lead_time": 0, "capacity": 1}
    return {
        "decoupling_point": "market",
        "horizon": 6000,
        "warm_up": 1000,
        "race": {
            "markets": {"finished": arrival_rate},
            "sources": {"buffer": service_rates[0], "finished": service_rates[1]},
        },
        "stages": {
            "buffer": {
                "initial_on_hand": 4,
                "holding_cost": holding_costs[0],
                "sources": [{**machine, "basis": "echelon"}],
            },
            "finished": {
                "initial_on_hand": 6,
                "holding_cost": holding_costs[1],
                "sources": [{**machine, "inputs": {"buffer": 1}}],
                "market": {"backorder_cost": backorder_cost},
            },
        },
    }


def _pair(field: str, values: Sequence[float]) -> None:
    if len(values) != 2:
        raise InputError(field, f"{list(values)} has {len(values)} entries; give two, upstream first")


# --- OR-Gym -----------------------------------------------------------------------------------------------------------

_versions = choice("v0", "v1")


@board(version=_versions, stationary=flag)
def or_gym_inventory(version: str = "v1", stationary: bool = False) -> Any:
    """OR-Gym's inventory management: three stages that push, lost sales (v1) or backorders (v0).

    Source: InvManagement of OR-Gym, Hubbs et al. (2020), OR-Gym: A reinforcement learning library for operations
    research problems, arXiv:2008.06319; the example of Perez et al. (2021), Algorithmic approaches to inventory
    management optimization, Processes 9(1), 102. The networks are the files ``or_gym_inventory`` (v1) and
    ``or_gym_inventory_backlog`` (v0) of the library.

    Sequence: releases are set from the stock that the period before left; units due arrive; demand is met, lost or
    waits; costs are charged on what is left.

    Lead time: a release of period t arrives in t + L after the releases of t + L are set, so it can be passed on from
    t + L + 1 and sold from t + L on, as in OR-Gym.

    Parameters
    ----------
    version : {"v1", "v0"}
        Lost sales or backorders.
    stationary : bool
        An average profit per period of a long run in place of 30 periods that end the world.

    Returns
    -------
    Network

    Notes
    -----
    Published profits are sums over 30 periods discounted by 0.97 a period: column ``discounted_profit`` of `simulate`.
    The reward of a period is not discounted, so a sum of rewards is another number.

    What is left after 30 periods is worth nothing, so in v1 the best static policy never replenishes the manufacturer
    and serves two thirds of demand. Read the fill rate beside the profit; `stationary` leaves no such end.
    """
    network = read_network("or_gym_inventory" if version == "v1" else "or_gym_inventory_backlog")
    return replace(network, horizon_is_real=False, discount=1, **_steady) if stationary else network


@board(version=_versions, stationary=flag)
def or_gym_network(version: str = "v1", stationary: bool = False) -> Any:
    """OR-Gym's network management: two suppliers' goods, three plants, two distributors, one retailer.

    Source: NetworkManagement of OR-Gym, Hubbs et al. (2020), arXiv:2008.06319; the example of Perez et al. (2021),
    Processes 9(1), 102. Stages bear OR-Gym's node numbers.

    Sequence: releases are set from the stock that the period before left; units due arrive; demand is met, and lost
    (v1) or waits (v0); costs are charged on what is left and on what is on its way.

    Lead time: a release of period t arrives in t + L after the releases of t + L are set, as in OR-Gym.

    One thing differs: where distributors ask a plant for more than it has, OR-Gym grants each of them the whole stock,
    which goes below zero. Here the first asked is served first, and no unit is sold twice. Policies that never ask
    for more than there is play the same in both, to the last digit.

    Prices between stages cancel within the chain and are left out; prices of raw material, costs of operation and the
    customers' price remain.

    Parameters
    ----------
    version : {"v1", "v0"}
        Lost sales or backorders. Requests that cannot be met are forgotten in both.
    stationary : bool
        An average profit per period of a long run in place of 30 periods that end the world.

    Returns
    -------
    Network

    Notes
    -----
    Published profits are sums over 30 periods, undiscounted. What is left after them is worth nothing: read the fill
    rate beside the profit; `stationary` leaves no such end.
    """
    market = {"v1": {"stockout": "lost", "lost_sale_cost": 0.1}, "v0": {"stockout": "backorder", "backorder_cost": 0.1}}
    stages: dict[str, Any] = {
        name: {"initial_on_hand": units, "holding_cost": cost, "sources": []}
        for name, (units, cost) in _OR_GYM_STAGES.items()
    }
    for name, supplier, lead_time, capacity, unit_cost, pipeline_cost in _OR_GYM_LINKS:
        source = {"mode": "push", "lead_time": lead_time, "unit_cost": unit_cost, "capacity": capacity}
        source["pipeline_holding_cost"] = pipeline_cost
        stages[name]["sources"].append(source | ({"inputs": {supplier: 1}} if supplier else {}))
    stages["retailer_1"]["market"] = {"demand": {"kind": "poisson", "mean": 20}, "price": 2, **market[version]}
    return {
        "sequence": list(SEQUENCES["push_before_receive"]),
        "allocation": "priority",
        **(_steady if stationary else {"horizon": 30, "horizon_is_real": True}),
        "stages": stages,
    }


_OR_GYM_STAGES = {  # initial stock, holding cost
    "plant_4": (400, 0.012),
    "plant_5": (350, 0.013),
    "plant_6": (380, 0.011),
    "distributor_2": (110, 0.02),
    "distributor_3": (80, 0.015),
    "retailer_1": (100, 0.03),
}
_ANY = float("inf")
_OR_GYM_LINKS = (  # stage, its supplier, lead time, capacity, unit cost, cost of a unit on its way
    ("plant_4", None, 0, _ANY, 0.15, 0),
    ("plant_5", None, 1, _ANY, 0.05, 0.005),
    ("plant_5", None, 2, _ANY, 0.07, 0.002),
    ("plant_6", None, 0, _ANY, 0.2, 0),
    ("distributor_2", "plant_4", 8, 90, 0.01, 0.008),
    ("distributor_2", "plant_5", 9, 90, 0.015, 0.005),
    ("distributor_2", "plant_6", 11, 80, 0.012, 0.007),
    ("distributor_3", "plant_4", 10, 90, 0.01, 0.006),
    ("distributor_3", "plant_6", 12, 80, 0.012, 0.004),
    ("retailer_1", "distributor_2", 5, _ANY, 0, 0.01),
    ("retailer_1", "distributor_3", 3, _ANY, 0, 0.015),
)


# --- one warehouse, many stores ---------------------------------------------------------------------------------------


@board(stores=number(2, 200, whole=True), instance=_periods)
def one_warehouse_many_stores(stores: int = 10, instance: int = 0) -> Any:
    """One warehouse and many stores that differ, with correlated demand and lost sales.

    Source: Alvo, Russo & Kanoria (2023), Neural inventory control in networks via hindsight differentiable policy
    optimization, arXiv:2306.11246, the setting of one warehouse and many stores.

    Sequence: units due arrive; warehouse and stores order, and the warehouse ships at once what it has, to each store
    the same share of what it asked for where that is not enough; demand is met or lost; costs are charged on what is
    left.

    Lead time: what is shipped in period t can be sold from t + L on, before that period's demand: L + 1 periods to
    cover. Warehouse 3, stores 2 or 3.

    All sources push: actions are quantities, and what the warehouse lacks is forgotten, as in the paper. With
    ``decoupling_point="warehouse"`` stores pull, and their orders wait.

    Parameters
    ----------
    stores : int
        2 to 200. The paper has 3 to 50.
    instance : int
        Which of the random instances: for each store mean demand uniform on [2.5, 7.5], coefficient of variation on
        [0.25, 0.5], lead time 2 or 3, holding cost on [0.7, 1.3], cost of a lost unit on [6.3, 11.7]. Our draws, not
        the paper's.

    Returns
    -------
    Network

    Notes
    -----
    Demand is normal, cut at 0, in real units, with a correlation of 0.5 between stores. Holding costs 0.3 in the
    warehouse. No exact optimum is known.
    """
    rng = np.random.Generator(np.random.Philox(key=instance))
    spread = [(2.5, 7.5), (0.25, 0.5), (0.7, 1.3), (6.3, 11.7)]
    drawn = np.round([rng.uniform(low, high, stores) for low, high in spread], 3).T.tolist()
    lead_times = rng.integers(2, 4, stores).tolist()
    made: dict[str, Any] = {
        "warehouse": {
            "initial_on_hand": round(2 * sum(mean for mean, *_ in drawn), 3),
            "holding_cost": 0.3,
            "sources": [{"lead_time": 3, "initial_pipeline": [round(sum(mean for mean, *_ in drawn), 3)] * 3}],
        }
    }
    for k, ((mean, variation, holding_cost, lost_sale_cost), lead_time) in enumerate(
        zip(drawn, lead_times, strict=True)
    ):
        made[f"store_{k + 1}"] = {
            "initial_on_hand": mean,
            "holding_cost": holding_cost,
            "sources": [{"inputs": {"warehouse": 1}, "lead_time": lead_time, "initial_pipeline": [mean] * lead_time}],
            "market": {
                "demand": {"kind": "normal", "mean": mean, "sd": round(mean * variation, 3)},
                "stockout": "lost",
                "lost_sale_cost": lost_sale_cost,
            },
        }
    return {
        "sequence": _before_demand,
        "units": "real",
        "demand_correlation": 0.5,
        "decoupling_point": "market",
        **_steady,
        "stages": made,
    }


def _instance(field: str, value: Any) -> int:
    if value not in _OWMR:
        raise InputError(field, f"{value!r} is none that is known; {suggest(value, _OWMR)}")
    return value


@board(instance=_instance)
def owmr(instance: int = 1) -> Any:
    """One warehouse and 3 or 10 retailers, with backorders, lost sales or both.

    Source: Kaynov, van Knippenberg, Menkovski, van Breemen & van Jaarsveld (2024), Deep reinforcement learning for
    one-warehouse multi-retailer inventory management, International Journal of Production Economics 267, 109088,
    Table A.3. Published values are sums over 100 periods, read from a transcription.

    Sequence: units due arrive; warehouse and retailers order, and the warehouse ships at once what it has, to each the
    same share of what it asked for where that is not enough; demand is met, waits or is lost; costs are charged on what
    is left and owed.

    Lead time: what is shipped in period t can be sold from t + L on, before that period's demand: L + 1 periods to
    cover.

    All sources push, as in the paper; with ``decoupling_point="warehouse"`` retailers pull.

    Parameters
    ----------
    instance : int
        Number in the paper. 1, 5: backorders; 6, 7, 8, 9: lost sales; 11, 13: partial backorders. Demand is Poisson
        with mean 3 at each of 3 retailers, but in 5 (a different law for each) and 13 (10 retailers, normal with mean 5
        and deviation 14).

    Returns
    -------
    Network

    Notes
    -----
    Two things differ, so that published sums are for orientation. The state that the paper starts in is not known to
    us; here every stock and pipeline starts with what is usual. In the paper's partial backorders the warehouse sends a
    customer who waits his unit by an emergency shipment; here such customers, 80% of those who find none, wait at the
    retailer. Normal demand is cut at 0 and rounded.
    """
    stockout, warehouse_lead_time, lead_times, laws = _OWMR[instance]
    warehouse_holding, holding, penalty = (3, 3, 60) if instance == 13 else (0.5, 1, 9)
    owed = {"stockout": stockout, "lost_sale_cost": 0 if stockout == "backorder" else penalty}
    owed["backorder_cost"] = 0 if stockout == "lost" else penalty
    usual = [round(mean_demand(Demand(**law), "integer", 1)[0]) for law in laws]
    made: dict[str, Any] = {
        "warehouse": {
            "initial_on_hand": sum(usual),
            "holding_cost": warehouse_holding,
            "sources": [{"lead_time": warehouse_lead_time, "initial_pipeline": [sum(usual)] * warehouse_lead_time}],
        }
    }
    for k, (units, law, lead_time) in enumerate(zip(usual, laws, lead_times, strict=True)):
        made[f"retailer_{k + 1}"] = {
            "initial_on_hand": 2 * units,
            "holding_cost": holding,
            "sources": [{"inputs": {"warehouse": 1}, "lead_time": lead_time, "initial_pipeline": [units] * lead_time}],
            "market": {"demand": law, **owed},
        }
    return {"sequence": _before_demand, "decoupling_point": "market", "horizon": 100, "stages": made}


def _normal(mean: float, sd: float) -> dict[str, Any]:
    return {"kind": "normal", "mean": mean, "sd": sd}


_POISSON_3 = {"kind": "poisson", "mean": 3}
_OWMR: dict[int, tuple[Any, int, tuple[int, ...], tuple[dict[str, Any], ...]]] = {
    # stockout, lead time of the warehouse and of each retailer, demand at each retailer
    1: ("backorder", 2, (1, 1, 1), (_POISSON_3,) * 3),
    5: ("backorder", 5, (3, 3, 3), (_normal(1, 5), _normal(5, 1), {"kind": "poisson", "mean": 0.5})),
    6: ("lost", 1, (1, 1, 1), (_POISSON_3,) * 3),
    7: ("lost", 2, (1, 1, 1), (_POISSON_3,) * 3),
    8: ("lost", 5, (1, 1, 1), (_POISSON_3,) * 3),
    9: ("lost", 2, (1, 2, 3), (_POISSON_3,) * 3),
    11: ({"partial": 0.8}, 2, (1, 1, 1), (_POISSON_3,) * 3),
    13: ({"partial": 0.8}, 2, (2,) * 10, (_normal(5, 14),) * 10),
}


# --- assembly ---------------------------------------------------------------------------------------------------------


@board(
    part_lead_times=listing(number(1, whole=True), at_least=1),
    part_holding_costs=listing(_money, at_least=1),
    assembly_lead_time=number(1, whole=True),
    holding_cost=_money,
    backorder_cost=_money,
    mean=_mean,
)
def assembly(
    part_lead_times: Sequence[int] = (1, 3),
    part_holding_costs: Sequence[float] = (1, 1),
    assembly_lead_time: int = 1,
    holding_cost: float = 4,
    backorder_cost: float = 36,
    mean: float = 5,
) -> Any:
    """A product assembled from parts whose lead times differ.

    Source: the problem of Rosling (1989), Optimal inventory policies for assembly systems under random demands,
    Operations Research 37(4), 565-579, who shows that in the long run it is a serial one; the numbers are ours.

    Sequence: units due arrive; parts and assemblies are ordered, and assembly starts with the parts there are; demand
    is met or waits; costs are charged on what is left and owed.

    Lead time: what is ordered in period t is there at the start of t + L, before that period's demand.

    All sources pull by echelon base-stock levels. The optimum orders a part up to its level, but no more than there
    will be of the parts that take longer by the time it arrives, so its thresholds change with the state.

    Parameters
    ----------
    part_lead_times : sequence of int
        Periods to get each part, at least 1.
    part_holding_costs : sequence of float
        Of each part, per unit left; as many as lead times.
    assembly_lead_time : int
        Periods, at least 1.
    holding_cost, backorder_cost : float
        Of the product.
    mean : float
        Of Poisson demand.

    Returns
    -------
    Network

    Notes
    -----
    The optimal cost of the default is that of three stocks in a row with lead times 2, 1, 1 and holding costs 1, 2, 4.
    """
    if len(part_holding_costs) != len(part_lead_times):
        raise InputError(
            "part_holding_costs",
            f"{len(part_holding_costs)} entries for {len(part_lead_times)} part_lead_times; give one for each part",
        )
    usual = round(mean)
    made: dict[str, Any] = {
        f"part_{k + 1}": {
            "initial_on_hand": usual,
            "holding_cost": cost,
            "sources": [{"lead_time": lead_time, "basis": "echelon", "initial_pipeline": [usual] * lead_time}],
        }
        for k, (lead_time, cost) in enumerate(zip(part_lead_times, part_holding_costs, strict=True))
    }
    made["product"] = {
        "initial_on_hand": usual,
        "holding_cost": holding_cost,
        "sources": [
            {
                "inputs": dict.fromkeys(made, 1),
                "lead_time": assembly_lead_time,
                "basis": "echelon",
                "initial_pipeline": [usual] * assembly_lead_time,
            }
        ],
        "market": {"demand": {"kind": "poisson", "mean": mean}, "backorder_cost": backorder_cost},
    }
    return {"sequence": _before_demand, "decoupling_point": "supply", **_steady, "stages": made}


# --- where to hold stock ----------------------------------------------------------------------------------------------


@board(instance=choice("example_6_5", "digital_camera"))
def guaranteed_service(instance: str = "example_6_5") -> Any:
    """Where to place safety stock when every stage promises a time of delivery.

    Source: the guaranteed-service model of Graves & Willems (2000), Optimizing strategic safety stock placement in
    supply chains, Manufacturing & Service Operations Management 2(1), 68-83; Snyder & Shen (2019), Fundamentals of
    Supply Chain Theory, 2nd edition, Example 6.5 and Figure 6.14 (a digital camera).

    Sequence: units due arrive; demand is seen; every stage orders and ships; costs are charged on what is left.

    Lead time: a source's lead time is the stage's processing time T, after demand is seen, so that a stage that is
    served at once and serves at once covers T periods. What an outside supplier takes is added to T.

    A customer's promised time is the `tolerance` of the market. The service factor z is in the backorder cost: critical
    ratio b / (b + h) = Phi(z) at the market's stage. Safety stock is z times the deviation of demand over the net time
    that a stage has to cover; customers are independent, so the deviations of those behind a stage add as squares.

    Parameters
    ----------
    instance : {"example_6_5", "digital_camera"}
        A tree of 4 stages with two customers, or one of 10 stages with one.

    Returns
    -------
    Network

    Notes
    -----
    The optimal holding cost of safety stock is 8.2779 for the example and 18.824 for the camera. Mean demand plays no
    part in it and is ours: 20 and 40.
    """
    times, holding, arcs, z, markets = _GUARANTEED_SERVICE[instance]
    ratio = float(scipy.special.ndtr(z))
    made: dict[str, Any] = {}
    for number_, time in times.items():
        inputs = {f"stage_{first}": 1 for first, last in arcs if last == number_}
        source = {"lead_time": time, "inputs": inputs} if inputs else {"lead_time": time}
        made[f"stage_{number_}"] = {"holding_cost": holding[number_], "sources": [source]}
    for number_, (mean, sd, promised) in markets.items():
        made[f"stage_{number_}"]["market"] = {
            "demand": _normal(mean, sd),
            "tolerance": promised,
            "backorder_cost": round(holding[number_] * ratio / (1 - ratio), 6),
        }
    return {"units": "real", "decoupling_point": "supply", **_steady, "stages": made}


_GUARANTEED_SERVICE: dict[str, tuple[dict, dict, tuple[tuple[int, int], ...], float, dict]] = {
    # processing times, holding costs, arcs, z, and mean, deviation and promised time of the customers at a stage
    "example_6_5": (
        {1: 2 + 1, 3: 1, 2: 1, 4: 1},  # stage 1's supplier takes 1
        {1: 1, 3: 2, 2: 3, 4: 3},
        ((1, 3), (3, 2), (3, 4)),
        1,
        {2: (20, 1, 0), 4: (20, 1, 1)},
    ),
    "digital_camera": (
        {1: 2, 2: 3, 3: 2, 4: 4, 5: 2, 6: 3, 7: 6, 8: 4, 9: 3, 10: 2},
        {1: 0.01, 2: 0.03, 3: 0.04, 4: 0.06, 5: 0.12, 6: 0.13, 7: 0.2, 8: 0.08, 9: 0.04, 10: 0.5},
        ((1, 2), (2, 3), (3, 5), (4, 5), (5, 6), (6, 10), (7, 10), (8, 10), (9, 10)),
        1.645,
        {10: (40, 10, 2)},
    ),
}


@board(
    make_to_order=flag,
    demand_sd=_mean,
    lead_sd=_mean,
    holding_rate=_money,
    penalty_rate=_money,
)
def semiconductor_boundary(
    make_to_order: bool = True,
    demand_sd: float = 200,
    lead_sd: float = 8,
    holding_rate: float = 0.33,
    penalty_rate: float = 0.1,
) -> Any:
    """From which points of a semiconductor chain orders should be met.

    Source: Fowler, Kim & Shunk (2019), Design for customer responsiveness: decision support system for push-pull supply
    chains with multiple demand fulfillment points, Decision Support Systems, 113071. The network is the file
    ``semiconductor`` of the library, which says what is theirs and what had to be chosen.

    Sequence: units due arrive; demand that is due is seen, and new orders are booked; every step starts what its level
    lacks, booked orders counted; orders due are met; costs are charged on what is left and on its way.

    Lead time: two weeks for each of the three steps, after demand.

    Parameters
    ----------
    make_to_order : bool
        Whether wafers are started for orders that are booked in time: the point FP. The other points, lot bank, die
        bank and warehouse, are open where a level leaves stock there.
    demand_sd : float
        Deviation of a week's 1,000 wafers. The paper has 200 and 800; above a third of the mean demand is gamma.
    lead_sd : float
        Deviation of the 10 weeks that customers order ahead. The paper has 2 and 8.
    holding_rate : float
        Of a wafer's value per year. The paper has 0.33 and 0.5.
    penalty_rate : float
        Of a wafer's value per week that it is late. The paper has 0.1 and 0.25.

    Returns
    -------
    Network

    Notes
    -----
    The paper gives its steps' times and its breakdown of costs by example only, so that published costs are for
    ranking: FP + DB + WH best, LB and FP alone worst. docs/networks.md has both rankings side by side.
    """
    settings = read_network("semiconductor").to_dict()
    del settings["name"], settings["description"]
    stages = settings["stages"]
    for (name, value), in_process in zip(_WAFER_VALUES.items(), (0.65, 1.6, 2.625), strict=True):
        stages[name]["holding_cost"] = holding_rate * value / 52
        stages[name]["sources"][0]["pipeline_holding_cost"] = holding_rate * in_process / 52
    if not make_to_order:
        stages["lot_bank"]["sources"][0]["advance_position"] = 0
    stages["warehouse"]["market"] |= {
        "demand": {"kind": "normal" if 3 * demand_sd <= 1000 else "gamma", "mean": 1000, "sd": demand_sd},
        "order_lead": _shares_ahead(10, lead_sd, longest=26),
        "backorder_cost": penalty_rate * _WAFER_VALUES["warehouse"],
    }
    return settings


_WAFER_VALUES = {"lot_bank": 1.1, "die_bank": 2.1, "warehouse": 3.15}  # in thousands


def _shares_ahead(mean: float, sd: float, longest: int) -> list[float]:
    """Return the shares of orders by whole periods ahead, of a normal lead that is cut to 0 and `longest`."""
    below = scipy.special.ndtr((np.arange(longest) + 0.5 - mean) / sd)
    shares = np.round(np.diff([0, *below, 1]), 3)
    shares[shares.argmax()] += 1 - shares.sum()
    return np.round(shares, 3).tolist()


# --- demand known in advance ------------------------------------------------------------------------------------------


@board(
    rates=listing(number(0), at_least=2),
    lead_time=_periods,
    horizon=number(1, whole=True),
    fixed_cost=_money,
    holding_cost=_money,
    backorder_cost=_money,
)
def advance_demand(
    rates: Sequence[float] = (2, 1, 3),
    lead_time: int = 0,
    horizon: int = 12,
    fixed_cost: float = 100,
    holding_cost: float = 1,
    backorder_cost: float = 9,
) -> Any:
    """Orders known before they are due, with a fixed cost of replenishment.

    Source: Wang & Toktay (2008), Inventory management with advance demand information and flexible delivery,
    Management Science 54(4), 716-732; without flexible delivery it is the problem of Gallego & Ozer (2001), Integrating
    replenishment decisions with advance demand information, Management Science 47(10), 1344-1360.

    Sequence: units due arrive; customers order, for now or for later; the order is placed, knowing what is booked; what
    is due is met or waits; costs are charged on what is left and owed.

    Lead time: the papers order at the start of a period, before its customers come, here after those of the period
    before: their L is a lead time of L + 1. An order has to cover L + 1 periods, of which booked orders tell a part;
    the trigger counts them (`advance_position`), so that its position is Gallego and Ozer's modified one.

    Parameters
    ----------
    rates : sequence of float
        Mean of the Poisson number of units ordered in a period for 0, 1, ... periods ahead. The paper has (0, 0, 6),
        (2, 1, 3) and (2, 1, 1, 2).
    lead_time : int
        L, periods, at least 0.
    horizon : int
        Periods, after which the world ends.
    fixed_cost, holding_cost, backorder_cost : float
        Of an order that is started, and per unit left or owed and period.

    Returns
    -------
    Network

    Notes
    -----
    One thing differs: the paper's customers take a unit that comes before it is due, here it waits for its date in
    stock. Published costs (336.19 at least for the default) are for orientation. The first order comes after the first
    period's customers; stock starts empty.
    """
    if not sum(rates):
        raise InputError("rates", f"{list(rates)} sum to 0; give at least one above 0")
    shares = [rate / sum(rates) for rate in rates]
    return {
        "decoupling_point": "supply",
        "horizon": horizon,
        "horizon_is_real": True,
        "stages": {
            "stock": {
                "holding_cost": holding_cost,
                "sources": [
                    {
                        "lead_time": lead_time + 1,
                        "fixed_cost": fixed_cost,
                        "lot": {"rule": "s_S"},
                        "advance_position": lead_time + 1,
                    }
                ],
                "market": {
                    "demand": {"kind": "poisson", "mean": sum(rates)},
                    "order_lead": shares,
                    "forecast": {"horizon": len(rates)},
                    "backorder_cost": backorder_cost,
                },
            }
        },
    }
