"""What becomes of a column of text: one rule for what is missing, over all rows, before its type is decided."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from equipoise.data import DataOptions, load
from equipoise.data.tables.reading import MARKS
from equipoise.errors import DataError

DAY = pd.Timestamp


def read(folder, text, name="data.csv", **options):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, options=DataOptions(**options))


def column(folder, values, **options):
    """The column of these fields, beside one that varies."""
    rows = "".join(f"{value},{'ab'[k % 2]}\n" for k, value in enumerate(values))
    raw = read(folder, "x,y\n" + rows, **options)
    return raw.values["x"], raw.notes


def plain(values):
    return [None if pd.isna(value) else value for value in values]


@pytest.mark.parametrize("gap", ["", " ", "NA", "-", "<NA>", "nan", "n/a", "NULL", "None", "#N/A", ".", "?"])
@pytest.mark.parametrize(
    ("fields", "dtype", "wanted"),
    [
        (["86", "12", "-3"], "Int64", [86, 12, -3]),
        (
            ["4123456789012345678", "4123456789012345679", "0"],
            "Int64",
            [4123456789012345678, 4123456789012345679, 0],
        ),
        (["18446744073709551615", "7", "7"], "UInt64", [2**64 - 1, 7, 7]),
        (["1.25", "-0.5", "1e3"], "float64", [1.25, -0.5, 1000.0]),
        (["00501", "10001", "00501"], "str", ["00501", "10001", "00501"]),
        (["+49301", "+49302", "+49301"], "str", ["+49301", "+49302", "+49301"]),
        (["TRUE", "False", "true"], "boolean", [True, False, True]),
        (["2024-01-31", "2023-12-01", "2024-01-31"], "datetime64[us]", [DAY("2024-01-31"), DAY("2023-12-01")] * 2),
        (["1 days 02:00:00", "3 days", "3 days"], "timedelta64[us]", [pd.Timedelta("1 days 02:00:00")]),
    ],
    ids=lambda each: str(each)[:20],
)
def test_a_gap_does_not_change_what_a_column_is(tmp_path, gap, fields, dtype, wanted):
    whole, _ = column(tmp_path, fields)
    gappy, notes = column(tmp_path, [fields[0], gap, *fields[1:]])
    names = {"str": ("str", "object")}.get(dtype, (dtype, dtype.replace("us", "ns")))
    assert str(gappy.dtype) in names
    found = plain(gappy)
    assert found[1] is None and found[0] == wanted[0] and [found[0], *found[2:]] == plain(whole)
    assert any("Read as missing" in note and f"'{gap}' in 'x' (1 row)" in note for note in notes) == bool(gap.strip())


def test_codes_that_show_late_are_codes(tmp_path):
    # The first 10,000 rows alone would be numbers.
    fields = [str(10_000 + k % 50) for k in range(10_500)] + ["00501"]
    found, _ = column(tmp_path, fields)
    assert found.iloc[-1] == "00501" and found.iloc[0] == "10000"


def test_marks_are_text_among_text_and_said(tmp_path):
    found, notes = column(tmp_path, ["NA", "DE", "FR", ""])
    assert plain(found) == ["NA", "DE", "FR", None]
    assert any("Kept as text" in note and "'NA' in 'x' (1 row)" in note for note in notes)


def test_a_column_of_marks_alone_is_text(tmp_path):
    found, _ = column(tmp_path, ["?", "NA", "?", "NA"])
    assert plain(found) == ["?", "NA", "?", "NA"]


def test_further_marks_are_named_by_an_option(tmp_path):
    fields = [str(k % 9) for k in range(60)] + ["unknown"]
    found, notes = column(tmp_path, fields)
    assert "unknown" in set(found) and any(
        "Nearly all numbers" in note and "'unknown' in 1 row" in note for note in notes
    )
    found, notes = column(tmp_path, fields, missing=("unknown",))
    assert str(found.dtype) == "Int64" and plain(found)[-1] is None and not notes


def test_a_key_that_is_nearly_all_numbers_is_refused_with_what_spoils_it(tmp_path):
    with pytest.raises(
        DataError, match=r"as a key does(.|\n)*Nearly all numbers(.|\n)*data\.missing(.|\n)*'unknown' in 3"
    ):
        column(tmp_path, [str(k) for k in range(200)] + ["unknown"] * 3)


def test_signs_make_numbers_where_both_are_there(tmp_path):
    found, notes = column(tmp_path, ["+5", "-3", "0"])
    assert found.tolist() == [5, -3, 0] and "plus signs" in notes[0]


@pytest.mark.parametrize("mark", MARKS)
def test_every_mark_is_missing_in_either_case(tmp_path, mark):
    for text in (mark.lower(), mark.upper()):
        assert plain(column(tmp_path, ["1", text, "3"])[0]) == [1, None, 3]


@pytest.mark.parametrize(
    ("fields", "wanted", "note"),
    [
        (["31.12.2023", "1.2.2024"], ["2023-12-31", "2024-02-01"], "day first"),
        (["13/02/2024", "01/02/2023"], ["2024-02-13", "2023-02-01"], "day first"),
        (["02/13/2024", "01/02/2023"], ["2024-02-13", "2023-01-02"], "month first"),
        (["2024/02/13", "2023/1/2"], ["2024-02-13", "2023-01-02"], "slashes"),
        (["31.12.2023 10:30", "01.02.2024 9:05:30"], ["2023-12-31 10:30", "2024-02-01 09:05:30"], "day first"),
    ],
)
def test_dates_of_several_forms_are_recognised(tmp_path, fields, wanted, note):
    found, notes = column(tmp_path, fields)
    assert found.tolist() == [DAY(day) for day in wanted] and any(note in each for each in notes)


def test_dates_that_could_be_either_are_text_until_somebody_says(tmp_path):
    fields = ["01/02/2023", "02/03/2024"]
    found, notes = column(tmp_path, fields)
    assert found.tolist() == fields and "data.day_first=true" in notes[0]
    assert column(tmp_path, fields, day_first=True)[0].tolist() == [DAY("2023-02-01"), DAY("2024-03-02")]
    assert column(tmp_path, fields, day_first=False)[0].tolist() == [DAY("2023-01-02"), DAY("2024-02-03")]


def test_dates_that_contradict_each_other_are_text(tmp_path):
    assert column(tmp_path, ["13/02/2024", "02/13/2024"])[0].tolist() == ["13/02/2024", "02/13/2024"]


@pytest.mark.parametrize(
    ("fields", "zone", "first"),
    [
        (["2024-01-01T10:00:00+05:30", "2024-01-02T10:00:00+05:30"], "UTC+05:30", "2024-01-01T10:00:00+05:30"),
        (["2024-01-01 10:00:00-03:00", "2024-07-02 10:00:00-03:00"], "UTC-03:00", "2024-01-01T10:00:00-03:00"),
        (["2024-01-01T10:00Z", "2024-01-02T10:00:00+00:00"], "UTC", "2024-01-01T10:00:00+00:00"),
        (["2024-01-01T10:00+01:00", "2024-07-02T10:00+02:00"], "UTC", "2024-01-01T09:00:00+00:00"),
    ],
)
def test_a_time_zone_is_kept(tmp_path, fields, zone, first):
    found, _ = column(tmp_path, fields)
    assert str(found.dt.tz) == zone and found[0].isoformat() == first


def test_a_comma_stands_before_decimals_where_it_does_not_separate(tmp_path):
    raw = read(tmp_path, "a;b;c\n1,5;x;1.234,5\n-2,25;y;7\n")
    assert raw.values["a"].tolist() == [1.5, -2.25] and raw.values["c"].tolist() == [1234.5, 7.0]
    assert "comma before the decimals" in raw.notes[0] and "'a'; 'c'" in raw.notes[0]


def test_columns_of_one_name_are_told_apart_as_pandas_does(tmp_path):
    raw = read(tmp_path, "a,b,a,a.1\n1,x,2,3\n4,y,5,6\n")
    assert list(raw.values) == ["a", "b", "a.2", "a.1"] and raw.values["a.2"].tolist() == [2, 5]
    assert "'a.2'" in raw.notes[0]
    raw.values.set_axis(["a", "b", "a", "c"], axis=1)
    frame = load(pd.DataFrame(np.arange(40).reshape(20, 2), columns=["v", "v"]))
    assert list(frame.values) == ["v", "v.1"] and "'v.1'" in frame.notes[0]


def test_columns_of_one_name_in_parquet_are_told_apart(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet

    table = pa.Table.from_arrays([pa.array([1, 2] * 9), pa.array(["x", "y"] * 9)], names=["a", "a"])
    pyarrow.parquet.write_table(table, tmp_path / "twice.parquet")
    raw = load(tmp_path / "twice.parquet")
    assert list(raw.values) == ["a", "a.1"] and raw.values["a.1"].tolist()[:2] == ["x", "y"] and "'a.1'" in raw.notes[0]


def test_the_line_of_excel_names_the_separator(tmp_path):
    raw = read(tmp_path, "sep=;\na;b,c\n1;x\n2;y\n")
    assert raw.values.to_dict("list") == {"a": [1, 2], "b,c": ["x", "y"]}
    with pytest.raises(DataError, match="line 4: the row has 1 field"):
        read(tmp_path, "sep=;\na;b\n1;x\n2\n")


def test_a_tsv_is_separated_by_tabs_whatever_its_names_hold(tmp_path):
    raw = read(tmp_path, "a, b, c\td, e\n1\tx\n2\ty\n", name="data.tsv")
    assert list(raw.values) == ["a, b, c", "d, e"] and raw.values["a, b, c"].tolist() == [1, 2]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_text_in_utf16_is_named_as_such(tmp_path, encoding):
    content = "a,b\n1,x\n2,y\n".encode(encoding)
    content = content if encoding == "utf-16" else b"\xfe\xff" + content
    with pytest.raises(DataError, match="UTF-16") as caught:
        read(tmp_path, content)
    assert "iconv -f utf-16" in str(caught.value)


def test_a_packed_csv_is_read_and_written(tmp_path):
    import gzip

    from equipoise.data import write_samples

    raw = read(tmp_path, gzip.compress(b"a,b\n1,x\n,y\n3,x\n"), name="data.csv.gz")
    assert plain(raw.values["a"]) == [1, None, 3]
    (written,) = write_samples(raw.values, tmp_path / "out.csv.gz")
    assert gzip.decompress(written.read_bytes()) == b"a,b\n1,x\n,y\n3,x\n"
    for content in (b"a,b\n1,2\n", gzip.compress(b"a,b\n1,x\n" * 50)[:-9]):
        with pytest.raises(DataError, match=r"data\.csv\.gz"):
            read(tmp_path, content, name="data.csv.gz")


def test_all_columns_that_cannot_be_generated_are_named_at_once(tmp_path):
    amounts = [*map(str, range(78)), "none of them", "unknown"]
    rows = "".join(f"{k % 3},{amounts[k]},{amounts[k]},{'yes' if k % 2 else 'no'}\n" for k in range(80))
    with pytest.raises(DataError, match="2 columns cannot be generated") as caught:
        read(tmp_path, "n,who,the key,yes\n" + rows)
    assert "'who'" in caught.value.found and "'the key'" in caught.value.found
    assert """--set 'data.drop=[who, "the key"]'""" in caught.value.advice
    assert """--drop who --drop 'the key'""" in caught.value.advice


def test_columns_of_keys_are_left_out_of_learning_and_named_in_one_note(tmp_path):
    rows = "".join(f"{k % 3},name {k},id-{k},{'yes' if k % 2 else 'no'}\n" for k in range(80))
    raw = read(tmp_path, "n,who,the key,yes\n" + rows)
    assert list(raw.values) == ["n", "yes"]
    (note,) = raw.notes
    assert "'who'" in note and "'the key'" in note and "made-up" in note


def test_blank_text_is_missing_in_frames_too():
    raw = load(pd.DataFrame({"v": ["x", "", " ", "y"] * 10, "w": pd.Categorical(["", "k"] * 20)}))
    assert raw.values["v"].isna().sum() == 20 and raw.values["w"].isna().sum() == 20
    assert "Blank text is missing: 'v' (20 rows); 'w' (20 rows)" in raw.notes[0]


def test_whole_numbers_beyond_53_bits_keep_every_digit_through_the_encoder():
    from equipoise.data.tables.column_encoder import fit_column

    rng = np.random.default_rng(0)
    few = pd.Series(rng.choice([2**62 + 1, 2**62 + 2, 5, -(2**61) - 3], 200))
    many = pd.Series(rng.integers(-(2**63), 2**63 - 1, 900))
    for values in (few, many, few.astype("Int64").mask(few == 5)):
        encoder = fit_column(values, name="v", source="test")
        decoded = encoder.decode(encoder.encode(values, position=0), position=0)
        codes, missing = encoder.type.to_numeric(values)
        pd.testing.assert_series_equal(encoder.type.values(codes, missing), values)
        assert set(decoded.dropna()) <= set(values.dropna()) or values is many
        assert decoded.isna().tolist() == values.isna().tolist()


def test_whole_numbers_that_are_no_points_exactly_are_refused_as_such():
    with pytest.raises(DataError, match=r"above 2\^53"):
        load(np.arange(40).reshape(20, 2) + 2**60)
    raw = load(np.arange(40).reshape(20, 2) + 2**60, options=DataOptions(kind="table"))
    assert raw.kind == "table" and raw.values["x1"].tolist()[0] == 2**60 + 1
