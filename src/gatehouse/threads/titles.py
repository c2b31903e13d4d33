"""A thread's title, when nobody gave it one."""

LENGTH = 80


def title_of(text: str) -> str:
    """Return the first line that says something, at most 80 characters long, cut at the end of a word."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    folded = " ".join(line.split())
    if len(folded) <= LENGTH:
        return folded
    words = folded[:LENGTH].rpartition(" ")[0]
    # a long link after a short word, or a language without spaces: there is no good end of a word
    kept = words if len(words) > LENGTH // 2 else folded[: LENGTH - 1]
    return f"{kept}…"
