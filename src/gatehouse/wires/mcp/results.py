"""What came of a call, as MCP has it: an answer, or a failure that a model can read."""

from collections.abc import Mapping, Sequence
from typing import Any

from mcp_types import AudioContent, CallToolResult, ImageContent, TextContent

from gatehouse.approvals.models import Approval
from gatehouse.problems.errors import ApiError
from gatehouse.registry.entry import OF_TOOLS
from gatehouse.runs.records import RunRecord
from gatehouse.wires.mcp.asking import message_of

STOPPED = "The run was stopped before it was complete."
WAITS = "It waits for a person to decide at /api/approvals, and goes on then"


def result_of(run: RunRecord, last: Mapping[str, Mapping[str, Any]]) -> CallToolResult:
    """Return the result that the last events of a run are."""
    about = about_of(run)
    if "error" in last:
        return told_as_error(str(last["error"]["content"]), about)
    if "complete" not in last:
        return told_as_error(STOPPED, about)
    complete = last["complete"]
    files, text, value = files_of(complete), complete["content"], complete.get("value")
    of_a_tool = run.runnable.startswith(f"/{OF_TOOLS}")
    return CallToolResult(
        content=[*([TextContent(text=text)] if text or not files else []), *files],
        structured_content=value if isinstance(value, dict) else None,
        is_error=of_a_tool and bool(last["tool_end"]["is_error"]),
        _meta={**about, "usage": complete["usage"], "finish_reason": complete.get("finish_reason", "stop")},
    )


def waiting(run: RunRecord, approvals: Sequence[Approval]) -> CallToolResult:
    """Return what is told of a run that somebody decides on elsewhere."""
    about = {**about_of(run), "approval_ids": [approval.id for approval in approvals]}
    return told_as_error("; ".join([WAITS, *map(message_of, approvals)]), about)


def about_of(run: RunRecord) -> dict[str, Any]:
    thread = {"thread_id": run.thread_id} if run.thread_id else {}
    return {"run_id": run.id, **thread}


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
