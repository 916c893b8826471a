"""bench measures what it says, keeps it as JSON, and judges and compares it rightly; no speed is asserted."""

import json
from dataclasses import replace
from importlib.util import find_spec
from io import StringIO

import pytest
from rich.console import Console

from pushpull.envs import InputError, Network
from pushpull.envs.task import Task
from pushpull.experiments import bench, bench_cases
from pushpull.experiments.bench_cases import ENGINES, HIGHER_IS_BETTER, NETWORKS, PEERS, Case, Effort, cases

from .conftest import CHAIN

TINY = Effort(repeats=2, seconds=0.001)
FIELDS = {"unit", "higher_is_better", "target", "met", "absent", "took", "readings"}


@pytest.fixture
def run(pushpull, runs, monkeypatch):
    """Run the command with tiny repeats and return its answer and its JSON."""
    monkeypatch.setattr(bench, "QUICK", TINY)

    def run(*words):
        answer = pushpull("bench", "quick=true", *words)
        assert answer.code == 0, answer.err
        return answer, json.loads((runs("bench")[-1] / "bench.json").read_text())

    return run


def fake(values, unit="env-steps/s", **details) -> Case:
    """Return a case that reads one value after another."""
    readings = iter(values)
    return Case("fake/one", unit, lambda effort: lambda: {unit: next(readings), "other": 7.0}, **details)


def record(median: float, unit: str = "env-steps/s") -> dict:
    return bench.measure(fake([median], unit), Effort(1, 0))


# --- the command ------------------------------------------------------------------------------------------------------

MEASURED = (
    "step/chain4/numba-float32/64",
    "step/chain4/numba-float64/1",
    "step/chain4/numpy/64",
    "step/chain4/torch/1",
    "kernel-over-numpy/chain4/1024",
    "single/chain4",
    "vector/chain4/64",
    "episodes/chain4/1024",
    "simulate/chain4",
    "sb3/chain4/64",
)


def test_a_quick_run_writes_what_it_prints(run):
    answer, report = run(f"cases=[{','.join(MEASURED)},peer]")
    assert set(report) == {"started", "machine", "effort", "cases"}
    assert report["machine"]["cores"] >= 1
    assert report["machine"]["versions"]["numpy"]
    assert set(report["cases"]) == {*MEASURED, *(f"peer/{name}" for name in PEERS)}
    assert all(set(record) == FIELDS for record in report["cases"].values())
    for name in MEASURED:
        record = report["cases"][name]
        assert record["absent"] is None
        assert record["unit"] in record["readings"]
        for values in record["readings"].values():
            assert len(values["samples"]) == TINY.repeats
            assert values["low"] == min(values["samples"]) <= values["median"] <= values["high"]
        assert name.split("/")[-1] in answer.out
    for name in MEASURED[:4]:
        readings = report["cases"][name]["readings"]
        assert readings["times the floor"]["low"] > 1
        assert readings["stage-steps/s"]["median"] == pytest.approx(4 * readings["env-steps/s"]["median"])
    for name in ("vector/chain4/64", "episodes/chain4/1024"):
        assert report["cases"][name]["readings"]["share of drawing"]["low"] > 0
    assert 0 < report["cases"]["sb3/chain4/64"]["readings"]["share of rollout"]["median"] < 1
    missing = [name for name in PEERS if find_spec(name.partition("/")[0]) is None]
    for name in missing:
        assert report["cases"][f"peer/{name}"]["absent"] == f"{name.partition('/')[0]} is not here"
        assert f"{name.partition('/')[0]} is not here" in answer.out


def test_comparing_prints_ratios_and_other_machines(run, tmp_path):
    _, report = run("cases=step/chain4/numba-float32/1")
    report["machine"]["processor"] = "an abacus"
    (tmp_path / "earlier.json").write_text(json.dumps(report))
    answer, _ = run("cases=[step/chain4/numba-float32/1]", f"compare={tmp_path}/earlier.json")
    assert "gain" in answer.out
    assert "The earlier run had another processor: an abacus." in answer.out
    assert "another python" not in answer.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cases=step/chain5"], "did you mean 'step/chain4'"),
        (["cases=[single,simulat]"], "did you mean 'simulate'"),
        (["cases=thousand-stages", "quick=true"], "names slow cases only; leave quick=true out"),
        (["compare=nowhere.json"], "compare: 'nowhere.json' cannot be read (No such file or directory)"),
        (["network=chain4"], "network: bench takes none"),
        (["network.stages.shop.holding_cost=1"], "network: bench takes none"),
    ],
)
def test_misuse_is_answered(pushpull, runs, words, told):
    answer = pushpull("bench", *words)
    assert answer.code == 2
    assert told in answer.err
    assert runs("bench") == []


@pytest.mark.parametrize("content", ["not JSON", "[]", "{}", '{"cases": {"step": {}}}', '{"cases": {}, "machine": {}}'])
def test_only_what_bench_wrote_is_compared(tmp_path, content):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(InputError, match="was not written by bench"):
        bench.read(f"{tmp_path}/other.json")


# --- the table of cases -----------------------------------------------------------------------------------------------


def test_cases_have_names_of_their_own_and_known_units():
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names)
    assert {case.unit for case in cases()} == set(HIGHER_IS_BETTER)
    for network in NETWORKS:
        for engine in ENGINES:
            assert {f"step/{network}/{engine}/{batch}" for batch in (1, 64, 1024, 16384)} <= set(names)


def test_quick_runs_have_no_slow_case_and_patterns_match_whole_parts():
    assert len(bench.choose(["*"], quick=False)) == len(list(cases()))
    assert not any(case.slow for case in bench.choose(["*"], quick=True))
    assert [case.name for case in bench.choose(["sb3", "import/s*"], quick=False)] == [
        "sb3/chain4/64",
        "sb3/chain4/1024",
        "import/seconds",
    ]
    assert [case.name for case in bench.choose(["step/chain4/numpy/1"], quick=False)] == ["step/chain4/numpy/1"]


def test_stages_are_counted_as_the_networks_have_them():
    for name, stages in NETWORKS.items():
        assert len(bench_cases._network(name).stages) == stages


# --- measuring --------------------------------------------------------------------------------------------------------


def test_medians_and_spread_are_of_the_repeats():
    measured = bench.measure(fake([3.0, 1.0, 8.0]), Effort(3, 0))
    assert measured["readings"]["env-steps/s"] == {"median": 3.0, "low": 1.0, "high": 8.0, "samples": [3.0, 1.0, 8.0]}
    assert measured["readings"]["other"]["median"] == 7.0
    assert len(bench.measure(fake([3.0, 1.0], repeats=1), Effort(3, 0))["readings"]["other"]["samples"]) == 1


@pytest.mark.parametrize(
    ("unit", "value", "met"),
    [("env-steps/s", 9, False), ("env-steps/s", 10, True), ("us/step", 10, True), ("us/step", 11, False)],
)
def test_targets_are_judged_by_the_median(unit, value, met):
    case = fake([value, 0, 99], unit, target=10)
    assert bench.measure(case, Effort(3, 0))["met"] is met
    assert bench.measure(replace(fake([value], unit), target=None), Effort(1, 0))["met"] is None


def test_what_is_absent_is_said_to_be():
    unknown = Case("peer/x", "env-steps/s", bench_cases.peer("no_such_program/x", lambda: lambda: 1))
    assert bench.measure(unknown, TINY)["absent"] == "no_such_program is not here"

    def broken():
        raise AttributeError("np.Inf was removed")

    ailing = bench.measure(Case("peer/y", "env-steps/s", bench_cases.peer("json/y", broken)), TINY)
    assert ailing["absent"] == "does not run here: AttributeError: np.Inf was removed"
    assert ailing["readings"] == {}


def test_peers_are_played_until_it_is_long_enough_to_time():
    steps = bench_cases.peer("json/z", lambda: lambda: sum(range(2000)) and 10)
    measured = bench.measure(Case("peer/z", "env-steps/s", steps), TINY)
    assert measured["readings"]["env-steps/s"]["low"] > 0


def test_gain_is_above_one_when_it_got_better():
    assert bench.gain(record(30.0), record(10.0)) == 3
    assert bench.gain(record(30.0, "us/step"), record(10.0, "us/step")) == pytest.approx(1 / 3)
    assert bench.gain(record(30.0), {}) is None
    assert bench.gain(record(0.0, "libraries"), record(0.0, "libraries")) is None


def test_a_table_shows_readings_targets_and_gains():
    measured = {"fake/fast": bench.measure(fake([2e7], target=1.5e7), Effort(1, 0)), "fake/new": record(2e3)}
    out = StringIO()
    Console(file=out, width=120).print(bench.printed("fake", measured, {"fake/fast": record(1e7)}))
    _, fast, new = (line.split() for line in out.getvalue().splitlines())
    assert fast == ["fast", "20M", "20M", "20M", "7", "2", "15M", "met"]
    assert new == ["new", "2k", "2k", "2k", "7"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.01923, "0.0192"),
        (7.314, "7.31"),
        (999.4, "999"),
        (999.6, "1k"),
        (15.23e6, "15.2M"),
        (2.5e9, "2.5G"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert bench.shown(value) == text


def test_work_grows_until_it_takes_long_enough():
    tried = []

    def seconds_of(amount):
        tried.append(amount)
        return 0.001 * amount

    assert 100 <= bench_cases._enough(seconds_of, 0.1, least=2) <= 130
    assert tried[0] == 2
    assert len(tried) <= 4


# --- what is measured -------------------------------------------------------------------------------------------------


def test_the_floor_counts_bytes():
    def of(dtype="float64", lead_time=2):
        chain = Network.from_dict(CHAIN).to_dict()
        chain["stages"]["part"]["sources"][0]["lead_time"] = lead_time
        return bench_cases.bytes_per_step(Task(chain, 3, dtype=dtype))

    state = 2 + 1 + 2 + (3 + 2)  # on hand, owed to the market, pending, pipelines of lead times 2 and 1
    assert of() - of("float32") == 2 * 4 * state
    assert of(lead_time=3) - of() == 2 * 8 + 4  # a pipeline row read and written, and observed
    actions_and_demand, observed, reward = 8 * 3, 4 * 11, 8
    assert of() > 2 * 8 * state + actions_and_demand + observed + reward


def test_memory_is_a_line_through_what_traces_need():
    measured = bench.measure(Case("memory/x", "bytes/env", bench_cases.memory("chain4"), repeats=1), TINY)
    readings = {name: values["median"] for name, values in measured["readings"].items()}
    traces = 100 * 8 * 2  # demand and a forecast of each of 100 periods
    assert traces < readings["bytes/env"] < readings["peak bytes/env"]
    assert readings["off the line"] < 0.05


def test_the_large_network_is_deep_and_has_two_sources_a_stage():
    network = Network.from_dict(bench_cases.random_network(1000))
    assert (len(network.stages), len(network.sources)) == (1000, 2000)
    depth = [0] * 1000
    for i in network.stage_order:
        suppliers = [m for j in network.sources_of[i] for m, _ in network.inputs[j]]
        depth[i] = 1 + max((depth[m] for m in suppliers), default=0)
    assert max(depth) > 100
    assert len(network.markets) == 200
    assert network.requirements.max() * 200 * 5 < 2**24  # what float32 counts


def test_a_child_is_timed_without_the_interpreters_start():
    told = bench_cases._child("extra = sum(range(10)) + int(__import__('os').environ['ADDED'])", ADDED="5")
    assert told["extra"] == 50
    assert set(told) == {"wall", "processor", "extra"}
