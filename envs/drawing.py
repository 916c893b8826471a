"""A network drawn on a sheet: zones, stages, sources, arcs, markets and the decoupling point.

Push is blue, solid and square, pull orange, dashed and round, so that no two things differ by colour alone.
`draw_network` adds the network's settings; ``frames.py`` puts moments of an episode on the same sheet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.text import Text

from pushpull.envs.checks import InputError
from pushpull.envs.decoupling import stage_zones
from pushpull.envs.layout import Arc, Box, layout
from pushpull.envs.network import Network
from pushpull.envs.words import amount, in_words

Align = Literal["left", "center", "right"]


@dataclass(frozen=True)
class Style:
    """How a mode looks and what it is called."""

    colour: str  # of lines
    fill: str  # of bars, light enough for numbers on top
    tint: str  # of the background
    line: Any
    marker: str
    face: str  # of the marker
    verb: str
    meaning: str


STYLES = {
    "push": Style(
        "#0072B2", "#8CC4E4", "#E8F2FA", "solid", "s", "#0072B2", "release", "released before demand is seen"
    ),
    "mixed": Style(
        "#00795A", "#8CCDB9", "#E3F4EE", (0, (6, 2, 1, 2)), "D", "#8CCDB9", "request", "releases, and orders on demand"
    ),
    "pull": Style(
        "#C46A00", "#F2BE7B", "#FEF5E5", (0, (4, 2)), "o", "white", "order", "ordered once demand draws stock"
    ),
}
INK, GREY, PALE, ALARM = "#1A1A1A", "#5F5F5F", "#E2E2E2", "#B00020"
FONT = "DejaVu Sans"  # comes with matplotlib
CAPITAL = 0.72  # height of a capital letter of size 1
LOOK: dict[Any, Any] = {"text.hinting": "none"}  # hinted, the letters of some sizes look like another font
DPI = 100
PAGE = (1840, 1060)  # pixels that a page may fill before its parts shrink
LARGEST, SMALLEST = 100, 54  # pixels per page unit
HEAD, FOOT, NARROWEST = 64, 32, 864  # pixels
FORMATS = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}  # and the metadata that would differ


def draw_network(network: Network, path: str | Path) -> None:
    """Draw the network itself into a .png, .svg or .pdf file."""
    kind = Path(path).suffix.lower()
    if kind not in FORMATS:
        raise InputError("path", f"{str(path)!r} is no picture file; end it in one of {', '.join(FORMATS)}")
    with matplotlib.rc_context({**LOOK, "svg.hashsalt": network.name, "savefig.bbox": None}):
        sheet = Sheet(network)
        draw_frame(sheet, "at start")
        _draw_settings(sheet)
        sheet.figure.savefig(path, dpi=DPI * 1.5, facecolor="white", metadata=FORMATS[kind])


# --- the sheet, and the strokes that everything is drawn with ------------------------------------------------------


class Sheet:
    """A page for one network. x and y are page units, y downwards; sizes of letters are page units too."""

    def __init__(self, network: Network):
        self.network, self.place = network, layout(network)
        fit = min(PAGE[0] / self.place.width, PAGE[1] / self.place.height)
        self.scale = min(max(fit, SMALLEST), LARGEST)
        width, height = (
            16 * math.ceil(pixels / 16)
            for pixels in (
                max(NARROWEST, self.place.width * self.scale),
                self.place.height * self.scale + HEAD + FOOT,
            )
        )
        self.figure = Figure((width / DPI, height / DPI), dpi=DPI, facecolor="white")
        self.canvas = FigureCanvasAgg(self.figure)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.left = -(width / self.scale - self.place.width) / 2
        self.top = -HEAD / self.scale
        self.right, self.bottom = self.left + width / self.scale, self.top + height / self.scale
        self.axes.set_xlim(self.left, self.right)
        self.axes.set_ylim(self.bottom, self.top)
        self.zones = stage_zones(network)
        self._strokes = 0

    def pixels(self) -> np.ndarray:
        """Return the sheet as an image, uint8 [height, width, 3]."""
        self.canvas.draw()
        return np.asarray(self.canvas.buffer_rgba())[..., :3].copy()

    def unit(self, pixels: float) -> float:
        """Return pixels in page units."""
        return pixels / self.scale

    def points(self, units: float) -> float:
        """Return page units in points, in which matplotlib counts lines and letters."""
        return units * self.scale * 72 / DPI

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
        back: str | None = None,
    ) -> None:
        """Write words whose capitals are centred on y; those wider than `room` get smaller, then cut."""
        words, size = fitted(words, size, weight, room)
        self._add(
            Text(
                x,
                y + CAPITAL / 2 * size,
                words,
                fontsize=self.points(size),
                color=colour,
                horizontalalignment=align,
                fontweight=weight,
                fontfamily=FONT,
                parse_math=False,
                usetex=False,
                bbox={"facecolor": back, "edgecolor": "none", "pad": 1.2} if back else None,
            )
        )

    def box(self, box: Box, face: str, edge: str = "none", line: Any = "solid", hatch: str | None = None) -> None:
        """Fill and frame a box."""
        corner, look = (box.left, box.top), {"facecolor": face, "edgecolor": edge, "linestyle": line, "hatch": hatch}
        self._add(Rectangle(corner, box.width, box.height, linewidth=1.2, **look))

    def rounded(self, box: Box, face: str, edge: str) -> None:
        """Fill and frame a box with round corners."""
        style = "round,pad=0,rounding_size=0.12"
        self._add(
            FancyBboxPatch(
                (box.left, box.top), box.width, box.height, style, fc=face, ec=edge, lw=1.2, mutation_aspect=1
            )
        )

    def line(self, xs: list[float], ys: list[float], colour: str, line: Any = "solid", width: float = 1.6) -> None:
        """Draw straight lines."""
        self._add(Line2D(xs, ys, color=colour, linestyle=line, linewidth=width))

    def mark(self, x: float, y: float, marker: str, size: float, edge: str, face: str) -> None:
        """Draw a marker."""
        self._add(Line2D([x], [y], ls="none", marker=marker, ms=self.points(size), mec=edge, mfc=face, mew=1.5))

    def curve(self, arc: Arc, colour: str, line: Any) -> None:
        """Draw an arc."""
        points = [arc.curves[0][0], *(point for curve in arc.curves for point in curve[1:])]
        codes = [Outline.MOVETO, *[Outline.CURVE4] * (len(points) - 1)]
        self._add(PathPatch(Outline(points, codes), fill=False, edgecolor=colour, linestyle=line, linewidth=1.6))

    def _add(self, artist: Artist) -> None:
        self._strokes += 1
        artist.set_zorder(self._strokes)  # later strokes lie on earlier ones
        self.axes.add_artist(artist)


def fitted(words: str, size: float, weight: str, room: float) -> tuple[str, float]:
    """Return words and size, up to a quarter smaller and then shortened, so that they are not wider than `room`."""
    if room < math.inf and words:
        size *= min(1.0, max(0.75, room / (size * letters(words, weight))))
        while len(words) > 1 and size * letters(words, weight) > room:
            words = words[:-2] + "…"
    return words, size


@lru_cache(maxsize=10_000)
def letters(words: str, weight: str) -> float:
    """Return the width of words, in units of their size."""
    font = FontProperties(family=FONT, weight=weight, size=100)
    return _RULER.get_text_width_height_descent(words, font, ismath=False)[0] / 100


# --- the network without quantities --------------------------------------------------------------------------------


def draw_frame(sheet: Sheet, caption: str) -> None:
    """Draw the network without any quantities; the caption says which stock a tile will show."""
    network, place = sheet.network, sheet.place
    for zone, box in place.zones:
        style = STYLES[zone]
        sheet.box(box, style.tint)
        sheet.write(box.left + 0.12, box.top + 0.17, zone.upper(), 0.2, style.colour, weight="bold")
        told = 0.22 + 0.2 * letters(zone.upper(), "bold")
        sheet.write(box.left + told, box.top + 0.17, style.meaning, 0.14, GREY, room=box.width - told)
    for arc in place.arcs:
        style = STYLES[network.modes[arc.source]] if arc.source is not None else None
        sheet.curve(arc, style.colour if style else GREY, style.line if style else "solid")
        if arc.source is None:
            x, y = arc.curves[-1][-1]
            sheet.mark(x - 0.07, y, ">", 0.11, GREY, GREY)
        elif len(network.inputs[arc.source]) > 1 or arc.units != 1:
            x, y = arc.curves[-1][-1]
            sheet.write(x - 0.16, y, f"{amount(arc.units)}×", 0.14, align="center", back="white")
    for words, box in place.decoupling:
        sheet.line([box.left] * 2, [box.top, box.bottom], INK, (0, (5, 3)), 2.2)
        half = 0.15 * letters(words, "bold") / 2
        x = min(max(box.left, sheet.left + half + 0.1), sheet.right - half - 0.1)
        sheet.write(x, box.bottom, words, 0.15, align="center", weight="bold", back="white")
    for box in place.supplies.values():
        sheet.rounded(box, PALE, GREY)
        sheet.write(*box.centre, "supply", 0.12, GREY, align="center")
    for j in range(len(network.sources)):
        _draw_lane(sheet, j)
    for i, box in enumerate(place.tiles):
        style = STYLES[sheet.zones[i]]
        sheet.box(box, "white", style.colour)
        sheet.box(Box(box.left, box.top, box.width, 0.26), style.tint, style.colour)
        sheet.mark(box.right - 0.14, box.top + 0.13, style.marker, 0.1, style.colour, style.face)
        name = network.stage_names[i]
        sheet.write(box.left + 0.1, box.top + 0.13, name, 0.17, weight="bold", room=box.width - 0.36)
        sheet.write(box.right - 0.1, box.top + 0.45, caption, 0.12, GREY, align="right")
        sheet.box(stock_bar(box), PALE)
    for box in place.markets.values():
        sheet.rounded(box, "white", GREY)
        sheet.write(box.centre[0], box.top + 0.16, "customers", 0.15, GREY, align="center", weight="bold")
    _draw_title(sheet)
    _draw_legend(sheet)


def _draw_lane(sheet: Sheet, j: int) -> None:
    """Draw the gate of a source and its belt: one cell per period until arrival."""
    source, style, lane = sheet.network.sources[j], STYLES[sheet.network.modes[j]], sheet.place.lanes[j]
    y, ports = lane.centre[1], [arc.curves[-1][-1][1] for arc in sheet.place.arcs if arc.source == j]
    sheet.line([lane.left] * 2, [min(ports), max(ports)], style.colour, width=3)
    sheet.line([lane.left, lane.right], [y, y], style.colour, style.line)
    for cell in cells(lane, source.lead_time):
        sheet.box(cell, "white", "#B5B5B5")
    sheet.mark(lane.right - 0.07, y, ">", 0.11, style.colour, style.colour)
    sheet.mark(lane.left + 0.06, y, style.marker, 0.13, style.colour, style.face)


def _draw_title(sheet: Sheet) -> None:
    name, size = sheet.network.name, sheet.unit(19)
    left, y = sheet.left + sheet.unit(16), sheet.top + sheet.unit(20)
    sheet.write(left, y, name, size, weight="bold")
    told = left + size * letters(name, "bold") + sheet.unit(12)
    sheet.write(told, y, sheet.network.description, sheet.unit(13), GREY, room=sheet.right - told - sheet.unit(16))


def _draw_legend(sheet: Sheet) -> None:
    """Explain markers and belts in one line at the bottom."""
    x, y, size = sheet.left + sheet.unit(22), sheet.bottom - sheet.unit(15), sheet.unit(12)
    for mode, style in STYLES.items():
        if mode in sheet.network.modes:
            sheet.mark(x, y, style.marker, sheet.unit(10), style.colour, style.face)
            sheet.line([x + sheet.unit(8), x + sheet.unit(30)], [y, y], style.colour, style.line)
            sheet.write(x + sheet.unit(36), y, mode, size)
            x += sheet.unit(36 + 22) + size * letters(mode, "normal")
    if any(market.waiting_share for market in sheet.network.markets.values()):
        sheet.box(Box(x, y - sheet.unit(5), sheet.unit(24), sheet.unit(10)), "white", ALARM, hatch="/////")
        sheet.write(x + sheet.unit(30), y, "owed to customers", size)
        x += sheet.unit(30 + 22) + size * letters("owed to customers", "normal")
    words = "cells: units on the way, one cell per period, arriving at the right"
    sheet.write(x, y, words, size, GREY, room=sheet.right - x - sheet.unit(16))


# --- places and words that a scene shares --------------------------------------------------------------------------


def cells(lane: Box, count: int) -> list[Box]:
    """Return the cells of a belt, the one that arrives next first."""
    belt = Box(lane.left + 0.18, lane.centre[1] - 0.13, lane.width - 0.33, 0.26)
    return [
        Box(belt.right - (k + 1) * belt.width / count, belt.top, belt.width / count, belt.height) for k in range(count)
    ]


def stock_bar(tile: Box) -> Box:
    """Return the place of the bar that shows a stock."""
    return Box(tile.left + 0.1, tile.top + 0.58, tile.width - 0.2, 0.12)


def write_headline(sheet: Sheet, write: Callable[..., None], phrases: Sequence[str]) -> None:
    """Write the line under the title."""
    edge = sheet.unit(16)
    words, room = "      ".join(phrases), sheet.right - sheet.left - 2 * edge
    write(sheet.left + edge, sheet.top + sheet.unit(46), words, sheet.unit(14), room=room)


def write_labels(write: Callable[..., None], lane: Box, above: str, below: str, colour: str = INK) -> None:
    """Write a line above and a line below the belt of a lane."""
    for words, side, ink in ((above, -1, INK), (below, 1, colour)):
        write(lane.left + 0.18, lane.centre[1] + side * 0.25, words, 0.14, ink, room=lane.width - 0.25)


# --- the network's settings -----------------------------------------------------------------------------------------


def _draw_settings(sheet: Sheet) -> None:
    """Write lead times, capacities, initial stocks and demand into the frame."""
    network, place = sheet.network, sheet.place
    facts = [" → ".join(network.sequence), f"{network.units} units", f"{network.allocation} allocation"]
    write_headline(sheet, sheet.write, [*facts, f"{network.horizon} periods"])
    for j, source in enumerate(network.sources):
        capacity = "" if math.isinf(source.capacity) else f"capacity {amount(source.capacity)}"
        write_labels(sheet.write, place.lanes[j], f"lead time {source.lead_time}", capacity)
    for i, stage in enumerate(network.stages.values()):
        box = place.tiles[i]
        sheet.write(box.left + 0.1, box.top + 0.43, amount(stage.initial_on_hand), 0.22, weight="bold")
        sheet.write(box.left + 0.1, box.top + 0.82, f"holding cost {amount(stage.holding_cost)}", 0.13)
    for i in network.markets:
        box = place.markets[i]
        for k, words in enumerate(in_words(network.market_demands[i]).split(", ")[:3]):
            sheet.write(box.centre[0], box.top + 0.36 + 0.18 * k, words, 0.13, align="center", room=box.width - 0.1)


_RULER = RendererAgg(1, 1, 72)
