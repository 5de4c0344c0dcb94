"""Pages, comparisons and lists made from run folders alone, so that they can show a run they did not start."""

from equipoise.reports.page import write_report

__all__ = ["write_report"]
