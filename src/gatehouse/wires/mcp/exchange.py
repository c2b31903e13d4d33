"""One message of MCP, answered by the protocol's own server."""

import logging

from fastapi import Response
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import Message, Receive, Scope, Send

from gatehouse.web.middleware.body_limit import with_body
from gatehouse.wires.mcp.server import mcp_server

server = mcp_server()
logging.getLogger("mcp").setLevel(logging.WARNING)  # it tells of each request that it begins and ends


class Exchange(Response):
    """Lets the protocol's own server answer a request whose body was read: it is handed `body` in its place.

    A manager for each: its task group is this request's own then, with its log fields and trace, and ends
    with it.
    """

    def __init__(self, body: bytes, length: int) -> None:
        """`length` is what the request may have said that it has."""
        super().__init__()
        self._received = body
        self._length = length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_line_ends(message: Message) -> None:
            """Send with lines that end as those of all our streams do; in JSON they are escaped."""
            body = message.get("body", b"").replace(b"\r\n", b"\n")
            await send({**message, "body": body} if body else message)

        manager = StreamableHTTPSessionManager(server, stateless=True, max_request_body_size=self._length + 1)
        async with manager.run():
            await manager.asgi_app(scope, with_body(self._received, receive), with_line_ends)
