"""Signing in and out in a browser: a credential becomes a session, and its cookie."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gatehouse.audit.entry import Outcome
from gatehouse.auth.authenticator import lookup
from gatehouse.auth.browser.cookie import clear_cookie, cookie_name, cookies_named, set_cookie
from gatehouse.auth.browser.destination import HOME, safe_destination
from gatehouse.auth.browser.origin import CROSS_SITE, is_own_page, media_type
from gatehouse.auth.browser.sessions import OpenedSession, session_id
from gatehouse.identity.principal import Principal
from gatehouse.limits.refusal import LIMITED, LimitReached
from gatehouse.problems.errors import Forbidden, InvalidCredential, InvalidInput, UnsupportedMediaType
from gatehouse.problems.faults import invalid_input
from gatehouse.services import services_of
from gatehouse.web.audited import entry_of
from gatehouse.web.auth.signin_page import leaving_page, signin_page
from gatehouse.web.dependencies import CurrentPrincipal
from gatehouse.web.request_state import state_of

STATIC = Path(__file__).parent / "static"
NO_STORE = {"cache-control": "no-store"}
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

KEY_REFUSED = "That key or token is not valid, or no longer valid."
LINK_REFUSED = "That link was used before, or its hour is over. Sign in with an API key or a token instead."


class SignIn(BaseModel):
    """What signs in: an API key or a token, or else the start link's token."""

    model_config = ConfigDict(str_strip_whitespace=True)

    credential: str | None = Field(None, min_length=1, max_length=8192)
    link: str | None = Field(None, min_length=1, max_length=512)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.credential is None) == (self.link is None):
            raise ValueError("send either credential or link")
        return self


class SignedIn(BaseModel):
    """Who is signed in. `expires_at` is when the session ends, in Unix seconds."""

    tenant_id: str
    user_id: str
    name: str
    scopes: list[str]
    expires_at: float | None


REFUSED = InvalidCredential.schema()
REFUSED[InvalidCredential.status]["content"]["text/html"] = {}  # a form is answered with the page

router = APIRouter(tags=["sign-in"])


@router.get("/signin", include_in_schema=False)
async def page(
    request: Request,
    destination: Annotated[str, Query(alias="next")] = HOME,
    link: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    return html(signin_page(safe_destination(destination), link=link, issuer=issuer_name(request)))


@router.get("/signin.{kind}", include_in_schema=False)
async def asset(kind: Literal["css", "js", "svg"]) -> FileResponse:
    return FileResponse(STATIC / f"signin.{kind}", headers={"cache-control": "public, max-age=3600"})


@router.post(
    "/auth/session",
    summary="Sign in",
    response_model=SignedIn,
    responses={
        **REFUSED,
        303: {"description": "A form's answer: signed in, to its field `next`."},
        **Forbidden.schema(),
        **UnsupportedMediaType.schema(),
        **InvalidInput.schema(),
        **LIMITED,
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": SignIn.model_json_schema()} for kind in (JSON, FORM)},
        }
    },
)
async def sign_in(request: Request) -> Response:
    """Exchange an API key, a token or the start link for a session cookie.

    JSON is answered with who signed in. A form is answered with a redirect to its field `next`, a path on
    this server, or with the page again.
    """
    if is_own_page(request, services_of(request).settings.page_origins) is False:
        raise Forbidden(CROSS_SITE)  # else a foreign page could sign its visitor in as somebody else
    match media_type(request):
        case "application/json":
            return await sign_in_by_script(request)
        case "application/x-www-form-urlencoded":
            return await sign_in_by_form(request)
    raise UnsupportedMediaType


@router.delete("/auth/session", summary="Sign out", status_code=204, responses=InvalidCredential.schema())
async def sign_out(request: Request, principal: CurrentPrincipal) -> Response:
    """End the session of the cookie, if there is one, and take the cookie back."""
    note_signout(request, principal)
    return await without_session(Response(status_code=204), request)


@router.post("/auth/signout", include_in_schema=False)
async def sign_out_by_form(request: Request, principal: CurrentPrincipal) -> Response:
    """End the session, also at the issuer when it began there."""
    note_signout(request, principal)
    onwards = await sign_out_url(request)
    page = html(leaving_page(onwards, issuer_name(request))) if onwards else RedirectResponse("/signin", 303)
    return await without_session(page, request)


def note_signout(request: Request, principal: Principal) -> None:
    services_of(request).audit.note(entry_of(request, "sign-out", "ok", principal))


async def sign_in_by_script(request: Request) -> Response:
    """Raises InvalidInput, and what `open_session` raises."""
    try:
        given = SignIn.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid_input(error) from None
    opened = await open_session(request, given)
    signed_in = SignedIn.model_validate(opened.principal, from_attributes=True)
    return with_session(JSONResponse(signed_in.model_dump()), request, opened)


async def sign_in_by_form(request: Request) -> Response:
    """Raises Unavailable. A credential that is refused is no error here: a person tries again."""
    async with request.form(max_files=0, max_fields=10) as form:
        given: dict[str, Any] = dict(form)
    destination = safe_destination(given.get("next"))
    try:
        opened = await open_session(request, SignIn.model_validate(given))
    except (InvalidCredential, ValidationError) as error:
        if isinstance(error, InvalidCredential):
            state_of(request).seen.problem(error)
        message = LINK_REFUSED if given.get("link") else KEY_REFUSED
        page = signin_page(destination, message, issuer=issuer_name(request))
        return html(page, status=InvalidCredential.status)
    except LimitReached as error:
        state_of(request).seen.problem(error)
        page = signin_page(destination, error.detail, issuer=issuer_name(request))
        response = html(page, status=error.status)
        response.headers.update(error.headers)
        return response
    return with_session(RedirectResponse(destination, 303), request, opened)


async def open_session(request: Request, given: SignIn) -> OpenedSession:
    """Return a new session; the one that the browser had ends.

    Raises InvalidCredential, LimitReached after too many failures of the address, Unavailable.
    """
    authenticator, signins = services_of(request).authenticator, services_of(request).limits.signins
    address, by = address_of(request), "link" if given.link else "key or token"
    await signins.begin(address)
    try:
        principal = await (
            authenticator.redeem(given.link) if given.link else authenticator.accept(given.credential or "")
        )
    except InvalidCredential as error:
        note_signin(request, "failed", error.principal, by)
        raise
    await signins.succeeded(address)
    await end_sessions(request)
    with lookup():
        opened = await authenticator.sessions.open(principal)
    note_signin(request, "ok", opened.principal, by)
    return opened


def note_signin(request: Request, outcome: Outcome, principal: Principal | None, by: str) -> None:
    """Have the audit log tell of a sign-in; `by` says how."""
    services_of(request).audit.note(entry_of(request, "sign-in", outcome, principal, by=by))


def address_of(request: Request) -> str | None:
    """Return the address of the client: behind a trusted proxy, what that says."""
    return request.client.host if request.client else None


async def sign_out_url(request: Request) -> str | None:
    """Return where to sign out at the issuer, None when the session did not begin there."""
    services = services_of(request)
    oidc = services.authenticator.oidc
    if oidc is None:
        return None
    with lookup():
        for token in cookies_named(request, cookie_name(request, services.settings)):
            if url := await oidc.sign_out_url(request, session_id(token)):
                return url
    return None


def issuer_name(request: Request) -> str:
    """Return what the sign-in page calls the issuer, "" when one cannot sign in there."""
    oidc = services_of(request).authenticator.oidc
    return oidc.name if oidc else ""


async def end_sessions(request: Request) -> None:
    """End every session that the request has a cookie of. Raises Unavailable."""
    services = services_of(request)
    for token in cookies_named(request, cookie_name(request, services.settings)):
        with lookup():
            await services.authenticator.sessions.end(token)


def with_session(response: Response, request: Request, opened: OpenedSession) -> Response:
    set_cookie(response, cookie_name(request, services_of(request).settings), opened.token, opened.lifetime)
    response.headers.update(NO_STORE)
    return response


async def without_session(response: Response, request: Request) -> Response:
    await end_sessions(request)
    clear_cookie(response, cookie_name(request, services_of(request).settings))
    response.headers.update(NO_STORE)
    return response


def html(content: str, status: int = 200) -> Response:
    # `strict-origin` instead of the usual `no-referrer`: with that one a form's Origin would be "null"
    return HTMLResponse(content, status, {**NO_STORE, "referrer-policy": "strict-origin"})
