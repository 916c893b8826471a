"""What planners expect: means as forecasts have them, and scenarios that meet every slice of the law once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import poisson

from pushpull.agents.outlook import Outlook
from pushpull.envs import Network
from pushpull.envs.engine import Engine

SHOP: dict[str, Any] = {"holding_cost": 1, "sources": [{"lead_time": 1}]}


def look(demand, periods=6, at=0, scenarios=40, forecast=None, **settings):
    """Return expected demand and scenarios of one market, [periods] and [S, periods], in period `at` of world 0."""
    market = {"demand": demand, "backorder_cost": 9, "forecast": forecast or {"kind": "true_mean"}}
    mapping = {"decoupling_point": "supply", "horizon": 20, "stages": {"shop": SHOP | {"market": market}}, **settings}
    network = Network.from_dict(mapping)
    engine = Engine(network, 1, backend="numpy")
    engine.reset(0)
    for _ in range(at):
        engine.step(np.zeros((1, 1)))
    outlook = Outlook(network, scenarios)
    return outlook.expected(engine.view(), 0, periods)[:, 0], outlook.scenarios(engine.view(), 0, periods)[..., 0]


def test_expected_demand_follows_season_and_what_is_stated():
    expected, _ = look({"kind": "poisson", "mean": 10, "season": [0.5, 1.5]}, at=3)
    np.testing.assert_allclose(expected, [15, 5, 15, 5, 15, 5])
    expected, scenarios = look({"kind": "deterministic", "values": [3, 9, 4, 7]}, at=1)
    np.testing.assert_allclose(expected, [9, 4, 7, 7, 7, 7])
    np.testing.assert_allclose(scenarios, np.tile(expected, (40, 1)))


def test_perfect_forecasts_are_believed_as_far_as_they_reach():
    perfect = {"kind": "noisy", "horizon": 3, "error": 0}
    demand = {"kind": "poisson", "mean": 10}
    expected, _ = look(demand, forecast=perfect, at=2)
    truth = [look(demand, forecast=perfect, at=2 + k)[0][0] for k in range(3)]
    np.testing.assert_allclose(expected[:3], truth)
    np.testing.assert_allclose(expected[3:], 10)


def test_scenarios_meet_each_slice_of_the_law_once():
    """Sorted, the demands of a period are the law's quantiles at (k + 1/2) / S, but for sampling."""
    expected, scenarios = look({"kind": "poisson", "mean": 30}, scenarios=50)
    np.testing.assert_allclose(scenarios.mean(axis=0), expected, atol=1e-9)
    quantiles = poisson.ppf((np.arange(50) + 0.5) / 50, 30)
    assert abs(np.sort(scenarios, axis=0) - quantiles[:, None]).mean() < 0.6
    between = np.corrcoef(scenarios[:, 0], scenarios[:, 1])[0, 1]
    assert abs(between) < 0.4  # periods are independent


def test_scenarios_keep_the_memory_of_demand():
    _, scenarios = look({"kind": "normal", "mean": 30, "sd": 6, "autocorrelation": 0.9}, units="real", scenarios=200)
    assert np.corrcoef(scenarios[:, 2], scenarios[:, 3])[0, 1] == pytest.approx(0.9, abs=0.08)


def test_a_recorded_history_is_known_by_its_average_only(tmp_path):
    """Planners do not read the rows that are to come, though the process starts at a known one."""
    file = tmp_path / "sales.csv"
    file.write_text("units\n" + "\n".join(str(units) for units in [2, 4, 6, 8] * 10) + "\n")
    demand = {"kind": "trace", "file": str(file), "column": "units", "start": 0}
    expected, scenarios = look(demand, forecast={"kind": "none"}, scenarios=100)
    np.testing.assert_allclose(expected, 5)
    assert scenarios.min() == pytest.approx(2, abs=0.2) and scenarios.max() == pytest.approx(8, abs=0.2)
    np.testing.assert_allclose(scenarios.std(axis=0), np.std([2, 4, 6, 8]), rtol=0.1)
