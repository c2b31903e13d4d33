"""The page, the answer as JSON, the answer as server-sent events, and the site's public key."""

import json
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import wraps
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LogoutView
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.template.exceptions import TemplateDoesNotExist
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from chat import gatehouse
from chat.appended import Appended
from chat.gatehouse import Event
from chat.groups import group_of, signed_out
from chat.identity import jwks as public_keys
from chat.problems import Problem
from chat.requests import question_in, question_in_address, resumption_of, seen_in
from chatsite.middleware import POLICY

LINE_END = re.compile("\r\n|\r|\n")  # those of server-sent events
Frame = Callable[[Event], bytes]
AsyncView = Callable[..., Awaitable[HttpResponseBase]]

LANES = (
    {"id": "rest", "name": "REST", "address": "POST api/chat/", "how": "the answer in one piece"},
    {"id": "socket", "name": "WebSocket", "address": "ws/chat/", "how": "events of LangChain, to this tab"},
    {"id": "sse", "name": "Server-sent events", "address": "POST api/chat/stream/", "how": "typed events"},
    {"id": "tabs", "name": "Every tab", "address": "ws/openai/", "how": "one answer in all your tabs"},
)

# A tutorial's page has its script and its handlers in it; what it loads is this site's all the same
INLINE = "img-src 'self' data:; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
TUTORIAL_POLICY = f"{POLICY}; {INLINE}"

logger = logging.getLogger(__name__)


@never_cache
@require_GET
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Show the lanes side by side."""
    return render(request, "chat.html", {"lanes": LANES})


@never_cache
@require_GET
@login_required
def tutorial(request: HttpRequest, name: str) -> HttpResponse:
    """Show a page as a tutorial has it: `templates/tutorials/NAME.html`, with its script in it."""
    try:
        response = render(request, f"tutorials/{name}.html")
    except TemplateDoesNotExist:
        raise Http404 from None
    response["Content-Security-Policy"] = TUTORIAL_POLICY
    return response


@require_GET
def jwks(_: HttpRequest) -> JsonResponse:
    """Publish the key that Gatehouse verifies this site's tokens with."""
    return JsonResponse(public_keys(), headers={"Cache-Control": "public, max-age=300"})


def server_sent(event: Event) -> bytes:
    """Return an event in the format of the WHATWG's HTML standard, section 9.2."""
    about = f"id: {event['id']}\n" if "id" in event else ""
    return f"{about}event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def unnamed(event: Event, appended: Appended) -> bytes:
    """Return an event as its text alone; without one it still tells the browser how far it is."""
    about = f"id: {event['run_id']}/{event['id']}\n" if "id" in event else ""
    text = appended.text_of(event)
    lines = [f"data: {line}\n" for line in LINE_END.split(text)] if text else []
    return f"{about}{''.join(lines)}\n".encode()


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


@require_GET
@for_users
async def sse_stream(request: HttpRequest, user_id: int) -> HttpResponseBase:
    """Answer `new EventSource("/sse_stream?message=…")` with unnamed events, whose texts a page appends.

    Where the browser connects again, the run goes on where it was; 204 when it has ended, so that a browser
    asks nothing twice. Only a page of this site may ask: a GET carries no CSRF token.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Problem(403, "A page of another site may not ask.")
    if request.headers.get("Sec-Fetch-Mode") == "navigate":  # a link: in a mail, or in a model's own answer
        raise Problem(403, "An address that is opened asks nothing: an EventSource does.")
    last_event_id = request.headers.get("Last-Event-ID")
    wanted = seen_in(last_event_id) if last_event_id else question_in_address(request.GET)
    appended = Appended(joined_late=last_event_id is not None)
    return await event_stream(gatehouse.events(user_id, wanted), lambda event: unnamed(event, appended))


async def event_stream(events: AsyncGenerator[Event], frame: Frame = server_sent) -> HttpResponseBase:
    """Return the events as a response. Raises Problem when the first one does not come."""
    try:
        first = await anext(events)  # awaited here, where a refusal can still be a status
    except StopAsyncIteration:
        return HttpResponse(status=204)
    return StreamingHttpResponse(
        encoded(first, events, frame),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def encoded(first: Event, others: AsyncGenerator[Event], frame: Frame) -> AsyncGenerator[bytes]:
    """Yield server-sent events. Django closes it when the browser leaves, and so the stream behind it."""
    async with aclosing(others):
        yield frame(first)
        try:
            async for event in others:
                yield frame(event)
        except Problem as problem:
            yield frame(problem.event())


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
