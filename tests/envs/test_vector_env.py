"""The native vector environment is a list of single environments, step by step, and keeps Gymnasium's promises."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import pushpull.envs  # noqa: F401  registers the ids
from pushpull.envs.checks import InputError

NETWORKS = ["electronics", "retail", "or_gym_inventory", "beer_game"]


def make_vec(network="electronics", num_envs=3, **task) -> Any:
    return gymnasium.make_vec("PushPull-v0", num_envs=num_envs, network=network, **task)


def test_it_is_native_and_declares_its_autoreset():
    envs = make_vec()
    assert type(envs).__name__ == "PushPullVectorEnv"
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert envs.observation_space.shape == (3, *envs.single_observation_space.shape)
    assert envs.action_space.shape == (3, *envs.single_action_space.shape)
    observations, _ = envs.reset(seed=0)
    assert observations in envs.observation_space


@pytest.mark.parametrize("network", NETWORKS)
def test_it_equals_singles_through_episodes_of_different_lengths(network):
    """Environment e is seeded seed + e; a reset of some only leaves their episodes shorter than the others'."""
    periods, num_envs, seed = 40, 3, 11
    envs = make_vec(network, num_envs, periods=periods)
    singles: list[Any] = [gymnasium.make("PushPull-v0", network=network, periods=periods) for _ in range(num_envs)]
    observations, infos = envs.reset(seed=seed)
    expected = [single.reset(seed=seed + e) for e, single in enumerate(singles)]
    same(observations, infos, expected)
    rng = np.random.default_rng(0)
    ends = np.zeros(num_envs, dtype=int)
    for t in range(2 * periods + 20):
        if t == 17:
            mask = np.array([True, False, True])
            observations, infos = envs.reset(options={"reset_mask": mask})
            for e in np.flatnonzero(mask):
                expected[e] = singles[e].reset()
        actions = rng.uniform(0, 1, envs.action_space.shape).astype(np.float32) * envs.action_space.high
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        for e, single in enumerate(singles):
            seen, reward, ended, cut, info = single.step(actions[e])
            assert rewards[e] == reward and terminated[e] == ended and truncated[e] == cut
            assert bool(infos.get("_final_obs", np.zeros(num_envs, dtype=bool))[e]) == (ended or cut)
            if ended or cut:
                ends[e] += 1
                np.testing.assert_array_equal(infos["final_obs"][e], seen)
                assert {key: infos["final_info"][key][e] for key in info} == pytest.approx(info, rel=1e-12, nan_ok=True)
                seen, info = single.reset()
            expected[e] = (seen, info)
        same(observations, infos, expected)
    assert (ends >= 2).all()


def same(observations, infos, expected):
    for e, (seen, info) in enumerate(expected):
        np.testing.assert_array_equal(observations[e], seen)
        assert {key: infos[key][e] for key in info} == info
        assert all(infos[f"_{key}"][e] for key in info)


def test_what_a_step_returns_is_not_overwritten_by_the_next():
    envs = make_vec(num_envs=2)
    envs.reset(seed=0)
    kept = []
    for _ in range(6):
        observations, rewards, *_, infos = envs.step(envs.action_space.high / 2)
        kept.append((observations, rewards, infos["period.revenue"], infos["period"]))
    again = make_vec(num_envs=2)
    again.reset(seed=0)
    for observations, rewards, revenue, period in kept:
        fresh, paid, *_, infos = again.step(again.action_space.high / 2)
        np.testing.assert_array_equal(observations, fresh)
        np.testing.assert_array_equal(rewards, paid)
        np.testing.assert_array_equal(revenue, infos["period.revenue"])
        np.testing.assert_array_equal(period, infos["period"])


def test_gymnasiums_episode_statistics_are_kept():
    envs: Any = RecordEpisodeStatistics(make_vec(num_envs=2, periods=30))
    envs.reset(seed=0)
    returns, recorded = np.zeros(2), []
    for _ in range(60):
        _, rewards, _, truncated, infos = envs.step(envs.action_space.high / 2)
        returns += rewards
        if truncated.any():
            recorded.append(infos["episode"])
            np.testing.assert_allclose(infos["episode"]["r"], returns)
            assert (infos["episode"]["l"] == 30).all()
            returns[:] = 0
    assert len(recorded) == 2


def test_seeds_may_be_listed_and_missing():
    envs = make_vec(num_envs=3)
    listed, _ = envs.reset(seed=[5, None, 7])
    first, _ = make_vec(num_envs=1).reset(seed=5)
    third, _ = make_vec(num_envs=1).reset(seed=7)
    np.testing.assert_array_equal(listed[[0, 2]], np.concatenate([first, third]))


def test_unseeded_environments_differ():
    worlds = [make_vec(num_envs=2).reset()[1]["seed"] for _ in range(2)]
    assert len(np.unique(worlds)) == 4


def test_a_hundred_thousand_environments_run():
    envs = make_vec("chain4", 100_000, periods=21, dtype="float32")
    envs.reset(seed=0)
    _, rewards, *_ = envs.step(envs.action_space.high / 2)
    assert rewards.shape == (100_000,) and np.isfinite(rewards).all()


@pytest.mark.parametrize(("count", "fragment"), [(0, "num_envs: 0"), (2.5, "num_envs: 2.5"), ("3", "num_envs: '3'")])
def test_a_wrong_number_of_environments_is_refused(count, fragment):
    with pytest.raises(InputError, match=fragment):
        make_vec(num_envs=count)


def test_actions_of_a_wrong_shape_are_refused():
    envs = make_vec(num_envs=2)
    envs.reset(seed=0)
    with pytest.raises(InputError, match=r"action: shape \[3, "):
        envs.step(np.zeros((3, envs.single_action_space.shape[0])))
