"""Read the client, the HTTP response and the errors of the OpenAI SDK. Pure, and duck-typed.

Neither httpx nor httpx2 is imported: which of them the SDK speaks is the SDK's business.
"""

from __future__ import annotations

import functools
import json
from typing import Any, Final
from urllib.parse import urlsplit

from traceai.call import Attempt


def body_of(options: Any) -> dict[str, Any]:
    """Return the JSON body of a request as it will be sent; nothing in it is consumed."""
    body = options.json_data
    extra = getattr(options, "extra_json", None)
    body = body if isinstance(body, dict) else {}
    return {**body, **extra} if isinstance(extra, dict) else body


def server_of(client: Any, url: str) -> tuple[str | None, int | None]:
    """Return host and port that a request of `client` goes to."""
    if "://" in url:
        given = urlsplit(url)
        host, port, scheme = given.hostname, given.port, given.scheme
    else:
        base = client.base_url
        host, port, scheme = base.host, base.port, base.scheme
    return host, port or (80 if scheme == "http" else 443)


@functools.lru_cache(maxsize=64)
def class_names(kind: type) -> frozenset[str]:
    """Return the names of a class and of all its bases."""
    return frozenset(base.__name__ for base in kind.__mro__)


def request_id(headers: Any) -> str | None:
    """Return the provider's id of a request, OpenAI's or Azure's."""
    found = headers.get("x-request-id") or headers.get("apim-request-id")
    return found if isinstance(found, str) else None


def raw_response_of(result: Any) -> Any:
    """Return the HTTP response in what the SDK's request returned; None where it is an answer."""
    response = fields_of(result).get("http_response", result)
    return response if "is_stream_consumed" in fields_of(response) else None


def fields_of(value: Any) -> dict[str, Any]:
    """Return the instance's own attributes: to ask a pydantic object for others is slow."""
    fields: dict[str, Any] = getattr(value, "__dict__", {})
    return fields


def parsed(body: bytes) -> Any:
    """Return the JSON of a body; None when it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def attempt(number: int, failure: BaseException | None) -> Attempt:
    """Return what became of an attempt that failed with `failure`."""
    response = getattr(failure, "response", None)
    status = getattr(response, "status_code", None)
    return Attempt(number=number, status_code=status, reason=_reason(status, failure))


def _reason(status: int | None, failure: BaseException | None) -> str | None:
    if status is not None:
        if status in _REASONS:
            return _REASONS[status]
        return "server_error" if status >= _SERVER_ERROR else "other"
    if not isinstance(failure, Exception):
        return None
    return "timeout" if "Timeout" in type(failure).__name__ else "connection"


_SERVER_ERROR: Final = 500
_REASONS: Final = {408: "timeout", 429: "rate_limit", 504: "timeout"}
