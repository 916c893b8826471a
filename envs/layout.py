"""Where the stages of a network stand on a page.

`layout` places everything in columns, from outside supply on the left to customers on the right: a stage stands one
column past the last of its suppliers, and past the whole push part if it pulls, so that the decoupling point is a line
between two columns. Within a column the order has few crossings (barycentre sweeps: Sugiyama, Tagawa & Toda 1981) and
the heights keep arcs short. A chain too long for one line is folded, like text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pushpull.envs.decoupling import ZONES, decoupling_lines, decoupling_points, stage_zones, zones_in_order
from pushpull.envs.network import ALL_PUSH, Network

# Sizes in page units, width and height; drawing.py decides how many pixels a unit has.
TILE = (1.6, 0.95)  # a stage's stock; higher where its sources need it
LANE = (1.35, 0.8)  # one of its sources, at the left of the tile
SUPPLY = (0.5, 0.5)
MARKET = (1.3, 0.9)
VIA = (0.0, 0.2)  # an arc that passes a column
PORT = 0.19  # height between the inputs of one source
COLUMN_GAP, ROW_GAP, MARGIN = 0.75, 0.22, 0.45
TITLE = 0.6  # height above each line, for the names of zones
LINE = 30.0  # length from which a chain is folded
MOST_TURNS = 4  # arcs that may go round a fold; where more would, the line stays long
TRACK = 0.14  # between arcs that go round a fold

Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class Box:
    """A rectangle on the page, y downwards."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """x of the right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """y of the bottom edge."""
        return self.top + self.height

    @property
    def centre(self) -> Point:
        """x and y of the centre."""
        return self.left + self.width / 2, self.top + self.height / 2

    def overlaps(self, other: Box) -> bool:
        """Whether the two share more than an edge."""
        return (
            min(self.right, other.right) - max(self.left, other.left) > 1e-9
            and min(self.bottom, other.bottom) - max(self.top, other.top) > 1e-9
        )


@dataclass(frozen=True)
class Arc:
    """The way of material: into source `source` from stage `supplier` (None: outside), or from it to its market.

    `curves` are joined cubic Bézier curves, four points each.
    """

    source: int | None
    supplier: int | None
    units: float
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Layout:
    """Where everything stands: tiles by stage, lanes by source, supplies by source, markets by stage."""

    width: float
    height: float
    tiles: tuple[Box, ...]
    lanes: tuple[Box, ...]
    supplies: dict[int, Box]
    markets: dict[int, Box]
    arcs: tuple[Arc, ...]
    zones: tuple[tuple[str, Box], ...]  # a zone that is folded has a box on each line
    decoupling: tuple[tuple[str, Box], ...]  # words, and a box without width


def layout(network: Network) -> Layout:
    """Return the places of a network's stages, sources, supplies, markets, arcs and zones."""
    nodes, routes = _graph(network)
    hops = [hop for route in routes for hop in _hops(network, route)]
    columns = _untangled(_by_column(nodes), hops)
    _settle(nodes, columns, hops)
    page = _paged(nodes, columns, hops)
    stages = [_box(nodes[i], page) for i in range(len(network.stages))]
    lanes = [_lane(network, j, stages[i]) for j, i in enumerate(network.source_stage)]
    return Layout(
        width=max(page.right[line[-1]] for line in page.lines) + MARGIN + page.tracks,
        height=page.bottom[-1] + MARGIN,
        tiles=tuple(Box(box.right - TILE[0], box.top, TILE[0], box.height) for box in stages),
        lanes=tuple(lanes),
        supplies={
            route.source: _box(nodes[route.nodes[0]], page)
            for route in routes
            if route.supplier is None and route.source is not None
        },
        markets={
            route.supplier: _box(nodes[route.nodes[-1]], page)
            for route in routes
            if route.source is None and route.supplier is not None
        },
        arcs=tuple(_arc(network, nodes, routes, route, lanes, page) for route in routes),
        zones=_zones(network, nodes, page),
        decoupling=_decoupling(network, nodes, page, stages),
    )


def stage_columns(network: Network) -> list[int]:
    """Return each stage's column, [N]: one past its last supplier, and past all zones upstream of its own."""
    zones, in_order = stage_zones(network), zones_in_order(network)
    column = [0] * len(zones)
    first = 0
    for zone in ZONES if in_order else (None,):
        members = [i for i in network.stage_order if zone in (zones[i], None)]
        for i in members:
            suppliers = [m for j in network.sources_of[i] for m, _ in network.inputs[j]]
            column[i] = max([first, *(column[m] + 1 for m in suppliers)])
        first = max([first, *(column[i] + 1 for i in members)])
    return column


# --- the graph: everything that stands on the page, and the arcs between ------------------------------------------


@dataclass
class _Node:
    """Something that stands in a column: a stage with its lanes, a supply, a market, or an arc that passes."""

    kind: str
    column: int
    width: float
    height: float
    align: float = 0.0  # 0 at the left of its column, 1 at the right
    y: float = 0.0  # of its middle


@dataclass(frozen=True)
class _Route:
    """An arc before it has a place: the nodes on its way, one in each column."""

    source: int | None
    supplier: int | None
    units: float
    nodes: tuple[int, ...]


@dataclass(frozen=True)
class _Hop:
    """The part of a route between two columns; it ends `offset` below the middle of its head."""

    tail: int
    head: int
    offset: float


def _graph(network: Network) -> tuple[list[_Node], list[_Route]]:
    """Return the nodes, stages first, and the routes."""
    column, zones = stage_columns(network), stage_zones(network)
    nodes = [_Node("stage", column[i], LANE[0] + TILE[0], _stage_height(network, i)) for i in range(len(column))]
    routes = []

    def add(node: _Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    def connect(source: int | None, supplier: int | None, units: float, start: int, end: int) -> None:
        vias = [add(_Node("via", c, *VIA)) for c in range(nodes[start].column + 1, nodes[end].column)]
        routes.append(_Route(source, supplier, units, (start, *vias, end)))

    for j, i in enumerate(network.source_stage):
        for m, units in network.inputs[j]:
            connect(j, m, units, m, i)
        if not network.inputs[j]:
            connect(j, None, 1, add(_Node("supply", column[i] - 1, *SUPPLY, align=1.0)), i)
    pushed = [column[i] for i, zone in enumerate(zones) if zone == "push" and zones_in_order(network)]
    for i in network.markets:
        connect(None, i, 1, i, add(_Node("market", 1 + max([column[i], *pushed]), *MARKET)))
    first = min(node.column for node in nodes)
    for node in nodes:
        node.column -= first
    return nodes, routes


def _hops(network: Network, route: _Route) -> list[_Hop]:
    offset = 0.0 if route.source is None else _lane_offset(network, route.source)
    return [_Hop(a, b, offset if b == route.nodes[-1] else 0.0) for a, b in pairwise(route.nodes)]


def _lane_height(network: Network, j: int) -> float:
    return max(LANE[1], PORT * len(network.inputs[j]))


def _stage_height(network: Network, i: int) -> float:
    return max(TILE[1], sum(_lane_height(network, j) for j in network.sources_of[i]))


def _lane_offset(network: Network, j: int) -> float:
    """Return how far below the middle of its stage the middle of source j's lane is."""
    siblings = network.sources_of[network.source_stage[j]]
    above = sum(_lane_height(network, k) for k in siblings if k < j)
    return above + _lane_height(network, j) / 2 - sum(_lane_height(network, k) for k in siblings) / 2


def _by_column(nodes: Sequence[_Node]) -> list[list[int]]:
    columns: list[list[int]] = [[] for _ in range(1 + max(node.column for node in nodes))]
    for k, node in enumerate(nodes):
        columns[node.column].append(k)
    return columns


# --- rows: the order in a column, then the heights -----------------------------------------------------------------


def _untangled(columns: list[list[int]], hops: Sequence[_Hop], sweeps: int = 16) -> list[list[int]]:
    """Sweep over the columns, ordering each by its neighbours' mean places; return the order that crosses least."""
    before: dict[int, list[int]] = {}
    after: dict[int, list[int]] = {}
    for hop in hops:
        before.setdefault(hop.head, []).append(hop.tail)
        after.setdefault(hop.tail, []).append(hop.head)
    columns = [list(column) for column in columns]
    best, fewest = [list(column) for column in columns], _crossings(columns, hops)
    for sweep in range(sweeps):
        neighbours = after if sweep % 2 else before
        for c in _sweep(len(columns), sweep):
            place = _places(columns)
            wish = {k: np.mean([place[other] for other in neighbours.get(k, [k])]) for k in columns[c]}
            columns[c].sort(key=wish.__getitem__)
        crossings = _crossings(columns, hops)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    return best


def _sweep(count: int, sweep: int) -> Sequence[int]:
    """Return the columns in the direction of a sweep, rightwards first."""
    return range(count - 1, -1, -1) if sweep % 2 else range(count)


def _places(columns: Sequence[Sequence[int]]) -> dict[int, float]:
    """Return each node's place in its column, between 0 at the top and 1."""
    return {k: (row + 0.5) / len(column) for column in columns for row, k in enumerate(column)}


def _crossings(columns: Sequence[Sequence[int]], hops: Sequence[_Hop]) -> int:
    """Count the pairs of hops that cross."""
    column = {k: c for c, members in enumerate(columns) for k in members}
    place = _places(columns)
    at, start, end = np.array([(column[hop.tail], place[hop.tail], place[hop.head]) for hop in hops]).T
    return int(((at[:, None] == at) & (start[:, None] < start) & (end[:, None] > end)).sum())


def _settle(nodes: list[_Node], columns: Sequence[Sequence[int]], hops: Sequence[_Hop], sweeps: int = 40) -> None:
    """Give every node its y: hops as level as the order and the gaps of the columns allow.

    Column after column the squared climbs of its hops are minimised; with the gaps taken off, that is an isotonic
    regression.
    """
    from scipy.optimize import isotonic_regression  # slow to import, and only pictures need it

    wishes: list[list[tuple[int, float]]] = [[] for _ in nodes]  # neighbours, and how far below them to stand
    for hop in hops:
        wishes[hop.head].append((hop.tail, -hop.offset))
        wishes[hop.tail].append((hop.head, hop.offset))
    stacked = []
    for column in columns:
        heights = [nodes[k].height + ROW_GAP for k in column]
        stacked.append(np.cumsum([0.0, *((a + b) / 2 for a, b in pairwise(heights))]))
        for k, y in zip(column, stacked[-1] - stacked[-1][-1] / 2, strict=True):
            nodes[k].y = float(y)
    for sweep in range(sweeps):
        for c in _sweep(len(columns), sweep):
            wished = np.array([np.mean([nodes[k].y + below for k, below in wishes[member]]) for member in columns[c]])
            weights = [len(wishes[member]) for member in columns[c]]
            ys = isotonic_regression(wished - stacked[c], weights=weights).x + stacked[c]
            for k, y in zip(columns[c], ys, strict=True):
                nodes[k].y = float(y)


# --- the page: lines of columns, and coordinates -------------------------------------------------------------------


@dataclass(frozen=True)
class _Page:
    """Lines of columns, one under the other, with the edges of columns and lines."""

    lines: list[range]  # the columns of each line
    left: list[float]  # of each column
    right: list[float]
    top: list[float]  # of each line
    bottom: list[float]
    turns: list[list[tuple[int, int]]]  # for each line, tail and head of the hops to the next, lowest tail first

    @property
    def tracks(self) -> float:
        """Width that the hops round a fold need at both sides of the page."""
        return TRACK * max(map(len, self.turns))

    def line(self, column: int) -> int:
        """Return the line of a column; a column past the end counts to the last."""
        return next((k for k, columns in enumerate(self.lines) if column in columns), len(self.lines) - 1)

    def edge(self, column: int) -> float:
        """Return x of the boundary just before a column."""
        if column == len(self.left):
            return self.right[-1] + MARGIN / 2
        if column == self.lines[self.line(column)][0]:
            return self.left[column] - MARGIN / 2
        return 0.4 * self.left[column] + 0.6 * self.right[column - 1]


def _paged(nodes: list[_Node], columns: Sequence[Sequence[int]], hops: Sequence[_Hop]) -> _Page:
    """Break the columns into lines and move the nodes down to theirs."""
    widths = [max(nodes[k].width for k in column) for column in columns]
    gaps = [COLUMN_GAP] * len(columns)
    for hop in hops:
        climb = abs(nodes[hop.head].y + hop.offset - nodes[hop.tail].y)
        gaps[nodes[hop.tail].column] = max(gaps[nodes[hop.tail].column], COLUMN_GAP + min(0.6, 0.1 * climb))
    lines = _folded(len(columns), math.ceil((sum(widths) + sum(gaps)) / LINE))
    turns = _turns(nodes, hops, lines)
    if max(map(len, turns)) > MOST_TURNS:
        lines = _folded(len(columns), 1)
        turns = [[]]
    page = _Page(lines, [], [], [], [], turns)
    y = 0.0
    for line, around in zip(lines, turns, strict=True):
        x = MARGIN + page.tracks
        for c in line:
            page.left.append(x)
            page.right.append(x + widths[c])
            x += widths[c] + gaps[c]
        members = [nodes[k] for c in line for k in columns[c]]
        page.top.append(y + TITLE)
        down = page.top[-1] - min(node.y - node.height / 2 for node in members)
        for node in members:
            node.y += down
        page.bottom.append(max(node.y + node.height / 2 for node in members))
        y = page.bottom[-1] + MARGIN + TRACK * len(around)
    return page


def _folded(columns: int, count: int) -> list[range]:
    """Break columns into about `count` lines of the same length."""
    size = math.ceil(columns / count)
    return [range(c, min(c + size, columns)) for c in range(0, columns, size)]


def _turns(nodes: Sequence[_Node], hops: Sequence[_Hop], lines: Sequence[range]) -> list[list[tuple[int, int]]]:
    """Return the hops that leave each line for the next, lowest tail first."""
    lowest_first = sorted(hops, key=lambda hop: -nodes[hop.tail].y)
    return [
        [(hop.tail, hop.head) for hop in lowest_first if nodes[hop.tail].column == line[-1]] for line in lines[:-1]
    ] + [[]]


def _box(node: _Node, page: _Page) -> Box:
    """Return the place of a node; an arc that passes takes the whole width of the column."""
    left, right = page.left[node.column], page.right[node.column]
    width = right - left if node.kind == "via" else node.width
    return Box(left + node.align * (right - left - width), node.y - node.height / 2, width, node.height)


def _lane(network: Network, j: int, stage: Box) -> Box:
    """Return the place of source j, at the left of its stage."""
    height = _lane_height(network, j)
    return Box(stage.left, stage.centre[1] + _lane_offset(network, j) - height / 2, LANE[0], height)


def _arc(
    network: Network, nodes: list[_Node], routes: Sequence[_Route], route: _Route, lanes: Sequence[Box], page: _Page
) -> Arc:
    """Lead a route from the right of its first node to the left of its last, level across the columns it passes."""
    curves: list[Curve] = []
    for tail, head in pairwise(route.nodes):
        start, end = _box(nodes[tail], page), _box(nodes[head], page)
        y = end.centre[1]
        if head == route.nodes[-1] and route.source is not None:
            y = lanes[route.source].centre[1] + _port(nodes, routes, route)
        here, there = (start.right, start.centre[1]), (end.left, y)
        if nodes[tail].kind == "via":
            curves.append(_straight((start.left, here[1]), here))
        around = page.turns[page.line(nodes[tail].column)]
        if (tail, head) in around:
            curves += _round_the_fold(here, there, around.index((tail, head)), page, page.line(nodes[tail].column))
        else:
            half = (here[0] + there[0]) / 2
            curves.append((here, (half, here[1]), (half, there[1]), there))
    return Arc(route.source, route.supplier, route.units, tuple(curves))


def _port(nodes: list[_Node], routes: Sequence[_Route], route: _Route) -> float:
    """Return how far below the middle of its lane a route ends: inputs from further up end further up."""
    siblings = [other for other in routes if other.source == route.source]
    siblings.sort(key=lambda other: nodes[other.nodes[-2]].y)
    return PORT * (siblings.index(route) - (len(siblings) - 1) / 2)


def _straight(start: Point, end: Point) -> Curve:
    return start, start, end, end


def _round_the_fold(here: Point, there: Point, track: int, page: _Page, line: int) -> list[Curve]:
    """Lead a hop to the right edge, down between the lines, back to the left edge and into the next line."""
    away = 0.6 * MARGIN + TRACK * track
    right = max(page.right[columns[-1]] for columns in page.lines) + away
    left, below = page.left[page.lines[line + 1][0]] - away, page.bottom[line] + away
    corners = [here, (right, here[1]), (right, below), (left, below), (left, there[1]), there]
    return [_straight(start, end) for start, end in pairwise(corners)]


def _starts(network: Network, nodes: list[_Node]) -> dict[str, int]:
    """Return the first column of each zone, and of what comes after the last stage."""
    if not zones_in_order(network):
        return {}
    zones = stage_zones(network)
    starts = {
        zone: min(nodes[i].column for i in range(len(zones)) if zones[i] == zone) for zone in ZONES if zone in zones
    }
    return {**starts, ALL_PUSH: 1 + max(nodes[i].column for i in range(len(zones)))}


def _zones(network: Network, nodes: list[_Node], page: _Page) -> tuple[tuple[str, Box], ...]:
    """Return the parts of each zone, one on each line it has columns on."""
    boxes = []
    for (zone, first), (_, end) in pairwise(_starts(network, nodes).items()):
        for k, columns in enumerate(page.lines):
            inside = [c for c in columns if first <= c < end]
            if inside:
                left = page.edge(inside[0])
                right = page.edge(end) if page.line(end) == k else page.right[inside[-1]] + MARGIN / 2
                boxes.append((zone, _band(page, k, left, right)))
    return tuple(boxes)


def _decoupling(
    network: Network, nodes: list[_Node], page: _Page, stages: Sequence[Box]
) -> tuple[tuple[str, Box], ...]:
    """Return the decoupling lines: between zones, or behind each stage where push ends."""
    if not zones_in_order(network):
        points = decoupling_points(network)
        ends = [stages[i] for i, name in enumerate(network.stage_names) if name in points]
        return tuple(("push ends", Box(box.right + 0.13, box.top - 0.1, 0.0, box.height + 0.2)) for box in ends)
    starts = _starts(network, nodes)
    return tuple(
        (words, _band(page, page.line(starts[zone]), page.edge(starts[zone]), page.edge(starts[zone])))
        for zone, words in decoupling_lines(network).items()
    )


def _band(page: _Page, line: int, left: float, right: float) -> Box:
    """Return a box as high as a line."""
    return Box(left, page.top[line] - TITLE + 0.16, right - left, page.bottom[line] - page.top[line] + TITLE)
