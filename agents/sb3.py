"""Learned policies: PPO, A2C, SAC and TD3 of stable-baselines3 (Raffin et al. 2021), trained on the engine itself.

`train` lets an algorithm learn in environments whose actions lie in [-1, 1], whose observations are divided by their
natural scales and whose reward is divided by what one period's demand is worth, so that one set of hyperparameters
serves small and large chains. What it returns, a `LearnedPolicy`, reads a view and answers in units like any other.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import A2C, PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnvWrapper

from pushpull.agents.policy import make_policy
from pushpull.envs.actions import ActionSpace
from pushpull.envs.checks import InputError, number, suggest
from pushpull.envs.network import Network
from pushpull.envs.observations import Observation, View
from pushpull.envs.sb3_vec_env import PushPullVecEnv

ALGORITHMS: dict[str, type[BaseAlgorithm]] = {"ppo": PPO, "a2c": A2C, "sac": SAC, "td3": TD3}
ACTIVATIONS = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}
_POLICY_PARAMETERS = ("hidden_layers", "activation", "log_std_init")
_OWN_ARGUMENTS = ("policy", "env", "seed", "device", "verbose", "tensorboard_log", "policy_kwargs", "_init_setup_model")


def train(
    network: Network,
    algorithm: str,
    steps: int,
    seed: int,
    num_envs: int,
    parameters: Mapping[str, Any] | None = None,
    first_world: int | None = None,
    reward: str | Mapping[str, float] = "profit",
    observation: Sequence[str] | None = None,
    periods: int | None = None,
    progress: Callable[[int], Any] | None = None,
    log_folder: str | Path | None = None,
) -> LearnedPolicy:
    """Train an algorithm on a network.

    Learning starts where the agent `constant` stands: the first policy acts like it, and rewards are counted from its
    mean reward. The same arguments give the same policy, bit for bit, on the same machine.

    Parameters
    ----------
    network : Network
        The chain.
    algorithm : str
        One of `ALGORITHMS`.
    steps : int
        Environment steps, all environments together; rounded up to whole rollouts of the algorithm.
    seed : int
        Of the algorithm: initial weights, exploration, minibatches.
    num_envs : int
        Environments side by side.
    parameters : mapping, optional
        Arguments of the algorithm's class by name, and beside them ``hidden_layers`` (units of each layer),
        ``activation`` (one of `ACTIVATIONS`), ``log_std_init``, a ``learning_rate`` of the form [first, last] that
        falls linearly, and ``action_noise``, a standard deviation.
    first_world : int, optional
        World of the first environment, those of the others follow; by default `seed`.
    reward, observation, periods
        As in `pushpull.envs.task.Task`; `observation` is a list of blocks.
    progress : callable, optional
        Called with the number of steps done so far.
    log_folder : str or Path, optional
        Where TensorBoard logs go, with the KPIs of ended episodes under ``supply/``.

    Returns
    -------
    LearnedPolicy

    Raises
    ------
    InputError
        For an algorithm or a parameter that is unknown, or a batch that does not divide a rollout.
    """
    torch.set_num_threads(1)  # matrices this small are slower on two threads
    environment = PushPullVecEnv(
        network,
        number(1, whole=True)("num_envs", num_envs),
        reward=reward,
        observation={"blocks": observation, "scaled": True},
        action="normalised",
        scale_reward=True,
        periods=periods,
    )
    seed = number(0, whole=True)("seed", seed)
    world = seed if first_world is None else first_world
    action, reward_level = _trial(environment, world)
    model = _model(algorithm, _Centred(environment, reward_level), seed, parameters or {})
    _start_from(model, action)
    environment.seed(world)
    model.set_logger(Logger(None, [] if log_folder is None else [TensorBoardOutputFormat(str(log_folder))]))
    model.learn(number(1, whole=True)("steps", steps), callback=_Watch(progress))
    return LearnedPolicy(network, model, algorithm, environment.task.observation.blocks)


class LearnedPolicy:
    """A trained model as a policy: reads a view, acts without exploring, answers in units.

    Parameters
    ----------
    network : Network
        The chain it acts on.
    model : BaseAlgorithm
        The trained model.
    algorithm : str
        Which of `ALGORITHMS` it is.
    blocks : sequence of str
        Observation blocks that it reads, scaled.
    """

    def __init__(self, network: Network, model: BaseAlgorithm, algorithm: str, blocks: Sequence[str]):
        self.network, self.model, self.algorithm = network, model, algorithm
        self._observation = Observation(network, blocks, scaled=True)
        self._action_space = ActionSpace(network, "normalised")

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units."""
        vectors, _ = self.model.predict(self._observation(view), deterministic=True)  # type: ignore[arg-type]
        return self._action_space.physical(vectors)

    def save(self, folder: str | Path) -> None:
        """Write ``model.zip``, stable-baselines3's own file, and ``policy.json``, what it reads and sets."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save(folder / "model.zip")
        (folder / "policy.json").write_text(json.dumps(self._interface(), indent=2) + "\n")

    @classmethod
    def load(cls, folder: str | Path, network: Network) -> LearnedPolicy:
        """Read what `save` wrote; the model is a pickle, so load only what you trust.

        Raises
        ------
        InputError
            If there is no policy in the folder, or the network does not have what it reads and sets.
        """
        folder = Path(folder)
        if not (folder / "policy.json").is_file():
            raise InputError("folder", f"no policy in {str(folder)!r}; give a folder that holds policy.json")
        saved = json.loads((folder / "policy.json").read_text())
        model = ALGORITHMS[saved["algorithm"]].load(folder / "model.zip", device="cpu")
        policy = cls(network, model, saved["algorithm"], saved["blocks"])
        for key, own in policy._interface().items():
            if own != saved[key]:
                raise InputError(
                    "network", f"{network.name!r} has {key} {own}, but the policy was trained with {saved[key]}"
                )
        return policy

    def _interface(self) -> dict[str, Any]:
        return {
            "algorithm": self.algorithm,
            "blocks": list(self._observation.blocks),
            "observations": list(self._observation.names),
            "actions": list(self._action_space.names),
        }


def _model(algorithm: str, environment: VecEnvWrapper, seed: int, parameters: Mapping[str, Any]) -> BaseAlgorithm:
    """Build an untrained model from named parameters."""
    if algorithm not in ALGORITHMS:
        raise InputError("algorithm", f"{algorithm!r} is unknown; {suggest(algorithm, ALGORITHMS)}")
    kind = ALGORITHMS[algorithm]
    arguments = dict(parameters)
    shape = {name: arguments.pop(name) for name in _POLICY_PARAMETERS if name in arguments}
    accepted = [name for name in inspect.signature(kind).parameters if name not in _OWN_ARGUMENTS]
    for name in arguments:
        if name not in accepted:
            known = [*accepted, *_POLICY_PARAMETERS]
            raise InputError(f"parameters.{name}", f"unknown to {algorithm}; {suggest(name, known)}")
    if isinstance(arguments.get("learning_rate"), Sequence):
        first, last = arguments["learning_rate"]
        arguments["learning_rate"] = _Linear(first, last)
    if arguments.get("action_noise"):
        entries = environment.action_space.shape or ()
        arguments["action_noise"] = NormalActionNoise(np.zeros(entries), np.full(entries, arguments["action_noise"]))
    if "batch_size" in arguments and "n_steps" in arguments and kind is PPO:
        rollout = environment.num_envs * arguments["n_steps"]
        if rollout % arguments["batch_size"]:
            raise InputError(
                "parameters.batch_size",
                f"{arguments['batch_size']} does not divide a rollout of {rollout} steps (num_envs x n_steps); "
                "give a divisor",
            )
    return kind("MlpPolicy", environment, seed=seed, device="cpu", verbose=0, policy_kwargs=_policy(shape), **arguments)


def _trial(environment: PushPullVecEnv, world: int) -> tuple[np.ndarray, float]:
    """Play an episode of the agent `constant`; return its first action, normalised, and its mean reward."""
    space = environment.task.action_space
    constant = make_policy("constant", environment.task.network)
    environment.seed(world)
    environment.reset()
    actions, rewards = [], []
    for _ in range(environment.task.engine.periods):
        actions.append(space.from_physical(constant.act(environment.task.engine.view())))
        rewards.append(environment.step(actions[-1])[1])
    return actions[0][0], float(np.mean(rewards))


class _Centred(VecEnvWrapper):
    """Takes a constant off every reward, so that a critic need not first learn how much money a chain turns over.

    Episodes of one network are equally long, so this changes no preference between policies (Naik et al. 2024).
    """

    def __init__(self, environment: PushPullVecEnv, level: float):
        super().__init__(environment)
        self._level = np.float32(level)

    def reset(self) -> Any:
        return self.venv.reset()

    def step_wait(self) -> Any:
        observations, rewards, dones, infos = self.venv.step_wait()
        return observations, rewards - self._level, dones, infos


def _start_from(model: BaseAlgorithm, action: np.ndarray) -> None:
    """Make the untrained policy do an action on average: by the bias of its last layer, whose weights are near 0."""
    policy: Any = model.policy
    with torch.no_grad():
        if isinstance(model, OnPolicyAlgorithm):
            policy.action_net.bias.copy_(torch.as_tensor(action))
            return
        head = policy.actor.mu if isinstance(model, SAC) else policy.actor.mu[-2]
        head.weight.mul_(0.01)
        head.bias.copy_(torch.as_tensor(np.arctanh(np.clip(action, -0.95, 0.95))))  # a tanh follows
        if isinstance(model, TD3):
            policy.actor_target.load_state_dict(policy.actor.state_dict())


def _policy(shape: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the shape of the networks into the policy class's arguments."""
    out: dict[str, Any] = {}
    if "hidden_layers" in shape:
        out["net_arch"] = list(shape["hidden_layers"])
    if "activation" in shape:
        if shape["activation"] not in ACTIVATIONS:
            known = suggest(shape["activation"], ACTIVATIONS)
            raise InputError("parameters.activation", f"{shape['activation']!r} is unknown; {known}")
        out["activation_fn"] = ACTIVATIONS[shape["activation"]]
    if "log_std_init" in shape:
        out["log_std_init"] = shape["log_std_init"]
    return out


class _Linear:
    """A learning rate that moves linearly from `first` to `last` as training goes on."""

    def __init__(self, first: float, last: float):
        self.first, self.last = first, last

    def __call__(self, progress_remaining: float) -> float:
        return self.last + progress_remaining * (self.first - self.last)


class _Watch(BaseCallback):
    """Tells the caller how far training is, and the log what the chain's KPIs are."""

    def __init__(self, progress: Callable[[int], Any] | None):
        super().__init__()
        self._progress = progress

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            for name, value in info.get("kpis", {}).items():
                self.logger.record_mean(f"supply/{name}", value)
        if self._progress is not None:
            self._progress(self.num_timesteps)
        return True
