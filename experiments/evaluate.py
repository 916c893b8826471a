"""`pushpull evaluate`: play saved agents, and agents that need no training, in the same test worlds."""

from __future__ import annotations

import pandas as pd
import yaml
from rich.console import Console

from pushpull.experiments import results
from pushpull.experiments.agents import fixed_agent, play, saved_agents
from pushpull.experiments.folders import run_folder
from pushpull.experiments.settings import EvaluateSettings


def main(settings: EvaluateSettings, console: Console) -> None:
    """Play the episodes and write their folder."""
    network = settings.network.with_decoupling_point(settings.decoupling_point)
    agents = [fixed_agent(name, agent, network) for name, agent in settings.agent.items()]
    agents += saved_agents(settings.run, network) if settings.run is not None else []
    with run_folder(settings.folder, "evaluate", network.name) as run:
        episodes = pd.concat(
            [play(agent, settings.episodes, settings.world, settings.periods) for agent in agents], ignore_index=True
        )
        table = results.comparison(episodes)
        (run.path / "config.yaml").write_text(yaml.safe_dump(settings.to_dict(), sort_keys=False))
        episodes.to_csv(run.path / "episodes.csv", index=False)
        table.to_csv(run.path / "comparison.csv", index=False)
    console.print(results.printed(table, f"{network.name}: {network.description}"))
    for sentence in results.verdicts(table):
        console.print(sentence, highlight=False)
    console.print(f"All of it is in {run.final}", highlight=False, soft_wrap=True)
