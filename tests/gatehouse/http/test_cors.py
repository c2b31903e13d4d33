"""Which other sites may call and read: none by default."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from live_app import LiveApp, Serve

from gatehouse.settings import Settings

ORIGIN = "https://app.example"


def preflight(origin: str, headers: str = "authorization, content-type") -> dict[str, str]:
    return {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": headers,
    }


class TestDefault:
    def test_no_other_site_may(self, shared: LiveApp) -> None:
        with shared.client() as client:
            asked = client.options("/chat/invoke", headers=preflight(ORIGIN))
            answer = client.get("/livez", headers={"origin": ORIGIN})
        assert asked.status_code == 400
        assert "access-control-allow-origin" not in asked.headers
        assert "access-control-allow-origin" not in answer.headers


class TestList:
    @pytest.fixture
    def client(self, serve: Serve) -> Iterator[httpx.Client]:
        with serve("/chat", allowed_origins=f"{ORIGIN}, https://other.example").client() as client:
            yield client

    @pytest.mark.parametrize(
        "headers",
        [
            "authorization, content-type, x-api-key",
            "idempotency-key, last-event-id",
            "x-disconnect-grace",
        ],
    )
    @pytest.mark.parametrize("origin", [ORIGIN, "https://other.example"])
    def test_an_origin_on_it_may_send_what_clients_send(
        self, client: httpx.Client, origin: str, headers: str
    ) -> None:
        allowed = client.options("/chat/stream", headers=preflight(origin, headers))
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == origin

    def test_it_may_read_the_answer_and_the_run_s_id(self, client: httpx.Client) -> None:
        answer = client.post("/chat/invoke", json={"input": {"input": "x"}}, headers={"origin": ORIGIN})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert {"x-run-id", "x-request-id"} <= set(
            answer.headers["access-control-expose-headers"].split(", ")
        )

    def test_it_may_read_an_error(self, client: httpx.Client) -> None:
        del client.headers["authorization"]
        response = client.post("/chat/invoke", json={}, headers={"origin": ORIGIN})
        assert response.status_code == 401
        assert response.headers["access-control-allow-origin"] == ORIGIN

    @pytest.mark.parametrize(
        "origin", ["https://app.example.evil", "http://app.example", "https://app.example:8443", "null", "*"]
    )
    def test_another_may_not(self, client: httpx.Client, origin: str) -> None:
        assert client.options("/chat/invoke", headers=preflight(origin)).status_code == 400
        answer = client.get("/livez", headers={"origin": origin})
        assert "access-control-allow-origin" not in answer.headers


class TestThisMachine:
    """People use its names as one: a page that is listed under one of them is let in under all."""

    NAMES = ("http://localhost:5500", "http://127.0.0.1:5500", "http://[::1]:5500")

    @pytest.mark.parametrize("listed", NAMES)
    def test_has_all_its_names_in_development(self, listed: str) -> None:
        settings = Settings(_env_file=None, allowed_origins=listed)
        assert set(settings.page_origins) == set(self.NAMES)

    def test_has_other_ports_that_are_not_listed(self) -> None:
        settings = Settings(_env_file=None, allowed_origins="https://localhost, https://app.example")
        assert settings.page_origins == (
            "https://localhost", "https://app.example", "https://127.0.0.1", "https://[::1]",
        )  # fmt: skip

    def test_is_let_in_under_another_name(self, serve: Serve) -> None:
        with serve("/chat", allowed_origins=self.NAMES[0]).client() as client:
            answer = client.options("/chat/invoke", headers=preflight(self.NAMES[1]))
            foreign = client.options("/chat/invoke", headers=preflight("http://127.0.0.1:5501"))
        assert answer.headers["access-control-allow-origin"] == self.NAMES[1]
        assert foreign.status_code == 400

    def test_has_the_listed_name_alone_in_production(self) -> None:
        production: dict[str, Any] = {
            "environment": "production", "database_url": "postgresql+psycopg://x/y", "redis_url": "redis://x",
            "api_key_pepper": "p" * 40, "jwt_secret": "s" * 40, "issuer": "https://issuer.example",
        }  # fmt: skip
        settings = Settings(_env_file=None, **production, allowed_origins=self.NAMES[0])
        assert settings.page_origins == (self.NAMES[0],)
