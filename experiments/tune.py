"""`pushpull tune`: search the numbers of a heuristic by CMA-ES, and test them beside those that formulas give.

Every trial plays the same training worlds in the compiled simulator (common random numbers), so that numbers that
differ little can be told apart; the test worlds are others. Trials stand in the run folder's ``study.db`` (Optuna on
SQLite) as soon as they are done: a run that stops goes on (`resume`), and more trials can be added to one that ended.
What was found is saved like a learned agent: ``run=FOLDER`` of evaluate and simulate plays it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from rich.console import Console

from pushpull.agents.heuristic_search import kind_of
from pushpull.agents.trials import Heuristic, Kind, Numbers
from pushpull.envs import simulate
from pushpull.envs.checks import InputError
from pushpull.envs.network import Network
from pushpull.experiments import results
from pushpull.experiments.agents import Agent, play, save_heuristic
from pushpull.experiments.folders import StoppedError, kept_folder, write
from pushpull.experiments.progress import training_bars
from pushpull.experiments.seeds import first_test_world, first_training_world
from pushpull.experiments.settings import TuneSettings


def main(settings: TuneSettings, console: Console) -> None:
    """Try numbers until there are enough trials, then test the best ones."""
    first_test_world(settings.world, settings.episodes)
    first_training_world(settings.seed, settings.trial_episodes)
    _optuna()
    network = settings.network.with_decoupling_point(settings.decoupling_point)
    kind = kind_of(network, settings.heuristic)
    if network.units == "integer":
        kind = replace(kind, start={name: float(round(value)) for name, value in kind.start.items()})
    depends = {key: value for key, value in settings.to_dict().items() if key not in FREE}
    label = f"{network.name}-{settings.heuristic}-seed{settings.seed}"
    folder = kept_folder(settings.folder, "tune", label, depends, settings.resume)
    try:
        numbers = _search(settings, network, kind, folder, console)
    except (KeyboardInterrupt, Exception) as error:
        raise StoppedError(error, f"go on with resume={folder}") from error
    found = {"tuned": numbers, "start": dict(kind.start)}
    episodes = pd.concat(
        [
            play(_agent(name, kind.make(own)), settings.episodes, settings.world, settings.periods)
            for name, own in found.items()
        ],
        ignore_index=True,
    )
    table = results.comparison(episodes)
    episodes.to_csv(folder / "episodes.csv", index=False)
    table.to_csv(folder / "comparison.csv", index=False)
    write(folder / "numbers.yaml", yaml.safe_dump(found, sort_keys=False))
    save_heuristic(settings.heuristic, numbers, network, folder)
    console.print(results.printed(table, f"{network.name}: {settings.heuristic} tuned, and where the search started"))
    for name, value in numbers.items():
        console.print(f"{name}: {value:g} (start {kind.start[name]:g})", highlight=False)
    console.print(f"All of it is in {folder}", highlight=False, soft_wrap=True)


FREE = ("trials", "episodes", "world", "resume", "folder")  # settings that may change when a run goes on


def bound(start: float) -> float:
    """Return the most that a number may be: as far above where the search starts as 0 is below it."""
    return max(10.0, 2.0 * round(start))


def _agent(name: str, policy: Heuristic) -> Agent:
    return Agent(name, policy.network, policy)


def _search(settings: TuneSettings, network: Network, kind: Kind, folder: Path, console: Console) -> Numbers:
    """Add trials to the study until there are enough, and return the best numbers."""
    optuna, whole = _optuna(), network.units == "integer"
    world = first_training_world(settings.seed, settings.trial_episodes)
    sign = -1.0 if settings.measure == "profit" else 1.0
    known: dict[tuple[float, ...], float] = {}

    def loss(trial: Any) -> float:
        numbers = {}
        for name, start in kind.start.items():
            most = bound(start)
            numbers[name] = float(
                trial.suggest_int(name, 0, int(most)) if whole else trial.suggest_float(name, 0.0, most)
            )
        at = tuple(numbers.values())
        if at not in known:
            policy = kind.make(numbers)
            played = simulate(policy.network, policy, settings.trial_episodes, world, settings.periods)
            known[at] = sign * float(played[settings.measure].mean())
        return known[at]

    # CMA-ES starts in the middle of the bounds, a third of the start wide; in one dimension it has nothing to learn.
    several = len(kind.start) > 1
    sampler = (optuna.samplers.CmaEsSampler if several else optuna.samplers.TPESampler)(seed=settings.seed)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'study.db'}", study_name="tune", sampler=sampler, load_if_exists=True
    )
    done = sum(trial.state.is_finished() for trial in study.trials)
    known |= {
        tuple(map(float, trial.params.values())): trial.value for trial in study.trials if trial.value is not None
    }
    if not done:
        study.enqueue_trial({name: int(start) if whole else start for name, start in kind.start.items()})
    with training_bars(console) as bar:
        update = bar(f"{settings.heuristic} is tuned", settings.trials)
        for k in range(done, settings.trials):
            study.optimize(loss, n_trials=1)
            update(k + 1)
    return {name: float(value) for name, value in study.best_params.items()}


def _optuna() -> Any:
    try:
        import cmaes  # noqa: F401  what the sampler stands on
        import optuna
    except ImportError as error:
        raise InputError("tune", f"needs {error.name}; pip install 'pushpull[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
