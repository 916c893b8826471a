"""How large things naturally get: the scales from which action bounds, observation bounds and reward scale follow.

The rate of a stage is the demand per period that its markets and its users put on it on average; the exposure of a
source is the number of periods an order must cover. Their product is a scale for stocks, orders and thresholds.
"""

from __future__ import annotations

import numpy as np

from pushpull.envs.families import market_demand, mean, variance
from pushpull.envs.network import Network


def demand_rates(network: Network) -> np.ndarray:
    """Return mean demand per period on each stage over the horizon, [N], in units of its item."""
    at_markets = np.zeros(len(network.stages))
    for i in network.markets:
        at_markets[i] = mean(market_demand(network, i), network.units, network.horizon).mean()
    return network.requirements @ at_markets


def demand_deviations(network: Network) -> np.ndarray:
    """Return the standard deviation per period of demand on each stage over the horizon, [N], season included."""
    at_markets = np.zeros(len(network.stages))
    for i in network.markets:
        level = mean(market_demand(network, i), network.units, network.horizon)
        at_markets[i] = variance(market_demand(network, i), network.units, network.horizon).mean() + level.var()
    return np.sqrt(network.requirements**2 @ at_markets)


def even_releases(network: Network) -> np.ndarray:
    """Return units per review that meet the rates, [J]: from all sources of a stage alike, as far as each can.

    Sources that only pull release nothing, those that are closed now and then release in the other periods. Where
    capacities do not suffice, each source is given its even share.
    """
    rates, releases, open_share = demand_rates(network), np.zeros(len(network.sources)), network.open_shares
    for i, own in enumerate(network.sources_of):
        sources = network.sources
        able = {j: sources[j].full_capacity * sources[j].mean_yield / sources[j].review_period for j in own}
        pushing = sorted((j for j in own if network.modes[j] != "pull" and open_share[j] > 0), key=able.__getitem__)
        left, enough = float(rates[i]), sum(able[j] * open_share[j] for j in pushing) >= rates[i]
        for k, j in enumerate(pushing):
            even = left / sum(open_share[pushing[k:]])
            even = min(even, able[j]) if enough else even
            releases[j] = even * sources[j].review_period / sources[j].mean_yield
            left -= even * open_share[j]
    return releases


def exposure(network: Network) -> np.ndarray:
    """Return the periods from one order of each source to the arrival of the next, [J]."""
    return np.array(
        [
            source.planned_lead_time + source.review_period + delay
            for source, delay in zip(network.sources, network.order_delays, strict=True)
        ],
        dtype=float,
    )


def echelon_exposure(network: Network) -> np.ndarray:
    """Return each source's exposure plus the longest path of exposures from its stage to a market, [J]."""
    own = exposure(network)
    downstream = np.zeros(len(network.stages))
    for i in reversed(network.stage_order):
        paths = [own[j] + downstream[network.source_stage[j]] for j in network.users_of[i]]
        downstream[i] = max(paths, default=0.0)
    return own + downstream[list(network.source_stage)]


def covering_stock(network: Network, periods: np.ndarray, z: float = 2.0) -> np.ndarray:
    """Return demand over `periods` [J] at each source's stage plus z standard deviations, [J], in units."""
    stage = list(network.source_stage)
    return demand_rates(network)[stage] * periods + z * demand_deviations(network)[stage] * np.sqrt(periods)


def stock_scale(network: Network) -> np.ndarray:
    """Return a natural size of the stock of each stage, [N]: at least 1 and at least what it starts with."""
    cover = covering_stock(network, exposure(network))
    return np.array(
        [
            max(1.0, stage.initial_on_hand, stage.initial_owed, *(cover[j] for j in network.sources_of[i]))
            for i, stage in enumerate(network.stages.values())
        ]
    )
