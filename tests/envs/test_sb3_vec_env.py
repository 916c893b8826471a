"""PushPullVecEnv keeps what stable-baselines3 expects of a vector environment."""

import numpy as np
import pytest
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from pushpull.envs import Network
from pushpull.envs.gym_env import PushPullEnv
from pushpull.envs.sb3_vec_env import PushPullVecEnv

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
TASK = {"action": "normalised", "observation": "scaled", "scale_reward": True}


def environment(num_envs=3, **changes):
    return PushPullVecEnv(Network.from_dict(CHAIN | changes), num_envs, **TASK)


def actions(num_envs=3, steps=14):
    return np.random.default_rng(0).uniform(-1, 1, (steps, num_envs, 2)).astype(np.float32)


def test_environments_equal_single_ones_through_episode_ends():
    """Environment e of seed s is the single environment of seed s + e, episode after episode."""
    together = environment()
    together.seed(5)
    singles = [PushPullEnv(CHAIN, **TASK) for _ in range(3)]
    first = together.reset()
    assert np.array_equal(first, [single.reset(seed=5 + e)[0] for e, single in enumerate(singles)])
    ends = 0
    for row in actions():
        observations, rewards, dones, infos = together.step(row)
        for e, single in enumerate(singles):
            observation, reward, terminated, truncated, info = single.step(row[e])
            assert rewards[e] == np.float32(reward)
            assert dones[e] == (terminated or truncated)
            if dones[e]:
                ends += 1
                assert np.array_equal(infos[e]["terminal_observation"], observation)
                assert infos[e]["TimeLimit.truncated"] == truncated
                expected = {name: info[name] for name in single.task.engine.kpi_names}
                assert infos[e]["kpis"] == pytest.approx(expected, nan_ok=True)
                observation, _ = single.reset()
                assert not np.array_equal(infos[e]["terminal_observation"], observation)
            assert np.array_equal(np.asarray(observations)[e], observation)
    assert ends == 6


@pytest.mark.filterwarnings("ignore:The environment is already wrapped")  # the point of the test
def test_episode_records_are_monitors():
    """The records equal those of SB3's own VecMonitor around the same environment."""
    monitored = VecMonitor(environment())
    own = environment()
    for env in (monitored, own):
        env.seed(1)
        env.reset()
    for row in actions():
        _, _, _, theirs = monitored.step(row)
        _, _, dones, ours = own.step(row)
        for e in range(3):
            assert ("episode" in ours[e]) == dones[e]
            if dones[e]:
                assert ours[e]["episode"]["r"] == pytest.approx(theirs[e]["episode"]["r"], rel=1e-5)
                assert ours[e]["episode"]["l"] == theirs[e]["episode"]["l"] == 6
                assert ours[e]["episode"]["t"] >= 0


@pytest.mark.parametrize("real", [False, True])
def test_a_real_horizon_terminates_and_another_truncates(real):
    env = environment(horizon_is_real=real)
    env.reset()
    infos = [env.step(row)[3] for row in actions(steps=6)]
    assert all("TimeLimit.truncated" not in info for period in infos[:-1] for info in period)
    assert [info["TimeLimit.truncated"] for info in infos[-1]] == [not real] * 3


def test_reset_with_a_seed_repeats_and_without_goes_on():
    env = environment()
    env.seed(3)
    env.reset()
    first = [env.step(row)[1] for row in actions(steps=5)]
    env.reset()
    second = [env.step(row)[1] for row in actions(steps=5)]
    env.seed(3)
    env.reset()
    again = [env.step(row)[1] for row in actions(steps=5)]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_what_sb3_asks_of_a_vector_environment():
    env = environment()
    assert env.num_envs == 3
    assert env.get_attr("network") == [env.task.network] * 3
    assert env.get_attr("network", indices=[0]) == [env.task.network]
    env.reset()
    assert [info["period"].tolist() for info in env.env_method("info", indices=[1, 2])] == [[0, 0, 0]] * 2
    assert env.env_is_wrapped(Monitor) == [True] * 3
    assert env.env_is_wrapped(VecNormalize, indices=0) == [False]
    with pytest.raises(ValueError, match="environments share their task"):
        env.set_attr("network", None, indices=[0])
    env.close()


def test_wrappers_and_evaluation_of_sb3_work():
    from stable_baselines3 import PPO

    env = VecNormalize(environment())
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=24, n_epochs=1, policy_kwargs={"net_arch": [4]}, device="cpu")
    model.learn(24)
    rewards, lengths = evaluate_policy(model, environment(), n_eval_episodes=6, return_episode_rewards=True)
    assert lengths == [6] * 6
    assert isinstance(rewards, list)
    assert len(set(rewards)) == 6  # six different worlds
