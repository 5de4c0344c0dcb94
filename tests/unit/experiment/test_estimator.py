"""The estimator keeps what scikit-learn promises of every estimator, and what `equipoise.fit` promises of a run."""

import gc
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import equipoise as eq
from equipoise.errors import ConfigError, DataError

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = (
    "training.batch_size=8",
    "networks.generator.width=4",
    "networks.discriminator.width=4",
    "outputs.samples=1",
    "runtime.threads=1",
)
# Every check of scikit-learn makes sense for a generator, as the version that is pinned has them.
EXPECTED_TO_FAIL: dict[str, str] = {}


def small(**parameters):
    return eq.GAN(**{"steps": 3, "settings": SMALL, "random_state": 0, **parameters})


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(0).normal(size=(120, 2))


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"amount": rng.normal(size=120), "kind": rng.choice(["a", "b"], 120)})


@pytest.fixture(scope="module")
def fitted(points):
    return small().fit(points)


@pytest.mark.slow
@parametrize_with_checks([small()], expected_failed_checks=lambda estimator: EXPECTED_TO_FAIL)
def test_scikit_learns_own_checks_hold(estimator, check):
    check(estimator)


def test_fit_returns_the_estimator_and_what_it_found(fitted, points):
    assert (fitted.n_iter_, fitted.n_features_in_) == (3, 2)
    assert fitted.sample(5).shape == (5, 2)
    assert (fitted.run_folder_ / "report.html").is_file()
    assert fitted.gan_.config.evaluations.count == 0 and not fitted.gan_.config.outputs.final_verdict


def test_the_same_random_state_is_the_same_run_as_that_of_fit(fitted, points, tmp_path):
    settings = [*SMALL, "evaluations.count=0", "outputs.final_verdict=false"]
    gan = eq.fit(points, steps=3, seed=0, settings=settings, outdir=tmp_path / "run")
    assert np.array_equal(gan.sample(6, seed=4), fitted.sample(6, random_state=4))
    assert np.array_equal(small().fit(points).sample(6, random_state=4), fitted.sample(6, random_state=4))


def test_samples_are_new_each_time_unless_a_number_is_given(fitted):
    assert not np.array_equal(fitted.sample(4), fitted.sample(4))
    assert np.array_equal(fitted.sample(4, random_state=1), fitted.sample(4, random_state=1))
    draws = [fitted.sample(4, random_state=np.random.RandomState(2)) for _ in range(2)]
    assert np.array_equal(*draws)


def test_another_fit_without_a_random_state_is_another_run(points):
    assert [small(random_state=None).fit(points).gan_.config.seed for _ in range(2)] != [0, 0]


def test_a_frame_is_fitted_with_its_columns_and_comes_back_with_them(frame):
    estimator = small().fit(frame)
    assert list(estimator.feature_names_in_) == ["amount", "kind"] and estimator.n_features_in_ == 2
    drawn = estimator.sample(7)
    assert list(drawn.columns) == ["amount", "kind"] and set(drawn["kind"]) <= {"a", "b"}
    with pytest.raises(ValueError, match="feature names"):
        estimator.score(frame.rename(columns={"kind": "sort"}))


def test_a_path_is_fitted(points, tmp_path):
    np.save(tmp_path / "points.npy", points)
    estimator = small().fit(tmp_path / "points.npy")
    assert estimator.sample(3).shape == (3, 2) and not hasattr(estimator, "n_features_in_")
    assert estimator.score(str(tmp_path / "points.npy")) <= 0.05


def test_a_pair_of_samples_and_labels_is_fitted_and_asked_by_class(points):
    labels = np.random.default_rng(1).integers(0, 2, len(points))
    assert small().fit((points, labels)).sample(4, label="1").shape == (4, 2)


def test_the_score_is_minus_the_estimate_and_worse_for_other_data(points):
    estimator = small(steps=400, settings=("runtime.threads=1",)).fit(points)
    near, far = estimator.score(points), estimator.score(points + 50)
    # Two sets that anybody can distinguish are log 2 = 0.693 apart; the estimate proves most of it.
    assert far < -0.5 and far < near


def test_the_score_of_the_same_data_is_the_same(fitted, points):
    assert fitted.score(points) == fitted.score(points)


def test_clones_and_parameters_are_those_of_scikit_learn(points):
    estimator = small(objective="hinge", penalties=["r1"], callbacks=(print,))
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    copy.set_params(objective="least_squares", steps=2).fit(points)
    assert copy.gan_.config.objective.name == "least_squares" and copy.n_iter_ == 2
    with pytest.raises(ValueError, match="Invalid parameter 'stebs'"):
        copy.set_params(stebs=3)


def test_a_grid_search_chooses_by_the_score(points):
    search = GridSearchCV(small(), {"objective": ["hinge", "relativistic"]}, cv=2).fit(points)
    assert search.best_params_["objective"] in ("hinge", "relativistic")
    assert search.best_estimator_.sample(2).shape == (2, 2)


def test_a_pipeline_ends_in_it(points):
    pipeline = make_pipeline(FunctionTransformer(lambda rows: rows * 2), small()).fit(points)
    assert pipeline[-1].sample(2).shape == (2, 2)


def test_a_temporary_run_folder_goes_with_the_estimator(points):
    estimator = small().fit(points)
    folder = Path(estimator.run_folder_)
    assert folder.is_dir()
    del estimator
    gc.collect()
    assert not folder.exists()


def test_a_copy_draws_samples_when_the_temporary_run_folder_is_gone(points):
    estimator = small().fit(points)
    copy = pickle.loads(pickle.dumps(estimator))
    wanted = estimator.sample(3, random_state=0)
    del estimator
    gc.collect()
    assert np.array_equal(copy.sample(3, random_state=0), wanted)


def test_each_fit_makes_a_run_folder_in_the_folder_given(points, tmp_path):
    estimator = small(outdir=tmp_path)
    assert [estimator.fit(points).run_folder_ for _ in range(2)] == [tmp_path / "run-1", tmp_path / "run-2"]
    assert eq.load(tmp_path / "run-1").step == 3


@pytest.mark.parametrize("method", ["sample", "score"])
def test_an_estimator_that_is_not_fitted_says_so(method, points):
    arguments = () if method == "sample" else (points,)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(small(), method)(*arguments)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.zeros(5), "Expected 2D array"),
        (np.full((20, 2), np.nan), "contains NaN"),
        (np.zeros((3, 2)), "3 sample.*minimum of 10"),
    ],
    ids=["one axis", "no numbers", "too few"],
)
def test_arrays_are_refused_as_scikit_learn_does(data, said):
    with pytest.raises(ValueError, match=said):
        small().fit(data)


@pytest.mark.parametrize(
    ("parameters", "error", "said"),
    [
        ({"objective": "hing"}, ConfigError, "Did you mean 'hinge'"),
        ({"minutes": 1.0}, ConfigError, "both are given"),
        ({"settings": ("training.batchsize=3",)}, ConfigError, "Did you mean 'batch_size'"),
        ({"until": "never"}, ConfigError, "not-distinguished"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named_when_it_is_fitted(points, parameters, error, said):
    with pytest.raises(error, match=said):
        small(**parameters).fit(points)


def test_data_that_are_not_there_are_named(tmp_path):
    with pytest.raises(DataError, match="absent"):
        small().fit(tmp_path / "absent.csv")


def test_the_package_is_imported_without_scikit_learn():
    code = "import equipoise, sys; assert 'sklearn' not in sys.modules and 'torch' not in sys.modules; equipoise.GAN"
    subprocess.run([sys.executable, "-c", code], check=True)
