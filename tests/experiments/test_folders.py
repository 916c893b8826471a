"""A run folder is complete or absent."""

import pytest

from pushpull.envs import InputError
from pushpull.experiments.folders import run_folder


def test_files_appear_under_the_final_name_at_the_end(tmp_path):
    with run_folder(tmp_path / "runs", "compare", "chain") as run:
        (run.path / "a.csv").write_text("1")
        assert not run.final.exists()
    assert (run.final / "a.csv").read_text() == "1"
    assert list((tmp_path / "runs" / "compare").iterdir()) == [run.final]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_nothing(tmp_path, failure):
    with pytest.raises(failure), run_folder(tmp_path / "deep" / "runs", "compare", "chain") as run:
        (run.path / "models").mkdir()
        (run.path / "models" / "a.zip").write_text("half")
        raise failure
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_other_runs_alone(tmp_path):
    with run_folder(tmp_path, "compare", "first") as first:
        pass
    with pytest.raises(ValueError), run_folder(tmp_path, "compare", "second"):
        raise ValueError
    assert list((tmp_path / "compare").iterdir()) == [first.final]


def test_runs_of_the_same_second_get_names_of_their_own(tmp_path):
    with run_folder(tmp_path, "compare", "a") as first, run_folder(tmp_path, "compare", "a") as second:
        pass
    with run_folder(tmp_path, "compare", "a") as third:
        pass
    assert len({first.final, second.final, third.final}) == 3
    assert all(run.final.is_dir() for run in (first, second, third))


def test_a_label_cannot_lead_elsewhere(tmp_path):
    with run_folder(tmp_path, "show", "../my net") as run:
        pass
    assert run.final.parent == tmp_path / "show"
    assert run.final.name.endswith("-.._my_net")


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(InputError, match="folder: "), run_folder(tmp_path / "runs", "a", "b"):
        pass
