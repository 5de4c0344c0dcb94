"""A trained generator with all that is needed to use it: sample, judge, save."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from equipoise.data import Encoder, PreparedData, domain_of
from equipoise.data.dataset import Dataset
from equipoise.data.tables.conditions.language import Where
from equipoise.errors import InputError, RunFolderError
from equipoise.experiment.asked_for import checked_count, class_number, require_truncation
from equipoise.experiment.balance import Balance
from equipoise.experiment.build.python_parts import PythonParts
from equipoise.experiment.conditional_sampling import Wanted, conditional_rows, joined_data, wanted_rows
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.narrowed_sampling import Draw, Source, narrowed_draws
from equipoise.experiment.sample_parts import SamplePart
from equipoise.files import replacing
from equipoise.old_names import with_old_keywords
from equipoise.randomness import Stream
from equipoise.spaces import Space, sample_size
from equipoise.training.conditions import ClassLabels, Condition
from equipoise.training.sampling import CHUNK, joined, sample_batches

if TYPE_CHECKING:
    from equipoise.experiment.exporting import Exported
    from equipoise.experiment.judge.datasets import SensitivityPlan
    from equipoise.experiment.rejection import Rejection
    from equipoise.referee import Verdict


@dataclass(frozen=True, repr=False)
class Gan:
    """A generator (the EMA of its weights) and what turns its output into samples of the data's kind.

    Attributes:
        folder: its run folder.
        config: the complete configuration.
        encoder: from encoded samples to values and back.
        generator: the averaged network, in evaluation mode.
        label_names: names of the classes it can be asked for.
        class_shares: share of each class in the training part.
        step: after which step the weights were stored.
        names: of the coordinates of points.
        data: the prepared data, when they are at hand.
        passed_over: a sentence for each newer checkpoint that was broken.
        discriminator: the game's own, as it was after the same step; `gan.discriminator(encoded)` gives logits of
            samples as `encoder` encodes them. `None` for a generator that was not loaded from a checkpoint.
        parts: what was given as Python objects.
    """

    folder: Path
    config: RunConfig
    encoder: Encoder
    generator: nn.Module
    label_names: tuple[str, ...]
    class_shares: torch.Tensor | None
    step: int
    names: tuple[str, ...] = ()
    data: PreparedData | None = None
    passed_over: tuple[str, ...] = ()
    discriminator: nn.Module | None = None
    parts: PythonParts = PythonParts()

    @property
    def space(self) -> Space:
        """What one sample is."""
        return self.encoder.space

    def sample(
        self,
        n: int,
        *,
        seed: int | None = None,
        label: str | int | None = None,
        condition: Condition | None = None,
        truncation: float = 1.0,
        where: Where | None = None,
        balance: Balance | None = None,
        most_draws: int | None = None,
        rejection: Rejection | None = None,
    ) -> Any:
        """`n` samples: an array of points `(n, d)`, images `(n, height, width[, channels])` uint8, or a DataFrame.

        Args:
            n: how many; 1 or more.
            seed: the same seed gives the same samples; without one they are new each time.
            label: name or number of the class to ask for; by default classes come as often as in the data.
            condition: what to ask a conditional generator for, as an object of which a class label is the simplest.
            truncation: of images and points, a factor on the latents: below 1 they are more usual and less varied, and
                no longer a sample of what was learned.
            where: of a table, a condition that every row obeys: "income == '>50K' and 30 <= age < 40", or
                {"income": ">50K", "age": slice(30, 40)}.
            balance: of a table, a column whose values come equally often, or {"sex": {"Female": 0.7, "Male": 0.3}}.
            most_draws: rows that may be drawn for those that are kept.
            rejection: of a table, what `gan.rejection()` gives: rows that look less real are kept less often.

        Raises:
            InputError: `n` is below 1, there is no such class, the generator takes no condition, no row can meet
                `where`, or so few do that `most_draws` rows are not enough.
        """
        wanted = wanted_rows(self.encoder, where=where, balance=balance, most_draws=most_draws, rejection=rejection)
        raw = self.sample_raw(n, seed=seed, label=label, condition=condition, truncation=truncation, wanted=wanted)
        return domain_of(self.space.kind).presented(self.completed(raw).values)

    def rejection(self) -> Rejection:
        """A discriminator of rows that is fitted now, for `sample`; see `equipoise.experiment.rejection`."""
        from equipoise.experiment.rejection import rejection_of

        return rejection_of(self)

    def impute(self, rows: Any, *, seed: int | None = None, tell: Callable[[str], None] = lambda text: None) -> Any:
        """The rows of a DataFrame with every gap filled by the generator, given the cells that are there.

        Args:
            rows: with gaps; columns may be left out altogether. Given cells are kept as they are.
            seed: the same seed fills the same rows alike.
            tell: takes sentences for the person.

        Raises:
            InputError: the rows cannot be continued, or not by this generator; see `equipoise.experiment.imputation`.
        """
        from equipoise.experiment.imputation import imputed

        return imputed(self, rows, seed=secrets.randbits(62) if seed is None else seed, tell=tell)

    def stream(
        self,
        n: int,
        *,
        seed: int | None = None,
        label: str | int | None = None,
        condition: Condition | None = None,
        truncation: float = 1.0,
        where: Where | None = None,
        balance: Balance | None = None,
        most_draws: int | None = None,
        rejection: Rejection | None = None,
    ) -> Iterator[Any]:
        """The samples of `sample(n, seed=seed)` a batch at a time, so that any number fits into memory.

        A batch has up to 1,024 samples, or up to 64 of more than 1,024 numbers each. All batches one after the other
        are `sample(n, seed=seed)`, bit for bit. The arguments are those of `sample`.
        """
        presented = domain_of(self.space.kind).presented
        wanted = wanted_rows(self.encoder, where=where, balance=balance, most_draws=most_draws, rejection=rejection)
        parts = self.stream_raw(n, seed=seed, label=label, condition=condition, truncation=truncation, wanted=wanted)
        return (presented(part.values) for part in parts)

    def stream_raw(
        self,
        n: int,
        *,
        seed: int | None = None,
        label: str | int | None = None,
        condition: Condition | None = None,
        truncation: float = 1.0,
        wanted: Wanted | None = None,
        part: SamplePart = SamplePart(),
    ) -> Iterator[Dataset]:
        """As `stream`, with labels and names, as `equipoise.data.write_batches` takes them; `part` of all `n` alone."""
        wanted = wanted or wanted_rows(self.encoder)
        given = {"label": label, "condition": condition, "truncation": truncation}
        found = self._learned(n, seed=seed, wanted=wanted, part=part, **given)
        offset = part.chunks(n)[0] * CHUNK if wanted is None else n * (part.number - 1) // part.of
        return self._all_completed(found, offset=offset)

    def _all_completed(self, parts: Iterable[Dataset], *, offset: int) -> Iterator[Dataset]:
        for each in parts:
            yield self.completed(each, offset=offset)
            offset += len(each)

    def _learned(
        self,
        n: int,
        *,
        seed: int | None,
        label: str | int | None,
        condition: Condition | None,
        truncation: float,
        wanted: Wanted | None,
        part: SamplePart = SamplePart(),
    ) -> Iterator[Dataset]:
        """The samples batch by batch, without made-up columns."""
        # Refused here and not when the first batch is asked for: hence no generator function.
        asked = self._condition(label, condition)
        seed = secrets.randbits(62) if seed is None else seed
        if wanted is None:
            return self._datasets(n, seed=seed, condition=asked, truncation=truncation, part=part)
        own, rows = part.seed(seed), part.rows(checked_count(n))
        batches = partial(self._drawn, None, condition=asked, truncation=truncation)
        source = Source(self.generator, self.encoder, batches, self._dataset)
        draws = narrowed_draws(source, wanted, seed=own)
        if draws is None:
            draws = self._datasets(None, seed=own, condition=asked, truncation=truncation)
        return conditional_rows(draws, rows, wanted, seed=own, part=part)

    def _datasets(
        self,
        n: int | None,
        *,
        seed: int,
        condition: Condition | None,
        truncation: float,
        part: SamplePart = SamplePart(),
    ) -> Iterator[Dataset]:
        first, count = (0, None) if n is None else part.chunks(checked_count(n))
        batches = self._drawn(count, seed=seed, condition=condition, truncation=truncation, first_chunk=first)
        return self._decoded(batches, offset=first * CHUNK)

    def _decoded(
        self, batches: Iterable[tuple[torch.Tensor, torch.Tensor | None]], *, offset: int
    ) -> Iterator[Dataset]:
        before = offset
        for samples, labels in batches:
            yield self._dataset(samples, labels, offset=before)
            before += len(samples)

    def completed(self, part: Dataset, *, offset: int = 0) -> Dataset:
        """Rows of a table with the columns that are made up: keys, names and free text; `offset` rows came before."""
        complete = getattr(self.encoder, "completed", None)
        if complete is None:
            return part
        return replace(part, values=complete(part.values, offset=offset), repeated=self.encoder.repeated)

    def sample_raw(
        self,
        n: int,
        *,
        seed: int | None = None,
        label: str | int | None = None,
        condition: Condition | None = None,
        truncation: float = 1.0,
        wanted: Wanted | None = None,
    ) -> Dataset:
        """As `sample`, with labels and names, and without made-up columns: images `(n, channels, height, width)`."""
        wanted = wanted or wanted_rows(self.encoder)
        if wanted is not None:
            given = {"label": label, "condition": condition, "truncation": truncation}
            return joined_data(list(self._learned(n, seed=seed, wanted=wanted, **given)))
        asked = self._condition(label, condition)
        seed = secrets.randbits(62) if seed is None else seed
        return self._dataset(*joined(self._drawn(checked_count(n), seed=seed, condition=asked, truncation=truncation)))

    def _drawn(
        self,
        n: int | None,
        *,
        seed: int,
        condition: Condition | None,
        truncation: float,
        first_chunk: int = 0,
        draw: Draw | None = None,
        purpose: str = Stream.SAMPLES,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
        require_truncation(truncation, self.space)
        return sample_batches(
            self.generator if draw is None else draw,
            n,
            latent_dimensions=self.generator.latent_dimensions,
            sample_numbers=sample_size(self.space),
            seed=seed,
            purpose=purpose,
            condition=condition,
            truncation=truncation,
            first_chunk=first_chunk,
            device=next((weight.device for weight in self.generator.parameters()), torch.device("cpu")),
        )

    def _condition(self, label: str | int | None, condition: Condition | None) -> Condition | None:
        """What the generator is asked for; `None` for one that takes no condition."""
        if self.config.networks.conditional and condition is None:
            return ClassLabels(self.class_shares, None if label is None else self.class_number(label))
        if label is not None and condition is not None:
            raise InputError("sample", "label and condition are given.", "Expected one of them.", "Leave one out.")
        if label is not None:
            self.class_number(label)
        if condition is not None and not self.config.networks.conditional:
            raise InputError(
                "condition",
                "the generator was trained without any.",
                "Expected a conditional generator.",
                "Leave it out, or train on data with labels.",
            )
        return condition

    def _dataset(
        self, samples: torch.Tensor, labels: torch.Tensor | None, *, offset: int = 0, **options: Any
    ) -> Dataset:
        """Natural values; a table's label column holds the class that each row was asked for."""
        raw = Dataset(
            kind=self.space.kind,
            values=self.encoder.decode(samples.numpy(), offset=offset, **options),
            names=self.names,
            source=f"{len(samples)} samples of {self.folder}",
        )
        if labels is None:
            return raw
        classes = [self.label_names[label] for label in labels.tolist()]
        values = domain_of(raw.kind).with_classes(raw.values, self.config.data.labels, classes)
        return replace(raw, values=values, labels=labels.numpy().astype(np.int64), label_names=self.label_names)

    @with_old_keywords
    def judge(
        self,
        *,
        confidence: float = 0.95,
        margin: float | None = None,
        seed: int = 0,
        sensitivity: SensitivityPlan = "auto",
        extractor: Any = None,
    ) -> Verdict:
        """The referee's verdict on the final part of the data; it is stored in the run folder.

        The arguments are those of `equipoise.judge`.
        """
        from equipoise.experiment.judge.run import judge_gan

        return judge_gan(
            self, confidence=confidence, margin=margin, seed=seed, sensitivity=sensitivity, extractor=extractor
        )

    def save(self, path: Path | str) -> Path:
        """Copy the run folder to `path`, whole; `load` opens it.

        Raises:
            RunFolderError: something is at `path` already.
        """
        target = Path(path)
        if target.exists():
            raise RunFolderError(
                str(target), "something is there already.", "Expected a new folder.", "Choose another."
            )
        with replacing(target, is_folder=True) as temporary:
            shutil.copytree(self.folder, temporary, dirs_exist_ok=True, ignore=_links)
        return target

    def interpolate(self, frames: int = 48, *, seed: int = 0, label: str | int | None = None) -> np.ndarray:
        """Images that change little by little on closed walks, uint8 `(frames, walks, height, width[, channels])`.

        See `equipoise.experiment.interpolation`; the arguments are those of `walk` there.
        """
        from equipoise.experiment.interpolation import walk

        found = np.moveaxis(walk(self, frames, seed=seed, label=label), 2, -1)
        return found[..., 0] if found.shape[-1] == 1 else found

    def export(self, path: Path | str, *, form: Literal["onnx", "torch"] | None = None) -> Exported:
        """Write an ONNX model (`.onnx`) or a program of torch alone (`.pt2`); see `equipoise.experiment.exporting`."""
        from equipoise.experiment.exporting import export

        return export(self, path, form=form)

    def save_pretrained(self, path: Path | str) -> Path:
        """Write a folder of weights, configuration and model card; `equipoise.from_pretrained` opens it.

        Raises:
            InputError: something is at `path` already, or the networks are code of your own.
        """
        from equipoise.experiment.pretrained import save_pretrained

        return save_pretrained(self, path)

    def push_to_hub(self, repository: str, *, private: bool = True, token: str | None = None) -> str:
        """Upload that folder to a repository `owner/name` of the Hugging Face hub; not tested against the network."""
        from equipoise.experiment.pretrained import push_to_hub

        return push_to_hub(self, repository, private=private, token=token)

    def class_number(self, label: str | int) -> int:
        """The number of a class of that name or number.

        Raises:
            InputError: there is none.
        """
        return class_number(label, self.label_names, is_conditional=self.config.networks.conditional)

    def __repr__(self) -> str:
        shape, objective = self.space.shape, self.config.objective.name
        return f"Gan({self.folder}: {self.space.kind} of shape {shape}, {objective}, step {self.step:,})"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<b>{escape(repr(self))}</b>"


def _links(folder: str, names: list[str]) -> set[str]:
    """Links are not followed: what they lead to is not part of the run."""
    return {name for name in names if (Path(folder) / name).is_symlink()}
