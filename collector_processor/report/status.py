"""How much is stored."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collector_processor.store.reader import Reader

SCHEMA_VERSION: Final = 1
# The root of a log without leaves (RFC 6962, 2.1): audit rows and their log are not kept yet.
_EMPTY_ROOT: Final = base64.b64encode(hashlib.sha256(b"").digest()).decode()


def to_json(reader: Reader) -> dict[str, Any]:
    """Return the document that `traceai db status --json` prints (DESIGN section 5)."""
    totals = reader.totals()
    return {
        "schema_version": SCHEMA_VERSION,
        "spans": totals.spans,
        "traces": {"open": totals.traces_open, "sealed": totals.traces_sealed},
        "rows": 0,
        "evaluations": totals.evaluations,
        "undecodable": totals.undecodable,
        "log": {"size": 0, "root": _EMPTY_ROOT},
    }


def to_text(document: dict[str, Any]) -> str:
    """Return the same for a reader."""
    traces = document["traces"]
    return (
        f"spans        {document['spans']}\n"
        f"traces       {traces['sealed']} sealed, {traces['open']} open\n"
        f"evaluations  {document['evaluations']}\n"
        f"undecodable  {document['undecodable']}"
    )
