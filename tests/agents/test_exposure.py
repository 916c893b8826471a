"""How long orders last: where demand never varies, exact exposures leave no backorder and no unit on the shelf."""

import itertools

import numpy as np
import pytest

from pushpull.agents.exposure import (
    avoided_cost,
    claim_order,
    regular_sources,
    services,
    shortage_cost,
    stand_in,
)
from pushpull.agents.heuristics import BaseStock
from pushpull.envs import Network
from pushpull.envs.engine import Engine
from pushpull.envs.network import SEQUENCES


def chain(sequence, modes, lead_times, basis="echelon", demand=5, **settings):
    """Return a serial chain with constant demand, sources from the outside supply to the shop."""
    stages, supplier = {}, None
    for k, (mode, lead_time) in enumerate(zip(modes, lead_times, strict=True)):
        source = {"mode": mode, "lead_time": lead_time, "basis": basis, "inputs": {supplier: 1} if supplier else {}}
        source |= {key: value[k] for key, value in settings.items()}
        supplier = f"stage{k}"
        stages[supplier] = {"initial_on_hand": 40, "holding_cost": k + 1, "sources": [source]}
    stages[supplier]["market"] = {"demand": {"kind": "deterministic", "values": [demand]}, "backorder_cost": 9}
    return Network.from_dict({"sequence": list(SEQUENCES[sequence]), "horizon": 60, "stages": stages})


def settled(network, policy):
    """Return stocks and backorders at the ends of the last periods of an episode, [T, N]."""
    engine = Engine(network, backend="numpy")
    engine.reset(0)
    stock, owed = [], []
    while not engine.ended.all():
        engine.step(policy.act(engine.view()))
        stock.append(engine.flows.on_hand[:, 0])
        owed.append(engine.flows.owed[:, 0])
    return np.array(stock[-20:]), np.array(owed[-20:])


@pytest.mark.parametrize("lead_time", [0, 1, 3])
@pytest.mark.parametrize("mode", ["push", "pull"])
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_one_stage_holds_nothing_and_owes_nothing(sequence, mode, lead_time):
    network = chain(sequence, [mode], [lead_time])
    stock, owed = settled(network, BaseStock(network))
    assert not stock.any()
    assert not owed.any()


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("modes", list(itertools.product(["push", "pull"], repeat=2)), ids="-".join)
@pytest.mark.parametrize("lead_times", [(2, 1), (1, 3), (0, 2), (3, 0), (0, 0)], ids=str)
@pytest.mark.parametrize("basis", ["echelon", "installation"])
def test_two_stages_owe_nothing_and_hold_at_most_what_waits_for_its_user(sequence, modes, lead_times, basis):
    """A stage holds one period's demand where its user draws before units arrive or before demand tells it to.

    That is: before the receipts of the period, or where the user pushes what was pulled after demand or, with an
    installation position, pulled at all.
    """
    network = chain(sequence, modes, lead_times, basis)
    stock, owed = settled(network, BaseStock(network))
    assert not owed.any()
    assert not stock[:, 1].any()
    assert stock[:, 0].max() <= 5
    place = network.sequence.index
    waits = modes[1] == "push" and (place("push") < place("receive") or modes[0] == "pull")
    if not waits:
        assert not stock.any()


@pytest.mark.parametrize("every", [2, 3])
@pytest.mark.parametrize("mode", ["push", "pull"])
def test_a_review_covers_the_periods_to_the_next(mode, every):
    network = chain("pull_after_demand", [mode], [2], review_period=[every])
    stock, owed = settled(network, BaseStock(network))
    assert not owed.any()
    assert stock.min() == 0
    assert stock.max() == 5 * (every - 1)


def test_an_order_that_travels_lasts_longer():
    network = chain("pull_after_demand", ["pull", "pull"], [2, 2], "installation", order_delay=[1, 2])
    exposures = [own[0].exposure for own in services(network, network.modes)]
    assert exposures == [3, 4]  # the beer game: 2 + 1 and 2 + 2
    stock, owed = settled(network, BaseStock(network))
    assert not stock.any()
    assert not owed.any()


def test_the_longest_path_counts():
    network = Network.from_dict(
        {
            "decoupling_point": "supply",
            "stages": {
                "part": {"sources": [{"lead_time": 2}]},
                "slow": {"sources": [{"inputs": {"part": 1}, "lead_time": 5}]},
                "kit": {
                    "sources": [{"inputs": {"part": 3, "slow": 2}, "lead_time": 1}],
                    "market": {"demand": {"kind": "poisson", "mean": 1}, "backorder_cost": 1},
                },
            },
        }
    )
    part, slow, kit = (own[0] for own in services(network, network.modes))
    assert (part.exposure, part.to_market, part.units) == (2, 6, 5)
    assert (slow.exposure, slow.to_market, slow.units) == (5, 1, 2)
    assert part.user == slow
    assert slow.user == kit
    assert kit.user is None


def test_a_late_fee_as_high_as_the_market_s_makes_a_stage_answer_for_itself():
    for fee, answers in ((8, False), (9, True)):
        network = chain("pull_after_demand", ["pull", "pull"], [2, 1], shortfall_cost=[0, fee])
        first, shop = (own[0] for own in services(network, network.modes))
        assert first.answers is answers
        assert first.later == (0 if answers else shop.exposure)
        assert first.to_market == shop.exposure
        assert (first.penalty, first.end_holding) == ((fee, 1) if answers else (9, 2))


# --- costs ------------------------------------------------------------------------------------------------------------


def market(**settings):
    return Network.from_dict(
        {"decoupling_point": "supply", "stages": {"shop": {"sources": [{}], "market": settings}}}
    ).markets[0]


def test_shortage_costs():
    assert shortage_cost(market(backorder_cost=7, price=50), 20.0, 4) == 7
    assert shortage_cost(market(stockout="lost", lost_sale_cost=4, price=50), 20.0, 4) == (4 + 30) / 2
    assert shortage_cost(market(stockout="lost", lost_sale_cost=4, price=10), 20.0, 0) == 4
    partly = market(stockout={"partial": 0.25}, backorder_cost=8, lost_sale_cost=4)
    assert shortage_cost(partly, 0.0, 4) == 0.25 * 8 + 0.75 * 4 / 2


def dual(*sources, backorder_cost=9.0):
    return Network.from_dict(
        {
            "decoupling_point": "supply",
            "stages": {
                "part": {"sources": [{"lead_time": 1, "unit_cost": 2}]},
                "shop": {
                    "holding_cost": 1,
                    "sources": [{"inputs": {"part": 2}, **source} for source in sources],
                    "market": {"demand": {"kind": "poisson", "mean": 5}, "backorder_cost": backorder_cost},
                },
            },
        }
    )


REGULAR, EXPRESS = {"lead_time": 4, "unit_cost": 1}, {"lead_time": 1, "unit_cost": 4}


def test_sources_by_cost_and_by_speed():
    network = dual(EXPRESS, REGULAR)
    np.testing.assert_array_equal(network.landed_costs, [2, 8, 5])
    assert regular_sources(network) == [0, 2]
    assert claim_order(network, 1) == [1, 2]
    assert [stand_in(network, j) for j in range(3)] == [0, 1, 2]


def test_what_a_second_source_is_worth():
    def worth(backorder_cost):
        network = dual(REGULAR, EXPRESS, backorder_cost=backorder_cost)
        return [avoided_cost(network, own[0]) for own in services(network, network.modes)[1:]]

    assert worth(9) == [3, 8]  # expediting costs 3, and buys 3 periods of waiting at 1 each
    assert worth(2) == [2, 1]
    assert worth(0.5) == [0.5, -0.5]  # dearer than the waiting it saves


def test_a_source_that_is_slower_and_dearer_stands_back():
    network = dual(REGULAR, {"lead_time": 5, "unit_cost": 1}, {"lead_time": 4, "unit_cost": 1}, EXPRESS)
    assert [stand_in(network, j) for j in (1, 2, 3, 4)] == [1, 1, 1, 4]
    assert claim_order(network, 1) == [4, 1, 3, 2]
