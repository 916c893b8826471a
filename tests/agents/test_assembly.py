"""Parts are ordered as far as slower ones allow: by hand, and with assemble-to-order as a corner."""

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.envs import InputError, Network, simulate
from pushpull.envs.boards import make_board
from pushpull.envs.engine import Engine


def test_a_quick_part_waits_for_no_more_than_there_will_be_of_the_slow_one():
    """5 on hand, 5 due in each period: of the part that takes 3 there will be 15 in 1, and 10 are downstream."""
    engine = Engine(network := make_board("assembly"), 1)
    engine.reset(0)
    for quick, threshold in ((99, 25), (20, 20)):
        policy = make_policy("balanced_base_stock", network, levels={"part_1": quick, "part_2": 33, "product": 15})
        assert policy.act(engine.view()).tolist() == [[threshold, 33, 15]]


def test_cutting_orders_costs_less_than_ordering_in_vain():
    """Worth something where parts run short: with low levels of the slow part."""
    network = make_board("assembly")
    levels = {"part_1": 30, "part_2": 30, "product": 15}
    cut = simulate(network, make_policy("balanced_base_stock", network, levels=levels), 20, seed=0)
    plain = simulate(network, make_policy("base_stock", network, levels=levels), 20, seed=0)
    np.testing.assert_array_equal(cut["cost.backorder"], plain["cost.backorder"])
    assert (cut["cost.holding"] < plain["cost.holding"]).all()


def test_assembled_to_order_no_product_is_kept():
    network = make_board("assembly")
    policy = make_policy("balanced_base_stock", network, levels={"product": 0})
    assert simulate(network, policy, 5, seed=0)["stock.product"].max() < 0.01


def changed(**settings):
    return Network.from_dict(make_board("assembly").to_dict() | settings)


BAD = [
    # network, parameters, what the error says
    ("serial3", {}, "network: balanced_base_stock needs parts from outside, one of each in a product"),
    ("dual_sourcing", {}, "network: balanced_base_stock is for one product made of parts"),
    (changed(decoupling_point="market"), {}, "sequence: balanced_base_stock cuts orders by what it sees"),
    (changed(sequence=["receive", "push", "demand", "pull", "ship"]), {}, "sequence: balanced_base_stock cuts orders"),
    ("assembly", {"levels": {"part_3": 4}}, "levels.part_3: no stage of this name; did you mean 'part_2'"),
    ("assembly", {"levels": {"part_1": "4"}}, "levels.part_1: '4' is not a number"),
]


@pytest.mark.parametrize(("network", "parameters", "words"), BAD)
def test_what_cannot_be_used_is_told(network, parameters, words):
    with pytest.raises(InputError, match=words):
        make_policy("balanced_base_stock", network, **parameters)
