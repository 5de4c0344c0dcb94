"""What the figures of a table report are turned into: never more than was measured."""

import pytest

from equipoise.metrics.tables.answer import Answer, overall


def graded(grade):
    return Answer("", grade, "", "")


@pytest.mark.parametrize(
    ("real", "useful", "word"),
    [
        ("good", "good", "Yes"),
        ("good", "unknown", "Yes"),
        ("unknown", "good", "With care"),
        ("unknown", "unknown", "Not known"),
        ("fair", "good", "With care"),
        ("unknown", "poor", "As a stand-in only"),
    ],
)
def test_rows_whose_looks_were_not_measured_are_not_called_usable_without_a_word(real, useful, word):
    found = overall(graded(real), graded(useful), graded("good"))
    assert found.word == word
    assert (found.grade == "good") == (word == "Yes")
    is_unseen = word == "With care" and real == "unknown"
    assert ("look real was not measured" in found.sentence) == is_unseen


def test_no_model_is_spoken_of_where_none_was_tested():
    assert "No model was tested" in overall(graded("good"), graded("unknown"), graded("good")).sentence
    assert "like the one that was tested" in overall(graded("good"), graded("good"), graded("good")).sentence
