"""Readers against files that hypothesis makes up: whatever the bytes, only errors of ours come out."""

from __future__ import annotations

import io
import json
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hostile import everything_below, zip_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equipoise.data import load
from equipoise.documents import parse_json, parse_yaml
from equipoise.errors import EXIT_BAD_INPUT, UNSEEN, EquipoiseError, visible
from equipoise.experiment.config.files import read_config, validated
from equipoise.experiment.config.overrides import read_settings
from equipoise.migrations import upgraded
from equipoise.runfolder import RunFolder

# Few and quick: fuzzing for hours is benchmarks/fuzz.py. The time of one example depends on the machine.
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SMALL_ARRAY = np.arange(24.0).reshape(12, 2)


@contextmanager
def only_our_errors() -> Iterator[None]:
    try:
        yield
    except EquipoiseError as error:
        assert error.exit_code == EXIT_BAD_INPUT and str(error)


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, SMALL_ARRAY)
    return buffer.getvalue()


def parquet() -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame({"a": SMALL_ARRAY[:, 0], "b": ["x", "y"] * 6}).to_parquet(buffer)
    return buffer.getvalue()


def zipped() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return zip_of(Path(folder) / "x.zip", {"a/1.png": b"x", "b/2.png": b"y"}).read_bytes()


WHOLE = {
    "x.csv": b'a,b,"c"\n1.5,x,2024-05-31\n2.5,y,\n' * 3,
    "x.npy": npy(),
    "x.parquet": parquet(),
    "x.zip": zipped(),
    "x.npz": zipped(),
}


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A whole file with some bytes changed, and perhaps its end cut off or something put into it."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(content) - 1))
        content[place] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        content = content[: draw(st.integers(0, len(content)))]
    place = draw(st.integers(0, len(content)))
    return bytes(content[:place]) + draw(st.binary(max_size=16)) + bytes(content[place:])


@pytest.mark.parametrize("name", WHOLE)
def test_a_damaged_data_file_is_read_or_refused(name):
    @QUICK
    @given(content=damaged(WHOLE[name]))
    def check(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            with only_our_errors():
                load(path)
            assert everything_below(Path(folder)) == {name: content}

    check()


@QUICK
@given(content=st.binary(max_size=300) | PLAIN.map(lambda value: yaml.safe_dump(value, allow_unicode=True).encode()))
def test_any_configuration_is_read_or_refused(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_bytes(content)
        with only_our_errors():
            found, lines = read_config(path)
            validated(found, where="config.yaml", lines=lines)


@QUICK
@given(text=st.text(max_size=60))
def test_any_setting_is_read_or_refused(text):
    with only_our_errors():
        read_settings([f"training.steps={text}"])
    with only_our_errors():
        read_settings([text])


@QUICK
@given(content=st.binary(max_size=200) | PLAIN.map(lambda value: json.dumps(value).encode()))
def test_any_file_of_a_run_folder_is_read_or_refused(content):
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        for path in (folder.status, folder.data, folder.metrics, folder.verdicts):
            path.write_bytes(content)
        for read in (
            folder.read_status,
            lambda: folder.read_json(folder.data),
            folder.read_metrics,
            folder.read_verdicts,
            lambda: folder.cut_after(3),
        ):
            with only_our_errors():
                read()


@QUICK
@given(value=PLAIN)
def test_plain_values_come_back_from_json_and_yaml(value):
    assert parse_json(json.dumps(value)) == value
    assert parse_yaml(yaml.safe_dump(value)) == value


@QUICK
@given(content=st.dictionaries(st.text(max_size=6) | st.just("format"), PLAIN, max_size=4))
def test_a_document_is_brought_to_the_present_format_or_refused(content):
    with only_our_errors():
        assert {**upgraded("status", content, where="x"), "format": 0} == {**content, "format": 0}


@QUICK
@given(text=st.text())
def test_what_is_shown_has_no_character_that_steers_a_terminal(text):
    shown = visible(text)
    assert all(unicodedata.category(letter) not in UNSEEN or letter in "\n\t" for letter in shown)
    assert "\x1b" not in shown and "\u202e" not in shown
    assert visible(shown) == shown
