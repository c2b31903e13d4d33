"""Probes: alive, and able to serve."""

import asyncio
from typing import Any

import pytest
from live_app import LiveApp, Serve
from redis.exceptions import ConnectionError as RedisGone

from gatehouse.web import health


def test_both_want_no_credential(shared: LiveApp) -> None:
    with shared.client({}) as client:
        assert client.get("/livez").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ok", "model": shared.services.model.label}


def test_a_bad_credential_does_not_matter_to_them(shared: LiveApp) -> None:
    with shared.client({"authorization": "Bearer x"}) as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 200


def test_what_readiness_writes_is_gone_a_minute_later(shared: LiveApp) -> None:
    async def left() -> int:
        return int(await shared.services.redis.pttl(health.READY))

    with shared.client({}) as client:
        client.get("/readyz").raise_for_status()
    assert 0 < shared.run(left()) <= 60_000


class TestNotReady:
    @pytest.fixture
    def live(self, serve: Serve) -> LiveApp:
        return serve("/chat")

    def answers(self, live: LiveApp) -> dict[str, Any]:
        with live.client({}) as client:
            assert client.get("/livez").status_code == 200
            response = client.get("/readyz")
        assert response.status_code == 503
        answer: dict[str, Any] = response.json()
        return answer

    def test_without_its_database(self, live: LiveApp) -> None:
        (live.settings.data_dir / "gatehouse.db").rename(live.settings.data_dir / "gone.db")
        live.run(live.services.engine.dispose())
        assert self.answers(live)["detail"] == "The database cannot be used."

    def test_without_redis(self, live: LiveApp, monkeypatch: pytest.MonkeyPatch) -> None:
        async def gone(*_arguments: Any, **_options: Any) -> None:
            raise RedisGone("redis://:password@redis cannot be reached")

        monkeypatch.setattr(live.services.redis, "set", gone)
        answer = self.answers(live)
        assert answer["detail"] == "Redis cannot be reached, or takes no writes."
        assert "password" not in str(answer)

    def test_with_a_redis_that_does_not_answer(self, live: LiveApp, monkeypatch: pytest.MonkeyPatch) -> None:
        async def hangs(*_arguments: Any, **_options: Any) -> None:
            await asyncio.sleep(60)

        monkeypatch.setattr(live.services.redis, "set", hangs)
        monkeypatch.setattr(health, "ANSWER_SECONDS", 0.1)
        assert self.answers(live)["detail"] == "Redis cannot be reached, or takes no writes."

    def test_without_the_keys_of_an_issuer_that_never_answered(self, serve: Serve) -> None:
        live = serve("/chat", issuer="http://127.0.0.1:1", jwt_secret=None)
        assert self.answers(live)["detail"] == "The issuer's keys were not fetched yet."
        with live.client() as client:
            assert client.get("/api/threads").status_code == 503, "a token cannot be checked"
        with live.client({"x-api-key": live.api_key()}) as client:
            assert client.get("/api/threads").status_code == 200
