"""Demand over lead times against scipy, hand counts and the demand process itself."""

import numpy as np
import pytest
from scipy import integrate, stats

from pushpull.agents.lead_time_demand import (
    LeadTimeDemand,
    correlations,
    gamma_cdf,
    gamma_quantile,
    gamma_shortage,
)
from pushpull.envs import Network
from pushpull.envs.exogenous import draw


def shop(demand, forecast=None, units="integer", horizon=40):
    market = {"demand": demand, "forecast": forecast or {"kind": "true_mean"}}
    return Network.from_dict(
        {
            "units": units,
            "horizon": horizon,
            "decoupling_point": "supply",
            "stages": {"shop": {"sources": [{}], "market": market}},
        }
    )


def lead_time_demand(*args, **settings):
    return LeadTimeDemand(shop(*args, **settings), 0)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.99])
def test_poisson_adds_up(share):
    demand = lead_time_demand({"kind": "poisson", "mean": 7})
    assert demand.moments(3) == pytest.approx((21, 21))
    assert demand.quantile(3, share) == stats.poisson.ppf(share, 21)
    assert demand.quantile(0, share) == 0
    assert not demand.seasonal


def test_season_moves_the_profile_and_not_the_spread():
    season = [0.5, 1.5, 1.0, 1.0]
    demand = lead_time_demand({"kind": "poisson", "mean": 8, "season": season})
    assert demand.seasonal
    np.testing.assert_allclose(demand.profile(6), [4, 12, 8, 8, 4, 12])
    assert demand.moments(2) == pytest.approx((16, 16))
    assert demand.quantile(2, 0.9) == np.ceil(stats.gamma.ppf(0.9, a=16))


def test_demand_known_beforehand_is_not_foreseen():
    values = [1, 2, 3, 4]
    demand = lead_time_demand({"kind": "deterministic", "values": values}, horizon=4)
    windows = [1 + 2, 2 + 3, 3 + 4, 4 + 4]
    assert demand.moments(2) == pytest.approx((np.mean(windows), np.var(windows)))
    assert [demand.quantile(2, share) for share in (0.25, 0.5, 0.75, 1)] == windows
    np.testing.assert_array_equal(demand.profile(3), [2.5] * 3)


def test_a_history_replayed_from_anywhere_keeps_its_correlation(tmp_path):
    rows = [0, 0, 10, 10]
    file = tmp_path / "history.csv"
    file.write_text("units\n" + "\n".join(map(str, rows)))
    demand = lead_time_demand({"kind": "trace", "file": str(file), "column": "units", "start": "random"})
    assert demand.moments(2) == pytest.approx((10, np.var([0, 10, 20, 10])))
    assert demand.quantile(2, 0.25) == 0
    assert demand.quantile(2, 0.5) == 10


# --- demand with memory -----------------------------------------------------------------------------------------------


def test_autocorrelated_demand_spreads_as_its_covariances_say():
    rho, sd, periods = 0.7, 10, 4
    demand = lead_time_demand({"kind": "normal", "mean": 80, "sd": sd, "autocorrelation": rho}, units="real")
    k = np.arange(periods)
    total = sd**2 * (rho ** np.abs(k[:, None] - k)).sum()
    assert demand.moments(periods) == pytest.approx((320, total), rel=0.03)
    for share in 0.1, 0.5, 0.95:
        expected = stats.norm.ppf(share, 320, total**0.5)
        assert demand.quantile(periods, share) == pytest.approx(expected, abs=0.04 * total**0.5)
    assert demand.forecast_variance(0, periods) == demand.moments(periods)[1]


def test_a_level_is_common_to_all_periods_of_a_lead_time():
    demand = lead_time_demand({"kind": "poisson", "mean": 8, "level_sd": 0.5})
    law = stats.nbinom(4, 4 / (4 + 24))  # 3 periods of a gamma level: mean 24, variance 24 + 24^2 / 4
    assert demand.moments(3) == pytest.approx((24, law.var()), rel=0.1)
    for share in 0.2, 0.5, 0.9:
        assert demand.quantile(3, share) == pytest.approx(law.ppf(share), abs=2)


def test_regimes_make_bad_periods_come_together():
    regimes = {"factors": [1, 3], "transitions": [[0.95, 0.05], [0.1, 0.9]]}
    demand = lead_time_demand({"kind": "poisson", "mean": 9, "regimes": regimes}, horizon=100)
    alone = 9 * 5 / 3 + 81 * 4 * 2 / 9  # Poisson about a mean of 9 or 27, in state 1 a third of the time
    pairs = 2 * 81 * 4 * 2 / 9 * 0.85  # the chain forgets at 0.95 + 0.9 - 1
    assert demand.moments(1) == pytest.approx((15, alone), rel=0.05)
    assert demand.moments(2) == pytest.approx((30, 2 * alone + pairs), rel=0.05)


def test_levels_of_stock_for_composed_demand_are_at_least_those_without():
    plain = {"kind": "poisson", "mean": 10}
    for composed in (
        {"autocorrelation": 0.6},
        {"level_sd": 0.3},
        {"shocks": [{"probability": 0.05, "duration": 3, "factor": 2}]},
        {"season": [1, 1.2], "regimes": {"factors": [0.5, 1.5], "transitions": [[0.9, 0.1], [0.1, 0.9]]}},
    ):
        for forecast in {"kind": "true_mean"}, {"kind": "moving_average"}, {"kind": "noisy", "error": 0.2}:
            demand = lead_time_demand(plain | composed, forecast)
            assert demand.quantile(3, 0.95) > lead_time_demand(plain).quantile(3, 0.95)
            assert 0 < demand.forecast_variance(0, 3) < np.inf


# --- families and correlated markets ----------------------------------------------------------------------------------


def twins(**settings):
    """Return two shops that take their parts of a Poisson family or, by default, ask for their own."""
    own = {"demand": {"kind": "normal", "mean": 50, "sd": 6}}
    markets = [{}, {}] if "families" in settings else [own, own]
    stages = {f"shop{m}": {"sources": [{}], "market": market} for m, market in enumerate(markets)}
    return Network.from_dict({"decoupling_point": "supply", "stages": stages, "horizon": 60} | settings)


@pytest.mark.parametrize("m", [0, 1])
def test_a_variant_of_a_poisson_family_is_poisson(m):
    family = {"markets": {"shop0": 0.75, "shop1": 0.25}, "demand": {"kind": "poisson", "mean": 20}}
    demand = LeadTimeDemand(twins(families={"phones": family}), m)
    rate = (15, 5)[m]
    assert demand.rate == pytest.approx(rate)
    assert demand.moments(3) == pytest.approx((3 * rate, 3 * rate), rel=0.03)
    for share in 0.2, 0.9, 0.99:
        assert demand.quantile(3, share) == pytest.approx(stats.poisson.ppf(share, 3 * rate), abs=1)
    assert demand.forecast_variance(0, 3) == demand.moments(3)[1]
    np.testing.assert_allclose(demand.profile(4), rate)


def test_markets_are_as_correlated_as_stated():
    np.testing.assert_array_equal(correlations(twins()), np.eye(2))
    error = 5 / np.sqrt(60_000)
    tied = correlations(twins(demand_correlation=0.6, units="real"))
    np.testing.assert_allclose(tied, [[1, 0.6], [0.6, 1]], atol=error)
    lumpy = {"kind": "negative_binomial", "mean": 20, "sd": 10}
    family = {"markets": ["shop0", "shop1"], "demand": lumpy}
    # Cov = (E[D (D - 1)] - E[D]^2) / 4 = 20, Var = 120 / 4 + 10 - 5 = 30
    np.testing.assert_allclose(correlations(twins(families={"f": family}))[0, 1], 20 / 30, atol=error)


# --- forecasts --------------------------------------------------------------------------------------------------------


def test_a_noisy_forecast_is_weighed_against_the_profile():
    noisy = {"kind": "noisy", "horizon": 3, "error": 0.2, "error_growth": 0.5}
    demand = lead_time_demand({"kind": "poisson", "mean": 25}, noisy)
    errors = (25 * 0.2 * np.array([1, 1.5, 2])) ** 2
    np.testing.assert_allclose(demand.reliability(4), [*(25 / (25 + errors)), 0])
    left = [*(25 * errors / (25 + errors)), 25]
    assert demand.forecast_variance(0, 4) == pytest.approx(sum(left))
    assert demand.forecast_variance(1, 3) == pytest.approx(sum(left[1:3]))


def test_the_weighed_forecast_errs_as_said():
    noisy = {"kind": "noisy", "horizon": 4, "error": 0.3}
    network = shop({"kind": "poisson", "mean": 20}, noisy, horizon=200)
    demand = LeadTimeDemand(network, 0)
    traces = draw(network, 200, [(seed, 0) for seed in range(50)])
    weight = demand.reliability(4)[:, None]
    expected = 20 + weight * (traces.forecast[:, :, 0] - 20)
    errors = traces.demand[3:, 0] - expected[:-3, 3]
    assert errors.var() == pytest.approx(demand.forecast_variance(3, 4), rel=0.05)


def test_a_forecast_that_is_a_conditional_mean_is_taken_as_it_is_and_errs_as_declared():
    mmfe = {"kind": "mmfe", "horizon": 3, "error": 0.1, "error_growth": 0.5}
    demand = lead_time_demand({"kind": "poisson", "mean": 25}, mmfe)
    np.testing.assert_array_equal(demand.reliability(4), [1, 1, 1, 0])
    errors = (25 * 0.1 * np.array([1, 1.5, 2])) ** 2
    assert demand.forecast_variance(0, 5) == pytest.approx(errors[0] + errors[1] + 25 + 25 + 25)
    assert demand.forecast_variance(1, 2) == pytest.approx(errors[1])
    assert demand.forecast_variance(3, 5) == pytest.approx(50)
    shares = lead_time_demand({"kind": "poisson", "mean": 25}, {"kind": "mmfe", "horizon": 2, "resolved": [0.8, 0.5]})
    assert shares.forecast_variance(0, 3) == pytest.approx(25 * (0.2 + 0.5 + 1))


@pytest.mark.parametrize(
    ("forecast", "excess"),
    [({"kind": "moving_average", "window": 8}, 1 / 8), ({"kind": "exponential_smoothing", "alpha": 0.2}, 0.2 / 1.8)],
    ids=["moving average", "smoothing"],
)
def test_a_forecast_from_history_errs_by_theory_where_demand_is_stationary(forecast, excess):
    demand = lead_time_demand({"kind": "poisson", "mean": 20}, forecast, horizon=400)
    periods = 4
    theory = 20 * (periods + periods**2 * excess)
    assert demand.forecast_variance(2, 2 + periods) == pytest.approx(theory, rel=0.06)


def test_a_forecast_that_follows_the_season_errs_less_than_one_that_does_not(tmp_path):
    rng = np.random.default_rng(1)
    rows = rng.poisson(20, 700) + np.tile([0, 0, 0, 0, 0, 30, 60], 100)
    file = tmp_path / "week.csv"
    file.write_text("units\n" + "\n".join(map(str, rows)))
    weekly = {"kind": "trace", "file": str(file), "column": "units", "start": "random"}
    winters = {"kind": "holt_winters", "horizon": 7, "season_length": 7, "alpha": 0.05, "beta": 0, "gamma": 0.3}
    with_season = lead_time_demand(weekly, winters, horizon=200).forecast_variance(1, 2)
    without = lead_time_demand(weekly, {"kind": "moving_average", "window": 7}, horizon=200).forecast_variance(1, 2)
    assert with_season < without / 2


def test_the_true_mean_of_demand_known_beforehand_is_no_forecast_at_all_but_the_truth():
    demand = lead_time_demand({"kind": "deterministic", "values": [1, 5, 9]})
    assert demand.moments(2)[1] > 0
    assert demand.forecast_variance(0, 2) == 0


def test_without_a_forecast_the_profile_is_all_there_is():
    demand = lead_time_demand({"kind": "poisson", "mean": 20}, {"kind": "none"})
    assert not demand.reliability(5).any()
    assert demand.forecast_variance(0, 3) == pytest.approx(60)


# --- gamma ------------------------------------------------------------------------------------------------------------


def test_gamma_by_its_moments():
    mean, variance, y = 30.0, 90.0, 37.0
    law = stats.gamma(a=mean**2 / variance, scale=variance / mean)
    assert gamma_cdf(y, mean, variance) == pytest.approx(law.cdf(y))
    assert gamma_quantile(0.9, mean, variance) == pytest.approx(law.ppf(0.9))
    assert gamma_shortage(y, mean, variance) == pytest.approx(integrate.quad(law.sf, y, np.inf)[0])
    assert gamma_shortage(-4.0, mean, variance) == 34


def test_gamma_without_variance_is_a_constant():
    assert [gamma_cdf(y, 5.0, 0.0) for y in (4.9, 5.0)] == [0, 1]
    assert gamma_quantile(0.1, 5.0, 0.0) == 5
    assert [gamma_shortage(y, 5.0, 0.0) for y in (3.0, 6.0)] == [2, 0]
