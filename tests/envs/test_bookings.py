"""Orders that are booked before they are due: whole, adding up to demand, and worth as much as a shorter lead time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pushpull.envs import Network
from pushpull.envs.bookings import book
from pushpull.envs.checks import build
from pushpull.envs.engine import Engine
from pushpull.envs.exogenous import draw
from pushpull.envs.network import SEQUENCES, Market
from tests.envs.twins import played_alike

POISSON = {"kind": "poisson", "mean": 7}


def market_of(shares: Sequence[float], demand: Any = None, **keys: Any) -> dict[str, Any]:
    return {"demand": demand or POISSON, "order_lead": shares, "forecast": {"horizon": len(shares)}} | keys


def shop(market: dict[str, Any], units: str = "integer", **source: Any) -> Network:
    stages = {"shop": {"sources": [{"mode": "pull"} | source], "market": market}}
    return Network.from_dict({"units": units, "horizon": 60, "stages": stages})


def flows_of(
    network: Network, action: Sequence[float], backend: str = "numpy", batch: int = 3
) -> dict[str, np.ndarray]:
    """Play constant actions and return flows by name, [T, rows, B]."""
    engine, told = Engine(network, batch, backend=backend), []
    engine.reset(0)
    while not engine.ended.all():
        engine.step(np.tile(np.array(action, dtype=float), (batch, 1)))
        told.append({name: rows.copy() for name, rows in vars(engine.flows).items()})
    return {name: np.stack([period[name] for period in told]) for name in told[0]}


# --- the book ---------------------------------------------------------------------------------------------------------


def test_a_book_by_hand():
    """A quarter is booked when it is due, a quarter one period ahead, half of it two."""
    market = build(Market, market_of([0.25, 0.25, 0.5]), "market")
    path = np.array([[8.0], [4.0], [16.0], [12.0]])
    before, after = book(market, "real", path, 2, np.full((4, 2, 1), 0.5))
    np.testing.assert_array_equal(before[..., 0], [[0.75 * 8, 0.5 * 4], [0.75 * 4, 0.5 * 16]])
    np.testing.assert_array_equal(after[..., 0], [[0.75 * 4, 0.5 * 16], [0.75 * 16, 0.5 * 12]])


@pytest.mark.parametrize("cancellation", [0, 0.3])
def test_bookings_are_whole_add_up_to_demand_and_come_in_the_shares_stated(cancellation):
    shares = [0.1, 0.2, 0.0, 0.7]
    network, worlds = shop(market_of(shares, cancellation=cancellation)), [(seed, 0) for seed in range(400)]
    traces, plain = draw(network, 40, worlds), draw(shop({"demand": POISSON}), 40, worlds)
    np.testing.assert_array_equal(traces.demand, plain.demand)  # what is due is what the market says
    before, after = traces.booked, traces.booked_after
    assert before is not None
    assert after is not None
    for rows in (before, after):
        assert rows.shape == (40, 3, 400)
        assert (rows == np.round(rows)).all()
    assert (traces.demand[:, 0] >= before[:, 0]).all()
    new = after[:, :-1] - before[:, 1:]  # booked 1 and 2 periods ahead; 3 ahead is all of the last row
    gone = after[:-1] - before[1:]
    assert (new >= 0).all()
    assert (gone >= 0).all()
    survive = (1 - cancellation) ** np.arange(4)
    booked = [traces.demand[:, 0] - before[:, 0], new[:, 0], new[:, 1], after[:, 2]]
    for lead, units in enumerate(booked):
        assert units.mean() * survive[lead] == pytest.approx(7 * shares[lead], abs=0.05)
    assert gone.sum() == pytest.approx(cancellation * after[:-1].sum(), rel=0.01)
    if not cancellation:
        total = sum(units[3 - lead : 40 - lead] for lead, units in enumerate(booked))
        np.testing.assert_array_equal(total, traces.demand[3:, 0])


def test_a_forecast_knows_what_is_booked():
    """Everything is booked three periods ahead: no error so far, and the mean beyond."""
    market = market_of([0, 0, 0, 1]) | {"forecast": {"horizon": 5}}
    traces = draw(shop(market), 40, [(seed, 0) for seed in range(9)])
    for ahead in range(3):
        np.testing.assert_array_equal(traces.forecast[: 40 - ahead, ahead, 0], traces.demand[ahead:, 0])
    np.testing.assert_allclose(traces.forecast[:, 3:], 7.0, rtol=1e-12)


def test_the_mean_of_what_is_not_booked_completes_the_forecast():
    """A conditional mean errs by nothing on average, whatever it says, and by less than the demand process does."""
    market = market_of([0.25, 0.25, 0.5], cancellation=0.2)
    traces = draw(shop(market), 30, [(seed, 0) for seed in range(2000)])
    for ahead, (low, high) in enumerate([(0, 0.4), (0, 0.75)]):
        error = traces.demand[ahead:, 0] - traces.forecast[: 30 - ahead, ahead, 0]
        assert abs(error.mean()) < 0.02
        assert low < error.var() / traces.demand.var() < high


# --- triggers that count booked orders --------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numba", "numpy", "torch"])
def test_orders_far_enough_ahead_need_no_safety_stock(backend):
    """Plant and shop take 2 and 3 periods, orders come 5 ahead: all arrives when it is due, and nothing before."""
    network = Network.from_dict(
        {
            "decoupling_point": "supply",
            "horizon": 40,
            "stages": {
                "plant": {"sources": [{"lead_time": 2, "basis": "echelon", "advance_position": 5}]},
                "shop": {
                    "sources": [{"inputs": {"plant": 1}, "lead_time": 3, "advance_position": 3}],
                    "market": market_of([0, 0, 0, 0, 0, 1]),
                },
            },
        }
    )
    flows = flows_of(network, [0, 0], backend)
    assert flows["demand"][5:, 1].sum() > 0
    np.testing.assert_array_equal(flows["shipped_on_time"][6:], flows["demand"][6:])
    assert not flows["on_hand"].any()
    assert not flows["owed"][5:].any()


@pytest.mark.parametrize("sequence", ["pull_after_demand", "pull_before_demand"])
@pytest.mark.parametrize("level", [0, 6, 20])
def test_booking_ahead_is_a_shorter_lead_time(level, sequence):
    """Hariharan & Zipkin (1995): orders booked L periods ahead are as good as a lead time that is L shorter."""
    ahead, lead_time = 3, 4
    booked = shop(
        market_of([0] * ahead + [1]), lead_time=lead_time, advance_position=ahead - (sequence != "pull_after_demand")
    )
    plain = shop({"demand": POISSON}, lead_time=lead_time - ahead)
    one, other = (
        flows_of(Network.from_dict(network.to_dict() | {"sequence": list(SEQUENCES[sequence])}), [level])
        for network in (booked, plain)
    )
    for name in ("demand", "shipped", "shipped_on_time", "owed", "on_hand"):
        np.testing.assert_array_equal(one[name][lead_time + 1 :], other[name][lead_time + 1 :], err_msg=name)
    assert one["shipped"].sum() > 0


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_only_spikes_are_counted_ahead(backend):
    demand = {"kind": "deterministic", "values": [0, 0, 0, 0, 12, 4, 10, 0]}
    network = shop(market_of([0, 0, 0, 1], demand), lead_time=2, spikes={"horizon": 2, "threshold": 10})
    orders = flows_of(network, [0], backend, batch=1)["order"][:9, 0, 0]
    # 12 and 10 are seen two periods before they are due; 4 when it is owed
    np.testing.assert_array_equal(orders, [0, 0, 12, 0, 10, 4, 0, 0, 0])


def test_engines_agree_on_books_and_ages():
    """A batch of two blocks and a bit, restarted at different times: states, observations and totals."""
    market = market_of([0.25, 0.25, 0.5], cancellation=0.25, patience=3, satisfaction=[5, 3, 1])
    stages = {
        "plant": {"sources": [{"basis": "echelon", "spikes": {"horizon": 2, "threshold": 3}}]},
        "shop": {"sources": [{"inputs": {"plant": 1}, "advance_position": 1}], "market": market},
    }
    network = Network.from_dict({"decoupling_point": "supply", "horizon": 25, "stages": stages, "warm_up": 3})
    engines = played_alike(network, seed=3, most=20)
    assert {"backorders_by_age.shop.3", "booked.shop.1"} <= set(engines[0].observation.names)
    assert engines[0].totals.shipped_late.sum() > 0
    for name, values in engines[1].kpis().items():
        np.testing.assert_allclose(engines[0].kpis()[name], values, rtol=1e-9, err_msg=name)
