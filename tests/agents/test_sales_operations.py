"""Plans every few periods: what is frozen stays, what is known is planned at best, and safety stock is not put off."""

from typing import Any

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.agents.linear_program import LinearProgram
from pushpull.agents.planning import bound
from pushpull.agents.sales_operations import SalesOperations, safety_stock
from pushpull.envs import InputError, Network, load_network, simulate
from pushpull.envs.engine import Engine


def a_chain(demand: Any, point="market", **plant: Any) -> Network:
    return Network.from_dict(
        {
            "name": "chain",
            "decoupling_point": point,
            "units": "real",
            "horizon": 24,
            "horizon_is_real": True,
            "stages": {
                "plant": {
                    "initial_on_hand": 12,
                    "holding_cost": 1,
                    "sources": [{"lead_time": 2, "unit_cost": 2, **plant}],
                },
                "shop": {
                    "initial_on_hand": 16,
                    "holding_cost": 2,
                    "sources": [{"inputs": {"plant": 1}, "lead_time": 1, "unit_cost": 1}],
                    "market": {"demand": demand, "price": 10, "backorder_cost": 4},
                },
            },
        }
    )


KNOWN = a_chain({"kind": "deterministic", "values": [5, 9, 2, 7, 4, 8, 3, 6] * 3}, capacity=7)
CHANCE = a_chain({"kind": "gamma", "mean": 6, "sd": 3}, capacity=9)


@pytest.mark.parametrize(("review", "frozen"), [(1, 0), (4, 0), (4, 4), (3, 7)])
def test_what_is_known_is_planned_at_best_and_never_changed(review, frozen):
    policy = SalesOperations(KNOWN, review, frozen, horizon=24)
    best = bound(KNOWN, seed=0, episodes=1)["profit"][0]
    assert simulate(KNOWN, policy, 1, seed=0)["profit"][0] == pytest.approx(best, abs=1e-6)


def plans_of(policy: SalesOperations, network: Network, seed=0) -> dict[int, np.ndarray]:
    """Return the plans made in an episode, by the period they were made in."""
    engine, plans = Engine(network, 1), {}
    engine.reset(seed)
    while not engine.ended.all():
        engine.step(policy.act(engine.view()))
        plans[policy.in_force[0].made] = policy.in_force[0].start
    return plans


@pytest.mark.parametrize("frozen", [0, 3, 6])
def test_what_is_frozen_stays(frozen):
    policy = SalesOperations(CHANCE, review=4, frozen=frozen, horizon=12)
    plans = plans_of(policy, CHANCE)
    assert list(plans) == list(range(0, 24, 4))
    for made in range(4, 16, 4):
        old, new = plans[made - 4][4:], plans[made]
        assert new[:frozen] == pytest.approx(old[:frozen])
        assert not np.allclose(new[frozen : frozen + 2], old[frozen : frozen + 2])


def test_releases_are_those_of_the_plan_in_force():
    policy, engine = SalesOperations(CHANCE, review=4, frozen=2), Engine(CHANCE, 1)
    engine.reset(3)
    while not engine.ended.all():
        action = policy.act(engine.view())
        plan = policy.in_force[0]
        assert action[0] == pytest.approx(plan.start[int(engine.view().period[0]) - plan.made])
        engine.step(action)


def test_nervousness_is_what_plans_change_of_what_was_said():
    policy = SalesOperations(CHANCE, review=1, frozen=0, horizon=4)
    plans = plans_of(policy, CHANCE)
    changed = said = 0.0
    for made in range(1, len(plans)):
        old, new = plans[made - 1][1:], plans[made]
        for k, (before, after) in enumerate(zip(old, new, strict=False)):
            changed += 0.8**k * float(abs(after - before).sum())
            said += 0.8**k * float(before.sum())
    assert policy.nervousness == pytest.approx(changed / said)
    assert policy.nervousness > 0.05


def test_frozen_plans_are_less_nervous_and_earn_less():
    network = load_network("electronics")
    found = {}
    for frozen in (0, 8):
        policy = SalesOperations(network, review=4, frozen=frozen)
        found[frozen] = simulate(network, policy, 4, seed=0)["profit"].mean(), policy.nervousness
    assert found[8][0] < found[0][0]
    assert found[8][1] < 0.5 * found[0][1]


def test_safety_stock_makes_plans_serve():
    """Without it deterministic plans serve half the customers, so that a plan which puts it off is found out."""
    network = load_network("chain4").with_decoupling_point("warehouse")
    served = {
        name: simulate(network, make_policy(name, network), 8, 0)["fill_rate"].mean()
        for name in ("dlp_rolling", "sales_operations")
    }
    assert served["dlp_rolling"] < 0.6
    assert served["sales_operations"] > 0.95


def test_safety_stock_grows_with_the_time_that_plans_stand():
    network = load_network("chain4").with_decoupling_point("warehouse")
    total = [sum(safety_stock(network, review, frozen)[0].values()) for review, frozen in ((1, 0), (4, 0), (4, 4))]
    assert 0 < total[0] < total[1] < total[2]
    assert sum(safety_stock(KNOWN, 4, 4)[0].values()) == 0


def test_where_everything_pulls_it_is_base_stock():
    network = load_network("chain4")
    planned, pulled = (make_policy(name, network) for name in ("sales_operations", "base_stock"))
    assert simulate(network, planned, 5, 0)["profit"].tolist() == simulate(network, pulled, 5, 0)["profit"].tolist()


def test_environments_do_not_feel_each_other():
    policy = SalesOperations(CHANCE)
    together = simulate(CHANCE, policy, 5, seed=7)["profit"]
    alone = simulate(CHANCE, policy, 5, seed=7, num_envs=1)["profit"]
    assert together.tolist() == pytest.approx(alone.tolist())
    again = simulate(CHANCE, policy, 5, seed=7)["profit"]
    assert again.tolist() == pytest.approx(together.tolist())


def test_what_was_promised_and_cannot_be_made_is_cut(monkeypatch):
    """Half of what the plant starts may be scrap, so a frozen release of the shop may find too little."""
    plant: dict[str, Any] = {"yield": {"mean": 0.7, "sd": 0.25}}
    network, costs, solve = a_chain({"kind": "gamma", "mean": 6, "sd": 3}, "market", **plant), [], LinearProgram.solve

    def spied(*args: Any) -> Any:
        plan = solve(*args)
        costs.append(plan.cost)
        return plan

    monkeypatch.setattr(LinearProgram, "solve", spied)
    table = simulate(network, SalesOperations(network, review=2, frozen=4), 5, seed=0)
    assert np.isinf(costs).any()
    assert (table["fill_rate"] > 0.3).all()


BAD = [
    # what is broken, network, parameters, field, words
    ("no review", CHANCE, {"review": 0}, "review", "0 is out of range"),
    ("a part of a period", CHANCE, {"frozen": 1.5}, "frozen", "1.5 is not whole"),
    ("a horizon that is too short", CHANCE, {"horizon": 5}, "horizon", "5 is less than review and frozen, 6 periods"),
]


@pytest.mark.parametrize(("network", "parameters", "field", "words"), [pytest.param(*r[1:], id=r[0]) for r in BAD])
def test_what_does_not_suit_is_told(network, parameters, field, words):
    with pytest.raises(InputError) as caught:
        make_policy("sales_operations", network, **parameters)
    assert caught.value.field == field
    assert words in caught.value.problem
