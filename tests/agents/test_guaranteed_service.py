"""Safety stock lies where the literature puts it, and where trying all promises does."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from pushpull.agents.guaranteed_service import guaranteed_service, place_safety_stock
from pushpull.envs import InputError, Network, load_network
from pushpull.envs.boards import make_board, references

ROWS = references("guaranteed_service")["rows"]


@pytest.mark.parametrize("row", ROWS, ids=[row["parameters"]["instance"] for row in ROWS])
def test_promises_are_those_of_the_textbook(row):
    placement = place_safety_stock(make_board("guaranteed_service", **row["parameters"]))
    assert placement.cost == pytest.approx(row["optimal"], rel=1e-4)
    assert dict(placement.service_times) == row["promised"]
    holding = {name for name, units in placement.safety_stock.items() if units > 0}
    assert set(placement.decoupling_points) == holding


def test_a_safety_factor_scales_all_stock():
    network = make_board("guaranteed_service", instance="example_6_5")
    once, twice = (place_safety_stock(network, factor) for factor in (1, 2))
    assert once.cost == pytest.approx(8.2779, abs=1e-4)  # z = 1 is what its costs imply
    assert twice.cost == pytest.approx(2 * once.cost)
    assert twice.service_times == once.service_times


def by_trying(works, rates, arcs, promised) -> float:
    """Return the least cost over all promises."""
    best = np.inf
    for times in product(*(range(sum(works) + 1) for _ in works)):
        if any(times[i] > most for i, most in promised.items()):
            continue
        waits = [max((times[m] for m, k in arcs if k == i), default=0) for i in range(len(works))]
        net = [wait + own - out for wait, own, out in zip(waits, works, times, strict=True)]
        if min(net) >= 0:
            best = min(best, sum(rate * np.sqrt(periods) for rate, periods in zip(rates, net, strict=True)))
    return best


@pytest.mark.parametrize("seed", range(25))
def test_no_other_promises_of_a_random_tree_cost_less(seed):
    rng = np.random.default_rng(seed)
    many = int(rng.integers(2, 6))
    works, rates = rng.integers(0, 3, many), np.round(rng.uniform(0.1, 5, many), 2)
    arcs = []
    for i in range(1, many):  # join each stage to one before it, either way
        other = int(rng.integers(0, i))
        arcs.append((other, i) if rng.random() < 0.5 else (i, other))
    ends = [i for i in range(many) if all(m != i for m, _ in arcs)]
    promised = {i: int(rng.integers(0, 3)) for i in ends}
    times, net = guaranteed_service(works, rates, arcs, promised)
    assert all(times[i] <= most for i, most in promised.items())
    waits = net - works + times
    assert all(times[m] <= waits[k] for m, k in arcs)
    assert float(rates @ np.sqrt(net)) == pytest.approx(by_trying(works, rates, arcs, promised))


def test_stock_goes_where_it_is_cheap_when_customers_wait():
    """A cheap part, an expensive product that takes a period: customers who wait a period want no finished stock."""

    def chain(tolerance: int) -> Network:
        part = {"holding_cost": 1, "sources": [{"lead_time": 4}]}
        product_ = {"holding_cost": 10, "sources": [{"inputs": {"part": 1}, "lead_time": 1}]}
        product_["market"] = {
            "demand": {"kind": "poisson", "mean": 9}, "backorder_cost": 90, "tolerance": tolerance,
        }  # fmt: skip
        return Network.from_dict({"decoupling_point": "supply", "stages": {"part": part, "product": product_}})

    assert place_safety_stock(chain(0)).decoupling_points == ("part", "product")
    patient = place_safety_stock(chain(1), safety_factor=2)
    assert patient.decoupling_points == ("part",)
    assert patient.cost == pytest.approx(1 * 2 * 3 * 2)  # h z sd sqrt(4)
    assert patient.base_stock["part"] == pytest.approx(9 * 4 + 12)
    assert place_safety_stock(chain(5)).decoupling_points == ()


def test_what_cannot_be_placed_is_named():
    joined_twice = load_network("chain4").to_dict()
    first, *_, last = joined_twice["stages"]
    joined_twice["stages"][last]["sources"][0]["inputs"][first] = 1
    free = make_board("serial3").to_dict()
    free["stages"]["store"]["market"]["backorder_cost"] = 0
    varying = make_board("serial3").to_dict()
    varying["stages"]["store"]["sources"][0]["lead_time"] = {"values": [1, 2]}
    for network, field, words in (
        (make_board("or_gym_network"), "stages.plant_5.sources", "2 of them"),
        (Network.from_dict(joined_twice), f"stages.{last}.sources[0].inputs", "joined in two ways"),
        (Network.from_dict(free), "safety_factor", "costs of 'store' imply none"),
        (Network.from_dict(varying), "stages.store.sources[0].lead_time", "is random"),
        (make_board("one_warehouse_many_stores"), "demand_correlation", "has to be independent"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            place_safety_stock(network)
        assert caught.value.field == field
    with pytest.raises(InputError, match="out of range"):
        place_safety_stock(make_board("serial3"), safety_factor=-1)
