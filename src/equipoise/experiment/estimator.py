"""A GAN as a scikit-learn estimator: `GAN(minutes=5).fit(X).sample(1000)`."""

from __future__ import annotations

import itertools
import secrets
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from equipoise.data import load
from equipoise.data.splits import FEWEST_SAMPLES
from equipoise.experiment.judge.datasets import judge_sources
from equipoise.experiment.prepare import data_options
from equipoise.experiment.train import fit

SEEDS = 2**31 - 1
PASSED_ON = (
    "generator",
    "discriminator",
    "latents",
    "objective",
    "penalties",
    "augmentation",
    "optimizers",
    "callbacks",
    "steps",
    "minutes",
    "device",
    "preset",
    "until",
    "margin",
    "keep_best",
)
"""Parameters that `equipoise.fit` has under the same name."""
SCORING_SEED = 0
"""Of the samples that are scored: the same data get the same score."""


class GAN(BaseEstimator):
    """A generator that is fitted to data and draws new samples.

    The parameters are those of `equipoise.fit`, which also says what each may be. As everywhere in scikit-learn they
    are stored as they are given, and looked at when `fit` is called.

    Args:
        objective: what the players fight over; by default the preset's, a relativistic game with R1 and R2.
        steps: how long to train; or
        minutes: the same as a time. Without either the preset's number of steps is trained, which takes a while.
        generator: a torch module, or a factory of one.
        discriminator: the same for the other player.
        latents: width of the generator's latents, for a module that does not say it.
        penalties: penalties and names of penalties.
        augmentation: what both players see in place of the bare samples.
        optimizers: a factory of an optimizer from parameters, a name or settings; or these by role.
        callbacks: functions of one event.
        preset: the complete configuration to start from.
        settings: changes to it, each `"key.path=value"`.
        until: "not-distinguished" ends training at the first interim evaluation that says so.
        margin: with `until`: a JSD in nats that is small enough.
        keep_best: keep the weights with the smallest estimated distance; without it they are those of the last step.
        device: auto, cpu, cuda or mps.
        outdir: a folder in which each `fit` makes a run folder, `run-1`, `run-2` and so on. By default the run folder
            is a temporary one, and goes when the estimator does, or at the next `fit`.
        random_state: seed of everything random: a number, a `RandomState`, or `None` for another one at each `fit`.

    Attributes:
        gan_: the fitted generator with everything else that it can do, such as `gan_.judge()` and `gan_.stream(n)`.
        run_folder_: where its measurements, samples, checkpoints and report are.
        n_iter_: steps trained.
        n_features_in_: columns of `X`, where it is an array of two axes or a DataFrame.
        feature_names_in_: their names, where `X` has them.

    To save time a run of an estimator has no interim evaluations unless `until` or `keep_best` asks for them, and no
    final verdict; `settings=["outputs.final_verdict=true"]` asks for one. Labels are no `y`: name their column with
    `settings=["data.labels=COLUMN"]`, or fit the pair `(samples, labels)`.

    It passes scikit-learn's own checks of estimators. It has no `predict` and no `transform`: a generator gives new
    samples, and nothing about those that it is shown.
    """

    def __init__(
        self,
        *,
        objective: Any = None,
        steps: int | None = None,
        minutes: float | None = None,
        generator: Any = None,
        discriminator: Any = None,
        latents: int | None = None,
        penalties: Any = None,
        augmentation: Any = None,
        optimizers: Any = None,
        callbacks: Any = (),
        preset: str | None = None,
        settings: Any = (),
        until: str | None = None,
        margin: float | None = None,
        keep_best: bool = False,
        device: str = "auto",
        outdir: Path | str | None = None,
        random_state: Any = None,
    ) -> None:
        self.objective = objective
        self.steps = steps
        self.minutes = minutes
        self.generator = generator
        self.discriminator = discriminator
        self.latents = latents
        self.penalties = penalties
        self.augmentation = augmentation
        self.optimizers = optimizers
        self.callbacks = callbacks
        self.preset = preset
        self.settings = settings
        self.until = until
        self.margin = margin
        self.keep_best = keep_best
        self.device = device
        self.outdir = outdir
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> GAN:
        """Train a generator on `X`.

        Args:
            X: an array, a DataFrame, a path, or whatever else `equipoise.fit` reads.
            y: not used; every estimator has it.

        Raises:
            ValueError: an array of numbers is empty, or holds what is no finite number.
            InputError: the data or a parameter cannot be used; the message says why.
        """
        del y
        X = self._checked(X, is_new=True)
        quiet = [] if self.until is not None or self.keep_best else ["evaluations.count=0"]
        self.gan_ = fit(
            X,
            outdir=self._new_folder(),
            seed=self._seed(),
            settings=[*quiet, "outputs.final_verdict=false", *self.settings],
            **{name: getattr(self, name) for name in PASSED_ON},
        )
        self.run_folder_ = self.gan_.folder
        self.n_iter_ = self.gan_.step
        return self

    def sample(self, n_samples: int = 1, *, label: str | int | None = None, random_state: Any = None) -> Any:
        """New samples of the same kind as `X`: an array or a DataFrame.

        Args:
            n_samples: how many.
            label: name or number of the class to ask for, where the data had labels.
            random_state: the same number gives the same samples; by default they are new each time.
        """
        check_is_fitted(self)
        seed = None if random_state is None else _seed_of(random_state)
        return self.gan_.sample(n_samples, seed=seed, label=label)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the estimated Jensen-Shannon divergence between `X` and as many new samples, in nats.

        It is about 0 where fresh discriminators cannot distinguish them, and -log 2 = -0.69 where they always can; more
        is better. This is the estimate and not the bound that a verdict rests on: the bound is 0 wherever nothing can
        be proved, and would reward a referee that sees badly. `X` should be data that were not fitted.

        Args:
            X: data of the kind that was fitted.
            y: not used.
        """
        del y
        check_is_fitted(self)
        # Read as the run read its data: images at the same size, a table without the columns that were left out.
        real = load(self._checked(X, is_new=False), options=data_options(self.gan_.config.data))
        fake = self.gan_.sample_raw(len(real), seed=SCORING_SEED)
        return -judge_sources(real, fake, sensitivity="theoretical").jsd_estimate_nats

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "gan_")

    def __getstate__(self) -> dict[str, Any]:
        # The folder that goes with this object does not go with a copy of it.
        return {name: value for name, value in super().__getstate__().items() if name != "_temporary"}

    def _checked(self, X: Any, *, is_new: bool) -> Any:
        """`X`, checked as scikit-learn does where it is a frame or an array of numbers; the rest is for our readers."""
        if hasattr(X, "iloc"):
            return validate_data(self, X, reset=is_new, skip_check_array=True)
        is_array = hasattr(X, "__array__") or isinstance(X, list)
        if issparse(X) or (is_array and np.ndim(X) <= 2):
            return validate_data(self, X, reset=is_new, ensure_min_samples=FEWEST_SAMPLES)
        return X

    def _new_folder(self) -> Path:
        if self.outdir is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="equipoise-")
            return Path(self._temporary.name) / "run"
        for number in itertools.count(1):
            folder = Path(self.outdir) / f"run-{number}"
            try:
                folder.mkdir(parents=True)  # taken at once: another fit that starts now gets the next number
                return folder
            except FileExistsError:
                continue
        raise AssertionError("there is always another number")

    def _seed(self) -> int:
        return secrets.randbelow(SEEDS) if self.random_state is None else _seed_of(self.random_state)


def _seed_of(random_state: Any) -> int:
    """The number itself, so that a run is that of `equipoise.fit` with this seed; or a draw of a `RandomState`."""
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(SEEDS))
