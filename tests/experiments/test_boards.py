"""boards from end to end: what it writes, that it goes on where it stopped, and that its gaps are what they say."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pushpull.agents.planning import bound
from pushpull.envs import simulate
from pushpull.envs.boards import BOARDS, make_board, references
from pushpull.envs.rules import Rules
from pushpull.experiments import board_measures, boards
from pushpull.experiments.board_measures import Effort, Instance, instances, measure, money_of, unavoidable_cost
from pushpull.experiments.boards import KEYS

from .conftest import read_table

SMALL = ("boards", "boards=[lost_sales,or_gym_network]", "quick=true", "episodes=4", "trials=4", "seconds=5",
         "agent=[base_stock,dlp_shrinking]")  # fmt: skip
FILES = {"config.yaml", "boards.csv", "boards.json", "boards.md", "boards.tex"}


def test_a_suite_writes_all_its_parts(pushpull, runs):
    answer = pushpull(*SMALL)
    assert answer.code == 0, answer.err
    (folder,) = runs("boards")
    assert folder.name.endswith("-quick") and str(folder) in answer.out
    assert {path.name for path in folder.iterdir()} == FILES | {"rows"}
    assert len(list((folder / "rows").glob("*.json"))) == 2

    rows = json.loads((folder / "boards.json").read_text())
    table = read_table(folder / "boards.csv")
    assert list(table.columns) == list(KEYS) and len(table) == len(rows)
    np.testing.assert_allclose(table["value"], pd.Series([row["value"] for row in rows], dtype=float))
    kinds = {board: list(dict.fromkeys(own["kind"])) for board, own in table.groupby("board", sort=False)}
    assert list(kinds.values()) == [
        ["optimum", "published", "tuned", "agent"],
        ["bound", "published", "tuned", "agent"],
    ]
    assert table[table["learned"]]["name"].tolist() == ["rl"]
    for text in ((folder / "boards.md").read_text(), answer.out):
        assert "or_gym_network(version='v0')" in text and "dlp_shrinking: plans to an end, and here is none." in text
    latex = (folder / "boards.tex").read_text()
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 1 and r"lost\_sales" in latex
    assert all(line.count("&") == 9 for line in latex.splitlines() if "&" in line)


def test_a_run_that_stops_goes_on_where_it_was(pushpull, runs, monkeypatch):
    done, whole = [], measure

    def stops(instance, *others):
        if done:
            raise KeyboardInterrupt
        done.append(instance.board)
        return whole(instance, *others)

    monkeypatch.setattr(boards, "measure", stops)
    answer = pushpull(*SMALL)
    (folder,) = runs("boards")
    assert answer.code == 130
    assert f"stopped; what is done is kept: go on with resume={folder}" in answer.err.replace("\n", "")
    assert [path.name[:10] for path in (folder / "rows").iterdir()] == ["lost_sales"]

    first = (next((folder / "rows").iterdir())).read_bytes()
    monkeypatch.setattr(
        boards, "measure", lambda instance, *others: done.append(instance.board) or whole(instance, *others)
    )
    answer = pushpull(*SMALL, f"resume={folder}")
    assert answer.code == 0, answer.err
    assert done == ["lost_sales", "or_gym_network"]  # each once
    assert runs("boards") == [folder] and {path.name for path in folder.iterdir()} > FILES
    assert next((folder / "rows").glob("lost_sales*")).read_bytes() == first


def test_a_crash_keeps_what_is_done(pushpull, runs, monkeypatch):
    def crash(*arguments):
        raise RuntimeError("no ink")

    monkeypatch.setattr(boards, "measure", crash)
    answer = pushpull(*SMALL)
    assert answer.code == 1 and "RuntimeError: no ink; what is done is kept: go on with resume=" in answer.err
    assert [path.name for path in runs("boards")[0].iterdir() if path.is_file()] == ["config.yaml"]


BAD = [
    # an override, and what is told
    ("boards=lost_salse", "boards: 'lost_salse' names none; did you mean 'lost_sales'?"),
    ("agent=ppo", "agent.ppo: has to learn; compare it on a board: pushpull compare network=BOARD"),
    ("episodes=1", "episodes: 1 is out of range; give a whole number of at least 2"),
    ("seconds=0", "seconds: 0 is out of range; give a number above 0"),
    ("trials=0", "trials: 0 is out of range"),
    ("quick=maybe", "quick: 'maybe' is not true or false"),
    ("resume=nowhere", "resume: no run of boards in 'nowhere'; give the folder that it named"),
    ("world=999999", "world: 999999 and the 199 after it reach the training worlds"),
]


@pytest.mark.parametrize(("word", "message"), BAD)
def test_what_cannot_be_used_is_told(pushpull, runs, word, message):
    answer = pushpull("boards", word)
    assert answer.code == 2 and message in answer.err.replace("\n", "")
    assert runs("boards") == []


def test_a_run_goes_on_with_its_own_settings_only(pushpull, runs, monkeypatch):
    monkeypatch.setattr(boards, "measure", lambda *arguments: [])
    pushpull(*SMALL)
    (folder,) = runs("boards")
    answer = pushpull(*SMALL, f"resume={folder}", "episodes=5")
    assert answer.code == 2 and "episodes: 5, but the run has 4; give the same, or a new run" in answer.err


# --- what is measured -------------------------------------------------------------------------------------------------


def test_every_board_is_measured_or_known_not_to_be():
    speechless = {name for name in BOARDS for row in instances([name], quick=True) if _money(row) is None}
    assert speechless == {"guaranteed_service", "semiconductor_boundary"}  # theory of placement; a ranking in dollars
    columns = {"serial4": "cost", "or_gym_network": "profit", "or_gym_inventory": "discounted_profit"}
    assert {name: money.column for name in columns if (money := _money(instances([name], True)[0]))} == columns


def _money(instance: Instance):
    return money_of(instance.quantity, instance.network)


def test_the_full_suite_has_the_papers_grids():
    count = {name: len(instances([name], quick=False)) for name in ("lost_sales", "serial4")}
    assert count == {"lost_sales": 32, "serial4": 16}
    for name in BOARDS:
        assert [row.parameters for row in instances([name], True)] == [
            references(name).get("rows", [{"parameters": {}}])[0]["parameters"]
        ]


def test_cost_that_nobody_avoids():
    assert unavoidable_cost(make_board("dual_sourcing")) == pytest.approx(200)  # 2 units a period at 100
    # 5 units, clipped normal, for a period at 2, a period at 4 and 2 periods at 0 (from outside)
    assert unavoidable_cost(make_board("serial3")) == pytest.approx(30, abs=0.01)
    assert unavoidable_cost(make_board("lost_sales")) == 0
    assert unavoidable_cost(make_board("or_gym_network")) == 0  # what is there at the start is free


def test_gaps_to_a_bound_are_paired_by_world():
    (instance,) = instances(["or_gym_network"], quick=True)
    effort = Effort(episodes=6, world=0, seconds=20, trials=1)
    rows = {(row["kind"], row["name"]): row for row in measure(instance, {}, effort)}
    network = instance.network
    best = 30 * bound(network, 0, 6)["profit"]
    assert rows["bound", "hindsight"]["value"] == pytest.approx(best.mean())
    rl = references("or_gym_network")["rows"][0]["rl"]["profit"]
    assert rows["published", "rl"]["gap"] == pytest.approx(100 * (best.mean() - rl) / best.mean())
    tuned = rows["tuned", "base_stock"]
    assert tuned["gap"] == pytest.approx(100 * (best.mean() - tuned["value"]) / best.mean())
    assert tuned["gap_high"] - tuned["gap_low"] < 100 * (tuned["high"] - tuned["low"]) / best.mean()
    differences = [row["difference"] for row in rows.values() if row["kind"] == "tuned"]
    assert max(differences) == 0 and min(differences) < 0  # to the tuned one that earns most


def test_gaps_to_an_optimum_are_paired_with_its_policy():
    (instance,) = instances(["lost_sales"], quick=True)
    rows = {(row["kind"], row["name"]): row for row in measure(instance, {}, Effort(20, 0, 20, trials=1))}
    tuned, optimum = rows["tuned", "base_stock"], rows["optimum", "optimum"]
    network = instance.network
    levels = Rules(network, {"store.pull_threshold": tuned["parameters"]["store"]})
    played = simulate(network, levels, 20, 0)["cost"].mean()
    assert tuned["value"] == pytest.approx(played)
    against = rows["optimum", "optimal policy"]["value"]
    assert optimum["value"] == pytest.approx(instance.published["optimal"], rel=1e-5)
    assert tuned["gap"] == pytest.approx(100 * (played - against) / optimum["value"])
    assert rows["published", "base_stock"]["gap"] == pytest.approx(100 * (4.1628 / 4.04071 - 1), abs=1e-3)


def test_who_is_too_slow_is_said_to_be(monkeypatch):
    (instance,) = instances(["lost_sales"], quick=True)
    agents = {"dlp_rolling": board_measures.AgentSettings(policy="dlp_rolling", parameters={})}
    rows = measure(instance, agents, Effort(20, 0, seconds=0.05, trials=1))
    (slow,) = [row for row in rows if row["name"] == "dlp_rolling"]
    assert slow["value"] is None and slow["method"] == "no two episodes in 0.05 s"
