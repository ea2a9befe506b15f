"""Tell a generated value or a password from a word, a name, a template or an example."""

from __future__ import annotations

import math
import re
from collections import Counter

_PLACEHOLDER = re.compile(
    r"(?i)^(?:<.*|&lt;.*|pk_(?:live|test)_.*|arn:.*|\$\{.*|\$[a-z_]\w*|\{\{?.*|%[\w(].*|#\{.*"
    r"|\*+|x{3,}|\.{3,}.*|-+|_+|\[.*\]"
    r"|(?:your|my|the|some|enter|insert|change|replace|put|test|fake|dummy|sample|example)[-_ ].*"
    r"|.*(?:example|placeholder|redacted|changeme|xxx|\*\*\*\*|\.\.\.|your[_-]|_here|1234567890"
    r"|0123456789|abcdefghij|#{6}).*"
    r"|pass(?:word)?|passwd|pwd|secret|token|null|none|true|false|undefined|string|optional"
    r"|os\.\w.*|process\.env.*|env[.(\[].*|self\..*|settings\..*|config[.\[].*|request\..*|args\..*"
    r"|(?P<same>.)(?P=same)*)$"
)
_HEX = re.compile(r"^[0-9a-fA-F-]+$")
_CODE = re.compile(r"[()\[\]{}]|::|->|\w\.[A-Za-z_]+\.|^\w+\.\w+$|^[A-Za-z_]+$|^/|^https?://")
_WORDS = re.compile(
    r"^[#.,:@/]?[A-Za-z]?[a-z]+(?:[ ._/-][A-Za-z]?[a-z]+)*[.!?:]?$|^[A-Z]+(?:[ ._/-][A-Z]+)*$"
)
_DIGITS = re.compile(r"^[\d.,:/ -]+$")
_GENERATED_BITS = 3.3
_HEX_BITS = 3.0
_GENERATED_LENGTH = 16
_PASSWORD_BITS = 2.2


def shannon(value: str) -> float:
    """Return the entropy of a value's characters, in bits each."""
    length = len(value)
    return (
        -sum(n / length * math.log2(n / length) for n in Counter(value).values()) if value else 0.0
    )


def is_placeholder(value: str) -> bool:
    """Say whether a value stands for a secret that is not there: `<KEY>`, `${KEY}`, `xxxx`."""
    return _PLACEHOLDER.match(value) is not None


def has_digit_and_letter(value: str) -> bool:
    """Say whether a value mixes digits and letters, as generated ones do."""
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value))


def looks_generated(value: str) -> bool:
    """Say whether a machine made this value: long, mixed, and random for its alphabet."""
    if len(value) < _GENERATED_LENGTH or not has_digit_and_letter(value):
        return False
    return shannon(value) >= (_HEX_BITS if _HEX.match(value) else _GENERATED_BITS)


def looks_secret(value: str, *, quoted: bool) -> bool:
    """Say whether a value that a name such as `password` introduces is a secret."""
    if is_placeholder(value) or _WORDS.match(value) or _DIGITS.match(value):
        return False
    if looks_generated(value):
        return quoted or not re.search(r"[()\[\]{}]", value)
    if shannon(value) < _PASSWORD_BITS or " " in value or (not quoted and _CODE.search(value)):
        return False
    classes = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", r"\d", r"[^\w]"))
    return classes > 1
