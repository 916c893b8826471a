"""The networks that come with the package: `load_network` turns whatever names a network into one.

They are the files of `network_files`, one network each, known by the file's name, and the problems of `boards`,
functions with parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pushpull.envs.boards import BOARDS, make_board
from pushpull.envs.checks import InputError, suggest
from pushpull.envs.network import Network
from pushpull.envs.network_files import network_names, read_network

__all__ = ["load_network", "network_names"]

_SUFFIXES = (".yaml", ".yml")


def load_network(network: str | Path | Mapping[str, Any] | Network) -> Network:
    """Return the network that a name, a file, a mapping or a network stands for.

    Parameters
    ----------
    network : str, Path, mapping or Network
        One of `network_names`, or of `pushpull.envs.boards.BOARDS` with its default parameters; the path of a network
        file, ending in .yaml or .yml; the mapping that such a file holds, or ``{board: NAME}`` with parameters of the
        board; or a network, which passes through.

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
        return (
            make_board(**{str(key): value for key, value in network.items()})
            if "board" in network
            else Network.from_dict(network)
        )
    if not isinstance(network, (str, Path)):
        raise InputError("network", f"{network!r} names no network; give a name, a path, a mapping or a Network")
    if Path(network).suffix in _SUFFIXES:
        return Network.from_yaml(network)
    if str(network) in network_names():
        return read_network(str(network))
    if str(network) in BOARDS:
        return make_board(str(network))
    raise InputError(
        "network",
        f"{str(network)!r} is not in the library; {suggest(network, (*network_names(), *BOARDS))}; "
        "or give the path of a file ending in .yaml",
    )
