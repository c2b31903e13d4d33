"""examples/django_site: a real daphne before a real Gatehouse with the scripted model, and a real Redis."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cutting_proxy import cutting_proxy
from live_django_site import (
    ISSUER,
    PASSWORD,
    SITE,
    Installation,
    LiveSite,
    installed,
    prepared,
    running_site,
)
from live_server import LiveServer, free_port, running_server
from node_tests import run_node_tests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RUNS = 8  # at once, of one user
PLANS = json.dumps({"default": {"requests_per_minute": 100_000, "burst": 100_000, "concurrent_runs": RUNS}})
NOT_OURS = ("Traceback", "Warning:", "was never awaited", "was destroyed")


@pytest.fixture(scope="module")
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    python = installed(request.config.cache.mkdir("django_site"))
    return prepared(python, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def lonely_site(installation: Installation) -> Iterator[LiveSite]:
    """The site while there is no Gatehouse; it serves the key set that Gatehouse fetches."""
    with running_site(installation, f"http://127.0.0.1:{free_port()}") as site:
        yield site


@pytest.fixture(scope="module")
def gatehouse(
    lonely_site: LiveSite, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    variables = {
        "GATEHOUSE_REDIS_URL": redis_url,
        "GATEHOUSE_JWT_SECRET": "",
        "GATEHOUSE_ISSUER": ISSUER,
        "GATEHOUSE_JWKS_URL": f"{lonely_site.url}/.well-known/jwks.json",
        "GATEHOUSE_PLANS": PLANS,
    }
    with running_server(tmp_path_factory.mktemp("gatehouse"), **variables) as server:
        yield server


@pytest.fixture(scope="module")
def sites(
    installation: Installation, gatehouse: LiveServer, redis_url: str
) -> Iterator[tuple[LiveSite, LiveSite]]:
    """Two processes of the site. Nothing that they are asked here makes them fail or warn."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(running_site(installation, gatehouse.url, REDIS_URL=redis_url))
            for _ in range(2)
        ]
        yield started[0], started[1]
        logs = "".join(site.log for site in started)
    assert not [trouble for trouble in NOT_OURS if trouble in logs], logs[-5000:]


@pytest.fixture(scope="module")
def site(sites: tuple[LiveSite, LiveSite]) -> LiveSite:
    return sites[0]


@pytest.fixture
def alice(site: LiveSite) -> Iterator[httpx.Client]:
    with site.visitor("alice") as visitor:
        yield visitor


@pytest.fixture
def bob(site: LiveSite) -> Iterator[httpx.Client]:
    with site.visitor("bob") as visitor:
        yield visitor


NO_EVENT = json.dumps({"type": "resume", "run_id": str(uuid4()), "last_event_id": "1-"})


def counted(tokens: int) -> str:
    return " ".join(f"t{place}" for place in range(1, tokens + 1))


def events_of(response: httpx.Response) -> list[dict[str, Any]]:
    """Return the events of a response, all of it or as far as it came."""
    lines = response.iter_lines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def frames_until(socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """Return the frames up to the first of this type."""
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1].get("type") != kind:
        frames.append(json.loads(socket.recv(timeout=30)))
    return frames


def text_of(frames: list[dict[str, Any]]) -> str:
    """Return the streamed text of LangChain's frames."""
    return "".join(frame["data"]["chunk"] for frame in frames if frame.get("event") == "on_parser_stream")


def placed_text(events: list[dict[str, Any]]) -> str:
    """Return the text as a tab puts it together, in characters of the basic plane."""
    text = ""
    for event in events:
        if event["type"] == "token":
            assert event["offset"] <= len(text)
            text = text[: event["offset"]] + event["content"]
    return text


def sequences(events: list[dict[str, Any]]) -> list[int]:
    return [int(event["id"].partition("-")[2]) for event in events]


class TestIdentity:
    def test_a_user_reaches_their_own_portfolio_and_nobody_elses(
        self, alice: httpx.Client, bob: httpx.Client
    ) -> None:
        ask = {"message": "[tool list_holdings {}]"}
        hers, his = (visitor.post("/api/chat/", json=ask).json()["response"] for visitor in (alice, bob))
        assert "Alice Martin" in hers
        assert "Bob Rossi" in his
        assert "MSFT" not in his

    def test_the_site_publishes_its_public_key_only(self, site: LiveSite, installation: Installation) -> None:
        (key,) = httpx.get(f"{site.url}/.well-known/jwks.json").json()["keys"]
        assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert {"keys": [key]} == json.loads(installation.jwks_file.read_text())

    def test_the_token_never_reaches_the_browser(self, site: LiveSite, alice: httpx.Client) -> None:
        seen = [
            alice.get("/").text,
            str(alice.cookies),
            alice.post("/api/chat/", json={"message": "hi"}).text,
        ]
        with site.socket("/ws/chat/", alice) as socket:
            socket.send('{"message": "hi"}')
            seen.append(str(frames_until(socket, "end")))
        assert "eyJ" not in "".join(seen)

    def test_who_is_signed_out_gets_401(self, site: LiveSite, alice: httpx.Client) -> None:
        csrf = {
            "x-csrftoken": alice.cookies["csrftoken"],
            "cookie": f"csrftoken={alice.cookies['csrftoken']}",
        }
        for path in ("/api/chat/", "/api/chat/stream/"):
            answer = httpx.post(site.url + path, json={"message": "hi"}, headers=csrf)
            assert (answer.status_code, list(answer.json())) == (401, ["error"])
        assert httpx.get(f"{site.url}/api/runs/{uuid4()}/stream/").status_code == 401

    def test_a_request_without_the_csrf_token_is_refused(self, alice: httpx.Client) -> None:
        del alice.headers["x-csrftoken"]
        assert alice.post("/api/chat/", json={"message": "hi"}).status_code == 403
        assert alice.post("/api/chat/stream/", json={"message": "hi"}).status_code == 403

    def test_a_user_who_is_no_customer_may_not_ask(self, site: LiveSite, installation: Installation) -> None:
        make = "from django.contrib.auth.models import User; User.objects.create_user('eve', password='%s')"
        installation.manage("shell", code=make % PASSWORD)
        with site.visitor("eve") as eve:
            assert eve.post("/api/chat/", json={"message": "hi"}).status_code == 403


class TestAnswerAsJson:
    def test_answers(self, alice: httpx.Client) -> None:
        assert alice.post("/api/chat/", json={"message": "[tokens 30]"}).json()["response"] == counted(30)

    def test_goes_on_in_the_users_own_thread(self, alice: httpx.Client, bob: httpx.Client) -> None:
        thread = alice.post("/api/chat/", json={"message": "hi"}).json()["thread_id"]
        further = {"message": "and?", "thread_id": thread}
        assert alice.post("/api/chat/", json=further).json()["thread_id"] == thread
        assert bob.post("/api/chat/", json=further).status_code == 404

    def test_a_failed_run_is_a_bad_gateway_without_its_reason(self, alice: httpx.Client) -> None:
        answer = alice.post("/api/chat/", json={"message": "[fail the-secret]"})
        assert answer.status_code == 502
        assert "the-secret" not in answer.text

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"hi",
            b"[]",
            b"[" * 100_000,
            b'"\xff"',
            b"{}",
            b'{"message": ""}',
            b'{"message": 5}',
            b'{"message": "\\ud800"}',
            json.dumps({"message": "x" * 10_001}).encode(),
            b'{"message": "hi", "thread_id": "../keys"}',
            b'{"message": "hi", "thread_id": 5}',
            b'{"message": "hi", "idempotency_key": null}',
        ],
    )
    def test_bad_input_is_refused_with_a_sentence(self, alice: httpx.Client, body: bytes) -> None:
        for path in ("/api/chat/", "/api/chat/stream/"):
            answer = alice.post(path, content=body)
            assert (answer.status_code, list(answer.json())) == (400, ["error"])


class TestServerSentEvents:
    def test_sends_every_event_in_order(self, alice: httpx.Client) -> None:
        events = events_of(alice.post("/api/chat/stream/", json={"message": "[tokens 50]"}))
        assert [event["type"] for event in events] == ["start", *["token"] * 50, "complete", "end"]
        assert sequences(events) == list(range(1, 54))

    def test_the_same_key_asks_once(self, alice: httpx.Client) -> None:
        ask = {"message": "[tokens 5]", "idempotency_key": str(uuid4())}
        first, second = (events_of(alice.post("/api/chat/stream/", json=ask)) for _ in range(2))
        assert first == second

    def test_a_run_can_be_joined_by_its_user_only(self, alice: httpx.Client, bob: httpx.Client) -> None:
        events = events_of(alice.post("/api/chat/stream/", json={"message": "[tokens 20]"}))
        run = f"/api/runs/{events[0]['run_id']}/stream/"
        rest = events_of(alice.get(run, headers={"last-event-id": events[9]["id"]}))
        assert rest == events[10:]
        assert alice.get(run, headers={"last-event-id": events[-1]["id"]}).status_code == 204
        assert alice.get(run, headers={"last-event-id": "nonsense"}).status_code == 400
        assert bob.get(run).status_code == 404

    def test_over_the_limit_it_says_so_and_when_to_try_again(self, bob: httpx.Client) -> None:
        with ExitStack() as stack:
            for _ in range(RUNS):
                long = bob.stream("POST", "/api/chat/stream/", json={"message": "[delay 0.2] [tokens 500]"})
                next(stack.enter_context(long).iter_lines())
            refused = bob.post("/api/chat/stream/", json={"message": "hi"})
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["error"]


class TestRelay:
    def test_relays_what_the_assistant_says_and_no_tool(self, site: LiveSite, alice: httpx.Client) -> None:
        with site.socket("/ws/chat/", alice) as socket:
            socket.send(json.dumps({"message": '[tool calculator {"expression": "2+2"}] [tokens 20]'}))
            frames = frames_until(socket, "end")
        assert {frame["name"] for frame in frames[:-1]} == {"Assistant"}
        kinds = [frame.get("event", frame.get("type")) for frame in frames]
        assert kinds == ["on_parser_start", *["on_parser_stream"] * 20, "on_parser_end", "end"]
        assert text_of(frames) == counted(20)

    def test_reads_on_after_the_browser_lost_its_line(self, site: LiveSite, alice: httpx.Client) -> None:
        with site.socket("/ws/chat/", alice) as socket:
            socket.send(json.dumps({"message": "[delay 0.02] [tokens 40]"}))
            seen = [json.loads(socket.recv(timeout=30)) for _ in range(10)]
        with site.socket("/ws/chat/", alice) as socket:
            where = {"run_id": seen[-1]["run_id"], "last_event_id": seen[-1]["id"]}
            socket.send(json.dumps({"type": "resume", **where}))
            frames = seen + frames_until(socket, "end")
        assert text_of(frames) == counted(40)
        assert sequences(frames) == list(range(1, len(frames) + 1))

    def test_another_users_run_is_not_there(
        self, site: LiveSite, alice: httpx.Client, bob: httpx.Client
    ) -> None:
        with site.socket("/ws/chat/", alice) as hers, site.socket("/ws/chat/", bob) as his:
            hers.send(json.dumps({"message": "[tokens 5]"}))
            run = frames_until(hers, "end")[0]["run_id"]
            his.send(json.dumps({"type": "resume", "run_id": run}))
            assert frames_until(his, "error")[-1]["problem"]["status"] == 404

    def test_a_bad_frame_is_told_and_the_socket_stays(self, site: LiveSite, alice: httpx.Client) -> None:
        with site.socket("/ws/chat/", alice) as socket:
            for bad in (
                "",
                "hi",
                "[]",
                '{"message": 5}',
                '{"type": "resume", "run_id": "../x"}',
                b"\x00",
                NO_EVENT,
            ):
                socket.send(bad)
                assert frames_until(socket, "error")[-1]["problem"]["status"] == 400
            socket.send(json.dumps({"message": "[tokens 3]"}))
            assert text_of(frames_until(socket, "end")) == counted(3)

    def test_one_question_at_a_time(self, site: LiveSite, alice: httpx.Client) -> None:
        with site.socket("/ws/chat/", alice) as socket:
            socket.send(json.dumps({"message": "[delay 0.05] [tokens 40]"}))
            socket.send(json.dumps({"message": "hi"}))
            frames = frames_until(socket, "error")
            assert frames[-1]["problem"]["status"] == 409
            assert text_of(frames + frames_until(socket, "end")) == counted(40)

    @pytest.mark.parametrize("path", ["/ws/chat/", "/ws/openai/"])
    @pytest.mark.parametrize("origin", [None, "https://evil.example", "null"])
    def test_a_page_of_another_site_is_refused(
        self, site: LiveSite, alice: httpx.Client, path: str, origin: str | None
    ) -> None:
        with pytest.raises(InvalidStatus) as refused, site.socket(path, alice, origin=origin):
            pass
        assert refused.value.response.status_code == 403

    @pytest.mark.parametrize("path", ["/ws/chat/", "/ws/openai/"])
    def test_who_is_signed_out_is_told_by_the_close_code(self, site: LiveSite, path: str) -> None:
        with site.socket(path) as socket, pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401

    @pytest.mark.parametrize(
        "ending",
        [
            "",
            "user.is_active = False; user.save()",
            "user.set_password('another'); user.save()",
            "user.delete()",
        ],
        ids=["signed out", "deactivated", "password changed", "deleted"],
    )
    def test_a_session_that_has_ended_asks_nothing_more(
        self, site: LiveSite, installation: Installation, ending: str
    ) -> None:
        name = f"leaver-{uuid4().hex}"
        users = "from django.contrib.auth.models import User; user = User.objects."
        installation.manage("shell", code=f"{users}create_user('{name}', password='{PASSWORD}')")
        with site.visitor(name) as leaver, site.socket("/ws/chat/", leaver) as socket:
            if ending:
                installation.manage("shell", code=f"{users}get(username='{name}'); {ending}")
            else:
                leaver.post("/sign-out/")
            socket.send('{"message": "hi"}')
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


class TestEveryTab:
    def test_tabs_on_two_processes_show_the_same_answer(
        self, sites: tuple[LiveSite, LiveSite], alice: httpx.Client, bob: httpx.Client
    ) -> None:
        here, there = sites
        with (
            here.socket("/ws/openai/?events=run", alice) as asking,
            there.socket("/ws/openai/?events=run", alice) as watching,
            there.socket("/ws/openai/?events=run", bob) as his,
        ):
            asking.send(json.dumps({"message": "[delay 0.005] [tokens 200]"}))
            asked, watched = frames_until(asking, "end"), frames_until(watching, "end")
            assert asked == watched
            assert placed_text(watched) == counted(200)
            assert watched[0]["question"] == "[delay 0.005] [tokens 200]"
            with pytest.raises(TimeoutError):
                his.recv(timeout=0.5)

    def test_tokens_that_come_together_travel_together(self, site: LiveSite, alice: httpx.Client) -> None:
        with site.socket("/ws/openai/?events=run", alice) as socket:
            socket.send(json.dumps({"message": "[tokens 3000]"}))
            events = frames_until(socket, "end")
        assert placed_text(events) == counted(3000)
        assert len(events) < 600

    def test_the_answer_outlives_the_tab_that_asked(self, site: LiveSite, alice: httpx.Client) -> None:
        with site.socket("/ws/openai/?events=run", alice) as watching:
            with site.socket("/ws/openai/?events=run", alice) as asking:
                asking.send(json.dumps({"message": "[delay 0.02] [tokens 50]"}))
                frames_until(asking, "token")
            assert placed_text(frames_until(watching, "end")) == counted(50)

    def test_a_tab_that_comes_late_has_it_told_again(self, site: LiveSite, alice: httpx.Client) -> None:
        with site.socket("/ws/openai/?events=run", alice) as asking:
            asking.send(json.dumps({"message": "[delay 0.02] [tokens 50]"}))
            run = frames_until(asking, "token")[-1]["run_id"]
            with site.socket("/ws/openai/?events=run", alice) as late:
                late.send(json.dumps({"type": "resume", "run_id": run}))
                frames_until(late, "start")
                assert placed_text(frames_until(late, "end")) == counted(50)

    def test_a_silent_socket_stays(self, site: LiveSite, alice: httpx.Client) -> None:
        """Longer than redis-py's own time limit, which is as long as the channel layer waits for a message."""
        with site.socket("/ws/openai/?events=run", alice) as socket:
            with pytest.raises(TimeoutError):
                socket.recv(timeout=6.5)
            socket.send(json.dumps({"message": "[tokens 3]"}))
            assert placed_text(frames_until(socket, "end")) == counted(3)

    def test_signing_out_closes_the_sessions_sockets_only(self, sites: tuple[LiveSite, LiveSite]) -> None:
        here, there = sites
        with (
            here.visitor("alice") as leaving,
            here.visitor("alice") as staying,
            there.socket("/ws/openai/?events=run", leaving) as closed,
            there.socket("/ws/openai/?events=run", staying) as other,
        ):
            leaving.post("/sign-out/")
            with pytest.raises(ConnectionClosed) as end:
                closed.recv(timeout=10)
            assert end.value.rcvd is not None
            assert end.value.rcvd.code == 4401
            other.send(json.dumps({"message": "[tokens 3]"}))
            assert placed_text(frames_until(other, "end")) == counted(3)


class TestPagesOfTutorials:
    """Pages that append what they are sent: a frame's `message`, or an unnamed event's text."""

    def test_a_socket_sends_texts_and_nothing_else(self, site: LiveSite, alice: httpx.Client) -> None:
        with site.socket("/ws/openai/", alice) as socket:
            socket.send(json.dumps({"message": '[tool calculator {"expression": "2+2"}] [tokens 30]'}))
            text, frames = "", []
            while text != counted(30):
                frames.append(json.loads(socket.recv(timeout=30)))
                text += frames[-1]["message"]
        assert all(list(frame) == ["message"] for frame in frames)

    def test_a_late_tab_that_has_all_told_again_adds_nothing_twice(
        self, site: LiveSite, alice: httpx.Client
    ) -> None:
        with (
            site.socket("/ws/openai/", alice) as appending,
            site.socket("/ws/openai/?events=run", alice) as asking,
            site.socket("/ws/openai/?events=run", alice) as late,
        ):
            asking.send(json.dumps({"message": "[tokens 30]"}))
            run = frames_until(asking, "end")[-1]["run_id"]
            frames_until(late, "end")
            late.send(json.dumps({"type": "resume", "run_id": run}))
            frames_until(late, "end")
            appending.send(json.dumps({"message": "[say the next]"}))
            text = ""
            while not text.endswith("the next"):
                text += json.loads(appending.recv(timeout=30))["message"]
        assert text == counted(30) + "the next"

    def test_a_refusal_is_a_text_too(self, site: LiveSite, alice: httpx.Client) -> None:
        with site.socket("/ws/openai/", alice) as socket:
            socket.send("hi")
            assert json.loads(socket.recv(timeout=30)) == {"message": "\nSend a JSON object."}

    @pytest.mark.parametrize("name", ["message", "query", "prompt", "q"])
    @pytest.mark.parametrize("path", ["/sse_stream", "/sse_stream/"])
    def test_an_event_source_gets_texts(self, alice: httpx.Client, name: str, path: str) -> None:
        response = alice.get(path, params={name: "[say one] [tokens 3]"})
        assert response.headers["content-type"] == "text/event-stream"
        assert "event:" not in response.text
        assert appended_text(response.text) == "one " + counted(3)

    def test_one_that_asks_nothing_has_the_sites_own_question_answered(self, alice: httpx.Client) -> None:
        assert appended_text(alice.get("/sse_stream").text) == "This is a scripted answer."

    def test_a_text_of_several_lines_stays_one(self, alice: httpx.Client) -> None:
        response = alice.get("/sse_stream", params={"message": "[say a\n\nb] [say c]"})
        assert appended_text(response.text).replace(" ", "").startswith("a\n\nb")

    def test_it_goes_on_where_it_was_and_asks_nothing_twice(self, alice: httpx.Client) -> None:
        whole = alice.get("/sse_stream", params={"message": "[tokens 20]"}).text
        seen = [line.removeprefix("id: ") for line in whole.splitlines() if line.startswith("id: ")]
        place = whole.index(f"id: {seen[10]}")
        rest = alice.get("/sse_stream", params={"message": "[tokens 20]"}, headers={"last-event-id": seen[9]})
        assert appended_text(whole[:place]) + appended_text(rest.text) == counted(20)
        again = alice.get("/sse_stream", headers={"last-event-id": seen[-1]})
        assert again.status_code == 204
        assert alice.get("/sse_stream", headers={"last-event-id": "garbage"}).status_code == 400

    @pytest.mark.parametrize(
        "headers",
        [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-mode": "navigate"}],
    )
    def test_no_other_site_and_no_link_asks(self, alice: httpx.Client, headers: dict[str, str]) -> None:
        assert alice.get("/sse_stream", params={"message": "hi"}, headers=headers).status_code == 403

    def test_who_is_signed_out_is_not_answered(self, site: LiveSite) -> None:
        assert httpx.get(f"{site.url}/sse_stream").status_code == 401
        assert httpx.get(f"{site.url}/tutorials/sse/").status_code == 302

    def test_a_page_that_is_not_there_is_a_404(self, alice: httpx.Client) -> None:
        assert alice.get("/tutorials/nothing/").status_code == 404

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_they_work_in_chromium_under_either_name(self, site: LiveSite, host: str) -> None:
        run_node_tests(
            "tutorial_pages.test.js",
            needs="chromium",
            SITE_URL=site.url.replace("127.0.0.1", host),
            SITE_PASSWORD=PASSWORD,
        )


def appended_text(stream: str) -> str:
    """Return what a page has when it has appended the `data` of every event."""
    blocks = [block.split("\n") for block in stream.split("\n\n")]
    texts = [[line.removeprefix("data: ") for line in lines if line.startswith("data: ")] for lines in blocks]
    return "".join("\n".join(lines) for lines in texts)


class TestGatehouseDropped:
    """The line between the site and Gatehouse breaks in the middle of an answer."""

    SLOW = "[delay 0.03] [tokens 60]"

    @pytest.fixture
    def proxied(self, installation: Installation, gatehouse: LiveServer) -> Iterator[tuple[Any, LiveSite]]:
        with cutting_proxy(gatehouse.port) as proxy, running_site(installation, proxy.url) as site:
            yield proxy, site

    def test_each_way_reads_on_without_a_lost_or_repeated_token(self, proxied: tuple[Any, LiveSite]) -> None:
        proxy, site = proxied
        with site.visitor("alice") as alice:
            with alice.stream("POST", "/api/chat/stream/", json={"message": self.SLOW}) as response:
                lines = response.iter_lines()
                for _ in range(30):
                    next(lines)
                proxy.cut()
                events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
            assert sequences(events) == list(range(sequences(events)[0], 64))
            assert events[-2]["content"] == counted(60)
            with site.socket("/ws/chat/", alice) as socket:
                socket.send(json.dumps({"message": self.SLOW}))
                seen = [json.loads(socket.recv(timeout=30)) for _ in range(10)]
                proxy.cut()
                assert text_of(seen + frames_until(socket, "end")) == counted(60)
            with site.socket("/ws/openai/?events=run", alice) as socket:
                socket.send(json.dumps({"message": self.SLOW}))
                seen = frames_until(socket, "token")
                proxy.cut()
                assert placed_text(seen + frames_until(socket, "end")) == counted(60)
        assert proxy.accepted >= 6
        assert "Traceback" not in site.log

    def test_one_that_does_not_come_back_ends_every_way_with_an_error(
        self, proxied: tuple[Any, LiveSite]
    ) -> None:
        proxy, site = proxied
        with site.visitor("alice") as alice, site.socket("/ws/chat/", alice) as socket:
            with alice.stream("POST", "/api/chat/stream/", json={"message": self.SLOW}) as response:
                lines = response.iter_lines()
                next(lines)
                socket.send(json.dumps({"message": self.SLOW}))
                socket.recv(timeout=30)
                proxy.refuse()
                last = [json.loads(line[6:]) for line in lines if line.startswith("data: ")][-1]
            assert (last["type"], last["problem"]["status"]) == ("error", 503)
            assert frames_until(socket, "error")[-1]["problem"]["status"] == 503
        assert "Traceback" not in site.log


class TestGatehouseAway:
    def test_requests_are_answered_503(self, lonely_site: LiveSite) -> None:
        with lonely_site.visitor("alice") as alice:
            for path in ("/api/chat/", "/api/chat/stream/"):
                answer = alice.post(path, json={"message": "hi"})
                assert (answer.status_code, list(answer.json())) == (503, ["error"])
                assert int(answer.headers["retry-after"]) > 0

    @pytest.mark.parametrize("path", ["/ws/chat/", "/ws/openai/?events=run"])
    def test_sockets_tell_it_and_stay(self, lonely_site: LiveSite, path: str) -> None:
        with lonely_site.visitor("alice") as alice, lonely_site.socket(path, alice) as socket:
            for _ in range(2):
                socket.send('{"message": "hi"}')
                assert frames_until(socket, "error")[-1]["problem"]["status"] == 503

    def test_a_site_that_gatehouse_does_not_trust_is_a_bad_gateway(
        self, installation: Installation, gatehouse: LiveServer
    ) -> None:
        stranger = {"SITE_ISSUER": "https://stranger.example"}
        with running_site(installation, gatehouse.url, **stranger) as site, site.visitor("alice") as alice:
            answer = alice.post("/api/chat/", json={"message": "hi"})
            assert (answer.status_code, list(answer.json())) == (502, ["error"])
            with site.socket("/ws/chat/", alice) as socket:
                socket.send('{"message": "hi"}')
                assert frames_until(socket, "error")[-1]["problem"]["status"] == 502
            assert "does not accept what this site says" in site.log


class TestInstallation:
    def test_preparing_again_keeps_keys_and_users(self, installation: Installation) -> None:
        before = installation.jwks_file.read_text()
        assert "Sign in as" not in installation.manage("prepare", "--demo")
        assert installation.jwks_file.read_text() == before

    def test_private_files_are_the_owners_alone(self, installation: Installation) -> None:
        for name in ("signing-key.pem", "secret-key"):
            assert (installation.folder / name).stat().st_mode & 0o777 == 0o600

    def test_migrations_say_what_the_models_say(self, installation: Installation) -> None:
        installation.manage("makemigrations", "--check", "--dry-run")

    def test_production_is_refused_without_a_secret_and_redis(self, installation: Installation) -> None:
        with pytest.raises(AssertionError, match="production needs DJANGO_SECRET_KEY and REDIS_URL"):
            installation.manage("check", SITE_ENVIRONMENT="production")

    def test_production_has_nothing_to_warn_of(self, installation: Installation) -> None:
        production = {
            "SITE_ENVIRONMENT": "production",
            "DJANGO_SECRET_KEY": uuid4().hex * 2,
            "REDIS_URL": "redis://127.0.0.1:1",
        }
        installation.manage("check", "--deploy", "--fail-level", "WARNING", **production)


@pytest.mark.timeout(400)
def test_a_person_in_chromium(site: LiveSite) -> None:
    run_node_tests(
        "django_site.test.js", needs="chromium", seconds=380, SITE_URL=site.url, SITE_PASSWORD=PASSWORD
    )


def test_the_readme_names_every_setting(installation: Installation) -> None:
    settings = (SITE / "chatsite" / "settings.py").read_text()
    readme = (SITE / "README.md").read_text()
    named = [part.partition('"')[0] for part in settings.split('environ.get("')[1:]]
    assert [name for name in named if name not in readme] == []
