"""show prints what describe says and writes the picture."""

from pushpull.envs import load_network
from pushpull.envs.render import describe


def test_show_describes_and_draws(pushpull, runs):
    answer = pushpull("show", "network=beer_game")
    assert answer.code == 0, answer.err
    assert describe(load_network("beer_game")) in answer.out
    (folder,) = runs("show")
    assert (folder / "network.png").read_bytes().startswith(b"\x89PNG")
    assert f"{folder}/network.png" in answer.out


def test_show_takes_another_decoupling_point_and_other_numbers(pushpull):
    answer = pushpull("show", "decoupling_point=chip", "network.stages.board.sources.0.capacity=91")
    expected = load_network("electronics").with_decoupling_point("chip")
    assert answer.code == 0, answer.err
    assert describe(expected).splitlines()[2] in answer.out
    assert "91" in answer.out
