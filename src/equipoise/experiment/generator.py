"""A trained generator with all that is needed to use it: sample, judge, save."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from equipoise.data import Encoder, PreparedData, domain_of
from equipoise.data.dataset import Dataset
from equipoise.errors import InputError, RunFolderError, nearest
from equipoise.experiment.build.networks import build_networks
from equipoise.experiment.build.python_parts import ROLES, NetworkFactory, PythonParts, require_parts, sort_parts
from equipoise.experiment.config.files import read_run_config
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.stored_run import refuse_unexplained_size, stored_classes, stored_encoder
from equipoise.files import replacing
from equipoise.old_names import with_old_keywords
from equipoise.runfolder import RunFolder, open_run_folder
from equipoise.spaces import Space, sample_size
from equipoise.training.checkpoints import checkpoint_files, network_tensors, read_checkpoint
from equipoise.training.conditions import ClassLabels, Condition
from equipoise.training.sampling import joined, sample_batches

if TYPE_CHECKING:
    from equipoise.experiment.judge.datasets import SensitivityPlan
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
    ) -> Any:
        """`n` samples: an array of points `(n, d)`, images `(n, height, width[, channels])` uint8, or a DataFrame.

        Args:
            n: how many; 1 or more.
            seed: the same seed gives the same samples; without one they are new each time.
            label: name or number of the class to ask for; by default classes come as often as in the data.
            condition: what to ask a conditional generator for, as an object of which a class label is the simplest.
            truncation: of images and points, a factor on the latents: below 1 they are more usual and less varied, and
                no longer a sample of what was learned.

        Raises:
            InputError: `n` is below 1, there is no such class, or the generator takes no condition.
        """
        raw = self.sample_raw(n, seed=seed, label=label, condition=condition, truncation=truncation)
        return domain_of(self.space.kind).presented(raw.values)

    def stream(
        self,
        n: int,
        *,
        seed: int | None = None,
        label: str | int | None = None,
        condition: Condition | None = None,
        truncation: float = 1.0,
    ) -> Iterator[Any]:
        """The samples of `sample(n, seed=seed)` a batch at a time, so that any number fits into memory.

        A batch has up to 1,024 samples, or up to 64 of more than 1,024 numbers each. All batches one after the other
        are `sample(n, seed=seed)`, bit for bit. The arguments are those of `sample`.
        """
        presented = domain_of(self.space.kind).presented
        parts = self.stream_raw(n, seed=seed, label=label, condition=condition, truncation=truncation)
        return (presented(part.values) for part in parts)

    def stream_raw(
        self,
        n: int,
        *,
        seed: int | None = None,
        label: str | int | None = None,
        condition: Condition | None = None,
        truncation: float = 1.0,
    ) -> Iterator[Dataset]:
        """As `stream`, with labels and names, as `equipoise.data.write_batches` takes them."""
        # Refused here and not when the first batch is asked for: hence no generator function.
        asked = self._condition(label, condition)
        return self._datasets(self._drawn(n, seed=seed, condition=asked, truncation=truncation))

    def _datasets(self, batches: Iterable[tuple[torch.Tensor, torch.Tensor | None]]) -> Iterator[Dataset]:
        before = 0
        for samples, labels in batches:
            yield self._dataset(samples, labels, offset=before)
            before += len(samples)

    def sample_raw(
        self,
        n: int,
        *,
        seed: int | None = None,
        label: str | int | None = None,
        condition: Condition | None = None,
        truncation: float = 1.0,
    ) -> Dataset:
        """As `sample`, with labels and names: images `(n, channels, height, width)`."""
        asked = self._condition(label, condition)
        return self._dataset(*joined(self._drawn(n, seed=seed, condition=asked, truncation=truncation)))

    def _drawn(
        self, n: int, *, seed: int | None, condition: Condition | None, truncation: float
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
        if n < 1:
            raise InputError(
                "sample", f"{n} samples were asked for.", "Expected 1 or more.", "Give -n a number above 0."
            )
        if not 0 <= truncation <= 1 or (truncation != 1 and self.space.kind == "table"):
            raise InputError(
                "truncation",
                f"{truncation:g} for samples that are {domain_of(self.space.kind).phrase}.",
                "Expected a factor from 0 to 1, for images or points: the latents of a row draw its categories, too.",
                "Leave it out, or give a factor such as 0.7.",
            )
        return sample_batches(
            self.generator,
            n,
            latent_dimensions=self.generator.latent_dimensions,
            sample_numbers=sample_size(self.space),
            seed=secrets.randbits(62) if seed is None else seed,
            condition=condition,
            truncation=truncation,
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

    def _dataset(self, samples: torch.Tensor, labels: torch.Tensor | None, *, offset: int = 0) -> Dataset:
        """Natural values; a table's label column holds the class that each row was asked for."""
        raw = Dataset(
            kind=self.space.kind,
            values=self.encoder.decode(samples.numpy(), offset=offset),
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

    def class_number(self, label: str | int) -> int:
        """The number of a class of that name or number.

        Raises:
            InputError: there is none.
        """
        if not self.config.networks.conditional:
            raise InputError(
                "--class",
                f"'{label}' was asked for, but the generator was trained without classes.",
                "Expected a generator of labelled data.",
                "Leave it out, or train on data with labels.",
            )
        names = [str(name) for name in self.label_names]
        if str(label) in names:
            return names.index(str(label))
        # A number is a place only where it cannot be taken for a name.
        if isinstance(label, int) and 0 <= label < len(names) and not any(name.lstrip("-").isdigit() for name in names):
            return label
        raise InputError(
            "--class",
            f"no class is called '{label}'.{nearest(str(label), names)}",
            f"Available: {', '.join(names[:50])}.",
            "Write one of these.",
        )

    def __repr__(self) -> str:
        shape, objective = self.space.shape, self.config.objective.name
        return f"Gan({self.folder}: {self.space.kind} of shape {shape}, {objective}, step {self.step:,})"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<b>{escape(repr(self))}</b>"


def checkpoints_wanted(run: RunFolder, config: RunConfig, wanted: str | None) -> Path:
    """The folder of the checkpoint to use: the best one where it is kept, unless the last is asked for.

    A run with no evaluation so far, or of an earlier version that was not asked to keep the best, has the last one.

    Raises:
        RunFolderError: the best is asked for, and there is none.
        InputError: neither is asked for.
    """
    if wanted not in (None, "best", "last"):
        raise InputError("checkpoint", f"it is {wanted!r}.", "Expected 'best' or 'last'.", "Leave it out for either.")
    has_best = bool(checkpoint_files(run.best))
    if wanted == "best" and not has_best:
        raise RunFolderError(
            str(run.path),
            "the run has kept no best checkpoint.",
            "Expected one that keeps it (evaluations.keep_best) and has had an interim evaluation.",
            "Ask for the last one.",
        )
    uses_best = wanted == "best" or (wanted is None and config.evaluations.keep_best is not False and has_best)
    return run.best if uses_best else run.checkpoints


def _links(folder: str, names: list[str]) -> set[str]:
    """Links are not followed: what they lead to is not part of the run."""
    return {name for name in names if (Path(folder) / name).is_symlink()}


def _names(found: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in found) if isinstance(found, list) else ()


def load(
    folder: Path | str,
    *,
    checkpoint: Literal["best", "last"] | None = None,
    generator: nn.Module | NetworkFactory | None = None,
    discriminator: nn.Module | NetworkFactory | None = None,
    data: PreparedData | None = None,
    trust_code: bool = False,
) -> Gan:
    """The generator of a run folder, ready to sample; the data are not needed.

    Args:
        folder: a run folder.
        checkpoint: the best by the evaluations' estimate or the last; by default the best where the run keeps it.
        generator: the network of a run that was begun with a Python object, made as then; its weights are loaded.
        discriminator: the same for the other player.
        data: the prepared data, if the caller has them.
        trust_code: whether an import path in its configuration may be run.

    Raises:
        RunFolderError: the folder holds no whole checkpoint, or none that was kept as the best.
        ConfigError: the run was begun with networks that were given as objects, and they are not given now.
        InputError: `checkpoint` is neither.
    """
    parts, _ = sort_parts(generator=generator, discriminator=discriminator)
    return load_gan(folder, checkpoint=checkpoint, parts=parts, data=data, trust_code=trust_code)


def load_gan(
    folder: Path | str,
    *,
    checkpoint: Literal["best", "last"] | None = None,
    parts: PythonParts = PythonParts(),
    data: PreparedData | None = None,
    trust_code: bool = False,
) -> Gan:
    """As `load`, with everything that was given as Python objects in one record."""
    run = open_run_folder(folder)
    config = read_run_config(run)
    require_parts(config.python, parts, places=ROLES, call=f"equipoise.load({str(run.path)!r}")
    parts = replace(parts, latents=config.networks.latents)
    description = run.read_json(run.data)
    encoder = stored_encoder(description, where=str(run.data))
    names, shares = stored_classes(description, where=str(run.data))
    tensors, numbers, broken = read_checkpoint(checkpoints_wanted(run, config, checkpoint))
    classes = len(names) if config.networks.conditional else 0
    refuse_unexplained_size(config, encoder.space, classes, tensors, where=str(run.checkpoints), trusted=trust_code)
    generator, discriminator = build_networks(config, encoder.space, classes, parts=parts, trusted=trust_code)
    try:
        generator.load_state_dict(network_tensors("generator", tensors, average=True))
        discriminator.load_state_dict(network_tensors("discriminator", tensors))
    except RuntimeError as error:
        raise RunFolderError(
            str(run.checkpoints),
            "the checkpoint does not fit the networks of config.yaml.",
            "Expected the configuration that the run began with.",
            "Restore config.yaml.",
        ) from error
    return Gan(
        folder=run.path,
        config=config,
        encoder=encoder,
        generator=generator.eval().requires_grad_(False),
        label_names=names,
        class_shares=shares,
        step=numbers["step"],
        names=_names(description.get("names")),
        data=data,
        passed_over=tuple(broken),
        discriminator=discriminator.eval().requires_grad_(False),
        parts=parts,
    )
