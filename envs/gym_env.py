"""The Gymnasium environment: one chain, one agent."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box

from pushpull.envs import render
from pushpull.envs.boards import board_and_others
from pushpull.envs.network import Network
from pushpull.envs.task import Task


class PushPullEnv(gym.Env[np.ndarray, np.ndarray]):
    """A push-pull supply chain: push production upstream of the decoupling point, pull reordering downstream of it.

    ## Description
    A network of stages makes and moves items to customers. Upstream of the decoupling point the agent **pushes**: it
    releases quantities before demand is seen. Downstream it sets thresholds, and orders **pull** themselves when
    customers' demand brings the inventory position down to them.

    ## Action space
    ``Box(K)``: one push quantity per push source, one threshold per pull source (and a gap for (s, S) sources that
    state none), both for mixed sources, and one intensity in [0, 1] per market that promotes;
    ``env.unwrapped.action_names`` names them. In units, or with ``action="normalised"`` in [-1, 1], where 0 everywhere
    is a sensible constant policy.

    ## Observation space
    ``Box(D)``: named blocks, ``env.unwrapped.observation_names``, in units or, with ``observation="scaled"``, divided
    by their natural scales. By default the blocks that make the state known.

    ## Rewards
    ``profit`` (revenue less cost), ``cost`` (its negative), or weights by term.

    ## Starting state
    The network's initial stocks and pipelines. ``reset(seed=s)`` enters world s: demand is a function of the seed and
    the episode alone, so two agents with the same seed meet the same customers.

    ## Episode end
    After the network's horizon the episode is truncated, or terminated where the horizon is real (then the time left
    is observed).

    ## Info
    The same keys at reset and at every step: the period's money by term, and every KPI of the episode
    (`pushpull.envs.accounting.Kpis`), which is 0 until the episode has ended. ``env.unwrapped.task.engine.kpis()``
    gives the KPIs so far.

    ## Arguments
    See `pushpull.envs.task.Task`.

    ## Version history
    v0: first version.
    """

    metadata = {"render_modes": ["human", "rgb_array", "ansi"], "render_fps": 4}

    def __init__(
        self,
        network: str | Mapping[str, Any] | Network = "electronics",
        decoupling_point: str | list[str] | None = None,
        reward: str | Mapping[str, float] = "profit",
        observation: str | Sequence[str] | Mapping[str, Any] | None = None,
        action: str = "physical",
        scale_reward: bool = False,
        periods: int | None = None,
        backend: str = "auto",
        dtype: str = "float64",
        render_mode: str | None = None,
    ):
        self.task = Task(
            network, 1, decoupling_point, reward, observation, action, scale_reward, periods, backend, dtype
        )
        self.network = self.task.network
        self.render_mode = render_mode
        self.observation_space, self.action_space = spaces(self.task)
        self._blank = dict.fromkeys(self.task.info_keys, 0.0)
        self._started = False

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Name of each entry of the observation."""
        return self.task.observation.names

    @property
    def action_names(self) -> tuple[str, ...]:
        """Name of each entry of the action."""
        return self.task.action_space.names

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """Enter world `seed`, or, without one, the next episode of the world at hand."""
        super().reset(seed=seed)
        if seed is None and self._started:
            observation = self.task.begin(np.ones(1, dtype=bool))
        else:
            observation = self.task.reset(int(self.np_random.integers(2**31)) if seed is None else seed)
        self._started = True
        if self.render_mode == "human":
            self.render()
        return observation[0], self._info(ended=False)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Run one period."""
        observation, reward = self.task.step(np.array(action, np.float64)[None])
        engine, real = self.task.engine, self.network.horizon_is_real
        ended = engine.clock.item(0) >= engine.periods
        if self.render_mode == "human":
            self.render()
        return observation[0], reward.item(0), ended and real, ended and not real, self._info(ended)

    def render(self) -> np.ndarray | str | None:
        """Draw the chain as it stands: stages, stocks, pipelines, orders, the decoupling point, the last demand."""
        return draw(self.task, self.render_mode)

    def close(self) -> None:
        """Close the window of human rendering."""
        if self.render_mode == "human":
            render.close()

    def _info(self, ended: bool) -> dict[str, Any]:
        engine, info = self.task.engine, self._blank.copy()
        values = (engine.seeds.item(0), engine.clock.item(0), *engine.money.ravel().tolist())
        info.update(zip(self.task.period_keys, values, strict=False))  # strict would be slower
        if ended:
            info.update({name: value.item(0) for name, value in engine.kpis().items()})
        return info


def draw(task: Task, render_mode: str | None) -> np.ndarray | str | None:
    """Draw environment 0 of a task in one of the render modes."""
    if render_mode is None:
        return None
    scene = render.Scene.of(task)
    if render_mode == "human":
        render.show(scene)
        return None
    return render.text(scene) if render_mode == "ansi" else render.picture(scene)


def spaces(task: Task) -> tuple[Box, Box]:
    """Return the observation and action spaces of one environment."""
    action = task.action_space
    if action.form == "normalised":
        acts = Box(-1.0, 1.0, (len(action.entries),), np.float32)
    else:
        acts = Box(action.low.astype(np.float32), action.high.astype(np.float32), dtype=np.float32)
    return Box(task.observation.low, task.observation.high, dtype=np.float32), acts


def board_env(board: str, **arguments: Any) -> PushPullEnv:
    """Make the environment of a board from the board's parameters and the environment's, as its id does."""
    network, others = board_and_others(board, arguments, _arguments(PushPullEnv))
    return PushPullEnv(network, **others)


def _arguments(environment: Any) -> list[str]:
    return [name for name in inspect.signature(environment).parameters if name != "network"]
