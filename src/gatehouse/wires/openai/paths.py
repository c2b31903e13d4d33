"""The operations of OpenAI's wires, as the layers around all routes have to know them."""

from gatehouse.web.paths import Paths

PREFIX = "/v1/"
STARTS = frozenset({("POST", "/v1/chat/completions"), ("POST", "/v1/responses")})

PATHS = Paths(starts=STARTS, streams=STARTS | {("GET", "/v1/responses/{response_id}")})
