"""The agents of an experiment: where they come from (parameters, training, a saved run) and the episodes they play."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pushpull.agents.heuristic_search import kind_of
from pushpull.envs.checks import InputError, build, suggest
from pushpull.envs.network import Network
from pushpull.envs.simulate import Acts, simulate
from pushpull.experiments.seeds import first_test_world, first_training_world
from pushpull.experiments.settings import AgentSettings


@dataclass(frozen=True)
class Agent:
    """A policy with a name, on the network as it decouples it, or as its control system has it.

    Learned ones know their seed and training time.

    `boundary` is the name of its decoupling point where several are compared.
    """

    name: str
    network: Network
    policy: Acts
    training_seed: int | None = None
    training_seconds: float | None = None
    boundary: str | None = None

    @property
    def label(self) -> str:
        """The name with the boundary and the training seed, where there are any."""
        return label(self.name, self.boundary, self.training_seed)


def label(name: str, boundary: str | None, training_seed: int | None = None) -> str:
    """Return the name of an agent with its boundary and training seed, such as ``ppo@board-seed0``."""
    at = "" if boundary is None else f"@{boundary}"
    return f"{name}{at}" if training_seed is None else f"{name}{at}-seed{training_seed}"


def play(agent: Agent, episodes: int, world: int, periods: int | None = None) -> Any:
    """Return a table of the agent's test episodes: `simulate`'s columns, behind who played where in which world."""
    table = simulate(agent.network, agent.policy, episodes, first_test_world(world, episodes), periods)
    table = table.rename(columns={"seed": "world"})
    first = {"agent": agent.name} if agent.boundary is None else {"boundary": agent.boundary, "agent": agent.name}
    first |= {"training_seed": agent.training_seed, "training_seconds": agent.training_seconds}
    for place, (name, value) in enumerate(first.items()):
        table.insert(place, name, value)
    return table


def fixed_agent(name: str, settings: AgentSettings, network: Network, boundary: str | None = None) -> Agent:
    """Build an agent whose policy needs no training."""
    from pushpull.agents.policy import make_agent

    if settings.policy is None:
        raise InputError(f"agent.{name}", "has to learn; train it with `pushpull train` and give run=FOLDER")
    network = network.with_decoupling_point(settings.decoupling_point)
    try:
        return Agent(name, *make_agent(settings.policy, network, **settings.parameters), boundary=boundary)
    except InputError as error:
        raise error.within(f"agent.{name}") from error


def learned_agent(
    name: str,
    settings: AgentSettings,
    network: Network,
    seed: int,
    boundary: str | None = None,
    progress: Callable[[int], Any] | None = None,
    log_folder: Path | None = None,
    **task: Any,
) -> Agent:
    """Train an agent in the worlds of a training seed; `task` holds reward, observation and periods."""
    from pushpull.agents import pathwise, sb3

    network = network.with_decoupling_point(settings.decoupling_point)
    learn = {**dict.fromkeys(sb3.ALGORITHMS, _learn_by_sb3), pathwise.ALGORITHM: _learn_pathwise}
    started = time.perf_counter()
    try:
        if settings.algorithm not in learn:
            raise InputError("algorithm", f"{settings.algorithm!r} is unknown; {suggest(settings.algorithm, learn)}")
        policy = learn[settings.algorithm](network, settings, seed, progress, log_folder, task)
    except InputError as error:
        raise error.within(f"agent.{name}") from error
    return Agent(name, network, policy, seed, time.perf_counter() - started, boundary)


def _learn_by_sb3(
    network: Network, settings: AgentSettings, seed: int, progress: Any, log_folder: Path | None, task: dict[str, Any]
) -> Acts:
    from pushpull.agents import sb3

    assert settings.algorithm is not None and settings.steps is not None and settings.num_envs is not None
    return sb3.train(
        network,
        settings.algorithm,
        settings.steps,
        seed,
        settings.num_envs,
        settings.parameters,
        first_training_world(seed, settings.num_envs),
        progress=progress,
        log_folder=log_folder,
        **task,
    )


def _learn_pathwise(
    network: Network, settings: AgentSettings, seed: int, progress: Any, log_folder: Path | None, task: dict[str, Any]
) -> Acts:
    from pushpull.agents import pathwise

    for key in ("steps", "num_envs"):
        if key in settings.parameters:
            raise InputError(f"parameters.{key}", f"stands beside parameters; set {key}")
    given = {**settings.parameters, "steps": settings.steps, "num_envs": settings.num_envs}
    how: pathwise.PathwiseSettings = build(pathwise.PathwiseSettings, given, "parameters")
    world = first_training_world(seed, how.worlds)
    with _scalars(log_folder) as log:
        return pathwise.train(network, how, seed, world, progress, log=log, **task)


@contextmanager
def _scalars(folder: Path | None) -> Iterator[Callable[[int, Mapping[str, float]], None] | None]:
    """Give a function that writes named numbers of a step for TensorBoard, or None where no folder is given."""
    if folder is None:
        yield None
        return
    from tensorboard.summary import Writer

    writer = Writer(str(folder))

    def log(step: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            writer.add_scalar(name, value, step)

    try:
        yield log
    finally:
        writer.close()


def save_agent(agent: Agent, run: Path) -> None:
    """Write a learned agent to ``models/LABEL`` of a run folder."""
    folder = run / "models" / agent.label
    agent.policy.save(folder)  # type: ignore[attr-defined]
    point = agent.network.decoupling_point
    about = {
        "agent": label(agent.name, agent.boundary),
        "training_seed": agent.training_seed,
        "training_seconds": agent.training_seconds,
        "decoupling_point": None if point is None else list(point),
    }
    (folder / "agent.yaml").write_text(yaml.safe_dump(about, sort_keys=False))


def save_heuristic(kind: str, numbers: Mapping[str, float], network: Network, run: Path) -> None:
    """Write a heuristic of `pushpull.agents.heuristic_search` to ``models/KIND`` of a run folder."""
    folder, point = run / "models" / kind, network.decoupling_point
    folder.mkdir(parents=True, exist_ok=True)
    about = {"agent": f"tuned_{kind}", "decoupling_point": None if point is None else list(point)}
    about |= {"heuristic": kind, "numbers": dict(numbers)}
    (folder / "agent.yaml").write_text(yaml.safe_dump(about, sort_keys=False))


def saved_agents(run: str | Path, network: Network) -> list[Agent]:
    """Read the learned and tuned agents of a run folder, to act on a network."""
    agents = []
    for file in sorted((Path(run) / "models").glob("*/agent.yaml")):
        about = yaml.safe_load(file.read_text())
        decoupled = network.with_decoupling_point(about["decoupling_point"])
        if "heuristic" in about:
            policy = kind_of(decoupled, about["heuristic"]).make(about["numbers"])
            agents.append(Agent(about["agent"], policy.network, policy))
            continue
        policy = _loaded(file.parent, decoupled)
        agents.append(Agent(about["agent"], decoupled, policy, about["training_seed"], about["training_seconds"]))
    if not agents:
        raise InputError("run", f"no model in {str(run)!r}; give the folder of a run that trained one")
    return agents


def _loaded(folder: Path, network: Network) -> Acts:
    """Read a learned policy by the algorithm that its ``policy.json`` names."""
    from pushpull.agents import pathwise, sb3

    file = folder / "policy.json"
    learned = json.loads(file.read_text())["algorithm"] if file.is_file() else None
    kind = pathwise.PathwisePolicy if learned == pathwise.ALGORITHM else sb3.LearnedPolicy
    return kind.load(folder, network)


def saved_network(run: str | Path) -> dict[str, Any]:
    """Return the network of a run folder, as the mapping of a network file."""
    file = Path(run) / "config.yaml"
    if not file.is_file():
        near = sorted(path.name for path in Path(run).parent.glob("*")) if Path(run).parent.is_dir() else []
        raise InputError("run", f"no run in {str(run)!r}; {suggest(Path(run).name, near) if near else 'give a folder'}")
    return yaml.safe_load(file.read_text())["network"]
