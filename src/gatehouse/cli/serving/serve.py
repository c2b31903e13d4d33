"""`gatehouse serve`."""

import asyncio
import json
import secrets
import signal
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import typer

from gatehouse.cli.environment import load_settings
from gatehouse.cli.failure import Failed
from gatehouse.cli.serving.preparing import Preparation, prepare
from gatehouse.cli.stores import open_api_keys

if TYPE_CHECKING:
    from socket import socket

    from gatehouse.cli.serving.development_keys import DevelopmentKey
    from gatehouse.services import Services
    from gatehouse.settings import Settings

ANSWER_SECONDS = 5.0  # that the banner waits for a worker


def serve(
    registry: Annotated[
        str | None,
        typer.Argument(
            metavar="[PACKAGE.MODULE:NAME]",
            help="What is served, above GATEHOUSE_REGISTRY.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on, above GATEHOUSE_HOST.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, max=65535, help="Port to listen on, above PORT.")
    ] = None,
    workers: Annotated[int, typer.Option(metavar="NUMBER", min=1, max=64, help="Processes that serve.")] = 1,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Bring the database's schema up to date first.")
    ] = False,
    seed: Annotated[
        str | None,
        typer.Option(
            metavar="PACKAGE.MODULE:NAME",
            help="Async function that is given the database first, in development.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Start the server.

    The first SIGTERM or Ctrl+C lets open streams end, for at most GATEHOUSE_DRAIN_SECONDS, and exits with
    0. A second one ends at once. In development a banner on stdout says how to sign in.
    """
    signal.signal(signal.SIGTERM, leave)  # `python -m` has no gatehouse.command before it
    settings = with_start_link(load_settings(registry=registry, host=host, port=port))
    from gatehouse.process.endings import CutOff, StartFailed
    from gatehouse.process.garbage import left_alone
    from gatehouse.process.late_packages import put_off

    put_off()
    try:
        with left_alone():
            run(settings, workers, Preparation(upgrade, seed))
    except StartFailed as error:
        raise Failed(str(error)) from error
    except CutOff:
        raise Failed("stopped before open streams had ended") from None


def leave(_number: int, _frame: FrameType | None) -> None:
    """End a start: the first process of a container gets no signal that it does not ask for."""
    raise SystemExit(0)


def with_start_link(settings: "Settings") -> "Settings":
    """Return the settings with a token for the sign-in link, in development."""
    from pydantic import SecretStr

    if not settings.development or settings.start_link is not None:
        return settings
    return settings.model_copy(update={"start_link": SecretStr(secrets.token_urlsafe(32))})


def run(settings: "Settings", workers: int, preparation: Preparation) -> None:
    """Raises StartFailed, CutOff, Failed."""
    from gatehouse.cli.serving.banner import url_of
    from gatehouse.process.listening import listen

    with listen(settings.host, settings.port) as listener, valkey_begun(settings):
        url = url_of(settings.host, listener.getsockname()[1])
        prepare(settings, preparation)
        if workers == 1:
            serve_alone(settings, listener, url)
        else:
            serve_with_workers(settings, workers, listener, url)


def valkey_begun(settings: "Settings") -> AbstractContextManager[None]:
    """Return a context in which the data folder's Valkey starts, where no Redis is configured."""
    from gatehouse.storage.valkey import begun_valkey

    return begun_valkey(settings.data_dir) if settings.redis_url is None else nullcontext()


def serve_alone(settings: "Settings", listener: "socket", url: str) -> None:
    """Raises StartFailed, CutOff, Failed."""
    from gatehouse.cli.serving.development_keys import development_keys
    from gatehouse.process.server import run_one

    async def announce_it(services: "Services") -> None:
        if settings.development:
            keys = await development_keys(services.authenticator.api_keys, settings.data_dir)
            asked = question_of([(entry.name, entry.example) for entry in services.entries.values()])
            announce(settings, url, services.model.label, keys, asked)

    run_one(settings, listener, announce_it)


def serve_with_workers(settings: "Settings", workers: int, listener: "socket", url: str) -> None:
    """Raises StartFailed, Failed."""
    from gatehouse.process.workers import run_many

    def announce_them() -> None:
        if settings.development:
            keys = asyncio.run(keys_of(settings))
            asked = question_of([(item["name"], item["example"]) for item in served_at(url, keys[0].key)])
            announce(settings, url, model_at(url), keys, asked)

    run_many(settings, workers, listener, announce_them)


def announce(
    settings: "Settings", url: str, model: str, keys: "tuple[DevelopmentKey, ...]", asked: tuple[str, str]
) -> None:
    """Print the banner."""
    from gatehouse.cli.serving.banner import Banner, print_banner

    link = settings.start_link.get_secret_value() if settings.start_link else ""
    print_banner(Banner(url, link, model, keys, *asked))


def question_of(served: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Return a runnable and a question for it, of names and examples: the first that has an example."""
    with_example = [(name, example) for name, example in served if example]
    return next(iter(with_example), (served[0][0] if served else "", "Hello!"))


async def keys_of(settings: "Settings") -> "tuple[DevelopmentKey, ...]":
    """Raises Failed."""
    from gatehouse.cli.serving.development_keys import development_keys

    async with open_api_keys(settings) as api_keys:
        return await development_keys(api_keys, settings.data_dir)


def model_at(url: str) -> str:
    """Return which chat model answers, as the workers say; or why none of them is ready yet."""
    try:
        with urlopen(f"{url}/readyz", timeout=ANSWER_SECONDS) as answer:  # noqa: S310  # http, our own
            return str(json.load(answer)["model"])
    except HTTPError as refusal:  # an issuer that is slow to send its keys is no reason to stop
        with refusal:
            return f"not ready yet: {json.load(refusal)['detail']}"
    except OSError:  # as below
        return "not known yet: no worker answers"


def served_at(url: str, key: str) -> list[dict[str, Any]]:
    """Return what the workers serve, as they tell the owner of a key; nothing when none of them answers."""
    request = Request(f"{url}/api/runnables", headers={"x-api-key": key})  # noqa: S310  # http, our own
    try:
        with urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310  # as above
            return list(json.load(answer)["items"])
    except OSError:  # they may have died meanwhile, and are started anew by who is asking here
        return []
