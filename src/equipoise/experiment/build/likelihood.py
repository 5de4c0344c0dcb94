"""The stage before the game, and what networks take from the training rows before their first step."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from equipoise.data import PreparedData
from equipoise.distributed import ProcessGroup
from equipoise.errors import ConfigError
from equipoise.experiment.config.schema import RunConfig
from equipoise.game import Player
from equipoise.networks.folding import folding_of
from equipoise.spaces import sample_size
from equipoise.training.likelihood_stage import HELD_OUT_ROWS, SLACK, LikelihoodStage

CHUNK = 16_384
"""Training rows that are read at once; of images fewer, so that they hold `NUMBERS` numbers together, or one image."""
NUMBERS = 2**22
MOST_IMAGES = 4_096
"""Images that say how images are folded: a covariance of a few numbers needs no more."""


def begin_at_the_data(network: nn.Module, data: PreparedData) -> None:
    """Let a network that asks for it see training rows once, before its first step."""
    start = getattr(network, "start_at", None)
    if start is not None:
        start(training_chunks(data))
    folding = folding_of(network)
    if folding is not None:
        folding.fit(training_chunks(data, most=MOST_IMAGES))


def training_chunks(data: PreparedData, *, most: int | None = None) -> Iterator[Tensor]:
    """Training rows as the networks see them, some at a time: all, or `most` of them, evenly spaced."""
    rows = data.encoded_train()
    count = len(rows) if most is None else min(most, len(rows))
    size = min(CHUNK, max(1, NUMBERS // sample_size(data.space)))
    for at in range(0, count, size):
        numbers = torch.arange(at, min(at + size, count)) * len(rows) // count
        yield data.encoder.to_float(rows[numbers])


def likelihood_stage(
    config: RunConfig, data: PreparedData, generator: Player, *, conditional: bool, group: ProcessGroup
) -> LikelihoodStage | None:
    """The stage that a configuration asks for; `None` without one.

    Raises:
        ConfigError: the generator does not know its density.
    """
    section = config.warm_start
    if section is None or not config.stage_steps:
        return None
    if not hasattr(generator.network, "negative_log_likelihood"):
        raise ConfigError(
            "warm_start",
            f"'{section.name}' fits a generator by its density; that of '{config.networks.family}' is not known.",
            "Expected a generator that has, such as networks.family=columnwise for tables.",
            "Choose that family, or leave the stage out: --set warm_start=null.",
        )
    return LikelihoodStage(
        generator,
        config.stage_steps,
        learning_rate=section.learning_rate,
        dropout=section.dropout,
        weight_decay=section.weight_decay,
        seed=config.seed,
        held_out=held_out_rows(data, conditional=conditional, device=next(generator.network.parameters()).device),
        slack=SLACK * len(getattr(data.space, "columns", ())),
        group=group,
    )


def held_out_rows(
    data: PreparedData, *, conditional: bool, device: torch.device
) -> tuple[Tensor, Tensor | None] | None:
    """The first rows of the selection part, encoded, and their labels; `None` where nothing is held out."""
    numbers = data.split.selection[:HELD_OUT_ROWS]
    if not len(numbers):
        return None
    part = data.raw.rows(numbers)
    rows = data.encoder.to_float(data.domain.stored(data.encoder, part.values)).to(device)
    labels = torch.from_numpy(part.labels).to(device) if conditional else None
    return rows, labels
