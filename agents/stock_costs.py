"""What stock costs in one period, before its demand is known: the loss functions that exact solvers begin with."""

from __future__ import annotations

import numpy as np


def demand_over(demand: np.ndarray, periods: int) -> np.ndarray:
    """Return the probabilities of demand summed over some periods, from those of one, [D + 1] each."""
    total = np.ones(1)
    for _ in range(periods):
        total = np.convolve(total, demand)
    return total


def newsvendor_level(demand: np.ndarray, holding_cost: float, shortage_cost: float) -> int:
    """Return the least level that demand does not exceed with probability b / (b + h) (Arrow, Harris & Marschak 1951).

    It is the least that minimises the cost of h per unit left and b per unit short.
    """
    share = shortage_cost / (shortage_cost + holding_cost)
    return min(int(np.searchsorted(np.cumsum(demand), share - 1e-12)), demand.size - 1)


def left_over(levels: np.ndarray, demand: np.ndarray) -> np.ndarray:
    """Return E max(0, y - D) for whole levels y that rise by 1; its increments are P(D <= y)."""
    cumulated = np.cumsum(demand)
    below = np.where(levels < 0, 0.0, cumulated[np.clip(levels, 0, demand.size - 1)])
    first = float(demand @ np.maximum(levels[0] - np.arange(demand.size), 0))
    return first + np.concatenate([[0.0], np.cumsum(below[:-1])])


def backorder_costs(levels: np.ndarray, demand: np.ndarray, holding_cost: float, backorder_cost: float) -> np.ndarray:
    """Return E h max(0, y - D) + b max(0, D - y) for whole levels y that rise by 1."""
    left = left_over(levels, demand)
    return holding_cost * left + backorder_cost * (left - levels + demand @ np.arange(demand.size))
