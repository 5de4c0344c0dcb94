"""Every command and every piece of Python on the pages of the site runs, on small data and for a few steps."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from shortened_pages import blocks, is_right, run_command, run_python, shell_lines
from sklearn.datasets import load_digits
from torch import nn

from equipoise.networks.columnwise import ColumnwiseGenerator
from equipoise.spaces import Block, TableSpace

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(
    path.relative_to(DOCS).as_posix()
    for path in DOCS.rglob("*.md")
    if list(blocks(path.read_text(encoding="utf-8"), "sh", "python"))
)
NOT_RUN = ("pip ", "torchrun ", "equipoise lab --all")
"""Commands that other tests run: installing, several processes, and the lab, whose experiments take minutes."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data and runs that the pages speak of, small."""
    folder = tmp_path_factory.mktemp("prepared")
    digits = load_digits()
    for name, classes in (("photos", (0, 1)), ("generated", (2, 3)), ("cats", (4, 5))):
        for label in classes:
            below = folder / name / str(label)
            below.mkdir(parents=True)
            for number, pixels in enumerate(digits.images[digits.target == label][:60]):
                Image.fromarray((pixels * 255 / 16).astype(np.uint8)).save(below / f"{number}.png")
    numbers = np.random.default_rng(0)
    for name in ("real", "generated", "patients", "one", "two"):
        frame = pd.DataFrame({"age": numbers.normal(50, 9, 400), "kind": numbers.choice(["a", "b"], 400)})
        if name == "patients":
            frame["wanted"] = numbers.uniform(1, 2, 400)
        frame.to_csv(folder / f"{name}.csv", index=False)
    people().to_csv(folder / "people.csv", index=False)
    people().drop(columns="wage").head(5).to_csv(folder / "partial.csv", index=False)
    stays().to_csv(folder / "stays.csv", index=False)
    patient = np.repeat(np.arange(100), 4)
    level = numbers.normal(size=400).round(1)
    pd.DataFrame({"patient": patient, "level": level, "kind": numbers.choice(["a", "b"], 400)}).to_csv(
        folder / "visits.csv", index=False
    )
    for run, objective in (("digits", "relativistic"), ("first", "hinge"), ("second", "relativistic")):
        line = f"equipoise train digits --set objective={objective} --outdir {folder}/runs/{run} --quiet"
        assert run_command(line) == 0
    return folder


def people() -> pd.DataFrame:
    numbers = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "age": numbers.integers(30, 40, 400),
            "sex": numbers.choice(["Female", "Male"], 400),
            "income": numbers.choice(["<=50K", ">50K"], 400),
            "wage": np.where(numbers.random(400) < 0.1, np.nan, numbers.lognormal(3, 0.5, 400).round(2)),
        }
    )


def stays() -> pd.DataFrame:
    numbers = np.random.default_rng(2)
    admitted = pd.Timestamp("2024-01-01") + pd.to_timedelta(numbers.integers(0, 300, 400), unit="D")
    net = numbers.uniform(50, 90, 400).round(2)
    tax = (0.19 * net).round(2)
    frame = pd.DataFrame({"admitted": admitted, "net": net, "tax": tax, "gross": (net + tax).round(2)})
    return frame.assign(discharged=admitted + pd.to_timedelta(numbers.integers(0, 20, 400), unit="D"))


def sides() -> dict[str, object]:
    images = load_digits().images[:, None].astype(np.float32) / 16
    return {"real": images[::2], "fake": images[1::2], "other": images[1::2, :, ::-1]}


def logits() -> dict[str, object]:
    return {"real_logits": torch.randn(8), "fake_logits": torch.randn(8)}


def players() -> dict[str, object]:
    import equipoise as eq

    def player(inputs: int, outputs: int) -> eq.Player:
        network = nn.Sequential(nn.Linear(inputs, outputs), *([nn.Flatten(0)] if outputs == 1 else []))
        return eq.Player(network, torch.optim.Adam(network.parameters()))

    batches = {name: eq.Batch(torch.randn(8, 2), torch.randn(8, 3)) for name in ("batch_for_D", "batch_for_G")}
    objective = eq.objectives.find("relativistic")()
    return {"eq": eq, "discriminator": player(2, 1), "generator": player(3, 2), "objective": objective, **batches}


def held_columns() -> dict[str, object]:
    """A generator of six columns, as `gan.generator` is, and rows whose first column is held at its first value."""
    columns = tuple("abcdef")
    generator = ColumnwiseGenerator(TableSpace(columns, tuple(Block("choice", 2, name) for name in columns)))
    given = torch.tensor([[1.0, 0.0]] * len(columns)).flatten().expand(8, -1)
    known = (torch.arange(len(columns)) == 0).expand(8, -1)
    latents = torch.randn(8, generator.latent_dimensions)
    gan = SimpleNamespace(generator=generator.requires_grad_(False))
    return {"gan": gan, "latents": latents, "given": given, "known": known, "encoded": given}


GIVEN: dict[str, Callable[[], dict[str, object]]] = {
    "guides/tables.md": held_columns,
    "guides/verdict.md": sides,
    "questions/value.md": logits,
    "questions/step.md": players,
}
"""Names that the Python of a page speaks of without making them."""


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_everything_that_a_page_shows_runs(page, prepared, tmp_path, monkeypatch, capsys):
    text = (DOCS / page).read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    made_here = [name for name in ("digits", "first", "second") if f"--outdir runs/{name}\n" in text]
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*made_here))
    torch.manual_seed(0)
    names: dict[str, object] = {"__name__": "page", **GIVEN.get(page, dict)()}
    for language, block in blocks(text, "sh", "python"):
        if language == "python":
            run_python(block, names, page=page)
            save_as_module(block, text)
            continue
        for line in shell_lines(block):
            if not line.startswith(NOT_RUN):
                code = run_command(line)
                assert is_right(line, code), f"{page}: {line}: exit code {code}\n{capsys.readouterr().err}"


def save_as_module(block: str, text: str) -> None:
    """A block that a later command imports goes where the command looks for it."""
    if "my_package.my_module" in text and "OBJECTIVES" in block:
        folder = Path("my_package")
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
        (folder / "my_module.py").write_text(block, encoding="utf-8")


def test_what_is_not_run_is_not_much():
    lines = [
        line
        for page in PAGES
        for _, block in blocks((DOCS / page).read_text(encoding="utf-8"), "sh")
        for line in shell_lines(block)
    ]
    left_out = [shlex.split(line)[0] for line in lines if line.startswith(NOT_RUN)]
    assert len(left_out) <= 8 < len(lines) / 3
