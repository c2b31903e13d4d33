"""The UI stream's operations, as the layers around all routes have to know them."""

from gatehouse.web.paths import Paths

PREFIX = "/api/ui"
CHAT = ("POST", PREFIX + "/{entry:path}/chat")
RESUME = ("GET", PREFIX + "/{entry:path}/chat/{chat}/stream")

PATHS = Paths(starts=frozenset({CHAT}), streams=frozenset({CHAT, RESUME}))
