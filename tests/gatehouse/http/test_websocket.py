"""The WebSocket as its clients see it: a real server, a real engine, a real client."""

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from live_redis import empty_redis
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketState
from websocket_server import ALICE, Client, Json, always, serving
from websockets.exceptions import ConnectionClosedOK, InvalidStatus

from bench.processes import redis_ready, redis_server
from gatehouse.identity.principal import Principal
from gatehouse.problems.draining import Drain
from gatehouse.settings import Settings
from gatehouse.web.request_state import KEY, RequestState
from gatehouse.web.server_send import ServerSend
from gatehouse.wires.websocket import commands
from gatehouse.wires.websocket import routes as websocket
from gatehouse.wires.websocket import viewers as websocket_viewers
from gatehouse.wires.websocket.projection import RunFrames
from gatehouse.wires.websocket.routes import Socket


def tokens(frames: list[Json]) -> str:
    return "".join(frame["content"] for frame in frames if frame.get("type") == "token")


def ids(frames: list[Json]) -> list[str]:
    return [frame["id"] for frame in frames]


async def started(client: Client, message: str, **fields: str) -> str:
    """Send a message and return the id of the run that its `start` tells of."""
    return str((await client.ask({"message": message, **fields}))["run_id"])


def silent(sent: list[Message]) -> WebSocket:
    """Return an accepted socket whose client says nothing; what is sent to it is kept."""

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    authenticator = SimpleNamespace(standing=SimpleNamespace(credential_valid=always))
    runs = SimpleNamespace(drain=Drain())
    limits = SimpleNamespace(limiter=None)
    services = SimpleNamespace(
        settings=Settings(_env_file=None), runs=runs, authenticator=authenticator, limits=limits
    )
    state = {"services": services, KEY: RequestState("1", principal=ALICE)}
    socket = WebSocket({"type": "websocket", "state": state}, receive, send)
    socket.client_state = socket.application_state = WebSocketState.CONNECTED
    return socket


class TestRunVocabulary:
    async def test_sends_the_events_with_dense_ids_and_the_run(self) -> None:
        async with serving() as server, server.client() as client:
            await client.send({"message": "Hello there"})
            frames = await client.until_end()
        assert [frame["type"] for frame in frames] == ["start", "token", "token", "complete", "end"]
        assert ids(frames) == ["1-1", "1-2", "1-3", "1-4", "1-5"]
        assert {frame["run_id"] for frame in frames} == {frames[0]["run_id"]}
        assert tokens(frames) == frames[3]["content"] == "Hello there "
        assert frames[4]["status"] == "completed"

    async def test_takes_the_type_message_too(self) -> None:
        async with serving() as server, server.client() as client:
            await client.send({"type": "message", "message": "Hello"})
            assert tokens(await client.until_end()) == "Hello "

    async def test_tells_of_tool_calls(self) -> None:
        async with serving() as server, server.client() as client:
            await client.send({"message": "Add", "runnable": "agent"})
            frames = await client.until_end()
        assert [frame["type"] for frame in frames[1:4]] == ["agent_action", "tool_start", "tool_end"]
        assert frames[2]["input"] == {"a": 1, "b": 2}

    async def test_keeps_the_order_of_a_run_with_many_events_ready(self) -> None:
        words = "".join(f"{n} " for n in range(300))
        async with serving() as server, server.client() as client:
            run_id = await started(client, words)
            await client.until_end()
            await client.send({"type": "resume", "run_id": run_id})
            frames = await client.until_end()
        assert ids(frames) == [f"1-{n}" for n in range(1, 304)]
        assert tokens(frames) == words

    async def test_answers_without_a_trailing_slash(self) -> None:
        async with serving() as server:
            slashless = server.path.removesuffix("/")
            async with replace(server, path=slashless).client() as client:
                assert await client.ask({"type": "ping"}) == {"type": "pong"}


class TestLangChainVocabulary:
    @pytest.mark.parametrize("query", ["", "?events=langchain", "?other=1"])
    async def test_has_the_shape_of_stream_events(self, query: str) -> None:
        async with serving() as server, server.client(query) as client:
            await client.send({"message": "Hello there"})
            frames = await client.until_end()
        run_id = frames[0]["run_id"]
        assistant = {"name": "Assistant", "run_id": run_id}
        about = {"thread_id": frames[0]["metadata"]["thread_id"], "runnable": "chat", "attempt": 1}
        assert frames == [
            {"id": "1-1", "event": "on_parser_start", **assistant, "data": {}, "metadata": about},
            {"id": "1-2", "event": "on_parser_stream", **assistant, "data": {"chunk": "Hello "}},
            {"id": "1-3", "event": "on_parser_stream", **assistant, "data": {"chunk": "there "}},
            {"id": "1-4", "event": "on_parser_end", **assistant, "data": {"output": "Hello there "}},
            {"id": "1-5", "run_id": run_id, "type": "end", "content": "", "status": "completed"},
        ]

    async def test_names_the_tool_of_tool_events(self) -> None:
        async with serving() as server, server.client("") as client:
            await client.send({"message": "Add", "runnable": "agent"})
            frames = await client.until_end()
        _, begun, ended, *_ = frames
        assert (begun["event"], begun["name"], begun["data"]) == (
            "on_tool_start", "add", {"input": {"a": 1, "b": 2}}
        )  # fmt: skip
        assert (ended["event"], ended["name"], ended["data"]) == ("on_tool_end", "add", {"output": "3"})
        assert ended["metadata"] == {"call_id": "call-1", "is_error": False}

    async def test_ends_the_parser_of_a_failed_run_after_the_error(self) -> None:
        async with serving() as server, server.client("") as client:
            await client.send({"message": "so far fail"})
            frames = await client.until_end()
        assert [frame.get("event") or frame["type"] for frame in frames[-3:]] == [
            "error",
            "on_parser_end",
            "end",
        ]
        assert frames[-2]["data"] == {"output": "so far "}
        assert "secret" not in str(frames)

    async def test_ends_the_parser_of_a_cancelled_run_with_the_whole_text_though_it_was_resumed(self) -> None:
        async with serving() as server:
            async with server.client("") as first:
                run_id = await started(first, "one two wait")
                last = await first.receive()
                assert last["data"] == {"chunk": "one "}
            async with server.client("") as second:
                await second.send({"type": "resume", "run_id": run_id, "last_event_id": last["id"]})
                await second.receive()
                await second.send({"type": "cancel", "run_id": run_id})
                frames = await second.until_end()
        assert [frame.get("event") for frame in frames] == ["on_parser_end", None]
        assert frames[0]["data"] == {"output": "one two "}

    async def test_ends_the_parser_only_once_when_a_client_resumes_after_it(self) -> None:
        async with serving() as server, server.client("") as client:
            await client.send({"message": "Hello"})
            frames = await client.until_end()
            await client.send(
                {"type": "resume", "run_id": frames[0]["run_id"], "last_event_id": frames[-2]["id"]}
            )
            assert await client.until_end() == frames[-1:]


class TestMessage:
    async def test_begins_a_thread_and_goes_on_in_it(self) -> None:
        async with serving() as server, server.client() as client:
            first = await client.ask({"message": "Hello"})
            await client.until_end()
            second = await client.ask({"message": "again", "thread_id": first["thread_id"]})
        assert first["thread_id"] == second["thread_id"]
        assert first["run_id"] != second["run_id"]

    async def test_runs_several_at_once(self) -> None:
        async with serving() as server, server.client() as client:
            waiting = await started(client, "before wait after")
            await client.send({"message": "quick"})
            quick = await client.until_end()
            server.script.gate.set()
            rest = await client.until_end()
        assert quick[-1]["run_id"] != waiting
        assert rest[-1]["run_id"] == waiting
        of_waiting = [frame for frame in quick + rest if frame["run_id"] == waiting]
        assert tokens(of_waiting) == "before after "

    async def test_tells_whose_run_it_is_by_the_idempotency_key(self) -> None:
        async with serving() as server:
            async with server.client() as client:
                assert (await client.ask({"message": "Hi", "idempotency_key": "k-1"}))[
                    "idempotency_key"
                ] == "k-1"
            async with server.client("") as client:
                again = await client.ask({"message": "Hi", "idempotency_key": "k-1"})
                assert again["metadata"]["idempotency_key"] == "k-1"

    async def test_with_a_known_idempotency_key_joins_the_first_run_from_its_start(self) -> None:
        async with serving() as server:
            async with server.client() as first:
                run_id = await started(first, "one wait two", idempotency_key="k")
            async with server.client() as second:
                await second.send({"message": "one wait two", "idempotency_key": "k"})
                await second.receive()
                server.script.gate.set()
                frames = await second.until_end()
        assert frames[-1]["run_id"] == run_id
        assert tokens(frames) == "one two "

    async def test_waits_for_its_thread_while_the_socket_answers(self) -> None:
        async with serving() as server, server.client() as client:
            first = await client.ask({"message": "wait"})
            in_thread = {"message": "next", "thread_id": first["thread_id"]}
            assert (await client.ask(in_thread))["problem"]["status"] == 409
            await client.send({**in_thread, "multitask": "enqueue"})
            assert await client.ask({"type": "ping"}) == {"type": "pong"}
            server.script.gate.set()
            frames = await client.until_end() + await client.until_end()
        waited_for = [frame for frame in frames if frame["run_id"] == first["run_id"]]
        later = [frame for frame in frames if frame["run_id"] != first["run_id"]]
        # two runs of a socket have no order between them
        assert [frame["type"] for frame in waited_for] == ["complete", "end"]
        assert [frame["type"] for frame in later] == ["start", "token", "complete", "end"]
        assert tokens(later) == "next "


class TestRefusals:
    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"runnable": "vault"}, 403),
            ({"runnable": "nothing"}, 404),
            ({"thread_id": "thread-of-nobody"}, 404),
        ],
    )
    async def test_of_a_message_name_it_and_leave_the_socket_open(self, fields: Json, status: int) -> None:
        async with serving() as server, server.client() as client:
            error = await client.ask({"message": "Hello", "idempotency_key": "k", **fields})
            assert (error["type"], error["problem"]["status"]) == ("error", status)
            assert error["content"] == error["problem"]["detail"]
            assert error["idempotency_key"] == "k"
            assert "id" not in error
            await client.send({"message": "Hello"})
            assert tokens(await client.until_end()) == "Hello "

    async def test_of_another_users_thread_are_those_of_one_that_does_not_exist(self) -> None:
        async with serving() as server, server.client() as alice, server.client(user="bob") as bob:
            thread_id = (await alice.ask({"message": "wait"}))["thread_id"]
            foreign = await bob.ask({"message": "Hello", "thread_id": thread_id})
            missing = await bob.ask({"message": "Hello", "thread_id": "nothing"})
        assert foreign == missing
        assert foreign["problem"]["status"] == 404

    @pytest.mark.parametrize("kind", ["cancel", "resume"])
    async def test_of_another_users_run_are_those_of_one_that_does_not_exist(self, kind: str) -> None:
        async with serving() as server, server.client() as alice, server.client(user="bob") as bob:
            run_id = await started(alice, "wait on")
            foreign = await bob.ask({"type": kind, "run_id": run_id})
            missing = await bob.ask({"type": kind, "run_id": "nothing"})
            server.script.gate.set()
            assert (await alice.until_end())[-1]["status"] == "completed"
        assert foreign["problem"]["status"] == 404
        assert {**foreign, "run_id": "nothing"} == missing

    async def test_of_a_ninth_run_at_once(self) -> None:
        async with serving() as server, server.client() as client:
            for _ in range(websocket_viewers.MAX_FOLLOWED):
                await started(client, "wait")
            error = await client.ask({"message": "one more", "idempotency_key": "k"})
            assert (error["problem"]["status"], error["idempotency_key"]) == (429, "k")
            server.script.gate.set()
            for _ in range(websocket_viewers.MAX_FOLLOWED):
                await client.until_end()
            assert await started(client, "one more")

    async def test_while_redis_is_gone_are_503_and_the_socket_recovers(self, tmp_path: Path) -> None:
        redis = redis_server(tmp_path)
        redis.start()
        await redis_ready(redis)
        try:
            async with serving(f"redis://127.0.0.1:{redis.port}") as server, server.client() as client:
                redis.kill()
                assert (await client.ask({"message": "Hello"}))["problem"]["status"] == 503
                redis.start()
                await redis_ready(redis)
                await client.send({"message": "Hello"})
                assert tokens(await client.until_end()) == "Hello "
        finally:
            redis.kill()

    async def test_do_not_tell_of_an_unexpected_exception(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def broken(*_: object) -> None:
            raise ValueError("a secret")

        async with serving() as server, server.client() as client:
            monkeypatch.setattr(server.runs, "get", broken)
            error = await client.ask({"type": "cancel", "run_id": "any"})
            assert error["problem"]["status"] == 500
            assert "secret" not in str(error)
            assert await client.ask({"type": "ping"}) == {"type": "pong"}


class TestCancel:
    async def test_ends_the_run_and_keeps_its_text(self) -> None:
        async with serving() as server, server.client() as client:
            run_id = await started(client, "one wait two")
            await client.receive()
            await client.send({"type": "cancel", "run_id": run_id})
            [end] = await client.until_end()
            assert end["status"] == "cancelled"
            assert (await server.runs.get(ALICE, run_id)).text == "one "


class TestScopes:
    @pytest.mark.parametrize(("kind", "scope"), [("cancel", "runs:write"), ("resume", "runs:read")])
    async def test_are_needed_for_what_another_credential_has_begun(self, kind: str, scope: str) -> None:
        others = {"runs:write", "runs:read"} - {scope}
        key = replace(ALICE, credential="api_key", credential_id="k", scopes=frozenset(others))
        principals = {"narrow": key, "fitting": replace(key, scopes=frozenset({scope}))}
        async with (
            serving(principals=principals) as server,
            server.client() as client,
            server.client(user="narrow") as narrow,
            server.client(user="fitting") as fitting,
        ):
            run_id = await started(client, "wait on")
            refused = await narrow.ask({"type": kind, "run_id": run_id})
            assert (refused["problem"]["status"], scope in refused["content"]) == (403, True)
            assert await narrow.ask({"type": "ping"}) == {"type": "pong"}
            assert server.runs.local[run_id].stop is None
            await fitting.send({"type": kind, "run_id": run_id})
            if kind == "resume":
                await fitting.receive()
                server.script.gate.set()
            end = (await client.until_end())[-1]
        assert end["status"] == ("cancelled" if kind == "cancel" else "completed")


class TestResume:
    async def test_reads_on_after_a_drop_without_loss_or_repeat(self) -> None:
        async with serving() as server:
            async with server.client() as first:
                run_id = await started(first, "a b c wait d e f")
                before = [await first.receive(), await first.receive()]
            await server.has_viewers(run_id, 0)
            server.script.gate.set()
            async with server.client() as second:
                await second.send({"type": "resume", "run_id": run_id, "last_event_id": before[-1]["id"]})
                after = await second.until_end()
        assert ids(before + after) == [f"1-{n}" for n in range(2, 10)]
        assert tokens(before + after) == "a b c d e f "

    async def test_reads_on_at_another_replica(self) -> None:
        redis = empty_redis()
        async with serving(redis) as here, serving(redis) as there:
            async with here.client() as first:
                run_id = await started(first, "a wait b")
                last = await first.receive()
            async with there.client() as second:
                await second.send({"type": "resume", "run_id": run_id, "last_event_id": last["id"]})
                assert await second.ask({"type": "ping"}) == {"type": "pong"}
                here.script.gate.set()
                assert tokens(await second.until_end()) == "b "

    async def test_without_an_event_id_replays_the_whole_run(self) -> None:
        async with serving() as server, server.client() as client:
            await client.send({"message": "Hello there"})
            frames = await client.until_end()
            await client.send({"type": "resume", "run_id": frames[0]["run_id"]})
            assert await client.until_end() == frames

    async def test_at_the_end_is_answered_with_the_end(self) -> None:
        async with serving() as server, server.client() as client:
            await client.send({"message": "Hello"})
            end = (await client.until_end())[-1]
            resume = {"type": "resume", "run_id": end["run_id"], "last_event_id": end["id"]}
            assert await client.ask(resume) == end

    async def test_of_a_run_that_the_socket_follows_is_refused(self) -> None:
        async with serving() as server, server.client() as client:
            run_id = await started(client, "wait on")
            error = await client.ask({"type": "resume", "run_id": run_id})
            assert (error["problem"]["status"], error["run_id"]) == (409, run_id)
            server.script.gate.set()
            assert tokens(await client.until_end()) == "on "

    async def test_with_a_malformed_event_id_is_refused(self) -> None:
        async with serving() as server, server.client() as client:
            run_id = await started(client, "wait")
            error = await client.ask({"type": "resume", "run_id": run_id, "last_event_id": "1-x"})
            assert (error["problem"]["status"], error["run_id"]) == (400, run_id)


class TestBadFrames:
    @pytest.mark.parametrize(
        ("frame", "status"),
        [
            ("{", 400),
            ("", 400),
            ('{"message": NaN}', 400),
            ('{"message": "\\ud800"}', 400),
            ("[" * 5000, 400),
            ("[]", 400),
            ("null", 400),
            ('{"type": "shout"}', 400),
            ('{"type": ["message"]}', 400),
            ('{"type": null}', 400),
            ("{}", 422),
            ('{"message": ""}', 422),
            ('{"message": 5}', 422),
            ('{"message": "Hi", "user_id": "bob"}', 422),
            ('{"message": "Hi", "multitask": "all"}', 422),
            ('{"message": "Hi", "idempotency_key": ""}', 422),
            ('{"type": "cancel"}', 422),
            ('{"type": "cancel", "run_id": 5}', 422),
            ('{"type": "resume", "run_id": null}', 422),
            ('{"type": "ping", "more": 1}', 422),
            (b'{"message": "Hi"}', 415),
            ('"' + "x" * commands.MAX_FRAME_BYTES, 413),
            ('"' + "é" * (commands.MAX_FRAME_BYTES // 2), 413),
        ],
        ids=lambda value: repr(value[:40]) if isinstance(value, str | bytes) else value,
    )
    async def test_are_answered_and_the_socket_stays(self, frame: str | bytes, status: int) -> None:
        async with serving() as server, server.client() as client:
            error = await client.ask(frame)
            assert (error["type"], error["problem"]["status"]) == ("error", status)
            assert await client.ask({"type": "ping"}) == {"type": "pong"}
            assert server.runs.local == {}

    async def test_name_their_faulty_fields_but_not_the_values(self) -> None:
        async with serving() as server, server.client() as client:
            error = await client.ask({"type": "cancel", "run_id": ["secret"]})
            assert [fault["loc"] for fault in error["problem"]["errors"]] == [["run_id"]]
            assert "secret" not in str(error)

    async def test_close_the_socket_after_ten_in_a_row(self) -> None:
        async with serving() as server, server.client() as client:
            for _ in range(websocket.MAX_BAD_FRAMES):
                await client.send("{")
            assert (await client.closed())[0] == 4400

    async def test_do_not_add_up_over_good_ones(self) -> None:
        async with serving() as server, server.client() as client:
            for frame in ["{"] * 9 + ['{"type":"ping"}'] + ["{"] * 9:
                await client.send(frame)
            frames = [await client.receive() for _ in range(19)]
        assert [frame["type"] for frame in frames] == ["error"] * 9 + ["pong"] + ["error"] * 9

    async def test_that_come_too_often_are_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(websocket, "FRAMES_PER_SECOND", 0.5)  # a slow machine takes its time over them
        async with serving() as server, server.client() as client:
            for _ in range(commands.FRAME_BURST + 2):
                await client.send({"type": "ping"})
            frames = [await client.receive() for _ in range(commands.FRAME_BURST + 2)]
            assert [frame["type"] for frame in frames[: commands.FRAME_BURST]] == [
                "pong"
            ] * commands.FRAME_BURST
            assert frames[-1]["problem"]["status"] == 429
            await asyncio.sleep(2.1)
            assert await client.ask({"type": "ping"}) == {"type": "pong"}


class TestHandshake:
    async def test_is_refused_for_an_unknown_vocabulary(self) -> None:
        async with serving() as server:
            with pytest.raises(InvalidStatus) as refused:
                async with server.client("?events=all"):
                    pass
        assert refused.value.response.status_code == 400
        assert b"run or langchain" in refused.value.response.body

    async def test_chooses_its_subprotocol_only_when_it_is_offered(self) -> None:
        async with serving() as server:
            async with server.client(subprotocols=["other", "gatehouse"]) as client:
                assert client.connection.subprotocol == "gatehouse"
            async with server.client(subprotocols=["other"]) as client:
                assert client.connection.subprotocol is None

    @pytest.mark.parametrize("path", ["/ws/chat", "/ws/chat/"])
    async def test_is_what_a_plain_get_is_told_to_make(self, path: str) -> None:
        async with serving() as server:
            response = await server.get(path)
        assert response.status_code == 426
        assert response.headers["upgrade"] == "websocket"
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["type"] == "urn:gatehouse:problem:upgrade-required"


class TestClosing:
    async def test_comes_when_the_credential_expires_though_a_run_goes_on(self) -> None:
        principals: dict[str, Principal] = {}
        async with serving(principals=principals) as server:
            principals["brief"] = replace(ALICE, expires_at=time.time() + 1)
            async with server.client(user="brief") as client:
                await started(client, "wait")
                await client.until_end()
                await client.receive()
                assert (await client.closed())[0] == 4401

    async def test_comes_when_nothing_happens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(websocket, "IDLE_SECONDS", 0.3)
        async with serving() as server, server.client() as client:
            assert await client.closed() == (4408, "idle")

    @pytest.mark.parametrize(
        ("since_a_frame", "since_a_run", "closes"), [(1000, 1000, True), (0, 1000, False), (1000, 0, False)]
    )
    async def test_comes_long_after_the_last_frame_and_the_last_run(
        self, since_a_frame: float, since_a_run: float, closes: bool
    ) -> None:
        sent: list[Message] = []
        websocket = silent(sent)
        socket = Socket(websocket, RunFrames, ServerSend(websocket.send))
        now = time.monotonic()
        socket.last_frame, socket.viewers.last_left = now - since_a_frame, now - since_a_run
        serve = asyncio.create_task(socket.serve())
        if closes:
            await asyncio.wait_for(serve, 10)
        for _ in range(20):
            await asyncio.sleep(0)
        assert sent == [{"type": "websocket.close", "code": 4408, "reason": "idle"}] * closes
        serve.cancel()
        with suppress(asyncio.CancelledError):
            await serve

    async def test_does_not_come_while_a_run_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(websocket, "IDLE_SECONDS", 0.2)
        async with serving() as server, server.client() as client:
            await started(client, "wait on")
            await asyncio.sleep(0.5)
            server.script.gate.set()
            assert tokens(await client.until_end()) == "on "
            assert await client.closed() == (4408, "idle")

    async def test_cuts_a_reader_that_takes_nothing_and_lets_its_run_go_on(self) -> None:
        reader: dict[str, Any] = {"compression": None, "max_queue": 1, "narrow": True}
        async with serving(send_timeout=0.3) as server, server.client(**reader) as client:
            run_id = await started(client, "wait flood")
            server.script.gate.set()
            await server.ended(run_id)
            assert len((await server.runs.get(ALICE, run_id)).text) == 4096 * 1000
            await server.left()
            code, _ = await client.closed()
            assert code in (1006, 4408)

    async def test_is_an_internal_error_when_the_server_is_at_fault(self) -> None:
        principals = {"broken": replace(ALICE, expires_at=cast("float", "soon"))}
        async with serving(principals=principals) as server, server.client(user="broken") as client:
            assert (await client.closed())[0] == 1011

    async def test_tells_the_client_to_come_again_when_the_server_stops(self) -> None:
        async with AsyncExitStack() as clients:
            async with serving() as server:
                client = await clients.enter_async_context(server.client())
                await started(client, "wait")
            assert (await client.closed())[0] == 1012

    async def test_is_going_away_when_the_server_cancels_the_socket(self) -> None:
        sent: list[Message] = []
        socket = silent(sent)
        serve = asyncio.create_task(Socket(socket, RunFrames, ServerSend(socket.send)).serve())
        await asyncio.sleep(0)
        serve.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serve
        assert sent == [{"type": "websocket.close", "code": 1001, "reason": ""}]

    async def test_by_the_client_leaves_the_run_to_its_grace(self) -> None:
        async with serving(disconnect_grace=0) as server:
            async with server.client() as client:
                run_id = await started(client, "wait")
            await server.ended(run_id)
            assert (await server.runs.get(ALICE, run_id)).state == "cancelled"

    async def test_by_the_client_is_answered_in_kind(self) -> None:
        async with serving() as server, server.client() as client:
            await client.connection.close(1000)
            with pytest.raises(ConnectionClosedOK):
                await client.receive()


class Revocable:
    """Tells that a credential holds until it is told otherwise."""

    def __init__(self) -> None:
        self.held = True
        self.failure: Exception | None = None

    async def __call__(self, _principal: Principal) -> bool:
        if self.failure is not None:
            raise self.failure
        return self.held


class TestCredential:
    @pytest.fixture(autouse=True)
    def _often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("gatehouse.wires.viewer_credential", "gatehouse.wires.websocket.routes"):
            monkeypatch.setattr(f"{module}.CHECK_EVERY", 0.02)

    async def test_that_expires_is_told_by_the_run_and_then_by_the_socket(self) -> None:
        principals = {"brief": replace(ALICE, expires_at=time.time() + 2)}
        async with serving(principals=principals) as server, server.client(user="brief") as client:
            await client.send({"message": "wait"})
            frames = await client.until(lambda frame: frame.get("type") == "end")
            [error] = [frame for frame in frames if frame.get("type") == "error"]
            assert error["problem"]["type"] == "urn:gatehouse:problem:credential-expired"
            assert error["run_id"]
            assert (await client.receive())["problem"]["status"] == 401
            assert (await client.closed())[0] == 4401

    async def test_that_is_revoked_closes_the_socket(self) -> None:
        holds = Revocable()
        async with serving(credential_valid=holds) as server, server.client() as client:
            assert await client.ask({"type": "ping"}) == {"type": "pong"}
            holds.held = False
            assert (await client.receive())["problem"]["type"] == "urn:gatehouse:problem:credential-expired"
            assert (await client.closed())[0] == 4401

    async def test_that_ended_starts_nothing_more_while_a_run_ends(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.wires.websocket.routes.LAST_FRAMES_SECONDS", 1.0)
        holds = Revocable()
        async with serving(credential_valid=holds) as server, server.client() as client:
            await started(client, "wait")
            holds.held = False
            await asyncio.sleep(0.3)
            before = len(server.runs.local)
            answer = await client.ask({"message": "hello"})
            assert answer["problem"]["status"] == 401
            assert len(server.runs.local) == before
            await client.receive()
            assert (await client.closed())[0] == 4401

    async def test_that_cannot_be_checked_goes_on(self) -> None:
        holds = Revocable()
        holds.failure = OSError("the database is away")
        async with serving(credential_valid=holds) as server, server.client() as client:
            await asyncio.sleep(0.2)
            assert await client.ask({"type": "ping"}) == {"type": "pong"}
