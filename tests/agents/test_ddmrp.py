"""Demand-driven replenishment: zones and orders by hand, the same in the model, and buffers that follow usage."""

from typing import Any

import numpy as np
import pytest

from pushpull.agents import make_agent
from pushpull.agents.ddmrp import Buffers, DemandDriven, ddmrp, decoupled_lead_times
from pushpull.envs import InputError, Network, load_network, replay, simulate
from pushpull.envs.boards import make_board
from pushpull.envs.engine import Engine
from pushpull.envs.network import Spikes


def zones(usage, time=10, factor=0.5, spread=0.5, least=0, cycle=0):
    parts = (np.array([float(part)]) for part in (time, factor, spread, least, cycle))
    return Buffers(*parts).zones(np.array([[float(usage)]]))


def a_shop(usage=4, on_hand=0, market=None, **source: Any) -> Network:
    return Network.from_dict(
        {
            "name": "shop",
            "decoupling_point": "supply",
            "horizon": 40,
            "stages": {
                "shop": {
                    "initial_on_hand": on_hand,
                    "holding_cost": 1,
                    "sources": [{"lead_time": 10, **source}],
                    "market": {"demand": {"kind": "poisson", "mean": usage}, "backorder_cost": 9, **(market or {})},
                }
            },
        }
    )


@pytest.mark.parametrize(
    ("usage", "keys", "tops"),
    [
        (4, {}, (30, 70, 90)),  # red 20 + 10, yellow 40, green 20
        (2, {}, (15, 35, 45)),
        (2, {"least": 40, "factor": 1}, (30, 50, 90)),  # green: a minimum order of 40 beats 20
        (4, {"cycle": 7}, (30, 70, 98)),  # green: an order every 7 days beats 20
        (4, {"time": 0}, (0, 0, 0)),
    ],
)
def test_zones_by_hand(usage, keys, tops):
    assert [float(top[0, 0]) for top in zones(usage, **keys).tops] == list(tops)


@pytest.mark.parametrize(("net_flow", "order"), [(60, 30), (50, 40), (70, 20), (71, 0), (90, 0), (-5, 95)])
def test_orders_by_hand(net_flow, order):
    assert float(zones(4).order(np.array([[float(net_flow)]]))[0, 0]) == order


@pytest.mark.parametrize(("net_flow", "order"), [(60, 30), (50, 40), (70, 20), (71, 0), (90, 0)])
def test_the_model_orders_the_same(net_flow, order):
    """On hand, on order and what is due add up to the net flow: 4 are due, a part is on its way."""
    network, policy = ddmrp(a_shop(on_hand=net_flow - 6, initial_pipeline=[0, 10]))
    assert isinstance(policy, DemandDriven)
    engine = Engine(network, 2, backend="numpy")
    engine.reset(0)
    (yellow, green), *_ = policy.act(engine.view())
    assert (yellow, green) == (70, 20)
    assert replay(network, [[[yellow, green]]], [{"shop": 4}]).order[0, 0] == order


def test_large_orders_that_are_booked_count():
    """Red is 30, so orders from 15 on count that are due within 10 days."""
    days = 12
    market = {"order_lead": [0.0] * (days - 1) + [1.0], "forecast": {"kind": "true_mean", "horizon": days}}
    network, _ = ddmrp(a_shop(on_hand=100, market=market))
    assert network.sources[0].spikes == Spikes(horizon=10, threshold=15)
    assert ddmrp(a_shop(market=market), spike_share=0.8).network.sources[0].spikes == Spikes(10, 24)
    assert ddmrp(a_shop()).network.sources[0].spikes is None


def test_orders_are_those_of_the_net_flow():
    """Net flow by hand where 20 are booked now and then: on hand + on order - due - large orders due within 10 days."""
    market = {
        "demand": {"kind": "empirical", "values": [0, 4, 20], "probabilities": [0.4, 0.4, 0.2]},
        "order_lead": [0.0] * 11 + [1.0],
        "forecast": {"kind": "true_mean", "horizon": 12},
    }
    network, policy = ddmrp(a_shop(on_hand=80, market=market), spike_share=0.25)
    spikes = network.sources[0].spikes
    assert spikes is not None
    assert 4 < spikes.threshold < 20
    engine, ordered, spiked = Engine(network, 1, backend="numpy"), 0, 0
    engine.reset(1)
    while not engine.ended.all():
        view = engine.view()
        action = policy.act(view)
        yellow, green = action[0]
        position, booked = float(view.inventory_position[0, 0]), view.booked[:, 0]
        engine.step(action)
        due, large = float(engine.flows.demand[0, 0]), booked[1:11]  # row k is due in k periods
        qualified = float(large[large >= spikes.threshold].sum())
        net_flow = position - due - qualified
        expected = yellow + green - net_flow if net_flow <= yellow else 0
        assert float(engine.flows.order[0, 0]) == expected
        ordered, spiked = ordered + (expected > 0), spiked + (qualified > 0)
    assert ordered > 3
    assert spiked > 3


def test_zones_follow_the_usage_of_the_past():
    """Demand of 4 that becomes 8: a moving average of 5 days reaches 8, and the zones double."""
    jump = {"kind": "deterministic", "values": [4] * 10 + [8]}
    market = {"demand": jump, "forecast": {"kind": "moving_average", "window": 5}}
    network, policy = ddmrp(a_shop(market=market))
    assert isinstance(policy, DemandDriven)
    engine, seen = Engine(network, 1, backend="numpy"), []
    engine.reset(0)
    while not engine.ended.all():
        action = policy.act(engine.view())
        seen.append(action[0].tolist())
        engine.step(action)
    assert seen[10] == [70, 20]
    assert seen[15] == [140, 40] == seen[-1]
    assert seen[12] == [round(5.6 * 10 + 5.6 * 7.5), round(5.6 * 22.5) - round(5.6 * 17.5)]


def test_a_forecast_that_is_none_leaves_mean_demand():
    _, policy = ddmrp(a_shop(market={"forecast": {"kind": "none"}}))
    engine = Engine(ddmrp(a_shop(market={"forecast": {"kind": "none"}})).network, 1, backend="numpy")
    engine.reset(0)
    assert policy.act(engine.view()).tolist() == [[70, 20]]


def test_lead_times_are_decoupled_by_buffers():
    """Factory, warehouse, depot and shop take 2 periods each; where only warehouse and shop buffer, they cover 4."""
    chain = load_network("chain4")
    assert decoupled_lead_times(chain, chain.stage_names).tolist() == [2, 2, 2, 2]
    assert decoupled_lead_times(chain, ["warehouse", "shop"]).tolist() == [2, 4, 2, 4]
    board = make_board("push_pull_two_stage")  # lead times of 1, and orders that do not see the period's demand
    assert decoupled_lead_times(board, board.stage_names).tolist() == [2, 2]
    assert decoupled_lead_times(board, ["finished"]).tolist() == [1, 3]
    network, policy = ddmrp(chain, buffers=["warehouse", "shop"])
    engine = Engine(network, 1, backend="numpy")
    engine.reset(0)
    # usage 10: yellow 40, red 20 + 10, green 20; stages without a buffer order what is ordered
    assert policy.act(engine.view()).tolist() == [[0, 0, 70, 20, 0, 0, 70, 20]]


def test_usage_is_exploded_through_bills_of_materials():
    network, policy = ddmrp(load_network("car"))
    assert isinstance(policy, DemandDriven)
    engine = Engine(network, 1, backend="numpy")
    engine.reset(0)
    usage = policy.usage(engine.view())[:, 0]
    sold, horizons = np.zeros(len(network.stages)), [market.forecast.horizon for market in network.markets.values()]
    sold[list(network.markets)] = [engine.view().forecast[:h, m, 0].mean() for m, h in enumerate(horizons)]
    assert usage == pytest.approx(network.requirements @ sold)
    assert (usage > 0).all()


def test_lots_become_minimum_orders_and_reviews_order_cycles():
    lots = a_shop(lot={"rule": "r_nQ", "Q": 40})
    assert ddmrp(lots).policy.buffers.minimum_order.tolist() == [40]  # type: ignore[attr-defined]
    weekly = ddmrp(a_shop(review_period=7)).policy
    assert weekly.buffers.order_cycle.tolist() == [7]  # type: ignore[attr-defined]


@pytest.mark.parametrize("network", ["chain4", "car", "distribution10", "serial4", "push_pull_two_stage"])
def test_buffers_serve_customers(network):
    chain = make_board(network) if network in ("serial4", "push_pull_two_stage") else load_network(network)
    table = simulate(*make_agent("ddmrp", chain), 30, 0)
    assert table["fill_rate"].mean() > 0.9


BAD = [
    # what is broken, network, parameters, field, words
    ("a factor above 1", a_shop(), {"lead_time_factor": 1.5}, "lead_time_factor", "1.5 is out of range"),
    ("a factor of no stage", a_shop(), {"variability_factor": {"shops": 1}}, "variability_factor.shops", "'shop'"),
    ("a minimum below 0", a_shop(), {"minimum_order": {"shop": -1}}, "minimum_order.shop", "-1 is out of range"),
    (
        "a buffer of no stage",
        a_shop(),
        {"buffers": ["shops"]},
        "buffers[0]",
        "no stage; did you mean 'shop'",
    ),
    ("spikes above red", a_shop(), {"spike_share": 2}, "spike_share", "2 is out of range"),
    ("two sources", make_board("dual_sourcing"), {}, "stages.stock.sources", "2 entries, but DDMRP replenishes"),
]


@pytest.mark.parametrize(("network", "parameters", "field", "words"), [pytest.param(*r[1:], id=r[0]) for r in BAD])
def test_what_does_not_suit_is_told(network, parameters, field, words):
    with pytest.raises(InputError) as caught:
        ddmrp(network, **parameters)
    assert caught.value.field == field
    assert words in caught.value.problem
