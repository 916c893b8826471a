"""The real demand histories are whole: complete, regular, unaltered and licensed.

Sums anchor the values, sums weighted by row number anchor their order, and facts that do not come from the files
(the church calendar, the published share of zeros) anchor what they mean.
"""

import datetime
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dateutil.easter import easter

DATA = Path(__file__).parents[2] / "envs" / "data"
FILES = sorted(path.name for path in DATA.glob("*.csv"))

# file: (frequency, first period, last period)
CALENDAR = {
    "bakery.csv": ("D", "2016-01-02", "2019-04-30"),
    "restaurant.csv": ("D", "2013-10-04", "2015-11-07"),
    "wine.csv": ("M", "1980-01", "1994-08"),
    "prescriptions.csv": ("M", "1991-07", "2008-06"),
}

# file, series, sum of the values, sum of value x row number (from 1); taken from the sources, see the folder's README
ANCHORS = [
    ("bakery.csv", "store4_product101", 4276, 2343802),
    ("bakery.csv", "store4_product109", 1524, 912484),
    ("bakery.csv", "store4_product110", 11851, 6836868),
    ("bakery.csv", "store25_product101", 107961, 61194513),
    ("bakery.csv", "store25_product109", 16655, 9924484),
    ("bakery.csv", "store25_product110", 22734, 12922806),
    ("bakery.csv", "store27_product101", 434558, 243492034),
    ("bakery.csv", "store27_product109", 66483, 37949502),
    ("bakery.csv", "store27_product110", 146028, 84144873),
    ("bakery.csv", "store30_product101", 349122, 181219864),
    ("bakery.csv", "store30_product109", 64677, 34823785),
    ("bakery.csv", "store30_product110", 127631, 70377032),
    ("bakery.csv", "store70_product101", 185355, 98536000),
    ("bakery.csv", "store70_product109", 37996, 22273572),
    ("bakery.csv", "store70_product110", 68806, 39939511),
    ("restaurant.csv", "calamari", 3232, 1140010),
    ("restaurant.csv", "fish", 3562, 1291446),
    ("restaurant.csv", "shrimp", 7615, 2945004),
    ("restaurant.csv", "chicken", 23101, 8867847),
    ("restaurant.csv", "koefte", 16788, 6449486),
    ("restaurant.csv", "lamb", 24046, 9442890),
    ("restaurant.csv", "steak", 17085, 6171638),
    ("wine.csv", "sales", 4469018, 405423912),
    ("prescriptions.csv", "immune_sera", 331, 28551),
]


def read(name: str) -> pd.DataFrame:
    table = pd.read_csv(DATA / name, index_col=0)
    frequency = CALENDAR[name][0]
    table.index = pd.PeriodIndex(table.index, freq=frequency)
    return table


def mean_by(phase: str, table: pd.DataFrame) -> pd.DataFrame:
    """Mean of every series, one row per `day_of_week` (0 is Monday) or `month` (1 is January)."""
    phases = np.array([getattr(period, phase) for period in table.index])
    values = table.to_numpy()
    rows = {key: values[phases == key].mean(axis=0) for key in np.unique(phases)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(table.columns))


def test_the_folder_holds_the_files_described_here():
    assert sorted(CALENDAR) == FILES
    assert {(name, series) for name, series, _, _ in ANCHORS} == {(n, series) for n in FILES for series in read(n)}


@pytest.mark.parametrize("name", FILES)
def test_periods_are_regular_and_complete(name):
    frequency, first, last = CALENDAR[name]
    expected = pd.period_range(first, last, freq=frequency)
    assert list(read(name).index) == list(expected)


@pytest.mark.parametrize("name", FILES)
def test_values_are_whole_present_and_not_negative(name):
    table = read(name)
    assert all(np.issubdtype(kind, np.integer) for kind in table.dtypes)  # a gap or a fraction would make it float
    assert (table >= 0).all(axis=None)
    assert (DATA / name).stat().st_size < 200_000


@pytest.mark.parametrize(("name", "series", "total", "moment"), ANCHORS)
def test_values_and_their_order_are_those_of_the_source(name, series, total, moment):
    demand = read(name)[series].to_numpy()
    assert demand.sum() == total
    assert demand @ np.arange(1, len(demand) + 1) == moment


def test_bakery_dates_agree_with_the_church_calendar():
    # The day on which every store is shut is a check of the dates that the source's own weekday column fails.
    table = read("bakery.csv")
    holidays = set()
    for year in range(2016, 2020):
        sunday = easter(year)
        holidays |= {datetime.date(year, 1, 1), datetime.date(year, 12, 25), datetime.date(year, 12, 26)}
        holidays |= {sunday - datetime.timedelta(days=2), sunday + datetime.timedelta(days=60)}  # Corpus Christi
    shut = {period.to_timestamp().date() for period in table.index[(table == 0).all(axis=1)]}
    first, last = (end.to_timestamp().date() for end in (table.index[0], table.index[-1]))
    assert shut == {day for day in holidays if first <= day <= last}


def test_bakery_store_25_is_shut_on_sundays_and_stores_4_27_and_70_peak_then():
    by_weekday = mean_by("day_of_week", read("bakery.csv"))
    assert set(by_weekday.filter(like="store25_").loc[6]) == {0}
    assert set(by_weekday.filter(regex="store(4|27|70)_").idxmax()) == {6}


def test_restaurant_ingredients_are_correlated_and_closing_days_are_zero():
    table = read("restaurant.csv")
    closed = table.index[(table == 0).all(axis=1)]
    assert [str(day) for day in closed] == ["2013-12-25", "2014-12-24", "2014-12-25", "2014-12-26", "2014-12-31"]
    assert set(mean_by("day_of_week", table).idxmax()) == {5}
    correlation = table.drop(closed).corr().to_numpy()[np.triu_indices(7, k=1)]
    assert (round(correlation.min(), 2), round(correlation.max(), 2)) == (0.28, 0.66)


def test_wine_peaks_in_december_and_falls_in_january():
    by_month = mean_by("month", read("wine.csv"))["sales"]
    assert (by_month.idxmax(), by_month.idxmin()) == (12, 1)


def test_immune_sera_are_lumpy_in_the_classes_of_syntetos_boylan_and_croston():
    demand = read("prescriptions.csv")["immune_sera"].to_numpy()
    sizes = demand[demand > 0]
    assert (demand == 0).mean() == pytest.approx(0.44, abs=0.005)
    assert len(demand) / len(sizes) > 1.32
    assert sizes.var() / sizes.mean() ** 2 > 0.49


@pytest.mark.parametrize("name", FILES)
def test_readme_gives_each_file_a_licence_whose_notice_is_reproduced(name):
    readme, licences = (" ".join((DATA / page).read_text("utf-8").split()) for page in ("README.md", "LICENCES.md"))
    section = re.search(rf"## `{re.escape(name)}`(.*?)(?= ## |$)", readme)
    assert section, f"README.md has no section on {name}"
    licence = re.search(r'- Licence: (BSD 3-Clause|MIT), "(Copyright \(c\) [^"]+)"', section[1])
    assert licence, f"README.md states no licence for {name}"
    text = re.search(rf"## [^#]*`{re.escape(name)}`[^#]*?```text (.*?) ```", licences)
    assert text, f"LICENCES.md has no text for {name}"
    title, notice = licence.groups()
    condition = {
        "BSD 3-Clause": "Redistributions of source code must retain the above copyright notice",
        "MIT": "The above copyright notice and this permission notice shall be included",
    }
    assert notice in text[1]
    assert condition[title] in text[1]


def test_readme_describes_no_file_that_is_missing():
    assert sorted(re.findall(r"^## `(.+\.csv)`$", (DATA / "README.md").read_text("utf-8"), re.MULTILINE)) == FILES
