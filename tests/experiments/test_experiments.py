"""Every file of configs/experiment runs, at a reduced size."""

import pytest
import yaml

from pushpull.experiments.options import CONFIGS, read

from .conftest import read_table

EXPERIMENTS = sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml"))
SMALL = {
    "ppo": ("steps=64", "num_envs=4", "parameters.n_steps=16", "parameters.batch_size=64", "parameters.n_epochs=1"),
    "pathwise": ("steps=64", "num_envs=1", "parameters.validation_episodes=2"),
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs(pushpull, runs, name):
    chosen = yaml.safe_load((CONFIGS / "experiment" / f"{name}.yaml").read_text())
    agents = next(entry["override /agent"] for entry in chosen["defaults"] if "override /agent" in entry)
    small = [f"agent.{agent}.{change}" for agent, changes in SMALL.items() if agent in agents for change in changes]
    answer = pushpull("compare", f"experiment={name}", "episodes=2", *small)
    assert answer.code == 0, answer.err
    (folder,) = runs("compare")
    assert set(read_table(folder / "comparison.csv")["agent"]) == set(agents)
    assert folder.name.endswith(f"-{chosen['network']}-seed0")
    assert " the best heuristic" in answer.out


def test_the_main_job_is_electronics():
    """`pushpull compare` alone is the experiment `electronics`."""
    (alone,), (named,) = read("compare", []), read("compare", ["experiment=electronics"])
    assert alone == named
    assert alone.to_dict()["network"]["name"] == "electronics"
