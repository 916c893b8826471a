"""Quick response: order for a product that nobody knows, and learn its demand from the first sales.

Demand is Poisson with a mean that is drawn once, from a gamma law: mean m and relative deviation c, shape a = 1 / c^2
and rate a / m. After n periods with x units of demand it is gamma again, with shape a + x and rate a / m + n, so that
demand of k periods is negative binomial (Iglehart 1964; Azoury 1985, Management Science 31(9); for fashion goods Fisher
& Raman 1996, Operations Research 44(1)). In every period the position is lifted to its quantile at the critical ratio.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from pushpull.agents.levels import Chain, critical_ratios
from pushpull.agents.memory import Memory
from pushpull.agents.orders import Orders, one_stock
from pushpull.envs.checks import InputError
from pushpull.envs.network import Demand, Network
from pushpull.envs.observations import View


class QuickResponse:
    """Lift the position to a quantile of demand as it is known by now.

    Parameters
    ----------
    network : Network
        One stage with one source, Poisson demand with a `level_sd` above 0.
    service_level : float, optional
        Share of demand over its exposure that is covered; by default the critical ratio of the costs.
    """

    name = "quick_response"

    def __init__(self, network: Network, service_level: float | None = None):
        one_stock(network, self.name)
        self.network, self._memory = network, Memory(self.name)
        self._orders = Orders(network, self.name, sees_demand=True)
        (where,), (market,) = network.stage_names, network.markets.values()
        demand = market.demand
        if not isinstance(demand, Demand) or demand.kind != "poisson" or not demand.level_sd:
            raise InputError(
                f"stages.{where}.market.demand",
                f"{self.name} learns a mean that is drawn once; give kind: poisson, mean and level_sd above 0",
            )
        for key, stated in (("season", demand.season), ("trend", demand.trend), ("regimes", demand.regimes)):
            if stated:
                raise InputError(f"stages.{where}.market.demand.{key}", f"{self.name} learns one mean; leave it out")
        chain = Chain(network, service_level, "pull")
        (service,) = chain.services[0]
        self._exposure, self._share = service.exposure + service.lag, critical_ratios(chain, service)[0]
        self._sees = network.sequence.index(network.modes[0]) > network.sequence.index("demand")
        self._shape = 1 / demand.level_sd**2
        self._rate = self._shape / demand.mean

    def posterior(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Return shape and rate of the gamma law of mean demand, [B] each; its mean is shape / rate."""
        sold = self._memory.recall(view, np.zeros((1, len(view.period))))
        sold = sold + np.where(view.period > 0, view.last_demand[:1], 0.0)
        self._memory.keep(view, sold)
        return self._shape + sold[0], self._rate + view.period

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, 1] in units."""
        shape, rate = self.posterior(view)
        expected = (shape / rate)[None] if self._sees else np.zeros((1, len(shape)))
        level = stats.nbinom.ppf(self._share, shape, rate / (rate + self._exposure))
        return self._orders(view, level - view.inventory_position + expected, expected)
