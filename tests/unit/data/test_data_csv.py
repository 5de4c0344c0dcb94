from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from equipoise.data import DataOptions, load
from equipoise.errors import DataError


def read(tmp_path, text, **options):
    path = tmp_path / "data.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, options=DataOptions(**options))


def test_columns_with_names_are_a_table_and_points_on_request(tmp_path):
    text = "a,b\n1.0,2.5\n3.0,4e2\n"
    assert read(tmp_path, text).kind == "table"
    raw = read(tmp_path, text, kind="points")
    assert raw.kind == "points" and raw.names == ("a", "b") and raw.values.tolist() == [[1, 2.5], [3, 400]]


@pytest.mark.parametrize("rows", ["1,2.5\n3,4.0\n", "1.0,\n2.0,3.0\n", "1.0,x\n2.0,y\n"])
def test_whole_numbers_gaps_and_text_make_a_table(tmp_path, rows):
    assert read(tmp_path, "a,b\n" + rows).kind == "table"


def test_the_kind_that_is_asked_for_wins(tmp_path):
    assert read(tmp_path, "a,b\n1,2\n3,4\n", kind="points").kind == "points"
    assert read(tmp_path, "a,b\n1.5,2.5\n3.5,4.5\n", kind="table").kind == "table"


def test_a_file_without_names_gets_some_and_says_so(tmp_path):
    raw = read(tmp_path, "1.5,2.5\n3.5,4.5\n")
    assert raw.values.shape == (2, 2) and raw.names == ("x0", "x1") and "read as data" in raw.notes[0]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_are_recognised(tmp_path, separator):
    text = '"a, b",c\n"x, y",1\nz,2\n'.replace('",', f'"{separator}').replace("z,", f"z{separator}")
    assert list(read(tmp_path, text).values) == ["a, b", "c"]


def test_blanks_are_missing_and_a_question_mark_is_a_level(tmp_path):
    values = read(tmp_path, "a,b\n?,1\n,2\nNA,\n").values
    assert values["a"].tolist()[::2] == ["?", "NA"] and values["a"].isna().tolist() == [False, True, False]
    assert values["b"].isna().tolist() == [False, False, True]


def test_words_for_missing_among_numbers_are_missing(tmp_path):
    values = read(tmp_path, "a,b\n1,x\nNA,y\n2.5,x\nNaN,y\n").values
    assert values["a"].dtype == np.float64 and values["a"].isna().sum() == 2


def test_codes_with_leading_zeros_stay_text(tmp_path):
    values = read(tmp_path, "zip,n\n00501,1\n10001,2\n").values
    assert values["zip"].tolist() == ["00501", "10001"] and values["n"].tolist() == [1, 2]


def test_truth_values_and_dates_are_recognised(tmp_path):
    values = read(
        tmp_path, "t,u,d,z\nTrue,True,2020-01-31,2020-01-31T10:00:00Z\nFalse,,2021-02-01,2021-01-31T10:00Z\n"
    ).values
    assert values["t"].dtype == bool and values["u"].dtype == "boolean"
    assert pd.api.types.is_datetime64_dtype(values["d"].dtype) and str(values["z"].dt.tz) == "UTC"


def test_a_byte_order_mark_and_blank_lines_are_no_data(tmp_path):
    values = read(tmp_path, "\ufeff\na,b\n1,2\n\n3,4\n".encode()).values
    assert values.to_dict("list") == {"a": [1, 3], "b": [2, 4]}


def test_names_and_fields_may_hold_line_breaks(tmp_path):
    values = read(tmp_path, '"a\nb",c\n"x\ny",1\nz,2\n').values
    assert values.to_dict("list") == {"a\nb": ["x\ny", "z"], "c": [1, 2]}


def test_the_index_that_pandas_writes_gets_a_name(tmp_path):
    assert list(read(tmp_path, ",a\n0,x\n1,y\n").values) == ["index", "a"]


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        ("a,b\n1,2\n1,2,3\n", "data.csv, line 3", "the row has 3 fields"),
        ("a,b\n1,2\n1\n", "data.csv, line 3", "the row has 1 field"),
        ('a,b\n"x\ny",2\n1\n', "data.csv, line 4", "the row has 1 field"),
        ("a,b\n1,x\n", "data.csv", "there is one row only"),
        ("1.5,2.5\n", "data.csv", "there is one row only"),
        ("a,b\n", "data.csv", "names but no rows"),
        ("", "data.csv", "the file is empty"),
        ("\n\n", "data.csv", "the file is empty"),
        ("a,b\n,\n,\n", "data.csv", "columns without any value only: 'a', 'b'"),
        ("a,,c\n1,2,3\n", "data.csv, line 1", "column 1 has no name; 1 of 3 columns have none"),
        ("a,b\n1,x\n2,\xe9\n".encode("latin1"), "data.csv, line 3", "0xe9 is no UTF-8"),
        ('a,b\n1,"x\n' + "y" * 200_000, "data.csv, line 2", "cannot be read as CSV"),
        ("a,b\n1.0,inf\n2.0,3.0\n", "data.csv, column 'b', row 0", "the value is inf"),
        ("a,b\n1,inf\n2,3.0\n", "data.csv, column 'b', row 0", "the value is inf"),
    ],
)
def test_what_cannot_be_read_is_named_by_line_or_column(tmp_path, text, where, found):
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    assert caught.value.where.endswith(where) and "data.csv" in caught.value.where
    assert found in caught.value.found and caught.value.expected and caught.value.advice


def test_points_with_gaps_or_text_are_refused_by_column(tmp_path):
    for text in ("a,b\n1.0,\n2.0,3.0\n", "a,b\n1.0,x\n2.0,y\n"):
        with pytest.raises(DataError, match="column 'b'"):
            read(tmp_path, text, kind="points")


@pytest.mark.parametrize("number", ["9" * 30, "-" + "9" * 30, "9" * 400])
def test_a_whole_number_beyond_64_bits_is_refused_by_its_place(tmp_path, number):
    # Found by fuzzing: pandas keeps such columns as Python's own whole numbers.
    rows = "".join(f"{'ab'[k % 2]},{k}\n" for k in range(30))
    with pytest.raises(DataError, match="column 'size', row 30: the whole number has about (30|400) digits"):
        read(tmp_path, f"kind,size\n{rows}a,{number}\nb,12\n")


def test_whole_numbers_of_python_that_are_too_long_for_any_number_are_refused_by_their_place():
    frame = pd.DataFrame({"kind": ["a", "b"] * 20, "size": pd.Series([0.5, 10**400, *range(38)], dtype=object)})
    with pytest.raises(DataError, match="column 'size', row 1: the whole number has about 400 digits"):
        load(frame)
