"""The page, the answer as JSON, the answer as server-sent events, and the site's public key."""

import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import wraps
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LogoutView
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from chat import gatehouse
from chat.gatehouse import Event
from chat.groups import group_of, signed_out
from chat.identity import jwks as public_keys
from chat.problems import Problem
from chat.requests import question_in, resumption_of

AsyncView = Callable[..., Awaitable[HttpResponseBase]]

LANES = (
    {"id": "rest", "name": "REST", "address": "POST api/chat/", "how": "the answer in one piece"},
    {"id": "socket", "name": "WebSocket", "address": "ws/chat/", "how": "events of LangChain, to this tab"},
    {"id": "sse", "name": "Server-sent events", "address": "POST api/chat/stream/", "how": "typed events"},
    {"id": "tabs", "name": "Every tab", "address": "ws/openai/", "how": "one answer in all your tabs"},
)

logger = logging.getLogger(__name__)


@never_cache
@require_GET
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Show the lanes side by side."""
    return render(request, "chat.html", {"lanes": LANES})


@require_GET
def jwks(_: HttpRequest) -> JsonResponse:
    """Publish the key that Gatehouse verifies this site's tokens with."""
    return JsonResponse(public_keys(), headers={"Cache-Control": "public, max-age=300"})


def for_users(view: AsyncView) -> AsyncView:
    """Answer 401 to who is not signed in, and every Problem with its status."""

    @wraps(view)
    async def answered(request: HttpRequest, **named: Any) -> HttpResponseBase:
        try:
            user = await request.auser()
            if not user.is_authenticated:
                raise Problem(401, "You are signed out. Sign in again.")
            return await view(request, user.pk, **named)
        except Problem as problem:
            headers = {"Retry-After": problem.retry_after} if problem.retry_after else {}
            return JsonResponse({"error": problem.detail}, status=problem.status, headers=headers)

    return answered


@require_POST
@for_users
async def chat(request: HttpRequest, user_id: int) -> HttpResponseBase:
    """Take `{"message"}` and return `{"response"}`; with `thread_id` the conversation goes on."""
    return JsonResponse(await gatehouse.answer(user_id, question_in(request.body)))


@require_POST
@for_users
async def stream(request: HttpRequest, user_id: int) -> HttpResponseBase:
    """Take `{"message"}` and return the run's events.

    It is a POST, which EventSource cannot send: a GET would begin a run without a CSRF token, and leave the
    question in every access log.
    """
    return await event_stream(gatehouse.events(user_id, question_in(request.body)))


@require_GET
@for_users
async def join(request: HttpRequest, user_id: int, run_id: UUID) -> HttpResponseBase:
    """Return the events of a run of the user's after the header `Last-Event-ID`; 204 when there is none."""
    wanted = resumption_of(run_id, request.headers.get("Last-Event-ID"))
    return await event_stream(gatehouse.events(user_id, wanted))


async def event_stream(events: AsyncGenerator[Event]) -> HttpResponseBase:
    """Return the events as a response. Raises Problem when the first one does not come."""
    try:
        first = await anext(events)  # awaited here, where a refusal can still be a status
    except StopAsyncIteration:
        return HttpResponse(status=204)
    return StreamingHttpResponse(
        encoded(first, events),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def encoded(first: Event, others: AsyncGenerator[Event]) -> AsyncGenerator[bytes]:
    """Yield server-sent events. Django closes it when the browser leaves, and so the stream behind it."""
    async with aclosing(others):
        yield server_sent(first)
        try:
            async for event in others:
                yield server_sent(event)
        except Problem as problem:
            yield server_sent(problem.event())


def server_sent(event: Event) -> bytes:
    """Return an event in the format of the WHATWG's HTML standard, section 9.2."""
    about = f"id: {event['id']}\n" if "id" in event else ""
    return f"{about}event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


class SignOut(LogoutView):
    """Ends the session, and closes its open sockets, which would go on showing answers."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user_id, session = request.user.pk, request.session.session_key
        response = super().post(request, *args, **kwargs)
        if user_id is not None:
            tell_sockets(user_id, session)
        return response


def tell_sockets(user_id: int, session: str) -> None:
    try:
        async_to_sync(get_channel_layer().group_send)(group_of(user_id), signed_out(session))
    except Exception:  # the channel layer is away: that must not keep anybody signed in
        logger.exception("sockets of a session that has ended were not closed")
