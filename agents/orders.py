"""Place exact quantities: a policy that says how much to order now, on sources that push or pull.

A push source is given the quantity. A pull source is given the threshold above the position that its trigger will see:
that of now, less the orders that come in from the mail, plus what is ordered before it. Where the trigger sees demand
that the policy does not, it orders what is wanted if demand is as expected, and a unit more for each unit of surprise;
with lot rule ``smoothed``, 1 / `adjust_time` of a unit more.
"""

from __future__ import annotations

import numpy as np

from pushpull.envs.actions import ActionSpace
from pushpull.envs.checks import InputError
from pushpull.envs.network import Network
from pushpull.envs.observations import View


class Orders:
    """Turn quantities [J, B] into actions [B, K].

    Parameters
    ----------
    network : Network
        The chain.
    policy : str
        Whose orders they are, for errors.
    sees_demand : bool
        Whether the policy says what demand it expects, so that triggers may come after demand.

    Raises
    ------
    InputError
        For a source whose rule orders something else than what lifts its position to a threshold.
    """

    def __init__(self, network: Network, policy: str, sees_demand: bool = False):
        self.network = network
        self._entries, self._pulls = ActionSpace(network).entries, [mode == "pull" for mode in network.modes]
        self._after_demand = network.sequence.index("pull") > network.sequence.index("demand")
        for j in np.flatnonzero(self._pulls):
            self._examine(int(j), policy, sees_demand)
        smoothed = [source.lot.adjust_time if source.lot.rule == "smoothed" else 1.0 for source in network.sources]
        self._adjust_time = np.array(smoothed)

    def _examine(self, j: int, policy: str, sees_demand: bool) -> None:
        network, source, i = self.network, self.network.sources[j], self.network.source_stage[j]
        where = f"stages.{network.stage_names[i]}.sources[{network.sources_of[i].index(j)}]"
        if source.lot.rule not in ("base_stock", "smoothed"):
            raise InputError(f"{where}.lot.rule", f"{source.lot.rule}, but {policy} sets orders; leave the lot out")
        for field, stated in (("basis", source.basis == "physical"), ("cards", source.cards is not None)):
            if stated:
                raise InputError(f"{where}.{field}", f"limits what {policy} orders; leave it out, or push")
        if source.advance_position:
            raise InputError(f"{where}.advance_position", f"{policy} does not count it; leave it out, or push")
        if self._after_demand and not sees_demand:
            raise InputError(
                "sequence",
                f"{network.source_names[j]!r} pulls after demand that {policy} does not see; use sequence: [receive, "
                "push, pull, demand, ship], or push (decoupling_point: market)",
            )

    def __call__(self, view: View, quantity: np.ndarray, expected: np.ndarray | None = None) -> np.ndarray:
        """Return actions [B, K] for quantities [J, B], below 0 where demand must surprise before anything is ordered.

        Parameters
        ----------
        view : View
            The state.
        quantity : ndarray [J, B]
            Units to order now.
        expected : ndarray [M, B], optional
            Demand of this period that triggers which come after it will see.
        """
        whole = self.network.units == "integer"
        if whole:
            quantity = np.where(self._adjust_time[:, None] > 1, quantity, np.rint(quantity))
        thresholds = self._thresholds(view, quantity, expected) if any(self._pulls) else quantity
        actions = np.zeros((len(view.period), len(self._entries)))
        for k, (j, column) in enumerate(self._entries):
            if column == "quantity":
                actions[:, k] = np.maximum(quantity[j], 0.0)
            elif column == "threshold":
                actions[:, k] = thresholds[j] if self._pulls[j] else -np.inf
        return np.rint(actions) if whole else actions

    def _thresholds(self, view: View, quantity: np.ndarray, expected: np.ndarray | None) -> np.ndarray:
        """Return the thresholds above the positions that triggers will see, one after the other, [J, B]."""
        network, position = self.network, view.inventory_position.copy()
        thresholds = np.full(quantity.shape, -np.inf)
        for j, source in enumerate(network.sources):
            units = np.zeros_like(position[0])
            if not self._pulls[j]:
                units = np.clip(quantity[j], 0.0, source.capacity)
                position[network.source_stage[j]] += units * source.mean_yield
            elif network.order_delays[j]:
                units = view.travelling[j][0]
            for m, needed in network.inputs[j]:
                position[m] -= needed * units
        if self._after_demand and expected is not None:
            position[list(network.markets)] -= expected
        for i in reversed(network.stage_order):
            for j in (j for j in network.sources_of[i] if self._pulls[j]):
                weights = network.requirements[i] if network.sources[j].basis == "echelon" else None
                seen = position[i] if weights is None else weights @ position
                distance = self._adjust_time[j] * quantity[j]
                if self._adjust_time[j] > 1:
                    forecast = network.requirements[i, list(network.markets)] @ view.forecast[0]
                    distance = distance - (self._adjust_time[j] - 1) * forecast
                thresholds[j] = seen + distance
                placed = np.maximum(quantity[j], 0.0)
                position[i] += placed
                for m, needed in network.inputs[j] if not network.order_delays[j] else ():
                    position[m] -= needed * placed
        return thresholds


def one_stock(network: Network, policy: str, sources: int = 1) -> None:
    """Refuse a network that is not one stage that sells, with so many sources.

    Raises
    ------
    InputError
        That says what the policy is for.
    """
    stages, many = len(network.stages), len(network.sources)
    if stages > 1 or many != sources:
        what = "one source" if sources == 1 else f"{sources} sources"
        raise InputError(
            "network",
            f"{stages} stages and {many} sources; {policy} is for one stage with {what}, such as board "
            f"{'lost_sales' if sources == 1 else 'dual_sourcing'}",
        )
