"""Limits as callers meet them: over real HTTP and WebSockets, on every way to start a run."""

import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from live_app import LiveApp, bearer
from redis.exceptions import ConnectionError as RedisConnectionError
from websocket_server import serving
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from gatehouse.limits.limiter import Limiter
from gatehouse.limits.reservations import Reservations
from gatehouse.storage.redis.script import Script

SLOW = {"requests_per_minute": 1, "tenant_requests_per_minute": 1}  # what is spent stays spent in a test
FOR_EVER = {"input": "[delay 0.05] [tokens 2000]"}
LANGSERVE = ("invoke", "stream", "stream_log", "stream_events")


def plans(**limits: Any) -> dict[str, Any]:
    return {"default": {**SLOW, **limits}, "pro": {**SLOW, "burst": 100}}


@pytest.fixture
def strict(serve: Any) -> LiveApp:
    """A server that grants ten requests, and two runs at once."""
    live: LiveApp = serve("/chat", plans=plans(burst=10, concurrent_runs=2), batch_concurrency=2)
    return live


@pytest.fixture
def client(strict: LiveApp) -> Iterator[httpx.Client]:
    with strict.client() as client:
        yield client


def left(client: httpx.Client) -> dict[str, int]:
    """Return what is left by the names of the limits; asking costs a request."""
    return {limit["name"]: limit["remaining"] for limit in client.get("/api/me").json()["limits"]}


def parsed(field: str) -> dict[str, dict[str, str]]:
    """Return the items of a structured list of strings with parameters."""
    items = {}
    for item in field.split(", "):
        name, *parameters = item.split(";")
        items[json.loads(name)] = dict(parameter.split("=") for parameter in parameters)
    return items


def is_refused(response: httpx.Response, *policies: str) -> bool:
    problem = response.json()
    return (
        response.status_code == 429
        and response.headers["content-type"] == "application/problem+json"
        and int(response.headers["retry-after"]) == problem["retry_after"] >= 1
        and problem["type"] == "urn:gatehouse:problem:quota-exceeded"
        and problem["violated-policies"] == list(policies)
        and "ratelimit" in response.headers
    )


class TestRequests:
    def test_are_charged_once_whatever_they_are(self, client: httpx.Client) -> None:
        requests = [
            ("GET", "/api/threads", None),
            ("GET", "/api/runs/unknown", None),
            ("GET", "/nothing", None),
            ("POST", "/api/chat", {"query": "[say hi]"}),
            ("POST", "/api/chat/stream", {"query": "[say hi]"}),
            ("POST", "/chat/invoke", {"input": {"input": "[say hi]"}}),
            ("POST", "/chat/stream", {"input": {"input": "[say hi]"}}),
            ("POST", "/chat/invoke", {"wrong": 1}),
            ("POST", "/api/chat", {"query": ""}),
        ]
        for spent, (method, path, body) in enumerate(requests, 1):
            response = client.request(method, path, json=body)
            assert response.status_code != 429
            assert parsed(response.headers["ratelimit"])["requests"]["r"] == str(10 - spent), path

    def test_over_the_limit_are_429_with_when_to_try_again(self, client: httpx.Client) -> None:
        for _ in range(10):
            assert client.get("/api/threads").status_code == 200
        assert is_refused(client.get("/api/threads"), "requests")
        assert is_refused(client.post("/api/chat", json={"query": "x"}), "requests")
        assert is_refused(client.post("/chat/invoke", json={"input": {"input": "x"}}), "requests")
        assert is_refused(client.post("/chat/stream", json={"input": {"input": "x"}}), "requests")
        assert is_refused(client.post("/chat/invoke", json={"wrong": 1}), "requests")
        assert is_refused(client.post("/api/chat", json={"query": ""}), "requests")

    def test_of_another_user_are_not_refused(self, client: httpx.Client, strict: LiveApp) -> None:
        for _ in range(11):
            client.get("/api/threads")
        with strict.client(bearer("bob", "beta")) as bob:
            assert bob.get("/api/threads").status_code == 200

    def test_without_a_credential_are_401_and_tell_nothing(self, strict: LiveApp) -> None:
        with strict.client({}) as nobody:
            response = nobody.get("/api/threads")
        assert response.status_code == 401
        assert "ratelimit" not in response.headers

    def test_are_those_of_the_plan_that_the_credential_names(self, strict: LiveApp) -> None:
        with strict.client(bearer("carol", plan="pro")) as carol:
            me = carol.get("/api/me").json()
        assert me["plan"] == "pro"
        assert me["limits"][0] == {
            "name": "requests", "limit": 100, "remaining": 99, "reset_seconds": 60, "window": 6000,
        }  # fmt: skip

    def test_of_an_unknown_plan_are_the_default_ones(self, strict: LiveApp, logged: io.StringIO) -> None:
        with strict.client(bearer("dave", plan="gold")) as dave:
            assert [dave.get("/api/me").json()["plan"] for _ in range(3)] == ["default"] * 3
        warnings = [line for line in logged.getvalue().splitlines() if "unknown plan" in line]
        assert len(warnings) == 1

    def test_tell_the_policy_in_structured_fields(self, client: httpx.Client) -> None:
        headers = client.post("/api/chat", json={"query": "[say hi]"}).headers
        policy, state = parsed(headers["ratelimit-policy"]), parsed(headers["ratelimit"])
        assert policy["requests"] == {"q": "10", "w": "600"}
        assert policy["runs"] == {"q": "2", "qu": '"concurrent-requests"'}
        assert policy["tokens"] == {"q": "1000000", "w": "86400"}
        assert state.keys() == policy.keys()
        assert state["runs"]["r"] == "1"


class TestRuns:
    @pytest.mark.parametrize("endpoint", LANGSERVE)
    def test_are_limited_on_langserve_s_routes(self, strict: LiveApp, endpoint: str) -> None:
        async def scenario() -> None:
            async with strict.aclient() as client:
                # a stopped astream_log waits for its runnable to end
                body = {
                    "input": {"input": "[delay 0.05] [tokens 40]"} if endpoint == "stream_log" else FOR_EVER
                }
                running = [asyncio.create_task(client.post(f"/chat/{endpoint}", json=body)) for _ in range(2)]
                while len(strict.services.limits.limiter.reservations._held) < 2:
                    await asyncio.sleep(0.02)
                assert is_refused(await client.post(f"/chat/{endpoint}", json=body), "runs")
                assert is_refused(await client.post("/api/chat", json={"query": "x"}), "runs")
                assert is_refused(await client.get("/api/stream", params={"query": "x"}), "runs")
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)

        asyncio.run(scenario())
        with strict.client() as client:
            held = strict.services.limits.limiter.reservations._held
            strict.eventually(lambda: not (held or strict.requests or strict.services.runs.local))
            assert left(client)["runs"] == 2

    def test_of_a_batch_share_its_slots_and_are_charged_by_item(
        self, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def slowly(
            self: Reservations, *args: Any
        ) -> None:  # they are free before the caller can ask again
            await asyncio.sleep(0.3)
            await release(self, *args)

        release = Reservations.release
        monkeypatch.setattr(Reservations, "release", slowly)
        body = {"inputs": [{"input": "[tokens 3]"}] * 6}
        response = client.post("/chat/batch", json=body)
        assert response.status_code == 200
        assert parsed(response.headers["ratelimit"])["requests"]["r"] == "4"
        after = left(client)
        assert after["runs"] == 2
        assert 1_000_000 - 2000 < after["tokens"] < 1_000_000  # what was reserved came back

    def test_of_a_batch_too_large_for_the_plan_are_422(self, client: httpx.Client) -> None:
        response = client.post("/chat/batch", json={"inputs": [{"input": "x"}] * 11})
        assert response.status_code == 422
        assert left(client)["requests"] == 8  # it was a request, and so was this one

    def test_joined_by_an_idempotency_key_are_charged_as_requests(self, client: httpx.Client) -> None:
        headers, body = {"idempotency-key": "once"}, {"query": "[tokens 20]"}
        first = client.post("/api/chat", json=body, headers=headers).json()
        again = client.post("/api/chat", json=body, headers=headers)
        assert again.json()["run_id"] == first["run_id"]
        assert parsed(again.headers["ratelimit"])["requests"]["r"] == "8"
        assert "runs" not in parsed(again.headers["ratelimit"])
        assert left(client)["tokens"] == 1_000_000 - first["usage"]["total_tokens"]

    def test_that_cannot_begin_hold_nothing(self, client: httpx.Client) -> None:
        assert client.post("/api/chat", json={"query": "x", "thread_id": "nobody's"}).status_code == 404
        config = {"configurable": {"thread_id": "nobody's"}}
        assert (
            client.post("/chat/invoke", json={"input": {"input": "x"}, "config": config}).status_code == 404
        )
        after = left(client)
        assert (after["runs"], after["tokens"]) == (2, 1_000_000)

    def test_that_are_cancelled_have_used_what_they_said(self, client: httpx.Client) -> None:
        with client.stream("POST", "/api/chat/stream", json={"query": FOR_EVER["input"]}) as response:
            for line in response.iter_lines():
                if "t20" in line:
                    break
            run = client.post(f"/api/runs/{response.headers['x-run-id']}/cancel").json()
        spent = 1_000_000 - left(client)["tokens"]
        assert spent >= 15  # four characters a token: "t1 t2 … t20" has 50, and the question some more
        assert run["run_id"]

    def test_that_fail_give_back_what_they_hold(self, client: httpx.Client) -> None:
        for _ in range(3):
            assert client.post("/api/chat", json={"query": "[fail]"}).status_code == 500
        assert left(client)["runs"] == 2


async def opened_again(client: httpx.AsyncClient, path: str) -> None:
    """Return when a stream could be opened: the server has to notice first that another one was left."""
    async with asyncio.timeout(10):
        while True:
            async with client.stream("GET", path) as response:
                if response.status_code == 200:
                    return
            await asyncio.sleep(0.05)


class TestStreams:
    def test_that_are_open_are_counted(self, serve: Any) -> None:
        live: LiveApp = serve("/chat", plans={"default": {"open_streams": 2}})

        async def scenario() -> None:
            async with live.aclient() as client:
                body = {"query": FOR_EVER["input"]}
                async with client.stream("POST", "/api/chat/stream", json=body) as first:
                    run = first.headers["x-run-id"]
                    async with client.stream("GET", f"/api/runs/{run}/stream"):
                        assert is_refused(await client.get(f"/api/runs/{run}/stream"), "open-streams")
                        assert is_refused(await client.post("/chat/stream", json={}), "open-streams")
                        assert (await client.get(f"/api/runs/{run}")).status_code == 200
                    await opened_again(client, f"/api/runs/{run}/stream")
                    await client.post(f"/api/runs/{run}/cancel")

        asyncio.run(scenario())

    def test_count_websockets_too(self, serve: Any) -> None:
        live: LiveApp = serve("/chat", plans={"default": {"open_streams": 1}})
        address = live.url.replace("http", "ws") + "/ws/chat/"
        with connect(address, additional_headers=bearer()):
            with pytest.raises(InvalidStatus) as refused:
                connect(address, additional_headers=bearer())
            assert refused.value.response.status_code == 429
            assert json.loads(refused.value.response.body)["limit"] == "open-streams"


class TestWebSocket:
    async def test_message_over_the_limit_is_an_error_frame_and_the_socket_stays(self) -> None:
        limited = {"default": {"concurrent_runs": 1}}
        async with serving(plans=limited) as server, server.client() as client:
            await client.send({"message": "wait", "idempotency_key": "1"})
            first = await client.receive()
            await client.send({"message": "another", "idempotency_key": "2"})
            while (frame := await client.receive())["type"] != "error":
                pass
            assert frame["problem"]["status"] == 429
            assert frame["problem"]["violated-policies"] == ["runs"]
            assert frame["problem"]["retry_after"] == 1
            await client.send({"type": "cancel", "run_id": first["run_id"]})

    async def test_messages_are_requests(self) -> None:
        limited = {"default": {**SLOW, "burst": 1}}
        async with serving(plans=limited) as server, server.client() as client:
            await client.send({"message": "Hello"})
            await client.until_end()
            await client.send({"message": "Hello"})
            frame = await client.receive()
            assert frame["problem"]["violated-policies"] == ["requests"]


class TestWithoutRedis:
    @pytest.fixture
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> type[Script]:
        class Gone(Script):
            async def __call__(self, *_args: object, **_options: object) -> None:
                raise ConnectionError("Redis is away")

        monkeypatch.setattr("gatehouse.limits.limiter.Script", Gone)
        return Gone

    def test_nobody_is_served_by_default(
        self, serve: Any, broken: type[Script], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.runs.lifecycle.attempts.Script", broken)  # charges runs that begin
        live: LiveApp = serve("/chat")
        with live.client() as client:
            for response, seconds in (
                (client.get("/api/threads"), "5"),
                (client.post("/api/chat", json={"query": "x"}), "2"),  # the run cannot be stored
                (client.post("/chat/stream", json={"input": {"input": "x"}}), "5"),
            ):
                assert response.status_code == 503
                assert response.headers["retry-after"] == seconds
                assert response.json()["type"] == "urn:gatehouse:problem:unavailable"

    def test_everybody_is_served_when_the_operator_said_so(self, serve: Any, broken: type[Script]) -> None:
        live: LiveApp = serve("/chat", limits_without_redis="allow")
        with live.client() as client:
            assert client.get("/api/threads").status_code == 200
            assert client.post("/api/chat", json={"query": "[say hi]"}).json()["response"] == "hi"
            assert client.get("/api/me").json()["limits"] == []

    def test_a_run_that_cannot_be_read_is_a_503(self, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        live: LiveApp = serve("/chat")

        async def gone(*_args: object) -> None:
            raise RedisConnectionError

        monkeypatch.setattr(live.services.runs, "get", gone)
        with live.client() as client:
            response = client.get("/api/runs/any")
        assert response.status_code == 503
        assert response.headers["retry-after"] == "5"


class TestSignIns:
    def test_that_fail_too_often_are_429_for_their_address(self, serve: Any) -> None:
        live: LiveApp = serve("/chat", signin_failures=3)
        key = live.api_key()
        with live.client({}) as client:
            for _ in range(3):
                assert client.post("/auth/session", json={"credential": "wrong"}).status_code == 401
            refused = client.post("/auth/session", json={"credential": key})
            assert refused.status_code == 429
            assert 190 <= int(refused.headers["retry-after"]) <= 200
            page = client.post("/auth/session", data={"credential": key, "next": "/"})
            assert page.status_code == 429
            assert 190 <= int(page.headers["retry-after"]) <= 200
            assert "Too many sign-ins failed" in page.text
            from_elsewhere = {"x-forwarded-for": "203.0.113.7"}
            signed_in = client.post("/auth/session", json={"credential": key}, headers=from_elsewhere)
            assert signed_in.status_code == 200

    def test_that_succeed_are_not_counted(self, serve: Any) -> None:
        live: LiveApp = serve("/chat", signin_failures=2)
        key = live.api_key()
        for _ in range(5):
            with live.client({}) as client:
                assert client.post("/auth/session", json={"credential": key}).status_code == 200


class TestCalls:
    def test_of_a_request_to_redis_are_one(self, strict: LiveApp, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[tuple[int, int]] = []
        admit, begin = Limiter.admit, Limiter.begin

        async def counting(self: Limiter, who: Any, requests: int, runs: int = 0, at_once: Any = None) -> Any:
            asked.append((requests, runs))
            return await admit(self, who, requests, runs, at_once)

        async def beginning(self: Limiter, who: Any, requests: int, *others: Any) -> Any:
            asked.append((requests, 1))
            return await begin(self, who, requests, *others)

        monkeypatch.setattr(Limiter, "admit", counting)
        monkeypatch.setattr(Limiter, "begin", beginning)
        with strict.client() as client:
            client.post("/chat/invoke", json={"input": {"input": "[say hi]"}})
            client.post("/chat/batch", json={"inputs": [{"input": "[say hi]"}] * 3})
            client.post("/api/chat", json={"query": "[say hi]"})
            client.get("/api/threads")
            client.post("/api/chat", json={"query": ""})
        assert asked == [(1, 1), (3, 3), (1, 1), (1, 0), (1, 0)]
