"""Postponement: late differentiation pools what early differentiation spreads, in theory and in our network."""

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.envs import Network, load_network, simulate
from pushpull.envs.engine import Engine
from pushpull.envs.rules import Rules
from pushpull.experiments.statistics import estimate, paired_difference

LEAD_TIME, LEVEL, COVERED = 3, 5000.0, 0.95
REGIONS = ("north", "south", "east", "west")


def family(variants: int, correlation: float, late: bool) -> Network:
    """Return variants with normal demand: finished at once from one stock (late), or each its own from the start."""
    market = {"demand": {"kind": "normal", "mean": 100, "sd": 10}}
    made = {"sources": [{"lead_time": LEAD_TIME}], "initial_on_hand": LEVEL}
    finished = {"sources": [{"inputs": {"generic": 1}, "lead_time": 0}]}
    stages = {"generic": made} if late else {}
    stages |= {f"variant{k}": {**(finished if late else made), "market": market} for k in range(variants)}
    return Network.from_dict(
        {
            "units": "real",
            "decoupling_point": "supply",
            "horizon": 2000,
            "warm_up": 10,
            "demand_correlation": correlation,
            "stages": stages,
        }
    )


def safety_stock(network: Network, episodes: int) -> np.ndarray:
    """Return the stock beyond its mean use that every stock needs to serve `COVERED` of all periods in full, [B].

    Levels are so high that nothing ever runs out; so stock falls short of its level by demand over the lead time,
    whatever the level is, and the level that covers a share of periods is that quantile of what it falls short by.
    """
    stocks = [name for name, stage in network.stages.items() if stage.initial_on_hand]
    policy = Rules(network, {f"{name}.pull_threshold": LEVEL for name in stocks})  # of the others 0
    engine = Engine(network, episodes)
    engine.reset(0)
    left = []
    while not engine.ended.all():
        engine.step(policy.act(engine.view()))
        left.append(engine.flows.on_hand.copy())
    places = [network.stage_names.index(name) for name in stocks]
    used = LEVEL - np.array(left)[network.warm_up :, places]
    assert (used < LEVEL).all() and not engine.totals.owed.any()
    return (np.quantile(used, COVERED, axis=0) - used.mean(axis=0)).sum(axis=0)


CASES = [(2, 0), (4, 0), (9, 0), (4, 0.5), (4, 0.9), (4, -0.25), (9, 0.2)]


@pytest.mark.parametrize(("variants", "correlation"), CASES)
def test_late_differentiation_saves_what_pooling_saves(variants, correlation):
    """Of n equal markets one stock needs sqrt((1 + (n - 1) r) / n) of the safety of n stocks (Eppen 1979)."""
    episodes = 24
    early, late = (safety_stock(family(variants, correlation, late), episodes) for late in (False, True))
    saving = estimate(1 - late / early, confidence=0.999)
    assert saving.high - saving.low < 0.03
    assert saving.low < 1 - np.sqrt((1 + (variants - 1) * correlation) / variants) < saving.high


def outcomes(network: Network, point: str):
    decoupled = network.with_decoupling_point(point)
    return simulate(decoupled, make_policy("push_pull", decoupled), 400, seed=0)


def test_the_printers_are_better_localised_late():
    late, early = (outcomes(load_network("postponement"), point) for point in ("printer", "market"))
    assert paired_difference(late["profit"], early["profit"]).low > 0
    assert paired_difference(late["stock_value"], early["stock_value"]).high < -500
    assert late["fill_rate"].mean() > early["fill_rate"].mean() - 0.01


def test_digital_postponement_keeps_no_stock_of_variants():
    """Finishing takes no time, so every printer can still become any: half the stock, and no less profit."""
    settings = load_network("postponement").to_dict()
    for region in REGIONS:
        settings["stages"][region] |= {"initial_on_hand": 0}
        settings["stages"][region]["sources"][0] |= {"lead_time": 0, "initial_pipeline": []}
    digital, late = (outcomes(n, "printer") for n in (Network.from_dict(settings), load_network("postponement")))
    assert not digital[[f"stock.{region}" for region in REGIONS]].to_numpy().any()
    assert paired_difference(digital["profit"], late["profit"]).low > -1
    assert paired_difference(digital["stock_value"], late["stock_value"] / 2).high < 0
    assert digital["fill_rate"].mean() > late["fill_rate"].mean() - 0.05
