"""`pushpull simulate`: what an agent would have done with a recorded demand history, period by period."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import yaml
from rich.console import Console

from pushpull.envs import accounting
from pushpull.envs.checks import InputError
from pushpull.envs.engine import Engine
from pushpull.envs.exogenous import Traces, foresee, recorded
from pushpull.envs.families import market_demand
from pushpull.envs.histories import read_trace
from pushpull.envs.network import Demand, Network
from pushpull.envs.supply import draw_supply
from pushpull.experiments.agents import Agent, fixed_agent, saved_agents
from pushpull.experiments.folders import run_folder
from pushpull.experiments.settings import SimulateSettings


def main(settings: SimulateSettings, console: Console) -> None:
    """Follow one agent through a demand file and write what happened."""
    network = settings.network.with_decoupling_point(settings.decoupling_point)
    history = read_history(settings.demand, network)
    agent = _agent(settings, network)
    trajectory, kpis = follow(agent, history)
    with run_folder(settings.folder, "simulate", f"{network.name}-{agent.label}") as run:
        (run.path / "config.yaml").write_text(yaml.safe_dump(settings.to_dict(), sort_keys=False))
        trajectory.to_csv(run.path / "trajectory.csv")
        kpis.to_csv(run.path / "kpis.csv", header=["value"])
    for name in ("profit", "cost", "fill_rate", "otif", "stock"):
        console.print(f"{name:10} {kpis[name]:,.4g}", highlight=False)
    console.print(f"{len(history)} periods of {agent.label} are in {run.final}", highlight=False, soft_wrap=True)


def read_history(path: str, network: Network) -> np.ndarray:
    """Return demand [T, M] from a CSV file with a column for each market, or one column for the only market."""
    markets = [network.stage_names[i] for i in network.markets]
    header = _header(path)
    names = header if len(markets) == len(header) == 1 else markets
    try:
        table = [read_trace(Demand(kind="trace", file=path, column=name)) for name in names]
    except InputError as error:
        raise error.within("demand") from None
    history = np.stack(table, axis=1)
    if network.units == "integer" and (history != np.rint(history)).any():
        t, m = np.argwhere(history != np.rint(history))[0]
        raise InputError(
            f"demand.{names[m]}",
            f"row {t} is {history[t, m]:g}, but units are integer; round it, or set network.units=real",
        )
    if len(history) <= network.warm_up:
        raise InputError(
            "demand",
            f"{path!r} holds {len(history)} periods, all within the warm-up of {network.warm_up}; "
            "give more, or network.warm_up=0",
        )
    return history


def follow(agent: Agent, history: np.ndarray) -> tuple[pd.DataFrame, pd.Series]:
    """Return what happens in each period, and the KPIs, when an agent meets the demand [T, M]."""
    engine = _Recorded(agent.network, _traces(agent.network, history))
    engine.reset(0)
    periods = []
    while not engine.ended.all():
        action = agent.policy.act(engine.view())
        engine.step(action)
        periods.append(_row(engine, action))
    measured = {**engine.kpis(), **accounting.stage_kpis(agent.network, engine.totals)}
    kpis = pd.Series({name: values[0] for name, values in measured.items()})
    return pd.DataFrame(periods).rename_axis("period"), kpis.rename_axis("kpi")


class _Recorded(Engine):
    """One environment whose every episode meets the same traces."""

    def __init__(self, network: Network, traces: Traces):
        super().__init__(network, num_envs=1, periods=len(traces.demand))
        self._recorded = traces

    def begin(self, which: np.ndarray) -> None:
        super().begin(which)
        self._traces = self._recorded


def _row(engine: Engine, action: np.ndarray) -> dict[str, float]:
    """Return the last period in numbers: money, units by stage, units by source, and the action."""
    network, costs, flows = engine.network, engine.costs, engine.flows
    row = {"cost": sum(costs.values()), "revenue": engine.revenue}
    row |= {f"cost.{term}": value for term, value in costs.items()}
    for names, columns in (
        (network.stage_names, ("demand", "shipped", "lost", "on_hand", "owed")),
        (network.source_names, ("order", "start", "receipt", "shortfall", "in_process")),
    ):
        row |= {f"{column}.{name}": getattr(flows, column)[k] for column in columns for k, name in enumerate(names)}
    row |= {f"action.{name}": action[:, k] for k, name in enumerate(engine.space.names)}
    return {name: float(value[0]) for name, value in row.items()}


def _traces(network: Network, history: np.ndarray) -> Traces:
    """Return the traces of a recorded demand; forecasts and supply are those of the network's own processes."""
    periods = len(history)
    horizon = max(market.forecast.horizon for market in network.markets.values())
    foreseen = np.empty((periods, horizon, len(network.markets), 1))
    for m, (i, market) in enumerate(network.markets.items()):
        own, path = market.forecast, history[:, m, None]
        made = foresee(own, market_demand(network, i), network.units, path, periods, [(0, 0)], m)
        foreseen[:, :, m] = made[:, np.minimum(np.arange(horizon), own.horizon - 1)]
    supply = draw_supply(network, periods, [(0, 0)])
    return recorded(network, history, foreseen[..., 0], **{name: values[..., 0] for name, values in supply.items()})


def _agent(settings: SimulateSettings, network: Network) -> Agent:
    """Return the one agent that acts: the run's, or the chosen one."""
    if settings.run is None:
        agents = [fixed_agent(name, agent, network) for name, agent in settings.agent.items()]
        where, way = "agent", "choose one, such as agent=base_stock"
    else:
        agents = [a for a in saved_agents(settings.run, network) if settings.model in (None, a.label)]
        where, way = "model", "name one of the run's, such as model=ppo-seed0"
    if len(agents) != 1:
        raise InputError(where, f"{len(agents)} agents would act; {way}")
    return agents[0]


def _header(path: str) -> list[str]:
    """Return the columns of a CSV file; none where it cannot be read, which `read_trace` says best."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError):
        return []
