"""Heuristics play networks whose supply they plan for only in part: failures, random lead times, yields, overtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.agents.exposure import regular_sources
from pushpull.agents.heuristics import mean_releases
from pushpull.envs import Network, load_network, simulate
from pushpull.envs.bounds import even_releases
from pushpull.envs.engine import Engine

SUPPLY: list[dict[str, Any]] = [
    {"lead_time": {"values": [1, 2, 5]}, "price_breaks": [{"from": 20, "unit_cost": 0.5}]},
    {"disruption": {"affects": "start", "fail": 0.1, "repair": 0.4}, "load": {"size": 30, "cost": 5}},
    {"capacity": 60, "overtime": {"capacity": 40, "cost": 2}, "yield": {"mean": 0.9, "sd": 0.05}},
    {"lead_time": {"min": 0, "max": 3, "crossing": True}, "disruption": {"affects": "receipt", "schedule": [[5, 6]]}},
    {"capacity": 80, "capacity_share": {"values": [0.5, 1]}, "yield": 0.8},
]


def unreliable() -> Network:
    """Return the 4-stage chain, each of its stages with one of these ways of supply, and the last with two."""
    mapping: dict[str, Any] = load_network("chain4").to_dict()
    for k, stage in enumerate(mapping["stages"].values()):
        stage["sources"] = [{**stage["sources"][0], **SUPPLY[k], "initial_pipeline": []}]
    stage["sources"].append({**stage["sources"][0], **SUPPLY[4], "lead_time": 1, "unit_cost": 3})
    stage["sources"][1].pop("disruption")
    return Network.from_dict(mapping)


@pytest.mark.parametrize("point", ["supply", "market", "learned"])
@pytest.mark.parametrize("agent", ["random", "constant", "base_stock", "s_S", "forecast_push", "push_pull"])
def test_every_heuristic_plays_at_every_boundary(agent, point):
    network = unreliable().with_decoupling_point(point)
    table = simulate(network, make_policy(agent, network), episodes=3, seed=0)
    for name in ("profit", "supplier_lead_time", "scrap_share", "overtime_share", "cost.loads", "down_share"):
        assert np.isfinite(table[name]).all(), name
    assert (table["supplier_lead_time"] > 0).all() and (table["down_share"] > 0).all()


def test_levels_cover_lead_times_that_vary_and_releases_what_is_scrapped():
    def shop(**source: Any) -> Network:
        market = {"demand": {"kind": "poisson", "mean": 20}, "backorder_cost": 9}
        stage = {"initial_on_hand": 50, "holding_cost": 1, "sources": [source], "market": market}
        return Network.from_dict({"decoupling_point": "market", "stages": {"shop": stage}, "warm_up": 20})

    def fill_rate(network: Network) -> float:
        return float(simulate(network, make_policy("base_stock", network), episodes=50, seed=0)["fill_rate"].mean())

    steady = fill_rate(shop(lead_time=2))
    assert fill_rate(shop(lead_time={"values": [1, 2, 3]})) > steady - 0.06
    assert fill_rate(shop(lead_time=2, **{"yield": 0.8})) > steady - 0.06


# --- a cheap source that is seldom open -------------------------------------------------------------------------------

CLOSED = [[0, 9], [15, 29], [35, 39]]  # of 40 periods, 10 are open


def deals(affects: str = "order", regular: dict[str, Any] | None = None) -> Network:
    """Return a shop with a regular source, and one that is cheaper and open from time to time."""
    deal: dict[str, Any] = {"lead_time": 2, "unit_cost": 3, "capacity": 15, "max_order": 15}
    deal["disruption"] = {"affects": affects, "schedule": CLOSED}
    market = {"demand": {"kind": "poisson", "mean": 20}, "price": 9, "backorder_cost": 9}
    sources = [{"lead_time": 2, "unit_cost": 5, **(regular or {})}, deal]
    shop = {"initial_on_hand": 50, "holding_cost": 1, "sources": sources, "market": market}
    return Network.from_dict({"decoupling_point": "market", "horizon": 40, "stages": {"shop": shop}})


def test_how_much_of_the_time_sources_are_open():
    assert deals().open_shares.tolist() == [1, 0.25]
    chance = {"disruption": {"affects": "start", "fail": 0.1, "repair": 0.3}}
    assert deals(regular=chance).open_shares[0] == pytest.approx(0.75)
    partly = {"capacity": 60, "disruption": {**chance["disruption"], "severity": 0.5}}
    for source in (partly, {"disruption": {"affects": "receipt", "fail": 0.1, "repair": 0.3}}):
        assert deals(regular=source).open_shares[0] == 1
    mapping = deals().to_dict()
    mapping["horizon"] = 12  # the schedule goes on after the end
    assert Network.from_dict(mapping).open_shares[1] == pytest.approx(2 / 12)


def test_constant_releases_meet_the_rate_with_a_source_that_is_seldom_open():
    """15 in a quarter of the periods is 3.75 on average; evenly it is 16 each, so 15 and the other's 16.25."""
    np.testing.assert_allclose(mean_releases(deals()), [16.25, 15])
    np.testing.assert_allclose(even_releases(deals()), [16.25, 15])


def test_the_regular_source_of_a_stage_is_one_that_is_mostly_open():
    assert regular_sources(deals()) == [0]
    assert deals().landed_costs.tolist() == [5, 3]


@pytest.mark.parametrize("point", ["market", "supply"])
@pytest.mark.parametrize("affects", ["order", "start"])
@pytest.mark.parametrize("agent", ["base_stock", "s_S", "forecast_push", "push_pull"])
def test_heuristics_buy_from_the_deal_first_and_nothing_while_it_is_closed(agent, affects, point):
    network = deals(affects).with_decoupling_point(point)
    engine, policy = Engine(network, 20), make_policy(agent, network)
    engine.reset(0)
    started = []
    while not engine.ended.all():
        engine.step(policy.act(engine.view()))
        assert not engine.flows.order[1, engine.flows.start[1] == 0].any()  # nothing waits for the deal to open
        started.append(engine.flows.start.mean(axis=1))
    regular, deal = np.array(started).T
    is_closed = np.zeros(40, dtype=bool)
    for first, last in CLOSED:
        is_closed[first : last + 1] = True
    assert deal[is_closed].max() == 0
    assert deal[~is_closed].min() > 9 > regular[~is_closed].max()
    assert engine.kpis()["fill_rate"].mean() > 0.9
