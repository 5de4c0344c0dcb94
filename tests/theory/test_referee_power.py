"""Reduced power marks on data that packages ship (digits, diamonds, randhie): defects are found, real parts are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from equipoise.referee import Conclusion, judge
from equipoise.referee.classifiers import available


def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    loaded = load_digits()
    order = np.random.default_rng(0).permutation(len(loaded.images))
    images = np.round(loaded.images * 255 / 16).astype(np.uint8)[:, None]
    return images[order], loaded.target[order]


def diamonds(count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = pytest.importorskip("plotnine.data").diamonds.sample(frac=1, random_state=0)
    return table[:count].reset_index(drop=True), table[count : 2 * count].reset_index(drop=True)


def randhie(count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = pytest.importorskip("statsmodels.api").datasets.randhie.load_pandas().data.sample(frac=1, random_state=0)
    return table[:count].reset_index(drop=True), table[count : 2 * count].reset_index(drop=True)


def conclusion(real, fake, *, kind: str, classifiers: tuple[str, ...]) -> Conclusion:
    return judge(real, fake, kind=kind, classifiers=[available()[name] for name in classifiers], checks=[]).conclusion


def test_two_halves_of_the_digits_are_not_distinguished():
    images, _ = digits()
    found = conclusion(images[:850], images[850:1700], kind="images", classifiers=("quadratic", "neighbour curves"))
    assert found == Conclusion.NOT_DISTINGUISHED


@pytest.mark.parametrize("defect", ["class", "noise", "blur"])
def test_a_missing_class_noise_and_blur_of_the_digits_are_found(defect):
    images, labels = digits()
    real, fake = images[:850], images[850:1700]
    if defect == "class":
        # Two of ten: with 850 a side, where the full row has 2,000, one class was found in 8 of 10 trials.
        fake = fake[~np.isin(labels[850:1700], (3, 6))]
    elif defect == "noise":
        noise = np.random.default_rng(1).normal(0, 0.05 * 255, fake.shape)
        fake = np.clip(fake + noise, 0, 255).astype(np.uint8)
    else:
        fake = ((fake.astype(np.uint16) + np.roll(fake, 1, axis=3)) // 2).astype(np.uint8)
    found = conclusion(real, fake, kind="images", classifiers=("quadratic", "neighbour curves"))
    assert found == Conclusion.DISTINGUISHED


def test_a_dependence_broken_in_a_tenth_of_the_diamonds_is_found():
    real, fake = diamonds(4000)
    stream = np.random.default_rng(2)
    rows = stream.choice(len(fake), len(fake) // 10, replace=False)
    fake.loc[rows, "carat"] = fake.loc[stream.permutation(rows), "carat"].to_numpy()
    assert conclusion(real, fake, kind="table", classifiers=("pairs",)) == Conclusion.DISTINGUISHED


def test_a_category_of_three_per_cent_missing_from_the_diamonds_is_found():
    real, fake = diamonds(5000)
    assert 0.02 < (real["cut"] == "Fair").mean() < 0.04
    fake = fake[fake["cut"] != "Fair"]
    assert conclusion(real, fake, kind="table", classifiers=("quadratic",)) == Conclusion.DISTINGUISHED


@pytest.mark.parametrize("table", [diamonds, randhie])
def test_columns_drawn_from_their_marginals_are_distinguished_and_halves_are_not(table):
    real, fake = table(2500)
    classifiers = ("boosted trees", "pairs")
    assert conclusion(real, fake, kind="table", classifiers=classifiers) == Conclusion.NOT_DISTINGUISHED
    stream = np.random.default_rng(3)
    loose = pd.DataFrame({name: fake[name].to_numpy()[stream.permutation(len(fake))] for name in fake})
    assert conclusion(real, loose, kind="table", classifiers=classifiers) == Conclusion.DISTINGUISHED


def test_pairs_of_columns_show_a_dependence_broken_in_a_tenth_of_the_rows():
    stream = np.random.default_rng(4)

    def table(count: int) -> pd.DataFrame:
        first = stream.integers(0, 12, count)
        second = (first + stream.integers(0, 3, count)) % 12
        return pd.DataFrame({"a": first, "b": second, "c": stream.standard_normal(count)}).astype({"a": str, "b": str})

    real, fake = table(4000), table(4000)
    rows = stream.choice(4000, 400, replace=False)
    fake.loc[rows, "b"] = fake.loc[stream.permutation(rows), "b"].to_numpy()
    verdict = judge(real, fake, kind="table", classifiers=[available()["pairs"]], checks=[])
    # 7.5 % of the generated rows have a pair that no real row has: h(0.075) = 0.027 nats, 86 over 1,600 scored pairs.
    assert 20 < verdict.log_e_value < 130
