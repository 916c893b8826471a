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


# --- layouts of forecasting competitions ------------------------------------------------------------------------------

M5 = """id,item_id,dept_id,cat_id,store_id,state_id,d_1,d_2,d_3
HOBBIES_1_001_CA_1_validation,HOBBIES_1_001,HOBBIES_1,HOBBIES,CA_1,CA,3,0,1
HOBBIES_1_001_TX_1_validation,HOBBIES_1_001,HOBBIES_1,HOBBIES,TX_1,TX,10,20,30
HOBBIES_1_0010_CA_1_validation,HOBBIES_1_0010,HOBBIES_1,HOBBIES,CA_1,CA,100,200,300
"""
FAVORITA = """id,date,store_nbr,item_nbr,unit_sales,onpromotion
0,2013-01-02,25,103665,7.0,
1,2013-01-02,25,105574,1.5,False
2,2013-01-02,1,103665,2.0,
3,2013-01-05,25,103665,4.0,True
4,2013-01-05,1,105574,-3.0,False
5,2013-01-01,1,105574,9,
"""


@pytest.fixture(params=["csv", "parquet"])
def competition(request, tmp_path):
    """Write a file in the layout of a competition, as CSV or Parquet, and return the settings that read it."""
    pandas = pytest.importorskip("pandas")

    def write(text, **settings):
        path = tmp_path / f"train.{request.param}"
        (tmp_path / "train.csv").write_text(text)
        if request.param == "parquet":
            pytest.importorskip("pyarrow")
            pandas.read_csv(tmp_path / "train.csv").to_parquet(path)
        return process(**{"kind": "trace", "file": str(path)} | settings)

    return write


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"id": "HOBBIES_1_001_CA_1_validation"}, [3, 0, 1]),
        ({"item": "HOBBIES_1_001", "store": "CA_1"}, [3, 0, 1]),
        ({"item": "HOBBIES_1_001"}, [13, 20, 31]),  # in all stores, and not of the item whose name begins alike
        ({"store": "CA_1"}, [103, 200, 301]),  # all items
        ({"item": "HOBBIES_1_001", "rows": [1, 3], "scale": 2}, [40, 62]),
    ],
    ids=str,
)
def test_m5_sales_are_read_by_item_store_or_id(competition, choice, expected):
    np.testing.assert_array_equal(read_trace(competition(M5, layout="m5", **choice)), expected)


def test_days_of_m5_are_in_their_own_order(competition):
    text = "item_id,store_id,d_10,d_9,d_11\na,b,10,9,11\n"
    np.testing.assert_array_equal(read_trace(competition(text, layout="m5", item="a")), [9, 10, 11])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"item": "103665", "store": 25}, [0, 7, 0, 0, 4]),  # the file runs from 1 to 5 January
        ({"item": 103665}, [0, 9, 0, 0, 4]),
        ({"store": "25"}, [0, 8.5, 0, 0, 4]),
        ({"item": 105574, "store": 1, "negative": "zero"}, [9, 0, 0, 0, 0]),
        ({"item": 105574, "store": 1, "rows": [0, 4]}, [9, 0, 0, 0]),  # the return is on the fifth day
    ],
    ids=str,
)
def test_favorita_sales_are_read_day_by_day_and_days_without_a_row_are_zero(competition, choice, expected):
    np.testing.assert_array_equal(read_trace(competition(FAVORITA, layout="favorita", **choice)), expected)


@pytest.mark.parametrize(
    ("text", "settings", "fragment"),
    [
        (M5, {"item": "HOBBIES_1_002"}, r"item: 'HOBBIES_1_002' is no item_id of .*; did you mean 'HOBBIES_1_001'"),
        (M5, {"id": "x"}, "id: 'x' is no id of .*; valid: HOBBIES_1_0010_CA_1_validation, HOBBIES_1_001_CA_1"),
        (M5, {"item": "HOBBIES_1_0010", "store": "TX_1"}, "item: 'HOBBIES_1_0010' is not sold in store 'TX_1'"),
        (M5.replace("d_2", "d_7"), {"store": "CA_1"}, "file: .* has no column 'd_2' between its days"),
        (M5.replace("d_", "day_"), {"store": "CA_1"}, "file: .* has no columns d_1, d_2, ... of days; is it of layout"),
        (M5.replace("item_id", "item"), {"item": "HOBBIES_1_001"}, "file: 'item_id' is no column of the file; did you"),
        (M5.replace("10,20,30", "10,,30"), {"store": "TX_1"}, "file: row 1 of column 'd_2' .* is missing; fill it in"),
        (M5.replace("10,20,30", "10,-2,30"), {"store": "TX_1"}, "file: row 1 of column 'd_2' .* is -2; demand is not"),
        (M5.replace("10,20,30", "10,many,30"), {"store": "TX_1"}, "file: row 1 of column 'd_2' .* is 'many', not a"),
        (M5, {"store": "CA_1", "rows": [0, 4]}, r"rows: \[0, 4\) reaches beyond the 3 rows"),
        (M5 + M5.splitlines()[1], {"store": "CA_1"}, "rows 0 and 3 are both of item_id HOBBIES_1_001, store_id CA_1"),
        (FAVORITA, {"item": 105574, "store": 1}, "file: row 4 of column 'unit_sales' .* is -3; .* negative: zero"),
        (FAVORITA, {"item": 1}, "item: '1' is no item_nbr of .*; valid: 103665, 105574"),
        (FAVORITA, {"item": 105574, "store": 54}, "store: '54' is no store_nbr of .*; .*valid: 1, 25"),
        (FAVORITA.replace("4.0,True", ",True"), {"item": 103665}, "file: row 3 of column 'unit_sales' .* is missing"),
        (
            FAVORITA.replace("2013-01-01", "soon"),
            {"item": 103665},
            "file: row 5 of column 'date' is 'soon', not a date",
        ),
        (FAVORITA.replace("date", "day"), {"item": 103665}, "file: 'date' is no column of the file; .*valid: id, day"),
        (
            FAVORITA.replace("3,2013-01-05", "3,2013-01-02"),
            {"item": 103665, "store": 25},
            "file: rows 0 and 3 are both of date 2013-01-02, item_nbr 103665, store_nbr 25; keep one",
        ),
    ],
)
def test_a_file_of_a_competition_that_cannot_be_used_is_refused(competition, text, settings, fragment):
    layout = "m5" if "d_id" in text or "d_1" in text or "day_1" in text else "favorita"
    with pytest.raises(InputError, match=fragment):
        read_trace(competition(text, layout=layout, **settings))


def test_negative_sales_of_a_column_may_be_none_as_well(trace):
    text = "day,units\na,1\nb,-2\n"
    np.testing.assert_array_equal(read_trace(trace(text, negative="zero")), [1, 0])


def test_cells_in_quotes_are_read_as_what_they_hold(competition):
    quoted = FAVORITA.replace("2013-01-05,25", '"2013-01-05",25').replace("103665,4.0", '"103665","4.0"')
    read = read_trace(competition(quoted, layout="favorita", item=103665, store=25))
    np.testing.assert_array_equal(read, [0, 7, 0, 0, 4])


@pytest.mark.parametrize(
    ("settings", "fragment"),
    [
        ({}, "column: missing; name the column that holds demand, or the layout"),
        ({"item": "a"}, "item: 'a' needs a layout, m5 or favorita"),
        ({"column": "a", "store": 3}, "store: '3' needs a layout, m5 or favorita"),
        ({"layout": "m6", "item": "a"}, "layout: 'm6' is unknown; did you mean 'm5'"),
        ({"layout": "m5"}, "item: missing; layout m5 holds many series: name an item, a store or both"),
        ({"layout": "m5", "column": "a", "item": "a"}, "column: 'a' does not go with layout m5"),
        ({"layout": "m5", "id": "a", "item": "a"}, "id: 'a' names one series of an M5 file by itself"),
        ({"layout": "favorita", "id": "a"}, "id: 'a' names one series of an M5 file by itself"),
        ({"column": "a", "negative": "drop"}, "negative: 'drop' is unknown; .*valid: refuse, zero"),
    ],
)
def test_what_does_not_choose_a_series_is_refused(settings, fragment):
    with pytest.raises(InputError, match=fragment):
        process(kind="trace", file="train.csv", **settings)
