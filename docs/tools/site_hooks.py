r"""What the pages need beyond Markdown: figures and numbers of the lab, and formulas as MathML.

In a page, `{{ figure lab/value }}` is the picture that `equipoise lab value` writes, with that command below it;
`{{ output lab/value }}` is what it prints, `{{ output lab/value 2 }}` the second of its tables; and
`{{ number lab/value exact .4f }}` is one number of its JSON, by the path to it. So no number of the lab is typed.
A sweep's output stands beside the lab's, in `sweeps/`. `{{ reference commands }}` and `{{ reference settings }}` are
made from the code (generated.py). `{{ play saturation }}` is a recorded run, as `equipoise play --record DIR`
writes it; the drawing code is that of `equipoise play`, as one script that needs no server.

Formulas are turned into MathML here: readers' browsers draw it themselves, without a script or a network.
"""

from __future__ import annotations

import html
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent
MACRO = re.compile(r"\{\{ (?P<kind>figure|output|number|reference|play) (?P<name>[\w/-]+)(?: (?P<rest>[^}]*?))? \}\}")
STEP = re.compile(r"([^.\[\]]+)(?:\[([^\]]*)\])?\.?")
LETTERS = re.compile(r'(?:<mi mathvariant="normal">[A-Za-z]</mi>){2,}')
# A name of several letters needs air before what follows it, unless that is a bracket: 'log D', but 'log(1 - D)'.
NAME = re.compile(r"(<mi>[A-Za-z]{2,}</mi>(?:</mrow>)?)(?=<m(?:i|n|row|frac|sup|sub|msub|over)\b)")
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


class PageError(Exception):
    """A page asks for something that the lab has not written."""


def on_page_markdown(markdown: str, *, page: Any, **others: Any) -> str:
    """Fill in figures, outputs and numbers."""
    del others
    depth = page.file.src_uri.count("/")
    return MACRO.sub(lambda found: filled(found, up="../" * depth), markdown)


def on_page_content(content: str, *, page: Any, **others: Any) -> str:
    """Formulas as MathML, and the drawing code where a recorded run is."""
    del others
    if 'class="playground"' in content:
        up = "../" * page.file.src_uri.count("/")
        content += f'<link rel="stylesheet" href="{up}assets/playground.css">'
        content += f'<script src="{up}assets/playground.js" defer></script>'
    content = DISPLAY.sub(lambda found: formula(found[1], display="block"), content)
    return INLINE.sub(lambda found: formula(found[1], display="inline"), content)


def on_post_build(config: Any, **others: Any) -> None:
    """Write the playground's drawing code, its style and the recorded runs beside the pages."""
    del others
    from equipoise.playground import embedded

    assets = Path(config["site_dir"]) / "assets"
    (assets / "recordings").mkdir(parents=True, exist_ok=True)
    started = f"{embedded.script()}{embedded.GLOBAL}.showAll();\n"
    (assets / "playground.js").write_text(started, encoding="utf-8")
    style = embedded.style(dark='[data-md-color-scheme="slate"]', scale=0.8)
    (assets / "playground.css").write_text(style, encoding="utf-8")
    for path in sorted((DOCS / "recordings").glob("*.json")):
        recording = json.loads(path.read_text(encoding="utf-8"))
        written = embedded.recording_script(path.stem, recording)
        (assets / "recordings" / f"{path.stem}.js").write_text(written, encoding="utf-8")


def filled(found: re.Match[str], *, up: str) -> str:
    """What stands in the place of one macro."""
    name, rest = found["name"], (found["rest"] or "").strip()
    if found["kind"] == "figure":
        return figure(name, up=up, words=rest)
    if found["kind"] == "reference":
        return beside("generated").page(name)
    if found["kind"] == "play":
        return recorded(name, up=up)
    return output(name, rest) if found["kind"] == "output" else number(name, rest)


def beside(name: str) -> Any:
    """A module of this folder, which is in no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def figure(name: str, *, up: str, words: str) -> str:
    """The picture, its description, and the command that draws it again."""
    if not (DOCS / f"{name}.png").is_file():
        raise PageError(f"there is no {name}.png; 'make figures' writes it")
    command, described = f"equipoise lab {Path(name).name}", html.escape(words or stored(name)["question"])
    return (
        f'<figure><a href="{up}{name}.png"><img src="{up}{name}.png" alt="{described}" loading="lazy"></a>'
        f"<figcaption><code>{command}</code> draws this again; its numbers: "
        f'<a href="{up}{name}.json">{Path(name).name}.json</a></figcaption></figure>'
    )


def recorded(name: str, *, up: str) -> str:
    """A place for a recorded run; without scripts it says what to look for, and how to see it."""
    title, sentence = (stored(f"recordings/{name}")["situation"][key] for key in ("title", "sentence"))
    return (
        f'<div class="playground" data-recording="{name}" data-source="{up}assets/recordings/{name}.js" '
        f'role="region" aria-label="Recorded run: {html.escape(title)}"><p>{html.escape(sentence)} '
        f"(A recorded run, which needs JavaScript; <code>equipoise play {name}</code> plays it live.)</p></div>"
    )


def output(name: str, rest: str) -> str:
    """What the experiment prints: all of it, or the tables with these numbers, counted from 1."""
    text = (DOCS / f"{name}.txt").read_text(encoding="utf-8").rstrip()
    if rest:
        tables = tables_of(text)
        text = "\n\n".join(tables[int(place) - 1] for place in rest.split())
    return f"```text\n{text}\n```"


def tables_of(text: str) -> list[str]:
    """The tables of an experiment's text: blocks whose second line is dashes, with the sentence above them."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    found = []
    for before, block in zip(["", *blocks], blocks, strict=False):
        lines = block.split("\n")
        if len(lines) > 2 and set(lines[1]) == {"-"}:
            is_heading = bool(before) and "\n---" not in before and before.rstrip().endswith((":", "."))
            found.append(f"{before}\n\n{block}" if is_heading else block)
    return found


def number(name: str, rest: str) -> str:
    """One number: `path.to.it format`. A path goes through names, and picks a row by `rows[name=value,other=value]`."""
    path, _, form = rest.rpartition(" ")
    value: Any = stored(name)
    for key, condition in STEP.findall(path):
        value = value[key]
        if condition.isdigit():
            value = value[int(condition)]
        elif condition:
            wanted = dict(pair.split("=") for pair in condition.split(","))
            value = next(row for row in value if all(str(row[k]) == v for k, v in wanted.items()))
    return format(value, form)


def stored(name: str) -> Any:
    """The JSON that an experiment has written."""
    return json.loads((DOCS / f"{name}.json").read_text(encoding="utf-8"))


def formula(latex: str, *, display: str) -> str:
    """MathML; a wide displayed formula scrolls by itself."""
    from latex2mathml.converter import convert

    drawn = convert(html.unescape(latex).strip(), display=display)
    drawn = LETTERS.sub(lambda found: f"<mi>{re.sub('<[^>]*>', '', found[0])}</mi>", drawn)
    drawn = NAME.sub(r'\1<mspace width="0.17em"/>', drawn)
    return f'<div class="formula">{drawn}</div>' if display == "block" else drawn
