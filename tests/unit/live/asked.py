"""What tests ask a server of runs for, and rows that they write."""

from __future__ import annotations

import json

from starlette.testclient import TestClient


def key_in(asking: TestClient, name: str = "first") -> str:
    """The key of the run with a name."""
    runs = asking.get("/api/runs").json()["runs"]
    return next(run["key"] for run in runs if run["name"] == name)


def row(step: int, **more: object) -> str:
    """A line of `metrics.jsonl`."""
    return json.dumps({"step": step, "seconds": step * 0.01, "value": -1.0 / step, **more}) + "\n"
