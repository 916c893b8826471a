"""The configuration tree: every value is explained, every option composes, and agents mean what agents say."""

import re
from dataclasses import fields

import pytest
import yaml

from pushpull.agents import AGENTS, POLICIES, SYSTEMS
from pushpull.agents.pathwise import ALGORITHM, PathwiseSettings
from pushpull.agents.sb3 import ALGORITHMS
from pushpull.envs.checks import build
from pushpull.envs.observations import BLOCKS
from pushpull.experiments.options import CONFIGS, groups, read
from pushpull.experiments.settings import SETTINGS

DATA = ("network", "reference")  # folders that hold networks and published values, and no settings
FILES = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml") if path.parent.name not in DATA)
OPTIONS = [
    (command, group, option)
    for command in SETTINGS
    for group, options in groups(command).items()
    for option in options
    if command in ("compare", "train") and (command, group) != ("train", "agent")
]


@pytest.mark.parametrize("file", FILES)
def test_every_value_has_a_comment(file):
    lines = (CONFIGS / file).read_text().splitlines()
    assert lines[0].startswith("# ")
    values = [line for line in lines if re.match(r"\s*[-\w]+.*: \S|\s*- \S", line)]
    inside_defaults = [line for line in values if re.match(r"\s+- (\w+: \w+|\w+: \[.*\]|_self_)$", line)]
    uncommented = [line for line in values if " # " not in line and line not in inside_defaults]
    assert uncommented == []


def test_agents_of_the_tree_are_the_agents_of_the_package():
    found = {}
    for path in (CONFIGS / "agent").glob("*.yaml"):
        content = yaml.safe_load(path.read_text())
        assert path.read_text().startswith(f"# @package agent.{path.stem}\n")
        if "policy" in content:
            assert content["policy"] in {**POLICIES, **SYSTEMS}
            found[path.stem] = (content["policy"], content["decoupling_point"])
        else:
            assert content["algorithm"] == path.stem
    assert found == AGENTS
    assert {path.stem for path in (CONFIGS / "agent").glob("*.yaml")} == {*AGENTS, *ALGORITHMS, ALGORITHM}


def test_the_file_of_the_pathwise_agent_holds_every_setting_with_its_default():
    """Who trains from Python without settings trains like who types `pushpull train agent=pathwise`."""
    content = yaml.safe_load((CONFIGS / "agent" / f"{ALGORITHM}.yaml").read_text())
    size = {key: content[key] for key in ("steps", "num_envs")}
    made = build(PathwiseSettings, {**content["parameters"], **size}, "parameters")
    assert made == PathwiseSettings(**size)
    assert {*content["parameters"], *size} == {item.name for item in fields(PathwiseSettings)}


@pytest.mark.parametrize(("command", "group", "option"), OPTIONS)
def test_every_option_composes(command, group, option):
    (settings,) = read(command, [f"{group}={option}"])
    if group == "agent":
        assert list(settings.to_dict()["agent"]) == [option]


def test_observation_blocks_exist():
    for path in (CONFIGS / "observation").glob("*.yaml"):
        blocks = yaml.safe_load(path.read_text())["blocks"]
        assert blocks is None or set(blocks) <= set(BLOCKS)


REQUIRED = {
    "simulate": ["demand=history.csv"],
    "export": ["to=tables"],
    "import": ["from=tables", "to=made.yaml"],
    "check-data": ["file=history.csv"],
    "segment": ["file=history.csv"],
}


def test_settings_build_themselves_again():
    for command, settings in SETTINGS.items():
        (made,) = read(command, REQUIRED.get(command, []))
        assert build(settings, made.to_dict(), command) == made
