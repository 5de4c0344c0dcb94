"""Ideas are found by the name of their file, and what was renamed is listed in full: docs/renamed.md."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from pathlib import Path

import pytest

import equipoise as eq
from equipoise import old_names
from equipoise.cli import old_options
from equipoise.errors import OldName
from equipoise.experiment.config.overrides import read_settings
from equipoise.referee.verdict import Verdict
from equipoise.runfolder import RunFolder

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "equipoise"
FIXTURES = ROOT / "tests" / "fixtures" / "format1"
RENAMED = (ROOT / "docs" / "renamed.md").read_text(encoding="utf-8")

# What a newcomer looks for, the file of that name, and what it has to define.
IDEAS = {
    "the non-saturating loss": ("objectives/nonsaturating.py", "nonsaturating"),
    "the minimax loss": ("objectives/minimax.py", "minimax"),
    "the conditional discriminator": ("networks/conditioning.py", "label_projection"),
    "R1": ("penalties/r1_r2.py", "r1"),
    "WGAN-GP": ("penalties/gradient_penalty.py", "wgan_gp"),
    "EMA": ("game/ema.py", "AveragedWeights"),
    "update rules: alternating, simultaneous, n_critic": ("game/update_rules.py", "UpdateRule"),
    "learning-rate schedules": ("game/lr_schedule.py", "Schedule"),
    "the value function with its standard error": ("objectives/value.py", "value_function"),
    "weighted sampling": ("data/sampler.py", "WeightedDraws"),
    "checkpoints": ("training/checkpoints.py", "save_checkpoint"),
    "CSV reading": ("data/formats/csv.py", "read_csv"),
    "the JSD bound": ("referee/bound.py", "jsd_lower_bound_nats"),
    "augmentation": ("augmentation/base.py", "Augmentation"),
    "metrics": ("metrics/base.py", "Metric"),
    "--until": ("training/until.py", "is_reached"),
}
# Unambiguous words of 0.1.0; a page uses today's.
OLD_WORDS = (
    r"told apart|tell(s|ing)? \w+ sides? apart|eyesight|crosswise|twins?|planted|planting|spoilt|spoil|codecs?|fog|"
    r"undecided|looks\.(count|samples)|play_step|discriminator turns?|generator turns?|choice blocks?|heaps?"
)


def section(title: str) -> str:
    return RENAMED.split(f"## {title}\n")[1].split("\n## ")[0]


def pairs(title: str) -> dict[str, str]:
    """Old and new name of each row of a section's tables, without the remarks beside them."""
    return dict(re.findall(r"^\| `([^`]+)`[^|]*\| `([^`]+)`[^|]*\|$", section(title), flags=re.MULTILINE))


@pytest.mark.parametrize("idea", IDEAS)
def test_an_idea_is_found_by_the_name_of_its_file(idea):
    path, name = IDEAS[idea]
    assert (SOURCE / path).is_file(), f"{idea}: there is no {path}"
    module = importlib.import_module("equipoise." + path.removesuffix(".py").replace("/", "."))
    assert hasattr(module, name), f"{idea}: {path} defines no {name}"


def test_every_renamed_setting_is_listed_and_every_listed_one_is_understood():
    sections = {new: old for old, new in old_names.SECTIONS.items()}
    wanted = dict(old_names.SECTIONS)
    for path, names in old_names.SETTINGS.items():
        head, dot, rest = path.partition(".")
        former = sections.get(head, head) + dot + rest
        wanted |= {f"{former}.{old}": f"{path}.{new}" for old, new in names.items()}
    for path, values in old_names.VALUES.items():
        former = next(old for old, new in wanted.items() if new == path)
        wanted |= {f"{former}={old}": f"{path}={new}" for old, new in values.items()}
    assert pairs("Settings") == wanted


def test_every_renamed_setting_is_read_with_a_note_under_its_new_name():
    for old, new in pairs("Settings").items():
        if "." in old:
            setting = old if "=" in old else f"{old}=1"
            with pytest.warns(OldName, match=re.escape(f"--set {setting}: ")):
                found = read_settings([setting])
            for key in new.partition("=")[0].split("."):
                found = found[key]


def test_every_renamed_option_is_listed():
    wanted = dict(old_options.OPTIONS)
    for option, values in old_options.VALUES.items():
        former = next(old for old, new in old_options.OPTIONS.items() if new == option)
        wanted |= {f"{former} {old}": f"{option} {new}" for old, new in values.items()}
    assert pairs("Options of commands") == wanted


def test_every_renamed_key_of_a_verdict_is_listed_and_is_written_today():
    listed = pairs("Keys of a verdict")
    methods = {
        f"resolution_method: {old}": f"sensitivity_method: {new}" for old, new in old_names.SENSITIVITY_METHODS.items()
    }
    counts = {
        f"counts.{side}_{old}": f"counts.{side}_{new}"
        for side in ("real", "fake")
        for old, new in old_names.PARTS.items()
    }
    classifiers = {f"member: {old}": f"classifier: {new}" for old, new in old_names.AT_CHANCE_LEVEL.items()}
    in_findings = old_names.FINDING_KEYS
    assert listed == old_names.VERDICT_KEYS | methods | counts | classifiers | in_findings
    late = {"resolution_absent": [], "resolution_trials": 0}  # younger than the fixture
    (stored, *_) = (FIXTURES / "points" / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
    today = Verdict.from_json(old_names.to_standard_words("verdict", late | json.loads(stored))).to_json()
    keys = set(today) | {f"counts.{key}" for key in today["counts"]}
    assert {new.partition(":")[0] for old, new in listed.items() if old not in in_findings} <= keys


def test_the_renamed_python_names_exist_today_and_the_old_ones_do_not():
    for old, new in pairs("Python").items():
        if old.startswith("eq.") and "(" not in old:
            assert hasattr(eq, new.removeprefix("eq.")), new
            assert old == "eq.Schedule" or not hasattr(eq, old.removeprefix("eq.")), old
        elif re.fullmatch(r"[A-Za-z]+\.\w+", old) and not old.startswith("equipoise."):
            assert has(*new.split(".")), new
            assert not has(new.split(".")[0], old.split(".")[1]), old
        elif old.startswith("equipoise."):
            assert importlib.util.find_spec(new), new
            assert old == "equipoise.experiment.config" or not is_a_module(old), f"{old} is still a file"


def has(owner: str, name: str) -> bool:
    """Whether a class that people meet, or the package of penalties, has an attribute or a field of that name."""
    places = (eq, eq.penalties, importlib.import_module("equipoise.experiment.sweep.run"))
    thing = next(getattr(place, owner) for place in places if hasattr(place, owner))
    return hasattr(thing, name) or name in getattr(thing, "__dataclass_fields__", {})


def is_a_module(name: str) -> bool:
    return (SOURCE.parent / (name.replace(".", "/") + ".py")).is_file()


def test_the_renamed_files_of_a_run_folder_are_those_that_the_code_knows(tmp_path):
    run = RunFolder(tmp_path)
    today = {run.evaluations.name, run.event_log.name, run.most_discriminative.name}
    listed = pairs("Files of a run folder")
    assert set(listed.values()) == today
    for old in listed:
        (tmp_path / old).touch()
    assert {run.evaluations.name, run.event_log.name, run.most_discriminative.name} == set(listed)


PAGES = [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name not in ("glossary.md", "renamed.md")]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda path: path.name)
def test_a_page_uses_the_words_of_today(page):
    found = [found[0] for found in re.finditer(rf"\b({OLD_WORDS})\b", page.read_text(encoding="utf-8"))]
    assert not found
