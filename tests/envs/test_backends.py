"""Backends by name, and what serves where numba is missing."""

import importlib.util
import subprocess
import sys

import pytest

from pushpull.envs import backends
from pushpull.envs.checks import InputError

WITHOUT_NUMBA = """
import sys, warnings
sys.modules["numba"] = None  # as if it were not installed
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba" else find(name, *rest)
from pushpull.envs import load_network, simulate
from pushpull.agents import make_policy
network = load_network("chain4")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        table = simulate(network, make_policy("base_stock", network), 3, seed=0, periods=30)
print([str(item.message) for item in caught if "numba" in str(item.message)])
print(table["cost"].round(9).tolist())
"""


def test_without_numba_the_array_backend_serves_with_one_warning():
    done = subprocess.run([sys.executable, "-c", WITHOUT_NUMBA], capture_output=True, text=True, check=True)
    warned, costs = done.stdout.strip().splitlines()
    assert warned == "['numba is not installed, so the array backend serves: same results, slower']"
    compiled = WITHOUT_NUMBA.replace('sys.modules["numba"] = None', "").replace('name == "numba"', "False")
    with_numba = subprocess.run([sys.executable, "-c", compiled], capture_output=True, text=True, check=True)
    assert with_numba.stdout.strip().splitlines() == ["[]", costs]


def test_a_backend_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="backend: 'torch' is not installed; pip install torch, or use numpy"):
        backends.resolve("torch")


def test_an_unknown_backend_is_refused():
    with pytest.raises(InputError, match="backend: 'nunba' is unknown; did you mean 'numba'"):
        backends.resolve("nunba")
