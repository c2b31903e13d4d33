"""The demonstration's agent sends money after a person's word, and none before it."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from langserve import RemoteRunnable
from live_app import LiveApp, bearer, serving
from sqlalchemy import select
from sse_frames import frames_in

from tools.money.tables import cash_accounts
from tools.portfolio.seed import seed

SEND = '[tool transfer_money {"to": "carol", "amount": 12.5}] [say Sent.]'


def balance(live: LiveApp, user: str) -> Decimal:
    async def read() -> Decimal:
        async with live.services.engine.connect() as connection:
            mine = cash_accounts.c.user_id == user
            found: Decimal | None = await connection.scalar(select(cash_accounts.c.balance).where(mine))
            assert found is not None
            return found

    return live.run(read())


def over_the_run_api(_live: LiveApp, client: httpx.Client) -> Any:
    """Ask the agent, and return what waits."""
    waits = client.post("/api/chat", json={"query": SEND, "runnable": "agent"})
    assert waits.status_code == 202, waits.text
    [approval] = waits.json()["approvals"]
    return approval


def over_remote_runnable(live: LiveApp, client: httpx.Client) -> Any:
    """Ask as LangServe's client does, whose error names what waits."""
    agent: RemoteRunnable[Any, Any] = RemoteRunnable(f"{live.url}/agent", headers=bearer())
    with pytest.raises(httpx.HTTPStatusError) as refused:
        agent.invoke({"input": SEND})
    problem = refused.value.response.json()
    assert problem["type"] == "urn:gatehouse:problem:approval-required"
    return client.get(f"/api/approvals/{problem['approval_ids'][0]}").json()


@pytest.mark.parametrize("ask", [over_the_run_api, over_remote_runnable])
def test_the_agent_transfers_money_once_after_a_word(
    tmp_path: Path, ask: Callable[[LiveApp, httpx.Client], Any]
) -> None:
    with serving(tmp_path) as live, live.client() as client:
        live.run(seed(live.services.engine))
        before = balance(live, "alice")
        approval = ask(live, client)
        assert approval["args"] == {"to": "carol", "amount": 12.5}
        assert set(approval["schema"]["properties"]) == {"to", "amount"}
        assert balance(live, "alice") == before
        decision = {"decision": "approve", "digest": approval["digest"]}
        for _ in range(2):
            path = f"/api/approvals/{approval['id']}/decision"
            assert client.post(path, json=decision).status_code == 200
        live.eventually(
            lambda: client.get(f"/api/runs/{approval['run_id']}").json()["state"] == "completed", 15
        )
        frames = frames_in(client.get(f"/api/runs/{approval['run_id']}/stream").text)
        assert [frame.type for frame in frames].count("tool_end") == 1
        assert frames[-2].data["content"] == "Sent."
        assert balance(live, "alice") == before - Decimal("12.5")
