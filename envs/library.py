"""The networks that come with the package: `load_network` turns whatever names a network into one.

They are files in the folder ``network`` of the installed package ``pushpull.configs``, one network each, known by
the file's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from pushpull.envs.checks import InputError, suggest
from pushpull.envs.network import Network

_SUFFIXES = (".yaml", ".yml")


def load_network(network: str | Path | Mapping[str, Any] | Network) -> Network:
    """Return the network that a name, a file, a mapping or a network stands for.

    Parameters
    ----------
    network : str, Path, mapping or Network
        One of `network_names`; the path of a network file, ending in .yaml or .yml; the mapping that such a file
        holds; or a network, which passes through.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        For a name that is not in the library (with the nearest that are), a file that is missing, or settings that
        cannot be used.
    """
    if isinstance(network, Network):
        return network
    if isinstance(network, Mapping):
        return Network.from_dict(network)
    if not isinstance(network, (str, Path)):
        raise InputError("network", f"{network!r} names no network; give a name, a path, a mapping or a Network")
    if Path(network).suffix in _SUFFIXES:
        return Network.from_yaml(network)
    if str(network) not in network_names():
        raise InputError(
            "network",
            f"{str(network)!r} is not in the library; {suggest(network, network_names())}; "
            "or give the path of a file ending in .yaml",
        )
    with as_file(_folder() / f"{network}.yaml") as path:
        return Network.from_yaml(path)


def network_names() -> tuple[str, ...]:
    """Names of the networks in the library, in alphabetical order."""
    return tuple(sorted(Path(file.name).stem for file in _folder().iterdir() if file.name.endswith(".yaml")))


def _folder() -> Any:
    return files("pushpull.configs") / "network"
