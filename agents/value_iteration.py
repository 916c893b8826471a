"""Relative value iteration with proven bounds, and the compiled sweeps of four inventory systems.

`relative_value_iteration` repeats h <- T h - (T h)(0), T being the best of one period's cost plus what follows. In
every iteration the optimal average cost lies between the least and the greatest entry of T h - h (MacQueen 1966,
Journal of Mathematical Analysis and Applications 14; Odoni 1969, Operations Research 17(5)): a cost has its error.

A sweep is T for one system: it fills `new` from `values` and notes the decisions. Where a value function is L-natural
convex the best order is found by walking downhill from the one of the neighbouring state. A state space is cut at a
total of units that no best decision reaches: sweeps tell whether one did (`binding`), and then the space has to grow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from pushpull.envs.checks import InputError

MOST_STATES = 4e7

_compiled = njit(cache=True, nogil=True, error_model="numpy")


class Converged(NamedTuple):
    """The average cost per period, between `low` and `high`, and the relative values [S]."""

    cost: float
    low: float
    high: float
    values: np.ndarray
    iterations: int


class ConvergenceError(RuntimeError):
    """The bounds stay apart: the chain of the best policy is periodic, or mixes too slowly."""


def relative_value_iteration(
    sweep: Callable[[np.ndarray], np.ndarray],
    values: np.ndarray,
    periods: int = 1,
    tolerance: float = 1e-6,
    most: int = 30_000,
    between: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Converged:
    """Repeat a sweep until its bounds on the average cost are close.

    Parameters
    ----------
    sweep : callable
        T: from values [S] to the values [S] of `periods` periods more, in an array of its own.
    values : ndarray [S]
        Where to start.
    periods : int
        Periods that a sweep stands for: the length of a season.
    tolerance : float
        Greatest distance of the bounds, relative to the cost (absolute below a cost of 1).
    most : int
        Iterations after which it gives up.
    between : callable, optional
        What brings values [S] nearer to the best between two sweeps, where sweeps are dear.

    Raises
    ------
    ConvergenceError
        If the bounds are not close after the most iterations.
    """
    for iteration in range(1, most + 1):
        new = sweep(values)
        low, high = difference_bounds(new, values)
        low, high = low / periods, high / periods
        values = new - new[0]
        if high - low <= tolerance * max(1.0, abs(high)):
            return Converged((low + high) / 2, low, high, values, iteration)
        values = values if between is None else between(values)
    raise ConvergenceError(
        f"the optimal cost lies between {low:g} and {high:g}, no closer after {most} iterations: there is too little "
        "capacity to spare, or the best policy is periodic"
    )


@_compiled
def difference_bounds(new, values):
    """Return the least and the greatest difference of two arrays."""
    low, high = np.inf, -np.inf
    for n in range(new.size):
        difference = new[n] - values[n]
        low = min(low, difference)
        high = max(high, difference)
    return low, high


# --- states with a pipeline: (stock, units due next, ..., units due last), their total at most `most_units` -----------


class PipelineStates:
    """Numbers for the states (x, v1, ..., vk), all at least 0 and their sum at most `most_units`.

    States of equal v stand together by rising x. `block` holds v as one number in base `most_units` + 1, `room` what v
    leaves for x, and `first` where the states of v begin, by that number.
    """

    def __init__(self, due: int, most_units: int):
        base = most_units + 1
        totals = np.zeros(1, dtype=np.int64)
        for _ in range(due):
            totals = (totals[:, None] + np.arange(base)).ravel()
        self.due, self.most_units, self.base = due, most_units, base
        self.block = np.flatnonzero(totals <= most_units)
        self.room = most_units - totals[self.block]
        self.first = np.full(base**due, -1, dtype=np.int64)
        self.first[self.block] = np.cumsum(self.room + 1) - (self.room + 1)
        self.size = int((self.room + 1).sum())

    @classmethod
    def within_memory(cls, due: int, most_units: int) -> PipelineStates:
        """Return the states, or an error where they are too many."""
        states = math.comb(most_units + due + 1, due + 1)
        if max(states, (most_units + 1) ** due) > MOST_STATES:
            raise InputError(
                "lead_time",
                f"{due + 1} with up to {most_units} units on the way makes {states:.2g} states, too many to keep (at "
                f"most {MOST_STATES:.2g}); give a shorter lead time, or less demand",
            )
        return cls(due, most_units)

    def number(self, x: np.ndarray, due: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of states [B] and whether they are among them; where not, the number is 0."""
        total = x + sum(due, np.zeros_like(x))
        inside = (x >= 0) & (total <= self.most_units)
        block = np.zeros_like(x)
        for units in due:
            block = block * self.base + np.where(inside, units, 0)
        return np.where(inside, self.first[block] + np.where(inside, x, 0), 0), inside


@_compiled
def lost_sales_sweep(due, base, block, room, first, pmf, above, cost, unit_cost, most, values, orders, new):
    """Let a unit that finds no stock be lost: x' = max(0, x - d) + v1, v' = (v2, ..., q); return whether q is cut.

    `above[x]` is P(D >= x), `cost[x]` the cost of holding and losing in a period that begins with x, `most` the largest
    order. Orders hold the best q of the iteration before and take that of this one.
    """
    binding = False
    inner = base ** max(due - 1, 0)
    for n in range(block.size):
        at = first[block[n]]
        next_due = block[n] // inner if due else 0
        kept = (block[n] % inner) * base if due else 0
        q = orders[at]
        for x in range(room[n] + 1):
            limit = min(most, room[n] - x)
            q = min(q, limit)
            best = unit_cost * q + _after_loss(due, first, kept, next_due, q, x, pmf, above, values)
            while q > 0:
                lower = unit_cost * (q - 1) + _after_loss(due, first, kept, next_due, q - 1, x, pmf, above, values)
                if lower > best:
                    break
                best = lower
                q -= 1
            while q < limit:
                higher = unit_cost * (q + 1) + _after_loss(due, first, kept, next_due, q + 1, x, pmf, above, values)
                if higher >= best:
                    break
                best = higher
                q += 1
            if q == limit and q > 0 and q < most:
                binding = True
            orders[at + x] = q
            new[at + x] = cost[x] + best
    return binding


@_compiled
def lost_sales_evaluation(due, base, block, room, first, pmf, above, cost, orders, values, new):
    """Fill `new` for given orders, any cost[x] by stock."""
    inner = base ** max(due - 1, 0)
    for n in range(block.size):
        at = first[block[n]]
        next_due = block[n] // inner if due else 0
        kept = (block[n] % inner) * base if due else 0
        for x in range(room[n] + 1):
            q = orders[at + x]
            new[at + x] = cost[x] + _after_loss(due, first, kept, next_due, q, x, pmf, above, values)


@_compiled
def _after_loss(due, first, kept, next_due, q, x, pmf, above, values):
    """Mean of the values after demand, if q is ordered; without units due, q itself is what arrives next."""
    start = first[kept + q] + next_due if due else q
    total = above[x] * values[start]
    for d in range(min(x, pmf.size)):
        total += pmf[d] * values[start + x - d]
    return total


@_compiled
def dual_sourcing_sweep(
    due, base, block, room, first, pmf, cost, fast_cost, slow_cost, most, values, levels, orders, new
):
    """Let demand wait and two sources serve: first the fast one lifts x to y, then the slow one orders q.

    x' = y - d + v1, v' = (v2, ..., q), where x counts from the lowest stock of the state space; below that a unit more
    saves `fast_cost`. `cost[y]` is the cost of the period in which an order of the fast source arrives, if its position
    is y. `levels` take y by x, `orders` q by y.
    """
    work = np.empty(base)
    inner = base ** max(due - 1, 0)
    for n in range(block.size):
        at = first[block[n]]
        next_due = block[n] // inner if due else 0
        kept = (block[n] % inner) * base if due else 0
        q = orders[at]
        for y in range(room[n] + 1):
            limit = min(most, room[n] - y)
            q = min(q, limit)
            best = slow_cost * q + _after_waiting(due, first, kept, next_due, q, y, pmf, fast_cost, values)
            while q > 0:
                lower = slow_cost * (q - 1) + _after_waiting(
                    due, first, kept, next_due, q - 1, y, pmf, fast_cost, values
                )
                if lower > best:
                    break
                best = lower
                q -= 1
            while q < limit:
                higher = slow_cost * (q + 1) + _after_waiting(
                    due, first, kept, next_due, q + 1, y, pmf, fast_cost, values
                )
                if higher >= best:
                    break
                best = higher
                q += 1
            orders[at + y] = q
            work[y] = fast_cost * y + cost[y] + best
        level = room[n]
        for x in range(room[n], -1, -1):
            if work[x] <= work[level]:
                level = x
            levels[at + x] = level
            new[at + x] = work[level] - fast_cost * x


@_compiled
def _after_waiting(due, first, kept, next_due, q, y, pmf, fast_cost, values):
    """Mean of the values after demand; below the first value of a block a unit costs `fast_cost`."""
    start = first[kept + q] if due else 0
    position = y + (next_due if due else q)
    total = 0.0
    for d in range(pmf.size):
        after = position - d
        total += pmf[d] * (values[start + after] if after >= 0 else values[start] - fast_cost * after)
    return total


@_compiled
def dual_sourcing_edges(due, base, block, room, first, pmf, most, levels, orders, start):
    """Follow decisions from a state; return whether any is cut at the lowest stock, and at the largest total."""
    too_low, cut = False, False
    inner = base ** max(due - 1, 0)
    owner = np.empty(levels.size, dtype=np.int64)
    for n in range(block.size):
        owner[first[block[n]] : first[block[n]] + room[n] + 1] = n
    seen = np.zeros(levels.size, dtype=np.bool_)
    waiting = np.empty(levels.size, dtype=np.int64)
    seen[start], waiting[0], many = True, start, 1
    while many:
        many -= 1
        state = waiting[many]
        n = owner[state]
        y = levels[state]
        q = orders[first[block[n]] + y]
        too_low |= y == 0
        cut |= y == room[n] or (q > 0 and q < most and y + q == room[n])
        kept = (block[n] % inner) * base + q if due else 0
        after = y + (block[n] // inner if due else q)
        for d in range(pmf.size):
            if pmf[d] > 0:
                too_low |= d > after
                following = first[kept] + max(after - d, 0)
                if not seen[following]:
                    seen[following] = True
                    waiting[many] = following
                    many += 1
    return too_low, cut


# --- a push stage and a pull stage with capacities, in a season -------------------------------------------------------


@_compiled
def push_pull_sweep(pmf, buffer_cost, finished_cost, push_limit, pull_limit, values, releases, pulls, new):
    """Release u into the buffer and take r <= b from it into finished stock: b' = b - r + u, i' = i + r - d.

    Values are [buffer, finished]; finished stock counts from the lowest of the state space, where demand beyond it is
    forgiven. `finished_cost[i]` is the mean cost of finished stock i, and of what is owed, after the period's demand.
    """
    rows, columns = values.shape
    work, best = np.empty((rows, columns)), np.empty((rows, columns), dtype=np.int64)
    for b in range(rows):
        for z in range(columns):
            total = 0.0
            for d in range(pmf.size):
                total += pmf[d] * values[b, max(z - d, 0)]
            work[b, z] = total
    for b in range(rows):  # the best release: up to which buffer
        for z in range(columns):
            up_to = b
            for target in range(b + 1, min(b + push_limit, rows - 1) + 1):
                if work[target, z] < work[up_to, z]:
                    up_to = target
            best[b, z] = up_to
    for b in range(rows):
        for i in range(columns):
            least, pull = np.inf, 0
            for r in range(min(b, pull_limit, columns - 1 - i) + 1):
                left = b - r
                total = buffer_cost * left + work[best[left, i + r], i + r]
                if total < least:
                    least, pull = total, r
            pulls[b, i] = pull
            releases[b, i] = best[b - pull, i + pull] - (b - pull)
            new[b, i] = finished_cost[i] + least


@_compiled
def push_then_pull_sweep(
    pmf, above, buffer_cost, finished_cost, push_limit, pull_limit, reach, values, releases, levels, new
):
    """Release u before demand, and after it order up to S; what cannot start waits, and starts when it can.

    Values are [buffer b, finished i, position j], j being i and the orders that wait; i counts from the lowest of the
    state space, j from `above` units above it. Demand d lifts the position to max(j - d, S), of which as much as waits,
    the buffer and the limit allow, r, starts: b' = b + u - r, i' = i - d + r. Decisions are tried within `reach` of
    those that are given: 0 evaluates them. No state has i > j; such values are those of j = i.
    """
    rows, columns, positions = values.shape
    for b in range(rows):
        for i in range(columns):
            for j in range(max(i - above, 0), positions):
                u0, s0 = releases[b, i, j], levels[b, i, j]
                least, best_u, best_s = np.inf, u0, s0
                lowest = min(max(s0 - reach, j - pmf.size + 1, 0), positions - 1)  # lower levels change nothing
                for s in range(min(lowest, s0), min(s0 + reach, positions - 1) + 1):
                    for u in range(max(u0 - reach, 0), min(u0 + reach, push_limit, rows - 1 - b) + 1):
                        total = 0.0
                        for d in range(pmf.size):
                            after, position = max(i - d, 0), max(j - d, s)
                            r = min(position + above - after, b, pull_limit)
                            total += pmf[d] * (buffer_cost * (b - r) + values[b + u - r, after + r, position])
                        if total < least:
                            least, best_u, best_s = total, u, s
                releases[b, i, j], levels[b, i, j] = best_u, best_s
                new[b, i, j] = finished_cost[i] + least
            for j in range(min(max(i - above, 0), positions)):
                new[b, i, j] = new[b, i, i - above]


# --- a tandem queue that makes to stock, event by event ---------------------------------------------------------------


@_compiled
def tandem_sweep(arrival, service_1, service_2, cost_1, stock_cost, choose, values, makes_1, makes_2, new):
    """Take one event of the uniformised chain: demand, a completion at stage 1, or one at stage 2, if it works.

    Values are [buffer, net stock], net stock counting from the lowest of the state space; rates sum to 1. Where it may
    not choose, stages work as given.
    """
    rows, columns = values.shape
    for b in range(rows):
        for i in range(columns):
            stay = values[b, i]
            after_demand = values[b, max(i - 1, 0)]
            after_1, after_2 = stay, stay
            if b + 1 < rows:
                if choose:
                    makes_1[b, i] = values[b + 1, i] < stay
                if makes_1[b, i]:
                    after_1 = values[b + 1, i]
            if b > 0 and i + 1 < columns:
                if choose:
                    makes_2[b, i] = values[b - 1, i + 1] < stay
                if makes_2[b, i]:
                    after_2 = values[b - 1, i + 1]
            new[b, i] = cost_1 * b + stock_cost[i] + arrival * after_demand + service_1 * after_1 + service_2 * after_2
