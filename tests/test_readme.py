"""Everything that the README tells people to run is run here, or is what continuous integration runs."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import torch
from shortened_pages import FENCE, blocks, is_right, run_command, shell_lines

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def python_blocks() -> list[str]:
    return [text for _, text in blocks(README, "python")]


def commands() -> list[str]:
    return [line for _, text in blocks(README, "sh") for line in shell_lines(text)]


def test_every_block_is_of_a_language_that_is_run_here():
    assert {language for language, _ in FENCE.findall(README)} <= {"sh", "python", "text"}


def test_every_shell_line_is_one_that_a_test_runs():
    assert {shlex.split(line)[0] for line in commands()} <= {"make", "equipoise"}


@pytest.mark.slow
def test_every_equipoise_command_of_the_readme_works(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for line in commands():
        if line.startswith("equipoise "):
            code = run_command(line)
            assert is_right(line, code), f"{line}: exit code {code}\n{capsys.readouterr().err}"


def test_the_make_commands_of_the_readme_exist_and_ci_runs_the_tests():
    targets = {shlex.split(line)[1] for line in commands() if line.startswith("make ")}
    assert targets == {"demo", "test"}
    for target in targets:
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_make_demo_trains_as_the_readme_shows(capsys):
    planned = subprocess.run(["make", "--dry-run", "demo"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    (demo,) = (line for line in planned.splitlines() if "equipoise train" in line)
    (shown,) = (line for line in commands() if line.startswith("equipoise train"))
    assert shlex.split(shown)[1:5] == shlex.split(demo)[1:5] == ["train", "mnist5k", "--minutes", "2.5"]


@pytest.mark.slow
@pytest.mark.parametrize("code", python_blocks(), ids=lambda code: code.split("\n", 1)[0])
def test_every_python_block_of_the_readme_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


@pytest.mark.slow
def test_the_hand_written_loop_reaches_the_mean_of_its_data():
    (code,) = (block for block in python_blocks() if "ForwardPass" in block)
    torch.manual_seed(0)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    with torch.no_grad():
        mean = names["G"](torch.randn(10_000, 2)).mean(dim=0)
    # Not a precision of the method: untrained, the mean is 2.2 away; 0.7 says that the game was trained.
    assert torch.dist(mean, torch.tensor([2.0, -1.0])) < 0.7


def test_the_hand_written_loop_is_short_and_uses_pure_functions_only():
    (code,) = (block for block in python_blocks() if "ForwardPass" in block)
    assert len(code.splitlines()) <= 20
    assert set(re.findall(r"from equipoise import (.*)", code)) == {"objectives, penalties"}


def test_files_and_pictures_that_the_readme_points_to_exist():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    missing = [target for target in targets if "://" not in target and not (ROOT / target).exists()]
    assert not missing


def test_the_readme_names_the_conclusions_and_the_exit_codes_that_the_code_has():
    from equipoise.errors import EXIT_DISTINGUISHED, EXIT_TOO_LITTLE_DATA
    from equipoise.referee import Conclusion

    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", README, flags=re.MULTILINE))
    assert set(rows) == {conclusion.value for conclusion in Conclusion}
    assert rows["distinguished"] == str(EXIT_DISTINGUISHED)
    assert rows["too_little_data"] == str(EXIT_TOO_LITTLE_DATA)
