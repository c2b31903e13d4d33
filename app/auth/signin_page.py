"""The sign-in page as HTML. It works without JavaScript and needs nothing that the strict policy forbids."""

from html import escape

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
</main>
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


def signin_page(destination: str, message: str = "", link: str = "") -> str:
    """Return the page. With a start link it has one button, which signin.js presses by itself."""
    return PAGE.format(
        destination=escape(destination),
        message=MESSAGE.format(text=escape(message)) if message else "",
        mark=' id="start"' if link else "",
        fields=LINK.format(link=escape(link)) if link else CREDENTIAL,
    )
