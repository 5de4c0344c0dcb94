"""A trained generator with all that is needed to use it: sample, judge, save."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from equipoise.data import Encoder, PreparedData, domain_of
from equipoise.data.dataset import Dataset
from equipoise.errors import InputError, RunFolderError, nearest
from equipoise.experiment.build.networks import build_networks
from equipoise.experiment.config.files import read_config, validated
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.stored_run import refuse_unexplained_size, stored_classes, stored_encoder
from equipoise.files import replacing_folder
from equipoise.runfolder import RunFolder, open_run_folder
from equipoise.spaces import Space, sample_size
from equipoise.training.checkpoints import checkpoint_files, read_checkpoint
from equipoise.training.sampling import draw_samples

if TYPE_CHECKING:
    from equipoise.experiment.judge.datasets import SensitivityPlan
    from equipoise.referee import Verdict


@dataclass(frozen=True)
class Gan:
    """A generator (the running average of its weights) and what turns its output into samples of the data's kind.

    Attributes:
        folder: its run folder.
        config: the complete configuration.
        codec: from encoded samples to values and back.
        generator: the averaged network, in evaluation mode.
        label_names: names of the classes it can be asked for.
        class_shares: share of each class in the training part.
        step: after which step the weights were stored.
        names: of the coordinates of points.
        data: the prepared data, when they are at hand.
        passed_over: a sentence for each newer checkpoint that was broken.
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

    @property
    def space(self) -> Space:
        """What one sample is."""
        return self.encoder.space

    def sample(self, n: int, *, seed: int | None = None, label: str | int | None = None) -> Any:
        """`n` samples: an array of points `(n, d)`, images `(n, height, width[, channels])` uint8, or a DataFrame.

        Args:
            n: how many; 1 or more.
            seed: the same seed gives the same samples; without one they are new each time.
            label: name or number of the class to ask for; by default classes come as often as in the data.

        Raises:
            InputError: `n` is below 1, or there is no such class.
        """
        return domain_of(self.space.kind).presented(self.sample_raw(n, seed=seed, label=label).values)

    def sample_raw(self, n: int, *, seed: int | None = None, label: str | int | None = None) -> Dataset:
        """As `sample`, with labels and names: images `(n, channels, height, width)`."""
        if n < 1:
            raise InputError(
                "sample", f"{n} samples were asked for.", "Expected 1 or more.", "Give -n a number above 0."
            )
        shares = self.class_shares if self.config.networks.conditional else None
        samples, labels = draw_samples(
            self.generator,
            n,
            latent_dimensions=self.generator.latent_dimensions,
            sample_numbers=sample_size(self.space),
            seed=secrets.randbits(62) if seed is None else seed,
            class_shares=shares,
            label=None if label is None else self._class_number(label),
            device=next((weight.device for weight in self.generator.parameters()), torch.device("cpu")),
        )
        return Dataset(
            kind=self.space.kind,
            values=self._values(samples, labels),
            names=self.names,
            labels=None if labels is None else labels.numpy().astype(np.int64),
            label_names=self.label_names if labels is not None else (),
            source=f"{n} samples of {self.folder}",
        )

    def _values(self, samples: torch.Tensor, labels: torch.Tensor | None) -> Any:
        """Natural values; a table's label column holds the class that each row was asked for."""
        values = self.encoder.decode(samples.numpy())
        if labels is None:
            return values
        classes = [self.label_names[label] for label in labels.tolist()]
        return domain_of(self.space.kind).with_classes(values, self.config.data.labels, classes)

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
        with replacing_folder(target) as temporary:
            shutil.copytree(self.folder, temporary, dirs_exist_ok=True, ignore=_links)
        return target

    def _class_number(self, label: str | int) -> int:
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
        if isinstance(label, int) and 0 <= label < len(names):
            return label
        raise InputError(
            "--class",
            f"no class is called '{label}'.{nearest(str(label), names)}",
            f"Available: {', '.join(names[:50])}.",
            "Write one of these.",
        )

    def _repr_html_(self) -> str:
        from html import escape

        return (
            f"<b>Gan</b> {escape(str(self.folder))}: {self.space.kind} of shape {self.space.shape}, "
            f"{escape(self.config.objective.name)}, step {self.step:,}"
        )


def checkpoints_wanted(run: RunFolder, config: RunConfig, wanted: str | None) -> Path:
    """The folder of the checkpoint to use: the best one where it is kept, unless the last is asked for.

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
            "Expected one that was trained with --keep-best and has had a look.",
            "Ask for the last one.",
        )
    uses_best = wanted == "best" or (wanted is None and config.evaluations.keep_best and has_best)
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
    trust_code: bool = False,
    data: PreparedData | None = None,
) -> Gan:
    """The generator of a run folder, ready to sample; the data are not needed.

    Args:
        folder: a run folder.
        checkpoint: the best by the looks' estimate or the last; by default the best where the run keeps it.
        trust_code: whether an import path in its configuration may be run.
        data: the prepared data, if the caller has them.

    Raises:
        RunFolderError: the folder holds no whole checkpoint, or none that was kept as the best.
        InputError: `checkpoint` is neither.
    """
    run = open_run_folder(folder)
    content, lines = read_config(run.config)
    config = validated(content, where=str(run.config), lines=lines)
    description = run.read_json(run.data)
    encoder = stored_encoder(description, where=str(run.data))
    names, shares = stored_classes(description, where=str(run.data))
    tensors, numbers, broken = read_checkpoint(checkpoints_wanted(run, config, checkpoint))
    classes = len(names) if config.networks.conditional else 0
    refuse_unexplained_size(config, encoder.space, classes, tensors, where=str(run.checkpoints), trusted=trust_code)
    generator, _ = build_networks(config, encoder.space, classes, trusted=trust_code)
    prefix = "generator.average."
    try:
        generator.load_state_dict({key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)})
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
    )
