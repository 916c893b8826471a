"""Checks at the door: every setting states what it accepts, and an error names the field, the value and the fix.

A check is a function ``check(field, value) -> value`` that returns the value in its clean form or raises
`InputError`. Settings classes list one check per field with `setting`; `Settings` runs them on construction,
and `record` / `records` build nested settings from mappings, adding to an error the path that leads to it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

Check = Callable[[str, Any], Any]


class InputError(ValueError):
    """Something a user wrote cannot be used.

    Parameters
    ----------
    field : str
        Path of the offending field, such as ``stages.phone.sources[0].lead_time``.
    problem : str
        What is wrong with its value and how to mend it.
    """

    def __init__(self, field: str, problem: str):
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem

    def within(self, prefix: str) -> InputError:
        """Return the same error seen from the settings that hold the field."""
        return InputError(f"{prefix}.{self.field}", self.problem)

    def __reduce__(self):
        return InputError, (self.field, self.problem)


def suggest(word: object, known: Iterable[object]) -> str:
    """Return the closing words of an error about a name: the nearest valid ones, then all when they are few."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(str(word), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"{hint}valid: {', '.join(names[:40])}{', ...' if len(names) > 40 else ''}"


def setting(check: Check, default: Any = MISSING) -> Any:
    """Declare a settings field by its check and its default."""
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True)
class Settings:
    """Base of frozen settings: runs the check of every field, then `examine`, on construction.

    A key that is a word of Python is the name of its field without the underscore at its end: `from_` is ``from``.
    """

    def __post_init__(self):
        for item in fields(self):
            object.__setattr__(self, item.name, item.metadata["check"](key_of(item), getattr(self, item.name)))
        self.examine()

    def examine(self) -> None:
        """Check what concerns several fields at once."""

    def to_dict(self) -> dict[str, Any]:
        """Return the mapping that builds these settings again: the fields that differ from their defaults."""
        return {
            key_of(item): _plain(getattr(self, item.name))
            for item in fields(self)
            if item.default is MISSING or getattr(self, item.name) != item.default
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def build(settings: type[Settings], value: Any, path: str) -> Any:
    """Build settings from a mapping; `path` is where the mapping stands, for errors."""
    if isinstance(value, settings):
        return value
    if not isinstance(value, Mapping):
        raise InputError(path, f"{value!r} is not a mapping; give keys such as {', '.join(_keys(settings)[:4])}")
    for key in value:
        if key not in _keys(settings):
            raise InputError(f"{path}.{key}", f"unknown key; {suggest(key, _keys(settings))}")
    for item in fields(settings):
        if item.default is MISSING and key_of(item) not in value:
            raise InputError(f"{path}.{key_of(item)}", "missing; it has no default, so state it")
    try:
        return settings(**{item.name: value[key_of(item)] for item in fields(settings) if key_of(item) in value})
    except InputError as error:
        raise error.within(path) from None


def _keys(settings: type[Settings]) -> list[str]:
    return [key_of(item) for item in fields(settings)]


def key_of(item: Any) -> str:
    """Return the key of a settings field."""
    return item.name.removesuffix("_")


def record(settings: type[Settings]) -> Check:
    """Accept a mapping of the given settings."""
    return lambda field, value: build(settings, value, field)


def records(settings: type[Settings]) -> Check:
    """Accept a list of mappings of the given settings."""

    def check(field: str, value: Any) -> tuple:
        if not isinstance(value, (list, tuple)):
            raise InputError(field, f"{value!r} is not a list; write one entry per line, each a mapping")
        return tuple(build(settings, item, f"{field}[{k}]") for k, item in enumerate(value))

    return check


def number(
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: float | None = None,
    whole: bool = False,
    infinite: bool = False,
) -> Check:
    """Accept a number in [low, high] (or strictly above `above`); whole and infinite ones where said."""
    kind = "whole number" if whole else "number"
    bound = f" above {above}" if above is not None else f" of at least {low:.12g}" if low > -math.inf else ""
    bound += f" and at most {high:.12g}" if high < math.inf else ""

    def check(field: str, value: Any) -> float | int:
        try:
            clean = float(value) if not isinstance(value, (bool, str)) else None
        except (TypeError, ValueError, OverflowError):
            clean = None
        if isinstance(value, str) and infinite and value.lower().strip("+.") in ("inf", "infinity"):
            clean = math.inf
        if clean is None:
            quoted = isinstance(value, str) and _reads_as_number(value)
            hint = ", without quotes and with an exponent as in 1.0e+3" if quoted else ""
            raise InputError(field, f"{value!r} is not a number; give a {kind}{bound}{hint}")
        if math.isnan(clean) or (math.isinf(clean) and not infinite):
            raise InputError(field, f"{value!r} is not finite; give a {kind}{bound}")
        if not low <= clean <= high or (above is not None and clean <= above):
            raise InputError(field, f"{value!r} is out of range; give a {kind}{bound}")
        if whole and not math.isinf(clean):
            if clean != round(clean):
                raise InputError(field, f"{value!r} is not whole; give a {kind}{bound}")
            return int(value)  # and not of `clean`: floats know no odd numbers above 2^53, and seeds do
        return int(clean) if clean.is_integer() and isinstance(value, int) else clean

    return check


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def choice(*options: str) -> Check:
    """Accept one of the given words."""

    def check(field: str, value: Any) -> str:
        if value not in options:
            raise InputError(field, f"{value!r} is unknown; {suggest(value, options)}")
        return value

    return check


def flag(field: str, value: Any) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise InputError(field, f"{value!r} is not true or false; write one of them")
    return value


def text(field: str, value: Any) -> str:
    """Accept words; a number is read as its digits, since YAML reads the stage name 4 as a number."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        hint = ", in quotes where YAML reads yes, no, on or off as a truth" if isinstance(value, bool) else ""
        raise InputError(field, f"{value!r} is not a name; give a non-empty text{hint}")
    return str(value)


def optional(check: Check) -> Check:
    """Accept nothing (null), or what `check` accepts."""
    return lambda field, value: None if value is None else check(field, value)


def listing(check: Check, *, at_least: int = 0) -> Check:
    """Accept a list whose entries all pass `check`; a single value is a list of one."""

    def accept(field: str, value: Any) -> tuple:
        items = value if isinstance(value, (list, tuple)) else [value]
        if len(items) < at_least:
            raise InputError(field, f"{value!r} has {len(items)} entries; give at least {at_least}")
        return tuple(check(f"{field}[{k}]", item) for k, item in enumerate(items))

    return accept


def mapping(check: Check) -> Check:
    """Accept a mapping from names to values that pass `check`."""

    def accept(field: str, value: Any) -> dict:
        if not isinstance(value, Mapping):
            raise InputError(field, f"{value!r} is not a mapping; write name: value")
        names = [text(field, key) for key in value]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"{field}.{name}", "named twice, as a text and as a number; rename one")
        return {name: check(f"{field}.{name}", item) for name, item in zip(names, value.values(), strict=True)}

    return accept
