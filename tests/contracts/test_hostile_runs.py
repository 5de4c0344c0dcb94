"""Run folders from strangers: opened, or refused by name with exit code 2; nothing outside is written, nothing run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from hostile import FIXTURE, everything_below, pickled, png_of_size, refused
from safetensors.torch import load_file, save
from typer.testing import CliRunner

import equipoise as eq
from equipoise.cli.main import app
from equipoise.documents import parse_json, parse_yaml
from equipoise.errors import RunFolderError
from equipoise.experiment.config.files import read_config
from equipoise.experiment.resume import resume
from equipoise.reports import list_runs, write_report
from equipoise.runfolder import RunFolder, open_run_folder

STEP = "checkpoints/step-00000004"


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    """A run of three kinds of columns that can be sampled, resumed and reported, in a folder of its own."""
    shutil.copytree(FIXTURE / "table", tmp_path / "here" / "run")
    shutil.copy(FIXTURE / "table.csv", tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here" / "run"


def put_weights(run: Path, content: bytes) -> None:
    """A checkpoint with the checksum that belongs to it: checksums find damage, they keep nobody out."""
    (run / f"{STEP}.safetensors").write_bytes(content)
    facts = json.loads((run / f"{STEP}.json").read_text())
    facts["checksum"] = hashlib.blake2b(content).hexdigest()
    (run / f"{STEP}.json").write_text(json.dumps(facts))


def change(path: Path, **entries: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


BROKEN_JSON = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe{\0}\0",
    b"\0\0\0",
    b'{"a": NaN}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"step": 1e999}',
    b"1" * 5000,
]


@pytest.mark.parametrize("content", BROKEN_JSON, ids=lambda content: repr(content[:8]))
@pytest.mark.parametrize("name", ["data.json", "status.json", f"{STEP}.json"])
def test_broken_json_is_refused_by_name(name, content, run):
    (run / name).write_bytes(content)
    refused(lambda: eq.load(run), Path(name).name.partition(".")[0])


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
BROKEN_YAML = {
    "billion laughs": BOMB,
    "merge": "a: &a {b: 1}\nc: {<<: *a}\n",
    "depth": "[" * 20_000,
    "depth of mappings": "{a: " * 9000,
    "python": "!!python/object/apply:os.system ['touch ran']",
    "new": "!!python/object/new:os.system [touch ran]",
    "date": "a: 2024-99-99",
    "int": "a: !!int x",
    "float": "a: !!float x",
    "bool": "a: !!bool x",
    "timestamp": "a: !!timestamp x",
    "binary": "a: !!binary x",
    "empty hexadecimal": "a: 0x_",
    "NUL": "a: \0",
    "two documents": "a: 1\n---\nb: 2",
    "no mapping": "- 1",
    "key": "? [1]\n: 2",
    "number as key": "1: 2",
    "tab": "\ta: 1",
    "sexagesimal": "a: " + "1:" * 50_000 + "1",
    "surrogate": 'a: "\\ud800"\npreset: "\\udcff"',
}


@pytest.mark.parametrize("text", BROKEN_YAML.values(), ids=BROKEN_YAML.keys())
def test_broken_yaml_is_refused_by_name(text, run):
    (run / "config.yaml").write_text(text)
    refused(lambda: eq.load(run), "config.yaml")
    assert list_runs(run.parent)[0].folder == run  # a list shows what it can
    assert not Path("ran").exists() and not (run / "ran").exists()


def test_a_configuration_of_two_megabytes_is_not_parsed(run):
    (run / "config.yaml").write_text("a: " + "x" * 2_000_000)
    refused(lambda: eq.load(run), "config.yaml", "EQUIPOISE_MOST_CONFIG_BYTES")


def test_other_encodings_and_byte_order_marks(run):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_bytes(text.encode("utf-8-sig"))
    assert read_config(run / "config.yaml")[0]["preset"] == "table"
    (run / "config.yaml").write_bytes(text.encode("utf-16"))
    refused(lambda: read_config(run / "config.yaml"), "config.yaml", "UTF-8")


def test_a_pickle_in_place_of_any_file_is_not_loaded(run, tmp_path):
    mark = tmp_path / "ran"
    content = pickled(mark)
    for name in ("config.yaml", "data.json", "status.json", f"{STEP}.json"):
        before = (run / name).read_bytes()
        (run / name).write_bytes(content)
        refused(lambda: eq.load(run), Path(name).name.partition(".")[0])
        (run / name).write_bytes(before)
    put_weights(run, content)
    refused(lambda: eq.load(run), STEP.rpartition("/")[2])
    torch.save({"x": torch.zeros(3)}, tmp_path / "model.pt")
    put_weights(run, (tmp_path / "model.pt").read_bytes())
    refused(lambda: eq.load(run), STEP.rpartition("/")[2])
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        (2**63).to_bytes(8, "little") + b"{}",
        (100).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{}",
        *(
            len(head).to_bytes(8, "little") + head
            for head in (
                b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}',
                b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}',
                b'{"a":{"dtype":"X99","shape":[],"data_offsets":[0,0]}}',
                b'{"__metadata__":{"a":1}}',
                b"[" * 50_000,
            )
        ),
    ],
    ids=range(11),
)
def test_a_checkpoint_whose_head_lies_is_refused(content, run):
    put_weights(run, content)
    refused(lambda: eq.load(run), "checkpoint")
    with pytest.raises(RunFolderError):
        resume(run)


def test_weights_of_other_shapes_types_or_names_are_refused(run):
    good = load_file(run / f"{STEP}.safetensors")
    name = next(key for key in good if key.startswith("generator.average.") and key.endswith("weight"))
    for tensor in (torch.zeros(3), torch.zeros(10**6), good[name].t().contiguous()[:1]):
        put_weights(run, save({**good, name: tensor.clone()}))
        refused(lambda: eq.load(run), "checkpoint")
    put_weights(run, save({key: tensor for key, tensor in good.items() if key != name}))
    refused(lambda: eq.load(run), "checkpoint")


@pytest.mark.parametrize("what", ["shape", "weight", "absent", "number"])
def test_an_optimiser_memory_that_would_fail_in_the_middle_of_a_step_is_refused(what, run):
    good = load_file(run / f"{STEP}.safetensors")
    name = next(key for key in good if ".optimiser." in key and good[key].numel() > 1)
    stem, _, entry = name.rpartition(".")
    changed = {
        "shape": {**good, name: torch.zeros(7)},
        "weight": {**good, f"{stem.rpartition('.')[0]}.999.{entry}": good[name].clone()},
        "absent": {key: tensor for key, tensor in good.items() if key != name},
        "number": {**good, f"{stem.rpartition('.')[0]}.x.{entry}": good[name].clone()},
    }[what]
    put_weights(run, save(changed))
    refused(lambda: resume(run), "does not fit")


@pytest.mark.parametrize("entry", ["seconds", "generator_average_updates"])
@pytest.mark.parametrize("value", [None, "x", [], {}])
def test_numbers_of_a_checkpoint_that_are_none_are_refused(entry, value, run):
    change(run / f"{STEP}.json", **{entry: value})
    refused(lambda: resume(run), "does not fit")


@pytest.mark.parametrize(
    "setting",
    [
        ("latents", 10**11),
        ("generator", {"width": 10**9}),
        ("generator", {"depth": 10**9, "width": 6}),
        ("discriminator", {"width": 200_000, "depth": 9}),
        ("discriminator", {"depth": 2**70}),
        ("generator", {"width": -1}),
        ("generator", {"width": "x"}),
        ("generator", {"nothing": 1}),
        ("family", "os:system"),
    ],
    ids=str,
)
def test_networks_larger_than_their_checkpoint_are_never_made(setting, run):
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["networks"][setting[0]] = setting[1]
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    refused(lambda: eq.load(run))


def test_an_import_path_is_not_run_unless_it_is_trusted(run):
    Path("evil.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    content = yaml.safe_load((run / "config.yaml").read_text())
    for key, value in (("objective", {"name": "evil:x"}), ("penalties", [{"name": "evil:x"}])):
        (run / "config.yaml").write_text(yaml.safe_dump({**content, key: value}))
        refused(lambda: resume(run), "evil:x", "--trust-code")
    content["networks"]["family"] = "evil:x"
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    refused(lambda: eq.load(run), "evil:x", "--trust-code")
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    "encoder",
    [
        None,
        [],
        {"kind": "x"},
        {"kind": "points", "mean": [1], "spread": [1, 2, 3]},
        {"kind": "points", "mean": [], "spread": []},
        {"kind": "images", "space": {"kind": "images", "channels": 1, "height": 10**6, "width": 10**6}},
        {"kind": "images", "space": {"kind": "images", "channels": 1, "height": 8, "width": 8}, "levels": [-5, 3000]},
        {"kind": "images", "space": {"kind": "table"}},
        {"kind": "table", "columns": []},
        {"kind": "table", "columns": [{}]},
        {"kind": "table", "columns": "abc"},
    ],
    ids=str,
)
def test_an_encoding_that_makes_no_sense_is_refused(encoder, run):
    change(run / "data.json", codec=encoder)  # the name in format 1
    refused(lambda: eq.load(run), "data.json")


@pytest.mark.parametrize(
    "labels",
    [
        {"names": ["a"]},
        {"names": ["a", "b"], "shares": [1]},
        {"names": 3},
        7,
        {"names": ["a", "b"], "shares": [-1, 1]},
        {"names": ["a"], "shares": [0]},
    ],
)
def test_classes_that_make_no_sense_are_refused(labels, run):
    change(run / "data.json", labels=labels)
    refused(lambda: eq.load(run), "data.json")


@pytest.mark.parametrize(
    "fields",
    [
        {"steps": "x"},
        {"step": -1},
        {"step": 1.5},
        {"steps": 10**30},
        {"state": []},
        {"last_verdict": "x"},
        {"step": True},
        {"updated": "x"},
    ],
)
def test_a_status_of_other_types_is_refused_and_still_reported(fields, run):
    change(run / "status.json", **fields)
    refused(lambda: resume(run), "status.json", next(iter(fields)))
    write_report(run)
    assert list_runs(run.parent)[0].trouble


@pytest.mark.parametrize(
    "name", ["checkpoints", "samples", "metrics.jsonl", "status.json", "report.html", "config.yaml"]
)
def test_a_run_folder_with_links_is_refused_and_nothing_outside_is_touched(name, run, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "step-00000009.png").write_text("somebody's")
    (outside / "file").write_text("somebody's")
    place = run / name
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.symlink_to(outside if "." not in name else outside / "file")
    before = everything_below(outside)
    for act in (lambda: resume(run), lambda: eq.load(run), lambda: write_report(run)):
        refused(act, name, "link")
    assert everything_below(outside) == before


def test_saving_a_copy_does_not_follow_links(run, tmp_path):
    (tmp_path / "secret").write_text("private")
    (run / "notes.txt").symlink_to(tmp_path / "secret")
    eq.load(run).save(tmp_path / "copy")
    assert (tmp_path / "copy" / "config.yaml").is_file() and not (tmp_path / "copy" / "notes.txt").exists()


@pytest.mark.parametrize("name", ["config.yaml", "data.json", "status.json", f"{STEP}.json", f"{STEP}.safetensors"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(name, run):
    (run / name).unlink()
    os.mkfifo(run / name)
    refused(lambda: eq.load(run))


@pytest.mark.parametrize(
    "name", ["run.json", "metrics.jsonl", "verdicts.jsonl", "samples/real.png", "samples/real.csv"]
)
def test_a_report_is_made_whatever_takes_the_place_of_a_file(name, run):
    (run / "samples").mkdir(exist_ok=True)
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    write_report(run)
    (run / name).unlink()
    (run / name).write_bytes(b"\xff\0[{" * 1000)
    write_report(run)
    assert (run / "report.html").stat().st_size > 1000


def test_broken_lines_are_left_out_and_the_others_are_read(run):
    rows = [
        b'{"step": 1}',
        b"{",
        b'{"step": NaN}',
        b"\xff\xff",
        b"[1]",
        b"[" * 90_000,
        b'{"step": "x"}',
        b'{"step": 2}',
    ]
    (run / "metrics.jsonl").write_bytes(b"\n".join(rows))
    assert [row["step"] for row in RunFolder(run).read_metrics()] == [1, "x", 2]
    write_report(run)


def test_a_line_or_file_of_any_length_is_not_read_whole(run, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_MOST_LOG_LINE_BYTES", "100")
    refused(lambda: RunFolder(run).read_metrics(), "metrics.jsonl", "EQUIPOISE_MOST_LOG_LINE_BYTES")
    monkeypatch.setenv("EQUIPOISE_MOST_JSON_BYTES", "10")
    refused(lambda: open_run_folder(run), "status.json", "EQUIPOISE_MOST_JSON_BYTES")


def test_pictures_that_are_no_png_are_not_decoded_for_a_report(run):
    from PIL import Image

    (run / "samples").mkdir(exist_ok=True)
    for kind in ("EPS", "BMP"):  # Pillow gives EPS to Ghostscript, where that is installed
        Image.new("RGB", (20, 20)).save(run / "samples" / "real.png", kind)
        write_report(run)
        assert "data:image" not in (run / "report.html").read_text()
    (run / "samples" / "real.png").write_bytes(png_of_size(60_000, 60_000))
    write_report(run)
    assert "data:image" not in (run / "report.html").read_text()


EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}</style>"


def test_no_name_of_data_becomes_part_of_the_page(run):
    data = json.loads((run / "data.json").read_text())
    data["labels"]["names"] = [EVIL, "b", "c"]
    data["codec"]["columns"][1]["type"]["name"] = EVIL
    (run / "data.json").write_text(json.dumps({**data, "source": EVIL, "notes": [EVIL], "names": [EVIL]}))
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, "command": EVIL, "preset": EVIL, "environment": {EVIL: EVIL}}))
    change(run / "status.json", message=EVIL, trend=EVIL, flags=[EVIL], state=EVIL)
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"]["source"] = EVIL
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    verdict = json.loads((run / "verdicts.jsonl").read_text())
    verdict.update(
        sentence=EVIL,
        conclusion=EVIL,
        kind=EVIL,
        member=EVIL,
        classifier_values={EVIL: 1.0},
        resolution_nats={EVIL: 0.1},
        findings=[{"check": EVIL, "statement": EVIL, "is_problem": True, "numbers": {EVIL: 1}, "rows": [{EVIL: EVIL}]}],
    )
    (run / "verdicts.jsonl").write_text(json.dumps(verdict) + "\n")
    (run / "samples").mkdir(exist_ok=True)
    (run / "samples" / "real.csv").write_text(
        f'"{EVIL.replace(chr(34), chr(34) * 2)}",b\n"{EVIL.split(chr(34))[0]}",1\n'
    )
    other = run.parent / "other"
    shutil.copytree(run, other)
    write_report(run)
    from equipoise.reports import write_comparison

    write_comparison([run, other], run.parent / "comparison.html")
    for page in (run / "report.html", run.parent / "comparison.html"):
        text = page.read_text()
        assert "<script>alert" not in text and "<img src=x" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "49" not in text.partition("alert(2)")[2][:20]  # a template in a name is not filled in


def test_a_command_explains_itself_and_exits_with_2(run):
    (run / "config.yaml").write_text(BOMB)
    for command in (["sample", str(run)], ["resume", str(run)], ["judge", str(run)]):
        finished = CliRunner().invoke(app, command)
        assert finished.exit_code == 2, finished.output
        assert "Traceback" not in finished.output


def test_json_and_yaml_of_our_own_come_back():
    assert parse_json('{"a": [1, 2.5, null, true, "x"]}') == {"a": [1, 2.5, None, True, "x"]}
    lines: dict[str, int] = {}
    assert parse_yaml("a:\n  b: [1, 2.5, null]\n", lines=lines) == {"a": {"b": [1, 2.5, None]}}
    assert lines == {"a": 1, "a.b": 2, "a.b.0": 2, "a.b.1": 2, "a.b.2": 2}


def test_a_number_to_base_60_of_any_length_is_not_computed():
    assert parse_yaml("1:30") == 90
    with pytest.raises(yaml.YAMLError, match="too many digits"):
        parse_yaml("1:" * 1000 + "1")


def test_nesting_has_a_limit_well_before_the_interpreter_s_own():
    assert parse_yaml("[" * 40 + "]" * 40)
    with pytest.raises(yaml.YAMLError, match="levels of nesting"):
        parse_yaml("[" * 60 + "]" * 60)
