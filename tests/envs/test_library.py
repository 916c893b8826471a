"""A network by name, by path, by mapping, or as it is; and an error that helps when it is none of these."""

from pathlib import Path

import pytest
import yaml

from pushpull.envs.boards import BOARDS, lost_sales
from pushpull.envs.checks import InputError
from pushpull.envs.library import load_network, network_names

FOLDER = Path(__file__).parents[2] / "configs" / "network"
MAPPING = {
    "name": "kiosk",
    "decoupling_point": "supply",
    "stages": {
        "kiosk": {
            "sources": [{"lead_time": 2}],
            "market": {"demand": {"kind": "trace", "file": "sales.csv", "column": "cones"}},
        }
    },
}


def test_names_are_those_of_the_files_in_order():
    assert network_names() == tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
    assert "electronics" in network_names()


def test_a_board_by_name_or_with_parameters():
    assert load_network("lost_sales") == lost_sales()
    assert load_network({"board": "lost_sales", "penalty": 9}) == lost_sales(penalty=9)


def test_name_path_mapping_and_network_give_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a name is looked up in the package, wherever one stands
    network = load_network("electronics")
    assert network.name == "electronics"
    assert load_network(FOLDER / "electronics.yaml") == network
    assert load_network(str(FOLDER / "electronics.yaml")) == network
    assert load_network(network.to_dict()) == network
    assert load_network(network) is network


@pytest.mark.parametrize("suffix", [".yaml", ".yml"])
def test_file_of_a_user_finds_the_trace_beside_it(tmp_path, suffix):
    (tmp_path / "sales.csv").write_text("day,cones\n1,5\n2,7\n")
    path = tmp_path / f"kiosk{suffix}"
    path.write_text(yaml.safe_dump(MAPPING))
    network = load_network(path)
    assert network.name == "kiosk"
    assert network.to_dict()["stages"]["kiosk"]["market"]["demand"]["file"] == str((tmp_path / "sales.csv").resolve())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("posponement", "'posponement' is not in the library; did you mean 'postponement'?"),  # a slip of the pen
        ("electronics.yml", "no file 'electronics.yml'"),  # a file name is a path, even where the name is known
        ("configs/network/retail", "is not in the library"),  # a path without its ending
        ("../network/retail", "is not in the library"),  # a name does not climb out of the folder
        ("", "is not in the library"),
        ("none/such.yaml", "no file 'none/such.yaml'"),
        (None, "names no network; give a name, a path, a mapping or a Network"),
        (4, "names no network"),
        ({"stages": {}}, "network.stages: empty"),
        ({}, "network.stages: missing"),
    ],
)
def test_what_is_no_network_is_refused_with_a_way_out(given, words):
    with pytest.raises(InputError) as caught:
        load_network(given)
    assert words in str(caught.value)
    assert caught.value.field.startswith("network")


def test_unknown_name_lists_the_valid_ones():
    with pytest.raises(InputError) as caught:
        load_network("xyzzy")
    assert all(name in str(caught.value) for name in (*network_names(), *BOARDS))
