"""A network as a decision task: what an agent sees, what it sets, what it is paid.

`Task` puts an observation, an action space and a reward on an engine of B environments: vectors in, vectors out.
Every door (single, vector, stable-baselines3) is a thin dress on it, so all of them mean the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pushpull.envs.accounting import money_names
from pushpull.envs.actions import ActionSpace
from pushpull.envs.checks import InputError, suggest
from pushpull.envs.engine import Engine
from pushpull.envs.library import load_network
from pushpull.envs.network import Network
from pushpull.envs.observations import Observation
from pushpull.envs.rewards import reward_scale, reward_weights


class Task:
    """B environments of one network with their observation, action and reward.

    Parameters
    ----------
    network : str, Path, mapping or Network
        A name from the library, a network file, its content, or the network itself.
    num_envs : int
        B.
    decoupling_point : str or list of str, optional
        Where the chain decouples, instead of where the network says.
    reward : str or mapping
        ``profit``, ``cost``, or weights by term.
    observation : str, sequence or mapping, optional
        ``physical`` (units) or ``scaled`` (divided by natural scales), a list of blocks, or
        ``{blocks: [...], scaled: true}``.
    action : {"physical", "normalised"}
        Units, or [-1, 1].
    scale_reward : bool
        Divide the reward by what one period's demand is worth, for learning agents.
    periods : int, optional
        Length of an episode; by default the network's horizon.
    backend : str
        What computes the dynamics.
    dtype : {"float64", "float32"}
        Its precision.
    """

    def __init__(
        self,
        network: str | Mapping[str, Any] | Network,
        num_envs: int = 1,
        decoupling_point: str | list[str] | None = None,
        reward: str | Mapping[str, float] = "profit",
        observation: str | Sequence[str] | Mapping[str, Any] | None = None,
        action: str = "physical",
        scale_reward: bool = False,
        periods: int | None = None,
        backend: str = "auto",
        dtype: str = "float64",
    ):
        self.network = load_network(network).with_decoupling_point(decoupling_point)
        self.action_space = ActionSpace(self.network, action)
        self.observation = Observation(self.network, **_observation_settings(observation))
        scale = reward_scale(self.network) if scale_reward else 1.0
        weights = {term: weight / scale for term, weight in reward_weights(reward).items()}
        self.engine = Engine(
            self.network, num_envs, periods, backend, dtype, self.action_space, self.observation, weights
        )
        self.period_keys = ("seed", "period", *money_names(self.network))
        self.info_keys = (*self.period_keys, *self.engine.kpi_names)

    def reset(self, seed: int | Sequence[int]) -> np.ndarray:
        """Start the first episode of the worlds seed, seed + 1, ...; return observations [B, D]."""
        self.engine.reset(seed)
        return self.engine.observe()

    def begin(self, which: np.ndarray) -> np.ndarray:
        """Start the next episode in the environments of the mask `which`; return observations [B, D]."""
        self.engine.begin(which)
        return self.engine.observe()

    def step(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Run one period; return observations [B, D] and rewards [B]."""
        paid = self.engine.step(vectors)
        return self.engine.observe(), paid

    def info(self) -> dict[str, np.ndarray]:
        """Return, with the same keys always, the last period's money and the KPIs of episodes that have ended, [B].

        The KPIs of an episode under way are 0: they are known, like its return, when it is over.
        """
        engine = self.engine
        ended, nothing = engine.ended, np.zeros(engine.num_envs)
        info: dict[str, np.ndarray] = dict.fromkeys(self.info_keys, nothing)
        period = (engine.seeds, engine.clock.copy(), *engine.money.astype(float))
        info.update(zip(self.period_keys, period, strict=True))
        if ended.any():
            info.update({name: np.where(ended, values, 0.0) for name, values in engine.kpis().items()})
        return info


def _observation_settings(observation: Any) -> dict[str, Any]:
    """Read the `observation` argument of an environment."""
    if observation is None or observation == "physical":
        return {}
    if observation == "scaled":
        return {"scaled": True}
    if isinstance(observation, str):
        raise InputError("observation", f"{observation!r} is unknown; {suggest(observation, ('physical', 'scaled'))}")
    if isinstance(observation, Mapping):
        for key in observation:
            if key not in ("blocks", "scaled"):
                raise InputError(f"observation.{key}", f"unknown key; {suggest(key, ('blocks', 'scaled'))}")
        return dict(observation)
    return {"blocks": list(observation)}
