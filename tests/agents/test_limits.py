"""Heuristics play networks with limits they do not plan for: stock that spoils, stores, shared lines, late news."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.envs import Network, load_network, simulate

LIMITS: list[dict[str, Any]] = [
    {"shelf_life": 4, "obsolescence_cost": 2},
    {"obsolescence": 0.05},
    {"storage_capacity": 300, "overflow": "block", "overflow_cost": 1},
    {"storage_capacity": 300, "overflow": "scrap", "overflow_cost": 1},
]


def limited() -> Network:
    """Return the 10-stage network with a limit on every stage, one line for half of them, and late information."""
    mapping: dict[str, Any] = load_network("distribution10").to_dict() | {
        "resources": {"line": {"capacity": 400, "changeover_cost": 30, "changeover_loss": 10}},
        "information_delay": 1,
        "horizon_is_real": True,
        "warm_up": 0,
    }
    for k, stage in enumerate(mapping["stages"].values()):
        stage |= {**LIMITS[k % 4], "salvage_value": 1, "initial_on_hand": min(300, stage.get("initial_on_hand", 0))}
        if k % 2:
            stage["sources"][0]["resource"] = "line"
    return Network.from_dict(mapping)


@pytest.mark.parametrize("point", ["plant", "supply", "market", "learned"])
@pytest.mark.parametrize("agent", ["random", "constant", "base_stock", "s_S", "forecast_push", "push_pull"])
def test_every_heuristic_plays_at_every_boundary(agent, point):
    network = limited().with_decoupling_point(point)
    table = simulate(network, make_policy(agent, network), episodes=3, seed=0, periods=25)
    for name in ("profit", "write_offs", "changeovers", "capacity_use", "cost.obsolescence", "cost.storage"):
        assert np.isfinite(table[name]).all(), name
    assert (table["capacity_use"] > 0).all() and (table["capacity_use"] <= 1).all()
    assert (table["write_offs"] > 0).any() and (table["cost.changeover"] > 0).any()
