"""Pictures of chains, by matplotlib."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pushpull.envs.network import Network
from pushpull.envs.render import Scene, describe, text


def picture(scene: Scene) -> np.ndarray:
    """Return the scene as an image, uint8 [height, width, 3]."""
    canvas = _page(text(scene))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def show(scene: Scene) -> None:
    """Print the scene."""
    print(text(scene))


def close() -> None:
    """Close the window of `show`."""


def draw_network(network: Network, path: str | Path) -> None:
    """Draw the network into a file."""
    _page(describe(network)).print_figure(path)


def _page(words: str) -> FigureCanvasAgg:
    canvas = FigureCanvasAgg(Figure((10, 5), dpi=100))
    canvas.figure.text(0.02, 0.95, words, family="monospace", va="top")
    return canvas
