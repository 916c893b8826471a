"""simulate follows a recorded history; the trajectory equals its own replay."""

import numpy as np
import pandas as pd
import pytest

from pushpull.envs import Network, replay

from .conftest import SMALL_PPO, read_table

DEMAND = [10, 12, 7, 0, 15, 30, 9, 11, 10, 8, 13, 10]


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.csv"
    pd.DataFrame({"item": DEMAND}).to_csv(path, index=False)
    return path


def test_the_trajectory_equals_the_replay_of_its_actions(pushpull, runs, chain, history):
    answer = pushpull("simulate", f"network={chain}", f"demand={history}", "agent=base_stock")
    assert answer.code == 0, answer.err
    (folder,) = runs("simulate")
    assert {path.name for path in folder.iterdir()} == {"config.yaml", "trajectory.csv", "kpis.csv"}
    rows = read_table(folder / "trajectory.csv", index_col="period")
    assert rows["demand.item"].tolist() == DEMAND
    actions = rows[["action.part.push_quantity", "action.item.pull_threshold"]].to_numpy().tolist()
    played = replay(Network.from_yaml(chain), actions, [{"item": units} for units in DEMAND]).to_pandas()
    same = [name for name in played if name in rows]
    assert {"on_hand.part", "owed.item", "order.part", "start.item", "shipped.item", "cost.holding"} <= set(same)
    assert np.allclose(rows[same], played[same])
    assert np.allclose(rows["cost"], played["total_cost"])
    kpis = read_table(folder / "kpis.csv", index_col="kpi")["value"]
    assert kpis["cost"] == pytest.approx(rows["cost"][2:].mean())  # past the warm-up
    assert kpis["revenue"] == pytest.approx(rows["revenue"][2:].mean())


def test_one_column_serves_the_only_market_whatever_its_name(pushpull, runs, chain, tmp_path):
    pd.DataFrame({"sales": DEMAND}).to_csv(tmp_path / "sales.csv", index=False)
    assert pushpull("simulate", f"network={chain}", f"demand={tmp_path}/sales.csv").code == 0
    (folder,) = runs("simulate")
    assert read_table(folder / "trajectory.csv")["demand.item"].tolist() == DEMAND


def test_policies_do_not_foresee_the_history(pushpull, runs, chain, tmp_path):
    """The forecast is the process's mean; two histories look the same until the period after they differ."""
    for k, last in enumerate((0, 50)):
        pd.DataFrame({"item": [*DEMAND[:-2], last, 10]}).to_csv(tmp_path / f"{k}.csv", index=False)
        assert pushpull("simulate", f"network={chain}", f"demand={tmp_path}/{k}.csv", "agent=forecast_push").code == 0
    first, second = (read_table(folder / "trajectory.csv") for folder in runs("simulate"))
    actions = [name for name in first if name.startswith("action.")]
    assert np.array_equal(first[actions][:11], second[actions][:11])
    assert not np.array_equal(first[actions][11:], second[actions][11:])


def test_a_trained_model_can_act(pushpull, runs, chain, history):
    assert pushpull("train", "episodes=2", f"network={chain}", *SMALL_PPO).code == 0
    (trained,) = runs("train")
    answer = pushpull("simulate", f"run={trained}", f"demand={history}")
    assert answer.code == 0, answer.err
    assert "ppo-seed0" in answer.out
    missing = pushpull("simulate", f"run={trained}", f"demand={history}", "model=ppo-seed7")
    assert missing.code == 2 and "model: 0 agents would act" in missing.err


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("item\n1\nx\n", "demand.column: row 1 of column 'item' (counted from 0 below the header) is 'x'"),
        ("item\n1\n\n2\n", "demand.column: row 1 of column 'item'"),
        ("item\n1\n-2\n", "demand.column: row 1 of column 'item' (counted from 0 below the header) is -2"),
        ("item\n1\n2.5\n3\n", "demand.item: row 1 is 2.5, but units are integer"),
        ("a,b\n1,2\n", "demand.column: 'item' is no column of the file"),
        ("item\n1\n2\n", "demand: '{path}' holds 2 periods, all within the warm-up of 2"),
        ("", "demand."),
    ],
)
def test_demand_files_that_cannot_be_used_are_named(pushpull, tmp_path, chain, rows, words):
    path = tmp_path / "bad.csv"
    path.write_text(rows)
    answer = pushpull("simulate", f"network={chain}", f"demand={path}")
    assert answer.code == 2
    assert answer.err.startswith(f"pushpull: {words.format(path=path)}")
    assert not (tmp_path / "runs").exists()


def test_several_agents_cannot_act_at_once(pushpull, chain, history):
    answer = pushpull("simulate", f"network={chain}", f"demand={history}", "agent=[base_stock,constant]")
    assert answer.code == 2 and answer.err.startswith("pushpull: agent: 2 agents would act; choose one")
