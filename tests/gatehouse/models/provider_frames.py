"""How servers and proxies frame streams of OpenAI's API, and what else they put into them: reports, in our own words."""

import json
from typing import Any

from provider_wires import (
    CALLED,
    OPENING,
    ROI,
    SPOKEN,
    STOP,
    Json,
    Peculiarity,
    anthropic,
    closing,
    delta,
    events,
    lines,
    litellm,
    llama,
    of,
    ollama,
    ollamas,
    openrouter,
    over,
    piece,
    refused,
    said,
    used,
    vllm,
)

proxy, tgi, azure = of("a proxy, or a server of one's own"), of("TGI"), of("OpenAI, Azure")
HELLO = events(said("Hel"), said("lo"), STOP)
CLOSED = events(said("Hel"), said("lo"), STOP, done=False)
FINE = "Hello · stop · estimated"
CALL = 'stop · estimated · roi({"a": 1})'
JSON: Json = {"kind": "application/json"}


def whole(message: Json, finish: str = "stop", **more: Any) -> str:
    """Return a whole answer with what else is in its choice."""
    choice = {"index": 0, "message": message, "finish_reason": finish, **more}
    return json.dumps({"id": "1", "object": "chat.completion", "model": "m-1", "choices": [choice]})


def told_by(reason: str, *blocks: Json) -> str:
    """Return a whole answer of Anthropic's API."""
    about = {"id": "m", "type": "message", "role": "assistant", "model": "m-1", "stop_reason": reason}
    return json.dumps({**about, "content": blocks, "usage": {"input_tokens": 5, "output_tokens": 2}})


BEFORE = {
    "a byte order mark": "\ufeff",
    "an event without data": "data:\n\n",
    "an event of null": "data: null\n\n",
    "a time to wait, as an event": "retry: 3000\n\n",
    "a number alone, and blank lines": "id: 1\n\n\n",
    "a sign of life by name": "event: ping\n\n",
    "a sign of life in words": "event: keepalive\ndata: ping\n\n",
}
ENDS = {
    "an end mark between blanks": "data:  [DONE] \n\n",
    "an end mark in small letters": "data: [done]\n\n",
    "an end mark as JSON": 'data: "[DONE]"\n\n',
    "no end mark, and an open last event": "",
}
TEXT = {"type": "text", "text": "Hello"}
ANSWER = {"role": "assistant", "content": "Hello"}
REFUSAL = [{"type": "refusal", "refusal": "No."}]
IMPOSSIBLE = {"prompt_tokens": 5, "completion_tokens": 5_000_000, "total_tokens": 5_000_005}

FRAMES: list[Peculiarity] = [
    *(proxy(f"{what}, first", before + HELLO, FINE) for what, before in BEFORE.items()),
    *(proxy(what, CLOSED[: None if end else -2] + end, FINE) for what, end in ENDS.items()),
    proxy("lines of JSON in place of events", lines(said("Hel"), said("lo"), STOP), FINE),
    proxy("a whole answer without a type", json.dumps(json.loads(whole(ANSWER)), indent=1), FINE, kind="text/plain"),
    proxy("an event that is named an error, in words", events(said("Hel"), done=False) + "event: error\ndata: boom\n\n", "model-unavailable"),
    tgi("an error in a field of its own", events(said("Hel"), done=False) + 'error: {"message": "boom"}\n\n', "model-unavailable"),
    proxy("an error as a bare line at the end", events(said("Hel"), done=False) + refused(429, "slow"), "model-rate-limited"),
    # choices
    proxy("content as the Responses API has it", events(said([{"type": "output_text", "text": "Hello"}]), STOP), FINE),
    proxy("a refusal among the blocks of the content", events(said(REFUSAL), STOP), "No. · refusal · estimated"),
    proxy("a refusal among the blocks of a whole answer", whole({"content": REFUSAL}), "No. · refusal · estimated", whole=True, **JSON),
    openrouter("a refusal in place of content", events(delta({"content": None, "refusal": "No."}), STOP), "No. · refusal · estimated"),
    proxy("text beside the message, as completions have it", events({**delta(), "choices": [{"text": "Hello", "finish_reason": "stop"}]}), FINE),
    proxy("an index in quotes", events({**delta(), "choices": [{"index": "0", "delta": {"content": "Hello"}}]}, STOP), FINE),
    proxy("the second answer before the first, whole", json.dumps({**json.loads(whole(ANSWER)), "choices": [
        {"index": 1, "message": {"content": "Or not"}, "finish_reason": "length"}, {"index": 0, "message": ANSWER, "finish_reason": "stop"},
    ]}), FINE, whole=True, **JSON),
    *(vllm(f"the model's own last token, `{token}`", events(said("Hello", token)), FINE) for token in ("</s>", "<|im_end|>", "<|eot_id|>")),
    # tool calls
    azure("a call by its old name", events(delta({"function_call": {"name": "roi", "arguments": ""}}), delta({"function_call": {"arguments": ROI}}), delta({}, "function_call")), CALL),
    proxy("all arguments so far, with every piece", events(*(piece(ROI[:end], "c1", "roi", index=0) for end in (4, 6, 8)), CALLED), CALL),
    litellm("an empty object, and then the arguments", events(piece("{}", "c1", "roi", index=0), piece(ROI, index=0), CALLED), CALL),
    # usage
    proxy("five million tokens for a word", events(said("Hello"), STOP, {**delta(), "choices": [], "usage": IMPOSSIBLE}), FINE),
    proxy("the input again with every chunk, and then less", events(said("Hel", **used(5, 1)), said("lo", **used(5, 2)), delta({}, "stop", **used(4, 2))), "Hello · stop · 5+2"),
    # thoughts
    vllm("thoughts between tags", events(said("\n<thi"), said("nk>Hm</th"), said("ink>\n\n"), said("Hello"), STOP), f"{FINE} · thought"),
    llama("thoughts between tags, whole", whole({"content": "<think>Hm</think>Hello"}), f"{FINE} · thought", whole=True, **JSON),
    llama("thoughts between tags that do not end", events(said("<think>Hm"), STOP), "model-said-nothing"),
    ollamas("thoughts between tags", lines(ollama("<think>Hm</think>"), ollama("Hello"), over("stop")), "Hello · stop · 7+3 · thought"),
    proxy("text that begins as a tag does", events(said("<th"), said("ead>"), STOP), "<thead> · stop · estimated"),
    # whole answers of Anthropic's
    anthropic("a whole answer", told_by("end_turn", TEXT), "Hello · stop · 5+2", whole=True, **JSON),
    anthropic("a whole answer that is cut at its length", told_by("max_tokens", TEXT), "Hello · length · 5+2", whole=True, **JSON),
    anthropic("a whole call that is cut at its length", told_by("max_tokens", {"type": "tool_use", "id": "t", "name": "roi", "input": {"a": 1}}), "model-cut-off", whole=True, **JSON),
    anthropic("events without their names", "".join(f"data: {json.dumps(one)}\n\n" for one in (OPENING, *SPOKEN, *closing("end_turn"))), "model-said-nothing"),
    # errors
    of("Qwen")("a filtered prompt", json.dumps({"error": {"code": "data_inspection_failed", "message": "?"}}), "content-filtered", status=400, **JSON),
    of("Zhipu")("a filtered prompt", json.dumps({"error": {"code": "1301", "message": "?"}}), "content-filtered", status=400, **JSON),
    of("DeepSeek")("a filtered prompt", refused(400, "Content Exists Risk"), "content-filtered", status=400, **JSON),
    of("MiniMax")("too long, with a success", json.dumps({"choices": None, "base_resp": {"status_code": 1039, "status_msg": "tokens limit exceeded"}}), "input-too-long", **JSON),
    of("NVIDIA")("too long, in words of its own", json.dumps({"detail": "prompt is 5000 tokens long, which exceeds the limit of 4096"}), "input-too-long", status=422, **JSON),
    litellm("a key that is not taken, as a 500", refused(401, "AuthenticationError"), "model-misconfigured", status=500, **JSON),
]  # fmt: skip
