"""What an installed PushPull contains, what the README promises, and who may import whom."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("agents", "configs", "envs", "experiments")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

MAY_IMPORT = {
    "envs": {"envs"},
    "agents": {"envs", "agents"},
    "configs": {"configs"},
    "experiments": {"envs", "agents", "configs", "experiments"},
}
# A module of envs may reach, directly or through others, only its own line and the lines above it.
LAYERS = (
    ("checks",),
    ("network", "dates"),
    ("streams", "histories"),
    ("demand", "evolution", "forecast", "network_files", "race"),
    ("boards",),
    ("library",),
    ("bookings", "families", "supply", "tables"),
    ("demand_paths",),
    ("exogenous",),
    ("dynamics",),
    ("resilience", "information"),
    ("kernel",),
    ("accounting",),
    ("actions", "observations", "rewards"),
    ("rules",),
    ("array_world", "compiled_world"),
    ("worlds",),
    ("engine",),
    ("simulate", "task"),
    ("gym_env", "vector_env", "sb3_vec_env", "render"),
)
LAYER = {f"pushpull.envs.{name}": depth for depth, names in enumerate(LAYERS) for name in names}


def source_files(pattern: str) -> list[Path]:
    """Return the files of the four folders that match, relative to the root."""
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob(pattern))
    return sorted(path.relative_to(ROOT) for path in found if path.is_file() and "__pycache__" not in path.parts)


def dotted(path: Path) -> str:
    """Return the installed name of a source file: envs/network.py is pushpull.envs.network."""
    parts = path.with_suffix("").parts
    return ".".join(("pushpull", *(parts[:-1] if parts[-1] == "__init__" else parts)))


MODULES = {dotted(path): path for path in source_files("*.py")}


@cache
def imports(module: str) -> frozenset[str]:
    """Return the dotted names that a module imports anywhere in its text, as modules where they are ours."""
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *filter(None, [node.module])])
            members = {f"{origin}.{alias.name}" for alias in node.names}
            names |= {member if member in MODULES else origin for member in members}
    return frozenset(names)


def importers(*libraries: str) -> dict[str, Path]:
    """Return the modules that import any of the top-level names."""
    return {
        module: path
        for module, path in MODULES.items()
        if any(name.partition(".")[0] in libraries for name in imports(module))
    }


def reached(module: str) -> set[str]:
    """Return every module of ours that importing a module leads to."""
    seen, frontier = set(), {module}
    while frontier:
        seen |= frontier
        frontier = {name for source in frontier for name in imports(source) if name in MODULES} - seen
    return seen


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """Build the wheel from a copy, so that nothing left in the checkout by an earlier build gets into it."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", copy / "dist"]
    result = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Deprecat" not in result.stdout + result.stderr
    (built,) = (copy / "dist").glob("*.whl")
    return zipfile.ZipFile(built)


def test_package_list_equals_folders():
    found = {dotted(path) for path in source_files("__init__.py")}
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == found


def test_wheel_contains_every_source_configuration_and_data_file(wheel):
    configurations = [path for path in source_files("*.yaml") if path.parts[0] == "configs"]
    data = [path for path in source_files("*") if path.parts[:2] == ("envs", "data")]
    assert configurations
    assert any(path.suffix == ".csv" for path in data)
    expected = {f"pushpull/{path.as_posix()}" for path in [*source_files("*.py"), *configurations, *data]}
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected


def test_wheel_imports_from_where_it_is_unpacked(wheel, tmp_path):
    wheel.extractall(tmp_path)
    code = "import pushpull.envs as e, pushpull.agents as a; print(e.__file__, a.__file__, sep='\\n')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == [str(tmp_path / "pushpull" / name / "__init__.py") for name in ("envs", "agents")]


def test_constraints_pin_each_direct_dependency_within_its_range():
    project = PYPROJECT["project"]
    wanted = [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"]["dev"])]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    assert set(versions) == {canonicalize_name(requirement.name) for requirement in wanted}
    assert all(requirement.specifier.contains(versions[canonicalize_name(requirement.name)]) for requirement in wanted)


def test_citation_has_the_version_of_the_package():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == PYPROJECT["project"]["version"]


def test_ci_runs_the_two_commands_of_the_readme():
    install = 'python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e ".[dev]" && '
    blocks = dict(re.findall(r"^<!-- (.+) -->\n```sh\n(.+)\n```$", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert blocks == {"main job": f"{install}.venv/bin/pushpull compare", "tests": f"{install}.venv/bin/pytest"}
    printed = subprocess.run([ROOT / ".ci/run", "--commands"], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == [blocks["tests"], blocks["main job"]]


def test_importing_envs_loads_no_learning_library():
    code = "import sys, pushpull.envs as e; print(e.__file__, *sys.modules.keys() & {*sys.argv[1:]})"
    command = [sys.executable, "-c", code, "torch", "stable_baselines3", "hydra"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.split() == [str(ROOT / "envs" / "__init__.py")]


def test_every_layer_is_a_module():
    assert set(LAYER) <= set(MODULES)


@pytest.mark.parametrize("module", [name for name in LAYER if name in MODULES])
def test_envs_modules_reach_no_later_layer(module):
    later = {name for name in reached(module) if LAYER.get(name, -1) > LAYER[module]}
    assert not later, f"{module} reaches {sorted(later)}"


def test_imports_have_no_cycle():
    TopologicalSorter({module: imports(module) - {module} for module in MODULES}).prepare()


@pytest.mark.parametrize("module", MODULES)
def test_folders_import_only_folders_they_may(module):
    inside = {name.split(".")[1] for name in imports(module) if name.startswith("pushpull.")}
    assert inside <= MAY_IMPORT[MODULES[module].parts[0]]


def test_folders_go_by_their_installed_names():
    assert not importers(*FOLDERS), "write `pushpull.envs`, never `envs`"


def test_only_sb3_files_import_stable_baselines3():
    users = importers("stable_baselines3", "sb3_contrib")
    assert users
    assert {path for path in users.values() if not path.name.startswith("sb3")} == set()


def test_only_experiments_import_hydra():
    users = importers("hydra", "omegaconf")
    assert users
    assert {path.parts[0] for path in users.values()} == {"experiments"}
