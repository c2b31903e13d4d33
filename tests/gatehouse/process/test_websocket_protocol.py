"""Frames that are written without `websockets` are those that it writes."""

import pytest
from websockets.frames import Frame, Opcode

from gatehouse.process.websocket_protocol import text_frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_text_frame_is_that_of_websockets(size: int) -> None:
    text = b"x" * size
    assert text_frame(text) == Frame(Opcode.TEXT, text).serialize(mask=False)
