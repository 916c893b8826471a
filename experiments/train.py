"""`pushpull train`: let one agent learn, save it, and say how it does in test worlds."""

from __future__ import annotations

import yaml
from rich.console import Console

from pushpull.experiments import results
from pushpull.experiments.agents import learned_agent, play, save_agent
from pushpull.experiments.folders import run_folder
from pushpull.experiments.progress import training_bars
from pushpull.experiments.seeds import first_test_world
from pushpull.experiments.settings import TrainSettings


def main(settings: TrainSettings, console: Console) -> None:
    """Train the agent and write its folder."""
    first_test_world(settings.world, settings.episodes)
    ((name, agent),) = settings.agent.items()
    network = settings.network.with_decoupling_point(settings.decoupling_point)
    with run_folder(settings.folder, "train", f"{network.name}-{name}-seed{settings.seed}") as run:
        with training_bars(console) as bar:
            learned = learned_agent(
                name,
                agent,
                network,
                settings.seed,
                progress=bar(f"{name} learns, seed {settings.seed}", agent.steps),
                log_folder=run.path / "tensorboard",
                reward=settings.reward,
                observation=settings.observation.blocks,
                periods=settings.periods,
            )
        save_agent(learned, run.path)
        episodes = play(learned, settings.episodes, settings.world, settings.periods)
        table = results.comparison(episodes)
        (run.path / "config.yaml").write_text(yaml.safe_dump(settings.to_dict(), sort_keys=False))
        episodes.to_csv(run.path / "episodes.csv", index=False)
        table.to_csv(run.path / "kpis.csv", index=False)
    console.print(results.printed(table, f"{network.name}: {network.description}"))
    console.print(f"Model, logs and KPIs are in {run.final}", highlight=False, soft_wrap=True)
