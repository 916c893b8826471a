"""Policies by formula: random, constant, base-stock, reorder point, forecast push and the push-pull hybrid.

All but the first two map a view to order-up-to levels, and levels to actions as `replenishment.Replenishment` does.

========================= ============================================ =========================================
policy                    push and mixed quantities                    pull and mixed thresholds
========================= ============================================ =========================================
`Random`                  uniform within the action bounds             uniform within the action bounds
`Constant`                mean demand rate; mixed: none                base-stock level
`BaseStock`               up to the base-stock level; mixed: none      base-stock level
`ReorderPoint`            up to S when at or below s; mixed: none      s, S where the lot is free
`ForecastPush`            up to the forecast of the exposure, early    forecast of the exposure plus safety; mixed:
                          where capacity would not do later            never
`PushPull`                as `ForecastPush`                            as `BaseStock`
========================= ============================================ =========================================

A mixed source is played as pure push or pure pull, its threshold minus infinity or its quantity 0. `PushPull` pushes
mixed sources up to the decoupling point that earned most in trial worlds, and pulls the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from pushpull.agents.lead_time_demand import TRIAL_WORLDS
from pushpull.agents.levels import order_levels, planned_safety
from pushpull.agents.replenishment import Replenishment
from pushpull.agents.requirements import Foresight, Requirements, by_profile, push_capacities
from pushpull.envs.actions import ActionSpace
from pushpull.envs.bounds import demand_rates
from pushpull.envs.checks import InputError, listing, number, optional, suggest
from pushpull.envs.decoupling import boundaries, unmixed
from pushpull.envs.engine import Acts
from pushpull.envs.network import ACTION_COLUMNS, Network
from pushpull.envs.observations import View
from pushpull.envs.rules import Rules
from pushpull.envs.simulate import simulate

TRIALS = 200  # episodes on which boundaries are tried
_SEED = number(0, 2**63, whole=True)
_UNITS = number(0)
_PERIODS = optional(number(0, whole=True))
_LEVEL = number()
_UNUSED = 0.5  # service level where all levels are given


class _Columns:
    """A policy that sets whole columns: for each of quantity, threshold and gap, units [J, B] or [J, 1].

    It runs no campaigns: what it does not set is 0.
    """

    def __init__(self, network: Network):
        self.network, space = network, ActionSpace(network)
        self._entries = [(k, row, column) for k, (row, column) in enumerate(space.entries) if column in ACTION_COLUMNS]
        self._names = space.names

    def columns(self, view: View) -> dict[str, np.ndarray]:
        raise NotImplementedError

    @property
    def rules(self) -> Rules | None:
        """The policy as rules for compiled code, where it sets the same numbers in every period."""
        columns = self.fixed_columns()
        if columns is None:
            return None
        return Rules(self.network, {self._names[k]: float(columns[column][j, 0]) for k, j, column in self._entries})

    def fixed_columns(self) -> dict[str, np.ndarray] | None:
        """Columns [J, 1] that never change, or None."""
        return None

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units."""
        columns = self.columns(view)
        actions = np.zeros((len(view.period), len(self._names)))
        for k, j, column in self._entries:
            actions[:, k] = columns[column][j]
        return np.rint(actions) if self.network.units == "integer" else actions


# --- policies ---------------------------------------------------------------------------------------------------------


class Random:
    """Draw every entry uniformly between its bounds, as a function of policy seed, world, period and entry.

    Parameters
    ----------
    network : Network
        The chain.
    seed : int
        Another seed gives other draws in the same world.
    """

    def __init__(self, network: Network, seed: int = 0):
        space = ActionSpace(network)
        self._low, self._high = space.low, space.high
        self._key = splitmix64(np.uint64(_SEED("seed", seed)))

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units."""
        world = splitmix64(self._key ^ np.asarray(view.seeds).astype(np.uint64))
        now = splitmix64(world ^ view.period.astype(np.uint64))
        entries = np.arange(len(self._low), dtype=np.uint64)
        uniform = (splitmix64(now[:, None] ^ entries) >> np.uint64(11)) * 2.0**-53
        return self._low + uniform * (self._high - self._low)


def splitmix64(x: Any) -> Any:
    """Return the SplitMix64 hash of unsigned 64-bit integers (Steele, Lea & Flood 2014, OOPSLA)."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


class Constant(_Columns):
    """Release the same quantity every review and hold the same thresholds, whatever happens.

    Quantities are the mean demand over a review period, filled from the cheapest source of a stage on; in integer
    units a rate of 7.4 alternates between 7 and 8 so that it is met on average. A mixed source releases nothing.

    Parameters
    ----------
    network : Network
        The chain.
    quantity, threshold, gap : mapping of str to float, optional
        Units by source name, where the derived ones are not wanted.
    service_level : float, optional
        Share of demand over its exposure that derived thresholds cover; by default what costs imply.
    """

    def __init__(
        self,
        network: Network,
        quantity: Mapping[str, float] | None = None,
        threshold: Mapping[str, float] | None = None,
        gap: Mapping[str, float] | None = None,
        service_level: float | None = None,
    ):
        super().__init__(network)
        levels = order_levels(network, service_level)
        self._reviews = np.array([source.review_period for source in network.sources])[:, None]
        mixed = np.array([mode == "mixed" for mode in network.modes])
        releases = np.where(mixed, 0.0, mean_releases(network))
        self._quantity = _given("quantity", quantity, releases, network)[:, None]
        self._threshold = _given("threshold", threshold, levels.reorder_point, network)[:, None]
        self._gap = _given("gap", gap, levels.gap, network)[:, None]

    def columns(self, view: View) -> dict[str, np.ndarray]:
        quantity = self._quantity
        if self.network.units == "integer":
            review = view.period // self._reviews
            quantity = np.floor((review + 1) * quantity) - np.floor(review * quantity)
        return {"quantity": quantity, "threshold": self._threshold, "gap": self._gap}

    def fixed_columns(self) -> dict[str, np.ndarray] | None:
        used = ["quantity" in columns for columns in self.network.action_columns]
        if self.network.units == "integer" and (self._quantity != np.rint(self._quantity))[used].any():
            return None
        return {"quantity": self._quantity, "threshold": self._threshold, "gap": self._gap}


class BaseStock(_Columns):
    """Keep every position at its base-stock level, which follows the season of demand (cyclic base-stock).

    Parameters
    ----------
    network : Network
        The chain.
    service_level : float, optional
        Share of demand over its exposure that every stage covers; by default what costs imply.
    levels : mapping of str to float or list of float, optional
        Levels by source name, where the derived ones are not wanted: one number, or one for each period of a cycle,
        which begins with the episode. They are of the position that the source compares: that of its `basis` where it
        pulls, of its echelon where it pushes.
    """

    economic_lots = False

    def __init__(
        self,
        network: Network,
        service_level: float | None = None,
        levels: Mapping[str, float | Sequence[float]] | None = None,
    ):
        super().__init__(network)
        self._given = _cycles("levels", levels, network)
        if service_level is None and all(map(len, self._given)):
            service_level = _UNUSED
        self._levels = order_levels(network, service_level, self.economic_lots)
        self._replenish = Replenishment(network, self._levels)
        self._requirements = Requirements(self._levels, self._levels.safety)
        self._seasonal = any(demand.seasonal for demand in self._levels.demand)
        self._table = cache(self._levels_by_period)
        derived = zip(self._given, self._levels.order_up_to, strict=True)
        self._fixed = np.array([[cycle[0] if len(cycle) else level] for cycle, level in derived])
        cyclic = any(len(cycle) > 1 for cycle in self._given)
        self._moves = cyclic or (self._seasonal and not all(map(len, self._given)))

    def columns(self, view: View) -> dict[str, np.ndarray]:
        if not self._moves:
            return self._replenish(view, self._fixed)
        up_to = self._table(view.periods)[:, view.period] if self._seasonal else self._fixed + 0.0 * view.period
        for row, cycle in enumerate(self._given):
            if len(cycle):
                up_to[row] = cycle[view.period % len(cycle)]
        return self._replenish(view, up_to)

    def fixed_columns(self) -> dict[str, np.ndarray] | None:
        return None if self._moves or not self._replenish.static else self._replenish.held(self._fixed)

    def _levels_by_period(self, periods: int) -> np.ndarray:
        """Order-up-to levels of each period, [J, T]."""
        return self._requirements(by_profile(self._levels, periods, self._requirements.periods))


class ReorderPoint(BaseStock):
    """Order up to S when the position is at or below s: (s, S) with economic order quantities.

    A source without fixed cost has s = S. Where the source's own rule cannot hold back (lot rule base_stock), the
    threshold is withheld until the position, less the demand it will see first, is expected to be at s.

    Parameters
    ----------
    network : Network
        The chain.
    service_level : float, optional
        Share of demand over its exposure that every stage covers; by default what costs imply.
    levels : mapping of str to float or list of float, optional
        Order-up-to levels S by source name, where the derived ones are not wanted.
    """

    economic_lots = True


class ForecastPush(_Columns):
    """Plan every source on the forecast, as material requirements planning does (Orlicky 1975).

    Gross requirements are the forecast over the exposure, exploded through the bills of materials; the net requirement
    takes off the position and adds safety stock for the forecast's errors. A release is capped by capacity and comes
    early where later requirements exceed it (backward levelling), and so do its inputs.

    Parameters
    ----------
    network : Network
        The chain.
    service_level : float, optional
        Share of demand over its exposure that every stage covers; by default what costs imply.
    look_ahead : int, optional
        Periods beyond its exposure for which each source levels capacity; by default as many as are forecast.
    """

    pulls_follow = True

    def __init__(self, network: Network, service_level: float | None = None, look_ahead: int | None = None):
        super().__init__(network)
        levels = order_levels(network, service_level, mixed="push")
        self._replenish = Replenishment(network, levels)
        if (look := _PERIODS("look_ahead", look_ahead)) is None:
            look = max(market.forecast.horizon for market in network.markets.values())
        follows = [self.pulls_follow or mode == "push" for mode in levels.modes]
        capacity, safety = push_capacities(network, levels.modes), planned_safety(network, levels, follows)
        self._requirements = Requirements(levels, safety, capacity, look)
        self._foresee = Foresight(network, levels, self._requirements.periods)

    def columns(self, view: View) -> dict[str, np.ndarray]:
        return self._replenish(view, self._requirements(self._foresee(view)))


class _HybridPush(ForecastPush):
    """Plan what is pushed, for stages that pull whatever is foreseen."""

    pulls_follow = False


class PushPull(_Columns):
    """Push on the forecast above the decoupling point, pull by base-stock levels below it.

    Parameters
    ----------
    network : Network
        The chain.
    service_level : float, optional
        Share of demand over its exposure that every stage covers; by default what costs imply.
    look_ahead : int, optional
        Periods beyond its exposure for which each source levels capacity; by default as many as are forecast.

    Attributes
    ----------
    decoupled : Network
        The chain as it is played: without mixed sources.
    """

    def __init__(self, network: Network, service_level: float | None = None, look_ahead: int | None = None):
        super().__init__(network)

        def on(chain: Network) -> PushPull:
            return PushPull(chain, service_level, look_ahead)

        self.decoupled = best_decoupled(network, on) if "mixed" in network.modes else network
        self._push = _HybridPush(self.decoupled, service_level, look_ahead)
        self._pull = BaseStock(self.decoupled, service_level)
        self._pushes = np.array([mode == "push" for mode in self.decoupled.modes])[:, None]

    def columns(self, view: View) -> dict[str, np.ndarray]:
        pull = self._pull.columns(view)
        return {
            "quantity": np.where(self._pushes, self._push.columns(view)["quantity"], 0.0),
            "threshold": np.where(self._pushes, -np.inf, pull["threshold"]),
            "gap": pull["gap"],
        }


def best_decoupled(network: Network, policy_on: Callable[[Network], Acts]) -> Network:
    """Return the network with its mixed sources decoupled where a policy earns most, on average over trial worlds."""
    chain = unmixed(network)
    candidates = [chain.with_decoupling_point(point) for point in boundaries(chain)]

    def earned(candidate: Network) -> float:
        return simulate(candidate, policy_on(candidate), TRIALS, TRIAL_WORLDS[0])["profit"].mean()

    return max(candidates, key=earned)


# --- constant releases ------------------------------------------------------------------------------------------------


def mean_releases(network: Network) -> np.ndarray:
    """Return releases per review that meet mean demand, [J]: a stage's cheapest source first, up to its capacity."""
    landed, rates = network.landed_costs, demand_rates(network)
    releases = np.zeros(len(network.sources))
    for i, own in enumerate(network.sources_of):
        left = float(rates[i])
        for j in sorted(own, key=lambda j: (landed[j], j)):
            source = network.sources[j]
            releases[j] = min(left * source.review_period, source.capacity)
            left -= network.open_shares[j] * releases[j] / source.review_period
    return releases


def _given(field: str, units: Mapping[str, float] | None, derived: np.ndarray, network: Network) -> np.ndarray:
    """Replace derived units by those that are given by source name."""
    values = derived.copy()
    for name, value in (units or {}).items():
        if name not in network.source_names:
            raise InputError(f"{field}.{name}", f"no source of this name; {suggest(name, network.source_names)}")
        values[network.source_names.index(name)] = _UNITS(f"{field}.{name}", value)
    return values


def _cycles(field: str, levels: Mapping[str, float | Sequence[float]] | None, network: Network) -> list[np.ndarray]:
    """Return the levels of a cycle that are given for each source, empty where none are."""
    cycles = [np.empty(0)] * len(network.sources)
    for name, value in (levels or {}).items():
        if name not in network.source_names:
            raise InputError(f"{field}.{name}", f"no source of this name; {suggest(name, network.source_names)}")
        check = listing(_LEVEL, at_least=1) if isinstance(value, (list, tuple)) else _LEVEL
        cycles[network.source_names.index(name)] = np.atleast_1d(np.array(check(f"{field}.{name}", value), dtype=float))
    return cycles
