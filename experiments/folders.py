"""Run folders: everything a command writes, or nothing.

Files are written to a hidden folder beside the final one, which appears under its name in one rename at the end.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from pushpull.envs.checks import InputError


class StoppedError(Exception):
    """A run stopped before its end, and what it has done is kept; `advice` says how it goes on."""

    def __init__(self, reason: BaseException, advice: str):
        self.code = 130 if isinstance(reason, KeyboardInterrupt) else 2 if isinstance(reason, InputError) else 1
        said = (
            "stopped" if self.code == 130 else str(reason) if self.code == 2 else f"{type(reason).__name__}: {reason}"
        )
        super().__init__(f"{said}; what is done is kept: {advice}")


class RunFolder(NamedTuple):
    """Where a run writes while it goes on, and where that lies once it is complete."""

    path: Path
    final: Path


@contextmanager
def run_folder(root: str | Path, command: str, label: str) -> Iterator[RunFolder]:
    """Give a folder to write to, which becomes ``root/command/date-time-label`` if all goes well and else vanishes."""
    parent = Path(root).resolve() / command
    made = _missing(parent)
    safe = re.sub(r"[^\w.-]+", "_", label)  # a network may be called anything
    try:
        parent.mkdir(parents=True, exist_ok=True)
        run = _claim(parent, f"{datetime.now():%Y%m%d-%H%M%S}-{safe}")
    except OSError as error:
        raise InputError("folder", f"{str(root)!r} cannot be written to ({error.strerror}); give another") from error
    try:
        yield run
        run.path.rename(run.final)
    except BaseException:
        shutil.rmtree(run.path)
        _remove_empty(made)
        raise


@contextmanager
def complete(*files: str | Path) -> Iterator[list[Path]]:
    """Give paths to write to, which become the new files or folders if all goes well and else vanish.

    Raises
    ------
    InputError
        If one of them exists, but for an empty folder, or cannot be written to. The field is ``to``.
    """
    finals = [Path(file).resolve() for file in files]
    for final in finals:
        if final.exists() and not (final.is_dir() and not any(final.iterdir())):
            raise InputError("to", f"{str(final)!r} exists; give another name, or move it away first")
    parent = finals[0].parent
    made = _missing(parent)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        partial = Path(mkdtemp(prefix=f".partial-{finals[0].name}-", dir=parent))
    except OSError as error:
        raise InputError("to", f"{str(files[0])!r} cannot be written ({error.strerror}); give another") from error
    try:
        yield [partial / final.name for final in finals]
        for final in finals:
            if final.is_dir():
                final.rmdir()
            (partial / final.name).rename(final)
    finally:
        shutil.rmtree(partial)
        _remove_empty(made)


def _missing(folder: Path) -> list[Path]:
    """Return the folders that have to be made for one to be there, the innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _claim(parent: Path, name: str) -> RunFolder:
    """Take the first name that no run has, or is about to have."""
    for k in count(1):
        final = parent / (name if k == 1 else f"{name}-{k}")
        partial = parent / f".partial-{final.name}"
        if not final.exists():
            try:
                partial.mkdir()
                return RunFolder(partial, final)
            except FileExistsError:
                continue
    raise AssertionError("count() does not end")
