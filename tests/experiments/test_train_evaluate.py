"""train saves what evaluate loads, and both tell the same of it."""

import pandas as pd
import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from .conftest import SMALL_PPO, read_table


@pytest.fixture
def trained(pushpull, runs, chain):
    """Return the folder of a small training run."""
    answer = pushpull("train", "episodes=5", f"network={chain}", "decoupling_point=market", *SMALL_PPO)
    assert answer.code == 0, answer.err
    (folder,) = runs("train")
    return folder


def test_training_writes_model_settings_logs_and_kpis(trained):
    assert trained.name.endswith("-two_stages-ppo-seed0")
    names = {path.name for path in trained.iterdir()}
    assert names == {"config.yaml", "episodes.csv", "kpis.csv", "models", "tensorboard"}
    kpis = read_table(trained / "kpis.csv")
    assert kpis["agent"].tolist() == ["ppo"] and kpis["observations"].tolist() == [5]
    assert 0 <= kpis["fill_rate"][0] <= 1
    assert yaml.safe_load((trained / "models/ppo-seed0/agent.yaml").read_text())["decoupling_point"] == ["market"]


def test_evaluating_a_run_gives_the_episodes_it_was_tested_on(trained, pushpull, runs):
    """The network, the decoupling point and the model come from the run; the worlds are the same."""
    answer = pushpull("evaluate", f"run={trained}", "episodes=5", "agent=[base_stock,constant]")
    assert answer.code == 0, answer.err
    (folder,) = runs("evaluate")
    again = read_table(folder / "episodes.csv")
    assert set(again["agent"]) == {"ppo", "base_stock", "constant"}
    own = again[again["agent"] == "ppo"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, read_table(trained / "episodes.csv"), check_dtype=False)
    assert "ppo" in answer.out and "the best heuristic" in answer.out
    assert (folder / "comparison.csv").is_file()


def test_a_run_can_be_evaluated_on_a_changed_network(trained, pushpull, runs):
    for demand in (10, 20):
        change = f"network.stages.item.market.demand.mean={demand}"
        assert pushpull("evaluate", f"run={trained}", "episodes=5", change).code == 0
    same, more = (read_table(folder / "comparison.csv").set_index("agent") for folder in runs("evaluate"))
    assert more["cost.backorder"]["ppo"] > same["cost.backorder"]["ppo"]


SMALL_PATHWISE = (
    "agent.pathwise.steps=96",
    "agent.pathwise.num_envs=4",
    "agent.pathwise.parameters.hidden_layers=[8]",
    "agent.pathwise.parameters.validation_episodes=4",
)


def test_a_pathwise_agent_is_trained_saved_and_evaluated_like_the_others(pushpull, runs, chain):
    answer = pushpull("train", "agent=pathwise", "episodes=5", f"network={chain}", *SMALL_PATHWISE)
    assert answer.code == 0, answer.err
    (folder,) = runs("train")
    model = folder / "models/pathwise-seed0"
    assert {path.name for path in model.iterdir()} == {"agent.yaml", "policy.json", "weights.pt"}
    log = EventAccumulator(str(folder / "tensorboard"))
    log.Reload()
    assert set(log.Tags()["tensors"]) == {"train/loss", "train/validation_loss"}
    assert [event.step for event in log.Tensors("train/loss")] == [48, 96]
    answer = pushpull("evaluate", f"run={folder}", "episodes=5", "agent=[base_stock]")
    assert answer.code == 0, answer.err
    (again,) = runs("evaluate")
    episodes = read_table(again / "episodes.csv")
    own = episodes[episodes["agent"] == "pathwise"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, read_table(folder / "episodes.csv"), check_dtype=False)


def test_a_pathwise_agent_is_compared_with_others(pushpull, runs, chain):
    words = ("agent=[base_stock,pathwise]", "observation=standard", "episodes=5", "seeds=[0,1]", *SMALL_PATHWISE)
    answer = pushpull("compare", f"network={chain}", *words)
    assert answer.code == 0, answer.err
    (folder,) = runs("compare")
    assert read_table(folder / "episodes.csv")["agent"].value_counts().to_dict() == {"base_stock": 5, "pathwise": 10}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "agent.pathwise.algorithm=pathwize",
            "agent.pathwise.algorithm: 'pathwize' is unknown; did you mean 'pathwise'",
        ),
        ("agent.pathwise.parameters.heads=1", "agent.pathwise.parameters.heads: unknown key; did you mean 'head'"),
        ("agent.pathwise.parameters.steps=1", "agent.pathwise.parameters.steps: stands beside parameters; set steps"),
        ("agent.pathwise.parameters.validation_episodes=9997", "10001 environments would reach into the worlds"),
    ],
)
def test_a_pathwise_agent_that_cannot_be_trained_is_named(pushpull, chain, word, message):
    answer = pushpull("train", "agent=pathwise", f"network={chain}", *SMALL_PATHWISE, word)
    assert answer.code == 2
    assert message in answer.err


def test_a_run_is_refused_by_a_network_that_does_not_fit(trained, pushpull):
    answer = pushpull("evaluate", f"run={trained}", "network=beer_game")
    assert answer.code == 2
    assert answer.err.startswith("pushpull: ")


def test_a_misspelt_run_is_answered_with_its_neighbours(trained, pushpull):
    answer = pushpull("evaluate", f"run={trained}x")
    assert answer.code == 2
    assert f"did you mean '{trained.name}'" in answer.err


def test_multirun_runs_every_combination(pushpull, runs, chain):
    answer = pushpull(
        "evaluate", "--multirun", f"network={chain}", "episodes=2", "world=0,100", "agent=constant,base_stock"
    )
    assert answer.code == 0, answer.err
    assert "job 4 of 4" in answer.out
    found = set()
    for folder in runs("evaluate"):
        episodes = read_table(folder / "episodes.csv")
        found.add((episodes["agent"][0], episodes["world"][0]))
    assert found == {("constant", 0), ("constant", 100), ("base_stock", 0), ("base_stock", 100)}
