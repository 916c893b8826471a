"""Forecasts by hand, and what none of them may do: look ahead where they only know the history."""

import numpy as np
import pytest
from scipy import special

from pushpull.envs.checks import InputError, build
from pushpull.envs.demand import laws
from pushpull.envs.forecast import forecast, uniforms_needed
from pushpull.envs.network import FORECAST_KINDS, Demand, Forecast

HISTORY_KINDS = [
    {"kind": "moving_average", "window": 3},
    {"kind": "exponential_smoothing", "alpha": 0.3},
    {"kind": "holt_winters", "alpha": 0.4, "beta": 0.3, "gamma": 0.2, "season_length": 4},
]


def settings_of(**settings) -> Forecast:
    return build(Forecast, settings, "forecast")


def run(settings, demand, mean, normals=None):
    """Return forecasts of one market; `normals` [T + H - 1, U, B] are the errors of noisy and mmfe."""
    demand = np.asarray(demand, dtype=float)
    demand = demand if demand.ndim == 2 else demand[:, None]
    settings = settings_of(**settings)
    targets = len(mean) - 1
    if normals is None:
        normals = np.zeros((targets, uniforms_needed(settings), demand.shape[1]))
    known = laws(Demand(kind="poisson", mean=mean[0]), "integer", targets) if settings.kind == "mmfe" else ()
    return forecast(settings, demand, np.asarray(mean, dtype=float), special.ndtr(normals), known)


def test_true_mean_is_that_of_the_target_period():
    made = run({"kind": "true_mean", "horizon": 3}, [[9, 9]] * 2, [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(made, np.repeat([[[1], [2], [3]], [[2], [3], [4]]], 2, axis=2))


def test_none_foresees_nothing():
    np.testing.assert_array_equal(run({"kind": "none", "horizon": 2}, [5, 5], [5] * 4), np.zeros((2, 2, 1)))


# --- from the history -------------------------------------------------------------------------------------------------


def test_moving_average_by_hand():
    made = run({"kind": "moving_average", "window": 3, "horizon": 2}, [3, 12, 0, 6, 9], [6, *[99] * 6])
    level = [6, (6 + 6 + 3) / 3, (6 + 3 + 12) / 3, (3 + 12 + 0) / 3, (12 + 0 + 6) / 3]
    np.testing.assert_allclose(made[:, :, 0], np.transpose([level, level]))


def test_exponential_smoothing_by_hand():
    made = run({"kind": "exponential_smoothing", "alpha": 0.25, "horizon": 2}, [8, 0, 20], [4, *[99] * 4])
    level = [4, 4 + 0.25 * 4, 5 - 0.25 * 5]
    np.testing.assert_allclose(made[:, :, 0], np.transpose([level, level]))


def test_holt_winters_by_hand():
    made = run(
        {"kind": "holt_winters", "alpha": 0.5, "beta": 0.5, "gamma": 0.5, "season_length": 2, "horizon": 3},
        [14, 6, 20],
        [10, *[99] * 5],
    )
    # period 0: level 10, trend 0, seasons 0, 0; it sees 14: level 12, trend 1, season[0] = (14 - 12) / 2 = 1
    # period 1: it sees 6: level (6 + 13) / 2 = 9.5, trend (-2.5 + 1) / 2 = -0.75, season[1] = (6 - 9.5) / 2 = -1.75
    expected = [
        [10, 10, 10],
        [12 + 1 + 0, 12 + 2 + 1, 12 + 3 + 0],
        [9.5 - 0.75 + 1, 9.5 - 1.5 - 1.75, 9.5 - 2.25 + 1],
    ]
    np.testing.assert_allclose(made[:, :, 0], expected)


def test_holt_winters_without_trend_and_season_is_exponential_smoothing():
    demand = np.random.default_rng(1).poisson(8, (30, 4))
    plain = run({"kind": "exponential_smoothing", "alpha": 0.3, "horizon": 2}, demand, [8] * 32)
    for length in 1, 5:
        without = {"kind": "holt_winters", "alpha": 0.3, "beta": 0, "gamma": 0, "season_length": length, "horizon": 2}
        np.testing.assert_allclose(run(without, demand, [8] * 32), plain, rtol=1e-12)


def test_holt_winters_at_season_length_1_is_holts_method_whatever_gamma_is():
    holt = {"kind": "holt_winters", "horizon": 3}
    demand = 10 + 3.0 * np.arange(8)
    made = run(holt | {"alpha": 1, "beta": 1}, demand, [10] * 11)[:, :, 0]
    np.testing.assert_allclose(made[2:], demand[1:7, None] + 3.0 * np.arange(1, 4))  # two demands give a line away
    without, with_gamma = [run(holt | {"alpha": 0.5, "gamma": gamma}, demand, [10] * 11) for gamma in (0, 0.9)]
    np.testing.assert_array_equal(without, with_gamma)


def test_holt_winters_learns_a_season():
    demand = np.tile([4.0, 16.0, 10.0], 60)
    made = run(
        {"kind": "holt_winters", "alpha": 0.1, "beta": 0, "gamma": 0.3, "season_length": 3, "horizon": 3},
        demand,
        [10] * 183,
    )
    np.testing.assert_allclose(made[-3, :, 0], [4, 16, 10], atol=0.05)


@pytest.mark.parametrize("settings", HISTORY_KINDS)
def test_history_is_all_that_is_read(settings):
    rng = np.random.default_rng(2)
    demand, mean = rng.poisson(9, (12, 3)).astype(float), np.full(15, 9.0)
    made = run({**settings, "horizon": 3}, demand, mean)
    np.testing.assert_array_equal(made[0], 9)  # nothing is known but the mean
    for t in range(12):
        changed = demand.copy()
        changed[t:] += 5
        again = run({**settings, "horizon": 3}, changed, mean)
        np.testing.assert_array_equal(again[: t + 1], made[: t + 1])
        if t < 11:
            assert (again[t + 1] != made[t + 1]).all()


@pytest.mark.parametrize("settings", HISTORY_KINDS)
def test_history_kinds_ignore_how_far_the_path_goes(settings):
    demand = np.random.default_rng(3).poisson(9, (14, 3))
    short = run({**settings, "horizon": 3}, demand[:12], [9] * 15)
    np.testing.assert_array_equal(run({**settings, "horizon": 3}, demand, [9] * 15), short)


# --- noisy ------------------------------------------------------------------------------------------------------------


def test_noisy_without_error_is_the_truth_and_beyond_it_the_mean():
    made = run({"kind": "noisy", "horizon": 3}, [7, 1, 5], [2, 3, 4, 5, 6, 8])
    np.testing.assert_array_equal(made[:, :, 0], [[7, 1, 5], [1, 5, 5], [5, 5, 6]])
    longer = run({"kind": "noisy", "horizon": 3}, [7, 1, 5, 9, 11], [2, 3, 4, 5, 6, 8])
    np.testing.assert_array_equal(longer[:, :, 0], [[7, 1, 5], [1, 5, 9], [5, 9, 11]])


def test_noisy_by_hand():
    normals = np.array([[1.0, 2.0], [-1.0, 0.5], [2.0, -1.0]])[:, :, None]
    made = run(
        {"kind": "noisy", "horizon": 2, "bias": 0.1, "error": 0.3, "error_growth": 2 / 3},
        [10, 30],
        [20, 10, 10, 10],
        normals,
    )
    # deviations 0.3 and 0.5 of the mean: weights 0.3 and 0.4
    expected = [
        [10 + 20 * (0.1 + 0.3 * 1), 30 + 10 * (0.1 + 0.3 * -1 + 0.4 * 0.5)],
        [30 + 10 * (0.1 + 0.3 * -1), 10 + 10 * (0.1 + 0.3 * 2 + 0.4 * -1)],
    ]
    np.testing.assert_allclose(made[:, :, 0], expected, rtol=1e-12)


def noisy_errors(error, error_growth, horizon=5, batch=40_000, bias=0.0):
    """Return errors [T, H, B] of forecasts of a demand far from 0, relative to its mean of 100."""
    settings = {"kind": "noisy", "horizon": horizon, "error": error, "error_growth": error_growth, "bias": bias}
    periods = 6
    rng = np.random.default_rng(4)
    demand = rng.poisson(100, (periods + horizon - 1, batch)).astype(float)
    normals = rng.standard_normal((periods + horizon - 1, horizon, batch))
    made = run(settings, demand, [100] * (periods + horizon), normals)
    truth = demand[np.arange(periods)[:, None] + np.arange(horizon)]
    return (made - truth) / 100, truth


def test_the_error_grows_with_the_horizon_as_stated():
    errors, _ = noisy_errors(error=0.05, error_growth=0.5, bias=-0.1)
    expected = 0.05 * (1 + 0.5 * np.arange(5))
    tolerance = 5 / np.sqrt(2 * errors.shape[2])  # five standard errors of a deviation, relative
    np.testing.assert_allclose(errors.std(axis=2), np.tile(expected, (6, 1)), rtol=tolerance)
    np.testing.assert_allclose(errors.mean(axis=2), -0.1, atol=5 * expected.max() / np.sqrt(errors.shape[2]))


def test_the_forecast_of_a_period_is_revised_independently_every_period():
    errors, truth = noisy_errors(error=0.05, error_growth=0.5)
    target = 4
    of_target = np.array([errors[target - h, h] for h in range(5)])
    revisions = np.diff(of_target, axis=0)  # [h - 1] is what the forecast loses from h periods ahead to h - 1
    expected = np.diff((0.05 * (1 + 0.5 * np.arange(5))) ** 2)
    batch = errors.shape[2]
    np.testing.assert_allclose(revisions.var(axis=1), expected, rtol=5 * np.sqrt(2 / batch))
    # Revisions of one target, of the next one, and demand: all uncorrelated.
    others = np.diff([errors[target + 1 - h, h] for h in range(5)], axis=0)
    correlation = np.corrcoef(np.vstack([of_target[:1], revisions, others, truth[target, :1]]))
    np.testing.assert_allclose(correlation, np.eye(len(correlation)), atol=5 / np.sqrt(batch))


@pytest.mark.parametrize("kind", FORECAST_KINDS)
def test_no_forecast_is_negative(kind):
    settings = {"kind": kind, "horizon": 4}
    if kind in ("noisy", "mmfe"):
        settings |= {"error": 3, "error_growth": 1}
    if kind == "holt_winters":
        settings |= {"alpha": 0.9, "beta": 0.9}
    normals = np.random.default_rng(5).standard_normal((13, uniforms_needed(settings_of(**settings)), 50))
    demand = np.repeat([[50.0], [40], [30], [20], [10], [0], [0], [0], [0], [0]], 50, axis=1)
    made = run(settings, demand, [10] * 14, normals)
    assert made.shape == (10, 4, 50) and made.dtype == np.float64
    assert (made >= 0).all() and np.isfinite(made).all()
    if kind in ("noisy", "holt_winters"):
        assert (made == 0).any()  # the bound was met


# --- bad settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, fragment",
    [
        ({"kind": "noise"}, "kind: 'noise' is unknown; did you mean 'noisy'"),
        ({"horizon": 0}, "horizon: 0 is out of range"),
        ({"kind": "noisy", "error": -0.1}, "error: -0.1 is out of range"),
        ({"kind": "noisy", "bias": -2}, "bias: -2 is out of range"),
        ({"kind": "moving_average", "window": 1.5}, "window: 1.5 is not whole"),
        ({"kind": "exponential_smoothing", "alpha": 2}, "alpha: 2 is out of range"),
        ({"error": 0.1}, "error: 0.1 does not go with kind true_mean, which takes none"),
        (
            {"kind": "moving_average", "alpha": 0.4},
            "alpha: 0.4 does not go with kind moving_average, which takes window",
        ),
        ({"kind": "noisy", "eror": 1}, "eror: unknown key; did you mean 'error'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, fragment):
    with pytest.raises(InputError, match=fragment):
        settings_of(**settings)
