"""Typed server-sent events that are read on after a drop; all it needs is httpx2.

GATEHOUSE_API_KEY=… python examples/python/resuming.py "What is a bond?"
"""

import os
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2

URL = os.environ.get("GATEHOUSE_URL", "http://127.0.0.1:8000")
ATTEMPTS = 10  # without any news: about a minute
PASSING = {429, 502, 503, 504}  # a run that goes on is worth asking for again


def events(client: httpx2.Client, question: str) -> Iterator[dict[str, Any]]:
    """Yield the run's events, each once, up to `end`. Raises HTTPStatusError when the server refuses."""
    start = {"method": "POST", "url": "/api/chat/stream", "json": {"query": question},
             "headers": {"idempotency-key": str(uuid.uuid4())}}  # fmt: skip
    request, run_id, last_id, attempt = start, None, "-1", 0
    while attempt < ATTEMPTS:
        with suppress(httpx2.TransportError), client.sse(**request) as source:  # broken: as without `end`
            if not (source.response.status_code in PASSING and run_id):
                source.response.raise_for_status()
            run_id = source.response.headers.get("x-run-id", run_id)
            for event in source:
                if not event.data or event.id == last_id:
                    continue  # no event: `retry`, or half a frame of a connection that broke
                last_id, attempt = event.id, 0
                yield event.json()
                if event.event == "end":
                    return
        join = {"url": f"/api/runs/{run_id}/stream", "headers": {"last-event-id": last_id}}
        request = join if run_id else start
        time.sleep(min(0.5 * 2**attempt, 10))
        attempt += 1
    raise SystemExit("The connection was lost, and not found again.")


def main(question: str, headers: dict[str, str]) -> None:
    with httpx2.Client(base_url=URL, headers=headers, timeout=45) as client:  # three heartbeats
        for event in events(client, question):
            if event["type"] in {"restart", "gap"}:
                print("\n[the text above is void]\n" + event.get("text", ""), end="")
            elif event["type"] in {"token", "error"}:
                print(event["content"], end="", flush=True)
    print()


if __name__ == "__main__":
    try:
        main(sys.argv[1], {"x-api-key": os.environ["GATEHOUSE_API_KEY"]})
    except BrokenPipeError:  # nobody reads on: `| head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
