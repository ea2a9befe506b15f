"""Judge whether the parts of a call disclose something, place by place.

What `PII` and `Secrets` share: they differ in their names and in the kinds they look for.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from traceai.errors import PolicyError
from traceai.evaluators.detect import detect, detect_field, find_tokens
from traceai.evaluators.result import EvalResult
from traceai.evaluators.texts import read_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from traceai.evaluators.shape import Detection
    from traceai.evaluators.texts import Reading, Text

PLACES: Final = ("input", "context", "output", "tools")
_LISTED_LIMIT: Final = 100
_NAMED_LIMIT: Final = 3


class Disclosure:
    """Look for kinds of data in the places of a call, and fail for what is found in some of them.

    Args:
        kinds: look for these only; see `known_kinds`.
        places: of input, context, output and tools, those whose findings fail the call.

    Raises:
        PolicyError: a kind or a place is unknown.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    known_kinds: ClassVar[frozenset[str]]
    what: ClassVar[str]

    def __init__(
        self, kinds: Sequence[str] | None = None, *, places: Sequence[str] = PLACES
    ) -> None:
        self.kinds = _check_kinds(kinds, self.known_kinds)
        self.places = _check_places(places)

    def evaluate(
        self,
        *,
        input: Any = None,  # noqa: A002 - the name the convention gives it
        output: Any = None,
        context: Any = None,
        tools: Any = None,
        **_ignored: Any,
    ) -> EvalResult:
        """Judge strings, messages or any JSON-like values; score 1.0 when clean, else 0.0.

        None means not given. When no judged place holds anything the verdict is `not_evaluated`,
        and so it is when nothing was found but something could not be read, such as a picture. An
        empty text is an answer that discloses nothing: it passes.

        Evidence: `{"places": {place: {"counts": {kind: n}, "findings": [{"path", "kind", "start",
        "length", "confidence", "validated", "redacted"}, …], "unread": [{"path", "what"}, …]}}}`;
        counts are exact, 100 findings a place are listed, offsets count characters of the string,
        or of the key, at `path`; `unread` stands only where there is some. The values are nowhere.
        What was redacted before it came here was said all the same: its mark counts as a finding.
        """
        given = {"input": input, "context": context, "output": output, "tools": tools}
        readings = {place: read_texts(value) for place, value in given.items() if value is not None}
        report = {place: _look(reading, self.kinds) for place, reading in readings.items()}
        judged = [place for place in self.places if place in readings]
        return self._conclude(report, [place for place in judged if not readings[place].empty])

    def _conclude(self, report: Mapping[str, dict[str, Any]], judged: list[str]) -> EvalResult:
        """Fail for what was found; without it, pass only when all was read."""
        evidence = {"places": report}
        if not judged:
            missing = [
                f"{place} {'is empty' if place in report else 'not given'}" for place in self.places
            ]
            reason = f"nothing to judge: {' and '.join(missing)}"
            return EvalResult(passed=None, reason=reason, evidence=evidence)
        failed = [place for place in judged if report[place]["counts"]]
        if failed:
            said = "; ".join(f"{place}: {_say(report[place]['counts'])}" for place in failed)
            reason = f"{self.what} in {said}"
            return EvalResult(passed=False, score=0.0, reason=reason, evidence=evidence)
        unread = [
            f"{place}{left['path']} ({left['what']})"
            for place in judged
            for left in report[place].get("unread", ())
        ]
        if unread:
            more = f" and {len(unread) - _NAMED_LIMIT} more" if unread[_NAMED_LIMIT:] else ""
            reason = f"could not be read: {', '.join(unread[:_NAMED_LIMIT])}{more}"
            return EvalResult(passed=None, reason=reason, evidence=evidence)
        reason = f"no {self.what} in {', '.join(judged)}"
        return EvalResult(passed=True, score=1.0, reason=reason, evidence=evidence)


def _check_kinds(kinds: Sequence[str] | None, known: frozenset[str]) -> frozenset[str]:
    """Return the kinds to look for, all that are known when None is given."""
    if kinds is None:
        return known
    unknown = sorted(set(kinds) - known)
    if unknown:
        raise PolicyError(
            f"unknown kind {unknown[0]!r}.", remedy=f"Known kinds: {', '.join(sorted(known))}."
        )
    return frozenset(kinds)


def _check_places(places: Sequence[str]) -> tuple[str, ...]:
    """Return the places whose findings fail the call."""
    unknown = [place for place in places if place not in PLACES]
    if unknown or not places:
        raise PolicyError(
            f"places must be some of {', '.join(PLACES)}, not {list(places)!r}.",
            remedy='Write places=("output",) to judge the output alone.',
        )
    return tuple(places)


def _look(reading: Reading, kinds: frozenset[str]) -> dict[str, Any]:
    """Count and list the findings in one place, and list what could not be read."""
    counts: Counter[str] = Counter()
    listed: list[dict[str, Any]] = []
    for text in reading.texts:
        found = detect_field(text.key, text.text, kinds)
        marks = find_tokens(text.text, kinds)
        for detection in (*found, *marks):
            counts[detection.kind] += 1
            if len(listed) < _LISTED_LIMIT:
                listed.append(_describe(text, detection, redacted=detection in marks))
    unread = [{"path": _show(left.path), "what": left.what} for left in reading.unread]
    return {"counts": dict(counts), "findings": listed} | ({"unread": unread} if unread else {})


def _describe(text: Text, detection: Detection, *, redacted: bool) -> dict[str, Any]:
    """Say where a detection is, without what it is."""
    return {
        "path": _show(text.path),
        "kind": detection.kind,
        "start": detection.start,
        "length": detection.end - detection.start,
        "confidence": detection.confidence,
        "validated": detection.validated,
        "redacted": redacted,
    }


def _show(path: str) -> str:
    """Return a path, or `…` where a key on it may itself be what must not be shown."""
    return "…" if detect(path) else path


def _say(counts: Mapping[str, int]) -> str:
    """Write counts as `2 EMAIL_ADDRESS, 1 US_SSN`."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
