"""The web client's build: its page under the addresses that it knows, and its hashed assets."""

from pathlib import Path
from typing import Annotated

from anyio import Path as AsyncPath
from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, Response

from gatehouse.problems.errors import NotFound
from gatehouse.services import services_of

BUILD = Path(__file__).parent / "client"  # written by `make frontend`; a wheel has it

# An asset's name changes with its content, so it may be kept for ever; the page that names it may not.
FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
# strict-origin: under the usual no-referrer the sign-out form's Origin would be "null", and it refused
PAGE = {"cache-control": "no-cache", "referrer-policy": "strict-origin"}

AssetName = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$")]

router = APIRouter(include_in_schema=False)


@router.get("/threads/{thread_id}")
@router.get("/approvals")
@router.get("/transports")
async def client_page(request: Request) -> Response:
    """Return the client's page, whose script shows what the address names. Raises NotFound."""
    page = await page_of(request)
    if page is None:
        raise NotFound
    return page


@router.get("/assets/{name}")
async def asset(request: Request, name: AssetName) -> Response:
    """Return a file of the build, compressed where the browser takes that. Raises NotFound."""
    file = folder_of(request) / "assets" / name
    if not await AsyncPath(file).is_file():
        raise NotFound
    headers = {**FOR_EVER, "vary": "accept-encoding"}
    packed = file.with_name(f"{name}.gz")
    if "gzip" in request.headers.get("accept-encoding", "") and await AsyncPath(packed).is_file():
        return FileResponse(
            packed, headers={**headers, "content-encoding": "gzip"}, media_type=media_type(name)
        )
    return FileResponse(file, headers=headers, media_type=media_type(name))


async def page_of(request: Request) -> Response | None:
    """Return the client's page, or None when nobody has built the client."""
    page = folder_of(request) / "index.html"
    if not await AsyncPath(page).is_file():
        return None
    return FileResponse(page, headers=PAGE, media_type="text/html")


def folder_of(request: Request) -> Path:
    return services_of(request).settings.frontend_dir or BUILD


def media_type(name: str) -> str | None:
    # the system's table of types may call a script text/plain, which nosniff then forbids to run
    return {"js": "text/javascript", "css": "text/css"}.get(name.rpartition(".")[2])
