"""Families and correlated markets: every market keeps its law, together they move as stated.

Samples are compared at five standard errors; worlds are fixed, so what passes once passes always.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pushpull.agents import make_policy
from pushpull.envs import InputError, Network, load_network, simulate
from pushpull.envs.bounds import demand_rates
from pushpull.envs.exogenous import draw
from pushpull.envs.families import binomial_quantile, market_demand, mean, variance
from pushpull.envs.render import describe
from tests.envs.strategies import demands, hunt

MANY = [(seed, 0) for seed in range(20_000)]
FEW = MANY[:100]
POISSON = {"kind": "poisson", "mean": 12}
LUMPY = {"kind": "negative_binomial", "mean": 12, "sd": 9}
NORMAL = {"kind": "normal", "mean": 100, "sd": 10}
COLOURS = {"red": 0.5, "blue": 0.3, "grey": 0.2}


def network(*demands, units="integer", family=None, forecast=None, **settings):
    """Return unconnected shops: one per demand, then those of a family."""
    markets = {f"shop{m}": {"demand": demand} for m, demand in enumerate(demands)}
    if family is not None:
        settings["families"] = {"phones": {"markets": COLOURS} | family}
        markets |= {name: {"forecast": forecast or {}} for name in settings["families"]["phones"]["markets"]}
    stages = {name: {"sources": [{}], "market": market} for name, market in markets.items()}
    return Network.from_dict({"decoupling_point": "market", "units": units, "stages": stages} | settings)


def paths(network, periods=3, worlds=MANY):
    """Return demand, [M, T, B]."""
    return draw(network, periods, worlds).demand.swapaxes(0, 1)


def assert_correlated(one, other, expected):
    """Compare the correlation of two samples with what is expected, at five standard errors of normal samples."""
    error = 5 * max(0.05, 1 - expected**2) / np.sqrt(one.size)
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(expected, abs=error)


# --- correlation between markets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [0.7, -0.4])
def test_one_coefficient_correlates_all_normal_demands(rho):
    drawn = paths(network(NORMAL, NORMAL, NORMAL, units="real", demand_correlation=rho))
    for t in 0, 2:
        for a, b in (0, 1), (0, 2), (1, 2):
            assert_correlated(drawn[a, t], drawn[b, t], rho)
            assert_correlated(drawn[a, t], drawn[b, 1], rho if t == 1 else 0)
    for m in range(3):
        assert stats.kstest(drawn[m].ravel(), stats.norm(100, 10).cdf).pvalue > 1e-4


def test_a_matrix_correlates_pair_by_pair():
    matrix = [[1, 0.8, 0], [0.8, 1, -0.5], [0, -0.5, 1]]
    drawn = paths(network(NORMAL, NORMAL, NORMAL, units="real", demand_correlation=matrix))
    for a, b in (0, 1), (0, 2), (1, 2):
        assert_correlated(drawn[a, 1], drawn[b, 1], matrix[a][b])


def test_correlated_markets_keep_their_own_laws():
    drawn = paths(network(POISSON, LUMPY, demand_correlation=0.9))
    laws = stats.poisson(12), stats.nbinom(144 / 69, 12 / 81)
    for m, law in enumerate(laws):
        counts = np.bincount(drawn[m, 2].astype(int), minlength=30)[:30]
        expected = law.pmf(np.arange(30)) * len(MANY)  # pyright: ignore[reportAttributeAccessIssue]
        assert (np.abs(counts - expected) < 5 * np.sqrt(expected) + 5).all()
    assert np.corrcoef(drawn[0, 2], drawn[1, 2])[0, 1] > 0.8


def test_the_first_market_and_what_is_not_drawn_keep_their_paths():
    trace = {"kind": "trace", "file": "wine.csv", "column": "sales", "start": "random"}
    known = {"kind": "deterministic", "values": [3, 4]}
    mixed = [POISSON, known, trace, NORMAL]
    plain, tied = paths(network(*mixed), 9, FEW), paths(network(*mixed, demand_correlation=0.6), 9, FEW)
    np.testing.assert_array_equal(tied[:3], plain[:3])
    assert (tied[3] != plain[3]).any()
    identity = np.eye(4).tolist()
    np.testing.assert_array_equal(paths(network(*mixed, demand_correlation=identity), 9, FEW), plain)


def test_autocorrelated_markets_are_correlated_in_every_period():
    demand = NORMAL | {"autocorrelation": 0.8}
    drawn = paths(network(demand, demand, units="real", demand_correlation=0.6), 12)
    for t in 0, 1, 11:
        assert_correlated(drawn[0, t], drawn[1, t], 0.6)
    assert_correlated(drawn[0, 10], drawn[0, 11], 0.8)
    assert_correlated(drawn[0, 10], drawn[1, 11], 0.6 * 0.8)


def test_a_family_is_correlated_as_one():
    drawn = paths(network(NORMAL, units="real", family={"demand": NORMAL}, demand_correlation=0.7))
    assert_correlated(drawn[0, 1], drawn[1:, 1].sum(axis=0), 0.7)


# --- how a family's demand is split -----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [{}, {"spread": 0.3}, {"share_drift": 0.2}], ids=str)
@pytest.mark.parametrize("units", ["integer", "real"])
def test_variants_sum_to_the_demand_that_their_first_market_would_have_alone(units, family):
    composed = LUMPY | {"level_sd": 0.3, "shocks": [{"probability": 0.1, "factor": 2}], "autocorrelation": 0.5}
    split = paths(network(units=units, family=family | {"demand": composed}), 9, FEW)
    whole = paths(network(composed, units=units), 9, FEW)[0]
    if units == "integer":
        np.testing.assert_array_equal(split.sum(axis=0), whole)
        np.testing.assert_array_equal(split, np.rint(split))
    else:
        np.testing.assert_allclose(split.sum(axis=0), whole, rtol=1e-12)
    assert (split >= 0).all()


@pytest.mark.parametrize("units", ["integer", "real"])
@pytest.mark.parametrize("spread", [0, 0.25])
@pytest.mark.parametrize("demand", [POISSON, LUMPY, NORMAL | {"level_sd": 0.2}], ids=lambda d: d["kind"])
def test_variants_have_the_declared_moments_and_covariances(demand, spread, units):
    own = network(units=units, family={"demand": demand, "spread": spread})
    drawn, shares = paths(own), list(COLOURS.values())
    whole = market_demand(network(demand, units=units), 0)
    first = mean(whole, units, 3)[2]
    second = variance(whole, units, 3)[2] + first**2
    for k in range(3):
        demand_of = market_demand(own, k)
        off = drawn[k, 2] - mean(demand_of, units, 3)[2]
        spread_of = variance(demand_of, units, 3)[2]
        assert abs(off.mean()) < 5 * np.sqrt(spread_of / off.size) + 1e-9
        assert abs((off**2).mean() - spread_of) < 5 * (off**2).std() / np.sqrt(off.size) + 1e-9
        for j in range(k):
            other = drawn[j, 2] - mean(market_demand(own, j), units, 3)[2]
            crossed = second - first if units == "integer" else second
            covariance = shares[k] * shares[j] * ((1 - spread) * crossed - first**2)
            assert abs((off * other).mean() - covariance) < 5 * (off * other).std() / np.sqrt(off.size)


def test_customers_choose_by_the_shares():
    drawn = paths(network(family={"demand": {"kind": "deterministic", "values": 10}}))
    for k, share in enumerate(COLOURS.values()):
        counts = np.bincount(drawn[k, 1].astype(int), minlength=11)
        expected = stats.binom.pmf(np.arange(11), 10, share) * len(MANY)
        assert (np.abs(counts - expected) <= 5 * np.sqrt(expected) + 5).all()


def test_customers_of_a_poisson_family_do_not_tell_one_variant_of_the_other():
    drawn = paths(network(family={"demand": POISSON}))
    for k, share in enumerate(COLOURS.values()):
        expected = stats.poisson.pmf(np.arange(12), 12 * share) * len(MANY)
        counts = np.bincount(drawn[k, 1].astype(int), minlength=12)[:12]
        assert (np.abs(counts - expected) <= 5 * np.sqrt(expected) + 5).all()
    assert_correlated(drawn[0, 1], drawn[1, 1], 0)


def test_shares_that_spread_are_dirichlet():
    spread = 0.2
    one = {"kind": "deterministic", "values": 1}
    drawn = paths(network(units="real", family={"demand": one, "spread": spread}))[:, 2]
    for k, share in enumerate(COLOURS.values()):
        weight = 1 / spread - 1
        assert stats.kstest(drawn[k], stats.beta(weight * share, weight * (1 - share)).cdf).pvalue > 1e-4
        assert drawn[k].var() == pytest.approx(share * (1 - share) * spread, rel=0.05)
    np.testing.assert_array_equal(
        paths(network(units="real", family={"demand": one}), 2, FEW)[:, 0, 0], [0.5, 0.3, 0.2]
    )


def test_a_list_of_markets_has_equal_shares():
    own = network(units="real", family={"demand": NORMAL, "markets": ["a", "b", "c", "d"]})
    drawn = paths(own, 5, FEW)
    np.testing.assert_allclose(drawn[1:], drawn[:-1], rtol=1e-12)
    assert Network.from_dict(own.to_dict()).to_dict() == own.to_dict()


def test_binomial_numbers_are_inverted_exactly():
    rng = np.random.default_rng(0)
    trials = rng.choice([0.0, 1, 2, 30, 5000], (50, 400))
    chances = rng.choice([0.0, 1e-6, 0.2, 0.5, 0.93, 1], (50, 400))
    u = rng.random((50, 400))
    u[0, :8] = [2.0**-53, 1e-12, 1e-6, 0.5, 1 - 1e-6, 1 - 1e-12, 1 - 2.0**-53, 0.1]
    drawn = binomial_quantile(u, trials, chances)
    law = stats.binom(trials, chances)
    assert (law.cdf(drawn - 1) <= u + 1e-9).all() and (law.cdf(drawn) >= u - 1e-9).all()
    assert ((drawn >= 0) & (drawn <= trials)).all()


# --- drift ------------------------------------------------------------------------------------------------------------


def test_preferences_wander_from_the_stated_shares():
    one, drift = {"kind": "deterministic", "values": 1}, 0.1
    own = network(units="real", family={"demand": one, "share_drift": drift})
    shares = paths(own, 26)
    np.testing.assert_allclose(shares[:, 0], np.tile([[0.5], [0.3], [0.2]], len(MANY)), rtol=1e-12)
    np.testing.assert_allclose(shares.sum(axis=0), 1, rtol=1e-12)
    for t in 1, 25:
        odds = np.log(shares[0, t] / shares[1, t])
        assert odds.mean() == pytest.approx(np.log(0.5 / 0.3), abs=5 * drift * np.sqrt(2 * t / len(MANY)))
        assert odds.var() == pytest.approx(2 * drift**2 * t, rel=5 * np.sqrt(2 / len(MANY)))
    for k in range(3):
        demand = market_demand(own, k)
        np.testing.assert_allclose(mean(demand, "real", 26), shares[k].mean(axis=1), atol=0.005)
        np.testing.assert_allclose(variance(demand, "real", 26), shares[k].var(axis=1), atol=0.002)
    steps = np.diff(np.log(shares[0] / shares[1]), axis=0)
    assert abs(np.corrcoef(steps[3], steps[4])[0, 1]) < 5 / np.sqrt(len(MANY))


def test_drifting_equal_shares_stay_equal_on_average():
    own = network(units="real", family={"demand": NORMAL, "markets": ["a", "b"], "share_drift": 0.3})
    np.testing.assert_allclose(mean(market_demand(own, 0), "real", 40), 50, rtol=1e-12)


# --- streams, bounds and everything that asks what a market's demand is ----------------------------------------------


def test_a_family_does_not_move_other_markets_nor_they_it():
    family = {"demand": LUMPY, "spread": 0.1, "share_drift": 0.1}
    alone, joined = network(POISSON, family=family), network(POISSON, family=family | {"demand": POISSON})
    np.testing.assert_array_equal(paths(alone, 9, FEW)[0], paths(joined, 9, FEW)[0])
    np.testing.assert_array_equal(paths(network(POISSON), 9, FEW)[0], paths(alone, 9, FEW)[0])
    np.testing.assert_array_equal(paths(network(NORMAL, family=family), 9, FEW)[1:], paths(alone, 9, FEW)[1:])


def test_forecasts_of_a_variant_foresee_its_part():
    season = LUMPY | {"season": [1, 2]}
    seen = draw(network(family={"demand": season}, forecast={"horizon": 3}), 5, FEW).forecast
    np.testing.assert_allclose(seen[1, :, 0, 0], [12, 6, 12])
    np.testing.assert_allclose(seen[1, :, 2, 0], [4.8, 2.4, 4.8])
    exact = draw(network(family={"demand": season}, forecast={"kind": "noisy", "horizon": 3}), 5, FEW)
    np.testing.assert_array_equal(exact.forecast[:3, 2], exact.demand[2:])


def test_rates_follow_the_shares():
    np.testing.assert_allclose(demand_rates(network(POISSON, family={"demand": LUMPY})), [12, 6, 3.6, 2.4])


def test_a_family_is_described_and_simulated():
    mapping = load_network("electronics").to_dict()
    phone = next(name for name, stage in mapping["stages"].items() if "market" in stage)
    demand = mapping["stages"][phone]["market"].pop("demand")
    mapping["stages"]["tablet"] = mapping["stages"][phone]
    mapping["families"] = {"devices": {"markets": {phone: 0.7, "tablet": 0.3}, "demand": demand, "share_drift": 0.02}}
    own = Network.from_dict(mapping)
    assert "family devices" in describe(own)
    table = simulate(own, make_policy("push_pull", own), episodes=4, seed=0)
    assert np.isfinite(table["profit"]).all() and (table["fill_rate"] > 0.5).all()


@hunt(40)
@given(demands(), st.sampled_from([0, 0.4, 0.9]), st.sampled_from([0, 0.3]), st.sampled_from(["integer", "real"]))
def test_any_family_is_drawn_alike_in_every_batch_and_horizon(demand, spread, drift, units):
    correlation = 0.5 if demand["kind"] != "deterministic" else None
    family = {"demand": demand, "spread": spread, "share_drift": drift}
    own = network(POISSON, units=units, family=family, demand_correlation=correlation)
    assert Network.from_dict(own.to_dict()).to_dict() == own.to_dict()
    whole = paths(own, 8, FEW)
    np.testing.assert_array_equal(paths(own, 5, [FEW[17]])[:, :, 0], whole[:, :5, 17])
    assert np.isfinite(whole).all() and (whole >= 0).all()
    assert (whole == np.rint(whole)).all() or units == "real"
    for i in own.markets:
        asked = market_demand(own, i)
        assert (mean(asked, units, 8) >= 0).all() and (variance(asked, units, 8) >= 0).all()


# --- bad input --------------------------------------------------------------------------------------------------------


def test_a_variant_needs_a_family_that_can_be_drawn():
    demand = {"kind": "trace", "file": "wine.cvs", "column": "sales"}
    with pytest.raises(InputError, match=r"families\.phones\.demand\.file: no file 'wine\.cvs'"):
        draw(network(family={"demand": demand}), 5, FEW)
