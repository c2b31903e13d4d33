"""A chat completion in one piece, and what streamed ones have in common with it."""

from typing import Any, Literal

from pydantic import BaseModel

from gatehouse.runs.records import RunRecord

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


def chat_answer(run: RunRecord, complete: dict[str, Any]) -> ChatAnswer:
    """Return the answer that a run's `complete` event tells of."""
    return ChatAnswer(
        id=identifier(run),
        created=int(run.created_at),
        model=run.runnable.removeprefix("/"),
        choices=[
            Choice(
                message=AnswerMessage(content=complete["content"]), finish_reason=finish_reason_of(complete)
            )
        ],
        usage=ChatUsage(**usage_of(complete)),
    )


def identifier(run: RunRecord) -> str:
    """Return a completion's id, which tells the run's."""
    return f"chatcmpl-{run.id}"


def finish_reason_of(complete: dict[str, Any]) -> str:
    """Return how an answer ended in OpenAI's words; a word that it has not is a natural end."""
    return REASONS.get(complete.get("finish_reason", "stop"), "stop")


def usage_of(complete: dict[str, Any]) -> dict[str, int]:
    usage = complete["usage"]
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
    }
