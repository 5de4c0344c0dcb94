"""The server that a training starts for its page lets the training go first, and ends with it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from equipoise.cli import run_page
from equipoise.cli.main import app
from equipoise.training.progress import Progress

PROGRAM = """
import os, time
from equipoise.cli import view
view.GOODBYE_SECONDS = 0
view.end_with_stdin()
print(os.nice(0), os.sched_getscheduler(0) if hasattr(os, "SCHED_BATCH") else None, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not hasattr(os, "nice"), reason="no priorities here")
def test_it_waits_for_the_training_and_ends_when_its_input_does():
    server = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        niceness, policy = server.stdout.readline().split()
        assert int(niceness) >= min(19, os.nice(0) + 10)
        assert policy == str(getattr(os, "SCHED_BATCH", None))
        server.stdin.close()
        assert server.wait(timeout=60) != 0
    finally:
        server.kill()
        server.stdout.close()
        server.wait()


@pytest.mark.parametrize("opens", [True, False])
def test_a_browser_is_opened_unless_the_person_says_not_to(opens, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(run_page.subprocess, "Popen", lambda command, **options: started.append(command))
    with run_page.with_run_page(Progress(), is_wanted=True, opens_browser=opens) as shown:
        assert shown.watches(tmp_path)
    assert [("--no-browser" in command) for command in started] == [not opens]


@pytest.mark.parametrize("command", ["train", "resume"])
def test_training_commands_know_the_option(command):
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert "--no-browser" in shown.output
