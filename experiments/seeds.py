"""Which worlds are for training and which for testing: two sets that never meet.

A world is the seed of an environment (`pushpull.envs.exogenous`). Test worlds lie in [0, 1,000,000). Training seed s
trains in the worlds 1,000,000 + 10,000 s + e, where e counts its environments; so no agent is tested on demand that any
agent was trained on, and two training seeds share none.
"""

from __future__ import annotations

from pushpull.envs.checks import InputError, number

TEST_WORLDS = 1_000_000
WORLDS_PER_TRAINING_SEED = 10_000


def first_training_world(seed: int, num_envs: int) -> int:
    """Return the world of the first of `num_envs` training environments; the others follow it."""
    seed = number(0, whole=True)("seed", seed)
    num_envs = number(1, whole=True)("num_envs", num_envs)
    if num_envs > WORLDS_PER_TRAINING_SEED:
        raise InputError(
            "num_envs",
            f"{num_envs} environments would reach into the worlds of training seed {seed + 1}; "
            f"give at most {WORLDS_PER_TRAINING_SEED}",
        )
    return TEST_WORLDS + WORLDS_PER_TRAINING_SEED * seed


def first_test_world(world: int, episodes: int) -> int:
    """Return the world of the first of `episodes` test episodes, or refuse what would reach training worlds."""
    world = number(0, whole=True)("world", world)
    episodes = number(1, whole=True)("episodes", episodes)
    if world + episodes > TEST_WORLDS:
        raise InputError(
            "world",
            f"{world} and the {episodes - 1} after it reach the training worlds, which start at {TEST_WORLDS}; "
            f"give at most {max(0, TEST_WORLDS - episodes)}",
        )
    return world
