"""The companion of the classifiers: a permutation test of many plain statistics, exact at any number of samples.

A classifier has to learn a difference before it can bet on it; a difference of two means is there at once. So small
smooth differences are found by statistics, and whatever has a shape of its own by classifiers.
"""

from equipoise.referee.companion.permutation_test import companion_test
from equipoise.referee.companion.result import Companion, Difference

__all__ = ["Companion", "Difference", "companion_test"]
