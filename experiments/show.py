"""`pushpull show`: a network in words and as a picture."""

from __future__ import annotations

from rich.console import Console

from pushpull.envs.render import describe, draw_network
from pushpull.experiments.folders import run_folder
from pushpull.experiments.settings import ShowSettings


def main(settings: ShowSettings, console: Console) -> None:
    """Describe the network and write its picture."""
    network = settings.network.with_decoupling_point(settings.decoupling_point)
    console.print(describe(network), highlight=False, markup=False, soft_wrap=True)
    with run_folder(settings.folder, "show", network.name) as run:
        draw_network(network, run.path / "network.png")
    console.print(f"The picture is {run.final / 'network.png'}", highlight=False, soft_wrap=True)
