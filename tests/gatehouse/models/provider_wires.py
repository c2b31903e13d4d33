"""What providers send, in the forms of their APIs, and who sends it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Peculiarity:
    """`sent` is the body of a response of this type; `told` is what is told of it (see `summary`).

    `whole` says that the answer is asked for in one piece.
    """

    provider: str
    what: str
    sent: str
    told: str
    kind: str = "text/event-stream"
    status: int = 200
    model: str = "openai"  # which of MODELS reads it
    whole: bool = False

    @property
    def name(self) -> str:
        return f"{self.provider}: {self.what}"


def events(*chunks: Json | str, done: bool = True) -> str:
    """Return chunks as OpenAI's server-sent events."""
    bodies = [one if isinstance(one, str) else json.dumps(one) for one in chunks]
    return "".join(f"data: {body}\n\n" for body in [*bodies, *["[DONE]"] * done])


def named(*told: Json) -> str:
    """Return events as Anthropic's API and OpenAI's Responses API send them, each with its name."""
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in told)


def lines(*told: Json) -> str:
    """Return JSON lines, as Ollama sends them."""
    return "".join(f"{json.dumps(one)}\n" for one in told)


def delta(content: Json | None = None, finish: str | None = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": content or {}, "finish_reason": finish}
    about = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m-1"}
    return {**about, "choices": [choice], **more}


def said(words: Any, finish: str | None = None, **more: Any) -> Json:
    return delta({"content": words}, finish, **more)


def used(read: int, written: int, **more: Any) -> Json:
    counts = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written, **more}
    return {"usage": counts}


def piece(arguments: Any, call_id: Any = None, name: str | None = None, **more: Any) -> Json:
    function = {"arguments": arguments, **({"name": name} if name else {})}
    call = {"function": function, "type": "function", **({"id": call_id} if call_id else {}), **more}
    return delta({"tool_calls": [call]})


STOP = delta({}, "stop")
CALLED = delta({}, "tool_calls")
ROI = '{"a": 1}'


def block(index: int, begun: Json, *deltas: Json) -> list[Json]:
    """Return a content block as Anthropic streams it."""
    pieces = [{"type": "content_block_delta", "index": index, "delta": one} for one in deltas]
    start = {"type": "content_block_start", "index": index, "content_block": begun}
    return [start, *pieces, {"type": "content_block_stop", "index": index}]


def closing(reason: str) -> list[Json]:
    told = {"stop_reason": reason, "stop_sequence": None}
    counts = {"input_tokens": 25, "output_tokens": 15}
    return [{"type": "message_delta", "delta": told, "usage": counts}, {"type": "message_stop"}]


OPENING = {
    "type": "message_start",
    "message": {
        "id": "m", "type": "message", "role": "assistant", "model": "m-1", "content": [],
        "stop_reason": None, "usage": {"input_tokens": 25, "output_tokens": 1},
    },
}  # fmt: skip
THOUGHT = block(
    0, {"type": "thinking", "thinking": "", "signature": ""}, {"type": "thinking_delta", "thinking": "Hm"}
)
SPOKEN = block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Hello"})
USED = block(
    2,
    {"type": "tool_use", "id": "t1", "name": "roi", "input": {}},
    {"type": "input_json_delta", "partial_json": '{"a"'},
    {"type": "input_json_delta", "partial_json": ": 1}"},
)


def ollama(words: str = "", **more: Any) -> Json:
    message = {"role": "assistant", "content": words, **more.pop("message", {})}
    return {"model": "m-1", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False, **more}


def over(reason: str) -> Json:
    return ollama(done=True, done_reason=reason, prompt_eval_count=7, eval_count=3)


def openai(what: str, sent: str, told: str, **more: Any) -> Peculiarity:
    return Peculiarity("OpenAI, Azure", what, sent, told, **more)


def of(provider: str, model: str = "openai", kind: str = "text/event-stream") -> Callable[..., Peculiarity]:
    def peculiarity(what: str, sent: str, told: str, **more: Any) -> Peculiarity:
        return Peculiarity(provider, what, sent, told, **{"model": model, "kind": kind, **more})

    return peculiarity


vllm, llama, openrouter, litellm = of("vLLM"), of("llama.cpp"), of("OpenRouter"), of("LiteLLM, other proxies")
gemini, openrouters = of("Gemini"), of("OpenRouter, by its package", "openrouter")
deepseek, responses = of("DeepSeek"), of("OpenAI's Responses API", "responses")
mistral, anthropic = of("Mistral", "mistral"), of("Anthropic", "anthropic")
ollamas = of("Ollama", "ollama", "application/x-ndjson")
FAILED = {"object": "error", "message": "This model's maximum context length is 4096 tokens.", "code": 400}
GEMINI_CALL: Json = {"id": "", "type": "function", "function": {"name": "roi", "arguments": ROI}}
TOO_LONG = "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576)."
RESPONSE: Json = {
    "id": "r", "object": "response", "created_at": 1, "model": "m-1", "output": [], "parallel_tool_calls": True,
    "tool_choice": "auto", "tools": [], "status": "completed",
    "usage": {
        "input_tokens": 5, "output_tokens": 2, "total_tokens": 7, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}  # fmt: skip
WORDS = {
    "type": "response.output_text.delta",
    "item_id": "i",
    "output_index": 0,
    "content_index": 0,
    "delta": "Hello",
}


def refused(code: int, message: str) -> str:
    return json.dumps({"error": {"code": code, "message": message}})


def responded(kind: str, **more: Any) -> Json:
    return {"type": kind, "sequence_number": 1, "response": {**RESPONSE, **more}}
