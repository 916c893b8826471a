"""Reorder levels and lots are those of the literature and of trying them all."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from pushpull.agents.single_stage import (
    best_lot,
    best_reorder,
    best_reorder_levels,
    period_cost,
    renewal_measure,
    reorder_cost,
)
from pushpull.envs import InputError

COUNTS = np.arange(150)


def poisson(mean: float) -> np.ndarray:
    return stats.poisson.pmf(COUNTS, mean)


# Zheng & Federgruen (1991), Operations Research 39(4), Table I: h = 1, b = 9, K = 64; then Snyder & Shen (2019),
# Example 4.7.
@pytest.mark.parametrize(
    ("mean", "penalty", "fixed_cost", "levels", "cost"),
    [
        (10, 9, 64, (6, 40), 35.022),
        (15, 9, 64, (10, 49), 42.698),
        (20, 9, 64, (14, 62), 49.173),
        (6, 4, 5, (4, 10), 8.0341),
    ],
)
def test_reorder_levels_are_those_of_the_literature(mean, penalty, fixed_cost, levels, cost):
    s, S, found = best_reorder_levels(poisson(mean), period_cost(poisson(mean), 1, penalty), fixed_cost)
    assert (s, S) == levels
    assert found == pytest.approx(cost, abs=5e-4)


def test_a_lot_is_that_of_the_literature():
    """Continuous review, unit demands at rate 1.5, lead time 2, h = 20, b = 150, K = 100 (Snyder & Shen 2019, 5.3)."""
    r, Q, cost = best_lot(period_cost(poisson(1.5 * 2), 20, 150), 100 * 1.5)
    assert (r, Q) == (3, 5)
    assert cost == pytest.approx(107.92, abs=5e-3)


LUMPY = np.array([0.5, 0.1, 0.0, 0.1, 0.0, 0.0, 0.3])


@pytest.mark.parametrize(("demand", "fixed_cost"), [(poisson(3), 7), (LUMPY, 4), (LUMPY, 25), (poisson(2), 0)])
def test_no_other_pair_of_levels_costs_less(demand, fixed_cost):
    cost = period_cost(np.convolve(demand, demand), 1, 5)
    average = reorder_cost(demand, cost, fixed_cost)
    s, S, least = best_reorder_levels(demand, cost, fixed_cost)
    assert least == average(s, S)
    assert least <= min(average(s, S) for s, S in product(range(-10, 20), range(-9, 45)) if s < S) + 1e-12


@pytest.mark.parametrize("Q", [1, 4, 9])
def test_no_other_reorder_point_of_a_lot_costs_less(Q):
    cost = period_cost(poisson(6), 1, 5)
    r, least = best_reorder(cost, Q)
    assert least == pytest.approx(min(np.mean([cost(y) for y in range(r + 1, r + Q + 1)]) for r in range(-20, 30)))
    assert least == pytest.approx(np.mean([cost(y) for y in range(r + 1, r + Q + 1)]))


def test_no_other_lot_costs_less():
    cost = period_cost(poisson(6), 1, 5)
    _, _, least = best_lot(cost, 40)
    tried = [(40 + sum(cost(y) for y in range(r + 1, r + Q + 1))) / Q for r in range(-30, 20) for Q in range(1, 60)]
    assert least == pytest.approx(min(tried))


def test_the_renewal_measure_counts_the_periods_that_begin_with_some_demand_since_the_last_order():
    measure, since, counted = renewal_measure(LUMPY), np.eye(1, 9)[0], np.zeros(9)
    for _ in range(200):
        counted += since
        since = np.convolve(since, LUMPY)[:9]
    np.testing.assert_allclose([measure(j) for j in range(9)], counted, rtol=1e-12)


def test_demand_that_never_comes_is_refused():
    with pytest.raises(InputError, match="always 0"):
        renewal_measure(np.array([1.0]))
