"""Bounds no policy beats, planners that find the best plan where it can be known, and numbers worked out by hand."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pushpull.agents import make_policy
from pushpull.agents.planning import MEASURES, bound
from pushpull.envs import InputError, Network, load_network, simulate
from pushpull.envs.boards import make_board, references
from pushpull.envs.network import SEQUENCES

from ..envs.strategies import hunt, networks

PLANNERS = ("dlp_rolling", "dlp_shrinking", "mssp_rolling", "mssp_shrinking")
CHAIN: dict[str, Any] = {
    "horizon": 5,
    "horizon_is_real": True,
    "decoupling_point": "plant",
    "stages": {
        "plant": {"initial_on_hand": 3, "holding_cost": 1, "sources": [{"lead_time": 1, "unit_cost": 2}]},
        "shop": {
            "initial_on_hand": 4,
            "holding_cost": 2,
            "sources": [{"inputs": {"plant": 1}, "lead_time": 1, "unit_cost": 1}],
            "market": {
                "demand": {"kind": "deterministic", "values": [5, 0, 9, 0]},
                "price": 10,
                "backorder_cost": 4,
            },
        },
    },
}
STORE: dict[str, Any] = {
    "horizon": 4,
    "horizon_is_real": True,
    "decoupling_point": "supply",
    "stages": {
        "store": {
            "initial_on_hand": 3,
            "holding_cost": 1,
            "sources": [{"lead_time": 1, "capacity": 5}],
            "market": {
                "demand": {"kind": "deterministic", "values": [3, 3, 8, 2]},
                "stockout": "lost",
                "lost_sale_cost": 6,
            },
        }
    },
}


def changed(good: dict[str, Any], changes: dict[str, Any]) -> Network:
    """Return a network with some places changed, keys joined by dots."""
    mapping: Any = copy.deepcopy(good)
    for place, value in changes.items():
        *above, last = place.split(".")
        node: Any = mapping
        for key in above:
            node = node[int(key)] if key.isdigit() else node[key]
        node[last] = value
    return Network.from_dict(mapping)


# Each row: what is changed, and the bound on the sum of a measure over the episode, worked out by hand.
BY_HAND = [
    # Sell 4 of 5 at once and one late (4). Make 7 in period 0 and all 10 in the shop just in time: 14 + 10. Of the 3 in
    # the plant, 2 wait one period (2). Revenue 140 - 4 - 24 - 2.
    ("backorders in two stages", CHAIN, {}, "profit", 110),
    ("their cost alone", CHAIN, {}, "cost", 30),
    # Money counts 0.9 of the period before: 40 - 1 (the first shop start) - 4 - 2 - 14, then 10 - 9, then 90.
    ("discounted", CHAIN, {"discount": 0.9}, "discounted_profit", 40 - 1 - 4 - 2 - 14 + 0.9 * (10 - 9) + 0.81 * 90),
    # The first two periods do not count: all can be made in them, and all 14 sold in the third.
    ("only after the warm-up", CHAIN, {"warm_up": 2}, "profit", 140),
    # A unit left over earns 8 less 3 to make less 2 to hold. 7 of the plant's period 2 come through in time; of its
    # period 1, 2 wait there (1), since the shop starts 9 in period 3, and 5 wait a period in the shop (2).
    ("salvage pays for what capacity lets through", CHAIN,
     {"stages.shop.salvage_value": 8, "stages.plant.sources.0.capacity": 7, "stages.shop.sources.0.capacity": 9},
     "profit", 110 + 7 * 3 + 2 * 2 + 5 * 1),
    # Start 5 and 5: 5 wait in the plant (1 each) and 4 in the shop (2 each); 1 comes late (4), 10 shop starts.
    ("capacity 5 in the shop", CHAIN, {"stages.shop.sources.0.capacity": 5, "stages.plant.initial_on_hand": 10},
     "profit", 140 - 5 - 4 * 2 - 4 - 10),
    # Hold 2 for the peak (2), lose one of 8 (6).
    ("lost sales behind a capacity", STORE, {}, "cost", 8),
    # Overtime makes the unit for 2 that would be lost.
    ("overtime", STORE, {"stages.store.sources.0.overtime": {"capacity": 2, "cost": 2}}, "cost", 2 + 2),
    # A tenth of what is made is scrap: 4.5 arrive of 5, 1.5 of which can be kept.
    ("yield", STORE, {"units": "real", "stages.store.sources.0.yield": 0.9}, "cost", 1.5 + 6 * 2),
    # Of 2 that could be kept, half becomes obsolete before it is charged.
    ("obsolescence", STORE, {"units": "real", "stages.store.obsolescence": 0.5}, "cost", 1 + 6 * 2),
    # Nothing keeps for a period: 5 of 8 are there.
    ("shelf life 1", STORE, {"stages.store.shelf_life": 1}, "cost", 6 * 3),
    ("no room for more than one", STORE, {"stages.store.storage_capacity": 1, "stages.store.overflow": "scrap"}, "cost",
     1 + 6 * 2),
    # Hold 2 for the peak (2); one comes a period late (2).
    ("customers who wait", STORE,
     {"stages.store.market": {"demand": {"kind": "deterministic", "values": [3, 3, 8, 2]}, "backorder_cost": 2}},
     "cost", 2 + 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("good", "changes", "measure", "value"), [pytest.param(*row[1:], id=row[0]) for row in BY_HAND]
)
def test_the_bound_is_what_a_hand_calculation_says(good, changes, measure, value):
    network = changed(good, changes)
    (found,) = bound(network, seed=0, episodes=1, measure=measure)[measure]
    periods = 1 if measure == "discounted_profit" else network.horizon - network.warm_up
    assert found * periods == pytest.approx(value, abs=1e-6)


def test_what_nothing_limits_is_infinite():
    network = changed(CHAIN, {"stages.shop.salvage_value": 6})  # 1 a unit, after making and holding it
    assert bound(network, 0, 2)["profit"].tolist() == [np.inf, np.inf]


def test_a_bound_knows_of_no_campaigns():
    promoting = changed(STORE, {"stages.store.market.promotion": {"cost": 1, "lift": 0.5}})
    with pytest.raises(InputError, match=r"^stages.store.market.promotion: lifts demand, .* leave it out"):
        bound(promoting, 0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"measure": "fill_rate"}, "measure: 'fill_rate' is unknown; valid: profit, cost, discounted_profit"),
        ({"episodes": 0}, "episodes: 0 is out of range; give a whole number of at least 1"),
        ({"seed": -1}, "seed: -1 is out of range"),
        ({"periods": 2.5}, "periods: 2.5 is not whole"),
    ],
)
def test_what_a_bound_cannot_use_is_told(arguments, message):
    with pytest.raises(InputError, match=message):
        bound(Network.from_dict(STORE), **{"seed": 0, "episodes": 1, **arguments})


# --- bounds ----------------------------------------------------------------------------------------------------------


@hunt(120)
@given(networks(), st.sampled_from(MEASURES), st.sampled_from(["random", "base_stock", "dlp_shrinking"]), st.data())
def test_no_policy_beats_the_bound(mapping, measure, policy, data):
    for stage in mapping["stages"].values():
        stage.get("market", {}).pop("promotion", None)
    mapping |= {"horizon": data.draw(st.integers(1, 9)), "discount": data.draw(st.sampled_from([1, 0.9]))}
    mapping["warm_up"] = data.draw(st.integers(0, mapping["horizon"] - 1))
    network = Network.from_dict(mapping)
    try:
        acting = make_policy(policy, network)
    except InputError:  # costs that say nothing about service
        assume(False)
    table = simulate(network, acting, episodes=3, seed=7, backend="numpy")
    best = bound(network, seed=7, episodes=3, measure=measure)
    assert (table["seed"] == best["seed"]).all()
    above = (table[measure] - best[measure]) * (1 if measure == "cost" else -1)
    assert (above >= -1e-6 * (1 + table[measure].abs())).all()


# --- planners --------------------------------------------------------------------------------------------------------

LONG: dict[str, Any] = {  # two plants, a depot that takes both, two shops; all that a plan has to be translated to
    "horizon": 14,
    "horizon_is_real": True,
    "stages": {
        "steel": {"initial_on_hand": 30, "holding_cost": 1, "sources": [{"lead_time": 2, "unit_cost": 1}]},
        "paint": {"initial_on_hand": 20, "holding_cost": 1, "sources": [{"lead_time": 1, "unit_cost": 1}]},
        "depot": {
            "initial_on_hand": 12,
            "holding_cost": 2,
            "sources": [
                {"inputs": {"steel": 2, "paint": 1}, "lead_time": 1, "capacity": 9, "unit_cost": 1},
                {"lead_time": 0, "unit_cost": 30},
            ],
        },
        "north": {
            "initial_on_hand": 6,
            "holding_cost": 3,
            "sources": [{"inputs": {"depot": 1}, "lead_time": 1, "initial_pipeline": [2], "pipeline_holding_cost": 1}],
            "market": {
                "demand": {"kind": "deterministic", "values": [4, 3, 8, 0, 6, 5, 2, 9, 4]},
                "price": 40,
                "backorder_cost": 7,
            },
        },
        "south": {
            "initial_on_hand": 5,
            "holding_cost": 3,
            "sources": [{"inputs": {"depot": 1}, "lead_time": 2, "initial_pipeline": [1, 4]}],
            "market": {
                "demand": {"kind": "deterministic", "values": [3, 2, 1, 4, 7, 2]},
                "price": 35,
                "stockout": "lost",
                "lost_sale_cost": 2,
            },
        },
    },
}
VARIANTS = [
    {},
    {"stages.depot.sources.0.capacity": 5},
    {"stages.depot.sources.0.basis": "echelon", "stages.north.sources.0.basis": "physical"},
    {"stages.north.sources.0.lot": {"rule": "s_S"}, "stages.south.sources.0.lot": {"rule": "r_nQ", "Q": 1}},
    {"stages.north.sources.0.lot": {"rule": "smoothed", "adjust_time": 4}, "units": "real"},
    {"stages.north.market.patience": 1},
]


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("point", ["supply", "depot", "market"])
@pytest.mark.parametrize("changes", VARIANTS)
def test_a_plan_of_known_demand_is_the_best_there_is(changes, point, sequence):
    network = changed(LONG, {**changes, "sequence": list(SEQUENCES[sequence]), "decoupling_point": point})
    best = bound(network, seed=0, episodes=1)["profit"][0]
    assert play("dlp_shrinking", network)["profit"][0] == pytest.approx(best, abs=1e-6)
    assert play("base_stock", network)["profit"][0] < best - 1


def test_scenarios_of_known_demand_are_that_demand():
    network = changed(LONG, {"decoupling_point": "depot"})
    best = bound(network, seed=0, episodes=1)["profit"][0]
    assert play("mssp_shrinking", network, scenarios=3)["profit"][0] == pytest.approx(best, abs=1e-6)


def play(planner: str, network: Network, episodes: int = 1, **parameters: Any) -> Any:
    return simulate(network, make_policy(planner, network, **parameters), episodes, seed=0)


def test_a_window_that_reaches_the_end_is_the_whole_plan_and_a_short_one_is_worse():
    network = changed(LONG, {"decoupling_point": "depot"})
    whole, same, short = (
        play(name, network, **window)["profit"][0]
        for name, window in (("dlp_shrinking", {}), ("dlp_rolling", {"horizon": 14}), ("dlp_rolling", {"horizon": 3}))
    )
    assert same == whole > short + 1


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_or_gyms_network_earns_what_was_published(version):
    """The plan to the end on mean demand: 825.3 and 786.9; hindsight: 861.3 and 854.9 (Perez et al. 2021)."""
    network = make_board("or_gym_network", version=version)
    (published,) = [r for r in references("or_gym_network")["rows"] if r["parameters"]["version"] == version]
    started = time.perf_counter()
    plan = network.horizon * play("dlp_shrinking", network, 40)["profit"]
    assert time.perf_counter() - started < 40 * 5  # seconds an episode; a tenth of one where nothing else runs
    best = network.horizon * bound(network, 0, 40)["profit"]
    assert (plan <= best).all()
    for ours, name in ((plan, "dlp_shrinking"), (best, "oracle")):
        error = np.hypot(ours.std() / 40**0.5, published[name]["sd"] / 100**0.5)
        assert abs(ours.mean() - published[name]["profit"]) < 3 * error


def test_scenarios_make_a_plan_hedge():
    """A plan on mean demand keeps no safety stock; one on scenarios does where shortage costs most."""
    network = Network.from_dict(
        {
            "decoupling_point": "market",
            "horizon": 30,
            "stages": {
                "store": {
                    "initial_on_hand": 10,
                    "holding_cost": 1,
                    "sources": [{"lead_time": 1, "initial_pipeline": [0]}],
                    "market": {"demand": {"kind": "poisson", "mean": 10}, "backorder_cost": 19},
                }
            },
        }
    )
    mean, hedged = (play(name, network, 20).mean() for name in ("dlp_rolling", "mssp_rolling"))
    assert hedged["cost"] < 0.7 * mean["cost"]
    assert hedged["fill_rate"] > 0.9 > mean["fill_rate"]


@pytest.mark.parametrize("name", ["electronics_full", "retail"])
@pytest.mark.parametrize("planner", PLANNERS)
def test_planners_play_networks_with_all_that_goes_wrong(planner, name):
    network = load_network(name)
    parameters = {"scenarios": 2} if planner.startswith("mssp") else {}
    parameters |= {"horizon": 8} if planner.endswith("rolling") else {}
    table = simulate(network, make_policy(planner, network, **parameters), 2, 0, periods=network.warm_up + 6)
    assert np.isfinite(table["profit"]).all()
