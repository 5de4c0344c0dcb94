"""The addresses of the run pages: the list of runs, one run, and what their scripts ask for."""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from equipoise.errors import RunFolderError
from equipoise.files import plain
from equipoise.live.charts import histogram_json
from equipoise.live.columns import MOST_BINS, Stretch, series_json, stretch_of
from equipoise.live.comparison import comparison_json
from equipoise.live.control import asked
from equipoise.live.events import event_stream
from equipoise.live.follow import FollowedRun, FollowedRuns
from equipoise.live.page import page
from equipoise.live.rendering import templates
from equipoise.live.run_files import picture
from equipoise.live.runs import RunLibrary, ShownRun
from equipoise.runfolder import RunFolder

ANSWERS_KEPT = 200
MOST_COMPARED = 12
LARGEST_NUMBER = 2**62


class RunPages:
    """The pages over one library of runs, and what they have in common.

    Args:
        library: of runs.
    """

    def __init__(self, library: RunLibrary) -> None:
        self.found, self.followed = library, FollowedRuns()
        self._answers: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def routes(self) -> list[BaseRoute]:
        """All addresses."""
        return [
            Route("/", self.home),
            Route("/api/runs", self.listing),
            Route("/compare", self.compare_page),
            Route("/api/compare", self.comparison),
            Route("/runs/{key}", self.run_page),
            Route("/api/runs/{key}/events", self.events),
            Route("/api/runs/{key}/state", self.state),
            Route("/api/runs/{key}/series", self.series),
            Route("/api/runs/{key}/histogram", self.histogram),
            Route("/api/runs/{key}/picture/{what}", self.picture),
            Route("/api/runs/{key}/requests", self.ask, methods=["POST"]),
        ]

    async def home(self, request: Request) -> Response:
        """The list of runs; a server of one run goes to it."""
        if self.found.is_single:
            runs = await run_in_threadpool(opened, self.found.runs)
            if len(runs) == 1:
                return RedirectResponse(f"/runs/{runs[0].key}", status_code=303)
        body = templates().get_template("runs.html.jinja").render(root=str(self.found.root))
        return page(request, "Runs", Markup(body), scripts=("/static/runs.js",), styles=("/static/runs.css",))

    def listing(self, request: Request) -> Response:
        """The list of runs as plain values."""
        del request
        return JSONResponse({"runs": [row(run) for run in opened(self.found.runs)]})

    def compare_page(self, request: Request) -> Response:
        """Chosen runs side by side; its scripts fill it."""
        keys = self._chosen(request)
        body = templates().get_template("compare.html.jinja").render()
        scripts, styles = ("/static/compare.js",), ("/static/run.css", "/static/compare.css")
        return page(request, "Comparison", Markup(body), scripts=scripts, styles=styles, data={"keys": keys})

    def comparison(self, request: Request) -> Response:
        """Settings that differ, verdicts side by side, and what may not be compared: the words of `compare`."""
        keys = self._chosen(request)
        return JSONResponse(comparison_json([(key, opened(self.found.path_of, key)) for key in keys]))

    def _chosen(self, request: Request) -> list[str]:
        keys = list(dict.fromkeys(request.query_params.getlist("run")))[:MOST_COMPARED]
        for key in keys:
            opened(self.found.path_of, key)
        if not keys:
            raise HTTPException(404, detail="No run was chosen. Choose some in the list of runs.")
        return keys

    def run_page(self, request: Request) -> Response:
        """One run; its scripts fill it."""
        run = self._run(request)
        name = run.path.resolve().name
        body = templates().get_template("run.html.jinja").render(name=name, is_single=self.found.is_single, kept="")
        return page(
            request,
            name,
            Markup(body),
            scripts=("/static/run.js",),
            styles=("/static/run.css",),
            data={"key": run.key, "address": f"/api/runs/{run.key}"},
        )

    async def events(self, request: Request) -> Response:
        """What happens to the run, as it happens."""
        run = await run_in_threadpool(self._run, request)
        return event_stream(run.events())

    def state(self, request: Request) -> Response:
        """All words, tables and charts of the run."""
        return JSONResponse(self._run(request).state())

    def series(self, request: Request) -> Response:
        """Its curves between two steps, or what is new of them.

        Query: `low`, `high`: ends in steps; `bins`: most of them; `key`: of the columns, if
        not of all; and, of a page that has the rest already,
        `generation`, `per_bin` and `first_bin`, from which on it wants them.
        """
        run = self._run(request)
        low, high = (_number(request, name) for name in ("low", "high"))
        most = int(min(4000, max(10, _number(request, "bins") or MOST_BINS)))
        had = tuple(_number(request, name) for name in ("generation", "per_bin", "first_bin"))
        state = run.state()
        keys, errors = state.get("keys", []), state.get("errors", {})
        only = request.query_params.getlist("key")
        keys = [key for key in keys if key in only] if only else keys
        _, log, lock = run.reading()
        with lock:
            name = (run.key, log.generation, len(log.columns), low, high, most, had, tuple(keys))
            content = self._kept(name)
            if content is None:
                steps = log.columns.all_steps()
                stretch = stretch_of(steps, low=low, high=high, most=most)
                wanted = stretch
                if had[:2] == (log.generation, stretch.per_bin) and had[2] is not None:
                    first = max(stretch.first_bin, min(int(had[2]), stretch.last_bin))
                    wanted = Stretch(first, stretch.last_bin, stretch.per_bin)
                found = {
                    "generation": log.generation,
                    "rows": len(steps),
                    "per_bin": wanted.per_bin,
                    "first_bin": wanted.first_bin,
                    "is_part": wanted is not stretch,
                    **series_json(log.columns, keys, errors, wanted),
                }
                content = self._keep(name, json.dumps(found, allow_nan=False, separators=(",", ":")).encode())
        return Response(content, media_type="application/json")

    def histogram(self, request: Request) -> Response:
        """The discriminator's outputs at one step."""
        run = self._run(request)
        step = _step(request)
        record, log, lock = run.reading()
        with lock:
            row = None if step is None else log.row_at(step)
        found = None if record is None or row is None else histogram_json(record, row)
        if found is None:
            raise HTTPException(404, detail="There is no histogram of that step.")
        return JSONResponse(plain(found))

    def picture(self, request: Request) -> Response:
        """A picture of the run: its samples at a step, real ones, the nearest real ones, the most discriminative."""
        run = self._run(request)
        content = picture(RunFolder(run.path), request.path_params["what"], _step(request))
        if content is None:
            raise HTTPException(404, detail="There is no such picture in the run folder.")
        return Response(content, media_type="image/png")

    async def ask(self, request: Request) -> Response:
        """Ask something of the run."""
        run = await run_in_threadpool(self._run, request)
        return JSONResponse({"id": await asked(request, run.path)}, status_code=202)

    def _run(self, request: Request) -> FollowedRun:
        key = request.path_params["key"]
        return self.followed.get(key, opened(self.found.path_of, key))

    def _kept(self, name: tuple[Any, ...]) -> bytes | None:
        with self._lock:
            return self._answers.get(name)

    def _keep(self, name: tuple[Any, ...], content: bytes) -> bytes:
        """Keep an answer: a hundred pages that ask for the same get what was made once."""
        with self._lock:
            self._answers[name] = content
            while len(self._answers) > ANSWERS_KEPT:
                self._answers.popitem(last=False)
        return content


def row(run: ShownRun) -> dict[str, Any]:
    """One line of the list of runs, as plain values."""
    summary = run.summary
    return plain(
        {
            "key": run.key,
            "name": run.name,
            "state": summary.state,
            "condition": summary.condition,
            "step": summary.step,
            "steps": summary.steps,
            "trend": summary.trend,
            "verdict": summary.verdict,
            "conclusion": summary.conclusion,
            "data": summary.data,
            "preset": summary.preset,
            "trouble": summary.trouble,
        }
    )


def opened(read: Callable[..., Any], *arguments: Any) -> Any:
    """What `read` returns; a run that cannot be read becomes an answer that says why.

    Raises:
        HTTPException: 404, with the parts of the message.
    """
    try:
        return read(*arguments)
    except RunFolderError as error:
        raise HTTPException(404, detail=" ".join(str(error).split())) from error


def _number(request: Request, name: str) -> float | None:
    """A finite number of the query; `None` where it is left out, or is none."""
    text = request.query_params.get(name, "")
    try:
        value = float(text[:40])
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < LARGEST_NUMBER else None


def _step(request: Request) -> int | None:
    step = _number(request, "step")
    return None if step is None or step < 0 or step != int(step) else int(step)
