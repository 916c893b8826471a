"""A recorded demand is read as it stands in its file, and what cannot be demand is told by row."""

import os

import numpy as np
import pytest

from pushpull.envs.checks import InputError, build
from pushpull.envs.demand import mean
from pushpull.envs.histories import DATA, read_trace
from pushpull.envs.network import Demand


def process(**settings) -> Demand:
    """Return demand settings as a network file would state them."""
    return build(Demand, settings, "demand")


@pytest.fixture
def trace(tmp_path):
    """Write a CSV file and return the settings that read its column `units`."""

    def write(text="day,units\na,3\nb,1\nc,4\nd,1.5\ne,9\n", **settings):
        path = tmp_path / "sales.csv"
        path.write_text(text)
        return process(**{"kind": "trace", "file": str(path), "column": "units", **settings})

    return write


def test_a_changed_file_is_read_again(trace):
    demand = trace()
    assert read_trace(demand)[0] == 3
    trace("day,units\na,7\nb,1\nc,4\nd,1.5\ne,9\n")
    os.utime(demand.file, (1, 1))
    assert read_trace(demand)[0] == 7 and mean(demand, "real", 6)[5] == pytest.approx(4.5)


def test_a_trace_read_once_is_not_read_again_and_cannot_be_altered(trace):
    rows = read_trace(trace())
    assert read_trace(trace()) is not None
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 5


def test_parquet_holds_the_same_trace(trace, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    demand = trace()
    path = tmp_path / "sales.parquet"
    pandas.read_csv(demand.file).to_parquet(path)
    np.testing.assert_array_equal(read_trace(process(kind="trace", file=str(path), column="units")), read_trace(demand))
    with pytest.raises(InputError, match="'unit' is no column of the file; did you mean 'units'"):
        read_trace(process(kind="trace", file=str(path), column="unit"))
    pandas.DataFrame({"units": [1.0, None, 3.0]}).to_parquet(path)
    with pytest.raises(InputError, match=r"row 1 of column 'units' .* is missing"):
        read_trace(process(kind="trace", file=str(path), column="units"))
    path.write_text("day,units\n")
    with pytest.raises(InputError, match="is not Parquet"):
        read_trace(process(kind="trace", file=str(path), column="units"))


def test_a_file_is_looked_for_as_given_before_the_histories_of_the_package(tmp_path, monkeypatch):
    built_in = process(kind="trace", file="wine.csv", column="sales")
    lines = (DATA / "wine.csv").read_text().splitlines()
    assert read_trace(built_in)[0] == float(lines[1].split(",")[1]) and len(read_trace(built_in)) == len(lines) - 1
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wine.csv").write_text("sales\n5\n")
    np.testing.assert_array_equal(read_trace(built_in), [5])


@pytest.mark.parametrize(
    "text, settings, fragment",
    [
        ("", {}, r"file: .*sales\.csv' is empty"),
        ("day,units\n", {}, r"file: .*sales\.csv' is empty"),
        ("day,units\na,1\n", {"column": "unit"}, "column: 'unit' is no column of the file; did you mean 'units'"),
        ("day,units\na,1\nb,two\n", {}, r"column: row 1 of column 'units' .* is 'two', not a number"),
        ("day,units\na,1\nb,inf\n", {}, r"column: row 1 of column 'units' .* is 'inf', not a finite number"),
        ("day,units\na,1\nb,\nc,2\n", {}, r"column: row 1 of column 'units' .* is missing"),
        ("day,units\na,NaN\n", {}, r"column: row 0 of column 'units' .* is missing"),
        ("units\n1\n\n2\n", {}, r"column: row 1 of column 'units' .* is missing"),  # a blank line is no end
        ("day,units\na,1\nb\n", {}, r"column: row 1 of column 'units' .* is missing"),  # a short line
        ("day,units\na,1\nb,-2\n", {}, r"column: row 1 of column 'units' .* is -2; demand is not negative"),
        ("day,units\na,1\nb,2\n", {"rows": [1, 3]}, r"rows: \[1, 3\) reaches beyond the 2 rows"),
        ("day,units\na,1\nb,2\n", {"rows": [0, 1], "start": 1}, r"start: 1 is beyond the 1 rows"),
        ("day,units\na,1\n", {"file": "wines.csv"}, "file: no file 'wines.csv'; .*did you mean 'wine.csv'"),
    ],
)
def test_a_trace_that_cannot_be_used_is_refused(trace, text, settings, fragment):
    with pytest.raises(InputError, match=fragment):
        read_trace(trace(text, **settings))


def test_a_file_that_is_not_text_is_refused(trace):
    demand = trace()
    with open(demand.file, "wb") as file:
        file.write(b"day,units\n\xff\xfe\x00,1\n")
    with pytest.raises(InputError, match="is not CSV text in UTF-8"):
        read_trace(demand)


def test_what_lies_outside_the_chosen_rows_does_not_matter(trace):
    demand = trace("day,units\na,n/a\nb,2\nc,3\n", rows=[1, 3])
    np.testing.assert_array_equal(read_trace(demand), [2, 3])
