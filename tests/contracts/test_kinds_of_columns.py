"""What every kind of column of a table must satisfy; found by itself when a file is added to `data/tables/kinds/`."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from equipoise.data.tables.column_encoder import ColumnEncoder, fit_column
from equipoise.data.tables.schema import available_kinds, infer_type, type_from_state
from equipoise.data.tables.times import time_of

DAYS = [datetime.date(1969, 12, 30), datetime.date(2024, 2, 29), datetime.date(1999, 1, 1)]
TIMES = pd.to_datetime(["2024-05-31 12:30", "1950-01-01 00:00", "2024-06-01 23:59"])
EXAMPLES = {
    "number": [
        pd.Series([0.25, -3.5, 1e9]),
        pd.Series([0.1, 0.2, 0.7], dtype="float32"),
        pd.Series([1.5, 2.5, 0.0], dtype="Float64"),
    ],
    "integer": [
        pd.Series([7, -5, 2**62]),
        pd.Series([3, 2**64 - 1, 5], dtype="uint64"),
        pd.Series([1, 2, 3], dtype="int8"),
        pd.Series([10, 20, 30], dtype="Int64"),
        pd.Series([1, 2, 3], dtype=object),
    ],
    "boolean": [pd.Series([True, False, True]), pd.Series([True, False, True], dtype="boolean")],
    "category": [
        pd.Series(["b", "a", "b"]),
        pd.Series(["b", "a", "b"], dtype=object),
        pd.Series(pd.Categorical(["low", "high", "low"], ["low", "middle", "high"], ordered=True)),
        pd.Series(pd.Categorical([3, 1, 3])),
        pd.Series(pd.Categorical([True, False, True])),
        pd.Series([True, "yes", 1.5], dtype=object),
        pd.Series(["b", "a", "b"], dtype=pd.ArrowDtype(pa.string())),
    ],
    "datetime": [
        pd.Series(TIMES),
        pd.Series(TIMES.tz_localize("Europe/Berlin")),
        pd.Series(DAYS, dtype=pd.ArrowDtype(pa.date32())),
        pd.Series(TIMES).astype(pd.ArrowDtype(pa.timestamp("us"))),
    ],
    "timedelta": [
        pd.Series(pd.to_timedelta([90, -30, 0], unit="s")),
        pd.Series(pd.to_timedelta([90, -30, 0], unit="s")).astype(pd.ArrowDtype(pa.duration("us"))),
    ],
    "date": [pd.Series(DAYS, dtype=object)],
    "decimal": [
        pd.Series([Decimal("1.10"), Decimal("-3.25"), Decimal("12345678901234.56")], dtype=object),
        pd.Series([Decimal("1.10"), Decimal("-3.25"), None], dtype=pd.ArrowDtype(pa.decimal128(18, 2))),
    ],
    "time": [
        pd.Series([datetime.time(9, 30), datetime.time(23, 59, 59, 5), datetime.time(0)], dtype=object),
        pd.Series([datetime.time(9, 30), datetime.time(0), None], dtype=pd.ArrowDtype(pa.time64("us"))),
        pd.Series([time_of(text, "H:MM PM") for text in ("9:30 AM", "12:00 AM", "11:59 PM")], dtype=object),
    ],
    "period": [pd.Series(pd.PeriodIndex(["2024-01", "1969-12", "2030-06"], freq="M"))],
}
CASES = [pytest.param(kind, column, id=f"{kind}-{column.dtype}") for kind in EXAMPLES for column in EXAMPLES[kind]]


def gappy(column: pd.Series) -> pd.Series | None:
    """The column with its last value missing; `None` where its type has no room for that."""
    if column.dtype.kind in "biu" and isinstance(column.dtype, np.dtype):
        return None
    return column.where(np.arange(len(column)) < len(column) - 1, None if column.dtype == object else pd.NA)


def test_there_are_examples_of_every_kind():
    assert set(EXAMPLES) == set(available_kinds())


@pytest.mark.parametrize(("kind", "column"), CASES)
def test_a_column_is_of_one_kind_only(kind, column):
    found = infer_type(column, name="a", source="test")
    assert found.kind == kind and type(found) is available_kinds()[kind]
    is_text = column.dtype == object or pd.api.types.is_string_dtype(column.dtype)
    text = pd.api.types.infer_dtype(column) if is_text else ""
    assert [name for name, each in available_kinds().items() if each.holds(column, text)] == [kind]


@pytest.mark.parametrize(("kind", "column"), CASES)
def test_codes_give_the_very_column_back(kind, column):
    for each in (column, gappy(column)):
        if each is not None:
            found = infer_type(each, name="a", source="test")
            codes, missing = found.to_numeric(each)
            assert codes.dtype == np.float64 and (missing == each.isna()).all()
            back = found.values(codes, missing)
            assert (back.isna() == missing).all()
            if each.dtype == object:  # there is more than one way of writing that nothing is there
                back = back.where(~missing, None)
            pd.testing.assert_series_equal(back, each, check_names=False)


@pytest.mark.parametrize(("kind", "column"), CASES)
def test_the_state_of_a_kind_is_plain_and_gives_an_equal_type(kind, column):
    found = infer_type(column, name="a", source="test")
    state = json.loads(json.dumps(found.state()))
    assert type_from_state(state) == found
    assert [key for key in state if key not in ("anchors", "form")] == [
        "name", "kind", "dtype", "origin", "step", "top", "decimals", "levels", "levels_dtype", "is_ordered"
    ]  # fmt: skip
    assert state["kind"] == kind


@pytest.mark.parametrize(("kind", "column"), CASES)
def test_a_column_of_every_kind_is_encoded_and_decoded(kind, column):
    many = pd.concat([column] * 40, ignore_index=True)
    encoder = fit_column(many, name="a", source="test")
    encoder = ColumnEncoder.from_state(json.loads(json.dumps(encoder.state())))
    encoded = encoder.encode(many, position=0)
    assert encoded.dtype == np.float32 and encoded.shape == (120, encoder.width)
    pd.testing.assert_series_equal(encoder.decode(encoded, position=0), many, check_names=False)
