"""How a chain is shown: a scene as text, as a picture or in a window; the network itself as tables or a drawing.

`text` and `picture` are functions of a `Scene`, so showing a chain never touches it. What needs matplotlib is in
``drawing.py`` and ``frames.py``, imported when first called.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pushpull.envs import bounds
from pushpull.envs.decoupling import decoupling_lines, decoupling_points, reading_order, stage_zones
from pushpull.envs.network import ALL_PULL, ALL_PUSH, Network
from pushpull.envs.scene import Scene, due, headline
from pushpull.envs.words import amount, in_words

WIDTH = 100  # columns of a terminal
BLOCKS = "·▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉█"
MEANING = {ALL_PULL: ": no stage only pushes", ALL_PUSH: ": every stage pushes"}


def text(scene: Scene) -> str:
    """Return the scene as plain text: a line per stage, upstream first, with a rule at the decoupling point.

    A stage with several sources takes a line for each. The bar is the stock against its natural scale. Units on the
    way are listed by the periods until they arrive, next first. Orders, starts, demand and losses are of the period
    before.
    """
    network, flows, order = scene.network, scene.flows, reading_order(scene.network)
    headings = ["stage", "mode", "stock", "on hand", "owed", "on the way", "waits", "order", "start", "demand", "lost"]
    left, way = (0, 1, 2, 5), headings.index("on the way")
    scales = bounds.stock_scale(network)
    rows: dict[int, list[str]] = {}
    for i in order:
        for j in network.sources_of[i]:
            stock, market = ["", "", ""], ["", ""]
            if j == network.sources_of[i][0]:
                stock = [bar(scene.on_hand[i] / scales[i], 8), amount(scene.on_hand[i]), ""]
                if i in network.markets:
                    stock[2] = amount(scene.backorders[i])
                    market = [amount(flows.demand[i]), amount(flows.lost[i])] if flows else ["", ""]
            moved = [amount(flows.order[j]), amount(flows.start[j])] if flows else ["", ""]
            waits = amount(scene.pending[j] + scene.in_transit[j])
            rows[j] = [network.source_names[j], network.modes[j], *stock, "", waits, *moved, *market]
    spare = WIDTH - len(table(headings, list(rows.values()), left)[0])
    headings[way] = headings[way].ljust(min(30, len(headings[way]) + max(0, spare)))
    for j, row in rows.items():
        row[way] = on_the_way(due(scene.pipeline[j]), len(headings[way]))
    first, *lines = table(headings, list(rows.values()), left)
    zones, rules = stage_zones(network), decoupling_lines(network)
    body, seen = [first], set()
    for line, zone in zip([*lines, ""], [*(zones[network.source_stage[j]] for j in rows), ALL_PUSH], strict=True):
        if zone in rules and zone not in seen:
            body.append(f"── {rules[zone]} ".ljust(len(first), "─"))
        seen.add(zone)
        body.append(line)
    if not rules:
        body.append(f"push and pull alternate; push ends at: {', '.join(decoupling_points(network))}")
    return "\n".join([network.name, "   ".join(headline(scene)), "", *body])


def describe(network: Network) -> str:
    """Return the network as tables: its stages and sources, its markets, and what follows from them.

    The rate of a stage is the mean demand per period that reaches it, its load the rate over the capacity of all its
    sources; both need markets that state their demand.
    """
    names, points = network.stage_names, decoupling_points(network)
    known = all(demand is not None for demand in network.market_demands.values())
    rates = bounds.demand_rates(network) if known else np.full(len(names), np.nan)
    sources = []
    for i in reading_order(network):
        stage = network.stages[names[i]]
        capacity = sum(network.sources[j].capacity for j in network.sources_of[i])
        load = "-" if math.isinf(capacity) else f"{rates[i] / capacity:.0%}"
        of_stage = [*map(amount, (stage.initial_on_hand, stage.holding_cost))]
        of_stage += [amount(rates[i]), load] if known else ["?", "?"]
        for j in network.sources_of[i]:
            source = network.sources[j]
            of_source = [amount(source.lead_time), amount(source.capacity), amount(source.unit_cost)]
            sources.append([network.source_names[j], network.modes[j], *of_source, *of_stage, ingredients(network, j)])
            of_stage = [""] * len(of_stage)
    markets = [
        [
            names[i],
            amount(market.price),
            in_words(market.stockout),
            amount(market.backorder_cost),
            amount(market.lost_sale_cost),
            in_words(network.market_demands[i]),
        ]
        for i, market in network.markets.items()
    ]
    facts = {
        "decoupling point": " and ".join(points) + MEANING.get(points[0], ": push up to there, pull beyond"),
        "stage order": " > ".join(names[i] for i in network.stage_order),
        "each period": ", ".join(network.sequence),
        "units": f"{network.units}; scarce stock is shared by {network.allocation} allocation",
        "horizon": f"{network.horizon} periods" + ", then the world ends" * network.horizon_is_real,
    }
    width = max(map(len, facts))
    headings = [
        "stage",
        "mode",
        "lead time",
        "capacity",
        "unit cost",
        "initial",
        "holding",
        "rate",
        "load",
        "made from",
    ]
    return "\n".join(
        [
            f"{network.name}: {network.description}",
            "",
            *(f"{name:{width}}  {fact}" for name, fact in facts.items()),
            "",
            *table(headings, sources, left=(0, 1, 9)),
            "",
            *table(
                ["market", "price", "stockout", "backorder cost", "lost sale cost", "demand"], markets, left=(0, 2, 5)
            ),
        ]
    )


def picture(scene: Scene) -> np.ndarray:
    """Return the scene as an image, uint8 [height, width, 3]."""
    from pushpull.envs import frames

    return frames.picture(scene)


def show(scene: Scene) -> None:
    """Show the scene in a window; without a display, say so once and do nothing."""
    from pushpull.envs import frames

    frames.show(scene)


def close() -> None:
    """Close the window of `show`."""
    from pushpull.envs import frames

    frames.close()


def draw_network(network: Network, path: str | Path) -> None:
    """Draw the network into a file, .png, .svg or .pdf."""
    from pushpull.envs import drawing

    drawing.draw_network(network, path)


def bar(share: float, width: int) -> str:
    """Return a bar of `width` characters; more than full ends in an arrow."""
    if share > 1:
        return "█" * (width - 1) + "►"
    eighths = round(share * width * 8)
    full = "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")
    return full.ljust(width, "░")


def on_the_way(units: np.ndarray, room: int) -> str:
    """Return a line of numbers or, where they do not fit, a sparkline and the total."""
    numbers = " ".join(amount(value) for value in units)
    if len(numbers) <= room:
        return numbers
    total = amount(units.sum())
    bins = [part.sum() for part in np.array_split(units, min(len(units), max(1, room - len(total) - 2)))]
    levels = np.ceil(8 * np.array(bins) / max(bins, default=1.0)).astype(int) if max(bins) > 0 else [0] * len(bins)
    return "".join(BLOCKS[level] for level in levels) + f" ={total}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int]) -> list[str]:
    """Return lines of aligned columns: to the left where said, else to the right."""
    cells = [headings, *rows]
    widths = [max(len(row[k]) for row in cells) for k in range(len(headings))]
    return [
        "  ".join(f"{cell:{'<' if k in left else '>'}{widths[k]}}" for k, cell in enumerate(row)).rstrip()
        for row in cells
    ]


def ingredients(network: Network, j: int) -> str:
    """Return what source j needs for one unit."""
    needs = [f"{amount(units)} {network.stage_names[m]}" for m, units in network.inputs[j]]
    return " + ".join(needs) if needs else "outside supply"
