"""Coverage-guided fuzzing of every reader: whatever a file holds, only errors of ours may come out, and nothing else.

    pip install atheris
    python benchmarks/fuzz.py [--minutes 15] [--target csv] [--work fuzz-work] [--rows benchmarks/rows/fuzz.jsonl]

atheris (libFuzzer's engine) mutates sound files that this script makes itself or takes from the tests, and keeps those
that reach new lines of equipoise, yaml, zipfile, csv or json. Half of the mutations keep checksums, lengths and syntax
(`fuzz_mutators.py`), so that they get past the first lines of a reader. Each target runs in a process of its own; the
minutes, of fuzzing alone, are split between them. It is a finding when a reader

- raises anything but `EquipoiseError`, or one whose exit code is neither 1 nor 2;
- opens a file for writing, makes, renames or removes one, outside its scratch folder;
- starts a process, connects to anything, or unpickles anything (seen by an audit hook of the interpreter);
- takes more than 20 seconds or 4 GB for one file.

Findings are printed, kept with the file that shows them below `--work`, and end the script with exit code 1. A row
says how many files were tried in how many seconds, and what was found.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import io
import json
import math
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fuzz_mutators as mutators

SECONDS_PER_FILE = 20
MEGABYTES = 4096
LONGEST_FILE = 1 << 16
MEMORY = Path("/dev/shm")
"""Where files are put, if it is there: in memory, where nothing waits for a disk."""
FIXTURE = Path(__file__).parent.parent / "tests" / "fixtures" / "format1"
FORBIDDEN_EVENTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "pickle.find_class"}
CHANGING_EVENTS = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate"}


@dataclass(frozen=True)
class Target:
    """A reader, what it is first given, how it is called with a file's content in a scratch folder, and a mutator."""

    seeds: Callable[[], Iterator[bytes]]
    run: Callable[[bytes, Path], None]
    mutate: mutators.Mutator | None = None


def reading(name: str, **options: Any) -> Callable[[bytes, Path], None]:
    """Load and prepare a data file of that name."""

    def run(content: bytes, scratch: Path) -> None:
        from equipoise.data import DataOptions, load, prepare

        (scratch / name).write_bytes(content)
        raw = load(scratch / name, options=DataOptions(**options))
        if len(raw) <= 5000:
            prepare(raw, seed=0)

    return run


def picture(suffix: str) -> Callable[[bytes, Path], None]:
    """Load a folder of one sound image and the fuzzed one, which may be skipped, and counts as refused then."""

    def run(content: bytes, scratch: Path) -> None:
        from equipoise.data import DataOptions, load
        from equipoise.errors import DataError

        folder = scratch / "pictures"
        folder.mkdir(exist_ok=True)
        (folder / "a.png").write_bytes(next(pictures("PNG")))
        (folder / f"b{suffix}").write_bytes(content)
        if len(load(folder, options=DataOptions(max_bad_share=0.9))) < 2:
            raise DataError("picture", "it was skipped.")

    return run


def in_run(name: str, use: Callable[[Path], Any], kind: str = "table") -> Callable[[bytes, Path], None]:
    """Put the content in place of one file of a run folder, and use the folder."""

    def run(content: bytes, scratch: Path) -> None:
        folder = scratch / "run"
        if not folder.exists():
            shutil.copytree(FIXTURE / kind, folder)
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        before = path.read_bytes() if path.exists() else None
        path.write_bytes(content)
        try:
            if path.suffix == ".safetensors":  # with the right checksum: a stranger can compute one
                beside = path.with_suffix(".json")
                facts = json.loads((FIXTURE / kind / "checkpoints" / beside.name).read_text())
                beside.write_text(json.dumps({**facts, "checksum": hashlib.blake2b(content).hexdigest()}))
            use(folder)
        finally:
            path.unlink() if before is None else path.write_bytes(before)

    return run


def sampled(folder: Path) -> None:
    from equipoise.experiment.loading import load

    load(folder).sample(2, seed=0)


def reported(folder: Path) -> None:
    from equipoise.reports import list_runs
    from equipoise.reports.reading import read_run
    from equipoise.reports.sample_grids import sample_grids, sample_rows

    list_runs(folder)
    run = read_run(folder)
    sample_grids(run)
    sample_rows(run)


def configured(content: bytes, scratch: Path) -> None:
    from equipoise.experiment.config.files import read_config, validated

    (scratch / "config.yaml").write_bytes(content)
    found, lines = read_config(scratch / "config.yaml")
    validated(found, where="config.yaml", lines=lines).to_yaml()


def settings(content: bytes, scratch: Path) -> None:
    from equipoise.experiment.config.overrides import read_settings
    from equipoise.experiment.sweep.grid import read_axes

    del scratch
    texts = content.decode("utf-8", "surrogateescape").split("\n")
    read_settings(texts)
    read_axes(texts)


def swept(content: bytes, scratch: Path) -> None:
    from equipoise.experiment.sweep.run import _steps_of_before

    (scratch / "sweep.yaml").write_bytes(content)
    _steps_of_before(scratch, 1.0)


def stored(*names: str) -> Callable[[], Iterator[bytes]]:
    """Files of the fixture as seeds."""
    return lambda: ((FIXTURE / name).read_bytes() for name in names)


def pictures(*kinds: str) -> Iterator[bytes]:
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, (12, 9, 3), dtype=np.uint8)
    for kind in kinds:
        for mode in ("RGB", "L", "P"):
            if kind == "JPEG" and mode == "P":
                continue
            buffer = io.BytesIO()
            Image.fromarray(pixels).convert(mode).save(buffer, kind)
            yield buffer.getvalue()


def csv_texts() -> Iterator[bytes]:
    yield b"\n".join((FIXTURE / "table.csv").read_bytes().splitlines()[:41])
    yield b"x,y\n" + b"".join(b"%d.5,%d\n" % (k, -k) for k in range(30))
    dated = '"a;b";day;flag\n"one;""two""";2024-05-31;True\n;2024-06-01 12:00:00+02:00;False\nz;;True\n'
    yield dated.encode("utf-8-sig")
    yield b"1e308\tNaN\n-inf\t007\n00\t0x10\n"
    yield "é|ü\n1|NA\n2|None\n".encode("utf-16")


def labelled_texts() -> Iterator[bytes]:
    """Tables with the column that holds the classes."""
    yield b"\n".join((FIXTURE / "table.csv").read_bytes().splitlines()[:41])
    yield b"tree,x\n" + b"".join(b"%d,%d.25\n" % (k % 3, k) for k in range(30))
    yield b"x,day,tree\n" + b"".join(b"%d,2024-05-%02d,%s\n" % (k, k, (b"ash", b"oak")[k % 2]) for k in range(1, 29))


def small_pictures(count: int) -> list[bytes]:
    """PNG files of 8 x 8 pixels that all differ: enough of them can be divided into parts."""
    import numpy as np
    from PIL import Image

    made = []
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8) + (3,) * (number % 2), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        made.append(buffer.getvalue())
    return made


def zips() -> Iterator[bytes]:
    flat = [f"{number}.png" for number in range(12)]
    classes = [f"{'ab'[number % 2]}/{number}.png" for number in range(14)]
    odd = ["../../out.png", "/etc/x.png", "C:\\y.png", "z.png", *flat]
    for names, method in ((flat, zipfile.ZIP_STORED), (classes, zipfile.ZIP_DEFLATED), (odd, zipfile.ZIP_BZIP2)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, content in zip(names, small_pictures(len(names)), strict=True):
                archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
        yield buffer.getvalue()


def arrays(form: str) -> Iterator[bytes]:
    import numpy as np

    rng = np.random.default_rng(0)
    for array in (rng.normal(size=(40, 2)), rng.integers(0, 255, (30, 8, 8), dtype=np.uint8), np.array(["a", "b"] * 9)):
        buffer = io.BytesIO()
        if form == "npy":
            np.save(buffer, array)
        else:
            np.savez(buffer, values=array, labels=np.arange(len(array)) % 2)
        yield buffer.getvalue()


def parquets() -> Iterator[bytes]:
    import pandas as pd

    frames = (
        pd.DataFrame({"x": [0.5, 1.5, 2.5] * 9, "y": [1.25, -2.5, 3.75] * 9}),
        pd.DataFrame(
            {
                "kind": pd.Categorical(["a", "b", "a"] * 9),
                "n": pd.array([1, None, 3] * 9, dtype="Int64"),
                "at": pd.Timestamp("2024-05-31", tz="UTC"),
                "is": [True, False, None] * 9,
                "text": ["u", "v", None] * 9,
            }
        ),
        pd.DataFrame({"lists": [[1, 2], [3], []] * 9, "x": range(27)}),
    )
    for frame in frames:
        for compression in (None, "snappy"):
            buffer = io.BytesIO()
            frame.to_parquet(buffer, compression=compression)
            yield buffer.getvalue()


def sealed_checkpoint() -> Iterator[bytes]:
    """The numbers of a checkpoint as the first version wrote them, and as they are written now."""
    from equipoise.training.checkpoints import sealed

    content = (FIXTURE / f"table/{CHECKPOINT}.json").read_bytes()
    yield content
    record = {"number": 1, "step": 3, "to_step": 2, "reason": "not finite", "caution": 0.5, "message": "a loss is NaN"}
    yield json.dumps(sealed({**json.loads(content), "caution": 0.5, "rollbacks": [record]})).encode()


CHECKPOINT = "checkpoints/step-00000004"
TARGETS = {
    "config": Target(stored("points/config.yaml", "table/config.yaml"), configured, mutators.yaml_document),
    "settings": Target(lambda: iter([b"training.steps=5\nobjective=hinge,{name: wgan}", b"a.b=[1, 2e3]"]), settings),
    "sweep": Target(
        lambda: iter([b"format: 1\nasked: {minutes: 1.0}\nruns:\n- {name: a-seed0, steps: 10}\n"]),
        swept,
        mutators.yaml_document,
    ),
    "data.json": Target(stored("table/data.json"), in_run("data.json", sampled), mutators.json_document),
    "data.json of images": Target(
        stored("images/data.json"), in_run("data.json", sampled, "images"), mutators.json_document
    ),
    "config of a run": Target(stored("table/config.yaml"), in_run("config.yaml", sampled), mutators.yaml_document),
    "status": Target(stored("table/status.json"), in_run("status.json", reported), mutators.json_document),
    "run.json": Target(stored("table/run.json"), in_run("run.json", reported), mutators.json_document),
    "metrics": Target(stored("table/metrics.jsonl"), in_run("metrics.jsonl", reported), mutators.json_document),
    "verdicts": Target(stored("table/verdicts.jsonl"), in_run("verdicts.jsonl", reported), mutators.json_document),
    "sample rows": Target(csv_texts, in_run("samples/real.csv", reported), mutators.table_text),
    "sample picture": Target(lambda: pictures("PNG"), in_run("samples/real.png", reported), mutators.png),
    "checkpoint numbers": Target(sealed_checkpoint, in_run(f"{CHECKPOINT}.json", sampled), mutators.sealed_numbers),
    "checkpoint": Target(
        stored(f"table/{CHECKPOINT}.safetensors"), in_run(f"{CHECKPOINT}.safetensors", sampled), mutators.safetensors
    ),
    "csv": Target(csv_texts, reading("data.csv"), mutators.table_text),
    "csv with labels": Target(labelled_texts, reading("data.csv", labels="tree", kind="table"), mutators.table_text),
    "parquet": Target(parquets, reading("data.parquet")),
    "npy": Target(lambda: arrays("npy"), reading("data.npy"), mutators.npy),
    "npz": Target(lambda: arrays("npz"), reading("data.npz"), mutators.zipped(mutators.npy)),
    "zip": Target(zips, reading("data.zip", max_bad_share=0.9), mutators.zipped(mutators.png)),
    "png": Target(lambda: pictures("PNG"), picture(".png"), mutators.png),
    "jpeg": Target(lambda: pictures("JPEG"), picture(".jpg")),
    "other pictures": Target(lambda: pictures("GIF", "BMP", "WEBP", "TIFF"), picture(".webp")),
}


YAML_TARGETS = ("config", "settings", "sweep", "config of a run")


class Watch:
    """What a reader does to the world while it reads; seen by an audit hook, which cannot be taken off again."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = f"{scratch.resolve()}{os.sep}"
        self.is_on = False
        self.faults: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, facts: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event in FORBIDDEN_EVENTS:
            self.faults.append(f"{event} {facts[:1]!r:.100}")
        elif event in CHANGING_EVENTS:
            self._look(event, facts[0])
        elif event == "open" and len(facts) == 3 and isinstance(facts[2], int) and facts[2] & (os.O_WRONLY | os.O_RDWR):
            self._look(event, facts[0])

    def _look(self, event: str, path: Any) -> None:
        if isinstance(path, int):
            return
        name = os.path.realpath(os.fsdecode(path))
        if not name.startswith(self.scratch):
            self.faults.append(f"{event} {name!r:.100}")


def fuzz(name: str, seconds: float, work: Path, scratch: Path) -> None:
    """Fuzz one target in this process; libFuzzer ends the process when the time is over."""
    import atheris

    # yaml only where it reads what is fuzzed: instrumented, it takes most of the time of all the others.
    parsers = ["yaml"] if name in YAML_TARGETS else ["zipfile", "csv", "json"]
    with atheris.instrument_imports(include=["equipoise", *parsers]):
        import equipoise.experiment
        import equipoise.experiment.sweep.run
        import equipoise.reports  # noqa: F401
        from equipoise.errors import EXIT_BAD_INPUT, EXIT_UNEXPECTED, EquipoiseError

    import matplotlib.pyplot  # noqa: F401  (its caches are written when it is imported, not by a reader)
    import torch

    torch.set_num_threads(1)
    target = TARGETS[name]
    folder = work / name.replace(" ", "-")
    corpus, findings = folder / "corpus", folder / "findings"
    for path in (corpus, findings):
        path.mkdir(parents=True, exist_ok=True)
    if name not in YAML_TARGETS:
        remember_yaml()
    for content in target.seeds():
        (corpus / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
        target_runs(target, content, scratch)  # imports that happen late do so before anything is watched
    watch = Watch(scratch)
    tally: dict[str, Any] = {"executions": 0, "accepted": 0, "refused": 0, "findings": {}}
    begun = last = time.monotonic()

    def one(content: bytes) -> None:
        nonlocal last
        watch.faults.clear()
        watch.is_on = True
        fault = ""
        try:
            target.run(content, scratch)
            tally["accepted"] += 1
        except EquipoiseError as error:
            tally["refused"] += 1
            if error.exit_code not in (EXIT_BAD_INPUT, EXIT_UNEXPECTED):
                fault = f"exit code {error.exit_code}"
        except Exception as error:
            ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "equipoise" in frame.filename]
            place = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "?"
            fault = f"{type(error).__name__} in {place}: {str(error)[:80]}"
        finally:
            watch.is_on = False
        tally["executions"] += 1
        for text in filter(None, [fault, *watch.faults]):
            key = text.split(":")[0] + (text.split(":")[1] if " in " in text else "")
            if key not in tally["findings"]:
                tally["findings"][key] = text
                (findings / hashlib.sha256(key.encode()).hexdigest()[:12]).write_bytes(content)
                print(f"FINDING {name}: {text}", flush=True)
        if time.monotonic() - last > 1 or fault:
            last = time.monotonic()
            (folder / "tally.json").write_text(json.dumps({**tally, "seconds": last - begun}))

    def mutate(content: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if target.mutate is None or chance.random() < 0.5:
            return atheris.Mutate(content, most)

        def change(part: bytes) -> bytes:
            return atheris.Mutate(part, max(1, min(most, 2 * len(part) + 8)))

        made = target.mutate(content, chance, change)
        return made if len(made) <= most else atheris.Mutate(content, most)

    options = [
        f"-max_total_time={math.ceil(seconds) + 2}",
        f"-timeout={SECONDS_PER_FILE}",
        f"-rss_limit_mb={MEGABYTES}",
        f"-max_len={LONGEST_FILE}",
        f"-artifact_prefix={findings}/",
        "-verbosity=0",
        "-seed=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


def remember_yaml() -> None:
    """Parse no document twice: the sound configuration beside a fuzzed file takes most of the time otherwise."""
    from equipoise import documents

    original, known = documents.parse_yaml, {}

    def parse_yaml(text: str, *, lines: dict[str, int] | None = None) -> Any:
        if text not in known:
            found: dict[str, int] = {}
            known[text] = (original(text, lines=found), found)
        value, found = known[text]
        if lines is not None:
            lines.update(found)
        return copy.deepcopy(value)

    for module in list(sys.modules.values()):
        if getattr(module, "parse_yaml", None) is original:
            module.parse_yaml = parse_yaml


def target_runs(target: Target, content: bytes, scratch: Path) -> None:
    """Run a target on a file that may well be refused."""
    from equipoise.errors import EquipoiseError

    try:
        target.run(content, scratch)
    except EquipoiseError:
        pass


def fuzz_beside(name: str, seconds: float, work: Path) -> dict[str, Any]:
    """Fuzz one target in a process of its own; the row of it."""
    folder = work / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tally.json").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="equipoise-fuzz-", dir=MEMORY if MEMORY.is_dir() else None) as scratch:
        command = [
            sys.executable,
            __file__,
            "--child",
            name,
            "--seconds",
            str(seconds),
            "--work",
            str(work),
            "--scratch",
            scratch,
        ]
        finished = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    for line in finished.stdout.splitlines():
        if line.startswith("FINDING"):
            print(line, flush=True)
    path = folder / "tally.json"
    tally = json.loads(path.read_text()) if path.is_file() else {"executions": 0, "seconds": 0.0, "findings": {}}
    findings = list(tally["findings"].values())
    if finished.returncode != 0:  # libFuzzer itself: a timeout, the memory, a crash of the interpreter
        said = [line for line in finished.stderr.splitlines() if line.startswith("SUMMARY") or "Error" in line]
        findings.append((said or ["ended without a word"])[-1][:200])
        (folder / "stderr.txt").write_text(finished.stderr)
        print(f"FINDING {name}: {findings[-1]}", flush=True)
    return {
        "claim": "readers let only their own errors out",
        "target": name,
        "executions": tally["executions"],
        "accepted": tally.get("accepted", 0),
        "refused": tally.get("refused", 0),
        "seconds": round(tally["seconds"], 1),
        "findings": findings,
    }


def environment() -> dict[str, Any]:
    """Where a row was measured."""
    from importlib.metadata import version

    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    packages = {name: version(name) for name in ("atheris", "numpy", "pandas", "pyarrow", "pillow", "pyyaml", "torch")}
    return {
        "seed": 1,
        "device": platform.machine(),
        "python": platform.python_version(),
        **packages,
        "commit": git.stdout.strip() or "unknown",
    }


def main() -> None:
    """Fuzz all targets, or one, and store a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15, help="of all targets together")
    parser.add_argument("--target", choices=sorted(TARGETS), action="append", help="default: all")
    parser.add_argument("--work", type=Path, default=Path("fuzz-work"), help="corpus and findings; kept between calls")
    parser.add_argument("--rows", type=Path, help="where a row for each target is added")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        fuzz(asked.child, asked.seconds, asked.work.resolve(), asked.scratch)
        return
    names = asked.target or list(TARGETS)
    found = 0
    for name in names:
        row = fuzz_beside(name, 60 * asked.minutes / len(names), asked.work.resolve())
        found += len(row["findings"])
        said = f"{row['executions']:8} files, {row['accepted']:8} accepted, {row['seconds']:6} s, "
        said += f"{len(row['findings'])} findings"
        print(f"{name:22} {said}", flush=True)
        if asked.rows is not None:
            with open(asked.rows, "a", encoding="utf-8") as stream:
                stream.write(json.dumps({**row, **environment()}) + "\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
