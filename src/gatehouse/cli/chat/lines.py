"""Text as lines of a terminal: by its cells, which are not its characters."""

import re
import unicodedata
from collections.abc import Iterator

from rich.cells import cell_len

# a line may be broken after white space, and around each character of scripts that are written without it
PIECES = re.compile(
    r"[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]\s*"
    r"|[^\s\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]+\s*"
    r"|\s+"
)
TAB = "    "
FIRST_PRINTABLE = 0x20
PICTURES = 0x2400  # of the control characters before it, in their order


def harmless(text: str) -> str:
    """Return text that a terminal shows and does not obey: a model or a tool may say escape sequences."""
    text = text.replace("\r\n", "\n").replace("\r", "").replace("\t", TAB)
    return "".join(shown(character) for character in text)


def shown(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in ("Cc", "Cs"):
        return character
    code = ord(character)
    return chr(PICTURES + code) if code < FIRST_PRINTABLE else "\N{REPLACEMENT CHARACTER}"


def filled(text: str, width: int) -> Iterator[str]:
    """Yield the lines of one paragraph, together equal to `text`. More text changes the last line only.

    A line has at most `width` cells, but for white space at its end.
    """
    line = ""
    for piece in PIECES.findall(text):
        if cell_len((line + piece).rstrip()) <= width:
            line += piece
            continue
        if line:
            yield line
        word = piece.rstrip()
        *full, line = chopped(word, width)
        yield from full
        line += piece[len(word) :]
    yield line


def chopped(word: str, width: int) -> Iterator[str]:
    """Yield the parts of a word that is wider than the line, together equal to it."""
    part = ""
    for character in word:  # rich's chop_cells loses combining characters at the beginning
        if cell_len(part + character) > width:
            yield part
            part = ""
        part += character
    yield part


def shortened(line: str, width: int) -> str:
    """Return a line that is cut, and ends with `…`, where it has more cells than `width`."""
    return line if cell_len(line) <= width else f"{next(chopped(line, width - 1))}…"


def fitting(parts: list[str], width: int, between: str = " · ") -> str:
    """Return as many of the parts, from the first on, as fit; the first is cut where it does not."""
    line = ""
    for part in parts:
        longer = f"{line}{between}{part}" if line else part
        if cell_len(longer) > width:
            break
        line = longer
    return line or shortened(parts[0], width)
