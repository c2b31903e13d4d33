"""Files in a client's messages: each is its own content, or an address on the web.

Packages of providers open what a message names: Ollama's reads an image that is the path of a file, and takes
for one what stands after a comma, or for base64 what is both.
"""

import base64
import binascii
import re

from langchain_core.messages import BaseMessage

from gatehouse.attachments.media_types import RASTER_IMAGES, media_type_of
from gatehouse.models.addresses import file_blocks, is_address, texts_in
from gatehouse.problems.errors import InvalidInput

NO_FILE = "A file is its content in base64, or an address that begins with https:// or http://."
NO_IMAGE = "An image is the content of one, in base64."

IMAGES = frozenset({"image", "image_url", "input_image"})  # types of blocks
ADDRESSES = frozenset({"url", "image_url", "video_url", "audio_url", "file_url", "file_uri", "uri"})
CONTENTS = frozenset({"base64", "data", "file_data"})
PATHS = frozenset({"path", "file_path"})
NAMES = frozenset({"id", "file_id"})  # of files that a provider keeps
DATA = re.compile(r"data:[^,;]*(?:;[^,;]*)*?;base64,", re.IGNORECASE)
BEGINNING = 64  # characters in which a kind of image is known
# beside those that attachments may be: BMP, TIFF, and HEIF with AVIF (ISO/IEC 23008-12)
FURTHER_IMAGES = re.compile(
    rb"BM|II\*\x00|MM\x00\*|....ftyp(?:avi[fs]|hei[cms]|heix|hev[cx]|mif1|msf1)", re.DOTALL
)


def check_files(message: BaseMessage) -> None:
    """Raise InvalidInput for a file that is neither its content nor on the web."""
    for block in file_blocks(message):
        for name, text in texts_in(block):
            check(name, text, image=block.get("type") in IMAGES)


def check(name: str, text: str, *, image: bool) -> None:
    """Raise InvalidInput for a text of a block that names a file of this machine, or could."""
    if name in PATHS or (name in NAMES and "://" in text):
        raise InvalidInput(NO_FILE)
    if name in ADDRESSES and is_address(text):
        return
    data = DATA.match(text)
    if name in ADDRESSES and not data:
        raise InvalidInput(NO_FILE)
    if name in ADDRESSES | CONTENTS and image and not is_image(text[data.end() :] if data else text):
        raise InvalidInput(NO_IMAGE)


def is_image(text: str) -> bool:
    """Tell whether a text is the base64 of an image, by how that begins."""
    try:
        content = base64.b64decode(text[:BEGINNING], validate=True)
    except (binascii.Error, ValueError):
        return False
    return media_type_of(content) in RASTER_IMAGES or FURTHER_IMAGES.match(content) is not None
