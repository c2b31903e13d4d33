"""Asks at the terminal what a run waits for, and tells the server what was decided."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import typer

from gatehouse.cli.chat.exits import ServerUnreachable, failure_of, sentence
from gatehouse.cli.chat.lines import harmless
from gatehouse.cli.chat.server import Server

CONFLICTS = {409, 410}  # somebody else was first, or nobody in time
FAULTY = 422
LETTERS = {"a": "approve", "e": "edit", "r": "reject", "s": "respond", "h": "happened", "g": "give_up"}


def decide_all(server: Server, approvals: Sequence[Mapping[str, Any]]) -> None:
    """Return when each of the approvals is decided. Raises Failed, and Abort for Ctrl-C or Ctrl-D."""
    for approval in approvals:
        show(approval)
        while fault := told(server, approval, decision_on(approval)):
            note(fault)


def show(approval: Mapping[str, Any]) -> None:
    """Show what waits, in its own words and as it would be done."""
    note(f"\n{approval.get('tool') or 'The run'} waits for you.")
    if approval.get("description"):
        note(str(approval["description"]))
    asked = approval["args"] if approval.get("args") is not None else approval.get("value")
    note(json.dumps(asked, indent=2, ensure_ascii=False, default=str))
    if approval.get("same_as"):
        note("It looks like a call that was asked about before in this run.")


def decision_on(approval: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is entered. Raises Abort."""
    allowed = [str(choice) for choice in approval["allowed"]]
    choice = allowed[0] if len(allowed) == 1 else chosen(allowed)
    decision: dict[str, Any] = {"decision": choice, "digest": approval["digest"]}
    if choice == "edit":
        decision["args"] = as_json("Arguments (JSON)", approval["args"])
    elif choice == "reject":
        if reason := entered("Reason", ""):
            decision["message"] = reason
    elif choice == "respond" and approval.get("kind") == "input":
        text = entered("Answer")
        decision["response"] = parsed(text, text)
    elif choice == "respond":
        decision["message"] = entered("Answer")
    return decision


def chosen(allowed: list[str]) -> str:
    """Return one of what is allowed, by its name or its letter. Raises Abort."""
    while True:
        said = entered(f"Decide ({', '.join(allowed)})").strip().lower()
        choice = LETTERS.get(said, said)
        if choice in allowed:
            return choice
        note(f"That is none of {', '.join(allowed)}.")


def as_json(label: str, default: Any) -> Any:
    """Return an object of JSON that is entered; asked again until it is one. Raises Abort."""
    while True:
        value = parsed(entered(label, json.dumps(default, ensure_ascii=False)), None)
        if isinstance(value, dict):
            return value
        note("That is no JSON object.")


def parsed(text: str, otherwise: Any) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return otherwise


def entered(label: str, default: str | None = None) -> str:
    return str(typer.prompt(label, default=default, show_default=bool(default), err=True))


def note(text: str) -> None:
    """Show it beside the answer: what a model wrote is shown, and not obeyed."""
    typer.echo(harmless(text), err=True)


def told(server: Server, approval: Mapping[str, Any], decision: Mapping[str, Any]) -> str:
    """Tell the server; return what is to be corrected, empty when it is decided. Raises Failed."""
    return asyncio.run(posted(server, approval, decision))


async def posted(server: Server, approval: Mapping[str, Any], decision: Mapping[str, Any]) -> str:
    try:
        async with server.client() as client:
            response = await client.post(f"/api/approvals/{approval['id']}/decision", json=dict(decision))
            problem = {} if response.is_success else response.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise ServerUnreachable(f"the decision did not reach {server.url} ({type(error).__name__})") from None
    if response.is_success:
        return ""
    if response.status_code == FAULTY:
        return sentence(problem)
    if response.status_code in CONFLICTS:  # it is decided: the run tells the rest
        note(sentence(problem))
        return ""
    raise failure_of({**problem, "status": response.status_code})
