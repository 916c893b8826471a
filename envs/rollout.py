"""Roll a policy through the dynamics on torch: costs with gradients to whatever decided.

`rollout` plays the periods with ``dynamics.step`` and charges them with ``accounting.costs``, as every engine does;
only the arrays are tensors. A cost can then be differentiated along the sample path with respect to base-stock levels
(infinitesimal perturbation analysis: Glasserman & Tayur 1995, Management Science 41(2)) or to the weights of a policy
network (Alvo, Russo & Kanoria 2023, arXiv:2306.11246)::

    levels = torch.tensor([18.0, 24.0, 22.0, 30.0], requires_grad=True)
    traces = exogenous.draw(network, 50, [(seed, 0) for seed in range(1024)])
    run = rollout(network, lambda view: levels.expand(len(view.period), -1), traces)
    run.cost.mean().backward()

The gradient is that of the sample path, which is all there is where costs are continuous in the actions. It is blind to
jumps: a fixed cost has none, nor has an r_nQ order, and an s_S order has the gradient of its size, not of its timing.
Rounding has none at all, so networks of integer units are refused. At a kink, such as stock that meets demand exactly,
torch mixes the slopes of the two sides.

All periods are kept for the way back, so memory grows with T x B. Measured on one thread of an AMD EPYC, 50 periods of
chain4 forth and back: 1.9 M environment steps per second and 0.4 GB at B = 8192 in float32; 0.4 M at B = 1024, where
calls cost more than arithmetic.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from dataclasses import dataclass

import array_api_compat.torch as xp
import torch
from torch import Tensor

from pushpull.envs import accounting, dynamics
from pushpull.envs.actions import PROMOTION, ActionSpace, decode
from pushpull.envs.backends import to_numpy
from pushpull.envs.checks import InputError, choice
from pushpull.envs.exogenous import Traces
from pushpull.envs.information import Report, shown
from pushpull.envs.network import ACTION_COLUMNS, Network
from pushpull.envs.observations import View


@dataclass(frozen=True)
class Rollout:
    """T periods of B environments.

    Attributes
    ----------
    costs : dict of Tensor [T, B]
        Cost by term, in money.
    revenue : Tensor [T, B]
        Money earned.
    flows : list of Flows [T]
        What moved in each period, in rows [N, B] and [J, B].
    state : State
        Where the environments stand after the last period.
    """

    costs: dict[str, Tensor]
    revenue: Tensor
    flows: list[dynamics.Flows]
    state: dynamics.State

    @property
    def cost(self) -> Tensor:
        """The sum of the cost terms, [T, B]."""
        return torch.stack(list(self.costs.values())).sum(dim=0)

    @property
    def profit(self) -> Tensor:
        """Revenue less cost, [T, B]."""
        return self.revenue - self.cost


def rollout(
    network: Network,
    policy: Callable[[View], Tensor],
    traces: Traces,
    dtype: str = "float32",
    device: str | torch.device = "cpu",
) -> Rollout:
    """Play a policy against traces, from the network's initial state.

    Parameters
    ----------
    network : Network
        The chain, in real units.
    policy : callable
        Takes a `View` of tensors and returns actions [B, K] in physical form, entries in the order of
        ``ActionSpace(network).entries``, as a tensor like ``view.on_hand``; a threshold of minus infinity never fires.
        The view knows no seeds.
    traces : Traces
        What ``exogenous.draw`` returns: T periods of B environments.
    dtype : {"float32", "float64"}
        Precision of everything.
    device : str or torch.device
        Where everything is computed.

    Returns
    -------
    Rollout

    Raises
    ------
    InputError
        For integer units, traces of another network, or actions that cannot be used.
    """
    choice("float32", "float64")("dtype", dtype)
    _examine(network, traces)
    kind = {"dtype": getattr(torch, dtype), "device": torch.device(device)}
    demand, forecast = (torch.as_tensor(table, **kind) for table in (traces.demand, traces.forecast))
    available, booked, booked_after, lead_time, yields = (
        [None] * len(demand) if table is None else torch.as_tensor(table, **kind)
        for table in (traces.available, traces.booked, traces.booked_after, traces.lead_time, traces.yields)
    )
    periods, _, batch = demand.shape
    space, state = ActionSpace(network), dynamics.initial_state(xp, network, batch, **kind)
    reports = [Report(state, torch.zeros_like(demand[0]))] * (1 + max(network.information_delays))
    charged, earned, moved = [], [], []
    for t in range(periods):
        known = shown(xp, network, reports)
        view = View(network, known.state, periods, None, known.last_demand, forecast[t], available[t], booked[t], xp)
        action = _rows(space, _examined(space, policy(view), like=state.on_hand))
        outside = dynamics.Exogenous(
            demand[t], available[t], forecast[t, 0], booked[t], booked_after[t], lead_time[t], yields[t]
        )
        state, flows = dynamics.step(xp, network, state, outside, action)
        charged.append(accounting.costs(xp, network, flows))
        earned.append(accounting.revenue(network, flows, t == periods - 1))
        moved.append(flows)
        reports = [Report(state, flows.demand[list(network.markets)]), *reports[:-1]]
    costs = {term: torch.stack([cost[term] for cost in charged]) for term in network.cost_terms}
    return Rollout(costs, torch.stack(earned), moved, state)


def _rows(space: ActionSpace, actions: Tensor) -> dynamics.Action:
    """Deal action vectors [B, K] to the rows that they set: of sources, and of markets that promote."""
    zero, network = actions.new_zeros(len(actions)), space.network
    table = {column: [zero] * len(network.sources) for column in ACTION_COLUMNS}
    table[PROMOTION] = [zero] * len(network.promoting)
    for (row, column), values in zip(space.entries, actions.unbind(dim=1), strict=True):
        table[column][row] = values
    return dynamics.Action(**table)


# --- the door ---------------------------------------------------------------------------------------------------------


def _examine(network: Network, traces: Traces) -> None:
    if not isinstance(network, Network):
        raise InputError("network", f"a {type(network).__name__} is not a Network; build it with load_network")
    if network.units != "real":
        problem = "'integer' rounds orders, which leaves no gradient; set units: real, or use simulate"
        raise InputError("network.units", problem)
    periods, batch = traces.demand.shape[0], traces.demand.shape[-1]
    middle = {
        "demand": [len(network.markets)],
        "forecast": [*traces.forecast.shape[1:2], len(network.markets)],
        "available": [len(network.sources)],
        "booked": [sum(network.book_rows)],
        "booked_after": [sum(network.book_rows)],
        "lead_time": [len(network.random_lead_times)],
        "yields": [len(network.yielding_sources)],
    }
    for name, axes in middle.items():
        table, shape = getattr(traces, name), [periods, *axes, batch]
        if table is not None and list(table.shape) != shape:
            problem = f"shape {list(table.shape)} does not fit; give {shape}, as draw(network, ...) does"
            raise InputError(f"traces.{name}", problem)


def _examined(space: ActionSpace, actions: Tensor, like: Tensor) -> Tensor:
    """Return a policy's actions if they can be used."""
    if not isinstance(actions, Tensor):
        raise InputError("policy", f"returned a {type(actions).__name__}; return a torch tensor [B, K]")
    shape = [like.shape[1], len(space.entries)]
    if list(actions.shape) != shape:
        raise InputError(
            "policy",
            f"returned shape {list(actions.shape)}; return {shape}, an entry for each of "
            f"{reprlib.repr(list(space.names))}",
        )
    if (actions.dtype, actions.device) != (like.dtype, like.device):
        raise InputError(
            "policy",
            f"returned {actions.dtype} on {actions.device} in a rollout of {like.dtype} on {like.device}; "
            "return actions.to(view.on_hand)",
        )
    if not torch.isfinite(actions).all():
        decode(space, to_numpy(actions))  # refuses all but thresholds of minus infinity
    return actions
