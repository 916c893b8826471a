"""export and import: a network goes out as tables and comes back, as a user would do it in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pushpull.envs import load_network, network_names, simulate
from pushpull.envs.network import Network
from pushpull.envs.rules import Rules
from pushpull.envs.tables import LAYOUTS, columns_of

from .conftest import read_table


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, the one that commands run in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", network_names())
def test_a_network_comes_back_from_a_folder(pushpull, here, name):
    out = pushpull("export", f"network={name}", "to=tables")
    assert (out.code, out.err) == (0, "")
    assert all(file in out.out for file in names(here / "tables"))
    back = pushpull("import", "from=tables", "to=mine.yaml")
    assert (back.code, back.err) == (0, "")
    assert f"{len(load_network(name).stages)} stages" in back.out
    assert load_network("mine.yaml") == load_network(name)
    assert names(here) == ["mine.yaml", "tables"]


def test_a_changed_number_is_in_the_network(pushpull, here):
    assert (
        pushpull("export", "network=electronics", "network.stages.board.sources.0.capacity=91", "to=a/b/tables").code
        == 0
    )
    assert pushpull("import", "from=a/b/tables", "to=c/mine.yml").code == 0
    assert load_network("c/mine.yml").stages["board"].sources[0].capacity == 91


def test_own_demand_is_written_beside_the_network_and_replayed(pushpull, here):
    """A shop that knows nothing of this program: four small files, whose numbers come out of the simulation."""
    (here / "erp").mkdir()
    (here / "erp/items.csv").write_text("item;location;initial_on_hand;holding_cost\nbread;Ulm;100;0,5\n")
    (here / "erp/sources.csv").write_text("item;location;lead_time;mode\nbread;Ulm;1;pull\n")
    (here / "erp/markets.csv").write_text("item;location;price;stockout\nbread;Ulm;2;lost\n")
    sold = {"01.03.2024": 5, "02.03.2024": 7, "04.03.2024": 4}
    rows = "".join(f"bread;Ulm;{day};{units}\n" for day, units in sold.items())
    (here / "erp/demand.csv").write_text(f"item;location;date;quantity\n{rows}")
    (here / "erp/network.csv").write_text("setting;value\nhorizon;4\n")
    refused = pushpull("import", "from=erp", "to=shop.yaml")
    assert refused.code == 2 and "no row follows for 'bread@Ulm' on 2024-03-03" in refused.err
    assert names(here) == ["erp"]
    made = pushpull("import", "from=erp", "to=shop.yaml", "gaps=zero")
    assert (made.code, made.err) == (0, "")
    assert "1 series of demand over 4 dates" in made.out
    assert names(here) == ["erp", "shop-demand.csv", "shop.yaml"]
    network = load_network("shop.yaml")
    table = simulate(network, Rules(network, {}), episodes=1, seed=0)
    assert table["revenue"].item() == pytest.approx(2 * (5 + 7 + 0 + 4) / 4)


def test_a_history_shorter_than_an_episode_is_told(pushpull, here):
    assert pushpull("export", "network=chain4", "to=tables").code == 0
    (shop,) = [load_network("chain4").stage_names[i] for i in load_network("chain4").markets]
    (here / "tables/markets.csv").write_text(f"item\n{shop}\n")
    (here / "tables/demand.csv").write_text("item,date,quantity\n" + "".join(f"{shop},{k},5\n" for k in range(7)))
    answer = pushpull("import", "from=tables", "to=short.yaml")
    assert answer.code == 0, answer.err
    assert f"Histories last 7 periods and an episode {load_network('chain4').horizon}: lower" in answer.out
    (here / "tables/network.csv").write_text("setting,value\nhorizon,7\ndecoupling_point,supply\n")
    answer = pushpull("import", "from=tables", "to=right.yaml")
    assert answer.code == 0 and "Histories last" not in answer.out


def test_demand_is_that_of_a_file_beside_the_tables(pushpull, here):
    market = {"demand": {"kind": "trace", "file": "own.csv", "column": "x"}}
    (here / "own.csv").write_text("month,x\n2024-01,3\n2024-02,4\n")
    (here / "net.yaml").write_text(
        yaml.safe_dump(
            {"horizon": 2, "decoupling_point": "supply", "stages": {"a": {"sources": [{}], "market": market}}}
        )
    )
    assert pushpull("export", "network=net.yaml", "to=tables").code == 0
    assert (here / "tables/demand.csv").read_text() == "item,date,quantity\na,2024-01,3\na,2024-02,4\n"
    (here / "own.csv").unlink()
    assert pushpull("import", "from=tables", "to=elsewhere.yaml").code == 0
    assert (here / "elsewhere-demand.csv").read_text() == "date,a\n2024-01,3\n2024-02,4\n"
    assert load_network("elsewhere.yaml").horizon == 2


def test_a_plan_is_what_a_run_released(pushpull, runs, here, chain):
    (here / "sold.csv").write_text("item\n" + "10\n" * 12)
    assert pushpull("simulate", f"network={chain}", "demand=sold.csv", "agent=base_stock").code == 0
    (run,) = runs("simulate")
    assert pushpull("export", f"network={chain}", f"plan={run}", "to=tables").code == 0
    plan, trajectory = read_table(here / "tables/planned_orders.csv"), read_table(run / "trajectory.csv")
    assert list(plan) == ["item", "release_period", "due_period", "quantity"]
    for name, lead_time in (("part", 2), ("item", 1)):
        own, started = plan[plan["item"] == name], trajectory[f"start.{name}"]
        assert own["quantity"].tolist() == started[started > 0].tolist()
        assert (own["due_period"] - own["release_period"] == lead_time).all()
    assert pushpull("import", "from=tables", "to=again.yaml").code == 0
    assert load_network("again.yaml") == Network.from_yaml(chain)
    other = pushpull("export", "network=beer_game", f"plan={run}", "to=other")
    assert other.code == 2 and "knows no source 'manufacturer'" in other.err
    assert names(here) == ["again.yaml", "sold.csv", "tables"]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        # export
        (["export"], "to: missing"),
        (["export", "to=full"], "to: '{here}/full' exists; give another name, or move it away first"),
        (["export", "to=file/x"], "to: 'file/x' cannot be written"),
        (["export", "to=new", "plan=full"], "plan: no run of simulate in 'full'"),
        (["export", "to=new", "network=nowhere"], "network: 'nowhere' is not in the library"),
        (["export", "to=new", "network=lost.yaml"], "stages.a.market.demand.file: no file 'gone.csv'"),
        (["export", "to=a/b/c", "network=lost.yaml"], "stages.a.market.demand.file: no file 'gone.csv'"),
        # import
        (["import", "to=new.yaml"], "from: missing"),
        (["import", "from=full"], "to: missing"),
        (["import", "from=full", "to=new.csv"], "to: 'new.csv' is no name of a network file; let it end in .yaml"),
        (["import", "from=nowhere", "to=new.yaml"], "from: no folder 'nowhere'"),
        (["import", "from=full", "to=new.yaml"], "items.csv: missing in 'full'"),
        (["import", "from=tables", "to=file.yaml"], "to: '{here}/file.yaml' exists"),
        (["import", "from=tables", "to=new.yaml", "gaps=fill"], "gaps: 'fill' is unknown; valid: refuse, zero"),
        (["import", "form=tables", "to=new.yaml"], "form: unknown key; did you mean 'from'"),
    ],
)  # fmt: skip
def test_misuse_leaves_nothing(pushpull, here, words, answer):
    (here / "full").mkdir()
    for file in ("full/x.txt", "file", "file.yaml"):
        (here / file).write_text("")
    gone = {"demand": {"kind": "trace", "file": "gone.csv", "column": "x"}}
    lost = {"decoupling_point": "supply", "stages": {"a": {"sources": [{}], "market": gone}}}
    (here / "lost.yaml").write_text(yaml.safe_dump(lost))
    (here / "tables").mkdir()  # an empty folder is as good as none
    assert pushpull("export", "network=beer_game", "to=tables").code == 0
    found = pushpull(*words)
    assert found.code == 2
    assert found.err.startswith(f"pushpull: {answer.format(here=here)}")
    assert found.out == ""
    assert names(here) == ["file", "file.yaml", "full", "lost.yaml", "tables"]


def test_a_history_that_cannot_be_read_is_named(pushpull, here):
    assert pushpull("export", "network=beer_game", "to=tables").code == 0
    markets = here / "tables/markets.csv"
    stage = load_network("beer_game").stage_names[next(iter(load_network("beer_game").markets))]
    markets.write_text(f"item,demand.kind,demand.file,demand.column\n{stage},trace,sold.csv,x\n")
    found = pushpull("import", "from=tables", "to=new.yaml")
    assert found.code == 2 and found.err.startswith(f"pushpull: stages.{stage}.market.demand.file: no file 'sold.csv'")
    (here / "tables/planned_orders.csv").unlink(missing_ok=True)
    assert names(here) == ["tables"]


PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text()


def test_the_first_commands_of_the_page_run_as_typed(here):
    """Each in its own process, in an empty folder."""
    commands = re.search(r"```sh\n(.+?)```", PAGE, re.DOTALL)
    assert commands
    for line in commands[1].splitlines():
        command = [sys.executable, "-m", "pushpull.experiments.cli", *line.split()[1:]]
        done = subprocess.run(command, cwd=here, env=dict(os.environ), capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), line
    assert load_network(here / "mine.yaml") == load_network("electronics")
    assert names(here) == ["mine.yaml", "runs", "tables"]


@pytest.mark.parametrize("table", [name for name in LAYOUTS if name != "network"])
def test_columns_that_the_page_lists_are_columns(table):
    own, layout = re.search(rf"^### {table}.csv\n(.+?)^##", PAGE, re.DOTALL | re.MULTILINE), LAYOUTS[table]
    assert own
    listed = {
        column for row in re.findall(r"^\| (`.+?) \|", own[1], re.MULTILINE) for column in re.findall(r"`([^`]+)`", row)
    }
    known = {*layout.required, *layout.optional, *(column for column in columns_of(table))}
    assert listed <= known
    assert table == "locations" or set(layout.required) <= listed


def test_settings_that_the_page_lists_are_settings():
    (row,) = re.findall(
        r"^`setting` and `value`: (.+?)^Without|^`setting` and `value`: (.+?)\. Without", PAGE, re.DOTALL | re.MULTILINE
    )
    names = set(re.findall(r"`([a-z_]+)`", "".join(row))) - {"integer", "real", "supply", "market"}
    assert names <= set(Network.__dataclass_fields__) and len(names) > 8
