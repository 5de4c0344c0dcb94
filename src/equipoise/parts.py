"""Finds the parts that live one to a file: every module of a package that declares a table of factories."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any, Generic, TypeVar

from equipoise.errors import OldName, unknown_name

Part = TypeVar("Part")


class Parts(Generic[Part]):
    """The parts of a package by name; they are imported when the first one is asked for.

    Args:
        package: name of the package whose modules hold one part each, or a few.
        table: name of the tables that the modules declare.
        kind: what a part is called in an error message.
        where: what an error message calls the place where a name is usually written.
        renamed: names of an earlier version, to those of today.
    """

    def __init__(
        self, package: str, table: str, *, kind: str, where: str, renamed: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._package, self._table, self._kind, self._where = package, table, kind, where
        self._renamed = renamed

    def available(self) -> tuple[str, ...]:
        """Names of all parts, sorted."""
        return tuple(sorted(self._found()))

    def find(self, name: str, *, where: str | None = None) -> Part:
        """The part called `name`.

        Args:
            name: one of `available()`.
            where: the place where the name was written, for an error message.

        Raises:
            ConfigError: there is none of that name; the nearest one is suggested.
        """
        if name in self._renamed:
            warnings.warn(OldName(f"'{name}' is now '{self._renamed[name]}'."), stacklevel=2)
            name = self._renamed[name]
        if name not in self._found():
            raise unknown_name(where or self._where, self._kind, name, self.available())
        return self._found()[name]

    def _found(self) -> Mapping[str, Part]:
        return discover(importlib.import_module(self._package), self._table)


@cache
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
