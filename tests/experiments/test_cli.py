"""The command line: its page, its answers to misuse, and what it must not import."""

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from pushpull.experiments.cli import COMMANDS, FLAGS, module_of
from pushpull.experiments.options import composed, groups, parse
from pushpull.experiments.settings import SETTINGS


def test_alone_it_prints_a_page(pushpull):
    page = pushpull("--help")
    assert page.code == 0 and page.err == ""
    assert all(name in page.out for name in (*COMMANDS, *FLAGS))


def test_every_command_has_settings_and_a_main():
    assert set(COMMANDS) == set(SETTINGS)
    for command in COMMANDS:
        assert callable(module_of(command).main)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_lists_options_values_and_meanings(pushpull, command):
    page = pushpull(command, "--help")
    assert page.code == 0, page.err
    rows = [line.split() for line in page.out.splitlines()]
    options = {item.name.removesuffix("_") for item in fields(SETTINGS[command])} - set(groups(command))
    assert options <= {row[0] for row in rows if len(row) > 2}


def test_help_shows_the_values_that_were_typed(pushpull):
    page = pushpull("train", "--help", "seed=417", "agent=sac")
    assert "417" in page.out
    assert "agent.sac.parameters.buffer_size" in page.out and "steps that are remembered" in page.out


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        # commands and flags
        (["cmpare"], "cmpare: unknown command; did you mean 'compare'"),
        (["rerun"], "rerun: unknown command;"),
        (["compare", "--multrun"], "--multrun: unknown flag; did you mean '--multirun'?"),
        # keys
        (["compare", "episods=3"], "episods: unknown key; did you mean 'episodes'"),
        (["compare", "agnt=ppo"], "agnt: unknown key; did you mean 'agent'"),
        (["train", "seeds=[0]"], "seeds: unknown key; did you mean 'seed'"),
        (["train", "agent.ppo.parameters.gama=0.9"], "agent.ppo.parameters.gama: unknown to ppo; did you mean 'gamma'"),
        (["train", "agent.ppo.step=100"], "agent.ppo.step: unknown key; did you mean 'steps'"),
        (["train", "agent.pppo.steps=100"], "agent.pppo: no such agent takes part; did you mean 'ppo'"),
        (["train", "experiment=electronics"], "experiment: train has no such choice; valid: agent, reward"),
        (["train", "hydra.run.dir=x"], "hydra.run.dir: settings of Hydra itself have no effect here"),
        # options of a group
        (["compare", "agent=pppo"], "agent: 'pppo' is unknown; did you mean 'ppo'"),
        (["compare", "agent=[ppo,base_stok]"], "agent: 'base_stok' is unknown; did you mean 'base_stock'"),
        (["compare", "experiment=electronic"], "experiment: 'electronic' is unknown; did you mean 'electronics'"),
        (["compare", "reward=profits"], "reward: 'profits' is unknown; did you mean 'profit'"),
        (["train", "observation=position"], "observation: 'position' is unknown; did you mean 'positions'"),
        # networks
        (["show", "network=posponement"], "network: 'posponement' is not in the library; did you mean 'postponement'"),
        (["show", "network=none.yaml"], "network: no file 'none.yaml'"),
        (["show", "network.stages.bord.holding_cost=1"], "network.stages.bord: no such stage; did you mean 'board'"),
        (["show", "network.stages.board.holding=1"], "network.stages.board.holding: unknown key; did you mean"),
        (["show", "network.stages.board.sources.5.capacity=1"], "network.stages.board.sources.5: no such entry; "),
        (["show", "network.stages.board.holding_cost.x=1"], "network.stages.board.holding_cost.x: network.stages"),
        (["show", "network.horizon=-1"], "network.horizon: -1 is out of range"),
        (["show", "decoupling_point=bord"], "decoupling_point: 'bord' names no stage; did you mean 'board'"),
        # values
        (["compare", "episodes=many"], "episodes: 'many' is not a number"),
        (["compare", "episodes=0"], "episodes: 0 is out of range"),
        (["compare", "seeds=[]"], "seeds: [] has 0 entries"),
        (["compare", "seeds=[0,0]"], "seeds: [0, 0] names a seed twice"),
        (["compare", "world=999999"], "world: 999999 and the 199 after it reach the training worlds"),
        (["train", "agent.ppo.num_envs=20000", "agent.ppo.parameters.batch_size=64"], "agent.ppo.num_envs: 20000 env"),
        (["train", "agent=base_stock"], "agent: ['base_stock'] is not one agent that learns"),
        (["evaluate", "agent=ppo"], "agent.ppo: has to learn; train it"),
        (["evaluate", "agent.base_stock.parameters.service_level=2"], "agent.base_stock.service_level: 2 is out"),
        (["evaluate", "run=nowhere"], "run: no run in 'nowhere'"),
        (["compare", "~episodes"], "episodes: missing"),
        (["compare", "agent.ppo.decoupling_point=bord"], "decoupling_point: 'bord' names no stage"),
        # syntax
        (["compare", "episodes"], "command line: "),
        (["compare", "agent=ppo,a2c"], "agent: ppo,a2c is a sweep; add --multirun to run each, or write agent=[ppo,"),
        # demand files
        (["simulate"], "demand: missing"),
        (["simulate", "demand=nowhere.csv"], "demand.file: no file 'nowhere.csv'"),
    ],
)  # fmt: skip
def test_misuse_is_answered_in_one_line_with_what_would_do(pushpull, runs, words, answer):
    code, out, err = pushpull(*words)
    assert code == 2
    assert out.strip() == ""
    assert err.startswith(f"pushpull: {answer}")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert not any(runs(command) for command in COMMANDS)


def test_commands_of_the_readme_compose():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    found = [line.split() for line in re.findall(r"`pushpull ([a-z][^`]*)`", readme)]
    assert {command for command, *_ in found} == set(COMMANDS)
    for command, *overrides in found:
        assert composed(command, parse(overrides)).get("folder", "runs") == "runs"


def test_a_traceback_is_there_for_who_asks(pushpull):
    code, _, err = pushpull("show", "network=electronic", "--traceback")
    assert code == 2
    assert "Traceback" in err and "load_network" in err


def test_the_installed_command_works_and_is_quick_to_help():
    """A page of help needs neither Hydra nor what learns, draws or tabulates."""
    code = (
        "import sys; from pushpull.experiments.cli import main; main(['--help']);"
        "print(*{'hydra', 'torch', 'stable_baselines3', 'matplotlib', 'pandas', 'tensorboard'} & {*sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == ""
    command = subprocess.run(
        [sys.executable, "-m", "pushpull.experiments.cli", "cmpare"], capture_output=True, text=True
    )
    assert command.returncode == 2
    assert command.stderr.startswith("pushpull: cmpare: unknown command; did you mean 'compare'")
