"""`pushpull compare`: train what has to learn, let all agents meet the same customers, and say who earns most.

With `decoupling_point` ``all``, or a list of them, every agent plays at each, and what is written and printed is about
boundaries (`pushpull.experiments.boundaries`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml
from rich.console import Console
from rich.table import Table

from pushpull.envs.accounting import KPIS
from pushpull.envs.network import Network
from pushpull.experiments import boundaries, figure, results
from pushpull.experiments.agents import Agent, fixed_agent, label, learned_agent, play, save_agent
from pushpull.experiments.folders import run_folder
from pushpull.experiments.progress import training_bars
from pushpull.experiments.seeds import first_test_world
from pushpull.experiments.settings import CompareSettings


def main(settings: CompareSettings, console: Console) -> None:
    """Run a comparison and write its folder."""
    first_test_world(settings.world, settings.episodes)
    networks = _networks(settings)
    title = f"{settings.network.name}-seed{'-'.join(map(str, settings.seeds))}"
    with run_folder(settings.folder, "compare", title) as run:
        agents = _agents(settings, networks, run.path, console)
        episodes = pd.concat(
            [play(agent, settings.episodes, settings.world, settings.periods) for agent in agents], ignore_index=True
        )
        (run.path / "config.yaml").write_text(yaml.safe_dump(settings.to_dict(), sort_keys=False))
        if settings.boundaries is None:
            report = _compare_agents(settings.network, episodes, run.path)
        else:
            played = {str(agent.boundary): agent.network for agent in agents}
            places = {str(name): played[str(name)] for name in networks if name in played} | played
            report = boundaries.compare(settings.network, places, episodes, run.path)
        _log(episodes, run.path / "tensorboard", last_step=max([a.steps or 0 for a in settings.agent.values()]))
    for part in report:
        console.print(part, highlight=False)
    console.print(f"All of it is in {run.final}", highlight=False, soft_wrap=True)


def _compare_agents(network: Network, episodes: pd.DataFrame, folder: Path) -> list[Table | str]:
    """Write the comparison of agents that play at one boundary, and return what is printed of it."""
    table = results.comparison(episodes)
    episodes.to_csv(folder / "episodes.csv", index=False)
    table.to_csv(folder / "comparison.csv", index=False)
    figure.draw(table, folder / "comparison.png", network.name)
    title = f"{network.name}: {network.description}"
    return [results.printed(table, title), *results.verdicts(table)]


def _networks(settings: CompareSettings) -> dict[str | None, Network]:
    """Return the network at each boundary, by the boundary's name; by None where only one is played."""
    if settings.boundaries is None:
        return {None: settings.network.with_decoupling_point(settings.decoupling_point)}
    return {boundaries.name_of(point): boundaries.decouple(settings.network, point) for point in settings.boundaries}


def _agents(
    settings: CompareSettings, networks: Mapping[str | None, Network], folder: Path, console: Console
) -> list[Agent]:
    """Build the agents that are fixed, then train those that learn, at every boundary and once per training seed."""
    seats = [
        (name, agent, network, boundary)
        for name, agent in settings.agent.items()
        for boundary, network in boundaries.seats(agent.decoupling_point, networks).items()
    ]
    fixed = [fixed_agent(*seat) for seat in seats if not seat[1].learns]
    learning = [(*seat, seed) for seat in seats if seat[1].learns for seed in settings.seeds]
    if learning and settings.boundaries is not None:
        steps = sum(agent.steps or 0 for _, agent, *_ in learning)
        console.print(
            f"Agents that learn train at every boundary: {len(learning)} trainings of {steps:,} steps in all.",
            highlight=False,
        )
    learned = []
    with training_bars(console) as bar:
        for name, agent, network, boundary, seed in learning:
            done = learned_agent(
                name,
                agent,
                network,
                seed,
                boundary,
                progress=bar(f"{label(name, boundary)} learns, seed {seed}", agent.steps),
                log_folder=folder / "tensorboard" / f"{label(name, boundary, seed)}-training",
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

    names = episodes["agent"] if "boundary" not in episodes else episodes["agent"] + "@" + episodes["boundary"]
    for agent, rows in episodes.groupby(names, sort=False):
        writer = Writer(str(folder / str(agent)))
        for name in rows.columns.intersection([*KPIS]):
            for step in {0, last_step}:
                writer.add_scalar(f"supply/{name}", rows[name].mean(), step)
        writer.close()
