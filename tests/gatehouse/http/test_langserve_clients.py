"""LangServe's own Python client, on every runnable, with every kind of credential."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langserve import RemoteRunnable
from live_app import LiveApp, bearer
from probe_runnables import numbered

from chains.summarize import Summary

SAID = "Bonds are loans."
CHAT = {"input": f"[say {SAID}]"}
AGENT = {"input": '[tool calculator {"expression": "2+2"}]'}
SUMMARIZE = {"text": "Rates rose by two percent.", "length": "short"}
Remote = Callable[[str], RemoteRunnable[Any, Any]]


@pytest.fixture(params=["jwt", "api_key"])
def remote(request: pytest.FixtureRequest, shared: LiveApp, remote: Callable[..., Any]) -> Remote:
    """Make clients of a runnable that sign in with a token, or with an API key."""
    headers = bearer() if request.param == "jwt" else {"x-api-key": shared.api_key()}
    return lambda path: remote(path, headers)


class TestChat:
    def test_invoke(self, remote: Remote) -> None:
        assert remote("/chat").invoke(CHAT) == SAID

    async def test_ainvoke(self, remote: Remote) -> None:
        assert await remote("/chat").ainvoke(CHAT) == SAID

    def test_batch_keeps_the_order(self, remote: Remote) -> None:
        inputs = [{"input": f"[say {number}]"} for number in range(6)]
        assert remote("/chat").batch(inputs) == ["0", "1", "2", "3", "4", "5"]

    async def test_abatch_keeps_the_order(self, remote: Remote) -> None:
        inputs = [{"input": f"[delay 0.0{9 - number}][say {number}]"} for number in range(6)]
        assert await remote("/chat").abatch(inputs) == ["0", "1", "2", "3", "4", "5"]

    def test_stream_yields_the_model_s_tokens(self, remote: Remote) -> None:
        chunks = list(remote("/chat").stream({"input": "[tokens 5]"}))
        assert [chunk for chunk in chunks if chunk] == numbered(5)

    async def test_astream_yields_a_token_before_the_last_is_made(self, remote: Remote) -> None:
        chunks = []
        async for chunk in remote("/chat").astream({"input": "[delay 0.01][tokens 1000]"}):
            chunks.append(chunk)
            if len(chunks) == 3:
                break
        assert chunks == numbered(3)

    async def test_astream_events_tell_of_prompt_model_and_parser(self, remote: Remote) -> None:
        events = [event async for event in remote("/chat").astream_events(CHAT, version="v2")]
        assert [event["event"] for event in events if event["name"] == "ChatPromptTemplate"] == [
            "on_prompt_start",
            "on_prompt_end",
        ]
        tokens = [
            event["data"]["chunk"].content for event in events if event["event"] == "on_chat_model_stream"
        ]
        assert "".join(tokens) == SAID
        assert events[-1]["event"] == "on_chain_end"
        assert events[-1]["data"]["output"] == SAID


class TestAgent:
    def test_invoke(self, remote: Remote) -> None:
        answer = remote("/agent").invoke(AGENT)
        assert isinstance(answer, AIMessageChunk)
        assert "4" in answer.content

    def test_batch(self, remote: Remote) -> None:
        answers = remote("/agent").batch([AGENT, {"input": "[say hello]"}])
        assert "4" in answers[0].content
        assert answers[1].content == "hello"

    def test_stream_yields_message_chunks_token_by_token(self, remote: Remote) -> None:
        chunks = list(remote("/agent").stream({"input": "[tokens 20]"}))
        assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
        assert [chunk.content for chunk in chunks if chunk.content] == numbered(20)

    async def test_astream_says_what_the_tool_returned(self, remote: Remote) -> None:
        whole = None
        async for chunk in remote("/agent").astream(AGENT):
            whole = chunk if whole is None else whole + chunk
        assert isinstance(whole, AIMessageChunk)
        assert "4" in whole.content
        assert whole.tool_calls == []  # a client adds chunks up, and calls of two turns would become one
        assert whole.usage_metadata is not None
        assert whole.usage_metadata["output_tokens"] > 0

    async def test_astream_events_show_the_tool(self, remote: Remote) -> None:
        events = [event async for event in remote("/agent").astream_events(AGENT, version="v2")]
        assert [event["event"] for event in events if event["name"] == "calculator"] == [
            "on_tool_start",
            "on_tool_end",
        ]
        start = next(event for event in events if event["event"] == "on_tool_start")
        assert start["data"]["input"] == {"expression": "2+2"}
        streamed = [event for event in events if event["event"] == "on_chat_model_stream"]
        assert all(isinstance(event["data"]["chunk"], AIMessageChunk) for event in streamed)


class TestSummarize:
    """Structured output: a client sees it as a dict."""

    def test_invoke(self, remote: Remote) -> None:
        assert is_summary(remote("/summarize").invoke(SUMMARIZE))

    def test_batch(self, remote: Remote) -> None:
        answers = remote("/summarize").batch([SUMMARIZE, SUMMARIZE])
        assert [is_summary(answer) for answer in answers] == [True, True]

    def test_stream(self, remote: Remote) -> None:
        (answer,) = remote("/summarize").stream(SUMMARIZE)
        assert is_summary(answer)

    async def test_astream_events(self, remote: Remote) -> None:
        events = [event async for event in remote("/summarize").astream_events(SUMMARIZE, version="v2")]
        assert is_summary(events[-1]["data"]["output"])

    async def test_astream_log(self, remote: Remote) -> None:
        patches = [patch async for patch in remote("/summarize").astream_log(SUMMARIZE)]
        changes = [change for patch in patches for change in patch.ops]
        (final,) = [change["value"] for change in changes if change["path"] == "/final_output"]
        assert is_summary(final)


def is_summary(answer: object) -> bool:
    return isinstance(answer, dict) and Summary.model_validate(answer, strict=True).title != ""


class TestBareAgentGraph:
    """A `create_agent` graph as a notebook makes it, in the registry without a wrapper."""

    def test_stream_yields_tokens_not_node_updates(self, remote: Remote) -> None:
        chunks = list(remote("/bare").stream({"input": "[tokens 4]"}))
        assert [chunk.content for chunk in chunks if chunk.content] == numbered(4)

    def test_invoke(self, remote: Remote) -> None:
        answer = remote("/bare").invoke({"input": "[tool who_is_calling {}]"})
        assert answer.content.endswith("alice/acme/None")


class TestRunIds:
    def test_batch_names_the_run_of_every_item(self, shared: LiveApp) -> None:
        with shared.client() as client:
            inputs = [{"input": "[say one]"}, {"input": "[say two]"}]
            answer = client.post("/chat/batch", json={"inputs": inputs}).json()
            texts = [
                client.get(f"/api/runs/{run_id}").json()["text"] for run_id in answer["metadata"]["run_ids"]
            ]
        assert texts == ["one", "two"]

    def test_invoke_names_its_run_in_the_header_and_the_body(self, shared: LiveApp) -> None:
        with shared.client() as client:
            response = client.post("/chat/invoke", json={"input": CHAT})
        assert response.headers["x-run-id"] == response.json()["metadata"]["run_id"]
