"""The comparison's table from episodes made by hand."""

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from pushpull.envs.accounting import FORECAST_KPIS, KPIS
from pushpull.envs.network import COST_TERMS
from pushpull.experiments.results import comparison, printed, verdicts

COLUMNS = [*KPIS, *FORECAST_KPIS, *(f"cost.{term}" for term in COST_TERMS), "discounted_profit"]


def episodes(**profits):
    """Return episodes of agents by name, or name_SEED, from their profit in worlds 0, 1, ..."""
    rows = []
    for label, values in profits.items():
        agent, _, seed = label.partition("_")
        for world, profit in enumerate(values):
            own = {"agent": agent, "training_seed": int(seed) if seed else None, "world": world}
            own["training_seconds"] = 10.0 if seed else None
            rows.append(own | dict.fromkeys(COLUMNS, 0.5) | {"profit": profit})
    return pd.DataFrame(rows)


def rows_of(table):
    return {row["agent"]: row for row in table.to_dict("records")}


def test_one_row_per_agent_best_profit_first():
    table = comparison(episodes(low=[1, 2, 3], high=[7, 8, 9], ppo_0=[4, 5, 6]))
    assert list(table["agent"]) == ["high", "ppo", "low"]
    assert list(table["profit"]) == [8, 5, 2]
    assert list(table["learned"]) == [False, True, False]
    assert list(table["reference"]) == [True, False, False]
    # s = 1, t(2, 0.975) = 4.302653
    assert table["profit_high"][0] == pytest.approx(8 + 4.302653 / np.sqrt(3), abs=1e-6)


def test_differences_are_paired_by_world():
    table = rows_of(comparison(episodes(good=[10, 20, 30, 40], ppo_0=[11, 21, 32, 40])))
    # hand calculation of test_statistics
    assert table["ppo"]["difference"] == 1.0
    assert table["ppo"]["difference_high"] == pytest.approx(2.299228, abs=1e-6)
    assert table["good"]["difference"] == 0.0


def test_differences_are_paired_by_world_and_not_by_order():
    shuffled = episodes(good=[10, 20, 30, 40], ppo_0=[11, 21, 32, 40]).sample(frac=1, random_state=0)
    assert rows_of(comparison(shuffled))["ppo"]["difference"] == 1.0


def test_with_several_training_seeds_the_seed_is_the_unit():
    table = rows_of(comparison(episodes(good=[10, 20], ppo_0=[11, 21], ppo_1=[13, 23], ppo_2=[12, 22])))
    assert table["ppo"]["unit"] == "training seeds" and table["ppo"]["observations"] == 3
    assert table["good"]["unit"] == "episodes" and table["good"]["observations"] == 2
    # seed means 16, 18, 17 and differences 1, 3, 2: s = 1, t(2, 0.975) = 4.302653
    for measure, mean in (("profit", 17.0), ("difference", 2.0)):
        assert table["ppo"][measure] == mean
        assert table["ppo"][f"{measure}_high"] == pytest.approx(mean + 4.302653 / np.sqrt(3), abs=1e-6)


@pytest.mark.parametrize(
    ("learned", "words"),
    [
        ([11, 21, 32, 42], "ppo beats good, the best heuristic: profit per period differs by +1.5"),
        ([9, 19, 28, 38], "ppo does not beat good, the best heuristic: profit per period differs by -1.5"),
        ([12, 17, 32, 39], "ppo cannot be told from good, the best heuristic"),
    ],
)
def test_the_verdict_goes_by_the_interval(learned, words):
    (sentence,) = verdicts(comparison(episodes(good=[10, 20, 30, 40], worse=[1, 2, 3, 4], ppo_0=learned)))
    assert sentence.startswith(words)


def test_the_verdict_on_one_episode_claims_nothing():
    (sentence,) = verdicts(comparison(episodes(good=[10], ppo_0=[12])))
    assert "nothing can be said" in sentence


def test_without_both_sides_there_is_no_verdict():
    assert verdicts(comparison(episodes(good=[1, 2]))) == []
    alone = comparison(episodes(ppo_0=[1, 2]))
    assert verdicts(alone) == []
    assert np.isnan(alone["difference"][0])


def test_the_printed_table_says_what_its_intervals_are_over():
    console = Console(width=120, record=True)
    table = comparison(episodes(good=[10, 20], ppo_0=[11, 21], ppo_1=[13, 23]))
    console.print(printed(table, "chain"))
    text = console.export_text()
    assert "over 2 episodes or 2 training seeds" in text
    assert "+2.0 ± 12.7" in text  # differences 1 and 3: t(1, 0.975) = 12.706 times sqrt(2 / 2)
    assert "50.0%" in text
