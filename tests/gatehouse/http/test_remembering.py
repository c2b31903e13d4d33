"""A graph that keeps what its callers said in the store of `Parts`."""

from pathlib import Path
from typing import Any

from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import BaseStore
from live_app import bearer, serving

from gatehouse.registry.entry import Entry, Parts


def remembering(parts: Parts) -> Any:
    """Return a graph that tells what it was told last time, out of the store."""

    async def answer(state: MessagesState, *, store: BaseStore) -> dict[str, Any]:
        before = await store.aget(("said",), "last")
        await store.aput(("said",), "last", {"text": state["messages"][-1].text})
        return {"messages": [("ai", before.value["text"] if before else "nothing")]}

    return StateGraph(MessagesState).add_node(answer).add_edge(START, "answer").compile(store=parts.store)


def test_a_served_graph_remembers_each_caller_over_threads(tmp_path: Path) -> None:
    entry = Entry("/remembering", remembering, "Tells what was said before.")
    with serving(tmp_path, [entry]) as live:

        def said(text: str, user: str) -> str:
            with live.client(bearer(user)) as client:
                answer = client.post("/api/chat", json={"query": text, "runnable": "remembering"})
                return str(answer.raise_for_status().json()["response"])

        assert [said("one", "alice"), said("two", "alice"), said("three", "bob")] == [
            "nothing",
            "one",
            "nothing",
        ]
