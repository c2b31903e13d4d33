"""A response as OpenAI has it: every key is there.

What is not known is null, or the protocol's default where Open Responses takes no null.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gatehouse.runs.records import RunRecord

PREFIX = "resp_"
ASKED = "response"  # where a run keeps what its response says of the request
ECHOED = (
    *(
        "instructions",
        "metadata",
        "temperature",
        "top_p",
        "tools",
        "tool_choice",
        "text",
        "truncation",
        "reasoning",
    ),
    *("parallel_tool_calls", "max_output_tokens", "max_tool_calls", "previous_response_id", "service_tier"),
    *("safety_identifier", "prompt_cache_key", "user", "presence_penalty", "frequency_penalty"),
)
DEFAULTS: Mapping[str, Any] = {
    "instructions": None, "metadata": {}, "temperature": 1.0, "top_p": 1.0, "tools": [],
    "tool_choice": "auto", "text": {"format": {"type": "text"}}, "truncation": "disabled", "reasoning": None,
    "parallel_tool_calls": True, "max_output_tokens": None, "max_tool_calls": None,
    "previous_response_id": None, "service_tier": "default", "safety_identifier": None,
    "prompt_cache_key": None, "user": None, "presence_penalty": 0.0, "frequency_penalty": 0.0,
    "top_logprobs": 0,
}  # fmt: skip


FUNCTION: Mapping[str, Any] = {"description": None, "parameters": None, "strict": None}


def identifier(run_id: str, part: int) -> str:
    """Return the id of a response: of its run, and of the part of it after so many waits for people."""
    return f"{PREFIX}{run_id}_{part}" if part else f"{PREFIX}{run_id}"


def named_by(response_id: str) -> tuple[str, int]:
    """Return the run and the part of it that a response is; an id that is none finds no run."""
    match = re.fullmatch(rf"{PREFIX}([0-9a-f-]+)(?:_([1-9][0-9]{{0,3}}))?", response_id)
    return (match[1], int(match[2] or 0)) if match else ("", 0)


def asked_by(
    given: Mapping[str, Any], items: Sequence[Any], *, background: bool, model: str
) -> dict[str, Any]:
    """Return what a run keeps of the request, for whoever asks for its response later."""
    echoed = {name: given[name] for name in ECHOED if given.get(name) is not None}
    if "tools" in echoed:
        echoed["tools"] = [{**FUNCTION, **tool} for tool in echoed["tools"]]
    return {"echoed": echoed, "input": list(items), "background": background, "model": model}


def resource(run: RunRecord, part: int, status: str, output: Sequence[Any], **known: Any) -> dict[str, Any]:
    """Return the response that a part of a run is.

    `known` is what there is of `usage`, `error`, `incomplete_details` and `completed_at`.
    """
    asked = run.client[ASKED]
    return {
        "id": identifier(run.id, part),
        "object": "response",
        "created_at": int(run.created_at),
        "completed_at": None,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": asked["model"],
        "output": list(output),
        "usage": None,
        "background": asked["background"],
        "store": run.thread_id is not None,
        "conversation": {"id": run.thread_id} if run.thread_id else None,
        **DEFAULTS,
        **asked["echoed"],
        **({"previous_response_id": identifier(run.id, part - 1)} if part else {}),
        **known,
    }


def usage_of(usage: Mapping[str, int]) -> dict[str, Any]:
    """Return what an answer used. The run log knows no parts of it."""
    return {
        "input_tokens": usage["input_tokens"],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": usage["output_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
    }
