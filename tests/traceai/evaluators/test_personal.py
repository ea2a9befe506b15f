"""Personal data is found where it is, and nowhere else."""

from __future__ import annotations

from random import Random

import pytest

from traceai.evaluators.detect import PII_KINDS, detect


def found(text: str) -> list[tuple[str, str]]:
    return [(f.kind, text[f.start : f.end]) for f in detect(text, PII_KINDS)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("mail al.smith+x@m.example.co.uk.", "EMAIL_ADDRESS", "al.smith+x@m.example.co.uk"),
        ("邮箱zmcgee@curtis.biz。", "EMAIL_ADDRESS", "zmcgee@curtis.biz"),
        ("email=paul.hill4%40zoho.com&x=1", "EMAIL_ADDRESS", "paul.hill4%40zoho.com"),
        ("Karte 4111 1111 1111 1111, danke", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("Karte 4111 1111 1111 1111 2026", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("4111-1111-1111-1111, 4111 1111", "CREDIT_CARD", "4111-1111-1111-1111"),
        ("2026-11-24 4111-1111-1111-1111 12", "CREDIT_CARD", "4111-1111-1111-1111"),
        ("4111 1111 1111 1111 12/27", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("4111 1111 1111 1111 123", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("3782 822463 10005", "CREDIT_CARD", "3782 822463 10005"),
        ("3056 930902 5904", "CREDIT_CARD", "3056 930902 5904"),
        ("7 4111111111111111 20", "CREDIT_CARD", "4111111111111111"),
        ("amex 378282246310005", "CREDIT_CARD", "378282246310005"),
        ("SSN 123-45-6789", "US_SSN", "123-45-6789"),
        ("social security number: 123 45 6789", "US_SSN", "123 45 6789"),
        ("from 203.0.113.77:443", "IP_ADDRESS", "203.0.113.77"),
        ("from 2a02:67b5:cb6a::545b (", "IP_ADDRESS", "2a02:67b5:cb6a::545b"),
        ("IBAN DE89 3704 0044 0532 0130 00 BIC C", "IBAN_CODE", "DE89 3704 0044 0532 0130 00"),
        ("Your account number is 000123456789.", "US_BANK_NUMBER", "000123456789"),
        ("Kontonummer: 12345678", "US_BANK_NUMBER", "12345678"),
        ("numéro de compte 1234 567 890", "US_BANK_NUMBER", "1234 567 890"),
        ("cuenta n.º 9876543210", "US_BANK_NUMBER", "9876543210"),
        ("a/c no. 9876543210", "US_BANK_NUMBER", "9876543210"),
        ('"account_number": "12345678"', "US_BANK_NUMBER", "12345678"),
        ("call +1 (212) 234-4453 now", "PHONE_NUMBER", "+1 (212) 234-4453"),
        ("(202) 225-2815", "PHONE_NUMBER", "(202) 225-2815"),
        ("Telefon: +49 1512 3455604", "PHONE_NUMBER", "+49 1512 3455604"),
        ("Ring me on 0121 234 5202.", "PHONE_NUMBER", "0121 234 5202"),
        ("tel. 612 34 57 35. Mi", "PHONE_NUMBER", "612 34 57 35"),
        ("電話番号は+81 90-1234-5946、", "PHONE_NUMBER", "+81 90-1234-5946"),
        ("Phone: 555-0123", "PHONE_NUMBER", "555-0123"),
        (r"line one\n4111 1111 1111 1111", "CREDIT_CARD", "4111 1111 1111 1111"),
        (r"line one\nalice@example.com", "EMAIL_ADDRESS", "alice@example.com"),
    ],
)  # fmt: skip
def test_what_is_personal_is_found_whole(text: str, kind: str, value: str) -> None:
    assert [(kind, value)] == found(text)


@pytest.mark.parametrize(
    "text",
    [
        "temperature 0.10000000149 and 4.111111111111111",
        "at 1712345678901 ms, 1712345678 s, 1712345678901234567 ns",
        "2026-11-24T21:26:00.123Z and 2026-11-24 21:26:00+00:00",
        "2004-12-06T18:15:06.775994+00:00",
        '{"tool_call_id": "73540112-3343-4290-a832-354219835070"}',
        '{"call_id": "1742590750.815256", "version": "1.2.3.4"}',
        "account 28515772-7341-4463-a52c-cc79cee91908",
        "550e8400-e29b-41d4-a716-446655440000",
        "00000000-0000-4111-8111-111111111111",
        "release 1.2.3.4 and 1.2.3.4 version, build 4111111111111112",
        "Chrome/120.0.6099.109 v10.20.30.40",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "127.0.0.1, 0.0.0.0, ::1 and mask 255.255.255.0",
        "std::vector<a::b> 12:34:56 aa:bb:cc:dd:ee:ff",
        "git@github.com:acme/repo.git logo@2x.png",
        "order ORD-4715-2231 of 1,234,567 items on 24.11.2026",
        "account opened 2024-01-15, accounts receivable 2023",
        "he accounted for 1000000 of them",
        "IMEI 357467307747980",
        "pages 100-200, 3.14159265358979",
        '{"usage":{"total_tokens":123456789},"created":1712345678}',
        "+12 -12 lines, +123456 rows",
        "2025 4111 1111 1111 1111 2026",
        "7\t4111 1111 1111 1111",
        "4111 1111 1111 1111  -3",
        "4111-1111 1111-1111",
        "4111 1111-1111 1111",
        "41 11 11 11 11 11 11 11",
        "4111-1111-1111-1111-1111",
        "17 212 234 4453 9",
        "1000 0121 234 5202 7",
        "1111111111111111 0000000000000000",
    ],
)
def test_what_only_looks_personal_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_table_of_numbers_holds_no_card_and_no_telephone() -> None:
    random = Random(1)
    rows = [" ".join(str(random.randrange(10_000)) for _ in range(12)) for _ in range(1000)]
    assert found("\n".join(rows)) == []


def test_every_card_of_a_list_that_a_word_introduces_is_found() -> None:
    text = "cards: 4111 1111 1111 1111 5555 5555 5555 4444 4012 8888 8888 1881"
    assert [value for _, value in found(text)] == [
        "4111 1111 1111 1111",
        "5555 5555 5555 4444",
        "4012 8888 8888 1881",
    ]


def test_the_name_of_a_kind_is_no_word_for_what_follows() -> None:
    assert found("<CREDIT_CARD> 4111111111111112") == []
    assert found("<CREDIT_CARD:k1:ABCDEFGH23456723> 4111111111111112") == []


def test_a_check_digit_makes_a_finding_validated() -> None:
    right, wrong = detect("card 4111 1111 1111 1111"), detect("card 4111 1111 1111 1112")
    assert ([f.validated for f in right], [f.validated for f in wrong]) == ([True], [False])
    assert right[0].confidence > wrong[0].confidence
