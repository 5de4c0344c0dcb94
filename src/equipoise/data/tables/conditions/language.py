"""The language of conditions: `income == '>50K' and 30 <= age < 40 and sex in ['Female']`, or a mapping.

A condition compares columns with values: ==, !=, <, <=, >, >=, in [...], not in [...], `is missing`, `is not missing`,
joined by and, or, not and brackets; comparisons may be chained. A column of truth values may stand alone. A name that
is no word of letters, digits and underscores is put in backticks. The text is parsed as a Python expression, of which
these forms alone are read; nothing of it is ever run.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.conditions.condition import (
    AllOf,
    AnyOf,
    Condition,
    Name,
    Term,
    Within,
    condition_of,
    negated,
)
from equipoise.data.tables.conditions.scales import FLIPPED, Scale
from equipoise.data.tables.conditions.value_sets import missing_only, present
from equipoise.data.tables.kinds.boolean import Boolean
from equipoise.errors import InputError, nearest

LONGEST = 100_000
OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
EXAMPLE = "income == '>50K' and 30 <= age < 40 and sex in ['Female']"
FORMS = "Expected comparisons of columns with values, in [...], 'is missing', and, or, not."
_MISSING = "missing"
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`([^`]*)`")
Where = str | Mapping[Any, Any]


def read_condition(
    where: Where, types: Sequence[ColumnType], *, option: str = "where", made_up: Collection[str] = ()
) -> Condition:
    """The condition that a text or a mapping states.

    Args:
        where: a text as the head of this module says; or a mapping of columns to a value, to a list of values, to
            `None` for missing, to a `slice(low, high)` for low <= x < high, or to a `pandas.Interval`.
        types: what the columns of the table hold.
        option: what it is called in messages.
        made_up: names of the columns whose values are made up.

    Raises:
        InputError: it cannot be read, names an unknown column, or a value that its column cannot have.
    """
    known = {str(kind.name): kind for kind in types}
    reader = _Reader(known, option, made_up)
    if isinstance(where, str):
        return condition_of(reader.text(where), reader.scales, where)
    if isinstance(where, Mapping):
        return condition_of(reader.mapping(where), reader.scales, str(dict(where)))
    raise InputError(
        option,
        f"it is of type {type(where).__name__}.",
        "Expected a text or a mapping of columns to values.",
        f"Write, for example: {EXAMPLE}",
    )


class _Reader:
    """Reads one condition, and keeps the scale of each column that it meets."""

    def __init__(self, known: Mapping[str, ColumnType], option: str, made_up: Collection[str]) -> None:
        self.known, self.option, self.made_up = known, option, made_up
        self.scales: dict[Name, Scale] = {}
        self._quoted: dict[str, str] = {}

    def text(self, text: str) -> Term:
        if not text.strip() or len(text) > LONGEST:
            found = "it is empty." if not text.strip() else f"it has {len(text):,} characters."
            raise InputError(self.option, found, FORMS, f"Write, for example: {EXAMPLE}")
        try:
            tree = ast.parse(QUOTED.sub(self._without_backticks, text).strip(), mode="eval").body
            return self._term(tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise self._unreadable(text, error) from None

    def mapping(self, wanted: Mapping[Any, Any]) -> Term:
        if not wanted:
            raise InputError(self.option, "it names no column.", FORMS, "Leave it out, or name a column.")
        parts: list[Term] = []
        for name, value in wanted.items():
            scale = self._scale(str(name))
            column = scale.type.name
            if isinstance(value, slice):
                ends = [(">=", value.start), ("<", value.stop)]
                parts += [Within(column, scale.compared(op, end)) for op, end in ends if end is not None]
            elif isinstance(value, pd.Interval):
                low = ">=" if value.closed_left else ">"
                high = "<=" if value.closed_right else "<"
                parts += [Within(column, scale.compared(low, value.left))]
                parts += [Within(column, scale.compared(high, value.right))]
            elif isinstance(value, (list, tuple, set, frozenset, np.ndarray, pd.Series, pd.Index)):
                parts.append(self._listed(scale, list(value)))
            else:
                parts.append(self._equal(scale, value))
        return AllOf(tuple(parts))

    def _equal(self, scale: Scale, value: Any) -> Within:
        if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
            return Within(scale.type.name, missing_only(is_whole=scale.is_whole))
        return Within(scale.type.name, scale.compared("==", value))

    def _listed(self, scale: Scale, values: list[Any]) -> Term:
        if not values:
            raise InputError(
                scale.where, "its list of values is empty.", "Expected one value or more.", "Name some values."
            )
        return AnyOf(tuple(self._equal(scale, value) for value in values))

    def _term(self, node: ast.expr) -> Term:
        if isinstance(node, ast.BoolOp):
            parts = tuple(self._term(part) for part in node.values)
            return AllOf(parts) if isinstance(node.op, ast.And) else AnyOf(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return negated(self._term(node.operand))
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            pairs = zip(sides[:-1], node.ops, sides[1:], strict=True)
            return AllOf(tuple(self._comparison(left, op, right) for left, op, right in pairs))
        if isinstance(node, ast.Name):
            scale = self._scale(self._name(node))
            if isinstance(scale.type, Boolean):
                return Within(scale.type.name, scale.compared("==", True))
            raise InputError(
                scale.where,
                f"it stands alone, and holds no truth values but the kind '{scale.type.kind}'.",
                "Expected a comparison with a value.",
                f"Write, for example: {EXAMPLE}",
            )
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            raise self._refused(node, "'&' and '|' are not read", "Write 'and' and 'or'.")
        raise self._refused(node, "this is no condition")

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Term:
        if isinstance(op, (ast.Is, ast.IsNot)):
            return self._missing(left, op, right)
        if isinstance(op, (ast.In, ast.NotIn)):
            if not isinstance(right, (ast.List, ast.Tuple, ast.Set)):
                raise self._refused(right, "after 'in' there is no list", "Write, for example, sex in ['Female'].")
            scale = self._column(left)
            found = self._listed(scale, [self._literal(each) for each in right.elts])
            return negated(found) if isinstance(op, ast.NotIn) else found
        if type(op) not in OPERATORS:
            raise self._refused(left, "this is no comparison")
        operator = OPERATORS[type(op)]
        if not self._is_column(left):
            left, right, operator = right, left, FLIPPED[operator]
        scale = self._column(left)
        if isinstance(right, ast.BinOp) and isinstance(right.op, (ast.BitAnd, ast.BitOr)):
            raise self._refused(right, "'&' and '|' are not read", "Write 'and' and 'or'.")
        if self._is_column(right):
            raise InputError(
                scale.where,
                f"it is compared with '{self._shown(right)}', which is no value.",
                "Expected a value beside a column.",
                "Put text in quotes. What holds between two columns in every row is a rule: see --rule.",
            )
        value = self._literal(right)
        if value is None:
            found = self._equal(scale, None)
            return negated(found) if operator == "!=" else found
        return Within(scale.type.name, scale.compared(operator, value))

    def _missing(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Term:
        is_missing = isinstance(right, ast.Name) and right.id == _MISSING
        if not is_missing and not (isinstance(right, ast.Constant) and right.value is None):
            raise self._refused(right, "after 'is' there is no 'missing'", "Write == for values.")
        scale = self._column(left)
        make = missing_only if isinstance(op, ast.Is) else present
        return Within(scale.type.name, make(is_whole=scale.is_whole))

    def _is_column(self, node: ast.expr) -> bool:
        return isinstance(node, (ast.Name, ast.BinOp, ast.Attribute))

    def _column(self, node: ast.expr) -> Scale:
        if isinstance(node, ast.Name):
            return self._scale(self._name(node))
        written = ast.unparse(node).replace(" ", "")
        meant = [name for name in self.known if name.replace(" ", "") == written]
        if meant:
            raise self._refused(node, "a name with other signs than letters, digits and _", f"Write `{meant[0]}`.")
        raise self._refused(node, "no column stands here")

    def _name(self, node: ast.Name) -> str:
        return self._quoted.get(node.id, node.id)

    def _scale(self, name: str) -> Scale:
        if name in self.made_up and name not in self.known:
            raise InputError(
                f"{self.option}, column '{name}'",
                "its values are made up, as those of keys and free text are: no condition can hold them.",
                f"Expected a column that is learned: {self._columns_shown()}.",
                "Leave it out of the condition, or train with another kind for it in --columns FILE.",
            )
        if name not in self.known:
            raise InputError(
                self.option,
                f"no column is called '{name}'.{nearest(name, self.known)}",
                f"Its columns: {self._columns_shown()}.",
                "Text stands in quotes; a name of several words in backticks.",
            )
        kind = self.known[name]
        return self.scales.setdefault(kind.name, Scale(kind, f"{self.option}, column '{name}'"))

    def _columns_shown(self) -> str:
        return f"{', '.join(list(self.known)[:30])}{', ...' if len(self.known) > 30 else ''}"

    def _literal(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float, bool, type(None))):
            return node.value
        is_signed = isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd))
        if is_signed and isinstance(node.operand, ast.Constant) and type(node.operand.value) in (int, float):
            return -node.operand.value if isinstance(node.op, ast.USub) else node.operand.value
        raise self._refused(node, "this is no value", "Put text and dates in quotes; write numbers without.")

    def _without_backticks(self, found: re.Match) -> str:
        if found[1] is None:
            return found[0]
        place = f"__column_{len(self._quoted)}__"
        self._quoted[place] = found[1]
        return place

    def _shown(self, node: ast.expr) -> str:
        text = ast.unparse(node)
        for place, name in self._quoted.items():
            text = text.replace(place, f"`{name}`")
        return text[:80]

    def _refused(self, node: ast.expr, found: str, advice: str = "") -> InputError:
        return InputError(
            self.option, f"'{self._shown(node)}': {found}.", FORMS, advice or f"Write, for example: {EXAMPLE}"
        )

    def _unreadable(self, text: str, error: Exception) -> InputError:
        place = getattr(error, "offset", None)
        near = f" near '{text[max(0, place - 12) : place + 8]}'" if place else ""
        odd = [name for name in self.known if is_odd(name) and name in text and f"`{name}`" not in text]
        advice = f"Write, for example: {EXAMPLE}"
        if odd:
            advice = f"Write `{odd[0]}` in backticks."
        elif re.search(r"(?<![=!<>])=(?!=)", text):
            advice = "Write == for 'is equal to'."
        return InputError(self.option, f"it cannot be read{near}.", FORMS, advice)


def is_odd(name: str) -> bool:
    """Whether a name has to stand in backticks."""
    return not name.isidentifier() or keyword.iskeyword(name)
