"""Where push ends: derived from the modes of sources, whatever the network states."""

import pytest
from hypothesis import given

from pushpull.envs import Network
from pushpull.envs.decoupling import decoupling_lines, decoupling_points, reading_order, stage_zones, zones_in_order
from tests.envs.strategies import hunt, networks

MARKET = {"demand": {"kind": "poisson", "mean": 5}}


def chain(*modes: str, markets: str = "d") -> Network:
    """Return stages a, b, c, d in a row with sources of the given modes."""
    stages, supplier = {}, None
    for name, mode in zip("abcd", modes, strict=True):
        stages[name] = {"sources": [{"mode": mode, "inputs": {supplier: 1} if supplier else {}}]}
        if name in markets:
            stages[name]["market"] = MARKET
        supplier = name
    return Network.from_dict({"stages": stages})


@pytest.mark.parametrize(
    ("modes", "points", "lines"),
    [
        (("pull", "pull", "pull", "pull"), ("supply",), {"pull"}),
        (("push", "push", "push", "push"), ("market",), {"market"}),
        (("push", "push", "pull", "pull"), ("b",), {"pull"}),
        (("push", "mixed", "mixed", "pull"), ("a",), {"mixed", "pull"}),  # it moves between two lines
        (("push", "push", "mixed", "mixed"), ("b",), {"mixed", "market"}),
        (("pull", "push", "pull", "push"), ("b", "d"), set()),  # alternates: no line
    ],
)
def test_points_and_lines(modes, points, lines):
    network = chain(*modes)
    assert decoupling_points(network) == points
    assert set(decoupling_lines(network)) == lines
    assert zones_in_order(network) == bool(lines)


def test_a_pushed_stage_with_customers_is_a_decoupling_point():
    assert decoupling_points(chain("push", "push", "pull", "pull", markets="ad")) == ("a", "b")


def test_a_stage_with_a_releasing_and_an_ordering_source_is_mixed():
    stages = {"a": {"sources": [{"mode": "push"}, {"mode": "pull"}], "market": MARKET}}
    assert stage_zones(Network.from_dict({"stages": stages})) == ("mixed",)


@hunt(30)
@given(networks())
def test_reading_order_puts_suppliers_first_and_each_zone_in_one_piece(mapping):
    network = Network.from_dict(mapping)
    order = reading_order(network)
    assert sorted(order) == list(range(len(network.stages)))
    place = {i: k for k, i in enumerate(order)}
    for j, i in enumerate(network.source_stage):
        assert all(place[m] < place[i] for m, _ in network.inputs[j])
    if zones_in_order(network):
        zones = [stage_zones(network)[i] for i in order]
        assert zones == sorted(zones, key=("push", "mixed", "pull").index)


@hunt(30)
@given(networks())
def test_implied_modes_give_back_the_stated_point(mapping):
    network = Network.from_dict(mapping)
    derived = decoupling_points(network)
    sells_or_feeds = {network.stage_names[i] for i in network.markets} | {n for s in network.sources for n in s.inputs}
    for point in network.decoupling_point or ():
        if point in sells_or_feeds and derived != ("market",):
            assert point in derived
