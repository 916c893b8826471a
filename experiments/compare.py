"""`pushpull compare`: train what has to learn, let all agents meet the same customers, and say who earns most."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import yaml
from rich.console import Console

from pushpull.envs.accounting import FORECAST_KPIS, KPIS
from pushpull.experiments import figure, results
from pushpull.experiments.agents import Agent, fixed_agent, learned_agent, play, save_agent
from pushpull.experiments.folders import run_folder
from pushpull.experiments.progress import training_bars
from pushpull.experiments.seeds import first_test_world
from pushpull.experiments.settings import CompareSettings


def main(settings: CompareSettings, console: Console) -> None:
    """Run a comparison and write its folder."""
    first_test_world(settings.world, settings.episodes)
    label = f"{settings.network.name}-seed{'-'.join(map(str, settings.seeds))}"
    with run_folder(settings.folder, "compare", label) as run:
        agents = _agents(settings, run.path, console)
        episodes = pd.concat(
            [play(agent, settings.episodes, settings.world, settings.periods) for agent in agents], ignore_index=True
        )
        table = results.comparison(episodes)
        (run.path / "config.yaml").write_text(yaml.safe_dump(settings.to_dict(), sort_keys=False))
        episodes.to_csv(run.path / "episodes.csv", index=False)
        table.to_csv(run.path / "comparison.csv", index=False)
        figure.draw(table, run.path / "comparison.png", settings.network.name)
        _log(episodes, run.path / "tensorboard", last_step=max([a.steps or 0 for a in settings.agent.values()]))
    console.print(results.printed(table, f"{settings.network.name}: {settings.network.description}"))
    for sentence in results.verdicts(table):
        console.print(sentence, highlight=False)
    console.print(f"All of it is in {run.final}", highlight=False, soft_wrap=True)


def _agents(settings: CompareSettings, folder: Path, console: Console) -> list[Agent]:
    """Build the agents that are fixed, then train those that learn, once per training seed."""
    network = settings.network.with_decoupling_point(settings.decoupling_point)
    fixed = [fixed_agent(name, agent, network) for name, agent in settings.agent.items() if not agent.learns]
    learned = []
    with training_bars(console) as bar:
        for name, agent in settings.agent.items():
            for seed in settings.seeds if agent.learns else ():
                done = learned_agent(
                    name,
                    agent,
                    network,
                    seed,
                    progress=bar(f"{name} learns, seed {seed}", agent.steps),
                    log_folder=folder / "tensorboard" / f"{name}-seed{seed}-training",
                    reward=settings.reward,
                    observation=settings.observation.blocks,
                    periods=settings.periods,
                )
                save_agent(done, folder)
                learned.append(done)
    return fixed + learned


def _log(episodes: pd.DataFrame, folder: Path, last_step: int) -> None:
    """Write each agent's KPIs for TensorBoard, as a level line beside the training curves."""
    from tensorboard.summary import Writer

    for agent, rows in episodes.groupby("agent", sort=False):
        writer = Writer(str(folder / str(agent)))
        for name in (*KPIS, *FORECAST_KPIS):
            for step in {0, last_step}:
                writer.add_scalar(f"supply/{name}", rows[name].mean(), step)
        writer.close()
