"""What sources do by chance has the law that is stated for it, and depends on the world alone."""

import numpy as np
import pytest
from scipy import stats

from pushpull.envs import Network, replay, simulate
from pushpull.envs.engine import Engine
from pushpull.envs.exogenous import draw
from pushpull.envs.network import LeadTime
from pushpull.envs.observations import Observation
from pushpull.envs.rules import Rules

WORLDS = [(seed, 0) for seed in range(2000)]


def shop(*sources, units="integer", **settings):
    """Return a shop with some sources, all of which push."""
    market = {"demand": {"kind": "poisson", "mean": 5}}
    stage = {"sources": [{"mode": "push", **source} for source in sources], "market": market}
    return Network.from_dict({"units": units, "stages": {"shop": stage}, **settings})


def available(network, periods, worlds):
    """Return what is up in some worlds, [T, J, B]."""
    drawn = draw(network, periods, worlds).available
    assert drawn is not None
    return drawn


def down(fail=0.05, repair=0.25, affects="start", **rest):
    return {"disruption": {"affects": affects, "fail": fail, "repair": repair, **rest}}


# --- disruptions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fail", "repair"), [(0.05, 0.25), (0.3, 0.7), (0.02, 1.0)])
def test_up_and_down_times_are_geometric_and_start_in_the_long_run(fail, repair):
    periods = 200
    up = available(shop(down(fail, repair)), periods, WORLDS)[:, 0] == 1
    share, memory = repair / (fail + repair), 1 - fail - repair
    deviation = np.sqrt(share * (1 - share))
    assert up[0].mean() == pytest.approx(share, abs=5 * deviation / np.sqrt(len(WORLDS)))
    error = deviation * np.sqrt((1 + memory) / (1 - memory) / up.size)
    assert up.mean() == pytest.approx(share, abs=5 * error)
    for state, leave in ((up, fail), (~up, repair)):  # how often the chain leaves a state, by its present and its past
        stayed_long = state[1:-1] & state[:-2]
        for seen in (state[1:-1], stayed_long):
            error = np.sqrt(leave * (1 - leave) / max(1, seen.sum())) + 1e-12
            assert (~state[2:])[seen].mean() == pytest.approx(leave, abs=5 * error) if seen.any() else leave == 1
    begun = (~up[1:100] & up[:99]).sum()  # spells that begin early enough to be seen to their end, but for 0.75^100
    lasted = sum(_spells(up[:, b]) for b in range(len(WORLDS)))
    error = np.sqrt(1 - repair) / repair / np.sqrt(begun)
    assert lasted / begun == pytest.approx(1 / repair, abs=5 * error + 1e-12)


def _spells(up):
    """Return the total length of the down spells that begin in periods 1 to 99."""
    first = np.flatnonzero(~up[1:100] & up[:99]) + 1
    return sum(np.argmax(np.append(up[t:], True)) for t in first)


def test_a_schedule_is_kept_and_severity_is_what_is_missing():
    network = shop({"capacity": 10, "disruption": {"affects": "start", "schedule": [[2, 3], [7, 9]], "severity": 0.25}})
    share = available(network, 9, [(0, 0), (1, 5)])[:, 0]
    np.testing.assert_array_equal(share, np.repeat([[1, 1, 0.75, 0.75, 1, 1, 1, 0.75, 0.75]], 2, axis=0).T)


def test_a_source_does_not_depend_on_others_nor_on_demand_nor_on_the_periods_drawn():
    alone, beside = shop(down()), shop(down(), down(0.5, 0.5), {})
    one, other = available(alone, 40, WORLDS[:9]), available(beside, 60, WORLDS[:9])
    np.testing.assert_array_equal(other[:40, 0], one[:, 0])
    assert (other[:, 0] != other[:, 1]).any() and (other[:, 2] == 1).all()
    always_up = draw(shop({}), 40, WORLDS[:9])
    assert always_up.available is None
    np.testing.assert_array_equal(draw(beside, 60, WORLDS[:9]).demand[:40], always_up.demand)


def test_networks_whose_sources_are_always_up_have_no_availability():
    assert draw(shop({"disruption": {"affects": "start"}}), 5, [(0, 0)]).available is None


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_severity_scales_capacity_and_rounds_it_down(backend):
    """0.1 of a capacity of 30 is 3 also where it is a little less in binary."""
    for capacity, severity, left in ((30, 0.9, 3), (10, 0.3, 7), (10, 0.25, 7), (10, 1, 0)):
        spell = {"affects": "start", "schedule": [[0, 0]], "severity": severity}
        for dtype in ("float64", "float32"):
            engine = Engine(shop({"capacity": capacity, "disruption": spell}), 1, backend=backend, dtype=dtype)
            engine.reset(0)
            engine.step(np.array([[50.0]]))
            assert engine.flows.start[0, 0] == left
            engine.step(np.array([[50.0]]))
            assert engine.flows.start[0, 0] == capacity


def test_an_agent_sees_what_is_down_in_the_period_that_begins():
    network = shop({"capacity": 8, **down(0.4, 0.5, severity=0.5)}, {}, {"disruption": {"affects": "start"}})
    assert "available" in Observation(network).blocks and "available" not in Observation(shop({})).blocks
    assert Observation(network, ["available"]).names == ("available.shop/0",)
    seen = {}
    for backend in ("numba", "numpy"):
        engine = Engine(network, 3, periods=20, backend=backend, observation=Observation(network, ["available"]))
        engine.reset(4)
        rows = []
        for _ in range(20):
            rows.append(engine.observe()[:, 0].copy())
            np.testing.assert_array_equal(rows[-1], engine.view().available[0])
            engine.step(np.full((3, 3), 50.0))
            np.testing.assert_array_equal(engine.flows.start[0], 8 * rows[-1])
        seen[backend] = np.stack(rows)
    np.testing.assert_array_equal(seen["numba"], seen["numpy"])
    np.testing.assert_array_equal(seen["numpy"], available(network, 20, [(4, 0), (5, 0), (6, 0)])[:, 0])


# --- lead times -------------------------------------------------------------------------------------------------------

SLOW = {"values": [1, 2, 4], "probabilities": [0.5, 0.3, 0.2]}


@pytest.mark.parametrize(
    ("law", "chances"),
    [(SLOW, [0, 0.5, 0.3, 0, 0.2]), ({"min": 1, "max": 3}, [0, 1 / 3, 1 / 3, 1 / 3]), ({"values": [2]}, [0, 0, 1])],
)
def test_lead_times_have_the_law_that_is_stated(law, chances):
    drawn = draw(shop({"lead_time": law}), 50, WORLDS).lead_time
    assert drawn is not None
    found = np.bincount(drawn[:, 0].ravel().astype(int), minlength=len(chances)) / drawn.size
    np.testing.assert_allclose(found, chances, atol=5 * np.sqrt(0.25 / drawn.size))
    before, after = drawn[:-1, 0] - drawn.mean(), drawn[1:, 0] - drawn.mean()
    assert abs((before * after).mean()) <= 0.02 * drawn.var()


def test_the_law_in_order_by_hand():
    """Within 1 period only if 1 itself (0.5), and no longer than 2 one before (0.8) nor 3 two before (0.8)."""
    np.testing.assert_allclose(LeadTime(**SLOW).law_in_order, [0, 0.32, 0.64 - 0.32, 0.8 - 0.64, 0.2])
    np.testing.assert_array_equal(LeadTime(**SLOW, crossing=True).law_in_order, LeadTime(**SLOW).law)


@pytest.mark.parametrize("backend", ["numba", "numpy", "torch"])
@pytest.mark.parametrize("crossing", [False, True])
def test_starts_arrive_after_their_own_time_or_in_their_order(crossing, backend):
    """Period t starts t + 1 units, so that what arrives tells when it was started."""
    network = shop({"lead_time": {**SLOW, "crossing": crossing}, "initial_pipeline": [0, 0, 0, 100]}, horizon=60)
    engine = Engine(network, 50, backend=backend)
    engine.reset(0)
    times = draw(network, 60, [(seed, 0) for seed in range(50)]).lead_time
    assert times is not None
    expected = np.zeros((70, 50))
    expected[3] = 100
    last = np.full(50, 3)  # when the last units that are under way arrive
    overtaken = 0
    for t in range(60):
        engine.step(np.full((50, 1), t + 1.0))
        due = t + times[t, 0].astype(int)
        overtaken += (due < last).sum()
        due = due if crossing else np.maximum(due, last)
        last = np.maximum(last, due)
        expected[due, np.arange(50)] += t + 1
        np.testing.assert_array_equal(engine.flows.receipt[0], expected[t])
        np.testing.assert_array_equal(engine.flows.lead_time[0], due - t)
    assert overtaken > 0


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("crossing", [False, True])
def test_the_lead_time_kpis_are_the_moments_of_the_law(crossing, backend):
    law = {**SLOW, "crossing": crossing}
    network = shop({"lead_time": law}, {"lead_time": 9}, horizon=400, warm_up=10)
    table = simulate(network, Rules(network, {"shop/0.push_quantity": 7}), 100, seed=0, backend=backend)
    chances, periods = LeadTime(**law).law_in_order, np.arange(5)
    mean = chances @ periods
    error = 5 * table["supplier_lead_time"].std() / 10 + 1e-3
    assert table["supplier_lead_time"].mean() == pytest.approx(mean, abs=error)
    assert table["supplier_lead_time_sd"].mean() == pytest.approx(np.sqrt(chances @ (periods - mean) ** 2), abs=0.02)
    assert network.sources[0].lead_time_variance == pytest.approx(chances @ (periods - mean) ** 2)


def test_base_stock_with_lead_times_in_order_holds_what_theory_says():
    """At the end of a period all but the demand of the last L periods has come, L of the law in order (Kaplan 1970)."""
    source = {"mode": "pull", "lead_time": SLOW}
    market = {"demand": {"kind": "poisson", "mean": 20}}
    stages = {"shop": {"initial_on_hand": 60, "sources": [source], "market": market}}
    network = Network.from_dict({"stages": stages, "horizon": 500, "warm_up": 20})
    table = simulate(network, Rules(network, {"shop.pull_threshold": 60}), 200, seed=0)
    units = np.arange(400)
    stock = backlog = 0.0
    for periods, chance in enumerate(LeadTime(**SLOW).law_in_order):
        law = stats.poisson.pmf(units, 20 * periods)
        stock += chance * law @ np.maximum(60 - units, 0)
        backlog += chance * law @ np.maximum(units - 60, 0)
    for name, value in (("stock", stock), ("backlog", backlog)):
        assert table[name].mean() == pytest.approx(value, abs=5 * table[name].std() / np.sqrt(200))


# --- yields and capacities --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "mean", "sd"),
    [
        (0.9, 0.9, 0),
        ({"mean": 0.9, "sd": 0.1}, 0.9, 0.1),
        ({"mean": 0.3, "sd": 0.4}, 0.3, 0.4),
        ({"values": [1, 0.5], "probabilities": [0.25, 0.75]}, 0.625, 0.25 * np.sqrt(0.75)),
        ({"values": [0, 0.5, 1]}, 0.5, np.sqrt(1 / 6)),
    ],
)
@pytest.mark.parametrize("key", ["yield", "capacity_share"])
def test_shares_have_the_mean_and_deviation_that_are_stated(key, law, mean, sd):
    traces = draw(shop({"capacity": 50, key: law}), 50, WORLDS)
    shares = traces.yields if key == "yield" else traces.available
    assert shares is not None and shares.min() >= 0 and shares.max() <= 1
    assert shares.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(shares.size) + 1e-12)
    assert shares.std() == pytest.approx(sd, abs=0.01 * max(sd, 1e-9))


def test_a_beta_share_has_the_quantiles_of_its_law():
    shares = draw(shop({"yield": {"mean": 0.9, "sd": 0.1}}), 50, WORLDS[:200]).yields
    assert shares is not None  # a + b = 0.9 x 0.1 / 0.01 - 1 = 8
    assert stats.kstest(shares.ravel(), stats.beta(7.2, 0.8).cdf).pvalue > 1e-4


@pytest.mark.parametrize("backend", ["numba", "numpy", "torch"])
def test_what_is_scrapped_was_paid_and_used_but_never_arrives(backend):
    """Halves go to the even number: of 5 good are 2, of 7 are 4."""
    part = {"mode": "push", "lead_time": 0}
    item = {"mode": "push", "lead_time": 1, "inputs": {"part": 2}, "unit_cost": 3, "yield": 0.5}
    market = {"demand": {"kind": "deterministic", "values": 0}}
    stages = {"part": {"initial_on_hand": 40, "sources": [part]}, "item": {"sources": [item], "market": market}}
    engine = Engine(Network.from_dict({"stages": stages}), 1, backend=backend)
    engine.reset(0)
    for units, good, parts in ((5, 2, 30), (7, 4, 16), (1, 0, 14)):
        engine.step(np.array([[0.0, units]]))
        assert engine.flows.start[1, 0] == units and engine.flows.scrapped[0, 0] == units - good
        assert engine.flows.on_hand[0, 0] == parts and engine.flows.in_process[1, 0] == good
        assert engine.costs["production"][0] == 3 * units
    assert engine.flows.on_hand[1, 0] == 6
    assert engine.kpis()["scrap_share"][0] == pytest.approx(7 / 13)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_share_of_capacity_is_what_can_start(backend):
    network = shop({"capacity": 20, "capacity_share": {"mean": 0.7, "sd": 0.2}})
    share = available(network, 50, [(3, 0)])[:, 0, 0]
    engine = Engine(network, 1, periods=50, backend=backend)
    engine.reset(3)
    for t in range(50):
        engine.step(np.array([[99.0]]))
        assert engine.flows.start[0, 0] == np.floor(20 * share[t])
    assert not network.disrupted_sources and "available" not in Observation(network).blocks


@pytest.mark.parametrize("units", ["integer", "real"])
def test_engines_agree_on_what_supply_does_by_chance(units):
    network = shop(
        {"lead_time": SLOW, "yield": {"mean": 0.8, "sd": 0.1}},
        {"mode": "pull", "lead_time": {"min": 0, "max": 3, "crossing": True}, "yield": 0.7},
        {"mode": "mixed", "lead_time": {"min": 0, "max": 3}, "capacity": 9, "capacity_share": 0.5},
        units=units,
    )
    engines = [Engine(network, 140, periods=30, backend=backend) for backend in ("numba", "numpy")]
    rng = np.random.default_rng(0)
    for engine in engines:
        engine.reset(0)
    for t in range(30):
        if t == 20:
            for engine in engines:
                engine.begin(np.arange(140) % 3 == 0)
        vectors = rng.uniform(0, 1.5, (140, 4)) * engines[0].space.high
        for engine in engines:
            engine.step(vectors)
        kernel, arrays = engines
        np.testing.assert_allclose(kernel.observe(), arrays.observe(), rtol=1e-6)
        for record in ("flows", "totals"):
            for name, values in vars(getattr(arrays, record)).items():
                np.testing.assert_allclose(getattr(getattr(kernel, record), name), values, atol=1e-9, err_msg=name)
        if kernel.ended.any():
            break


def test_a_record_tells_lead_times_and_yields():
    network = shop({"lead_time": SLOW, "yield": 0.5})
    played = replay(
        network,
        [[4], [6], [0], [0], [0]],
        [{}] * 5,
        lead_time=[{"shop": 4}, {"shop": 1}, *[{"shop": 1}] * 3],
        yields=[{"shop": 1}, {"shop": 0.5}, *[{"shop": 1}] * 3],
    )
    np.testing.assert_array_equal(played.receipt[:, 0], [0, 0, 0, 0, 7])  # the second start waits for the first


# --- flexible capacity and economies of scale -------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numba", "numpy", "torch"])
def test_overtime_is_what_exceeds_the_regular_capacity(backend):
    """Capacity 10 and 4 beyond it at 3 a unit; half of both is left in the last two periods."""
    spell = {"affects": "start", "schedule": [[3, 4]], "severity": 0.5}
    source = {"capacity": 10, "overtime": {"capacity": 4, "cost": 3}, "unit_cost": 2, "disruption": spell}
    engine = Engine(shop(source), 1, periods=5, backend=backend)
    engine.reset(0)
    for asked, started, overtime in ((8, 8, 0), (12, 12, 2), (20, 14, 4), (6, 6, 1), (20, 7, 2)):
        engine.step(np.array([[float(asked)]]))
        assert engine.flows.start[0, 0] == started and engine.flows.overtime[0, 0] == overtime
        assert engine.costs["overtime"][0] == 3 * overtime and engine.costs["production"][0] == 2 * started
    kpis = engine.kpis()
    assert kpis["overtime_share"][0] == pytest.approx(9 / 47)
    assert kpis["cost_per_flexible_unit"][0] == 3
    assert kpis["source_capacity_use"][0] == pytest.approx(47 / 50)


BREAKS = {"unit_cost": 5, "price_breaks": [{"from": 10, "unit_cost": 4}, {"from": 50, "unit_cost": 3.5}]}


@pytest.mark.parametrize("backend", ["numba", "numpy", "torch"])
@pytest.mark.parametrize("units", ["integer", "real"])
@pytest.mark.parametrize(
    ("rule", "costs"),
    [
        ("all_units", {0: 0, 9: 45, 10: 40, 49: 196, 50: 175, 60: 210}),
        ("incremental", {0: 0, 9: 45, 10: 50, 49: 206, 50: 210, 60: 245}),
    ],
)
def test_price_breaks_by_hand(rule, costs, units, backend):
    network = shop({**BREAKS, "price_rule": rule}, units=units)
    engine = Engine(network, 1, periods=len(costs), backend=backend)
    engine.reset(0)
    for asked, cost in costs.items():
        engine.step(np.array([[float(asked)]]))
        assert engine.costs["production"][0] == pytest.approx(cost)


@pytest.mark.parametrize("backend", ["numba", "numpy", "torch"])
@pytest.mark.parametrize("units", ["integer", "real"])
def test_every_load_that_is_begun_is_paid(units, backend):
    network = shop({"load": {"size": 12, "cost": 100}}, units=units)
    engine = Engine(network, 1, periods=5, backend=backend)
    engine.reset(0)
    for asked, loads in ((0, 0), (1, 1), (12, 1), (13, 2), (36, 3)):
        engine.step(np.array([[float(asked)]]))
        assert engine.costs["loads"][0] == 100 * loads


def test_networks_have_terms_and_kpis_of_what_they_state():
    plain, limited, rich = (
        shop({}),
        shop({"capacity": 9}),
        shop({"capacity": 9, "overtime": {"capacity": 1, "cost": 1}}),
    )
    for network, kpis in (
        (plain, ()),
        (limited, ("source_capacity_use",)),
        (rich, ("source_capacity_use", "overtime_share")),
    ):
        engine = Engine(network, 1)
        engine.reset(0)
        own = engine.kpis()
        for name in ("source_capacity_use", "overtime_share", "scrap_share", "supplier_lead_time", "cost.overtime"):
            assert (name in own) == (name in kpis or (name == "cost.overtime" and network is rich))
    assert "loads" not in rich.cost_terms and "overtime" in rich.cost_terms


@pytest.mark.parametrize("units", ["integer", "real"])
def test_engines_agree_on_economies_of_scale(units):
    network = shop(
        {**BREAKS, "capacity": 12.5, "overtime": {"capacity": 3.5, "cost": 2}, "load": {"size": 4, "cost": 7}},
        {
            "mode": "mixed",
            "price_rule": "incremental",
            **BREAKS,
            "capacity": 30,
            "overtime": {"capacity": 9, "cost": 1},
        },
        units=units,
    )
    engines = [Engine(network, 140, periods=20, backend=backend) for backend in ("numba", "numpy")]
    rng = np.random.default_rng(0)
    for engine in engines:
        engine.reset(0)
    for _ in range(20):
        vectors = rng.uniform(0, 9, (140, 3)) * engines[0].space.high
        for engine in engines:
            engine.step(vectors)
        kernel, arrays = engines
        for term, cost in arrays.costs.items():
            np.testing.assert_allclose(kernel.costs[term], cost, rtol=0, atol=0 if units == "integer" else 1e-9)
        for name, values in vars(arrays.totals).items():
            np.testing.assert_allclose(getattr(kernel.totals, name), values, atol=1e-6, err_msg=name)
    assert (engines[0].totals.overtime > 0).all()
