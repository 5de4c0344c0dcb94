"""A configuration becomes a trainer: the one place where names become objects."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

import equipoise.penalties as penalties
from equipoise.data import PreparedData
from equipoise.data.kd_order import kd_order
from equipoise.data.sampler import balancing_weights
from equipoise.distributed import ProcessGroup, process_group
from equipoise.errors import ConfigError
from equipoise.experiment.build.likelihood import begin_at_the_data, likelihood_stage
from equipoise.experiment.build.named import build_augmentation, build_objective, build_penalty
from equipoise.experiment.build.networks import build_networks
from equipoise.experiment.build.optimizers import build_optimizer
from equipoise.experiment.build.python_parts import PythonParts, require_parts
from equipoise.experiment.config.points_preset import components_for
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.many_processes import refuse_unshareable
from equipoise.game import AveragedWeights, EagerStepper, Player
from equipoise.game.closed_form import ClosedFormStepper
from equipoise.networks.folding import folding_of
from equipoise.networks.heads import curves_of
from equipoise.networks.spectral import has_normal_spectra
from equipoise.objectives.base import Objective
from equipoise.penalties import r1_r2
from equipoise.penalties.base import Penalty
from equipoise.training import BatchSource, Plan, Trainer
from equipoise.training.curve_fit import CurveFit

MOST_NUMBERS_TO_ORDER = 2**28
"""Numbers of all training rows together that may be ordered in memory: a gibibyte in float32."""
AUTOCAST = {"float32": None, "bf16": torch.bfloat16}


def build_trainer(
    config: RunConfig,
    data: PreparedData,
    *,
    plan: Plan | None = None,
    parts: PythonParts = PythonParts(),
    trusted: bool = True,
    group: ProcessGroup | None = None,
) -> Trainer:
    """Players, game and batches of a configuration, ready to train.

    Args:
        config: the complete configuration.
        data: the prepared data; only the training part is read.
        plan: when things happen; by default as the configuration says, without interim evaluations.
        parts: what was given as Python objects in place of names.
        trusted: whether an import path in the configuration may be imported.
        group: the processes that train together; by default those that were started together.

    Raises:
        ConfigError: a name or option that does not exist, or a combination that theory forbids, or that many processes
            cannot train.
    """
    group = process_group() if group is None else group
    device = group.assign_device(torch.device(config.runtime.device))
    require_parts(config.python, parts, places=config.python, call="equipoise.fit(DATA")
    objective = parts.objective or build_objective(config.objective, trusted=trusted)
    terms = [
        parts.penalty(index) or build_penalty(part, index, trusted=trusted)
        for index, part in enumerate(config.penalties)
    ]
    classes = data.n_classes if config.networks.conditional else 0
    generator, discriminator = build_networks(config, data.space, classes, parts=parts, trusted=trusted)
    refuse_forbidden(objective, terms, discriminator)
    refuse_heedless(terms, generator)
    refuse_unshareable(
        group,
        batch_size=config.training.batch_size,
        rows=len(data.split.train),
        penalties=terms,
        networks=[("generator", generator), ("discriminator", discriminator)],
    )
    refuse_more_components_than_rows(config, rows=len(data.split.train))
    augmentation = parts.fresh_augmentation() or build_augmentation(config.augmentation, trusted=trusted)
    for part in terms if augmentation is None else (*terms, augmentation):
        part.place_state(device)
    labels = data.train_labels() if classes else None
    update_rule = config.training.rule
    batches = BatchSource(
        data.encoded_train().to(device),
        latent_dimensions=generator.latent_dimensions,
        batch_size=config.training.batch_size,
        updates_per_step=update_rule.updates_per_step,
        seed=config.seed,
        labels=None if labels is None else labels.to(device),
        to_float=data.encoder.to_float,
        weights=draw_weights(config, data),
        needs_randomness=any(penalty.draws for penalty in terms),
        antithetic=config.training.latents == "antithetic",
        components=getattr(generator, "components", None),
        order=stratifying_order(config, data),
        mirrored=config.data.mirror and data.space.kind == "images",
        withheld=0.0 if augmentation is None else augmentation.withheld,
        group=group,
    )
    autocast = AUTOCAST[config.runtime.precision]
    for network in (generator, discriminator):
        begin_at_the_data(network, data)
    generator, discriminator = generator.to(device), discriminator.to(device)
    if config.runtime.channels_last and data.space.kind == "images":
        generator, discriminator = (each.to(memory_format=torch.channels_last) for each in (generator, discriminator))
    players = {
        "discriminator": Player(
            discriminator,
            build_optimizer(config.optimizers, "discriminator", discriminator, parts=parts),
            autocast=autocast,
        ),
        "generator": Player(
            generator,
            build_optimizer(config.optimizers, "generator", generator, parts=parts),
            average=AveragedWeights(generator, relative_length=config.ema.relative_length),
            autocast=autocast,
        ),
    }
    kind = ClosedFormStepper if config.training.gradients == "closed_form" else EagerStepper
    return Trainer(
        **players,
        stepper=kind(**players, objective=objective, penalties=terms, update_rule=update_rule, group=group),
        augmentation=augmentation,
        objective=objective,
        penalties=terms,
        batches=batches,
        plan=plan_of(config) if plan is None else plan,
        update_rule=update_rule,
        learning_rate=config.optimizers.lr_schedule,
        gamma=config.gamma,
        group=group,
        before_samples=CurveFit() if curves_of(generator) else None,
        likelihood=likelihood_stage(config, data, players["generator"], conditional=classes > 0, group=group),
    )


def draw_weights(config: RunConfig, data: PreparedData) -> np.ndarray | None:
    """How often training draws each of its rows, relative to the others; `None` goes through all of them evenly."""
    weights = data.train_weights()
    if config.data.balance == "none":
        return weights
    labels = data.train_labels()
    assert labels is not None, "a plan with balanced classes has labels"
    return balancing_weights(labels.numpy(), weights)


def refuse_more_components_than_rows(config: RunConfig, *, rows: int) -> None:
    """Refuse a mixture that could put a component on every row.

    Raises:
        ConfigError: more components are asked for than there are rows to train on.
    """
    options = config.networks.generator
    asked = options.get("components")
    if isinstance(asked, int) and asked > max(1, rows):
        raise ConfigError(
            "networks.generator.components",
            f"{asked:,} components for {rows:,} training rows.",
            "Expected at most as many as rows, and better far fewer: a component on each row repeats the rows.",
            f"Ask for at most {components_for(rows, has_matrices=options.get('covariance') == 'full'):,}, "
            "or leave it out.",
        )


def stratifying_order(config: RunConfig, data: PreparedData) -> np.ndarray | None:
    """The order along which batches take their rows, if they are to run evenly through the data.

    Raises:
        ConfigError: the rows would not fit into memory.
    """
    if config.training.real_batches == "shuffled":
        return None
    rows = data.encoded_train()
    numbers = math.prod(rows.shape)
    if numbers > MOST_NUMBERS_TO_ORDER:
        raise ConfigError(
            "training.real_batches",
            f"'stratified' orders all training rows in memory, and there are {numbers:,} numbers.",
            f"Expected at most {MOST_NUMBERS_TO_ORDER:,}.",
            "Set training.real_batches to shuffled.",
        )
    encoded = rows[:] if isinstance(rows, torch.Tensor) else rows[slice(None)]
    return kd_order(data.encoder.to_float(encoded).cpu().numpy(), stretches=config.training.batch_size)


def plan_of(config: RunConfig, *, evaluation_steps: frozenset[int] = frozenset(), total: int | None = None) -> Plan:
    """When things happen; samples come densely at first, when they change most.

    Args:
        config: the complete configuration.
        evaluation_steps: steps after which the referee evaluates.
        total: steps of a run that was made longer or shorter than its configuration says.
    """
    planned, count = config.training.steps, config.outputs.samples
    total = planned if total is None else total
    # Evenly spaced in the square root of the step: 12 sample grids of 20,000 steps begin at step 139.
    sample_steps = {max(1, round(planned * (index / count) ** 2)) for index in range(1, count + 1)}
    if total > planned:  # as many again, evenly spaced over the added steps
        sample_steps |= {planned + max(1, (total - planned) * index // count) for index in range(1, count + 1)}
    return Plan(
        steps=total,
        schedule_steps=planned,
        measure_every=config.outputs.measure_every,
        sample_steps=frozenset(sample_steps),
        evaluation_steps=evaluation_steps,
        checkpoint_every=config.outputs.checkpoint_every,
    )


def refuse_forbidden(objective: Objective, terms: Sequence[Penalty], discriminator: nn.Module) -> None:
    """Refuse what theory forbids, by name.

    Raises:
        ConfigError: batch normalisation under a per-sample penalty, a Wasserstein game without control of the
            discriminator's input gradient, or finite differences beside one that reads samples in units of its own.
    """
    penalties.require_independent_samples(discriminator, terms)
    if folding_of(discriminator) is not None:
        for penalty in terms:
            if penalty.name in r1_r2.PENALTIES and not r1_r2.is_exact(penalty):
                raise ConfigError(
                    f"penalties.{penalty.name}.form",
                    f"'{penalty.name}' by finite differences, beside a discriminator that folds pixels by whitening.",
                    "Expected the exact form: differences along pixels do not measure slopes in its own units.",
                    "Leave the form out, or set --set networks.discriminator.whitening=0.",
                )
    is_bounded = has_normal_spectra(discriminator) or any(penalty.gives_lipschitz_control for penalty in terms)
    if objective.needs_lipschitz_control and not is_bounded:
        raise ConfigError(
            "objective",
            f"'{objective.name}' without any control of the discriminator's input gradient.",
            "Its value is unbounded: the discriminator can win by scaling its logits.",
            "Add a penalty, e.g. --set 'penalties=[{name: wgan_gp}]', or --set networks.discriminator.spectral=true.",
        )


def refuse_heedless(terms: Sequence[Penalty], generator: nn.Module) -> None:
    """Refuse a penalty that takes generated samples with importance weights for samples that all count the same.

    Raises:
        ConfigError: names the penalty.
    """
    heedless = [penalty.name for penalty in terms if not penalty.heeds_fake_weights]
    if hasattr(generator, "weighted_samples") and heedless:
        raise ConfigError(
            "penalties",
            f"'{heedless[0]}' does not say that it heeds importance weights, and the generator "
            f"({type(generator).__name__}) gives its samples some.",
            "Expected a penalty whose mean is one over the generator's own density.",
            "Put what it says of generated samples through ForwardPass.weigh and set heeds_fake_weights=True, or take "
            "another generator, e.g. --set networks.family=mlp.",
        )
