"""Sources that share a resource: who gets its capacity, and what changeovers cost, with numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pushpull.envs import History, Network, replay
from pushpull.envs.engine import Engine
from pushpull.envs.observations import Observation
from pushpull.envs.rules import Rules
from pushpull.envs.simulate import simulate

BACKENDS = ["numpy", "numba", "torch"]


@pytest.fixture(params=BACKENDS)
def backend(request) -> str:
    return request.param


def line(line: dict[str, Any], *sources: dict[str, Any], **network: Any) -> Network:
    """Return stages a, b, ... that run on one line, and by default push without lead time."""
    stages = {
        name: {
            "sources": [{"mode": "push", "lead_time": 0, "resource": "line", **source}],
            "market": {"demand": {"kind": "poisson", "mean": 4}},
        }
        for name, source in zip("abc", sources, strict=False)
    }
    return Network.from_dict({"allocation": "priority", "resources": {"line": line}, "stages": stages, **network})


def play(network: Network, actions: Sequence[Sequence[float]], backend: str, demand: Any = None) -> History:
    return replay(network, actions, demand or [{}] * len(actions), backend=backend)


def assert_rows(actual: np.ndarray, expected: list[Any]) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


def test_by_priority_the_first_takes_what_it_can_and_changeovers_take_their_part(backend):
    # The line is set up for a at first. Of 10, a takes 6; a changeover to b takes 2, so that 2 are left for b. Then the
    # line is set up for b: in period 1 a needs the changeover, 2 + 6, and b has the other 2; it is set up for a. In
    # period 2 only b starts, after a changeover, and in period 3 without.
    network = line({"capacity": 10, "changeover_cost": 50, "changeover_loss": 2}, {}, {})
    history = play(network, [[6, 6], [6, 6], [0, 6], [0, 6]], backend)
    assert_rows(history.start, [[6, 2], [6, 2], [0, 6], [0, 6]])
    assert_rows(history.shortfall, [[0, 4], [0, 4], [0, 0], [0, 0]])
    assert_rows(history.changeovers[:, 0], [1, 1, 1, 0])
    assert_rows(history.resource_used[:, 0], [10, 10, 8, 6])
    assert_rows(history.cost["changeover"], [50, 50, 50, 0])


def test_long_runs_cost_fewer_changeovers(backend):
    # The same 30 of each: in turns every period, or 10 periods of one after 10 of the other.
    network = line({"capacity": 10, "changeover_cost": 1}, {}, {})
    turns = play(network, [[3, 0], [0, 3]] * 10, backend)
    runs = play(network, [[3, 0]] * 10 + [[0, 3]] * 10, backend)
    assert_rows(turns.start.sum(axis=0), [30, 30])
    assert_rows(runs.start.sum(axis=0), [30, 30])
    assert turns.changeovers.sum() == 19 and runs.changeovers.sum() == 1


def test_proportional_shares_go_by_what_is_wanted(backend):
    # 12 for 10 and 5: two thirds and one third of 12. With a changeover of 2 to b, b has 12 - 8 - 2.
    network = line({"capacity": 12}, {}, {}, allocation="proportional")
    assert_rows(play(network, [[10, 5]], backend).start, [[8, 4]])
    network = line({"capacity": 12, "changeover_loss": 2}, {}, {}, allocation="proportional")
    history = play(network, [[10, 5]], backend)
    assert_rows(history.start, [[8, 2]])
    assert_rows(history.resource_used, [[12]])


def test_proportional_shares_of_whole_units_use_up_the_capacity(backend):
    # 1 for two that want 1: half a unit rounds to 0, and the last one has all that is left. 10 for 4, 4, 4: 10/3 rounds
    # to 3; of 7 for 4 and 4, 3.5 rounds to the even 4; the last has 3.
    network = line({"capacity": 1}, {}, {}, allocation="proportional")
    assert_rows(play(network, [[1, 1]], backend).start, [[0, 1]])
    network = line({"capacity": 10}, {}, {}, {}, allocation="proportional")
    assert_rows(play(network, [[4, 4, 4]], backend).start, [[3, 4, 3]])


def test_real_shares_are_exactly_proportional(backend):
    network = line({"capacity": 7}, {}, {"resource_use": 2}, {}, allocation="proportional", units="real")
    # 6 + 2 x 2 + 4 = 14 claimed of 7: a half of everything.
    assert_rows(play(network, [[6, 2, 4]], backend).start, [[3, 1, 2]])


def test_a_unit_may_use_more_than_one_unit_of_capacity(backend):
    # 4 of a use 8 of 11; 3 are left for b, which takes 2 for one unit.
    network = line({"capacity": 11}, {"resource_use": 2}, {"resource_use": 2})
    history = play(network, [[4, 4]], backend)
    assert_rows(history.start, [[4, 1]])
    assert_rows(history.resource_used, [[10]])


def test_what_push_used_is_gone_for_pull(backend):
    # The push of 7 leaves 3 of 10 for b's order of 5; the other 2 wait, and start in period 1. The line was set up for
    # a, for b, and is not needed for a again.
    network = line({"capacity": 10, "changeover_cost": 1}, {}, {"mode": "pull"})
    history = play(network, [[7, 5], [0, 5]], backend)
    assert_rows(history.order, [[7, 5], [0, 0]])
    assert_rows(history.start, [[7, 3], [0, 2]])
    assert_rows(history.changeovers, [[1], [0]])


def test_who_lacks_an_input_does_not_hold_the_line(backend):
    # a wants 8, but has 3 of its part: b has the other 7, less the changeover. With none of it, b has 10 less that.
    stages = {
        "part": {"initial_on_hand": 3, "sources": [{"mode": "push"}]},
        "a": {"sources": [{"mode": "push", "lead_time": 0, "inputs": {"part": 1}, "resource": "line"}], "market": {}},
        "b": {"sources": [{"mode": "push", "lead_time": 0, "resource": "line"}], "market": {}},
    }
    resources = {"line": {"capacity": 10, "changeover_loss": 1}}
    network = Network.from_dict({"allocation": "priority", "resources": resources, "stages": stages})
    history = play(network, [[0, 8, 8], [0, 8, 9], [0, 8, 12]], backend)
    assert_rows(history.start[:, 1:], [[3, 6], [0, 9], [0, 10]])
    assert_rows(history.changeovers[:, 0], [1, 0, 0])


def test_kpis_count_changeovers_and_capacity(backend):
    # Every period 4 of each and one changeover: 9 of 10.
    network = line({"capacity": 10, "changeover_cost": 50, "changeover_loss": 1}, {}, {})
    rules = Rules(network, {"a.push_quantity": 4, "b.push_quantity": 4})
    table = simulate(network, rules, episodes=2, seed=0, periods=20, backend=backend)
    assert_rows(table["changeovers"], [1, 1])
    assert_rows(table["capacity_use"], [0.9, 0.9])
    assert_rows(table["cost.changeover"], [50, 50])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_agents_see_what_a_resource_is_set_up_for(backend):
    network = line({"capacity": 10}, {}, {})
    assert "setup" in Observation(network).blocks
    observation = Observation(network, ["setup"])
    assert observation.names == ("setup.line.a", "setup.line.b")
    engine = Engine(network, 2, backend=backend, observation=observation)
    engine.reset(0)
    assert_rows(engine.observe(), [[1, 0], [1, 0]])
    engine.step(np.array([[0, 3], [3, 0]]))
    assert_rows(engine.observe(), [[0, 1], [1, 0]])
    assert_rows(engine.view().setup, [[1, 0]])
