import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine
from thread_server import Parts, application, client_of, open_parts, open_running_parts

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import NotFound
from gatehouse.runs.events import Usage
from gatehouse.threads.models import ToolCall
from gatehouse.threads.store import Answer, ThreadStore
from gatehouse.threads.tables import threads

NOBODYS = "0198c0de-0000-7000-8000-000000000009"


@pytest.fixture
async def parts(store: ThreadStore) -> AsyncIterator[Parts]:
    async with open_parts(store) as parts:
        yield parts


@pytest.fixture
def app(parts: Parts) -> FastAPI:
    return application(parts)


@pytest.fixture
async def client(app: FastAPI, alice: Principal) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app, alice) as client:
        yield client


@pytest.fixture
async def foreign(app: FastAPI, stranger: Principal) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app, stranger) as client:
        yield client


async def begun(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await client.post("/api/threads", json=fields)
    assert response.status_code == 201, response.text
    thread: dict[str, Any] = response.json()
    return thread


def assert_problem(response: httpx.Response, status: int, kind: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == f"urn:gatehouse:problem:{kind}"


class TestBegin:
    async def test_answers_with_the_thread(self, client: httpx.AsyncClient) -> None:
        thread = await begun(client, runnable="agent", title="  Savings 🏦 ")
        assert (thread["runnable"], thread["title"]) == ("agent", "Savings 🏦")
        assert set(thread) == {"id", "runnable", "title", "created_at", "updated_at"}
        assert (await client.get(f"/api/threads/{thread['id']}")).json() == thread

    async def test_needs_nothing(self, client: httpx.AsyncClient) -> None:
        thread = await begun(client)
        assert (thread["runnable"], thread["title"]) == ("chat", "")

    @pytest.mark.parametrize("name", ["nothing", "", "/", "//chat", "\0"])
    async def test_of_a_runnable_that_is_not_served_is_not_found(
        self, client: httpx.AsyncClient, name: str
    ) -> None:
        assert_problem(await client.post("/api/threads", json={"runnable": name}), 404, "not-found")

    @pytest.mark.parametrize(
        "body",
        [
            {"user_id": "bob"}, {"tenant_id": "beta"}, {"id": NOBODYS}, {"title": ""}, {"title": " \n"},
            {"title": "x" * 201}, {"title": 5}, {"runnable": ["chat"]}, [], None, "title",
        ],
    )  # fmt: skip
    async def test_refuses_any_other_body(self, client: httpx.AsyncClient, body: Any) -> None:
        assert_problem(await client.post("/api/threads", json=body), 422, "invalid-input")

    async def test_refuses_half_a_character(self, client: httpx.AsyncClient) -> None:
        response = await client.post(
            "/api/threads", content=b'{"title": "\\ud800"}', headers={"content-type": "application/json"}
        )
        assert_problem(response, 422, "invalid-input")


class TestList:
    async def test_pages_through_the_callers_threads(
        self, client: httpx.AsyncClient, foreign: httpx.AsyncClient, unbound: AsyncEngine
    ) -> None:
        for number in range(5):
            await begun(client, title=str(number))
            await begun(foreign, title="foreign")
        async with unbound.begin() as connection:
            await connection.execute(update(threads).values(updated_at=datetime(2026, 11, 21, tzinfo=UTC)))
        titles, cursor, pages = [], None, 0
        while cursor is not None or not pages:
            parameters = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await client.get("/api/threads", params=parameters)).json()
            titles += [thread["title"] for thread in page["items"]]
            cursor, pages = page["next_cursor"], pages + 1
        assert (titles, pages) == (["4", "3", "2", "1", "0"], 3)

    @pytest.mark.parametrize("cursor", ["", "nonsense", "\0", "é", "x" * 5000])
    async def test_refuses_a_malformed_cursor(self, client: httpx.AsyncClient, cursor: str) -> None:
        assert_problem(await client.get("/api/threads", params={"cursor": cursor}), 400, "bad-request")

    @pytest.mark.parametrize("limit", ["0", "-1", "101", "many", "9" * 400])
    async def test_refuses_a_limit_out_of_bounds(self, client: httpx.AsyncClient, limit: str) -> None:
        assert_problem(await client.get("/api/threads", params={"limit": limit}), 422, "invalid-input")


class TestRename:
    async def test_answers_with_the_renamed_thread(self, client: httpx.AsyncClient) -> None:
        thread = await begun(client)
        for title in ("x", "債" * 200):
            response = await client.patch(f"/api/threads/{thread['id']}", json={"title": title})
            assert response.json() == {**thread, "title": title}

    @pytest.mark.parametrize(
        "body", [{}, {"title": ""}, {"title": "x" * 201}, {"title": None}, {"title": "x", "user_id": "bob"}]
    )
    async def test_refuses_any_other_body(self, client: httpx.AsyncClient, body: Any) -> None:
        thread = await begun(client, title="Bonds")
        path = f"/api/threads/{thread['id']}"
        assert_problem(await client.patch(path, json=body), 422, "invalid-input")
        assert (await client.get(path)).json()["title"] == "Bonds"


class TestMessages:
    async def test_come_with_their_tool_calls(
        self, client: httpx.AsyncClient, store: ThreadStore, alice: Principal
    ) -> None:
        thread_id = (await begun(client))["id"]
        await store.begin(alice, thread_id, "r1", "What is 1+1?")
        call = ToolCall(tool="calculator", call_id="c1", input={"expression": "1+1"}, output="2")
        answer = Answer("r1", 1, "Two.", (call,), "complete", Usage(1, 2, 3))
        await store.answer(alice, thread_id, answer)
        path = f"/api/threads/{thread_id}/messages"
        first = (await client.get(path, params={"limit": 1})).json()
        second = (await client.get(path, params={"limit": 1, "cursor": first["next_cursor"]})).json()
        [human], [ai] = first["items"], second["items"]
        assert (human["role"], human["content"], human["tool_calls"]) == ("human", "What is 1+1?", [])
        assert (ai["role"], ai["content"], ai["status"], ai["run_id"]) == ("ai", "Two.", "complete", "r1")
        assert ai["tool_calls"] == [
            {
                "tool": "calculator",
                "call_id": "c1",
                "input": {"expression": "1+1"},
                "output": "2",
                "is_error": False,
            }
        ]
        assert ai["usage"] == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
        assert second["next_cursor"] is None

    async def test_refuse_a_malformed_cursor(self, client: httpx.AsyncClient) -> None:
        path = f"/api/threads/{(await begun(client))['id']}/messages"
        assert_problem(await client.get(path, params={"cursor": "nonsense"}), 400, "bad-request")


class TestDelete:
    async def test_erases_the_thread(self, client: httpx.AsyncClient) -> None:
        path = f"/api/threads/{(await begun(client))['id']}"
        response = await client.delete(path)
        assert (response.status_code, response.content) == (204, b"")
        assert_problem(await client.get(path), 404, "not-found")
        assert_problem(await client.delete(path), 404, "not-found")

    async def test_stops_its_run_and_nothing_of_it_comes_back(
        self, store: ThreadStore, alice: Principal
    ) -> None:
        async with open_running_parts(store) as parts, client_of(application(parts), alice) as client:
            thread_id = (await begun(client))["id"]
            run = (await parts.runs.start(alice, "/chat", {"input": "Hello"}, thread_id=thread_id)).run
            async for _ in parts.runs.view(run.id):
                break  # it is under way
            assert (await client.delete(f"/api/threads/{thread_id}")).status_code == 204
            async with asyncio.timeout(10):
                while parts.runs.local:
                    await asyncio.sleep(0.01)
            assert_problem(await client.get(f"/api/threads/{thread_id}"), 404, "not-found")
            assert (await client.get("/api/threads")).json()["items"] == []
            with pytest.raises(NotFound):
                await parts.runs.get(alice, run.id)


class TestStrangers:
    @pytest.mark.parametrize(
        ("method", "rest", "body"),
        [
            ("GET", "", None), ("PATCH", "", {"title": "Mine"}), ("DELETE", "", None),
            ("GET", "/messages", None),
        ],
    )  # fmt: skip
    async def test_get_the_answer_that_they_get_for_no_thread(
        self,
        client: httpx.AsyncClient,
        foreign: httpx.AsyncClient,
        method: str,
        rest: str,
        body: dict[str, str] | None,
    ) -> None:
        thread = await begun(client, title="Bonds")
        answers = set()
        for thread_id in (thread["id"], NOBODYS, "1", "%00", "%27%20OR%201=1", NOBODYS.upper()):
            response = await foreign.request(method, f"/api/threads/{thread_id}{rest}", json=body)
            assert_problem(response, 404, "not-found")
            answers.add(json.dumps({**response.json(), "instance": "the request's id"}))
        assert len(answers) == 1
        assert (await client.get(f"/api/threads/{thread['id']}")).json() == thread

    async def test_see_an_empty_list(self, client: httpx.AsyncClient, foreign: httpx.AsyncClient) -> None:
        await begun(client)
        assert (await foreign.get("/api/threads")).json() == {"items": [], "next_cursor": None}


# what the layers around every route may answer
AROUND = {"400", "401", "403", "408", "413", "415", "429", "503"}


class TestDocumentation:
    def test_names_the_problems_of_every_route(self, app: FastAPI) -> None:
        paths = app.openapi()["paths"]
        problems = {
            f"{method} {path}": {status for status in operation["responses"] if int(status) >= 400}
            for path, operations in paths.items()
            for method, operation in operations.items()
        }
        assert all(statuses >= AROUND for statuses in problems.values())
        assert {route: sorted(statuses - AROUND) for route, statuses in problems.items()} == {
            "get /api/threads": ["422"],
            "post /api/threads": ["404", "422"],
            "get /api/threads/{thread_id}": ["404", "422"],
            "patch /api/threads/{thread_id}": ["404", "422"],
            "delete /api/threads/{thread_id}": ["404", "422"],
            "put /api/threads/{thread_id}/branch": ["404", "409", "422"],
            "get /api/threads/{thread_id}/messages": ["404", "422"],
        }
