"""The sign-in page as HTML. It works without JavaScript and needs nothing that the strict policy forbids."""

from html import escape
from urllib.parse import quote

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sign in · Gatehouse</title>
<link rel="icon" href="/signin.svg" type="image/svg+xml">
<link rel="stylesheet" href="/signin.css">
<script src="/signin.js" defer></script>
</head>
<body class="signin">
<main>
<img src="/signin.svg" alt="" width="48" height="48">
<h1>Sign in to Gatehouse</h1>
{message}<form method="post" action="/auth/session"{mark}>
<input type="hidden" name="next" value="{destination}">
{fields}
</form>
{issuer}</main>
</body>
</html>
"""

MESSAGE = """<p class="message" role="alert">{text}</p>
"""

CREDENTIAL = """<label for="credential">API key or token</label>
<input id="credential" name="credential" type="password" autocomplete="off"
 autocapitalize="off" spellcheck="false" maxlength="8192" required autofocus aria-describedby="hint">
<p id="hint">A key begins with <code>gh_</code>. It opens a session and is not kept in the browser.</p>
<button type="submit">Sign in</button>"""

LINK = """<input type="hidden" name="link" value="{link}">
<p>The link works once, within an hour of the server's start.</p>
<button type="submit" autofocus>Continue</button>"""


ISSUER = """<p class="or">or</p>
<a class="button" href="/auth/login?next={destination}">Sign in with {name}</a>
"""

LEAVING = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="0;url={url}">
<title>Signed out · Gatehouse</title>
<link rel="icon" href="/signin.svg" type="image/svg+xml">
<link rel="stylesheet" href="/signin.css">
</head>
<body class="signin">
<main>
<img src="/signin.svg" alt="" width="48" height="48">
<h1>Signed out of Gatehouse</h1>
<p><a class="button" href="{url}">Sign out of {name} too</a></p>
</main>
</body>
</html>
"""


def leaving_page(url: str, name: str) -> str:
    """Return the page that goes on to the issuer's sign-out by itself.

    A redirect would not do: browsers hold the policy's `form-action 'self'` against where a form's answer
    redirects to.
    """
    return LEAVING.format(url=escape(url), name=escape(name))


def signin_page(destination: str, message: str = "", link: str = "", issuer: str = "") -> str:
    """Return the page. With a start link it has one button, which signin.js presses by itself.

    `issuer` is the name of where else one can sign in.
    """
    elsewhere = ISSUER.format(destination=quote(destination, safe="/"), name=escape(issuer))
    return PAGE.format(
        destination=escape(destination),
        message=MESSAGE.format(text=escape(message)) if message else "",
        mark=' id="start"' if link else "",
        fields=LINK.format(link=escape(link)) if link else CREDENTIAL,
        issuer=elsewhere if issuer and not link else "",
    )
