"""A network comes back from its tables unchanged, whatever it holds; what is wrong in a table is named by its cell."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from pushpull.envs import InputError, Network, load_network, network_names
from pushpull.envs import tables as module
from pushpull.envs.checks import Settings, build, listing, mapping, number, optional, record, setting, text
from pushpull.envs.histories import read_trace
from pushpull.envs.network import Demand
from pushpull.envs.tables import read_csv, read_tables, source_places, tables_of, write_tables

from .strategies import demands, hunt, networks


def there_and_back(network: Network, folder: Path) -> Network:
    """Return the network that the tables of a network hold; nothing is to be written beside it."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    write_tables(network, folder)
    found, history = read_tables(folder)
    assert history is None
    return found


def assert_same(one: Network, other: Network) -> None:
    assert one.to_dict() == other.to_dict()
    assert one == other
    assert one.stage_names == other.stage_names
    for a, b in zip(one.sources, other.sources, strict=True):
        assert list(a.inputs.items()) == list(b.inputs.items())


@pytest.mark.parametrize("name", network_names())
def test_networks_of_the_library_come_back(name, tmp_path):
    network = load_network(name)
    assert_same(there_and_back(network, tmp_path), network)


@hunt(150)
@given(mapping=networks())
def test_random_networks_come_back(mapping, tmp_path_factory):
    network = Network.from_dict(mapping)
    assert_same(there_and_back(network, tmp_path_factory.getbasetemp() / "random"), network)


@hunt(25)
@given(own=demands(), shared=demands())
def test_random_demand_and_families_come_back(own, shared, tmp_path_factory):
    family = {"markets": {"can": 0.5, "crate": 0.5}, "demand": shared, "spread": 0.1, "share_drift": 0.2}
    stages = {name: {"sources": [{}], "market": {}} for name in family["markets"]}
    stages["juice"] = {"sources": [{}], "market": {"demand": own}}
    network = Network.from_dict({"decoupling_point": "market", "families": {"cola": family}, "stages": stages})
    assert_same(there_and_back(network, tmp_path_factory.getbasetemp() / "family"), network)


PLACES = ("phone@Köln", "phone@Bonn", "a@b@c", "@x", "x@")
ODD_NAMES = (*PLACES, "7", "true", "null", "[y]", "{z}", '"q"', "1,5", "a;b", "#n", "two\nlines", "0.50", "inf")


def test_any_name_and_text_comes_back(tmp_path):
    """Names that read as numbers, truths, lists or places, as stages, inputs, and in lists of stages."""
    stages: dict[str, Any] = {name: {"sources": [{"inputs": {below: 2}}]} for below, name in pairwise(ODD_NAMES)}
    stages[ODD_NAMES[-1]]["market"] = {"demand": {"kind": "poisson", "mean": 1e22}}
    first = {"sources": [{"basis": "physical", "over": [name]} for name in ODD_NAMES]}
    first["sources"].append({"basis": "physical", "over": list(ODD_NAMES), "unit_cost": -1.5e-7})
    for points in ([ODD_NAMES[2]], list(ODD_NAMES)):
        network = Network.from_dict(
            {
                "name": "12",
                "description": 'Ends in a line: "quoted", 1,5; and # no comment\n',
                "decoupling_point": points,
                "stages": {ODD_NAMES[0]: first, **stages},
            }
        )
        assert_same(there_and_back(network, tmp_path / "tables"), network)


def test_rare_settings_come_back(tmp_path):
    rare = {
        "units": "real",
        "sequence": ["push", "receive", "demand", "pull", "ship"],
        "decoupling_point": "a",
        "stages": {
            "a": {
                "sources": [
                    {"capacity": 2.5, "initial_pipeline": [], "shortfall": "carry"},
                    {"lead_time": 3, "initial_pipeline": [0, 1.5, 0], "disruption": {"affects": "receipt"}},
                    {"mode": "pull", "lot": {"rule": "r_nQ", "Q": 5}, "cards": {"limit": 9, "over": ["a", "b"]}},
                ]
            },
            "b": {
                "sources": [{"inputs": {"a": 0.1}}],
                "market": {
                    "stockout": {"partial": 0.25},
                    "demand": {
                        "kind": "intermittent",
                        "probability": 0.2,
                        "size": {"kind": "empirical", "values": [1, 2.5], "probabilities": [0.5, 0.5]},
                        "season": [0.5, 1.5],
                        "trend": -0.01,
                    },
                    "forecast": {"kind": "none", "horizon": 3},
                },
            },
            "c": {"sources": [{"inputs": {}}], "market": {}},
        },
    }
    network = Network.from_dict(rare)
    assert_same(there_and_back(network, tmp_path), network)
    sources, markets = ((tmp_path / f"{name}.csv").read_text() for name in ("sources", "markets"))
    for column in ("lot.rule", "lot.Q", "cards.limit", "cards.over", "disruption.affects"):
        assert column in sources.splitlines()[0].split(",")
    assert "demand.size.kind" in markets
    assert "{partial: 0.25}" in markets


@dataclass(frozen=True)
class Wear(Settings):
    share: float = setting(number(0, 1), 0.5)
    at: str | None = setting(optional(text), "night")


@dataclass(frozen=True)
class Later(Settings):
    """Settings as they may look one day."""

    wear: Wear | None = setting(optional(record(Wear)), None)
    steps: tuple[Wear, ...] = setting(listing(record(Wear)), ())
    limit: float | None = setting(optional(number(0)), 7)
    tags: tuple[str, ...] = setting(listing(text), ())
    from_: str = setting(text, "x")
    machines: Mapping[str, Wear] | None = setting(optional(mapping(record(Wear))), None)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"wear": {}},
        {"wear": {"at": None}},
        {"wear": {"share": 0.25, "at": "7"}},
        {"steps": [{"share": 1}, {"at": None}]},
        {"limit": None},
        {"from": "null"},
        {"tags": ["a, b"]},
        {"tags": ["7"]},
        {"machines": {}},
        {"machines": {"saw: big": {"share": 1}, "7": {"at": None}}},
        {"tags": ["[7]", "null"]},
    ],
)
def test_settings_of_another_day_have_their_cells(given):
    """Cells follow from the settings class alone; records of nothing but defaults and nulls are told apart."""
    settings = build(Later, given, "later")
    cells = module._cells(settings)
    reading, found = module._Reading({}), {}
    row = module.Row(2, cells)
    reading._fill(found, "later", module.Table("later.csv", list(cells), [row]), row, Later)
    assert found == settings.to_dict()
    assert build(Later, found, "later") == settings


# --- histories --------------------------------------------------------------------------------------------------------

TABLES = {
    "items": "item,location,initial_on_hand\nphone,Köln,4\nphone,Bonn,\nboard,,9\n",
    "sources": "item,location,source,lead_time\nphone,Köln,,1\nphone,Bonn,,1\nboard,,near,1\nboard,,far,4\n",
    "bill_of_materials": "item,location,component,quantity\nphone,Köln,board,1\nphone,Bonn,board,2\n",
    "markets": "item,location,price\nphone,Köln,20\nphone,Bonn,20\n",
    "open_orders": "item,source,due_period,quantity\nboard,far,2,30\n",
    "network": "setting,value\ndecoupling_point,board\nhorizon,4\n",
    "demand": (
        "item,location,date,quantity\nphone,Köln,2024-01-02,5\nphone,Köln,2024-01-01,3\nphone,Köln,2024-01-03,0\n"
        "phone,Köln,2024-01-04,1\nphone,Bonn,2024-01-03,8\nphone,Bonn,2024-01-02,7\n"
    ),
}


def lay_out(folder: Path, **changes: str | None) -> Path:
    """Write the tables of a small network, some of them changed, None for none."""
    folder.mkdir(exist_ok=True)
    for name, content in (TABLES | changes).items():
        if content is not None:
            (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return folder


def test_tables_written_by_hand_make_a_network(tmp_path):
    network, history = read_tables(lay_out(tmp_path), "sold.csv")
    assert network.to_dict() == {
        "decoupling_point": ["board"],
        "horizon": 4,
        "stages": {
            "phone@Köln": {
                "initial_on_hand": 4,
                "sources": [{"inputs": {"board": 1}}],
                "market": {"price": 20, "demand": {"kind": "trace", "file": "sold.csv", "column": "phone@Köln"}},
            },
            "phone@Bonn": {
                "sources": [{"inputs": {"board": 2}}],
                "market": {
                    "price": 20,
                    "demand": {"kind": "trace", "file": "sold.csv", "column": "phone@Bonn", "rows": [1, 3]},
                },
            },
            "board": {
                "initial_on_hand": 9,
                "sources": [{"inputs": {}}, {"inputs": {}, "lead_time": 4, "initial_pipeline": [0, 0, 30]}],
            },
        },
    }
    assert history is not None
    columns, rows = history
    assert columns == ["date", "phone@Köln", "phone@Bonn"]
    assert [list(row.values()) for row in rows] == [
        ["2024-01-01", 3], ["2024-01-02", 5, 7], ["2024-01-03", 0, 8], ["2024-01-04", 1],
    ]  # fmt: skip


def test_semicolons_decimal_commas_a_byte_order_mark_and_padding_are_read(tmp_path):
    sources = "\ufeffitem ;location;source;unit_cost;#vendor;\n phone;Köln;;1,25;Müller; \n\n"
    sources += "phone; Bonn ;;-2;;\nboard;;;3.5;;\n"
    network, _ = read_tables(lay_out(tmp_path, sources=sources, open_orders=None))
    assert [source.unit_cost for source in network.sources] == [1.25, -2, 3.5]


def test_locations_give_defaults(tmp_path):
    network, _ = read_tables(
        lay_out(tmp_path, locations="location,holding_cost,initial_on_hand\nKöln,0.5,99\nBonn,,6\n")
    )
    assert [stage.holding_cost for stage in network.stages.values()] == [0.5, 0, 0]
    assert [stage.initial_on_hand for stage in network.stages.values()] == [4, 6, 9]


def test_a_component_is_looked_for_at_the_location_of_the_item_last(tmp_path):
    items = "item,location\nphone,Köln\nphone,Bonn\nboard,\nboard,Bonn\ncase,Bonn\n"
    sources = "item,location\nphone,Köln\nphone,Bonn\nboard,\nboard,Bonn\ncase,Bonn\n"
    bill = ("item,location,component,component_location,quantity\n"
            "phone,Köln,board,,1\nphone,Bonn,board,Bonn,2\nphone,Bonn,case,,3\n")  # fmt: skip
    network, _ = read_tables(lay_out(tmp_path, items=items, sources=sources, bill_of_materials=bill, open_orders=None))
    assert network.stages["phone@Köln"].sources[0].inputs == {"board": 1}
    assert network.stages["phone@Bonn"].sources[0].inputs == {"board@Bonn": 2, "case@Bonn": 3}


def test_zero_fills_the_dates_that_an_item_lacks(tmp_path):
    gappy = TABLES["demand"].replace("phone,Köln,2024-01-03,0\n", "").replace("2024-01-02,5", "2024-01-02,")
    _, history = read_tables(lay_out(tmp_path, demand=gappy), gaps="zero")
    assert history is not None
    assert [row["phone@Köln"] for row in history[1]] == [3, 0, 0, 1]


def test_months_are_told_from_days(tmp_path):
    rows = "".join(f"phone,{place},{day},1\n" for place in ("Köln", "Bonn") for day in ("2024-01-31", "2024-02-29"))
    _, history = read_tables(lay_out(tmp_path, demand=f"item,location,date,quantity\n{rows}"))
    assert history is not None and [row["date"] for row in history[1]] == ["2024-01", "2024-02"]


def test_a_history_that_was_changed_replaces_the_file(tmp_path):
    network = load_network("retail")
    write_tables(network, tmp_path)
    demand = tmp_path / "demand.csv"
    demand.write_text(demand.read_text().replace("store_4,2016-01-02,4", "store_4,2016-01-02,44"))
    found, history = read_tables(tmp_path, "new.csv")
    assert history is not None and history[0] == ["date", "store_4"]
    assert history[1][0] == {"date": "2016-01-02", "store_4": 44} and len(history[1]) == 1215
    changed = found.to_dict()["stages"].pop("store_4")
    assert changed["market"]["demand"] == {
        "kind": "trace", "file": "new.csv", "column": "store_4", "rows": [0, 847], "start": "random",
    }  # fmt: skip
    assert [m.demand.file for m in found.markets.values() if m.demand] == ["new.csv", *["bakery.csv"] * 4]


def test_histories_of_different_calendars_come_back(tmp_path):
    traces = {"bakery.csv": "store4_product101", "prescriptions.csv": "immune_sera", "wine.csv": "sales"}
    stages = {
        file: {"sources": [{}], "market": {"demand": {"kind": "trace", "file": file, "column": column}}}
        for file, column in traces.items()
    }
    network = Network.from_dict({"decoupling_point": "supply", "stages": stages})
    assert_same(there_and_back(network, tmp_path), network)
    demand = tmp_path / "demand.csv"
    demand.write_text(demand.read_text().replace("wine.csv,1980-01,15136", "wine.csv,1980-01,1"))
    _, history = read_tables(tmp_path)
    assert history is not None and history[0] == ["date", "wine.csv"]
    demand.write_text(demand.read_text().replace("bakery.csv,2016-01-02,4", "bakery.csv,2016-01-02,5"))
    with pytest.raises(InputError, match="column 'date': '1980-01' is a month, unlike the rows before"):
        read_tables(tmp_path)


def test_histories_in_a_layout_and_with_negative_sales_come_back(tmp_path):
    (tmp_path / "m5.csv").write_text("item_id,store_id,d_1,d_2,d_3\nA,X,1,2,3\nA,Y,4,0,6\nB,X,9,9,9\n")
    (tmp_path / "net.csv").write_text("date,x\n2024-01-01,3\n2024-01-02,-1\n2024-01-03,2.5\n")
    m5 = {"kind": "trace", "file": str(tmp_path / "m5.csv"), "layout": "m5", "item": "A", "scale": 2}
    net = {"kind": "trace", "file": str(tmp_path / "net.csv"), "column": "x", "negative": "zero"}
    stages = {name: {"sources": [{}], "market": {"demand": own}} for name, own in (("a", m5), ("b", net))}
    network = Network.from_dict({"units": "real", "decoupling_point": "supply", "stages": stages})
    assert [row["quantity"] for row in tables_of(network)["demand"]] == [3, 0, 2.5]
    assert_same(there_and_back(network, tmp_path / "tables"), network)
    demand = tmp_path / "tables/demand.csv"
    demand.write_text(demand.read_text() + "a,2024-01-01,7\na,2024-01-02,8\n")
    found, history = read_tables(tmp_path / "tables", "new.csv")
    assert history == (["date", "a"], [{"date": "2024-01-01", "a": 7}, {"date": "2024-01-02", "a": 8}])
    demands = [market.demand.to_dict() for market in found.markets.values() if market.demand]
    assert demands == [{"kind": "trace", "file": "new.csv", "column": "a", "scale": 2}, net]


def test_a_history_without_dates_is_written_with_its_rows(tmp_path):
    (tmp_path / "sold.csv").write_text("a,b\n1,x\n2,\n")
    file = str(tmp_path / "sold.csv")
    network = Network.from_dict(
        {
            "decoupling_point": "supply",
            "stages": {"a": {"sources": [{}], "market": {"demand": {"kind": "trace", "file": file, "column": "a"}}}},
        }
    )
    assert tables_of(network)["demand"] == [
        {"item": "a", "date": "0", "quantity": 1}, {"item": "a", "date": "1", "quantity": 2},
    ]  # fmt: skip
    assert_same(there_and_back(network, tmp_path / "tables"), network)
    assert list(read_trace(Demand(kind="trace", file=file, column="a"))) == [1, 2]


def test_source_places_name_item_location_and_number():
    network = Network.from_dict(
        {"decoupling_point": "supply", "stages": {"a@b": {"sources": [{}, {}]}, "c": {"sources": [{}], "market": {}}}}
    )
    assert source_places(network) == [
        {"item": "a", "location": "b", "source": "0"}, {"item": "a", "location": "b", "source": "1"}, {"item": "c"},
    ]  # fmt: skip


@pytest.mark.parametrize("name", [" a", "a ", "a\t"])
def test_names_that_tables_do_not_keep_are_refused(name):
    network = Network.from_dict({"decoupling_point": "supply", "stages": {name: {"sources": [{}], "market": {}}}})
    with pytest.raises(InputError, match="begins or ends with a blank"):
        tables_of(network)


# --- bad tables -------------------------------------------------------------------------------------------------------

BAD = [
    # (what is broken, table, its content, message)
    # files
    ("no items", "items", None, "items.csv: missing in"),
    ("no rows", "markets", "item\n", "markets.csv: no rows below the header; give at least one"),
    ("an empty file", "sources", "", "sources.csv: no header; give the columns their names in row 1"),
    (
        "a table of another name",
        "bill_of_material",
        "a\n",
        "bill_of_material.csv: no such table; did you mean 'bill_of_materials'?",
    ),
    ("an open quote", "items", 'item\n"phone\n', "items.csv: not CSV"),
    # columns
    (
        "a column in doubt",
        "items",
        "item,hold_cost\nphone,1\n",
        "items.csv: column 'hold_cost' is unknown; did you mean 'holding_cost'",
    ),
    (
        "a dotted column in doubt",
        "sources",
        "item,lot.rul\nphone,1\n",
        "sources.csv: column 'lot.rul' is unknown; did you mean 'lot.rule'",
    ),
    ("a setting of another table", "sources", "item,inputs\nphone,1\n", "sources.csv: column 'inputs' is unknown;"),
    (
        "a part of what has none",
        "items",
        "item,holding_cost.x\nphone,1\n",
        "items.csv: column 'holding_cost.x' is unknown;",
    ),
    ("a column twice", "items", "item,item\nphone,1\n", "items.csv: row 1: column 'item' stands twice"),
    ("a column without name", "items", "item,,location\nphone,1,x\n", "items.csv: row 1: column 2 has no name"),
    (
        "no quantity",
        "bill_of_materials",
        "item,component\n",
        "bill_of_materials.csv: column 'quantity' is missing; the file has item, component",
    ),
    (
        "a text with commas",
        "items",
        "item,location\nphone,Köln,am Rhein\n",
        "items.csv: row 2: 3 cells for 2 columns; put a text with ',' in quotes",
    ),
    # references
    (
        "an item twice",
        "items",
        "item\nboard\nboard\n",
        "items.csv: row 3, column 'item': 'board' stands in row 2 too; remove one",
    ),
    ("a blank item", "items", "item,location\n,Köln\n", "items.csv: row 2, column 'item': blank"),
    (
        "an unknown location",
        "locations",
        "location\nKöln\nBon\n",
        "items.csv: row 3, column 'location': 'Bonn' is not in locations.csv; did you mean 'Bon'",
    ),
    (
        "an unknown item",
        "sources",
        "item\nbord\n",
        "sources.csv: row 2, column 'item': 'bord' is not in items.csv; did you mean 'board'",
    ),
    (
        "no source",
        "sources",
        TABLES["sources"].replace("phone,Bonn,,1\n", ""),
        "sources.csv: no row for item 'phone@Bonn' (items.csv, row 3)",
    ),
    (
        "a source twice",
        "sources",
        TABLES["sources"] + "board,,far,2\n",
        "sources.csv: row 6, column 'source': source 'far' of 'board' stands in an earlier row",
    ),
    (
        "which source",
        "open_orders",
        "item,due_period,quantity\nboard,1,3\n",
        "open_orders.csv: row 2, column 'source': blank, but there are several sources of 'board'",
    ),
    (
        "no such source",
        "open_orders",
        "item,source,due_period,quantity\nboard,fur,1,3\n",
        "open_orders.csv: row 2, column 'source': 'fur' is no source of 'board' in sources.csv; did you mean 'far'",
    ),
    (
        "an unknown component",
        "bill_of_materials",
        "item,location,component,quantity\nphone,Köln,chip,1\n",
        "bill_of_materials.csv: row 2, column 'component': 'chip' is not in items.csv",
    ),
    (
        "a component twice",
        "bill_of_materials",
        TABLES["bill_of_materials"] + "phone,Bonn,board,1\n",
        "bill_of_materials.csv: row 4, column 'component': 'board' stands twice",
    ),
    (
        "a cycle",
        "bill_of_materials",
        "item,location,component,source,quantity\nphone,Köln,board,,1\nboard,,phone@Köln,near,1\n",
        "bill_of_materials.csv: ['phone@Köln', 'board'] form or wait on a cycle",
    ),
    (
        "itself",
        "bill_of_materials",
        "item,component,source,quantity\nboard,board,near,1\n",
        "bill_of_materials.csv: row 2, column 'component': 'board' needs itself",
    ),
    (
        "a market twice",
        "markets",
        "item,location\nphone,Köln\nphone,Köln\n",
        "markets.csv: row 3, column 'item': 'phone@Köln' has a market in an earlier row",
    ),
    # values
    (
        "a word for a number",
        "items",
        TABLES["items"].replace("9", "nine"),
        "items.csv: row 4, column 'initial_on_hand': 'nine' is not a number; give a number of at least 0",
    ),
    (
        "a decimal comma",
        "items",
        TABLES["items"].replace(",9", ',"9,5"'),
        "items.csv: row 4, column 'initial_on_hand': '9,5' is not a number",
    ),
    (
        "a negative default",
        "locations",
        "location,holding_cost\nKöln,-1\nBonn,\n",
        "locations.csv: row 2, column 'holding_cost': -1 is out of range",
    ),
    (
        "a fraction in integer units",
        "bill_of_materials",
        TABLES["bill_of_materials"].replace(",2\n", ",2.5\n"),
        "bill_of_materials.csv: row 3, column 'quantity': 2.5 is not whole, but units are integer",
    ),
    (
        "a quantity of words",
        "bill_of_materials",
        TABLES["bill_of_materials"].replace(",2\n", ",two\n"),
        "bill_of_materials.csv: row 3, column 'quantity': 'two' is not a number",
    ),
    (
        "an order too late",
        "open_orders",
        TABLES["open_orders"].replace(",2,", ",4,"),
        "open_orders.csv: row 2, column 'due_period': [0, 0, 0, 0, 30] has 5 entries but lead_time is 4",
    ),
    (
        "an order at no time",
        "open_orders",
        TABLES["open_orders"].replace(",2,", ",soon,"),
        "open_orders.csv: row 2, column 'due_period': 'soon' is not a whole number from 0 on",
    ),
    (
        "an order twice",
        "open_orders",
        TABLES["open_orders"] + "board,far,2,1\n",
        "open_orders.csv: row 3, column 'due_period': 2 stands twice for this source",
    ),
    (
        "a negative order",
        "open_orders",
        TABLES["open_orders"].replace("30", "-3"),
        "open_orders.csv: row 2, column 'quantity': -3 is out of range",
    ),
    (
        "an unknown rule",
        "sources",
        TABLES["sources"].replace("lead_time", "lot.rule").replace(",4\n", ",r_Q\n").replace(",1\n", ",\n"),
        "sources.csv: row 5, column 'lot.rule': 'r_Q' is unknown; did you mean 'r_nQ'",
    ),
    (
        "a rule without its key",
        "sources",
        TABLES["sources"].replace("lead_time", "lot.rule").replace(",4\n", ",r_nQ\n").replace(",1\n", ",\n"),
        "sources.csv: row 5, column 'lot.Q': missing; rule r_nQ orders whole lots",
    ),
    (
        "a list that does not end",
        "markets",
        'item,location,demand.season\nphone,Köln,"[1, 2"\n',
        "markets.csv: row 2, column 'demand.season': '[1, 2' cannot be read",
    ),
    (
        "a kind that lacks a key",
        "markets",
        "item,location,demand.kind\nphone,Köln,poisson\nphone,Bonn,\n",
        "demand.csv: row 2, column 'item': 'phone@Köln' has a history here, but demand.kind 'poisson' in markets.csv",
    ),
    # the network
    (
        "a setting in doubt",
        "network",
        "setting,value\nhorizn,3\n",
        "network.csv: row 2, column 'setting': 'horizn' is unknown; did you mean 'horizon'",
    ),
    (
        "a setting twice",
        "network",
        "setting,value\nhorizon,3\nhorizon,4\n",
        "network.csv: row 3, column 'setting': 'horizon' stands twice",
    ),
    ("a setting without value", "network", "setting,value\nhorizon,\n", "network.csv: row 2, column 'value': blank"),
    (
        "a horizon of words",
        "network",
        TABLES["network"].replace("4", "long"),
        "network.csv: row 3, column 'value': 'long' is not a number",
    ),
    (
        "a point that is no stage",
        "network",
        TABLES["network"].replace("board", "bord"),
        "network.csv: row 2, column 'value': 'bord' names no stage; did you mean 'board'",
    ),
    (
        "nothing that pushes",
        "network",
        "setting,value\nhorizon,4\n",
        "sources.csv: row 2, column 'mode': missing, and the network has no decoupling_point",
    ),
    # demand
    (
        "a date of no form",
        "demand",
        TABLES["demand"].replace("2024-01-04", "4/1/24"),
        "demand.csv: row 5, column 'date': '4/1/24' is no date",
    ),
    (
        "dates of two kinds",
        "demand",
        TABLES["demand"].replace("2024-01-04", "2024-01"),
        "demand.csv: row 5, column 'date': '2024-01' is a month, unlike the rows before",
    ),
    (
        "a date twice",
        "demand",
        TABLES["demand"].replace("2024-01-04", "2024-01-03"),
        "demand.csv: row 5, column 'date': '2024-01-03' is in row 4 too; add them up",
    ),
    (
        "a gap",
        "demand",
        TABLES["demand"].replace("phone,Köln,2024-01-03,0\n", ""),
        "demand.csv: row 2, column 'date': no row follows for 'phone@Köln' on 2024-01-03; add one, or import",
    ),
    (
        "a blank quantity",
        "demand",
        TABLES["demand"].replace("03,0\n", "03,\n"),
        "demand.csv: row 4, column 'quantity': blank; fill it in",
    ),
    (
        "a negative quantity",
        "demand",
        TABLES["demand"].replace("03,0\n", "03,-1\n"),
        "demand.csv: row 4, column 'quantity': -1 is out of range",
    ),
    (
        "a quantity in words",
        "demand",
        TABLES["demand"].replace("03,0\n", "03,none sold\n"),
        "demand.csv: row 4, column 'quantity': 'none sold' is not a number",
    ),
    (
        "demand of what is not sold",
        "demand",
        TABLES["demand"] + "board,,2024-01-01,3\n",
        "demand.csv: row 8, column 'item': 'board' has no market; give it a row in markets.csv",
    ),
]


@pytest.mark.parametrize(("name", "content", "message"), [pytest.param(*row[1:], id=row[0]) for row in BAD])
def test_what_is_wrong_is_named_by_its_cell(name, content, message, tmp_path):
    folder = lay_out(tmp_path / "tables", **{name: content})
    with pytest.raises(InputError) as caught:
        read_tables(folder)
    assert str(caught.value).startswith(message)


def test_a_date_off_the_calendar_is_named(tmp_path):
    days = "".join(f"phone,Köln,2024-01-{day:02},1\n" for day in (1, 8, 15, 22, 29, 30))
    demand = f"item,location,date,quantity\n{days}phone,Bonn,2024-01-01,1\n"
    with pytest.raises(InputError, match="row 7, column 'date': '2024-01-30' is off the calendar"):
        read_tables(lay_out(tmp_path, demand=demand))


def test_files_that_are_no_text_or_no_folder(tmp_path):
    with pytest.raises(InputError, match="from: no folder"):
        read_tables(tmp_path / "none")
    (tmp_path / "items.csv").write_bytes("item\nKöln\n".encode("latin-1"))
    with pytest.raises(InputError, match="not text in UTF-8; save it as CSV UTF-8"):
        read_csv(tmp_path / "items.csv")
