"""Say what the fake provider answers to a request: what it would by itself, or what a script says.

A script may replace any part of any answer: status, headers, body, stream events, delays, a
dropped connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from fake_answers import JSON
from fake_openai import (
    chat_completion,
    chat_frames,
    embeddings,
    error,
    models,
    refusal,
)
from fake_responses import response, response_frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the server received.

    Attributes:
        number: how many requests came before this one.
        headers: by lower-case name.
        json: the body, `{}` where there was none.
    """

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    json: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to answer. What is `None` is taken from the answer the server would give by itself.

    Attributes:
        headers: sent besides the usual ones, and instead of those of the same name.
        body: JSON, or bytes as they are.
        events: of a stream: JSON objects, or server-sent events as text, blank line included.
        delay_s: seconds to wait before the status line.
        pause: called with the number of each stream event before it is sent: sleep or block there.
        drop_after: how many stream events to send before the connection is cut; 0 for a request
            that is no stream: cut it with no answer at all.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: JSON | bytes | None = None
    events: Sequence[JSON | str] | None = None
    delay_s: float = 0.0
    pause: Callable[[int], None] | None = None
    drop_after: int | None = None


Script = Callable[[Request], Answer | None]


_Whole = Callable[[JSON, int], JSON]
_Streamed = Callable[[JSON, int], list[str]]
_RESOURCES: Mapping[str, tuple[_Whole, _Streamed | None]] = {
    "/chat/completions": (chat_completion, chat_frames),
    "/responses": (response, response_frames),
    "/embeddings": (embeddings, None),
    "/models": (models, None),
}


def usual_answer(request: Request) -> Answer:
    """Return what the server answers by itself: see `fake_answers` for how it decides."""
    path, body, number = urlsplit(request.path).path, request.json, request.number
    refused = refusal(body)
    if refused:
        status, said = refused
        return Answer(status=status, headers={"retry-after-ms": "20"}, body=said)
    for ending, (whole, streamed) in _RESOURCES.items():
        if path.endswith(ending):
            if streamed and body.get("stream") is True:
                return Answer(status=200, events=streamed(body, number))
            return Answer(status=200, body=whole(body, number))
    return Answer(status=404, body=error(f"No such path: {path}", "invalid_request_error", None))


def scripted_answer(request: Request, script: Script | None) -> Answer:
    """Return the script's answer, completed by the usual one."""
    scripted = (script(request) if script else None) or Answer()
    usual = usual_answer(request)
    failed = scripted.status is not None and scripted.status >= 400  # noqa: PLR2004 - HTTP's limit
    if failed and scripted.body is None and scripted.events is None:
        scripted = replace(scripted, body=error("As the script says.", "scripted", None))
    replaced = scripted.body is not None or scripted.events is not None
    return replace(
        scripted,
        status=scripted.status or (200 if replaced else usual.status),
        headers={**usual.headers, **scripted.headers},
        body=scripted.body if replaced else usual.body,
        events=scripted.events if replaced else usual.events,
    )
