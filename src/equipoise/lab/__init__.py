"""Known answers, measured with the real game: one file per experiment, each answering a question people ask.

Every experiment is a function that returns a frozen result with `to_text()`, `to_json()` and `figure()`. A new one is
one new file with `EXPERIMENTS = {"name": function}`.
"""

from __future__ import annotations

from equipoise.lab.base import Experiment, Result, available, find, question, write_result

__all__ = ["Experiment", "Result", "available", "find", "question", "write_result"]
