"""Forecasts that are conditional means: by closed form, by their declared errors, and as a martingale."""

import numpy as np
import pytest
from scipy import integrate, stats

from pushpull.envs import Network
from pushpull.envs import demand as demands
from pushpull.envs.checks import InputError, build
from pushpull.envs.evolution import error_variance, evolve
from pushpull.envs.exogenous import draw
from pushpull.envs.network import Demand, Forecast

RESOLVED = (0.9, 0.6, 0.6, 0.1)
LAWS = [
    ({"kind": "poisson", "mean": 30}, "integer"),
    ({"kind": "poisson", "mean": 0.4}, "integer"),
    ({"kind": "geometric", "mean": 5}, "integer"),
    ({"kind": "negative_binomial", "mean": 10, "sd": 9}, "real"),
    ({"kind": "normal", "mean": 10, "sd": 9}, "real"),  # clipped at 0 in one period of seven
    ({"kind": "gamma", "mean": 10, "sd": 12}, "real"),
    ({"kind": "intermittent", "probability": 0.3, "size": {"kind": "gamma", "mean": 10, "sd": 3}}, "real"),
    ({"kind": "empirical", "values": [1.5, 3.25, 40], "probabilities": [0.5, 0.3, 0.2]}, "real"),
]
by_kind = pytest.mark.parametrize(
    ("demand", "units"), LAWS, ids=[f"{demand['kind']}{demand.get('mean', '')}" for demand, _ in LAWS]
)


def mmfe(horizon=4, **settings):
    return build(Forecast, {"kind": "mmfe", "horizon": horizon, **settings}, "forecast")


def law_of(demand, units):
    return demands.laws(build(Demand, demand, "demand"), units, 1)[0]


def traces(demand, units, forecast, periods=10, worlds=20_000):
    """Return demand [T, B] and forecasts [T, H, B] of one market."""
    market = {"demand": demand, "forecast": forecast}
    network = Network.from_dict(
        {"decoupling_point": "supply", "units": units, "stages": {"shop": {"sources": [{}], "market": market}}}
    )
    drawn = draw(network, periods, [(seed, 0) for seed in range(worlds)])
    return drawn.demand[:, 0], drawn.forecast[:, :, 0]


def of_target(forecast, s):
    """Return the forecasts of period s as it comes nearer: [H, B], the farthest first."""
    horizon = forecast.shape[1]
    return np.array([forecast[s - h, h] for h in reversed(range(horizon))])


# --- closed forms -----------------------------------------------------------------------------------------------------


def test_normal_demand_is_foreseen_linearly():
    """The bridge by hand: W(r) given z, then W(q) given W(r), with their variances r (1 - r) and q (r - q) / r."""
    law, (r, q) = law_of({"kind": "normal", "mean": 100, "sd": 5}, "real"), (0.8, 0.2)
    z, first, second = 1.2, -0.7, 0.4
    chance = stats.norm.cdf([[0.5], [first], [second]])[None]  # the first is unused: no value has mass of its own
    made = evolve(mmfe(2, resolved=[r, q]), np.array([[100 + 5 * z]]), [law], chance)
    near = r * z + np.sqrt(r * (1 - r)) * first
    far = near * q / r + np.sqrt(q * (r - q) / r) * second
    np.testing.assert_allclose(made[0, :, 0], [100 + 5 * near, 100 + 5 * far], rtol=1e-6)


@by_kind
@pytest.mark.parametrize("known", [-1.3, 0.2, 2.1])
def test_the_forecast_is_the_mean_of_what_is_left_to_come(demand, units, known):
    """E[D | W(r) = w] is the integral of P(D > x | w), with z normal about w with variance 1 - r."""
    law = law_of(demand, units)
    for spread in 0.3, 0.8:

        def above(x, spread=spread):
            return stats.norm.sf((stats.norm.ppf(law.cdf(x)) - known) / spread)

        if law.whole:
            expected = sum(above(float(x)) for x in range(400))
        else:
            jumps = sorted({float(law.quantile(u)) for u in (0.01, 0.3, 0.55, 0.75, 0.9, 0.999)})
            expected = integrate.quad(above, 0, float(law.quantile(1 - 1e-15)), points=jumps, limit=500)[0]
        assert _foreseen(law, known, spread) == pytest.approx(expected, rel=3e-4, abs=3e-4 * np.sqrt(law.variance))


def _foreseen(law, known, spread):
    """Return the forecast at W(r) = known, where the bridge leads from z = known with the right normal."""
    r, chance = 1 - spread**2, stats.norm.cdf(known)
    demand = law.quantile(chance)
    below, upto = law.cdf(np.nextafter(demand, -np.inf)), law.cdf(demand)
    within = (chance - below) / (upto - below) if upto > below else 0.5
    normal = (known - r * known) / np.sqrt(r * (1 - r))
    uniforms = np.array([[[within], [stats.norm.cdf(normal)]]])
    return evolve(mmfe(1, resolved=[_share_left(law, spread)]), np.array([[float(demand)]]), [law], uniforms)[0, 0, 0]


def _share_left(law, spread):
    """Return the share of demand's variance that is known when z is known up to a deviation: the variance of means."""
    y, weight = np.polynomial.hermite_e.hermegauss(80)
    x = np.linspace(0, float(law.quantile(1 - 1e-14)), 20_001) if not law.whole else np.arange(400.0)
    scores = stats.norm.ppf(law.cdf(x))
    scores = scores if law.whole else (scores[1:] + scores[:-1]) / 2
    step = 1.0 if law.whole else x[1]
    means = [step * stats.norm.sf((scores - np.sqrt(1 - spread**2) * value) / spread).sum() for value in y]
    means, weight = np.array(means), weight / weight.sum()
    return float(weight @ (means - weight @ means) ** 2 / law.variance)


def test_nothing_known_is_the_mean_and_everything_known_is_demand():
    demand, forecast = traces({"kind": "geometric", "mean": 5}, "integer", {"kind": "mmfe", "horizon": 3,
                              "resolved": [1, 1, 0]}, worlds=500)  # fmt: skip
    np.testing.assert_array_equal(forecast[:, 0], demand)
    np.testing.assert_array_equal(forecast[:-1, 1], demand[1:])
    np.testing.assert_allclose(forecast[:, 2], 5, rtol=1e-6)
    without_error = traces({"kind": "geometric", "mean": 5}, "integer", {"kind": "mmfe", "horizon": 2}, worlds=500)
    np.testing.assert_array_equal(without_error[1][:, 0], without_error[0])
    _, hopeless = traces({"kind": "geometric", "mean": 5}, "integer", {"kind": "mmfe", "error": 50}, worlds=500)
    np.testing.assert_allclose(hopeless, 5, rtol=1e-6)  # an error cannot exceed demand's own deviation


def test_bias_multiplies():
    plain, biased = (
        traces({"kind": "poisson", "mean": 9}, "integer", {"kind": "mmfe", "error": 0.2, "bias": bias}, worlds=50)[1]
        for bias in (0, 0.3)
    )
    np.testing.assert_allclose(biased, 1.3 * plain)


def test_the_error_by_its_settings():
    np.testing.assert_allclose(error_variance(mmfe(4, resolved=RESOLVED), 10, 4), [0.4, 1.6, 1.6, 3.6])
    np.testing.assert_allclose(error_variance(mmfe(3, error=0.1, error_growth=0.5), 10, 3), [1, 2.25, 3])


# --- in worlds that are drawn -----------------------------------------------------------------------------------------


@by_kind
def test_demand_is_what_it_would_be_without_a_forecast(demand, units):
    plain, _ = traces(demand, units, {}, worlds=200)
    for resolved in (RESOLVED, (0.5,) * 4):
        own, _ = traces(demand, units, {"kind": "mmfe", "horizon": 4, "resolved": resolved}, worlds=200)
        np.testing.assert_array_equal(own, plain)


@by_kind
def test_errors_are_centred_of_the_declared_size_and_uncorrelated_with_the_forecast(demand, units):
    truth, forecast = traces(demand, units, {"kind": "mmfe", "horizon": 4, "resolved": RESOLVED})
    variance = law_of(demand, units).variance
    for h, share in enumerate(RESOLVED):
        made, error = forecast[: 10 - h, h], truth[h:] - forecast[: 10 - h, h]
        n = error.size
        assert abs(error.mean()) < 5 * error.std() / np.sqrt(n)
        spread = 5 * (error**2).std() / np.sqrt(n)
        assert error.var() == pytest.approx((1 - share) * variance, abs=spread)
        product = error * (made - made.mean())
        assert abs(product.mean()) < 5 * product.std() / np.sqrt(n)


@by_kind
def test_revisions_are_uncorrelated_with_all_that_was_known_before(demand, units):
    truth, forecast = traces(demand, units, {"kind": "mmfe", "horizon": 4, "resolved": RESOLVED})
    target = 6
    evolution = np.concatenate([of_target(forecast, target), truth[target : target + 1]])
    revisions = np.diff(evolution, axis=0)  # at the starts of periods 4, 5 and 6, and when demand is seen
    assert np.abs(revisions[1] - revisions[1].mean()).max() > 0 or RESOLVED[1] == RESOLVED[2]
    for k, revision in enumerate(revisions):
        made = target - 3 + k  # the period at whose start the forecast was made that is revised
        known = [*evolution[: k + 1], *forecast[made], *truth[:made]]
        for past in known:
            product = (revision - revision.mean()) * (past - past.mean())
            assert abs(product.mean()) <= 5 * product.std() / np.sqrt(product.size) + 1e-12


def test_nothing_is_revised_where_no_share_comes_to_light():
    _, forecast = traces({"kind": "poisson", "mean": 30}, "integer", {"kind": "mmfe", "horizon": 4,
                         "resolved": RESOLVED}, worlds=100)  # fmt: skip
    np.testing.assert_allclose(forecast[:-1, 2], forecast[1:, 1], rtol=1e-9)


def test_with_a_season_errors_are_relative_to_the_mean_of_their_period():
    demand = {"kind": "negative_binomial", "mean": 40, "sd": 25, "season": [0.5, 2]}
    truth, forecast = traces(demand, "integer", {"kind": "mmfe", "horizon": 2, "error": 0.2, "error_growth": 0.5})
    for h, relative in enumerate((0.2, 0.3)):
        for season, mean in enumerate((20, 80)):
            error = (truth[h:] - forecast[: 10 - h, h])[(season - h) % 2 :: 2]
            assert error.std() == pytest.approx(relative * mean, rel=0.02)
            assert abs(error.mean()) < 5 * error.std() / np.sqrt(error.size)


def test_demand_that_its_law_would_never_ask_for_is_still_foreseen():
    law = law_of({"kind": "poisson", "mean": 10}, "integer")
    made = evolve(mmfe(2, resolved=[0.9, 0.5]), np.array([[5000.0, 0]]), [law], np.full((1, 3, 2), 0.5))
    assert np.isfinite(made).all() and (made[0, :, 0] > 20).all()


# --- bad settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "fragment"),
    [
        ({"resolved": [0.5, 0.2]}, r"resolved: 2 shares for horizon 4; give one per period"),
        ({"resolved": [0.5, 0.2, 0.3, 0]}, r"resolved: \[0.5, 0.2, 0.3, 0\] rises; .* let it fall"),
        ({"resolved": [1.5, 0.2, 0, 0]}, r"resolved\[0\]: 1.5 is out of range"),
        ({"resolved": RESOLVED, "error": 0.1}, "resolved: .* says what error says too; state one of the two"),
        ({"error": -1}, "error: -1 is out of range"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, fragment):
    with pytest.raises(InputError, match=fragment):
        mmfe(**settings)
