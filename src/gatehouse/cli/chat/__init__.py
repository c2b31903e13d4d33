"""`gatehouse chat`: a conversation in a terminal, over the run API."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gatehouse.cli.chat import questions

Question = Annotated[
    str | None, typer.Argument(help="What to ask. Without it: what is piped in, or a prompt line.")
]
Url = Annotated[
    str | None,
    typer.Option(envvar="GATEHOUSE_URL", metavar="URL", help="By default that of this folder's settings."),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Holds an API key or a token, in place of GATEHOUSE_API_KEY."),
]
Runnable = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who answers: chat, agent, …; else the default entry.")
]
Thread = Annotated[
    str | None, typer.Option(metavar="ID", help="The conversation that goes on. By default a new one.")
]
Prefix = Annotated[str, typer.Option(metavar="TEXT", help="Stands before each answer.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="As with NO_COLOR set.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the run's events, one a line.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the answer alone, when it is complete.")]


def chat(
    question: Question = None,
    url: Url = None,
    api_key_file: KeyFile = None,
    runnable: Runnable = None,
    thread: Thread = None,
    prefix: Prefix = "",
    no_color: NoColor = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Ask a Gatehouse server and read the answer as it comes.

    Ctrl-C stops the run and keeps what came; a second one leaves at once. A lost connection is joined again.
    What a run waits for is asked at the terminal. GATEHOUSE_API_KEY says who you are; a development server on
    this machine takes alice's key.

    Exit codes: 0 answered, 1 the run failed, 2 not understood, 3 not allowed, 4 over a limit, 5 the server
    is not there, 6 it waits for an approval, 130 stopped by Ctrl-C.
    """
    if quiet and as_json:
        raise typer.BadParameter("takes no --json beside it.", param_hint="--quiet")
    question = asked(question)
    from gatehouse.cli.chat.conversation import Conversation
    from gatehouse.cli.chat.server import server_of
    from gatehouse.cli.chat.views import views

    about = {name: value for name, value in (("runnable", runnable), ("thread_id", thread)) if value}
    new_view = views(prefix, no_color=no_color, as_json=as_json, quiet=quiet)
    decides = sys.stdin.isatty() and not (quiet or as_json)
    conversation = Conversation(server_of(url, api_key_file), about, new_view, decides=decides)
    if question is None:
        conversation.go_on(questions.typed_questions())
    else:
        conversation.ask(question)


def asked(question: str | None) -> str | None:
    """Return the question that was given or is piped in; None when somebody is to type it."""
    if question is not None:
        return questions.checked(question)
    return None if sys.stdin.isatty() else questions.piped_question()
