"""Writes `.env.example`: `.venv/bin/python -m gatehouse.cli.env_example > .env.example`."""

import textwrap
from collections.abc import Iterator
from typing import Any

from gatehouse.settings import Settings
from gatehouse.settings.settings import variable

HEAD = """\
# Every setting of Gatehouse, with its default. Copy this file to .env and uncomment what you change;
# the environment stands above it. Written by src/gatehouse/cli/env_example.py.
"""
WIDTH = 108


def env_example() -> str:
    """Return the text of `.env.example`."""
    return "\n".join([HEAD, *entries()])


def entries() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        description = textwrap.fill(
            f"{field.description}", WIDTH, initial_indent="# ", subsequent_indent="# "
        )
        yield f"{description}\n# {variable(name)}={written(field.default)}\n"


def written(default: Any) -> str:
    """Return a default as it is written in the environment; what has none is empty."""
    if default is None or default == {}:
        return ""
    return ",".join(default) if isinstance(default, tuple) else str(default)


if __name__ == "__main__":
    print(env_example(), end="")
