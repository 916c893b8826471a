"""What campaigns add to demand, what they borrow from later, and what they cost: by hand and in both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pushpull.agents import POLICIES, make_policy
from pushpull.envs import InputError, Network, load_network, replay, simulate
from pushpull.envs.actions import ActionSpace
from pushpull.envs.engine import Engine
from pushpull.envs.exogenous import Traces, draw
from pushpull.envs.observations import Observation
from pushpull.envs.replay import History
from pushpull.envs.rollout import rollout
from pushpull.envs.rules import Rules
from tests.agents.test_policy import SUITS
from tests.envs.twins import played_alike

BACKENDS = ["numba", "numpy", "torch"]
PROMOTION = {"cost": 40, "lift": 0.5, "borrow": 0.8, "over": 3}


def shop(promotion: dict[str, Any], units: str = "integer", **market: Any) -> Network:
    """Return one stage that pushes what arrives at once, and sells it at 5."""
    market = {"demand": {"kind": "poisson", "mean": 10}, "price": 5, **market, "promotion": promotion}
    return Network.from_dict(
        {"units": units, "stages": {"shop": {"sources": [{"mode": "push", "lead_time": 0}], "market": market}}}
    )


def played(network: Network, demand: list[float], promotion: list[float], backend: str = "numpy") -> History:
    """Play a shop with campaigns and all the stock there may be."""
    asked, campaigns = ([{"shop": value} for value in row] for row in (demand, promotion))
    return replay(network, [[1000]] * len(demand), asked, backend=backend, promotion=campaigns)


# --- by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_whole_units_by_hand(backend):
    """A campaign in full adds 5 of 10, and 0.8 x 5 = 4 are due back: 1 1/3 in each of three periods.

    In period 1 one is taken and 1/3 left; half a campaign adds 0.5 x 0.5 x 9 = 2.25, so 2, and 1.6 are due back. Then
    1/3 + 1 1/3 + 0.533 = 2.2 are due, and in period 3 0.2 + 1 1/3 + 0.533 = 2.067. The last 0.6 wait for a whole unit.
    """
    told = played(shop(PROMOTION), [10] * 6, [1, 0.5, 0, 0, 0, 0], backend)
    assert told.promoted[:, 0].tolist() == [5, 2, 0, 0, 0, 0]
    assert told.taken_back[:, 0].tolist() == [0, 1, 2, 2, 0, 0]
    assert told.demand[:, 0].tolist() == [15, 11, 8, 8, 10, 10]
    assert told.shipped[:, 0].tolist() == [15, 11, 8, 8, 10, 10]
    assert told.cost["promotion"].tolist() == [40, 20, 0, 0, 0, 0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_real_units_by_hand(backend):
    """8 more of 8, of which 4 are due back in two periods; then 0.5 x (8 - 2) = 3 more, and 1.5 of those."""
    network = shop({"cost": 1, "lift": 1, "borrow": 0.5, "over": 2}, units="real")
    told = played(network, [8] * 5, [1, 0.5, 0, 0, 0], backend)
    assert told.demand[:, 0].tolist() == [16, 9, 5.25, 7.25, 8]
    assert told.taken_back[:, 0].tolist() == [0, 2, 2.75, 0.75, 0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("units", ["integer", "real"])
def test_what_demand_cannot_give_back_now_it_gives_later(units, backend):
    network = shop({"cost": 1, "lift": 1, "borrow": 1}, units)
    told = played(network, [10, 0, 1, 4, 10, 10], [1, 0, 0, 0, 0, 0], backend)
    assert told.demand[:, 0].tolist() == [20, 0, 0, 0, 5, 10]
    assert told.taken_back[:, 0].tolist() == [0, 0, 1, 4, 5, 0]


def test_a_campaign_lifts_what_goodwill_left_and_what_is_taken_back_comes_off_before():
    """All of 10 + 10 is missed: goodwill 1 - 0.25; 7.5 are left, less 5 due back, and twice the rest is asked for."""
    network = shop({"cost": 1, "lift": 1, "borrow": 0.5}, "real", goodwill={"loss": 0.25, "gain": 0}, stockout="lost")
    actions, asked = [[0], [1000]], [{"shop": 10}] * 2
    told = replay(network, actions, asked, promotion=[{"shop": 1}] * 2)
    assert told.demand[:, 0].tolist() == [20, 5]


def test_intensities_beyond_their_bounds_count_as_the_bounds():
    engines = [Engine(shop(PROMOTION), 2, periods=4, backend=backend) for backend in ("numba", "numpy")]
    for engine in engines:
        engine.reset(0)
        engine.step(np.array([[9.0, -3.0], [9.0, 7.0]]))
        np.testing.assert_array_equal(engine.flows.promotion, [[0, 1]])
        np.testing.assert_array_equal(engine.costs["promotion"], [0, 40])


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_intensity_that_is_no_number_is_refused(value, backend):
    engine = Engine(shop(PROMOTION), 2, periods=4, backend=backend)
    engine.reset(0)
    with pytest.raises(InputError) as caught:
        engine.step(np.array([[9.0, 1.0], [9.0, value]]))
    assert caught.value.field == "action.shop.promotion"
    assert f"{value} is not usable; give an intensity from 0 to 1" in caught.value.problem


# --- what holds always ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", [1, 3, 7])
@pytest.mark.parametrize("borrow", [0.1, 1 / 3, 0.8, 1])
def test_whole_units_taken_back_are_never_one_off(borrow, over):
    """Once campaigns are over, all that was borrowed has been taken back but for a part of a unit."""
    rng = np.random.default_rng(0)
    demand, promotion = rng.integers(0, 9, 200).astype(float), rng.uniform(0, 1, 200)
    promotion[150:] = 0
    network = shop({"cost": 1, "lift": 0.7, "borrow": borrow, "over": over})
    told = played(network, list(demand), list(promotion))
    added, back = told.promoted.sum(), told.taken_back.sum()
    assert added > 100
    assert back == np.floor(borrow * added + 1e-6)
    np.testing.assert_array_equal(told.demand, demand[:, None] + told.promoted - told.taken_back)
    assert told.demand.min() >= 0


def test_a_campaign_that_borrows_nothing_gives_nothing_back():
    told = played(shop({"cost": 1, "lift": 0.5}), [10] * 4, [1, 0, 1, 0])
    assert told.demand[:, 0].tolist() == [15, 10, 15, 10]


def test_kpis_by_hand():
    """Campaigns of 1 and 0.5 in 4 periods; they add 8 + 3 of 16 + 9 + 5.25 + 7.25 units and take back 5.5 of them."""
    network = shop({"cost": 10, "lift": 1, "borrow": 0.5, "over": 2}, units="real")
    demand, actions = np.full((4, 1, 1), 8.0), np.array([[99, 1], [99, 0.5], [99, 0], [99, 0]])
    engine = Engine(network, 1, periods=4)
    engine.reset(0)
    engine._traces = Traces(demand, demand[:, None])
    for action in actions:
        engine.step(action[None])
    told = {name: values[0] for name, values in engine.kpis().items()}
    assert told["promotion_intensity"] == 1.5 / 4
    assert told["promoted_share"] == pytest.approx(11 / 37.5)
    assert told["taken_back_share"] == pytest.approx(5.5 / 11)
    assert told["cost.promotion"] == 15 / 4
    assert told["revenue"] == pytest.approx(5 * 37.5 / 4)


def test_a_network_without_campaigns_knows_nothing_of_them():
    network = load_network("chain4")
    engine = Engine(network, 2)
    engine.reset(0)
    assert "promotion" not in network.cost_terms
    assert not any("promot" in name for name in (*engine.space.names, *engine.kpis()))
    assert len(engine.flows.promotion) == len(engine.live_view().borrowed) == 0


def test_only_the_market_that_promotes_is_lifted():
    """Of a family's two variants one has a campaign; traces are the same whatever is done."""
    source = {"mode": "push", "lead_time": 0}
    stages = {
        "red": {"sources": [source], "market": {}},
        "blue": {"sources": [source], "market": {"promotion": {"cost": 1, "lift": 1, "borrow": 1}}},
    }
    family = {"markets": ["red", "blue"], "demand": {"kind": "poisson", "mean": 20}}
    network = Network.from_dict({"stages": stages, "families": {"shirts": family}, "horizon": 6})
    assert ActionSpace(network).names == ("red.push_quantity", "blue.push_quantity", "blue.promotion")
    sold = []
    for intensity in (0, 1):
        engine = Engine(network, 1)
        engine.reset(4)
        demand = []
        for t in range(6):
            engine.step(np.array([[99.0, 99.0, intensity if t == 2 else 0]]))
            demand.append(engine.flows.demand[:, 0].copy())
        sold.append(np.array(demand))
    plain, promoted = sold
    np.testing.assert_array_equal(promoted[:, 0], plain[:, 0])
    assert promoted[2, 1] == 2 * plain[2, 1]
    assert promoted[:, 1].sum() == plain[:, 1].sum()


# --- who acts and who sees --------------------------------------------------------------------------------------------


def test_engines_agree_on_campaigns():
    """Two blocks and a bit, restarted at different times: states, observations and totals; goodwill beside."""
    markets = [
        {"promotion": {"cost": 3, "lift": 0.7, "borrow": 0.9, "over": 3}, "goodwill": {"loss": 0.3, "gain": 0.1}},
        {},
        {"promotion": {"cost": 5, "lift": 1.3, "borrow": 0.3, "over": 1}, "stockout": "lost"},
        {"promotion": {"cost": 5, "lift": 0.4}, "patience": 2},
    ]
    stages = {
        f"shop{k}": {
            "sources": [{"lead_time": 1, "mode": "pull" if k % 2 else "push"}],
            "market": {"demand": {"kind": "poisson", "mean": 7}, **market},
        }
        for k, market in enumerate(markets)
    }
    for sequence in (["receive", "push", "demand", "pull", "ship"], ["receive", "push", "pull", "demand", "ship"]):
        network = Network.from_dict({"horizon": 25, "warm_up": 3, "stages": stages, "sequence": sequence})
        engines = played_alike(network, seed=3, most=25)
        names = [name for name in engines[0].observation.names if name.startswith("borrowed")]
        assert names == [
            "borrowed.shop0.0",
            "borrowed.shop0.1",
            "borrowed.shop0.2",
            "borrowed.shop2.0",
            "borrowed.shop3.0",
        ]
        assert engines[0].totals.taken_back[:2].sum(axis=1).min() > 0
        assert engines[0].totals.promoted.sum(axis=1).min() > 0


def test_the_action_has_an_entry_behind_those_of_sources():
    network = shop(PROMOTION)
    space, normalised = ActionSpace(network), ActionSpace(network, "normalised")
    assert space.names == ("shop.push_quantity", "shop.promotion")
    assert (space.low[1], space.high[1]) == (0, 1)
    np.testing.assert_array_equal(normalised.physical(np.array([[0, -1], [0, 0.5]]))[:, 1], [0, 0.75])
    engines = [Engine(network, 1, backend=backend, space=normalised) for backend in ("numba", "numpy")]
    for engine in engines:
        engine.reset(0)
        engine.step(np.array([[1.0, 0.5]]))
        assert engine.flows.promotion == [[0.75]]


@pytest.mark.parametrize("name", sorted(set(POLICIES) - {"random", *SUITS}))
def test_policies_by_formula_run_no_campaigns(name):
    network = shop(PROMOTION, goodwill={"loss": 0.1, "gain": 0.1}, backorder_cost=9)
    engine = Engine(network, 3, periods=5)
    engine.reset(0)
    policy = make_policy(name, network)
    assert not policy.act(engine.view())[:, 1].any()
    assert simulate(network, policy, 5, seed=0, periods=5)["promotion_intensity"].max() == 0


def test_rules_run_campaigns_in_compiled_code_as_step_by_step():
    stage = {"sources": [{"lead_time": 1, "mode": "pull"}], "holding_cost": 1, "initial_on_hand": 12}
    market = {"demand": {"kind": "poisson", "mean": 9}, "price": 5, "promotion": PROMOTION}
    network = Network.from_dict({"stages": {"shop": {**stage, "market": market}}, "horizon": 30})
    policy = Rules(network, {"shop.pull_threshold": 22, "shop.promotion": 0.35})
    compiled, arrays = (simulate(network, policy, 40, seed=0, backend=backend) for backend in ("numba", "numpy"))
    np.testing.assert_allclose(compiled, arrays, rtol=1e-12)
    assert compiled["promotion_intensity"].to_numpy() == pytest.approx(0.35)


def test_agents_see_what_is_borrowed_where_something_is():
    assert "borrowed" not in Observation(shop({"cost": 1, "lift": 1})).blocks
    network = shop({"cost": 1, "lift": 1, "borrow": 0.5, "over": 2}, units="real")
    engine = Engine(network, 1, periods=3)
    engine.reset(0)
    engine.step(np.array([[99.0, 1.0]]))
    added = engine.flows.promoted[0, 0]
    np.testing.assert_allclose(engine.view().borrowed[:, 0], [added / 4, added / 4])
    seen = dict(zip(engine.observation.names, engine.observe()[0], strict=True))
    assert seen["borrowed.shop.0"] == seen["borrowed.shop.1"] == np.float32(added / 4)


def test_late_information_shows_late_what_is_borrowed():
    mapping = shop({"cost": 1, "lift": 1, "borrow": 1}, units="real").to_dict()
    mapping["stages"]["shop"]["information_delay"] = 1
    engine = Engine(Network.from_dict(mapping), 1, periods=3)
    engine.reset(0)
    engine.step(np.array([[99.0, 1.0]]))
    assert engine.live_view().borrowed[0, 0] > 0 == engine.view().borrowed[0, 0]
    engine.step(np.array([[99.0, 0.0]]))
    assert engine.live_view().borrowed[0, 0] == 0 < engine.view().borrowed[0, 0]


def test_a_replay_tells_campaigns_by_stage_and_refuses_what_are_none():
    network = shop(PROMOTION)
    table = played(network, [10, 10], [1, 0]).to_pandas()
    assert table["promoted.shop"].tolist() == [5, 0]
    assert table["taken_back.shop"].tolist() == [0, 1]
    without = replay(network, [[9]] * 2, [{"shop": 4}] * 2)
    assert not without.promoted.any()
    for promotion, field, words in (
        ([{"shop": 1.5}, {}], "promotion[0].shop", "1.5 is out of range"),
        ([{}, {"shop": -0.1}], "promotion[1].shop", "-0.1 is out of range"),
        ([{"shop": np.nan}, {}], "promotion[0].shop", "nan is not finite"),
        ([{"shp": 1}, {}], "promotion[0]", "'shp' has no market that promotes; did you mean 'shop'?"),
        ([0.5, {}], "promotion[0]", "0.5 is not a mapping; give {stage: intensity}"),
        ([{}], "promotion", "1 periods for 2 periods of actions"),
        ({"shop": [1, 0]}, "promotion", "is not a list of periods"),
    ):
        with pytest.raises(InputError) as caught:
            replay(network, [[9]] * 2, [{"shop": 4}] * 2, promotion=promotion)  # pyright: ignore[reportArgumentType]
        assert caught.value.field == field
        assert words in caught.value.problem
    with pytest.raises(InputError, match=r"promotion\[0\]: 'shop' has no market that promotes; leave it out"):
        replay(load_network("chain4"), [[0] * 4], [{}], promotion=[{"shop": 1}])


def test_gradients_reach_intensities():
    """Profit against numerical derivatives, where stock is there and where it is not."""
    stage = {"sources": [{"mode": "push", "lead_time": 0}], "holding_cost": 0.3, "initial_on_hand": 8}
    market = {"demand": {"kind": "gamma", "mean": 9, "sd": 2}, "price": 5, "backorder_cost": 2, "promotion": PROMOTION}
    market["goodwill"] = {"loss": 0.3, "gain": 0.05}
    network = Network.from_dict({"units": "real", "stages": {"shop": {**stage, "market": market}}})
    traces, rng = draw(network, 6, [(1, 0), (2, 0)]), np.random.default_rng(0)
    levels = torch.tensor(rng.uniform(0.1, 0.9, (6, 2, 1)), requires_grad=True)
    releases = torch.tensor(rng.uniform(6, 14, (6, 2, 1)))

    def profit(levels: torch.Tensor) -> torch.Tensor:
        actions = torch.cat([releases, levels], dim=2)
        return rollout(network, lambda view: actions[int(view.period[0])], traces, "float64").profit

    assert torch.autograd.gradcheck(profit, (levels,), eps=1e-6, atol=1e-5)
    assert torch.autograd.grad(profit(levels).sum(), levels)[0].abs().min() > 0.1
