"""Policies by name: who is there, and what a wrong name is told."""

import inspect

import pytest

from pushpull.agents import AGENTS, POLICIES, SYSTEMS, make_policy
from pushpull.envs import InputError, load_network, simulate

BAD = [
    # name, parameters, what the error says
    ("base-stock", {}, r"policy: 'base-stock' is unknown; did you mean 'base_stock'"),
    ("ppo", {}, r"policy: 'ppo' is unknown; .*valid: random, constant"),
    (
        "base_stock",
        {"service": 0.9},
        r"service: unknown parameter of policy base_stock; did you mean 'service_level'\?",
    ),
    ("random", {"service_level": 0.9}, r"service_level: unknown parameter of policy random; valid: seed"),
    ("base_stock", {"service_level": 1.2}, r"service_level: 1.2 is out of range"),
    ("push_pull", {"look_ahead": -1}, r"look_ahead: -1 is out of range"),
    ("dlp_rolling", {"horizon": 0}, r"horizon: 0 is out of range; give a whole number of at least 1"),
    ("dlp_shrinking", {"horizon": 5}, r"horizon: unknown parameter of policy dlp_shrinking; dlp_shrinking takes none"),
    ("mssp_rolling", {"scenarios": 2.5}, r"scenarios: 2.5 is not whole"),
    ("mssp_shrinking", {"seed": -1}, r"seed: -1 is out of range"),
    ("random", {"seed": 0.5}, r"seed: 0.5 is not whole"),
    ("constant", {"threshold": {"shop ": 3}}, r"threshold.shop : no source of this name; did you mean 'shop'\?"),
    ("constant", {"threshold": {"shop": "many"}}, r"threshold.shop: 'many' is not a number"),
]


@pytest.mark.parametrize(("name", "parameters", "message"), BAD)
def test_what_cannot_be_used_is_told(name, parameters, message):
    with pytest.raises(InputError, match=message):
        make_policy(name, "chain4", **parameters)


def test_a_network_by_any_name():
    with pytest.raises(InputError, match="chain5"):
        make_policy("base_stock", "chain5")
    mapping = load_network("chain4").to_dict()
    del mapping["stages"]["shop"]["market"]["demand"]
    with pytest.raises(InputError, match=r"stages.shop.market.demand: missing"):
        make_policy("base_stock", mapping)


NEW_PRODUCT = {
    "decoupling_point": "supply",
    "stages": {
        "shop": {
            "holding_cost": 1,
            "sources": [{"lead_time": 2}],
            "market": {"demand": {"kind": "poisson", "mean": 9, "level_sd": 0.5}, "backorder_cost": 9},
        }
    },
}

# A network that suits each policy that does not suit all.
SUITS = {
    "optimal": "lost_sales",
    "capped_base_stock": "lost_sales",
    "constant_order": "lost_sales",
    "myopic1": "lost_sales",
    "myopic2": "lost_sales",
    "dual_index": "dual_sourcing",
    "capped_dual_index": "dual_sourcing",
    "tailored_base_surge": "dual_sourcing",
    "sales_operations": "electronics",
    "balanced_base_stock": "assembly",
    "sterman": "beer_game",
    "quick_response": NEW_PRODUCT,
    "mrp_lot_for_lot": "chain4",
    "mrp_silver_meal": "chain4",
    "mrp_wagner_whitin": "chain4",
}


@pytest.mark.parametrize("name", POLICIES)
def test_parameters_that_are_none_are_derived(name):
    parameters = inspect.signature(POLICIES[name]).parameters.values()
    none = {own.name: None for own in parameters if own.default is None}
    network = load_network(SUITS.get(name, "chain4")).with_decoupling_point(AGENTS[name][1])
    assert make_policy(name, network, **none) is not None


@pytest.mark.parametrize("name", SUITS)
def test_policies_play_where_they_suit(name):
    """A batch gets the actions that its environments get alone, and no flow of the period is refused."""
    network = load_network(SUITS[name]).with_decoupling_point(AGENTS[name][1])
    policy = make_policy(name, network)
    batch = simulate(network, policy, 5, seed=0, periods=network.warm_up + 20)
    alone = simulate(network, policy, 1, seed=4, periods=network.warm_up + 20)
    assert batch["profit"].iloc[4] == alone["profit"].iloc[0]
    assert (batch["fill_rate"] > 0.3).all()


def test_agents_are_policies_at_a_decoupling_point():
    others = {name: AGENTS[name] for name in AGENTS if name not in ("pure_push", "pure_pull")}
    assert all(name == policy for name, (policy, _) in others.items())
    assert set(others) == {*POLICIES, *SYSTEMS}
    modes = {}
    for agent, (policy, decoupling_point) in AGENTS.items():
        assert policy in {**POLICIES, **SYSTEMS}
        assert (policy in SYSTEMS) <= (decoupling_point == "supply")
        modes[agent] = set(load_network("distribution10").with_decoupling_point(decoupling_point).modes)
    assert modes["pure_push"] == {"push"}
    assert modes["pure_pull"] == {"pull"}
    where_it_says = [name for name, (_, point) in AGENTS.items() if point is None]
    assert all(modes[agent] == {"push", "pull"} for agent in where_it_says)
