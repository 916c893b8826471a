"""Moments of an episode as pictures, and the window that shows them.

A picture is the network's sheet, drawn once by matplotlib and kept as pixels, with bars and words put on top of them.
Words are kept as pixels too, since most of them return in the next picture.
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties

from pushpull.envs import bounds
from pushpull.envs.drawing import (
    ALARM,
    CAPITAL,
    FONT,
    INK,
    LOOK,
    STYLES,
    Align,
    Sheet,
    cells,
    draw_frame,
    fitted,
    letters,
    stock_bar,
    write_headline,
    write_labels,
)
from pushpull.envs.dynamics import Flows
from pushpull.envs.layout import Box
from pushpull.envs.network import Network
from pushpull.envs.scene import Scene, headline
from pushpull.envs.words import amount

MOST_NUMBERS = 4  # lead time up to which every period's units are written
DUST = 1e-6  # units that are no difference
TITLE = "pushpull"  # of the window
PAUSE = 0.25  # seconds that the window shows a picture


def picture(scene: Scene) -> np.ndarray:
    """Return the scene as an image, uint8 [height, width, 3]; height and width are multiples of 16, as videos need."""
    global _kept
    with matplotlib.rc_context(LOOK):
        if _kept is None or _kept.network != scene.network:
            _kept = Background(scene.network)
        frame = Frame(_kept)
        write_headline(_kept.sheet, frame.write, headline(scene))
        for j in range(len(scene.network.sources)):
            _show_source(frame, scene, j)
        for i in range(len(scene.network.stages)):
            _show_stock(frame, scene, i)
        if scene.flows is not None:
            for i in scene.network.markets:
                _show_market(frame, i, scene.flows)
    return frame.pixels


# --- pixels --------------------------------------------------------------------------------------------------------


class Background:
    """What all pictures of a network share: its sheet as pixels, and the sizes that bars are drawn against."""

    def __init__(self, network: Network):
        self.network, self.sheet = network, Sheet(network)
        draw_frame(self.sheet, "on hand")
        self.pixels = self.sheet.pixels()
        self.stock_scale = bounds.stock_scale(network)
        reviews = [source.review_period for source in network.sources]
        # twice the mean of what one release or order brings
        self.flow_scale = 2.0 * bounds.demand_rates(network)[list(network.source_stage)] * reviews


class Frame:
    """A picture in the making: bars and words on the pixels of a background, placed in page units."""

    def __init__(self, background: Background):
        self.background, self.sheet = background, background.sheet
        self.pixels = background.pixels.copy()

    def bar(self, box: Box, colour: str, hatched: bool = False) -> None:
        """Fill a box, or hatch it."""
        top, bottom = self._row(box.top), self._row(box.bottom)
        area = self.pixels[top:bottom, self._column(box.left) : self._column(box.right)]
        if hatched:
            height, width = area.shape[:2]
            row, column = np.arange(height)[:, None], np.arange(width)
            edge = (row == 0) | (row == height - 1) | (column == 0) | (column == width - 1)
            area[edge | ((row + column) % 6 < 2)] = _colour(colour)
        else:
            area[:] = _colour(colour)

    def write(
        self,
        x: float,
        y: float,
        words: str,
        size: float,
        colour: str = INK,
        align: Align = "left",
        weight: str = "normal",
        room: float = math.inf,
    ) -> None:
        """Write words as `Sheet.write` does."""
        words, size = fitted(words, size, weight, room)
        if not words:
            return
        ink, baseline = _stamp(words, round(size * self.sheet.scale, 1), weight)
        left = x - {"left": 0.0, "center": 0.5, "right": 1.0}[align] * size * letters(words, weight)
        top, start = self._row(y + CAPITAL / 2 * size) - baseline, self._column(left) - PAD
        area = self.pixels[max(top, 0) : top + len(ink), max(start, 0) : start + ink.shape[1]]
        ink = ink[: area.shape[0], : area.shape[1], None]
        area[:] = np.rint(area + ink * (_colour(colour) - area.astype(np.float32)))

    def _column(self, x: float) -> int:
        return round((x - self.sheet.left) * self.sheet.scale)

    def _row(self, y: float) -> int:
        return round((y - self.sheet.top) * self.sheet.scale)


PAD = 2  # pixels around the letters of a stamp


@lru_cache(maxsize=5000)
def _stamp(words: str, size: float, weight: str) -> tuple[np.ndarray, int]:
    """Return how much ink words leave, [height, width] from 0 to 1, and the row of their baseline; size in pixels."""
    width, height, baseline = (
        math.ceil(size * letters(words, weight)) + 2 * PAD,
        math.ceil(1.5 * size),
        math.ceil(1.1 * size),
    )
    renderer = RendererAgg(width, height, 72)  # at 72 dots per inch a point is a pixel
    font = FontProperties(family=FONT, weight=weight, size=size)
    renderer.draw_text(renderer.new_gc(), PAD, baseline, words, font, 0.0, ismath=False)
    return np.asarray(renderer.buffer_rgba())[..., 3].astype(np.float32) / 255, baseline


@lru_cache
def _colour(name: str) -> np.ndarray:
    return np.rint(255 * np.array(to_rgb(name))).astype(np.float32)


# --- what a scene puts on the sheet --------------------------------------------------------------------------------


def _show_source(frame: Frame, scene: Scene, j: int) -> None:
    """Show the last order above a belt, the units on it, and below it what did not start."""
    lane, style = frame.sheet.place.lanes[j], STYLES[scene.network.modes[j]]
    units = _on_the_way(scene.pipeline[j])
    belt = list(zip(cells(lane, len(units)), units, strict=True))
    most = max([frame.background.flow_scale[j], *units]) or 1.0
    for cell, value in belt:
        height, gap = cell.height * value / most, 0.02
        frame.bar(Box(cell.left + gap, cell.bottom - height, cell.width - 2 * gap, height), style.fill)
        if value > 0 and len(units) <= MOST_NUMBERS:
            frame.write(*cell.centre, amount(value), 0.13, align="center", room=cell.width)
    above = f"{style.verb} {amount(scene.flows.order[j])}" if scene.flows else ""
    below, colour = _note(scene, j, units)
    write_labels(frame.write, lane, above, below, colour)


def _on_the_way(rows: np.ndarray) -> np.ndarray:
    """Return units by periods until arrival, [lead_time]; what a disrupted transit holds at the gate comes last."""
    return np.append(rows[:-2], rows[-2:].sum()) if len(rows) > 1 else rows[:0]


def _note(scene: Scene, j: int, units: np.ndarray) -> tuple[str, str]:
    """Return what is worth saying of a source, and in which colour: trouble first."""
    flows, pending, in_transit = scene.flows, scene.pending[j], scene.in_transit[j]
    orders = [f"{amount(units)} {word}" for units, word in ((pending, "waiting"), (in_transit, "sent")) if units > 0]
    if orders:
        return ", ".join(orders), ALARM if pending > 0 else INK
    if flows is not None and flows.order[j] - flows.start[j] > DUST:
        return f"{amount(flows.start[j])} started", ALARM
    return f"{amount(units.sum())} on the way" if len(units) > MOST_NUMBERS else "", INK


def _show_stock(frame: Frame, scene: Scene, i: int) -> None:
    """Show units on hand and owed, as numbers and as bars against the natural scale."""
    tile, style, scale = frame.sheet.place.tiles[i], STYLES[frame.sheet.zones[i]], frame.background.stock_scale[i]
    bar, on_hand, owed = stock_bar(tile), scene.on_hand[i], scene.backorders[i]
    frame.write(tile.left + 0.1, tile.top + 0.43, amount(on_hand), 0.22, INK if on_hand > 0 else ALARM, weight="bold")
    frame.bar(Box(bar.left, bar.top, bar.width * min(1.0, on_hand / scale), bar.height), style.colour)
    if owed > 0:
        frame.write(tile.right - 0.1, tile.top + 0.82, f"owes {amount(owed)}", 0.14, ALARM, "right", "bold")
        width = 0.45 * bar.width * min(1.0, owed / scale)
        frame.bar(Box(bar.left, tile.top + 0.76, width, bar.height), ALARM, hatched=True)


def _show_market(frame: Frame, i: int, flows: Flows) -> None:
    """Show what customers asked for, got and gave up on in the last period."""
    box = frame.sheet.place.markets[i]
    lines = [(f"asked {amount(flows.demand[i])}", INK), (f"got {amount(flows.shipped[i])}", INK)]
    if flows.lost[i] > 0:
        lines.append((f"{amount(flows.lost[i])} lost", ALARM))
    for k, (words, colour) in enumerate(lines):
        frame.write(box.centre[0], box.top + 0.38 + 0.18 * k, words, 0.14, colour, "center", room=box.width - 0.1)


# --- the window ----------------------------------------------------------------------------------------------------


def show(scene: Scene) -> None:
    """Show the scene in a window; where none can be opened, warn once and go on."""
    global _window, _headless
    if _window is not None and _window.closed:
        _window = None
    if _window is None and not _headless:
        _window = _open_window()
        _headless = _window is None
    if _window is not None:
        _window.show(picture(scene))


def close() -> None:
    """Close the window of `show`, if there is one."""
    global _window
    if _window is not None:
        _window.close()
        _window = None


class Window:
    """A window of pyplot's interactive backend."""

    def __init__(self) -> None:
        import matplotlib.pyplot as plt

        self.figure = plt.figure(TITLE)
        self.image = None

    def show(self, pixels: np.ndarray) -> None:
        """Replace the picture and let the window draw it."""
        if self.image is None or self.image.get_size() != pixels.shape[:2]:
            self.figure.clear()
            self.figure.set_size_inches(pixels.shape[1] / self.figure.dpi, pixels.shape[0] / self.figure.dpi)
            axes = self.figure.add_axes((0, 0, 1, 1))
            axes.set_axis_off()
            self.image = axes.imshow(pixels)
            self.figure.show()
        self.image.set_data(pixels)
        self.figure.canvas.draw_idle()
        self.figure.canvas.start_event_loop(PAUSE)

    @property
    def closed(self) -> bool:
        """Whether someone has closed the window."""
        import matplotlib.pyplot as plt

        return not plt.fignum_exists(TITLE)

    def close(self) -> None:
        """Close the window."""
        import matplotlib.pyplot as plt

        plt.close(self.figure)


def _open_window() -> Window | None:
    """Return a window, or warn where none can be opened."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.registry import BackendFilter, backend_registry

    backend = plt.get_backend().lower()
    if backend not in backend_registry.list_builtin(BackendFilter.INTERACTIVE):
        problem = f"matplotlib's backend is {backend!r}"
    else:
        try:
            return Window()
        except Exception as error:  # each toolkit fails in its own way
            problem = str(error)
    warnings.warn(f"no window: {problem}; use render_mode='rgb_array' or 'ansi' without a display", stacklevel=4)
    return None


_kept: Background | None = None
_window: Window | None = None
_headless = False  # no window could be opened, and the warning was given
