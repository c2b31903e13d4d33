"""What may name a tenant or a user, wherever the name comes from."""

MAX_LENGTH = 255


def identifier(value: object) -> str:
    """Return `value` when it is 1 to 255 printable characters, else raise ValueError.

    Control characters would forge log lines, lone surrogates cannot be encoded, and what is invisible
    makes two names look like one.
    """
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LENGTH or not value.isprintable():
        raise ValueError(f"a name needs 1 to {MAX_LENGTH} printable characters")
    return value
