"""Every setting as people get it wrong: each is refused at the start, by its variable, with a sentence."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gatehouse.cli.environment import fault, load_settings
from gatehouse.cli.failure import Failed
from gatehouse.settings import Settings
from gatehouse.settings.settings import variable

FIELDS = Settings.model_fields
BY_VARIABLE = {variable(name): str(field.annotation) for name, field in FIELDS.items()}
NUMBERS = [name for name, kind in BY_VARIABLE.items() if "int" in kind or "float" in kind]
LISTS = ["GATEHOUSE_ALLOWED_ORIGINS", "GATEHOUSE_JWT_ALGORITHMS", "GATEHOUSE_CLAIM_SCOPES"]
OBJECTS = ["GATEHOUSE_CLAIMS", "GATEHOUSE_PLANS", "GATEHOUSE_TENANT_RUNNABLES"]
ADDRESSES = [
    *("OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "LANGSMITH_ENDPOINT"),
    "OPENROUTER_API_BASE",
    *("GATEHOUSE_JWKS_URL", "GATEHOUSE_PUBLIC_URL"),
]
NO_NUMBERS = ("soon", "1e400", "inf", "nan", "-1", "1,5", "5s", "0x10", "٣")
NO_ADDRESSES = (
    *("a.example", "a.example:8080", "https//a.example", "ftp://a.example"),
    *("https://", "https:///v1", "https://a b", "https://u:secret@"),
    *("https://https://a.example", "http://a.example:99999", "http://a.example:port"),
    *("http://::1:8000", "https://${HOST}/v1", "http://a.example:0"),
)
KEYS = ["OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "OPENROUTER_API_KEY", "LANGSMITH_API_KEY"]


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


@pytest.mark.parametrize("name", BY_VARIABLE)
def test_quotes_that_the_environment_keeps(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for quote in ("'", '"'):
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


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    told = {value: faults(monkeypatch, name, value) for value in NO_NUMBERS}
    if told["٣"] == []:  # Python reads the digits of other scripts too, as the number that they are
        del told["٣"]
    assert [value for value, of in told.items() if not of or not of[0].startswith(name)] == []


@pytest.mark.parametrize("name", ADDRESSES)
def test_what_is_no_address(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in NO_ADDRESSES:
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


@pytest.mark.parametrize("call", ["chat/completions", "responses", "completions/"])
@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "OPENROUTER_API_BASE"])
def test_the_address_of_one_call(monkeypatch: pytest.MonkeyPatch, name: str, call: str) -> None:
    [told] = faults(monkeypatch, name, f"https://a.example/v1/{call}")
    assert told.startswith(f"{name}: it is the address of one call")


def test_the_address_of_a_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "https://x.openai.azure.com/openai/deployments/a/chat/completions?api-version=1"
    [told] = faults(monkeypatch, "AZURE_OPENAI_ENDPOINT", address)
    assert told.startswith("AZURE_OPENAI_ENDPOINT: it is the address of a deployment")


@pytest.mark.parametrize("key", ["Bearer sk-of", "sk\u2013of", "sk-of\u200b", "\ufeffsk-of", "sk-o f"])
@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_no_header_can_have(monkeypatch: pytest.MonkeyPatch, name: str, key: str) -> None:
    [told] = faults(monkeypatch, name, key)
    assert told.startswith(f"{name}: no key")
    assert "sk" not in told


@pytest.mark.parametrize(
    "address",
    ["db:5432/x", "mysql://u:secret@db/x", "postgresql+asyncpg://u:secret@db/x", "redis://db",
     "postgresql://u:secret@db:port/x", "postgresql://u:secret@db:99999/x", "postgresql://u:secret@${DB}/x"],
)  # fmt: skip
def test_a_database_that_is_none(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    [told] = faults(monkeypatch, "GATEHOUSE_DATABASE_URL", address)
    assert told.startswith("GATEHOUSE_DATABASE_URL: no address of a database: write postgresql+psycopg://")
    assert "secret" not in told


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("postgres://u:p%40@db:5432/x", "postgresql+psycopg://u:p%40@db:5432/x"),
        ("postgresql://u:p@[::1]:5432,db2:5433/x?sslmode=require",
         "postgresql+psycopg://u:p@[::1]:5432,db2:5433/x?sslmode=require"),
        ("postgresql:///x?host=/run/postgresql", "postgresql+psycopg:///x?host=/run/postgresql"),
        ("sqlite:///x.db", "sqlite+aiosqlite:///x.db"),
    ],
)  # fmt: skip
def test_a_database_with_another_driver(monkeypatch: pytest.MonkeyPatch, written: str, meant: str) -> None:
    monkeypatch.setenv("GATEHOUSE_DATABASE_URL", written)
    assert Settings(_env_file=None).database == meant


def test_a_folder_that_is_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    [told] = faults(monkeypatch, "GATEHOUSE_DATA_DIR", "file")
    assert told.startswith("GATEHOUSE_DATA_DIR: it is a file")
    monkeypatch.setenv("GATEHOUSE_DATA_DIR", "~/data")
    assert Settings(_env_file=None).data_dir == Path.home() / "data"


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "missing")
    [told] = faults(monkeypatch, "PORT", "8000")
    assert told.startswith(f"{name}: there is none")


def test_a_name_that_is_there_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = '{"requests_per_minute": %s}'
    [told] = faults(monkeypatch, "GATEHOUSE_PLANS", f'{{"default": {plan % 1}, "default": {plan % 2}}}')
    assert told == "GATEHOUSE_PLANS: not valid JSON: 'default' is there twice"


def test_a_name_inside_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    [told] = faults(monkeypatch, "GATEHOUSE_PLANS", '{"default": {"request_per_minute": 1}}')
    assert told == "GATEHOUSE_PLANS: default.request_per_minute: Extra inputs are not permitted"


def test_a_file_in_another_code(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("PORT=8000\n".encode("utf-16"))
    with pytest.raises(Failed, match=r"\.env is no text of UTF-8"):
        load_settings()


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
