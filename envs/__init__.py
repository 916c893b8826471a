"""The world: push-pull networks, their dynamics, and the environments on them."""

from typing import Any

import gymnasium

from pushpull.envs import boards
from pushpull.envs.boards import BOARDS, board_id
from pushpull.envs.checks import InputError
from pushpull.envs.library import load_network, network_names
from pushpull.envs.network import Network
from pushpull.envs.replay import History, replay
from pushpull.envs.simulate import simulate

__all__ = ["History", "InputError", "Network", "boards", "load_network", "network_names", "replay", "simulate"]

if "PushPull-v0" not in gymnasium.registry:
    # The engine refuses a step before reset and an action that does not fit, in words; twice would cost 4% a step.
    _UNWRAPPED: dict[str, Any] = {"order_enforce": False, "disable_env_checker": True}
    gymnasium.register(
        "PushPull-v0",
        entry_point="pushpull.envs.gym_env:PushPullEnv",
        vector_entry_point="pushpull.envs.vector_env:PushPullVectorEnv",
        **_UNWRAPPED,
    )
    for _board in BOARDS:
        gymnasium.register(
            board_id(_board),
            entry_point="pushpull.envs.gym_env:board_env",
            vector_entry_point="pushpull.envs.vector_env:board_vector_env",
            kwargs={"board": _board},
            **_UNWRAPPED,
        )
