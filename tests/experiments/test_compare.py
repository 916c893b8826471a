"""compare from end to end: what it writes, that agents meet the same worlds, and that failure leaves nothing."""

import numpy as np
import pandas as pd
import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pushpull.envs import InputError, Network
from pushpull.experiments import compare, figure
from pushpull.experiments.results import comparison

from .conftest import SMALL_PPO, read_table

WORDS = ("compare", "agent=[constant,base_stock,pure_push,ppo]", "observation=standard", "episodes=6", *SMALL_PPO)


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_comparison_writes_all_its_parts(pushpull, runs, chain):
    answer = pushpull(*WORDS, f"network={chain}", "seeds=[3]")
    assert answer.code == 0, answer.err
    (folder,) = runs("compare")
    assert folder.name.endswith("-two_stages-seed3")
    assert f"{folder}" in answer.out
    logs = {name for name in files(folder) if name.startswith("tensorboard/")}
    assert files(folder) - logs == {
        "config.yaml",
        "episodes.csv",
        "comparison.csv",
        "comparison.png",
        "models/ppo-seed3/agent.yaml",
        "models/ppo-seed3/model.zip",
        "models/ppo-seed3/policy.json",
    }
    assert {name.split("/")[1] for name in logs} == {"constant", "base_stock", "pure_push", "ppo", "ppo-seed3-training"}

    episodes = read_table(folder / "episodes.csv")
    assert episodes.groupby("agent").size().to_dict() == {"constant": 6, "base_stock": 6, "pure_push": 6, "ppo": 6}
    assert all(sorted(own["world"]) == list(range(6)) for _, own in episodes.groupby("agent"))
    table = read_table(folder / "comparison.csv")
    assert list(table["profit"]) == sorted(table["profit"], reverse=True)
    assert np.allclose(table["profit"], comparison(episodes)["profit"])
    assert table["training_seconds"].notna().tolist() == table["learned"].tolist()
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")

    log = EventAccumulator(str(folder / "tensorboard" / "base_stock"), size_guidance={"tensors": 0})
    log.Reload()
    assert "supply/fill_rate" in log.Tags()["tensors"]
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert Network.from_dict(config["network"]) == Network.from_yaml(chain)
    assert config["agent"]["ppo"]["steps"] == 128


def test_the_same_words_give_the_same_episodes(pushpull, runs, chain):
    for _ in range(2):
        assert pushpull(*WORDS, f"network={chain}").code == 0
    first, second = (read_table(folder / "episodes.csv").drop(columns="training_seconds") for folder in runs("compare"))
    pd.testing.assert_frame_equal(first, second)


def test_agents_at_other_decoupling_points_meet_the_same_demand(pushpull, runs, chain):
    """What customers ask for does not depend on who decides: without stock-outs all of it is sold at its price."""
    pushpull("compare", "agent=[base_stock,pure_push,pure_pull]", "episodes=5", f"network={chain}",
             "network.stages.item.initial_on_hand=1000")  # fmt: skip
    (folder,) = runs("compare")
    episodes = read_table(folder / "episodes.csv")
    revenue = episodes.pivot(index="world", columns="agent", values="revenue")
    assert (revenue["pure_push"] == revenue["base_stock"]).all() and (
        revenue["pure_pull"] == revenue["base_stock"]
    ).all()
    assert revenue["base_stock"].nunique() == 5


def test_several_training_seeds_are_the_unit_of_the_learned_agent(pushpull, runs, chain):
    answer = pushpull(*WORDS, f"network={chain}", "seeds=[0,1]")
    assert answer.code == 0, answer.err
    assert "over 2 training seeds or 6 episodes" in answer.out
    (folder,) = runs("compare")
    assert folder.name.endswith("-seed0-1")
    table = read_table(folder / "comparison.csv").set_index("agent")
    assert table["unit"]["ppo"] == "training seeds" and table["observations"]["ppo"] == 2
    assert len(read_table(folder / "episodes.csv")) == 6 * 5


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (RuntimeError("no ink"), 1, "pushpull: RuntimeError: no ink; nothing of this run was kept"),
        (InputError("figure", "too small"), 2, "pushpull: figure: too small"),
        (KeyboardInterrupt(), 130, "pushpull: stopped; nothing of this run was kept"),
    ],
)
def test_a_crash_in_the_middle_leaves_nothing(pushpull, tmp_path, chain, monkeypatch, failure, code, words):
    def crash(*arguments):
        assert list((tmp_path / "runs" / "compare").glob(".partial-*/comparison.csv"))  # this far it had come
        raise failure

    monkeypatch.setattr(figure, "draw", crash)
    answer = pushpull("compare", "agent=constant", "episodes=3", f"network={chain}")
    assert answer.code == code
    assert answer.err.startswith(words) and "Traceback" not in answer.err
    assert not (tmp_path / "runs").exists()


def test_a_crash_while_learning_leaves_nothing(pushpull, tmp_path, chain, monkeypatch):
    def crash(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(compare, "save_agent", crash)
    answer = pushpull(*WORDS, f"network={chain}")
    assert answer.code == 1 and "OSError: disk full" in answer.err
    assert not (tmp_path / "runs").exists()
