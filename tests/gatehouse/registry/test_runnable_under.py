"""Whose a path is: that decides who is refused there."""

import pytest

from gatehouse.registry.offered import runnable_under

NAMES = ["chat", "team", "team/chat"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/chat", "chat"),
        ("/chat/invoke", "chat"),
        ("/chatter/invoke", None),
        ("/chat-2/c/abc/invoke", None),
        ("/team/invoke", "team"),
        ("/team/chat/invoke", "team/chat"),
        ("/team/chatter", "team"),
        ("/api/chat", None),
        ("/", None),
    ],
)
@pytest.mark.parametrize("names", [NAMES, NAMES[::-1]])
def test_is_the_longest_name_that_is_whole(path: str, name: str | None, names: list[str]) -> None:
    assert runnable_under(path, names) == name
