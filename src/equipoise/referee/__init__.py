"""The referee, a classifier two-sample test: can real and generated samples be distinguished, whatever made them?

Names are loaded when they are first used, so that a report can word a verdict without loading what made it.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Conclusion": "equipoise.referee.verdict",
    "EvaluationPlan": "equipoise.referee.evaluation_plan",
    "Ranking": "equipoise.referee.ranking",
    "Sensitivity": "equipoise.referee.detectable_effect",
    "Verdict": "equipoise.referee.verdict",
    "classifiers_for": "equipoise.referee.classifiers",
    "evaluate": "equipoise.referee.evaluation_plan",
    "extractor_classifier": "equipoise.referee.extractors",
    "judge": "equipoise.referee.two_sample_test",
    "onnx_extractor": "equipoise.features",
    "plan_evaluations": "equipoise.referee.evaluation_plan",
    "quick_sensitivity": "equipoise.referee.evaluation_plan",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'equipoise.referee' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
