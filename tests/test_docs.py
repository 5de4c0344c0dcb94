"""The documentation site: every command is one, every figure and number exists, every link leads somewhere."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import shortened_pages
import typer
import yaml
from shortened_pages import FENCE

import equipoise as eq
from equipoise import lab, objectives, penalties
from equipoise.cli.main import app
from equipoise.data.builtin import BUILTIN
from equipoise.experiment.sweep.grid import plan_sweep
from equipoise.runfolder import RunFolder

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


def hooks() -> ModuleType:
    """The module that fills in figures and numbers; a file beside the pages, in no package."""
    spec = importlib.util.spec_from_file_location("site_hooks", DOCS / "tools" / "site_hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def name_of(path: Path) -> str:
    return path.relative_to(DOCS).as_posix()


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Page and text of each fenced block in one language."""
    for page in PAGES:
        for _, text in shortened_pages.blocks(page.read_text(encoding="utf-8"), language):
            yield name_of(page), text


def shell_lines() -> list[tuple[str, str]]:
    """Page and line of every shell command."""
    return [(page, line) for page, text in blocks("sh") for line in shortened_pages.shell_lines(text)]


def inline_commands() -> list[tuple[str, str]]:
    """Page and text of every `equipoise ...` in a sentence, and of the commands below figures."""
    found = []
    for page in PAGES:
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        found += [(name_of(page), command) for command in re.findall(r"`(equipoise [a-z][^`]*)`", text)]
    return found


def faults_of(line: str) -> str:
    """What the command line says against a command, without running it; empty when it is one."""
    words = shlex.split(line.partition(" > ")[0])[1:]
    group = typer.main.get_command(app)
    if words == ["--help"]:
        return ""
    command = group.commands.get(words[0])
    if command is None:
        return f"no command '{words[0]}'"
    if words[1:] in ([], ["--help"]):  # a sentence may name a command without saying how it is used
        return ""
    try:
        command.make_context(words[0], words[1:])
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize(("page", "line"), [*shell_lines(), *inline_commands()])
def test_every_command_is_one_that_the_command_line_understands(page, line):
    program = shlex.split(line)[0]
    if program == "torchrun":
        program, line = "equipoise", line.partition("-m ")[2]
    if program == "equipoise":
        assert not faults_of(line), f"{page}: {line}"
    else:
        extra = re.fullmatch(r"pip install (?:\.|'equipoise\[(\w+)\]')", line)
        assert extra, f"{page}: '{line}' is no command of ours"
        assert extra[1] in (None, *EXTRAS), f"{page}: no extra is called {extra[1]}"


def test_a_command_that_is_none_is_noticed():
    assert faults_of("equipoise trian digits")
    assert faults_of("equipoise train digits --epochs 3")
    assert faults_of("equipoise train digits --steps many")


@pytest.mark.parametrize(("page", "text"), list(blocks("python")))
def test_python_on_the_pages_uses_names_that_exist(page, text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("equipoise"):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names), f"{page}: {ast.unparse(node)}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "eq":
            assert hasattr(importlib.import_module("equipoise"), node.attr), f"{page}: eq.{node.attr}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_figure_output_and_number_of_a_page_is_there(page):
    site = hooks()
    text = page.read_text(encoding="utf-8")
    for found in site.MACRO.finditer(text):
        assert site.filled(found, up="../"), f"{name_of(page)}: {found[0]}"
    assert "{{" not in site.MACRO.sub("", text), f"{name_of(page)}: a macro that is none"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_and_picture_of_a_page_leads_to_a_file(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for words, target in PICTURE.findall(text):
        assert (page.parent / target).is_file(), f"{name_of(page)}: {target}"
        assert words, f"{name_of(page)}: {target} needs a description for those who cannot see it"
    for target in LINK.findall(text):
        if not target.startswith("https://"):
            assert (page.parent / target.partition("#")[0]).is_file(), f"{name_of(page)}: {target}"


def test_every_experiment_of_the_lab_is_shown_on_a_page():
    shown = {name for page in PAGES for name in re.findall(r"\{\{ figure lab/(\S+)", page.read_text(encoding="utf-8"))}
    assert shown == set(lab.available())


@pytest.mark.parametrize("name", lab.available())
def test_stored_results_answer_the_question_that_the_experiment_asks(name):
    assert hooks().stored(f"lab/{name}")["question"] == lab.question(name)


def test_a_number_is_found_by_its_path_and_not_by_its_place(tmp_path, monkeypatch):
    site = hooks()
    monkeypatch.setattr(site, "DOCS", tmp_path)
    rows = [{"way": "as drawn", "m": 1, "v": 2.0}, {"way": "b", "m": 1, "v": 3}]
    (tmp_path / "few.json").write_text(json.dumps({"rows": rows}))
    assert site.number("few", "rows[way=as drawn,m=1].v .1f") == "2.0"
    assert site.number("few", "rows[1].v d") == "3"
    with pytest.raises(StopIteration):
        site.number("few", "rows[way=c].v d")


def guide(name: str) -> str:
    return (DOCS / "guides" / f"{name}.md").read_text(encoding="utf-8")


def test_the_guide_lists_every_objective_with_its_value_at_equilibrium():
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| \$(-?[\d.]+)\$ \|", guide("objectives"), flags=re.MULTILINE))
    assert rows == {name: f"{objectives.find(name)().equilibrium_value:.4f}" for name in objectives.available()}


def test_the_guide_says_truly_whose_logits_are_log_odds():
    section = guide("objectives").split("## Is sigmoid(l) a probability?")[1].split("## ")[0]
    plain, shifted = (re.findall(r"`(\w+)`", part) for part in section.split("best logit.")[:2])
    meaning = {name: objectives.find(name)().logit_meaning for name in objectives.available()}
    assert set(plain) == {name for name, found in meaning.items() if found == "log_odds"}
    assert set(shifted) == {name for name, found in meaning.items() if found == "log_odds_up_to_a_constant"}


def test_the_guide_lists_every_penalty_and_every_built_in_data_set():
    assert {name for name in penalties.available() if f"| `{name}` |" not in guide("objectives")} == set()
    assert {name for name in BUILTIN if f"`{name}`" not in guide("data")} == set()


def test_the_guide_names_the_files_of_a_run_folder():
    run = RunFolder(Path("run"))
    files = (run.config, run.data, run.metadata, run.status, run.metrics, run.verdicts, run.report)
    assert [path.name for path in files if f"| `{path.name}` |" not in guide("run-folder")] == []


@pytest.mark.slow
def test_the_site_builds_strictly_and_asks_nobody_for_anything(tmp_path):
    pytest.importorskip("mkdocs_autorefs", reason="needs the extra: pip install 'equipoise[docs]'")
    pytest.importorskip("latex2mathml")
    pytest.importorskip("material")
    site = tmp_path / "site"
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert built.returncode == 0, built.stderr[-3000:]
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= len(PAGES)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|source)[^>]*\ssrc="([^"]+)"', text)
        loaded += re.findall(r'<link[^>]*rel="(?:stylesheet|preconnect|preload)"[^>]*href="([^"]+)"', text)
        assert [address for address in loaded if re.match(r"(https?:)?//", address)] == [], page
        assert 'class="arithmatex"' not in text, f"{page}: a formula was left as LaTeX"
        for address in loaded:
            if not address.startswith("data:"):
                assert (page.parent / address.partition("?")[0]).resolve().exists() or page.name == "404.html", address


SETTINGS = sorted(set(re.findall(r"`--set '?([^`']+)'?`", guide("objectives") + guide("data"))))


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_that_a_guide_names_can_be_built(setting, tmp_path):
    source = "digits"
    if setting.startswith("data."):
        frame = pd.DataFrame({"id": range(90), "name": ["a", "b", "c"] * 30, "species": ["x", "y"] * 45})
        source = str(tmp_path / "rows.csv")
        frame.to_csv(source, index=False)
    # A sweep over nothing is one run, whose players are built and not trained.
    assert plan_sweep(source, axes=(), seeds=1, jobs=1, settings=[setting], steps=10)


def test_the_reference_lists_every_command_with_every_option():
    page = hooks().beside("generated").page("commands")
    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        options = [option for parameter in command.params for option in parameter.opts if option.startswith("-")]
        assert [option for option in options if option not in section] == [], name
        assert section.count("```sh\nequipoise ") >= 1, f"{name} shows no command that works"


def test_the_reference_lists_every_setting():
    page = hooks().beside("generated").page("settings")
    (run,) = plan_sweep("digits", axes=(), seeds=1, jobs=1, steps=10)
    listed = set(re.findall(r"^\| `([\w.]+)` \|", page, flags=re.MULTILINE)) | {"augmentation.instance_noise"}
    config = yaml.safe_load(run.config.to_yaml())
    assert [name for name in dotted(config) if not listed & {name, name.rpartition(".")[0]}] == []


def dotted(content: object, name: str = "") -> Iterator[str]:
    """The dotted names of all settings; those inside a part's options belong to the part."""
    if isinstance(content, dict) and content and not name.endswith("options"):
        for key, value in content.items():
            yield from dotted(value, f"{name}.{key}" if name else key)
    else:
        yield name


def described() -> dict[str, object]:
    """What the reference pages describe, by the name written after `:::`."""
    found: dict[str, object] = {}
    for page in sorted((DOCS / "reference").glob("*.md")):
        for name in re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
            found[name] = resolved(name)
    return found


def resolved(name: str) -> object:
    """A module, or something in one."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module), attribute)


def test_every_public_name_of_python_has_a_place_in_the_reference():
    pages = described()
    ids = {id(thing) for thing in pages.values()}
    homes = {name for name, thing in pages.items() if isinstance(thing, ModuleType)}
    missing = [
        name
        for name in set(eq.__all__) - {"__version__"}
        if not isinstance(getattr(eq, name), ModuleType)
        and id(getattr(eq, name)) not in ids
        and getattr(eq, name).__module__ not in homes
    ]
    assert missing == []
