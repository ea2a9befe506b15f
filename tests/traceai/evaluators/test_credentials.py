"""Secrets are found by their vendors' grammar; what a model's traffic is full of is not."""

from __future__ import annotations

import base64
import json
import random
import string
import zlib

import pytest

from traceai.evaluators.detect import SECRET_KINDS, detect

_ALPHANUMERIC = string.ascii_letters + string.digits
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def body(length: int, alphabet: str = _ALPHANUMERIC) -> str:
    """Draw a token's body; tokens are put together here so that no file holds one."""
    return "".join(random.Random(length).choices(alphabet, k=length - 2)) + "a7"


def checksummed(prefix: str) -> str:
    """Make a token that ends in the CRC32 of its body."""
    text = body(30)
    number, digits = zlib.crc32(text.encode()), ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return prefix + text + digits.rjust(6, "0")


def jwt() -> str:
    """Make a signed-looking token."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": "1"})
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    ]
    return ".".join((*encoded, body(43)))


def pem(label: str = "RSA ") -> str:
    """Make a private key block."""
    name = f"{label}PRIVATE KEY-----"
    return f"-----BEGIN {name}\n{body(64)}\n{body(60)}==\n-----END {name}"


HEX = "0123456789abcdef"
TOKENS = [
    ("OPENAI_API_KEY", "sk-" + body(48)),
    ("OPENAI_API_KEY", "sk-proj-" + body(60)),
    ("ANTHROPIC_API_KEY", "sk-ant-api03-" + body(93)),
    ("AWS_ACCESS_KEY_ID", "AKIA" + "Q3EGWXZ2MTPR5L7N"),
    ("GITHUB_TOKEN", checksummed("ghp_")),
    ("GITHUB_TOKEN", "github_pat_" + body(22) + "_" + body(59)),
    ("NPM_TOKEN", checksummed("npm_")),
    ("GITLAB_TOKEN", "glpat-" + body(20)),
    ("SLACK_TOKEN", "xoxb-" + "283316862324-298911817009-" + body(24)),
    ("STRIPE_SECRET_KEY", "sk_live_" + body(24)),
    ("STRIPE_SECRET_KEY", "rk_live_" + body(24)),
    ("GOOGLE_API_KEY", "AIza" + body(35)),
    ("PYPI_TOKEN", "pypi-AgE" + body(80)),
    ("TWILIO_API_KEY", "SK" + body(32, HEX)),
    ("SENDGRID_API_KEY", "SG." + body(22) + "." + body(43)),
    ("HUGGINGFACE_TOKEN", "hf_" + body(34)),
    ("JWT", jwt()),
    ("PRIVATE_KEY", pem()),
    ("PRIVATE_KEY", pem("")),
]


@pytest.mark.parametrize(("kind", "token"), TOKENS, ids=[kind for kind, _ in TOKENS])
@pytest.mark.parametrize("around", ["{}", "use {} please", 'key="{}",', r"\n{}\n", "前{}后"])
def test_a_vendors_token_is_found_whole(kind: str, token: str, around: str) -> None:
    text = around.format(token)
    assert [(kind, token)] == [(f.kind, text[f.start : f.end]) for f in detect(text, SECRET_KINDS)]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("URL_PASSWORD", "postgres://app:s3cr3tPw@db.internal/x", "s3cr3tPw"),
        ("AUTHORIZATION", "Authorization: Bearer {}", body(40)),
        ("AUTHORIZATION", '"authorization": "Basic {}"', body(32)),
        ("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key = {}", body(40)),
        ("GENERIC_SECRET", "password = 'hunter2!Ab'", "hunter2!Ab"),
        ("GENERIC_SECRET", "DB_PASS=Zq9!kd2x", "Zq9!kd2x"),
        ("GENERIC_SECRET", '{{"api_key": "{}"}}', body(24)),
        ("GENERIC_SECRET", "password: token: Xy1!abcd", "Xy1!abcd"),
        ("GENERIC_SECRET", "the key is {} btw", body(28)),
    ],
)
def test_a_secret_is_known_by_what_stands_around_it(kind: str, text: str, value: str) -> None:
    text = text.format(value)
    assert [(kind, value)] == [(f.kind, text[f.start : f.end]) for f in detect(text, SECRET_KINDS)]


@pytest.mark.parametrize(
    "text",
    [
        f'"id": "chatcmpl-{body(29)}", "system_fingerprint": "fp_{body(10, HEX)}"',
        f'"tool_call_id": "call_{body(24)}", "id": "toolu_{body(24)}"',
        f"msg_{body(24)} req_{body(24)} resp_{body(48, HEX)} rs_{body(48, HEX)}",
        f"trace {body(32, HEX)} span {body(16, HEX)}",
        f"00-{body(32, HEX)}-{body(16, HEX)}-01",
        f'integrity="sha512-{body(86)}=="',
        f"nginx@sha256:{body(64, HEX)}",
        f"data:image/png;base64,{body(200)}",
        f"pk_live_{body(24)}",
        f"commit {body(40, HEX)}",
        f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA{body(44)} me@host",
        "tokens: prompt=8487 completion=2995 total_tokens=603, max_tokens: 100000",
        "password = get_password()",
        'api_key=os.environ["OPENAI_API_KEY"]',
        "password: str, token: Optional[str] = None, secret = self.config.secret",
        "the password is incorrect",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxx and sk-your-api-key-goes-here-now",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "export OPENAI_API_KEY=<YOUR_API_KEY> GITHUB_TOKEN=${GITHUB_TOKEN}",
        "postgres://user:password@localhost/db redis://u:${PW}@host",
        "task-management-system-with-many-hyphenated-words-1",
        "Authorization: Bearer <token>",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOC\n-----END PUBLIC KEY-----",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    ],
)
def test_what_only_looks_secret_is_left_alone(text: str) -> None:
    assert [(f.kind, text[f.start : f.end]) for f in detect(text, SECRET_KINDS)] == []


def test_a_right_checksum_proves_a_token_and_a_wrong_one_leaves_a_doubt() -> None:
    token = checksummed("ghp_")
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    (right,), (doubted,) = detect(token), detect(wrong)
    assert (right.validated, doubted.validated) == (True, False)


def test_a_key_without_an_end_does_not_swallow_the_next_block() -> None:
    text = f"-----BEGIN PRIVATE KEY-----\n{body(64)}\n\nHello.\n{pem()}"
    assert [f.kind for f in detect(text)] == ["PRIVATE_KEY", "PRIVATE_KEY"]
    assert "Hello." not in "".join(text[f.start : f.end] for f in detect(text))
