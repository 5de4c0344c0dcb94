"""The one place where names become objects."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

import equipoise.networks as networks
import equipoise.objectives as objectives
import equipoise.penalties as penalties
from equipoise.augmentation.transforms import find_change
from equipoise.augmentation.instance_noise import InstanceNoise
from equipoise.data import PreparedData
from equipoise.data.sampler import balancing_weights
from equipoise.distributed import ProcessGroup, process_group
from equipoise.errors import ConfigError, nearest
from equipoise.experiment.config.schema import OptimizerConfig, PartConfig, ScheduleConfig, RunConfig
from equipoise.experiment.many_processes import refuse_unshareable
from equipoise.experiment.out_of_memory import is_out_of_memory
from equipoise.game import Player, Schedule, UpdateRule, AveragedWeights
from equipoise.networks.spectral import has_normal_spectra
from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty
from equipoise.randomness import Stream, derived_seed
from equipoise.spaces import Space
from equipoise.training import BatchSource, Handler, Plan, Trainer
from equipoise.training.clipping import clip_gradients
from equipoise.training.instance_noise import InstanceNoiseStream, NoisyGenerator

UNUSABLE_OPTIMISERS = ("Optimizer", "LBFGS", "SparseAdam")
"""The base class; one that wants to call the loss again; one for sparse gradients, which no network here has."""
AUTOCAST = {"float32": None, "bf16": torch.bfloat16}


def build_trainer(
    config: RunConfig,
    data: PreparedData,
    *,
    handlers: Sequence[Handler] = (),
    trusted: bool = True,
    group: ProcessGroup | None = None,
) -> Trainer:
    """Players, game and batches of a configuration, ready to play.

    Args:
        config: the complete configuration.
        data: the prepared data; only the training part is looked at.
        handlers: who is told what happens.
        trusted: whether an import path in the configuration may be imported.
        group: the processes that play together; by default those that were started together.

    Raises:
        ConfigError: a name or option that does not exist, or a combination that theory forbids, or that many processes
            cannot play.
    """
    group = process_group() if group is None else group
    device = group.place(torch.device(config.runtime.device))
    objective = build_objective(config.objective, trusted=trusted)
    terms = [build_penalty(part, index, trusted=trusted) for index, part in enumerate(config.penalties)]
    classes = data.n_classes if config.networks.conditional else 0
    generator, discriminator = build_networks(config, data.space, classes, trusted=trusted)
    refuse_forbidden(objective, terms, discriminator)
    refuse_unshareable(
        group,
        batch_size=config.training.batch_size,
        rows=len(data.split.train),
        penalties=terms,
        networks=[("generator", generator), ("discriminator", discriminator)],
    )
    for penalty in terms:
        penalty.place_state(device)
    labels = data.train_labels() if classes else None
    batches = BatchSource(
        data.encoded_train().to(device),
        latent_dimensions=generator.latent_dimensions,
        batch_size=config.training.batch_size,
        turns=config.training.n_critic + config.training.generator_updates,
        seed=config.seed,
        labels=None if labels is None else labels.to(device),
        to_float=data.encoder.to_float if data.space.kind == "images" else None,
        weights=draw_weights(config, data),
        needs_randomness=any(penalty.draws for penalty in terms),
        group=group,
    )
    autocast = AUTOCAST[config.runtime.precision]
    generator, discriminator = generator.to(device), discriminator.to(device)
    fog = build_instance_noise(config)
    kind, seen = (Player, {}) if fog is None else (NoisyGenerator, {"fog": fog})
    return Trainer(
        discriminator=Player(
            discriminator,
            build_optimizer(config.optimizers.discriminator, discriminator, where="optimizers.discriminator"),
            autocast=autocast,
        ),
        generator=kind(
            generator,
            build_optimizer(config.optimizers.generator, generator, where="optimizers.generator"),
            average=AveragedWeights(generator, share=config.ema.relative_length),
            autocast=autocast,
            **seen,
        ),
        fog=fog,
        objective=objective,
        penalties=terms,
        batches=batches,
        plan=plan_of(config),
        update_rule=UpdateRule(
            config.training.update_rule,
            config.training.n_critic,
            config.training.generator_updates,
            config.training.consensus_weight,
        ),
        learning_rate=ramp(config.optimizers.lr_schedule),
        gamma=ramp(config.gamma),
        handlers=handlers,
        group=group,
    )


def draw_weights(config: RunConfig, data: PreparedData) -> np.ndarray | None:
    """How often training draws each of its rows, relative to the others; `None` goes through all of them evenly."""
    weights = data.train_weights()
    if config.data.balance == "none":
        return weights
    labels = data.train_labels()
    assert labels is not None, "a plan with balanced classes has labels"
    return balancing_weights(labels.numpy(), weights)


def build_objective(part: PartConfig, *, trusted: bool = True) -> Objective:
    """The objective that a configuration names."""
    return _made(part, objectives.find, "objective", Objective, trusted=trusted)


def build_instance_noise(config: RunConfig) -> InstanceNoiseStream | None:
    """The instance noise that a configuration asks for."""
    noise = config.augmentation.instance_noise
    return None if noise is None else InstanceNoiseStream(InstanceNoise(noise.level, noise.final, noise.decay_fraction), seed=config.seed)


def build_penalty(part: PartConfig, index: int, *, trusted: bool = True) -> Penalty:
    """The `index`-th penalty that a configuration names; its `change`, if it has one, is a name or an import path."""
    change = part.options.get("change")
    if isinstance(change, str):
        where = f"penalties.{index}.options.change"
        found = _imported(change, where, trusted) if ":" in change else find_change(change, where=where)
        part = part.model_copy(update={"options": {**part.options, "change": found}})
    return _made(part, penalties.find, f"penalties.{index}", Penalty, trusted=trusted)


def build_networks(
    config: RunConfig, space: Space, classes: int, *, trusted: bool = True
) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator with weights drawn from the run's seed."""
    section = config.networks
    family = (
        _imported(section.family, "networks.family", trusted)
        if ":" in section.family
        else networks.find(section.family)
    )
    if not family.supports(space):
        raise ConfigError(
            "networks.family",
            f"'{section.family}' cannot play on samples of shape {space.shape}.",
            f"Expected {family.limits}.",
            f"Available: {', '.join(sorted(networks.available()))}.",
        )
    made = []
    for role, factory, options in (
        ("generator", family.generator, {"latents": section.latents, **section.generator}),
        ("discriminator", family.discriminator, dict(section.discriminator)),
    ):
        where = f"networks.{role}"
        options["classes"] = classes
        _check_options(factory, options, where, given=("space",))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(config.seed, Stream.WEIGHTS.format(role)))
            try:
                made.append(factory(space, **options))
            except (TypeError, ValueError, RuntimeError, ZeroDivisionError, IndexError) as error:
                if is_out_of_memory(error):
                    raise  # whoever builds says what to lower
                raise ConfigError(
                    where,
                    f"no network can be made of {options} ({error}).",
                    f"Expected options that the {role} of '{section.family}' can be made with.",
                    "Correct the option.",
                ) from error
    return made[0], made[1]


def build_optimizer(section: OptimizerConfig, network: nn.Module, *, where: str) -> torch.optim.Optimizer:
    """The torch optimiser that a configuration names, over a network's weights."""
    kinds = {
        name: kind
        for name, kind in vars(torch.optim).items()
        if inspect.isclass(kind) and issubclass(kind, torch.optim.Optimizer) and name not in UNUSABLE_OPTIMISERS
    }
    kind = kinds.get(section.name)
    if kind is None:
        raise ConfigError(
            f"{where}.name",
            f"torch.optim has no '{section.name}'.{nearest(section.name, kinds)}",
            f"Available: {', '.join(sorted(kinds))}.",
            "Write one of these.",
        )
    # YAML has lists where torch wants tuples, and torch refuses betas of mixed int and float.
    options = {
        key: tuple(float(v) for v in value) if isinstance(value, list) else value
        for key, value in section.options.items()
    }
    _check_options(kind, {"lr": section.learning_rate, **options}, f"{where}.options", given=("params",))
    if "fused" in inspect.signature(kind).parameters:
        options.setdefault("fused", True)  # one pass over the weights in place of a dozen
    try:
        optimiser = kind(network.parameters(), lr=section.learning_rate, **options)
        if section.clip_norm is not None:
            clip_gradients(optimiser, section.clip_norm)
        return optimiser
    except (ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(
            f"{where}.options",
            f"torch refuses them: {error}",
            f"Expected options of torch.optim.{section.name}.",
            "Correct the option.",
        ) from error


def plan_of(config: RunConfig) -> Plan:
    """When things happen; samples come densely at first, when pictures change most."""
    steps, count = config.training.steps, config.outputs.samples
    # Evenly spaced in the square root of the step: 12 sheets of 20,000 steps begin at step 139.
    sample_steps = frozenset(max(1, round(steps * (index / count) ** 2)) for index in range(1, count + 1))
    return Plan(
        steps=steps,
        measure_every=config.outputs.measure_every,
        sample_steps=sample_steps,
        checkpoint_every=config.outputs.checkpoint_every,
    )


def ramp(section: ScheduleConfig) -> Schedule:
    """A configuration's ramp as the game's."""
    return Schedule(section.shape, section.final, section.warmup_steps)


def refuse_forbidden(objective: Objective, terms: Sequence[Penalty], discriminator: nn.Module) -> None:
    """Refuse what theory forbids, by name.

    Raises:
        ConfigError: batch normalisation under a per-sample penalty, or Wasserstein play without slope control.
    """
    penalties.require_independent_samples(discriminator, terms)
    is_bounded = has_normal_spectra(discriminator) or any(penalty.controls_slope for penalty in terms)
    if objective.needs_lipschitz_control and not is_bounded:
        raise ConfigError(
            "objective",
            f"'{objective.name}' without any control of the discriminator's slope.",
            "Its value is unbounded: the discriminator can win by scaling its logits.",
            "Add a penalty, e.g. --set 'penalties=[{name: wgan_gp}]', or --set networks.discriminator.spectral=true.",
        )


def _made(part: PartConfig, find: Callable[[str], Any], where: str, kind: type, *, trusted: bool) -> Any:
    factory = _imported(part.name, f"{where}.name", trusted) if ":" in part.name else find(part.name)
    options = dict(part.options)
    _check_options(factory, options, f"{where}.options")
    try:
        made = factory(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{where}.options",
            f"'{part.name}' refuses them: {error}",
            "Expected options of that part.",
            "Correct the option.",
        ) from error
    if not isinstance(made, kind):
        raise ConfigError(
            f"{where}.name",
            f"'{part.name}' made a {type(made).__name__}.",
            f"Expected a factory of {kind.__name__}.",
            "Give the path of such a factory.",
        )
    return made


def _check_options(
    factory: Callable[..., Any], options: Mapping[str, Any], where: str, given: tuple[str, ...] = ()
) -> None:
    parameters = inspect.signature(factory).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [name for name in parameters if name not in given]
    for name in options:
        if name not in known:
            raise ConfigError(
                f"{where}.{name}",
                f"no option is called '{name}'.{nearest(name, known)}",
                f"Available: {', '.join(known) or 'none'}.",
                "Correct or remove the option.",
            )


def _imported(path: str, where: str, trusted: bool) -> Any:
    """The object at `package.module:attribute`; the person's own code."""
    if not trusted:
        raise ConfigError(
            where,
            f"the configuration names code of its own: '{path}'.",
            "A run folder's code is run only if you say so.",
            "If you trust it, add --trust-code.",
        )
    module, _, attribute = path.partition(":")
    if not re.fullmatch(r"[\w.]+", module) or not attribute.isidentifier():
        raise ConfigError(where, f"'{path}' is no import path.", "Expected 'package.module:factory'.", "Correct it.")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            where,
            f"'{path}' cannot be imported ({error}).",
            "Expected 'package.module:factory'.",
            "Check the name, and that the module is on PYTHONPATH.",
        ) from error
