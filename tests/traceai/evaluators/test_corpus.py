"""Detection on labelled texts, where they are at hand: floors below which nothing may fall."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from traceai.evaluators.detect import PII_KINDS, SECRET_KINDS, detect

_CORPUS = Path(__file__).parents[4] / "shared" / "data" / "pii"
_LABELS = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "CREDIT_CARD": "CREDIT_CARD",
    "US_SSN": "US_SSN",
    "IP_ADDRESS": "IP",
}
_SETS = (
    "chat_multi",
    "pii_anon_mix",
    "pii_anon_adversarial",
    "gpt_chats_silver",
    "presidio_synth_v2",
)

pytestmark = pytest.mark.skipif(not _CORPUS.is_dir(), reason="the labelled texts are not here")


def read(name: str) -> list[dict[str, Any]]:
    lines = (_CORPUS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_five_kinds_are_found_exactly_where_people_marked_them() -> None:
    tally: Counter[str] = Counter()
    for record in (record for name in _SETS for record in read(name)):
        scope = set(record["scope"])
        wanted = {
            (e["start"], e["end"], e["label"])
            for e in record["entities"]
            if e["label"] in scope and e["label"] in _LABELS.values()
        }
        seen = {
            (f.start, f.end, _LABELS[f.kind])
            for f in detect(record["text"], PII_KINDS)
            if _LABELS.get(f.kind) in scope
        }
        tally += Counter(
            right=len(wanted & seen), wrong=len(seen - wanted), lost=len(wanted - seen)
        )
    f1 = 2 * tally["right"] / (2 * tally["right"] + tally["wrong"] + tally["lost"])
    assert f1 > 0.97


def test_natural_chat_and_code_raises_no_false_alarm() -> None:
    alarms = [
        (record["id"], finding.kind)
        for record in read("natural_reviewed")
        for finding in detect(record["text"])
        if (finding.start, finding.end) not in {(e["start"], e["end"]) for e in record["entities"]}
    ]
    assert alarms == []


def test_secrets_in_chats_are_found() -> None:
    records = read("secrets_chat")
    found = sum(
        any(f.start < e["end"] and e["start"] < f.end for f in detect(record["text"], SECRET_KINDS))
        for record in records
        for e in record["entities"][:1]
    )
    assert found / len(records) > 0.9
