"""What stands before a run begins: its complete configuration, its data, and parts that only code can make."""

from __future__ import annotations

from dataclasses import dataclass

from equipoise.data import PreparedData
from equipoise.experiment.build.python_parts import PythonParts
from equipoise.experiment.config.schema import RunConfig


@dataclass(frozen=True)
class Planned:
    """A complete configuration with the data it is about, and the parts that it cannot make itself.

    Attributes:
        config: the complete configuration.
        data: prepared as it says.
        parts: objects of the person's own.
        remark: what a person should know of the plan before the run begins; empty where nothing is unusual.
    """

    config: RunConfig
    data: PreparedData
    parts: PythonParts = PythonParts()
    remark: str = ""
