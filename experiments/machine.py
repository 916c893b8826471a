"""The machine a measurement is made on: what it is, how long something takes, how fast it copies memory."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

LIBRARIES = ("pushpull", "numpy", "numba", "torch", "gymnasium", "stable-baselines3", "pandas", "scipy")
SMALLEST_COPY = 2**16  # bytes, below which a copy measures the call


class Stretch(NamedTuple):
    """How long something took: seconds on the clock, and seconds a processor worked on it."""

    wall: float
    processor: float

    @property
    def share(self) -> float:
        """Processors at work on average; below 1 on one thread, others had the rest."""
        return self.processor / self.wall


def timed(work: Callable[[], Any]) -> Stretch:
    """Do some work and say how long it took."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return Stretch(time.perf_counter() - wall, time.process_time() - processor)


def bandwidth(working_set: int) -> float:
    """Return the bytes a second that one thread reads and writes while it copies within a working set, in bytes.

    A working set that fits a cache is copied at that cache's speed. The best of several copies counts, at the power of
    two below the size, so that what is derived from it is a lower bound of time.
    """
    return _bandwidth(2 ** (max(working_set, SMALLEST_COPY).bit_length() - 1))


@cache
def _bandwidth(size: int) -> float:
    source, target = np.ones((2, size // 2), dtype=np.uint8)
    copies = max(1, 2**25 // size)

    def copy() -> None:
        for _ in range(copies):
            np.copyto(target, source)

    return copies * size / min(timed(copy).wall for _ in range(8))


def describe() -> dict[str, Any]:
    """Return what a reader needs to judge a measurement: processor, load, versions, the state of the code."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in LIBRARIES},
        "revision": _git("rev-parse", "HEAD"),
        "changed_files": None if (changes := _git("status", "--porcelain")) is None else len(changes.splitlines()),
    }


def _processor() -> str:
    """Return the name of the processor; where the system does not tell, its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(*words: str) -> str | None:
    """Ask git about the folder the code lies in; None where it lies in no repository."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
