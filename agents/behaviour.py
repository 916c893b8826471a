"""How people order: anchoring and adjustment (Sterman 1989, Modeling managerial behavior, Management Science 35(3)).

A firm anchors on the orders that it expects, and adjusts for the stock and the supply line that it would rather have:

    O = max(0, L + alpha (S' - S - beta SL))      L <- theta (incoming orders) + (1 - theta) L

S is stock less what is owed, SL all that is on order. S' is desired stock plus beta times the desired supply line.
People forget much of the supply line (beta near 0.34), so they order again what they have ordered already, and a small
step in demand makes the chain swing. With beta = 1 nothing is forgotten; with alpha = 1 and theta = 0 as well, it is a
base-stock rule.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pushpull.agents.lead_time_demand import LeadTimeDemand
from pushpull.agents.memory import Memory
from pushpull.agents.orders import Orders
from pushpull.envs.checks import InputError, number, optional, suggest
from pushpull.envs.network import Network
from pushpull.envs.observations import View

_SHARE, _UNITS = number(0, 1), optional(number(0))


class Sterman:
    """Order as the players of the beer game did.

    Everybody anchors on the orders of the week: upstream firms on those that come out of the mail, a firm that sells on
    demand of the week before. Where its trigger sees the demand of the week itself, it orders what the rule says if
    demand is as expected, and a unit more for each unit of surprise; with ``lot: {rule: smoothed, adjust_time:
    1 / (alpha + theta)}`` alpha + theta of a unit, which is the rule on the demand of the week to the letter.

    Parameters
    ----------
    network : Network
        One source per stage; a source with a supplier that pulls after demand needs an `order_delay`.
    alpha, beta, theta : float
        Shares from 0 to 1: of the gap that is closed in a period, of the supply line that is counted, and of the last
        orders in what is expected. By default the means that Sterman estimated from 44 players.
    desired_stock : float or mapping of str to float, optional
        S' in units, for all stages or by name; by default 17, the players' mean, per 4 units of mean demand at first.
    expected : float, optional
        Orders of a period that are expected at first; by default mean demand of the first period.
    """

    name = "sterman"

    def __init__(
        self,
        network: Network,
        alpha: float = 0.26,
        beta: float = 0.34,
        theta: float = 0.36,
        desired_stock: float | Mapping[str, float] | None = None,
        expected: float | None = None,
    ):
        self.network, self._orders = network, Orders(network, self.name, sees_demand=True)
        self._memory = Memory(self.name)
        self._alpha, self._beta, self._theta = (
            _SHARE(field, value) for field, value in (("alpha", alpha), ("beta", beta), ("theta", theta))
        )
        after = network.sequence.index("pull") > network.sequence.index("demand")
        for i, own in enumerate(network.sources_of):
            where = f"stages.{network.stage_names[i]}.sources"
            j, *others = own
            if others:
                raise InputError(where, f"{len(own)} entries; {self.name} orders from one source per stage")
            if network.modes[j] == "pull" and after and network.inputs[j] and not network.order_delays[j]:
                raise InputError(
                    f"{where}[0].order_delay",
                    f"0, so that its supplier meets orders of the same period, which {self.name} does not see; give 1 "
                    "or more, or use sequence: [receive, push, pull, demand, ship]",
                )
        self._source = [own[0] for own in network.sources_of]
        self._sees_demand = [after and mode == "pull" for mode in network.modes]
        first = np.array([LeadTimeDemand(network, i).profile(1)[0] for i in network.markets])
        if (stated := _UNITS("expected", expected)) is not None:
            first = np.full(len(first), float(stated))
        self._first = (network.requirements[:, list(network.markets)] @ first)[:, None]
        self.desired_stock = self._desired(desired_stock)

    def _desired(self, given: float | Mapping[str, float] | None) -> np.ndarray:
        """Return S' of each stage, [N, 1]."""
        names, desired = self.network.stage_names, 17 / 4 * self._first
        if isinstance(given, Mapping):
            for name, units in given.items():
                if name not in names:
                    raise InputError(f"desired_stock.{name}", f"no stage of this name; {suggest(name, names)}")
                desired[names.index(name)] = number(0)(f"desired_stock.{name}", units)
        elif (units := _UNITS("desired_stock", given)) is not None:
            desired = np.full_like(desired, units)
        return desired

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units."""
        network, rows = self.network, {i: row for row, i in enumerate(self.network.markets)}
        expected = self._memory.recall(view, np.repeat(self._first, len(view.period), axis=1))
        asked = np.where(view.period > 0, view.last_demand, expected[list(rows)])
        quantity, placed = np.zeros_like(view.pending), np.zeros_like(expected)
        for i in reversed(network.stage_order):
            j = self._source[i]
            incoming, owed = np.zeros_like(expected[i]), view.backorders[i]
            for u in network.users_of[i]:
                units, mail = dict(network.inputs[u])[i], network.order_delays[u]
                arrives = view.travelling[u][0] if mail else placed[network.source_stage[u]]
                incoming = incoming + units * arrives
                owed = owed + units * (view.pending[u] + arrives)
            if i in rows:
                incoming = incoming + asked[rows[i]]
            expected[i] = self._theta * incoming + (1 - self._theta) * expected[i]
            stock = view.on_hand[i] + view.pipeline[j][0] - owed
            if i in rows and self._sees_demand[j]:
                stock = stock - expected[i]
            line = view.on_order[j] - view.pipeline[j][0]
            quantity[j] = expected[i] + self._alpha * (self.desired_stock[i] - stock - self._beta * line)
            placed[i] = np.maximum(np.rint(quantity[j]) if network.units == "integer" else quantity[j], 0.0)
        self._memory.keep(view, expected)
        return self._orders(view, quantity, expected[list(rows)])
