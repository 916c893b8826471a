"""The world: push-pull networks, their dynamics, and the environments on them."""

from pushpull.envs.checks import InputError
from pushpull.envs.network import Network
from pushpull.envs.replay import History, replay

__all__ = ["History", "InputError", "Network", "replay"]
