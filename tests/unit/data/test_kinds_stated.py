"""What is guessed is said, a person's word wins, and hints work when they are followed."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from equipoise.cli.main import main
from equipoise.data import DataOptions, load, prepare, write_samples
from equipoise.data.tables.overrides import kinds_from
from equipoise.errors import ConfigError, DataError, InputError
from equipoise.experiment.conditional_sampling import wanted_rows
from equipoise.experiment.prepare import inspect_data
from equipoise.referee.checks.differences import _told_apart


@pytest.fixture
def sales(tmp_path):
    lines = [
        f"{['00501', '10001', ''][k % 3]},{1 + k % 12:02d}/{1 + k % 4:02d}/2024,{0.1 * (k % 3):.1f},{k % 7},yes{k % 2}"
        for k in range(120)
    ]
    path = tmp_path / "sales.csv"
    path.write_text("zip,day,rate,2019,yes\n" + "\n".join(lines) + "\n")
    return path


def test_inspect_prints_a_row_for_each_column(sales, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["inspect", str(sales)])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and "table, 120 x 5" in out and "data.day_first" in out
    line = next(line for line in out.splitlines() if line.startswith("zip"))
    assert line.split()[:4] == ["zip", "category", "33.3%", "2"]
    with pytest.raises(SystemExit):
        main(["inspect", str(sales), "--json"])
    rows = {row["column"]: row for row in json.loads(capsys.readouterr().out)["columns"]}
    assert rows["rate"]["decimals"] == 1 and rows["rate"]["range"] == "0.0 to 0.2"
    assert rows["2019"]["generated as"] == "one of 7 values" and rows["2019"]["missing"] == 0


def test_ranges_are_written_as_people_read_them(tmp_path, capsys):
    numbers = np.random.default_rng(0)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(80) % 4, unit="D")
    frame = pd.DataFrame({"size": numbers.normal(size=80), "day": day, "minute": day + pd.Timedelta(minutes=61)})
    frame.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(SystemExit):
        main(["inspect", str(tmp_path / "rows.parquet"), "--json"])
    ranges = {row["column"]: row["range"] for row in json.loads(capsys.readouterr().out)["columns"]}
    assert all(len(end) <= 8 for end in ranges["size"].split(" to "))
    assert ranges["day"] == "2024-01-01 to 2024-01-04"
    assert ranges["minute"] == "2024-01-01 01:01:00 to 2024-01-04 01:01:00"


def test_a_file_of_kinds_wins_over_the_reading(sales, tmp_path):
    file = tmp_path / "kinds.yaml"
    file.write_text("zip: integer\nday: date %d/%m/%Y\nrate: category\n'2019': number\n'yes': drop\n")
    values = inspect_data(str(sales), settings=(), columns_file=file).raw.values
    assert list(values) == ["zip", "day", "rate", "2019"]
    assert str(values["zip"].dtype) == "Int64" and values["zip"].iloc[0] == 501
    assert values["day"].iloc[1] == pd.Timestamp("2024-02-02") and values["rate"].iloc[1] == "0.1"
    assert values["2019"].dtype == np.float64


def test_the_metadata_of_sdv_are_read():
    columns = {
        "a": {"sdtype": "categorical"},
        "b": {"sdtype": "datetime", "datetime_format": "%Y-%m-%d"},
        "c": {"sdtype": "id"},
        "d": {"sdtype": "numerical", "computer_representation": "Int64"},
        "e": {"sdtype": "unknown"},
    }
    wanted = {"a": "category", "b": "date %Y-%m-%d", "c": "key", "d": "number"}
    assert kinds_from({"METADATA_SPEC_VERSION": "SINGLE_TABLE_V1", "columns": columns}, where="x") == wanted
    assert kinds_from({"tables": {"one": {"columns": columns}}, "relationships": []}, where="x") == wanted


@pytest.mark.parametrize(("content", "found"), [({"a": "nmber"}, "Did you mean 'number'"), ([1], "no mapping")])
def test_a_file_of_kinds_that_states_nonsense_is_refused(content, found):
    with pytest.raises(ConfigError, match=found):
        kinds_from(content, where="kinds.yaml")


def test_a_value_that_is_nothing_of_its_stated_kind_is_refused_with_its_row(sales):
    with pytest.raises(DataError, match=r"column 'rate', row 1: the value '0\.1' is no integer; 80 rows"):
        load(sales, options=DataOptions(columns={"rate": "integer"}))
    with pytest.raises(DataError, match=r"column 'yes', row 0: the value 'yes0' is no date"):
        load(sales, options=DataOptions(columns={"yes": "date"}))
    with pytest.raises(DataError, match="Did you mean 'rate'"):
        load(sales, options=DataOptions(columns={"rte": "number"}))


@pytest.mark.parametrize("setting", ["data.drop=[2019]", "data.drop=['yes', rate]", 'data.drop=["2019"]'])
def test_columns_that_yaml_would_read_otherwise_are_named(sales, setting):
    left = inspect_data(str(sales), settings=(setting,)).raw.values
    assert ("2019" in left) == ("2019" not in setting) and ("yes" in left) == ("yes" not in setting)


@pytest.mark.parametrize("name", ["yes", "2019", "note, free", "a b", "nan", "it's", 'say "x"'])
def test_the_hint_for_a_key_works_when_it_is_followed(tmp_path, name):
    path = tmp_path / "keys.csv"
    pd.DataFrame({name: [*map(str, range(78)), "none here", "unknown"], "v": np.arange(80) % 5}).to_csv(
        path, index=False
    )
    with pytest.raises(DataError) as caught:
        load(path)
    import shlex

    command = caught.value.advice.partition("--set ")[2].partition(" of train,")[0]
    (setting,) = shlex.split(command)
    assert list(inspect_data(str(path), settings=(setting,)).raw.values) == ["v"]


def test_labels_may_be_a_column_called_by_a_number():
    frame = pd.DataFrame({0: np.arange(60) % 3, 1: np.arange(60) % 7})
    raw = load(frame, options=DataOptions(labels="0"))
    assert raw.label_names == ("0", "1", "2")


def test_labels_that_only_a_pickle_could_store_get_the_hint_for_names(tmp_path):
    labels = np.array(["a", "b"] * 10, dtype=object)
    np.savez(tmp_path / "a.npz", images=np.zeros((20, 8, 8), dtype=np.uint8), labels=labels)
    with pytest.raises(DataError, match=r"labels: the array(.|\n)*astype\(str\)"):
        load(tmp_path / "a.npz")


def test_two_medians_are_told_in_digits_that_show_their_difference():
    assert _told_apart(0.3, 0.30000001) == ("0.3", "0.30000001")
    assert _told_apart(1.0, 2.0) == ("1", "2")


def test_every_type_of_arrow_has_a_place_or_is_refused_by_name():
    day = datetime.date(2024, 1, 1)
    values = {
        pa.bool_(): True, pa.int8(): 1, pa.uint64(): 2**63 + 5, pa.float16(): np.float16(1.5), pa.float32(): 0.1,
        pa.decimal128(12, 2): 12, pa.string(): "x", pa.large_string(): "x", pa.date32(): day, pa.date64(): day,
        pa.timestamp("ns"): datetime.datetime(2024, 1, 1),
        pa.timestamp("us", "Europe/Berlin"): datetime.datetime(2024, 1, 1),
        pa.time32("s"): datetime.time(1, 2), pa.time64("us"): datetime.time(1, 2),
        pa.duration("ms"): datetime.timedelta(1),
        pa.dictionary(pa.int32(), pa.string()): "x",
    }  # fmt: skip
    for kind, value in values.items():
        column = pd.Series(pd.array(pa.array([value, None] * 20, type=kind), dtype=pd.ArrowDtype(kind)))
        read = load(pd.DataFrame({"v": column, "w": np.arange(40) % 3})).values["v"]
        assert read.isna().sum() == 20, kind
        if not pa.types.is_dictionary(kind):
            assert read.dtype == pd.ArrowDtype(kind) and read.iloc[0] == column.iloc[0]
    for kind, value in {pa.list_(pa.int8()): [1], pa.binary(): b"x", pa.struct({"a": pa.int8()}): {"a": 1}}.items():
        column = pd.Series(pd.array(pa.array([value] * 40, type=kind), dtype=pd.ArrowDtype(kind)))
        with pytest.raises(DataError, match="column 'v': it holds"):
            load(pd.DataFrame({"v": column, "w": np.arange(40) % 3}))


def test_exact_decimals_come_back_from_parquet_exactly(tmp_path):
    from decimal import Decimal

    values = [Decimal(k) / 100 + Decimal("1234567890123") for k in range(60)]
    pd.DataFrame({"v": values, "w": np.arange(60) % 3}).to_parquet(tmp_path / "d.parquet")
    assert load(tmp_path / "d.parquet").values["v"].tolist() == values


@pytest.mark.parametrize("ending", [".jsonl", ".xlsx"])
def test_records_come_back_as_they_were(tmp_path, ending):
    if ending == ".xlsx":
        pytest.importorskip("openpyxl")
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3] * 10, dtype="Int64"),
            "big": [2**53 - 1, 5, 7] * 10,
            "x": [0.1, 0.25, np.nan] * 10,
            "t": ["a", None, "NA"] * 10,
            "f": [True, False, True] * 10,
            "d": pd.to_datetime(["2024-01-01", "2023-05-06", None] * 10),
        }
    )
    (path,) = write_samples(frame, tmp_path / f"out{ending}")
    read = load(path).values
    for name in frame:
        assert read[name].isna().tolist() == frame[name].isna().tolist(), name
        assert read[name].dropna().tolist() == frame[name].dropna().tolist(), name


def test_a_line_that_is_no_object_is_refused_with_its_number(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n[1]\n')
    with pytest.raises(DataError, match="line 2"):
        load(tmp_path / "a.jsonl")


def test_a_table_of_real_numbers_says_how_to_have_points(tmp_path):
    path = tmp_path / "heights.csv"
    path.write_text("height,weight\n" + "".join(f"{1.5 + index / 100},{60.25 + index}\n" for index in range(40)))
    found = load(path)
    assert found.kind == "table"
    assert any("--kind points" in note for note in found.notes)
    assert load(path, options=DataOptions(kind="points")).kind == "points"
    assert not any("--kind points" in note for note in load(path, options=DataOptions(kind="table")).notes)


def sizes(rows: int = 300) -> pd.DataFrame:
    numbers = np.random.default_rng(0)
    return pd.DataFrame(
        {"size": numbers.choice(["large", "middle", "small"], rows, p=[0.2, 0.3, 0.5]), "v": numbers.normal(size=rows)}
    )


@pytest.mark.parametrize(
    "entry", ["ordered small < middle < large", {"kind": "ordered", "levels": ["small", "middle", "large"]}]
)
def test_an_order_that_is_stated_is_seen_by_the_discriminator_and_by_conditions(tmp_path, entry):
    kinds = kinds_from({"size": entry}, where="kinds.yaml")
    sizes().to_csv(tmp_path / "sizes.csv", index=False)
    raw = load(tmp_path / "sizes.csv", options=DataOptions(columns=kinds))
    assert raw.values["size"].dtype == pd.CategoricalDtype(["small", "middle", "large"], ordered=True)
    encoder = prepare(raw, seed=0).encoder
    (scores,) = [block.scores for block in encoder.space.blocks if block.column == "size"]
    assert len(scores) == 3 and list(scores) == sorted(scores)  # the entries stand in the order of the levels
    condition = wanted_rows(encoder, where="size >= 'middle'").condition
    assert condition.obeyed(raw.values).tolist() == raw.values["size"].isin(["middle", "large"]).tolist()
    # The same from pandas, and none of it for names without an order.
    again = prepare(load(raw.values), seed=0).encoder
    assert [block.scores for block in again.space.blocks if block.column == "size"] == [scores]
    plain = prepare(load(sizes()), seed=0).encoder
    assert [block.scores for block in plain.space.blocks if block.column == "size"] == [()]
    with pytest.raises(InputError, match="names have no order"):
        wanted_rows(plain, where="size >= 'middle'")


def test_inspect_shows_the_order(tmp_path, capsys):
    sizes().to_csv(tmp_path / "sizes.csv", index=False)
    (tmp_path / "kinds.yaml").write_text("size: ordered small < middle < large\n")
    with pytest.raises(SystemExit):
        main(["inspect", str(tmp_path / "sizes.csv"), "--columns", str(tmp_path / "kinds.yaml")])
    out = capsys.readouterr().out
    assert "category, ordered" in out and "small < middle < large" in out


@pytest.mark.parametrize("kind", ["ordered", "ordered a", "ordered a < a", "ordered a < < b"])
def test_an_order_that_is_none_is_refused(kind):
    with pytest.raises(ConfigError, match="names no order of different levels"):
        kinds_from({"size": kind}, where="kinds.yaml")


def test_a_value_that_is_none_of_the_ordered_levels_is_refused_with_its_row():
    with pytest.raises(DataError, match="'large' is none of the levels"):
        load(sizes(), options=DataOptions(columns={"size": "ordered small < middle"}))
