"""The routes of attachments: upload a file, read it back, list and delete one's own."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response, UploadFile
from pydantic import BaseModel, Field

from gatehouse.attachments.access import WRITE, check_reading
from gatehouse.attachments.media_types import RASTER_IMAGES, TEXT
from gatehouse.attachments.store import Attachment
from gatehouse.problems.errors import (
    BadRequest,
    Conflict,
    InsufficientScope,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)
from gatehouse.services import services_of
from gatehouse.web.dependencies import CurrentPrincipal, requires

FORM_BYTES = 64 * 1024  # of a form beside its file
CONTENT_HEADERS = {
    "cache-control": "private, no-store",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}

router = APIRouter(prefix="/api/attachments", tags=["attachments"], responses=Unauthenticated.schema())
writes = [Depends(requires(WRITE))]


async def reader(principal: CurrentPrincipal) -> None:
    """Raise InsufficientScope for a credential that may not read its user's files."""
    check_reading(principal)


reads = [Depends(reader)]


class Attachments(BaseModel):
    """What the caller has, the oldest first."""

    items: list[Attachment]


class AnyFile(Response):
    media_type = "*/*"  # its content says which


@router.post(
    "",
    status_code=201,
    dependencies=writes,
    responses={
        **BadRequest.schema(), **InsufficientScope.schema(), **Conflict.schema(), **PayloadTooLarge.schema(),
        **UnsupportedMediaType.schema(), **InvalidInput.schema(),
    },
)  # fmt: skip
async def upload(
    request: Request,
    principal: CurrentPrincipal,
    file: Annotated[UploadFile, Field(description="an image, audio, a PDF or text, by its content")],
) -> Attachment:
    """Upload a file that questions can be asked about. It expires unless one is."""
    services = services_of(request)
    content = await file.read()
    if len(content) > services.settings.attachment_bytes:
        raise PayloadTooLarge(f"A file may have {services.settings.attachment_bytes} bytes.")
    return await services.attachments.keep(principal, file.filename or "", content)


@router.get("", dependencies=reads, responses=InsufficientScope.schema())
async def list_attachments(request: Request, principal: CurrentPrincipal) -> Attachments:
    """The caller's files, but for their bytes."""
    return Attachments(items=await services_of(request).attachments.list(principal))


@router.get(
    "/{attachment_id}",
    response_class=AnyFile,
    dependencies=reads,
    responses={**InsufficientScope.schema(), **NotFound.schema()},
)
async def read(request: Request, principal: CurrentPrincipal, attachment_id: str) -> Response:
    """The bytes of one of the caller's files. A browser shows images, and saves the rest."""
    store = services_of(request).attachments
    known = await store.get(principal, attachment_id)
    content, media_type = await store.resolve(attachment_id, principal)
    shown = "inline" if media_type in RASTER_IMAGES else "attachment"
    disposition = f"{shown}; filename*=UTF-8''{quote(known.name, safe='')}"
    return Response(
        content,
        media_type=f"{TEXT}; charset=utf-8" if media_type == TEXT else media_type,
        headers={**CONTENT_HEADERS, "content-disposition": disposition},
    )


@router.delete(
    "/{attachment_id}",
    status_code=204,
    dependencies=writes,
    responses={**InsufficientScope.schema(), **NotFound.schema()},
)
async def delete(request: Request, principal: CurrentPrincipal, attachment_id: str) -> None:
    """Erase one of the caller's files."""
    await services_of(request).attachments.delete(principal, attachment_id)
