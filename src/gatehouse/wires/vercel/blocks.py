"""What an answer holds beside its text, as parts of a message: files, sources, and what is no message."""

from collections.abc import Iterator, Mapping
from typing import Any

Block = Mapping[str, Any]
Chunk = dict[str, Any]

FILES = ("image", "audio", "video", "file")
MEDIA_TYPES = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4"}  # where a block names none


def parts_of(at: str, complete: Mapping[str, Any]) -> Iterator[Chunk]:
    """Yield the parts of a complete answer that were not streamed; `at` begins their ids."""
    message = complete.get("message") or {}
    for number, block in enumerate(message.get("content") or ()):
        if block.get("type") in FILES:
            yield from file_of(block)
        for place, source in enumerate(block.get("annotations") or ()):
            yield from source_of(f"{at}.{number}.{place}", source)
    if complete.get("value") is not None:
        yield {"type": "data-value", "id": at, "data": complete["value"]}


def file_of(block: Block) -> Iterator[Chunk]:
    """Yield the part that a file is, if it has an address or its content is there."""
    media_type = block.get("mime_type") or MEDIA_TYPES.get(block["type"], "application/octet-stream")
    url = block.get("url")
    if not url and block.get("base64"):
        url = f"data:{media_type};base64,{block['base64']}"
    if url:
        yield {"type": "file", "url": url, "mediaType": media_type}


def source_of(identifier: str, source: Block) -> Iterator[Chunk]:
    """Yield the part that a citation is: a page, or a document by its title."""
    if source.get("type") != "citation":
        return
    title, url = source.get("title"), source.get("url")
    if url:
        named = {"title": title} if title else {}
        yield {"type": "source-url", "sourceId": identifier, "url": url, **named}
    elif title:
        yield {"type": "source-document", "sourceId": identifier, "mediaType": "text/plain", "title": title}
