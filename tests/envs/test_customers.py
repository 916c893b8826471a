"""What customers do while they wait: served in turn, out of patience, satisfied or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pushpull.envs import Network, accounting
from pushpull.envs.actions import ActionSpace
from pushpull.envs.exogenous import Traces
from pushpull.envs.network import LONGEST_WAIT
from pushpull.envs.rewards import PRESETS
from pushpull.envs.worlds import make_world

BACKENDS = ["numba", "numpy", "torch"]


def shop(market: dict[str, Any] | None = None, **source: Any) -> Network:
    """Return one stage that pushes what arrives at once, unless the source says otherwise."""
    source = {"mode": "push", "lead_time": 0} | source
    return Network.from_dict({"stages": {"shop": {"sources": [source], "market": market or {}}}})


def played(
    network: Network, actions: Sequence[float], demand: Sequence[float], backend: str = "numpy"
) -> dict[str, Any]:
    """Play one environment of a network with one action; return flows by period, the end and the KPIs."""
    clock, space = np.zeros(1, dtype=np.int64), ActionSpace(network)
    world = make_world(network, clock, backend, "float64", space, None, PRESETS["profit"], disrupted=False)
    trace = np.array(demand, dtype=float)[:, None, None]
    traces = Traces(demand=trace, forecast=trace[:, None])
    told: dict[str, Any] = {}
    for action in actions:
        world.step(np.array([[action]], dtype=float), traces)
        for name, rows in vars(world.flows).items():
            told.setdefault(name, []).append(rows[:, 0].tolist())
        costs = dict(zip(network.cost_terms, world.money[:-1, 0].tolist(), strict=True))
        told.setdefault("costs", []).append(costs)
    told["state"] = {name: rows.tolist() for name, rows in vars(world.state).items()}
    return told | {name: values[0] for name, values in accounting.Kpis(network)(world.totals).items()}


@pytest.mark.parametrize("backend", BACKENDS)
def test_waits_and_losses_by_hand(backend):
    """Of 10 units due in period 0, 5 are shipped at once, 2 and 1 in the next periods, and 2 run out of patience.

    The 3 units that are due in period 1 are served after them, in period 3.
    """
    network = shop({"patience": 2, "satisfaction": [5, 4, 3, 2], "lost_sale_cost": 7})
    told = played(network, actions=[5, 2, 1, 5], demand=[10, 3, 0, 0], backend=backend)
    assert told["shipped"] == [[5], [2], [1], [3]]
    assert told["shipped_on_time"] == [[5], [0], [0], [0]]
    assert told["shipped_late"] == [[0, 0], [2, 0], [0, 1], [0, 3]]
    assert told["lost"] == [[0], [0], [2], [0]]
    assert told["owed"] == [[5], [6], [3], [0]]
    assert [cost["lost_sale"] for cost in told["costs"]] == [0, 0, 14, 0]
    # 5 units on time, 2 late by one period, 4 late by two, 2 lost
    assert told["order_cycle_time"] == pytest.approx((2 * 1 + 4 * 2) / 11)
    assert told["order_cycle_time_p95"] == 2
    assert told["csat_proxy"] == pytest.approx((5 + 2) / 13)
    assert told["nps_proxy"] == pytest.approx((5 - 4 - 2) / 13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_is_owed_from_the_start_is_one_period_late(backend):
    network = Network.from_dict(
        {
            "stages": {
                "shop": {
                    "initial_owed": 4,
                    "sources": [{"mode": "push", "lead_time": 0}],
                    "market": {"patience": 1},
                }
            }
        }
    )
    told = played(network, actions=[3, 0], demand=[2, 0], backend=backend)
    assert told["shipped_late"] == [[3], [0]]
    assert told["lost"] == [[1], [2]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("patience", "same"), [(0, "lost"), (50, "backorder")])
def test_no_patience_is_lost_sales_and_endless_patience_is_backorders(patience, same, backend):
    rng = np.random.default_rng(0)
    actions, demand = rng.integers(0, 9, (2, 40)).astype(float)
    one = played(shop({"patience": patience}), list(actions), list(demand), backend)
    other = played(shop({"stockout": same}), list(actions), list(demand), backend)
    assert sum(row[0] for row in other["owed"]) + sum(row[0] for row in other["lost"]) > 0
    for name in ("shipped", "shipped_on_time", "lost", "owed", "on_hand"):
        assert one[name] == other[name]


@pytest.mark.parametrize("lead_time", [0, 1, 4])
def test_make_to_order_takes_the_lead_time(lead_time):
    network = shop({"satisfaction": [5, 1]}, mode="pull", lead_time=lead_time)
    rng = np.random.default_rng(0)
    demand = [*rng.integers(1, 9, 30), *[0] * lead_time]
    told = played(network, actions=[0] * len(demand), demand=demand)
    assert told["order_cycle_time"] == told["order_cycle_time_p95"] == lead_time
    assert told["csat_proxy"] == (lead_time == 0)
    assert told["nps_proxy"] == (1 if lead_time == 0 else -1)


@pytest.mark.parametrize("units", ["integer", "real"])
def test_waits_add_up_to_the_backlog_by_littles_law(units):
    """Little (1961): once all are served, the time they waited is the backlog summed over periods."""
    rng = np.random.default_rng(1)
    demand = [*rng.integers(0, 12, 60), *[0] * 15]
    network = Network.from_dict({**shop({"satisfaction": [5, 3]}, capacity=6).to_dict(), "units": units})
    told = played(network, actions=[6] * len(demand), demand=demand)
    assert told["owed"][-1] == [0]
    assert told["order_cycle_time"] > 0
    waited = told["order_cycle_time"] * sum(demand)
    assert waited == pytest.approx(sum(row[0] for row in told["owed"]))


def test_the_longest_waits_are_counted_as_one():
    periods = LONGEST_WAIT + 8
    network = shop({"satisfaction": [5]})
    told = played(network, actions=[0] * (periods - 1) + [9], demand=[4, *[0] * (periods - 2), 1])
    assert told["shipped"][-1] == [5]
    assert told["shipped_late"][-1] == [0] * (LONGEST_WAIT - 1) + [4]
    assert told["order_cycle_time"] == 4 * LONGEST_WAIT / 5


def test_what_nobody_states_nobody_is_told():
    network = shop()
    told = played(network, actions=[1], demand=[1])
    assert not {"order_cycle_time", "csat_proxy", "nps_proxy"} & set(told)
    assert network.ages == (0,)
    patient = played(shop({"patience": 3}), actions=[1], demand=[1])
    assert "order_cycle_time" in patient
    assert "csat_proxy" not in patient
