"""MCP's operations, as the layers around all routes have to know them."""

from gatehouse.web.paths import Paths

PATH = "/mcp"
METADATA = "/.well-known/oauth-protected-resource"

# a call starts a run; what starts none is charged when it is answered
PATHS = Paths(
    public=frozenset({("GET", METADATA), ("GET", METADATA + PATH)}),
    starts=frozenset({("POST", PATH)}),
    streams=frozenset({("POST", PATH)}),
)
