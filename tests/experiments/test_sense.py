"""sense from end to end, and its table from episodes made by hand."""

import numpy as np
import pandas as pd
import pytest
import yaml

from pushpull.envs.accounting import FORECAST_KPIS, KPIS, ONLY_WHERE
from pushpull.experiments.results import MEASURES
from pushpull.experiments.sense import curves, verdicts

from .conftest import read_table

WORDS = ("sense", "agent=[base_stock,forecast_push]", "episodes=6", "values=[0.4,0,0.1]", "network.horizon=40")


@pytest.fixture
def foresighted(chain):
    """The small chain with a forecast that reaches as far as its orders cover."""
    content = yaml.safe_load(chain.read_text())
    content["stages"]["item"]["market"]["forecast"] = {"kind": "noisy", "horizon": 4, "error": 1}
    chain.write_text(yaml.safe_dump(content, sort_keys=False))
    return chain


def test_it_writes_all_its_parts(pushpull, runs, foresighted):
    answer = pushpull(*WORDS, f"network={foresighted}")
    assert answer.code == 0, answer.err
    (folder,) = runs("sense")
    assert folder.name.endswith("-two_stages-forecast_error") and f"{folder}" in answer.out
    assert {path.name for path in folder.iterdir()} == {"config.yaml", "episodes.csv", "sense.csv", "sense.png"}
    assert (folder / "sense.png").read_bytes().startswith(b"\x89PNG")
    episodes = read_table(folder / "episodes.csv")
    for _, own in episodes.groupby(["agent", "forecast_error"]):
        assert sorted(own["world"]) == list(range(6))
    table = read_table(folder / "sense.csv")
    assert list(zip(table["agent"], table["forecast_error"], strict=True)) == [
        (agent, error) for agent in ("base_stock", "forecast_push") for error in (0, 0.1, 0.4)
    ]
    assert {*KPIS, *FORECAST_KPIS} - {*ONLY_WHERE} <= set(table)


def test_who_reads_no_forecast_saves_nothing_and_who_does_saves(pushpull, runs, foresighted):
    """Demand is the same at every error, so costs of base-stock are too; errors are as large as they were to be."""
    answer = pushpull(*WORDS, f"network={foresighted}")
    (folder,) = runs("sense")
    table = read_table(folder / "sense.csv").set_index(["agent", "forecast_error"])
    costs = read_table(folder / "episodes.csv").pivot(index="world", columns=["agent", "forecast_error"], values="cost")
    assert (costs["base_stock"].nunique(axis=1) == 1).all()
    assert table["saving"]["base_stock"].tolist() == [0, 0, 0]
    assert table["saving_low"]["forecast_push"][0] > 0
    assert "base_stock: no saving that can be told from none." in answer.out
    assert "forecast_push: forecast error 0 saves " in answer.out
    for agent in "base_stock", "forecast_push":
        assert table["wape"][agent][0] == 0
        assert table["wape"][agent][0.1] == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=0.15)
        assert table["wape"][agent][0.4] > 2 * table["wape"][agent][0.1]


def test_how_forecasts_err_can_be_chosen(pushpull, runs, foresighted):
    words = (f"network={foresighted}", "forecast=noisy", "horizon=2", "error_growth=1")
    assert pushpull(*WORDS, *words).code == 0
    (folder,) = runs("sense")
    wape = read_table(folder / "sense.csv").set_index(["agent", "forecast_error"])["wape"]["base_stock"]
    assert wape[0] == 0
    assert wape[0.4] == pytest.approx(0.4 * np.sqrt(2 / np.pi), rel=0.15)  # mmfe would end at demand's deviation, 0.32


def test_one_episode_has_no_interval(pushpull, runs, foresighted):
    answer = pushpull("sense", "agent=forecast_push", "episodes=1", f"network={foresighted}")
    assert answer.code == 0, answer.err
    assert "no saving that can be told" in answer.out
    assert len(runs("sense")) == 1


# --- the table by hand ------------------------------------------------------------------------------------------------


def episodes(**costs):
    """Return episodes at errors 0.0 and 0.5 from costs by agent and world, ``agent=([at 0], [at 0.5])``."""
    rows = []
    for agent, by_value in costs.items():
        for value, values in zip((0.0, 0.5), by_value, strict=True):
            for world, cost in enumerate(values):
                own = {"agent": agent, "forecast_error": value, "world": world}
                rows.append(own | dict.fromkeys(MEASURES, 0.5) | {"cost": cost})
    return pd.DataFrame(rows)


def test_savings_are_paired_by_world_and_not_by_order():
    shuffled = episodes(planner=([10, 20, 30, 40], [11, 21, 32, 40])).sample(frac=1, random_state=0)
    table = curves(shuffled, "forecast_error", unsensed=0.5)
    assert table["cost"].tolist() == [25, 26]
    assert table["saving"].tolist() == [1, 0]
    assert table["saving_high"][0] == pytest.approx(2.299228, abs=1e-6)  # hand calculation of test_statistics
    assert table["observations"].tolist() == [4, 4]


@pytest.mark.parametrize(
    ("sensed", "words"),
    [
        ([9, 19, 28, 38], "planner: forecast error 0 saves 1.5 a period (95% interval 0.6 to 2.4), 6.0%."),
        ([10, 22, 28, 40], "planner: no saving that can be told from none."),
        ([15, 25, 35, 46], "planner: no saving that can be told from none."),  # it even costs
    ],
)
def test_the_verdict_goes_by_the_interval(sensed, words):
    table = curves(episodes(planner=(sensed, [10, 20, 30, 40])), "forecast_error", unsensed=0.5)
    assert verdicts(table, "forecast_error") == [words]


# --- misuse -----------------------------------------------------------------------------------------------------------


def test_variants_of_a_family_cannot_be_foreseen_by_laws_of_their_own(pushpull, runs, tmp_path):
    market = {"sources": [{}], "market": {}}
    family = {"markets": ["red", "blue"], "demand": {"kind": "poisson", "mean": 10}}
    content = {"decoupling_point": "supply", "stages": {"red": market, "blue": market}, "families": {"pens": family}}
    (tmp_path / "pens.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    answer = pushpull("sense", f"network={tmp_path}/pens.yaml", "agent.base_stock.parameters.service_level=0.9")
    assert answer.code == 2
    assert answer.err.startswith("pushpull: forecast: does not fit stages.red.market.forecast.kind: 'mmfe' reveals")
    assert not runs("sense")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["agent=ppo"], "agent.ppo: would learn anew at every value; choose agents that need no training"),
        (["network=retail"], "forecast: does not fit stages.store_4.market.forecast.kind: 'mmfe' reveals demand"),
        (["values=[0,-0.1]"], "values[1]: -0.1 is out of range"),
        (["values=[0,0.0]"], "values: [0, 0.0] names a value twice"),
        (["values=[]"], "values: [] has 0 entries"),
        (["over=forecast_eror"], "over: 'forecast_eror' is unknown; did you mean 'forecast_error'"),
        (["forecast=true_mean"], "forecast: 'true_mean' is unknown; valid: mmfe, noisy"),
        (["horizon=0"], "horizon: 0 is out of range"),
        (["error_growth=-1"], "error_growth: -1 is out of range"),
        (["world=999999"], "world: 999999 and the 199 after it reach the training worlds"),
        (["episods=3"], "episods: unknown key; did you mean 'episodes'"),
    ],
)
def test_misuse_is_answered_in_one_line_and_leaves_nothing(pushpull, runs, words, answer):
    code, out, err = pushpull("sense", *words)
    assert code == 2 and out.strip() == ""
    assert err.startswith(f"pushpull: {answer}") and err.count("\n") == 1
    assert not runs("sense")


def test_orders_ahead_save_who_plans_on_them(pushpull, runs, chain):
    """Demand is the same at every lead; base-stock does not look at orders, plans on forecasts do."""
    words = ("over=booking_lead", "values=[0,5]", "agent=[base_stock,forecast_push]", "episodes=6")
    answer = pushpull("sense", *words, f"network={chain}", "network.horizon=40", "decoupling_point=market")
    assert answer.code == 0, answer.err
    (folder,) = runs("sense")
    table = read_table(folder / "sense.csv").set_index(["agent", "booking_lead"])
    assert table["saving"]["base_stock"].tolist() == [0, 0]
    assert table["saving_low"]["forecast_push"][5] > 0
    assert table["wape"]["forecast_push"][5] == 0
    assert "forecast_push: booking lead 5 saves " in answer.out
