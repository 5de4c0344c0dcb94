"""The language of rules: `a <= b`, `a < b <= c`, `a + b = c`, `fixed(a, b)`, `unique(a, b)`.

A name that is no word of letters, digits and underscores is put in backticks, as in conditions. The text is parsed as
a Python expression, of which these forms alone are read; nothing of it is ever run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from equipoise.data.tables.conditions.language import QUOTED, is_odd
from equipoise.errors import InputError, nearest

FORMS = "Expected a <= b, a < b, a + b = c, fixed(a, b) or unique(a, b), where a, b, c are columns."
LONGEST = 10_000
_ONE_EQUALS = re.compile(r"(?<![=!<>])=(?!=)")
Name = str | int


@dataclass(frozen=True)
class Order:
    """`low <= high`, or `low < high`.

    Attributes:
        low: the smaller column.
        high: the larger one.
        is_strict: whether they are never equal.
        smaller: in a chain, columns below `low`, the next one first, and whether each never equals `high`.
        larger: columns above `high`, the next one first, and whether each never equals `low`.
    """

    low: Name
    high: Name
    is_strict: bool
    smaller: tuple[tuple[Name, bool], ...] = ()
    larger: tuple[tuple[Name, bool], ...] = ()


@dataclass(frozen=True)
class Equation:
    """A sum of columns, each with its sign, is 0; `total` is the one that stands alone on its side, if one does."""

    terms: tuple[Name, ...]
    signs: tuple[int, ...]
    total: Name | None


@dataclass(frozen=True)
class Fixed:
    """Only combinations that were seen."""

    columns: tuple[Name, ...]


@dataclass(frozen=True)
class Unique:
    """No two rows have the same values here."""

    columns: tuple[Name, ...]


Statement = Order | Equation | Fixed | Unique


def read_rule(text: str, names: Sequence[Name]) -> list[Statement]:
    """What a rule states; a chain of comparisons states several.

    Args:
        text: of the rule.
        names: the table's columns.

    Raises:
        InputError: it cannot be read, or names an unknown column, or one column twice.
    """
    return _Reader(text, {str(name): name for name in names}).statements()


def _chained(orders: list[Order]) -> list[Order]:
    """The orders, each with what the others of one chain say of its columns."""
    rising = orders if all(one.high == next.low for one, next in pairwise(orders)) else orders[::-1]
    if any(one.high != next.low for one, next in pairwise(rising)):
        return orders  # a <= b >= c is no chain
    found = []
    for place, order in enumerate(rising):
        smaller = [(rising[k].low, any(each.is_strict for each in rising[k : place + 1])) for k in range(place)]
        larger = [(each.high, any(o.is_strict for o in rising[place : k + 1])) for k, each in enumerate(rising)]
        found.append(replace(order, smaller=tuple(smaller[::-1]), larger=tuple(larger[place + 1 :])))
    return found if rising is orders else found[::-1]


class _Reader:
    def __init__(self, text: str, known: dict[str, Name]) -> None:
        self.text, self.known = text, known
        self._quoted: dict[str, str] = {}

    def statements(self) -> list[Statement]:
        if not isinstance(self.text, str) or not self.text.strip() or len(self.text) > LONGEST:
            raise self._refused("it is empty, or no text of reasonable length")
        plain = _ONE_EQUALS.sub("==", QUOTED.sub(self._without_backticks, self.text)).strip()
        try:
            node = ast.parse(plain, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            odd = [name for name in self.known if is_odd(name) and name in self.text and f"`{name}`" not in self.text]
            raise self._refused("it cannot be read", f"Write `{odd[0]}` in backticks." if odd else "") from None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            kind = {"fixed": Fixed, "unique": Unique}.get(node.func.id)
            if kind is not None:
                return [kind(self._columns(node.args, fewest=2 if kind is Fixed else 1))]
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if all(isinstance(op, ast.Eq) for op in node.ops) and len(node.ops) == 1:
                return [self._equation(*sides)]
            pairs = list(zip(sides[:-1], node.ops, sides[1:], strict=True))
            if all(isinstance(op, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)) for op in node.ops):
                return _chained([self._order(left, op, right) for left, op, right in pairs])
        if isinstance(node, ast.BoolOp):
            raise self._joined(node)
        raise self._refused("this is no rule")

    def _joined(self, node: ast.BoolOp) -> InputError:
        """Several rules in one: all of them can be held, one or the other cannot."""
        if isinstance(node.op, ast.And):
            return self._refused("it joins rules with 'and'", "Give each as a rule of its own: --rule once for each.")
        return self._refused(
            "it joins rules with 'or', and only what holds in every row can be held",
            "Leave it out: where samples are to obey, draw them with --where, which reads 'or'.",
        )

    def _order(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Order:
        if isinstance(left, ast.Constant) or isinstance(right, ast.Constant):
            raise self._refused(
                "it compares a column with a value", "Leave it out: samples stay within what training had."
            )
        low, high = self._columns([left, right], fewest=2)
        if isinstance(op, (ast.Gt, ast.GtE)):
            low, high = high, low
        return Order(low, high, isinstance(op, (ast.Lt, ast.Gt)))

    def _equation(self, left: ast.expr, right: ast.expr) -> Equation:
        one, other = self._sum(left, 1), self._sum(right, -1)
        found = [*one, *other]
        self._refuse_repeats([name for name, _ in found])
        alone = next((side[0][0] for side in (other, one) if len(side) == 1), None)
        if len(found) < 3:
            raise self._refused(
                "it says that two columns are equal", "Leave one of them out with data.drop: it says nothing more."
            )
        return Equation(tuple(name for name, _ in found), tuple(sign for _, sign in found), alone)

    def _sum(self, node: ast.expr, sign: int) -> list[tuple[Name, int]]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            return self._sum(node.left, sign) + self._sum(node.right, sign if isinstance(node.op, ast.Add) else -sign)
        return [(self._column(node), sign)]

    def _columns(self, nodes: Sequence[ast.expr], *, fewest: int) -> tuple[Name, ...]:
        found = [self._column(node) for node in nodes]
        self._refuse_repeats(found)
        if len(found) < fewest:
            raise self._refused(f"it names {len(found)} column{'s' if len(found) != 1 else ''}")
        return tuple(found)

    def _column(self, node: ast.expr) -> Name:
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            raise self._refused(
                f"'{ast.unparse(node)[:60]}' is a sum, which is read beside '=' alone",
                "Add the sum to the table as a column of its own, say s: then both 'a + b = s' and 's <= c' are read.",
            )
        if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Constant)):
            raise self._refused(
                f"'{ast.unparse(node)[:60]}' is no column: factors and numbers are not read",
                "Sums and differences of columns are; add what is multiplied to the table as a column of its own.",
            )
        if not isinstance(node, ast.Name):
            raise self._refused(
                f"'{ast.unparse(node)[:60]}' is no column", "Names of several words stand in backticks."
            )
        name = self._quoted.get(node.id, node.id)
        if name not in self.known:
            raise InputError(
                f"rule '{self.text}'",
                f"no column is called '{name}'.{nearest(name, self.known)}",
                f"Its columns: {', '.join(list(self.known)[:30])}{', ...' if len(self.known) > 30 else ''}.",
                "Write one of these; names of several words stand in backticks.",
            )
        return self.known[name]

    def _refuse_repeats(self, names: list[Name]) -> None:
        if len(set(names)) < len(names):
            raise self._refused("it names one column twice")

    def _without_backticks(self, found: re.Match) -> str:
        if found[1] is None:
            return found[0]
        place = f"__column_{len(self._quoted)}__"
        self._quoted[place] = found[1]
        return place

    def _refused(self, found: str, advice: str = "") -> InputError:
        return InputError(
            f"rule '{str(self.text)[:80]}'", f"{found}.", FORMS, advice or "Write, for example, admitted <= discharged."
        )
