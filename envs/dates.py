"""Dates of demand histories: how they are read, which calendar they keep, and which of its dates are absent.

A date is a whole number in the unit of its calendar: a day, a month, an ISO week, or a plain period number. What is
written is told from how it is written: ``2024-03-01`` (also ``20240301``, ``01.03.2024`` and with a time of day) is a
day, ``2024-03`` a month, ``2024-W09`` a week, ``17`` a period.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from pushpull.envs.checks import InputError

_FORMS = {
    re.compile(form): unit
    for form, unit in {
        r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})([T ]\d\d:\d\d.*)?": "day",
        r"(?P<y>(19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)": "day",
        r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})": "day",
        r"(?P<y>\d{4})-(?P<m>\d\d)": "month",
        r"(?P<y>\d{4})-?W(?P<w>\d\d)": "week",
        r"(?P<p>\d+)(\.0)?": "period",
    }.items()
}
_MONDAY = date(1, 1, 1).toordinal()  # was a Monday, so that day // 7 counts ISO weeks
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKS_TO_TELL = 4  # a weekday absent this many times in a row is one on which the calendar rests


class Dates(NamedTuple):
    """Dates in one unit: ``day``, ``month``, ``week`` or ``period``, each as a whole number of it."""

    unit: str
    numbers: list[int]


class Calendar(NamedTuple):
    """Every `step`-th date of a unit from `first` to `last`, but for weekdays (0 Monday) on which nothing happens."""

    unit: str
    step: int
    first: int
    last: int
    rests: tuple[int, ...] = ()

    def dates(self) -> list[int]:
        """Return all dates of the calendar."""
        every = range(self.first, self.last + 1, self.step)
        return [number for number in every if not (self.rests and _weekday(number) in self.rests)]

    def fits(self, number: int) -> bool:
        """Whether a date is one of the calendar's, were it to go on for ever."""
        return (number - self.first) % self.step == 0

    def __str__(self):
        weekly = self.unit == "day" and self.step % 7 == 0
        unit, step = ("week", self.step // 7) if weekly else (self.unit, self.step)
        words = f"every {unit}" if step == 1 else f"every {step} {unit}s"
        return words + (f" but {' and '.join(WEEKDAYS[day] for day in self.rests)}" if self.rests else "")


def read_date(text: str) -> tuple[str, int]:
    """Return the unit and the number of a date.

    Raises
    ------
    InputError
        If the text is none of the forms, or no day of the calendar. The field is ``date``.
    """
    for form, unit in _FORMS.items():
        match = form.fullmatch(text.strip())
        if match:
            parts = {key: int(value) for key, value in match.groupdict().items() if value}
            try:
                return unit, _number(unit, parts)
            except ValueError as error:
                raise InputError("date", f"{text!r} is no date ({error}); mend it") from None
    raise InputError(
        "date", f"{text!r} is no date; write 2024-03-01, 01.03.2024, 2024-03 (month), 2024-W09 (week) or a whole number"
    )


def write_date(unit: str, number: int) -> str:
    """Return a date as ISO 8601 writes it, or the period's number."""
    if unit == "day":
        return date.fromordinal(number).isoformat()
    if unit == "month":
        return f"{number // 12:04}-{number % 12 + 1:02}"
    if unit == "week":
        year, week, _ = date.fromordinal(_MONDAY + 7 * number).isocalendar()
        return f"{year:04}-W{week:02}"
    return str(number)


def in_months(dates: Dates) -> Dates:
    """Return days that all begin a month, or all end one, as months; other dates as they are."""
    if dates.unit != "day" or not dates.numbers:
        return dates
    days = [date.fromordinal(number) for number in dates.numbers]
    if any(day.day != 1 for day in days) and any((day + timedelta(1)).day != 1 for day in days):
        return dates
    return Dates("month", [12 * day.year + day.month - 1 for day in days])


def calendar_of(dates: Dates) -> Calendar:
    """Return the calendar that dates keep: its step is the commonest distance of neighbours, the shorter where tied.

    Its origin is that of most dates. Where days follow each other, a weekday that never occurs in four weeks or more
    is one on which the calendar rests.
    """
    numbers = sorted(set(dates.numbers))
    distances = Counter(b - a for a, b in pairwise(numbers))
    step = min(distances, key=lambda distance: (-distances[distance], distance)) if distances else 1
    origins = Counter(number % step for number in numbers)
    origin = max(origins, key=lambda rest: origins[rest])
    kept = [number for number in numbers if number % step == origin]
    rests: tuple[int, ...] = ()
    if dates.unit == "day" and step == 1 and kept[-1] - kept[0] >= 7 * _WEEKS_TO_TELL:
        rests = tuple(sorted(set(range(7)) - {_weekday(number) for number in kept}))
    return Calendar(dates.unit, step, kept[0], kept[-1], rests)


def runs(numbers: Iterable[int], among: list[int]) -> list[tuple[int, int]]:
    """Return the first and the last of each unbroken run of `numbers` in the rising list `among`."""
    wanted, found = set(numbers), []
    for k, number in enumerate(among):
        if number in wanted:
            if found and k and found[-1][1] == among[k - 1]:
                found[-1] = (found[-1][0], number)
            else:
                found.append((number, number))
    return found


def _weekday(number: int) -> int:
    return (number - _MONDAY) % 7


def _number(unit: str, parts: dict[str, int]) -> int:
    if unit == "day":
        return date(parts["y"], parts["m"], parts["d"]).toordinal()
    if unit == "month":
        if not 1 <= parts["m"] <= 12:
            raise ValueError("month must be in 1..12")
        return 12 * parts["y"] + parts["m"] - 1
    if unit == "week":
        return (date.fromisocalendar(parts["y"], parts["w"], 1).toordinal() - _MONDAY) // 7
    return parts["p"]
