"""`pushpull check-data`: what in a demand history would mislead a simulation, a forecast or a policy.

Every check is a function of one series, listed in `DATE_CHECKS` or `VALUE_CHECKS`, but `closings`, which looks at all
of them. They report, and mend nothing. A finding says the row of the file, counted as a spreadsheet counts, what was
found, and by which rule. The command ends with exit code 1 if there
is a finding, so that a script can stop there.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pushpull.envs.checks import InputError
from pushpull.envs.dates import Calendar, Dates, calendar_of, in_months, read_date, runs, write_date
from pushpull.envs.histories import is_missing
from pushpull.experiments.series import Histories, Series, read_series
from pushpull.experiments.settings import CheckDataSettings

CHANCE = 0.05  # a run of zeros is suspected if fewer such runs are to be expected in the whole series
FAR = 3.5  # modified z-score from which a value is an outlier (Iglewicz & Hoaglin 1993)
FEWEST = 10  # values that say what is usual
SHOWN = 40  # findings in the table on the screen


class Finding(NamedTuple):
    """One thing found: the first row it concerns, its date, whose it is, its kind, and words for it."""

    row: int
    date: str
    item: str
    finding: str
    words: str


class Dated(NamedTuple):
    """A series whose dates are known: as numbers of the calendar's unit (None: unreadable), and quantities (NaN: none).

    `closed` holds the dates on which nothing in the file was sold; None where the file has but one series.
    """

    series: Series
    numbers: list[int | None]
    quantities: np.ndarray
    calendar: Calendar | None
    closed: frozenset[int] | None = None


def main(settings: CheckDataSettings, console: Console) -> int:
    """Report what is found in a file, and return 1 if anything is."""
    histories = read_series(settings.file, settings.column, settings.date, settings.item)
    findings, calendar = check(histories)
    if settings.format == "csv":
        write_findings(findings, console)
    else:
        print_findings(histories, findings, calendar, console)
    return int(bool(findings))


def check(histories: Histories) -> tuple[list[Finding], Calendar | None]:
    """Return what is found in histories, in the order of the file's rows, and the calendar that they keep."""
    dated, problems, calendar = dated_series(histories)
    # The rows of a wide file have one date each, those of a long one belong to an item.
    of_rows = dated if histories.layout == "long" else [dated[0]._replace(series=dated[0].series._replace(name="all"))]
    findings = [finding for own in of_rows for finding in _unreadable_dates(own, problems)]
    findings += [finding for own in of_rows for test in DATE_CHECKS[histories.layout] for finding in test(own)]
    if calendar and len(dated) > 1:
        shut = closings(dated)
        findings += [finding for _, finding in shut]
        dated = [own._replace(closed=frozenset(number for number, _ in shut)) for own in dated]
    findings += [finding for own in dated for test in VALUE_CHECKS for finding in test(own)]
    return sorted(findings), calendar


def dated_series(histories: Histories) -> tuple[list[Dated], dict[str, str], Calendar | None]:
    """Return the series with numbers for their dates and quantities, what is wrong with dates, and the calendar."""
    numbers, problems, calendar = _read_dates(histories)
    dated = []
    for series in histories.series:
        values = [histories.number(entry) for entry in series.entries]
        quantities = np.array([np.nan if value is None else value for value in values])
        dated.append(Dated(series, [numbers[text] for text in series.dates], quantities, calendar))
    return dated, problems, calendar


def _read_dates(histories: Histories) -> tuple[dict[str, int | None], dict[str, str], Calendar | None]:
    """Return the number of each date that is written, what is wrong with those that have none, and the calendar."""
    texts = dict.fromkeys(text for series in histories.series for text in series.dates)
    if not histories.date:
        return dict.fromkeys(texts), {}, None
    read, problems = {}, {}
    for text in texts:
        try:
            read[text] = read_date(text)
        except InputError as error:
            problems[text] = "no date; fill it in" if is_missing(text) else error.problem
    units = Counter(unit for unit, _ in read.values())
    if not units:
        return dict.fromkeys(texts), problems, None
    unit = units.most_common(1)[0][0]
    alike = [text for text in read if read[text][0] == unit]
    problems |= {
        text: f"is a {read[text][0]}, unlike most dates; write all alike" for text in read if text not in alike
    }
    dates = in_months(Dates(unit, [read[text][1] for text in alike]))
    numbers = dict.fromkeys(texts) | dict(zip(alike, dates.numbers, strict=True))
    return numbers, problems, calendar_of(dates)


# --- dates ------------------------------------------------------------------------------------------------------------


def _unreadable_dates(dated: Dated, problems: dict[str, str]) -> Iterator[Finding]:
    for k, text in enumerate(dated.series.dates):
        if text in problems:
            yield _finding(dated, k, "unreadable date", problems[text])


def repeated_dates(dated: Dated) -> Iterator[Finding]:
    """Find dates that stand in more than one row of a series."""
    first: dict[int, int] = {}
    for k, number in enumerate(dated.numbers):
        if number in first:
            yield _finding(dated, k, "repeated date", f"stands in row {first[number]} too; keep one, or add them up")
        elif number is not None:
            first[number] = dated.series.rows[k]


def falling_dates(dated: Dated) -> Iterator[Finding]:
    """Find rows whose date lies before that of the row above."""
    latest = None
    for k, number in enumerate(dated.numbers):
        if number is not None:
            if latest is not None and number < latest:
                yield _finding(dated, k, "unordered date", "lies before the row above; sort the rows by date")
            latest = number


def dates_off_the_calendar(dated: Dated) -> Iterator[Finding]:
    """Find dates that the calendar of most rows does not have."""
    for k, number in enumerate(dated.numbers):
        if number is not None and dated.calendar and not dated.calendar.fits(number):
            yield _finding(dated, k, "irregular date", f"is none of {dated.calendar}, as other rows are")


def gaps(dated: Dated) -> Iterator[Finding]:
    """Find dates that the calendar has between a series' first and last one, and the series lacks."""
    present = {number: k for k, number in enumerate(dated.numbers) if number is not None}
    if not present or dated.calendar is None:
        return
    expected = [date for date in dated.calendar.dates() if min(present) <= date <= max(present)]
    place = {date: k for k, date in enumerate(expected)}
    for first, last in runs(set(expected) - set(present), expected):
        count = place[last] - place[first] + 1
        before = present[max(date for date in present if date < first)]
        one, other = (write_date(dated.calendar.unit, date) for date in (first, last))
        words = "no row" if count == 1 else f"no rows for {count} dates, to {other}"
        words += f", after row {dated.series.rows[before]}; add what was asked for, or 0"
        yield _finding(dated, before, "gap", words)._replace(date=one)


# --- quantities -------------------------------------------------------------------------------------------------------


def missing_values(dated: Dated) -> Iterator[Finding]:
    """Find dates without a quantity, runs of them as one."""
    absent = [k for k, entry in enumerate(dated.series.entries) if is_missing(entry)]
    for first, last in runs(absent, list(range(len(dated.series.entries)))):
        words = (
            "no value" if first == last else f"no value in {last - first + 1} rows, to row {dated.series.rows[last]}"
        )
        yield _finding(dated, first, "missing value", f"{words}; fill in what was asked for, or 0")


def values_that_are_no_numbers(dated: Dated) -> Iterator[Finding]:
    """Find quantities that are words."""
    for k, entry in enumerate(dated.series.entries):
        if np.isnan(dated.quantities[k]) and not is_missing(entry):
            yield _finding(
                dated, k, "unreadable value", f"{entry.strip()!r}; write digits, with a point before decimals"
            )


def negative_values(dated: Dated) -> Iterator[Finding]:
    """Find quantities below 0."""
    for k in np.flatnonzero(dated.quantities < 0):
        words = f"{dated.quantities[k]:,g}; demand is not negative: count returns and corrections elsewhere"
        yield _finding(dated, int(k), "negative value", words)


def suspicious_zeros(dated: Dated) -> Iterator[Finding]:
    """Find runs of zeros too long for chance: closed, out of stock, not yet launched, or no longer sold.

    With a share p of zeros, as many runs of at least L zeros are to be expected by chance among n independent periods
    as places where one may begin times its probability: p^L (1 + (n - L) (1 - p)) (Feller 1968, An Introduction to
    Probability Theory, vol. 1, XIII.7). Below `CHANCE` a run is suspected. What lies before the first sale and after
    the last one does not count towards p.
    """
    open_to_sell = np.array([number not in (dated.closed or ()) for number in dated.numbers])
    known = np.flatnonzero(~np.isnan(dated.quantities) & open_to_sell)
    sold = np.flatnonzero(dated.quantities > 0)
    if not len(sold):
        if len(known):
            yield _finding(dated, int(known[0]), "empty item", "0 in every row; leave the column out, or mend it")
        return
    inside = known[(known >= sold[0]) & (known <= sold[-1])]
    share = float(np.mean(dated.quantities[inside] == 0))
    zeros = [int(k) for k in known if dated.quantities[k] == 0]
    for first, last in runs(zeros, [int(k) for k in known]):
        length = int(np.sum((known >= first) & (known <= last)))
        expected = expected_runs(length, len(known), share)
        if expected >= CHANCE:
            continue
        rows = "0" if length == 1 else f"0 in {length} rows, to row {dated.series.rows[last]}"
        if last < sold[0]:
            yield _finding(dated, first, "late start", f"{rows}, before the first sale; begin after it")
        elif first > sold[-1]:
            yield _finding(dated, first, "early end", f"{rows}, after the last sale; end there if it is sold no more")
        else:
            why = "out of stock, or closed?" if dated.closed is None else "out of stock?"
            yield _finding(
                dated, first, "zero run", f"{rows}: {why} By chance in 1 of {_rounded(1 / expected)} histories."
            )


def closings(dated: list[Dated]) -> list[tuple[int, Finding]]:
    """Find dates on which no item was sold, where that is unlikely, with the number of each date.

    If items were 0 independently of each other, each as often as it is, all would be on n times the product of their
    shares of zeros among n dates; below `CHANCE` the place is taken to have been closed.
    """
    dates, busy = set(), set()
    for own in dated:
        dates.update(own.numbers)
        busy.update(own.numbers[k] for k in np.flatnonzero(own.quantities > 0))
    quiet: dict[int, list[tuple[Dated, int]]] = {}
    for own in dated:
        for k in np.flatnonzero(own.quantities == 0):
            number = own.numbers[k]
            if number is not None and number not in busy:
                quiet.setdefault(number, []).append((own, int(k)))
    shares = {own.series.name: float(np.mean(own.quantities == 0)) for own in dated}
    found = []
    for number, members in sorted(quiet.items()):
        expected = len(dates) * np.prod([shares[own.series.name] for own, _ in members])
        if len(members) > 1 and expected < CHANCE:
            own, k = members[0]
            words = f"none of {len(members)} items was sold: closed?"
            found.append((number, _finding(own, k, "closing", words)._replace(item="all")))
    return found


def expected_runs(length: int, periods: int, share: float) -> float:
    """Return how many runs of at least `length` zeros are to be expected, each period being 0 with a probability."""
    return share**length * (1 + max(0, periods - length) * (1 - share))


def outliers(dated: Dated) -> Iterator[Finding]:
    """Find quantities far from what is usual for the item, on the same weekday where periods are days.

    The rule is the modified z-score of Iglewicz & Hoaglin (1993, How to Detect and Handle Outliers), 0.6745 (x -
    median) / MAD beyond `FAR`, on log(1 + quantity) of what was sold, since demand is skewed and its effects multiply.
    Where the median absolute deviation is 0 the mean one takes its place, times sqrt(pi / 2) as of a normal law.
    """
    weekly = dated.calendar is not None and (dated.calendar.unit, dated.calendar.step) == ("day", 1)
    groups: dict[int, list[int]] = {}
    for k in np.flatnonzero(dated.quantities > 0):
        number = dated.numbers[k]
        groups.setdefault((number or 0) % 7 if weekly else 0, []).append(int(k))
    for members in groups.values():
        values = dated.quantities[members]
        for k, score in zip(members, modified_z_scores(np.log1p(values)), strict=True):
            if abs(score) > FAR and len(members) >= FEWEST:
                usual = f"usually {np.median(values):,g}" + (" on this weekday" if weekly else "")
                yield _finding(dated, k, "outlier", f"{dated.quantities[k]:,g}, {usual} (z {score:+.1f})")


def modified_z_scores(values: np.ndarray) -> np.ndarray:
    """Return the modified z-scores of values, [n]; 0 where all are alike."""
    away = values - np.median(values)
    spread = np.median(np.abs(away)) / 0.6745
    spread = spread or np.mean(np.abs(away)) * np.sqrt(np.pi / 2)
    return away / spread if spread > 0 else np.zeros(len(values))


Check = Callable[[Dated], Iterator[Finding]]
DATE_CHECKS: dict[str, tuple[Check, ...]] = {
    "wide": (repeated_dates, falling_dates, dates_off_the_calendar, gaps),
    "long": (repeated_dates, dates_off_the_calendar, gaps),  # in any order
}
VALUE_CHECKS: tuple[Check, ...] = (
    missing_values,
    values_that_are_no_numbers,
    negative_values,
    suspicious_zeros,
    outliers,
)
RULES = {
    "zero run": f"by chance fewer than {CHANCE} runs of so many zeros are expected, given the item's share of zeros",
    "closing": f"by chance fewer than {CHANCE} dates without any sale are expected, given the items' shares of zeros",
    "outlier": f"modified z-score of log(1 + quantity) beyond {FAR} (Iglewicz & Hoaglin 1993)",
}


def _finding(dated: Dated, k: int, kind: str, words: str) -> Finding:
    return Finding(dated.series.rows[k], dated.series.dates[k], dated.series.name, kind, words)


# --- what is printed --------------------------------------------------------------------------------------------------


def write_findings(findings: list[Finding], console: Console) -> None:
    """Print all findings as CSV."""
    writer = csv.writer(console.file, lineterminator="\n")
    writer.writerow(Finding._fields)
    writer.writerows(findings)


def print_findings(histories: Histories, findings: list[Finding], calendar: Calendar | None, console: Console) -> None:
    """Print the findings as a table, and what they come to in a sentence."""
    if findings:
        table = Table(title=f"Findings in {histories.file}", title_justify="left")
        table.add_column("row", justify="right")
        for heading in ("date", "item", "finding"):
            table.add_column(heading, no_wrap=heading != "item")
        table.add_column("what is found")
        for finding in findings[:SHOWN]:
            table.add_row(str(finding.row), *(escape(text) for text in finding[1:]))
        console.print(table, highlight=False)
    for line in summary(histories, findings, calendar):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def summary(histories: Histories, findings: list[Finding], calendar: Calendar | None) -> Iterator[str]:
    """Say what was looked at and what was found."""
    rows = len({row for series in histories.series for row in series.rows})
    looked = f"{histories.file} ({histories.layout}): {_count(len(histories.series), 'item')}, {_count(rows, 'row')}"
    if calendar:
        first, last = (write_date(calendar.unit, date) for date in (calendar.first, calendar.last))
        yield f"{looked}, {calendar} from {first} to {last}."
    else:
        yield f"{looked}, no dates, so gaps and repetitions cannot be told; name their column with date=."
    if histories.left_out:
        yield f"Not looked at, since mostly no numbers: {', '.join(histories.left_out)}."
    if not findings:
        yield "Nothing found: no gap, no repeated date, no missing or negative value, no strange zero, no outlier."
        return
    kinds = Counter(finding.finding for finding in findings)
    yield f"{_count(len(findings), 'finding')}: {', '.join(_count(n, kind) for kind, n in kinds.most_common())}."
    yield from (f"{kind}: {rule}" for kind, rule in RULES.items() if kind in kinds)
    if len(findings) > SHOWN:
        yield f"The table shows the first {SHOWN}; format=csv prints all, ready for > findings.csv."


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' * (number != 1)}"


def _rounded(number: float) -> str:
    """Return a number with one digit that counts, such as 30,000."""
    return f"{float(f'{min(number, 1e9):.0e}'):,.0f}"
