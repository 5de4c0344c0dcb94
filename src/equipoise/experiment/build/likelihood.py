"""The stage before the game, and where a generator that is started at the data begins."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from equipoise.data import PreparedData
from equipoise.distributed import ProcessGroup
from equipoise.errors import ConfigError
from equipoise.experiment.config.schema import RunConfig
from equipoise.game import Player
from equipoise.training.likelihood_stage import HELD_OUT_ROWS, SLACK, LikelihoodStage

CHUNK = 16_384
"""Training rows that are read at once."""


def begin_at_the_data(generator: nn.Module, data: PreparedData) -> None:
    """Let a generator that asks for it see all training rows once, before its first step."""
    start = getattr(generator, "start_at", None)
    if start is not None:
        start(training_chunks(data))


def training_chunks(data: PreparedData) -> Iterator[Tensor]:
    """All training rows as the networks see them, some at a time."""
    rows = data.encoded_train()
    for at in range(0, len(rows), CHUNK):
        numbers = torch.arange(at, min(at + CHUNK, len(rows)))
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
