"""Plans by linear programming: what could have been earned with hindsight, and agents that plan with what they know.

`bound` knows an episode's demand and supply beforehand: no policy does better in that episode. The planners know what
any policy knows, plan ahead, act the first period of the plan and plan again (Perez, Hubbs, Li & Grossmann 2021,
Algorithmic approaches to inventory management optimization, Processes 9(1):102):

===================== =============================== ==================================================
policy                demand in the plan              how far the plan reaches
===================== =============================== ==================================================
`DeterministicRolling`   its expected value (DLP)        `horizon` periods, to the end where that is real
`DeterministicShrinking` its expected value (DLP)        the end of the episode
`StochasticRolling`      scenarios (two-stage MSSP)      `horizon` periods, to the end where that is real
`StochasticShrinking`    scenarios (two-stage MSSP)      the end of the episode
===================== =============================== ==================================================

A stochastic plan shares what starts in the first period between all scenarios and lets each know all that follows, so
that it hedges, though less than it should. Plans are acted as every source lets them: a push source releases what
starts in its push event; a pull source is given the threshold at which it orders what the plan has it order if demand
is as expected, and so orders more when demand is higher. A source that the plan has order nothing orders nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from pushpull.agents.linear_program import LinearProgram
from pushpull.agents.outlook import Outlook
from pushpull.agents.supply import chances, events_of, expected_supply, recorded_supply
from pushpull.envs import dynamics
from pushpull.envs.actions import ActionSpace
from pushpull.envs.bounds import echelon_exposure
from pushpull.envs.checks import InputError, choice, number, optional
from pushpull.envs.exogenous import draw
from pushpull.envs.network import Network
from pushpull.envs.observations import View

MEASURES = ("profit", "cost", "discounted_profit")
_COUNT = number(1, whole=True)
_BATCH = 256  # episodes whose traces are drawn together


def bound(network: Network, seed: int, episodes: int, periods: int | None = None, measure: str = "profit") -> Any:
    """Return what could at best have been reached in each episode, had all of it been known beforehand.

    Parameters
    ----------
    network : Network
        The chain; what is not linear is relaxed, so that the bound stays one (`pushpull.agents.linear_program`).
    seed, episodes : int
        Episode n is that of the world ``seed + n``, as in `simulate`.
    periods : int, optional
        Length of an episode; by default the network's horizon.
    measure : {"profit", "cost", "discounted_profit"}
        A column of `simulate`: profit or cost per counted period, or the discounted sum of profits.

    Returns
    -------
    pandas.DataFrame
        Columns ``seed`` and the measure: of profits an upper, of costs a lower bound; infinite where nothing limits it.

    Raises
    ------
    InputError
        For a measure that is unknown, or a network with `promotion`, since demand is not known where campaigns make it.
    """
    import pandas as pd

    choice(*MEASURES)("measure", measure)
    for i in network.promoting:
        raise InputError(
            f"stages.{network.stage_names[i]}.market.promotion",
            "lifts demand, which a bound takes as known; leave it out for a bound without campaigns",
        )
    length = int(_COUNT("periods", network.horizon if periods is None else periods))
    seed, episodes = number(0, whole=True)("seed", seed), _COUNT("episodes", episodes)
    weights = _weights(network, length, measure)
    program, values = None, []
    for first in range(0, episodes, _BATCH):
        worlds = [(seed + n, 0) for n in range(first, min(first + _BATCH, episodes))]
        traces = draw(network, length, worlds)
        state = dynamics.initial_state(np, network, len(worlds))
        view = View(network, state, length, np.array(worlds)[:, 0], traces.demand[0], traces.forecast[0])
        own_supply = any(part is not None for part in (traces.available, traces.lead_time, traces.yields))
        for e in range(len(worlds)):
            if program is None or own_supply:
                supply = recorded_supply(network, traces, e)
                program = LinearProgram(network, supply, weights, relaxed=True, revenue=measure != "cost")
            values.append(program.solve(view, e, traces.demand[None, :, :, e]).cost)
    sign = 1.0 if measure == "cost" else -1.0
    return pd.DataFrame({"seed": seed + np.arange(episodes), measure: sign * np.array(values)})


def _weights(network: Network, periods: int, measure: str) -> np.ndarray:
    """Return what a period's money counts in a measure, [T]."""
    if measure == "discounted_profit":
        return np.power(float(network.discount), np.arange(periods))
    counted = np.arange(periods) >= network.warm_up
    return counted / max(1, counted.sum())


# --- planners ---------------------------------------------------------------------------------------------------------


class _Planner:
    """Solve a linear program in every period and act the first period of its plan."""

    def __init__(self, network: Network, horizon: int | None, scenarios: int | None, seed: int = 0):
        self.network, self._horizon, self._stochastic = network, horizon, scenarios is not None
        self._outlook = Outlook(network, scenarios or 1, seed)
        self._entries, self._events = ActionSpace(network).entries, events_of(network)
        self._cyclic = any(source.review_period > 1 for source in network.sources)
        self._chances = chances(network)
        self._scheduled = any(source.disruption and source.disruption.schedule for source in network.sources)
        self._program = lru_cache(maxsize=128)(self._write)

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units."""
        actions = np.array([self._act(view, which) for which in range(len(view.period))])
        return np.rint(actions) if self.network.units == "integer" else actions

    def _act(self, view: View, which: int) -> list[float]:
        program, expected = self._task(view, which)
        demand = expected
        if self._stochastic:
            demand = self._felt(view, which, self._outlook.scenarios(view, which, program.periods))
        columns = self._columns(view, which, program.solve(view, which, demand).start, expected[0, 0])
        return [columns[column][j] for j, column in self._entries]

    def _task(self, view: View, which: int) -> tuple[LinearProgram, np.ndarray]:
        """Return the program that is to be solved now, and the demand that is expected in its periods, [1, T, M]."""
        left, first = int(view.periods_left[which]), int(view.period[which])
        reach = left if self._horizon is None else self._horizon
        reach = min(reach, left) if self.network.horizon_is_real else reach
        known = tuple(view.available[:, which]) if self.network.disrupted_sources else None
        moves = self._cyclic or self._scheduled
        program = self._program(first if moves else 0, reach, reach == left, known)
        return program, self._felt(view, which, self._outlook.expected(view, which, reach)[None])

    def _write(self, first: int, periods: int, ends: bool, known: tuple[float, ...] | None) -> LinearProgram:
        supply = expected_supply(self.network, first, periods, None if known is None else np.array(known))
        weights = np.power(float(self.network.discount), np.arange(periods))
        return LinearProgram(self.network, supply, weights, relaxed=False, ends=ends)

    def _felt(self, view: View, which: int, demand: np.ndarray) -> np.ndarray:
        """Return demand [S, T, M] times goodwill as it is now, less what campaigns have borrowed of it."""
        network, demand = self.network, demand.copy()
        numbers = {i: m for m, i in enumerate(network.markets)}
        for i, factor in zip(network.remembered, view.goodwill[:, which], strict=True):
            demand[..., numbers[i]] *= factor
        due = iter(view.borrowed[:, which])
        for i, periods in zip(network.promoting, network.borrowing, strict=True):
            for k, units in enumerate([next(due) for _ in range(periods)][: demand.shape[1]]):
                demand[:, k, numbers[i]] -= units
        return np.maximum(0.0, demand)

    # --- from starts to actions ------------------------------------------------------------------------------------

    def _columns(self, view: View, which: int, start: np.ndarray, demand: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return quantity, threshold and gap of each source, [J], that make it start as planned; no campaigns."""
        network, sources = self.network, self.network.sources
        columns = {"quantity": np.zeros(len(sources)), "threshold": np.full(len(sources), -np.inf)}
        columns |= {"gap": np.zeros(len(sources)), "promotion": np.zeros(len(network.promoting))}
        position = view.inventory_position[:, which].copy()
        stock = np.stack([view.on_hand[:, which], _by_stage(network, view.in_process[:, which])]).sum(axis=0)
        orders = np.zeros(len(sources))
        start = start / self._chances[[j for j, _ in self._events]]  # what to start where it may
        for e, (j, event) in enumerate(self._events):
            waits = float(view.pending[j, which])
            if event == "push":
                units = self._whole(max(0.0, start[0, e] - (waits if sources[j].carries else 0.0)))
                columns["quantity"][j] = units
                _move(network, j, units * sources[j].mean_yield, units, position, stock)
            else:
                waits += float(view.in_transit[j, which])
                orders[j] = self._whole(max(0.0, start[: network.order_delays[j] + 1, e].sum() - waits))
        if network.sequence.index("demand") < network.sequence.index("pull"):
            position[list(network.markets)] -= demand
        for i in reversed(network.stage_order):
            for j in network.sources_of[i]:
                if orders[j] > 0:
                    basis = self._basis(view, which, j, position, stock) - self._counted(view, which, j)
                    columns["threshold"][j] = self._threshold(j, basis, orders[j], demand)
                    position[i] += orders[j]
                    if not network.order_delays[j]:
                        for m, units in network.inputs[j]:
                            position[m] -= units * orders[j]
        return columns

    def _whole(self, units: float) -> float:
        return float(np.rint(units)) if self.network.units == "integer" else units if units > 1e-9 else 0.0

    def _basis(self, view: View, which: int, j: int, position: np.ndarray, stock: np.ndarray) -> float:
        """Return the position that source j's threshold will be compared with."""
        network, source, i = self.network, self.network.sources[j], self.network.source_stage[j]
        if source.basis == "echelon":
            return float(network.requirements[i] @ position)
        if source.basis == "physical":
            own = list(network.sources_of[i])
            waiting = float((view.pending[own, which] + view.in_transit[own, which]).sum())
            return waiting + sum(
                float(network.requirements[i, k]) * stock[k] for k in network.stages_over(i, source.over)
            )
        return float(position[i])

    def _counted(self, view: View, which: int, j: int) -> float:
        """Return the booked orders that source j's trigger will count, as far as they are booked now."""
        network, spikes = self.network, self.network.sources[j].spikes
        if not network.counted_orders[j]:
            return 0.0
        book = view.booked[:, which]
        if network.counts_after_demand:  # by then each row is one period nearer
            book = np.concatenate(
                [np.append(own[1:], 0.0) for own in np.split(book, np.cumsum(network.book_rows)[:-1]) if len(own)]
            )
        rows = ((book[row], units) for row, units in network.counted_orders[j])
        return float(sum(units * booked for booked, units in rows if spikes is None or booked >= spikes.threshold))

    def _threshold(self, j: int, position: float, order: float, demand: np.ndarray) -> float:
        """Return the threshold with which source j orders so much at a position."""
        source, i = self.network.sources[j], self.network.source_stage[j]
        lot = source.lot
        if lot.rule == "r_nQ":
            lots = np.rint(order / lot.Q)
            spare = np.floor(lot.Q / 2) if self.network.units == "integer" else lot.Q / 2
            return position + (lots - 1) * lot.Q + spare if lots else -np.inf
        if lot.rule == "s_S" and lot.gap is not None:
            gap = self.network.rounded(lot.gap)
            return position + max(0.0, order - gap) if order >= gap / 2 else -np.inf
        if lot.rule == "smoothed":
            foreseen = float(self.network.requirements[i, list(self.network.markets)] @ demand)
            return position + foreseen + lot.adjust_time * (order - foreseen)
        return position + order


def _by_stage(network: Network, in_process: np.ndarray) -> np.ndarray:
    return np.array([in_process[list(own)].sum() for own in network.sources_of])


def _move(network: Network, j: int, made: float, started: float, position: np.ndarray, stock: np.ndarray) -> None:
    """Let positions and stocks feel a release."""
    for rows in (position, stock):
        rows[network.source_stage[j]] += made
        for m, units in network.inputs[j]:
            rows[m] -= units * started


def _look_ahead(network: Network) -> int:
    """Return how far a rolling plan reaches where nothing is said: twice the longest way to a market."""
    return int(np.ceil(2 * echelon_exposure(network).max()))


class DeterministicRolling(_Planner):
    """Plan `horizon` periods ahead on expected demand, in every period anew.

    Parameters
    ----------
    network : Network
        The chain.
    horizon : int, optional
        Periods; by default twice the longest way from outside to a market, reviews included.
    """

    def __init__(self, network: Network, horizon: int | None = None):
        horizon = optional(_COUNT)("horizon", horizon)
        super().__init__(network, _look_ahead(network) if horizon is None else horizon, None)


class DeterministicShrinking(_Planner):
    """Plan to the end of the episode on expected demand, in every period anew.

    Parameters
    ----------
    network : Network
        The chain.
    """

    def __init__(self, network: Network):
        super().__init__(network, None, None)


class StochasticRolling(_Planner):
    """Plan `horizon` periods ahead on scenarios of demand, in every period anew.

    Parameters
    ----------
    network : Network
        The chain.
    horizon : int, optional
        Periods; by default twice the longest way from outside to a market, reviews included.
    scenarios, seed : int
        Scenarios of demand in the plan, and which worlds they are sampled in.
    """

    def __init__(self, network: Network, horizon: int | None = None, scenarios: int = 20, seed: int = 0):
        horizon = optional(_COUNT)("horizon", horizon)
        reach = _look_ahead(network) if horizon is None else horizon
        super().__init__(network, reach, _COUNT("scenarios", scenarios), number(0, 2**60, whole=True)("seed", seed))


class StochasticShrinking(_Planner):
    """Plan to the end of the episode on scenarios of demand, in every period anew.

    Parameters
    ----------
    network : Network
        The chain.
    scenarios, seed : int
        Scenarios of demand in the plan, and which worlds they are sampled in.
    """

    def __init__(self, network: Network, scenarios: int = 20, seed: int = 0):
        super().__init__(network, None, _COUNT("scenarios", scenarios), number(0, 2**60, whole=True)("seed", seed))
