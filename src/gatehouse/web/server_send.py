"""The server's own `send`, for the parts of a stream.

The layers around the routes look at how a response begins: they add header fields, charge for it, or put
another response in its place. A part of a stream means nothing to them, and passed nine coroutines on its
way. So who streams sends the message that begins the response with a ServerSend in it. Where that message
arrives outside of our layers it is handed the `send` that is there; when a layer has sent another response
instead, it is not, and parts go the way of that response.
"""

from starlette.types import Message, Send

KEY = "gatehouse.server_send"


class ServerSend:
    """Sends the parts of one stream: through the layers, until its beginning has passed them all."""

    def __init__(self, send: Send) -> None:
        self.send = send

    def begins(self, message: Message) -> Message:
        """Return the message that begins the response, so that the outermost layer finds this in it."""
        return {**message, KEY: self}


def hand_over(message: Message, send: Send) -> None:
    """Give the server's `send` to the stream that a message begins, if it does."""
    stream: ServerSend | None = message.pop(KEY, None)
    if stream is not None:
        stream.send = send
