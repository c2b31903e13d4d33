"""What servers send that is in no API's documentation: reports of people who met it, in our own words."""

import json
from typing import Any

from provider_wires import (
    CALLED,
    GEMINI_CALL,
    OPENING,
    ROI,
    SPOKEN,
    STOP,
    USED,
    WORDS,
    Json,
    Peculiarity,
    anthropic,
    closing,
    delta,
    events,
    litellm,
    llama,
    mistral,
    named,
    of,
    ollama,
    ollamas,
    openai,
    openrouters,
    piece,
    refused,
    responded,
    responses,
    said,
    used,
    vllm,
)

proxy, groq, moonshot = of("a proxy, or a server of one's own"), of("Groq"), of("Moonshot")
HELLO = events(said("Hello"), STOP)
FINE = "Hello · stop · estimated"
CALL = 'stop · estimated · roi({"a": 1})'
JSON: Json = {"kind": "application/json"}


def reported(counts: Any) -> str:
    return events(said("Hello"), STOP, {**delta(), "choices": [], "usage": counts})


def completion(message: Json, finish: str | None = "stop", counts: Any = None) -> str:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps(
        {"id": "1", "object": "chat.completion", "model": "m-1", "choices": [choice], "usage": counts}
    )


def calling(call: Any) -> Json:
    return delta({"tool_calls": call})


def failing(kind: str) -> str:
    return named(OPENING, *SPOKEN, {"type": "error", "error": {"type": kind, "message": "?"}})


COUNTS: Json = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
COMPLETION = completion({"role": "assistant", "content": "Hello"}, counts=COUNTS)
SAID_OF_LENGTH = {
    "Zhipu": "Prompt exceeds max length",
    "Moonshot": "Your request exceeded model token limit: 8192",
    "Perplexity": "Requested 20000 tokens exceeds the maximum of 16384",
    "Cerebras": "Current length is 9000 while limit is 8192",
    "Vertex": "the input token count is 40000 but model only supports up to 32768",
    "TGI": "`inputs` must have less than 1024 tokens. Given: 2000",
}
STATUSES = {
    402: "model-rate-limited", 405: "model-misconfigured", 407: "model-misconfigured", 408: "model-unavailable",
    413: "input-too-long", 424: "model-unavailable", 451: "run-failed", 498: "model-rate-limited",
    499: "model-unavailable", 529: "model-unavailable",
}  # fmt: skip

ODDITIES: list[Peculiarity] = [
    # framing
    proxy("lines that end in CR alone, with names and numbers of events",
          HELLO.replace("data:", "event: message\nid: 1\ndata:").replace("\n", "\r"), FINE),
    proxy("words after the end mark", events(said("Hel"), "[DONE]", said("lo"), STOP), "model-cut-off"),
    proxy("a frame that is cut off, and a connection that ends well", HELLO[:-60], "model-cut-off"),
    proxy("text that is no UTF-8", HELLO.replace("Hello", "Hell\udcff"), "model-said-nothing"),
    proxy("a whole answer where a stream was asked for", COMPLETION, "Hello · stop · 5+2", **JSON),
    proxy("a whole answer as the only event", events(COMPLETION), "Hello · stop · 5+2"),
    proxy("a stream where a whole answer was asked for", HELLO, "model-said-nothing", whole=True),
    # choices
    proxy("choices that are null, or hold a null", events(said("Hel"), {**delta(), "choices": None}, {**delta(), "choices": [None]}, said("lo"), STOP), FINE),
    proxy("a second answer beside the first", events(
        {**delta(), "choices": [{"index": 1, "delta": {"content": "Or not"}, "finish_reason": None}]}, said("Hello"), STOP,
    ), FINE),
    proxy("the user's role", events(delta({"role": "user", "content": "Hello"}), STOP), FINE),
    proxy("no role, in a whole answer", completion({"content": "Hello"}), FINE, whole=True, **JSON),
    proxy("content in an object, and in a list with a null", events(said({"text": "Hel"}), said([None, {"type": "text", "text": "lo"}]), STOP), FINE),
    # ends
    proxy("`null` as a word, with every chunk", events(said("Hel", "null"), said("lo", "null"), STOP), FINE),
    proxy("`null` as a word, and nothing else", events(said("Hel", "null")), "model-cut-off"),
    proxy("a stop of its own after the length", events(said("Hel"), delta({}, "length"), STOP), "Hel · length · estimated"),
    proxy("a stop of its own after the filter", events(said("Hel"), delta({}, "content_filter"), STOP), "content-filtered"),
    proxy("a word that nobody knows", events(said("Hello", "weird")), "Hello · weird · estimated"),
    proxy("tool calls as its end, and none", events(CALLED), "model-said-nothing"),
    # errors
    proxy("a name that it does not know, in the middle", events(said("Hel"), {"detail": "boom"}), "model-unavailable"),
    proxy("an error without a name, as a success", json.dumps({"code": 500, "msg": "boom"}), "model-unavailable", **JSON),
    proxy("a key that is not taken, as a success", json.dumps({"error": {"code": 401, "message": "?"}}), "model-misconfigured", **JSON),
    proxy("no error, in the field for it", events(said("Hello", error=None), {**STOP, "error": {}}), FINE),
    vllm("an error in the middle of a stream", events(said("Hel"), {"object": "error", "message": "?", "code": 400}), "run-failed"),
    *(proxy(f"status {status}", refused(status, "?"), told, status=status, **JSON) for status, told in STATUSES.items()),
    *(of(name)("too long, in words of its own", refused(400, words), "input-too-long", status=400, **JSON) for name, words in SAID_OF_LENGTH.items()),
    openrouters("a moderation's refusal, as a 403", refused(403, "Your input was flagged"), "content-filtered", status=403, **JSON),
    # tool calls
    proxy("a call that is null, and an id that is a number", events(calling([None]), piece(ROI, 5, "roi", index=0), CALLED), CALL),
    proxy("a call outside of a list", events(calling({"id": "c1", "function": {"name": "roi", "arguments": ROI}}), CALLED), CALL),
    proxy("the index with the first piece alone", events(piece('{"a"', "c1", "roi", index=0), piece(": 1}"), CALLED), CALL),
    proxy("the whole call again after its pieces", events(
        piece('{"a"', "c1", "roi", index=0), piece(": 1}", index=0), piece(ROI, "c1", "roi", index=0), CALLED,
    ), CALL),
    proxy("two whole calls under one index, without ids", events(piece(ROI, None, "roi", index=0), piece(ROI, None, "cagr", index=0), CALLED),
          'stop · estimated · roi({"a": 1}), cagr({"a": 1})'),
    proxy("pieces of two calls in turn", events(
        piece('{"a"', "c1", "roi", index=0), piece('{"a"', "c2", "cagr", index=1), piece(": 1}", index=0), piece(": 2}", index=1), CALLED,
    ), 'stop · estimated · roi({"a": 1}), cagr({"a": 2})'),
    proxy("blanks around a tool's name", events(piece(ROI, "c1", " roi\n", index=0), CALLED), CALL),
    *(proxy(f"arguments that are {what}", events(piece(arguments, "c1", "roi", index=0), CALLED), "model-answer-unusable")
      for what, arguments in {"cut off": '{"a": 1', "followed by more": ROI + "</tool_call>", "Python": "{'a': True}", "a list": "[1]"}.items()),
    proxy("a call without a name", events(piece(ROI, "c1", None, index=0), CALLED), "model-answer-unusable"),
    proxy("a call in a whole answer, cut at its length", completion({"content": None, "tool_calls": [GEMINI_CALL]}, "length"),
          "model-cut-off", whole=True, **JSON),
    # usage
    proxy("counts below zero", reported({name: -count for name, count in COUNTS.items()}), FINE),
    proxy("counts beyond any model", reported(dict.fromkeys(COUNTS, 10 ** 30)), FINE),
    proxy("counts with halves", reported({name: count + 0.5 for name, count in COUNTS.items()}), "Hello · stop · 5+2"),
    proxy("counts as text", reported({name: str(count) for name, count in COUNTS.items()}), "Hello · stop · 5+2"),
    proxy("counts that are no numbers", reported({**COUNTS, "prompt_tokens": float("nan")}), FINE),
    proxy("details that are no counts", reported({**COUNTS, "prompt_tokens_details": "?", "completion_tokens_details": {"reasoning_tokens": -1}}), "Hello · stop · 5+2"),
    proxy("a list in place of counts, in a whole answer", completion({"content": "Hello"}, counts=[1]), FINE, whole=True, **JSON),
    litellm("counts by Anthropic's names", reported({"input_tokens": 5, "output_tokens": 2}), "Hello · stop · 5+2"),
    groq("counts beside the choices", events(said("Hello"), {**STOP, "x_groq": {"usage": COUNTS}}), "Hello · stop · 5+2"),
    moonshot("counts in the choice", events(said("Hello"), {**delta(), "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": COUNTS}]}), "Hello · stop · 5+2"),
    vllm("the counts a second time at the end", events(said("Hello"), delta({}, "stop", **used(5, 2)), {**delta(), "choices": [], **used(5, 2)}), "Hello · stop · 5+2"),
    # thoughts
    litellm("thoughts as blocks", events(delta({"thinking_blocks": [{"type": "thinking", "thinking": "Hm"}]}), said("Hello"), STOP), f"{FINE} · thought"),
    vllm("thoughts in a whole answer", completion({"content": "Hello", "reasoning": "Hm"}), f"{FINE} · thought", whole=True, **JSON),
    mistral("thoughts as blocks of the content", events(said([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]), said("Hello"), delta({"content": ""}, "stop", **used(3, 2))), "Hello · stop · 3+2 · thought"),
    llama("thoughts, and no word", events(delta({"reasoning_content": "Hm"}), STOP), "model-said-nothing"),
    # others' APIs
    *(anthropic(f"`{kind}` in the middle of a stream", failing(kind), told) for kind, told in {
        "rate_limit_error": "model-rate-limited", "authentication_error": "model-misconfigured", "request_too_large": "input-too-long",
        "invalid_request_error": "run-failed", "billing_error": "model-rate-limited", "timeout_error": "model-unavailable",
    }.items()),
    anthropic("events and blocks that are new", named(OPENING, {"type": "ping"}, {"type": "new"}, *SPOKEN, *closing("end_turn")), "Hello · stop · 25+15"),
    anthropic("a pause of its turn, with a call", named(OPENING, *USED, *closing("pause_turn")), "model-cut-off"),
    anthropic("the end of its window", named(OPENING, *SPOKEN, *closing("model_context_window_exceeded")), "Hello · length · 25+15"),
    *(responses(f"a failure, `{code}`", named(WORDS, responded("response.failed", status="failed", error={"code": code, "message": "?"})), told)
      for code, told in {"rate_limit_exceeded": "model-rate-limited", "context_length_exceeded": "input-too-long", "server_error": "model-unavailable"}.items()),
    responses("the filter", named(WORDS, responded("response.incomplete", status="incomplete", incomplete_details={"reason": "content_filter"})), "content-filtered"),
    ollamas("an end without a reason, as older ones have it", json.dumps(ollama("Hello")) + "\n" + json.dumps(ollama(done=True)) + "\n", FINE),
    ollamas("a line that is cut off", json.dumps(ollama("Hel")) + '\n{"model"', "model-said-nothing"),
    openai("a stop after words that came with it", events(said("Hel", "stop"), said("lo"), STOP), FINE),
]  # fmt: skip
