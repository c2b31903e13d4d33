"""Answers that are given again: by entries that say so, to the same caller, for all that a runnable sees."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable, RunnableConfig, RunnableGenerator, RunnableLambda
from langchain_core.tools import tool
from live_app import LiveApp, bearer, serving
from live_server import free_port
from pydantic import BaseModel
from scraped import value
from scripted_model import ScriptedModel, calls
from sse_frames import frames_in

from gatehouse.registry.checked import BadRegistry, checked
from gatehouse.registry.entry import Entry, Parts
from gatehouse.runs.answer_cache import MOST
from gatehouse.tools.acting import acts

USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


class Page(BaseModel):
    number: int


@dataclass
class Asked:
    """Counts what really ran, by path."""

    times: list[str] = field(default_factory=list)

    def words(self, _: Parts) -> Runnable[Any, Any]:
        async def said(values: AsyncIterator[Any]) -> AsyncIterator[str]:
            async for asked in values:
                self.times.append("/words")
                for word in str(asked["input"]).split():
                    yield word + " "

        return RunnableGenerator(said)

    def documents(self, _: Parts) -> Runnable[Any, Any]:
        def found(value: dict[str, Any]) -> dict[str, Any]:
            self.times.append("/documents")
            return {"answer": value["input"], "context": [Document("a page", metadata={"page": 7})]}

        return RunnableLambda(found)

    def pages(self, _: Parts) -> Runnable[Any, Any]:
        def found(value: dict[str, Any]) -> dict[str, Any]:
            self.times.append("/pages")
            return {"answer": value["input"], "page": Page(number=7)}

        return RunnableLambda(found)

    def long(self, _: Parts) -> Runnable[Any, Any]:
        def said(_value: Any) -> str:
            self.times.append("/long")
            return "x" * (MOST + 1)

        return RunnableLambda(said)

    def failing(self, _: Parts) -> Runnable[Any, Any]:
        def fails(_value: Any) -> str:
            self.times.append("/failing")
            raise ValueError

        return RunnableLambda(fails)

    def chat(self, _: Parts) -> Runnable[Any, Any]:
        return self.asking("/chat", AIMessage("It is so.", usage_metadata=USAGE))

    def cut(self, _: Parts) -> Runnable[Any, Any]:
        return self.asking("/cut", AIMessage("It is", response_metadata={"finish_reason": "length"}))

    def asking(self, path: str, said: AIMessage) -> Runnable[Any, Any]:
        def note(value: Any, config: RunnableConfig) -> Any:
            del config
            self.times.append(path)
            return value

        prompt = ChatPromptTemplate([MessagesPlaceholder("history", optional=True), ("human", "{input}")])
        model = ScriptedModel(script=[said] * 9)
        return RunnableLambda(note) | prompt | model | StrOutputParser()

    def agent(self, _: Parts) -> Runnable[Any, Any]:
        @tool
        def weather(city: str) -> str:
            """Tell the weather."""
            self.times.append("/agent")
            return f"It rains in {city}."

        script = [calls(("weather", {"city": "Bern"})), AIMessage("Take an umbrella.", usage_metadata=USAGE)]
        return create_agent(ScriptedModel(script=script), [weather])


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def live(asked: Asked, tmp_path: Path) -> Iterator[LiveApp]:
    def entry(path: str, factory: Any, **options: Any) -> Entry:
        return Entry(path, factory, "Answers alike.", cache_seconds=60, **options)

    registry = [
        entry("/words", asked.words),
        entry("/chat", asked.chat),
        entry("/documents", asked.documents),
        entry("/pages", asked.pages),
        entry("/long", asked.long),
        entry("/failing", asked.failing),
        entry("/cut", asked.cut),
        entry("/agent", asked.agent),
        Entry("/never", asked.words, "Is asked each time."),
    ]
    with serving(tmp_path, registry, management_port=free_port()) as live:
        yield live


@pytest.fixture
def alice(live: LiveApp) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


def ask(client: httpx.Client, runnable: str, query: str = "two words", **fields: Any) -> Any:
    answer = client.post("/api/chat", json={"query": query, "runnable": runnable, **fields})
    return answer.raise_for_status().json()


class TestAHit:
    @pytest.mark.parametrize("path", ["/words", "/documents"])
    @pytest.mark.parametrize("operation", ["invoke", "stream"])
    def test_is_what_langserve_s_routes_answered(
        self, alice: httpx.Client, asked: Asked, path: str, operation: str
    ) -> None:
        def answered() -> str:
            text = alice.post(f"{path}/{operation}", json={"input": {"input": "two words"}}).text
            return "\n".join(line for line in text.splitlines() if "run_id" not in line)

        first = answered() if operation == "stream" else output_of(alice, path)
        again = answered() if operation == "stream" else output_of(alice, path)
        assert again == first
        assert asked.times == [path]

    def test_is_told_as_it_was_told(self, alice: httpx.Client, asked: Asked) -> None:
        def told() -> list[tuple[str, Any]]:
            body = {"query": "Weather?", "runnable": "agent"}
            frames = frames_in(alice.post("/api/chat/stream", json=body).text)
            return [(frame.type, frame.data["content"]) for frame in frames]

        first = told()
        assert "tool_end" in [kind for kind, _ in first]
        assert told() == first
        assert asked.times == ["/agent"]

    def test_uses_no_tokens(self, alice: httpx.Client) -> None:
        first, again = (ask(alice, "chat") for _ in range(2))
        assert [first["usage"]["total_tokens"], again["usage"]["total_tokens"]] == [7, 0]
        assert (again["response"], again["finish_reason"]) == ("It is so.", "stop")

    def test_is_kept_in_its_own_thread(self, alice: httpx.Client) -> None:
        ask(alice, "agent")
        thread_id = ask(alice, "agent")["thread_id"]
        _, answer = alice.get(f"/api/threads/{thread_id}/messages").json()["items"]
        assert [call["output"] for call in answer["tool_calls"]] == ["It rains in Bern."]

    def test_is_counted(self, alice: httpx.Client, live: LiveApp) -> None:
        for _ in range(3):
            ask(alice, "words")
        port = f"http://127.0.0.1:{live.settings.management_port}"
        samples = {
            result: value(port, "gatehouse_answer_cache_total", result=result) for result in ("hit", "miss")
        }
        assert samples == {"hit": 2, "miss": 1}


class TestAMiss:
    """All that a runnable sees belongs to the question."""

    @pytest.mark.parametrize(
        "other",
        [
            {"user": "bob"},
            {"tenant": "globex"},
            {"scopes": ["*", "reports:read"]},
            {"portfolio_id": "P-2002"},
        ],
        ids=str,
    )
    def test_is_what_another_caller_asks(
        self, alice: httpx.Client, live: LiveApp, asked: Asked, other: dict[str, Any]
    ) -> None:
        ask(alice, "words")
        with live.client(bearer(**other)) as client:
            ask(client, "words")
        assert asked.times == ["/words"] * 2

    def test_is_another_question(self, alice: httpx.Client, asked: Asked) -> None:
        ask(alice, "words")
        ask(alice, "words", "other words")
        assert asked.times == ["/words"] * 2

    def test_is_the_same_question_later_in_a_thread(self, alice: httpx.Client, asked: Asked) -> None:
        thread_id = ask(alice, "chat")["thread_id"]
        ask(alice, "chat", thread_id=thread_id)
        ask(alice, "chat", thread_id=thread_id)
        assert asked.times == ["/chat"] * 3

    def test_is_what_another_runnable_is_asked(self, alice: httpx.Client, asked: Asked) -> None:
        assert [ask(alice, name)["response"] for name in ("words", "chat")] == ["two words ", "It is so."]
        assert asked.times == ["/words", "/chat"]

    def test_is_a_stream_of_what_was_answered_in_one_piece(self, alice: httpx.Client, asked: Asked) -> None:
        output_of(alice, "/words")
        streamed = alice.post("/words/stream", json={"input": {"input": "two words"}}).text
        assert ('"two "' in streamed, '"words "' in streamed) == (True, True)
        assert asked.times == ["/words"] * 2

    @pytest.mark.parametrize("runnable", ["long", "pages"])
    def test_comes_after_what_cannot_be_kept(self, alice: httpx.Client, asked: Asked, runnable: str) -> None:
        """It is too much, or would come back as something else."""
        first, again = (ask(alice, runnable) for _ in range(2))
        assert first["response"] == again["response"]
        assert asked.times == [f"/{runnable}"] * 2

    @pytest.mark.parametrize("runnable", ["failing", "cut"])
    def test_comes_after_what_was_no_whole_answer(
        self, alice: httpx.Client, asked: Asked, runnable: str
    ) -> None:
        for _ in range(2):
            alice.post("/api/chat", json={"query": "two words", "runnable": runnable})
        assert asked.times == [f"/{runnable}"] * 2

    def test_comes_after_an_erasure(self, alice: httpx.Client, live: LiveApp, asked: Asked) -> None:
        ask(alice, "words")
        with live.client(bearer("root", scopes=["*", "users:erase"])) as operator:
            operator.delete("/api/users/alice").raise_for_status()
        ask(alice, "words")
        assert asked.times == ["/words"] * 2

    def test_is_every_question_to_an_entry_that_does_not_say_so(
        self, alice: httpx.Client, asked: Asked
    ) -> None:
        for _ in range(2):
            ask(alice, "never")
        assert asked.times == ["/words"] * 2

    def test_comes_when_its_time_is_over(self, alice: httpx.Client, live: LiveApp, asked: Asked) -> None:
        ask(alice, "words")
        redis = live.services.redis
        (key,) = [name for name in live.run(names(redis)) if b"answer" in name]
        assert 0 < live.run(ttl(redis, key)) <= 60
        live.run(expire(redis, key))
        live.eventually(lambda: not [name for name in live.run(names(redis)) if name == key])
        ask(alice, "words")
        assert asked.times == ["/words"] * 2


async def names(redis: Any) -> list[bytes]:
    return [name async for name in redis.scan_iter("*")]


async def ttl(redis: Any, key: bytes) -> int:
    return int(await redis.ttl(key))


async def expire(redis: Any, key: bytes) -> None:
    await redis.pexpire(key, 1)


def output_of(client: httpx.Client, path: str) -> str:
    answer = client.post(f"{path}/invoke", json={"input": {"input": "two words"}})
    return str(answer.raise_for_status().json()["output"])


@acts
@tool
def transfer(amount: int) -> str:
    """Move money."""
    return f"{amount} moved"


def told(_: Parts) -> Runnable[Any, Any]:
    return RunnableLambda(lambda value: value)


class TestAnEntry:
    @pytest.mark.parametrize(
        ("options", "cause"),
        [
            ({"cache_seconds": -1}, "-1: that is no number of whole seconds"),
            ({"cache_seconds": 0.5}, "0.5: that is no number of whole seconds"),
            ({"cache_seconds": True}, "True: that is no number of whole seconds"),
            ({"memory": "state"}, "its threads have a state"),
            ({"tools": [transfer]}, "what acts is not answered for: transfer"),
            ({"mcp_servers": ["bank"]}, "what acts is not answered for: bank"),
        ],
        ids=[
            "negative",
            "a part of a second",
            "true",
            "a state",
            "a tool that acts",
            "another server's tools",
        ],
    )
    def test_that_does_not_answer_alike_is_refused(self, options: dict[str, Any], cause: str) -> None:
        entry = Entry("/mine", told, "Mine.", **{"cache_seconds": 60, **options})
        with pytest.raises(BadRegistry, match=f"^mine:LIST: /mine: cache_seconds .*{cause}"):
            checked("mine:LIST", [entry])


def test_without_redis_s_answer_it_is_asked_anew(alice: httpx.Client, live: LiveApp, asked: Asked) -> None:
    ask(alice, "words")
    redis = live.services.redis
    (key,) = [name for name in live.run(names(redis)) if b"answer" in name]
    live.run(spoil(redis, key))
    assert ask(alice, "words")["response"] == "two words "
    assert asked.times == ["/words"] * 2


async def spoil(redis: Any, key: bytes) -> None:
    await redis.set(key, b"msgpack:\xc1", ex=60)
