"""Which other sites may call and read: none by default."""

from collections.abc import Iterator

import httpx
import pytest
from live_app import LiveApp, Serve

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
