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
    page = run_page.wanted_page(True, port=None, host=None, no_browser=not opens)
    with run_page.with_run_page(Progress(), page) as shown:
        assert shown.watches(tmp_path)
    assert [("--no-browser" in command) for command in started] == [not opens]


def test_the_port_and_the_address_of_a_training_are_those_of_its_page(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(run_page.subprocess, "Popen", lambda command, **options: started.append(command))
    page = run_page.wanted_page(True, port=9123, host="127.0.0.1", no_browser=True)
    with run_page.with_run_page(Progress(), page) as shown:
        shown.watches(tmp_path)
    # What `view` is asked for decides on the warning, the token and the next free port; its own tests hold them.
    assert started[0][-5:] == [str(tmp_path), "--port", "9123", "--host=127.0.0.1", "--no-browser"]


@pytest.mark.parametrize("command", ["train", "resume"])
@pytest.mark.parametrize("option", [["--port", "9123"], ["--host", "127.0.0.1"]])
def test_a_port_or_an_address_without_a_page_is_refused_before_anything_is_trained(
    equipoise, command, option, tmp_path
):
    outcome = equipoise(command, tmp_path, *option)
    assert outcome.code == 2
    assert f"{option[0]}: {option[1]} for a page that is not asked for." in outcome.err and "Add --view" in outcome.err


@pytest.mark.parametrize("command", ["train", "resume"])
def test_an_address_that_this_machine_does_not_have_is_refused_before_anything_is_trained(equipoise, command, tmp_path):
    outcome = equipoise(command, tmp_path, "--view", "--host", "no.such.address.invalid")
    assert outcome.code == 2 and "is no address of this machine" in outcome.err


@pytest.mark.parametrize("command", ["train", "resume"])
def test_training_commands_know_the_option(command):
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert {"--no-browser", "--port", "--host"} <= set(shown.output.split())
