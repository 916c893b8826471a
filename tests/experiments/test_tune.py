"""tune from end to end: it finds what is better, goes on where it stopped, and what it found can be played again."""

from __future__ import annotations

import optuna
import pytest
import yaml

from pushpull.experiments import tune

from .conftest import read_table

LOST = "network={board: lost_sales, lead_time: 2, penalty: 4}"
SMALL = ("tune", LOST, "heuristic=capped_base_stock", "measure=cost", "periods=600", "trial_episodes=10", "episodes=20")


def finished(folder):
    study = optuna.load_study(study_name="tune", storage=f"sqlite:///{folder / 'study.db'}")
    return [(trial.value, trial.params) for trial in study.trials if trial.value is not None]


def test_what_is_found_beats_the_start_and_can_be_played_again(pushpull, runs):
    answer = pushpull(*SMALL, "trials=60")
    assert answer.code == 0, answer.err
    (folder,) = runs("tune")
    assert folder.name.endswith("lost_sales-capped_base_stock-seed0")
    table = read_table(folder / "comparison.csv").set_index("agent")
    # The best cap is 5 and the best level 17, at 4.40573; base-stock formulas know no cap (Zipkin 2008).
    assert table.loc["start", "difference_high"] < 0 or table.loc["tuned", "difference_low"] > 0
    assert table.loc["tuned", "cost"] == pytest.approx(4.40573, rel=0.02)
    numbers = yaml.safe_load((folder / "numbers.yaml").read_text())["tuned"]
    assert len(finished(folder)) == 60
    assert min(value for value, _ in finished(folder)) == next(
        value for value, params in finished(folder) if params == numbers
    )

    again = pushpull("evaluate", f"run={folder}", LOST, "agent=base_stock", "periods=600", "episodes=20")
    assert again.code == 0, again.err
    (evaluated,) = runs("evaluate")
    played = read_table(evaluated / "comparison.csv").set_index("agent")
    assert played.loc["tuned_capped_base_stock", "cost"] == table.loc["tuned", "cost"]


def test_a_search_that_stops_goes_on_and_one_that_ended_can_get_more(pushpull, runs, monkeypatch):
    simulate, played = tune.simulate, []

    def stops(*arguments):
        played.append(arguments)
        if len(played) == 7:
            raise KeyboardInterrupt
        return simulate(*arguments)

    monkeypatch.setattr(tune, "simulate", stops)
    answer = pushpull(*SMALL, "trials=12")
    (folder,) = runs("tune")
    assert answer.code == 130 and f"what is done is kept: go on with resume={folder}" in answer.err
    before = finished(folder)
    assert 6 <= len(before) < 12
    monkeypatch.setattr(tune, "simulate", simulate)
    assert pushpull(*SMALL, "trials=12", f"resume={folder}").code == 0
    after = finished(folder)
    assert after[: len(before)] == before
    assert len(after) >= 11  # the trial that was stopped is counted, and has no value
    assert pushpull(*SMALL, "trials=15", f"resume={folder}").code == 0
    assert len(finished(folder)) == len(after) + 3
    other = pushpull(*SMALL, "trials=15", "seed=1", f"resume={folder}")
    assert other.code == 2 and "seed: 1, but the run has 0; give the same, or a new run" in other.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("heuristic=kanbam",), "heuristic: 'kanbam' does not suit 'lost_sales'; "),
        (("heuristic=dual_index",), "heuristic: 'dual_index' does not suit 'lost_sales'; "),
        (("measure=service",), "measure: 'service'"),
        (("trials=0",), "trials: 0"),
        (("trial_episodes=20000",), "20000 environments would reach into the worlds of training seed 1"),
        (("resume=nowhere",), "resume: no run of tune in 'nowhere'; give the folder that it named"),
    ],
)
def test_what_cannot_be_tuned_is_answered(pushpull, runs, words, message):
    answer = pushpull(*SMALL, "trials=2", *words)
    assert answer.code == 2 and message in answer.err
    assert runs("tune") == []
