"""The same numbers from two checkouts: some thirty short plays on each, and all that they leave, compared bit for bit.

    python benchmarks/same_numbers.py play --source OLD/src --out same/old
    python benchmarks/same_numbers.py play --source NEW/src --out same/new --python NEW/.venv/bin/python
    python benchmarks/same_numbers.py compare same/old same/new [--json]
    python benchmarks/same_numbers.py all --old OLD --new NEW --out same
    python benchmarks/same_numbers.py list; python benchmarks/same_numbers.py all ... --only digits "judge points"

For a change that is meant to alter no number: a refactoring. Both sides are played on one machine, on one thread, with
fixed seeds and fixed numbers of steps, through the command line (`python -m equipoise`) and the public functions
`eq.fit`, `eq.load` and `eq.judge`; nothing else of the package is used, so its modules may be called otherwise.

Compared as numbers, bit for bit: samples (pictures by their pixels), every tensor of every checkpoint, measured rows,
verdicts, exit codes. Each file that differs is listed with the place where the difference begins. Compared as records,
listed apart, and no reason to fail: settings, descriptions of the data, plans, drawings of numbers that are compared
themselves, names of tensors, and bytes of files whose contents are the same. Not compared: times, paths, sentences.

The commands are written in the names of version 0.1.0. All of them stand in `NAMES` of `same_numbers_cases.py`, in case
that a version no longer takes them; what a version calls otherwise in its files belongs into `RENAMED_KEYS`,
`RENAMED_VALUES` and `RENAMED_FILES` of `same_numbers_compare.py`.

The exit code of `compare` and `all` is 1 if a number differs or is missing; that of `play`, if a command failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from same_numbers_cases import (
    EXIT_CODES,
    FACTS,
    FINE,
    INTERRUPTED,
    LONGEST_SECONDS,
    NAMES,
    Case,
    Command,
    cases,
    folder_name,
    write_data,
)
from same_numbers_compare import compare

# Playing.


def play(source: Path, out: Path, *, python: str, only: Sequence[str], names: Path | None = None) -> bool:
    """Play the cases with the package below `source`; whether every command did its work.

    Args:
        source: the folder that holds the package `equipoise`.
        out: a folder that gets the data, and a folder for each case.
        python: the interpreter, with the packages that are needed.
        only: names of cases; none: all.
        names: a JSON file with other names for `NAMES`.
    """
    NAMES.update(json.loads(names.read_text()) if names else {})
    source, out, python = source.resolve(), out.resolve(), str(Path(python).absolute())
    variables = environment(source)
    program = "import equipoise; print(equipoise.__file__)"
    found = subprocess.run([python, "-c", program], env=variables, capture_output=True, text=True)
    if Path(found.stdout.strip()).parent.parent.resolve() != source:
        sys.exit(f"{python} imports {found.stdout or found.stderr} and not the package in {source}.")
    if out.exists() and any(out.iterdir()) and not (out / "facts.json").exists():
        sys.exit(f"--out {out} holds something else. Give a new folder, or one that this script has filled.")
    out.mkdir(parents=True, exist_ok=True)
    (out / "facts.json").write_text(json.dumps(facts(python, variables), indent=2) + "\n")
    write_data(out / "data")
    begun, is_fine = time.perf_counter(), True
    for held in cases():
        if only and held.name not in only:
            continue
        if held.needs and subprocess.run([python, "-c", f"import {held.needs}"], capture_output=True).returncode:
            print(f"{held.name}: left out, {held.needs} is not installed", file=sys.stderr)
            continue
        started = time.perf_counter()
        trouble = play_case(held, out / folder_name(held.name), python=python, variables=variables)
        is_fine = is_fine and not trouble
        print(f"{held.name}: {time.perf_counter() - started:.1f} s {trouble}", file=sys.stderr, flush=True)
    print(f"{time.perf_counter() - begun:.0f} s in all", file=sys.stderr)
    return is_fine


def environment(source: Path) -> dict[str, str]:
    """Variables for the commands: one thread, the package below `source`, and no settings of the person's own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("EQUIPOISE", "TORCHELASTIC"))}
    return {**kept, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def facts(python: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """What decides the bits beside the package: of another torch or numpy nobody expects the same ones."""
    found = subprocess.run([python, "-c", FACTS], env=variables, capture_output=True, text=True, check=True)
    return {**json.loads(found.stdout), "machine": platform.machine(), "data by pandas": pd.__version__}


def play_case(held: Case, folder: Path, *, python: str, variables: Mapping[str, str]) -> str:
    """Run the commands of a case in a new folder; what went wrong, or nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    codes: dict[str, int] = {}
    trouble = ""
    for number, command in enumerate(held.commands, start=1):
        is_program = len(command.words) == 1
        name = f"{number}-{'program' if is_program else command.words[0]}"
        says_json = is_program or NAMES["--json"] in command.words
        own = {NAMES["EQUIPOISE_CACHE"]: str(folder / "cache")}
        own |= {NAMES["EQUIPOISE_MAP_ABOVE_MB"]: "0"} if command.is_mapped else {}
        with (
            open(folder / f"{name}.{'json' if says_json else 'out'}", "wb") as said,
            open(folder / f"{name}.err", "wb") as err,
        ):
            child = subprocess.Popen(
                words_of(command, python), cwd=folder, env={**variables, **own}, stdout=said, stderr=err
            )
            if command.stop_after:
                stop_after(child, folder / "run" / "metrics.jsonl", command.stop_after)
            codes[name] = ended(child)
        if codes[name] not in ((INTERRUPTED,) if command.stop_after else FINE):
            trouble += f"[{name}: exit code {codes[name]}, see {folder / f'{name}.err'}]"
    (folder / EXIT_CODES).write_text(json.dumps(codes, indent=2) + "\n")
    return trouble


def words_of(command: Command, python: str) -> list[str]:
    """The whole command line."""
    if len(command.words) == 1:
        return [python, "-c", *command.words]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(command.processes)]
    return [python, *(launcher if command.processes > 1 else []), "-m", "equipoise", *command.words]


def ended(child: subprocess.Popen[bytes]) -> int:
    """The exit code of a process, when it has come to an end."""
    try:
        return child.wait(timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def stop_after(child: subprocess.Popen[bytes], metrics: Path, rows: int) -> None:
    """Ask a run to stop when it has measured so often. At which step it then stops differs; its end must not."""
    while child.poll() is None:
        if metrics.is_file() and metrics.read_bytes().count(b"\n") >= rows:
            child.send_signal(signal.SIGTERM)
            return
        time.sleep(0.002)


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print the names of the cases")
    playing = commands.add_parser("play", help="play the cases with one checkout")
    playing.add_argument("--source", type=Path, required=True, help="the folder that holds the package")
    playing.add_argument("--out", type=Path, required=True)
    playing.add_argument("--names", type=Path, help="JSON: names of 0.1.0 and what this version calls them")
    comparing = commands.add_parser("compare", help="compare what two checkouts have left")
    comparing.add_argument("sides", type=Path, nargs=2, metavar="SIDE", help="the --out of the old and of the new one")
    both = commands.add_parser("all", help="play both sides and compare")
    both.add_argument("--old", type=Path, required=True, help="a checkout")
    both.add_argument("--new", type=Path, required=True, help="a checkout")
    both.add_argument("--new-names", type=Path, help="as --names, for the new side")
    both.add_argument("--out", type=Path, required=True, help="gets the folders 'old' and 'new'")
    for each in (playing, both):
        each.add_argument("--python", default=sys.executable, help="the interpreter; default: the one of this script")
    for each in (comparing, both):
        each.add_argument("--json", action="store_true", help="print one JSON object")
    for each in (playing, comparing, both):
        each.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these cases alone")
    options = parser.parse_args()
    if options.command == "list":
        print("\n".join(held.name for held in cases()))
        return
    if unknown := {*options.only} - {held.name for held in cases()}:
        parser.error(f"no such case: {sorted(unknown)}; 'list' prints their names")
    if options.command == "play":
        sys.exit(
            0 if play(options.source, options.out, python=options.python, only=options.only, names=options.names) else 1
        )
    if options.command == "all":
        sides = [options.out / "old", options.out / "new"]
        for checkout, side, names in zip((options.old, options.new), sides, (None, options.new_names), strict=True):
            play(checkout / "src", side, python=options.python, only=options.only, names=names)
    else:
        sides = options.sides
    found = compare(*sides, only=options.only)
    print(json.dumps(found.to_json(), indent=2) if options.json else found.to_text())
    sys.exit(1 if found.numbers else 0)


if __name__ == "__main__":
    main()
