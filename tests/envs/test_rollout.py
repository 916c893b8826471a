"""The torch rollout: the engine's numbers, and gradients that finite differences of the numpy dynamics confirm."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from pushpull.envs import InputError, Network, load_network, network_names
from pushpull.envs.actions import PROMOTION, ActionSpace
from pushpull.envs.engine import Engine
from pushpull.envs.exogenous import Traces, draw
from pushpull.envs.network import SEQUENCES
from pushpull.envs.observations import View
from pushpull.envs.rewards import PRESETS
from pushpull.envs.rollout import Rollout, rollout
from pushpull.envs.worlds import make_world
from tests.envs.strategies import Plan, cases, hunt, networks, plans

torch.set_num_threads(1)


def scripted(actions: torch.Tensor) -> Any:
    """Return the policy that plays actions [T, B, K], whatever it sees."""
    return lambda view: actions[int(view.period[0])]


def constant_traces(network: Network, periods: int, demand: float = 5.0, batch: int = 1) -> Traces:
    table = np.full((periods, len(network.markets), batch), demand)
    return Traces(table, table[:, None], None)


# --- the same numbers as the engine ----------------------------------------------------------------------------------

VIEWED = ["period", "on_hand", "backorders", "pending", "in_process", "in_transit", "on_order", "inventory_position"]
VIEWED += ["echelon_inventory_position", "last_demand", "forecast", "periods_left"]


def feedback(space: ActionSpace, xp: Any) -> Any:
    """Return a policy of either library that reads positions, forecasts and past demand."""
    network = space.network

    def act(view: View) -> Any:
        columns = []
        for k, (j, column) in enumerate(space.entries):
            if column == PROMOTION:
                columns.append(view.on_hand[0] / (1 + view.on_hand[0]))
                continue
            i = network.source_stage[j]
            echelon = view.echelon_inventory_position[i] - view.on_order[j]
            level = 0.6 * space.high[k] + 0.3 * view.last_demand[0] + 0.1 * view.forecast.sum(0)[0] - 0.01 * echelon
            short = (level - view.inventory_position[i]) * (level > view.inventory_position[i])
            columns.append(short if column == "quantity" else level)
        return xp.stack(columns, 1)

    return act


@pytest.mark.parametrize("name", network_names())
def test_costs_revenue_and_views_are_the_engines(name):
    network, batch, periods = replace(load_network(name), units="real", warm_up=0), 3, 25
    space = ActionSpace(network)
    seen: list[View] = []

    def policy(view: View) -> torch.Tensor:
        seen.append(view)
        return feedback(space, torch)(view)

    run = rollout(network, policy, draw(network, periods, [(7 + e, 0) for e in range(batch)]), dtype="float64")
    engine = Engine(network, batch, periods, backend="numpy")
    engine.reset(7)
    for t in range(periods):
        view = engine.view()
        for field in VIEWED:
            np.testing.assert_allclose(getattr(seen[t], field), getattr(view, field), rtol=1e-9, atol=1e-9)
        for one, other in zip(seen[t].pipeline, view.pipeline, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
        engine.step(feedback(space, np)(view))
        close: Any = {"rtol": 1e-9, "atol": 1e-9 * max(1.0, float(engine.revenue.max()))}
        for term, cost in engine.costs.items():
            np.testing.assert_allclose(run.costs[term][t], cost, err_msg=term, **close)
        np.testing.assert_allclose(run.cost[t], sum(engine.costs.values()), **close)
        np.testing.assert_allclose(run.revenue[t], engine.revenue, **close)
        np.testing.assert_allclose(run.profit[t], engine.revenue - sum(engine.costs.values()), **close)
        for field, rows in vars(engine.flows).items():
            np.testing.assert_allclose(getattr(run.flows[t], field), rows, rtol=1e-9, atol=1e-9, err_msg=field)
    np.testing.assert_allclose(run.state.pipeline, engine._world.state.pipeline, rtol=1e-9, atol=1e-9)


def single_and_double(network: Network, device: str = "cpu") -> list[tuple[Rollout, torch.Tensor]]:
    traces = draw(network, 30, [(e, 0) for e in range(64)])
    runs = []
    for dtype, place in (("float64", "cpu"), ("float32", device)):
        levels = torch.tensor(0.45 * ActionSpace(network).high, dtype=getattr(torch, dtype), device=place)
        levels.requires_grad_()
        run = rollout(network, lambda view, levels=levels: levels.expand(len(view.period), -1), traces, dtype, place)
        (gradient,) = torch.autograd.grad(run.profit.mean(), levels)
        runs.append((run, gradient))
    return runs


def assert_single_is_near_double(network: Network, device: str = "cpu") -> None:
    (double, slope), (single, single_slope) = single_and_double(network, device)
    assert single.cost.dtype == single_slope.dtype == torch.float32
    assert single.cost.device.type == single_slope.device.type == device
    scale = float(double.cost.detach().abs().max())
    np.testing.assert_allclose(single.cost.detach().cpu(), double.cost.detach(), rtol=0, atol=1e-5 * scale)
    np.testing.assert_allclose(single_slope.cpu(), slope, rtol=0, atol=1e-2 * float(slope.abs().max()))


@pytest.mark.parametrize("name", ["chain4", "electronics", "distribution10"])
def test_single_precision_is_near_double(name):
    assert_single_is_near_double(replace(load_network(name), units="real"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["chain4", "electronics", "distribution10"])
def test_a_gpu_computes_the_same(name):
    assert_single_is_near_double(replace(load_network(name), units="real"), device="cuda")


# --- gradients --------------------------------------------------------------------------------------------------------


def one_stage(sequence: Any = SEQUENCES["pull_after_demand"], source: Any = None, **market: Any) -> Network:
    """Return a stage that starts with nothing and receives in a period what it ordered in the one before."""
    source = {"mode": "pull", "lead_time": 1, "unit_cost": 2, **(source or {})}
    market = {"demand": {"kind": "normal", "mean": 100, "sd": 20}, "price": 7, "backorder_cost": 9, **market}
    stage = {"holding_cost": 1, "sources": [source], "market": market}
    return Network.from_dict({"units": "real", "sequence": sequence, "stages": {"shop": stage}})


LOST = {"sequence": ["receive", "push", "pull", "demand", "ship"], "stockout": "lost", "lost_sale_cost": 6}


@pytest.mark.parametrize(
    ("keys", "level", "slope"),
    [
        # Demand is 5 in three periods. After demand, S and 5 more are ordered; then the shop has S less demand.
        ({}, 8.0, 2 * 1 + 2),  # one more unit is held twice, and bought once
        ({}, 3.0, 2 * -9 + 2),  # one more unit is owed less twice, and bought once
        ({"stockout": {"partial": 0.5}, "lost_sale_cost": 4}, 8.0, 2 * 1 + 2),  # what is lost at first was lost anyway
        # Before demand, S is ordered. Of 8, 5 are sold and 3 kept; 5 are ordered, and the 3 are sold. Of 3, all are
        # sold, and as many are ordered.
        (LOST, 8.0, 1 - 6 + 2),
        (LOST, 3.0, -6 + 2 * 2),
    ],
)
def test_the_gradient_is_the_one_by_hand(keys, level, slope):
    network = one_stage(**keys)
    levels = torch.tensor([level], dtype=torch.float64, requires_grad=True)
    run = rollout(network, lambda view: levels[None], constant_traces(network, 3), "float64")
    run.cost.sum().backward()
    assert levels.grad is not None
    assert levels.grad.item() == pytest.approx(slope, abs=1e-12)


def shops(allocation: str, stockout: str, mode: str) -> Network:
    """Return a plant that is too small for its two shops, one of which also assembles a bought part."""
    source = {"mode": mode, "inputs": {"plant": 1}, "lead_time": 1, "shortfall_cost": 0.5, "pipeline_holding_cost": 0.1}
    return Network.from_dict(
        {
            "units": "real",
            "allocation": allocation,
            "stages": {
                "plant": {
                    "initial_on_hand": 11.3,
                    "holding_cost": 0.4,
                    "sources": [{"mode": mode, "lead_time": 1, "capacity": 9.7, "unit_cost": 1.5}],
                },
                "part": {"initial_on_hand": 7.9, "holding_cost": 0.3, "sources": [{"mode": mode, "lead_time": 0}]},
                **{
                    name: {
                        "initial_on_hand": 3.1,
                        "holding_cost": 1,
                        "sources": [{**source, "inputs": inputs}],
                        "market": {"price": 9, "stockout": stockout, "backorder_cost": 5, "lost_sale_cost": 6},
                    }
                    for name, inputs in (("north", {"plant": 1}), ("south", {"plant": 1.5, "part": 0.8}))
                },
            },
        }
    )


@pytest.mark.parametrize(
    ("allocation", "stockout", "mode"),
    list(product(["proportional", "priority"], ["backorder", "lost"], ["push", "pull", "mixed"])),
)
def test_gradcheck(allocation, stockout, mode):
    """Everything a period tells, against numerical derivatives of the rollout itself."""
    network, periods, rng = shops(allocation, stockout, mode), 4, np.random.default_rng(3)
    space = ActionSpace(network)
    demand = rng.uniform(4, 9, (periods, 2, 1))
    traces = Traces(demand, demand[:, None], None)
    centre = np.array([{"quantity": 8.0, "threshold": 14.0}[column] for _, column in space.entries])
    actions = torch.tensor(centre + rng.uniform(-2, 2, (periods, 1, len(centre))), requires_grad=True)

    def told(actions: torch.Tensor) -> tuple[torch.Tensor, ...]:
        run = rollout(network, scripted(actions), traces, "float64")
        return run.cost, run.revenue, run.state.on_hand, run.state.pipeline

    assert torch.autograd.gradcheck(told, (actions,), eps=1e-6, atol=1e-6)
    run = rollout(network, scripted(actions), traces, "float64")
    plant_short = sum(flows.shortfall[2:].sum().item() for flows in run.flows)
    assert plant_short > 1, "nothing was rationed"
    assert (sum(flows.lost.sum().item() for flows in run.flows) > 1) == (stockout == "lost")


def test_gradients_pass_through_what_a_policy_reads():
    """A linear policy on every named part of the view, with its weights moved; orders travel for a period."""
    mapping: dict[str, Any] = load_network("chain4").to_dict() | {"units": "real"}
    mapping["stages"]["shop"]["initial_owed"] = 31.7
    for stage in mapping["stages"].values():
        stage["sources"][0]["order_delay"] = 1
    network = Network.from_dict(mapping)
    traces = draw(network, 6, [(1, 0)])
    parts = ("on_hand", "backorders", "pending", "in_process", "in_transit", "on_order", "inventory_position")
    parts += ("echelon_inventory_position",)
    weights = torch.tensor([0.11, 0.23, -0.13, 0.17, 0.19, 0.07, -0.29, 0.031, 63.1], dtype=torch.float64)

    def spent(weights: torch.Tensor) -> torch.Tensor:
        def policy(view: View) -> torch.Tensor:
            blocks = torch.stack([*(getattr(view, part) for part in parts), torch.ones_like(view.on_hand)])
            return torch.tensordot(weights, blocks, 1).T

        return rollout(network, policy, traces, "float64").cost

    assert torch.autograd.gradcheck(spent, (weights.requires_grad_(),), eps=1e-6, atol=1e-5)
    assert torch.autograd.grad(spent(weights).sum(), weights)[0].abs().min() > 1


def actions_of(network: Network, plan: Plan) -> torch.Tensor:
    """Return a plan's actions as vectors [T, 1, K]."""
    return torch.tensor(plan.vectors(network)[:, None], requires_grad=True)


def slopes_of(total: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Return the gradient: 0 where no action had a say, as with lots of fixed size."""
    return torch.autograd.grad(total, actions)[0] if total.requires_grad else torch.zeros_like(actions)


def traces_of(network: Network, plan: Plan) -> Traces:
    """Return a plan's outside world, with the mean demand as its forecast."""
    means = [market.demand.mean for market in network.markets.values() if market.demand is not None]
    forecast = np.broadcast_to(np.reshape(means, (1, 1, -1, 1)), (len(plan.demand), 1, len(means), 1)).copy()
    return plan.traces(network, forecast)


@st.composite
def smooth_cases(draw: st.DrawFn) -> tuple[Network, Plan]:
    """Draw a network in real units and ten periods of a plan, off the grid that networks are on: nothing ties."""
    network = Network.from_dict(draw(networks(units="real")))
    plan = draw(plans(network, periods=10))
    rng = np.random.default_rng(0)
    for table in (plan.quantity, plan.threshold, plan.gap, plan.demand):
        table += rng.uniform(1e-4, 9e-4, table.shape)
    plan.promotion[:] = 0.1 + 0.8 * plan.promotion  # nor does an intensity lie where it is clipped
    return network, plan


@hunt(25)
@given(smooth_cases())
def test_gradients_are_finite_differences_of_the_numpy_dynamics(case):
    """Each entry of each period moved both ways, all in one batch."""
    network, plan = case
    actions, traces = actions_of(network, plan), traces_of(network, plan)
    total = rollout(network, scripted(actions), traces, "float64").profit.sum()
    slopes = slopes_of(total, actions)

    h, entries = 1e-6, slopes.numel()
    moved = actions.detach().numpy() + np.zeros((1, 1 + 2 * entries, 1))
    for k, (t, column) in enumerate(np.ndindex(moved.shape[::2])):
        moved[t, 1 + k, column] += h
        moved[t, 1 + entries + k, column] -= h
    profit = profits(network, moved, traces)
    assert total.item() == pytest.approx(profit[0], rel=1e-9, abs=1e-9)
    up, down = (profit[1 : 1 + entries] - profit[0]) / h, (profit[0] - profit[1 + entries :]) / h
    close = 1e-4 * max(1.0, float(slopes.abs().max()))
    smooth = np.abs(up - down) < close  # no kink and no jump within h
    assert smooth.mean() > 0.8
    np.testing.assert_allclose(slopes.numpy().ravel()[smooth], ((up + down) / 2)[smooth], rtol=0, atol=close)


def profits(network: Network, actions: np.ndarray, traces: Traces) -> np.ndarray:
    """Return what each column of actions [T, B, K] earns in all, [B], all in the one world of the traces."""
    batch = actions.shape[1]
    wide: dict[str, Any] = {
        name: None if table is None else np.repeat(table, batch, axis=-1) for name, table in vars(traces).items()
    }
    parts = (network, np.zeros(batch, dtype=np.int64), "numpy", "float64", ActionSpace(network), None)
    world = make_world(*parts, PRESETS["profit"], disrupted=traces.available is not None)
    return np.sum([world.step(vectors, Traces(**wide)) for vectors in actions], axis=0)


@hunt(25)
@given(cases(units="real", wild=True))
def test_no_action_makes_a_gradient_that_is_not_a_number(case):
    """Minus infinity, huge and negative actions; stages without stock, need or demand."""
    mapping, plan = case
    network = Network.from_dict(mapping)
    actions = actions_of(network, plan)
    slopes = slopes_of(rollout(network, scripted(actions), traces_of(network, plan), "float64").cost.sum(), actions)
    assert torch.isfinite(slopes).all()
    assert (slopes[torch.isneginf(actions)] == 0).all()


@pytest.mark.parametrize("allocation", ["proportional", "priority"])
def test_nothing_anywhere_has_gradients_too(allocation):
    """Nobody asks, nobody has stock, every want is nothing: no division by need goes wrong."""
    mapping = shops(allocation, "lost", "mixed").to_dict()
    for stage in mapping["stages"].values():
        stage["initial_on_hand"] = 0
    network = Network.from_dict(mapping)
    actions = torch.zeros(3, 1, 8, requires_grad=True)
    run = rollout(network, scripted(actions), constant_traces(network, 3, demand=0.0))
    (slopes,) = torch.autograd.grad(run.cost.sum(), actions)
    assert torch.isfinite(slopes).all()
    assert run.cost.sum() == 0


def test_lots_and_fixed_costs_are_jumps_that_no_gradient_sees():
    network = one_stage(source={"lot": {"rule": "r_nQ", "Q": 4}, "fixed_cost": 50})
    levels = torch.tensor([6.5], requires_grad=True)
    run = rollout(network, lambda view: levels[None], constant_traces(network, 6))
    assert run.costs["fixed"].sum() > 0
    assert torch.autograd.grad(run.cost.sum(), levels)[0].item() == 0


# --- what gradients are for -------------------------------------------------------------------------------------------


def test_gradient_descent_finds_the_newsvendor_level():
    """S* = F^-1(b / (b + h)) (Arrow, Harris & Marschak 1951), within the error of the best level of the sample."""
    network, batch, periods = one_stage(source={"unit_cost": 0}), 4096, 4
    traces = draw(network, periods, [(e, 0) for e in range(batch)])
    level = torch.tensor([100.0], requires_grad=True)
    optimiser = torch.optim.Adam([level], lr=2.0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, gamma=0.95)
    for _ in range(100):
        optimiser.zero_grad()
        rollout(network, lambda view: level.expand(batch, 1), traces).cost.mean().backward()
        optimiser.step()
        schedule.step()
    ratio, draws = 9 / (9 + 1), (periods - 1) * batch  # before the first order arrives the level changes nothing
    error = np.sqrt(ratio * (1 - ratio) / draws) / norm.pdf(norm.ppf(ratio)) * 20  # of a sample quantile
    assert level.item() == pytest.approx(norm.ppf(ratio, 100, 20), abs=3 * error)


# --- the door ---------------------------------------------------------------------------------------------------------

SHOP, TRACES, NOTHING = one_stage(), constant_traces(one_stage(), 2), scripted(torch.zeros(2, 1, 1))


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("chain4", NOTHING, TRACES), "network"),
        ((load_network("chain4"), NOTHING, TRACES), "network.units"),
        ((SHOP, NOTHING, TRACES, "float16"), "dtype"),
        ((shops("priority", "lost", "push"), NOTHING, TRACES), "traces.demand"),  # of another network
        ((SHOP, NOTHING, replace(TRACES, demand=np.zeros(2))), "traces.demand"),
        ((SHOP, NOTHING, replace(TRACES, forecast=np.zeros((3, 1, 1, 1)))), "traces.forecast"),  # a period more
        ((SHOP, NOTHING, replace(TRACES, available=np.ones((2, 2, 1)))), "traces.available"),
        ((SHOP, lambda view: np.zeros((1, 1)), TRACES), "policy"),
        ((SHOP, scripted(torch.zeros(2, 1, 3)), TRACES), "policy"),  # too many entries
        ((SHOP, scripted(torch.zeros(2, 5, 1)), TRACES), "policy"),  # another batch
        ((SHOP, NOTHING, TRACES, "float64"), "policy"),  # another precision
        ((SHOP, scripted(torch.full((2, 1, 1), torch.nan)), TRACES), "action.shop.pull_threshold"),
        ((SHOP, scripted(torch.full((2, 1, 1), torch.inf)), TRACES), "action.shop.pull_threshold"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, field):
    with pytest.raises(InputError) as error:
        rollout(*arguments)
    assert error.value.field == field
