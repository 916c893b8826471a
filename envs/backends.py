"""What computes the dynamics, by name: the compiled kernel, or an array library."""

from __future__ import annotations

import importlib.util
import warnings
from functools import cache
from typing import Any

import numpy as np

from pushpull.envs.checks import InputError, suggest

BACKENDS = ("auto", "numba", "numpy", "torch")


def resolve(backend: str) -> str:
    """Return the backend that a name stands for; ``auto`` is the compiled kernel where numba is at hand."""
    if backend not in BACKENDS:
        raise InputError("backend", f"{backend!r} is unknown; {suggest(backend, BACKENDS)}")
    if backend == "auto":
        return _fastest()
    if importlib.util.find_spec(backend) is None:
        raise InputError("backend", f"{backend!r} is not installed; pip install {backend}, or use numpy")
    return backend


@cache
def _fastest() -> str:
    if importlib.util.find_spec("numba") is not None:
        return "numba"
    warnings.warn("numba is not installed, so the array backend serves: same results, slower", stacklevel=4)
    return "numpy"


def namespace(backend: str) -> Any:
    """Return the array namespace of an array backend."""
    if backend == "torch":
        import array_api_compat.torch

        return array_api_compat.torch
    return np


def to_numpy(array: Any) -> np.ndarray:
    """Return an array of any backend as numpy, cut off from its gradient."""
    return array.detach().cpu().numpy() if hasattr(array, "detach") else np.asarray(array)
