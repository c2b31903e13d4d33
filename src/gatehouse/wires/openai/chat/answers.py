"""A chat completion in one piece, and what streamed ones have in common with it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel

from gatehouse.plain_json import from_json
from gatehouse.runs.events import Record
from gatehouse.runs.records import RunRecord
from gatehouse.wires.openai.tools import calls_of, text_of

REASONS = {
    "stop": "stop",
    "length": "length",
    "refusal": "content_filter",
    "content_filter": "content_filter",
}


class AnswerMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class Choice(BaseModel):
    index: int = 0
    message: AnswerMessage
    logprobs: None = None
    finish_reason: str


class ChatUsage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatAnswer(BaseModel):
    """The whole answer of a chat completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: ChatUsage


def chat_answer(run: RunRecord, model: str, complete: dict[str, Any]) -> ChatAnswer:
    """Return the answer that a run's `complete` event tells of."""
    bound = run.client.get("bound", {})
    calls = tool_calls_of(bound, complete)
    text = text_of(bound, complete)
    return ChatAnswer(
        id=identifier(run),
        created=int(run.created_at),
        model=model,
        choices=[
            Choice(
                message=AnswerMessage(
                    content=text or (None if calls else ""),
                    tool_calls=calls or None,
                    reasoning_content=reasoning_of(complete),
                ),
                finish_reason=finish_reason_of(complete, calls),
            )
        ],
        usage=ChatUsage(**usage_of(complete)),
    )


def identifier(run: RunRecord) -> str:
    """Return a completion's id, which tells the run's."""
    return f"chatcmpl-{run.id}"


def tool_calls_of(bound: Mapping[str, Any], complete: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the calls of the client's own tools in an answer: those of this side are hidden."""
    return [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
        }
        for call in (calls_of(complete) if "tools" in bound else ())
    ]


def reasoning_of(complete: Mapping[str, Any]) -> str | None:
    """Return what the model thought, where the answer has it: a field that user interfaces show."""
    blocks = (complete.get("message") or {}).get("content", ())
    thoughts = [block.get("reasoning") or "" for block in blocks if block.get("type") == "reasoning"]
    return "\n\n".join(filter(None, thoughts)) or None


def finish_reason_of(complete: Mapping[str, Any], calls: Sequence[Any]) -> str:
    """Return how an answer ended in OpenAI's words; a word that it has not is a natural end."""
    return "tool_calls" if calls else REASONS.get(complete.get("finish_reason", "stop"), "stop")


def usage_of(complete: dict[str, Any]) -> dict[str, int]:
    usage = complete["usage"]
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
    }


def waiting(run: RunRecord, records: Sequence[Record]) -> dict[str, Any]:
    """Return, in place of what a run has answered, what it said so far and what it waits for."""
    asked = "".join(f"\n\n{from_json(item.data)['content']}" for item in records if item.type == "approval")
    return {"content": f"{run.text}{asked}", "usage": asdict(run.usage)}
