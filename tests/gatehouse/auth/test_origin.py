import pytest
from starlette.requests import HTTPConnection

from gatehouse.auth.browser.origin import is_own_page


def connection(scheme: str, host: str, origin: str) -> HTTPConnection:
    headers = [(b"host", host.encode()), (b"origin", origin.encode())]
    return HTTPConnection({"type": "http", "scheme": scheme, "headers": headers})


class TestIsOwnPage:
    @pytest.mark.parametrize(
        ("scheme", "host", "origin"),
        [
            ("https", "gatehouse.example", "https://gatehouse.example"),
            ("https", "gatehouse.example:443", "https://gatehouse.example"),
            ("http", "gatehouse.example:80", "http://gatehouse.example"),
            ("https", "Gatehouse.Example:8443", "https://gatehouse.example:8443"),
        ],
    )
    def test_knows_this_host_by_any_of_its_spellings(self, scheme: str, host: str, origin: str) -> None:
        assert is_own_page(connection(scheme, host, origin), ())

    @pytest.mark.parametrize(
        ("scheme", "host", "origin"),
        [
            ("https", "gatehouse.example", "http://gatehouse.example"),
            ("https", "gatehouse.example:80", "https://gatehouse.example"),
            ("https", "gatehouse.example", "https://www.gatehouse.example"),
        ],
    )
    def test_does_not_take_another_origin_for_it(self, scheme: str, host: str, origin: str) -> None:
        assert is_own_page(connection(scheme, host, origin), ()) is False

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            (b"sec-fetch-site", (b"same-origin", b"cross-site")),
            (b"origin", (b"https://partner.example", b"https://evil.example")),
        ],
    )
    def test_is_told_once(self, name: bytes, values: tuple[bytes, bytes]) -> None:
        """Whoever reads the first of two, and whoever reads the last, would not agree."""
        told = [(name, value) for value in values]
        for headers in (told, told[::-1]):
            asked = HTTPConnection({"type": "http", "scheme": "https", "headers": headers})
            assert is_own_page(asked, {"https://partner.example"}) is False
