"""The WebSockets: one relays frames of a run to the tab that asked, one shows the answer in every tab."""

import asyncio
import json
import logging
from contextlib import aclosing, suppress
from importlib import import_module
from typing import Any

from autobahn.exception import Disconnected
from channels.auth import get_user
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from chat import gatehouse
from chat.appended import Answers
from chat.broadcast import Placed, batches
from chat.gatehouse import Event, Question, Resumption
from chat.groups import group_of, shown
from chat.problems import Problem
from chat.requests import command_in

SIGNED_OUT = 4401  # as Gatehouse's own socket closes
ASSISTANT = "Assistant"
RELAYED = frozenset({"on_parser_start", "on_parser_stream", "on_parser_end"})
EVENTS_OF_RUN = b"events=run"  # in the address of a page that places and takes back what it shows
TYPED = frozenset({"restart", "gap", "error", "end"})  # LangChain has no event for these

logger = logging.getLogger(__name__)
# asyncio keeps no task alive by itself, and an answer for all tabs outlives the socket that asked for it
under_way: set[asyncio.Task[None]] = set()


class ChatConsumer(AsyncWebsocketConsumer):
    """`ws/chat/`: takes `{"message"}` or `{"type": "resume", "run_id", "last_event_id"}`, one at a time."""

    answering: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.accept()  # also for who is signed out: a browser learns the code of an open socket only
        if not self.scope["user"].is_authenticated:
            await self.close(SIGNED_OUT)

    async def disconnect(self, code: int) -> None:
        if self.answering:
            self.answering.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not await self.still_signed_in():
            await self.close(SIGNED_OUT)
            return
        try:
            wanted = command_in(text_data)
            if self.answering and not self.answering.done():
                raise Problem(409, "Wait for the answer before you ask again.")
        except Problem as problem:
            await self.show(problem.event())
            return
        # a task: while this method runs, Channels hands over no other frame, nor that the browser has left
        self.answering = asyncio.create_task(self.answer(wanted))

    async def still_signed_in(self) -> bool:
        """Tell whether the session holds, as the database says now: the scope is as old as the socket."""
        session = import_module(settings.SESSION_ENGINE).SessionStore(self.scope["session"].session_key)
        return (await get_user({"session": session})).is_authenticated

    async def answer(self, wanted: Question | Resumption) -> None:
        """Show all of a run, or what is wrong."""
        try:
            await self.follow(wanted)
        except Problem as problem:
            await self.show(problem.event())
        except Exception:
            logger.exception("an answer was not shown")
            await self.show(Problem(500, "Something went wrong on our side.").event())

    async def follow(self, wanted: Question | Resumption) -> None:
        """Relay the frames that are the assistant's. Raises Problem."""
        async with aclosing(gatehouse.frames(self.user_id, wanted)) as frames:
            async for frame in frames:
                if is_assistants(frame):
                    await self.show(frame)

    async def show(self, event: Event) -> None:
        await self.tell(event)

    async def tell(self, frame: Event) -> None:
        """Send a frame to a browser that may have left a moment ago."""
        with suppress(Disconnected):
            await self.send(json.dumps(frame))

    @property
    def user_id(self) -> int:
        pk: int = self.scope["user"].pk
        return pk


def is_assistants(frame: Event) -> bool:
    """Tell whether a frame is of the run named Assistant, rather than of a tool."""
    if "event" in frame:
        return frame["name"] == ASSISTANT and frame["event"] in RELAYED
    return frame.get("type") in TYPED


class EveryTabConsumer(ChatConsumer):
    """`ws/openai/`: what one tab asks, all tabs of the user see, whichever process they are connected to.

    A page gets frames `{"message"}`, whose texts it appends, as the tutorials' do; with `?events=run` the
    run's own events.
    """

    answers: Answers | None = None

    async def connect(self) -> None:
        if EVENTS_OF_RUN not in self.scope["query_string"]:
            self.answers = Answers()
        if self.scope["user"].is_authenticated:
            await self.channel_layer.group_add(group_of(self.user_id), self.channel_name)
        await super().connect()

    async def disconnect(self, code: int) -> None:
        """Leave the group; the answer goes on in the other tabs."""
        if self.scope["user"].is_authenticated:
            await self.channel_layer.group_discard(group_of(self.user_id), self.channel_name)

    async def answer(self, wanted: Question | Resumption) -> None:
        if task := asyncio.current_task():
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await super().answer(wanted)

    async def follow(self, wanted: Question | Resumption) -> None:
        """Send the run's events to the group. Raises Problem when the run did not begin."""
        # from its start, whatever the tab has seen: the others may have seen less
        run = Resumption(wanted.run_id) if isinstance(wanted, Resumption) else wanted
        run_id, place = None, Placed()
        try:
            async with aclosing(batches(gatehouse.events(self.user_id, run))) as ready:
                async for batch in ready:
                    for event in place.joined(batch):
                        run_id = event["run_id"]
                        await self.show_everywhere(about(event, wanted))
        except Problem as problem:
            if run_id is None:
                raise
            await self.show_everywhere({**problem.event(), "run_id": run_id})

    async def show(self, event: Event) -> None:
        if self.answers is None:
            await super().show(event)
        elif text := self.answers.text_of(event):
            await self.tell({"message": text})

    async def show_everywhere(self, event: Event) -> None:
        await self.channel_layer.group_send(group_of(self.user_id), shown(event))

    async def chat_shown(self, message: dict[str, Any]) -> None:
        """Show an event that came over the channel layer."""
        await self.show(message["event"])

    async def chat_signed_out(self, message: dict[str, Any]) -> None:
        """Close, when the session that has ended is this socket's."""
        if message["session"] == self.scope["session"].session_key:
            await self.close(SIGNED_OUT)


def about(event: Event, wanted: Question | Resumption) -> Event:
    """Return the event; a `start` with the question, which the other tabs do not know."""
    if event["type"] == "start" and isinstance(wanted, Question):
        return {**event, "question": wanted.message, "idempotency_key": wanted.idempotency_key}
    return event
