"""What the edge knows of paths agrees with what the wires declare."""

import re

from manifests import ROOT

from gatehouse.main import PATHS

LOCATION = re.compile(r"location ~ (\S+) \{[^}]*?\$request_method = GET", re.DOTALL)


def test_nginx_repeats_no_get_that_starts_a_run() -> None:
    """nginx would send a GET a second time when its replica dies, and the run would be started twice."""
    [pattern] = LOCATION.findall((ROOT / "deploy/nginx.conf").read_text())
    starting = {path for method, path in PATHS.starts if method == "GET"}
    assert starting
    assert all(re.search(pattern, path) for path in starting)
    assert not any(
        re.search(pattern, path) for _, path in (PATHS.streams | PATHS.public) if path not in starting
    )


def test_nginx_waits_for_every_websocket() -> None:
    sockets = {path for method, path in PATHS.streams if method == "WEBSOCKET"}
    assert sockets
    assert all(path.startswith("/ws/") for path in sockets)
    assert re.search(
        r"location /ws/ \{[^}]*proxy_read_timeout 660s", (ROOT / "deploy/nginx.conf").read_text()
    )
