"""What a run writes, and what it measures once it is trained."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from equipoise.experiment.config.section import Section


class OutputsConfig(Section):
    """What is written, and how often, in steps."""

    measure_every: PositiveInt
    samples: PositiveInt = Field(12, description="How many times samples are drawn during the run.")
    checkpoint_every: PositiveInt
    final_verdict: bool = Field(True, description="Whether the referee judges the finished run.")
    table_report: bool | None = Field(
        None,
        description="Whether a finished run on a table is measured as 'equipoise report-table' does, on rows of the "
        "selection part. null: where there is a final verdict.",
    )

    @property
    def measures_table(self) -> bool:
        """Whether the rows of a finished run on a table are measured."""
        return self.final_verdict if self.table_report is None else self.table_report
