"""Levels against closed forms, textbook examples and exact optima."""

import numpy as np
import pytest
from scipy import integrate, stats

from pushpull.agents.heuristics import BaseStock, ReorderPoint
from pushpull.agents.lead_time_demand import gamma_shortage
from pushpull.agents.levels import HIGHEST_SHARE, Chain, order_levels, order_up_to, shortfall_moments
from pushpull.envs import InputError, Network, simulate
from pushpull.envs.network import SEQUENCES

POISSON = {"kind": "poisson", "mean": 5}


def one_stage(source, market, sequence="pull_after_demand", holding_cost=1.0, units="integer", **settings):
    stage = {"holding_cost": holding_cost, "sources": [source], "market": market}
    return Network.from_dict(
        {
            "sequence": list(SEQUENCES[sequence]),
            "units": units,
            "decoupling_point": "supply",
            "stages": {"shop": stage},
            **settings,
        }
    )


def example_6_1(demand, units, basis="echelon"):
    """Return the chain of Snyder & Shen, Fundamentals of Supply Chain Theory, Example 6.1; stage 1 sells."""
    return Network.from_dict(
        {
            "units": units,
            "horizon": 300,
            "warm_up": 50,
            "decoupling_point": "supply",
            "stages": {
                "3": {"holding_cost": 2, "sources": [{"lead_time": 2, "basis": basis}]},
                "2": {
                    "holding_cost": 4,
                    "sources": [{"inputs": {"3": 1}, "basis": basis, "pipeline_holding_cost": 2}],
                },
                "1": {
                    "holding_cost": 7,
                    "sources": [{"inputs": {"2": 1}, "basis": basis, "pipeline_holding_cost": 4}],
                    "market": {"demand": demand, "backorder_cost": 37.12},
                },
            },
        }
    )


# --- newsvendors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lead_time", [1, 4])
@pytest.mark.parametrize(
    ("sequence", "mode", "more"),
    [
        ("pull_after_demand", "pull", 0),
        ("pull_after_demand", "push", 1),
        ("pull_before_demand", "pull", 1),
        ("push_before_receive", "push", 1),
    ],
)
def test_one_stage_is_a_newsvendor_over_its_exposure(sequence, mode, more, lead_time):
    source = {"mode": mode, "lead_time": lead_time}
    levels = order_levels(one_stage(source, {"demand": POISSON, "backorder_cost": 9}, sequence, holding_cost=2))
    assert levels.order_up_to == [stats.poisson.ppf(9 / 11, 5 * (lead_time + more))]
    assert levels.reorder_point == levels.order_up_to
    assert levels.safety[0] == pytest.approx(levels.order_up_to[0] - 5 * (lead_time + more))


def test_a_normal_newsvendor():
    demand = {"kind": "normal", "mean": 50, "sd": 8}
    levels = order_levels(one_stage({"lead_time": 4}, {"demand": demand, "backorder_cost": 9}, units="real"))
    assert levels.order_up_to == pytest.approx(stats.norm.ppf(0.9, 200, 16), abs=0.01)


def test_free_stock_is_covered_to_the_highest_share():
    levels = order_levels(one_stage({}, {"demand": POISSON, "backorder_cost": 9}, holding_cost=0))
    assert levels.order_up_to == [stats.poisson.ppf(HIGHEST_SHARE, 5)]


def test_a_service_level_takes_the_place_of_costs():
    levels = order_levels(one_stage({"lead_time": 2}, {"demand": POISSON, "backorder_cost": 9}), service_level=0.6)
    assert levels.order_up_to == [stats.poisson.ppf(0.6, 10)]


@pytest.mark.parametrize("share", [0, 1, -0.1, "high", float("nan")])
def test_a_service_level_is_a_share(share):
    network = one_stage({}, {"demand": POISSON, "backorder_cost": 9})
    with pytest.raises(InputError, match="service_level"):
        order_levels(network, service_level=share)


def test_costs_that_say_nothing_are_told():
    network = one_stage({}, {"demand": POISSON}, holding_cost=0)
    with pytest.raises(InputError, match=r"service_level: missing.*'shop'.*state it"):
        order_levels(network)
    assert order_levels(network, service_level=0.5).order_up_to == [5]


# Zipkin (2008), Operations Research 56(5): lost sales at cost p, h = 1, demand of mean 5, orders before demand; the
# best base-stock level and its cost, recomputed by value iteration.
LOST_SALES = [
    ("poisson", 1, 4, 12, 4.1628),
    ("poisson", 4, 4, 25, 5.19777),
    ("poisson", 1, 19, 15, 6.72779),
    ("poisson", 4, 19, 31, 9.23193),
    ("geometric", 1, 4, 12, 10.0418),
]


@pytest.mark.parametrize(("kind", "lead_time", "p", "best", "cost"), LOST_SALES)
def test_lost_sales_levels_are_near_the_best(kind, lead_time, p, best, cost):
    """Measured: at most 4.7% above, for Poisson demand, p = 4 and lead time 4; nothing at p = 19."""
    market = {"demand": {"kind": kind, "mean": 5}, "stockout": "lost", "lost_sale_cost": p}
    network = one_stage(
        {"lead_time": lead_time}, market, "pull_before_demand", horizon=600, warm_up=100, units="integer"
    )
    policy = BaseStock(network)
    assert abs(order_levels(network).order_up_to[0] - best) <= 2
    table = simulate(network, policy, episodes=100, seed=1, backend="numpy")
    assert table.cost.mean() < 1.06 * cost


# --- serial chains ----------------------------------------------------------------------------------------------------


def test_example_6_1_levels_are_near_the_optimum():
    """Measured: 6.491, 12.027 and 22.634 against 6.484, 12.028 and 22.72."""
    levels = order_levels(example_6_1({"kind": "normal", "mean": 5, "sd": 1}, "real"))
    np.testing.assert_allclose(levels.order_up_to, [22.72, 12.028, 6.484], rtol=0.004)


def test_example_6_1_with_poisson_demand_is_solved_exactly():
    np.testing.assert_array_equal(order_levels(example_6_1(POISSON, "integer")).order_up_to, [26, 15, 9])


def test_installation_levels_are_what_each_stage_adds():
    echelon = order_levels(example_6_1(POISSON, "integer")).order_up_to
    installation = order_levels(example_6_1(POISSON, "integer", "installation")).order_up_to
    np.testing.assert_allclose(installation, [26 - 15, 15 - 9, 9])
    physical = order_levels(example_6_1(POISSON, "integer", "physical")).order_up_to
    np.testing.assert_array_equal(physical, installation)
    np.testing.assert_allclose(np.cumsum(installation[::-1])[::-1], echelon)


def test_cards_over_a_line_add_what_its_stages_hold():
    network = example_6_1(POISSON, "integer", "installation").to_dict()
    network["stages"]["3"]["sources"][0] |= {"basis": "physical", "over": ["3", "2", "1"]}
    assert order_levels(Network.from_dict(network)).order_up_to[0] == 26


@pytest.mark.parametrize(
    ("demand", "units", "optimum"),
    [(POISSON, "integer", 72.0467), ({"kind": "normal", "mean": 5, "sd": 1}, "real", 47.6654)],
    ids=["poisson", "normal"],
)
def test_example_6_1_costs_the_optimum(demand, units, optimum):
    network = example_6_1(demand, units)
    table = simulate(network, BaseStock(network), episodes=200, seed=1, backend="numpy")
    error = table.cost.std() / np.sqrt(len(table))
    assert abs(table.cost.mean() - optimum) < 4 * error
    assert error < 0.005 * optimum


# Alvo, Russo & Kanoria's serial system with Normal(5, 2) demand, orders before demand, holding cost 1, .5, .2, .1 and
# lead times L, 3, 4, 2 from the shop up; optimal echelon levels by the recursion of Clark and Scarf.
SERIAL4 = [
    (1, 4, [13.6, 30.7, 54.3, 64.4]),
    (1, 39, [16.35, 35.4, 60.65, 71.75]),
    (4, 4, [30.75, 46.6, 69.8, 79.75]),
    (4, 39, [35.0, 52.75, 77.4, 88.3]),
]


@pytest.mark.parametrize(("lead_time", "penalty", "optimal"), SERIAL4)
def test_four_stages_in_series_are_near_the_optimum(lead_time, penalty, optimal):
    """Measured: at most 2.1% away, where the penalty is high and the lead time short."""
    stages = {}
    for k, (holding, periods) in enumerate(zip([0.1, 0.2, 0.5, 1], [2, 4, 3, lead_time], strict=True)):
        source = {"lead_time": periods, "basis": "echelon", "inputs": {f"stage{k - 1}": 1} if k else {}}
        stages[f"stage{k}"] = {"holding_cost": holding, "sources": [source]}
    stages["stage3"]["market"] = {"demand": {"kind": "normal", "mean": 5, "sd": 2}, "backorder_cost": penalty}
    network = {"sequence": list(SEQUENCES["pull_before_demand"]), "units": "real", "decoupling_point": "supply"}
    levels = order_levels(Network.from_dict({**network, "stages": stages}))
    np.testing.assert_allclose(levels.order_up_to[::-1], optimal, rtol=0.025)


def test_a_push_stage_before_a_pull_stage_gets_the_optimal_levels():
    """Both decide before Poisson(4) demand, holding costs 1 and 2, backorder cost 18; 17 and 13 by value iteration."""
    stages = {
        "buffer": {"holding_cost": 1, "sources": [{"mode": "push"}]},
        "finished": {
            "holding_cost": 2,
            "sources": [{"mode": "pull", "inputs": {"buffer": 1}}],
            "market": {"demand": {"kind": "poisson", "mean": 4}, "backorder_cost": 18},
        },
    }
    network = Network.from_dict({"sequence": list(SEQUENCES["pull_before_demand"]), "stages": stages})
    np.testing.assert_array_equal(order_levels(network).order_up_to, [17, 13])


def test_a_chain_downstream_of_dear_stock_keeps_it_upstream():
    """Where stock costs the same everywhere it belongs at the shop; where it is free upstream it waits there."""

    def shares(first, last):
        stages = {
            "plant": {"holding_cost": first, "sources": [{"lead_time": 3}]},
            "shop": {
                "holding_cost": last,
                "sources": [{"inputs": {"plant": 1}}],
                "market": {"demand": POISSON, "backorder_cost": 9},
            },
        }
        return order_levels(Network.from_dict({"decoupling_point": "supply", "stages": stages})).order_up_to

    assert shares(2, 2)[1] == stats.poisson.ppf(HIGHEST_SHARE, 5)
    assert shares(0, 2)[1] == stats.poisson.ppf(9 / 11, 5)
    assert shares(0, 2)[0] > shares(2, 2)[0]


# --- several markets and parts ----------------------------------------------------------------------------------------


def depot(retailers, per_unit=1, holding_cost=1.0):
    stages = {"depot": {"holding_cost": holding_cost, "sources": [{"lead_time": 4}]}}
    for k in range(retailers):
        stages[f"shop{k}"] = {
            "holding_cost": 2,
            "sources": [{"inputs": {"depot": per_unit}, "lead_time": 1}],
            "market": {"demand": POISSON, "backorder_cost": 9},
        }
    return Network.from_dict({"decoupling_point": "supply", "stages": stages})


def test_a_depot_pools_its_shops():
    """Backorder matching: the pooled level leaves the backorders of all shops' own levels together."""
    alone = order_levels(depot(1)).order_up_to[0]
    pooled = order_levels(depot(4)).order_up_to[0]
    assert 4 * 20 < pooled < 4 * alone
    short = 4 * gamma_shortage(alone, 20, 20)
    assert gamma_shortage(pooled + 0.5, 80, 80) <= short <= gamma_shortage(pooled - 0.5, 80, 80)


@pytest.mark.parametrize(("rho", "pooled"), [(0, 2), (0.5, 3), (-0.9, 0.2)])
def test_a_depot_pools_what_correlated_shops_need_together(rho, pooled):
    demand = {"kind": "normal", "mean": 50, "sd": 6}
    shop = {"sources": [{"inputs": {"depot": 1}}], "market": {"demand": demand, "backorder_cost": 9}}
    stages = {"depot": {"sources": [{}]}, "north": shop, "south": shop}
    settings = {"demand_correlation": rho} if rho else {}
    network = Network.from_dict({"units": "real", "decoupling_point": "supply", "stages": stages} | settings)
    mean, variance = Chain(network, None, "pull").moments_per_period(0)
    assert mean == pytest.approx(100)
    assert variance == pytest.approx(36 * pooled, rel=0.02, abs=0.5)


def test_parts_are_counted_in_their_own_units():
    """Two parts at half the price each are one part."""
    one, two = order_levels(depot(1)).order_up_to, order_levels(depot(1, per_unit=2, holding_cost=0.5)).order_up_to
    np.testing.assert_array_equal(two, [2 * one[0], one[1]])


# --- lots and fixed costs ---------------------------------------------------------------------------------------------


def test_example_4_7_is_solved_exactly():
    """Snyder & Shen, Example 4.7: Poisson(6), K = 5, h = 1, p = 4; the optimal (s, S) is (4, 10)."""
    network = one_stage(
        {"fixed_cost": 5, "lot": {"rule": "s_S"}}, {"demand": {"kind": "poisson", "mean": 6}, "backorder_cost": 4}
    )
    levels = order_levels(network, economic_lots=True)
    assert (levels.reorder_point[0], levels.order_up_to[0], levels.gap[0]) == (4, 10, 6)
    plain = order_levels(network)
    assert plain.gap[0] == 0


def test_the_cost_of_example_4_7():
    network = one_stage(
        {"fixed_cost": 5, "lot": {"rule": "s_S"}},
        {"demand": {"kind": "poisson", "mean": 6}, "backorder_cost": 4},
        horizon=400,
        warm_up=50,
    )
    table = simulate(network, ReorderPoint(network), episodes=200, seed=1, backend="numpy")
    error = table.cost.std() / np.sqrt(len(table))
    assert abs(table.cost.mean() - 8.034) < 4 * error
    assert simulate(network, BaseStock(network), episodes=50, seed=1, backend="numpy").cost.mean() > 8.5


def test_without_uncertainty_a_lot_is_the_economic_order_quantity():
    """K = 50, h = 2, rate 4: sqrt(2 K rate / h) = 14.1; whole periods' demand undershoots by half a period."""
    demand = {"kind": "deterministic", "values": [4]}
    network = one_stage(
        {"lead_time": 3, "fixed_cost": 50}, {"demand": demand, "backorder_cost": 1000}, holding_cost=2, units="real"
    )
    levels = order_levels(network, economic_lots=True)
    assert levels.gap[0] == pytest.approx(np.sqrt(2 * 50 * 4 / 2) - 4 / 2)
    assert levels.reorder_point[0] == 12


def test_a_gap_lifts_the_level_so_that_service_stays():
    """The share covered, averaged over where positions stand, is that of the base-stock level: by integration."""
    mean, variance, base_stock, gap = 40.0, 60.0, 48.0, 25.0
    law = stats.gamma(a=mean**2 / variance, scale=variance / mean)
    for visits in (2.5, np.inf):
        top = order_up_to(base_stock, mean, variance, gap, visits)
        average = integrate.quad(law.cdf, top - gap, top)[0] / gap
        assert law.cdf(top) / visits + (1 - 1 / visits) * average == pytest.approx(law.cdf(base_stock))
        assert base_stock < top < base_stock + gap
    assert order_up_to(base_stock, mean, variance, 1e-6, 1.0) == pytest.approx(base_stock)


@pytest.mark.parametrize("lot", [{"rule": "r_nQ", "Q": 20}, {"rule": "s_S", "gap": 20}], ids=lambda lot: lot["rule"])
def test_stated_lots_get_a_reorder_point_that_costs_least(lot):
    market = {"demand": POISSON, "backorder_cost": 9}
    network = one_stage({"lead_time": 2, "lot": lot}, market, horizon=300, warm_up=50)
    policy = BaseStock(network)

    def cost(shift):
        class Shifted:
            def act(self, view):
                return policy.act(view) + shift

        return simulate(network, Shifted(), episodes=60, seed=1, backend="numpy").cost.mean()

    assert cost(0) < 1.01 * min(cost(shift) for shift in (-2, -1, 1, 2))


# --- capacity and smoothing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spare", "periods"), [(2.0, 200), (0.5, 100), (0.0, 50), (-1.0, 20)])
def test_the_shortfall_behind_a_capacity(spare, periods):
    """Against the recursion itself, simulated; where capacity is short for good only the mean is meant."""
    rng = np.random.default_rng(5)
    shortfall = np.zeros(20000)
    for _ in range(periods):
        shortfall = np.maximum(0.0, shortfall + rng.normal(-spare, 3.0, len(shortfall)))
    mean, variance = shortfall_moments(spare, 9.0, periods)
    assert mean == pytest.approx(shortfall.mean(), rel=0.04)
    if spare >= 0:
        assert variance == pytest.approx(shortfall.var(), rel=0.08)
    assert shortfall_moments(np.inf, 9.0, periods) == (0.0, 0.0)


def test_scarce_capacity_raises_levels():
    def level(capacity, **source):
        market = {"demand": {"kind": "poisson", "mean": 20}, "backorder_cost": 9}
        return order_levels(one_stage({"lead_time": 2, "capacity": capacity, **source}, market)).order_up_to[0]

    assert level(100) == pytest.approx(level(float("inf")), abs=0.01)
    assert level(100) + 1 < level(23) < level(21)
    assert level(100, max_order=23) == pytest.approx(level(23))


def test_the_smoothed_rule_costs_least_at_its_level():
    demand = {"kind": "normal", "mean": 50, "sd": 8}
    lot = {"rule": "smoothed", "adjust_time": 4}
    network = one_stage(
        {"lead_time": 2, "lot": lot}, {"demand": demand, "backorder_cost": 9}, units="real", horizon=300, warm_up=50
    )
    variance = 64 * (2 + (4 - 1) ** 2 / (2 * 4 - 1))
    assert order_levels(network).order_up_to[0] == pytest.approx(stats.norm.ppf(0.9, 100, np.sqrt(variance)), abs=0.05)
    table = simulate(network, BaseStock(network), episodes=100, seed=1, backend="numpy")
    newsvendor = (1 + 9) * stats.norm.pdf(stats.norm.ppf(0.9)) * np.sqrt(variance)
    assert table.cost.mean() == pytest.approx(newsvendor, rel=0.02)
