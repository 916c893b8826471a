"""On the page nothing overlaps, arcs keep clear of stages, and the decoupling line has push on one side only."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from pushpull.envs import Network, load_network, network_names
from pushpull.envs.decoupling import stage_zones
from pushpull.envs.layout import LINE, Box, Layout, layout
from tests.envs.strategies import hunt, networks

MARKET = {"demand": {"kind": "poisson", "mean": 5}}


def serial(stages: int, point: str = "supply") -> Network:
    rows: dict[str, Any] = {f"s{k}": {"sources": [{"inputs": {f"s{k - 1}": 1} if k else {}}]} for k in range(stages)}
    rows[f"s{stages - 1}"]["market"] = MARKET
    return Network.from_dict({"stages": rows, "decoupling_point": point})


def star(shops: int) -> Network:
    rows = {f"shop{k}": {"sources": [{"inputs": {"hub": 1}}], "market": MARKET} for k in range(shops)}
    return Network.from_dict({"stages": {"hub": {"sources": [{}]}, **rows}, "decoupling_point": "hub"})


def tangle(stages: int, seed: int) -> Network:
    """Return a random network with dual sourcing, assembly and arcs that skip columns."""
    rng, rows = np.random.default_rng(seed), {}
    for k in range(stages):
        suppliers = [f"s{m}" for m in range(max(0, k - 9), k) if rng.random() < 0.25]
        sources = [{"inputs": dict.fromkeys(suppliers, 1)}] + [{}] * int(rng.integers(0, 2))
        rows[f"s{k}"] = {"sources": sources} | ({"market": MARKET} if k % 5 == 4 or k == stages - 1 else {})
    return Network.from_dict({"stages": rows, "decoupling_point": [f"s{stages // 3}", f"s{stages // 2}"]})


def boxes(place: Layout) -> list[Box]:
    return [*place.tiles, *place.lanes, *place.supplies.values(), *place.markets.values()]


def assert_sound(network: Network) -> None:
    """Check all that makes a page readable."""
    place = layout(network)
    for one, other in combinations(boxes(place), 2):
        assert not one.overlaps(other)
    for box in boxes(place):
        assert box.left >= 0 and box.right <= place.width and box.top >= 0 and box.bottom <= place.height
    assert len(place.arcs) == sum(max(1, len(source.inputs)) for source in network.sources) + len(network.markets)
    for arc in place.arcs:
        first = place.tiles[arc.supplier] if arc.supplier is not None else place.supplies[arc.source or 0]
        last = place.lanes[arc.source] if arc.source is not None else place.markets[arc.supplier or 0]
        assert arc.curves[0][0][0] == pytest.approx(first.right)
        assert arc.curves[-1][-1][0] == pytest.approx(last.left)
        assert all(one[-1] == other[0] for one, other in zip(arc.curves, arc.curves[1:], strict=False))
    way = np.concatenate([points(arc.curves) for arc in place.arcs])
    for box in boxes(place):
        assert not inside(box, way).any()
    if [words for words, _ in place.decoupling] == ["decoupling point"]:
        (_, line), zones = place.decoupling[0], stage_zones(network)
        for i, zone in enumerate(zones):
            tile, lane = place.tiles[i], place.lanes[network.sources_of[i][0]]
            if tile.overlaps(Box(0, line.top, place.width, line.height)):  # on the same line of a folded page
                assert tile.right < line.left if zone == "push" else lane.left > line.left


def points(curves) -> np.ndarray:
    """Return points along cubic Bézier curves, [.., 2]."""
    t = np.linspace(0, 1, 33)[:, None]
    weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]
    return np.concatenate([sum(w * np.array(p) for w, p in zip(weights, curve, strict=True)) for curve in curves])


def inside(box: Box, xy: np.ndarray) -> np.ndarray:
    x, y = xy.T
    dust = 1e-6
    return (box.left + dust < x) & (x < box.right - dust) & (box.top + dust < y) & (y < box.bottom - dust)


@hunt(40)
@given(networks())
def test_random_networks_are_placed_soundly(mapping):
    assert_sound(Network.from_dict(mapping))


@pytest.mark.parametrize("name", network_names())
def test_library_networks_are_placed_soundly(name):
    assert_sound(load_network(name))


@pytest.mark.parametrize("stages", [1, 2, 7, 8, 17, 40])
def test_chains_are_level_and_fold_when_long(stages):
    network = serial(stages, f"s{stages // 2}")
    assert_sound(network)
    place = layout(network)
    levels = {round(tile.centre[1], 6) for tile in place.tiles}
    assert (len(levels) == 1) == (stages <= 7)
    assert place.width < LINE + 2
    for one, other in zip(place.tiles, place.tiles[1:], strict=False):  # read like text
        assert one.right < other.left or one.bottom < other.top


@pytest.mark.parametrize("network", [star(12), star(39), tangle(25, 1), tangle(40, 2)], ids=["12", "39", "25", "40"])
def test_large_networks_are_placed_soundly(network):
    assert_sound(network)


def test_arcs_are_untangled():
    """Two parts declared in one order and used in the other: a page that keeps the declared order crosses twice."""
    stages: dict[str, Any] = {name: {"sources": [{}]} for name in ("a", "b", "c")}
    for name, part in (("x", "c"), ("y", "b"), ("z", "a")):
        stages[name] = {"sources": [{"inputs": {part: 1}}], "market": MARKET}
    place = layout(Network.from_dict({"stages": stages, "decoupling_point": "supply"}))
    tops = [tile.top for tile in place.tiles]
    for part, product in ((0, 5), (1, 4), (2, 3)):
        assert tops[part] == pytest.approx(tops[product])


def test_a_pulled_part_stands_behind_the_decoupling_line():
    """A part without suppliers that pulls must not stand among the pushed ones."""
    stages = {
        "board": {"sources": [{"mode": "push"}]},
        "display": {"sources": [{"mode": "pull"}]},
        "phone": {"sources": [{"mode": "pull", "inputs": {"board": 1, "display": 1}}], "market": MARKET},
    }
    network = Network.from_dict({"stages": stages})
    assert_sound(network)
    board, display, phone = (tile.left for tile in layout(network).tiles)
    assert board < display < phone
