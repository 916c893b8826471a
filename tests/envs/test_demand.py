"""Demand is what its settings say: laws against scipy.stats, moments and quantiles against closed forms.

Samples of n draws are compared at five standard errors, which a right program exceeds once in 2 million times; the
uniforms are fixed, so a test that passes once passes always.
"""

import numpy as np
import pytest
from scipy import integrate, stats

from pushpull.envs.checks import InputError, build
from pushpull.envs.demand import (
    adoption,
    counts_quantile,
    lead_time_quantile,
    longest_horizon,
    mean,
    modulation,
    sample,
    uniforms_needed,
    variance,
)
from pushpull.envs.histories import read_trace
from pushpull.envs.network import DEMAND_KINDS, Demand, Regimes

N = 60_000


def process(**settings) -> Demand:
    """Return demand settings as a network file would state them."""
    return build(Demand, settings, "demand")


def uniforms(periods, width, batch, seed=0):
    return np.random.default_rng(seed).random((periods, width, batch))


def nbinom(mean, sd):
    """Return scipy's negative binomial of a mean and standard deviation."""
    return stats.nbinom(mean**2 / (sd**2 - mean), mean / sd**2)


def gamma(mean, sd):
    return stats.gamma((mean / sd) ** 2, scale=sd**2 / mean)


# settings, the same law in scipy.stats (before clipping and rounding)
COUNTS = [
    ({"kind": "poisson", "mean": 0.02}, stats.poisson(0.02)),
    ({"kind": "poisson", "mean": 5}, stats.poisson(5)),
    ({"kind": "poisson", "mean": 4e5}, stats.poisson(4e5)),
    ({"kind": "negative_binomial", "mean": 10, "sd": 8}, nbinom(10, 8)),
    ({"kind": "negative_binomial", "mean": 0.3, "sd": 4}, nbinom(0.3, 4)),
    ({"kind": "negative_binomial", "mean": 900, "sd": 31}, nbinom(900, 31)),
    ({"kind": "geometric", "mean": 4}, stats.geom(1 / 5, loc=-1)),
    ({"kind": "geometric", "mean": 300}, stats.geom(1 / 301, loc=-1)),
    ({"kind": "uniform_int", "low": 3, "high": 17}, stats.randint(3, 18)),
]
SMOOTH = [
    ({"kind": "normal", "mean": 20, "sd": 5}, stats.norm(20, 5)),
    ({"kind": "normal", "mean": 2, "sd": 3}, stats.norm(2, 3)),
    ({"kind": "normal", "mean": 0, "sd": 0.4}, stats.norm(0, 0.4)),
    ({"kind": "gamma", "mean": 20, "sd": 6}, gamma(20, 6)),
    ({"kind": "gamma", "mean": 1, "sd": 2}, gamma(1, 2)),
]
EVERY_KIND = [
    *(settings for settings, _ in COUNTS + SMOOTH),
    {"kind": "empirical", "values": [0.5, 1.5, 2.5, 9]},
    {"kind": "empirical", "values": [3, 1, 3, 0], "probabilities": [0.2, 0.5, 0.3, 0]},
    {"kind": "intermittent", "probability": 0.3, "size": {"kind": "geometric", "mean": 6}},
    {"kind": "intermittent", "probability": 0.8, "size": {"kind": "gamma", "mean": 6, "sd": 2}},
    {"kind": "intermittent", "probability": 0, "size": {"kind": "poisson", "mean": 6}},
    {"kind": "deterministic", "values": [7.5]},
    {"kind": "trace", "file": "prescriptions.csv", "column": "immune_sera", "start": "random"},
    {"kind": "bass", "innovation": 0.03, "imitation": 0.4, "market_size": 900},
]


def name(value):
    if not isinstance(value, dict):
        return ""
    return "-".join(
        str(v["kind"] if isinstance(v, dict) else v) for k, v in value.items() if k not in ("file", "column")
    )


def test_every_kind_is_tested():
    assert {settings["kind"] for settings in EVERY_KIND} == set(DEMAND_KINDS)


# --- laws -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", ["integer", "real"])
@pytest.mark.parametrize("settings, law", COUNTS, ids=name)
def test_counts_are_inverted_exactly(settings, law, units):
    u = uniforms(40, 1, 500)
    drawn = sample(process(**settings), u, units)
    assert drawn.dtype == np.float64 and drawn.shape == (40, 500)
    # Where u lies within rounding noise of a step, either side is right.
    np.testing.assert_array_less(law.cdf(drawn - 1) - 1e-9, u[:, 0])
    np.testing.assert_array_less(u[:, 0], law.cdf(drawn) + 1e-9)


@pytest.mark.parametrize("settings, law", SMOOTH, ids=name)
def test_continuous_kinds_are_inverted_clipped_and_rounded_half_to_even(settings, law):
    u = uniforms(40, 1, 500)
    expected = np.maximum(0, law.ppf(u[:, 0]))
    np.testing.assert_allclose(sample(process(**settings), u, "real"), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(sample(process(**settings), u, "integer"), np.rint(expected))


@pytest.mark.parametrize("settings, law", COUNTS, ids=name)
def test_moments_of_counts_are_those_of_scipy(settings, law):
    np.testing.assert_allclose(mean(process(**settings), "integer", 3), law.mean(), rtol=1e-9)
    np.testing.assert_allclose(variance(process(**settings), "integer", 3), law.var(), rtol=1e-9)


@pytest.mark.parametrize("settings, law", [row for row in COUNTS if row[0]["kind"] != "uniform_int"], ids=name)
def test_counts_above_their_maximum_are_taken_as_it(settings, law):
    u, most = uniforms(40, 1, 500), max(1, int(law.mean()))
    limited = process(**settings, max=most)
    np.testing.assert_array_equal(
        sample(limited, u, "integer"), np.minimum(sample(process(**settings), u, "integer"), most)
    )
    k = np.arange(most)
    at_most = k @ law.pmf(k) + most * law.sf(most - 1)
    np.testing.assert_allclose(mean(limited, "integer", 1), at_most, rtol=1e-9)
    spread = (k - at_most) ** 2 @ law.pmf(k) + (most - at_most) ** 2 * law.sf(most - 1)
    np.testing.assert_allclose(variance(limited, "integer", 1), spread, rtol=1e-9)


@pytest.mark.parametrize("settings, law", SMOOTH, ids=name)
def test_moments_of_continuous_kinds_count_what_is_clipped_and_rounded(settings, law):
    demand, top = process(**settings), law.ppf(1 - 1e-15)
    edges = np.linspace(0, top, 400_001)  # E X^p = integral of p x^(p-1) P(X > x) over x >= 0, by Simpson's rule
    weights = np.tile([2.0, 4.0], 200_000)
    weights = np.append(weights, 1.0)
    weights[0] = 1.0
    weights *= edges[1] / 3
    first, second = weights @ law.sf(edges), weights @ (2 * edges * law.sf(edges))
    tolerance = 1e-4 if settings == {"kind": "gamma", "mean": 1, "sd": 2} else 1e-8  # its density is infinite at 0
    np.testing.assert_allclose(mean(demand, "real", 1), first, rtol=tolerance)
    np.testing.assert_allclose(variance(demand, "real", 1), second - first**2, rtol=tolerance)

    k = np.arange(np.ceil(top) + 2)
    probabilities = np.append(law.cdf(0.5), np.diff(law.cdf(k + 0.5)))
    rounded = probabilities @ k
    np.testing.assert_allclose(mean(demand, "integer", 1), rounded, rtol=1e-9)
    np.testing.assert_allclose(variance(demand, "integer", 1), probabilities @ (k - rounded) ** 2, rtol=1e-9)


def test_moments_of_intermittent_demand():
    size = {"kind": "negative_binomial", "mean": 6, "sd": 4}
    demand = process(kind="intermittent", probability=0.3, size=size)
    assert mean(demand, "integer", 1)[0] == pytest.approx(0.3 * 6)
    assert variance(demand, "integer", 1)[0] == pytest.approx(0.3 * (16 + 36) - (0.3 * 6) ** 2)
    assert (sample(demand, uniforms(1, 1, N), "integer") > 0).mean() < 0.3  # a size may itself be 0


@pytest.mark.parametrize("units", ["integer", "real"])
@pytest.mark.parametrize("settings", EVERY_KIND, ids=name)
def test_samples_have_the_declared_moments(settings, units):
    demand = process(**settings, season=(1, 0.4), trend=0.25)
    periods = 4
    if settings["kind"] == "trace":  # its rows are few, so every first row in turn is the whole law
        rows = len(read_trace(demand))
        u = np.broadcast_to((np.arange(rows) + 0.5) / rows, (periods, 1, rows))
        standard_errors = 0.0
    else:
        u = uniforms(periods, uniforms_needed(demand), N)
        standard_errors = 5.0
    drawn = sample(demand, u, units)
    declared_mean, declared_variance = mean(demand, units, periods), variance(demand, units, periods)
    off = drawn - declared_mean[:, None]
    for deviation, expected, spread in [
        (off.mean(1), declared_mean, declared_variance),
        ((off**2).mean(1) - declared_variance, declared_variance, (off**4).mean(1) - declared_variance**2),
    ]:
        error = np.sqrt(np.maximum(0, spread) / drawn.shape[1])
        assert (np.abs(deviation) <= 1e-9 * (1 + expected) + standard_errors * error).all()
    assert (drawn >= 0).all()
    if units == "integer":
        np.testing.assert_array_equal(drawn, np.rint(drawn))


@pytest.mark.parametrize("settings", EVERY_KIND, ids=name)
def test_demand_rises_with_its_uniform(settings):
    if settings["kind"] != "trace":
        demand = process(**settings)
        grid = np.linspace(2.0**-53, 1 - 2.0**-53, 5001)
        drawn = sample(demand, np.broadcast_to(grid, (1, uniforms_needed(demand), 5001)), "real")
        assert np.isfinite(drawn).all() and (np.diff(drawn) >= 0).all()


def test_values_without_probability_are_never_drawn():
    demand = process(kind="empirical", values=[9, 1, 5, 8], probabilities=[0, 0.5, 0.5, 0])
    edges = np.array([2.0**-53, 0.5 - 2.0**-54, 0.5, 1 - 2.0**-53])
    np.testing.assert_array_equal(sample(demand, edges[None, None], "integer"), [[1, 1, 5, 5]])


def test_the_table_of_counts_leaves_out_nothing_that_a_uniform_can_reach():
    edges = np.array([[[2.0**-53, 1 - 2.0**-53]]])
    for mean_, sd in [(0.05, 5), (0.5, 1), (3, 40), (50, 7.1), (1000, 900), (20000, 150)]:
        low, top = sample(process(kind="negative_binomial", mean=mean_, sd=sd), edges, "integer")[0]
        law = nbinom(mean_, sd)
        assert law.sf(top) <= 1.01 * 2.0**-53 and law.sf(top - 1) >= 0.49 * 2.0**-53
        assert law.cdf(low) >= 0.99 * 2.0**-53 and law.cdf(low - 1) <= 1.01 * 2.0**-53


# --- season, trend and known demand -----------------------------------------------------------------------------------


def test_season_and_trend_scale_demand_from_period_0():
    demand = process(kind="deterministic", values=[10, 20, 30], season=[1, 0.5], trend=-0.3)
    expected = [10, 20 * 0.5 * 0.7, 30 * 0.4, 30 * 0.5 * 0.1, 0, 0]
    np.testing.assert_allclose(sample(demand, np.empty((6, 0, 2)), "real"), np.transpose([expected, expected]))
    np.testing.assert_array_equal(sample(demand, np.empty((6, 0, 1)), "integer")[:, 0], [10, 7, 12, 2, 0, 0])
    np.testing.assert_allclose(mean(demand, "real", 6), expected)
    np.testing.assert_array_equal(variance(demand, "real", 6), 0)


def test_counts_take_the_season_on_their_mean_and_stay_whole():
    u = uniforms(2, 1, 1000)
    for kind, law in [
        ({"kind": "poisson", "mean": 8}, stats.poisson(2)),
        ({"kind": "geometric", "mean": 8}, stats.geom(1 / 3, loc=-1)),
        # dispersion (20 - 8) / 64 stays: variance 2 + 4 x 12 / 64
        ({"kind": "negative_binomial", "mean": 8, "sd": 20**0.5}, nbinom(2, 2.75**0.5)),
    ]:
        drawn = sample(process(**kind, season=[1, 0.25]), u, "real")
        np.testing.assert_array_equal(drawn[1], law.ppf(u[1, 0]))


def test_other_kinds_take_the_season_on_their_value():
    u = uniforms(2, 1, 1000)
    for kind in SMOOTH[0][0], {"kind": "uniform_int", "low": 1, "high": 6}, {"kind": "empirical", "values": [1, 4]}:
        plain, scaled = sample(process(**kind), u, "real"), sample(process(**kind, season=[1, 1.3]), u, "real")
        np.testing.assert_allclose(scaled, plain * [[1], [1.3]], rtol=1e-12)
        np.testing.assert_array_equal(sample(process(**kind, season=[1, 1.3]), u, "integer"), np.rint(scaled))


def test_the_size_of_intermittent_demand_takes_both_seasons():
    size = {"kind": "deterministic", "values": [4, 8], "season": [1, 1, 2]}
    demand = process(kind="intermittent", probability=0.5, size=size, season=[1, 3])
    drawn = sample(demand, np.tile([[[0.4, 0.6]]], (3, 1, 1)), "real")
    np.testing.assert_allclose(drawn, [[0, 4], [0, 8 * 3], [0, 8 * 2]])


def test_deterministic_demand_holds_its_last_value_and_rounds_half_to_even():
    demand = process(kind="deterministic", values=[0.5, 1.5, 2.5])
    np.testing.assert_array_equal(sample(demand, np.empty((5, 0, 1)), "integer")[:, 0], [0, 2, 2, 2, 2])
    np.testing.assert_array_equal(sample(demand, np.empty((5, 0, 1)), "real")[:, 0], [0.5, 1.5, 2.5, 2.5, 2.5])


def test_shocks_of_a_known_period_scale_it_while_they_last():
    shocks = [{"period": 1, "duration": 2, "factor": 3}, {"period": 2, "factor": 0.5}]
    demand = process(kind="deterministic", values=[10], shocks=shocks)
    expected = [10, 30, 15, 10]
    np.testing.assert_array_equal(sample(demand, np.empty((4, 0, 1)), "integer")[:, 0], expected)
    np.testing.assert_array_equal(mean(demand, "integer", 4), expected)
    np.testing.assert_array_equal(variance(demand, "integer", 4), 0)
    assert lead_time_quantile(demand, "integer", 2, 0.5, start=1) == 45


# --- adoption ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("innovation, imitation", [(0.03, 0.38), (0.001, 0.9), (0.2, 0)])
def test_adoption_solves_the_equation_of_bass(innovation, imitation):
    time = np.arange(31)
    solution = integrate.solve_ivp(
        lambda t, F: (innovation + imitation * F) * (1 - F), (0, 30), [0.0], t_eval=time, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(adoption(innovation, imitation, time), solution.y[0], atol=1e-8)


def test_adopters_sum_to_the_adoption_curve_of_the_market_from_the_launch_on():
    settings = {"kind": "bass", "innovation": 0.03, "imitation": 0.38, "market_size": 5000}
    own = mean(process(**settings), "integer", 60)
    np.testing.assert_allclose(np.cumsum(own), 5000 * adoption(0.03, 0.38, np.arange(1, 61)), rtol=1e-9)
    assert own.argmax() == np.floor(np.log(0.38 / 0.03) / (0.38 + 0.03))  # the peak, ln(q / p) / (p + q) = 6.19
    np.testing.assert_allclose(variance(process(**settings), "integer", 60), own, rtol=1e-9)
    later = mean(process(**settings, launch=7), "integer", 60)
    np.testing.assert_array_equal(later[:7], 0)
    np.testing.assert_allclose(later[7:], own[:-7], rtol=1e-9)
    earlier = mean(process(**settings, launch=-7), "integer", 60)
    np.testing.assert_allclose(earlier[:53], own[7:], rtol=1e-9)


# --- random factors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dispersion", [0, 0.02, 1, 30])
def test_counts_by_search_are_those_by_table_and_of_scipy(dispersion):
    rng = np.random.default_rng(0)
    means = rng.choice([0.0, 1e-9, 0.01, 0.7, 5, 80, 3000], 20_000)
    u = np.append(rng.random(19_990), [2.0**-53, 1e-9, 1e-4, 0.5, 1 - 1e-4, 1 - 1e-9, 1 - 2.0**-53, 0.1, 0.9, 0.99])
    drawn = counts_quantile(u, means, dispersion)
    law = stats.poisson(means) if dispersion == 0 else stats.nbinom(1 / dispersion, 1 / (1 + dispersion * means))
    positive = means > 0
    assert (drawn[~positive] == 0).all()
    assert (law.cdf(drawn - 1) <= u + 1e-9)[positive].all() and (law.cdf(drawn) >= u - 1e-9)[positive].all()
    for mean_ in 0.7, 80.0:
        there = means == mean_
        settings = {"kind": "negative_binomial", "mean": mean_, "sd": (mean_ + dispersion * mean_**2) ** 0.5}
        demand = process(**settings) if dispersion else process(kind="poisson", mean=mean_)
        np.testing.assert_array_equal(drawn[there], sample(demand, u[there][None, None], "integer")[0])


def test_a_shock_lasts_its_duration_and_one_that_comes_meanwhile_lengthens_it():
    demand = process(kind="poisson", mean=1, shocks=[{"probability": 0.2, "duration": 3, "factor": 4}])
    u = np.full((10, 1, 1), 0.5)
    u[[1, 6, 7], 0, 0] = 0.19
    factor = modulation(demand, u, np.empty((10, 0, 1)), np.empty((1, 0, 1)))[:, 0]
    np.testing.assert_array_equal(factor, [1, 4, 4, 4, 1, 1, 4, 4, 4, 4])


def test_shocks_multiply_each_other():
    shocks = [
        {"probability": 1, "factor": 4},
        {"probability": 1, "duration": 9, "factor": 0.5},
        {"period": 1, "factor": 0},
    ]
    demand = process(kind="normal", mean=1, sd=1, shocks=shocks)
    factor = modulation(demand, np.full((2, 2, 1), 0.5), np.empty((2, 0, 1)), np.empty((1, 0, 1)))
    np.testing.assert_array_equal(factor, [[2], [2]])
    drawn = sample(demand, np.full((2, 1, 1), 0.5), "real", factor)
    np.testing.assert_allclose(drawn, [[2], [0]])


def test_regimes_follow_their_transitions():
    turns = {"factors": [1, 5, 2], "transitions": [[0, 1, 0], [0, 0, 1], [1, 0, 0]], "start": 1}
    demand = process(kind="normal", mean=1, sd=1, regimes=turns)
    factor = modulation(demand, np.empty((5, 0, 3)), uniforms(5, 1, 3), np.empty((1, 0, 3)))
    np.testing.assert_array_equal(factor, np.repeat([[5], [2], [1], [5], [2]], 3, axis=1))


def test_regimes_start_stationary_unless_a_state_is_named():
    regimes = {"factors": [0, 1], "transitions": [[0.9, 0.1], [0.3, 0.7]]}
    np.testing.assert_allclose(build(Regimes, regimes, "regimes").first, [0.75, 0.25])
    always = process(kind="normal", mean=10, sd=0, regimes=regimes)
    np.testing.assert_allclose(mean(always, "real", 4), 2.5)
    started = process(kind="normal", mean=10, sd=0, regimes=regimes | {"start": 1})
    np.testing.assert_allclose(mean(started, "real", 4), [10, 7, 5.2, 4.12])  # 2.5 + 7.5 x 0.6^t


# --- lead time quantile -----------------------------------------------------------------------------------------------

SHARES = (0.001, 0.2, 0.5, 0.9, 0.95, 0.999, 0.999999)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize(
    "settings, total",
    [
        ({"kind": "poisson", "mean": 5}, stats.poisson(20)),
        ({"kind": "poisson", "mean": 5, "season": [1, 2, 0]}, stats.poisson(20)),  # factors 1, 2, 0, 1
        ({"kind": "poisson", "mean": 4, "trend": 0.5}, stats.poisson(4 * (1 + 1.5 + 2 + 2.5))),
        ({"kind": "negative_binomial", "mean": 6, "sd": 4}, stats.nbinom(4 * 3.6, 6 / 16)),
        ({"kind": "geometric", "mean": 3}, stats.nbinom(4, 1 / 4)),
    ],
)
def test_lead_time_quantile_of_counts_is_exact(settings, total, share):
    for units in "integer", "real":
        assert lead_time_quantile(process(**settings), units, 4, share) == total.ppf(share)


@pytest.mark.parametrize("share", [*SHARES, 0.25, 0.75])
@pytest.mark.parametrize(
    "settings, values, probabilities",
    [
        ({"kind": "uniform_int", "low": 1, "high": 4}, [1, 2, 3, 4], [0.25] * 4),
        ({"kind": "empirical", "values": [0, 7, 2], "probabilities": [0.5, 0.2, 0.3]}, [0, 7, 2], [0.5, 0.2, 0.3]),
        (
            {"kind": "intermittent", "probability": 0.4, "size": {"kind": "uniform_int", "low": 1, "high": 2}},
            [0, 1, 2],
            [0.6, 0.2, 0.2],
        ),
        # rounded half to even: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2
        ({"kind": "empirical", "values": [0.5, 1.5, 2.5, 4]}, [0, 2, 4], [0.25, 0.5, 0.25]),
    ],
)
def test_lead_time_quantile_by_enumeration(settings, values, probabilities, share):
    sums = np.zeros(40)
    for a, p in zip(values, probabilities, strict=True):
        for b, q in zip(values, probabilities, strict=True):
            for c, r in zip(values, probabilities, strict=True):
                sums[a + b + c] += p * q * r
    expected = int(np.argmax(np.cumsum(sums) >= share - 1e-12))
    assert lead_time_quantile(process(**settings), "integer", 3, share) == expected


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize(
    "settings, total",
    [
        ({"kind": "gamma", "mean": 20, "sd": 6}, gamma(100, 6 * 5**0.5)),
        ({"kind": "gamma", "mean": 1, "sd": 1}, gamma(5, 5**0.5)),
        ({"kind": "normal", "mean": 50, "sd": 5}, stats.norm(250, 5 * 5**0.5)),
        (
            {"kind": "normal", "mean": 50, "sd": 5, "season": [1, 0.5, 2, 1, 1]},
            stats.norm(275, 5 * (1 + 0.25 + 4 + 2) ** 0.5),
        ),
    ],
)
def test_lead_time_quantile_of_smooth_demand_is_right_to_a_ten_thousandth_of_its_deviation(settings, total, share):
    level = lead_time_quantile(process(**settings), "real", 5, share)
    assert level == pytest.approx(total.ppf(share), abs=1e-3 * total.std())
    if 0.01 < share < 0.999:
        assert level == pytest.approx(total.ppf(share), abs=1e-4 * total.std())


@pytest.mark.parametrize("units", ["integer", "real"])
@pytest.mark.parametrize("settings", EVERY_KIND, ids=name)
def test_lead_time_quantile_covers_its_share_of_samples(settings, units):
    demand = process(**settings, season=(0.5, 1, 1.2))
    periods, start, share = 4, 2, 0.85
    level = lead_time_quantile(demand, units, periods, share, start)
    if settings["kind"] == "trace":
        rows = len(read_trace(demand))
        u = np.broadcast_to((np.arange(rows) + 0.5) / rows, (start + periods, 1, rows))
    else:
        u = uniforms(start + periods, uniforms_needed(demand), 50_000, seed=3)
    sums = sample(demand, u, units)[start:].sum(0)
    error = 5 * np.sqrt(share * (1 - share) / sums.size)
    cell = np.sqrt(variance(demand, units, start + periods)[start:].sum()) / 256  # of the lattice of real demand
    assert (sums <= level + periods * cell / 2 + 1e-9).mean() >= share - error
    if level > 0:
        assert (sums < level - periods * cell / 2 - 1e-9).mean() <= share + error


@pytest.mark.parametrize("settings", EVERY_KIND, ids=name)
def test_no_lead_time_needs_nothing(settings):
    assert lead_time_quantile(process(**settings), "real", 0, 0.9, start=2) == 0


def test_known_demand_is_covered_by_its_sum():
    demand = process(kind="deterministic", values=[1, 2, 4, 8.5])
    assert lead_time_quantile(demand, "real", 3, 0.1, start=1) == 2 + 4 + 8.5
    assert lead_time_quantile(demand, "integer", 3, 0.99, start=2) == 4 + 8 + 8


def test_a_share_is_a_probability():
    with pytest.raises(InputError, match=r"share: 1\.2 is out of range"):
        lead_time_quantile(process(kind="poisson", mean=1), "integer", 2, 1.2)


# --- traces -----------------------------------------------------------------------------------------------------------


def test_a_trace_is_replayed_from_its_start(trace):
    nothing = np.empty((3, 0, 2))
    np.testing.assert_array_equal(sample(trace(), nothing, "real"), [[3, 3], [1, 1], [4, 4]])
    np.testing.assert_array_equal(sample(trace(start=2), nothing, "integer")[:, 0], [4, 2, 9])
    np.testing.assert_array_equal(sample(trace(rows=[1, 5], start=1, scale=2), nothing, "real")[:, 0], [8, 3, 18])
    np.testing.assert_array_equal(sample(trace(season=[1, 3]), nothing, "real")[:, 0], [3, 3, 4])


def test_after_the_last_row_of_a_trace_the_mean_is_that_of_its_rows(trace):
    demand = trace(start=3)
    np.testing.assert_allclose(mean(demand, "real", 4), [1.5, 9, 3.7, 3.7])
    np.testing.assert_allclose(variance(demand, "real", 4), [0, 0, 8.16, 8.16])
    assert lead_time_quantile(demand, "integer", 2, 0.6, start=1) == 9 + 3  # 1, 2, 3, 4, 9 with equal probability


def test_a_random_start_takes_every_row_as_first_and_goes_round(trace):
    rows = np.array([3, 1, 4, 1.5, 9])
    u = np.full((5, 1, 5), np.nan)
    u[0, 0] = [0.1, 0.3, 0.5, 0.7, 0.9]
    drawn = sample(trace(start="random"), u, "real")
    np.testing.assert_array_equal(drawn, np.transpose([np.roll(rows, -k) for k in range(5)]))
    ends = sample(trace(start="random"), np.full((1, 1, 2), [2.0**-53, 1 - 2.0**-53]), "real")
    np.testing.assert_array_equal(ends, [[3, 9]])


def test_windows_of_a_random_start_keep_their_dependence(trace):
    demand = trace("day,units\na,0\nb,10\nc,0\nd,10\n", start="random")
    assert lead_time_quantile(demand, "real", 2, 0.99) == 10  # independent days would need 20
    seasonal = trace("day,units\na,0\nb,1\nc,5\n", start="random", season=[1, 2])
    levels = [lead_time_quantile(seasonal, "real", 2, share) for share in (0.3, 0.5, 0.7)]
    assert levels == [0 + 2 * 1, 5 + 2 * 0, 1 + 2 * 5]


def test_a_trace_shorter_than_the_horizon_is_refused(trace):
    assert longest_horizon(trace(start=1)) == 4 and longest_horizon(trace(start="random")) == 5
    assert longest_horizon(process(kind="poisson", mean=1)) == np.inf
    with pytest.raises(InputError, match=r"file: .*sales\.csv' holds 4 rows from its start on, but 5 periods"):
        sample(trace(start=1), np.empty((5, 0, 1)), "real")
    with pytest.raises(InputError, match="holds 5 rows from its start on, but 6 periods"):
        sample(trace(start="random"), np.full((6, 1, 1), 0.5), "real")


# --- bad settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, fragment",
    [
        ({"kind": "poison", "mean": 1}, "kind: 'poison' is unknown; did you mean 'poisson'"),
        ({"kind": "poisson"}, "mean: missing; demand of kind poisson takes mean"),
        ({"kind": "poisson", "mean": -1}, "mean: -1 is out of range"),
        ({"kind": "poisson", "mean": float("nan")}, "mean: nan is not finite"),
        ({"kind": "poisson", "mean": 1, "sd": 1}, "sd: 1 does not go with kind poisson"),
        ({"kind": "negative_binomial", "mean": 4, "sd": 2}, "sd: 2 gives a variance of 4, not above the mean"),
        ({"kind": "negative_binomial", "mean": 0, "sd": 2}, "mean: 0 leaves nothing to spread"),
        ({"kind": "gamma", "mean": 4, "sd": 0}, "sd: 0 with mean 4: a gamma demand needs both above 0"),
        ({"kind": "uniform_int", "low": 3, "high": 2}, "high: 2 is below low 3"),
        ({"kind": "uniform_int", "low": 0.5, "high": 2}, "low: 0.5 is not whole"),
        ({"kind": "deterministic", "values": []}, "values: .* has 0 entries; give at least 1"),
        ({"kind": "deterministic", "values": [1, -2]}, r"values\[1\]: -2 is out of range"),
        ({"kind": "empirical", "values": [1, 2], "probabilities": [1]}, "probabilities: 1 entries for 2 values"),
        ({"kind": "empirical", "values": [1, 2], "probabilities": [0.5, 0.6]}, "probabilities: they sum to 1.1"),
        (
            {"kind": "intermittent", "probability": 2, "size": {"kind": "poisson", "mean": 1}},
            "probability: 2 is out of",
        ),
        ({"kind": "intermittent", "probability": 0.2, "size": {"kind": "poisson"}}, "size.mean: missing"),
        (
            {"kind": "intermittent", "probability": 0.2, "size": {"kind": "trace", "file": "f", "column": "c"}},
            "size: a trace has its own zeros",
        ),
        (
            {"kind": "trace", "file": "wine.csv", "column": "sales", "rows": [5, 5]},
            r"rows: \[5, 5\] is not \[first, end",
        ),
        ({"kind": "trace", "file": "wine.csv", "column": "sales", "start": "rnd"}, "start: 'rnd' is not a number"),
        ({"kind": "poisson", "mean": 1, "season": [1, -1]}, r"season\[1\]: -1 is out of range"),
        ({"kind": "poisson", "mean": 1, "trend": 2}, "trend: 2 is out of range"),
        ({"kind": "bass", "innovation": 0.1, "imitation": 0.3}, "market_size: missing; demand of kind bass takes"),
        (
            {"kind": "bass", "innovation": 0, "imitation": 0.3, "market_size": 9},
            "innovation: 0 is out of range; give a number above 0 and at most 1",
        ),
        ({"kind": "poisson", "mean": 1, "launch": 3}, "launch: 3 does not go with kind poisson"),
        ({"kind": "poisson", "mean": 1, "autocorrelation": 1}, "autocorrelation: 1 is out of range"),
        (
            {"kind": "deterministic", "values": 3, "autocorrelation": 0.5},
            "autocorrelation: 0.5 does not go with kind deterministic",
        ),
        ({"kind": "poisson", "mean": 1, "max": 0}, "max: 0 is out of range; give a whole number of at least 1"),
        ({"kind": "normal", "mean": 1, "sd": 1, "max": 3}, "max: 3 does not go with kind normal"),
        ({"kind": "poisson", "mean": 1, "max": 3, "level_sd": 1}, "max: 3 does not go with level_sd"),
        (
            {
                "kind": "intermittent",
                "probability": 0.2,
                "level_sd": 1,
                "size": {"kind": "poisson", "mean": 1, "max": 3},
            },
            "size.max: 3 does not go with level_sd",
        ),
        ({"kind": "poisson", "mean": 1, "level_sd": -1}, "level_sd: -1 is out of range"),
        ({"kind": "poisson", "mean": 1, "shocks": {"factor": 2}}, "shocks: .* is not a list"),
        ({"kind": "poisson", "mean": 1, "shocks": [{"period": 3}]}, r"shocks\[0\].factor: missing"),
        ({"kind": "poisson", "mean": 1, "shocks": [{"factor": 3}]}, r"shocks\[0\].period: None .* state one"),
        (
            {"kind": "poisson", "mean": 1, "shocks": [{"factor": 3, "period": 1, "probability": 0.1}]},
            r"shocks\[0\].period: 1 with probability 0.1; state one",
        ),
        (
            {"kind": "poisson", "mean": 1, "shocks": [{"factor": 3, "period": 1, "duration": 0}]},
            r"shocks\[0\].duration: 0 is out of range",
        ),
        (
            {"kind": "poisson", "mean": 1, "regimes": {"factors": [1, 2], "transitions": [[1, 0]]}},
            r"regimes.transitions: 1 rows of \[2\] entries for 2 factors; give 2 of 2",
        ),
        (
            {"kind": "poisson", "mean": 1, "regimes": {"factors": [1, 2], "transitions": [[0.5, 0.5], [0.5, 0.6]]}},
            r"regimes.transitions\[1\]: they sum to 1.1",
        ),
        (
            {"kind": "poisson", "mean": 1, "regimes": {"factors": [1, 2], "transitions": [[1, 0], [0, 1]]}},
            "regimes.start: missing, and the states fall apart",
        ),
        (
            {"kind": "poisson", "mean": 1, "regimes": {"factors": [1, 2], "transitions": [[1, 0], [1, 0]], "start": 2}},
            "regimes.start: 2 is no state; give a number from 0 to 1",
        ),
        (
            {"kind": "intermittent", "probability": 0.2, "size": {"kind": "poisson", "mean": 1, "level_sd": 0.1}},
            "size.level_sd: belongs to the demand, not to its size",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, fragment):
    with pytest.raises(InputError, match=fragment):
        process(**settings)


@pytest.mark.parametrize(
    "settings, fragment",
    [
        ({"kind": "poisson", "mean": 1e12}, "mean: demand spreads over the whole numbers from"),
        ({"kind": "geometric", "mean": 1e6}, "mean: demand spreads over the whole numbers from 0 to"),
        ({"kind": "uniform_int", "low": 0, "high": 10**7}, "high: demand spreads over .* more than 1048576"),
        ({"kind": "normal", "mean": 1e9, "sd": 1e8}, "sd: demand spreads over .*use a continuous kind and units: real"),
    ],
)
def test_tables_too_large_to_build_are_refused(settings, fragment):
    with pytest.raises(InputError, match=fragment):
        sample(process(**settings), np.full((1, 1, 1), 0.5), "integer")
