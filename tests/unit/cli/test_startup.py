"""Help comes at once: it imports nothing that takes long to import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from equipoise.cli.main import app

HEAVY = {"torch", "numpy", "pandas", "sklearn", "scipy", "matplotlib", "pydantic", "PIL", "pyarrow", "yaml", "jinja2"}
COMMANDS = sorted(command.name for command in app.registered_commands)

ASK_FOR_HELP = """
import contextlib, io, json, sys
from equipoise.cli.main import main
for arguments in json.loads(sys.argv[1]):
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main(arguments)
print(json.dumps(sorted(sys.modules)))
"""


def imported_by(*requests: list[str]) -> set[str]:
    """Top-level modules that a fresh process has imported after these commands."""
    finished = subprocess.run(
        [sys.executable, "-c", ASK_FOR_HELP, json.dumps(requests)], capture_output=True, text=True, check=True
    )
    return {module.split(".")[0] for module in json.loads(finished.stdout)}


def test_help_imports_nothing_heavy():
    assert not imported_by(["--help"], ["--version"]) & HEAVY


def test_help_of_each_command_imports_nothing_heavy():
    # typer itself checks the options of a command with pydantic, which takes some hundredths of a second.
    assert not imported_by(*([command, "--help"] for command in COMMANDS)) & (HEAVY - {"pydantic"})


def test_importing_the_package_imports_nothing_heavy():
    finished = subprocess.run(
        [sys.executable, "-c", "import sys, json, equipoise; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {module.split(".")[0] for module in json.loads(finished.stdout)} & HEAVY


def test_python_dash_m_is_the_same_command():
    finished = subprocess.run(
        [sys.executable, "-m", "equipoise", "--version"], capture_output=True, text=True, check=True
    )
    assert finished.stdout.startswith("equipoise ")


def test_the_commands_of_the_first_release_are_there():
    assert {"train", "resume", "sample", "judge", "report", "compare", "runs", "doctor"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_a_worked_example_and_json(equipoise, command):
    outcome = equipoise(command, "--help")
    assert outcome.code == 0
    assert "Example" in outcome.out and f"equipoise {command}" in outcome.out
    assert "--json" in outcome.out


def test_help_states_what_the_exit_codes_mean(equipoise):
    assert "Exit codes" in equipoise("--help").out
    judged = equipoise("judge", "--help").out
    assert "10   distinguished" in judged and "11   too little data" in judged


def test_no_arguments_show_the_commands(equipoise):
    outcome = equipoise()
    assert "train" in outcome.out + outcome.err
