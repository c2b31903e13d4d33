"""Which server, and as whom."""

import json
from pathlib import Path

import pytest
import typer

from gatehouse.cli.chat.exits import NoCredential
from gatehouse.cli.chat.server import Server, checked_url, on_this_machine, server_of
from gatehouse.cli.failure import Failed

LOCAL = "http://127.0.0.1:8000"


@pytest.fixture
def development_keys(home: Path) -> Path:
    """The keys that a development server of this folder keeps."""
    file = home / "data" / "development-keys.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"alice": "gh_dev_alice", "bob": "gh_dev_bob"}))
    return file


@pytest.fixture
def key(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GATEHOUSE_API_KEY", "gh_dev_mine")
    return "gh_dev_mine"


class TestUrl:
    @pytest.mark.parametrize(
        "text", ["", "gatehouse", "ftp://host", "http://", "http://u:p@host", "http://h/?q", "http://h:99999", "http://[::1", "http://h\x00"]
    )  # fmt: skip
    def test_is_refused(self, text: str) -> None:
        with pytest.raises(typer.BadParameter, match="form http://HOST:PORT"):
            checked_url(text)

    def test_may_have_a_path(self) -> None:
        assert checked_url("https://host.test/gatehouse/") == "https://host.test/gatehouse"

    def test_is_that_of_the_settings(self, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_HOST", "0.0.0.0")
        monkeypatch.setenv("PORT", "9000")
        assert server_of(None, None) == Server("http://127.0.0.1:9000", key)

    def test_needs_no_settings_where_it_is_given(self, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_ENVIRONMENT", "nonsense")
        assert server_of("https://host.test", None) == Server("https://host.test", key)
        with pytest.raises(Failed, match="settings: GATEHOUSE_ENVIRONMENT"):
            server_of(None, None)

    @pytest.mark.parametrize(
        ("url", "here"),
        [(LOCAL, True), ("http://[::1]:1", True), ("http://localhost", True), ("http://10.0.0.1", False),
         ("https://localhost.evil.test", False), ("https://127.0.0.1.evil.test", False)],
    )  # fmt: skip
    def test_tells_whether_it_leads_elsewhere(self, url: str, here: bool) -> None:
        assert on_this_machine(url) is here
        assert Server(url, "gh_dev_mine").client().trust_env is not here  # of a proxy


class TestKey:
    def test_of_a_file_stands_above_the_environment(self, key: str, home: Path) -> None:
        (home / "key").write_text("gh_dev_filed\n")
        assert server_of(LOCAL, home / "key").key == "gh_dev_filed"

    @pytest.mark.parametrize("text", ["", "two words", "schlüssel", "k" * 9000, "a\nb"])
    def test_that_is_none_is_refused_and_not_shown(self, home: Path, text: str) -> None:
        (home / "key").write_text(text)
        with pytest.raises(Failed, match="key holds no API key and no token"):
            server_of(LOCAL, home / "key")

    @pytest.mark.parametrize("content", [None, b"\xff\xfe"])
    def test_that_cannot_be_read(self, home: Path, content: bytes | None) -> None:
        if content:
            (home / "key").write_bytes(content)
        with pytest.raises(Failed, match="cannot be read from"):
            server_of(LOCAL, home / "key")

    def test_is_in_no_text_about_the_server(self, key: str) -> None:
        assert key not in repr(server_of(LOCAL, None))

    @pytest.mark.parametrize(
        ("text", "header", "value"),
        [("gh_dev_key", "x-api-key", "gh_dev_key"), ("eyJ.e30.sig", "authorization", "Bearer eyJ.e30.sig")],
    )
    async def test_is_sent_as_what_it_is(self, text: str, header: str, value: str) -> None:
        async with Server(LOCAL, text).client() as client:
            assert client.headers[header] == value
            assert len({"x-api-key", "authorization"} & set(client.headers)) == 1


class TestDevelopmentKey:
    def test_is_taken_on_this_machine(self, development_keys: Path) -> None:
        assert server_of(LOCAL, None).key == "gh_dev_alice"

    def test_is_sent_nowhere_else(self, development_keys: Path) -> None:
        with pytest.raises(NoCredential, match="who are you"):
            server_of("https://host.test", None)

    @pytest.mark.parametrize("kept", ["[]", "{", "{}", '{"alice": 1}'])
    def test_that_is_none(self, development_keys: Path, kept: str) -> None:
        development_keys.write_text(kept)
        with pytest.raises(NoCredential):
            server_of(LOCAL, None)

    def test_is_not_there_before_the_demo(self, home: Path) -> None:
        with pytest.raises(NoCredential):
            server_of(LOCAL, None)

    def test_is_for_development(self, development_keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {
            "ENVIRONMENT": "production",
            "DATABASE_URL": "sqlite+aiosqlite:///gatehouse.db",
            "REDIS_URL": "redis://127.0.0.1:1",
            "API_KEY_PEPPER": "x" * 32,
            "JWT_SECRET": "x" * 32,
        }.items():
            monkeypatch.setenv(f"GATEHOUSE_{name}", value)
        with pytest.raises(NoCredential):
            server_of(LOCAL, None)
