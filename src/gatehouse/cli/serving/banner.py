"""What a development server says when it is up."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from gatehouse.cli.serving.development_keys import DevelopmentKey

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what is listened on, and how it is reached


@dataclass(frozen=True, slots=True)
class Banner:
    """`link` is the token of the sign-in link; `model` says which chat model answers.

    `runnable` and `question` are what the printed command asks; without a runnable there is none.
    """

    url: str
    link: str
    model: str
    keys: "Sequence[DevelopmentKey]"
    runnable: str
    question: str


def url_of(host: str, port: int) -> str:
    """Return the address by which a server on this machine is reached."""
    host = EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def curl(url: str, key: str, runnable: str, question: str) -> str:
    """Return a command, in one line, that asks a runnable something."""
    body = json.dumps({"query": question, "runnable": runnable})
    headers = (f"x-api-key: {key}", "content-type: application/json")
    return " ".join(
        ["curl -N", f"{url}/api/chat/stream"]
        + [f"-H {shlex.quote(header)}" for header in headers]
        + [f"-d {shlex.quote(body)}"]
    )


def print_banner(banner: Banner) -> None:
    """Print it on stdout. What is to be copied stands on a line of its own, which is never broken."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    console.print(f"\nGatehouse {version('gatehouse-server')} answers on {banner.url}", style="bold")
    console.print(f"Chat model: {banner.model}")
    console.print("\nSign in as alice of acme, once and within an hour:", style="bold")
    console.print(f"{banner.url}/signin?link={banner.link}")
    console.print("\nAPI keys", style="bold")
    for key in banner.keys:
        whose = f"{key.user.user_id} of {key.user.tenant_id}:"
        console.print(f"{whose:<15}{key.key}")
    if banner.runnable:
        console.print(f"\nAsk /{banner.runnable} as alice:", style="bold")
        console.print(curl(banner.url, banner.keys[0].key, banner.runnable, banner.question))
    console.print("\nCtrl+C stops the server.\n")
    console.file.flush()
