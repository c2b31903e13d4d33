"""The Content-Security-Policy of every page. Django 6 has a setting for it, Django 5.2 has not."""

from collections.abc import Awaitable, Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import async_only_middleware

POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


@async_only_middleware
def content_security_policy(
    get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]],
) -> Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    async def with_policy(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return with_policy
