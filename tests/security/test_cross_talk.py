"""Two users interleaved 1,000 times on one replica: neither ever sees what is the other's."""

import asyncio

import httpx
import pytest
from guarded_server import Guarded

TIMES = 1000
AT_ONCE = 24
USERS = {"alice": "acme", "bob": "beta"}
TOOL = "[tool list_holdings {}] "


@pytest.mark.timeout(400)  # 20 s on an idle machine
async def test_no_answer_tool_result_or_thread_crosses(guarded: Guarded) -> None:
    own = {user: await portfolio_of(guarded, user) for user in USERS}
    assert own["alice"] != own["bob"]
    free = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=guarded.server.url, timeout=60) as client:

        async def ask(number: int) -> None:
            user = ("alice", "bob")[number % 2]
            with_tool = number % 8 < len(USERS)  # each user's: a tool makes a run four times as long
            async with free:
                text = await answer(client, guarded, user, f"{user}-{number}", with_tool=with_tool)
            other = "bob" if user == "alice" else "alice"
            assert f"This is for {user}-{number}." in text
            assert (own[user] in text) is with_tool
            assert own[other] not in text
            assert f"{other}-" not in text

        await asyncio.gather(*map(ask, range(TIMES)))
        for user, tenant in USERS.items():
            mine = {"authorization": guarded.bearer(user, tenant)}
            titles = [
                item["title"] for item in (await client.get("/api/threads", headers=mine)).json()["items"]
            ]
            assert titles
            assert not any(name in title for title in titles for name in USERS if name != user)
    guarded.check_log()


async def answer(
    client: httpx.AsyncClient, guarded: Guarded, user: str, marker: str, *, with_tool: bool = True
) -> str:
    """Return all events of an agent's run, which lists the caller's holdings if it is `with_tool`."""
    body = {"query": f"{TOOL if with_tool else ''}[say This is for {marker}.]", "runnable": "agent"}
    headers = {"x-api-key": guarded.server.keys[user]}
    response = await client.post("/api/chat/stream", json=body, headers=headers)
    assert response.status_code == 200
    return response.text


async def portfolio_of(guarded: Guarded, user: str) -> str:
    """Return the name of the user's portfolio, as the tool tells it."""
    async with httpx.AsyncClient(base_url=guarded.server.url, timeout=60) as client:
        text = await answer(client, guarded, user, "nobody")
    start = text.index("demo portfolio")
    return text[text.rindex('\\"', 0, start) + 2 : start]
