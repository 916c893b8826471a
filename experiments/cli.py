"""The command line: `pushpull COMMAND [key=value ...]`.

A command is a line of `COMMANDS`: a module of this package whose `main(settings, console)` does the work and may
return an exit code. Its settings
are composed from ``configs/COMMAND.yaml`` and the words typed (`pushpull.experiments.options`). What a user can mend is
answered in one line and exit code 2.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pushpull.envs.checks import InputError, suggest
from pushpull.experiments.folders import StoppedError

COMMANDS = {
    "compare": "train the agents that learn, play all of them in the same worlds, and rank them",
    "train": "train one agent that learns, and save it",
    "evaluate": "play a saved agent, or agents that need no training, in test worlds",
    "tune": "search the numbers of a heuristic in training worlds, and test them",
    "sense": "play agents at several forecast errors: what knowing demand better is worth",
    "simulate": "run one agent through a recorded demand history, period by period",
    "show": "describe a network and draw it",
    "export": "write a network as CSV tables, as planning systems keep one",
    "import": "make a network file of CSV tables",
    "check-data": "find gaps, repetitions, strange zeros and outliers in a demand history",
    "segment": "propose push or pull for each item, by value, pattern of demand and lead time",
    "boards": "on published problems, say how far agents are from the best there is",
    "bench": "measure how fast everything is on this machine, beside its targets",
}
MODULES = {"export": "export_data", "import": "import_data"}  # where a command's name is a word of Python
FLAGS = {
    "--help": "show a command's options, their values and what they mean (-h)",
    "--multirun": "run every combination of values that are separated by commas (-m)",
    "--traceback": "show where an error comes from",
}
SHORT_FLAGS = {"-h": "--help", "-m": "--multirun"}
EXAMPLES = (
    "pushpull compare",
    "pushpull compare network=retail agent=[ppo,base_stock] seeds=[0,1,2]",
    "pushpull compare network.stages.board.sources.0.capacity=90",
    "pushpull train agent=sac agent.sac.steps=50000",
    "pushpull train --multirun seed=0,1,2",
    "pushpull tune network=chain4 heuristic=echelon_base_stock",
    "pushpull sense network=electronics values=[0,0.2,0.4]",
    "pushpull show network=beer_game",
    "pushpull export network=electronics to=tables",
    "pushpull boards quick=true",
    "pushpull bench quick=true cases=step/chain4",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0 done, 1 failed or found wanting, 2 misused, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        return _run(words, console)
    except InputError as error:
        return _fail(2, str(error), words)
    except StoppedError as error:
        return _fail(error.code, str(error), words)
    except KeyboardInterrupt:
        return _fail(130, "stopped; nothing of this run was kept", words)
    except Exception as error:
        return _fail(
            1, f"{type(error).__name__}: {error}; nothing of this run was kept; --traceback shows where", words
        )


def _run(words: list[str], console: Console) -> int:
    flags = {SHORT_FLAGS.get(word, word) for word in words if word.startswith("-")}
    for flag in sorted(flags - set(FLAGS)):
        raise InputError(flag, f"unknown flag; {suggest(flag, FLAGS)}")
    names = [word for word in words if not word.startswith("-")]
    if not names:
        _print_page(console)
        return 0
    command, *overrides = names
    if command not in COMMANDS:
        raise InputError(command, f"unknown command; {suggest(command, COMMANDS)}")
    if "--help" in flags:
        import_module("pushpull.experiments.explain").main(command, overrides, console)
        return 0
    jobs = import_module("pushpull.experiments.options").read(command, overrides, "--multirun" in flags)
    run = module_of(command).main
    codes = []
    for k, settings in enumerate(jobs):
        if len(jobs) > 1:
            console.rule(f"job {k + 1} of {len(jobs)}")
        codes.append(run(settings, console) or 0)
    return max(codes)


def module_of(command: str) -> Any:
    """Return the module that does a command's work."""
    return import_module(f"pushpull.experiments.{MODULES.get(command, command.replace('-', '_'))}")


def _fail(code: int, message: str, words: list[str]) -> int:
    """Print what went wrong, with where if that was asked for, and return the exit code."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if "--traceback" in words:
        traceback.print_exc()
    console.print(f"[bold red]pushpull:[/] {escape(message)}")
    return code


def _print_page(console: Console) -> None:
    """Print what `pushpull` alone says."""
    console.print(
        "[bold]pushpull[/] COMMAND \\[key=value ...]    push-pull supply chains: heuristics against learning\n"
    )
    for title, entries in (("commands", COMMANDS), ("flags", FLAGS)):
        table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 2))
        for name, meaning in entries.items():
            table.add_row(f"[bold]{name}[/]", meaning)
        console.print(table, "")
    console.print("examples", style="italic")
    for example in EXAMPLES:
        console.print(f"  {escape(example)}", highlight=False)
    console.print("\n`pushpull COMMAND --help` lists a command's options.", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
