"""The stable-baselines3 vector environment, on the engine itself."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from pushpull.envs.gym_env import spaces
from pushpull.envs.task import Task


class PushPullVecEnv(VecEnv):
    """B environments of one network for stable-baselines3; ended episodes restart by themselves.

    The info of an ended environment holds ``terminal_observation``, ``TimeLimit.truncated``, Monitor's ``episode``
    record and, under ``kpis``, the KPIs of the episode. Between ends the infos are empty.

    Parameters
    ----------
    network, num_envs, **task
        See `pushpull.envs.task.Task`.
    """

    def __init__(self, network: Any, num_envs: int, **task: Any):
        self.task = Task(network, num_envs, **task)
        self.render_mode = None
        super().__init__(num_envs, *spaces(self.task))
        self._quiet: list[dict[str, Any]] = [{} for _ in range(num_envs)]
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, dtype=np.int64)
        self._actions = np.zeros((num_envs, len(self.task.action_space.entries)))
        self._started = time.time()

    def reset(self) -> np.ndarray:
        """Start the first episode of each environment, or the next where no new seed was set."""
        seeds = [int(seed) for seed in self._seeds if seed is not None]
        self._returns[:], self._lengths[:] = 0.0, 0
        if not seeds and hasattr(self.task.engine, "seeds"):
            observations = self.task.begin(np.ones(self.num_envs, dtype=bool))
        else:
            observations = self.task.reset(seeds or 0)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Run one period in every environment and restart the ended ones."""
        observations, rewards = self.task.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        ended = self.task.engine.ended
        if not ended.any():
            return observations, rewards.astype(np.float32), ended, self._quiet
        infos = [{} for _ in range(self.num_envs)]
        kpis = self.task.engine.kpis()
        for e in np.flatnonzero(ended):
            infos[e] = {
                "terminal_observation": observations[e],
                "TimeLimit.truncated": not self.task.network.horizon_is_real,
                "episode": {
                    "r": float(self._returns[e]),
                    "l": int(self._lengths[e]),
                    "t": round(time.time() - self._started, 6),
                },
                "kpis": {name: float(values[e]) for name, values in kpis.items()},
            }
        self._returns[ended], self._lengths[ended] = 0.0, 0
        return self.task.begin(ended), rewards.astype(np.float32), ended, infos

    def close(self) -> None:
        """Nothing to release."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the task (or of this object) once per environment."""
        target = self.task if hasattr(self.task, attr_name) else self
        return [getattr(target, attr_name)] * len(self._get_indices(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the task; environments share it, so `indices` must be all of them."""
        if len(self._get_indices(indices)) != self.num_envs:
            raise ValueError(f"set_attr({attr_name!r}): environments share their task; leave indices out")
        setattr(self.task, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call a method of the task and return its answer once per environment."""
        return [getattr(self.task, method_name)(*args, **kwargs)] * len(self._get_indices(indices))

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """Say that no environment is wrapped, but that Monitor's record is kept."""
        from stable_baselines3.common.monitor import Monitor

        return [issubclass(wrapper_class, Monitor)] * len(self._get_indices(indices))

    def _get_indices(self, indices: Any) -> list[int]:
        return list(super()._get_indices(indices))
