"""`eq.view`: the recorded form of a run or of a playground game, for a notebook or a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from equipoise.documents import read_json
from equipoise.errors import InputError, RunFolderError
from equipoise.live.bundle import STATIC as SHARED
from equipoise.live.bundle import bundle
from equipoise.live.recorded_page import HEIGHT, RecordedPage, recorded_page
from equipoise.live.recorded_run import recorded_run
from equipoise.playground.embedded import GLOBAL, OWN
from equipoise.playground.recording import FORMAT, record
from equipoise.playground.situations import find_situation, situations
from equipoise.reports.page import style_sheet

if TYPE_CHECKING:
    from equipoise.experiment.generator import Gan

ENTRY = "recorded-page.js"


def view(run: Path | str | Gan | Mapping[str, Any], *, height: int = HEIGHT) -> RecordedPage:
    """Show a run, or a playground game, without a server: in a notebook as a cell's output, elsewhere as a file.

    The page is drawn by the code of `equipoise view` and `equipoise play` and holds all that it shows: curves,
    samples over time, evaluations; or the frames of a game with their play, pause and step. It asks nothing of a
    network. It shows the moment at which it was made; `equipoise view RUN` follows a run as it trains.

    Args:
        run: a run folder, or the generator that was loaded from it; a recorded game, as `equipoise play --record`
            writes it, or its path; or the name of a prepared situation such as `saturation`, which is then played.
        height: of the frame in a notebook, in CSS pixels.

    Returns:
        A page; a notebook shows it, `page.save("run.html")` writes it.

    Raises:
        RunFolderError: there is no run folder, or a later version of equipoise wrote it.
        InputError: it is no recorded game.

    Example:
        eq.view("runs/digits").save("digits.html")
    """
    if isinstance(run, Mapping):
        return _recorded_game(run, where="the recording", height=height)
    path = Path(getattr(run, "folder", run))
    if path.suffix == ".json" and path.is_file():
        return _recorded_game(read_json(path), where=str(path), height=height)
    if not path.exists() and str(run) in {each.name for each in situations()}:
        return _recorded_game(record(find_situation(str(run))), where=str(run), height=height)
    if not path.is_dir():
        raise RunFolderError(
            str(path),
            "there is no run folder, and no recorded game.",
            "Expected a run folder, a recording of 'equipoise play --record', or the name of a situation.",
            f"Situations: {', '.join(each.name for each in situations())}.",
        )
    return recorded_run(path, height=height)


def _recorded_game(recording: Any, *, where: str, height: int) -> RecordedPage:
    situation = recording.get("situation") if isinstance(recording, Mapping) else None
    if not isinstance(situation, Mapping) or not recording.get("frames") or recording.get("format") != FORMAT:
        raise InputError(
            where,
            "this is no recorded game of this version.",
            f"Expected a recording of format {FORMAT}, with a situation and frames.",
            "Write one with: equipoise play SITUATION --record DIR",
        )
    title = str(situation.get("title"))
    styles = (SHARED / "base.css", OWN / "play.css")
    head = Markup('<header><p class="eyebrow">equipoise play, recorded</p><h1>{}</h1></header>').format(title)
    return recorded_page(
        title,
        head + Markup('<div id="game"></div>'),
        script=f"{bundle(OWN / ENTRY, GLOBAL)}{GLOBAL}.start();\n",
        style="\n".join([style_sheet(), *(path.read_text(encoding="utf-8") for path in styles)]),
        recording=recording,
        height=height,
    )
