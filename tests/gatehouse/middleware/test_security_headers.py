"""The security headers of every response."""

import pytest
from asgi_calls import client_of, fine
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from gatehouse.web.middleware.request_context import RequestContext
from gatehouse.web.middleware.security_headers import PLAYGROUND_CSP, STRICT_CSP, SecurityHeaders


class TestSecurityHeaders:
    @pytest.mark.parametrize(
        ("path", "policy"),
        [
            ("/chat/playground/", PLAYGROUND_CSP),
            ("/chat/playground/assets/index.js", PLAYGROUND_CSP),
            ("/chat/playground", STRICT_CSP),
            ("/chat/invoke", STRICT_CSP),
            ("/other/playground/", STRICT_CSP),
            ("/x/chat/playground/", STRICT_CSP),
        ],
    )
    async def test_only_a_playground_has_another_policy(self, path: str, policy: str) -> None:
        app = RequestContext(SecurityHeaders(fine, playgrounds=("/chat/playground/",), https=False))
        async with client_of(app) as client:
            assert (await client.get(path)).headers["content-security-policy"] == policy

    @pytest.mark.parametrize("https", [True, False])
    async def test_https_is_demanded_where_there_is_https(self, https: bool) -> None:
        app = RequestContext(SecurityHeaders(fine, playgrounds=(), https=https))
        async with client_of(app) as client:
            assert ("strict-transport-security" in (await client.get("/")).headers) is https

    async def test_a_page_s_own_policy_counts(self) -> None:
        async def page(scope: Scope, receive: Receive, send: Send) -> None:
            headers = {"content-security-policy": "own", "referrer-policy": "strict-origin"}
            await PlainTextResponse("x", headers=headers)(scope, receive, send)

        app = RequestContext(SecurityHeaders(page, playgrounds=(), https=False))
        async with client_of(app) as client:
            headers = (await client.get("/")).headers
        assert headers["content-security-policy"] == "own"
        assert headers["referrer-policy"] == "strict-origin"

    def test_the_strict_policy_has_no_exception(self) -> None:
        assert "unsafe" not in STRICT_CSP
        assert "*" not in STRICT_CSP
        assert "http" not in STRICT_CSP + PLAYGROUND_CSP
