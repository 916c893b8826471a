"""Trajectories of other programs (OR-Gym, stockpyl) and of independent simulators, replayed to the last unit."""

import json
from pathlib import Path

import numpy as np
import pytest

from pushpull.envs import Network, replay

GOLDEN = Path(__file__).parent.parent / "golden"
CASES = [
    case for file in ("replay_cases.json", "random_cases.json") for case in json.loads((GOLDEN / file).read_text())
]


@pytest.mark.parametrize("backend", ["numba", "numpy", "torch"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case_is_reproduced(case, backend):
    network = Network.from_dict(case["network"])
    history = replay(network, case["actions"], case["demand"], case["available"], backend=backend)
    got = {
        "total_cost": history.total_cost,
        "revenue": history.revenue,
        "reward": history.revenue - history.total_cost,
        "on_hand": history.on_hand,
        "customer_backlog": history.owed,
        "order": history.order,
    }
    exact_units = network.units == "integer"
    for key, expected in case["expected"].items():
        actual = got[key]
        if isinstance(expected[0], dict):
            columns = [network.stage_names.index(stage) for stage in expected[0]]
            actual, expected = actual[:, columns], [list(row.values()) for row in expected]
        if exact_units and key in ("on_hand", "customer_backlog", "order"):
            np.testing.assert_array_equal(actual, expected, err_msg=key)
        else:
            np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-9, err_msg=key)


def test_all_cases_are_here():
    assert len(CASES) == 28 + 60
