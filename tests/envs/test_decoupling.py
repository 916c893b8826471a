"""Where push ends: derived from the modes of sources, whatever the network states; and where it could end."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from pushpull.envs import Network, dynamics, load_network
from pushpull.envs.decoupling import (
    boundaries,
    decoupling_lines,
    decoupling_points,
    production_times,
    production_to_delivery,
    reading_order,
    stage_zones,
    stock_zones,
    unmixed,
    zones_in_order,
)
from pushpull.envs.network import SEQUENCES
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


# --- every boundary ---------------------------------------------------------------------------------------------------


def family(**settings) -> Network:
    """Return parts p and q in a module m, finished as a or b; b is also packed as c. Markets at a and c."""
    needs = {"p": {}, "q": {}, "m": {"p": 2, "q": 1}, "a": {"m": 1}, "b": {"m": 1}, "c": {"b": 1}}
    times = {"p": 5, "q": 2, "m": 3, "a": 1, "b": 0, "c": 2}
    stages: dict[str, Any] = {name: {"sources": [{"inputs": needs[name], "lead_time": times[name]}]} for name in needs}
    for name, tolerance in (("a", 2), ("c", 4)):
        stages[name]["market"] = {**MARKET, "tolerance": tolerance}
    return Network.from_dict({"decoupling_point": "m", "stages": stages, **settings})


def test_the_boundaries_of_a_chain_are_its_stages():
    assert boundaries(chain("mixed", "push", "push", "pull")) == (("supply",),)  # all stated: nothing can move
    assert boundaries(load_network("chain4")) == (("supply",), ("factory",), ("warehouse",), ("depot",), ("market",))


def test_the_boundaries_of_a_network_are_stages_families_and_its_own_list():
    found = boundaries(family(decoupling_point=["a", "b"]))
    # a is 0 stages from a market, b 1, m 2, parts 3; [a, b] pushes all but c
    assert found == (
        ("supply",),
        ("p",),
        ("q",),
        ("p", "q"),
        ("m",),
        ("a",),
        ("b",),
        ("c",),
        ("a", "b"),
        ("market",),
    )


@hunt(40)
@given(networks())
def test_boundaries_differ_run_from_all_pull_to_all_push_and_never_pull_more(mapping):
    network = Network.from_dict(mapping)
    points = boundaries(network)
    free = unmixed(network)
    pushing = [frozenset(free.pushing_stages(point)) for point in boundaries(free)]
    modes = {free.with_decoupling_point(point).modes for point in boundaries(free)}
    assert len(modes) == len(pushing)
    assert points[0] == ("supply",)
    stated_free = any(source.mode is None for source in network.sources)
    assert (points[-1] == ("market",)) == stated_free
    kept = [j for j, mode in enumerate(network.modes) if mode != "mixed"]
    for point in boundaries(free):
        moved = free.with_decoupling_point(point).modes
        assert [moved[j] for j in kept] == [network.modes[j] for j in kept]
        assert "mixed" not in moved


def test_families_can_decouple_at_different_stages():
    network = family(decoupling_point=["a", "m"])
    assert dict(zip(network.stage_names, network.modes, strict=True)) == {
        **dict.fromkeys("pqma", "push"),
        **dict.fromkeys("bc", "pull"),
    }
    assert decoupling_points(network) == ("m", "a")  # b draws on m, customers on a
    np.testing.assert_array_equal(production_times(network), [0, 2])


@pytest.mark.parametrize("point", ["learned", ["learned"]])
def test_learned_leaves_every_boundary_to_the_policy(point):
    network = family(decoupling_point=point)
    assert set(network.modes) == {"mixed"}
    assert all(columns == ("quantity", "threshold") for columns in network.action_columns)
    assert boundaries(network) == boundaries(family())
    assert np.isnan(production_times(network)).all()


# --- what a boundary means --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("point", "upstream", "at"),
    [
        ("supply", "", ""),
        ("p", "", "p"),
        ("m", "pq", "m"),
        (["a", "m"], "pq", "ma"),
        ("c", "pqb", "mc"),  # b only feeds c; m feeds a, which pulls
        ("market", "pqmb", "ac"),
        ("learned", "", "pqmabc"),
    ],
)
def test_stock_lies_before_at_and_behind_the_boundary(point, upstream, at):
    network = family(decoupling_point=point)
    zones = dict(zip(network.stage_names, stock_zones(network), strict=True))
    assert {name for name, zone in zones.items() if zone == "upstream"} == set(upstream)
    assert {name for name, zone in zones.items() if zone == "at"} == set(at)


@pytest.mark.parametrize(
    ("point", "times", "ratios"),
    [
        # p takes 5, q 2, m 3, a 1, b 0, c 2; a waits 2, c 4
        ("supply", [9, 10], [4.5, 2.5]),
        ("p", [6, 7], [3, 1.75]),  # q is not upstream of p, so it is ordered too: 2 + 3 + ...
        (["p", "q"], [4, 5], [2, 1.25]),
        ("m", [1, 2], [0.5, 0.5]),
        ("market", [0, 0], [0, 0]),
    ],
)
def test_production_time_is_the_longest_way_behind_the_boundary(point, times, ratios):
    network = family(decoupling_point=point)
    np.testing.assert_array_equal(production_times(network), times)
    np.testing.assert_array_equal(production_to_delivery(network), ratios)


def test_production_to_delivery_without_a_tolerance_is_unknown_and_without_patience_endless():
    network = chain("push", "pull", "pull", "pull")
    assert np.isnan(production_to_delivery(network)).all()
    stages = network.to_dict()["stages"]
    stages["d"]["market"]["tolerance"] = 0
    assert production_to_delivery(Network.from_dict({"stages": stages})) == [np.inf]
    for stage in stages.values():
        stage["sources"][0]["mode"] = "push"
    assert production_to_delivery(Network.from_dict({"stages": stages})) == [0]


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("point", ["supply", "p", "m", "b", "market"])
@pytest.mark.parametrize("delay", [0, 2])
def test_a_customer_waits_the_production_time(sequence, point, delay):
    """One customer comes, to one market; pushed stages have plenty, pulled ones nothing and only order what is owed."""
    mapping = family(decoupling_point=point, sequence=list(SEQUENCES[sequence])).to_dict()
    for name in ("a", "m"):
        mapping["stages"][name]["sources"][0]["order_delay"] = delay
    pushing = family().pushing_stages([point])
    for name in pushing:
        mapping["stages"][name]["initial_on_hand"] = 50
    network = Network.from_dict(mapping)
    state = dynamics.initial_state(np, network, 2, dtype=np.float64)
    rows = np.zeros((len(network.sources), 2))
    shipped = []  # [T][market, environment]; the customer of environment m goes to market m
    for t in range(20):
        outside = dynamics.Exogenous(np.eye(2) * (t == 0))
        state, flows = dynamics.step(np, network, state, outside, dynamics.Action(rows, rows))
        shipped.append(flows.shipped[list(network.markets)])
    np.testing.assert_array_equal(np.sum(shipped, axis=0), np.eye(2))
    np.testing.assert_array_equal(np.diagonal(np.argmax(shipped, axis=0)), production_times(network))
