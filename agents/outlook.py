"""What planners expect of demand: its mean as forecasts have it, and scenarios about that mean.

`Outlook.expected` is the mean of the process, moved by what the forecast deviates from it as far as the forecast is to
be trusted (`LeadTimeDemand.reliability`); beyond the forecast the last deviation goes on. A recorded history is known
by its average only, whatever row it starts at. `Outlook.scenarios` are that plus deviations of sampled worlds from
their mean, in a Latin hypercube: in every period each of S equally likely slices of the law is met once (McKay, Beckman
& Conover 1979, Technometrics 21(2)), and which slices follow each other is what a sampled world says, so that demand
keeps its memory. They are those of the process as it stands, not given what has been seen of it.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from pushpull.agents.lead_time_demand import LeadTimeDemand
from pushpull.envs import families
from pushpull.envs.demand_paths import demand_paths
from pushpull.envs.histories import read_trace
from pushpull.envs.network import Demand, Network
from pushpull.envs.observations import View
from pushpull.envs.streams import uniforms

FIRST_WORLD = 2**61  # seeds in which scenarios are sampled; no comparison uses them
SAMPLES = 50  # sampled worlds for each scenario, from which the slices of the law are taken


class Outlook:
    """Expect demand of a network.

    Parameters
    ----------
    network : Network
        Its markets must state their demand.
    scenarios, seed : int
        S, and which worlds they are sampled in.
    """

    def __init__(self, network: Network, scenarios: int = 1, seed: int = 0):
        self._network, self._count, self._seed = network, scenarios, seed
        self._demand = [LeadTimeDemand(network, i) for i in network.markets]
        self._horizons = [market.forecast.horizon for market in network.markets.values()]
        self._mean, self._deviations = cache(self._mean_path), cache(self._sampled_deviations)

    def expected(self, view: View, which: int, periods: int) -> np.ndarray:
        """Return demand expected in this period, the next, ..., in one environment of a view, [periods, M]."""
        first, ahead = int(view.period[which]), np.arange(periods)
        mean = self._mean(view.periods + periods)[first : first + periods]
        expected = np.empty_like(mean)
        for m, (demand, horizon) in enumerate(zip(self._demand, self._horizons, strict=True)):
            shown = np.minimum(ahead, horizon - 1)
            deviation = view.forecast[shown, m, which] - mean[shown, m]
            expected[:, m] = mean[:, m] + demand.reliability(periods) * deviation
        return np.maximum(0.0, expected)

    def scenarios(self, view: View, which: int, periods: int) -> np.ndarray:
        """Return scenarios of demand in this period, the next, ..., [S, periods, M]."""
        first = int(view.period[which])
        deviations = self._deviations(view.periods + periods)[:, first : first + periods]
        return np.maximum(0.0, self.expected(view, which, periods) + deviations)

    def _mean_path(self, periods: int) -> np.ndarray:
        """Return mean demand from period 0 on, [periods, M]."""
        columns = []
        for i, own in zip(self._network.markets, self._demand, strict=True):
            demand = families.market_demand(self._network, i)
            recorded = isinstance(demand, Demand) and demand.kind == "trace"
            columns.append(
                np.full(periods, own.rate) if recorded else families.mean(demand, self._network.units, periods)
            )
        return np.stack(columns, axis=1)

    def _sampled_deviations(self, periods: int) -> np.ndarray:
        """Return deviations from the mean from period 0 on, [S, periods, M]."""
        count, network = self._count, self._network
        worlds = [(FIRST_WORLD + self._seed, episode) for episode in range(count * SAMPLES)]
        middles = (np.arange(count) + 0.5) / count
        deviations = np.zeros((count, periods, len(self._demand)))
        length = int(min([periods, *(families.longest_horizon(d) for d in network.market_demands.values() if d)]))
        paths = demand_paths(network, length, worlds)
        for m, (i, path) in enumerate(zip(network.markets, paths, strict=True)):
            demand = families.market_demand(network, i)
            if isinstance(demand, Demand) and demand.kind == "trace":
                rows = read_trace(demand)
                drawn = uniforms("demand", m, worlds, periods, 1)[:, 0]
                path = rows[(drawn * len(rows)).astype(int)]
            slices = np.quantile(path, middles, axis=1)
            ranks = path[:, :count].argsort(axis=1, kind="stable").argsort(axis=1)
            met = np.take_along_axis(slices.T, ranks, axis=1)
            deviations[:, : len(path), m] = (met - met.mean(axis=1, keepdims=True)).T
        return deviations
