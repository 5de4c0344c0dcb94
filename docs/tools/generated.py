"""Reference pages that are made from the code while the site is built: every command, and every setting.

In a page, `{{ reference commands }}` and `{{ reference settings }}` stand for them, so neither page can be out of date.
"""

from __future__ import annotations

import textwrap
import types
import typing
from collections.abc import Iterator
from typing import Any

PAGES = ("commands", "settings")


def page(name: str) -> str:
    """The Markdown of one of `PAGES`."""
    return commands() if name == "commands" else settings()


def commands() -> str:
    """Each command with its description, arguments and options, as its `--help` has them."""
    import typer

    from equipoise.cli.main import app

    group = typer.main.get_command(app)
    parts = [described(group.help)]
    for name, command in sorted(group.commands.items()):
        context = command.make_context(name, ["--help"], resilient_parsing=True)
        usage = " ".join(["equipoise", name, *command.collect_usage_pieces(context)])
        records = [found for parameter in command.params if (found := parameter.get_help_record(context))]
        parts += [f"## {name}", f"```text\n{usage}\n```", described(command.help)]
        parts.append(table(("argument or option", "meaning"), [(f"`{what}`", text) for what, text in records]))
    return "\n\n".join(parts)


def described(help_text: str) -> str:
    """A help text as Markdown. A paragraph that no terminal may wrap is a heading with commands or columns below it."""
    parts = []
    for paragraph in help_text.split("\n\n"):
        first, _, rest = paragraph.lstrip("\n").partition("\n")
        if first != "\b":
            parts.append(escaped(paragraph))
            continue
        heading, _, body = rest.partition("\n")
        body = textwrap.dedent(body)
        language = "sh" if body.startswith("equipoise ") else "text"
        parts.append(f"{escaped(heading)}\n\n```{language}\n{body}\n```")
    return "\n\n".join(parts)


def settings() -> str:
    """Each section of a configuration with its settings, kinds, defaults and meaning."""
    from equipoise.experiment.config.schema import RunConfig

    parts = []
    for name, section in sections_of(RunConfig):
        if name:
            parts.append(f"## {name}")
        parts.append(" ".join(escaped((section.__doc__ or "").strip()).split()))
        rows = [
            (
                f"`{name + '.' if name else ''}{key}`",
                kind_of(field.annotation),
                default_of(field),
                field.description or "",
            )
            for key, field in section.model_fields.items()
            if not sections_in(field.annotation) or may_be_null(field.annotation)
        ]
        if rows:
            parts.append(table(("setting", "kind", "default", "meaning"), rows))
    return "\n\n".join(parts)


def sections_of(section: type, name: str = "") -> Iterator[tuple[str, type]]:
    """A section and those below it, with their dotted names."""
    yield name, section
    for key, field in section.model_fields.items():
        for below in sections_in(field.annotation):
            yield from sections_of(below, f"{name}.{key}" if name else key)


def sections_in(annotation: Any) -> list[type]:
    """The sections that a field may hold; a part (objective, penalty) is a setting, not a section."""
    kinds = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return [kind for kind in kinds if hasattr(kind, "model_fields") and kind.__name__ != "PartConfig"]


def may_be_null(annotation: Any) -> bool:
    """Whether null may stand there: a section that may be left out is a setting, too."""
    return type(None) in typing.get_args(annotation)


def kind_of(annotation: Any) -> str:
    """What may stand there, in words."""
    if annotation is None or annotation is type(None):
        return "null"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return kind_of(arguments[0])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(kind_of(each) for each in arguments)
    if origin in (tuple, list):
        return f"list of {kind_of(arguments[0])}"
    if origin is dict:
        return "mapping"
    names = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    return names.get(annotation, "name or import path, with options")


def default_of(field: Any) -> str:
    """The default as YAML would have it; empty where the preset decides."""
    if field.is_required():
        return "from the preset"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "null"
    return f"`{str(value).lower() if isinstance(value, bool) else list(value) if isinstance(value, tuple) else value}`"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Text whose angle brackets and asterisks stay what they are."""
    return text.replace("<", "&lt;").replace("*", "\\*")
