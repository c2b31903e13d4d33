"""Secrets are taken out of whatever is logged, traced or kept on record."""

import time
from datetime import date
from typing import Any

import pytest
from pydantic import SecretStr

from gatehouse.auth.tokens.issuing import issue_token
from gatehouse.telemetry.redaction import REDACTED, redact

API_KEY = "gh_dev_0123456789abcdef_ZXhhbXBsZXNlY3JldA1a2b3c4d"
JWT = issue_token("s" * 32, "gatehouse", "gatehouse", "alice", "acme")


class TestRedact:
    @pytest.mark.parametrize(
        "text",
        [
            API_KEY,
            JWT,
            "sk-live-51H8Qmnoabcdefgh",
            "sk-proj-abc_DEF-123456789",
            "lsv2_pt_0123456789abcdef",
            "AKIAIOSFODNN7EXAMPLE",
            "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----",
        ],
    )
    def test_takes_out_a_secret_wherever_it_stands(self, text: str) -> None:
        for around in ("{}", "the key {} is not valid", "({})", "'{}',", "a\n{}\nb", "key={}"):
            assert redact(around.format(text)) == around.format(REDACTED)

    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("postgresql://gatehouse:p4ss@db:5432/x", f"postgresql://{REDACTED}@db:5432/x"),
            ("redis://:p4ss@redis:6379/0", f"redis://{REDACTED}@redis:6379/0"),
            ("Authorization: Bearer abc.def", f"Authorization: Bearer {REDACTED}"),
            ("authorization: Basic YWxpY2U6aHVudGVyMg==", f"authorization: Basic {REDACTED}"),
            ("host=db password=p4ss user=x", f"host=db password={REDACTED} user=x"),
            ("?client_secret=abc&x=1", f"?client_secret={REDACTED}&x=1"),
            ("-----BEGIN RSA PRIVATE KEY-----\ncut off", REDACTED),
            ("/signin?link=abc-DEF_123&next=/", f"/signin?link={REDACTED}&next=/"),
        ],
    )
    def test_keeps_what_is_around_it(self, text: str, kept: str) -> None:
        assert redact(text) == kept

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "nothing to hide",
            "https://host:8000/path",
            "the token was refused",
            "basic information about bonds",
            "-----BEGIN PUBLIC KEY-----",
            "run 0198c0de-0000-7000-8000-0",
        ],
    )
    def test_leaves_alone_what_is_no_secret(self, text: str) -> None:
        assert redact(text) == text

    @pytest.mark.parametrize(
        "name",
        [
            "authorization",
            "Cookie",
            "set-cookie",
            "password",
            "jwt_secret",
            "token",
            "x-api-key",
            "api_key",
            "apikey",
            "private_key",
            "passwd",
            "credentials",
        ],
    )
    def test_takes_out_a_field_by_its_name(self, name: str) -> None:
        assert redact({name: "short", "other": 1}) == {name: REDACTED, "other": 1}

    def test_counted_tokens_are_no_secret(self) -> None:
        assert redact({"output_tokens": 5}) == {"output_tokens": 5}

    def test_looks_into_lists_and_dicts(self) -> None:
        assert redact({API_KEY}) == redact(frozenset({API_KEY})) == [REDACTED]
        value = {"a": [{"password": "p"}, (API_KEY, 5)], "b": None}
        assert redact(value) == {"a": [{"password": REDACTED}, [REDACTED, 5]], "b": None}

    def test_looks_at_names_and_bytes_and_into_objects(self) -> None:
        assert redact({API_KEY: 1}) == {REDACTED: 1}
        assert redact(f"x {API_KEY}".encode()) == f"x {REDACTED}"
        assert redact({API_KEY}) == [REDACTED]
        assert redact(ValueError(API_KEY)) == f"ValueError('{REDACTED}')"
        assert redact(SecretStr(API_KEY)) == "SecretStr('**********')"

    def test_leaves_numbers_and_dates_as_they_are(self) -> None:
        values = [True, 1, 1.5, None, date(2026, 1, 1)]
        assert redact(values) == values

    def test_comes_to_an_end_with_what_holds_itself(self) -> None:
        value: dict[str, Any] = {"key": API_KEY}
        value["itself"] = value
        assert API_KEY not in str(redact(value))

    def test_takes_no_time_over_a_long_text(self) -> None:
        began = time.perf_counter()
        for text in ("a" * 1_000_000, "://" * 200_000, "eyJ" * 200_000, "-----BEGIN PRIVATE KEY-----" * 2000):
            redact(text)
        assert time.perf_counter() - began < 10
