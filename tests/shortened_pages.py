"""What the pages tell people to type, run in the test's own process and cut short: it has to run, not to be good."""

from __future__ import annotations

import contextlib
import re
import shlex
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from equipoise.cli.main import main
from equipoise.live.server import make_server

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
STEPS = "12"
MORE_STEPS = "16"
FEW = ("outputs.samples=1", "outputs.checkpoint_every=6")
"""A picture at the end and two checkpoints: by default such a run would stop after every step for both."""
FEW_POINTS = (*FEW, "data.points=600")
TRIAL_SECONDS = 0.1
ANSWERS = {"judge": {0, 10, 11}}
"""Exit codes that are right answers, where there are others than 0: any verdict is one."""


def blocks(text: str, *languages: str) -> Iterator[tuple[str, str]]:
    """Language and text of the fenced blocks of a page that are in one of the languages, in order."""
    for found in FENCE.finditer(text):
        if found[1] in languages:
            yield found[1], found[2]


def shell_lines(text: str) -> list[str]:
    """The commands of a block; a backslash at the end joins lines."""
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def shortened(words: list[str]) -> list[str]:
    """The same command, made to take seconds."""
    words, command = list(words), words[0]
    if "--minutes" in words:
        words[words.index("--minutes")] = "--steps"
    if "--steps" in words:
        words[words.index("--steps") + 1] = MORE_STEPS if command == "resume" else STEPS
    elif command in ("train", "resume", "sweep"):
        words += ["--steps", MORE_STEPS if command == "resume" else STEPS]
    for setting in {"train": FEW, "sweep": FEW_POINTS}.get(command, ()):
        words += ["--set", setting]
    if "--seeds" in words:
        words[words.index("--seeds") + 1] = "1"
    if command == "judge":
        if "--sensitivity" in words:
            words[words.index("--sensitivity") + 1] = "theoretical"
        else:
            words += ["--sensitivity", "theoretical"]
    return words


def run_command(line: str) -> int:
    """Run one `equipoise ...` line, with what it writes into a file; returns its exit code. Servers answer, and end."""
    command, _, file = line.partition(" > ")
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("equipoise.live.server.serve", serve_until_it_answers)
        patch.setattr("equipoise.cli.view.open_browser", lambda address: None)
        patch.setattr("equipoise.experiment.run_length.TRIAL_SECONDS", TRIAL_SECONDS)
        if file:
            stack.enter_context(contextlib.redirect_stdout(stack.enter_context(Path(file.strip()).open("w"))))
        with pytest.raises(SystemExit) as stopped:
            main(shortened(shlex.split(command)[1:]))
    return int(stopped.value.code or 0)


def serve_until_it_answers(app: Starlette, listening: socket.socket, *, announce: Callable[[], None]) -> None:
    """What `serve` does until Ctrl-C, with an end: a page's `equipoise view` would wait for ever."""

    def announce_and_end() -> None:
        announce()
        server.should_exit = True

    server = make_server(app, announce=announce_and_end)
    server.run(sockets=[listening])


def is_right(line: str, code: int) -> bool:
    return code in ANSWERS.get(shlex.split(line)[1], {0})


def run_python(code: str, names: dict[str, object], *, page: str) -> None:
    """Run one Python block in the names of its page."""
    few = "" if "seeds=" in code or "settings=" in code else f", settings={list(FEW)}"
    code = re.sub(r"\bminutes=[\d.]+", f"steps={STEPS}", code)
    code = re.sub(r"\bsteps=\d{2,}", f"steps={STEPS}{few}", code)
    code = re.sub(r"\bevent\.step >= \d+", "event.step >= 6", code)
    code = re.sub(r"\bseeds=\d+", f"seeds=1, settings={list(FEW_POINTS)}", code)
    code = re.sub(r"\bmargin=([\d.]+)\)", r"margin=\1, sensitivity='theoretical')", code)
    exec(compile(code, page, "exec"), names)
