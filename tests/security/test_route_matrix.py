"""Every route and method that `app.routes` lists, with no, a bad, two, a weak and a good credential."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from _pytest.mark import ParameterSet
from fastapi.routing import iter_route_contexts
from guarded_server import Guarded
from route_matrix import MATRIX, Access
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from gatehouse.auth.api_keys.format import KeyText
from gatehouse.auth.credentials import SUBPROTOCOL
from gatehouse.main import PATHS, create_app
from gatehouse.settings import Settings


def cases(of: Callable[[str, Access], bool]) -> list[ParameterSet]:
    """Return method, path and access of the routes of HTTP for whose method and access this holds."""
    return [
        pytest.param(method, path, access, id=f"{method} {path}")
        for (method, path), access in MATRIX.items()
        if method != "WEBSOCKET" and of(method, access)
    ]


HTTP = cases(lambda _, access: True)
PROTECTED = cases(lambda _, access: not access.public)
SCOPED = cases(lambda _, access: bool(access.scope))
SOCKETS = [path for method, path in MATRIX if method == "WEBSOCKET"]
ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}


def listed() -> set[tuple[str, str]]:
    """Return the method and path of every route of the application."""
    app = create_app(Settings(_env_file=None, model="scripted"))
    return {
        (method, str(route.path))
        for route in iter_route_contexts(app.routes)
        for method in route.methods or {"WEBSOCKET"}
    }


def send(client: httpx.Client, method: str, access: Access, **headers: str) -> httpx.Response:
    body = {} if access.body is None else {"json": access.body}
    return client.request(method, access.path, headers=headers, files=access.files, **body)


def assert_problem(response: httpx.Response, status: int, kind: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["cache-control"] == "no-store"
    if response.url.path.startswith("/api/ui/"):  # its clients show the whole body to a person
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
    elif response.url.path.startswith("/v1/"):  # its clients are OpenAI's
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-should-retry"] == "false"
        assert response.json()["error"]["code"] == kind.replace("-", "_")
    else:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["type"] == f"urn:gatehouse:problem:{kind}"
        assert response.json()["instance"] == f"urn:gatehouse:request:{response.headers['x-request-id']}"
    assert {name: response.headers[name] for name in ALWAYS} == ALWAYS
    assert "default-src 'self'" in response.headers["content-security-policy"]


@pytest.fixture
def nothing_ran(guarded: Guarded) -> Iterator[None]:
    """Fail when the test started a run, or when its secrets are in the log."""
    before = guarded.runs()
    yield
    assert guarded.runs() == before
    guarded.check_log()


def test_the_matrix_lists_every_route() -> None:
    assert listed() - MATRIX.keys() == set()


def test_the_matrix_lists_no_other_route() -> None:
    assert MATRIX.keys() - listed() == set()


def test_the_matrix_and_the_list_of_public_paths_agree() -> None:
    asked = {route: (route[0], access.path.partition("?")[0]) for route, access in MATRIX.items()}
    assert {route for route in MATRIX if asked[route] in PATHS.public} == {
        route for route, access in MATRIX.items() if access.public
    }


@pytest.mark.usefixtures("nothing_ran")
class TestWithoutCredential:
    @pytest.mark.parametrize(("method", "path", "access"), PROTECTED)
    def test_is_a_401_with_a_bare_challenge(
        self, guarded: Guarded, method: str, path: str, access: Access
    ) -> None:
        with guarded.client() as client:
            response = send(client, method, access)
        assert_problem(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize(("method", "path", "access"), PROTECTED)
    def test_is_not_got_around_by_writing_the_path_otherwise(
        self, guarded: Guarded, method: str, path: str, access: Access
    ) -> None:
        plain, _, query = access.path.partition("?")
        odd = (
            f"/{plain}",
            f"{plain}/",
            plain.replace("/", "/%2f", 1),
            f"/livez/..{plain}",
            f"/livez%2f..{plain}",
        )
        with guarded.client(host="evil.example") as client:
            for address in odd:
                url = httpx.URL(guarded.server.url, raw_path=f"{address}?{query}".encode())
                body = {} if access.body is None else {"json": access.body}
                assert client.request(method, url, **body).status_code in (400, 401), address

    @pytest.mark.parametrize("path", SOCKETS)
    def test_no_socket_opens(self, guarded: Guarded, path: str) -> None:
        assert refusal(guarded, path) == 401

    @pytest.mark.parametrize(
        ("method", "path", "access"),
        cases(lambda method, access: access.public and method == "GET"),
    )
    def test_public_routes_answer(self, guarded: Guarded, method: str, path: str, access: Access) -> None:
        with guarded.client() as client:
            assert send(client, method, access).status_code == access.answers


@pytest.mark.usefixtures("nothing_ran")
class TestWithABadCredential:
    @pytest.mark.parametrize(("method", "path", "access"), PROTECTED)
    def test_is_a_401_with_the_same_body_for_every_cause(
        self, guarded: Guarded, method: str, path: str, access: Access
    ) -> None:
        head, claims, signature = guarded.bearer().removeprefix("Bearer ").split(".")
        none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        bad = [
            {"authorization": "Bearer garbage"},
            {"authorization": f"Bearer {none}.{claims}."},
            {"authorization": f"Bearer {head}.{claims}.{signature[::-1]}"},
            {"x-api-key": "gh_dev_garbage"},
            {"x-api-key": KeyText.new("dev").text},
            {
                "cookie": "gatehouse=garbage",
                "sec-fetch-site": "same-origin",
                "content-type": "application/json",
            },
        ]
        bodies = []
        with guarded.client() as client:
            for headers in bad:
                response = send(client, method, access, **headers)
                assert_problem(response, 401, "invalid-credential")
                assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
                bodies.append(response.text.replace(response.headers["x-request-id"], ""))
        assert all(body == bodies[0] for body in bodies)

    @pytest.mark.parametrize(("method", "path", "access"), PROTECTED)
    def test_two_credentials_are_a_400(
        self, guarded: Guarded, method: str, path: str, access: Access
    ) -> None:
        with guarded.client() as client:
            headers = {"authorization": guarded.bearer(), "x-api-key": guarded.server.keys["alice"]}
            assert_problem(send(client, method, access, **headers), 400, "bad-request")

    @pytest.mark.parametrize(("method", "path", "access"), PROTECTED)
    def test_a_token_in_the_query_is_none(
        self, guarded: Guarded, method: str, path: str, access: Access
    ) -> None:
        token = guarded.bearer().removeprefix("Bearer ")
        join = "&" if "?" in access.path else "?"
        query = f"{join}access_token={token}&token={token}&api_key={guarded.server.keys['alice']}"
        body = {} if access.body is None else {"json": access.body}
        with guarded.client() as client:
            response = client.request(method, access.path + query, **body)
        assert_problem(response, 401, "unauthenticated")

    @pytest.mark.parametrize("path", SOCKETS)
    def test_no_socket_opens(self, guarded: Guarded, path: str) -> None:
        token = guarded.bearer()
        garbage = Subprotocol(SUBPROTOCOL + "Z2FyYmFnZQ")
        assert refusal(guarded, path, {"authorization": "Bearer garbage"}) == 401
        assert refusal(guarded, path, offered=[garbage]) == 401
        assert refusal(guarded, f"{path}?ticket=garbage") == 401
        assert refusal(guarded, f"{path}?access_token={token.removeprefix('Bearer ')}") == 401
        assert refusal(guarded, path, {"authorization": token, "x-api-key": "gh_dev_x"}) == 400
        assert refusal(guarded, path, {"authorization": token, "origin": "https://evil.example"}) == 403


@pytest.mark.usefixtures("nothing_ran")
class TestWithTooLittle:
    @pytest.mark.parametrize(("method", "path", "access"), SCOPED)
    def test_is_a_403_that_names_the_scope(
        self, guarded: Guarded, method: str, path: str, access: Access
    ) -> None:
        weak = guarded.bearer(scopes=("runnable:other", "usage:read"))
        with guarded.client(authorization=weak) as client:
            response = send(client, method, access)
        assert_problem(response, 403, "insufficient-scope")
        challenge = f'Bearer error="insufficient_scope", scope="{access.scope}"'
        assert response.headers["www-authenticate"] == challenge

    @pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream", "/api/stream"])
    def test_no_run_starts_over_the_run_api(self, guarded: Guarded, path: str) -> None:
        with guarded.client(authorization=guarded.bearer(scopes=("runnable:chat",))) as client:
            response = client.post(path, json={"query": "x", "runnable": "agent"})
        assert_problem(response, 403, "insufficient-scope")
        assert response.json()["scope"] == "runnable:agent"

    def test_no_run_starts_over_a_socket(self, guarded: Guarded) -> None:
        weak = {"authorization": guarded.bearer(scopes=("runnable:chat",))}
        url = guarded.server.url.replace("http", "ws") + "/ws/chat/?events=run"
        with connect(url, additional_headers=weak, proxy=None) as socket:
            socket.send(json.dumps({"message": "x", "runnable": "agent"}))
            problem = json.loads(socket.recv(10))["problem"]
        assert (problem["status"], problem["scope"]) == (403, "runnable:agent")


class TestWithAGoodCredential:
    @pytest.mark.parametrize(("method", "path", "access"), PROTECTED)
    def test_is_let_in(self, guarded: Guarded, method: str, path: str, access: Access) -> None:
        """With the scope that is asked for and no other, so that it is that one which opens the route."""
        scopes = ("runnable:chat",) if access.scope is None else (access.scope,)
        before = guarded.runs()
        with guarded.client(authorization=guarded.bearer(scopes=scopes)) as client:
            response = send(client, method, access)
        assert response.status_code in {200, 201, 204, 303, 307, 404, 426}, response.text
        assert (guarded.runs() > before) is access.starts
        guarded.check_log()

    @pytest.mark.parametrize("path", SOCKETS)
    def test_a_socket_opens(self, guarded: Guarded, path: str) -> None:
        url = guarded.server.url.replace("http", "ws") + path
        with connect(url, additional_headers={"authorization": guarded.bearer()}, proxy=None) as socket:
            socket.send('{"type": "ping"}')
            assert json.loads(socket.recv(10)) == {"type": "pong"}


def refusal(
    guarded: Guarded,
    path: str,
    headers: dict[str, str] | None = None,
    offered: list[Subprotocol] | None = None,
) -> int:
    """Return the status that a handshake is refused with."""
    origin: Any = (headers or {}).pop("origin", None)
    url = guarded.server.url.replace("http", "ws") + path
    with (
        pytest.raises(InvalidStatus) as caught,
        connect(url, additional_headers=headers, subprotocols=offered, origin=origin, proxy=None),
    ):
        pass
    assert json.loads(caught.value.response.body)["status"] == caught.value.response.status_code
    return caught.value.response.status_code
