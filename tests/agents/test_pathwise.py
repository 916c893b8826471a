"""The pathwise agent: it finds known optima, repeats itself, and comes back from its files as it was."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import torch as xp

from pushpull.agents import make_policy, pathwise
from pushpull.agents.optimal import solve
from pushpull.agents.pathwise import Decider, PathwisePolicy, PathwiseSettings, train
from pushpull.envs import InputError, Network, load_network, simulate
from pushpull.envs.actions import ActionSpace
from pushpull.envs.boards import lost_sales
from pushpull.envs.engine import Engine
from pushpull.envs.observations import BLOCKS, standard_blocks

WORLD = 1_000_000
SMALL: dict[str, Any] = {
    "steps": 240,
    "num_envs": 4,
    "longest_episode": 20,
    "hidden_layers": [8],
    "validation_episodes": 8,
    "validate_every": 1,
}
CHAIN: dict[str, Any] = {
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
NEWSVENDOR: dict[str, Any] = {
    "name": "newsvendor",
    "units": "real",
    "decoupling_point": "market",
    "horizon": 60,
    "warm_up": 10,
    "stages": {
        "shop": {
            "initial_on_hand": 10,
            "holding_cost": 1,
            "sources": [{"lead_time": 0}],
            "market": {"demand": {"kind": "normal", "mean": 10, "sd": 3}, "backorder_cost": 9},
        }
    },
}


def small_policy(seed=0, network=CHAIN, world=WORLD, **changes):
    return train(Network.from_dict(network), SMALL | changes, seed, world)


def view_of(network, seed=0, num_envs=5, periods=4, policy=None):
    """Return a view after some periods of a policy, by default the constant one, when states differ."""
    engine, policy = Engine(network, num_envs), policy or make_policy("constant", network)
    engine.reset(seed)
    for _ in range(periods):
        engine.step(policy.act(engine.view()))
    return engine.view()


def cost(network, policy, seed=0):
    return simulate(network, policy, episodes=400, seed=seed)["cost"].mean()


# --- known optima -----------------------------------------------------------------------------------------------------


def test_a_wrong_level_is_corrected_to_the_newsvendors(monkeypatch):
    """Heuristics know this network's level, so learning is started from a wrong one."""
    network, start_and_scale = Network.from_dict(NEWSVENDOR), pathwise.start_and_scale

    def wrong(space, head):
        start, scale = start_and_scale(space, head)
        return start + 5, scale

    monkeypatch.setattr(pathwise, "start_and_scale", wrong)
    settings: dict[str, Any] = {
        "steps": 150 * 64 * 10,
        "num_envs": 64,
        "longest_episode": 10,
        "warm_up": 3,
        "hidden_layers": [8],
        "learning_rate": [0.02, 0.0],
        "validation_episodes": 64,
    }
    optimum, learned = solve(network), train(network, settings, 0, WORLD)
    untrained = PathwisePolicy(network, Decider(network, standard_blocks(network), PathwiseSettings(**settings)))
    best = cost(network, optimum.policy)
    assert best == pytest.approx(optimum.cost, rel=0.02)
    assert cost(network, untrained) > 1.3 * best
    assert cost(network, learned) < 1.01 * best
    view = view_of(network, num_envs=200, periods=20, policy=learned)
    level = view.inventory_position[0] + learned.act(view)[:, 0]
    assert level.mean() == pytest.approx(optimum.levels["shop"], rel=0.03)


def test_quantities_learn_to_follow_the_stock():
    """What is released lifts the stock to the critical fractile, though the policy is never told what a level is."""
    network = Network.from_dict(NEWSVENDOR)
    settings: dict[str, Any] = {
        "head": "quantity",
        "steps": 200 * 64 * 8,
        "num_envs": 64,
        "longest_episode": 8,
        "warm_up": 2,
        "hidden_layers": [16],
        "learning_rate": [0.02, 0.0],
        "validation_episodes": 64,
    }
    learned, best = train(network, settings, 0, WORLD), cost(network, solve(network).policy)
    assert cost(network, make_policy("constant", network)) > 2 * best
    assert cost(network, learned) < 1.02 * best


def test_corrections_of_levels_leave_base_stock_behind_where_sales_are_lost():
    """In whole units: the actions of the second half of training are rounded."""
    network = lost_sales(lead_time=2, penalty=4)
    settings: dict[str, Any] = {
        "steps": 120 * 64 * 20,
        "num_envs": 64,
        "longest_episode": 20,
        "warm_up": 6,
        "hidden_layers": [32],
        "learning_rate": [0.02, 0.0],
        "validation_episodes": 128,
    }
    learned, optimum = train(network, settings, 0, WORLD, reward="cost"), solve(network)
    best, base_stock = (cost(network, policy) for policy in (optimum.policy, make_policy("base_stock", network)))
    assert base_stock > 1.06 * best
    assert cost(network, learned) < 1.02 * best


def test_loss_falls_and_the_best_weights_are_kept():
    network, found = Network.from_dict(NEWSVENDOR), []
    policy = train(
        network,
        SMALL | {"head": "quantity", "num_envs": 32, "steps": 38_400, "learning_rate": [0.02, 0.0], "patience": None},
        0,
        WORLD,
        log=lambda _, numbers: found.append(numbers),
    )
    losses = [numbers["train/loss"] for numbers in found]
    assert len(losses) == 60
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])
    engine = Engine(network, 8, 20)
    engine.reset(WORLD + 32)
    paid = [engine.step(policy.act(engine.view())) for _ in range(20)]
    assert -np.mean(paid[10:]) == pytest.approx(min(numbers["train/validation_loss"] for numbers in found), rel=1e-12)


# --- where it starts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chain4", "distribution10", "beer_game", "lost_sales"])
@pytest.mark.parametrize("point", [None, "market"])
def test_learning_starts_near_the_heuristic(name, point):
    """Without a learning rate training changes nothing: what is left is the start, on sources that push or pull."""
    network = (lost_sales() if name == "lost_sales" else load_network(name)).with_decoupling_point(point)
    policy = train(network, SMALL | {"learning_rate": [0.0, 0.0], "steps": 1}, 0, WORLD)
    own, formula = (
        simulate(network, some, episodes=20, seed=0)["cost"].mean()
        for some in (policy, make_policy("base_stock", network))
    )
    assert own == pytest.approx(formula, rel=0.05)


def test_quantities_start_at_the_mean_release():
    network = Network.from_dict(NEWSVENDOR)
    policy = small_policy(network=NEWSVENDOR, head="quantity", learning_rate=[0.0, 0.0])
    np.testing.assert_allclose(policy.act(view_of(network)), 10, rtol=0.05)


# --- the same again ---------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights():
    torch.manual_seed(1)
    first, state = small_policy().decider.state_dict(), torch.random.get_rng_state()
    torch.manual_seed(2)
    again, other = small_policy().decider.state_dict(), small_policy(seed=1).decider.state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), state)  # nothing was drawn from the global generator


def test_training_plays_the_worlds_it_is_given():
    network, demand = Network.from_dict(NEWSVENDOR), []
    policy = small_policy(network=NEWSVENDOR, learning_rate=[0.0, 0.0])
    settings = SMALL | {"learning_rate": [0.0, 0.0], "steps": 160}
    train(network, settings, 0, WORLD, log=lambda _, numbers: demand.append(numbers["train/loss"]))
    for episode, loss in enumerate(demand):
        engine = Engine(network, 4, 20)
        engine.reset(WORLD)
        for _ in range(episode):
            engine.begin(np.ones(4, dtype=bool))
        paid = [engine.step(policy.act(engine.view())) for _ in range(20)]
        assert loss == pytest.approx(-np.mean(paid[10:]), rel=1e-9)
    assert len(set(demand)) == 2


def test_an_environment_acts_alone_as_in_a_batch():
    policy = small_policy()
    together = policy.act(view_of(policy.network, seed=0, num_envs=6))
    alone = [policy.act(view_of(policy.network, seed=e, num_envs=1))[0] for e in range(6)]
    assert np.array_equal(together, np.array(alone))
    assert len(np.unique(together, axis=0)) > 1


def test_it_acts_on_arrays_as_on_tensors():
    """Training and play decide alike: whole units are the only difference."""
    policy = small_policy(network=CHAIN | {"units": "real"})
    view = view_of(policy.network)
    tensors = view.converted(lambda rows: torch.as_tensor(rows, dtype=torch.float64), xp)
    np.testing.assert_array_equal(policy.act(view), policy.decider(tensors).detach().numpy())


def test_a_saved_policy_acts_the_same_and_its_file_holds_tensors_only(tmp_path):
    policy = small_policy(network=NEWSVENDOR, head="quantity", learning_rate=[0.1, 0.1], steps=800)
    view = view_of(policy.network)
    policy.save(tmp_path)
    again = PathwisePolicy.load(tmp_path, policy.network)
    np.testing.assert_array_equal(again.act(view), policy.act(view))
    untrained = PathwisePolicy(
        policy.network,
        Decider(policy.network, standard_blocks(policy.network), PathwiseSettings(**{**SMALL, "head": "quantity"})),
    )
    assert not np.array_equal(untrained.act(view), policy.act(view))
    assert all(
        isinstance(value, torch.Tensor) for value in torch.load(tmp_path / "weights.pt", weights_only=True).values()
    )


def test_levels_come_from_the_file_and_not_from_a_changed_network(tmp_path):
    small_policy().save(tmp_path)
    busy = json.loads(json.dumps(CHAIN))
    busy["stages"]["item"]["market"]["demand"]["mean"] = 30
    first, then = (PathwisePolicy.load(tmp_path, Network.from_dict(chain)) for chain in (CHAIN, busy))
    view = view_of(Network.from_dict(CHAIN))
    np.testing.assert_array_equal(first.act(view), then.act(view))


# --- what it takes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["electronics_full", "pharma", "marketing_channel", "semiconductor", "or_gym_inventory"]
)
def test_it_learns_on_networks_with_features(name):
    """Promotions, books, shelf lives, set-ups, order rules and mixed sources: an update of each, and a policy."""
    network = load_network(name)
    policy = train(network, SMALL | {"steps": 80, "num_envs": 2}, 0, WORLD)
    assert np.isfinite(simulate(network, policy, episodes=2, seed=0)["profit"]).all()


@pytest.mark.parametrize("head", ["base_stock", "quantity"])
def test_mixed_sources_are_pulled_or_pushed_by_the_head(head):
    """In whole units and rounding from the first update on."""
    network = Network.from_dict(CHAIN).with_decoupling_point("learned")
    losses = []
    policy = train(
        network,
        SMALL | {"head": head, "round_from": 0.0, "learning_rate": [0.1, 0.1]},
        0,
        WORLD,
        log=lambda _, numbers: losses.append(numbers["train/loss"]),
    )
    assert np.isfinite(losses).all() and len(set(losses)) == 3
    quantity, threshold = (policy.act(view_of(network))[:, first::2] for first in (0, 1))
    if head == "base_stock":
        assert (quantity == 0).all() and (threshold > 0).all()
    else:
        assert (quantity > 0).all() and (threshold == -np.inf).all()


def test_rounding_leaves_intensities_alone():
    network = load_network("marketing_channel")
    assert network.units == "integer" and network.promoting
    decider = Decider(network, standard_blocks(network), PathwiseSettings(steps=1, num_envs=1))
    tensors = view_of(network).converted(lambda rows: torch.as_tensor(rows, dtype=torch.float64), xp)
    free = decider(tensors)
    decider.rounds = True
    whole = decider(tensors)
    promotions = np.array([name.endswith(".promotion") for name in ActionSpace(network).names])
    assert torch.equal(whole[:, promotions], free[:, promotions]) and (free[:, promotions] > 0).all()
    assert torch.equal(whole[:, ~promotions], free[:, ~promotions].round())
    whole[:, ~promotions].sum().backward()
    slopes = [layer.grad for layer in decider.parameters() if layer.grad is not None]
    assert len(slopes) == 6 and all(slope.isfinite().all() and slope.abs().sum() > 0 for slope in slopes)


def test_every_block_is_read_from_tensors():
    network = load_network("electronics_full")
    policy = train(network, SMALL | {"steps": 80}, 0, WORLD, observation=list(BLOCKS))
    assert set(policy.decider.observation.blocks) == set(BLOCKS)
    assert np.isfinite(policy.act(view_of(network))).all()


def test_sources_of_a_stage_share_its_need():
    """Of two sources that push, the second orders what the first left."""
    network = Network.from_dict(
        {
            "decoupling_point": "market",
            "units": "real",
            "stages": {
                "shop": {
                    "holding_cost": 1,
                    "sources": [{"lead_time": 1, "unit_cost": 3}, {"lead_time": 2, "unit_cost": 2}],
                    "market": {"demand": {"kind": "normal", "mean": 10, "sd": 3}, "backorder_cost": 9},
                }
            },
        }
    )
    policy = small_policy(network=network.to_dict(), learning_rate=[0.0, 0.0])
    view = view_of(network, periods=0)
    levels = policy.decider.start.numpy()
    expected = [levels[0], max(0.0, levels[1] - levels[0])]
    np.testing.assert_allclose(policy.act(view), np.tile(expected, (5, 1)), atol=1.0)


def test_early_stop_ends_training():
    steps = []
    settings = SMALL | {"learning_rate": [0.0, 0.0], "patience": 3, "steps": 8_000}
    train(Network.from_dict(CHAIN), settings, 0, WORLD, progress=steps.append)
    assert steps == [80, 160, 240]


def test_a_real_horizon_is_trained_whole():
    seen = []
    network = Network.from_dict(CHAIN | {"horizon_is_real": True, "horizon": 30})
    policy = train(network, SMALL | {"steps": 1}, 0, WORLD, progress=seen.append)
    assert seen == [4 * 30]
    assert "periods_left" in policy.decider.observation.blocks


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "parameters.steps: 0 is out of range"),
        ({"num_envs": 0}, "parameters.num_envs: 0 is out of range"),
        ({"head": "basestock"}, "parameters.head: 'basestock' is unknown; did you mean 'base_stock'"),
        ({"head": "quantity"}, "parameters.head: 'quantity' sets no threshold, and 'item' pulls"),
        ({"hidden_layer": [4]}, "parameters.hidden_layer: unknown key; did you mean 'hidden_layers'"),
        ({"hidden_layers": [0]}, "parameters.hidden_layers[0]: 0 is out of range"),
        ({"activation": "tan"}, "parameters.activation: 'tan' is unknown; did you mean 'tanh'"),
        ({"learning_rate": 0.1}, "parameters.learning_rate: 0.1 has 1 entries; give at least 2"),
        ({"learning_rate": [1, 2, 3]}, "parameters.learning_rate: [1, 2, 3] is not [first, last]"),
        ({"learning_rate": [-1, 0]}, "parameters.learning_rate[0]: -1 is out of range"),
        ({"max_gradient_norm": 0}, "parameters.max_gradient_norm: 0 is out of range"),
        ({"longest_episode": 1}, "parameters.longest_episode: 1 is out of range"),
        ({"warm_up": 20}, "parameters.warm_up: 20 leaves nothing of 20 periods; give less"),
        ({"round_from": 2}, "parameters.round_from: 2 is out of range"),
        ({"validation_episodes": 0}, "parameters.validation_episodes: 0 is out of range"),
        ({"validate_every": 1.5}, "parameters.validate_every: 1.5 is not whole"),
        ({"patience": 0}, "parameters.patience: 0 is out of range"),
        ({"device": "gpu"}, "parameters.device: 'gpu' cannot be used"),
    ],
)
def test_settings_that_cannot_be_used_are_named(changes, words):
    with pytest.raises(InputError) as caught:
        small_policy(**changes)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": -1}, "seed: -1 is out of range"),
        ({"world": 0.5}, "world: 0.5 is not whole"),
        ({"observation": ["forcast"]}, "observation.blocks: 'forcast' is unknown; did you mean 'forecast'"),
        ({"reward": {"profits": 1}}, "reward.profits: unknown term"),
        ({"periods": 0}, "periods: 0 is out of range"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(arguments, words):
    with pytest.raises(InputError) as caught:
        train(Network.from_dict(CHAIN), SMALL, **{"seed": 0, "world": WORLD} | arguments)
    assert str(caught.value).startswith(words)


def test_a_policy_is_refused_by_a_network_it_was_not_trained_for(tmp_path):
    small_policy().save(tmp_path)
    with pytest.raises(InputError, match="network: 'two_stages' has actions"):
        PathwisePolicy.load(tmp_path, Network.from_dict(CHAIN).with_decoupling_point("market"))
    with pytest.raises(InputError, match="folder: no policy in"):
        PathwisePolicy.load(tmp_path / "elsewhere", Network.from_dict(CHAIN))


def test_a_policy_of_another_algorithm_is_refused(tmp_path):
    small_policy().save(tmp_path)
    about = json.loads((tmp_path / "policy.json").read_text()) | {"algorithm": "ppo"}
    (tmp_path / "policy.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="holds a policy of 'ppo', not of 'pathwise'"):
        PathwisePolicy.load(tmp_path, Network.from_dict(CHAIN))
