"""The referee: judges whether real and generated samples can still be told apart, whatever made them."""

from equipoise.referee.judge import judge
from equipoise.referee.verdict import Conclusion, Verdict

__all__ = ["Conclusion", "Verdict", "judge"]
