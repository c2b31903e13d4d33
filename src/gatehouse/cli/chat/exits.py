"""How `gatehouse chat` fails: each kind of failure has its exit code, which the command's help lists."""

from typing import Any

from gatehouse.cli.failure import Failed

NOT_ALLOWED = {401, 403}
OVER_A_LIMIT = 429
SERVER_FAULT = 500
INTERRUPTED = 130  # as shells say it of a program that Ctrl-C ended


class NoCredential(Failed):
    """No credential, or one that may not do this."""

    exit_code = 3


class OverLimit(Failed):
    """A limit is used up; the message says when to try again."""

    exit_code = 4


class ServerUnreachable(Failed):
    """Nobody answers, or nobody did in time after the connection was lost."""

    exit_code = 5


class Waits(Failed):
    """The run waits for a person's approval, and nobody can be asked here."""

    exit_code = 6


class Stopped(Failed):
    """Ctrl-C ended it."""

    exit_code = INTERRUPTED


def failure_of(problem: dict[str, Any]) -> Failed:
    """Return a problem (RFC 9457) of the server as what the command fails with."""
    status, text = problem.get("status"), sentence(problem)
    if status in NOT_ALLOWED:
        return NoCredential(text)
    if status == OVER_A_LIMIT:
        return OverLimit(text)
    return Failed(text)


def sentence(problem: dict[str, Any]) -> str:
    """Return what a problem says, with the first of its faulty fields."""
    detail = str(problem.get("detail") or problem.get("title") or "The server refused, without a reason.")
    faults = problem.get("errors")
    if isinstance(faults, list) and faults and isinstance(faults[0], dict):
        detail = f"{detail} {faults[0].get('msg', '')}".rstrip()
    return detail
