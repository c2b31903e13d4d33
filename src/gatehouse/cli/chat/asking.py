"""One question: asked, shown while it is answered, and stopped by Ctrl-C."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing

import httpx2

from gatehouse.background import in_background
from gatehouse.cli.chat.answer import Answer
from gatehouse.cli.chat.exits import ServerUnreachable, Stopped, failure_of
from gatehouse.cli.chat.following import Lost, NotConnected, NotGatehouse, Reconnecting, RequestRefused, Run
from gatehouse.cli.chat.server import Server
from gatehouse.cli.chat.view import View
from gatehouse.cli.failure import Failed

REFRESH_SECONDS = 1 / 15
END_SECONDS = 10  # in which a run that was asked to stop tells its end


def ask(server: Server, question: Mapping[str, str], answer: Answer, view: View) -> None:
    """Return when the answer is whole and shown, or waits for a person, and goes on where it waited.

    Raises Failed; what came until then was shown too.

    The first Ctrl-C has the run stop, and Stopped is raised after its end; the second one raises
    KeyboardInterrupt at once.
    """
    try:
        with view:
            try:
                asyncio.run(asked(server, question, answer, view))
            finally:
                view.end(answer)
    except RequestRefused as refusal:
        raise failure_of(refusal.problem) from None
    except NotConnected as error:
        raise ServerUnreachable(f"nothing answers at {server.url} ({error}): does the server run?") from None
    except Lost as error:
        raise ServerUnreachable(str(error)) from None
    except NotGatehouse as error:
        raise Failed(f"{server.url} is no Gatehouse: {error}") from None
    if answer.status == "failed":
        raise failure_of(answer.problem)
    if answer.status == "cancelled":
        raise Stopped("the run was stopped; what came until then is kept")


async def asked(server: Server, question: Mapping[str, str], answer: Answer, view: View) -> None:
    """Return at the run's end. Raises what `Run.events` raises, Stopped and BrokenPipeError."""
    async with server.client() as client, in_background(refreshing=refreshed(view)):
        run = Run(client, question)
        if answer.run_id is not None:
            run = Run.joined(client, answer.run_id, answer.last_id)
        showing = asyncio.create_task(shown(run, answer, view))
        try:
            await asyncio.shield(showing)
        except asyncio.CancelledError:  # asyncio's answer to Ctrl-C
            await stopped(run, showing, view)
        except BrokenPipeError:  # nobody reads the answer
            await cancelled(run)
            raise


async def refreshed(view: View) -> None:
    """Have the view show how it goes, until cancelled."""
    while True:
        view.refresh()
        await asyncio.sleep(REFRESH_SECONDS)


async def shown(run: Run, answer: Answer, view: View) -> None:
    async with aclosing(run.events()) as events:
        async for event in events:
            if isinstance(event, Reconnecting):
                view.note(f"The connection was lost; the next attempt is in {event.seconds:.1f} s.")
            else:
                answer.take(event, view)


async def stopped(run: Run, showing: "asyncio.Task[None]", view: View) -> None:
    """Have the run stop, and return when its last events were shown. Raises Stopped when that can't be."""
    view.stopping()
    if run.id is None:
        showing.cancel()
        raise Stopped("stopped before the run had begun")
    if not await cancelled(run):
        showing.cancel()
        raise Stopped("stopped reading; the server could not be told, and ends the run when it has no reader")
    try:
        async with asyncio.timeout(END_SECONDS):
            await showing
    except TimeoutError:
        raise Stopped("the run was asked to stop, and its end was not seen") from None


async def cancelled(run: Run) -> bool:
    """Return whether the server has taken the order to stop."""
    try:
        await run.cancel()
    except (httpx2.HTTPError, RequestRefused):
        return False
    return True
