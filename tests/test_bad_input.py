"""Broken input, one row each, by the door it knocks at: the error names the field, the value and the fix.

A row says what is broken, breaks a good example at one place (keys joined by dots; `GONE` removes the key) and lists
words of the message: the value and the fix. The field that the error names is the place itself, unless the row says
``place + rest`` or ``place -> other place``. To cover another door, add a list and a test of a few lines below it.
"""

from __future__ import annotations

import copy
import math
import re
from typing import Any

import numpy as np
import pytest

from pushpull.agents.optimal import solve
from pushpull.envs import InputError, Network, replay
from pushpull.envs.boards import make_board

GONE = object()


def broken(good: Any, place: str, value: Any) -> Any:
    """Return a copy of a nested mapping with one place changed."""
    keys = [int(key) if key.isdigit() else key for key in re.split(r" \+ | -> ", place)[0].split(".")]
    if keys == [""]:
        return value
    bad = copy.deepcopy(good)
    node = bad
    for key in keys[:-1]:
        node = node[key]
    if value is GONE:
        del node[keys[-1]]
    else:
        node[keys[-1]] = value
    return bad


def field_of(place: str) -> str:
    """Return the field that an error about a place must name."""
    place, arrow, other = place.partition(" -> ")
    place, _, rest = place.partition(" + ")
    return other if arrow else re.sub(r"\.(\d+)", r"[\1]", place) + rest


def by_name(rows: list[tuple[Any, ...]]) -> list[Any]:
    """Turn rows into parameters named by what is broken."""
    names = [row[0] for row in rows]
    assert len(set(names)) == len(names)
    return [pytest.param(*row, id=name) for name, *row in rows]


def assert_told(error: InputError, field: str, words: tuple[str, ...] | list[str]) -> None:
    assert error.field == field
    assert words
    for word in words:
        assert word in error.problem


# --- networks: Network.from_dict -------------------------------------------------------------------------------------

# A plant that pushes and a shop that pulls; integer units.
NETWORK = {
    "decoupling_point": "plant",
    "stages": {
        "plant": {"sources": [{"lead_time": 2}]},
        "shop": {"sources": [{"inputs": {"plant": 1}}], "market": {"demand": {"kind": "poisson", "mean": 5}}},
    },
}
FULL = {"sources": [{}], "storage_capacity": 4, "overflow": "block", "initial_on_hand": 5}
LOSING = {"sources": [{}], "initial_owed": 3, "market": {"stockout": "lost"}}
HASTY = {"sources": [{}], "initial_owed": 3, "market": {"patience": 0}}
ORDERED_IN_ANGER = {"goodwill": {"loss": 0.1, "gain": 0.1}, "order_lead": [0, 1], "forecast": {"horizon": 2}}
PROMOTED_AHEAD = {"promotion": {"cost": 9, "lift": 0.5}, "order_lead": [0, 1], "forecast": {"horizon": 2}}
SPIKES = {"horizon": 2, "threshold": 9}
MMFE = {"kind": "mmfe", "horizon": 2}
MARKET = "stages.shop.market"
PLANT, SHOP, DEMAND = "stages.plant.sources.0", "stages.shop.sources.0", "stages.shop.market.demand"
ONE_ROW = {"factors": [1, 2], "transitions": [[1, 0]]}
APART = {"factors": [1, 2], "transitions": [[1, 0], [0, 1]]}
DOWN = {"affects": "start", "fail": 0.1, "repair": 0.5}
TRACE = {"kind": "trace", "file": "a.csv", "column": "a"}
MANY = {"kind": "trace", "file": "a.csv", "layout": "m5"}
NOBODY = {"kind": "bass", "innovation": 0.1, "imitation": 0.3, "market_size": 0}

NETWORKS = [
    # (what is broken, place, value, words...)
    # the whole and its parts
    ("nothing at all", "", None, "None is not a mapping", "give keys such as stages"),
    ("a list for a network", "", [1], "[1] is not a mapping", "give keys such as stages"),
    ("no stages", "stages", GONE, "missing", "state it"),
    ("empty stages", "stages", {}, "empty", "declare at least one stage"),
    ("stages as a list", "stages", ["plant"], "['plant'] is not a mapping", "write name: value"),
    ("a stage that is a number", "stages.plant", 5, "5 is not a mapping", "give keys such as"),
    ("no sources", "stages.plant.sources", GONE, "empty", "at least one source"),
    ("empty sources", "stages.plant.sources", [], "empty", "at least one source"),
    ("one source without its dash", "stages.plant.sources", {}, "{} is not a list"),
    ("no market anywhere", "stages.shop.market -> stages", GONE, "no stage has a market", "give at least one"),
    ("market: yes", "stages.shop.market", True, "True is not a mapping", "such as demand"),
    ("a stage named no", "stages", {False: {}}, "False is not a name", "in quotes"),
    ("a stage named 4 and one named '4'", "stages + .4", {4: {}, "4": {}}, "named twice", "rename one"),
    ("a stage with a reserved name", "stages.supply", {"sources": [{}]}, "'supply'", "rename"),
    # keys
    ("unknown key", "sequnce", [], "unknown key", "did you mean 'sequence'"),
    ("unknown key of a source", f"{PLANT}.leadtime", 2, "unknown key", "mean 'lead_time'"),
    ("unknown key without a near one", f"{PLANT}.xyz", 2, "unknown key", "valid: mode, inputs"),
    ("yes for a key", f"{PLANT}.True", 2, "unknown key", "valid: mode, inputs"),
    # numbers
    ("negative cost", "stages.shop.holding_cost", -1, "-1 is out", "at least 0"),
    ("negative price", "stages.shop.market.price", -1, "-1 is out", "at least 0"),
    ("NaN", f"{PLANT}.unit_cost", math.nan, "nan is not finite", "give a number"),
    ("infinity", "stages.shop.holding_cost", math.inf, "inf is not finite", "give a"),
    ("text for a number", f"{PLANT}.lead_time", "two", "'two' is not a number", "give a whole"),
    ("a number in quotes", f"{PLANT}.lead_time", "2", "'2' is not a number", "without quotes"),
    ("1e3, a text in YAML", f"{PLANT}.capacity", "1e3", "'1e3' is not", "as in 1.0e+3"),
    ("truth for a number", f"{PLANT}.lead_time", True, "True is not a number", "give a whole"),
    ("list for a number", f"{PLANT}.lead_time", [2], "[2] is not a number", "give a whole"),
    ("nothing for a number", f"{PLANT}.lead_time", None, "None is not a number", "give a whole"),
    ("more than a double holds", f"{PLANT}.capacity", 10**400, "is not a number", "give a number"),
    ("negative lead time", f"{PLANT}.lead_time", -1, "-1 is out of range", "at least 0"),
    ("half a lead time", f"{PLANT}.lead_time", 1.5, "1.5 is not whole", "give a whole number"),
    ("capacity 0", f"{PLANT}.capacity", 0, "0 is out of range", "above 0"),
    ("review period 0", f"{PLANT}.review_period", 0, "0 is out of range", "at least 1"),
    ("horizon 0", "horizon", 0, "0 is out of range", "at least 1"),
    ("discount above 1", "discount", 1.1, "1.1 is out of range", "at most 1"),
    ("warm-up as long as the horizon", "warm_up", 100, "100", "horizon 100", "give less"),
    ("yes for a truth", "horizon_is_real", "yes", "'yes' is not true or false", "write one"),
    # words
    ("unknown units", "units", "pieces", "'pieces' is unknown", "valid: integer, real"),
    ("unknown rounding", "rounding", "up", "'up' is unknown", "valid: round, truncate"),
    ("unknown allocation", "allocation", "fair", "'fair'", "valid: proportional, priority"),
    ("unknown mode", f"{PLANT}.mode", "pusch", "'pusch' is unknown", "did you mean 'push'?"),
    ("unknown basis", f"{PLANT}.basis", "echelons", "'echelons'", "did you mean 'echelon'?"),
    ("empty name", "name", "", "'' is not a name", "give a non-empty text"),
    ("illegal sequence", "sequence", ["push", "ship"], "['push', 'ship'] is not a legal", "use one of"),
    # the network as a whole
    ("a cycle", f"{PLANT}.inputs -> stages", {"shop": 1}, "['plant', 'shop']", "cycle", "remove one"),
    ("a self-loop", f"{PLANT}.inputs", {"plant": 1}, "'plant' needs itself", "leave it out"),
    ("unknown input", f"{SHOP}.inputs", {"plnt": 1}, "'plnt' is no stage", "mean 'plant'?"),
    ("inputs as a list", f"{SHOP}.inputs", ["plant"], "['plant'] is not a mapping", "name: value"),
    ("zero units of an input", f"{SHOP}.inputs.plant", 0, "0 is out of range", "above 0"),
    (
        "neither mode nor point",
        "decoupling_point -> stages.plant.sources[0].mode",
        GONE,
        "no decoupling_point",
        "state one",
    ),
    # the decoupling point and modes
    ("point at no stage", "decoupling_point", "plan", "'plan' names no", "mean 'plant' or"),
    ("points at nothing", "decoupling_point", [], "[] has 0 entries", "at least 1"),
    ("supply and more", "decoupling_point", ["supply", "shop"], "'supply'", "give it alone"),
    ("learned and more", "decoupling_point", ["learned", "shop"], "'learned' speaks for all", "give it alone"),
    ("all boundaries in one network", "decoupling_point", "all", "'all' names no stage", "valid: plant, shop, supply"),
    ("a stage named learned", "stages.learned", {"sources": [{}]}, "'learned'", "rename"),
    ("a stage named all", "stages.all", {"sources": [{}]}, "'all'", "rename"),
    ("negative tolerance", "stages.shop.market.tolerance", -1, "-1 is out of range", "at least 0"),
    ("tolerance for a word", "stages.shop.market.tolerance", "long", "'long' is not a number", "give a number"),
    ("drop on implied pull", f"{SHOP}.shortfall", "drop", "'drop' is refused", "leave shortfall"),
    ("drop on stated pull", f"{SHOP} + .shortfall", {"mode": "pull", "shortfall": "drop"}, "'drop' is", "leave"),
    ("carry on mixed", f"{SHOP} + .shortfall", {"mode": "mixed", "shortfall": "carry"}, "'carry' is", "leave it"),
    ("unknown shortfall", f"{PLANT}.shortfall", "forget", "'forget'", "valid: drop, carry"),
    ("delay of a push", f"{PLANT} + .order_delay", {"mode": "push", "order_delay": 1}, "1 is refused", "leave it"),
    ("delay of a mixed", f"{PLANT} + .order_delay", {"mode": "mixed", "order_delay": 1}, "1 is refused", "leave"),
    ("review offset", f"{PLANT}.review_offset", 1, "1 is not below review_period 1", "less"),
    # order rules, positions, cards
    ("unknown rule", f"{SHOP}.lot + .rule", {"rule": "s_s"}, "'s_s' is unknown", "did you mean 's_S'"),
    ("a rule without its mapping", f"{SHOP}.lot", "s_S", "'s_S' is not a mapping", "such as rule, gap"),
    ("r_nQ without Q", f"{SHOP}.lot + .Q", {"rule": "r_nQ"}, "missing", "state it"),
    ("Q without r_nQ", f"{SHOP}.lot + .Q", {"Q": 4}, "4 does not go with rule base_stock", "rule: r_nQ"),
    ("gap without s_S", f"{SHOP}.lot + .gap", {"gap": 4}, "4 does not go with rule base_stock", "s_S"),
    ("one lot without lots", f"{SHOP}.lot + .at_most_one", {"at_most_one": True}, "True", "rule: r_nQ"),
    ("time without smoothing", f"{SHOP}.lot + .adjust_time", {"adjust_time": 2}, "2 does", "smoothed"),
    ("adjust faster than at once", f"{SHOP}.lot + .adjust_time", {"adjust_time": 0.5}, "0.5", "at least 1"),
    ("max_order below Q", f"{SHOP} + .max_order", {"lot": {"rule": "r_nQ", "Q": 4}, "max_order": 3}, "3 is", "4"),
    ("over without physical", f"{PLANT}.over", ["shop"], "['shop']", "use basis: physical"),
    ("over no stage", f"{PLANT} + .over", {"basis": "physical", "over": "shp"}, "'shp' is no", "mean 'shop'?"),
    ("over upstream", f"{SHOP} + .over", {"basis": "physical", "over": "plant"}, "'plant'", "leave it out"),
    ("cards as a number", f"{PLANT}.cards", 5, "5 is not a mapping", "give keys such as limit"),
    ("cards without limit", f"{PLANT}.cards + .limit", {}, "missing", "state it"),
    ("less than no card", f"{PLANT}.cards + .limit", {"limit": -1}, "-1 is out", "at least 0"),
    ("cards over no stage", f"{PLANT}.cards + .over", {"limit": 1, "over": ["x"]}, "'x' is", "valid"),
    ("cards upstream", f"{SHOP}.cards + .over", {"limit": 1, "over": ["plant"]}, "'plant'", "leave it"),
    ("cards over nothing", f"{SHOP}.cards + .over", {"limit": 1, "over": []}, "[] has 0", "at least 1"),
    # disruptions, stockouts
    ("unknown disruption", f"{PLANT}.disruption + .affects", {"affects": "x"}, "'x'", "transit"),
    ("a disruption of nothing", f"{PLANT}.disruption + .affects", {}, "missing", "state it"),
    ("failure 0", f"{PLANT}.disruption + .fail", {**DOWN, "fail": 0}, "0 is out of range", "above 0"),
    ("repair above 1", f"{PLANT}.disruption + .repair", {**DOWN, "repair": 1.5}, "1.5 is out of range", "at most 1"),
    (
        "no repair",
        f"{PLANT}.disruption + .repair",
        {"affects": "order", "fail": 0.1},
        "missing beside fail 0.1",
        "both",
    ),
    (
        "repair alone",
        f"{PLANT}.disruption + .fail",
        {"affects": "order", "repair": 1},
        "missing beside repair 1",
        "both",
    ),
    ("chance and schedule", f"{PLANT}.disruption + .schedule", {**DOWN, "schedule": [[1, 2]]}, "[[1, 2]]", "state one"),
    ("a schedule of nothing", f"{PLANT}.disruption + .schedule", {"affects": "order", "schedule": []}, "at least 1"),
    (
        "a spell without an end",
        f"{PLANT}.disruption + .schedule[0]",
        {"affects": "order", "schedule": [5]},
        "[5] is not [first, last]",
        "give two periods",
    ),
    (
        "a spell that ends before it begins",
        f"{PLANT}.disruption + .schedule[0]",
        {"affects": "order", "schedule": [[5, 4]]},
        "[5, 4] is not [first, last]",
        "the later last",
    ),
    (
        "spells that overlap",
        f"{PLANT}.disruption + .schedule[1]",
        {"affects": "order", "schedule": [[5, 8], [8, 9]]},
        "[8, 9] does not begin after [5, 8] ends",
        "join what overlaps",
    ),
    (
        "half a period",
        f"{PLANT}.disruption + .schedule[0][1]",
        {"affects": "order", "schedule": [[5, 8.5]]},
        "8.5 is not whole",
    ),
    ("severity 0", f"{PLANT}.disruption + .severity", {**DOWN, "severity": 0}, "0 is out of range", "above 0"),
    (
        "half an order",
        f"{PLANT}.disruption + .severity",
        {**DOWN, "affects": "order", "severity": 0.5},
        "0.5 does not go with affects order",
        "use affects: start",
    ),
    (
        "half of what never happens",
        f"{PLANT}.disruption + .severity",
        {"affects": "start", "severity": 0.5},
        "0.5 of what never happens",
        "or a schedule",
    ),
    # overtime, price breaks, loads
    ("overtime as a number", f"{PLANT}.overtime", 5, "5 is not a mapping", "give keys such as capacity"),
    ("overtime without its cost", f"{PLANT}.overtime + .cost", {"capacity": 5}, "missing", "state it"),
    ("overtime without end", f"{PLANT}.overtime + .capacity", {"capacity": math.inf, "cost": 1}, "inf is not finite"),
    (
        "overtime beyond everything",
        f"{PLANT} + .overtime",
        {"overtime": {"capacity": 5, "cost": 1}},
        "beyond an unlimited capacity",
        "state the source's regular capacity",
    ),
    (
        "half a unit of overtime",
        f"{PLANT} + .overtime.capacity",
        {"capacity": 5, "overtime": {"capacity": 0.5, "cost": 1}},
        "0.5 is less than a unit",
        "at least 1",
    ),
    ("a break without its dash", f"{PLANT}.price_breaks", {"from": 5, "unit_cost": 1}, "is not a list"),
    ("a break from nothing", f"{PLANT}.price_breaks + [0].from", [{"from": 0, "unit_cost": 1}], "0 is out", "above 0"),
    ("a break without its price", f"{PLANT}.price_breaks + [0].unit_cost", [{"from": 5}], "missing", "state it"),
    (
        "breaks that fall",
        f"{PLANT}.price_breaks + [1].from",
        [{"from": 9, "unit_cost": 1}, {"from": 5, "unit_cost": 2}],
        "5 is not above 9",
        "sort breaks",
    ),
    ("a rule of no breaks", f"{PLANT}.price_rule", "incremental", "'incremental' of no price_breaks", "leave it out"),
    ("an unknown rule of prices", f"{PLANT}.price_rule", "all", "'all' is unknown", "all_units"),
    ("a load of no size", f"{PLANT}.load + .size", {"size": 0, "cost": 1}, "0 is out of range", "above 0"),
    ("half a unit in a load", f"{PLANT}.load + .size", {"size": 2.5, "cost": 1}, "2.5 is not whole", "units: real"),
    ("a load that pays", f"{PLANT}.load + .cost", {"size": 2, "cost": -1}, "-1 is out of range", "at least 0"),
    # random supply
    ("lead times of nothing", f"{PLANT}.lead_time + .values", {}, "missing", "state values, or min and max"),
    ("no lead times", f"{PLANT}.lead_time + .values", {"values": []}, "[] has 0 entries", "at least 1"),
    ("half a lead time among some", f"{PLANT}.lead_time + .values[1]", {"values": [1, 2.5]}, "2.5 is not whole"),
    ("lead times in words", f"{PLANT}.lead_time", "1-3", "'1-3' is not a number", "give a whole number"),
    ("an end without a beginning", f"{PLANT}.lead_time + .values", {"max": 3}, "missing", "min and max"),
    (
        "an end before its beginning",
        f"{PLANT}.lead_time + .max",
        {"min": 3, "max": 2},
        "2 is below min 3",
        "max >= min",
    ),
    ("values and an end", f"{PLANT}.lead_time + .max", {"values": [1], "max": 2}, "2 does not go with values"),
    (
        "chances of no values",
        f"{PLANT}.lead_time + .values",
        {"min": 1, "max": 2, "probabilities": [0.5, 0.5]},
        "missing",
        "probabilities are those of values",
    ),
    (
        "chances that sum to 0.9",
        f"{PLANT}.lead_time + .probabilities",
        {"values": [1, 2], "probabilities": [0.5, 0.4]},
        "they sum to 0.9",
        "sum to 1",
    ),
    ("a key that lead times lack", f"{PLANT}.lead_time + .mean", {"mean": 3}, "unknown key", "valid: values"),
    ("more good than started", f"{PLANT}.yield + .mean", 1.2, "1.2 is out of range", "at most 1"),
    ("nothing good", f"{PLANT} + .yield", {"yield": 0}, "0 makes nothing", "give a mean above 0"),
    ("a yield of words", f"{PLANT}.yield + .mean", "most", "'most' is not a number"),
    ("a yield of nothing", f"{PLANT}.yield + .mean", {}, "None with values None", "state one"),
    ("mean and values", f"{PLANT}.yield + .mean", {"mean": 1, "values": [1]}, "state one of the two"),
    (
        "more spread than fits",
        f"{PLANT}.yield + .sd",
        {"mean": 0.9, "sd": 0.3},
        "0.3 is more",
        "sd^2 < mean (1 - mean)",
    ),
    ("spread of values", f"{PLANT}.yield + .sd", {"values": [1], "sd": 0.1}, "0.1 does not go with values", "leave it"),
    (
        "a chance too few",
        f"{PLANT}.yield + .probabilities",
        {"values": [1, 0.5], "probabilities": [1]},
        "1 entries for 2 values",
        "give one each",
    ),
    (
        "a share of no capacity",
        f"{PLANT} + .capacity_share",
        {"capacity_share": 0.5},
        "unlimited",
        "state the source's",
    ),
    (
        "a share beside a disruption",
        f"{PLANT} + .capacity_share",
        {"capacity": 5, "capacity_share": 0.5, "disruption": DOWN},
        "does not go with a disruption",
        "leave one out",
    ),
    (
        "a pipeline longer than the longest lead time",
        f"{PLANT} + .initial_pipeline",
        {"lead_time": {"min": 1, "max": 2}, "initial_pipeline": [1, 2, 3]},
        "lead_time is 2",
        "at most",
    ),
    (
        "half of an unlimited capacity",
        f"{PLANT} + .disruption.severity",
        {"disruption": {**DOWN, "severity": 0.5}},
        "0.5 of an unlimited capacity",
        "state the source's capacity",
    ),
    ("partial without share", "stages.shop.market.stockout", "partial", "'partial'"),
    ("share of what", "stages.shop.market.stockout", {"x": 1}, "{'x': 1}", "lost"),
    ("share above 1", "stages.shop.market.stockout + .partial", {"partial": 2}, "2 is out of range", "at most 1"),
    # forecasts
    ("shares for no mmfe", f"{MARKET}.forecast + .resolved", {"resolved": 0.5}, "(0.5,) does not", "takes none"),
    ("too few shares", f"{MARKET}.forecast + .resolved", {**MMFE, "resolved": 0.5}, "1 shares", "give one per period"),
    ("shares that rise", f"{MARKET}.forecast + .resolved", {**MMFE, "resolved": [0, 1]}, "[0, 1] rises", "let it fall"),
    (
        "shares and error",
        f"{MARKET}.forecast + .resolved",
        {**MMFE, "error": 0.2, "resolved": [1, 0]},
        "[1, 0] says what error says",
        "state one",
    ),
    (
        "mmfe of demand known beforehand",
        f"{MARKET} + .forecast.kind",
        {"demand": {"kind": "deterministic", "values": 5}, "forecast": MMFE},
        "demand is of kind deterministic",
        "use kind: noisy",
    ),
    (
        "mmfe of demand with memory",
        f"{MARKET} + .forecast.kind",
        {"demand": {"kind": "poisson", "mean": 5, "autocorrelation": 0.5}, "forecast": MMFE},
        "demand remembers other periods",
        "use kind: noisy",
    ),
    # demand
    ("autocorrelation 1", f"{DEMAND}.autocorrelation", 1, "1 is out of range", "at most 0.999"),
    ("a fraction for the largest count", f"{DEMAND}.max", 7.5, "7.5 is not whole", "at least 1"),
    ("a negative level", f"{DEMAND}.level_sd", -0.1, "-0.1 is out of range", "at least 0"),
    ("a shock without its dash", f"{DEMAND}.shocks", {"factor": 2}, "{'factor': 2} is not a list"),
    ("a shock that never comes", f"{DEMAND}.shocks + [0].period", [{"factor": 2}], "None", "state one"),
    ("regimes by one row", f"{DEMAND}.regimes + .transitions", ONE_ROW, "1 rows", "give 2 of 2"),
    ("regimes apart", f"{DEMAND}.regimes + .start", APART, "missing", "several closed groups", "state one"),
    ("a trace of no column", f"{DEMAND} + .column", {"kind": "trace", "file": "a.csv"}, "missing", "the column"),
    ("an item without a layout", f"{DEMAND} + .item", TRACE | {"item": 5}, "'5' needs a layout", "state it"),
    ("a layout without an item", f"{DEMAND} + .item", MANY, "missing", "name an item, a store or both"),
    ("a column in a layout", f"{DEMAND} + .column", TRACE | {"layout": "m5"}, "'a' does not go with layout m5", "item"),
    ("an unknown layout", f"{DEMAND} + .layout", TRACE | {"layout": "m6"}, "'m6' is unknown", "did you mean 'm5'?"),
    ("an id of favorita", f"{DEMAND} + .id", MANY | {"layout": "favorita", "id": 1}, "'1' names", "leave it out"),
    ("an unknown way with returns", f"{DEMAND} + .negative", TRACE | {"negative": "x"}, "'x' is", "refuse, zero"),
    ("a market of nobody", f"{DEMAND} + .market_size", NOBODY, "0 is out of range", "above 0"),
    # where a chain starts
    ("pipeline longer than lead time", f"{PLANT}.initial_pipeline", [1, 2, 3], "at most"),
    ("negative pipeline", f"{PLANT}.initial_pipeline + [0]", [-1], "-1 is out", "at least"),
    ("negative stock", "stages.shop.initial_on_hand", -1, "-1 is out", "at least"),
    # customers who wait
    ("negative patience", f"{MARKET}.patience", -1, "-1 is out of range", "at least 0 and at most 100"),
    ("half a period of patience", f"{MARKET}.patience", 1.5, "1.5 is not whole", "give a whole number"),
    ("patience without end", f"{MARKET}.patience", 101, "101 is out of range", "at most 100"),
    ("patience in words", f"{MARKET}.patience", "long", "'long' is not a number", "give a whole number"),
    ("patience where none waits", f"{MARKET} + .patience", {"stockout": "lost", "patience": 2}, "2 says", "backorder"),
    ("satisfaction of one word", f"{MARKET}.satisfaction + [0]", "high", "'high' is not a number", "whole number"),
    ("satisfaction of nothing", f"{MARKET}.satisfaction", [], "[] has 0 entries", "at least 1"),
    ("a score of 6", f"{MARKET}.satisfaction + [0]", [6, 1], "6 is out of range", "at least 1 and at most 5"),
    ("a score of 0", f"{MARKET}.satisfaction + [1]", [5, 0], "0 is out of range", "at least 1"),
    ("happier when late", f"{MARKET}.satisfaction", [4, 5], "[4, 5] rises", "let it fall"),
    ("owed by who has left", "stages.shop + .initial_owed", HASTY, "3 needs customers who wait", "set it to 0"),
    # orders ahead
    ("shares that miss some", f"{MARKET}.order_lead", [0.5, 0.4], "its shares sum to 0.9", "make them sum to 1"),
    ("no share", f"{MARKET}.order_lead", [], "[] has 0 entries", "at least 1"),
    ("a share above 1", f"{MARKET}.order_lead + [0]", [1.5, -0.5], "1.5 is out of range", "at most 1"),
    ("a share in words", f"{MARKET}.order_lead + [0]", ["most"], "'most' is not a number", "give a number"),
    ("a lead that is no list", f"{MARKET}.order_lead + [0]", {"a": 1}, "is not a number", "give a"),
    (
        "ahead of the forecast",
        f"{MARKET} + .forecast.horizon",
        {"order_lead": [0, 0, 1]},
        "1 does not reach",
        "give at least 3",
    ),
    ("cancelling nothing", f"{MARKET} + .cancellation", {"cancellation": 0.1}, "0.1 of nothing", "state order_lead"),
    ("cancelling all", f"{MARKET}.cancellation", 1, "1 is out of range", "at most 0.9"),
    ("nothing to count", f"{SHOP}.advance_position", 2, "no market that", "state its order_lead"),
    ("no spikes to count", f"{SHOP} + .spikes", {"spikes": SPIKES}, "no market that", "use basis: echelon"),
    ("a negative advance", f"{SHOP}.advance_position", -1, "-1 is out of range", "at least 0"),
    (
        "a push that counts",
        f"{PLANT} + .advance_position",
        {"mode": "push", "advance_position": 1},
        "1 is for",
        "leave",
    ),
    (
        "cards that count",
        f"{SHOP} + .advance_position",
        {"basis": "physical", "advance_position": 1},
        "1 is refused with basis physical",
        "leave it out",
    ),
    (
        "both",
        f"{SHOP} + .spikes",
        {"advance_position": 1, "spikes": SPIKES},
        "besides advance_position",
        "one of the two",
    ),
    ("spikes without horizon", f"{SHOP}.spikes + .horizon", {"threshold": 4}, "missing", "state it"),
    ("spikes of today", f"{SHOP}.spikes + .horizon", {"horizon": 0, "threshold": 4}, "0 is out of range", "at least 1"),
    ("spikes of nothing", f"{SHOP}.spikes + .threshold", {"horizon": 1, "threshold": 0}, "0 is out of", "above 0"),
    # feedback and returns
    ("goodwill without loss", f"{MARKET}.goodwill + .loss", {"gain": 0.1}, "missing", "state it"),
    ("goodwill without gain", f"{MARKET}.goodwill + .gain", {"loss": 0.1}, "missing", "state it"),
    ("goodwill that is lost twice", f"{MARKET}.goodwill + .loss", {"loss": 2, "gain": 0}, "2 is out", "at most 1"),
    ("a negative gain", f"{MARKET}.goodwill + .gain", {"loss": 0, "gain": -1}, "-1 is out of range", "at least 0"),
    ("a floor above all", f"{MARKET}.goodwill + .floor", {"loss": 0, "gain": 0, "floor": 3}, "3 is out", "at most 1"),
    ("goodwill as a number", f"{MARKET}.goodwill", 0.9, "0.9 is not a mapping", "such as loss"),
    (
        "goodwill of who ordered",
        f"{MARKET} + .goodwill",
        ORDERED_IN_ANGER,
        "would change orders",
        "leave out order_lead",
    ),
    ("promotion as a number", f"{MARKET}.promotion", 0.5, "0.5 is not a mapping", "such as cost"),
    ("promotion without its cost", f"{MARKET}.promotion + .cost", {"lift": 1}, "missing", "state it"),
    ("promotion without lift", f"{MARKET}.promotion + .lift", {"cost": 1}, "missing", "state it"),
    ("a promotion that pays", f"{MARKET}.promotion + .cost", {"cost": -1, "lift": 1}, "-1 is out of", "at least 0"),
    ("a lift that lowers", f"{MARKET}.promotion + .lift", {"cost": 1, "lift": -0.1}, "-0.1 is out of", "at least 0"),
    ("lift in percent", f"{MARKET}.promotion + .lift", {"cost": 1, "lift": 150}, "150 is out of", "at most 100"),
    (
        "more borrowed than lifted",
        f"{MARKET}.promotion + .borrow",
        {"cost": 1, "lift": 1, "borrow": 1.5},
        "1.5 is out of range",
        "at most 1",
    ),
    (
        "borrowed from this period",
        f"{MARKET}.promotion + .over",
        {"cost": 1, "lift": 1, "borrow": 1, "over": 0},
        "0 is out of range",
        "at least 1",
    ),
    (
        "borrowed over half a period",
        f"{MARKET}.promotion + .over",
        {"cost": 1, "lift": 1, "borrow": 1, "over": 1.5},
        "1.5 is not whole",
        "give a whole number",
    ),
    (
        "nothing borrowed over some periods",
        f"{MARKET}.promotion + .over",
        {"cost": 1, "lift": 1, "over": 3},
        "3 periods give nothing back",
        "state borrow, or leave it out",
    ),
    ("promotion misspelt", f"{MARKET}.promotion + .lifts", {"cost": 1, "lifts": 1}, "unknown key", "mean 'lift'"),
    ("promotion of who ordered", f"{MARKET} + .promotion", PROMOTED_AHEAD, "would change orders", "order_lead"),
    ("returns of nothing", f"{MARKET}.returns + .share", {"lag": 2}, "None with reasons None", "state one of the two"),
    ("returns told twice", f"{MARKET}.returns + .share", {"share": 0, "reasons": {}}, "0", "state one of the two"),
    ("more returns than sales", f"{MARKET}.returns + .share", {"share": 1.5}, "1.5 is out of range", "at most 1"),
    (
        "returns for fun",
        f"{MARKET}.returns + .reasons.fun",
        {"reasons": {"fun": 0.1}},
        "unknown",
        "valid: late, defect",
    ),
    (
        "more reasons than sales",
        f"{MARKET}.returns + .reasons",
        {"reasons": {"late": 0.6, "defect": 0.6}},
        "they sum to 1.2",
        "no more comes back",
    ),
    ("returns at once", f"{MARKET}.returns + .lag", {"share": 0.1, "lag": 0}, "0 is out of range", "at least 1"),
    ("resold twice", f"{MARKET}.returns + .resalable", {"share": 0.1, "resalable": 2}, "2 is out of", "at most 1"),
    ("returns that pay", f"{MARKET}.returns + .cost", {"share": 0.1, "cost": -1}, "-1 is out of", "at least 0"),
    ("owed without a market", "stages.plant.initial_owed", 3, "3 needs a market"),
    (
        "owed where sales are lost",
        "stages.shop + .initial_owed",
        LOSING,
        "3 needs a market that backorders",
        "set it to 0",
    ),
    # stock that spoils, does not fit or is left at the end
    ("more than all is obsolete", "stages.shop.obsolescence", 1.5, "1.5 is out of range", "at most 1"),
    ("a shelf life of nothing", "stages.shop.shelf_life", 0, "0 is out of range", "at least 1"),
    ("a shelf life of half a period", "stages.shop.shelf_life", 2.5, "2.5 is not whole", "whole number"),
    (
        "two ways to spoil",
        "stages.plant + .obsolescence",
        {"sources": [{}], "shelf_life": 3, "obsolescence": 0.1},
        "0.1 beside shelf_life 3",
        "state one",
    ),
    ("a cost of what never spoils", "stages.shop.obsolescence_cost", 2, "2 but nothing is", "state obsolescence"),
    ("negative cost of spoiling", "stages.shop.obsolescence_cost", -2, "-2 is out of range", "at least 0"),
    ("less than no store", "stages.shop.storage_capacity", -1, "-1 is out of range", "at least 0"),
    ("overflow without a store", "stages.shop.overflow", "scrap", "'scrap' but no storage_capacity", "state it"),
    ("a cost of overflow without a store", "stages.shop.overflow_cost", 2, "2 but no storage", "leave overflow_cost"),
    (
        "unknown overflow",
        "stages.plant + .overflow",
        {"sources": [{}], "storage_capacity": 4, "overflow": "blok"},
        "'blok' is unknown",
        "did you mean 'block'?",
    ),
    (
        "more stock than a store lets in",
        "stages.plant + .initial_on_hand",
        FULL,
        "5 is above storage_capacity 4",
        "less",
    ),
    ("salvage without an end", "stages.shop.salvage_value", 2, "2 needs an end", "horizon_is_real: true"),
    ("salvage in words", "stages.shop.salvage_value", "half", "'half' is not a number", "give a number"),
    # late information
    ("a network that reports early", "information_delay", -1, "-1 is out of range", "at least 0"),
    ("half a period late", "information_delay", 0.5, "0.5 is not whole", "whole number"),
    ("a stage that reports early", "stages.shop.information_delay", -2, "-2 is out of range", "at least 0"),
    ("a stage that reports at its leisure", "stages.shop.information_delay", "late", "'late' is not a number", "whole"),
    # integer units
    ("half an input", f"{SHOP}.inputs.plant", 1.5, "1.5 is not whole", "units: real"),
    ("half a unit due", f"{PLANT}.initial_pipeline + [0]", [0.5], "0.5 is not", "units: real"),
    ("half a lot", f"{SHOP}.lot + .Q", {"rule": "r_nQ", "Q": 2.5}, "2.5 is not whole", "units: real"),
    ("half a unit on hand", "stages.shop.initial_on_hand", 0.5, "0.5", "real"),
    ("half a unit owed", "stages.shop.initial_owed", 0.5, "0.5 is not", "units: real"),
    ("less than a unit of capacity", f"{PLANT}.capacity", 0.5, "0.5 is less", "at least 1"),
    ("orders of less than a unit", f"{SHOP}.max_order", 0.5, "0.5 is less", "at least 1"),
]


def test_the_example_is_good():
    Network.from_dict(NETWORK)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    by_name([(name, place, value, words) for name, place, value, *words in NETWORKS]),
)
def test_network_is_refused(place, value, words):
    with pytest.raises(InputError) as caught:
        Network.from_dict(broken(NETWORK, place, value))
    assert_told(caught.value, f"network.{field_of(place)}".rstrip("."), words)


# --- markets that move together: Network.from_dict -------------------------------------------------------------------

# Two shops that share the demand of a family, and one that stands alone.
TOGETHER = {
    "decoupling_point": "market",
    "families": {"cola": {"markets": {"can": 0.5, "crate": 0.5}, "demand": {"kind": "poisson", "mean": 5}}},
    "demand_correlation": 0.5,
    "stages": {
        "can": {"sources": [{}], "market": {}},
        "crate": {"sources": [{}], "market": {}},
        "juice": {"sources": [{}], "market": {"demand": {"kind": "poisson", "mean": 5}}},
        "syrup": {"sources": [{}]},
    },
}
COLA, RHO = "families.cola", "demand_correlation"
TWO, THREE = [[1, 0.5], [0.5, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
OWN = {"kind": "poisson", "mean": 2}
TWICE = {name: {"markets": ["can", other], "demand": OWN} for name, other in (("a", "crate"), ("b", "juice"))}

MARKETS = [
    # (what is broken, place, value, words...)
    ("a family that is a list", COLA, ["can"], "['can'] is not a mapping", "give keys such as markets"),
    ("a family without demand", f"{COLA}.demand", GONE, "missing", "state it"),
    ("a family of one", f"{COLA}.markets", ["can"], "['can'] is no family", "at least two"),
    ("a family that names one twice", f"{COLA}.markets", ["can", "can"], "['can', 'can'] names", "each once"),
    ("shares above 1", f"{COLA}.markets", {"can": 0.75, "crate": 0.75}, "sum to 1.5", "make them sum to 1"),
    ("a share of 0", f"{COLA}.markets + .can", {"can": 0, "crate": 1}, "0 is out of range", "above 0"),
    ("a variant that is no stage", f"{COLA}.markets + .cn", ["cn", "crate"], "'cn' is no stage", "mean 'can'?"),
    ("a variant without a market", f"{COLA}.markets + .syrup", ["syrup", "can"], "'syrup' is no", "valid: can"),
    ("a market of two families", "families + .b.markets.can", TWICE, "'can' is of family 'a' already", "leave it out"),
    ("a variant with its own demand", "stages.can.market.demand", OWN, "takes its part", "leave its own demand out"),
    ("a spread of 1", f"{COLA}.spread", 1, "1 is out of range", "at most 0.999"),
    ("a negative drift", f"{COLA}.share_drift", -0.1, "-0.1 is out of range", "at least 0"),
    ("mmfe of a variant", "stages.can.market.forecast + .kind", {"kind": "mmfe"}, "'can' takes its part", "noisy"),
    ("a correlation above 1", RHO, 1.5, "1.5 is out of range", "at most 1"),
    ("a correlation of 1", RHO, 1, "1 is not positive definite", "nearer to 0"),
    ("a correlation in words", RHO, "high", "'high' is not a number", "give a number"),
    ("a row for every stage", RHO, THREE, "not 2 rows of 2", "one for each market or family"),
    ("a matrix with a short row", RHO, [[1, 0], [0]], "not 2 rows of 2", "one for each"),
    ("a matrix that is not symmetric", RHO, [[1, 0.5], [0.4, 1]], "not symmetric", "mend it"),
    ("variances in the matrix", RHO, [[4, 1], [1, 4]], "4 is out of range", "at most 1"),
    ("0 in the diagonal", RHO, [[0, 0.5], [0.5, 0]], "a diagonal of 1", "mend it"),
    ("a matrix of no world", RHO, [[1, -1], [-1, 1]], "not positive definite (least eigenvalue", "nearer to 0"),
]


def test_the_example_of_markets_is_good():
    for correlation in 0.5, -0.9, TWO, None:
        Network.from_dict(broken(TOGETHER, RHO, correlation))


@pytest.mark.parametrize(
    ("place", "value", "words"),
    by_name([(name, place, value, words) for name, place, value, *words in MARKETS]),
)
def test_markets_are_refused(place, value, words):
    with pytest.raises(InputError) as caught:
        Network.from_dict(broken(TOGETHER, place, value))
    assert caught.value.field.startswith(f"network.{field_of(place)}")
    assert_told(caught.value, caught.value.field, words)


def test_a_correlation_needs_two_demands_that_are_drawn():
    known = broken(TOGETHER, "families.cola.demand", {"kind": "deterministic", "values": 3})
    with pytest.raises(InputError) as caught:
        Network.from_dict(known)
    assert_told(caught.value, "network.demand_correlation", ("0.5 lies between demands that are drawn", "leave it out"))
    with pytest.raises(InputError) as caught:
        Network.from_dict(broken(known, RHO, TWO))
    assert_told(caught.value, "network.demand_correlation", ("stated or replayed has no part", "put 0 there"))


# --- a race: Network.from_dict ---------------------------------------------------------------------------------------

RACING = {
    "decoupling_point": "market",
    "race": {"markets": {"shop": 0.8}, "sources": {"plant": 1}},
    "stages": {
        "plant": {"sources": [{"lead_time": 0, "capacity": 1}]},
        "shop": {"sources": [{"inputs": {"plant": 1}}], "market": {}},
        "web": {"sources": [{"inputs": {"plant": 1}}], "market": {"demand": {"kind": "poisson", "mean": 5}}},
    },
}
FIELD = "race.markets.shop"

RACES = [
    # (what is broken, place, value, words...)
    ("a race of sources that says nothing of markets", "race.markets", GONE, "missing", "state it"),
    ("a race of one", "race -> race.markets", {"markets": {"shop": 1}, "sources": {}}, "fewer than two", "give rates"),
    ("a rate of 0", FIELD, 0, "0 is out of range", "above 0"),
    ("a rate in words", FIELD, "fast", "'fast' is not a number", "give a number"),
    (
        "a market that is none",
        "race.markets + .plant",
        {"plant": 1},
        "'plant' is no stage with a market",
        "valid: shop",
    ),
    ("a source that is none", "race.sources + .plan", {"plan": 1}, "'plan' is no source", "did you mean 'plant'?"),
    ("a market with demand of its own", "race.markets -> stages.web.market.demand", {"web": 1}, "wins", "leave it out"),
    (
        "mmfe of a race",
        "stages.shop.market.forecast -> stages.shop.market.forecast.kind",
        {"kind": "mmfe"},
        "'mmfe' reveals who wins",
        "use kind: true_mean",
    ),
    (
        "a racing source with a disruption",
        "stages.plant.sources.0.disruption -> race.sources.plant",
        {"affects": "start"},
        "its disruption says too",
        "leave out one",
    ),
    (
        "a racing source with a share of its capacity",
        "stages.plant.sources.0.capacity_share -> race.sources.plant",
        0.5,
        "its capacity_share says too",
        "leave out one",
    ),
    ("a correlation beside it", "demand_correlation", 0.5, "says already how its markets go together", "leave out"),
]


def test_the_example_of_a_race_is_good():
    Network.from_dict(RACING)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    by_name([(name, place, value, words) for name, place, value, *words in RACES]),
)
def test_races_are_refused(place, value, words):
    with pytest.raises(InputError) as caught:
        Network.from_dict(broken(RACING, place, value))
    assert_told(caught.value, f"network.{field_of(place)}", words)


# --- resources: Network.from_dict ------------------------------------------------------------------------------------

# Two products on one line, in integer units.
SHARING = {
    "decoupling_point": "market",
    "resources": {"line": {"capacity": 10, "changeover_cost": 5, "changeover_loss": 2}},
    "stages": {
        "cola": {"sources": [{"resource": "line", "resource_use": 2}], "market": {}},
        "soda": {"sources": [{"resource": "line"}], "market": {}},
    },
}
COLAS, LINE = "stages.cola.sources.0", "resources.line"

RESOURCES = [
    # (what is broken, place, value, words...)
    ("a resource that is a number", LINE, 10, "10 is not a mapping", "give keys such as capacity"),
    ("a resource without capacity", f"{LINE}.capacity", GONE, "missing", "state it"),
    ("a resource of no capacity", f"{LINE}.capacity", 0, "0 is out of range", "above 0"),
    ("a resource without end", f"{LINE}.capacity", math.inf, "inf is not finite", "give a number"),
    ("half a unit of capacity", f"{LINE}.capacity", 10.5, "10.5 is not whole", "units: real"),
    ("a negative cost", f"{LINE}.changeover_cost", -1, "-1 is out of range", "at least 0"),
    ("a changeover that takes all", f"{LINE}.changeover_loss", 10, "10 leaves nothing of capacity 10", "give less"),
    ("half a unit lost", f"{LINE}.changeover_loss", 1.5, "1.5 is not whole", "units: real"),
    ("an unknown key of a resource", f"{LINE}.changeover", 1, "unknown key", "did you mean 'changeover_"),
    ("a resource nobody uses", "resources.oven", {"capacity": 4}, "no source runs on it", "remove it"),
    ("an unknown resource", f"{COLAS}.resource", "lin", "'lin' is no resource", "did you mean 'line'?"),
    ("no resources at all", f"resources -> {COLAS}.resource", GONE, "'line' is no resource", "state resources"),
    ("a use of nothing", f"{COLAS} + .resource_use", {"resource_use": 2}, "2 of nothing", "state a resource"),
    ("a use of 0", f"{COLAS}.resource_use", 0, "0 is out of range", "above 0"),
    ("half a unit used", f"{COLAS}.resource_use", 1.5, "1.5 is not whole", "units: real"),
    ("more than a changeover leaves", f"{COLAS}.resource_use", 9, "9 is more than the 8", "give less"),
]


@pytest.mark.parametrize(
    ("place", "value", "words"),
    by_name([(name, place, value, words) for name, place, value, *words in RESOURCES]),
)
def test_resources_are_refused(place, value, words):
    Network.from_dict(SHARING)
    with pytest.raises(InputError) as caught:
        Network.from_dict(broken(SHARING, place, value))
    assert_told(caught.value, re.sub(r"\.(\d+)", r"[\1]", f"network.{field_of(place)}"), words)


# --- another decoupling point: Network.with_decoupling_point ---------------------------------------------------------

POINTS = [
    # (what is broken, point, words...)
    ("no stage", "plan", "'plan' names no stage", "did you mean 'plant' or"),
    ("one of several is no stage", ["plant", "shp"], "'shp' names no stage", "did you mean 'shop'?"),
    ("a number", 3, "'3' names no stage", "valid: plant, shop, supply, market"),
    ("a truth", True, "True is not a name", "give a non-empty text"),
]


@pytest.mark.parametrize(("point", "words"), by_name([(name, point, words) for name, point, *words in POINTS]))
def test_decoupling_point_is_refused(point, words):
    with pytest.raises(InputError) as caught:
        Network.from_dict(NETWORK).with_decoupling_point(point)
    assert caught.value.field.startswith("decoupling_point")
    assert_told(caught.value, caught.value.field, words)


@pytest.mark.parametrize(("key", "value"), [("order_delay", 2), ("shortfall", "drop"), ("shortfall", "carry")])
def test_learned_is_refused_where_a_source_cannot_be_mixed(key, value):
    network = Network.from_dict(broken(NETWORK, f"{PLANT}.{key}", value))
    with pytest.raises(InputError) as caught:
        network.with_decoupling_point("learned")
    words = (f"{value!r} is refused on a mixed source", "leave it out")
    assert_told(caught.value, f"stages.plant.sources[0].{key}", words)


def test_a_point_is_refused_that_makes_a_dropping_source_pull():
    network = Network.from_dict(broken(NETWORK, f"{PLANT}.shortfall", "drop"))
    with pytest.raises(InputError) as caught:
        network.with_decoupling_point("supply")
    assert_told(caught.value, "stages.plant.sources[0].shortfall", ("'drop' is refused on a pull source", "leave"))


# --- network files: Network.from_yaml --------------------------------------------------------------------------------

FILES = [
    # (what is broken, bytes of the file or None for no file, words...)
    ("missing file", None, "no file", "give the path of a network file"),
    ("not YAML", b"stages: {plant: [", "is not YAML", "line 1", "mend the file"),
    ("a tab", b"stages:\n\tplant: 1\n", "is not YAML", "line 2", "mend the file"),
    ("a stage twice", b"stages:\n  shop: {}\n  shop: {}\n", "'shop' stands twice", "line 3", "mend the file"),
    ("a Python object", b"stages: !!python/object:os.system {}", "is not YAML", "mend the file"),
    ("not text", b"\xff\xfe\x00\x01", "is not text", "save it as UTF-8"),
]


@pytest.mark.parametrize(("content", "words"), by_name([(name, content, words) for name, content, *words in FILES]))
def test_file_is_refused(content, words, tmp_path):
    path = tmp_path / "chain.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        Network.from_yaml(path)
    assert_told(caught.value, "network", (*words, "chain.yaml"))


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError) as caught:
        Network.from_yaml(tmp_path)
    assert_told(caught.value, "network", ("cannot be read", "give the path of a network file"))


@pytest.mark.parametrize(("content", "words"), [(b"", "None is not a mapping"), (b"plant", "'plant' is not a mapping")])
def test_a_file_without_keys_is_refused(content, words, tmp_path):
    path = tmp_path / "chain.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        Network.from_yaml(path)
    assert_told(caught.value, str(path), (words, "give keys such as stages"))


# --- recorded trajectories: replay -----------------------------------------------------------------------------------

# Two periods: a push quantity for the plant, a threshold for the shop.
RECORD = {
    "network": Network.from_dict(NETWORK),
    "actions": [[1, 2], [3, 4]],
    "demand": [{"shop": 5}, {"shop": 6}],
    "available": [[1, 0], [0.5, 1]],
}

REPLAYS = [
    # (what is broken, place, value, words...)
    ("a mapping for a network", "network", NETWORK, "a dict is not a Network", "from_dict"),
    ("unknown backend", "backend", "nunpy", "'nunpy' is unknown", "did you mean 'numpy'?"),
    # actions
    ("no actions", "actions", None, "None is not a list of periods", "give one row per period"),
    ("an action for all periods", "actions", 7, "7 is not a list of periods", "give one row per period"),
    ("a number for a row", "actions.1", 7, "7 is not one entry per source", "['plant', 'shop']"),
    ("a mapping for a row", "actions.1", {"plant": 7}, "is not one entry per source", "['plant', 'shop']"),
    ("a source too few", "actions.1", [7], "[7] is not one entry per source", "['plant', 'shop']"),
    ("a source too many", "actions + [0]", np.ones((2, 3)), "is not one entry per source", "['plant', 'shop']"),
    ("two numbers for a push", "actions.0.0", [1, 2], "[1, 2] has 2 numbers", "'plant' takes"),
    ("no number for a pull", "actions.0.1", [], "[] has 0 numbers", "'shop' takes ['threshold']"),
    ("NaN quantity", "actions.0.0 + .quantity", math.nan, "nan is not finite", "give a number"),
    ("infinite quantity", "actions.0.0 + .quantity", math.inf, "inf is not finite", "give a number"),
    ("quantity minus infinity", "actions.0.0 + .quantity", -math.inf, "-inf is not finite", "give a"),
    ("NaN threshold", "actions.0.1 + .threshold", math.nan, "nan is not finite", "give a number"),
    ("infinite threshold", "actions.0.1 + .threshold", math.inf, "inf orders without end", "-inf for never"),
    ("more units than can be counted", "actions.0.1 + .threshold", 1e300, "1e+300 is out", "1e+15"),
    ("text for a quantity", "actions.0.0 + .quantity", "5", "'5' is not a number", "without quotes"),
    ("truth for a quantity", "actions.0.0 + .quantity", True, "True is not a number", "give a number"),
    ("nothing for a threshold", "actions.0.1 + .threshold", None, "None is not a number", "give a number"),
    # demand
    ("no demand", "demand", None, "None is not a list of periods", "give one row per period"),
    ("demand by stage, not by period", "demand", {"shop": [5, 6]}, "is not a list", "one row per period"),
    ("demand for fewer periods", "demand", [{"shop": 5}], "1 periods for 2 periods", "give as many"),
    ("demand without its stage", "demand.1", 5, "5 is not a mapping", "give {stage: units}"),
    ("demand for no market", "demand.1", {"plant": 5}, "'plant' has no market", "valid: shop"),
    ("demand for no stage", "demand.1", {"shp": 5}, "'shp' has no market", "did you mean 'shop'?"),
    ("negative demand", "demand.1.shop", -1, "-1 is out of range", "at least 0"),
    ("fractional demand in integer units", "demand.1.shop", 1.5, "1.5 is not whole", "give a whole"),
    ("missing demand", "demand.1.shop", math.nan, "nan is not finite", "give a whole number"),
    ("empty demand", "demand.1.shop", None, "None is not a number", "give a whole number"),
    # availability
    ("one availability for all", "available", 1, "1 is not a list of periods", "give one row per period"),
    ("availability for fewer periods", "available", [[1, 1]], "1 periods for 2 periods", "give as many"),
    ("availability of fewer sources", "available.1", [1], "[1] is not one entry per source", "'shop'"),
    ("more than available", "available.1.0", 1.2, "1.2 is out of range", "at most 1"),
    ("less than not available", "available.1.0", -1, "-1 is out of range", "at least 0"),
    ("NaN availability", "available.1.0", math.nan, "nan is not finite", "at most 1"),
]


def test_the_record_is_good():
    replay(**RECORD)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    by_name([(name, place, value, words) for name, place, value, *words in REPLAYS]),
)
def test_record_is_refused(place, value, words):
    with pytest.raises(InputError) as caught:
        replay(**broken(RECORD, place, value))
    assert_told(caught.value, field_of(place), words)


def test_a_smoothed_source_needs_a_declared_demand():
    network = Network.from_dict(
        {"decoupling_point": "supply", "stages": {"shop": {"sources": [{"lot": {"rule": "smoothed"}}], "market": {}}}}
    )
    with pytest.raises(InputError) as caught:
        replay(network, [[1]], [{"shop": 1}])
    assert_told(caught.value, "network.stages.shop.market.demand", ("missing", "smoothed", "state it"))


# --- exact optima: solve ---------------------------------------------------------------------------------------------

# One shop with backorders and two stages in a row, which are solved as they are.
ONE_SHOP: dict[str, Any] = {
    "decoupling_point": "supply",
    "stages": {
        "shop": {
            "holding_cost": 1,
            "sources": [{"lead_time": 2}],
            "market": {"demand": {"kind": "poisson", "mean": 5}, "backorder_cost": 9},
        }
    },
}
A_LINE: dict[str, Any] = {
    "decoupling_point": "supply",
    "stages": {
        "plant": {"holding_cost": 1, "sources": [{"lead_time": 2}]},
        "shop": {
            "holding_cost": 2,
            "sources": [{"inputs": {"plant": 1}}],
            "market": {"demand": {"kind": "poisson", "mean": 5}, "backorder_cost": 9},
        },
    },
}
A_QUEUE = make_board("push_pull_tandem").to_dict()
OF_SHOP, OWN = "stages.shop.sources.0", "stages.shop.market"
LOST = {f"{OWN}.stockout": "lost", "decoupling_point": "market"}
FAST = [{"lead_time": 0, "unit_cost": 9}, {"lead_time": 2, "unit_cost": 5}]
CAPPED = {"inputs": {"plant": 1}, "capacity": 6}

SOLVED = [
    # (what is broken, good example, changes by place, field of the error, words...)
    # features and networks that no class knows
    ("a yield", ONE_SHOP, {f"{OF_SHOP}.yield": 0.9}, "stages.shop.sources[0].yield", "beyond", "leave it out"),
    ("a review period", ONE_SHOP, {f"{OF_SHOP}.review_period": 5}, "stages.shop.sources[0].review_period", "5"),
    ("stock that spoils", ONE_SHOP, {"stages.shop.shelf_life": 3}, "stages.shop.shelf_life", "3 is beyond"),
    ("patience", ONE_SHOP, {f"{OWN}.patience": 3}, "stages.shop.market.patience", "3 is beyond"),
    ("an end of the world", ONE_SHOP, {"horizon_is_real": True}, "horizon_is_real", "True is beyond"),
    ("a discount", ONE_SHOP, {"discount": 0.9}, "discount", "0.9 is beyond"),
    ("late news", ONE_SHOP, {"information_delay": 1}, "information_delay", "1 is beyond"),
    ("a mixed source", ONE_SHOP, {f"{OF_SHOP}.mode": "mixed"}, "stages.shop.sources[0].mode", "is mixed", "decouple"),
    (
        "a random lead time", ONE_SHOP, {f"{OF_SHOP}.lead_time": {"values": [1, 2]}},
        "stages.shop.sources[0].lead_time", "is random", "give a whole number",
    ),
    ("no demand", ONE_SHOP, {f"{OWN}.demand": None}, "stages.shop.market.demand", "is missing", "a law"),
    (
        "demand that is known", ONE_SHOP, {f"{OWN}.demand": {"kind": "deterministic", "values": 5}},
        "stages.shop.market.demand", "of kind deterministic",
    ),
    ("a trend", ONE_SHOP, {f"{OWN}.demand.trend": 0.1}, "stages.shop.market.demand.trend", "0.1 is beyond"),
    ("a season of one shop", ONE_SHOP, {f"{OWN}.demand.season": [1, 2]}, "stages.shop.market.demand.season", "beyond"),
    ("a capacity of one shop", ONE_SHOP, {f"{OF_SHOP}.capacity": 9}, "stages.shop.sources[0].capacity", "9 is beyond"),
    # one stage
    ("free stock", ONE_SHOP, {"stages.shop.holding_cost": 0}, "stages.shop.holding_cost", "no stock is too large"),
    ("free waiting", ONE_SHOP, {f"{OWN}.backorder_cost": 0}, "stages.shop.market.backorder_cost", "no wait is too"),
    ("some who wait", ONE_SHOP, {f"{OWN}.stockout": {"partial": 0.5}}, "stages.shop.market.stockout", "may be lost"),
    ("lost after demand", ONE_SHOP, {f"{OWN}.stockout": "lost"}, "sequence", "'shop' pulls after demand", "or push"),
    (
        "a price of what may be lost", ONE_SHOP,
        {**LOST, f"{OWN}.price": 3},
        "stages.shop.market.price", "3 of sales", "add it to lost_sale_cost",
    ),
    (
        "lost sales of litres", ONE_SHOP,
        {"units": "real", **LOST, f"{OWN}.demand": {"kind": "gamma", "mean": 5, "sd": 2}},
        "units", "parts of units", "use units: integer",
    ),
    (
        "lost sales far away", ONE_SHOP,
        {**LOST, f"{OWN}.lost_sale_cost": 9, f"{OF_SHOP}.lead_time": 12},
        "lead_time", "12 with up to", "give a shorter lead time",
    ),
    (
        "a capacity that lead time 0 meets", ONE_SHOP,
        {**LOST, OF_SHOP: {"lead_time": 0, "capacity": 6}},
        "stages.shop.sources[0].capacity", "6 cuts orders",
    ),
    (
        "a fixed cost that a rule cannot spare", ONE_SHOP, {f"{OF_SHOP}.fixed_cost": 9}, "stages.shop.sources[0].lot",
        "orders every period", "rule: s_S",
    ),
    (
        "a smoothed rule", ONE_SHOP, {f"{OF_SHOP}.lot": {"rule": "smoothed"}}, "stages.shop.sources[0].lot.rule",
        "'smoothed' is not solved",
    ),
    (
        "one lot at most", ONE_SHOP, {f"{OF_SHOP}.lot": {"rule": "r_nQ", "Q": 4, "at_most_one": True}},
        "stages.shop.sources[0].lot.at_most_one", "leave it out",
    ),
    (
        "a fast source that is cheap", ONE_SHOP,
        {"decoupling_point": "market", "stages.shop.sources": [{"lead_time": 0}, {"lead_time": 2, "unit_cost": 5}]},
        "stages.shop.sources", "lead times 0 and 2 at costs 0 and 5", "make the faster one dearer",
    ),
    (
        "a fast source beyond price", ONE_SHOP,
        {"decoupling_point": "market", "stages.shop.sources": [{"lead_time": 0, "unit_cost": 18}, {"lead_time": 2}]},
        "stages.shop.sources", "at costs 18 and 0", "by less than the 18",
    ),
    (
        "a fast source with a capacity", ONE_SHOP,
        {"decoupling_point": "market", "stages.shop.sources": [{**FAST[0], "capacity": 3}, FAST[1]]},
        "stages.shop.sources[0].capacity", "of the faster source",
    ),
    # stages in a row
    ("two users", A_LINE, {"stages.other": {"sources": [{"inputs": {"plant": 1}}]}}, "stages.plant", "2 users"),
    ("a stage aside", A_LINE, {"stages.other": {"sources": [{}]}}, "stages.other", "supplies no market"),
    ("two units for one", A_LINE, {f"{OF_SHOP}.inputs.plant": 2}, "stages.shop.sources[0].inputs", "2 units for one"),
    (
        "dear stock upstream", A_LINE, {"stages.plant.holding_cost": 3}, "stages.shop.holding_cost",
        "2 is below that of its supplier, 3",
    ),
    (
        "pull for push", A_LINE, {"stages.plant.sources.0.mode": "pull", f"{OF_SHOP}.mode": "push"},
        "stages.plant.sources[0].mode", "pull, for a stage that pushes",
    ),
    ("cards", A_LINE, {f"{OF_SHOP}.basis": "physical"}, "stages.shop.sources[0].basis", "blind to orders"),
    (
        "orders that travel to echelons", A_LINE, {f"{OF_SHOP}.order_delay": 1, f"{OF_SHOP}.basis": "echelon"},
        "stages.shop.sources[0].order_delay", "basis installation",
    ),
    # a line with capacities
    (
        "a line that sees demand at both stages", A_LINE, {OF_SHOP: CAPPED}, "stages.plant.sources[0].mode",
        "pull after demand", "use push",
    ),
    (
        "cards behind a buffer", A_LINE,
        {OF_SHOP: {**CAPPED, "basis": "physical"}, "stages.plant.sources.0.lead_time": 1, "decoupling_point": "plant"},
        "stages.shop.sources[0].basis", "blind to orders",
    ),
    (
        "a long lead time with a capacity", A_LINE, {OF_SHOP: CAPPED, "decoupling_point": "market"},
        "stages.plant.sources[0].lead_time", "2 with a capacity", "give 1",
    ),
    (
        "a capacity that does not suffice", A_LINE,
        {OF_SHOP: {**CAPPED, "capacity": 5}, "stages.plant.sources.0.lead_time": 1, "decoupling_point": "market"},
        "stages.shop.sources[0].capacity", "5 does not exceed mean demand 5", "give more",
    ),
    (
        "releases before receipts with a capacity", A_LINE,
        {OF_SHOP: CAPPED, "decoupling_point": "market", "sequence": ["push", "receive", "demand", "pull", "ship"]},
        "sequence", "releases before receipts",
    ),
    # queues
    ("a queue that pulls", A_QUEUE, {"decoupling_point": "supply"}, "stages.finished.sources[0].mode", "use push"),
    (
        "a machine of two", A_QUEUE, {"stages.buffer.sources.0.capacity": 2}, "stages.buffer.sources[0].lead_time",
        "capacity 2 in a race", "give 0 and 1",
    ),
    ("a queue without end", A_QUEUE, {"race.markets.finished": 1}, "race.markets", "1 is not below the rates"),
    (
        "a machine that does not race", A_QUEUE, {"race.sources.buffer": GONE}, "race.sources", "'buffer' is not in it",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("good", "changes", "field", "words"), by_name([(n, g, c, f, w) for n, g, c, f, *w in SOLVED]))
def test_what_is_not_solved_is_named(good, changes, field, words):
    for place, value in changes.items():
        good = broken(good, place, value)
    with pytest.raises(InputError) as caught:
        solve(Network.from_dict(good))
    assert_told(caught.value, field, [*words, "solvable are lost sales, dual sourcing"])


def test_the_examples_that_are_solved_are_good():
    for good in ONE_SHOP, A_LINE, A_QUEUE:
        assert solve(Network.from_dict(good)).cost > 0
