"""What people install: ranges instead of pins, every file that the package reads, and a command that starts."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins() -> dict[str, str]:
    lines = [line.strip() for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()]
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def required_names() -> set[str]:
    # What the extra 'extractors' brings is untested, as its documentation says: no version can be vouched for.
    extras = [needs for name, needs in PROJECT["optional-dependencies"].items() if name != "extractors"]
    requirements = list(chain(PROJECT["dependencies"], *extras))
    return {re.match(r"[A-Za-z0-9_.-]+", requirement).group() for requirement in requirements}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from a copy of the sources: the working tree stays as it is, and nothing is downloaded."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    built = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(built), str(source)], check=True)
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_states_ranges_and_the_licence(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        fields = email.message_from_bytes(archive.read(metadata))
    requirements = fields.get_all("Requires-Dist")
    assert "torch>=2.6" in requirements
    assert not [requirement for requirement in requirements if "==" in requirement.split(";")[0]]
    assert fields["License-Expression"] == "Apache-2.0"
    assert fields["Version"] == PROJECT["version"]


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    package = ROOT / "src" / "equipoise"
    wanted = {
        f"equipoise/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == wanted


def test_what_the_wheel_holds_starts_without_the_sources(wheel, tmp_path):
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    finished = subprocess.run(
        [sys.executable, "-m", "equipoise", "train", "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "equipoise train digits" in finished.stdout


def test_every_package_that_we_ask_for_is_pinned_in_the_constraints():
    assert required_names() <= set(pins())


def test_pins_are_sorted_and_fit_every_build_of_torch():
    assert list(pins()) == sorted(pins())
    assert not [version for version in pins().values() if "+" in version]


def test_no_package_index_is_named_anywhere():
    # Where packages come from is for the person who installs to say, in the configuration of their own pip.
    for name in ("constraints.txt", "Makefile", "pyproject.toml", ".ci/run"):
        assert "index-url" not in (ROOT / name).read_text(encoding="utf-8")


def test_continuous_integration_is_make_test_and_nothing_else():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "make test"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_changelog_speaks_of_this_version():
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
