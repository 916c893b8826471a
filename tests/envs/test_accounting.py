"""KPIs from totals worked by hand, and the bullwhip ratio against closed forms."""

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.envs import Network, simulate
from pushpull.envs.accounting import Kpis, forecast_kpis, no_totals, stage_kpis
from pushpull.envs.engine import Engine

MARKET = {"demand": {"kind": "poisson", "mean": 5}}
# Two parts, one bought from a dear and a cheap source, go into an item; the item is also sold as a kit of two.
ASSEMBLY = {
    "decoupling_point": "item",
    "stages": {
        "screw": {"holding_cost": 0.1, "sources": [{"unit_cost": 2}, {"unit_cost": 1}]},
        "plate": {"holding_cost": 0.5, "sources": [{"unit_cost": 4}]},
        "item": {
            "holding_cost": 3,
            "sources": [{"inputs": {"screw": 6, "plate": 1}, "unit_cost": 5}, {"unit_cost": 40}],
            "market": MARKET,
        },
        "kit": {"holding_cost": 7, "sources": [{"inputs": {"item": 2}, "unit_cost": 0.5}], "market": MARKET},
    },
}


def totals_of(network, **values):
    """Return the totals of one environment, zero where nothing is given."""
    totals = vars(no_totals(network, 1))
    for name, value in values.items():
        assert totals[name][..., 0].shape == np.shape(value)
    return type(no_totals(network, 1))(
        **totals | {name: np.array(value, float)[..., None] for name, value in values.items()}
    )


def test_a_unit_is_worth_what_it_and_its_inputs_cost_at_the_cheapest_source():
    network = Network.from_dict(ASSEMBLY)
    # item: 6 screws of 1, a plate of 4, 5 to make it; bought complete it costs 40
    np.testing.assert_allclose(network.landed_costs, [2, 1, 4, 15, 40, 30.5])
    np.testing.assert_allclose(network.unit_values, [1, 4, 15, 30.5])


def test_without_unit_costs_a_unit_is_worth_its_holding_cost():
    bare = {**ASSEMBLY, "stages": {}}
    for name, stage in ASSEMBLY["stages"].items():
        sources = [{key: value for key, value in source.items() if key != "unit_cost"} for source in stage["sources"]]
        bare["stages"][name] = {**stage, "sources": sources}
    np.testing.assert_allclose(Network.from_dict(bare).unit_values, [0.1, 0.5, 3, 7])


def test_kpis_by_hand():
    network = Network.from_dict(ASSEMBLY)
    cost = {
        "holding": 30,
        "pipeline": 5,
        "backorder": 40,
        "lost_sale": 7,
        "production": 100,
        "fixed": 8,
        "shortfall": 2,
    }
    totals = totals_of(
        network,
        periods=4,
        costs=[cost.get(term, 0) for term in network.cost_terms],
        on_hand=[40, 8, 12, 4],
        shipped=[0, 0, 14, 2],
        # two markets: item asked 2, 6, 2, 6 (mean 4, sd 2), kit 0, 0, 4, 0 (mean 1, variance 4 - 1 = 3)
        demand=[0, 0, 16, 4],
        demand_squared=[0, 0, 80, 16],
        # per source: a screw source that orders 0, 24, 0, 24 (mean 12, variance 144) and one that never orders; plates
        # by 4 always; items 5, 3, 5, 3 (variance 1) and never; kits 0, 0, 4, 0
        order=[48, 0, 16, 16, 0, 4],
        order_squared=[1152, 0, 64, 68, 0, 16],
    )
    measured = {name: value.item() for name, value in Kpis(network)(totals).items()}
    assert measured["cost"] == pytest.approx(192 / 4)
    assert measured["total_cost_of_ownership"] == pytest.approx((30 + 5 + 100 + 8) / 4)
    assert measured["cost_per_unit"] == pytest.approx(192 / 16)
    # per period 10 screws of 1, 2 plates of 4, 3 items of 15, 1 kit of 30.5
    assert measured["stock_value"] == pytest.approx(10 + 8 + 45 + 30.5)
    assert measured["demand_cv"] == pytest.approx((2 + 3**0.5) / (4 + 1))
    own = {name: value.item() for name, value in stage_kpis(network, totals).items()}
    assert own["stock.screw"] == 10 and own["stock_value.item"] == 45
    assert sum(own[f"stock_value.{stage}"] for stage in network.stages) == pytest.approx(measured["stock_value"])
    # items are asked for with variance 4 + 2^2 x 3 = 16, screws with 36 x 16, plates with 16, kits with 3
    assert own["bullwhip.item"] == pytest.approx(1 / 16)
    assert own["bullwhip.screw"] == pytest.approx(144 / 576)
    assert own["bullwhip.plate"] == 0
    assert own["bullwhip.kit"] == pytest.approx(1)


def test_what_nothing_was_shipped_for_has_no_cost_per_unit():
    network = Network.from_dict(ASSEMBLY)
    assert np.isnan(Kpis(network)(totals_of(network, periods=4, costs=[1] * len(network.cost_terms)))["cost_per_unit"])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_cycles_and_push_schedules_by_hand(backend):
    demand = {"kind": "deterministic", "values": [2]}
    source = {"mode": "push", "lead_time": 1, "capacity": 4}
    shop = {"initial_on_hand": 3, "sources": [source], "market": {"demand": demand}}
    engine = Engine(Network.from_dict({"horizon": 6, "stages": {"shop": shop}}), backend=backend)
    engine.reset(0)
    for quantity in (4, 0, 0, 5, 1, 0):
        engine.step(np.array([[quantity]]))
    # units are received in periods 1, 4 and 5; in period 3 one unit is left for the two that are asked for
    assert engine.kpis()["cycle_service_level"] == pytest.approx(2 / 3)
    assert engine.kpis()["push_schedule_adherence"] == pytest.approx(9 / 10)  # 5 were asked for, capacity started 4


# --- bullwhip -------------------------------------------------------------------------------------------------------


def shop(sequence, demand, **source):
    """Return a shop in real units whose supplier always delivers."""
    return Network.from_dict(
        {
            "units": "real",
            "sequence": sequence,
            "horizon": 4000,
            "warm_up": 100,
            "stages": {
                "shop": {
                    "initial_on_hand": 100,
                    "sources": [{"mode": "pull", **source}],
                    "market": {"demand": demand, "forecast": {"kind": "true_mean"}},
                }
            },
        }
    )


AFTER_DEMAND = ["receive", "push", "demand", "pull", "ship"]
BEFORE_DEMAND = ["receive", "push", "pull", "demand", "ship"]
NORMAL = {"kind": "normal", "mean": 100, "sd": 10}  # ten standard deviations above 0: never clipped


def bullwhip(network, threshold, episodes=24):
    """Return the mean bullwhip ratio of the shop, and its standard error, when `threshold(view)` [B] is its level."""

    class Policy:
        def act(self, view):
            return threshold(view)[:, None]

    table = simulate(network, Policy(), episodes, seed=0)
    np.testing.assert_allclose(table["bullwhip.shop"], table["bullwhip_ratio"])  # its orders go outside
    return table["bullwhip.shop"].mean(), table["bullwhip.shop"].std(ddof=1) / episodes**0.5


@pytest.mark.parametrize("adjust_time", [1, 2, 5])
@pytest.mark.parametrize("lead_time", [0, 3])
def test_proportional_order_up_to_smooths_as_disney_and_towill_say(adjust_time, lead_time):
    """1 / (2 T - 1), whatever the lead time (Disney & Towill 2003, Int. J. Production Economics 85)."""
    lot = {"rule": "smoothed", "adjust_time": adjust_time}
    network = shop(AFTER_DEMAND, NORMAL, lead_time=lead_time, lot=lot)
    mean, error = bullwhip(network, lambda view: np.full(len(view.period), 500.0))
    assert error < 0.01
    assert mean == pytest.approx(1 / (2 * adjust_time - 1), abs=4 * error + 1e-3)


@pytest.mark.parametrize(("periods", "lead_time"), [(4, 1), (4, 3), (10, 2)])
def test_order_up_to_on_a_moving_average_amplifies_as_chen_says(periods, lead_time):
    """1 + 2 L / p + 2 L^2 / p^2 for independent demand (Chen et al. 2000, theorem 2.2, an equality without safety).

    Their L counts the review: an order is placed before the period's demand, with demand known up to the period
    before, and covers it and the next lead_time periods. So L = lead_time + 1, and orders must precede demand.
    """
    network = shop(BEFORE_DEMAND, NORMAL, lead_time=lead_time)
    mapping = network.to_dict()
    mapping["stages"]["shop"]["market"]["forecast"] = {"kind": "moving_average", "window": periods}
    covered = lead_time + 1
    mean, error = bullwhip(Network.from_dict(mapping), lambda view: covered * view.forecast[0, 0])
    ratio = covered / periods
    assert error < 0.02
    assert mean == pytest.approx(1 + 2 * ratio + 2 * ratio**2, abs=4 * error)


def test_seeing_the_demand_that_the_forecast_does_not_know_yet_amplifies_less():
    """Orders after demand: y moves by (L / p) (D of one before - D of p + 1 before), so 1 + 2 (L / p)^2."""
    mapping = shop(AFTER_DEMAND, NORMAL, lead_time=3).to_dict()
    mapping["stages"]["shop"]["market"]["forecast"] = {"kind": "moving_average", "window": 4}
    mean, error = bullwhip(Network.from_dict(mapping), lambda view: 3 * view.forecast[0, 0])
    assert mean == pytest.approx(1 + 2 * (3 / 4) ** 2, abs=4 * error)


@pytest.mark.parametrize("correlation", [0.6, -0.4])
def test_order_up_to_on_a_moving_average_with_correlated_demand(correlation):
    """1 + (2 L / p + 2 L^2 / p^2) (1 - rho^p) for AR(1) demand (Chen et al. 2000, theorem 2.2)."""
    mapping = shop(BEFORE_DEMAND, {**NORMAL, "autocorrelation": correlation}, lead_time=1).to_dict()
    mapping["stages"]["shop"]["market"]["forecast"] = {"kind": "moving_average", "window": 4}
    mean, error = bullwhip(Network.from_dict(mapping), lambda view: 2 * view.forecast[0, 0])
    assert error < 0.02
    assert mean == pytest.approx(1 + (2 * 2 / 4 + 2 * (2 / 4) ** 2) * (1 - correlation**4), abs=4 * error)


# --- forecasts --------------------------------------------------------------------------------------------------------


def test_forecast_kpis_by_hand():
    demand = np.array([[10, 5], [12, 5], [8, 5], [9, 5]], float)[..., None]  # the second market never moves
    forecast = np.array([[99, 99], [10, 6], [8, 6], [12, 6]], float)[..., None]
    counted = np.array([False, True, True, True])[:, None]
    measured = {name: values.item() for name, values in forecast_kpis(demand, forecast, counted).items()}
    assert measured["wape"] == pytest.approx((2 + 0 + 3 + 3 * 1) / (12 + 8 + 9 + 15))
    assert measured["forecast_bias"] == pytest.approx((-2 + 0 + 3 + 3 * 1) / (12 + 8 + 9 + 15))
    assert measured["mase"] == pytest.approx((2 + 0 + 3) / (2 + 4 + 1))  # of the first market, 7/3 a period


def test_mase_is_an_average_over_markets_of_any_size():
    demand = np.array([[0, 1000], [1, 1001], [0, 1000]], float)[..., None]
    forecast = np.array([[0, 1000], [2, 1003], [0, 1000]], float)[..., None]
    measured = forecast_kpis(demand, forecast, np.ones((3, 1), bool))
    # errors of 1 and 2 in three periods, naive errors of 1 in two
    assert measured["mase"].item() == pytest.approx((1 / 3 + 2 / 3) / 2)


def test_without_demand_forecasts_did_no_harm():
    nothing = np.zeros((1, 1, 1))
    assert [values.item() for values in forecast_kpis(nothing, nothing + 3, np.ones((1, 1), bool)).values()] == [0] * 3


def forecast_measures(forecast, demand=None, periods=2000, **settings):
    """Return the forecast KPIs of a shop's episode under a constant policy."""
    market = {"demand": demand or {"kind": "normal", "mean": 100, "sd": 10}, "forecast": forecast}
    network = Network.from_dict(
        {"decoupling_point": "supply", "units": "real", "horizon": periods, "stages": {"shop": {"sources": [{}],
         "market": market}}, **settings}
    )  # fmt: skip
    return simulate(network, make_policy("base_stock", network, service_level=0.9), 20, 0)


def test_the_naive_forecast_scores_one():
    """Last period's demand is the forecast, and all but period 0 count."""
    values = {"kind": "deterministic", "values": [3, 9, 4, 4, 8, 1]}
    table = forecast_measures({"kind": "moving_average", "window": 1}, values, periods=6, warm_up=1)
    np.testing.assert_allclose(table["mase"], 1)
    np.testing.assert_allclose(table["wape"], (6 + 5 + 0 + 4 + 7) / (9 + 4 + 4 + 8 + 1))
    np.testing.assert_allclose(table["forecast_bias"], (-6 + 5 + 0 - 4 + 7) / (9 + 4 + 4 + 8 + 1))


@pytest.mark.parametrize("known", [0, 0.5, 0.9])
def test_forecast_kpis_of_normal_demand_by_theory(known):
    """Errors are normal with variance (1 - known) sd^2, naive ones with 2 sd^2; E|x| = sd sqrt(2 / pi)."""
    table = forecast_measures({"kind": "mmfe", "resolved": known, "bias": 0})
    assert table["wape"].mean() == pytest.approx(0.1 * np.sqrt((1 - known) * 2 / np.pi), rel=0.02)
    assert table["mase"].mean() == pytest.approx(np.sqrt((1 - known) / 2), rel=0.02)
    assert abs(table["forecast_bias"].mean()) < 1e-3
    biased = forecast_measures({"kind": "mmfe", "resolved": known, "bias": 0.2})
    assert biased["forecast_bias"].mean() == pytest.approx(0.2, abs=1e-3)


def test_forecast_kpis_count_the_periods_played_so_far():
    network = Network.from_dict({**ASSEMBLY, "warm_up": 2})
    engine = Engine(network, 3)
    engine.reset(0)
    for played in range(6):
        measured, traces = engine.kpis(), engine._episodes
        counted = np.zeros((engine.periods, 1), bool)
        counted[2:played] = True
        expected = forecast_kpis(traces.demand, traces.forecast[:, 0], counted)
        for name, values in expected.items():
            np.testing.assert_array_equal(measured[name], values)
            assert (values != 0).any() == (played > 2)
        engine.step(np.zeros((3, len(engine.space.entries))))
