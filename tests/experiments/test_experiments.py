"""Every file of configs/experiment runs, at a reduced size."""

import pytest
import yaml

from pushpull.experiments.options import CONFIGS, read

from .conftest import read_table

EXPERIMENTS = sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml"))
SMALL = ("steps=64", "num_envs=4", "parameters.n_steps=16", "parameters.batch_size=64", "parameters.n_epochs=1")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs(pushpull, runs, name):
    answer = pushpull("compare", f"experiment={name}", "episodes=2", *(f"agent.ppo.{change}" for change in SMALL))
    assert answer.code == 0, answer.err
    (folder,) = runs("compare")
    chosen = yaml.safe_load((CONFIGS / "experiment" / f"{name}.yaml").read_text())
    agents = next(entry["override /agent"] for entry in chosen["defaults"] if "override /agent" in entry)
    assert set(read_table(folder / "comparison.csv")["agent"]) == set(agents)
    assert folder.name.endswith(f"-{chosen['network']}-seed0")
    assert " the best heuristic" in answer.out


def test_the_main_job_is_electronics():
    """`pushpull compare` alone is the experiment `electronics`."""
    (alone,), (named,) = read("compare", []), read("compare", ["experiment=electronics"])
    assert alone == named
    assert alone.to_dict()["network"]["name"] == "electronics"
