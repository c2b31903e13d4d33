"""Every setting as people get it wrong: each is refused at the start, by its variable, with a sentence."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gatehouse.cli.environment import fault
from gatehouse.settings import Settings
from gatehouse.settings.settings import variable

FIELDS = Settings.model_fields
BY_VARIABLE = {variable(name): str(field.annotation) for name, field in FIELDS.items()}
NUMBERS = [name for name, kind in BY_VARIABLE.items() if "int" in kind or "float" in kind]
LISTS = ["GATEHOUSE_ALLOWED_ORIGINS", "GATEHOUSE_JWT_ALGORITHMS", "GATEHOUSE_CLAIM_SCOPES"]
OBJECTS = ["GATEHOUSE_CLAIMS", "GATEHOUSE_PLANS", "GATEHOUSE_TENANT_RUNNABLES"]
ADDRESSES = [
    *("OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "LANGSMITH_ENDPOINT"),
    *("GATEHOUSE_JWKS_URL", "GATEHOUSE_PUBLIC_URL"),
]


@pytest.fixture(autouse=True)
def _nothing_but_the_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in {*BY_VARIABLE} & os.environ.keys():
        monkeypatch.delenv(name)


def faults(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> list[str]:
    """Return what is told of a setting that is written so."""
    monkeypatch.setenv(name, value)
    try:
        Settings(_env_file=None)  # to look for one takes as long as all else
    except ValidationError as error:
        return [fault(details) for details in error.errors()]
    return []


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("name", BY_VARIABLE)
def test_quotes_that_the_environment_keeps(monkeypatch: pytest.MonkeyPatch, name: str, quote: str) -> None:
    [told, *_] = faults(monkeypatch, name, f"{quote}1{quote}")
    assert told.startswith(f"{name}: its value is in quotes")


@pytest.mark.parametrize("name", BY_VARIABLE)
def test_two_lines_in_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    [told, *_] = faults(monkeypatch, name, "of-a-secret\nof-another")
    assert told.startswith(f"{name}: ")
    assert "of-a" not in told


@pytest.mark.parametrize("name", BY_VARIABLE)
def test_white_space_around_changes_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def read(value: str) -> Any:
        monkeypatch.setenv(name, value)
        try:
            return Settings(_env_file=None).model_dump()
        except ValidationError as error:
            return [fault(details) for details in error.errors()]

    for value in ("1", "https://a.example", "true", "[]", "{}"):
        assert read(f" {value}\r\n") == read(value)


@pytest.mark.parametrize("value", ["soon", "1e400", "inf", "nan", "-1", "1,5", "5s", "0x10", "٣"])
@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    if value == "٣" and faults(monkeypatch, name, value) == []:
        return  # Python reads the digits of other scripts too, as the number that they are
    [told, *_] = faults(monkeypatch, name, value)
    assert told.startswith(name)


@pytest.mark.parametrize("value", ["a.example", "a.example:8080", "https//a.example", "ftp://a.example",
                                   "https://", "https:///v1", "https://a b", "https://u:secret@"])  # fmt: skip
@pytest.mark.parametrize("name", ADDRESSES)
def test_what_is_no_address(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    [told, *_] = faults(monkeypatch, name, value)
    assert told.startswith(name)
    assert "https://HOST" in told
    assert "secret" not in told


@pytest.mark.parametrize("name", sorted({*ADDRESSES} - {"GATEHOUSE_PUBLIC_URL"}))
@pytest.mark.parametrize(
    "value", ["http://127.0.0.1:11434/v1", "https://u:p@a.example/x?y=1", "https://[::1]:8"]
)
def test_what_is_one(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert faults(monkeypatch, name, value) == []


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_json_that_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in ("[", '["a"', "['a']"):
        [told, *_] = faults(monkeypatch, name, value)
        assert told.startswith(name)


def test_a_list_of_json_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_CLAIM_SCOPES", json.dumps(["scp", "roles"]))
    monkeypatch.setenv("GATEHOUSE_CLAIMS", json.dumps({"desk": "custom:desk"}))
    assert Settings().claim_scopes == ("scp", "roles")
    assert Settings().claims == {"desk": "custom:desk"}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_of_json_that_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in ("{", '{"a": }', "{'a': 1}", '{"a": 1}'):
        [told, *_] = faults(monkeypatch, name, value)
        assert told.startswith(name)


@pytest.mark.parametrize("value", ["proxy", "10.0.0.0/99", "10.0.0", "10.0.0.1;10.0.0.2", "http://10.0.0.1"])
def test_a_proxy_that_is_no_address(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    [told] = faults(monkeypatch, "GATEHOUSE_TRUSTED_PROXIES", value)
    assert "10.0.0.0/8" in told


def test_proxies_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, "GATEHOUSE_TRUSTED_PROXIES", "10.0.0.7, fd00::/8,172.30.0.0/16") == []
