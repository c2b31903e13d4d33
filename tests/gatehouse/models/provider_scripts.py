"""What providers send, each in its own way, and what Gatehouse tells of it.

Written by ourselves after the providers' documentation and public reports. `python -m pytest
tests/gatehouse/models/test_providers_table.py` says whether it is so; run as a program, this module prints
docs/providers.md.
"""

import json

from provider_frames import FRAMES
from provider_oddities import ODDITIES
from provider_wires import (
    CALLED,
    FAILED,
    GEMINI_CALL,
    OPENING,
    ROI,
    SPOKEN,
    STOP,
    THOUGHT,
    TOO_LONG,
    USED,
    WORDS,
    anthropic,
    closing,
    deepseek,
    delta,
    events,
    gemini,
    lines,
    litellm,
    llama,
    mistral,
    named,
    ollama,
    ollamas,
    openai,
    openrouter,
    openrouters,
    over,
    piece,
    refused,
    responded,
    responses,
    said,
    used,
    vllm,
)

PECULIARITIES = [
    openai("the verdict on the prompt, then the role, then words", events(
        {**delta(), "choices": [], "prompt_filter_results": []}, delta({"role": "assistant", "content": ""}),
        said("Hello"), STOP, {**delta(), "choices": [], **used(5, 2)},
    ), "Hello · stop · 5+2"),
    openai("the content filter stops the answer", events(said("Hel"), delta({}, "content_filter")), "content-filtered"),
    openai("a refusal in place of content", events(delta({"refusal": "No."}), STOP), "No. · refusal · estimated"),
    openai("a call in pieces", events(
        piece("", "c1", "roi", index=0), piece('{"a"', index=0), piece(": 1}", index=0), CALLED,
    ), "stop · estimated · roi({\"a\": 1})"),
    openai("calls in parallel", events(
        piece(ROI, "c1", "roi", index=0), piece(ROI, "c2", "cagr", index=1), CALLED,
    ), "stop · estimated · roi({\"a\": 1}), cagr({\"a\": 1})"),
    openai("an answer that is cut at its length", events(said("Hel"), delta({}, "length")), "Hel · length · estimated"),
    openai("a call that is cut at its length", events(piece('{"a": 1', "c1", "roi", index=0), delta({}, "length")), "model-cut-off"),
    openai("a stream that just closes", events(said("Hel"), done=False), "model-cut-off"),
    openai("an error in the middle of a stream", events(said("Hel"), {"error": {"message": "?", "code": "server_error"}}), "model-unavailable"),
    openai("reasoning and cached tokens", events(said("Hello"), delta({}, "stop", **used(
        5, 2, prompt_tokens_details={"cached_tokens": 4}, completion_tokens_details={"reasoning_tokens": 1},
    ))), "Hello · stop · 5+2 (4 cached, 1 thought)"),
    responses("words and the end", named(WORDS, responded("response.completed")), "Hello · stop · 5+2"),
    responses("cut at its length", named(WORDS, responded(
        "response.incomplete", status="incomplete", incomplete_details={"reason": "max_output_tokens"},
    )), "Hello · length · 5+2"),
    responses("a stream that just closes", named(WORDS), "model-cut-off"),
    vllm("what was used so far with every chunk", events(
        said("Hel", **used(5, 1)), said("lo", **used(5, 2)), delta({}, "stop", **used(5, 2)),
    ), "Hello · stop · 5+2"),
    vllm("too long, in words of its own", json.dumps(FAILED), "input-too-long", kind="application/json", status=400),
    vllm("the same with a success", json.dumps(FAILED), "input-too-long", kind="application/json"),
    vllm("an abort", events(said("Hel"), delta({}, "abort")), "model-cut-off"),
    vllm("the name and the id with every piece", events(
        piece('{"a"', "c1", "roi", index=0), piece(": 1}", "c1", "roi", index=0), CALLED,
    ), "stop · estimated · roi({\"a\": 1})"),
    llama("too long", json.dumps({"error": {"code": 400, "message": "?", "type": "exceed_context_size_error"}}),
          "input-too-long", kind="application/json", status=400),
    llama("no usage at all", events(said("Hello"), STOP), "Hello · stop · estimated"),
    llama("a call without an id", events(piece(ROI, None, "roi", index=0), CALLED), "stop · estimated · roi({\"a\": 1})"),
    openrouter("comments while it waits", ": OPENROUTER PROCESSING\n\n" + events(said("Hello"), STOP), "Hello · stop · estimated"),
    openrouter("an error as the end of an answer", events({**delta(), "choices": [
        {"index": 0, "delta": {"content": ""}, "finish_reason": "error", "error": {"code": 502, "message": "?"}},
    ]}), "model-unavailable"),
    openrouter("thoughts beside the content", events(delta({"reasoning": "Hm"}), said("Hello"), STOP),
               "Hello · stop · estimated · thought"),
    openrouter("the reason in several chunks", events(said("Hel", "stop"), said("lo", "stop")), "Hello · stop · estimated"),
    deepseek("thoughts beside the content", events(delta({"reasoning_content": "Hm"}), said("Hello"), STOP),
             "Hello · stop · estimated · thought"),
    deepseek("no room on its machines", events(said("Hel"), delta({}, "insufficient_system_resource")), "model-cut-off"),
    litellm("a sign-in page", "<html>Sign in</html>", "model-said-nothing", kind="text/html"),
    litellm("an error as JSON with a success", '{"error": {"message": "?"}}', "model-unavailable", kind="application/json"),
    litellm("calls without an index, arguments as an object", events(
        piece({"a": 1}, "c1", "roi"), piece({"a": 2}, "c2", "roi"), CALLED,
    ), "stop · estimated · roi({\"a\": 1}), roi({\"a\": 2})"),
    litellm("half a character in each of two chunks", events(said("\ud83d"), said("\ude00"), STOP), "😀 · stop · estimated"),
    litellm("a call that is cut at its length, and an end that says all is well", events(
        piece('{"a": 1', "c1", "roi", index=0), CALLED,
    ), "model-answer-unusable"),
    litellm("no budget left", refused(400, "Budget has been exceeded! Current cost: 9, Max budget: 5"), "model-rate-limited", kind="application/json", status=400),
    gemini("calls without an index, with an empty id, that end with a stop", events(
        delta({"tool_calls": [GEMINI_CALL]}), delta({"tool_calls": [GEMINI_CALL]}, "stop"),
    ), "stop · estimated · roi({\"a\": 1}), roi({\"a\": 1})"),
    gemini("two whole calls under one index", events(piece(ROI, "c1", "roi", index=0), piece(ROI, "c2", "cagr", index=0), STOP),
           "stop · estimated · roi({\"a\": 1}), cagr({\"a\": 1})"),
    gemini("a filter with its reason", events(said("Hel"), delta({}, "content_filter: SAFETY")), "content-filtered"),
    gemini("a call that it could not write", events(delta({}, "function_call_filter: MALFORMED_FUNCTION_CALL")), "model-cut-off"),
    gemini("nothing, and a stop", events(delta({"role": "assistant"}, "stop")), "model-said-nothing"),
    gemini("what was written in the total alone", events(said("Hello"), delta({}, "stop", usage={"prompt_tokens": 5, "total_tokens": 9})), "Hello · stop · 5+4"),
    gemini("words, and that none were written", events(said("Hello"), delta({}, "stop", usage={"prompt_tokens": 5, "total_tokens": 5})), "Hello · stop · estimated"),
    gemini("too long, in a list", f"[{refused(400, TOO_LONG)}]", "input-too-long", kind="application/json", status=400),
    gemini("a key that it does not know, as a 400", f"[{refused(400, 'API key not valid.')}]", "model-misconfigured", kind="application/json", status=400),
    gemini("an overload in the middle of a stream", events(said("Hel"), f"[{refused(503, 'overloaded')}]"), "model-unavailable"),
    openrouters("comments while it waits", ": OPENROUTER PROCESSING\n\n" + events(
        said("Hello"), STOP, {**delta(), "choices": [], **used(5, 2)},
    ), "Hello · stop · 5+2"),
    openrouters("thoughts beside the content", events(delta({"content": "", "reasoning": "Hm"}), said("Hello"), STOP),
                "Hello · stop · estimated · thought"),
    openrouters("a call in pieces", events(
        piece("", "c1", "roi", index=0), piece('{"a"', index=0), piece(": 1}", index=0), CALLED,
    ), "stop · estimated · roi({\"a\": 1})"),
    openrouters("an error as the end of an answer", events(said("Hel"), delta({"content": ""}, "error")), "model-cut-off"),
    openrouters("a stream that just closes", events(said("Hel"), done=False), "model-cut-off"),
    openrouters("no credits", refused(402, "Insufficient credits"), "model-rate-limited", kind="application/json", status=402),
    openrouters("a sign-in page", "<html>Sign in</html>", "model-said-nothing", kind="text/html"),
    anthropic("no money left, as a 400", json.dumps({"type": "error", "error": {
        "type": "invalid_request_error", "message": "Your credit balance is too low to access the API.",
    }}), "model-rate-limited", kind="application/json", status=400),
    mistral("the end with the usage", events(said("Hello"), delta({"content": ""}, "stop", **used(3, 2))), "Hello · stop · 3+2"),
    mistral("its word for the length", events(said("Hel"), delta({"content": ""}, "model_length")), "Hel · length · estimated"),
    mistral("a whole call in the last chunk", events(delta({"content": "", "tool_calls": [
        {"id": "D681PevKs", "index": 0, "function": {"name": "roi", "arguments": ROI}},
    ]}, "tool_calls")), "stop · estimated · roi({\"a\": 1})"),
    mistral("a stream that just closes", events(said("Hel"), done=False), "model-cut-off"),
    anthropic("thoughts and text as blocks", named(OPENING, *THOUGHT, *SPOKEN, *closing("end_turn")),
              "Hello · stop · 25+15 · thought"),
    anthropic("a call as a block, in pieces", named(OPENING, *SPOKEN, *USED, *closing("tool_use")),
              "Hello · stop · 25+15 · roi({\"a\": 1})"),
    anthropic("a call that looks whole and is cut off", named(OPENING, *USED, *closing("max_tokens")), "model-cut-off"),
    anthropic("a refusal as the end", named(OPENING, *SPOKEN, *closing("refusal")), "Hello · refusal · 25+15"),
    anthropic("an overload in the middle of a stream", named(
        OPENING, *SPOKEN, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    ), "model-unavailable"),
    anthropic("a stream that just closes", named(OPENING, *SPOKEN), "model-cut-off"),
    anthropic("a sign-in page", "<html>Sign in</html>", "model-said-nothing", kind="text/html"),
    ollamas("lines of JSON", lines(ollama("Hel"), ollama("lo"), over("stop")), "Hello · stop · 7+3"),
    ollamas("cut at its length", lines(ollama("Hel"), over("length")), "Hel · length · 7+3"),
    ollamas("a call as an object", lines(ollama(message={"tool_calls": [
        {"function": {"name": "roi", "arguments": {"a": 1}}},
    ]}), over("stop")), "stop · 7+3 · roi({\"a\": 1})"),
    ollamas("a stream that just closes", lines(ollama("Hel")), "model-cut-off"),
    ollamas("a model that was only loaded", lines(over("load")), "model-said-nothing"),
    ollamas("an error in the middle of a stream", lines(ollama("Hel"), {"error": "runner stopped"}), "model-unavailable"),
    *ODDITIES,
    *FRAMES,
]  # fmt: skip

HEAD = """# Providers and their peculiarities

What providers send in ways of their own, and what every route tells of it: the text, how it ended, the tokens that were
counted (or that they are estimated), the tool calls that are made; or the problem. Each line is a test
(`tests/gatehouse/models/test_providers_table.py`); `python tests/gatehouse/models/provider_scripts.py` writes this page.

| provider | what it sends | what is told |
|---|---|---|
"""


def page() -> str:
    """Return docs/providers.md."""
    return HEAD + "".join(f"| {one.provider} | {one.what} | {one.told} |\n" for one in PECULIARITIES)


if __name__ == "__main__":
    print(page(), end="")
