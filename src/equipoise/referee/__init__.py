"""The referee: judges whether real and generated samples can still be told apart, whatever made them."""

from equipoise.referee.classifiers import classifiers_for
from equipoise.referee.detectable_effect import Sensitivity
from equipoise.referee.evaluation_plan import EvaluationPlan, evaluate, plan_evaluations, quick_sensitivity
from equipoise.referee.extractors import extractor_classifier, onnx_extractor
from equipoise.referee.judge import judge
from equipoise.referee.verdict import Conclusion, Verdict

__all__ = [
    "Conclusion",
    "EvaluationPlan",
    "Sensitivity",
    "Verdict",
    "classifiers_for",
    "evaluate",
    "extractor_classifier",
    "judge",
    "onnx_extractor",
    "plan_evaluations",
    "quick_sensitivity",
]
