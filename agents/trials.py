"""Numbers that no formula gives are found by trial: pattern search in worlds that no comparison uses.

`search` moves one number at a time up and down by a step, up to three of them also together, keeps what is better and
halves the step when nothing is (Hooke & Jeeves 1961, Direct search, Journal of the ACM 8(2)); then it tries each number
at 0, which no small steps lead to where a stage had better not be replenished at all. All trials meet the same worlds
(common random numbers), so that numbers that differ little can be told apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np

from pushpull.agents.lead_time_demand import TRIAL_WORLDS
from pushpull.envs.demand_paths import demand_paths
from pushpull.envs.network import Network
from pushpull.envs.observations import View

Numbers = dict[str, float]


class Heuristic(Protocol):
    """A policy and the network that it plays."""

    network: Network

    def act(self, view: View) -> np.ndarray: ...


@dataclass(frozen=True)
class Kind:
    """A heuristic whose numbers are searched for.

    Attributes
    ----------
    start : mapping of str to float
        Numbers by name, where the search starts.
    make : callable
        Takes numbers and returns the policy, whose `network` is the one to be played.
    """

    start: Numbers
    make: Callable[[Numbers], Heuristic]


@dataclass(frozen=True)
class Found:
    """The best numbers of a kind, their policy, the mean cost in the trial worlds, and how many trials it took."""

    numbers: Numbers
    policy: Heuristic
    cost: float
    trials: int


def search(
    kind: Kind,
    cost: Callable[[Heuristic], float],
    whole: bool,
    trials: int,
    seconds: float = np.inf,
    precision: float = 0.005,
) -> Found:
    """Return the best numbers of a kind that a pattern search finds.

    Parameters
    ----------
    kind : Kind
        What is searched.
    cost : callable
        What is minimised: the mean cost of a policy in the trial worlds, or less its profit.
    whole, trials, seconds, precision
        As of `pattern_search`.
    """
    numbers, least, tried = pattern_search(
        kind.start, lambda given: cost(kind.make(given)), whole, trials, seconds, precision
    )
    return Found(numbers, kind.make(numbers), least, tried)


def pattern_search(
    start: Numbers,
    cost: Callable[[Numbers], float],
    whole: bool,
    trials: int,
    seconds: float = np.inf,
    precision: float = 0.005,
) -> tuple[Numbers, float, int]:
    """Return the best numbers that a pattern search finds, their cost, and how many trials it took.

    Parameters
    ----------
    start : mapping of str to float
        Numbers by name, where the search starts.
    cost : callable
        What is minimised.
    whole : bool
        Whether numbers are whole.
    trials, seconds : int, float
        Most trials to make, and when to make no more.
    precision : float
        Share of a number below which steps end in real units.
    """
    names, deadline = list(start), time.perf_counter() + seconds
    tried: dict[tuple[float, ...], float] = {}
    point = np.array([np.rint(value) if whole else value for value in start.values()], dtype=float)

    def value(at: np.ndarray) -> float:
        key = tuple(at.tolist())
        if key not in tried:
            tried[key] = cost(dict(zip(names, key, strict=True)))
        return tried[key]

    least = np.ones(len(point)) if whole else np.maximum(precision * np.abs(point), 1e-3)
    axes = [sign * axis for axis in np.eye(len(point)) for sign in (1, -1)]
    diagonals = [np.array(signs) for signs in product((1, -1), repeat=len(point))] if 1 < len(point) <= 3 else []

    def goes_on() -> bool:
        return len(tried) < trials and time.perf_counter() < deadline

    def descend(point: np.ndarray) -> np.ndarray:
        best, step = value(point), np.maximum(np.abs(point) / 4, 1.0)
        step = np.rint(step) if whole else step
        while (step >= least).any() and goes_on():
            before = point
            for move in (*axes, *diagonals):
                there = point + move * np.where(step >= least, step, 0.0)
                if goes_on() and value(there) < best:
                    point, best = there, value(there)
            if point is before:
                step = np.floor(step / 2) if whole else step / 2
        return point

    point = descend(point)
    for k in range(len(point)):
        without = np.where(np.arange(len(point)) == k, 0.0, point)
        if goes_on() and value(without) < value(point):
            point = descend(without)
    return dict(zip(names, point.tolist(), strict=True)), value(point), len(tried)


def trial_demand(network: Network, periods: int, worlds: int) -> np.ndarray:
    """Return demand of the first market in trial worlds, [periods, worlds]."""
    return demand_paths(network, periods, [(TRIAL_WORLDS[0], episode) for episode in range(worlds)])[0][:periods]
