"""What a file is, by its content."""

import pytest

from gatehouse.attachments.media_types import media_type_of


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"GIF89a\x01\x00", "image/gif"),
        (b"GIF87a\x01\x00", "image/gif"),
        (b"RIFF\x0a\x0a\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"OggS\x00\x02", "audio/ogg"),
        (b"fLaC\x00", "audio/flac"),
        (b"\x00\x00\x00\x20ftypM4A ", "audio/mp4"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01webm", "audio/webm"),
        (b"%PDF-1.7\n%\xe2\xe3", "application/pdf"),
        (b"Dear bank,\r\n\tI have a question.\n", "text/plain"),
        ("債券 🙂".encode(), "text/plain"),
        (b"<!doctype html><script>alert(1)</script>", "text/plain"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "text/plain"),
        (b"", None),
        (b"MZ\x90\x00\x03", None),
        (b"\x7fELF\x02\x01", None),
        (b"PK\x03\x04\x14\x00", None),
        (b"abc\x00def", None),
        (b"\xff\xfeh\x00i\x00", None),
        (b"caf\xe9", None),
        (b"RIFF\x00\x00\x00\x00AVI ", None),
        (b"x\x89PNG\r\n\x1a\n", None),
    ],
)
def test_is_told_by_the_signature(content: bytes, expected: str | None) -> None:
    assert media_type_of(content) == expected
