"""The shapes of secrets: keys of providers, tokens, private keys, passwords in plain sight.

Each pattern is written from the vendor's own description of its token. What merely looks
random is no secret: ids of calls, messages and traces, digests and publishable keys match none.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Final

from traceai.evaluators.entropy import (
    has_digit_and_letter,
    is_placeholder,
    looks_generated,
    looks_secret,
    shannon,
)
from traceai.evaluators.shape import Candidate, Judged, Shape, in_word

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM_LENGTH = 6
_TOKEN_BITS = 2.8
_KEY_LENGTH = 16
# The longest private key in use, an RSA key of 16,384 bits, takes 13 KB.
_KEY_BLOCK_BYTES = 1 << 14
_KEY_END = re.compile(rb"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")


def _judge_prefixed(candidate: Candidate) -> Judged | None:
    """Accept a token whose prefix only its vendor gives out, unless it is an example."""
    value = candidate.value
    if in_word(candidate) or is_placeholder(value) or not has_digit_and_letter(value):
        return None
    if shannon(value) < _TOKEN_BITS:
        return None
    return Judged(0.9)


def _judge_openai(candidate: Candidate) -> Judged | None:
    """Accept `sk-…` where it is a key, not a word with hyphens."""
    value = candidate.value
    if value.startswith(("sk-ant-", "sk-lf-")):
        return None
    return _judge_prefixed(candidate)


def _judge_checksummed(candidate: Candidate) -> Judged | None:
    """Verify the CRC32 that ends tokens of GitHub and npm; without it a doubt remains."""
    found = _judge_prefixed(candidate)
    if found is None:
        return None
    body, stated = (
        candidate.value.partition("_")[2][:-_CHECKSUM_LENGTH],
        candidate.value[-_CHECKSUM_LENGTH:],
    )
    number, computed = zlib.crc32(body.encode()), ""
    while number:
        number, rest = divmod(number, len(_BASE62))
        computed = _BASE62[rest] + computed
    validated = computed.rjust(_CHECKSUM_LENGTH, "0") == stated
    return Judged(0.99 if validated else 0.7, validated=validated)


def _judge_jwt(candidate: Candidate) -> Judged | None:
    """Accept a token whose header decodes to JSON that names an algorithm."""
    header = candidate.value.partition(".")[0]
    try:
        decoded = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except ValueError:
        return None
    if in_word(candidate) or not isinstance(decoded, dict) or "alg" not in decoded:
        return None
    return Judged(0.95, validated=True)


def _judge_private_key(candidate: Candidate) -> Judged | None:
    """Accept a block that holds more than its first line, up to its last one if it has one."""
    limit = candidate.start + _KEY_BLOCK_BYTES
    other = candidate.data.find(b"-----BEGIN ", candidate.start + 1, limit)
    block = candidate.data[candidate.start : limit if other < 0 else other]
    last = _KEY_END.search(block)
    length = last.end() if last else candidate.end - candidate.start
    body = re.sub(rb"-----[A-Z0-9 ]+-----|[^A-Za-z0-9+/]", b"", block[:length])
    if len(body) < _KEY_LENGTH or len(set(body)) == 1:
        return None
    return Judged(0.95, length=length, validated=True)


def _judge_url_password(candidate: Candidate) -> Judged | None:
    """Accept the password of a URL unless it is a placeholder or a template."""
    return None if is_placeholder(candidate.value) else Judged(0.8)


def _judge_authorization(candidate: Candidate) -> Judged | None:
    """Accept a credential sent with a request, unless it is an example."""
    value = candidate.value
    if is_placeholder(value) or not looks_generated(value):
        return None
    return Judged(0.8)


def _judge_quoted(candidate: Candidate) -> Judged | None:
    """Judge a quoted value under a name such as `password`."""
    return Judged(0.6) if looks_secret(candidate.value, quoted=True) else None


def _judge_bare(candidate: Candidate) -> Judged | None:
    """Judge an unquoted value under a name such as `password`: it may also be code or prose."""
    if candidate.before.rstrip(" :=").endswith(("public_token", "publictoken", "public_key")):
        return None
    after = candidate.data[candidate.end : candidate.end + 1]
    if after in (b"(", b"[") or not looks_secret(candidate.value, quoted=False):
        return None
    return Judged(0.6)


def _judge_told(candidate: Candidate) -> Judged | None:
    """Judge what someone says their key is."""
    value = candidate.value
    if is_placeholder(value) or "://" in value or not looks_generated(value):
        return None
    return Judged(0.6)


def _judge_aws_secret(candidate: Candidate) -> Judged | None:
    """Accept forty random base64 characters that the word aws or secret introduces."""
    value = candidate.value
    if in_word(candidate) or is_placeholder(value) or not looks_generated(value):
        return None
    return Judged(0.85)


_PREFIXED: Final = (
    ("ANTHROPIC_API_KEY", r"sk-ant-[A-Za-z0-9_-]{20,200}"),
    ("LANGFUSE_SECRET_KEY", r"sk-lf-[0-9a-f]{8}-[0-9a-f-]{27}"),
    ("LANGSMITH_API_KEY", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    ("AWS_ACCESS_KEY_ID", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"),
    ("GITHUB_TOKEN", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9_]{59}"),
    ("GITLAB_TOKEN", r"gl(?:pat|dt|ptt|rt|oas|cbt|ft|soat|agent|imt)-[A-Za-z0-9_.-]{20,100}"),
    ("SLACK_TOKEN", r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,250}"),
    ("SLACK_TOKEN", r"xapp-\d-[A-Z0-9]{5,20}-\d{5,20}-[a-z0-9]{20,100}"),
    ("SLACK_WEBHOOK", r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,80}"),
    ("STRIPE_SECRET_KEY", r"(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{16,250}"),
    ("STRIPE_SECRET_KEY", r"whsec_[A-Za-z0-9+/=]{24,100}"),
    ("GOOGLE_API_KEY", r"AIza[A-Za-z0-9_-]{35}"),
    ("GOOGLE_OAUTH_SECRET", r"GOCSPX-[A-Za-z0-9_-]{28}"),
    ("GOOGLE_OAUTH_TOKEN", r"ya29\.[A-Za-z0-9_-]{30,500}"),
    ("PYPI_TOKEN", r"pypi-AgE[A-Za-z0-9_-]{50,500}"),
    ("TWILIO_API_KEY", r"SK[0-9a-f]{32}"),
    ("SENDGRID_API_KEY", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),
    ("HUGGINGFACE_TOKEN", r"(?:hf_|api_org_)[A-Za-z0-9]{34}"),
    ("GROQ_API_KEY", r"gsk_[A-Za-z0-9]{48,60}"),
    ("XAI_API_KEY", r"xai-[A-Za-z0-9_]{60,120}"),
    ("PERPLEXITY_API_KEY", r"pplx-[A-Za-z0-9]{40,60}"),
    ("REPLICATE_API_KEY", r"r8_[A-Za-z0-9]{37}"),
    ("DATABRICKS_TOKEN", r"dapi[0-9a-f]{32}(?:-\d)?"),
    ("DIGITALOCEAN_TOKEN", r"do[opr]_v1_[0-9a-f]{64}"),
    ("SHOPIFY_TOKEN", r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}"),
    ("DOCKER_TOKEN", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,40}"),
    ("FIGMA_TOKEN", r"figd_[A-Za-z0-9_-]{38,60}"),
    ("ATLASSIAN_TOKEN", r"ATATT3[A-Za-z0-9_=-]{60,250}"),
    ("LINEAR_API_KEY", r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}"),
    ("NOTION_TOKEN", r"ntn_[A-Za-z0-9]{40,60}"),
    ("POSTMAN_API_KEY", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("NEW_RELIC_KEY", r"NRAK-[A-Z0-9]{27}"),
    ("GRAFANA_TOKEN", r"(?:glsa|glc)_[A-Za-z0-9_+/=-]{32,200}"),
    ("VAULT_TOKEN", r"hv[sbr]\.[A-Za-z0-9_-]{24,200}"),
    ("DOPPLER_TOKEN", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{40,60}"),
    ("SENTRY_TOKEN", r"sntry[su]_[A-Za-z0-9+/=_-]{40,250}"),
    ("SQUARE_TOKEN", r"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,60}"),
    ("TELEGRAM_BOT_TOKEN", r"\d{8,10}:AA[A-Za-z0-9_-]{33}"),
    ("FACEBOOK_TOKEN", r"EAA[A-Za-z0-9]{80,400}"),
    ("PASSWORD_HASH", r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}"),
)
_NAMES = (
    r"(?:passw(?:or)?ds?|passwd|passwort|passphrase|contrase(?:ñ|n)a|mot de passe|senha|pwd|pw|pass"
    r"|secret|token|api[ _.-]?key|apikey|access[ _.-]?key|private[ _.-]?key|secret[ _.-]?key"
    r"|auth[ _.-]?key|account[ _.-]?key|credentials?)(?:[ _-]?(?:key|value|base))?"
)
_ASSIGN = r"\\?[\"'`]?\]?[ \t]{0,4}(?::=|=>|={1,3}|:|\bis\b)[ \t]{0,4}"
_PAIR = r"\\?[\"'`][ \t]{0,4},[ \t]{0,4}"
_PEM = r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"

SECRET_SHAPES: Final = (
    Shape(
        kind="OPENAI_API_KEY",
        pattern=r"sk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,250}",
        judge=_judge_openai,
    ),
    Shape(kind="GITHUB_TOKEN", pattern=r"gh[pousr]_[A-Za-z0-9]{36}", judge=_judge_checksummed),
    Shape(kind="NPM_TOKEN", pattern=r"npm_[A-Za-z0-9]{36}", judge=_judge_checksummed),
    *(Shape(kind=kind, pattern=pattern, judge=_judge_prefixed) for kind, pattern in _PREFIXED),
    Shape(
        kind="MAILCHIMP_API_KEY",
        pattern=r"[0-9a-f]{32}-us\d{1,2}",
        gate=r"[0-9a-f]-us\d",
        judge=_judge_prefixed,
    ),
    Shape(
        kind="AWS_SECRET_ACCESS_KEY",
        pattern=r"(?i:aws|secret)[^\n<>]{0,40}?[\"'\s:=]([A-Za-z0-9/+]{40})",
        judge=_judge_aws_secret,
    ),
    Shape(
        kind="JWT",
        pattern=r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*",
        gate=r"eyJ[A-Za-z0-9_-]{8,}\.eyJ",
        judge=_judge_jwt,
    ),
    Shape(
        kind="PRIVATE_KEY",
        pattern=_PEM + r"[A-Za-z0-9+/=\s\\]*",
        gate=_PEM,
        judge=_judge_private_key,
    ),
    Shape(
        kind="URL_PASSWORD",
        # No length of the scheme: counting one at each letter needs a state for each set of counts.
        pattern=r"(?i)[a-z0-9]://[^\s:@/\"'<>]{0,64}"
        r":([^\s@/\"'<>]{3,128})@[a-z0-9.\[-]",
        judge=_judge_url_password,
    ),
    Shape(
        kind="AUTHORIZATION",
        pattern=r"(?i)(?:\bbearer|authorization\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?:basic|token))"
        r"\s{1,3}([a-z0-9._~+/=-]{12,})",
        gate=r"(?i)(?:bearer|basic|token)\s{1,3}[a-z0-9._~+/=-]{12}",
        judge=_judge_authorization,
    ),
    Shape(
        kind="GENERIC_SECRET",
        pattern=rf"(?i){_NAMES}(?:{_ASSIGN}|{_PAIR}|[ \t]{{1,4}})"
        r"\\?[\"'`]([^\"'`\n\\<>]{6,200})[\"'`\\]",
        judge=_judge_quoted,
    ),
    Shape(
        kind="GENERIC_SECRET",
        pattern=rf"(?i){_NAMES}{_ASSIGN}([^\s\"'`,;<>\\]{{6,200}})",
        judge=_judge_bare,
    ),
    Shape(
        kind="GENERIC_SECRET",
        pattern=r"(?i)\b(?:key|jeton|clave|chiave|chave|schlüssel|ключ) (?:is|est|es|ist|è|é)"
        r"[: ]{1,3}([^\s\"'`,;<>\\]{16,200})",
        judge=_judge_told,
    ),
)
