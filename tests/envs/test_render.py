"""What is shown is what is there: text, tables, drawings; and showing a chain changes nothing in it."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib.image
import numpy as np
import pytest

from pushpull.envs import InputError, Network, load_network, network_names, render
from pushpull.envs.gym_env import PushPullEnv
from pushpull.envs.render import bar, on_the_way
from pushpull.envs.scene import due
from pushpull.envs.words import amount, in_words

CHAIN = {
    "name": "two_parts",
    "description": "two parts, one product",
    "decoupling_point": ["chip", "case"],
    "horizon": 30,
    "warm_up": 2,
    "stages": {
        "chip": {"initial_on_hand": 40, "holding_cost": 0.5, "sources": [{"lead_time": 3, "capacity": 40}]},
        "case": {"initial_on_hand": 15, "sources": [{"lead_time": 9}]},
        "phone": {
            "initial_on_hand": 12,
            "initial_owed": 3,
            "holding_cost": 2,
            "sources": [
                {"inputs": {"chip": 2, "case": 1}, "lead_time": 1, "capacity": 20, "unit_cost": 4},
                {"lead_time": 0, "unit_cost": 30, "capacity": 5},
            ],
            "market": {"demand": {"kind": "poisson", "mean": 10}, "price": 20, "backorder_cost": 18},
        },
    },
}


def played(periods: int, network=CHAIN, **arguments) -> PushPullEnv:
    """Return an environment some periods into an episode of random actions."""
    env = PushPullEnv(network, action="normalised", **arguments)
    env.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(periods):
        env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))
    return env


def told(env: PushPullEnv) -> str:
    """Return the text of an environment, as its render mode ansi does."""
    text = env.render()
    assert isinstance(text, str)
    return text


def line_of(name: str, text: str) -> list[str]:
    """Return the words of the line that begins with a name."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [name])


# --- text ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("periods", [0, 5])
@pytest.mark.parametrize("name", network_names())
def test_text_names_every_stage_and_the_period_within_a_terminal(name, periods):
    env = played(periods, name, render_mode="ansi")
    text = told(env)
    assert text.startswith(f"{name}\nperiod {periods} of {env.network.horizon}")
    for source in env.network.source_names:
        assert line_of(source, text)
    assert max(map(len, text.splitlines())) <= 100


def test_text_tells_the_state():
    env = played(6, render_mode="ansi")
    view, flows, text = env.task.engine.view(), env.task.engine.flows, told(env)
    for name, i, j in (("chip", 0, 0), ("phone/0", 2, 2)):
        words = line_of(name, text)
        assert words[1] == env.network.modes[j]
        assert words[3] == amount(view.on_hand[i, 0])
    words = line_of("phone/0", text)
    assert words[4] == amount(view.backorders[2, 0])
    assert words[5] == amount(view.pipeline[2][0, 0])  # lead time 1: due in the coming period
    moved = [view.pending[2, 0], flows.order[2, 0], flows.start[2, 0], flows.demand[2, 0], flows.lost[2, 0]]
    assert words[6:] == [amount(value) for value in moved]
    assert [float(word) for word in line_of("chip", text)[4:7]] == view.pipeline[0][:3, 0].tolist()


@pytest.mark.parametrize(
    ("point", "above", "below"),
    [(["chip", "case"], "case", ["phone/0"]), ("supply", "stage", ["chip"]), ("market", "phone/1", [])],
)
def test_text_rules_off_the_decoupling_point(point, above, below):
    lines = told(played(1, decoupling_point=point, render_mode="ansi")).splitlines()
    rule = next(k for k, line in enumerate(lines) if "decoupling point" in line)
    assert lines[rule - 1].split()[0] == above
    assert [line.split()[0] for line in lines[rule + 1 : rule + 2]] == below


def test_headline_waits_for_the_warm_up():
    """Hand-made: before the first counted period there is no fill rate to tell."""
    assert "KPIs count from period 2 on" in told(played(2, render_mode="ansi"))
    env = played(3, render_mode="ansi")
    assert f"fill rate {env.task.engine.kpis()['fill_rate'][0]:.1%}" in told(env)


def test_a_new_episode_shows_nothing_of_the_last():
    env = played(4, render_mode="ansi")
    env.reset()
    assert told(env) == told(played(0, render_mode="ansi"))
    assert line_of("chip", told(env)) == ["chip", "push", "███░░░░░", "40", "0", "0", "0", "0"]  # no order, no start


@pytest.mark.parametrize(
    ("units", "short"),
    [
        (0, "0"),
        (-0.0, "0"),
        (7, "7"),
        (7.5, "7.5"),
        (0.126, "0.13"),
        (0.0034, "0.0034"),
        (-0.003, "-0.003"),
        (1e-9, "0"),
        (123.46, "123.5"),
        (-2500, "-2500"),
        (12_340, "12.3k"),
        (123_400, "123k"),
        (12_340_000, "12.3M"),
        (5e12, "5000G"),
        (float("inf"), "-"),
    ],
)
def test_amounts_are_short(units, short):
    assert amount(units) == short


@pytest.mark.parametrize(
    ("share", "drawn"), [(0, "░░░░"), (0.5, "██░░"), (0.5625, "██▎░"), (0.999, "████"), (1, "████"), (1.01, "███►")]
)
def test_bars_have_their_length(share, drawn):
    assert bar(share, 4) == drawn


@pytest.mark.parametrize(
    ("units", "room", "words"),
    [
        ([3, 0, 12], 8, "3 0 12"),
        ([30, 0, 120, 60], 10, "▂·█▄ =210"),  # no room for numbers: 30 of 120 is a quarter of the height
        ([0] * 40, 8, "····· =0"),
        ([1] * 40, 12, "████████ =40"),  # five periods to a character
    ],
)
def test_units_on_the_way_are_numbers_or_a_sparkline(units, room, words):
    assert on_the_way(np.array(units, dtype=float), room) == words


def test_what_a_disrupted_transit_holds_is_due_last():
    assert due(np.array([4.0, 5.0, 0.0])).tolist() == [4, 5]
    assert due(np.array([4.0, 5.0, 6.0])).tolist() == [4, 5, 6]
    assert due(np.array([0.0])).tolist() == [0]


# --- the network itself --------------------------------------------------------------------------------------------


def test_description_tells_the_network():
    """Load by hand: a phone needs 2 chips, so chips are asked for 20 times a period out of 40; phones 10 out of 25."""
    text = render.describe(Network.from_dict(CHAIN))
    assert text.startswith("two_parts: two parts, one product")
    assert "decoupling point  chip and case: push up to there, pull beyond" in text
    assert "stage order       chip > case > phone" in text
    chip, phone = line_of("chip", text), line_of("phone/0", text)
    assert chip == ["chip", "push", "3", "40", "0", "40", "0.5", "20", "50%", "outside", "supply"]
    assert phone == ["phone/0", "pull", "1", "20", "4", "12", "2", "10", "40%", "2", "chip", "+", "1", "case"]
    assert line_of("phone", text) == ["phone", "20", "backorder", "18", "0", "poisson,", "mean", "10"]


@pytest.mark.parametrize(("point", "words"), [("supply", "supply: no stage only pushes"), ("market", "every stage")])
def test_description_names_the_ends_of_the_chain(point, words):
    assert words in render.describe(Network.from_dict(CHAIN | {"decoupling_point": point}))


def test_a_network_without_demand_can_be_described_and_drawn(tmp_path):
    stages = CHAIN["stages"] | {"phone": CHAIN["stages"]["phone"] | {"market": {}}}
    network = Network.from_dict(CHAIN | {"stages": stages})
    assert line_of("chip", render.describe(network))[7:9] == ["?", "?"]
    render.draw_network(network, tmp_path / "network.png")


@pytest.mark.parametrize("name", network_names())
def test_library_networks_are_drawn(name, tmp_path):
    render.draw_network(load_network(name), tmp_path / "network.png")
    image = matplotlib.image.imread(tmp_path / "network.png")
    assert image.shape[0] > 100 and image.shape[1] > 1000 and np.ptp(image) > 0.5


def test_a_drawing_is_the_same_file_every_time(tmp_path):
    for name in ("one.svg", "two.svg"):
        render.draw_network(Network.from_dict(CHAIN), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert ElementTree.parse(tmp_path / "one.svg").getroot().tag.endswith("svg")


def test_other_kinds_of_file_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"path: .*network\.jpg.* end it in one of \.png, \.svg, \.pdf"):
        render.draw_network(Network.from_dict(CHAIN), tmp_path / "network.jpg")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (None, "not stated"),
        ("lost", "lost"),
        ({"partial": 0.5}, "partial 0.5"),
        ([1, 2, 3], "1 2 3"),
        (list(range(9)), "of 9 entries"),
        ({"kind": "trace", "file": "/somewhere/else/sales.csv"}, "trace, file sales.csv"),
    ],
)
def test_settings_are_told_in_words(setting, words):
    assert in_words(setting) == words


# --- showing changes nothing ---------------------------------------------------------------------------------------


def test_showing_does_not_touch_the_chain():
    seen, plain = PushPullEnv(CHAIN, action="normalised"), PushPullEnv(CHAIN, action="normalised")
    rng = np.random.default_rng(1)
    seen.reset(seed=5)
    plain.reset(seed=5)
    for _ in range(10):
        for seen.render_mode in ("ansi", "rgb_array"):
            seen.render()
        action = rng.uniform(-1, 1, seen.action_space.shape).astype(np.float32)
        one, other = seen.step(action), plain.step(action)
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1:] == other[1:]


def test_a_scene_stays_as_it_was():
    env = played(3)
    scene = render.Scene.of(env.task)
    text = render.text(scene)
    env.step(env.action_space.sample())
    assert render.text(scene) == text
    assert render.text(render.Scene.of(env.task)) != text


def test_importing_the_environment_leaves_matplotlib_alone():
    code = "import sys, pushpull.envs.gym_env; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
