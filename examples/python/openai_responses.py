"""OpenAI's own client: a response in the background, which is read on after a drop.

GATEHOUSE_API_KEY=… python examples/python/openai_responses.py "What is a bond?"
"""

import os
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
from openai import APIConnectionError, OpenAI, OpenAIError
from openai.types.responses import ResponseStreamEvent

URL = os.environ.get("GATEHOUSE_URL", "http://127.0.0.1:8000")
ATTEMPTS = 10  # without any news: about a minute


def events(client: OpenAI, question: str) -> Iterator[ResponseStreamEvent]:
    """Yield the events of the answer, each once. Raises OpenAIError when the server refuses."""
    key = {"idempotency-key": str(uuid.uuid4())}  # a question that is sent twice is answered once
    start: Any = {"model": "agent", "input": question, "background": True, "extra_headers": key}
    response_id, seen, attempt = "", -1, 0
    while attempt < ATTEMPTS:
        with suppress(httpx2.TransportError, APIConnectionError):  # the connection was lost
            stream = client.responses.create(**start, stream=True) if seen < 0 else (
                client.responses.retrieve(response_id, stream=True, starting_after=seen))  # fmt: skip
            for event in stream:
                seen, attempt = event.sequence_number, 0
                if event.type == "response.created":
                    response_id = event.response.id
                yield event
                if event.type in {"response.completed", "response.incomplete", "response.failed"}:
                    return
        time.sleep(min(0.25 * 2 ** (attempt := attempt + 1), 10))
    raise SystemExit("The connection was lost.")


def main(client: OpenAI, question: str) -> None:
    for event in events(client, question):
        if event.type == "response.output_text.delta":
            print(event.delta, end="", flush=True)
        elif event.type == "response.output_item.done" and event.item.status == "incomplete":
            print("\n[the text above is void]")  # another server begins it anew
    print()


if __name__ == "__main__":
    key = os.environ["GATEHOUSE_API_KEY"]
    try:
        main(OpenAI(base_url=f"{URL}/v1", api_key=key, max_retries=ATTEMPTS), sys.argv[1])
    except BrokenPipeError:  # nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OpenAIError as error:
        raise SystemExit(str(error)) from None
