"""Whether a message is in English, by the commonest words of English and of some other languages."""

import re
import unicodedata

from gatehouse.models.embedded.text import WORDS


def is_english(text: str) -> bool:
    """Tell whether a message, without what it quotes, is in English; also where its words tell nothing."""
    text = re.sub(r"(?<!\w)['\"\u201c\u2018].+?['\"\u201d\u2019](?!\w)", "", text)
    letters = [letter for letter in text if letter.isalpha()]
    if sum("LATIN" in unicodedata.name(letter, "") for letter in letters) < len(letters) / 2:
        return False
    words: list[str] = re.findall(r"[^\W\d_]+", text)
    # a word with letters that English lacks is from elsewhere, but for names such as Nestlé
    others = sum(
        word.lower() in WORDS["elsewhere"] or (word.islower() and not word.isascii()) for word in words
    )
    return others <= sum(word.lower() in WORDS["english"] for word in words)
