"""The routes of signing in at the issuer. Anybody may call them: each looks after itself."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from gatehouse.auth.authenticator import lookup
from gatehouse.auth.browser.cookie import cookie_name, cookies_named, set_cookie
from gatehouse.auth.browser.destination import safe_destination
from gatehouse.auth.browser.origin import media_type
from gatehouse.auth.oidc.logins import LIFETIME, MAX_LENGTH, random_text
from gatehouse.auth.oidc.oidc import Answer, Oidc
from gatehouse.limits.refusal import LimitReached
from gatehouse.problems.errors import (
    ApiError,
    BadRequest,
    InvalidCredential,
    NotFound,
    Unavailable,
    UnsupportedMediaType,
)
from gatehouse.services import services_of
from gatehouse.web.auth.signin import (
    FORM,
    NO_STORE,
    address_of,
    end_sessions,
    html,
    note_signin,
    with_session,
)
from gatehouse.web.auth.signin_page import signin_page
from gatehouse.web.request_state import state_of

NOT_OFFERED = "This server does not sign in at an issuer."
NO_LOGOUT = "Send a logout_token of the issuer that was not used before."
REFUSED = "Signing in with {name} did not work. Try again, or use an API key or a token."
DOWN = "{name} does not answer now. Try again later, or use an API key or a token."
MAX_DESTINATION = 2048  # characters, so that a sign-in takes little room in Redis

router = APIRouter(tags=["sign-in"])


@router.get("/auth/login", include_in_schema=False)
async def login(request: Request, destination: Annotated[str, Query(alias="next")] = "") -> Response:
    """Send the browser to the issuer, and come back to `next`, a path on this server."""
    oidc = oidc_of(request)
    browser = browser_of(request) or random_text()
    wanted = safe_destination(destination if len(destination) <= MAX_DESTINATION else None)
    try:
        # counts as a failed one until the browser comes back: a beginning costs us a record, too
        await services_of(request).limits.signins.begin(address_of(request))
        with lookup():
            url = await oidc.begin(request, wanted, browser)
    except (Unavailable, LimitReached) as error:
        state_of(request).seen.problem(error)
        return failure(oidc, error, wanted)
    response = RedirectResponse(url, 303, NO_STORE)
    set_cookie(response, browser_cookie(request), browser, LIFETIME)
    return response


@router.get("/auth/callback", include_in_schema=False)
async def callback(
    request: Request,
    state: str = "",
    code: str = "",
    error: str = "",
    iss: str = "",
) -> Response:
    """Open a session for whom the issuer signed in, and go where the browser was going."""
    oidc = oidc_of(request)
    try:
        with lookup():
            signed_in = await oidc.finish(Answer(state, code, error, iss), browser_of(request) or "")
        await services_of(request).limits.signins.succeeded(address_of(request))
        await end_sessions(request)
    except InvalidCredential as refusal:
        state_of(request).seen.problem(refusal)
        note_signin(request, "failed", None, "issuer")
        return failure(oidc, refusal)
    except Unavailable as refusal:
        return failure(oidc, refusal)
    note_signin(request, "ok", signed_in.session.principal, "issuer")
    # the browser keeps its secret, for sign-ins that it began in other tabs
    return with_session(RedirectResponse(signed_in.destination, 303), request, signed_in.session)


@router.post(
    "/auth/backchannel-logout",
    summary="Sign out, as the issuer says",
    responses={
        200: {"description": "The sessions have ended."},
        **BadRequest.schema(),
        **NotFound.schema(),
        **UnsupportedMediaType.schema(),
        **Unavailable.schema(),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                FORM: {
                    "schema": {
                        "type": "object",
                        "required": ["logout_token"],
                        "properties": {"logout_token": {"type": "string"}},
                    }
                }
            },
        }
    },
)
async def backchannel_logout(request: Request) -> Response:
    """End the sessions that a logout token of the issuer names (OpenID Connect Back-Channel Logout 1.0)."""
    oidc = oidc_of(request)
    if media_type(request) != FORM:
        raise UnsupportedMediaType(f"Send the body as {FORM}.")
    async with request.form(max_files=0, max_fields=10) as form:
        tokens = form.getlist("logout_token")
    if len(tokens) != 1 or not isinstance(tokens[0], str):
        raise BadRequest(NO_LOGOUT)
    try:
        with lookup():
            await oidc.sign_out(tokens[0])
    except InvalidCredential:
        raise BadRequest(NO_LOGOUT) from None  # section 2.8: 400, and no challenge
    return Response(status_code=200, headers=NO_STORE)


def oidc_of(request: Request) -> Oidc:
    """Return what signs in at the issuer. Raises NotFound where that is not offered."""
    oidc = services_of(request).authenticator.oidc
    if oidc is None:
        raise NotFound(NOT_OFFERED)
    return oidc


def browser_of(request: Request) -> str | None:
    """Return the browser's secret, None when it has none or an odd one."""
    secrets = cookies_named(request, browser_cookie(request))
    return secrets[0] if len(secrets) == 1 and 0 < len(secrets[0]) <= MAX_LENGTH else None


def browser_cookie(request: Request) -> str:
    return f"{cookie_name(request, services_of(request).settings)}-login"


def failure(oidc: Oidc, error: ApiError, destination: str = "/") -> Response:
    if isinstance(error, LimitReached):
        message = error.detail
    else:
        message = (DOWN if isinstance(error, Unavailable) else REFUSED).format(name=oidc.name)
    response = html(signin_page(destination, message, issuer=oidc.name), error.status)
    response.headers.update(error.headers)
    return response
