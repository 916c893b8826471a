"""Base-stock and reorder-point systems: levels that are given are held, and derived ones are near the optimum."""

from typing import Any

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.agents.optimal import solve
from pushpull.agents.policy import make_agent
from pushpull.agents.reorder_systems import economic_order_quantities
from pushpull.envs import InputError, Network, load_network, simulate
from pushpull.envs.boards import make_board
from pushpull.envs.engine import Engine


def rules_of(policy: Any) -> Any:
    """Return the rules by which a policy runs in compiled code."""
    return policy.rules


def shop(**source):
    """Return one stage with a lead time of 2 and a fixed cost of 60 an order, which decides before demand."""
    return Network.from_dict(
        {
            "sequence": ["receive", "push", "pull", "demand", "ship"],
            "decoupling_point": "supply",
            "horizon": 1100,
            "warm_up": 100,
            "stages": {
                "shop": {
                    "initial_on_hand": 30,
                    "holding_cost": 1,
                    "sources": [{"lead_time": 2, "fixed_cost": 60, **source}],
                    "market": {"demand": {"kind": "poisson", "mean": 8}, "backorder_cost": 9},
                }
            },
        }
    )


def test_economic_lots_by_hand():
    assert economic_order_quantities(shop()) == {"shop": np.rint(np.sqrt(2 * 60 * 8 * 10 / 9))}
    assert economic_order_quantities(shop(fixed_cost=0)) == {"shop": 1}


def test_lots_and_reorder_points_cost_little_more_than_the_best():
    """An economic lot costs at most an eighth more than the best (Zheng 1992), and in practice hardly any."""
    system = make_agent("r_Q", shop())
    cost = simulate(*system, 300, seed=0)["cost"].mean()
    best = solve(shop(lot={"rule": "r_nQ", "Q": 33})).cost
    assert best < 1.02 * cost < 1.05 * best


@pytest.mark.parametrize("quantity", [10, 33, 60])
def test_the_reorder_point_of_a_lot_is_nearly_the_best(quantity):
    system = make_agent("r_Q", shop(), quantity=quantity)
    best = solve(shop(lot={"rule": "r_nQ", "Q": quantity})).cost
    assert simulate(*system, 300, seed=0)["cost"].mean() < 1.015 * best


def test_numbers_that_are_given_are_thresholds():
    system = make_agent("r_Q", load_network("chain4"), reorder_point={"shop": 7}, quantity=12)
    assert {source.lot.Q for source in system.network.sources} == {12}
    assert rules_of(system.policy).levels[1][-1] == 7
    system = make_agent("installation_base_stock", load_network("chain4"), levels={"shop": 41})
    assert rules_of(system.policy).levels[1][-1] == 41


def test_bases_are_those_of_their_names():
    for basis in ("installation", "echelon"):
        system = make_agent(f"{basis}_base_stock", load_network("chain4"))
        assert {source.basis for source in system.network.sources} == {basis}
        assert rules_of(system.policy) is not None


def test_in_a_line_without_lots_both_positions_order_the_same():
    """Rosling (1989); nested levels start nested where the echelon holds no more than its level."""
    network = load_network("chain4")
    tables = [
        simulate(*make_agent(f"{basis}_base_stock", network), 20, seed=0) for basis in ("installation", "echelon")
    ]
    np.testing.assert_allclose(tables[0]["cost"], tables[1]["cost"])


def test_echelon_levels_of_clark_and_scarf_are_optimal():
    network = make_board("serial3", demand="poisson")
    optimum = solve(network)
    system = make_agent("echelon_base_stock", network, levels=dict(optimum.levels))
    cost = simulate(*system, 300, seed=0)["cost"]
    assert abs(cost.mean() - optimum.cost) < 4 * cost.sem() < 0.01 * optimum.cost


def test_a_cycle_begins_with_the_episode_and_repeats():
    network = make_board("lost_sales")
    policy, engine = make_policy("base_stock", network, levels={"store": [20, 30, 25]}), Engine(network, 2)
    engine.reset(0)
    levels = []
    for _ in range(7):
        levels.append(policy.act(engine.view())[:, 0].tolist())
        engine.step(np.array(levels[-1])[:, None])
    assert levels == [[level] * 2 for level in (20, 30, 25, 20, 30, 25, 20)]


def test_levels_that_are_all_given_need_no_costs():
    settings = shop().to_dict()
    settings["stages"]["shop"] |= {"holding_cost": 0}
    settings["stages"]["shop"]["market"] |= {"backorder_cost": 0}
    network = Network.from_dict(settings)
    assert rules_of(make_policy("base_stock", network, levels={"shop": 40})).levels[1][0] == 40
    with pytest.raises(InputError, match="service_level: missing"):
        make_policy("base_stock", network)


def test_what_is_made_to_order_keeps_nothing_and_what_is_made_to_stock_its_level():
    system = make_agent("mto_mts", "chain4", make_to_order=["shop"], levels={"depot": 55})
    levels = dict(zip(system.network.source_names, rules_of(system.policy).levels[1], strict=True))
    assert (levels["shop"], levels["depot"]) == (0, 55)
    stock = simulate(*system, 20, seed=0)
    assert stock["stock.shop"].max() == 0 < stock["stock.depot"].min()


def test_those_who_wait_long_enough_are_served_to_order():
    settings = load_network("chain4").to_dict()
    (wait,) = (source["lead_time"] for source in settings["stages"]["shop"]["sources"])
    for tolerance, level in ((wait - 1, None), (wait, 0)):
        settings["stages"]["shop"]["market"] |= {"tolerance": tolerance}
        system = make_agent("mto_mts", settings)
        found = dict(zip(system.network.source_names, rules_of(system.policy).levels[1], strict=True))["shop"]
        assert (found == 0) == (level == 0)


def test_a_vendor_orders_up_to_the_top_of_the_band_when_stock_is_at_its_bottom():
    settings = shop().to_dict()
    settings["stages"]["shop"]["initial_on_hand"] = 30
    system = make_agent("vmi", settings, low=20, high=45)
    engine = Engine(system.network, 64, backend="numpy")
    engine.reset(0)
    position, orders = engine.view().inventory_position[0], []
    for _ in range(12):
        engine.step(system.policy.act(engine.view()))
        orders.append(engine.flows.order[0])
        np.testing.assert_array_equal(orders[-1], np.where(position <= 20, 45 - position, 0))
        position = engine.view().inventory_position[0]
    assert np.any(orders)


BAD = [
    # agent, network, parameters, what the error says
    ("r_Q", "chain4", {"quantity": 0}, "quantity: 0 is out of range; give a number above 0"),
    ("r_Q", "chain4", {"reorder_point": {"shp": 3}}, "reorder_point.shp: no such stage; did you mean 'shop'"),
    ("r_Q", "dual_sourcing", {}, "stages.stock.sources: 2 entries, but r_Q replenishes a stage in one way"),
    ("echelon_base_stock", "chain4", {"levels": {"shop": []}}, r"levels.shop: \[\] has 0 entries; give at least 1"),
    ("installation_base_stock", "chain4", {"levels": {"shop": "9"}}, "levels.shop: '9' is not a number"),
    ("mto_mts", "chain4", {"make_to_order": ["shp"]}, "make_to_order: 'shp' is no stage; did you mean 'shop'"),
    ("mto_mts", "chain4", {"make_to_order": ["shop"], "levels": {"shop": 4}}, "levels.shop: is made to order"),
    ("vmi", "chain4", {"low": 20, "high": 10}, "high.shop: 10 is below low, 20; give more"),
    ("vmi", "chain4", {"low": {"depot": 20}}, "low.depot: no such stage"),
    ("base_stock", "chain4", {"levels": {"shp": 9}}, "levels.shp: no source of this name; did you mean 'shop'"),
]


@pytest.mark.parametrize(("name", "network", "parameters", "words"), BAD)
def test_what_cannot_be_used_is_told(name, network, parameters, words):
    with pytest.raises(InputError, match=words):
        make_agent(name, load_network(network), **parameters)
