"""What needs no credential."""

# All that anybody may call. What is under /auth, and the pages of gatehouse.web.auth.signin, look after
# themselves.
PUBLIC = frozenset({
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
})  # fmt: skip
