"""What every source should order up to: base-stock levels and reorder points from demand over the time an order covers.

`order_levels` works through the chain in four moves, each a function below:

1. `echelons` the echelon base-stock level for each market alone, by the newsvendor bounds of Shang & Song (2003)
2. `installations` the part of it that each stage holds, pooled over markets (Rong, Atan & Snyder 2017)
3. `with_lots` what lots and fixed costs add: a reorder point below and an order-up-to level above (Zheng 1992)
4. `in_basis` the same levels in terms of the position that the source compares: installation, echelon or physical
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import special

from pushpull.agents.exposure import Service, avoided_cost, regular_sources, services, stand_in
from pushpull.agents.lead_time_demand import LeadTimeDemand, correlations, gamma_cdf, gamma_shortage
from pushpull.envs.checks import InputError, number, optional
from pushpull.envs.network import Network

HIGHEST_SHARE = 0.999  # where holding costs nothing a critical ratio is 1, and no finite stock covers that
_service_level = optional(number(above=0, high=HIGHEST_SHARE))


class Window(NamedTuple):
    """Demand that a level covers: of one market, from the current period + `first` up to but not including + `end`."""

    market: int  # row of the market
    units: float  # units of the stage's item in one unit sold
    first: int
    end: int


@dataclass(frozen=True)
class Levels:
    """Levels of each of J sources, in the position that `basis` names.

    Attributes
    ----------
    modes : tuple of str
        ``push`` or ``pull``: as which each source decides.
    basis : tuple of str
        ``installation``, ``echelon`` or ``physical``; always ``echelon`` for a source that pushes, since a release is
        a central decision that sees the whole chain.
    after_demand : tuple of bool
        Whether each source decides after the period's demand is seen.
    order_up_to, reorder_point : ndarray [J]
        Units; order up to the first when the position is at or below the second. Equal without lots or fixed costs,
        minus infinity where a source is never worth its price.
    gap : ndarray [J]
        order_up_to - reorder_point.
    windows : tuple of tuple of Window
        The demand that each level covers.
    safety : ndarray [J]
        Units of order_up_to beyond the mean demand of its windows.
    held : ndarray [J]
        Units of safety that the source's own stage holds: the part of `safety` that belongs to no stage after it.
    forecast_error : ndarray [J]
        Standard deviation of demand about its forecast, relative to that about its profile.
    demand : tuple of LeadTimeDemand
        The demand of each market.
    """

    modes: tuple[str, ...]
    basis: tuple[str, ...]
    after_demand: tuple[bool, ...]
    order_up_to: np.ndarray
    reorder_point: np.ndarray
    gap: np.ndarray
    windows: tuple[tuple[Window, ...], ...]
    safety: np.ndarray
    held: np.ndarray
    forecast_error: np.ndarray
    demand: tuple[LeadTimeDemand, ...]


def order_levels(
    network: Network, service_level: float | None = None, economic_lots: bool = False, mixed: str = "pull"
) -> Levels:
    """Return the levels of every source.

    Parameters
    ----------
    network : Network
        Its markets must state their demand.
    service_level : float, optional
        Share of demand over the exposure that every stage covers; by default the critical ratios of the costs.
    economic_lots : bool
        Choose the order quantity where it is free and orders have a fixed cost; otherwise order up to the level.
    mixed : {"pull", "push"}
        As which a mixed source decides here.

    Raises
    ------
    InputError
        If a market states no demand, or if costs say nothing about service and `service_level` is not given.
    """
    chain = Chain(network, service_level, mixed)
    base_stock = installations(chain, echelons(chain))
    return in_basis(chain, *with_lots(chain, base_stock, economic_lots))


class Chain:
    """A network with what the formulas read again and again."""

    def __init__(self, network: Network, service_level: float | None, mixed: str):
        self.network, self.service_level = network, _service_level("service_level", service_level)
        self.modes = tuple(mixed if mode == "mixed" else mode for mode in network.modes)
        self.services = services(network, self.modes)
        self.regular = regular_sources(network)
        self.demand = [LeadTimeDemand(network, i) for i in network.markets]
        self.correlations = correlations(network)
        self.holding = [stage.holding_cost for stage in network.stages.values()]

    def moments(self, j: int) -> tuple[float, float]:
        """Mean and variance of demand over source j's own exposure, in units of its stage."""
        return self._sum(
            [(service.units, service.market, service.exposure + service.lag) for service in self.services[j]]
        )

    def moments_per_period(self, j: int) -> tuple[float, float]:
        """Mean and variance of one period's demand on source j's stage."""
        return self._sum([(service.units, service.market, 1) for service in self.services[j]])

    def _sum(self, parts: list[tuple[float, int, int]]) -> tuple[float, float]:
        moments = [(units, *self.demand[market].moments(periods)) for units, market, periods in parts]
        mean = sum((units * mean for units, mean, _ in moments), 0.0)
        variance = sum((units**2 * variance for units, _, variance in moments), 0.0)
        for a, b in combinations(range(len(parts)), 2):
            (_, market, periods), (_, other, others) = parts[a], parts[b]
            tie = self.correlations[market, other] if market != other else 0.0
            if tie:  # of the periods that both windows have
                shared = tie * np.sqrt(min(periods, others) / max(periods, others))
                variance += 2 * shared * moments[a][0] * moments[b][0] * np.sqrt(moments[a][2] * moments[b][2])
        return mean, max(0.0, float(variance))


# --- 1. echelon levels for one market ---------------------------------------------------------------------------------


def echelons(chain: Chain) -> dict[tuple[int, int], float]:
    """Return the echelon base-stock level, in units sold, by source and market.

    With H the local holding cost of the stage, H+ of its inputs, H1 of the last stage and b the shortage cost, the
    optimal level of a serial chain lies between the quantiles of demand over the echelon exposure at
    (b + H+) / (b + H1) and (b + H+) / (b + H), and their average is near optimal (Shang & Song 2003, Management Science
    49(5)), in whole units its whole part. At the last stage both are the newsvendor's critical ratio, exact by Clark &
    Scarf (1960). A stage cannot use more than its supplier's echelon holds, so levels are cut to those upstream.
    """
    network = chain.network
    level: dict[tuple[int, int], float] = {}
    for i in network.stage_order:
        for service in (service for j in network.sources_of[i] for service in chain.services[j]):
            j, m = service.source, service.market
            periods = service.exposure + service.lag + service.later
            quantiles = [chain.demand[m].quantile(periods, share) for share in critical_ratios(chain, service)]
            average = float(np.mean(quantiles))
            above = [
                level[supply.source, m]
                for supplier, _ in network.inputs[j]
                for supply in chain.services[chain.regular[supplier]]
                if supply.user == service and not supply.answers
            ]
            level[j, m] = min([np.floor(average) if network.units == "integer" else average, *above])
    return level


def critical_ratios(chain: Chain, service: Service) -> tuple[float, float]:
    """Return the two shares of demand between which the level lies: from costs, or the service level twice."""
    if chain.service_level is not None:
        return chain.service_level, chain.service_level
    i = chain.network.source_stage[service.source]
    penalty = max(0.0, avoided_cost(chain.network, service))
    inputs = sum(units * chain.holding[m] for m, units in chain.network.inputs[service.source])
    before = 0.0 if service.supplier_answers else service.units * inputs
    at_end, here = max(before, service.end_holding), max(before, service.units * chain.holding[i])
    if penalty + min(at_end, here) == 0:
        name = chain.network.stage_names[i]
        raise InputError(
            "service_level",
            f"missing, and it cannot be derived: neither stock of {name!r} nor a shortage costs anything; state it",
        )
    lower, upper = ((penalty + before) / (penalty + holding) for holding in (at_end, here))
    return min(HIGHEST_SHARE, lower), min(HIGHEST_SHARE, upper)


# --- 2. what each stage holds -----------------------------------------------------------------------------------------


def installations(chain: Chain, echelon: dict[tuple[int, int], float]) -> np.ndarray:
    """Return the installation base-stock level of every source, [J], in units of its stage's item.

    For one market it is the difference of echelon levels. Where several are fed, the pooled level leaves as many
    expected backorders as the levels for each market alone would (backorder matching: Rong, Atan & Snyder 2017,
    Production and Operations Management 26(7)). A source that is neither faster nor cheaper than another one of its
    stage helps out at that one's level, and one that is not worth its price never orders.
    """
    level = np.zeros(len(chain.services))
    for j, own in enumerate(chain.services):
        alone = []
        for service in own:
            later = echelon[service.user.source, service.market] if service.user and not service.answers else 0.0
            alone.append(service.units * max(0.0, echelon[j, service.market] - later))
        if len(own) == 1:
            level[j] = alone[0]
        elif own:
            short = 0.0
            for service, held in zip(own, alone, strict=True):
                mean, variance = chain.demand[service.market].moments(service.exposure + service.lag)
                short += gamma_shortage(held, service.units * mean, service.units**2 * variance)
            moments = chain.moments(j)
            level[j] = _solve(lambda y, moments=moments: -gamma_shortage(y, *moments), -short)
        level[j] = with_delays(chain, j, level[j])
        if chain.network.units == "integer":
            level[j] = np.rint(level[j])
        if chain.service_level is None and any(service.penalty > 0 for service in own):
            worth = any(avoided_cost(chain.network, service) > 0 for service in own)
            level[j] = level[j] if worth else -np.inf
    return np.array([level[stand_in(chain.network, j)] for j in range(len(level))])


def with_delays(chain: Chain, j: int, level: float) -> float:
    """Let a level also cover what waits for capacity, what the smoothed rule leaves open and lead times that vary.

    A lead time of variance v adds rate^2 v to demand's over it (Silver, Pyke & Thomas 2017, section 6.10).
    Smoothing over A periods leaves an open order of variance sd^2 (A - 1)^2 / (2 A - 1), from its recursion
    e' = (1 - 1 / A) (e + demand - mean). For what waits see `shortfall_moments`.
    """
    network, lot = chain.network, chain.network.sources[j].lot
    mean, variance = chain.moments(j)
    if variance == 0:
        return level
    rate, per_period = chain.moments_per_period(j)
    open_share, own = network.open_shares, network.sources_of[network.source_stage[j]]
    available = sum(open_share[s] * capacity(chain, s) for s in own if open_share[s])
    short_mean, short_variance = shortfall_moments(available - rate, per_period, network.horizon)
    adjust_time = lot.adjust_time if chain.modes[j] == "pull" else 1.0
    left_open = per_period * (adjust_time - 1) ** 2 / (2 * adjust_time - 1)
    travel = rate**2 * network.sources[j].lead_time_variance
    stretch = np.sqrt((variance + short_variance + left_open + travel) / variance)
    return mean + short_mean + (level - mean) * float(stretch)


def shortfall_moments(spare: float, variance: float, periods: int) -> tuple[float, float]:
    """Return mean and variance of the shortfall behind a capacity that exceeds the demand rate by `spare`.

    The shortfall V' = max(0, V + demand - capacity) has mean sum over n = 1 to T of E max(0, S_n) / n after T periods,
    and in the long run variance sum of E max(0, S_n)^2 / n, S_n being the demand of n periods less their capacity
    (Spitzer 1956), here taken as normal. The variance is cut to that of reflected Brownian motion after T periods.
    """
    if spare == np.inf:
        return 0.0, 0.0
    n = np.arange(1, periods + 1)
    sd = np.sqrt(n * variance)
    z = -spare * n / sd
    density, above = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), special.ndtr(z)
    first = sd * (density + z * above)
    second = sd**2 * ((z**2 + 1) * above + z * density)
    return float(np.sum(first / n)), min(float(np.sum(second / n)), (1 - 2 / np.pi) * variance * periods)


def capacity(chain: Chain, j: int) -> float:
    """Return the units a period that source j can order; releases that are dropped can start in review periods only."""
    source = chain.network.sources[j]
    if chain.modes[j] == "push":
        return source.full_capacity if source.carries else source.full_capacity / source.review_period
    return min(source.full_capacity, source.max_order / source.review_period)


# --- 3. lots and fixed costs ------------------------------------------------------------------------------------------


def with_lots(chain: Chain, base_stock: np.ndarray, economic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return installation order-up-to levels that serve like the base-stock levels, and the lots below them, [J] each.

    A lot is what the source states or, where it is free and orders have a fixed cost, an economic one. In whole units a
    position is at or below a reorder point when it is at or below its whole part.
    """
    up_to, gap = base_stock.copy(), np.zeros(len(base_stock))
    for j, source in enumerate(chain.network.sources):
        lot, pulls = source.lot, chain.modes[j] == "pull"
        rate = chain.moments_per_period(j)[0] * source.review_period
        stated = lot.Q if lot.Q is not None else lot.gap
        if pulls and stated is not None:
            gap[j] = stated
        elif economic and source.fixed_cost and not (pulls and lot.rule == "smoothed"):
            gap[j] = economic_gap(chain, j, gamma_cdf(base_stock[j], *chain.moments(j)))
        if rate == 0 or gap[j] == 0 or not np.isfinite(base_stock[j]):
            continue
        visits = np.inf if pulls and lot.Q is not None else 1 + gap[j] / rate
        up_to[j] = order_up_to(base_stock[j], *chain.moments(j), gap[j], visits)
        if chain.network.units == "integer":
            reorder_point = np.floor(up_to[j] - gap[j])
            up_to[j] = reorder_point + stated if pulls and stated is not None else np.rint(up_to[j])
            gap[j] = up_to[j] - reorder_point
    return up_to, gap


def economic_gap(chain: Chain, j: int, share: float) -> float:
    """Return the gap of a source whose orders have a fixed cost K.

    The economic order quantity with backorders is sqrt(2 K rate / (h share)) (Zheng 1992, Management Science 38(1)), h
    the echelon holding cost. Orders exceed the gap by the mean undershoot of the reorder point between reviews,
    (sd^2 + rate^2) / (2 rate), rate and sd those of demand per review. No order is for more than the horizon.
    """
    source, i = chain.network.sources[j], chain.network.source_stage[j]
    rate, variance = (value * source.review_period for value in chain.moments_per_period(j))
    if rate == 0:
        return 0.0
    added = chain.holding[i] - sum(units * chain.holding[m] for m, units in chain.network.inputs[j])
    holding = (added if added > 0 else chain.holding[i]) * source.review_period
    quantity = most = rate * chain.network.horizon / source.review_period
    if holding > 0:
        quantity = min(most, float(np.sqrt(2 * source.fixed_cost * rate / (holding * max(share, 0.5)))))
    return max(0.0, quantity - (variance + rate**2) / (2 * rate))


def order_up_to(base_stock: float, mean: float, variance: float, gap: float, visits: float) -> float:
    """Return S such that ordering up to S, when the position is at or below S - gap, covers demand as base_stock does.

    After an order opportunity the position is S once every `visits` periods and spread evenly over (S - gap, S) in the
    others (renewal theory; `visits` infinite for lots that are not ordered up to). For a given gap the best S makes the
    average over these positions of P(demand <= position) the critical ratio (Zheng & Federgruen 1991, Operations
    Research 39(4)), which base_stock meets without lots; demand is gamma with these moments.
    """
    if variance == 0:
        return base_stock + gap

    def covered(y: float) -> float:
        left_over = [level - mean + gamma_shortage(level, mean, variance) for level in (y, y - gap)]
        return gamma_cdf(y, mean, variance) / visits + (1 - 1 / visits) * (left_over[0] - left_over[1]) / gap

    return _solve(covered, gamma_cdf(base_stock, mean, variance), low=base_stock, high=base_stock + gap)


def _solve(rising: Callable[[float], float], target: float, low: float = 0.0, high: float = 1.0) -> float:
    """Return where a rising function meets a target, by doubling and bisection."""
    for _ in range(200):
        if rising(high) >= target:
            break
        low, high = high, 2 * max(high, 1.0)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) >= target else (middle, high)
    return high


# --- 4. levels in the source's basis ----------------------------------------------------------------------------------


def in_basis(chain: Chain, up_to: np.ndarray, gap: np.ndarray) -> Levels:
    """Return the levels in terms of the positions compared: an echelon's level is the sum of what its stages hold."""
    network, place = chain.network, chain.network.sequence.index
    basis = tuple(
        "echelon" if mode == "push" else source.basis for mode, source in zip(chain.modes, network.sources, strict=True)
    )
    after_demand = tuple(place(mode) > place("demand") for mode in chain.modes)
    level, windows = up_to.copy(), []
    for j, i in enumerate(network.source_stage):
        stages = stages_counted(network, j, basis[j])
        level[j] += sum(network.requirements[i, k] * up_to[chain.regular[k]] for k in stages if k != i)
        first, alone = int(after_demand[j]), stages == [i]
        windows.append(
            tuple(
                Window(
                    service.market,
                    service.units,
                    first + (service.to_market if alone else 0),
                    first + service.to_market + service.exposure + service.lag,
                )
                for service in chain.services[j]
            )
        )
    covered = [
        sum(w.units * chain.demand[w.market].moments(w.end - w.first)[0] for w in own_windows)
        for own_windows in windows
    ]
    return Levels(
        chain.modes,
        basis,
        after_demand,
        level,
        level - gap,
        gap,
        tuple(windows),
        level - np.array(covered),
        up_to - np.array([chain.moments(j)[0] for j in range(len(up_to))]),
        np.array([forecast_error(chain, own_windows) for own_windows in windows]),
        tuple(chain.demand),
    )


def stages_counted(network: Network, j: int, basis: str) -> list[int]:
    """Return the stages whose stock a position of source j counts, by basis."""
    i, over = network.source_stage[j], network.sources[j].over
    if basis == "echelon":
        return [k for k in range(len(network.stages)) if network.requirements[i, k]]
    return [network.stage_names.index(name) for name in over] if basis == "physical" and over else [i]


def planned_safety(network: Network, levels: Levels, follows: Sequence[bool]) -> np.ndarray:
    """Return safety stock for plans on the forecast, [J]: it covers what the forecast errs, not what demand varies.

    A stage that does not follow the forecast holds its own safety stock whatever is foreseen, so a position that counts
    it has to cover that in full.

    Parameters
    ----------
    network : Network
        The chain.
    levels : Levels
        Its levels.
    follows : sequence of bool [J]
        Whether each source follows the forecast.
    """
    regular, planned = regular_sources(network), levels.safety.copy()
    for j, i in enumerate(network.source_stage):
        if np.isfinite(planned[j]):
            after = [k for k in stages_counted(network, j, levels.basis[j]) if k != i and not follows[regular[k]]]
            fixed = sum(network.requirements[i, k] * levels.held[regular[k]] for k in after)
            planned[j] = fixed + levels.forecast_error[j] * (planned[j] - fixed)
    return planned


def forecast_error(chain: Chain, windows: tuple[Window, ...]) -> float:
    """Return the standard deviation of demand about its forecast over windows, relative to that about its profile."""
    errors = sum(w.units**2 * chain.demand[w.market].forecast_variance(w.first, w.end) for w in windows)
    spread = sum(w.units**2 * chain.demand[w.market].moments(w.end - w.first)[1] for w in windows)
    return float(np.sqrt(errors / spread)) if spread > 0 else 1.0
