"""Any column of any kind goes into any file or frame and comes out as it was: type, order, gaps, every digit.

Few examples of each kind behind each door here; 2,000 of them in all with EQUIPOISE_EXAMPLES=42.
"""

from __future__ import annotations

import datetime
import os
import tempfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equipoise.data import load
from equipoise.data.tables.column_encoder import fit_column
from equipoise.data.tables.schema import infer_type

EXAMPLES = int(os.environ.get("EQUIPOISE_EXAMPLES", "6"))
ROWS = 60
DOORS = ("csv", "parquet", "numpy", "arrow")
DAY = datetime.datetime(2024, 1, 1)

VALUES = {
    "integer": st.integers(-(2**63), 2**63 - 1),
    "unsigned": st.integers(2**63, 2**64 - 1),
    "number": st.floats(-1e12, 1e12, allow_nan=False).filter(lambda value: value == 0 or abs(value) > 1e-12),
    "lattice": st.integers(-(10**9), 10**9).map(lambda cents: round(cents / 100, 2)),
    "boolean": st.booleans(),
    "text": st.text(
        st.characters(codec="utf-8", exclude_categories=["C"], include_characters="\n,;\"'"), max_size=8
    ).filter(lambda text: text.strip() and not text[0].isdigit() and text[0] not in "+-.#<NnTtFfIi?-"),
    "code": st.integers(0, 99_999).map(lambda number: f"{number:07d}"),
    "datetime": st.integers(0, 10**9).map(lambda seconds: DAY + datetime.timedelta(seconds=seconds)),
    "day": st.integers(-20_000, 20_000).map(lambda days: DAY + datetime.timedelta(days=days)),
    "zoned": st.integers(0, 10**9).map(
        lambda seconds: (DAY + datetime.timedelta(seconds=seconds)).replace(
            tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30))
        )
    ),
    "timedelta": st.integers(0, 10**12).map(lambda microseconds: datetime.timedelta(microseconds=microseconds)),
    "time": st.integers(0, 86_399).map(lambda seconds: (DAY + datetime.timedelta(seconds=seconds)).time()),
    "decimal": st.integers(-(10**15), 10**15).map(lambda number: Decimal(number) / 1000),
}
NUMPY = {
    "integer": ("int64", "Int64"),
    "unsigned": ("uint64", "UInt64"),
    "number": ("float64", "float64"),
    "lattice": ("float64", "float64"),
    "boolean": ("bool", "boolean"),
}
ARROW = {
    "integer": pa.int64(),
    "unsigned": pa.uint64(),
    "number": pa.float64(),
    "lattice": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "code": pa.string(),
    "datetime": pa.timestamp("us"),
    "day": pa.date32(),
    "zoned": pa.timestamp("us", "+05:30"),
    "timedelta": pa.duration("us"),
    "time": pa.time64("us"),
    "decimal": pa.decimal128(20, 3),
}


@st.composite
def columns(draw: st.DrawFn, kind: str) -> list:
    """Values with or without gaps, few different ones or many."""
    different = draw(st.lists(VALUES[kind], min_size=2, max_size=draw(st.sampled_from([4, ROWS])), unique=True))
    values = [different[place] for place in draw(st.permutations([k % len(different) for k in range(ROWS)]))]
    if draw(st.booleans()):
        for place in draw(st.sets(st.integers(0, ROWS - 1), min_size=1, max_size=30)):
            values[place] = None
    return values


def series(kind: str, values: list, door: str) -> pd.Series:
    if door == "arrow":
        return pd.Series(pd.array(pa.array(values, type=ARROW[kind]), dtype=pd.ArrowDtype(ARROW[kind])))
    if kind in NUMPY:
        return pd.Series(values, dtype=NUMPY[kind][any(value is None for value in values)])
    return pd.Series(values, dtype=object if kind in ("decimal",) else None)


def through(door: str, column: pd.Series) -> pd.Series:
    """The column after it was read from behind a door; a second one keeps no row from being there."""
    frame = pd.DataFrame({"v": column, "w": np.arange(ROWS) % 7})
    if door in ("numpy", "arrow"):
        return load(frame).values["v"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"data.{door}"
        if door == "csv":
            frame.to_csv(path, index=False)
        else:
            frame.to_parquet(path, index=False)
        return load(path).values["v"]


def plain(column: pd.Series, kind: str, door: str) -> list:
    if kind == "decimal" and door == "csv":  # text does not say that a number is an exact decimal
        return [None if pd.isna(value) else Decimal(repr(float(value))) for value in column]
    if kind == "day":
        return [None if pd.isna(value) else pd.Timestamp(value) for value in column]
    return [None if pd.isna(value) else value for value in column]


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("door", DOORS)
def test_a_column_comes_out_as_it_went_in(kind, door, monkeypatch):
    # Text that differs in every row is a key, which is another matter.
    monkeypatch.setattr("equipoise.data.tables.checks.FEWEST_ROWS_OF_A_KEY", ROWS + 1)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values=columns(kind))
    def check(values: list) -> None:
        if all(value is None for value in values):
            return
        found = through(door, series(kind, values, door))
        wanted = [value if value is None or kind != "day" else pd.Timestamp(value) for value in values]
        if kind == "decimal" and door == "csv":
            assert np.allclose(
                [float(value) for value in plain(found, kind, door) if value is not None],
                [float(value) for value in wanted if value is not None], rtol=1e-15, atol=0,
            )  # fmt: skip
        else:
            assert plain(found, kind, door) == wanted
        assert found.isna().tolist() == [value is None for value in values]
        column_type = infer_type(found, name="v", source="test")
        codes, missing = column_type.to_numeric(found)
        back = column_type.values(codes, missing)
        if kind in ("number", "decimal") and column_type.kind == "number":
            assert back.dropna().tolist() == found.dropna().tolist() or column_type.decimals is not None
        else:
            assert plain(back, kind, "numpy") == plain(found, kind, "numpy")
        assert back.dtype == found.dtype
        encoder = fit_column(found, name="v", source="test")
        decoded = encoder.decode(encoder.encode(found, position=0), position=0)
        assert decoded.dtype == found.dtype and decoded.isna().tolist() == found.isna().tolist()
        if column_type.compared_as in ("amount", "moment", "span"):
            there = found.dropna()
            assert there.min() <= decoded.dropna().min() and decoded.dropna().max() <= there.max()

    check()
