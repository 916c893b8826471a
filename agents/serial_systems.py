"""Stages in a row without capacities, solved exactly by Clark & Scarf (1960, Management Science 6(4)).

From the market up, with echelon holding costs h_j = (local holding cost) - (that of the supplier), backorder cost b and
D_j the demand that an order of stage j has to cover (its `exposure`):

    C_j(y) = E[h_j (y - D_j) + penalty_j(y - D_j)],  S_j = argmin C_j,  penalty_{j+1}(x) = C_j(min(x, S_j)),

beginning with penalty_1(x) = (b + local holding cost) max(0, -x) (Snyder & Shen 2019, Theorem 6.1). Echelon base-stock
levels S_j are optimal among all policies. One stage is a newsvendor.

Whole demand is exact. Other demand is put on a lattice of 1/256 of its deviation, which moves the cost by some 1e-6 of
it; a doubled step tells by how much, and that is the error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.signal import fftconvolve

from pushpull.agents.exposure import periods_covered
from pushpull.agents.solution import (
    Solution,
    cost_that_no_policy_changes,
    demand_law,
    in_a_row,
    only,
    waits_at_a_price,
)
from pushpull.envs.actions import ActionSpace
from pushpull.envs.checks import InputError
from pushpull.envs.demand import pmf
from pushpull.envs.network import Network
from pushpull.envs.observations import View
from pushpull.envs.rules import Rules

_CELLS_PER_SD = 256
_MOST_CELLS = 1e6
_FLAT = 1e-11  # relative rounding noise of transforms


def solve_serial_system(network: Network) -> Solution:
    """Return the optimum of stages in a row.

    Where orders take time to reach a supplier (`order_delay`), what is optimal is best among policies in which every
    stage acts on the orders that have reached it (Chen 1999, Management Science 45(8)): delays then add to lead times.
    """
    row = in_a_row(network)
    only(network, source=("order_delay",))
    sources = [network.sources_of[i][0] for i in row]
    waits_at_a_price(network, row[0])
    exposures = _exposures(network, row)
    local = [network.stages[network.stage_names[i]].holding_cost for i in row]
    echelon = [own - above for own, above in pairwise([*local, 0.0])]
    for k in (k for k, rate in enumerate(echelon) if rate < 0):
        raise InputError(
            f"stages.{network.stage_names[row[k]]}.holding_cost",
            f"{local[k]:g} is below that of its supplier, {local[k + 1]:g}; stock would never wait upstream, give more",
        )
    law, penalty = demand_law(network), network.markets[row[0]].backorder_cost
    step = 1.0
    if not law.whole:  # where demand hardly varies, as fine as memory allows
        step = max(float(np.sqrt(law.variance)) / _CELLS_PER_SD, law.mean * max(1, sum(exposures)) / _MOST_CELLS)
    best = clark_scarf(pmf(law, step), step, exposures, echelon, penalty)
    error = 0.0
    if not law.whole:
        error = abs(clark_scarf(pmf(law, 2 * step), 2 * step, exposures, echelon, penalty).cost - best.cost)
    moved = 0.0  # what C_1, ..., C_N count otherwise than periods end, and units on their way as their sender's stock
    for k, j in enumerate(sources):
        arrival = network.sources[j].lead_time + network.order_delays[j]
        before = network.sequence.index(network.modes[j]) < network.sequence.index("demand")
        sender = local[k + 1] if k + 1 < len(row) else 0.0
        moved += law.mean * (echelon[k] * (arrival + before - exposures[k]) + sender * arrival)
    levels = {network.stage_names[i]: level for i, level in zip(row, best.levels, strict=True)}
    return Solution(
        cost=best.cost - moved + cost_that_no_policy_changes(network),
        policy=EchelonBaseStock(network, levels),
        method="Clark & Scarf (1960)" if len(row) > 1 else "newsvendor (Arrow, Harris & Marschak 1951)",
        error=error,
        levels=levels,
    )


class ClarkScarf(NamedTuple):
    """The cost C_N(S_N), and the echelon base-stock levels from the market up."""

    cost: float
    levels: list[float]


def clark_scarf(
    demand: np.ndarray, step: float, exposures: Sequence[int], echelon_holding_costs: Sequence[float], penalty: float
) -> ClarkScarf:
    """Solve a serial system; sequences run from the market up.

    Parameters
    ----------
    demand : ndarray [D + 1]
        Probabilities of 0, step, 2 step, ... units in a period.
    step : float
        Units.
    exposures : sequence of int
        Periods of demand between the order of each stage and the use of what it brings.
    echelon_holding_costs : sequence of float
        Per unit and period, at least 0.
    penalty : float
        Backorder cost b per unit and period.
    """
    size = (demand.size - 1) * max(1, sum(exposures)) + 1
    y = np.arange(size) * step
    transform = np.fft.rfft(demand, size)
    follows, slope = np.zeros(size), -(penalty + sum(echelon_holding_costs))  # slope: of costs below 0
    levels: list[float] = []
    cost = 0.0
    for periods, holding in zip(exposures, echelon_holding_costs, strict=True):
        covered = np.maximum(0.0, np.fft.irfft(transform**periods, size)) if periods else np.eye(1, size)[0]
        slope += holding
        arriving = holding * y + follows
        above = np.maximum(0.0, 1 - np.cumsum(covered))
        missing = np.maximum(0.0, covered @ y - np.cumsum(covered * y) - y * above)  # E max(0, D - y)
        costs = fftconvolve(arriving, covered)[:size] + above * arriving[0] - slope * missing
        best = int(np.argmax(costs <= costs.min() + _FLAT * max(1.0, abs(costs.min()))))  # the lowest of equals
        levels.append(float(y[best]))
        cost = float(costs[best])
        follows = np.where(np.arange(size) < best, costs, cost)
    return ClarkScarf(cost, levels)


def _exposures(network: Network, row: list[int]) -> list[int]:
    """Return the exposure of each stage, from the market up; refuse rows in which echelon levels cannot be played."""
    exposures = []
    for k, i in enumerate(row):
        (j,) = network.sources_of[i]
        source, name = network.sources[j], network.stage_names[i]
        event, use = ("demand", "ship") if k == 0 else (network.modes[network.sources_of[row[k - 1]][0]],) * 2
        if k and network.modes[j] == "pull" and event == "push":
            raise InputError(
                f"stages.{name}.sources[0].mode", "pull, for a stage that pushes; let it push too, or let that one pull"
            )
        if network.modes[j] == "pull" and source.basis == "physical":
            raise InputError(f"stages.{name}.sources[0].basis", "'physical' is blind to orders; use echelon")
        if source.order_delay and (set(network.modes) != {"pull"} or source.basis != "installation"):
            raise InputError(
                f"stages.{name}.sources[0].order_delay",
                f"{source.order_delay}: all stages have to pull, on basis installation, where orders travel",
            )
        exposures.append(periods_covered(network, network.modes, j, event, use)[0])
    return exposures


class EchelonBaseStock:
    """Keep every echelon at its base-stock level.

    A level above that of a stage upstream is cut to it, which changes nothing in the long run; then the installation
    levels, each the difference of two, order alike (Axsater & Rosling 1993, Management Science 39(10)).

    Parameters
    ----------
    network : Network
        Stages in a row.
    levels : mapping of str to float
        Units by stage.
    """

    def __init__(self, network: Network, levels: Mapping[str, float]):
        self._network, self._entries = network, ActionSpace(network).entries
        row = in_a_row(network)
        nested = np.minimum.accumulate([levels[network.stage_names[i]] for i in reversed(row)])[::-1]
        own = np.diff(nested, prepend=0.0)
        self._echelon, self._installation = np.empty(len(row)), np.empty(len(row))
        self._echelon[row], self._installation[row] = nested, own

    @property
    def rules(self) -> Rules | None:
        """The policy as rules for compiled code, where all stages pull."""
        if set(self._network.modes) != {"pull"}:
            return None
        names = ActionSpace(self._network).names
        return Rules(
            self._network, {name: self._threshold(j) for name, (j, _) in zip(names, self._entries, strict=True)}
        )

    def _threshold(self, j: int) -> float:
        i = self._network.source_stage[j]
        return float((self._echelon if self._network.sources[j].basis == "echelon" else self._installation)[i])

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units."""
        actions = np.empty((len(view.period), len(self._entries)))
        for k, (j, column) in enumerate(self._entries):
            i = self._network.source_stage[j]
            if column == "quantity":
                actions[:, k] = np.maximum(self._echelon[i] - view.echelon_inventory_position[i], 0.0)
            else:
                actions[:, k] = self._threshold(j)
        return actions
