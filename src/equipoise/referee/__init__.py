"""The referee: judges whether real and generated samples can still be told apart, whatever made them."""

from equipoise.referee.extractors import extractor_member, onnx_extractor
from equipoise.referee.judge import judge
from equipoise.referee.looks import LookPlan, look, plan_looks, screened_resolution
from equipoise.referee.members import members_for
from equipoise.referee.resolution import Resolution
from equipoise.referee.verdict import Conclusion, Verdict

__all__ = [
    "Conclusion",
    "LookPlan",
    "Resolution",
    "Verdict",
    "extractor_member",
    "judge",
    "look",
    "members_for",
    "onnx_extractor",
    "plan_looks",
    "screened_resolution",
]
