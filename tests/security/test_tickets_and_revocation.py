"""Tickets, keys and tokens on two replicas over one Redis and one PostgreSQL."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator

import httpx
import pytest
from guarded_server import Guarded
from live_server import LiveServer, running_server
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

STREAM = "/api/chat/stream"


@pytest.fixture(scope="module")
def other(guarded: Guarded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A second replica: the same database, Redis, secrets and data folder."""
    folder = guarded.server.folder
    with running_server(folder, **guarded.environment) as replica:
        yield replica


def ticket(guarded: Guarded, route: str = STREAM, user: str = "alice") -> str:
    with guarded.client(authorization=guarded.bearer(user)) as client:
        issued = str(client.post("/api/tickets", json={"route": route}).json()["ticket"])
    guarded.secrets.add(issued)
    return issued


class TestTicket:
    async def test_raced_on_two_replicas_starts_one_run(self, guarded: Guarded, other: LiveServer) -> None:
        before = guarded.runs()
        address = {"ticket": ticket(guarded), "query": "[say hello]"}
        async with httpx.AsyncClient(timeout=20) as client:
            servers = (guarded.server.url, other.url) * 5
            answers = await asyncio.gather(*(client.get(url + STREAM, params=address) for url in servers))
        assert sorted(answer.status_code for answer in answers) == [200, *[401] * 9]
        assert guarded.runs() == before + 1
        guarded.check_log()

    def test_on_another_route_or_twice_is_refused(self, guarded: Guarded) -> None:
        with guarded.client() as client:
            wrong = client.get("/api/stream", params={"ticket": ticket(guarded), "query": "x"})
            used = ticket(guarded)
            client.get(STREAM, params={"ticket": used, "query": "[say hello]"})
            again = client.get(STREAM, params={"ticket": used, "query": "[say hello]"})
        assert [wrong.status_code, again.status_code] == [401, 401]

    def test_opens_a_socket_and_shows_its_owners_runs_only(self, guarded: Guarded) -> None:
        with guarded.client(authorization=guarded.bearer("bob", "beta")) as client:
            theirs = client.post("/api/chat", json={"query": "[say hello]"}).json()["run_id"]
        url = guarded.server.url.replace("http", "ws")
        with connect(
            f"{url}/ws/chat/?events=run&ticket={ticket(guarded, '/ws/chat/')}", proxy=None
        ) as socket:
            socket.send(json.dumps({"type": "resume", "run_id": theirs}))
            assert json.loads(socket.recv(10))["problem"]["status"] == 404
        guarded.check_log()


class TestRevocation:
    def test_of_a_key_reaches_the_other_replica_within_5_seconds(
        self, guarded: Guarded, other: LiveServer
    ) -> None:
        with guarded.client(authorization=guarded.bearer()) as admin:
            key = admin.post("/api/keys", json={"user_id": "carol", "scopes": ["threads:read"]}).json()
            guarded.secrets.add(key["key"])
            headers = {"x-api-key": key["key"]}
            assert httpx.get(f"{other.url}/api/threads", headers=headers).status_code == 200
            admin.post(f"/api/keys/{key['id']}/revoke")
        refused_within(5, f"{other.url}/api/threads", headers)
        guarded.check_log()

    def test_of_a_token_reaches_the_other_replica_within_5_seconds(
        self, guarded: Guarded, other: LiveServer
    ) -> None:
        headers = {"authorization": guarded.bearer("dora")}
        jti = json.loads(payload_of(headers["authorization"]))["jti"]
        assert httpx.get(f"{other.url}/api/threads", headers=headers).status_code == 200
        own = httpx.post(f"{guarded.server.url}/api/tokens/revoke", json={"jti": jti}, headers=headers)
        assert own.status_code == 204
        refused_within(5, f"{other.url}/api/threads", headers)

    def test_of_a_key_ends_its_run_and_its_socket_within_30_seconds(self, guarded: Guarded) -> None:
        with guarded.client(authorization=guarded.bearer()) as admin:
            new = {"user_id": "carol", "scopes": ["runnable:chat"]}
            key = admin.post("/api/keys", json=new).json()
            url = guarded.server.url.replace("http", "ws") + "/ws/chat/?events=run"
            with connect(url, additional_headers={"x-api-key": key["key"]}, proxy=None) as socket:
                socket.send(json.dumps({"message": "[delay 0.2][tokens 1000]"}))
                while json.loads(socket.recv(10))["type"] != "token":
                    pass
                admin.post(f"/api/keys/{key['id']}/revoke")
                began = time.monotonic()
                errors = []
                with pytest.raises(ConnectionClosed) as closed:
                    while True:
                        frame = json.loads(socket.recv(30))
                        errors += [frame["problem"]["type"]] if frame["type"] == "error" else []
        assert time.monotonic() - began < 30
        assert errors[0] == "urn:gatehouse:problem:credential-expired"
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


def refused_within(seconds: float, url: str, headers: dict[str, str]) -> None:
    until = time.monotonic() + seconds
    while httpx.get(url, headers=headers).status_code != 401:
        assert time.monotonic() < until, "the credential still works"
        time.sleep(0.1)


def payload_of(bearer: str) -> bytes:
    part = bearer.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
