"""The boxes of a walked iteration, for a page: what each holds, its shape, its formula and that with numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equipoise.playground.formulas import SQUARED_ERROR, Formula, formula_of, mean_filled, number
from equipoise.playground.settings import Settings
from equipoise.playground.walk import ROWS, Pass, Update

NEGATED = "−"
RULE_NOTES = {
    "simultaneous": "Both gradients were taken before anybody moved.",
    "extragradient": "From where both were before the look ahead, by the gradients found there.",
    "optimistic": "Both gradients were taken before anybody moved; the weights go on by this update less the last.",
    "consensus": "g holds the gradient of |g|² of both players, too; both were taken before anybody moved.",
    "alternating_consensus": "g holds the gradient of |g|² of both players, too.",
}
LOOK_AHEAD = "Only a look ahead: the gradients are taken anew from here, and these weights are given back."


def walk_json(events: list[Pass | Update], settings: Settings, *, step: int) -> dict[str, Any]:
    """A step as a page shows it: a list of stages, each a list of boxes, with the numbers of the first samples.

    Stages follow the two levels of loop: the discriminator's updates, of which there are `n_critic`, then the
    generator's. Rules that update both from the same weights have the passes first and then the updates.
    """
    totals = {role: sum(1 for e in events if isinstance(e, Pass) and e.player == role) for role in _ROLES}
    seen = dict.fromkeys(_ROLES, 0)
    updated = dict.fromkeys(_ROLES, 0)
    stages: list[dict[str, Any]] = []
    for event in events:
        if isinstance(event, Pass):
            seen[event.player] += 1
            stages.append(_stage(event, settings, place=seen[event.player], of=totals[event.player]))
        else:
            updated[event.player] += 1
            is_ahead = settings.update_rule == "extragradient" and updated[event.player] == 1
            note = LOOK_AHEAD if is_ahead else RULE_NOTES.get(settings.update_rule, "")
            _stage_of(stages, event)["boxes"] += _update_boxes(event, settings, note)
    return {
        "step": step,
        "rule": settings.update_rule,
        "objective": settings.objective,
        "batch": settings.batch_size,
        "n_critic": settings.n_critic,
        "stages": stages,
    }


_ROLES = ("discriminator", "generator")


def _stage_of(stages: list[dict[str, Any]], update: Update) -> dict[str, Any]:
    """The latest stage of this player: an update belongs to the pass whose gradient it uses."""
    for stage in reversed(stages):
        if stage["player"] == update.player:
            return stage
    raise AssertionError(f"the {update.player} was updated without a pass")


def _stage(made: Pass, settings: Settings, *, place: int, of: int) -> dict[str, Any]:
    formula = formula_of(settings.objective)
    if not settings.is_game:
        boxes, samples = _squared_error_boxes(made)
    elif made.player == "discriminator":
        boxes, samples = _discriminator_boxes(made, formula), _samples(made, formula)
    else:
        boxes, samples = _generator_boxes(made, formula), _samples(made, formula)
    return {"player": made.player, "place": place, "of": of, "boxes": boxes, "samples": samples}


def _box(
    name: str, title: str, *, shape: Any = (), formula: str = "", filled: str = "", note: str = ""
) -> dict[str, Any]:
    return {"name": name, "title": title, "shape": list(shape), "formula": formula, "filled": filled, "note": note}


def _making_boxes(made: Pass) -> list[dict[str, Any]]:
    assert made.latents is not None and made.fake is not None
    z, y = made.latents[0].tolist(), made.fake[0].tolist()
    gradient = (
        "It stays a function of G's weights: the gradient will come back this way."
        if made.fake_is_attached
        else "No gradient goes back into G: for this update its samples are data like any others."
    )
    return [
        _box(
            "latents",
            "latents z",
            shape=made.latents.shape,
            formula="z ~ the law of the latents",
            filled=f"z₁ = {_point(z)}",
            note="Fresh random numbers; nothing of the data is in them.",
        ),
        _box(
            "fake",
            "generated y = G(z)",
            shape=made.fake.shape,
            formula="y = G(z)",
            filled=f"y₁ = G{_point(z)} = {_point(y)}",
            note=gradient,
        ),
    ]


def _discriminator_boxes(made: Pass, formula: Formula) -> list[dict[str, Any]]:
    assert made.real is not None and made.real_logits is not None and made.fake_logits is not None
    count = len(made.real)
    real_terms = made.terms["real"]
    boxes = [
        *_making_boxes(made),
        _box(
            "real",
            "real x",
            shape=made.real.shape,
            formula="x ~ the data",
            filled=f"x₁ = {_point(made.real[0].tolist())}",
            note="As many real samples as generated ones, in the same update.",
        ),
        _box(
            "logits",
            "logits l = D's output",
            shape=(2 * count,),
            formula="l(x) and l(y): one network, the same weights",
            filled=f"l(x₁) = {number(float(made.real_logits[0]))}, l(y₁) = {number(float(made.fake_logits[0]))}",
            note="Real and generated samples meet here: both go through one discriminator, into one loss.",
        ),
    ]
    real_mean = float(real_terms.mean())
    loss = -real_mean
    side = "real" if "fake" in made.terms else "pairs"
    lines = [f"{side}: {NEGATED}{mean_filled(real_terms.tolist(), count)} = {number(-real_mean)}"]
    if "fake" in made.terms:
        fake_terms = made.terms["fake"]
        fake_mean = float(fake_terms.mean())
        loss -= fake_mean
        lines.append(f"generated: {NEGATED}{mean_filled(fake_terms.tolist(), count)} = {number(-fake_mean)}")
    lines.append(f"{NEGATED}V̂ = {number(loss)}")
    text = formula.discriminator_loss
    for name, (mean, weight) in made.penalties.items():
        loss += weight * mean
        text += f" + γ·{PENALTY_WORDS.get(name, name)}"
        lines.append(f"{name}: + {number(weight)} · {number(mean)} = {number(weight * mean)}")
    lines.append(f"L_D = {number(loss)}")
    filled = "\n".join(lines)
    error = (
        "one sample of each has no standard error" if count == 1 else f"the means of {count} real and {count} generated"
    )
    boxes.append(
        _box(
            "loss",
            "the discriminator's loss",
            formula=text,
            filled=filled,
            note=f"V̂ estimates V without bias: {error}.",
        )
    )
    return boxes


def _generator_boxes(made: Pass, formula: Formula) -> list[dict[str, Any]]:
    assert made.fake is not None and made.fake_logits is not None
    count = len(made.fake)
    boxes = _making_boxes(made)
    if made.real is not None and made.real_logits is not None:
        boxes.append(
            _box(
                "real",
                "real x",
                shape=made.real.shape,
                formula="x ~ the data",
                filled=f"x₁ = {_point(made.real[0].tolist())}",
                note="This game compares: its generator loss has real samples in it, which do not move.",
            )
        )
    terms = made.terms["generator"]
    logits = f"l(y₁) = {number(float(made.fake_logits[0]))}"
    if made.real_logits is not None:
        logits = f"l(x₁) = {number(float(made.real_logits[0]))}, {logits}"
    boxes += [
        _box(
            "logits",
            "logits l = D's output",
            shape=(count,),
            formula="l(y); D's weights stay as they are",
            filled=logits,
            note="D is only asked. The gradient goes through it, to y; its own weights get none.",
        ),
        _box(
            "loss",
            "the generator's loss",
            formula=formula.generator_loss,
            filled=_generator_loss_filled(made, terms, count),
            note=formula.note + ".",
        ),
    ]
    if made.to_samples is not None:
        first = made.to_samples[0].tolist()
        length = torch.linalg.vector_norm(made.to_samples, dim=1).mean()
        boxes.append(
            _box(
                "told",
                "what each y is told",
                shape=made.to_samples.shape,
                formula="∂L_G/∂y = ∂L_G/∂l · ∂l/∂y",
                filled=f"∂L_G/∂y₁ = {_point(first)}; mean length {number(float(length))}",
                note="One arrow for each generated sample. If it is nothing, nothing arrives at G.",
            )
        )
    return boxes


def _generator_loss_filled(made: Pass, terms: Tensor, count: int) -> str:
    filled, value = mean_filled(terms.tolist(), count), float(terms.mean())
    if "generator_real" in made.terms:
        real = made.terms["generator_real"]
        filled, value = f"{filled} + {mean_filled(real.tolist(), count)}", value + float(real.mean())
    return f"{filled} = {number(value)}"


def _update_boxes(update: Update, settings: Settings, note: str) -> list[dict[str, Any]]:
    letter = "D" if update.player == "discriminator" else "G"
    other = "G" if letter == "D" else "D"
    total = sum(layer.gradient_norm**2 for layer in update.layers) ** 0.5
    matrices = [layer for layer in update.layers if len(layer.shape) > 1]
    each = ", ".join(f"{'×'.join(map(str, layer.shape))}: {number(layer.gradient_norm)}" for layer in matrices)
    rate = number(update.learning_rate)
    rule = f"w ← w − {rate}·g" if settings.optimizer == "sgd" else f"w ← w − {rate}·g/√(mean g²)"
    stands = f"{other} stands still meanwhile."
    moved = f"{letter} moves by {number(update.change)}\n{other} moves by {number(update.change_of_other)}"
    if not settings.is_game:
        stands, moved = "No discriminator takes part.", f"{letter} moves by {number(update.change)}"
    if note and settings.is_game:
        stands = note
    if update.learning_rate == 0:
        stands = f"The learning rate of {letter} is 0: nobody moves."
    return [
        _box(
            "gradient",
            f"gradient in {letter}'s weights",
            formula="g = ∂L/∂w, by backpropagation",
            filled=f"|g| = {number(total)}\n{each}",
            note=f"Of {letter}'s weights alone; its length by weight matrix.",
        ),
        _box(
            "update",
            f"{letter} is updated",
            formula=rule,
            filled=moved,
            note=stands,
        ),
    ]


def _squared_error_boxes(made: Pass) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    assert made.real is not None and made.fake is not None
    terms = made.terms["generator"]
    count = len(terms)
    boxes = [
        *_making_boxes(made),
        _box(
            "real",
            "real x",
            shape=made.real.shape,
            formula="x ~ the data",
            filled=f"x₁ = {_point(made.real[0].tolist())}",
            note="Drawn without regard to z: there is no right answer to a latent.",
        ),
        _box(
            "loss",
            "squared error",
            formula=SQUARED_ERROR,
            filled=f"{mean_filled(terms.tolist(), count)} = {number(float(terms.mean()))}",
            note="Its best reply is the mean of the data, for every z.",
        ),
    ]
    samples = {"latents": _rows(made.latents), "fake": _rows(made.fake), "real": _rows(made.real)}
    samples["chains"] = [f"|G(z) − x|² = {number(term)}" for term in terms[:ROWS].tolist()]
    return boxes, samples


def _samples(made: Pass, formula: Formula) -> dict[str, Any]:
    """Numbers of the first samples, and for each a chain from the latent to its part in the loss."""
    found: dict[str, Any] = {"latents": _rows(made.latents), "fake": _rows(made.fake), "real": _rows(made.real)}
    if made.to_samples is not None:
        found["told"] = _rows(made.to_samples)
    chains = []
    names = {"real": formula.real_term, "fake": formula.fake_term, "generator": formula.generator_term}
    for place in range(min(ROWS, len(made.fake) if made.fake is not None else 0)):
        links = []
        for side, letter in (("real_logits", "x"), ("fake_logits", "y")):
            logits = getattr(made, side)
            if logits is not None:
                links.append(f"l({letter}) = {number(float(logits[place]))}")
        links += [f"{names[key]} = {number(float(term[place]))}" for key, term in made.terms.items() if key in names]
        chains.append("; ".join(links))
    return {**found, "chains": chains}


PENALTY_WORDS = {"r1": "mean |∇l(x)|²/2", "r2": "mean |∇l(y)|²/2", "wgan_gp": "mean (|∇l| − 1)²"}


def _point(coordinates: list[float]) -> str:
    return f"({', '.join(number(value) for value in coordinates)})"


def _rows(tensor: Tensor | None) -> list[list[float]]:
    return [] if tensor is None else [[float(f"{value:.5g}") for value in row] for row in tensor[:ROWS].tolist()]
