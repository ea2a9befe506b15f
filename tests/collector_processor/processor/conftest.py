"""Judges traces of spans, by the real decoder and tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from collector_processor.processor.completeness import judge
from collector_processor.processor.decode import decode_request
from collector_processor.processor.tally import Rules
from collector_processor.processor.tree import plant

if TYPE_CHECKING:
    from collector_processor.model import Evaluation, TraceVerdict


class Judge:
    """Judges traces of spans, all of one resource."""

    def __init__(self, otlp: Any) -> None:
        self._otlp = otlp

    def __call__(
        self,
        *spans: Any,
        resource: dict[str, Any] | None = None,
        rules: Rules | None = None,
        evaluations: tuple[Evaluation, ...] = (),
        late: tuple[str, ...] = (),
        **more: Any,
    ) -> TraceVerdict:
        body = self._otlp.request(*spans, resource=resource)
        read = decode_request(body, self._otlp.NOW_NS + 2 * self._otlp.SECOND)
        digests = frozenset(span.digest for span in read if span.name in late)
        return judge(plant(read, digests), evaluations, rules or Rules(), **more)

    def call(self, *, remove: tuple[str, ...] = (), **changed: Any) -> Any:
        return self._otlp.span("call", attributes=self.attributes(remove, changed))

    def attributes(
        self, remove: tuple[str, ...] = (), changed: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        kept = {**self._otlp.CALL, **(changed or {})}
        return {key: value for key, value in kept.items() if key not in remove}


@pytest.fixture
def judged(otlp: Any) -> Judge:
    return Judge(otlp)
