"""GET /api/runnables: what the caller may use, and how a client says something to it."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from live_app import LiveApp, bearer

from chains.registry import REGISTRY
from chains.summarize import Summary
from gatehouse.registry.shapes.shape import kind_of


def listed(live: LiveApp, *scopes: str) -> dict[str, Any]:
    with live.client(bearer(scopes=scopes or ("*",))) as client:
        items = client.get("/api/runnables").json()["items"]
    return {item["name"]: item for item in items}


def test_lists_what_the_registry_serves_in_its_order(shared: LiveApp) -> None:
    items = listed(shared)
    assert list(items)[: len(REGISTRY)] == [entry.name for entry in REGISTRY]
    assert items["chat"] == {
        "name": "chat",
        "path": "/chat",
        "description": "Answers questions about banking and investing.",
        "input_field": "input",
        "form": None,
        "form_first": False,
        "output": "text",
        "answer_field": None,
        "adds_up": True,
        "takes_files": False,
        "example": "",
        "default": False,
    }
    assert items["agent"]["example"] == "How is my portfolio doing?"


def test_lists_only_what_the_caller_may_use(shared: LiveApp) -> None:
    assert list(listed(shared, "runnable:agent", "vault:open")) == ["agent", "vault"]
    assert listed(shared, "runnable:nothing") == {}


def test_tells_the_field_that_takes_what_a_person_says(shared: LiveApp) -> None:
    items = listed(shared)
    assert (items["summarize"]["input_field"], items["summarize"]["output"]) == ("text", "data")
    assert (items["agent"]["input_field"], items["agent"]["output"]) == ("input", "message")
    assert items["messages"]["input_field"] == "input"


def test_names_the_model_that_answers(shared: LiveApp) -> None:
    with shared.client() as client:
        assert client.get("/api/runnables").json()["model"] == shared.services.model.label


@pytest.mark.parametrize(
    ("output_type", "output"),
    [
        (str, "text"),
        (AIMessageChunk, "message"),
        (AIMessage, "message"),
        (Summary, "data"),
        (list[str], "data"),
        (Any, "data"),
    ],
)
def test_an_output_is_text_a_message_or_data(output_type: Any, output: str) -> None:
    assert kind_of(output_type) == output
