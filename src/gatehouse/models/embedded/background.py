"""The vectors of the everyday messages and tools, read once with the model and kept in a file.

Reading them takes 2 s on two idle cores, and far longer on busy ones: too long for a first request.
`python -m gatehouse.models.embedded.background` writes the file anew after a change to `examples` or to the
model.
"""

import asyncio
import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from openai import AsyncOpenAI

from gatehouse.models.embedded.meaning import BACKGROUND, BACKGROUND_TOOLS, Meaning, Vector
from gatehouse.models.embedded.server import MODEL_FILE, run_llama_server

FILE = Path(__file__).with_name("background.vectors")
PROMPTS = (*BACKGROUND, *(prompt for tool in BACKGROUND_TOOLS for prompt in tool))


class StaleBackground(Exception):
    """The file was written for other prompts or another model; the message says how to write it anew."""


def background_meaning() -> Meaning:
    """Return what compares messages and tools. Raises StaleBackground."""
    return Meaning(dict(zip(PROMPTS, _read(FILE.read_bytes()), strict=True)))


def written(vectors: Mapping[str, Vector]) -> bytes:
    """Return the file's content: a line of JSON that says what it was made from, then 16-bit floats."""
    size = len(vectors[PROMPTS[0]])
    numbers = [number for prompt in PROMPTS for number in vectors[prompt]]
    head = json.dumps({"made_from": _made_from(), "size": size})
    return head.encode() + b"\n" + struct.pack(f"<{len(numbers)}e", *numbers)


def _read(content: bytes) -> list[Sequence[float]]:
    head, _, body = content.partition(b"\n")
    facts = json.loads(head)
    if facts["made_from"] != _made_from():
        raise StaleBackground(f"{FILE} does not fit: run python -m gatehouse.models.embedded.background")
    vectors = struct.iter_unpack(f"<{facts['size']}e", body)
    return list(vectors)


def _made_from() -> str:
    return hashlib.sha256("\0".join((MODEL_FILE, *PROMPTS)).encode()).hexdigest()


async def _write() -> None:
    async with run_llama_server() as server:
        client = AsyncOpenAI(base_url=server.base_url, api_key=server.api_key)
        read = await client.embeddings.create(model=MODEL_FILE, input=list(PROMPTS))
        vectors = {prompt: item.embedding for prompt, item in zip(PROMPTS, read.data, strict=True)}
        FILE.write_bytes(written(vectors))


if __name__ == "__main__":
    asyncio.run(_write())
