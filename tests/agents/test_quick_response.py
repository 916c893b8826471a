"""What is learned of demand is the posterior in closed form, and it pays."""

import numpy as np
import pytest
from scipy import integrate, stats

from pushpull.agents import make_policy
from pushpull.agents.quick_response import QuickResponse
from pushpull.envs import InputError, Network, simulate
from pushpull.envs.engine import Engine


def shop(demand=None, **settings):
    demand = {"kind": "poisson", "mean": 10, "level_sd": 0.5} if demand is None else demand
    return Network.from_dict(
        {
            "decoupling_point": "supply",
            "horizon": 30,
            "stages": {
                "shop": {
                    "initial_on_hand": 20,
                    "holding_cost": 1,
                    "sources": [{"lead_time": 2}],
                    "market": {"demand": demand, "backorder_cost": 9},
                }
            },
        }
        | settings
    )


def test_the_posterior_is_bayes_rule():
    network = shop()
    policy, engine = QuickResponse(network), Engine(network, 1)
    engine.reset(0)
    seen = []
    for _ in range(6):
        engine.step(policy.act(engine.view()))
        seen.append(float(engine.flows.demand[0, 0]))
    shape, rate = policy.posterior(engine.view())

    def weight(mean):
        prior = stats.gamma.pdf(mean, 4, scale=2.5)  # mean 10, deviation 5
        return prior * np.exp(stats.poisson.logpmf(seen, mean).sum() + 40)

    total, moment = (integrate.quad(lambda m, k=k: m**k * weight(m), 0, 60)[0] for k in (0, 1))
    assert shape[0] / rate[0] == pytest.approx(moment / total, rel=1e-6)
    assert (shape[0], rate[0]) == pytest.approx((4 + sum(seen), 0.4 + 6))


def test_the_first_level_is_a_quantile_of_the_mixture():
    """Demand of 2 periods under the prior, mixed by hand, at the critical ratio 0.9."""
    network = shop()
    engine = Engine(network, 1)
    engine.reset(0)
    level = QuickResponse(network).act(engine.view())[0, 0]
    below = [
        integrate.quad(lambda m, y=y: stats.poisson.cdf(y, 2 * m) * stats.gamma.pdf(m, 4, scale=2.5), 0, 80)[0]
        for y in (level - 1, level)
    ]
    assert below[0] < 0.9 <= below[1]


@pytest.mark.parametrize("decoupling_point", ["supply", "market"])
def test_learning_pays(decoupling_point):
    network = shop(decoupling_point=decoupling_point)
    learns, knows = (
        simulate(network, make_policy(name, network), 200, seed=0)["cost"] for name in ("quick_response", "base_stock")
    )
    assert (knows - learns).mean() > 4 * (knows - learns).sem()


BAD = [
    # demand, parameters, what the error says
    ({"kind": "poisson", "mean": 10}, {}, "stages.shop.market.demand: quick_response learns a mean that is drawn once"),
    ({"kind": "normal", "mean": 10, "sd": 2, "level_sd": 0.5}, {}, "give kind: poisson, mean and level_sd above 0"),
    ({"kind": "poisson", "mean": 9, "level_sd": 1, "season": [1, 2]}, {}, "demand.season: quick_response learns one"),
    (None, {"service_level": 2}, "service_level: 2 is out of range"),
]


@pytest.mark.parametrize(("demand", "parameters", "words"), BAD)
def test_what_cannot_be_used_is_told(demand, parameters, words):
    with pytest.raises(InputError, match=words):
        make_policy("quick_response", shop(demand), **parameters)
