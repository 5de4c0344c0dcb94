from __future__ import annotations

import datetime
import json

import numpy as np
import pandas as pd
import pytest
from data_builders import mixed_frame
from pandas.testing import assert_frame_equal, assert_series_equal

from equipoise.data import DataOptions, encoder_from_state, load, prepare
from equipoise.data.tables.checks import check_column
from equipoise.data.tables.column_encoder import MOST_LEVELS, fit_column
from equipoise.errors import DataError
from equipoise.files import plain


def codec_of(frame):
    """The encoder of a frame, after its state went through JSON as it does in a run folder."""
    prepared = prepare(load(frame), seed=0)
    return prepared, encoder_from_state(json.loads(json.dumps(plain(prepared.encoder.state()))))


def column_round_trip(values):
    column = pd.Series(values)
    encoder = fit_column(column, name="v", source="frame")
    return encoder, encoder.decode(encoder.encode(column, position=0), position=0)


def test_every_column_comes_back_with_its_name_its_type_and_its_values():
    frame = mixed_frame()
    prepared, encoder = codec_of(frame)
    part = prepared.part("train").values
    decoded = encoder.decode(prepared.encoded_train())
    # A real column is encoded in float32 between knots of its quantile function, of which there is one per value here;
    # 1e-3 of a neighbouring gap is the promise, and gaps are below the spread of the column.
    exact = [name for name in frame if name not in ("real", "single")]
    assert_frame_equal(decoded[exact], part[exact])
    for name in ("real", "single"):
        assert_series_equal(decoded[name], part[name], atol=1e-3, rtol=0)
    assert list(decoded.columns) == list(frame.columns)


def test_any_numbers_decode_to_a_valid_table():
    frame = mixed_frame()
    _, encoder = codec_of(frame)
    samples = 5 * np.random.default_rng(1).standard_normal((2000, *encoder.space.shape)).astype(np.float32)
    decoded = encoder.decode(samples)
    assert decoded.dtypes.to_dict() == frame.dtypes.to_dict()
    for name in ("text", "grade", "code", "small", "flag"):
        assert set(decoded[name].dropna()) <= set(frame[name].dropna())
    for name in ("real", "price", "income", "count", "big", "day", "moment", "span", "single", "nullable"):
        assert frame[name].min() <= decoded[name].min() and decoded[name].max() <= frame[name].max()
    assert (decoded["price"] * 100 - (decoded["price"] * 100).round()).abs().max() < 1e-6  # floats near 1e4
    assert (decoded["constant"] == 7).all() and (decoded["word"] == "same").all()
    assert not decoded["count"].isna().any()
    assert (decoded["day"].dropna().dt.normalize() == decoded["day"].dropna()).all()


def test_encoded_rows_have_one_choice_per_block():
    prepared, encoder = codec_of(mixed_frame())
    encoded, start = prepared.encoded_train().numpy(), 0
    assert encoded.dtype == np.float32 and np.isfinite(encoded).all()
    for block in encoder.space.blocks:
        part = encoded[:, start : start + block.width]
        if block.kind == "choice":
            assert set(np.unique(part)) <= {0.0, 1.0} and (part.sum(axis=1) == 1).all()
        start += block.width
    assert start == encoded.shape[1]


def test_rows_that_training_did_not_have_are_encoded_as_well():
    frame = mixed_frame(300)
    prepared, encoder = codec_of(frame)
    strange = frame.head(3).copy()
    strange["text"] = "never seen"
    strange["count"] = 10**9
    strange["small"] = np.array([100, -100, 3], dtype=np.int32)
    encoded = encoder.encode(strange)
    assert np.isfinite(encoded).all()
    assert encoder.decode(encoded)["count"].tolist() == [prepared.part("train").values["count"].max()] * 3


def test_a_value_that_many_rows_share_is_a_choice_beside_the_number():
    rng = np.random.default_rng(0)
    gain = np.where(rng.random(1000) < 0.9, 0, rng.integers(1, 10**5, 1000))
    encoder, decoded = column_round_trip(gain)
    assert [(block.kind, block.width) for block in encoder.blocks] == [("choice", 2), ("number", 1)]
    assert (decoded == gain).all()
    encoded = encoder.encode(pd.Series(gain), position=0)
    assert (encoded[gain == 0, 2] == 0).all() and (encoded[gain == 0, 1] == 1).all()


def test_missing_values_are_a_choice_of_their_own():
    values = np.random.default_rng(0).normal(size=500)
    values[::7] = np.nan
    encoder, decoded = column_round_trip(values)
    assert encoder.has_missing and (decoded.isna() == np.isnan(values)).all()


def test_few_whole_numbers_become_choices():
    encoder, _ = column_round_trip(np.arange(300) % 12)
    assert [(block.kind, block.width) for block in encoder.blocks] == [("choice", 12)]


def test_a_constant_column_takes_no_entries_and_is_returned():
    encoder, decoded = column_round_trip(pd.Series(["x"] * 20))
    assert encoder.width == 0 and (decoded == "x").all()


def test_rare_categories_share_an_entry_and_are_drawn_by_their_frequency():
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, 401)
    values = pd.Series([f"c{k:03d}" for k in rng.choice(400, 20_000, p=shares / shares.sum())])
    encoder, decoded = column_round_trip(values)
    assert encoder.one_hot_width == MOST_LEVELS and set(decoded) <= set(values)
    assert_series_equal(decoded, encoder.decode(encoder.encode(values, position=0), position=0))
    pooled = {encoder.type.levels[int(code)] for code in encoder.pooled}
    wanted, found = values[values.isin(pooled)].value_counts(), decoded[decoded.isin(pooled)].value_counts()
    # Multinomial draws: each count has a standard deviation of the root of its mean; five of them for 201 levels.
    difference = (found.reindex(wanted.index).fillna(0) - wanted).abs()
    assert (difference <= 5 * np.sqrt(wanted) + 1).all()


@pytest.mark.parametrize(
    "values",
    [
        pd.array([0, 2**63, 2**64 - 1] * 20, dtype="uint64"),
        pd.array([-(2**63), 0, 2**63 - 1] * 20, dtype="int64"),
        pd.array([1, None, 3] * 20, dtype="UInt8"),
        pd.Series([datetime.date(1969, 12, 31), datetime.date(2024, 2, 29)] * 30),
        pd.Series([True, False] * 30, dtype=object),
        pd.Series([1, "one", 2.5] * 20, dtype=object),
        pd.Series([1, 2, 3] * 20, dtype=object),
        pd.Series(["x", "y", None] * 20, dtype="string"),
        pd.Series([1, 2, None] * 20, dtype="int64[pyarrow]"),
        pd.Series([1.5, 2.25, None] * 20, dtype="double[pyarrow]"),
        pd.Series([True, False, None] * 20, dtype="bool[pyarrow]"),
        pd.Series(pd.to_datetime(["1677-09-22", "2262-04-11"] * 30)).astype("datetime64[ns]"),
        pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01"] * 30)).astype("timestamp[us][pyarrow]"),
        pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01"] * 30, utc=True)).dt.tz_convert("UTC+02:00"),
        pd.Series([0.5, 1.25] * 30, dtype="float16"),
        pd.Series([0.5, 1.25, None] * 20, dtype="Float64"),
    ],
    ids=lambda values: str(values.dtype),
)
def test_unusual_types_come_back_as_they_were(values):
    _, decoded = column_round_trip(values)
    expected = pd.Series(values)
    assert decoded.dtype == expected.dtype
    assert (decoded.isna() == expected.isna()).all()
    assert decoded.dropna().tolist() == expected.dropna().tolist()


def test_large_whole_numbers_keep_their_last_digit():
    values = 2**62 + np.arange(0, 4000, 2)
    encoder, decoded = column_round_trip(values)
    assert encoder.type.step == 2 and decoded.tolist() == values.tolist()


def test_numbers_keep_the_decimals_that_the_data_show():
    values = np.round(np.random.default_rng(0).lognormal(3, 1, 5000), 2)
    encoder, _ = column_round_trip(values)
    drawn = encoder.decode(
        np.random.default_rng(1).standard_normal((2000, encoder.width)).astype(np.float32), position=0
    )
    assert (drawn == drawn.round(2)).all()


def test_column_names_may_be_whole_numbers():
    frame = pd.DataFrame({0: np.arange(50) % 3, "b": np.arange(50) % 5})
    _, encoder = codec_of(frame)
    assert encoder.decode(encoder.encode(frame)).columns.tolist() == [0, "b"]


def test_a_column_that_holds_the_classes_gives_labels_and_stays_in_the_table():
    frame = mixed_frame()
    frame["text"] = frame["text"].fillna("none")
    raw = load(frame, options=DataOptions(labels="text"))
    assert raw.label_names == ("?", "a", "b", "c, d", "none") and "text" in raw.values
    assert [raw.label_names[code] for code in raw.labels] == frame["text"].tolist()


def test_a_frame_of_the_caller_is_left_as_it_was():
    frame = mixed_frame(50)
    before = frame.copy()
    prepare(load(frame, options=DataOptions(drop=("flag",))), seed=0)
    assert_frame_equal(frame, before)


def varied(**columns):
    return pd.DataFrame({"v": np.arange(60) % 4, **columns})


@pytest.mark.parametrize(
    ("frame", "where", "found"),
    [
        (varied(name=[*map(str, range(58)), "none of them", "unknown"]), "column 'name'", "as a key does"),
        (varied(x=np.where(np.arange(60) == 3, np.inf, 1.0)), "column 'x', row 3", "the value is inf"),
        (varied(x=[[1]] * 60), "column 'x'", "of type list"),
        (varied(x=np.ones(60) * 1j), "column 'x'", "its type is complex128"),
        (varied(x=pd.cut(np.arange(60), 3)), "column 'x'", "categories are of type interval"),
        (pd.DataFrame(np.ones((20, 1)), columns=[1.5]), "column 0", "its name is 1.5"),
        (pd.DataFrame({"a": [1]}), "DataFrame", "one row only"),
        (pd.DataFrame({"a": []}), "DataFrame", "no rows"),
        (pd.DataFrame(), "DataFrame", "no columns"),
    ],
)
def test_a_table_that_cannot_be_learned_is_refused_by_column(frame, where, found):
    with pytest.raises(DataError) as caught:
        load(frame)
    assert where in caught.value.where and found in caught.value.found
    assert caught.value.expected


def test_a_key_may_be_left_out():
    frame = varied(name=[f"person {k}" for k in range(60)])
    assert list(load(frame, options=DataOptions(drop=("name",))).values) == ["v"]


def test_dropping_a_column_that_is_not_there_suggests_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'name'"):
        load(varied(name=["a", "b"] * 30), options=DataOptions(drop=("nme",)))


def test_a_table_where_nothing_varies_is_refused():
    with pytest.raises(DataError, match="every row is the same"):
        prepare(load(pd.DataFrame({"a": [1] * 30})), seed=0)


@pytest.mark.parametrize("threshold", ["0", "1e9"], ids=["on disk", "in memory"])
@pytest.mark.parametrize("as_categories", [False, True])
def test_text_of_a_parquet_file_that_is_no_utf8_is_refused(threshold, as_categories, tmp_path, monkeypatch):
    # Found by fuzzing: pyarrow takes text from a file unseen.
    import pyarrow as pa
    import pyarrow.parquet

    monkeypatch.setenv("EQUIPOISE_MAP_ABOVE_MB", threshold)
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))
    texts = pa.array([b"ash", b"oak", b"\x9eak"] * 20).view(pa.string())
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2] * 20), texts[:3]) if as_categories else texts
    pyarrow.parquet.write_table(pa.table({"tree": column, "size": range(60)}), tmp_path / "trees.parquet")
    with pytest.raises(DataError, match=r"trees\.parquet: it cannot be read as Parquet .*UTF"):
        load(tmp_path / "trees.parquet")


@pytest.mark.parametrize("drop", [(), ("a", "b")])
def test_a_table_without_columns_says_which_were_taken_out_before(drop):
    frame = pd.DataFrame({"a": range(20), "b": list("xy") * 10} if drop else {})
    with pytest.raises(DataError) as caught:
        load(frame, options=DataOptions(drop=drop))
    assert "no columns to learn" in str(caught.value) and "drop fewer columns" in str(caught.value)


def test_an_infinite_number_is_refused_with_how_many_there_are():
    frame = pd.DataFrame({"a": [1.5, np.inf, *np.arange(0.25, 30)], "b": list("xy") * 16})
    with pytest.raises(DataError, match="the value is inf; rows with such values: 1"):
        prepare(load(frame), seed=0)


def test_a_column_that_a_run_has_learned_and_that_is_empty_now_is_named():
    with pytest.raises(DataError, match="(?s)column 'empty'.*every value is missing.*--drop empty"):
        check_column(pd.Series([None] * 60), name="empty", source="rows.csv")
