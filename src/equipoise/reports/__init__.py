"""Pages, comparisons and lists made from run folders alone, so that they can show a run they did not start."""

from equipoise.reports.comparing import Comparison, compare, write_comparison
from equipoise.reports.groups import Group
from equipoise.reports.listing import RunSummary, list_runs
from equipoise.reports.page import write_report

__all__ = ["Comparison", "Group", "RunSummary", "compare", "list_runs", "write_comparison", "write_report"]
