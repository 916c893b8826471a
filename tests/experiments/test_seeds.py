"""Test worlds and training worlds never meet."""

import pytest

from pushpull.envs import InputError
from pushpull.experiments.seeds import TEST_WORLDS, first_test_world, first_training_world


def test_worlds_of_all_training_seeds_are_disjoint_and_beyond_the_test_worlds():
    seen = set(range(TEST_WORLDS))
    for seed in range(5):
        first = first_training_world(seed, 10_000)
        worlds = set(range(first, first + 10_000))
        assert not worlds & seen
        seen |= worlds


def test_worlds_are_where_the_rule_puts_them():
    assert first_training_world(seed=3, num_envs=64) == 1_030_000
    assert first_test_world(world=200, episodes=100) == 200


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (first_training_world, (0, 10_001), "num_envs: 10001 environments would reach into the worlds of training"),
        (first_training_world, (-1, 4), "seed: -1 is out of range"),
        (first_test_world, (999_999, 2), "world: 999999 and the 1 after it reach the training worlds"),
        (first_test_world, (0, 1_000_001), "world: 0 and the 1000000 after it reach the training worlds"),
        (first_test_world, (-1, 1), "world: -1 is out of range"),
        (first_test_world, (0, 0), "episodes: 0 is out of range"),
    ],
)
def test_overlaps_are_refused(function, arguments, words):
    with pytest.raises(InputError) as caught:
        function(*arguments)
    assert words in str(caught.value)


def test_the_last_test_world_is_usable():
    assert first_test_world(999_999, 1) == 999_999
