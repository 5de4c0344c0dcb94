"""What a page may ask of a run that trains: one that this user started with `--view` on this machine, and no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.errors import EquipoiseError, InputError
from equipoise.run_requests import ANSWERS, ask, listening_at, request_from, rows_of

if TYPE_CHECKING:
    from starlette.requests import Request as HttpRequest

MOST_BYTES = 4096
MOST_SHOWN = 8


def control_json(run: Path) -> dict[str, Any]:
    """What the page offers and what was answered, the newest first; no buttons where nobody listens."""
    listening = listening_at(run)
    answers = [
        {
            "id": str(row.get("id") or ""),
            "what": str(row.get("what") or ""),
            "text": str(row.get("text") or "")[:500],
            "is_done": row.get("is_done") is True,
            "picture": row.get("picture") if isinstance(row.get("picture"), int) else None,
        }
        for row in reversed(rows_of(run, ANSWERS)[-MOST_SHOWN:])
    ]
    return {
        "is_listening": listening is not None,
        "classes": [] if listening is None else list(listening.classes),
        "can_evaluate": listening is not None and listening.can_evaluate,
        "can_truncate": listening is not None and listening.can_truncate,
        "answers": answers,
    }


async def asked(request: HttpRequest, run: Path) -> str:
    """Pass a request of the page on to the run; its id.

    Raises:
        HTTPException: it is none, or the run does not listen; the message says why.
    """
    from starlette.exceptions import HTTPException

    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise HTTPException(413, detail="The request is too long.")
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(415, detail="Expected JSON.")
    listening = listening_at(run)
    if listening is None:
        raise HTTPException(
            409, detail="This run takes no requests: it has ended, or was not started with --view by you, here."
        )
    try:
        return ask(run, request_from(json.loads(content), listening=listening))
    except InputError as error:
        raise HTTPException(400, detail=f"{error.found} {error.expected}") from error
    except EquipoiseError as error:
        raise HTTPException(409, detail=" ".join(str(error).split())) from error
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, detail="The request is no JSON.") from error
