"""The network files that come with the package: the folder ``network`` of `pushpull.configs`, one network each."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from pushpull.envs.network import Network


def network_names() -> tuple[str, ...]:
    """Names of the networks in the library, in alphabetical order."""
    return tuple(sorted(Path(file.name).stem for file in _folder().iterdir() if file.name.endswith(".yaml")))


def read_network(name: str) -> Network:
    """Return the network of one of these files, by its name."""
    with as_file(_folder() / f"{name}.yaml") as path:
        return Network.from_yaml(path)


def _folder() -> Any:
    return files("pushpull.configs") / "network"
