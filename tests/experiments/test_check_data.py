"""check-data finds what was put there, and in the histories of the package what their sources say of them."""

import csv
import io
import math
from datetime import date, timedelta
from itertools import product

import numpy as np
import pytest

from pushpull.experiments.check_data import CHANCE, Dated, check, expected_runs, modified_z_scores, suspicious_zeros
from pushpull.experiments.series import Series, read_series


def kinds_of(path, **named):
    """Return (finding, row, item) of a file."""
    findings, _ = check(read_series(str(path), **named))
    return [(finding.finding, finding.row, finding.item) for finding in findings]


def daily(values, first="2024-01-01"):
    """Return the text of a wide file of one item, a row for each day."""
    days = [date.fromisoformat(first) + timedelta(k) for k in range(len(values))]
    return "date,x\n" + "".join(f"{day},{value}\n" for day, value in zip(days, values, strict=True))


STEADY = [10, 12, 9, 11, 10, 13, 8] * 6  # six weeks from a Monday


@pytest.fixture
def file(tmp_path):
    """Write a file and return its path."""

    def write(text, name="history.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


# --- what the sources of the package's histories say of them ----------------------------------------------------------


def german_holidays(year):
    """Days on which the bakery's source says all stores are shut; Easter by Gauss (Meeus 1991, ch. 8)."""
    a, b, c = year % 19, *divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    ell = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 19 * ell) // 433
    month = (h + ell - 7 * m + 90) // 25
    easter = date(year, month, (h + ell - 7 * m + 33 * month + 19) % 32)
    return {date(year, 1, 1), easter - timedelta(2), easter + timedelta(60), date(year, 12, 25), date(year, 12, 26)}


def test_the_bakery_is_closed_on_the_holidays_that_its_source_names():
    findings, calendar = check(read_series("bakery.csv"))
    closed = {date.fromisoformat(finding.date) for finding in findings if finding.finding == "closing"}
    known = set.union(*(german_holidays(year) for year in range(2016, 2020)))
    assert closed == {day for day in known if date(2016, 1, 2) <= day <= date(2019, 4, 30)}
    assert str(calendar) == "every day"
    assert {finding.finding for finding in findings} == {"closing", "outlier", "zero run"}


def test_the_restaurant_is_closed_on_the_five_days_that_its_page_names():
    findings, _ = check(read_series("restaurant.csv"))
    closed = [finding.date for finding in findings if finding.finding == "closing"]
    assert closed == ["2013-12-25", "2014-12-24", "2014-12-25", "2014-12-26", "2014-12-31"]


def test_wine_is_clean():
    findings, calendar = check(read_series("wine.csv"))
    assert findings == [] and str(calendar) == "every month"


# --- what was put there -----------------------------------------------------------------------------------------------


def test_a_clean_file_has_no_finding(file):
    assert kinds_of(file(daily(STEADY))) == []


def lines(text):
    return text.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows[:9] + rows[10:], [("gap", 9, "all")]),
        (lambda rows: rows[:9] + rows[12:20] + rows[21:], [("gap", 9, "all"), ("gap", 17, "all")]),
        (lambda rows: [*rows[:9], rows[8], *rows[9:]], [("repeated date", 10, "all")]),
        (lambda rows: [*rows[:9], rows[10], rows[9], *rows[11:]], [("unordered date", 11, "all")]),
        (lambda rows: [*rows[:4], "2024-13-04,11\n", *rows[5:]], [("gap", 4, "all"), ("unreadable date", 5, "all")]),
        (lambda rows: [*rows[:4], ",11\n", *rows[5:]], [("gap", 4, "all"), ("unreadable date", 5, "all")]),
        (lambda rows: [*rows[:4], "2024-01,11\n", *rows[5:]], [("gap", 4, "all"), ("unreadable date", 5, "all")]),
        (lambda rows: [*rows[:4], "2024-01-04,\n", *rows[5:]], [("missing value", 5, "x")]),
        (lambda rows: [*rows[:4], "2024-01-04,NA\n", "2024-01-05,\n", *rows[6:]], [("missing value", 5, "x")]),
        (lambda rows: [*rows[:4], "2024-01-04,a few\n", *rows[5:]], [("unreadable value", 5, "x")]),
        (lambda rows: [*rows[:4], "2024-01-04,inf\n", *rows[5:]], [("unreadable value", 5, "x")]),
        (lambda rows: [*rows[:4], "2024-01-04,-3\n", *rows[5:]], [("negative value", 5, "x")]),
    ],
)
def test_a_fault_is_found_in_its_row_and_nothing_else(file, change, expected):
    assert kinds_of(file("".join(change(lines(daily(STEADY)))))) == expected


def test_zeros_are_suspected_when_chance_would_not_do_it(file):
    """One zero in 42 rows is likely by chance; four in a row are not, whatever else is 0."""
    once = [0 if k == 20 else units for k, units in enumerate(STEADY)]
    assert kinds_of(file(daily(once))) == []
    run = [0 if 20 <= k < 24 else units for k, units in enumerate(STEADY)]
    assert kinds_of(file(daily(run))) == [("zero run", 22, "x")]
    often = [units if k % 2 else 0 for k, units in enumerate(run)]
    assert kinds_of(file(daily(often))) == []


def test_zeros_before_the_first_sale_and_after_the_last_are_told_apart(file):
    assert kinds_of(file(daily([0] * 5 + STEADY + [0] * 6))) == [("late start", 2, "x"), ("early end", 49, "x")]
    assert kinds_of(file(daily([0] * 9))) == [("empty item", 2, "x")]


def test_a_closing_is_no_stock_out(file):
    """On row 12 nothing was sold; on rows 20 to 23 only b was missing."""
    rows = ["period,a,b\n"]
    for k, units in enumerate(3 * STEADY):
        a = 0 if k == 10 else units
        b = 0 if k == 10 or 18 <= k < 22 else units
        rows.append(f"{k},{a},{b}\n")
    assert kinds_of(file("".join(rows))) == [("closing", 12, "all"), ("zero run", 20, "b")]


def test_expected_runs_are_counted_right():
    """By enumeration: all 2^6 histories of 6 periods, each run of at least 2 zeros counted where it begins."""
    share, length, periods = 0.3, 2, 6
    total = 0.0
    for history in product((0, 1), repeat=periods):
        chance = np.prod([share if bit == 0 else 1 - share for bit in history])
        runs = "".join(map(str, history)).split("1")
        total += chance * sum(len(run) >= length for run in runs)
    assert expected_runs(length, periods, share) == pytest.approx(total)


def test_chance_alone_is_seldom_suspected():
    """Of 300 items asked for by a Poisson law, at most about `CHANCE` have a run of zeros that is told."""
    generator = np.random.default_rng(7)
    sold = [generator.poisson(mean, 200) for mean in (0.3, 1, 3) for _ in range(100)]
    found = sum(any(suspicious_zeros(_dated(units))) for units in sold)
    assert found <= 300 * CHANCE + 3 * math.sqrt(300 * CHANCE)
    out = sum(any(suspicious_zeros(_dated(np.where(np.arange(200) // 40 == 2, 0, units)))) for units in sold)
    assert out == 300  # 40 periods without stock


def _dated(units):
    rows = list(range(2, 2 + len(units)))
    series = Series("x", rows, [""] * len(rows), [str(number) for number in units])
    return Dated(series, [None] * len(rows), np.asarray(units, dtype=float), None)


def test_modified_z_scores_by_hand():
    """Median 3, absolute deviations 2 1 0 1 97, their median 1: 0.6745 x 97 = 65.43."""
    assert modified_z_scores(np.array([1, 2, 3, 4, 100.0])) == pytest.approx([-1.349, -0.6745, 0, 0.6745, 65.4265])
    # Half the values alike: the mean absolute deviation 2 takes its place, 10 / (1.2533 x 2), sqrt(pi / 2) = 1.2533.
    assert modified_z_scores(np.array([5, 5, 5, 5, 15.0])) == pytest.approx([0, 0, 0, 0, 10 / (1.2533141 * 2)])
    assert not modified_z_scores(np.full(4, 7.0)).any()


def test_outliers_are_far_from_their_own_weekday(file):
    """900 is usual on Sundays and not on a Wednesday."""
    weeks = [[100 + w, 101 + 2 * w, 99 + w, 103 - w, 98 + w, 104 - w, 900 + 9 * w] for w in range(12)]
    values = [units for week in weeks for units in week]
    assert kinds_of(file(daily(values))) == []
    values[30] = 900
    assert kinds_of(file(daily(values))) == [("outlier", 32, "x")]


def test_a_long_file_is_checked_item_by_item_in_any_order(file):
    rows = [f"{k},{place},tea,{10 + k % 3}\n" for place in ("Ulm", "Bonn") for k in range(20)]
    del rows[5]
    rows[30] = rows[29]
    text = "Period,Store,SKU,Qty\n" + "".join(reversed(rows))
    found = kinds_of(file(text))
    assert [(kind, item) for kind, _, item in found] == [
        ("repeated date", "tea@Bonn"), ("gap", "tea@Bonn"), ("gap", "tea@Ulm"),
    ]  # fmt: skip
    assert read_series(str(file(text))).layout == "long"


def test_weekends_that_never_occur_are_no_gaps(file):
    rows = [row for row in lines(daily(STEADY))[1:] if date.fromisoformat(row[:10]).weekday() < 5]
    path = file("".join(["date,x\n", *rows]))
    findings, calendar = check(read_series(str(path)))
    assert findings == [] and str(calendar) == "every day but Saturday and Sunday"


def test_parquet_says_the_same_as_csv(file, tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    values = [float(units) for units in STEADY]
    values[3], values[9] = float("nan"), -1.0
    path = file(daily([("" if units != units else units) for units in values]))
    pd.read_csv(path, parse_dates=["date"]).to_parquet(tmp_path / "history.parquet")
    assert kinds_of(tmp_path / "history.parquet") == kinds_of(path) == [
        ("missing value", 5, "x"), ("negative value", 11, "x"),
    ]  # fmt: skip


def test_columns_are_told_or_said(file):
    path = file("when,note,a,b,#own\n2024-01-01,fine,1,x\n2024-01-02,late,2,3\n2024-01-04,,3,4\n")
    told = read_series(str(path))
    assert (told.date, [series.name for series in told.series], told.left_out) == ("", ["a", "b"], ["when", "note"])
    said = read_series(str(path), ("a",), "when")
    assert (said.date, [series.name for series in said.series]) == ("when", ["a"])
    long = read_series(str(path), ("a",), "when", ("note",))
    assert [(series.name, series.rows) for series in long.series] == [("fine", [2]), ("late", [3]), ("(no name)", [4])]


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_says_it_is_clean(pushpull, file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file(daily(STEADY))
    answer = pushpull("check-data", "file=history.csv")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "history.csv (wide): 1 item, 42 rows, every day from 2024-01-01 to 2024-02-11.",
        "Nothing found: no gap, no repeated date, no missing or negative value, no strange zero, no outlier.",
    ]
    assert list(tmp_path.iterdir()) == [tmp_path / "history.csv"]


def test_the_command_tells_findings_as_a_table_and_as_csv(pushpull, file):
    path = file(daily([*STEADY[:5], -2, *[0] * 9, *STEADY]))
    answer = pushpull("check-data", f"file={path}")
    assert (answer.code, answer.err) == (1, "")
    assert "2 findings: 1 negative value, 1 zero run." in answer.out
    assert "zero run: by chance fewer than 0.05 runs" in answer.out
    rows = list(csv.DictReader(io.StringIO(pushpull("check-data", f"file={path}", "format=csv").out)))
    assert [(row["row"], row["date"], row["item"], row["finding"]) for row in rows] == [
        ("7", "2024-01-06", "x", "negative value"), ("8", "2024-01-07", "x", "zero run"),
    ]  # fmt: skip
    assert rows[0]["words"] == "-2; demand is not negative: count returns and corrections elsewhere"
    # p = 9 / 57, p^9 (1 + 48 (1 - p)) = 2.53e-6
    assert rows[1]["words"] == "0 in 9 rows, to row 16: out of stock, or closed? By chance in 1 of 400,000 histories."


def test_a_long_table_is_cut_and_says_so(pushpull, file):
    answer = pushpull("check-data", f"file={file(daily([-1] * 50))}")
    assert answer.code == 1 and "The table shows the first 40; format=csv prints all" in answer.out


def test_without_dates_it_says_what_cannot_be_told(pushpull, file):
    answer = pushpull("check-data", f"file={file('x' + chr(10) + '5' + chr(10))}")
    assert answer.code == 0 and "no dates, so gaps and repetitions cannot be told" in answer.out


@pytest.mark.parametrize(
    ("words", "text", "answer"),
    [
        (["file=nowhere.csv"], "x\n1\n", "file: no file 'nowhere.csv'; give its full path or a history of the package"),
        (["column=[z]"], "x\n1\n", "column: 'z' is no column of"),
        (["date=day"], "date,x\n1,1\n", "date: 'day' is no column of"),
        (["item=sku"], "item,x\n1,1\n", "item: 'sku' is no column of"),
        (["item=x"], "x,a,b\n1,1,1\n", "column: none found; name the one"),
        (["item=x", "column=[a,b]"], "x,a,b\n1,1,1\n", "column: 2 columns of quantities: a, b; name the one"),
        ([], "item,sales,demand\n1,1,1\n", "column: 2 columns of quantities: demand, sales; name the one"),
        ([], "date,x\n2024-01-01,none sold\n", "column: no column of "),
        ([], "date,x\n", "file: "),
        ([], "", "history.csv: no header"),
        ([], "date,x,x\n1,2,3\n", "history.csv: row 1: column 'x' stands twice"),
        (["format=xlsx"], "x\n1\n", "format: 'xlsx' is unknown; valid: table, csv"),
        (["colum=x"], "x\n1\n", "colum: unknown key; did you mean 'column'"),
    ],
)
def test_misuse_is_told(pushpull, file, words, text, answer):
    path = file(text)
    given = words if any(word.startswith("file=") for word in words) else [f"file={path}", *words]
    found = pushpull("check-data", *given)
    assert found.code == 2 and found.out == ""
    assert found.err.startswith(f"pushpull: {answer}")
