"""A small chain, and the command line called from within."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import yaml

from pushpull.experiments.cli import main
from pushpull.experiments.settings import SETTINGS

CHAIN = {
    "name": "two_stages",
    "decoupling_point": "part",
    "horizon": 12,
    "warm_up": 2,
    "stages": {
        "part": {"initial_on_hand": 20, "holding_cost": 1, "sources": [{"lead_time": 2, "unit_cost": 3}]},
        "item": {
            "holding_cost": 2,
            "sources": [{"inputs": {"part": 1}}],
            "market": {"demand": {"kind": "poisson", "mean": 10}, "price": 20, "backorder_cost": 18},
        },
    },
}
SMALL_PPO = (
    "agent.ppo.steps=128",
    "agent.ppo.num_envs=4",
    "agent.ppo.parameters.n_steps=16",
    "agent.ppo.parameters.batch_size=64",
    "agent.ppo.parameters.n_epochs=1",
)


class Answer(NamedTuple):
    code: int
    out: str
    err: str


def read_table(path: Path, **arguments: Any) -> Any:
    """Read a CSV file; of no type, since pandas gives its columns too many."""
    return pd.read_csv(path, **arguments)


@pytest.fixture
def chain(tmp_path):
    """Path of a small network file."""
    path = tmp_path / "two_stages.yaml"
    path.write_text(yaml.safe_dump(CHAIN, sort_keys=False))
    return path


@pytest.fixture
def pushpull(capsys, tmp_path):
    """Run a command line; with overrides, and if the command makes run folders, they go to ``tmp_path/runs``."""

    def run(*words: object) -> Answer:
        makes = "folder" in getattr(SETTINGS.get(str(words[0])), "__dataclass_fields__", ())
        folder = [f"folder={tmp_path}/runs"] if len(words) > 1 and makes else []
        code = main([*map(str, words), *folder])
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture
def runs(tmp_path):
    """Return the run folders of a command, hidden ones too."""
    return lambda command: sorted((tmp_path / "runs" / command).glob("*"))
