"""Progress bars of training, with the time that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Bar = Callable[[str, Any], Callable[[int], None]]


@contextmanager
def training_bars(console: Console) -> Iterator[Bar]:
    """Give a function ``bar(description, total) -> update(steps done)``; where no one watches, bars print once."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:

        def bar(description: str, total: Any) -> Callable[[int], None]:
            tasks: list[TaskID] = []

            def update(done: int) -> None:
                if not tasks:  # a bar appears with the first step, not before an error at the start
                    tasks.append(progress.add_task(description, total=total))
                progress.update(tasks[0], completed=min(done, total))

            return update

        yield bar
