"""Late information: an agent sees what was, and nothing else about the chain changes."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pushpull.envs import Network, dynamics, load_network
from pushpull.envs.engine import Engine
from pushpull.envs.exogenous import draw
from pushpull.envs.information import row_delays
from pushpull.envs.observations import BLOCKS, STANDARD_BLOCKS, Observation, View
from pushpull.envs.rollout import rollout
from pushpull.envs.rules import Rules
from tests.envs.strategies import cases, hunt, networks
from tests.envs.test_kernel import worlds

SEEN = ("on_hand", "backorders", "pending", "in_process", "in_transit", "inventory_position", "last_demand")


def late(name: str, delay: int, **stages: int) -> Network:
    """Return a library network whose stages report late, some of them by a delay of their own."""
    mapping: dict[str, Any] = load_network(name).to_dict() | {"information_delay": delay}
    for stage, own in stages.items():
        mapping["stages"][stage]["information_delay"] = own
    return Network.from_dict(mapping)


def played(
    network: Network, backend: str, periods: int = 12
) -> tuple[Engine, list[dict[str, np.ndarray]], list[np.ndarray], list[Any]]:
    """Return the views, observations and costs of an engine under actions that see nothing."""
    engine = Engine(network, 3, backend=backend)
    engine.reset(4)
    rng = np.random.default_rng(0)
    views, seen, costs = [], [], []
    for _ in range(periods):
        view = engine.view()
        views.append({field: np.array(getattr(view, field)) for field in SEEN})
        seen.append(np.array(engine.observe()))
        engine.step(rng.uniform(0, 1, (3, len(engine.space.entries))) * engine.space.high)
        costs.append({term: np.array(cost) for term, cost in engine.costs.items()})
    return engine, views, seen, costs


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", ["chain4", "electronics"])
def test_agents_see_what_was_and_the_chain_does_not_notice(name, backend):
    _, live, _, costs = played(load_network(name), backend)
    _, delayed, _, same = played(late(name, 3), backend)
    for t in range(12):
        for field in SEEN:
            np.testing.assert_array_equal(delayed[t][field], live[max(0, t - 3)][field], err_msg=f"{field} {t}")
        for term, cost in costs[t].items():
            np.testing.assert_array_equal(same[t][term], cost, err_msg=term)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_stage_may_have_a_delay_of_its_own(backend):
    network = late("chain4", 0, shop=2)
    shop, others = network.stage_names.index("shop"), [i for i, name in enumerate(network.stages) if name != "shop"]
    _, live, _, _ = played(load_network("chain4"), backend)
    _, delayed, _, _ = played(network, backend)
    own = list(network.sources_of[shop])
    for t in range(12):
        then = max(0, t - 2)
        np.testing.assert_array_equal(delayed[t]["on_hand"][shop], live[then]["on_hand"][shop])
        np.testing.assert_array_equal(delayed[t]["on_hand"][others], live[t]["on_hand"][others])
        np.testing.assert_array_equal(delayed[t]["in_process"][own], live[then]["in_process"][own])
        np.testing.assert_array_equal(delayed[t]["last_demand"], live[then]["last_demand"])
    assert any((live[t]["on_hand"][shop] != live[max(0, t - 2)]["on_hand"][shop]).any() for t in range(12))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_observations_are_those_of_the_view(backend):
    """All but the forecast, which comes from outside, are three periods old."""
    blocks = [name for name in STANDARD_BLOCKS if name in Observation(load_network("electronics")).blocks]
    rows = [not name.startswith("forecast.") for name in Observation(load_network("electronics"), blocks).names]
    _, _, live, _ = played(load_network("electronics"), backend)
    _, _, delayed, _ = played(late("electronics", 3), backend)
    for t in range(12):
        np.testing.assert_array_equal(delayed[t][:, rows], live[max(0, t - 3)][:, rows])
        np.testing.assert_array_equal(delayed[t][:, np.invert(rows)], live[t][:, np.invert(rows)])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_who_starts_anew_has_told_nothing(backend):
    engine = Engine(late("chain4", 2), 3, backend=backend)
    engine.reset(0)
    first = np.array(engine.view().on_hand)
    for _ in range(5):
        engine.step(np.zeros((3, len(engine.space.entries))))
    before = np.array(engine.view().on_hand)
    assert (before != first).any(axis=0).all()
    engine.begin(np.array([False, True, False]))
    after = engine.view()
    np.testing.assert_array_equal(after.on_hand[:, 1], first[:, 1])
    np.testing.assert_array_equal(after.on_hand[:, [0, 2]], before[:, [0, 2]])
    np.testing.assert_array_equal(after.last_demand[:, 1], 0)
    np.testing.assert_array_equal(after.period, [5, 0, 5])


@pytest.mark.parametrize("name", ["beer_game", "car", "electronics_full", "marketing_channel"])
def test_engines_show_the_same(name):
    """All that can be observed, in two blocks and a bit that start anew at different times; stages differ in delay."""
    first, *_, last = load_network(name).stage_names
    network = late(name, 2, **{first: 0, last: 5})
    blocks = [block for block in BLOCKS if BLOCKS[block].names(network)]
    engines = [
        Engine(network, 270, backend=backend, observation=Observation(network, blocks, scaled=True))
        for backend in ("numba", "numpy")
    ]
    rng = np.random.default_rng(0)
    for engine in engines:
        engine.reset(5)
    for t in range(30):
        if t in (9, 10, 21):
            restart = rng.uniform(size=270) < 0.3
            for engine in engines:
                engine.begin(restart)
        assert_shown_alike(*engines)
        vectors = rng.uniform(0, 1, (270, len(engines[0].space.entries))) * engines[0].space.high
        for engine in engines:
            engine.step(vectors)


def assert_shown_alike(one: Engine, other: Engine) -> None:
    np.testing.assert_array_equal(one.observe(), other.observe())
    for field in (*SEEN, "setup", "goodwill", "returning", "borrowed", "period"):
        np.testing.assert_array_equal(getattr(one.view(), field), getattr(other.view(), field), err_msg=field)
        np.testing.assert_array_equal(getattr(one.live_view(), field), getattr(other.live_view(), field), err_msg=field)


@hunt(30)
@given(cases(), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_random_networks_are_known_alike(case, delays):
    mapping, plan = case
    for stage, delay in zip(mapping["stages"].values(), delays, strict=False):
        stage["information_delay"] = delay
    network = Network.from_dict(mapping)
    traces = plan.traces(network, np.ones((len(plan.demand), 1, len(network.markets), 1)))
    kernel, arrays = worlds(network, 1, "float64", plan.available is not None)
    for world in (kernel, arrays):
        world.begin(np.ones(1, dtype=bool))
    for vector in plan.vectors(network):
        for world in (kernel, arrays):
            world.step(vector[None], traces)
        for name, rows in vars(arrays.known.state).items():
            np.testing.assert_allclose(getattr(kernel.known.state, name), rows, rtol=1e-9, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(kernel.known.last_demand, arrays.known.last_demand, rtol=1e-9, atol=1e-9)


def test_a_vector_environment_is_its_single_ones():
    network = late("chain4", 2)
    many = gymnasium.make_vec("PushPull-v0", num_envs=2, network=network)
    singles = [gymnasium.make("PushPull-v0", network=network) for _ in range(2)]
    seen = [many.reset(seed=7)[0], np.stack([env.reset(seed=7 + e)[0] for e, env in enumerate(singles)])]
    rng = np.random.default_rng(0)
    for _ in range(8):
        np.testing.assert_array_equal(*seen)
        actions = rng.uniform(0, 1, many.action_space.shape) * many.action_space.high  # type: ignore[attr-defined]
        steps = [env.step(actions[e]) for e, env in enumerate(singles)]
        seen = [many.step(actions)[0], np.stack([step[0] for step in steps])]


def test_policies_act_on_what_they_see_and_thresholds_on_what_is():
    """Releases up to a level look at the late position, also where rules could run in compiled code."""
    mapping = load_network("chain4").to_dict() | {"decoupling_point": "market"}
    totals = []
    for delay in (0, 4):
        network = Network.from_dict(mapping | {"information_delay": delay})
        rules = Rules(network, {}, up_to={f"{name}.push_quantity": 60 for name in network.source_names})
        engines = [Engine(network, 270, backend=backend) for backend in ("numba", "numpy")]
        for engine in engines:
            engine.reset(0)
            engine.play(rules)
        np.testing.assert_allclose(engines[0].totals.start, engines[1].totals.start)
        totals.append(np.array(engines[0].totals.start))
        assert_shown_alike(*engines)
        for engine in engines:  # and on they go, from where what is late was left
            engine.begin(np.arange(270) % 3 > 0)
            engine.begin(np.arange(270) % 3 == 0)
        for _ in range(5):
            for engine in engines:
                engine.step(np.full((270, 4), 30.0))
            assert_shown_alike(*engines)
    assert (totals[0] != totals[1]).any()
    pulling = []
    for delay in (0, 4):
        network = Network.from_dict(
            load_network("chain4").to_dict() | {"information_delay": delay, "decoupling_point": "supply"}
        )
        engine = Engine(network, 2)
        engine.reset(0)
        engine.play(Rules(network, {f"{name}.pull_threshold": 60 for name in network.source_names}))
        pulling.append(engine.totals.start)
    np.testing.assert_array_equal(*pulling)


def test_rollouts_see_what_engines_show():
    network = Network.from_dict(late("chain4", 2).to_dict() | {"units": "real", "warm_up": 0})
    seen: list[View] = []

    def policy(view: Any) -> Any:
        seen.append(view)
        return 60 - view.on_hand.T[:, list(network.source_stage)]

    rollout(network, policy, draw(network, 8, [(3, 0), (4, 0)]), "float64")
    engine = Engine(network, 2, 8, backend="numpy")
    engine.reset(3)
    for t in range(8):
        view = engine.view()
        for field in SEEN:
            np.testing.assert_allclose(getattr(seen[t], field), getattr(view, field), err_msg=field)
        engine.step(60 - view.on_hand.T[:, list(network.source_stage)])
    assert isinstance(seen[0].on_hand, torch.Tensor)


@hunt(40)
@given(networks())
def test_every_row_of_a_state_has_a_delay(mapping):
    network = Network.from_dict(mapping | {"information_delay": 2})
    state = vars(dynamics.initial_state(np, network, 1, dtype=np.float64))
    rows = {field: len(values) for field, values in state.items() if field != "period"}
    delays = {field: len(delays) for field, delays in row_delays(network).items() if field != "demand"}
    assert delays == rows
