"""PushPull-v0 passes the checkers of Gymnasium and stable-baselines3, repeats itself, and keeps its info keys."""

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from pushpull.envs import InputError  # the import registers the id

CHAIN = {
    "name": "two_stages",
    "decoupling_point": "part",
    "horizon": 6,
    "stages": {
        "part": {"initial_on_hand": 20, "holding_cost": 1, "sources": [{"lead_time": 2}]},
        "item": {
            "holding_cost": 2,
            "sources": [{"inputs": {"part": 1}}],
            "market": {"demand": {"kind": "poisson", "mean": 10}, "price": 20, "backorder_cost": 18},
        },
    },
}


def make(**arguments):
    return gymnasium.make("PushPull-v0", **({"network": CHAIN, "action": "normalised"} | arguments))


@pytest.mark.parametrize("observation", ["physical", "scaled"])
@pytest.mark.parametrize("network", [CHAIN, CHAIN | {"decoupling_point": "learned"}, "electronics"])
def test_checkers_pass_without_a_warning(network, observation):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(make(network=network, observation=observation).unwrapped, skip_render_check=True)
        sb3_check_env(make(network=network, observation=observation).unwrapped)


def test_a_learned_decoupling_point_gives_the_agent_both_columns():
    env: Any = make(decoupling_point="learned").unwrapped
    assert env.action_names == (
        "part.push_quantity",
        "part.pull_threshold",
        "item.push_quantity",
        "item.pull_threshold",
    )


def test_in_units_the_checkers_only_recommend_a_normalised_action_space():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(make(action="physical").unwrapped, skip_render_check=True)
        sb3_check_env(make(action="physical").unwrapped)
    assert len(caught) == 2  # one by each checker
    assert all("normalized" in str(warning.message) for warning in caught)


def test_info_keys_are_the_same_at_reset_and_every_step():
    env = make()
    _, info = env.reset(seed=0)
    assert tuple(info) == env.unwrapped.task.info_keys  # type: ignore[attr-defined]
    ended = False
    while not ended:
        _, _, _, ended, later = env.step(env.action_space.sample())
        assert list(later) == list(info)
    assert all(isinstance(value, (int, float)) for value in later.values())


def test_the_info_of_an_episodes_end_holds_every_kpi_and_none_before():
    env: Any = make().unwrapped
    env.action_space.seed(0)
    _, info = env.reset(seed=0)
    names = env.task.engine.kpi_names
    assert {"fill_rate", "bullwhip_ratio", "demand_cv", "wape"} < set(names) < set(info)
    ended = False
    while not ended:
        assert not any(info[name] for name in names)
        _, _, _, ended, info = env.step(env.action_space.sample())
    kpis = env.task.engine.kpis()
    assert tuple(kpis) == names
    assert {name: info[name] for name in names} == pytest.approx({name: kpis[name].item() for name in names})
    assert 0 < info["fill_rate"] < 1 and info["bullwhip_ratio"] > 0 and info["wape"] > 0


def test_the_engine_itself_refuses_what_gymnasiums_wrappers_would():
    env = make(render_mode="rgb_array")
    for early in (lambda: env.step(np.zeros(2)), env.render):
        with pytest.raises(InputError, match="not called yet; call reset"):
            early()
    env.reset(seed=0)
    for misfit in (np.zeros(3), np.zeros((1, 2)), 0.0):
        with pytest.raises(InputError, match=r"shape .* does not fit; give \[1, 2\]"):
            env.step(misfit)
    with pytest.raises(InputError, match="give a finite number"):
        env.step(np.full(2, np.nan))


def test_whole_units_are_the_same_in_single_precision():
    single, double = (make(dtype=dtype, action="physical") for dtype in ("float32", "float64"))
    np.testing.assert_array_equal(single.reset(seed=3)[0], double.reset(seed=3)[0])
    for _ in range(6):
        action = double.action_space.sample()
        np.testing.assert_array_equal(single.step(action)[0], double.step(action)[0])
    assert single.unwrapped.task.engine.flows.on_hand.dtype == np.float32  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="dtype: 'float16'"):
        make(dtype="float16")


def test_a_seed_repeats_its_world_and_other_resets_go_on():
    env = make()

    def episode(seed=None):
        observation, _ = env.reset(seed=seed)
        seen = [observation]
        for _ in range(6):
            observation, reward, *_ = env.step(np.zeros(2, dtype=np.float32))
            seen += [observation, [reward]]
        return np.concatenate(seen)

    first, second, again, third = episode(7), episode(), episode(7), episode()
    assert np.array_equal(first, again)
    assert np.array_equal(second, third)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, episode(8))


def test_observations_stay_in_their_space_to_the_end():
    env = make(network="electronics", observation="scaled")
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0)
    ended = False
    while not ended:
        assert env.observation_space.contains(observation)
        observation, _, _, ended, _ = env.step(env.action_space.sample())
    assert env.observation_space.contains(observation)
