r"""Open JSON that attributes hold as text. Pure.

JSON can write half a character (`"\ud800"`), which no database, protobuf or terminal takes: a
replacement character stands in its place. The span itself is stored as it came.
"""

from __future__ import annotations

import json
import re
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_REPLACEMENT = "\ufffd"


def parse_json(text: str) -> Any:
    """Return the value of a JSON text, every string of it one that can be written as UTF-8.

    Raises:
        ValueError: it is no JSON, or nested too deep to be opened.
    """
    try:
        value = json.loads(text)
        return _whole(value) if _ESCAPED_HALF.search(text) else value
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def whole_text(text: str) -> str:
    """Return a text that can be written as UTF-8: half characters are replaced."""
    return _HALF.sub(_REPLACEMENT, text)


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {whole_text(key): _whole(item) for key, item in value.items()}
    return value
