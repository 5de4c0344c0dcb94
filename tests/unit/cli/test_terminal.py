"""Errors and JSON as commands print them."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys

import pytest
import typer

from equipoise.cli.terminal import print_json, readable_bytes, readable_seconds, reporting_errors
from equipoise.errors import DataError, Interrupted, PlayDiverged


def raising(error):
    @reporting_errors
    def command(as_json: bool = False) -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError("cats/", "the folder holds no image.", "Expected pictures.", "Choose another folder."), 2),
        (Interrupted("step 120", "stopped.", advice="Continue with: equipoise resume runs/cats-1"), 130),
        (PlayDiverged("step 7", "the discriminator's loss is NaN."), 1),
    ],
)
def test_an_expected_error_is_told_in_lines_and_leaves_with_its_code(error, code, capsys):
    with pytest.raises(typer.Exit) as stopped:
        raising(error)()
    assert stopped.value.exit_code == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"{error}\n"


def test_with_json_the_error_is_one_object_on_stdout_too(capsys):
    with pytest.raises(typer.Exit):
        raising(DataError("cats/", "empty.", "Expected pictures.", "Choose another folder."))(as_json=True)
    assert json.loads(capsys.readouterr().out)["error"] == {
        "kind": "DataError",
        "where": "cats/",
        "found": "empty.",
        "expected": "Expected pictures.",
        "advice": "Choose another folder.",
        "exit_code": 2,
    }


def test_a_bug_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        raising(ZeroDivisionError())()


def test_ctrl_c_outside_of_training_exits_with_130(capsys):
    with pytest.raises(typer.Exit) as stopped:
        raising(KeyboardInterrupt())()
    assert stopped.value.exit_code == 130
    assert "interrupted" in capsys.readouterr().err


def test_json_has_no_nan(capsys):
    print_json({"value": math.nan, "bound": math.inf, "step": 3})
    assert json.loads(capsys.readouterr().out) == {"value": None, "bound": None, "step": 3}


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (3.2e9, "3.2 GB"), (7e12, "7.0 TB")]
)
def test_bytes_are_told_in_decimal_units(count, text):
    assert readable_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.2 s"), (12, "12 s"), (59.9, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_seconds_are_told_as_a_person_says_them(seconds, text):
    assert readable_seconds(seconds) == text


def test_a_terminal_without_the_sign_for_at_least_gets_a_question_mark():
    script = (
        "import sys\nfrom equipoise.cli.main import main\ntry: main(['--version'])\nfinally: print('JSD \u2265 0.1')"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert finished.returncode == 0
    assert finished.stdout.endswith("JSD ? 0.1\n")


def test_a_reader_that_leaves_early_is_no_failure(tmp_path):
    script = (
        "from equipoise.cli.terminal import reporting_errors\n"
        "import typer\n"
        "@reporting_errors\n"
        "def command():\n"
        "    for _ in range(100000): print('x' * 100)\n"
        "try:\n"
        "    command()\n"
        "except typer.Exit as stopped:\n"
        "    raise SystemExit(stopped.exit_code)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_sigterm_ends_every_command_as_ctrl_c_does(capsys):
    cleaned = []

    def command():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            cleaned.append(signal.getsignal(signal.SIGTERM))

    with pytest.raises(typer.Exit) as stopped:
        reporting_errors(command)()
    assert stopped.value.exit_code == 130
    assert capsys.readouterr().err == "interrupted.\n"
    # On the way out a second signal ends at once, and afterwards all is as it was.
    assert cleaned == [signal.SIG_DFL] and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_one_of_many_processes_is_ended_by_sigterm_as_always(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    seen = []
    reporting_errors(lambda: seen.append(signal.getsignal(signal.SIGTERM)))()
    assert seen == [signal.SIG_DFL]
