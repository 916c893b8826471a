"""A world is a function of (seed, episode) alone, drawn from the Philox stream that is written down for it."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from pushpull.envs.checks import InputError
from pushpull.envs.engine import Engine
from pushpull.envs.exogenous import draw
from pushpull.envs.network import Network
from pushpull.envs.streams import STREAMS, uniforms

NOISY = {"kind": "noisy", "horizon": 4, "error": 0.2, "error_growth": 0.5}
DEMANDS = {
    "counts": {"kind": "negative_binomial", "mean": 9, "sd": 5, "season": [1, 1.5], "trend": 0.01},
    "smooth": {"kind": "gamma", "mean": 9, "sd": 5},
    "rare": {"kind": "intermittent", "probability": 0.4, "size": {"kind": "normal", "mean": 5, "sd": 4}},
    "trace": {"kind": "trace", "file": "wine.csv", "column": "sales", "start": "random"},
}


def network(*markets, units="real"):
    """Return unconnected stages, one per market."""
    stages = {f"shop{m}": {"sources": [{}], "market": market} for m, market in enumerate(markets)}
    return Network.from_dict({"decoupling_point": "market", "units": units, "stages": stages})


def every_market(**changed):
    """Return one market per demand process and forecast, some of them changed."""
    mmfe = {"kind": "mmfe", "horizon": 2, "resolved": [0.8, 0.5]}
    forecasts = [NOISY, {"kind": "holt_winters", "horizon": 2, "season_length": 3}, mmfe, {}]
    return [
        {"demand": demand, "forecast": forecast} | changed.get(name, {})
        for (name, demand), forecast in zip(DEMANDS.items(), forecasts, strict=True)
    ]


WORLDS = [(7, 0), (7, 1), (8, 0), (0, 12), (2**63 - 1, 2**63 - 1)]


def assert_same(one, other):
    np.testing.assert_array_equal(one.demand, other.demand)
    np.testing.assert_array_equal(one.forecast, other.forecast)


def cut(traces, **which):
    """Return traces of some worlds, markets or periods."""
    world, market, period = (which.get(key, slice(None)) for key in ("world", "market", "period"))
    return type(traces)(traces.demand[period, market, world], traces.forecast[period, :, market, world], None)


@pytest.mark.parametrize("units", ["integer", "real"])
def test_shapes_and_units(units):
    traces = draw(network(*every_market(), units=units), 20, WORLDS)
    assert traces.demand.shape == (20, 4, 5) and traces.demand.dtype == np.float64
    assert traces.forecast.shape == (20, 4, 4, 5) and traces.forecast.dtype == np.float64
    assert traces.available is None
    assert (traces.demand >= 0).all() and (traces.forecast >= 0).all()
    assert (traces.demand == np.rint(traces.demand)).all() == (units == "integer")


def test_a_world_is_the_same_in_every_batch_and_place():
    own = network(*every_market())
    rng = np.random.default_rng(0)
    crowd = [(int(seed), int(episode)) for seed, episode in rng.integers(0, 50, (97, 2))]
    places = [0, 13, 50, 51, 101]
    for place, world in zip(places, WORLDS, strict=True):
        crowd.insert(place, world)
    in_crowd = draw(own, 20, crowd)
    for place, world in zip(places, WORLDS, strict=True):
        assert_same(cut(in_crowd, world=slice(place, place + 1)), draw(own, 20, [world]))


def test_a_longer_horizon_extends_a_shorter_one():
    own = network(*every_market())
    short, long = draw(own, 20, WORLDS), draw(own, 50, WORLDS)
    assert_same(cut(long, period=slice(20)), short)
    assert (long.demand[20:] != 0).any()


def test_a_market_does_not_depend_on_the_others():
    usual = draw(network(*every_market()), 20, WORLDS)
    changed = every_market(
        counts={"demand": {"kind": "deterministic", "values": 3}, "forecast": NOISY},
        rare={"demand": {"kind": "geometric", "mean": 2}, "forecast": {}},
    )
    other = draw(network(*changed), 20, WORLDS)
    for m in 1, 3:
        assert_same(cut(other, market=m), cut(usual, market=m))
    for m in 0, 2:
        assert (other.demand[:, m] != usual.demand[:, m]).any()
    fewer = draw(network(*every_market()[:1]), 20, WORLDS)
    assert_same(fewer, cut(usual, market=slice(1)))


def test_seed_episode_market_and_purpose_each_change_the_stream():
    worlds = [(s, e) for s in (1, 2) for e in (1, 2)]
    streams = np.concatenate(
        [uniforms(purpose, m, worlds, 500, 1)[:, 0] for purpose in STREAMS for m in (0, 1, 2)], axis=1
    ).T
    assert len(streams) == 12 * len(STREAMS)
    np.testing.assert_allclose(np.corrcoef(streams), np.eye(len(streams)), atol=5 / np.sqrt(500))


def test_uniforms_are_those_of_philox_period_by_period():
    numbers = uniforms("forecast", 3, [(5, 0), (2**63 - 1, 9)], 6, 2)
    key, counter = np.zeros(2, dtype=np.uint64), np.zeros(4, dtype=np.uint64)
    key[:], counter[:] = (2**63 - 1, STREAMS["forecast"]), (0, 3, 0, 9)
    raw = np.random.Philox(key=key, counter=counter).random_raw(12)
    np.testing.assert_array_equal(numbers[:, :, 1], (((raw >> np.uint64(12)) + 0.5) / 2**52).reshape(6, 2))


def test_uniforms_are_uniform_and_independent():
    numbers = uniforms("demand", 0, [(seed, 0) for seed in range(400)], 100, 1)[:, 0]
    assert ((numbers > 0) & (numbers < 1)).all()
    assert stats.kstest(numbers.ravel(), "uniform").pvalue > 1e-4
    centred = numbers - 0.5
    for neighbours in (centred[1:] * centred[:-1], centred[:, 1:] * centred[:, :-1]):  # periods, seeds
        assert abs(neighbours.mean()) < 5 / 12 / np.sqrt(neighbours.size)


def test_stream_numbers_differ():
    assert len(set(STREAMS.values())) == len(STREAMS)


def test_demand_of_many_worlds_has_the_law_of_its_settings():
    traces = draw(network({"demand": {"kind": "poisson", "mean": 4}}), 50, [(s, 3) for s in range(400)])
    counts = np.bincount(traces.demand.ravel().astype(int), minlength=12)[:12]
    expected = stats.poisson.pmf(np.arange(12), 4) * traces.demand.size
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_a_shorter_forecast_repeats_its_last_entry():
    traces = draw(network(*every_market()), 20, WORLDS)
    np.testing.assert_array_equal(traces.forecast[:, 2:, 1], np.repeat(traces.forecast[:, 1:2, 1], 2, axis=1))
    assert (traces.forecast[:, 0, 1] != traces.forecast[:, 1, 1]).any()


def test_a_trace_may_end_with_the_horizon():
    rows = 176
    market = {"demand": {"kind": "trace", "file": "wine.csv", "column": "sales"}, "forecast": NOISY | {"error": 0}}
    traces = draw(network(market), rows, [(0, 0)])
    sales = traces.demand[:, 0, 0]
    np.testing.assert_array_equal(traces.forecast[: rows - 3, 3, 0, 0], sales[3:])
    np.testing.assert_allclose(traces.forecast[-3:, 3, 0, 0], sales.mean())  # beyond its end, the mean of its rows


def test_no_worlds_are_no_trouble():
    assert draw(network(*every_market()), 5, []).demand.shape == (5, 4, 0)


def test_pandas_pyarrow_and_scipy_special_are_not_imported_before_they_are_needed():
    code = (
        "import sys; from pushpull.envs import Network; from pushpull.envs.exogenous import draw; "
        "market = {'demand': {'kind': 'poisson', 'mean': 5}, 'forecast': {'kind': 'moving_average'}}; "
        "stages = {'shop': {'sources': [{'mode': 'pull'}], 'market': market}}; "
        "draw(Network.from_dict({'stages': stages}), 5, [(0, 0)]); "
        "print([name for name in ('pandas', 'pyarrow', 'scipy.special') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "market, fragment",
    [
        ({}, r"stages\.shop1\.market\.demand: missing; state it"),
        (
            {"demand": {"kind": "trace", "file": "wine.cvs", "column": "sales"}},
            r"stages\.shop1\.market\.demand\.file: no file 'wine\.cvs'; .*did you mean 'wine\.csv'",
        ),
        (
            {"demand": {"kind": "trace", "file": "wine.csv", "column": "sales", "start": 100}},
            r"stages\.shop1\.market\.demand\.file: 'wine\.csv' holds 76 rows from its start on, but 80 periods",
        ),
        ({"demand": {"kind": "poisson", "mean": 1e13}}, r"stages\.shop1\.market\.demand\.mean: demand spreads over"),
    ],
)
def test_a_market_that_cannot_be_drawn_is_refused(market, fragment):
    with pytest.raises(InputError, match=fragment):
        draw(network({"demand": {"kind": "poisson", "mean": 1}}, market), 80, [(0, 0)])


@pytest.mark.parametrize(
    "worlds",
    [
        [(0, 0), (1, -1)],  # negative
        [(0.5, 0)],  # not whole
        [(2**64, 0)],  # too large
        [(2**63, 0), (1, 1)],
        [(0, 0), (1,)],  # not a pair
        [(0, 0, 0)],
        [0, 1],
        [("a", 0)],
    ],
)
def test_worlds_that_are_not_pairs_of_whole_numbers_are_refused(worlds):
    with pytest.raises(
        InputError, match=r"worlds: .* are not pairs \(seed, episode\) of whole numbers in \[0, 2\^63\)"
    ):
        draw(network({"demand": {"kind": "poisson", "mean": 1}}), 5, worlds)


def test_traces_of_one_file_start_on_the_same_day():
    trace = {"kind": "trace", "file": "bakery.csv", "start": "random", "column": "store4_product101"}
    other = trace | {"column": "store25_product101"}
    together = draw(network({"demand": other}, {"demand": trace}), 30, WORLDS).demand
    alone = draw(network({"demand": trace}), 30, WORLDS).demand
    np.testing.assert_array_equal(together[:, 1], alone[:, 0])
    closed = together[:, 0] == 0  # store 25 is shut every Sunday
    assert (np.diff(np.flatnonzero(closed[:, 0])) % 7 == 0).any()


def test_seeds_that_no_float_tells_apart_are_worlds_of_their_own():
    engine = Engine(network({"demand": {"kind": "gamma", "mean": 9, "sd": 5}}), 3, periods=1)
    engine.reset(2**62)
    assert engine.seeds.tolist() == [2**62, 2**62 + 1, 2**62 + 2]
    engine.step(np.zeros((3, 1)))
    assert len(set(engine.flows.demand[0].tolist())) == 3
