"""Stock that does not last, stores that are full, and what is left at the end, with numbers worked out by hand."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest
from scipy.stats import poisson

from pushpull.envs import History, Network, replay
from pushpull.envs.rules import Rules
from pushpull.envs.simulate import simulate

BACKENDS = ["numpy", "numba", "torch"]
TEXTBOOK = ["receive", "push", "pull", "demand", "ship"]


@pytest.fixture(params=BACKENDS)
def backend(request) -> str:
    return request.param


def play(stage: dict[str, Any], releases: list[float], demand: list[float], backend: str, **network: Any) -> History:
    """Replay a shop that pushes releases into its stock, in the same period unless it says otherwise."""
    shop = {"sources": [{"mode": "push", "lead_time": 0}], "market": {"stockout": "lost"}, **stage}
    settings = {"stages": {"shop": shop}, "horizon_is_real": True, **network}
    asked = [{"shop": units} for units in demand]
    return replay(Network.from_dict(settings), [[units] for units in releases], asked, backend=backend)


def assert_rows(actual: np.ndarray, expected: list[Any]) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


# --- a share is written off ------------------------------------------------------------------------------------------


def test_a_share_is_written_off_before_costs_are_charged(backend):
    # A quarter of 10 is 2.5, rounded to the even 2; of 8, 2; of 6, 1.5, rounded to 2; of 4, 1.
    stage = {"initial_on_hand": 10, "obsolescence": 0.25, "obsolescence_cost": 3, "holding_cost": 1}
    history = play(stage, [0] * 4, [0] * 4, backend)
    assert_rows(history.written_off[:, 0], [2, 2, 2, 1])
    assert_rows(history.on_hand[:, 0], [8, 6, 4, 3])
    assert_rows(history.cost["obsolescence"], [6, 6, 6, 3])
    assert_rows(history.cost["holding"], [8, 6, 4, 3])


def test_what_is_sold_in_a_period_is_not_written_off_in_it(backend):
    # 10 less 6 sold leaves 4, of which half.
    history = play({"initial_on_hand": 10, "obsolescence": 0.5}, [0], [6], backend)
    assert_rows(history.written_off[:, 0], [2])


def test_a_constant_release_settles_where_obsolescence_takes_as_much(backend):
    """S = (S + q) (1 - o), so S = q (1 - o) / o."""
    history = play({"obsolescence": 0.2}, [7.5] * 200, [0] * 200, backend, units="real")
    np.testing.assert_allclose(history.on_hand[-1], 7.5 * 0.8 / 0.2, rtol=1e-9)
    np.testing.assert_allclose(history.written_off[-1], 7.5, rtol=1e-9)


# --- a shelf life ----------------------------------------------------------------------------------------------------


def test_stock_leaves_oldest_first_and_is_written_off_at_the_end_of_its_shelf_life(backend):
    # Of the initial 5, 2 are sold in period 0, and 3 in period 1 beside 1 of the 4 received in period 0, whose other 3
    # are 2 old at the end of period 1 and written off. The 6 of period 1 lose 1 in period 2, then 5 are too old.
    stage = {"initial_on_hand": 5, "shelf_life": 2, "obsolescence_cost": 2}
    history = play(stage, [4, 6, 0, 0], [2, 4, 1, 0], backend)
    assert_rows(history.on_hand[:, 0], [7, 6, 0, 0])
    assert_rows(history.written_off[:, 0], [0, 3, 5, 0])
    assert_rows(history.shipped[:, 0], [2, 4, 1, 0])
    assert_rows(history.cost["obsolescence"], [0, 6, 10, 0])


def test_initial_stock_is_fresh(backend):
    history = play({"initial_on_hand": 5, "shelf_life": 3}, [0] * 4, [1, 0, 0, 0], backend)
    assert_rows(history.written_off[:, 0], [0, 0, 4, 0])


def test_users_downstream_take_the_oldest_too(backend):
    # The shop pulls 3 in period 0 and 3 in period 1: all of the 4 initial ones and 2 of the 5 of period 0, whose other
    # 3 are too old at the end of period 1.
    stages = {
        "plant": {"initial_on_hand": 4, "shelf_life": 2, "sources": [{"mode": "push", "lead_time": 0}]},
        "shop": {"sources": [{"mode": "pull", "inputs": {"plant": 1}, "lead_time": 0}], "market": {}},
    }
    network = Network.from_dict({"stages": stages})
    history = replay(network, [[5, 0], [0, 0]], [{"shop": 3}, {"shop": 3}], backend=backend)
    assert_rows(history.on_hand[:, 0], [6, 0])
    assert_rows(history.written_off[:, 0], [0, 3])


class Shelf:
    """A shelf of single units, each with the period it came in: what the row-wise dynamics must amount to."""

    def __init__(self, life: int, initial: int):
        self.life, self.units, self.period = life, deque([0] * initial), 0

    def take(self, count: int) -> int:
        taken = min(count, len(self.units))
        for _ in range(taken):
            self.units.popleft()
        return taken

    def end(self) -> int:
        old = [born for born in self.units if self.period - born >= self.life - 1]
        for _ in old:
            self.units.popleft()
        self.period += 1
        return len(old)


@pytest.mark.parametrize("life", [1, 2, 3, 7])
def test_ages_are_those_of_units_kept_one_by_one(life, backend):
    rng = np.random.default_rng(life)
    releases, demand = rng.integers(0, 12, 60), rng.integers(0, 9, 60)
    history = play({"initial_on_hand": 6, "shelf_life": life}, releases.tolist(), demand.tolist(), backend)
    shelf = Shelf(life, 6)
    for t in range(60):
        shelf.units.extend([t] * int(releases[t]))
        assert history.shipped[t, 0] == shelf.take(int(demand[t]))
        assert history.written_off[t, 0] == shelf.end()
        assert history.on_hand[t, 0] == len(shelf.units)
    assert history.written_off.sum() > 10


@pytest.mark.parametrize("level", [6, 10, 15])
def test_a_shelf_life_of_one_period_is_the_newsvendor(level):
    """What is too old is E (S - D)+, and what is lost E (D - S)+, period by period."""
    market = {"demand": {"kind": "poisson", "mean": 10}, "stockout": "lost", "price": 3}
    stage = {"shelf_life": 1, "obsolescence_cost": 2, "sources": [{"mode": "pull", "lead_time": 0}], "market": market}
    network = Network.from_dict({"sequence": TEXTBOOK, "stages": {"shop": stage}})
    table = simulate(network, Rules(network, {"shop.pull_threshold": level}), episodes=400, seed=1, periods=100)
    demand = np.arange(100)
    probability = poisson.pmf(demand, 10)
    over, sold = probability @ np.maximum(level - demand, 0), probability @ np.minimum(level, demand)
    expected_kpis = {"write_offs": over, "cost.obsolescence": 2 * over, "revenue": 3 * sold, "stock": 0.0}
    for name, expected in expected_kpis.items():
        assert abs(table[name].mean() - expected) <= 4 * table[name].std() / np.sqrt(len(table)) + 1e-12, name


# --- storage ---------------------------------------------------------------------------------------------------------


def test_overflow_may_be_held_at_a_cost(backend):
    stage = {"storage_capacity": 4, "overflow_cost": 5, "holding_cost": 1}
    history = play(stage, [6, 0, 1], [0, 1, 3], backend)
    assert_rows(history.on_hand[:, 0], [6, 5, 3])
    assert_rows(history.overflow[:, 0], [2, 1, 0])
    assert_rows(history.cost["storage"], [10, 5, 0])
    assert_rows(history.cost["holding"], [6, 5, 3])


def test_overflow_may_be_scrapped_at_the_end_of_the_period(backend):
    # 7 come in, 2 are sold before any is scrapped: 5 less 1.
    stage = {"storage_capacity": 4, "overflow": "scrap", "overflow_cost": 5, "obsolescence_cost": 2}
    history = play(stage, [7, 0], [2, 3], backend)
    assert_rows(history.on_hand[:, 0], [4, 1])
    assert_rows(history.written_off[:, 0], [1, 0])
    assert_rows(history.overflow[:, 0], [1, 0])
    assert_rows(history.cost["storage"], [5, 0])
    assert_rows(history.cost["obsolescence"], [2, 0])


def test_scrap_is_the_oldest_stock_that_is_not_too_old(backend):
    # Period 0 leaves 3 fresh ones. Period 1 adds 4: of 7, room is for 4, so the 3 old ones go, none for their age.
    # They would have been too old at the end of period 1 all the same: so many are written off, but none overflows.
    stage = {"storage_capacity": 4, "overflow": "scrap", "shelf_life": 2}
    history = play(stage, [3, 4, 0], [0, 0, 0], backend)
    assert_rows(history.written_off[:, 0], [0, 3, 4])
    assert_rows(history.overflow[:, 0], [0, 0, 0])
    # With a life of 3 they are scrapped for lack of room; the 4 young ones stay till the end of period 3.
    history = play({**stage, "shelf_life": 3}, [3, 4, 0, 0], [0, 0, 0, 0], backend)
    assert_rows(history.written_off[:, 0], [0, 3, 0, 4])
    assert_rows(history.overflow[:, 0], [0, 3, 0, 0])


def test_overflow_may_wait_outside_until_there_is_room(backend):
    # 6 are due in period 1, and 4 have room: 2 wait. After 3 are sold in period 1, both come in in period 2.
    stage = {
        "storage_capacity": 4,
        "overflow": "block",
        "overflow_cost": 5,
        "sources": [{"mode": "push", "lead_time": 1, "pipeline_holding_cost": 1}],
    }
    history = play(stage, [6, 0, 0], [0, 3, 0], backend)
    assert_rows(history.receipt[:, 0], [0, 4, 2])
    assert_rows(history.on_hand[:, 0], [0, 1, 3])
    assert_rows(history.overflow[:, 0], [0, 2, 0])
    assert_rows(history.cost["storage"], [0, 10, 0])
    assert_rows(history.cost["pipeline"], [6, 2, 0])


def test_sources_come_in_in_order_of_declaration(backend):
    # 3 and 3 are due, room is for 4: all of the first, 1 of the second.
    stage = {"storage_capacity": 4, "overflow": "block", "sources": [{"mode": "push", "lead_time": 0}] * 2}
    settings = {"stages": {"shop": {"market": {}, **stage}}}
    history = replay(Network.from_dict(settings), [[3, 3], [0, 0]], [{}, {"shop": 4}], backend=backend)
    assert_rows(history.receipt, [[3, 1], [0, 0]])
    history = replay(Network.from_dict(settings), [[3, 3], [0, 0], [0, 0]], [{"shop": 3}, {}, {}], backend=backend)
    assert_rows(history.receipt, [[3, 1], [0, 2], [0, 0]])


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [2.5, -1.5])
def test_what_is_left_in_the_last_period_is_salvaged(value, backend):
    stage = {"initial_on_hand": 9, "salvage_value": value, "market": {"price": 10}}
    history = play(stage, [0] * 3, [2, 0, 1], backend)
    assert_rows(history.revenue, [20, 0, 10 + 6 * value])


@pytest.mark.parametrize("periods", [3, 5])
def test_the_last_period_is_that_of_the_episode(periods):
    market = {"demand": {"kind": "deterministic", "values": [1]}, "price": 10}
    stage = {"initial_on_hand": 20, "salvage_value": 4, "sources": [{"mode": "push"}], "market": market}
    network = Network.from_dict({"horizon_is_real": True, "stages": {"shop": stage}})
    for backend in BACKENDS:
        table = simulate(network, Rules(network, {}), episodes=3, seed=1, periods=periods, backend=backend)
        np.testing.assert_allclose(table["revenue"] * periods, 10 * periods + 4 * (20 - periods))
        np.testing.assert_allclose(table["discounted_profit"], 10 * periods + 4 * (20 - periods))
