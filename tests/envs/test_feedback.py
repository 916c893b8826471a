"""What service does to demand, and what comes back: goodwill and returns, by hand and in both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pushpull.envs import Network
from tests.envs.test_customers import played
from tests.envs.twins import played_alike

BACKENDS = ["numba", "numpy", "torch"]
GOODWILL = {"loss": 0.5, "gain": 0.125, "floor": 0.25}


def shop(market: dict[str, Any], units: str = "integer") -> Network:
    """Return one stage that pushes what arrives at once."""
    stages = {"shop": {"sources": [{"mode": "push", "lead_time": 0}], "market": market}}
    return Network.from_dict({"units": units, "stages": stages})


def column(told: dict[str, Any], name: str) -> list[float]:
    return [rows[0] for rows in told[name]]


# --- goodwill ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_goodwill_by_hand(backend):
    """Half of 8 units are missed: 1 - 0.5 / 2 = 0.75 of demand is left; 0.75 x 10 = 7.5 units are 8 (half to even)."""
    network = shop({"stockout": "lost", "goodwill": GOODWILL})
    told = played(network, actions=[4, 8, 0, 9, 9], demand=[8, 10, 8, 0, 8], backend=backend)
    # after period 1 all was met: 0.875; all of 7 missed: 0.375; nothing asked: 0.375; 3 met of 3: 0.5
    assert column(told, "demand") == [8, 8, 7, 0, 3]
    assert column(told, "lost") == [4, 0, 7, 0, 0]
    assert told["state"]["goodwill"] == [[0.5]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_goodwill_stays_between_its_floor_and_one(backend):
    network = shop({"stockout": "lost", "goodwill": GOODWILL}, units="real")
    told = played(network, actions=[0] * 5, demand=[10] * 5, backend=backend)
    assert column(told, "demand") == [10, 5, 2.5, 2.5, 2.5]
    told = played(network, actions=[0] * 5 + [10] * 9, demand=[10] * 14, backend=backend)
    np.testing.assert_allclose(column(told, "demand")[5:], [2.5, 3.75, 5, 6.25, 7.5, 8.75, 10, 10, 10])


def test_backorders_that_are_late_cost_goodwill_once():
    network = shop({"goodwill": GOODWILL}, units="real")
    told = played(network, actions=[0, 10, 20], demand=[10, 0, 10])
    assert column(told, "demand") == [10, 0, 5]
    assert column(told, "shipped") == [0, 10, 5]
    assert told["state"]["goodwill"] == [[0.625]]


# --- returns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_returns_by_hand(backend):
    """Every fourth unit comes back after 2 periods, and every second of those is sold again."""
    network = shop({"returns": {"share": 0.25, "lag": 2, "resalable": 0.5, "cost": 3}})
    told = played(network, actions=[6, 6, 6, 6, 0, 0], demand=[6, 6, 6, 6, 0, 0], backend=backend)
    # 6 / 4 = 1.5 a period: one, then two
    assert [rows[1] for rows in told["returned"]] == [1, 2, 1, 2, 0, 0]
    assert column(told, "came_back") == [0, 0, 1, 2, 1, 2]
    assert column(told, "restocked") == [0, 0, 0, 1, 1, 1]
    assert [cost["returns"] for cost in told["costs"]] == [0, 0, 3, 6, 3, 6]
    assert column(told, "on_hand") == [0, 0, 0, 1, 2, 3]
    assert told["return_rate"] == 6 / 24
    assert "return_rate.late" not in told


@pytest.mark.parametrize("backend", BACKENDS)
def test_returns_by_reason(backend):
    """Half of what is late comes back because it is, and a tenth of everything for a defect."""
    reasons = {"late": 0.5, "defect": 0.1}
    network = shop({"returns": {"reasons": reasons, "lag": 1, "cost": 1}}, units="real")
    told = played(network, actions=[6, 4, 0], demand=[10, 0, 0], backend=backend)
    np.testing.assert_allclose(told["returned"], [[0, 0.6], [2, 0.4], [0, 0]], rtol=1e-12)
    np.testing.assert_allclose(column(told, "came_back"), [0, 0.6, 2.4], rtol=1e-12)
    assert column(told, "restocked") == [0, 0, 0]
    assert told["return_rate"] == pytest.approx(0.3)
    assert told["return_rate.late"] == pytest.approx(0.2)
    assert told["return_rate.defect"] == pytest.approx(0.1)


@pytest.mark.parametrize("share", [0.1, 1 / 3, 0.7])
def test_whole_returns_are_never_a_unit_off(share):
    """What has come back is the share of all that was shipped, rounded down, however few a period ships."""
    rng = np.random.default_rng(0)
    demand = rng.integers(0, 4, 300)
    network = shop({"returns": {"share": share, "lag": 1}})
    told = played(network, actions=list(demand), demand=list(demand))
    back = np.cumsum([rows[1] for rows in told["returned"]])
    np.testing.assert_array_equal(back, np.floor(share * np.cumsum(demand) + 1e-6))


def test_engines_agree_on_feedback_and_returns():
    """Two blocks and a bit, restarted at different times: states, observations and totals."""
    market = {
        "demand": {"kind": "poisson", "mean": 7},
        "patience": 2,
        "goodwill": {"loss": 0.3, "gain": 0.1, "floor": 0.4},
        "returns": {"reasons": {"late": 0.3, "defect": 0.1}, "lag": 2, "resalable": 0.6, "cost": 2},
    }
    stages = {"shop": {"sources": [{"lead_time": 2, "mode": "pull"}], "market": market}}
    network = Network.from_dict({"horizon": 25, "stages": stages, "warm_up": 3})
    engines = played_alike(network, seed=3, most=25)
    assert {"goodwill.shop", "returning.shop.1"} <= set(engines[0].observation.names)
    assert engines[0].totals.returned.sum(axis=1).min() > 0
    assert engines[1].view().goodwill.min() < 0.9
