"""CPU-seconds of `judge`, this version and an earlier one in turn: the same two sides, a process each, in one run.

A process reads a line (case, kind, counts, seed) and answers with a line (CPU-seconds of all its threads). Only what
both versions have is called: `judge` with all its checks and without injection of defects.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from referee_data import Pools, cases
from referee_rows import Row

HERE = Path(__file__).resolve().parent


class Pair:
    """Two processes: this version, and that of another checkout."""

    def __init__(self, other: Path, adult: Path | None, mnist: Path | None) -> None:
        paths = [json.dumps(None if path is None else str(path.resolve())) for path in (adult, mnist)]
        self._trees = {False: HERE.parent, True: other.resolve()}
        self._processes = {
            is_other: subprocess.Popen(
                [sys.executable, str(HERE / "referee_cost.py"), *paths, str(tree / "src")],
                env=os.environ | {"PYTHONPATH": str(tree / "src")},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for is_other, tree in self._trees.items()
        }

    def __enter__(self) -> Pair:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            process.stdin.close()
            process.wait()

    def measured(self, row: Row, seed: int) -> list[dict[str, Any]]:
        """One judgement by each, one after the other."""
        request = json.dumps({"case": row.case, "kind": row.kind, "counts": [row.real, row.fake], "seed": seed})
        found = []
        for is_other, process in self._processes.items():
            process.stdin.write(request + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            if not answer:
                raise SystemExit(f"{row.name}: the process of {self._trees[is_other]} ended without an answer.")
            found.append(json.loads(answer) | {"is_other": is_other})
        return found


def _serve(adult: str | None, mnist: str | None, source: str) -> None:
    import equipoise
    from equipoise.referee import judge

    # An installed copy that shadows the checkout would time something else.
    assert Path(equipoise.__file__).is_relative_to(source), (equipoise.__file__, source)
    drawn_by = cases(Pools(adult and Path(adult), mnist and Path(mnist)))
    asked_before: set[str] = set()
    for line in sys.stdin:
        request = json.loads(line)
        sides = drawn_by[request["case"]](np.random.default_rng(request["seed"]), *request["counts"])
        if request["kind"] not in asked_before:  # imports and first calls of libraries are not the verdict's cost
            asked_before.add(request["kind"])
            judge(*(side[:200] for side in sides), kind=request["kind"])
        started = time.process_time()
        verdict = judge(*sides, kind=request["kind"])
        seconds = time.process_time() - started
        print(json.dumps({"cpu_seconds": round(seconds, 3), "alarm": verdict.exit_code == 10}), flush=True)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3])
