"""Segments by hand: the classes of value and demand, the P:D ratio, and what the command says of them."""

import csv
import io
import math

import numpy as np
import pytest

from pushpull.envs import load_network
from pushpull.envs.network import Network
from pushpull.experiments import segment as module
from pushpull.experiments.segment import (
    PROPOSALS,
    Item,
    abc_classes,
    average_demand_interval,
    demand_class,
    items_of_network,
    production_to_delivery,
    propose,
    segment,
    squared_variation,
    xyz_class,
)

NAN, INF = math.nan, math.inf


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Write a file into an empty folder, the one that commands run in."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="sold.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write


# --- classes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([80, 15, 5], "ABC"),  # 80% is reached by the first, 95% by the second
        ([5, 15, 80], "CBA"),
        ([79, 16, 5], "AAC"),  # the second reaches both cuts, and belongs above the first
        ([50, 50], "AA"),
        ([100], "A"),
        ([1, 1, 1, 1, 1], "AAAAB"),  # after four 80%, after five 100%
        ([7, 0], "AC"),
        ([0, 0], "CC"),
        ([], ""),
    ],
)
def test_abc_by_hand(values, classes):
    assert "".join(abc_classes(values)) == classes


@pytest.mark.parametrize(
    ("demand", "interval", "variation"),
    [
        ([5, 5, 5, 5], 1, 0),
        ([0, 5, 0, 5], 1.5, 0),  # three periods from the first demand on, two of them with demand
        ([0, 0, 2, 0, 0, 4], 2, 2 / 9),  # sizes 2 and 4: variance 2 by n - 1, mean 3
        ([1, NAN, 3, 0], 1.5, 0.5),  # 3 known periods, sizes 1 and 3: variance 2, mean 2
        ([0, 7], 1, 0),
        ([0, 0], INF, 0),
        ([], INF, 0),
    ],
)
def test_adi_and_cv2_by_hand(demand, interval, variation):
    demand = np.array(demand, dtype=float)
    assert average_demand_interval(demand) == pytest.approx(interval)
    assert squared_variation(demand) == pytest.approx(variation)


@pytest.mark.parametrize(
    ("interval", "variation", "kind"),
    [
        (1, 0, "smooth"),
        (1.3199, 0.4899, "smooth"),
        (1, 0.49, "erratic"),
        (1.32, 0, "intermittent"),
        (1.32, 0.49, "lumpy"),
        (INF, 0, "none"),
    ],
)
def test_kinds_of_demand_meet_at_the_cuts(interval, variation, kind):
    assert demand_class(interval, variation) == kind


@pytest.mark.parametrize(
    ("demand", "kind"),
    [([4, 4, 4], "X"), ([1, 3], "Y"), ([0, 2, 4], "Y"), ([0, 0, 9], "Z"), ([0, 0], "Z"), ([NAN, 4, 4], "X"), ([], "Z")],
)
def test_xyz_by_hand(demand, kind):
    """1 and 3 vary by sqrt(2) / 2 = 0.71; 0, 2 and 4 by 2 / 2 = 1; 0, 0 and 9 by 1.73."""
    assert xyz_class(np.array(demand, dtype=float)) == kind


@pytest.mark.parametrize(
    ("lead_time", "tolerance", "ratio"), [(6, 3, 2), (3, 6, 0.5), (3, 0, INF), (0, 0, 0), (NAN, 3, NAN), (3, NAN, NAN)]
)
def test_production_to_delivery_by_hand(lead_time, tolerance, ratio):
    assert production_to_delivery(lead_time, tolerance) == pytest.approx(ratio, nan_ok=True)


def test_every_class_has_a_proposal_and_a_reason_of_its_own():
    kinds = {demand_class(adi, cv2) for adi in (1, 2) for cv2 in (0, 1)}
    assert set(PROPOSALS) == {(kind, abc) for kind in kinds for abc in "ABC"}
    assert {mode for mode, _ in PROPOSALS.values()} == {"push", "pull"}
    assert len({reason for _, reason in PROPOSALS.values()}) == len(PROPOSALS)


def test_who_waits_long_enough_is_served_to_order_and_who_does_not_from_stock():
    assert propose("smooth", "A", NAN)[0] == propose("smooth", "A", 1.01)[0] == "push"
    assert propose("smooth", "A", 1) == ("pull", "customers wait long enough (P:D 1): make it to order")
    assert propose("lumpy", "B", INF)[1].endswith("hold stock, nobody waits that long")
    assert "hold stock" not in propose("lumpy", "B", NAN)[1]
    assert propose("none", "C", 0) == ("pull", "never asked for: keep none")


def test_segments_by_hand():
    """Worth 10 x 3 = 30, 2 x 30 = 60 and 4 x 2.5 = 10 a period."""
    items = [
        Item("bolt", np.array([10.0] * 8), 3),
        Item("pump", np.array([0, 0, 0, 8.0] * 2), 30),
        Item("seal", np.array([0, 1, 0, 15.0, 0, 0, 0, 16.0]), 2.5),
        Item("none", np.zeros(8)),
    ]
    found = segment(items)
    assert [(own.item, own.abc, own.demand, own.proposal) for own in found] == [
        ("pump", "A", "intermittent", "pull"),
        ("bolt", "A", "smooth", "push"),
        ("seal", "B", "lumpy", "pull"),
        ("none", "C", "none", "pull"),
    ]
    assert [own.value_share for own in found] == pytest.approx([0.6, 0.3, 0.1, 0])
    assert [own.adi for own in found] == pytest.approx([5 / 2, 1, 7 / 3, INF])
    sizes = np.array([1, 15, 16])
    assert found[2].cv2 == pytest.approx(((sizes - 32 / 3) ** 2).sum() / 2 / (32 / 3) ** 2)


# --- items of a network -----------------------------------------------------------------------------------------------


def test_a_network_is_classed_by_what_its_customers_ask_for():
    """Phones need 1 board each, boards 2 chips; of 9 periods of tolerance phones take 1 and boards 3."""
    settings = load_network("electronics").to_dict()
    for name in ("phone_basic", "phone_plus", "phone_pro"):
        settings["stages"][name]["market"]["tolerance"] = 9
    network = Network.from_dict(settings)
    items = {item.name: item for item in items_of_network(network)}
    phones = np.sum([item.demand for name, item in items.items() if name.startswith("phone")], axis=0)
    assert np.array_equal(items["board"].demand, phones)
    assert np.array_equal(items["chip"].demand, 2 * phones)
    assert len(phones) >= module.SAMPLE
    assert {name: (item.lead_time, item.tolerance) for name, item in items.items()} == {
        "chip": (8, 5), "display": (4, 8), "board": (3, 8),
        "phone_basic": (1, 9), "phone_plus": (1, 9), "phone_pro": (1, 9),
    }  # fmt: skip
    assert items["board"].value == pytest.approx(2 * 15 + 10)
    assert items["phone_pro"].value == pytest.approx(40 + 30 + 40)


def test_tolerance_is_unknown_where_one_market_does_not_state_it():
    settings = load_network("electronics").to_dict()
    settings["stages"]["phone_pro"]["market"]["tolerance"] = 30
    del settings["stages"]["phone_plus"]["market"]["tolerance"]
    items = {item.name: item for item in items_of_network(Network.from_dict(settings))}
    assert math.isnan(items["board"].tolerance) and items["phone_pro"].tolerance == 30


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_on_the_bakery(pushpull):
    answer = pushpull("segment", "file=bakery.csv", "xyz=true")
    assert (answer.code, answer.err) == (0, "")
    assert "15 items: push 14, pull 1." in answer.out
    for word in ("Segments of bakery.csv", "store27_product101", "XYZ", "26.4%", "smooth", "steady, so forecasts"):
        assert word in answer.out


@pytest.mark.parametrize(
    ("tolerance", "point"),
    [
        (0, "[phone_basic,phone_plus,phone_pro]"),  # nobody waits, and demand is smooth
        (2, "[display,board]"),  # finishing takes 1 of 2, a board 3 of the 1 that is left
        (4, "[chip,display]"),  # a board just fits
        (5, "chip"),  # a display too
        (12, "supply"),  # the broker aside, chips take 8 of the 8 that are left
    ],
)
def test_stock_moves_upstream_as_customers_wait_longer(pushpull, tolerance, point):
    tolerant = [f"network.stages.phone_{name}.market.tolerance={tolerance}" for name in ("basic", "plus", "pro")]
    answer = pushpull("segment", "network=electronics", *tolerant)
    assert answer.code == 0, answer.err
    assert f"As a decoupling point: decoupling_point={point}." in answer.out


def test_what_is_upstream_of_a_pushed_item_is_pushed_too(pushpull, file):
    seldom = {"kind": "intermittent", "probability": 0.1, "size": {"kind": "deterministic", "values": [5]}}
    steady = {"kind": "poisson", "mean": 50}
    network = Network.from_dict(
        {
            "decoupling_point": "supply",
            "stages": {
                "part": {"sources": [{"unit_cost": 1}], "market": {"demand": seldom, "tolerance": 9}},
                "bulk": {"sources": [{"inputs": {"part": 1}}], "market": {"demand": steady, "tolerance": 0}},
                "rare": {"sources": [{"inputs": {"part": 1}}], "market": {"demand": seldom, "tolerance": 9}},
            },
        }
    )
    found = segment(items_of_network(network))
    assert {own.item: own.proposal for own in found} == {"part": "push", "bulk": "push", "rare": "pull"}
    assert module._decoupling(found, network) == "As a decoupling point: decoupling_point=bulk."
    pulled = [own._replace(proposal="push" if own.item == "bulk" else "pull") for own in found]
    assert module._decoupling(pulled, network) == (
        "As a decoupling point: decoupling_point=bulk, which pushes part too, being upstream."
    )
    none = [own._replace(proposal="pull") for own in found]
    assert module._decoupling(none, network) == "As a decoupling point: decoupling_point=supply."


def test_a_long_file_with_facts_about_items(pushpull, file):
    """Dates without a row are dates without demand; facts decide on value and on P:D."""
    days = [f"2024-01-{day:02}" for day in range(1, 11)]
    rows = [f"{day};tea;Ulm;4\n" for day in days] + ["2024-01-03;pot;Ulm;1\n", "2024-01-09;pot;Ulm;1\n"]
    file("date;item;location;quantity\n" + "".join(rows))
    file("item;location;price;lead_time;tolerance\npot;Ulm;99,5;3;7\ntea;Ulm;;3;\n", "items.csv")
    answer = pushpull("segment", "file=sold.csv", "items=items.csv", "format=csv")
    assert (answer.code, answer.err) == (0, "")
    pot, tea = csv.DictReader(io.StringIO(answer.out))
    assert (pot["item"], pot["abc"], pot["demand"], pot["adi"], pot["proposal"]) == (
        "pot@Ulm", "A", "intermittent", "4", "pull",
    )  # fmt: skip
    assert float(pot["pd_ratio"]) == pytest.approx(3 / 7) and tea["pd_ratio"] == ""
    assert float(pot["value_share"]) == pytest.approx(19.9 / 23.9)
    assert (tea["demand"], tea["cv2"], tea["proposal"]) == ("smooth", "0", "push")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ([], "file: missing; give file=, a demand history, or network=, and not both"),
        (["file=sold.csv", "network=retail"], "file: both are given;"),
        (["network=retail", "items=items.csv"], "items: 'items.csv' belongs to a file; leave it out with a network"),
        (["network=retial"], "network: 'retial' is not in the library; did you mean 'retail'"),
        (["file=negative.csv"], "file: row 3: demand of 'x' is -2, below 0; mend it, check-data finds all"),
        (
            ["file=sold.csv", "items=none.csv"],
            "items: no file 'none.csv'; give a CSV file with the columns item, price",
        ),
        (["file=sold.csv", "items=strange.csv"], "items: 'y' has no history; valid: x"),
        (["file=sold.csv", "items=word.csv"], "word.csv: row 2, column 'price': 'dear' is not a number"),
        (["file=sold.csv", "items=column.csv"], "column.csv: column 'cost' is unknown; "),
        (
            ["file=sold.csv", "items=noitem.csv"],
            "noitem.csv: column 'item' is missing; it needs item, and any of price",
        ),
        (["file=sold.csv", "items=twice.csv"], "twice.csv: row 3, column 'item': 'x' stands in an earlier row"),
        (["file=sold.csv", "xyz=maybe"], "xyz: 'maybe' is not true or false"),
    ],
)
def test_misuse_is_told(pushpull, file, words, answer):
    file("date,x\n2024-01-01,3\n2024-01-02,4\n")
    file("date,x\n2024-01-01,3\n2024-01-02,-2\n", "negative.csv")
    file("item,price\ny,3\n", "strange.csv")
    file("item,price\nx,dear\n", "word.csv")
    file("item,cost\nx,3\n", "column.csv")
    file("price\n3\n", "noitem.csv")
    file("item,price\nx,3\nx,4\n", "twice.csv")
    found = pushpull("segment", *words)
    assert found.code == 2 and found.out == ""
    assert found.err.startswith(f"pushpull: {answer}")
