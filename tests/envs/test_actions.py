"""Action vectors: their two forms, and the middle of their bounds."""

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.envs import load_network, network_names, simulate
from pushpull.envs.actions import ActionSpace
from pushpull.envs.network import Network


class Middle:
    """Sets the middle of the bounds in every period."""

    def __init__(self, network):
        self._middle = ActionSpace(network, "normalised").physical(np.zeros((1, len(ActionSpace(network).entries))))

    def act(self, view):
        return np.repeat(self._middle, len(view.period), axis=0)


@pytest.mark.parametrize("name", network_names())
def test_the_middle_of_the_bounds_is_a_sensible_policy(name):
    """It keeps the chain running: it earns more than the agent `random` and meets most of the demand."""
    network = load_network(name)
    middle, random = (
        simulate(network, policy, 50, seed=0) for policy in (Middle(network), make_policy("random", network))
    )
    assert middle["profit"].mean() > random["profit"].mean()
    assert middle["fill_rate"].mean() > 0.8


def test_the_mean_release_is_split_evenly_as_far_as_sources_can():
    def middle(*sources, market=12):
        stages = {"shop": {"sources": list(sources), "market": {"demand": {"kind": "poisson", "mean": market}}}}
        network = Network.from_dict({"stages": stages, "decoupling_point": "market"})
        return (ActionSpace(network).high / 2).tolist()

    assert middle({}, {}) == [6, 6]
    assert middle({}, {"capacity": 2}, {}) == [5, 2, 5]
    assert middle({"review_period": 2}, {"capacity": 6, "review_period": 2}) == [18, 6]  # 9 and 3 a period
    assert middle({"capacity": 4}, {"capacity": 6}) == [6, 6]  # they cannot do it anyway


def test_normalised_is_linear_between_the_bounds():
    network = load_network("electronics")
    space, units = ActionSpace(network, "normalised"), ActionSpace(network)
    rng = np.random.default_rng(0)
    vectors = rng.uniform(-1, 1, (20, len(space.entries)))
    np.testing.assert_allclose(space.from_physical(space.physical(vectors)), vectors, rtol=0, atol=1e-12)
    ends = np.array([[-1.0], [0.0], [1.0]]).repeat(len(space.entries), axis=1)
    np.testing.assert_array_equal(space.physical(ends), [space.low, space.high / 2, space.high])
    np.testing.assert_array_equal(units.physical(vectors), vectors)
