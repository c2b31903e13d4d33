"""What a development server says when it is up."""

import shlex
from dataclasses import replace

import pytest

from gatehouse.cli.serving.banner import Banner, curl, print_banner, url_of
from gatehouse.cli.serving.development_keys import USERS, DevelopmentKey

QUESTION = ("agent", "How's my portfolio doing?")
KEY = "gh_dev_0123456789abcdef_0123456789abcdefghijklmnopqrstuvwxyzAB"
BANNER = Banner(
    "http://127.0.0.1:8000",
    "l" * 43,
    "A model [bold]with[/] brackets",
    [DevelopmentKey(user, KEY) for user in USERS],
    *QUESTION,
)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("gatehouse.test", "http://gatehouse.test:80"),
    ],
)
def test_address_is_one_that_can_be_opened(host: str, url: str) -> None:
    assert url_of(host, 80) == url


def test_fits_80_columns_but_for_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    print_banner(BANNER)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80 and not line.startswith("curl")] == []
    assert all(line.isascii() for line in lines)


def test_what_is_to_be_copied_stands_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_banner(BANNER)
    lines = capsys.readouterr().out.splitlines()
    assert f"http://127.0.0.1:8000/signin?link={'l' * 43}" in lines
    assert f"alice of acme: {KEY}" in lines
    assert f"bob of beta:   {KEY}" in lines
    assert curl("http://127.0.0.1:8000", KEY, *QUESTION) in lines


def test_model_is_named_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_banner(BANNER)
    assert "Chat model: A model [bold]with[/] brackets\n" in capsys.readouterr().out


def test_nothing_is_asked_where_nothing_is_known_to_be_served(capsys: pytest.CaptureFixture[str]) -> None:
    print_banner(replace(BANNER, runnable=""))
    assert "curl" not in capsys.readouterr().out


def test_command_is_one_that_a_shell_takes() -> None:
    words = shlex.split(curl("http://127.0.0.1:8000", KEY, *QUESTION))
    assert words[:3] == ["curl", "-N", "http://127.0.0.1:8000/api/chat/stream"]
    assert f"x-api-key: {KEY}" in words
