"""The WebSocket's operations, as the layers around all routes have to know them."""

from gatehouse.web.paths import Paths

PATHS = Paths(streams=frozenset({("WEBSOCKET", "/ws/chat"), ("WEBSOCKET", "/ws/chat/")}))
