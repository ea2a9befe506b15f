"""Judge whether the parts of a call disclose something, place by place.

What `PII` and `Secrets` share: they differ in the kinds they look for.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from traceai.errors import PolicyError
from traceai.evaluators.detect import detect, detect_field, find_tokens
from traceai.evaluators.result import EvalResult
from traceai.evaluators.texts import texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from traceai.evaluators.shape import Finding
    from traceai.evaluators.texts import Text

PLACES: Final = ("input", "context", "output", "tools")
_LISTED_LIMIT: Final = 100


def check_kinds(kinds: Sequence[str] | None, known: frozenset[str]) -> frozenset[str]:
    """Return the kinds to look for, all that are known when None is given."""
    if kinds is None:
        return known
    unknown = sorted(set(kinds) - known)
    if unknown:
        raise PolicyError(
            f"unknown kind {unknown[0]!r}.", remedy=f"Known kinds: {', '.join(sorted(known))}."
        )
    return frozenset(kinds)


def check_places(places: Sequence[str]) -> tuple[str, ...]:
    """Return the places whose findings fail the call."""
    unknown = [place for place in places if place not in PLACES]
    if unknown or not places:
        raise PolicyError(
            f"places must be some of {', '.join(PLACES)}, not {list(places)!r}.",
            remedy='Write places=("output",) to judge the output alone.',
        )
    return tuple(places)


def judge_disclosure(
    given: Mapping[str, Any], *, kinds: frozenset[str], places: tuple[str, ...], what: str
) -> EvalResult:
    """Look for kinds in every place given; fail for what is found in `places`.

    Evidence: `{"places": {place: {"counts": {kind: n}, "findings": [{"path", "kind", "start",
    "length", "confidence", "validated", "redacted"}, …]}}}`; counts are exact, 100 findings a place
    are listed, offsets count characters of the string at `path`. The values are nowhere. What was
    redacted before it came here was said all the same: the mark it left counts as a finding.
    """
    seen = {place: value for place, value in given.items() if value is not None}
    if not any(place in seen for place in places):
        return EvalResult(passed=None, reason=f"nothing to judge: {' and '.join(places)} not given")
    report = {place: _look(value, kinds) for place, value in seen.items()}
    failed = [place for place in places if report.get(place, {}).get("counts")]
    reason = (
        f"{what} in " + "; ".join(f"{place}: {_say(report[place]['counts'])}" for place in failed)
        if failed
        else f"no {what} in {', '.join(place for place in places if place in seen)}"
    )
    return EvalResult(
        passed=not failed,
        score=0.0 if failed else 1.0,
        reason=reason,
        evidence={"places": report},
    )


def _look(value: Any, kinds: frozenset[str]) -> dict[str, Any]:
    """Count and list the findings in one place."""
    counts: Counter[str] = Counter()
    listed: list[dict[str, Any]] = []
    for text in texts(value):
        found = detect_field(text.key, text.text, kinds)
        marks = find_tokens(text.text, kinds)
        for finding in (*found, *marks):
            counts[finding.kind] += 1
            if len(listed) < _LISTED_LIMIT:
                listed.append(_describe(text, finding, redacted=finding in marks))
    return {"counts": dict(counts), "findings": listed}


def _describe(text: Text, finding: Finding, *, redacted: bool) -> dict[str, Any]:
    """Say where a finding is, without what it is: a key of the path may be one itself."""
    return {
        "path": "…" if detect(text.path) else text.path,
        "kind": finding.kind,
        "start": finding.start,
        "length": finding.end - finding.start,
        "confidence": finding.confidence,
        "validated": finding.validated,
        "redacted": redacted,
    }


def _say(counts: Mapping[str, int]) -> str:
    """Write counts as `2 EMAIL_ADDRESS, 1 US_SSN`."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
