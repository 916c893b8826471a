"""Learned policies: they train, act, save, load and repeat themselves."""

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pushpull.agents import make_policy
from pushpull.agents.sb3 import ALGORITHMS, LearnedPolicy, train
from pushpull.envs import InputError, Network, simulate
from pushpull.envs.actions import ActionSpace
from pushpull.envs.engine import Engine

CHAIN = {
    "name": "two_stages",
    "decoupling_point": "part",
    "horizon": 20,
    "stages": {
        "part": {"initial_on_hand": 20, "holding_cost": 1, "sources": [{"lead_time": 2}]},
        "item": {
            "holding_cost": 2,
            "sources": [{"inputs": {"part": 1}}],
            "market": {"demand": {"kind": "poisson", "mean": 10}, "price": 20, "backorder_cost": 18},
        },
    },
}
SMALL = {
    "ppo": {"n_steps": 32, "batch_size": 64, "n_epochs": 2},
    "a2c": {"n_steps": 8},
    "sac": {"learning_starts": 100, "buffer_size": 1000, "batch_size": 32},
    "td3": {"learning_starts": 100, "buffer_size": 1000, "batch_size": 32, "action_noise": 0.1},
}


def small_policy(algorithm="ppo", seed=0, **changes):
    arguments = {"steps": 256, "num_envs": 4, "parameters": {**SMALL[algorithm], "hidden_layers": [16]}}
    return train(Network.from_dict(CHAIN), algorithm, seed=seed, **(arguments | changes))


@pytest.mark.parametrize("algorithm", ["ppo", "td3"])
def test_a_policy_may_learn_where_to_decouple(algorithm):
    """With a learned decoupling point it sets a quantity and a threshold for every source, from `constant`."""
    network = Network.from_dict(CHAIN).with_decoupling_point("learned")
    policy = train(network, algorithm, 1, 0, 4, {**SMALL[algorithm], "hidden_layers": [16]})
    view, space = first_view(network), ActionSpace(network)
    actions = policy.act(view)
    assert space.names == tuple(
        f"{s}.{column}" for s in CHAIN["stages"] for column in ("push_quantity", "pull_threshold")
    )
    assert ((space.low <= actions) & (actions <= space.high)).all()
    np.testing.assert_allclose(actions, make_policy("constant", network).act(view), atol=0.1 * space.high.max())
    assert simulate(network, policy, 3, 0)["fill_rate"].mean() > 0.5


def first_view(network, seed=0, num_envs=5):
    engine = Engine(network, num_envs)
    engine.reset(seed)
    return engine.view()


def weights(policy):
    return {name: tensor.detach().clone() for name, tensor in policy.model.policy.state_dict().items()}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_training_acts_saves_loads_and_repeats(algorithm, tmp_path):
    policy = small_policy(algorithm)
    view, space = first_view(policy.network), ActionSpace(policy.network)
    actions = policy.act(view)
    assert actions.shape == (5, 2)
    assert ((space.low <= actions) & (actions <= space.high)).all()
    policy.save(tmp_path)
    assert np.array_equal(LearnedPolicy.load(tmp_path, policy.network).act(view), actions)
    again, before = weights(small_policy(algorithm)), weights(policy)
    assert all(torch.equal(again[name], before[name]) for name in before)
    other = weights(small_policy(algorithm, seed=1))
    assert not all(torch.equal(other[name], before[name]) for name in before)
    assert len(simulate(policy.network, policy, episodes=3, seed=0)) == 3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_learning_starts_where_constant_stands(algorithm):
    """Without a learning rate training changes nothing: what is left is the start."""
    parameters = {**SMALL[algorithm], "learning_rate": 0.0, "hidden_layers": [16]}
    policy = small_policy(algorithm, parameters=parameters)
    view, space = first_view(policy.network), ActionSpace(policy.network)
    constant = np.clip(make_policy("constant", policy.network).act(view), 0.03 * space.high, 0.97 * space.high)
    assert np.abs(policy.act(view) - constant).max() < 0.03 * space.high.max()
    assert np.abs(space.high / 2 - constant).max() > 0.1 * space.high.max()  # the middle of the bounds is elsewhere


def test_rewards_are_counted_from_what_constant_earns():
    policy = small_policy()
    environment = policy.model.get_env()
    assert environment is not None
    constant = make_policy("constant", policy.network)
    space, engine = ActionSpace(policy.network, "normalised"), environment.get_attr("engine")[0]
    environment.seed(0)
    environment.reset()
    rewards = [environment.step(space.from_physical(constant.act(engine.view())))[1] for _ in range(20)]
    assert abs(np.mean(rewards)) < 1e-6 < np.std(rewards)


def test_training_moves_the_weights():
    longer, shorter = weights(small_policy(steps=256)), weights(small_policy(steps=128))
    assert not torch.equal(longer["action_net.weight"], shorter["action_net.weight"])


def test_training_plays_in_the_worlds_it_is_given():
    policy = small_policy(first_world=1_000_000)
    environment = policy.model.get_env()
    assert environment is not None
    assert environment.get_attr("engine")[0].seeds.tolist() == [1_000_000, 1_000_001, 1_000_002, 1_000_003]


def test_learning_beats_every_constant_where_the_state_tells_what_to_do():
    """Demand alternates between 4 and 16, nothing is kept or owed: the best release is the one that is asked for."""
    network = Network.from_dict(
        {
            "horizon": 10,
            "decoupling_point": "item",
            "stages": {
                "item": {
                    "holding_cost": 2,
                    "sources": [{"lead_time": 0, "unit_cost": 2}],
                    "market": {
                        "demand": {"kind": "deterministic", "values": [4, 16] * 5},
                        "price": 4,
                        "stockout": "lost",
                    },
                }
            },
        }
    )

    class Constant:
        def __init__(self, quantity):
            self.quantity = quantity

        def act(self, view):
            return np.full((len(view.seeds), 1), float(self.quantity))

    constants = [simulate(network, Constant(q), episodes=1, seed=0).profit.mean() for q in range(21)]
    parameters = {"n_steps": 20, "batch_size": 160, "n_epochs": 10, "learning_rate": 0.003, "hidden_layers": [16]}
    policy = train(network, "ppo", 24_000, seed=0, num_envs=16, parameters=parameters)
    assert simulate(network, policy, episodes=1, seed=0).profit.mean() > max(constants) + 2


def test_logs_hold_the_chains_kpis(tmp_path):
    seen = []
    small_policy(log_folder=tmp_path, progress=seen.append)
    log = EventAccumulator(str(tmp_path))
    log.Reload()
    assert {"supply/fill_rate", "supply/cost", "rollout/ep_rew_mean"} <= set(log.Tags()["scalars"])
    assert seen == list(range(4, 257, 4))


def test_learning_rate_falls_linearly():
    parameters = {**SMALL["ppo"], "learning_rate": [0.01, 0.0], "hidden_layers": [16]}
    model = small_policy(steps=256, parameters=parameters).model
    # the last of two rollouts of 128 steps starts at progress 1 - 256 / 256
    assert [model.lr_schedule(share) for share in (1.0, 0.5, 0.0)] == [0.01, 0.005, 0.0]
    assert model.policy.optimizer.param_groups[0]["lr"] == 0.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"algorithm": "pp0"}, "algorithm: 'pp0' is unknown; did you mean 'ppo'"),
        ({"parameters": {"gama": 0.9}}, "parameters.gama: unknown to ppo; did you mean 'gamma'"),
        ({"parameters": {"verbose": 1}}, "parameters.verbose: unknown to ppo"),  # set by train itself
        ({"parameters": {"activation": "tan"}}, "parameters.activation: 'tan' is unknown; did you mean 'tanh'"),
        ({"parameters": {"n_steps": 10, "batch_size": 7}}, "parameters.batch_size: 7 does not divide a rollout of 40"),
        ({"steps": 0}, "steps: 0 is out of range"),
        ({"num_envs": 0}, "num_envs: 0 is out of range"),
        ({"observation": ["forcast"]}, "observation.blocks: 'forcast' is unknown; did you mean 'forecast'"),
        ({"reward": {"profits": 1}}, "reward.profits: unknown term"),
    ],
)
def test_what_cannot_be_used_is_named(changes, words):
    with pytest.raises(InputError) as caught:
        arguments = {"algorithm": "ppo", "steps": 64, "seed": 0, "num_envs": 4} | changes
        train(Network.from_dict(CHAIN), **arguments)
    assert words in str(caught.value)


def test_a_policy_is_refused_by_a_network_it_was_not_trained_for(tmp_path):
    small_policy().save(tmp_path)
    other = Network.from_dict(CHAIN).with_decoupling_point("market")
    with pytest.raises(InputError, match="network: 'two_stages' has"):
        LearnedPolicy.load(tmp_path, other)
    with pytest.raises(InputError, match="folder: no policy in"):
        LearnedPolicy.load(tmp_path / "elsewhere", other)
