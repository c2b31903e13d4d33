"""What needs no credential: the probes, and the pages that lead to one, which look after themselves."""

from gatehouse.web.paths import Paths

PATHS = Paths(
    public=frozenset({
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/signin"),
        ("GET", "/signin.css"),
        ("GET", "/signin.js"),
        ("GET", "/signin.svg"),
        ("POST", "/auth/session"),
        ("GET", "/auth/login"),
        ("GET", "/auth/callback"),
        ("POST", "/auth/backchannel-logout"),
    })
)  # fmt: skip
