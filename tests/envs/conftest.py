"""What several tests of the environment are given."""

import pytest

from pushpull.envs.checks import build
from pushpull.envs.network import Demand


@pytest.fixture
def trace(tmp_path):
    """Write a CSV file and return the settings that read its column `units`."""

    def write(text="day,units\na,3\nb,1\nc,4\nd,1.5\ne,9\n", **settings):
        path = tmp_path / "sales.csv"
        path.write_text(text)
        return build(Demand, {"kind": "trace", "file": str(path), "column": "units", **settings}, "demand")

    return write
