"""Comparing boundaries: from the command line, and by hand."""

import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console

from pushpull.agents import make_policy
from pushpull.envs import InputError, Network, simulate
from pushpull.experiments.boundaries import (
    PLACE_VALUES,
    comparison,
    paired,
    printed,
    seats,
    verdicts,
    with_place_values,
)
from pushpull.experiments.options import read
from pushpull.experiments.results import MEASURES

from .conftest import CHAIN, SMALL_PPO, read_table

WORDS = ("compare", "observation=standard", "episodes=6")


def places(*points):
    return {point: Network.from_dict(CHAIN).with_decoupling_point(point) for point in points}


# --- from the command line --------------------------------------------------------------------------------------------


def test_all_plays_every_agent_at_every_boundary_in_the_same_worlds(pushpull, runs, chain):
    words = (*WORDS, f"network={chain}", "decoupling_point=all", "agent=[pure_push,base_stock,push_pull]")
    answer = pushpull(*words, "network.stages.item.market.tolerance=2")
    assert answer.code == 0, answer.err
    (folder,) = runs("compare")
    assert {path.name for path in folder.iterdir()} == {
        "boundaries.csv",
        "boundaries.png",
        "config.yaml",
        "episodes.csv",
        "tensorboard",
    }
    table = read_table(folder / "boundaries.csv")
    pairs = list(zip(table["boundary"], table["agent"], strict=True))
    assert pairs == [
        ("supply", "base_stock"),
        ("supply", "push_pull"),
        ("part", "base_stock"),
        ("part", "push_pull"),
        ("market", "pure_push"),  # it states its own decoupling point
        ("market", "base_stock"),
        ("market", "push_pull"),
    ]
    episodes = read_table(folder / "episodes.csv")
    for boundary, agent in pairs:
        own = episodes[(episodes["boundary"] == boundary) & (episodes["agent"] == agent)]
        assert list(own["world"]) == list(range(6))
        network = Network.from_yaml(chain).with_decoupling_point(boundary)
        policy = make_policy("forecast_push" if agent == "pure_push" else agent, network)
        again = simulate(network, policy, 6, seed=0)
        np.testing.assert_allclose(own["cost"], again["cost"])
        # parts are worth 3, and so are items made of them
        before = {"supply": [], "part": [], "market": ["part"]}[boundary]
        at = {"supply": [], "part": ["part"], "market": ["item"]}[boundary]
        behind = [stage for stage in network.stages if stage not in (*before, *at)]
        for column, stages in zip(PLACE_VALUES, (before, at, behind), strict=True):
            stock = sum((again[f"stock.{stage}"] for stage in stages), pd.Series(0.0, index=again.index))
            np.testing.assert_allclose(own[column], 3 * stock)
    # a part takes two periods, an item one; customers wait two
    first = table.groupby("boundary", sort=False).first()
    assert list(first["production_time"]) == [3, 1, 0] and list(first["production_to_delivery"]) == [1.5, 0.5, 0]
    assert "base_stock earns most at" in answer.out and "Best of all is" in answer.out
    assert (folder / "tensorboard" / "push_pull@part").is_dir()
    assert yaml.safe_load((folder / "config.yaml").read_text())["decoupling_point"] == "all"


def test_agents_that_learn_do_so_at_every_boundary_and_can_be_evaluated_again(pushpull, runs, chain):
    words = (*WORDS, f"network={chain}", "agent=[base_stock,ppo]", *SMALL_PPO, "seeds=[0,1]")
    answer = pushpull(*words, "decoupling_point=[[market],[learned]]")
    assert answer.code == 0, answer.err
    assert "4 trainings of 512 steps in all" in answer.out
    assert "over 2 training seeds or 6 episodes" in answer.out
    (folder,) = runs("compare")
    names = {f"ppo@{boundary}-seed{seed}" for boundary in ("market", "learned") for seed in (0, 1)}
    assert {path.name for path in (folder / "models").iterdir()} == names
    table = read_table(folder / "boundaries.csv")
    assert list(table["boundary"]) == ["market", "market", "learned", "learned"]
    assert table[table["boundary"] == "learned"]["production_time"].isna().all()
    answer = pushpull("evaluate", f"run={folder}", "episodes=6")
    assert answer.code == 0, answer.err
    (again,) = runs("evaluate")
    episodes, played = read_table(folder / "episodes.csv"), read_table(again / "episodes.csv")
    played = played[played["training_seed"].notna()]
    assert set(played["agent"]) == {"ppo@market", "ppo@learned"}
    key = ["agent", "training_seed", "world"]
    learned = episodes[episodes["agent"] == "ppo"].assign(agent=lambda rows: rows["agent"] + "@" + rows["boundary"])
    pd.testing.assert_series_equal(
        played.set_index(key)["cost"].sort_index(), learned.set_index(key)["cost"].sort_index()
    )


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("all", [["supply"], ["part"], ["market"]]),
        ("[all]", [["supply"], ["part"], ["market"]]),
        ("[[market],supply]", [["market"], ["supply"]]),  # one list makes it a list of boundaries
        ("[[part]]", [["part"]]),
        ("[supply,part,market]", [["supply"], ["part"], ["market"]]),  # so do words that speak for all
        ("[market]", None),
        ("[part]", None),
        ("[part,item]", None),  # one boundary of two families, as ever
        ("null", None),
    ],
)
def test_a_list_of_lists_is_several_boundaries(chain, word, expected):
    (settings,) = read("compare", [f"network={chain}", f"decoupling_point={word}"])
    assert settings.boundaries == expected  # type: ignore[attr-defined]
    assert type(settings)(**settings.to_dict()) == settings


@pytest.mark.parametrize(
    ("words", "field", "problem"),
    [
        (["decoupling_point=[[part],[prt]]"], "decoupling_point", "'prt' names no stage; did you mean 'part'"),
        (["decoupling_point=[[part],[part]]"], "decoupling_point[1]", "['part'] stands twice; give each boundary once"),
        (["decoupling_point=[[part],[]]"], "decoupling_point[1]", "[] has 0 entries; give at least 1"),
        (["decoupling_point=[[part],[all]]"], "decoupling_point[1]", "'all' is many; give one"),
        (["decoupling_point=[part,all]"], "decoupling_point", "'all' is many; give one"),
        (["decoupling_point=[[part],[supply,item]]"], "decoupling_point", "'supply' speaks for all; give it alone"),
        (["decoupling_point=alll"], "decoupling_point", "'alll' names no stage"),
        (
            ["decoupling_point=all", "agent.base_stock.decoupling_point=all"],
            "agent.base_stock.decoupling_point",
            "many",
        ),
        (
            ["decoupling_point=all", "network.stages.part.sources.0.shortfall=drop"],
            "decoupling_point",
            "'supply' cannot be compared; stages.part.sources[0].shortfall: 'drop' is refused on a pull source",
        ),
        (
            ["decoupling_point=[[part],[learned]]", "network.stages.item.sources.0.order_delay=1"],
            "decoupling_point",
            "'learned' cannot be compared; stages.item.sources[0].order_delay: 1 is refused on a mixed source",
        ),
        (
            ["decoupling_point=all", *(f"network.stages.{stage}.sources.0.mode=push" for stage in ("part", "item"))],
            "decoupling_point",
            "'all' finds one boundary, since every source of 'two_stages' states its mode; leave modes out",
        ),
    ],
)
def test_boundaries_that_cannot_be(pushpull, tmp_path, chain, words, field, problem):
    answer = pushpull(*WORDS, f"network={chain}", "agent=[base_stock]", *words)
    assert answer.code == 2
    assert answer.err.startswith(f"pushpull: {field}: ") and problem in answer.err.replace("\n", " ")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["evaluate", "train", "show"])
def test_only_compare_takes_several_boundaries(command):
    with pytest.raises(InputError, match="run pushpull compare decoupling_point=all"):
        read(command, ["decoupling_point=all"])


# --- by hand ----------------------------------------------------------------------------------------------------------


def episodes(**profits):
    """Return episodes by boundary_agent or boundary_agent_SEED, from their profit in worlds 0, 1, ..."""
    rows = []
    for name, values in profits.items():
        boundary, agent, seed = [*name.split("_"), ""][:3]
        for world, profit in enumerate(values):
            own = {"boundary": boundary, "agent": agent, "training_seed": int(seed) if seed else None, "world": world}
            own |= {"training_seconds": None, "stock_value.part": 5.0, "stock_value.item": 7.0}
            rows.append(own | dict.fromkeys(MEASURES, 0.5) | {"profit": profit})
    return pd.DataFrame(rows)


def compared(played):
    networks = places("supply", "part", "market")
    return comparison(with_place_values(played, networks), networks)


PLAYED = {
    "supply_a": [1, 2, 3, 4],
    "part_a": [3, 3, 5, 6],
    "market_a": [2, 2, 5, 7],
    "supply_b": [9, 9, 9, 9],
    "market_b": [9, 9, 10, 10],
}


def test_each_agent_is_compared_with_itself_at_its_best_boundary():
    table = compared(episodes(**PLAYED)).set_index(["boundary", "agent"])
    assert table["best"].to_dict() == {
        ("supply", "a"): False,
        ("supply", "b"): False,
        ("part", "a"): True,
        ("market", "a"): False,
        ("market", "b"): True,
    }
    assert table["difference"].to_list() == [-1.75, -0.5, 0, -0.25, 0]
    # differences -1, -1, 0, 1: mean -0.25, s = 0.957427; t(3, 0.975) = 3.182446
    assert table["difference_high"]["market", "a"] == pytest.approx(-0.25 + 3.182446 * 0.957427 / 2, abs=1e-5)
    assert table[list(PLACE_VALUES)].loc[("supply", "a")].tolist() == [0, 0, 12]
    assert table[list(PLACE_VALUES)].loc[("part", "a")].tolist() == [0, 5, 7]
    assert table[list(PLACE_VALUES)].loc[("market", "a")].tolist() == [5, 7, 0]


def test_sentences_say_which_boundary_is_best_and_whether_that_can_be_told():
    played = episodes(**PLAYED)
    assert verdicts(played, compared(played)) == [
        "b earns most at market, 9.5 per period; supply cannot be told from it: -0.5 (95% interval -1.4 to +0.4).",
        "a earns most at part, 4.2 per period; market cannot be told from it: -0.2 (95% interval -1.8 to +1.3).",
        "Best of all is b at market; supply with b cannot be told from it: -0.5 (95% interval -1.4 to +0.4).",
    ]
    clear = episodes(supply_a=[1, 2, 3], market_a=[5, 6, 7.5])
    assert verdicts(clear, compared(clear)) == [
        "a earns most at market, 6.2 per period; the next, supply, earns -4.2 (95% interval -4.9 to -3.4)."
    ]
    once = episodes(supply_a=[1], market_a=[5])
    assert verdicts(once, compared(once)) == [
        "a earns most at market, 5.0 per period; supply differs by -4.0, measured once."
    ]


def test_pairs_are_of_worlds_or_of_training_seeds():
    played = episodes(part_p_0=[1, 3], part_p_1=[2, 6], market_p_0=[0, 0], market_p_1=[1, 1], supply_a=[1, 2])
    groups = {key: own.sample(frac=1, random_state=1) for key, own in played.groupby(["boundary", "agent"])}
    # per seed, means over worlds of the difference: 2 and 3
    assert paired(groups["part", "p"], groups["market", "p"])[0] == 2.5
    assert paired(groups["part", "p"], groups["market", "p"]).high == pytest.approx(2.5 + 12.706205 / 2, abs=1e-5)
    # against an agent without training: 0.5 and 2.5
    assert paired(groups["part", "p"], groups["supply", "a"]).high == pytest.approx(1.5 + 12.706205, abs=1e-5)


def test_an_agent_with_its_own_decoupling_point_plays_there_by_the_name_of_the_same_boundary():
    networks = dict(places("supply", "part", "market"))
    assert list(seats(None, networks)) == ["supply", "part", "market"]
    assert list(seats(["item"], networks)) == ["market"]  # it pushes the same sources
    assert list(seats(["learned"], networks)) == ["learned"]


def test_the_printed_table_fits_a_terminal_and_names_what_it_shows():
    console = Console(width=120, record=True)
    table = compared(episodes(**PLAYED, part_c=[-12345.6, -23456.7, 0, 1]))
    console.print(printed(table, "chain", "unit costs"))
    text = console.export_text()
    assert "Stock before, at and behind the boundary at unit costs" in text
    rows = [line.split() for line in text.splitlines()]
    own = [[word for word in row if word.isdigit()][:3] for row in rows if "a" in row[:2] and "50.0%" in row]
    assert own == [["0", "0", "12"], ["0", "5", "7"], ["5", "7", "0"]]  # stock before, at and behind, as above
    assert sum("best" in row and "%" in str(row) for row in rows) == 2
    assert sum("only here" in " ".join(row) for row in rows) == 1
