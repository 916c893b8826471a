"""`pushpull COMMAND --help`: a command's options, their values, and what the comments in their files say of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pushpull.experiments.options import CONFIGS, composed, groups, parse


def main(command: str, words: Sequence[str], console: Console) -> None:
    """Print the options that a command has with the overrides typed so far."""
    content, choices, comments = composed(command, parse(words)), groups(command), _comments(f"{command}.yaml")
    content = {key: content.get(key, "(required)") for key in (*comments, *content)}
    if isinstance(content.get("network"), dict):
        content["network"] = content["network"]["name"]
    title = f"[bold]pushpull {command}[/] \\[key=value ...]"
    console.print(title, "", _table(content, comments, skip=choices), "", sep="\n")
    if choices:
        console.print(_choices(choices))
        console.print(f"agents now: {', '.join(content['agent'])}", highlight=False)
    if len(content.get("agent", {})) == 1:
        ((name, agent),) = content["agent"].items()
        flat = {f"agent.{name}.{key}": value for key, value in agent.items() if key != "parameters"}
        flat |= {f"agent.{name}.parameters.{key}": value for key, value in agent["parameters"].items()}
        console.print("", _table(flat, _comments(f"agent/{name}.yaml"), skip=()))


def _table(values: dict[str, Any], comments: dict[str, str], skip: Any) -> Table:
    table = Table(box=None, header_style="italic", padding=(0, 2, 0, 0))
    for heading in ("option", "value", "meaning"):
        table.add_column(heading)
    for key, value in values.items():
        if key not in skip:
            shown = "null" if value is None else str(value)
            table.add_row(f"[bold]{key}[/]", escape(shown), escape(comments.get(key.rpartition(".")[2], "")))
    return table


def _choices(choices: dict[str, list[str]]) -> Table:
    table = Table(box=None, header_style="italic", padding=(0, 2, 0, 0))
    for heading in ("choice", "options"):
        table.add_column(heading)
    for name, options in choices.items():
        table.add_row(f"[bold]{name}[/]", ", ".join(options))
    return table


def _comments(file: str) -> dict[str, str]:
    """Return the comment behind each key of a YAML file."""
    lines = (CONFIGS / file).read_text().splitlines()
    found = [re.match(r"\s*(\w+):.*?\s# (.+)$", line) for line in lines]
    return {match[1]: match[2] for match in found if match}
