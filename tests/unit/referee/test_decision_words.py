"""What a verdict says of its two tests: which of them found a difference, and what is known of its size."""

from __future__ import annotations

import json

import numpy as np
import pytest

from equipoise.referee import Verdict, judge
from equipoise.referee.decision_text import METHOD, METHOD_OF_ONE, method_of, permutation_lines, shares_line
from equipoise.referee.verdict_text import (
    conclusion_of,
    distance_sentence,
    headline,
    page,
    verdict_evidence,
    verdict_sentence,
)


def verdict_on(shift, count=600, dimensions=3):
    stream = np.random.default_rng(4)
    real, fake = stream.standard_normal((2, count, dimensions))
    return judge(real, fake + np.eye(dimensions)[0] * shift, kind="points", checks=(), sensitivity="theoretical")


@pytest.fixture(scope="module")
def small():
    found = verdict_on(0.25)
    assert found.speaks == "companion"
    return found


@pytest.fixture(scope="module")
def none():
    found = verdict_on(0.0)
    assert found.speaks == "neither"
    return found


def test_a_difference_that_only_the_permutation_test_found_has_no_size_and_names_the_statistic(small):
    state = small.to_json()
    assert conclusion_of(state) == "Different; size not established"
    assert headline(state).startswith(
        "DIFFERENT; SIZE NOT ESTABLISHED: the mean of `x0` is higher on the generated side by 0.2"
    )
    assert verdict_sentence(state).startswith("The mean of `x0` is higher")
    assert distance_sentence(state) == "That the two differ is established; how far they are apart is not."
    assert ("lower bound on JSD, nats", "not established") in verdict_evidence(state)


def test_its_page_never_says_at_least_0_and_says_the_difference_once(small):
    text = " ".join(small.to_text().split())
    assert "at least 0" not in text and "Distance: not established" in text
    assert text.count("is higher on the generated side") == 1


def test_its_figure_names_the_difference_and_proves_no_distance(small):
    figure = small.plot()
    words = [text.get_text() for axes in figure.axes for text in (axes.title, *axes.get_yticklabels())]
    assert "Different; size not established: the mean of `x0` is higher" in figure.get_suptitle().replace("\n", " ")
    assert not any("proved" in each for each in words), words


def test_the_page_says_which_test_spoke_and_what_each_ones_share_of_the_error_is(small, none):
    pages = [" ".join(page({**each.to_json(), "log_e_value": 1.0}).split()) for each in (small, none)]
    shared = "Two tests share the 5 % chance of a false alarm: the permutation test has 4 %, the classifiers 1 %; "
    assert shared + "only the permutation test found a difference." in pages[0]
    assert shared + "neither found a difference." in pages[1]
    assert "and at most 0.04 is needed" in pages[0] and "once in 100 is needed" in pages[0]


def test_where_both_tests_find_a_difference_the_page_says_so_and_bounds_the_distance():
    found = verdict_on(1.0)
    text = " ".join(found.to_text().split())
    assert found.speaks == "both" and "both found a difference." in text
    assert "the Jensen-Shannon divergence is at least 0." in text and "! The mean of `x0` is higher" in text


def test_where_accuracy_is_no_plain_evidence_the_headline_names_the_difference(small):
    state = {**small.to_json(), "speaks": "both", "log_e_value": 9.21, "jsd_lower_bound_nats": 0.002}
    said = headline(state)
    assert said.startswith("DISTINGUISHED: the mean of `x0` is higher on the generated side by 0.2")
    assert said.endswith("would come up at most once in 9,997 times.")
    assert headline({**state, "speaks": "classifier"}).startswith("DISTINGUISHED: generated and real samples differ")


def test_missing_regions_are_named_before_a_correlation_and_not_before_a_mean(small):
    missing = "3 of 30 regions of the data are missing or nearly so; the worst holds 5.1% of the real samples and none."
    state = json.loads(json.dumps(small.to_json()))
    state["findings"].append({"check": "coverage", "statement": missing, "is_problem": True, "numbers": {}, "rows": []})
    state |= {"speaks": "both", "log_e_value": 9.21}
    assert headline(state).startswith("DISTINGUISHED: the mean of `x0` is higher")
    state["companion"]["differences"][0]["family"] = "correlation"
    said = headline(state)
    assert said.startswith("DISTINGUISHED: 3 of 30 regions of the data are missing or nearly so; the worst holds 5.1%")
    text = " ".join(page(state).split())
    # Each once: the one in the headline, the other among what to look at first.
    assert text.count("are missing or nearly so") == 1 and text.count("! The mean of `x0` is higher") == 1
    assert headline({**state, "speaks": "companion"}).startswith("DIFFERENT; SIZE NOT ESTABLISHED: 3 of 30 regions")


def test_where_nothing_differs_the_headline_counts_the_statistics(none):
    assert f"none of {none.companion.statistics} statistics differs by more than chance" in none.sentence


def test_the_words_survive_json(small):
    state = json.loads(json.dumps(small.to_json()))
    assert Verdict.from_json(state).to_text() == small.to_text()


@pytest.mark.parametrize("damage", [None, [], "x", {}, {"differences": 3}, {"p_value": "a", "level": None}])
def test_a_damaged_or_missing_companion_is_left_out(small, damage):
    state = {**small.to_json(), "companion": damage}
    assert permutation_lines(state) == [] and shares_line(state) == ""
    assert headline(state) == "DIFFERENT; SIZE NOT ESTABLISHED: a permutation test found a difference."


def test_a_verdict_without_a_companion_is_one_of_classifiers_alone(small):
    assert method_of(small.to_json()) == METHOD
    assert method_of(None) == method_of({"companion": None}) == METHOD_OF_ONE
