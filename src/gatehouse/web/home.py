"""The page at /: the web client, or without a build of it a list of what is served."""

from html import escape

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from gatehouse.registry.entry import Entry
from gatehouse.registry.offered import offered
from gatehouse.services import services_of
from gatehouse.web.dependencies import CurrentPrincipal
from gatehouse.web.home_client import page_of

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gatehouse</title>
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/signin.svg" type="image/svg+xml">
<link rel="stylesheet" href="/signin.css">
</head>
<body>
<main>
<h1>Gatehouse</h1>
<p>Signed in as <strong>{name}</strong> of <strong>{tenant}</strong>. {model} answers.</p>
<ul class="runnables">{items}</ul>
<p><a href="/docs">API documentation</a></p>
<form method="post" action="/auth/signout"><button type="submit">Sign out</button></form>
</main>
</body>
</html>
"""

ITEM = """<li>{name}<p>{description}</p></li>"""
PLAYGROUND = """<a href="{path}/playground/">{name}</a>"""


router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request, principal: CurrentPrincipal) -> Response:
    if client := await page_of(request):
        return client
    services = services_of(request)
    entries = offered(services.settings, principal, services.entries)
    usable = [entry for entry in entries.values() if principal.may(entry.required_scope)]
    items = [ITEM.format(name=named(entry), description=escape(entry.description)) for entry in usable]
    page = PAGE.format(
        name=escape(principal.name or principal.user_id),
        tenant=escape(principal.tenant_id),
        model=escape(services.model.label),
        items="".join(items),
    )
    # strict-origin: under the usual no-referrer the form's Origin would be "null", and it refused
    headers = {"cache-control": "no-store", "referrer-policy": "strict-origin"}
    return HTMLResponse(page, headers=headers)


def named(entry: Entry) -> str:
    """Return the name of an entry, as a link where it has a playground."""
    playground = PLAYGROUND if "playground" in entry.endpoints else "{name}"
    return playground.format(path=entry.path, name=entry.name)
