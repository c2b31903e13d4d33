"""The security headers of every response."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

STRICT_CSP = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# LangServe's playground evaluates code and styles itself inline; no other page may.
PLAYGROUND_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class SecurityHeaders:
    """Adds the security headers, with the one exception in the policy that LangServe's playground needs."""

    def __init__(self, app: ASGIApp, playgrounds: tuple[str, ...], https: bool) -> None:
        self.app = app
        self.playgrounds = playgrounds
        always = {
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "x-frame-options": "DENY",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=()",
            **({"strict-transport-security": "max-age=31536000; includeSubDomains"} if https else {}),
        }
        self.strict = fields_of({**always, "content-security-policy": STRICT_CSP})
        self.lenient = fields_of({**always, "content-security-policy": PLAYGROUND_CSP})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wanted = self.lenient if scope["path"].startswith(self.playgrounds) else self.strict

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                message["headers"] = [*headers, *(field for field in wanted if field[0] not in present)]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def fields_of(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return header fields as ASGI has them."""
    return tuple((name.encode(), value.encode()) for name, value in headers.items())
