"""Files as content blocks of LangChain's standard form, which its providers' packages turn into their own."""

import base64
from typing import Any

Block = dict[str, Any]


def block_of(content: bytes, media_type: str, name: str) -> Block:
    """Return a file as a block: an image, audio, its text, or a file with its name."""
    kind = media_type.partition("/")[0]
    if kind == "text":
        return {"type": "text", "text": f"{name}:\n{content.decode('utf-8', 'replace')}"}
    data = {"base64": base64.b64encode(content).decode(), "mime_type": media_type}
    if kind in ("image", "audio"):
        return {"type": kind, **data}
    return {"type": "file", **data, "filename": name}


def with_files(content: Any, files: list[Block]) -> list[Block]:
    """Return a message's content with files after it."""
    said = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return [*said, *files]
