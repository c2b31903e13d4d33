"""A call of a tool as a run: its steps are progress, and its answer is the tool's result."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp_types import AudioContent, CallToolResult, ImageContent, TextContent
from starlette.requests import Request

from gatehouse.background import uninterrupted
from gatehouse.plain_json import from_json
from gatehouse.problems.errors import ApiError, Unavailable
from gatehouse.problems.stores import STORE_IS_AWAY
from gatehouse.registry.entry import ServedEntry
from gatehouse.runs.events import Record
from gatehouse.runs.records import RunRecord
from gatehouse.services import Services, services_of
from gatehouse.web.dependencies import principal_of
from gatehouse.web.request_state import admission_of
from gatehouse.wires.mcp.tools import asked
from gatehouse.wires.projection import followed
from gatehouse.wires.questions import start

EVERY = 1.0  # seconds between two words of progress, but for the steps of tools
STEPS = ("tool_start", "tool_end", "restart")
STOPPED = "The run was stopped before it was complete."

Report = Callable[[float, float | None, str | None], Awaitable[None]]


async def call(
    request: Request, entry: ServedEntry, arguments: Mapping[str, Any], report: Report
) -> CallToolResult:
    """Run the entry and return its answer; a failure is a result too, so that a model can read it.

    The run is stopped when the caller is: a client cancels by closing its connection.
    """
    services, principal = services_of(request), principal_of(request)
    try:
        started = await start(services, principal, asked(entry, arguments), None, admission_of(request))
    except ApiError as error:
        return failed(error)
    try:
        return await followed_to_its_end(services, request, started.run, report)
    except asyncio.CancelledError:
        await uninterrupted(services.runs.cancel(started.run.id))
        raise


async def followed_to_its_end(
    services: Services, request: Request, run: RunRecord, report: Report
) -> CallToolResult:
    """Report what happens, and return what came of it."""
    progress = Progress(report)
    last: dict[str, Mapping[str, Any]] = {}
    try:
        async for records in followed(services, principal_of(request), run):
            for record in records:
                if record.type in ("complete", "error", "approval"):
                    last[record.type] = from_json(record.data)
                else:
                    await progress.tell(record)
    except STORE_IS_AWAY:
        return failed(Unavailable())
    except ApiError as error:
        return failed(error)
    return result_of(run, last)


class Progress:
    """What a client is told while a call goes on: each step of a tool, and now and then that words come."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._events = 0
        self._told = time.monotonic()

    async def tell(self, record: Record) -> None:
        self._events += 1
        now = time.monotonic()
        if record.type in STEPS:
            await self._report(self._events, None, str(from_json(record.data)["content"])[:200])
        elif now - self._told > EVERY:
            await self._report(self._events, None, None)
        else:
            return
        self._told = now


def result_of(run: RunRecord, last: Mapping[str, Mapping[str, Any]]) -> CallToolResult:
    """Return the result that the last events of a run are."""
    about: dict[str, Any] = {"run_id": run.id, "thread_id": run.thread_id}
    if "error" in last:
        return told_as_error(str(last["error"]["content"]), about)
    if "complete" not in last and "approval" in last:
        return told_as_error(f"It waits for a person: {last['approval']['content']}", about)
    if "complete" not in last:
        return told_as_error(STOPPED, about)
    complete = last["complete"]
    files, text, value = files_of(complete), complete["content"], complete.get("value")
    return CallToolResult(
        content=[*([TextContent(text=text)] if text or not files else []), *files],
        structured_content=value if isinstance(value, dict) else None,
        _meta={**about, "usage": complete["usage"], "finish_reason": complete.get("finish_reason", "stop")},
    )


def files_of(complete: Mapping[str, Any]) -> list[ImageContent | AudioContent]:
    """Return the images and sounds of an answer, of those whose content is there."""
    files: list[ImageContent | AudioContent] = []
    for block in (complete.get("message") or {}).get("content") or ():
        data, media_type = block.get("base64"), block.get("mime_type")
        if data and block["type"] == "image":
            files.append(ImageContent(data=data, mime_type=media_type or "image/png"))
        elif data and block["type"] == "audio":
            files.append(AudioContent(data=data, mime_type=media_type or "audio/wav"))
    return files


def failed(error: ApiError) -> CallToolResult:
    """Return an error as a result."""
    faults = (
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.extra.get("errors", ())
    )
    return told_as_error(" ".join((error.detail, *faults)), {"problem": error.kind, **error.extra})


def told_as_error(text: str, about: dict[str, Any]) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)], is_error=True, _meta=about)
