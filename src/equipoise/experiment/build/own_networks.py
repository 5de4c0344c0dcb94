"""Networks of a person's own: made from what was given, and tried on a few samples before any step is taken."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.errors import ConfigError
from equipoise.experiment.out_of_memory import is_out_of_memory
from equipoise.shapes import WeightedSamples
from equipoise.spaces import Space
from equipoise.training.checkpoints import NAMES_IN_A_CHECKPOINT

ROWS_TRIED = 3
"""Samples that a network is tried on; not 1, which hides a missing or an added axis."""


def made_network(role: str, given: nn.Module | Callable[..., nn.Module], space: Space, **offered: Any) -> nn.Module:
    """A copy of a module with the weights that it has, or what a factory makes.

    Args:
        role: generator or discriminator, for messages.
        given: the module or the factory. A factory is given the space and those of `offered` that it asks for.
        space: what one sample is.
        offered: keyword arguments: latents, classes.

    Raises:
        ConfigError: the factory fails, or makes something else.
    """
    if isinstance(given, nn.Module):
        return copy.deepcopy(given)
    try:
        made = _called(given, space, offered)
    except Exception as error:  # a person's own code may raise anything
        if is_out_of_memory(error):
            raise  # whoever builds says what to lower
        raise ConfigError(
            role,
            f"the factory raised {type(error).__name__}: {error}",
            "Expected a factory that makes a torch module when it is called with (space, *, latents, classes), or "
            "with those of them that its signature asks for.",
            "Correct the factory, or give a module.",
        ) from error
    if not isinstance(made, nn.Module):
        raise ConfigError(
            role,
            f"the factory made a {type(made).__name__}.",
            "Expected a torch module.",
            "Let the factory return one.",
        )
    return made


def asks_for(factory: Callable[..., Any], name: str) -> bool:
    """Whether a factory's signature takes a keyword argument."""
    parameters = inspect.signature(factory).parameters
    return name in parameters or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def takes_labels(given: nn.Module | Callable[..., nn.Module]) -> bool:
    """Whether a network is called with class labels beside its input: a module by `forward`, a factory by `classes`."""
    if not isinstance(given, nn.Module):
        return asks_for(given, "classes")
    kinds = [parameter.kind for parameter in inspect.signature(given.forward).parameters.values()]
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return inspect.Parameter.VAR_POSITIONAL in kinds or sum(kind in positional for kind in kinds) > 1


def was_told_latents(given: nn.Module | Callable[..., nn.Module]) -> bool:
    """Whether a network was made by a factory that asks for the width of the latents."""
    return not isinstance(given, nn.Module) and asks_for(given, "latents")


def settle_latents(generator: nn.Module, given: Any, *, told: int, asked: int | None) -> None:
    """Make sure that a generator has `latent_dimensions`, the width of the latents that it wants.

    Args:
        generator: the network.
        given: what it was made from; `None` is a family of the configuration.
        told: the width that a factory which asks for it was told.
        asked: the width that the person asked for, if any.

    Raises:
        ConfigError: neither it nor the person says so, or they contradict each other.
    """
    was_told = given is None or was_told_latents(given)
    own, latents = getattr(generator, "latent_dimensions", None), told if was_told else asked
    if own is None and latents is None:
        raise ConfigError(
            "generator",
            f"{type(generator).__name__} has no attribute 'latent_dimensions'.",
            "Expected to know how many numbers it wants for one sample.",
            "Say it: latents=64 (in a configuration networks.latents), or set the attribute.",
        )
    if own is not None and not was_told and latents not in (None, own):
        raise ConfigError(
            "networks.latents",
            f"{latents} latents are asked for, and the generator's latent_dimensions is {own}.",
            "Expected the same number.",
            "Leave latents out.",
        )
    if own is None:
        generator.latent_dimensions = latents


def check_player(role: str, network: nn.Module, space: Space, *, classes: int, device: torch.device) -> None:
    """Call a network once with a few samples and refuse it where a step would fail or mean something else.

    Random numbers of the process and the network's own state stay as they are.

    Raises:
        ConfigError: it has no weights to train, lies on another device, fails, or returns another shape; the message
            names what was found and what was expected.
    """
    weights = list(network.parameters())
    if not any(weight.requires_grad for weight in weights):
        raise ConfigError(
            role,
            f"{type(network).__name__} has no parameter that requires a gradient.",
            "Expected weights to train.",
            "Give it parameters, or set requires_grad on them.",
        )
    taken = [name for name, _ in network.named_children() if name in NAMES_IN_A_CHECKPOINT]
    if taken:
        raise ConfigError(
            role,
            f"its submodule '{taken[0]}' has a name that a checkpoint uses for something else.",
            f"Expected other names than {', '.join(NAMES_IN_A_CHECKPOINT)}.",
            "Rename it.",
        )
    lies_on = {weight.device.type for weight in (*weights, *network.buffers())}
    if not lies_on <= {"cpu"} and lies_on != {device.type}:
        raise ConfigError(
            role,
            f"its parameters are on {', '.join(sorted(lies_on))}.",
            f"Expected them on the cpu, or on the device of the run, {device}.",
            f"Move the module, or train on its device: device={sorted(lies_on)[0]!r}",
        )
    stream = torch.Generator().manual_seed(0)
    size = (network.latent_dimensions,) if role == "generator" else space.shape
    inputs = torch.randn(ROWS_TRIED, *size, generator=stream).to(weights[0].device)
    arguments = [inputs, torch.arange(ROWS_TRIED, device=inputs.device) % classes] if classes else [inputs]
    called = f"called with {'latents' if role == 'generator' else 'samples'} of shape {tuple(inputs.shape)}"
    called += f" and labels of shape ({ROWS_TRIED},)" * bool(classes)
    wanted = (ROWS_TRIED, *(space.shape if role == "generator" else ()))
    expected = f"Expected {'samples' if role == 'generator' else 'logits'} of shape {wanted}, that is "
    expected += "(batch, " + ", ".join(map(str, space.shape)) + ")." if role == "generator" else "(batch,)."
    try:
        found = _tried(network, arguments)
    except Exception as error:  # a person's own code may raise anything
        if is_out_of_memory(error):
            raise
        raise ConfigError(
            role, f"{called} it raised {type(error).__name__}: {error}", expected, "Correct its forward."
        ) from error
    if not isinstance(found, Tensor) or not found.is_floating_point():
        kind = found.dtype if isinstance(found, Tensor) else type(found).__name__
        raise ConfigError(role, f"{called} it returned {kind}.", expected, "Return one tensor of floating point.")
    if role == "generator" and hasattr(network, "weighted_samples"):
        _check_weights(network, arguments, called, wanted)
    if tuple(found.shape) != wanted:
        is_column = role == "discriminator" and tuple(found.shape) == (ROWS_TRIED, 1)
        raise ConfigError(
            role,
            f"{called} it returned the shape {tuple(found.shape)}.",
            expected,
            "Drop the last axis: .squeeze(1)" if is_column else "Correct its last layer, or reshape what it returns.",
        )


def _check_weights(generator: nn.Module, arguments: list[Tensor], called: str, wanted: tuple[int, ...]) -> None:
    """Refuse a method `weighted_samples` that does not give samples and their weights."""
    expected = f"Expected WeightedSamples: samples of shape {wanted} and a weight for each, of shape {wanted[:1]}."
    try:
        made = _tried(generator, arguments, method="weighted_samples")
    except Exception as error:  # a person's own code may raise anything
        if is_out_of_memory(error):
            raise
        found = f"its weighted_samples, {called}, raised {type(error).__name__}: {error}"
        raise ConfigError("generator", found, expected, "Correct it, or remove it.") from error
    is_pair = isinstance(made, WeightedSamples) and all(isinstance(part, Tensor) for part in made)
    if not is_pair or (tuple(made.samples.shape), tuple(made.weights.shape)) != (wanted, wanted[:1]):
        what = f"shapes {tuple(made.samples.shape)} and {tuple(made.weights.shape)}" if is_pair else type(made).__name__
        found = f"its weighted_samples, {called}, returned {what}."
        raise ConfigError("generator", found, expected, "Return equipoise.shapes.WeightedSamples(samples, weights).")


def _called(factory: Callable[..., Any], space: Space, offered: dict[str, Any]) -> Any:
    parameters = inspect.signature(factory).parameters.values()
    options = {name: value for name, value in offered.items() if asks_for(factory, name)}
    positional = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL)
        and parameter.name not in options
    ]
    named = any(parameter.name == "space" for parameter in parameters)
    is_asked = any(parameter.default is parameter.empty for parameter in positional)
    if named and not is_asked:
        return factory(space=space, **options)
    return factory(space, **options) if is_asked else factory(**options)


@torch.no_grad()
def _tried(network: nn.Module, arguments: list[Tensor], *, method: str = "__call__") -> Any:
    modes = [(module, module.training) for module in network.modules()]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # lazy layers draw their weights in this call
        try:
            return getattr(network.eval(), method)(*arguments)
        finally:
            for module, was_training in modes:
                module.training = was_training
