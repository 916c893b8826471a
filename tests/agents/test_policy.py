"""Policies by name: who is there, and what a wrong name is told."""

import pytest

from pushpull.agents import AGENTS, POLICIES, SYSTEMS, make_policy
from pushpull.envs import InputError, load_network

BAD = [
    # name, parameters, what the error says
    ("base-stock", {}, r"policy: 'base-stock' is unknown; did you mean 'base_stock'\?"),
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


@pytest.mark.parametrize("name", POLICIES)
def test_parameters_that_are_none_are_derived(name):
    known = {"random": {}, "constant": {"quantity": None}, "base_stock": {"service_level": None}}
    known |= {"optimal": {}, "dlp_shrinking": {}, "mssp_shrinking": {}, "dlp_rolling": {"horizon": None}}
    known["mssp_rolling"] = {"horizon": None}
    given = known.get(name, {"service_level": None})
    assert make_policy(name, "chain4", **given) is not None


def test_agents_are_policies_at_a_decoupling_point():
    assert list(AGENTS) == [
        "random",
        "constant",
        "base_stock",
        "s_S",
        "forecast_push",
        "pure_push",
        "pure_pull",
        "push_pull",
        "optimal",
        "dlp_rolling",
        "dlp_shrinking",
        "mssp_rolling",
        "mssp_shrinking",
        "kanban",
        "extended_kanban",
        "echelon_kanban",
        "conwip",
        "polca",
    ]
    modes = {}
    for agent, (policy, decoupling_point) in AGENTS.items():
        assert policy in {**POLICIES, **SYSTEMS}
        assert (policy in SYSTEMS) <= (decoupling_point == "supply")
        modes[agent] = set(load_network("distribution10").with_decoupling_point(decoupling_point).modes)
    assert modes["pure_push"] == {"push"}
    assert modes["pure_pull"] == {"pull"}
    others = [agent for agent in AGENTS if agent not in ("pure_push", "pure_pull", *SYSTEMS)]
    assert all(modes[agent] == {"push", "pull"} for agent in others)
