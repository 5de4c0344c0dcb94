"""Finds the parts that live one to a file: every module of a package that declares a table of factories."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any


def discover(package: ModuleType, table: str) -> Mapping[str, Any]:
    """All entries of the tables called `table` in the modules of `package`, by name.

    A new part is one new file with `OBJECTIVES = {"name": factory}` (or `PENALTIES`, `NETWORKS`, ...); it is found here
    and by the contract tests, and nothing else has to be edited.
    """
    found: dict[str, Any] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        declared = getattr(importlib.import_module(f"{package.__name__}.{module}"), table, {})
        clashes = found.keys() & declared.keys()
        assert not clashes, f"{package.__name__}.{module} declares {sorted(clashes)} again"
        found.update(declared)
    return MappingProxyType(dict(sorted(found.items())))  # by name: a file that is renamed changes no order
