"""What names a file in a client's message: its content, or an address on the web, and no file of the server."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from gatehouse.problems.errors import InvalidInput
from gatehouse.registry.media import check_files

PNG, JPEG = "iVBORw0KGgo=", "/9j/4AAQSkZJRgABAQAAAQABAAD/"
ZERO = "////dev/zero"  # a path, and base64


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": {"url": "/dev/zero"}},
        {"type": "image_url", "image_url": "/dev/zero"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{ZERO}"}},
        {"type": "image_url", "image_url": {"url": "data:,/dev/zero"}},
        {"type": "image", "base64": ZERO, "mime_type": "image/png"},
        {"type": "image", "base64": "Makefile"},
        {"type": "image", "source_type": "base64", "data": ZERO},
        {"type": "image", "source": {"type": "base64", "data": ZERO}},
        {"type": "image", "base64": f"{PNG},/dev/zero"[:13]},
        {"type": "image", "url": "file:///etc/passwd"},
        {"type": "image", "path": "/etc/passwd"},
        {"type": "file", "url": "/etc/passwd"},
        {"type": "file", "file": {"file_url": "ftp://inside/a"}},
        {"type": "file", "file_id": "gs://bucket/a"},
        {"type": "media", "file_uri": "gs://bucket/a", "mime_type": "image/png"},
    ],
    ids=str,
)
def test_that_could_be_a_file_of_the_server_is_refused(block: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        check_files(HumanMessage([block]))


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "/dev/zero"},
        {"type": "image", "base64": PNG, "mime_type": "image/png"},
        {"type": "image", "base64": JPEG},
        {"type": "image", "base64": "AAAAHGZ0eXBhdmlmAAAAAGF2aWZtaWYx"},
        {
            "type": "image_url",
            "image_url": {"url": f"data:image/png;charset=x;base64,{PNG}", "detail": "low"},
        },
        {"type": "image_url", "image_url": "HTTPS://files.example/a,b.png"},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "/a.pdf"}},
        {"type": "file", "file_id": "file-1"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "pcm16"}},
        {"type": "tool_use", "id": "t", "name": "open", "input": {"path": "/etc/passwd", "url": "x"}},
    ],
    ids=str,
)
def test_that_is_content_or_on_the_web_is_taken(block: dict[str, Any]) -> None:
    check_files(HumanMessage(["said", block]))
