"""Heuristics play networks whose supply they plan for only in part: failures, random lead times, yields, overtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.envs import Network, load_network, simulate

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
