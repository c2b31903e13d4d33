"""Open WebUI: its users behind one key, and what it asks beside a chat."""

import time
from collections.abc import Iterator
from typing import Any

import jwt
import openai
import pytest
from live_app import LiveApp, bearer
from openai_served import WEBUI_SECRET, client_of, served

SCOPES = ("users:forward", "runnable:agent", "runnable:chat", "threads:read", "threads:write")
ASKED: list[Any] = [{"role": "user", "content": "[say hello]"}]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with served(tmp_path_factory.mktemp("webui")) as app:
        yield app


@pytest.fixture(scope="module")
def key(live: LiveApp) -> str:
    return live.api_key("open-webui", scopes=SCOPES)


def user(name: str, secret: str = WEBUI_SECRET, **claims: Any) -> str:
    """Return what Open WebUI signs of a user."""
    now = int(time.time())
    told = {"iss": "open-webui", "sub": name, "name": name.title(), "email": f"{name}@example.com"}
    return jwt.encode({**told, "role": "user", "iat": now, "exp": now + 300, **claims}, secret, "HS256")


@pytest.mark.requirement("openai.webui-user")
class TestUsers:
    def test_each_user_has_threads_of_their_own(self, live: LiveApp, key: str) -> None:
        threads = set()
        for name in ("ulla", "otto", "ulla"):
            with client_of(live, key, **{"X-OpenWebUI-User-Jwt": user(name), "x-thread-id": "c1"}) as client:
                answer = client.chat.completions.with_raw_response.create(model="chat", messages=ASKED)
            threads.add((name, answer.headers["x-thread-id"]))
        assert len(threads) == 2
        for name, thread_id in threads:
            with live.client(bearer(name)) as own, live.client(bearer("eve")) as other:
                assert own.get(f"/api/threads/{thread_id}").status_code == 200
                assert other.get(f"/api/threads/{thread_id}").status_code == 404

    def test_a_user_has_the_key_s_scopes_but_not_that_of_speaking_for_others(
        self, live: LiveApp, key: str
    ) -> None:
        with client_of(live, key, **{"X-OpenWebUI-User-Jwt": user("ulla")}) as client:
            assert [model.id for model in client.models.list()] == ["chat", "agent"]
        wide = live.api_key("open-webui", scopes=("*", "users:forward"))
        with client_of(live, wide, **{"X-OpenWebUI-User-Jwt": user("ulla")}) as client:
            assert [*client.models.list()] == []

    def test_without_a_user_the_key_asks_nothing(self, live: LiveApp, key: str) -> None:
        with client_of(live, key) as client, pytest.raises(openai.AuthenticationError):
            client.models.list()

    @pytest.mark.parametrize(
        "signed",
        [
            user("ulla", "another secret of thirty-two bytes"),
            user("ulla", iss="somebody"),
            user("ulla", exp=int(time.time()) - 120),
            user(""),
            user("ulla").rpartition(".")[0] + ".",
            "garbage",
        ],
        ids=["secret", "issuer", "expired", "nobody", "unsigned", "garbage"],
    )
    def test_a_bad_user_is_refused(self, live: LiveApp, key: str, signed: str) -> None:
        with client_of(live, key, **{"X-OpenWebUI-User-Jwt": signed}) as client:
            with pytest.raises(openai.AuthenticationError) as caught:
                client.models.list()
            assert caught.value.code == "invalid_credential"

    def test_another_key_is_its_own_whatever_is_sent(self, live: LiveApp) -> None:
        with client_of(live, None, **{"X-OpenWebUI-User-Jwt": user("ulla"), "x-thread-id": "x"}) as client:
            answer = client.chat.completions.with_raw_response.create(model="chat", messages=ASKED)
        with live.client() as alice:
            assert alice.get(f"/api/threads/{answer.headers['x-thread-id']}").status_code == 200

    def test_a_key_s_user_is_none_outside_openai_s_paths(self, live: LiveApp, key: str) -> None:
        with live.client({"x-api-key": key, "X-OpenWebUI-User-Jwt": user("ulla")}) as client:
            assert client.get("/api/me").json()["user_id"] == "open-webui"


@pytest.mark.requirement("openai.webui-task")
def test_a_title_is_asked_of_the_model_alone(live: LiveApp, key: str) -> None:
    headers = {
        "X-OpenWebUI-User-Jwt": user("tina"),
        "x-thread-id": "c1",
        "x-openwebui-task": "title_generation",
    }
    told: list[Any] = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": '[tool calculator {"expression": "2+2"}][say A title.]'},
    ]
    with client_of(live, key, **headers) as client:
        answer = client.chat.completions.create(model="agent", messages=told)
    assert answer.model == "agent"
    assert answer.choices[0].message.tool_calls is None
    with live.client(bearer("tina")) as own:
        run = own.get(f"/api/runs/{answer.id.removeprefix('chatcmpl-')}").json()
        assert (run["thread_id"], run["runnable"]) == (None, "v1")
        assert own.get("/api/threads").json()["items"] == []
