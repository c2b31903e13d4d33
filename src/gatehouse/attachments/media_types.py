"""What a file is, by its content: neither its name nor what its sender says of it counts.

The signatures are those of the WHATWG's MIME Sniffing standard (sections 6.1 and 6.2) and of the formats'
own specifications.
"""

import re

# At the file's beginning; `....` is a size, which may be anything
SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "audio/wav"),
    (re.compile(rb"ID3|\xff[\xfb\xf3\xf2]"), "audio/mpeg"),
    (re.compile(rb"OggS\x00"), "audio/ogg"),
    (re.compile(rb"fLaC"), "audio/flac"),
    (re.compile(rb"....ftypM4A", re.DOTALL), "audio/mp4"),
    (re.compile(rb"\x1aE\xdf\xa3.{0,64}webm", re.DOTALL), "audio/webm"),  # what a browser's recorder makes
    (re.compile(rb"%PDF-"), "application/pdf"),
)
TEXT = "text/plain"
# What a browser may show in place of saving it: it decodes pixels, and runs nothing
RASTER_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")  # no text has them (section 7.2)


def media_type_of(content: bytes) -> str | None:
    """Return the media type of what a model may be shown; None for what is none of these.

    Text of any language, a page, a table or a program is `text/plain`: it is read, never run.
    """
    for signature, media_type in SIGNATURES:
        if signature.match(content):
            return media_type
    return TEXT if is_text(content) else None


def is_text(content: bytes) -> bool:
    """Tell whether the content is UTF-8 without what only binary files have."""
    if not content or BINARY.search(content):
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
