"""Pictures have the promised shape and show the stocks; the window shows the picture, or says once that it cannot."""

from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from pushpull.envs import frames, network_names, render
from tests.envs.test_render import CHAIN, played


def scene(periods: int = 4, network=CHAIN, **arguments) -> render.Scene:
    return render.Scene.of(played(periods, network, **arguments).task)


@pytest.mark.parametrize("name", network_names())
def test_pictures_are_images_that_videos_can_hold(name):
    env = played(3, name, render_mode="rgb_array")
    first = np.asarray(env.render())
    assert first.dtype == np.uint8 and first.ndim == 3 and first.shape[2] == 3
    assert first.shape[0] % 16 == first.shape[1] % 16 == 0
    env.step(env.action_space.sample())
    second = np.asarray(env.render())
    assert second.shape == first.shape
    assert (second != first).any()


@pytest.mark.parametrize("mode", ["push", "pull", "mixed"])
def test_every_mode_is_drawn_in_its_colour(mode):
    stages = {"a": {"sources": [{"mode": mode}], "market": CHAIN["stages"]["phone"]["market"]}}
    pixels = frames.picture(scene(0, {"stages": stages}))
    assert count(pixels, frames.STYLES[mode].colour) > 100
    assert [name for name, style in frames.STYLES.items() if count(pixels, style.tint)] == [mode]


def count(pixels: np.ndarray, colour: str) -> int:
    """Return how many pixels have exactly this colour."""
    return int((pixels == np.rint(255 * np.array(to_rgb(colour)))).all(axis=2).sum())


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0, 3.0])
def test_the_bar_of_a_stock_is_as_long_as_its_share(share):
    """Pixels that a stock adds to an empty stage: the bar, up to its full length at the natural scale."""
    empty = replace(scene(), on_hand=np.zeros(3))
    background = frames.Background(empty.network)
    bar = frames.stock_bar(background.sheet.place.tiles[0])
    stocked = replace(empty, on_hand=np.array([share * background.stock_scale[0], 0, 0]))
    colour = frames.STYLES["push"].colour
    added = count(frames.picture(stocked), colour) - count(frames.picture(empty), colour)
    expected = min(1.0, share) * bar.width * bar.height * background.sheet.scale**2
    assert added == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    "change",
    [
        {"on_hand": np.array([41.0, 15, 12])},
        {"backorders": np.array([0.0, 0, 4])},
        {"pending": np.array([0.0, 0, 2, 0])},
        {"in_transit": np.array([0.0, 0, 2, 0])},
        {"period": 17},
        {"profit": -5.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_differs_looks_different(change):
    one = replace(scene(), on_hand=np.array([40.0, 15, 12]), backorders=np.zeros(3), pending=np.zeros(4), profit=1.0)
    assert (frames.picture(one) != frames.picture(replace(one, **change))).any()


def test_units_on_the_way_move_right():
    """Twelve units three periods away, then two, then one: their bar moves towards the stage."""
    start = scene()
    places = []
    for k in (2, 1, 0):
        chip = np.eye(4)[k] * 12
        pipeline = [chip, *(np.zeros_like(rows) for rows in start.pipeline[1:])]
        pixels = frames.picture(replace(start, pipeline=pipeline))
        fill = np.rint(255 * np.array(to_rgb(frames.STYLES["push"].fill)))
        places.append(np.flatnonzero((pixels == fill).all(axis=2).any(axis=0)).mean())
    assert places[0] < places[1] < places[2]


def test_the_same_scene_gives_the_same_picture_whatever_was_drawn_before():
    one, other = scene(), scene(2, "or_gym_inventory")
    first = frames.picture(one)
    frames.picture(other)
    frames.picture(scene(9))
    np.testing.assert_array_equal(frames.picture(one), first)


def test_user_styles_do_not_reach_the_pictures():
    first = frames.picture(scene())
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "text.color": "red", "lines.linewidth": 9}):
        frames.picture(scene(2, "or_gym_inventory"))  # so that the page is drawn again
        np.testing.assert_array_equal(frames.picture(scene()), first)


@pytest.mark.parametrize(("room", "size", "words"), [(9.0, 1.0, "warehouse"), (0.9, 0.75, None)])
def test_words_fit_their_room(room, size, words):
    fitted, smaller = frames.fitted("warehouse", 1.0, "normal", room)
    assert smaller == size
    assert smaller * frames.letters(fitted, "normal") <= room
    assert fitted == words or fitted.endswith("…")


# --- the window ----------------------------------------------------------------------------------------------------


@pytest.fixture
def no_window(monkeypatch):
    monkeypatch.setattr(frames, "_window", None)
    monkeypatch.setattr(frames, "_headless", False)
    monkeypatch.setattr(frames, "PAUSE", 0.001)
    monkeypatch.setattr(plt, "get_backend", lambda: "agg")
    yield
    plt.close("all")


def test_without_a_display_it_says_so_once(no_window, recwarn):
    env = played(2, render_mode="human")
    env.close()
    warnings = [str(warning.message) for warning in recwarn if "no window" in str(warning.message)]
    assert len(warnings) == 1
    assert "backend is 'agg'; use render_mode='rgb_array' or 'ansi'" in warnings[0]


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_the_window_shows_the_picture_and_closes(no_window, monkeypatch):
    monkeypatch.setattr(frames, "_window", frames.Window())
    render.show(scene(1))
    render.show(scene(5))
    shown = plt.figure(frames.TITLE).axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, frames.picture(scene(5)))
    render.close()
    assert not plt.fignum_exists(frames.TITLE)
    render.close()
