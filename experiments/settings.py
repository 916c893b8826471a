"""The settings of each command: which keys its configuration has, and what each accepts.

Values and their meaning stand in ``configs/COMMAND.yaml``; here are the types. `build` (`pushpull.envs.checks`) turns a
composed configuration into one of these and answers what does not fit with the nearest keys that do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pushpull.envs.checks import (
    InputError,
    Settings,
    choice,
    flag,
    listing,
    mapping,
    number,
    optional,
    record,
    setting,
    text,
)
from pushpull.envs.decoupling import boundaries
from pushpull.envs.library import load_network
from pushpull.envs.network import EVERY_BOUNDARY, POINT_WORDS, Network
from pushpull.envs.rewards import reward_weights
from pushpull.envs.tables import GAPS

FORMATS = ("table", "csv")  # of what a command finds

_names = listing(text, at_least=1)
_whole = number(0, whole=True)
_count = number(1, whole=True)


def _stages(field: str, value: Any) -> list[str]:
    """Accept one decoupling point: a stage, or a list of them."""
    names = list(_names(field, value))
    if EVERY_BOUNDARY in names:
        raise InputError(
            field, f"{EVERY_BOUNDARY!r} is many; give one, or run pushpull compare decoupling_point={EVERY_BOUNDARY}"
        )
    return names


def _one_or_several(field: str, value: Any) -> Any:
    """Accept one decoupling point, ``all``, or a list of them: one that holds lists, or a word that speaks for all."""
    if value in (EVERY_BOUNDARY, [EVERY_BOUNDARY], (EVERY_BOUNDARY,)):
        return EVERY_BOUNDARY
    several = isinstance(value, (list, tuple)) and any(
        isinstance(point, (list, tuple)) or (point in POINT_WORDS and len(value) > 1) for point in value
    )
    if not several:
        return _stages(field, value)
    points = [_stages(f"{field}[{k}]", point) for k, point in enumerate(value)]
    for k, point in enumerate(points):
        if point in points[:k]:
            raise InputError(f"{field}[{k}]", f"{point} stands twice; give each boundary once")
    return points


def _as_given(field: str, value: Any) -> Any:
    """Leave the check to whoever uses the value."""
    return value


def _network(field: str, value: Any) -> Network:
    return load_network(value)


def _weights(field: str, value: Any) -> Mapping[str, float]:
    return reward_weights(value)


@dataclass(frozen=True)
class AgentSettings(Settings):
    """An agent: a `policy` with its `parameters`, or an `algorithm` that learns one in `steps` steps."""

    parameters: Mapping[str, Any] = setting(mapping(_as_given))
    policy: str | None = setting(optional(text), None)
    algorithm: str | None = setting(optional(text), None)
    decoupling_point: list[str] | None = setting(optional(_stages), None)
    steps: int | None = setting(optional(_count), None)
    num_envs: int | None = setting(optional(_count), None)

    def examine(self):
        if (self.policy is None) == (self.algorithm is None):
            raise InputError("policy", "state a policy, or an algorithm that learns one, and not both")
        for key in ("steps", "num_envs"):
            if (getattr(self, key) is not None) != self.learns:
                raise InputError(key, f"is {getattr(self, key)!r}; give a number to an algorithm, none to a policy")

    @property
    def learns(self) -> bool:
        """Whether the agent has to be trained."""
        return self.algorithm is not None


@dataclass(frozen=True)
class ObservationSettings(Settings):
    """What a learning agent sees: names of blocks, or null for those that make the state known."""

    blocks: tuple[str, ...] | None = setting(optional(_names))


@dataclass(frozen=True)
class _Command(Settings):
    """What every command is told."""

    network: Network = setting(_network)
    decoupling_point: list[str] | None = setting(optional(_stages))
    folder: str = setting(text)


@dataclass(frozen=True)
class _Test(_Command):
    """What commands are told that play test episodes."""

    agent: Mapping[str, AgentSettings] = setting(mapping(record(AgentSettings)))
    periods: int | None = setting(optional(_count))
    episodes: int = setting(_count)
    world: int = setting(_whole)


@dataclass(frozen=True)
class _Training(_Test):
    """What commands are told that train."""

    reward: Mapping[str, float] = setting(_weights)
    observation: ObservationSettings = setting(record(ObservationSettings))


@dataclass(frozen=True)
class CompareSettings(_Training):
    """Settings of ``pushpull compare``."""

    decoupling_point: Any = setting(optional(_one_or_several))
    seeds: tuple[int, ...] = setting(listing(_whole, at_least=1))

    @property
    def boundaries(self) -> list[list[str]] | None:
        """The decoupling points that are compared with each other, or None where there is one."""
        if self.decoupling_point == EVERY_BOUNDARY:
            return [list(point) for point in boundaries(self.network)]
        point = self.decoupling_point
        return point if point is not None and any(isinstance(part, list) for part in point) else None

    def examine(self):
        if self.decoupling_point == EVERY_BOUNDARY and len(boundaries(self.network)) == 1:
            raise InputError(
                "decoupling_point",
                f"{EVERY_BOUNDARY!r} finds one boundary, since every source of {self.network.name!r} states its mode; "
                "leave modes out of the network, or decoupling_point here",
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise InputError(
                "seeds", f"{list(self.seeds)} names a seed twice, which gives the same agent; give each once"
            )


@dataclass(frozen=True)
class TrainSettings(_Training):
    """Settings of ``pushpull train``."""

    seed: int = setting(_whole)

    def examine(self):
        if len(self.agent) != 1 or not all(agent.learns for agent in self.agent.values()):
            raise InputError("agent", f"{list(self.agent)} is not one agent that learns; choose one, such as agent=ppo")


@dataclass(frozen=True)
class EvaluateSettings(_Test):
    """Settings of ``pushpull evaluate``."""

    run: str | None = setting(optional(text))


@dataclass(frozen=True)
class SenseSettings(_Test):
    """Settings of ``pushpull sense``."""

    over: str = setting(choice("forecast_error", "booking_lead"))
    values: tuple[float, ...] | None = setting(optional(listing(number(), at_least=1)))
    forecast: str = setting(choice("mmfe", "noisy"))
    horizon: int | None = setting(optional(_count))
    error_growth: float | None = setting(optional(number(0)))

    def examine(self):
        if self.values is not None and len(set(self.values)) < len(self.values):
            raise InputError("values", f"{list(self.values)} names a value twice; give each once")


@dataclass(frozen=True)
class TuneSettings(_Command):
    """Settings of ``pushpull tune``."""

    heuristic: str = setting(text)
    measure: str = setting(choice("profit", "cost"))
    trials: int = setting(_count)
    trial_episodes: int = setting(_count)
    seed: int = setting(_whole)
    periods: int | None = setting(optional(_count))
    episodes: int = setting(_count)
    world: int = setting(_whole)
    resume: str | None = setting(optional(text))


@dataclass(frozen=True)
class SimulateSettings(_Command):
    """Settings of ``pushpull simulate``."""

    agent: Mapping[str, AgentSettings] = setting(mapping(record(AgentSettings)))
    run: str | None = setting(optional(text))
    model: str | None = setting(optional(text))
    demand: str = setting(text)


@dataclass(frozen=True)
class ShowSettings(_Command):
    """Settings of ``pushpull show``."""


@dataclass(frozen=True)
class BoardsSettings(Settings):
    """Settings of ``pushpull boards``."""

    boards: tuple[str, ...] = setting(_names)
    agent: Mapping[str, AgentSettings] = setting(mapping(record(AgentSettings)))
    quick: bool = setting(flag)
    episodes: int = setting(number(2, whole=True))
    world: int = setting(_whole)
    seconds: float = setting(number(above=0))
    trials: int = setting(_count)
    resume: str | None = setting(optional(text))
    folder: str = setting(text)

    def examine(self):
        for name, agent in self.agent.items():
            if agent.learns:
                raise InputError(f"agent.{name}", "has to learn; compare it on a board: pushpull compare network=BOARD")


@dataclass(frozen=True)
class BenchSettings(Settings):
    """Settings of ``pushpull bench``."""

    cases: tuple[str, ...] = setting(_names)
    quick: bool = setting(flag)
    compare: str | None = setting(optional(text))
    folder: str = setting(text)


@dataclass(frozen=True)
class ExportSettings(Settings):
    """Settings of ``pushpull export``."""

    network: Network = setting(_network)
    plan: str | None = setting(optional(text))
    to: str = setting(text)


def _network_file(field: str, value: Any) -> str:
    if not text(field, value).endswith((".yaml", ".yml")):
        raise InputError(field, f"{value!r} is no name of a network file; let it end in .yaml")
    return value


@dataclass(frozen=True)
class ImportSettings(Settings):
    """Settings of ``pushpull import``."""

    from_: str = setting(text)
    to: str = setting(_network_file)
    gaps: str = setting(choice(*GAPS))


@dataclass(frozen=True)
class CheckDataSettings(Settings):
    """Settings of ``pushpull check-data``."""

    file: str = setting(text)
    column: tuple[str, ...] | None = setting(optional(_names))
    date: str | None = setting(optional(text))
    item: tuple[str, ...] | None = setting(optional(_names))
    format: str = setting(choice(*FORMATS))


@dataclass(frozen=True)
class SegmentSettings(Settings):
    """Settings of ``pushpull segment``."""

    file: str | None = setting(optional(text))
    network: Network | None = setting(optional(_network))
    column: tuple[str, ...] | None = setting(optional(_names))
    date: str | None = setting(optional(text))
    item: tuple[str, ...] | None = setting(optional(_names))
    items: str | None = setting(optional(text))
    xyz: bool = setting(flag)
    format: str = setting(choice(*FORMATS))

    def examine(self):
        if (self.file is None) == (self.network is None):
            said = "both are given" if self.file else "missing"
            raise InputError("file", f"{said}; give file=, a demand history, or network=, and not both")
        for key in ("column", "date", "item", "items"):
            if self.file is None and getattr(self, key) is not None:
                raise InputError(key, f"{getattr(self, key)!r} belongs to a file; leave it out with a network")


SETTINGS: dict[str, type[Settings]] = {
    "compare": CompareSettings,
    "train": TrainSettings,
    "evaluate": EvaluateSettings,
    "sense": SenseSettings,
    "tune": TuneSettings,
    "simulate": SimulateSettings,
    "show": ShowSettings,
    "export": ExportSettings,
    "import": ImportSettings,
    "check-data": CheckDataSettings,
    "segment": SegmentSettings,
    "boards": BoardsSettings,
    "bench": BenchSettings,
}
