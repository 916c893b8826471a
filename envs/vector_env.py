"""The native Gymnasium vector environment: B chains in one step of the engine."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from pushpull.envs import render
from pushpull.envs.boards import board_and_others
from pushpull.envs.gym_env import PushPullEnv, draw, spaces
from pushpull.envs.task import Task


class PushPullVectorEnv(VectorEnv):
    """B environments of one network, stepped together; environment e is the single environment seeded seed + e.

    An environment that ends starts its next episode in the same step: the observation returned is the new episode's
    first, and the old one's last stands in ``infos["final_obs"]``, with its info in ``infos["final_info"]``.

    Parameters
    ----------
    num_envs : int
        B.
    render_mode : str, optional
        As for a single environment; environment 0 is drawn.
    **task
        The arguments of `pushpull.envs.task.Task` but `num_envs`.
    """

    metadata = {**PushPullEnv.metadata, "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, num_envs: int = 1, render_mode: str | None = None, network: Any = "electronics", **task: Any):
        self.task = Task(network, num_envs, **task)
        self.network, self.num_envs, self.render_mode = self.task.network, num_envs, render_mode
        self.single_observation_space, self.single_action_space = spaces(self.task)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._started = False
        self._all = np.ones(num_envs, dtype=bool)
        self._masks = [f"_{key}" for key in self.task.info_keys]

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Enter the worlds seed, seed + 1, ... (or those listed), or the next episodes of the worlds at hand.

        ``options={"reset_mask": mask}`` starts the next episode in some environments only.
        """
        mask = (options or {}).get("reset_mask")
        if seed is None and self._started:
            observations = self.task.begin(self._all if mask is None else np.asarray(mask, dtype=bool))
        else:
            super().reset(seed=seed if isinstance(seed, int) else None)
            fresh = int(self.np_random.integers(2**31))
            if isinstance(seed, list):
                observations = self.task.reset([fresh + e if own is None else own for e, own in enumerate(seed)])
            else:
                observations = self.task.reset(fresh if seed is None else seed)
        self._started = True
        return observations, self._info()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Run one period in every environment."""
        observations, rewards = self.task.step(actions)
        ended, nobody = self.task.engine.ended, np.zeros(self.num_envs, dtype=bool)
        terminated, truncated = (ended, nobody) if self.network.horizon_is_real else (nobody, ended)
        if not ended.any():
            return observations, rewards, terminated, truncated, self._info()
        last, final = np.full(self.num_envs, None, dtype=object), self._info()
        for e in np.flatnonzero(ended):
            last[e] = observations[e]
        observations = self.task.begin(ended)
        final = {"final_obs": last, "_final_obs": ended, "final_info": final, "_final_info": ended}
        return observations, rewards, terminated, truncated, {**self._info(), **final}

    def render(self) -> tuple[Any, ...] | None:
        """Draw environment 0."""
        return None if self.render_mode is None else (draw(self.task, self.render_mode),)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window of human rendering."""
        if self.render_mode == "human":
            render.close()

    def _info(self) -> dict[str, Any]:
        """Return the info of all environments: each key, and its mask of who has it (everyone)."""
        info = self.task.info()
        return info | dict.fromkeys(self._masks, self._all)


def board_vector_env(board: str, num_envs: int = 1, **arguments: Any) -> PushPullVectorEnv:
    """Make the vector environment of a board from the board's parameters and the environment's, as its id does."""
    names = [name for name in inspect.signature(Task).parameters if name not in ("network", "num_envs")]
    network, others = board_and_others(board, arguments, ["render_mode", *names])
    return PushPullVectorEnv(num_envs, network=network, **others)
