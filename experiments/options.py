"""From words on the command line to the settings of a command.

`read` composes ``configs/COMMAND.yaml`` with Hydra and the overrides that were typed, once for each combination of a
sweep, and checks the outcome. Hydra's own syntax holds: ``key=value``, ``agent=[ppo,base_stock]``, and with
``--multirun`` sweeps such as ``seed=0,1,2`` or ``world=range(0,300,100)``.

A network is no Hydra group, since it may be any file: ``network=NAME`` or ``network=PATH``, and
``network.stages.board.sources.0.capacity=90`` changes one number of whichever it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pushpull.envs.checks import InputError, Settings, build, suggest
from pushpull.envs.library import load_network
from pushpull.experiments.agents import saved_network
from pushpull.experiments.settings import SETTINGS

CONFIGS = Path(str(files("pushpull.configs")))


def read(command: str, words: Sequence[str], multirun: bool = False) -> list[Settings]:
    """Return the settings of each job that the words ask for.

    Parameters
    ----------
    command : str
        One of `pushpull.experiments.settings.SETTINGS`.
    words : sequence of str
        Overrides in Hydra's syntax.
    multirun : bool
        Run every combination of swept values; without it a sweep is refused.

    Raises
    ------
    InputError
        For whatever cannot be used, with the nearest names that can.
    """
    return [_settings(command, job) for job in _jobs(parse(words), multirun)]


def groups(command: str) -> dict[str, list[str]]:
    """Return the groups that a command chooses from, each with its options."""
    content = yaml.safe_load((CONFIGS / f"{command}.yaml").read_text())
    names = [name for entry in content.get("defaults", []) if isinstance(entry, dict) for name in entry]
    return {name: sorted(path.stem for path in (CONFIGS / name).glob("*.yaml")) for name in names}


def composed(command: str, overrides: Sequence[Override]) -> dict[str, Any]:
    """Return a command's configuration as plain mappings, its network whole."""
    changes = [override for override in overrides if override.key_or_group.split(".")[0] == "network"]
    others = [_hydra_word(command, override) for override in overrides if override not in changes]
    try:
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            content: Any = OmegaConf.to_container(compose(command, overrides=others), resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(command, str(error).splitlines()[0]) from None
    content = {key: value for key, value in content.items() if value != "???"}  # Hydra's mark of a missing value
    if changes and "network" not in content:
        raise InputError("network", f"{command} takes none; leave it out")
    chosen = [name for name, agent in content.get("agent", {}).items() if {"policy", "algorithm"} & {*agent}]
    for name in content.get("agent", {}):
        if name not in chosen:
            raise InputError(f"agent.{name}", f"no such agent takes part; {suggest(name, chosen)}")
    named: list[Any] = [change.value() for change in changes if change.key_or_group == "network"]
    if named:
        content["network"] = named[-1]
    elif content.get("run") is not None:
        content["network"] = saved_network(content["run"])
    if content.get("network") is not None:
        content["network"] = load_network(content["network"]).to_dict()
    for change in changes:
        if change.key_or_group != "network":
            _change(content, change.key_or_group.split("."), change.value())
    return content


def parse(words: Sequence[str]) -> list[Override]:
    """Return the overrides that words express."""
    try:
        return OverridesParser.create().parse_overrides(list(words))
    except HydraException as error:
        raise InputError("command line", f"{str(error).splitlines()[0]}; write key=value") from None


def _jobs(overrides: list[Override], multirun: bool) -> list[list[Override]]:
    """Return the overrides of each combination of swept values."""
    swept = next((override for override in overrides if override.is_sweep_override()), None)
    if swept is not None and not multirun:
        key = swept.get_key_element()
        values = str(swept.input_line).removeprefix(f"{key}=")
        raise InputError(key, f"{values} is a sweep; add --multirun to run each, or write {key}=[{values}] for a list")
    choices = [
        [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
        if override.is_sweep_override()
        else [str(override.input_line)]
        for override in overrides
    ]
    return [parse(words) for words in itertools.product(*choices)]


def _hydra_word(command: str, override: Override) -> str:
    """Return an override as Hydra is to read it: a choice checked, a value accepted whether or not its key is there."""
    key, options = override.key_or_group, groups(command)
    if key == "hydra" or key.startswith("hydra."):
        raise InputError(key, "settings of Hydra itself have no effect here; leave it out")
    if key in options:
        chosen = override.value()
        for name in chosen if isinstance(chosen, list) else [chosen]:
            if str(name) not in options[key]:
                raise InputError(key, f"{str(name)!r} is unknown; {suggest(name, options[key])}")
        return str(override.input_line)
    if (CONFIGS / key).is_dir():
        raise InputError(key, f"{command} has no such choice; {suggest(key, options)}")
    prefix = "++" if override.type is OverrideType.CHANGE else ""
    return f"{prefix}{override.input_line}"


def _change(content: dict[str, Any], path: list[str], value: Any) -> None:
    """Set the entry of nested mappings and lists that a dotted path leads to."""
    node: Any = content
    for depth, key in enumerate(path):
        where = ".".join(path[: depth + 1])
        last = depth == len(path) - 1
        if isinstance(node, list):
            if not key.isdigit() or int(key) >= len(node):
                raise InputError(where, f"no such entry; valid: {', '.join(map(str, range(len(node))))}")
            place: Any = int(key)
        elif isinstance(node, dict):
            place = next((known for known in node if str(known) == key), key)
            if place not in node and path[:depth] == ["network", "stages"]:
                raise InputError(where, f"no such stage; {suggest(key, node)}")
        else:
            raise InputError(where, f"{'.'.join(path[:depth])} is {node!r}, which has no parts; set it itself")
        if last:
            node[place] = value
        else:
            node = node[place] if isinstance(node, list) else node.setdefault(place, {})


def _settings(command: str, overrides: Sequence[Override]) -> Settings:
    """Compose and check one job."""
    try:
        return build(SETTINGS[command], composed(command, overrides), command)
    except InputError as error:
        raise InputError(error.field.removeprefix(f"{command}."), error.problem) from error
