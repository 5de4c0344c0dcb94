"""The model card of a trained generator, made from its run: what it is, how good it was found to be, what it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from equipoise.errors import RunFolderError
from equipoise.experiment.trained import Trained
from equipoise.plotting.number_text import number
from equipoise.runfolder import RunFolder

IMAGE_TASK = "unconditional-image-generation"
"""The hub's word for what a generator of images does; it has none for points, tables and images
of classes."""
NO_VERDICT = (
    "No verdict is stored for these weights: nobody has asked, with held-out data, whether generated and real can be "
    "distinguished."
)


def model_card(gan: Trained) -> str:
    """Markdown with the header that model hubs read."""
    from equipoise import __version__

    run = RunFolder(gan.folder)
    verdict = _verdict(run, gan.step)
    kind = gan.space.kind
    header: dict[str, Any] = {"library_name": "equipoise", "tags": ["gan", "equipoise", kind]}
    if kind == "images" and not gan.config.networks.conditional:
        header["pipeline_tag"] = IMAGE_TASK
    name = Path(gan.config.data.source).stem or "model"
    lines = [
        "---",
        yaml.safe_dump(header, sort_keys=False).strip(),
        "---",
        "",
        f"# {name}: a generator of {kind}",
        "",
        f"Trained with equipoise {__version__}; the weights are the average of those around step {gan.step:,}.",
        "",
        "```python",
        "import equipoise as eq",
        "",
        'gan = eq.from_pretrained("FOLDER")',
        f"gan.sample(64{_label_argument(gan)})",
        "```",
        "",
        "## Verdict",
        "",
        *_verdict_lines(verdict),
        "",
        "## What it was trained on and how",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {_cell(value)} |" for key, value in _facts(gan, run)),
        "",
        "## What it is not",
        "",
        "- Samples resemble the data that it was trained on, with their gaps and their bias; it knows nothing else.",
        "- It may repeat training samples; the verdict's checks look for copies, and few data make them likely.",
        "- It gives no guarantee of privacy.",
        "- The rights in the training data are their owners'; this card does not know them. Add a licence before you "
        "publish it.",
        "",
    ]
    return "\n".join(lines)


def _label_argument(gan: Trained) -> str:
    return f", label={str(gan.label_names[0])!r}" if gan.config.networks.conditional and gan.label_names else ""


def _verdict(run: RunFolder, step: int) -> dict[str, Any] | None:
    """The last final verdict on the weights of this step."""
    try:
        rows = run.read_verdicts()
    except RunFolderError:
        return None
    found = [row for row in rows if row.get("part") == "final" and row.get("step") == step]
    return found[-1] if found else None


def _verdict_lines(verdict: dict[str, Any] | None) -> list[str]:
    if verdict is None:
        return [NO_VERDICT]
    counts = verdict.get("counts") or {}
    found = [
        str(verdict.get("sentence") or verdict.get("conclusion")),
        "",
        "| | |",
        "|---|---|",
        f"| conclusion | {verdict.get('conclusion')} |",
        f"| Jensen-Shannon divergence, nats (0 equal, 0.693 nothing in common) | at least "
        f"{number(verdict.get('jsd_lower_bound_nats'))}, with {_percent(verdict.get('confidence'))} confidence; "
        f"estimate {number(verdict.get('jsd_estimate_nats'))} |",
        f"| held-out samples scored | {counts.get('real_test', '?')} real, {counts.get('fake_test', '?')} generated |",
        f"| referee | version {verdict.get('referee_version')} |",
    ]
    effect = verdict.get("sensitivity_theoretical_nats")
    if effect is not None:
        found.append(f"| smallest difference that could have been found, in theory, nats | {number(effect)} |")
    return found


def _facts(gan: Trained, run: RunFolder) -> list[tuple[str, str]]:
    config = gan.config
    try:
        described, metadata = run.read_json(run.data), run.read_json(run.metadata)
    except RunFolderError:
        described, metadata = {}, {}
    found = [
        (
            "data",
            f"{Path(config.data.source).name}, {described.get('rows', '?')} rows, fingerprint "
            f"{described.get('fingerprint', 'not known')}",
        ),
        ("one sample", "x".join(str(length) for length in gan.space.shape) + f", {gan.space.kind}"),
        ("classes", ", ".join(gan.label_names[:20]) + (" ..." if len(gan.label_names) > 20 else "") or "none"),
        ("networks", f"{config.networks.family}, {_parameters(gan)}"),
        ("game", ", ".join([config.objective.name, *(penalty.name for penalty in config.penalties)])),
        ("length", f"{config.training.steps:,} steps planned, batch {config.training.batch_size}, seed {config.seed}"),
        (
            "augmentation",
            ", ".join(name for name, options in config.augmentation.items() if options is not None) or "none",
        ),
    ]
    environment = metadata.get("environment")
    if isinstance(environment, dict):
        found.append(
            (
                "trained with",
                ", ".join(
                    f"{key} {value}" for key, value in environment.items() if key in ("torch", "device", "python")
                ),
            )
        )
    return found


def _parameters(gan: Trained) -> str:
    counts = [
        f"{role} {sum(weight.numel() for weight in network.parameters()):,}"
        for role, network in (("generator", gan.generator), ("discriminator", gan.discriminator))
        if network is not None
    ]
    return ", ".join(counts) + " parameters"


def _percent(value: Any) -> str:
    return f"{value:.0%}" if isinstance(value, (int, float)) else "?"


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")
