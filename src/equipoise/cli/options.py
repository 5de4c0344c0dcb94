"""Options that several commands share, each written once so that they mean the same everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from equipoise.errors import ConfigError

Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    typer.Option("--device", help="Where to compute; auto takes CUDA where there is one, else the CPU."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, e.g. objective.name=hinge; repeatable."),
]
Kind = Annotated[
    Literal["points", "images", "table"] | None,
    typer.Option("--kind", help="What the data are; left out, the data decide, and a note says what was guessed."),
]
Missing = Annotated[
    list[str] | None,
    typer.Option("--missing", metavar="TEXT", help="What means in a text file that a value is missing; repeatable."),
]
DayFirst = Annotated[
    bool | None,
    typer.Option("--day-first/--month-first", help="How dates such as 01/02/2024 begin, where nothing shows it."),
]
Columns = Annotated[
    Path | None,
    typer.Option("--columns", metavar="FILE", help="Kinds of columns that FILE states (YAML, JSON or SDV's metadata)."),
]
Rules = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        metavar="RULE",
        help="What holds between columns of a table, e.g. 'admitted <= discharged', 'a + b = c', 'fixed(city, zip)', "
        "'unique(name, day)'; repeatable.",
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="N|HxW",
        help="Pixels a side that images are brought to, such as 32, or height and width, such as 48x64.",
    ),
]
Crop = Annotated[
    Literal["center", "random", "none"] | None,
    typer.Option(
        "--crop",
        help="Images of other proportions: cropped at the centre, at a place drawn for each, or scaled whole.  "
        "[default: center]",
    ),
]
Mirror = Annotated[
    bool, typer.Option("--mirror", help="A picture and its mirror image are equally likely: not for letters.")
]
Background = Annotated[
    str | None,
    typer.Option("--background", metavar="COLOUR", help="Put transparent images on a colour, such as white."),
]
Preset = Annotated[str | None, typer.Option("--preset", metavar="NAME", help="A complete configuration to start from.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder that 'equipoise train' made.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of text.")]
View = Annotated[
    bool,
    typer.Option(
        "--view", help="Show the run in the browser as it happens, with buttons to stop, evaluate and draw samples."
    ),
]
Port = Annotated[int | None, typer.Option("--port", metavar="N", min=0, max=65535, help="[default: 8777]")]
Host = Annotated[
    str,
    typer.Option("--host", metavar="ADDRESS", help="Where to listen; other machines reach any but 127.0.0.1."),
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Print the address; open nothing.")]
PagePort = Annotated[
    int | None, typer.Option("--port", metavar="N", min=0, max=65535, help="Of the page.  [default: 8777]")
]
PageHost = Annotated[
    str | None,
    typer.Option(
        "--host",
        metavar="ADDRESS",
        help="Where the page listens; other machines reach any but 127.0.0.1.  [default: 127.0.0.1]",
    ),
]
PageNoBrowser = Annotated[bool, typer.Option("--no-browser", help="Print the address of the page; open nothing.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Steps = Annotated[
    int | None,
    typer.Option("--steps", metavar="N", min=1, help="Length of the run in steps, one generator update each."),
]
Minutes = Annotated[
    float | None,
    typer.Option("--minutes", metavar="M", help="Length of the run in minutes; turned into steps once, and stored."),
]
Confidence = Annotated[
    float,
    typer.Option("--confidence", metavar="P", help="Probability with which the verdict's bound holds."),
]
Margin = Annotated[
    float | None,
    typer.Option(
        "--margin", metavar="NATS", help="Smallest Jensen-Shannon divergence that matters to you; allows 'equivalent'."
    ),
]

Last = Annotated[
    bool,
    typer.Option("--last", help="Use the weights of the last step, where the run has kept better ones."),
]
TrustCode = Annotated[bool, typer.Option("--trust-code", help="Run Python code that the run's configuration names.")]


def probability(name: str, value: float) -> None:
    """Refuse what is no probability strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ConfigError(name, f"{value:g} is not between 0 and 1.", "Expected a probability such as 0.95.")


def positive(name: str, value: float | None) -> None:
    """Refuse zero, negative numbers, NaN and infinity."""
    if value is not None and not 0 < value < float("inf"):
        raise ConfigError(name, f"{value:g} is not a positive number.", "Expected a number above 0.")


def with_kind(settings: list[str] | None, kind: str | None) -> list[str]:
    """The settings that were asked for, and `--kind` as one of them."""
    return [*(settings or []), *([] if kind is None else [f"data.kind={kind}"])]


def rule_settings(rules: list[str] | None) -> list[str]:
    """The setting for the rules that were given."""
    return [f"data.rules={json.dumps(rules, ensure_ascii=False)}"] if rules else []


def image_settings(size: str | None, crop: str | None, mirror: bool, background: str | None) -> list[str]:
    """Settings for the options on images that were given.

    Raises:
        ConfigError: a size that is none.
    """
    from equipoise.data.dataset import LARGEST_SIDE, SMALLEST_SIDE

    asked = []
    if size is not None:
        sides = size.lower().split("x")
        if len(sides) > 2 or not all(side.isascii() and side.isdecimal() for side in sides):
            raise ConfigError(
                "--size",
                f"'{size}' is no size of an image.",
                "Expected pixels a side, such as 32, or height and width, such as 48x64.",
                "Correct it; left out, the images decide.",
            )
        if not all(SMALLEST_SIDE <= int(side) <= LARGEST_SIDE for side in sides):
            raise ConfigError(
                "--size",
                f"{size} is no size of an image.",
                f"Expected {SMALLEST_SIDE} to {LARGEST_SIDE} pixels a side; the networks of the preset make 8 to 256.",
                "Correct it; left out, the images decide.",
            )
        asked.append(f"data.image_size=[{', '.join(sides)}]" if len(sides) == 2 else f"data.image_size={sides[0]}")
    asked += [] if crop is None else [f"data.crop={crop}"]
    asked += ["data.mirror=true"] if mirror else []
    return asked + ([] if background is None else [f"data.background={json.dumps(background)}"])
