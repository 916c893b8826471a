"""What sources can do in a plan and in hindsight: when units arrive, and how much can start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pushpull.agents.supply import chances, expected_supply, recorded_supply
from pushpull.envs import Network
from pushpull.envs.boards import make_board
from pushpull.envs.exogenous import Traces, draw


def shop(**source: Any) -> Network:
    market = {"demand": {"kind": "poisson", "mean": 5}, "backorder_cost": 9}
    stage = {"holding_cost": 1, "sources": [source], "market": market}
    return Network.from_dict({"decoupling_point": "supply", "horizon": 8, "stages": {"shop": stage}})


def test_units_wait_where_the_pipeline_stands_still():
    """Down in periods 2 and 3: a unit of lead time 2 started in 1 moves on at the ends of 1 and 4, so it comes in 5."""
    network = shop(lead_time=2, disruption={"affects": "transit", "schedule": [[2, 3]]})
    supply = recorded_supply(network, draw(network, 8, [(0, 0)]), 0)
    assert supply.arrival[:, 0].tolist() == [2, 5, 6, 6, 6, 7, 8, 9]
    assert supply.known_arrival[0].tolist() == [0, 1, 2]
    planned = expected_supply(network, 0, 8, np.array([1.0]))
    assert planned.arrival.tolist() == supply.arrival.tolist()  # a schedule is known


def test_orders_that_travel_start_later():
    supply = expected_supply(shop(order_delay=2, review_period=3, review_offset=1), 0, 8, None)
    assert np.flatnonzero(supply.opens[:, 0]).tolist() == [3, 6]  # ordered in 1 and 4
    network = shop(order_delay=2, review_period=3, review_offset=1)
    known = recorded_supply(network, draw(network, 8, [(0, 0)]), 0)
    assert np.flatnonzero(known.opens[:, 0]).tolist() == [3, 4, 5, 6, 7]  # what is carried may start later


def test_failures_are_expected_to_end():
    """Fail 0.2, repair 0.5: after a down period it is up with 0.5, then 0.5 x 0.8 + 0.5 x 0.5 = 0.65, ..."""
    network = shop(capacity=10, disruption={"affects": "start", "fail": 0.2, "repair": 0.5, "severity": 0.8})
    down = expected_supply(network, 0, 3, np.array([0.2])).capacity[:, 0]
    np.testing.assert_allclose(down, [2, 10 * (1 - 0.8 * 0.5), 10 * (1 - 0.8 * 0.35)])
    up = expected_supply(network, 0, 2, np.array([1.0])).capacity[:, 0]
    np.testing.assert_allclose(up, [10, 10 * (1 - 0.8 * 0.2)])


@pytest.mark.parametrize(("available", "capacity"), [(1.0, 7), (0.5, 3), (0.0, 0)])
def test_whole_units_of_a_capacity(available, capacity):
    network = shop(capacity=7.75, capacity_share={"values": [0, 0.5, 1]})
    traces = draw(network, 1, [(0, 0)])
    assert traces.available is not None
    traces = Traces(traces.demand, traces.forecast, np.full_like(traces.available, available))
    assert recorded_supply(network, traces, 0).capacity[0, 0] == capacity
    assert expected_supply(network, 0, 1, None).capacity[0, 0] == pytest.approx(3.5)  # half of 7


def test_machines_that_race_start_as_often_as_they_win():
    network = make_board("push_pull_tandem", arrival_rate=0.6)
    np.testing.assert_allclose(chances(network), [1 / 2.6, 1 / 2.6])
    np.testing.assert_allclose(expected_supply(network, 0, 2, None).capacity, 1 / 2.6)
