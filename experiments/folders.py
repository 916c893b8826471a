"""Run folders: everything a command writes, or nothing; and those of long runs, which go on where they stopped.

Files are written to a hidden folder beside the final one, which appears under its name in one rename at the end. A
`kept_folder` is there from the start, and each file in it is written whole or not at all.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import yaml

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
    try:
        parent.mkdir(parents=True, exist_ok=True)
        run = _claim(parent, _dated(label))
    except OSError as error:
        raise InputError("folder", f"{str(root)!r} cannot be written to ({error.strerror}); give another") from error
    try:
        yield run
        run.path.rename(run.final)
    except BaseException:
        shutil.rmtree(run.path)
        _remove_empty(made)
        raise


def kept_folder(root: str | Path, command: str, label: str, settings: Mapping[str, Any], resume: str | None) -> Path:
    """Return the folder of a run that may stop and go on: a new one, or that of the run that goes on.

    Parameters
    ----------
    root, command, label : str
        As for `run_folder`.
    settings : mapping
        What the run depends on; kept in its ``config.yaml``.
    resume : str, optional
        Folder of the run that goes on.

    Raises
    ------
    InputError
        If there is no such run, it had other settings, or the folder cannot be written to.
    """
    if resume is not None:
        folder, config = Path(resume).resolve(), Path(resume) / "config.yaml"
        if not config.is_file():
            raise InputError("resume", f"no run of {command} in {resume!r}; give the folder that it named")
        theirs = yaml.safe_load(config.read_text())
        for key, mine in settings.items():
            if mine != theirs.get(key):
                raise InputError(key, f"{mine!r}, but the run has {theirs.get(key)!r}; give the same, or a new run")
        return folder
    parent = Path(root).resolve() / command
    try:
        parent.mkdir(parents=True, exist_ok=True)
        name = _dated(label)
        taken = {path.name for path in parent.iterdir()}
        name = next(own for own in (name, *(f"{name}-{k}" for k in range(2, 1000))) if own not in taken)
        (parent / name).mkdir()
    except OSError as error:
        raise InputError("folder", f"{str(root)!r} cannot be written to ({error.strerror}); give another") from error
    write(parent / name / "config.yaml", yaml.safe_dump(dict(settings), sort_keys=False))
    return parent / name


def _dated(label: str) -> str:
    """Return the name of a folder of now; a network may be called anything."""
    safe = re.sub(r"[^\w.-]+", "_", label)
    return f"{datetime.now():%Y%m%d-%H%M%S}-{safe}"


def write(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = file.with_name(f".partial-{file.name}")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, file)


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
