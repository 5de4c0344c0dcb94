"""What every kind of rule between columns promises: samples obey, rows come back, violations are refused with rows."""

from __future__ import annotations

import datetime
import decimal
import itertools
import json

import numpy as np
import pandas as pd
import pytest

from equipoise.data import DataOptions, encoder_from_state, load, prepare
from equipoise.data.tables.rules.base import available_rules
from equipoise.data.tables.rules.language import read_rule
from equipoise.errors import EquipoiseError
from equipoise.files import plain

ROWS = 700
NUMBERS = np.random.default_rng(11)


def some(share: float = 0.2) -> np.ndarray:
    return NUMBERS.random(ROWS) < share


def whole(low: int, high: int) -> np.ndarray:
    return NUMBERS.integers(low, high, ROWS)


def money() -> np.ndarray:
    return NUMBERS.lognormal(3, 1, ROWS).round(2)


def days() -> pd.Series:
    return pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(whole(0, 300), unit="D"))


def spans(unit: str = "h", top: int = 200) -> pd.Series:
    return pd.Series(pd.to_timedelta(whole(0, top), unit=unit))


def gaps(values) -> pd.Series:
    found = pd.Series(values)
    return (found.astype("Int64") if pd.api.types.is_integer_dtype(found.dtype) else found).mask(some())


def frames() -> dict[str, tuple[list[str], dict]]:
    """Rules, and columns that obey them: every kind of number and date, with and without gaps."""
    a, gap, cents = whole(-50, 50), whole(0, 90), money()
    start, stay = days(), spans()
    zoned = start.dt.tz_localize("Europe/Berlin") + spans("s", 90_000)
    dates = [each.date() for each in start]
    later = [each + datetime.timedelta(days=int(k)) for each, k in zip(dates, whole(0, 40), strict=True)]
    priced = [decimal.Decimal(int(k)) / 100 for k in whole(100, 9000)]
    raised = [each + decimal.Decimal(int(k)) / 1000 for each, k in zip(priced, whole(0, 900), strict=True)]
    month, city = days().dt.to_period("M"), whole(0, 12)
    either = pd.Series(a).astype("Int64").mask(some())
    ns = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(whole(0, 2**62), unit="ns") / 40)
    return {
        "whole": (["a <= b"], {"a": a, "b": a + gap}),
        "whole, strictly": (["b > a"], {"a": a, "b": a + gap + 1}),
        "small types": (["a <= b"], {"a": a.astype(np.int8), "b": (a + gap // 3).astype(np.int8)}),
        "whole with gaps": (["a <= b"], {"a": either, "b": pd.Series(a + gap).astype("Int64").mask(some())}),
        "real": (["a <= b"], {"a": cents, "b": (cents + money()).round(2)}),
        "real, strictly": (["a < b"], {"a": cents, "b": (cents + money()).round(2)}),
        "real of any decimals": (["a < b"], {"a": cents * np.pi, "b": cents * np.pi + NUMBERS.random(ROWS) + 1e-9}),
        "real with gaps": (["a <= b"], {"a": pd.Series(cents).mask(some()), "b": pd.Series(cents * 2).mask(some())}),
        "decimals": (["a <= b"], {"a": priced, "b": raised}),
        "dates": (["a <= b"], {"a": start, "b": (start + stay.dt.floor("D")).mask(some())}),
        "dates with gaps first": (["a <= b"], {"a": start.mask(some()), "b": start + stay}),
        "dates with a zone": (["a <= b"], {"a": zoned, "b": zoned + stay}),
        "dates in nanoseconds": (["a < b"], {"a": ns, "b": ns + pd.to_timedelta(whole(1, 9), unit="ns")}),
        "Python's dates": (["a <= b"], {"a": dates, "b": later}),
        "periods": (["a <= b"], {"a": month, "b": month + whole(0, 5)}),
        "durations": (["a <= b"], {"a": stay, "b": stay + spans()}),
        "a chain": (["a <= b <= c"], {"a": a, "b": a + gap, "c": a + gap + whole(0, 5)}),
        "a chain with gaps": (["a <= b <= c"], {"a": a, "b": gaps(a + gap), "c": a + gap + whole(0, 5)}),
        "a falling chain with gaps": (["c > b > a"], {"a": a, "b": gaps(a + gap + 1), "c": a + gap + whole(2, 5)}),
        "a chain with gaps everywhere": (
            ["a < b < c"],
            {"a": gaps(cents), "b": gaps(2 * cents), "c": gaps(2 * cents + money())},
        ),
        "a chain of four with gaps": (
            ["a <= b <= c <= d"],
            {"a": start, "b": gaps(start + stay), "c": gaps(start + 2 * stay), "d": start + 2 * stay + spans()},
        ),
        "a chain that is made from its end": (
            ["x + y = c", "a <= b <= c"],
            {"a": a - 2 * gap, "b": gaps(a - gap), "c": a, "x": a - 7, "y": np.full(ROWS, 7) + 0 * gap},
        ),
        "two below one": (["a <= c", "b <= c"], {"a": a, "b": a - gap, "c": a + whole(0, 9)}),
        "sum of whole": (["a + b = c"], {"a": a, "b": gap, "c": a + gap}),
        "sum of money": (["a + b = c"], {"a": cents, "b": cents[::-1], "c": (cents + cents[::-1]).round(2)}),
        "difference": (["a - b = c"], {"a": cents, "b": cents[::-1], "c": (cents - cents[::-1]).round(2)}),
        "sum of four": (["a + b - c = d"], {"a": a, "b": gap, "c": gap // 2, "d": a + gap - gap // 2}),
        "sum with gaps": (
            ["a + b = c"],
            {"a": either, "b": gap, "c": pd.Series(a + gap).astype("Int64").mask(some())},
        ),
        "end of a stay": (["a + stay = b"], {"a": start, "stay": stay, "b": (start + stay).mask(some())}),
        "sum and order": (["a + b = c", "b <= a"], {"a": a, "b": a - gap, "c": 2 * a - gap}),
        "combinations": (
            ["fixed(town, zip, day)"],
            {"town": np.array(list("ABCDEFGHIJKL"))[city], "zip": city // 2 * 10, "day": start[city].to_numpy()},
        ),
        "combinations with gaps": (
            ["fixed(town, zip)"],
            {"town": pd.Series(np.array(list("ABCDEFGHIJKL"))[city]).mask(city == 3), "zip": city % 5 * 1.5},
        ),
        "look-up": ([], {"town": np.array(list("ABCDEFGHIJKL"))[city], "land": city // 3, "big": city % 2 == 0}),
        "look-up with gaps": (
            [],
            {
                "town": pd.Series(np.array(list("ABCDEFGHIJKL"))[city]).mask(city == 3),
                "land": pd.Series(city // 3 * 1.5).mask(city == 7),
            },
        ),
        "look-up in numbers": ([], {"age": whole(0, 90), "group": None}),
        "look-up of an end": (
            ["land <= above"],
            {"town": np.array(list("ABCDEFGHIJKL"))[city], "land": city // 3, "above": city // 3 + whole(0, 9)},
        ),
    }


FRAMES = frames()
FRAMES["look-up in numbers"][1]["group"] = pd.Series(FRAMES["look-up in numbers"][1]["age"] // 10 * 10)


def frame_of(name: str) -> pd.DataFrame:
    columns = {key: pd.Series(value).reset_index(drop=True) for key, value in FRAMES[name][1].items()}
    return pd.DataFrame({"noise": NUMBERS.normal(size=ROWS), **columns, "coin": NUMBERS.choice(["x", "y"], ROWS)})


def prepared(frame: pd.DataFrame, *rules: str):
    found = prepare(load(frame, options=DataOptions(rules=rules)), seed=0)
    return found, encoder_from_state(json.loads(json.dumps(plain(found.encoder.state()))))


def numeric(column: pd.Series) -> pd.Series:
    """Numbers that can be added: decimals exactly, dates and periods as they are."""
    found = column.dropna()
    if len(found) and isinstance(found.iloc[0], datetime.date) and not isinstance(found.iloc[0], datetime.datetime):
        return pd.to_datetime(column)
    return column.astype("Int64") if pd.api.types.is_integer_dtype(column.dtype) else column


def violations(name: str, rows: pd.DataFrame, real: pd.DataFrame) -> int:
    """Rows that break the rules of a case, by what the rules say and not by our code."""
    value = {column: numeric(rows[column]) for column in rows}
    bad = pd.Series(False, index=rows.index)
    for text in FRAMES[name][0]:
        if text.startswith("fixed"):
            columns = text[6:-1].split(", ")
            known = set(map(tuple, real[columns].astype(str).to_numpy()))
            bad |= pd.Series([tuple(row) not in known for row in rows[columns].astype(str).to_numpy()])
        elif "=" in text.replace("<=", "").replace(">=", ""):
            left, right = (side.strip() for side in text.split("="))
            terms = left.replace(" - ", " + -").split(" + ")
            total = None
            for term in terms:
                part = -value[term[1:]] if term.startswith("-") else value[term]
                total = part if total is None else total + part
            there = total.notna() & value[right].notna()
            off = total[there] - value[right][there]
            bad[there[there].index] |= (off.abs() > 1e-6) if pd.api.types.is_float_dtype(off.dtype) else off != 0 * off
        else:
            names = text.replace("<=", "<").split("<") if "<" in text else text.split(">")[::-1]
            for low, high in itertools.combinations(names, 2):
                low, high = value[low.strip()], value[high.strip()]
                there = low.notna() & high.notna()
                wrong = [a > b if "=" in text else a >= b for a, b in zip(low[there], high[there], strict=True)]
                bad[there[there].index] |= np.array(wrong, dtype=bool)
    return int(bad.sum())


@pytest.mark.parametrize("name", FRAMES)
def test_whatever_a_generator_makes_obeys_and_has_the_columns_types(name):
    frame = frame_of(name)
    _, encoder = prepared(frame, *FRAMES[name][0])
    assert violations(name, frame, frame) == 0
    for scale in (0.5, 2.0, 9.0):
        samples = scale * NUMBERS.normal(size=(1500, *encoder.space.shape)).astype(np.float32)
        rows = encoder.decode(samples)
        assert violations(name, rows, frame) == 0
        assert rows.dtypes.to_dict() == frame.dtypes.to_dict() or any(rows.isna().any())
        assert list(rows.columns) == list(frame.columns)
        assert [each for each in rows if rows[each].isna().any() and not frame[each].isna().any()] == []
        if name.startswith("look-up"):
            pairs = [
                (each.determinant.name, each.dependent.name) for each in encoder.rules.rules if each.kind == "lookup"
            ]
            assert pairs
            for above, below in pairs:
                assert (rows.groupby(above, dropna=False)[below].nunique(dropna=False) == 1).all()
                both = pd.concat([rows, frame])[[above, below]]
                assert (both.groupby(above, dropna=False)[below].nunique(dropna=False) == 1).all()


@pytest.mark.parametrize("name", FRAMES)
def test_training_rows_come_back_as_they_were(name):
    frame = frame_of(name)
    found, encoder = prepared(frame, *FRAMES[name][0])
    real = found.part("train").values
    back = encoder.decode(encoder.encode(real))
    for column in frame:
        pd.testing.assert_series_equal(back[column].isna(), real[column].isna())
        is_real = pd.api.types.is_float_dtype(real[column].dtype)
        there = real[column].notna()
        if is_real and column != "noise":
            # Two columns behind one: each within 1e-3 of the distance of neighbouring knots, which is below 2 here.
            assert np.abs(back[column][there] - real[column][there]).max() < 0.05 * real[column].std()
        elif column != "noise" and "nanoseconds" not in name:
            assert (back[column][there] == real[column][there]).all()


@pytest.mark.parametrize("name", FRAMES)
def test_every_value_of_the_training_rows_is_one_that_samples_can_have(name):
    found, encoder = prepared(frame_of(name), *FRAMES[name][0])
    real, supports = found.part("train").values, encoder.supports()
    assert list(supports) == list(real.columns)
    for column, support in supports.items():
        codes, missing = support.type.to_numeric(real[column])
        inside = np.isin(codes, support.points)
        if support.span is not None:
            inside |= (codes >= support.span[0] - 1e-9) & (codes <= support.span[1] + 1e-9)
        assert inside[~missing].all()
        assert support.has_missing >= missing.any()


def test_every_kind_of_rule_is_among_the_cases():
    kinds = {rule.kind for name in FRAMES for rule in prepared(frame_of(name), *FRAMES[name][0])[1].rules.rules}
    assert kinds == set(available_rules())


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("a <= b", "1 of 700 rows break it: row 13 (a = 99, b = 1)"),
        ("a + b = c", "rows break it: row 1 (a = "),
        ("unique(coin)", "698 of 700 rows break it: row"),
        ("fixed(noise, a)", "combinations of these columns"),
        ("a <= day", "cannot be computed with together"),
        ("a <= coin", "no size to compute with"),
        ("day + day2 = day3", "means nothing"),
        ("a <= bb", "no column is called 'bb'. Did you mean 'b'?"),
        ("a <= 3", "compares a column with a value"),
        ("a == b", "two columns are equal"),
        ("a <= a", "names one column twice"),
        ("fixed(a)", "names 1 column"),
        ("a b", "cannot be read"),
        ("a & b", "no rule"),
        ("a <= b or b <= c", "it joins rules with 'or'"),
        ("a <= b or b <= c", "draw them with --where, which reads 'or'"),
        ("a <= b and b <= c", "--rule once for each"),
        ("a + b <= c", "'a + b' is a sum, which is read beside '=' alone"),
        ("2 * a + b = c", "'2 * a' is no column: factors and numbers are not read"),
        ("a + b = 3", "'3' is no column: factors and numbers are not read"),
        ("a = -b", "'-b' is no column: factors"),
        ("odd name <= a", "Write `odd name` in backticks"),
        ("", "it is empty"),
        ("__import__('os')", "no rule"),
    ],
)
def test_a_rule_that_cannot_be_held_is_refused_with_the_reason(rule, reason):
    frame = frame_of("whole").assign(c=1, day=days(), day2=days(), day3=days())
    frame["odd name"] = 1
    frame.loc[13, ["a", "b"]] = [99, 1]
    with pytest.raises(EquipoiseError) as refusal:
        prepared(frame, rule)
    assert reason in str(refusal.value), str(refusal.value)


def test_a_sum_that_its_column_is_too_narrow_for_is_refused():
    frame = pd.DataFrame({"a": whole(0, 60), "b": whole(0, 9)})
    frame["c"] = (frame["a"] + frame["b"]).astype(np.int8)
    prepared(frame, "a + b = c")
    frame.loc[0, ["a", "b", "c"]] = [100, 1, 101]
    frame.loc[1, ["a", "b", "c"]] = [1, 100, 101]
    with pytest.raises(EquipoiseError, match="is of type int8"):
        prepared(frame, "a + b = c")


def test_rules_that_close_a_circle_are_refused_by_name():
    a = whole(0, 9)
    frame = pd.DataFrame({"a": a, "b": a, "noise": NUMBERS.normal(size=ROWS)})
    with pytest.raises(EquipoiseError, match="cannot all be held at once: a <= b; b <= a"):
        prepared(frame, "a <= b", "b <= a")


def test_a_stated_rule_takes_the_place_of_a_dependence_that_was_found():
    frame = frame_of("look-up of an end")
    _, encoder = prepared(frame, "land <= above")
    assert [(rule.kind, rule.targets) for rule in encoder.rules.rules] == [
        ("lookup", ("land",)),
        ("at_most", ("above",)),
    ]
    _, encoder = prepared(frame, "fixed(town, land)")
    assert [rule.kind for rule in encoder.rules.rules] == ["combination"]


def test_dependences_are_not_looked_for_where_nobody_wants_them():
    frame = frame_of("look-up")
    assert prepare(load(frame, options=DataOptions(dependences=False)), seed=0).encoder.rules is None


def test_names_in_rules_may_stand_in_backticks_and_chains_are_several_rules():
    found = read_rule("`date of birth` < admitted <= left", ["date of birth", "admitted", "left"])
    assert [(each.low, each.high, each.is_strict) for each in found] == [
        ("date of birth", "admitted", True),
        ("admitted", "left", False),
    ]
