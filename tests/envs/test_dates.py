"""Dates are read from how they are written, and the calendar they keep is told from most of them."""

from datetime import date, timedelta

import pytest

from pushpull.envs.checks import InputError
from pushpull.envs.dates import Calendar, Dates, calendar_of, in_months, read_date, runs, write_date


def days(first: str, count: int, step: int = 1) -> list[int]:
    start = date.fromisoformat(first).toordinal()
    return list(range(start, start + count * step, step))


@pytest.mark.parametrize(
    ("text", "unit", "again"),
    [
        ("2024-03-01", "day", "2024-03-01"),
        ("20240301", "day", "2024-03-01"),
        ("1.3.2024", "day", "2024-03-01"),
        ("2024-03-01 00:00:00", "day", "2024-03-01"),
        ("2024-03-01T12:30:00Z", "day", "2024-03-01"),
        ("2024-12", "month", "2024-12"),
        ("2024-W01", "week", "2024-W01"),
        ("2020W53", "week", "2020-W53"),
        (" 17 ", "period", "17"),
        ("17.0", "period", "17"),
    ],
)
def test_a_date_is_told_from_how_it_is_written(text, unit, again):
    told, number = read_date(text)
    assert told == unit
    assert write_date(told, number) == again
    assert read_date(again) == (unit, number)


@pytest.mark.parametrize(
    ("one", "other"), [("2023-12-31", "2024-01-01"), ("2023-12", "2024-01"), ("2020-W53", "2021-W01")]
)
def test_neighbours_are_one_apart(one, other):
    assert read_date(other)[1] - read_date(one)[1] == 1


@pytest.mark.parametrize("text", ["3/1/2024", "March", "2024-13", "2023-02-29", "2024-W60", "-3", "1.5", ""])
def test_what_is_no_date_is_refused(text):
    with pytest.raises(InputError, match="is no date") as caught:
        read_date(text)
    assert caught.value.field == "date"


def test_days_that_begin_or_end_months_are_months():
    for texts in (["2024-01-01", "2024-02-01", "2024-04-01"], ["2024-01-31", "2024-02-29", "2024-04-30"]):
        assert in_months(Dates("day", [read_date(text)[1] for text in texts])) == Dates("month", [24288, 24289, 24291])
    mixed = Dates("day", [read_date(text)[1] for text in ("2024-01-01", "2024-01-31")])
    assert in_months(mixed) == mixed


def test_the_calendar_is_that_of_most_dates():
    weekly = days("2024-01-03", 10, 7)
    calendar = calendar_of(Dates("day", [*weekly[:4], *weekly[5:], weekly[0] + 3]))
    assert calendar == Calendar("day", 7, weekly[0], weekly[-1])
    assert str(calendar) == "every week"
    assert calendar.dates() == weekly
    assert not calendar.fits(weekly[0] + 3)


def test_a_calendar_rests_on_weekdays_that_never_occur():
    working = [day for day in days("2024-01-01", 35) if date.fromordinal(day).weekday() < 5]
    calendar = calendar_of(Dates("day", [day for day in working if day != working[7]]))
    assert str(calendar) == "every day but Saturday and Sunday"
    assert calendar.dates() == working
    few = [day for day in working if day < working[0] + 14]
    assert calendar_of(Dates("day", few)).rests == ()


def test_calendar_of_one_date():
    assert calendar_of(Dates("month", [24288])).dates() == [24288]


def test_runs_break_where_the_list_goes_on_without_them():
    assert runs({2, 4, 8, 10}, [0, 2, 4, 6, 8, 10]) == [(2, 4), (8, 10)]
    assert runs(set(), [1, 2]) == []


def test_weeks_count_from_mondays():
    monday = date(2024, 1, 1)
    number = read_date("2024-W01")[1]
    assert date.fromordinal(number * 7 + 1) == monday
    assert (monday + timedelta(7)).isocalendar().week == 2
