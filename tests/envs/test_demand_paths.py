"""Composed demand, drawn in many worlds, has the laws, moments and correlations that its settings imply.

Samples are compared at five standard errors, as in test_demand.py; worlds are fixed, so what passes once passes always.
"""

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from scipy import stats

from pushpull.envs import Network
from pushpull.envs.demand import mean, variance
from pushpull.envs.exogenous import draw
from pushpull.envs.network import DEMAND_KINDS, Demand
from tests.envs.strategies import demands, hunt

MANY = [(seed, 0) for seed in range(20_000)]
KINDS = {
    "poisson": {"kind": "poisson", "mean": 6},
    "negative binomial": {"kind": "negative_binomial", "mean": 6, "sd": 5},
    "geometric": {"kind": "geometric", "mean": 3},
    "uniform": {"kind": "uniform_int", "low": 3, "high": 9},
    "normal": {"kind": "normal", "mean": 20, "sd": 5},
    "gamma": {"kind": "gamma", "mean": 20, "sd": 9},
    "deterministic": {"kind": "deterministic", "values": [10, 13]},
    "empirical": {"kind": "empirical", "values": [1, 5, 20]},
    "trace": {"kind": "trace", "file": "prescriptions.csv", "column": "immune_sera", "start": "random"},
    "known trace": {"kind": "trace", "file": "wine.csv", "column": "sales", "scale": 0.001},
    "rare counts": {"kind": "intermittent", "probability": 0.4, "size": {"kind": "poisson", "mean": 9}},
    "rare sizes": {"kind": "intermittent", "probability": 0.4, "size": {"kind": "gamma", "mean": 9, "sd": 3}},
    "bass": {"kind": "bass", "innovation": 0.05, "imitation": 0.4, "market_size": 200},
}
SHOCK = {"probability": 0.15, "duration": 2, "factor": 3}
REGIMES = {"factors": [1, 0.25, 2], "transitions": [[0.8, 0.1, 0.1], [0.4, 0.6, 0], [0.5, 0, 0.5]]}
COMPOSITIONS = {
    "autocorrelation": {"autocorrelation": 0.7},
    "shocks": {"shocks": [SHOCK, {"period": 2, "factor": 1.5}, {"probability": 0.05, "factor": 0}]},
    "regimes": {"regimes": REGIMES},
    "level": {"level_sd": 0.4},
    "all": {"shocks": [SHOCK], "regimes": REGIMES | {"start": 1}, "level_sd": 0.4, "season": [1, 1.5], "trend": 0.1},
}


def shops(*demands, units="real"):
    """Return unconnected shops, one per demand."""
    stages = {f"shop{m}": {"sources": [{}], "market": {"demand": demand}} for m, demand in enumerate(demands)}
    return Network.from_dict({"decoupling_point": "market", "units": units, "stages": stages})


def paths(demand, periods, worlds=MANY, units="real"):
    """Return the demand of one shop, [T, B]."""
    return draw(shops(demand, units=units), periods, worlds).demand[:, 0]


def settings_of(network):
    """Return the demand settings of the first shop."""
    demand = network.stages["shop0"].market.demand
    assert demand is not None
    return demand


def assert_moments(drawn, declared_mean, declared_variance, rounding=0.0):
    """Compare samples [T, B] with means and variances [T] at five standard errors."""
    off = drawn - declared_mean[:, None]
    standard_error = 5 * np.sqrt(np.maximum(declared_variance, off.var(axis=1)) / drawn.shape[1])
    assert (np.abs(off.mean(axis=1)) <= 1e-9 * (1 + declared_mean) + standard_error + rounding).all()
    squares = off**2
    standard_error = 5 * np.sqrt(squares.var(axis=1) / drawn.shape[1])
    assert (np.abs(squares.mean(axis=1) - declared_variance) <= 1e-9 + standard_error + rounding).all()


UNDRAWN = ("deterministic", "trace", "known trace")  # they refuse an autocorrelation


@pytest.mark.parametrize(
    ("kind", "composition"), [(k, c) for k in KINDS for c in COMPOSITIONS if c != "autocorrelation" or k not in UNDRAWN]
)
def test_composed_demand_has_the_declared_moments(kind, composition):
    demand, periods = KINDS[kind] | COMPOSITIONS[composition], 5
    for units in "real", "integer":
        drawn = paths(demand, periods, units=units)
        own = settings_of(shops(demand))
        # what rounding does to small demand times a level is approximated
        rounding = 0.05 if units == "integer" and "level_sd" in demand else 0.0
        assert_moments(drawn, mean(own, units, periods), variance(own, units, periods), rounding)
        assert (drawn >= 0).all() and (units == "real" or (drawn == np.rint(drawn)).all())


# --- autocorrelation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [0.8, -0.5])
def test_autocorrelation_is_that_of_the_normals_and_leaves_the_law(rho):
    drawn = paths({"kind": "normal", "mean": 100, "sd": 10, "autocorrelation": rho}, 30, MANY[:5000])
    z = (drawn - 100) / 10  # never clipped at ten standard deviations
    for t in 0, 1, 29:
        assert stats.kstest(z[t], "norm").pvalue > 1e-4
    for lag in 1, 2, 4:
        for t in 0, 20:
            error = (1 - rho ** (2 * lag)) / np.sqrt(5000)
            assert np.corrcoef(z[t], z[t + lag])[0, 1] == pytest.approx(rho**lag, abs=5 * error)


def test_autocorrelated_counts_are_poisson_in_every_period():
    drawn = paths({"kind": "poisson", "mean": 4, "autocorrelation": 0.9}, 12)
    for t in 0, 1, 11:
        counts = np.bincount(drawn[t].astype(int), minlength=10)[:10]
        expected = stats.poisson.pmf(np.arange(10), 4) * len(MANY)
        assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()
    assert np.corrcoef(drawn[5], drawn[6])[0, 1] > 0.85


def test_no_autocorrelation_is_independence():
    plain = paths({"kind": "poisson", "mean": 4}, 9, MANY[:50])
    np.testing.assert_array_equal(paths({"kind": "poisson", "mean": 4, "autocorrelation": 0}, 9, MANY[:50]), plain)
    slight = paths({"kind": "poisson", "mean": 4, "autocorrelation": 0.3}, 9, MANY[:50])
    np.testing.assert_array_equal(slight[0], plain[0])
    assert (slight[1:] != plain[1:]).any()


# --- shocks, regimes, levels ------------------------------------------------------------------------------------------


def test_outside_a_shock_demand_is_what_it_would_have_been():
    plain = paths({"kind": "poisson", "mean": 50}, 60, MANY[:200])
    shocked = paths({"kind": "poisson", "mean": 50, "shocks": [{"probability": 0.02, "factor": 10}]}, 60, MANY[:200])
    moved = shocked != plain
    assert moved.mean() == pytest.approx(0.02, abs=5 * np.sqrt(0.02 / moved.size))
    assert shocked[moved].mean() == pytest.approx(500, rel=0.01)


def test_regimes_that_change_nothing_move_no_other_stream():
    same = {"factors": [1, 1], "transitions": [[0.5, 0.5], [0.1, 0.9]]}
    plain = paths(KINDS["poisson"], 20, MANY[:50])
    np.testing.assert_array_equal(paths(KINDS["poisson"] | {"regimes": same}, 20, MANY[:50]), plain)


def test_regimes_last_as_long_as_their_transitions_say():
    regimes = {"factors": [1, 2], "transitions": [[0.9, 0.1], [0.25, 0.75]]}
    states = paths({"kind": "deterministic", "values": 1, "regimes": regimes}, 200, MANY[:500])
    before, after = states[:-1] == 2, states[1:] == 2
    for start, stay in ((before, 0.75), (~before, 0.9)):
        kept = (after == before)[start].mean()
        assert kept == pytest.approx(stay, abs=5 * np.sqrt(stay * (1 - stay) / start.sum()))


def test_a_level_holds_for_the_episode_and_is_gamma():
    drawn = paths({"kind": "deterministic", "values": 10, "level_sd": 0.5}, 4)
    np.testing.assert_array_equal(drawn[1:], np.tile(drawn[0], (3, 1)))
    assert stats.kstest(drawn[0] / 10, stats.gamma(4, scale=0.25).cdf).pvalue > 1e-4
    episodes = paths({"kind": "deterministic", "values": 10, "level_sd": 0.5}, 1, [(3, 0), (3, 1)])
    assert episodes[0, 0] != episodes[0, 1]


def test_poisson_demand_of_a_gamma_level_is_negative_binomial():
    drawn = paths({"kind": "poisson", "mean": 5, "level_sd": 0.5}, 2, units="integer")
    law = stats.nbinom(4, 4 / (4 + 5))
    expected = stats.nbinom.pmf(np.arange(15), 4, 4 / 9) * len(MANY)
    counts = np.bincount(drawn[1].astype(int), minlength=15)[:15]
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()
    assert np.corrcoef(drawn)[0, 1] == pytest.approx(25 * 0.25 / law.var(), abs=0.03)


# --- what the page says -----------------------------------------------------------------------------------------------

EXAMPLES = re.findall(r"`(\{kind: .+\})`", (Path(__file__).parents[2] / "docs/demand.md").read_text("utf-8"))


def test_the_page_on_demand_has_an_example_of_every_kind_and_composition():
    stated = [yaml.safe_load(example) for example in EXAMPLES]
    keys = {item.name.removesuffix("_") for item in fields(Demand)}
    compositions = keys - {"kind"} - {key for own in DEMAND_KINDS.values() for key in own}
    assert {example["kind"] for example in stated} == set(DEMAND_KINDS)
    assert compositions == {key for example in stated for key in example} & compositions


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_page_is_drawn(example):
    drawn = paths(yaml.safe_load(example), 30, MANY[:50], units="integer")
    assert drawn.sum() > 0


# --- any composition --------------------------------------------------------------------------------------------------


@hunt(60)
@given(demands())
def test_any_composition_is_drawn_alike_in_every_batch_and_horizon(demand):
    for units in "integer", "real":
        network = shops(demand, units=units)
        assert Network.from_dict(network.to_dict()) == network
        whole = draw(network, 12, [(s, 1) for s in range(40)]).demand[:, 0]
        np.testing.assert_array_equal(draw(network, 7, [(11, 1)]).demand[:, 0, 0], whole[:7, 11])
        assert np.isfinite(whole).all() and (whole >= 0).all()
        own = settings_of(network)
        expected, spread = mean(own, units, 12), variance(own, units, 12)
        assert np.isfinite(expected).all() and (expected >= 0).all() and (spread >= -1e-9).all()
        error = 6 * np.sqrt(spread / 40) + 3 * expected  # a level of sd 1.5 has a long tail
        assert (np.abs(whole.mean(axis=1) - expected) <= error + 1e-6).all()
