"""Decisions as LangGraph takes them: one answer for each interrupt, when all of what it asks is decided."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row


def answers_of(rows: Iterable[Row[Any]]) -> dict[str, Any]:
    """Return the answers by the ids of their interrupts; without those of which something is open."""
    by_interrupt: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_interrupt[row.interrupt_id].append(row)
    return {
        interrupt_id: answer_of(sorted(asked, key=lambda row: int(row.position)))
        for interrupt_id, asked in by_interrupt.items()
        if all(row.decision for row in asked)
    }


def answer_of(rows: list[Row[Any]]) -> Any:
    """Return the answer of one interrupt, whose rows are in order."""
    first = rows[0]
    if first.form == "batched":
        return {"decisions": [middlewares(row.tool, row.decision) for row in rows]}
    if first.form == "per_call":
        return middlewares(first.tool, first.decision)
    if first.form == "input":
        return first.decision["response"]
    decided = {name: value for name, value in first.decision.items() if name != "decision"}
    return {"type": first.decision["decision"], "digest": first.digest, "id": first.id, **decided}


def middlewares(tool: str, decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return a decision as LangChain's HumanInTheLoopMiddleware has it."""
    match decision["decision"]:
        case "edit":
            return {"type": "edit", "edited_action": {"name": tool, "args": decision["args"]}}
        case "respond":
            return {"type": "respond", "message": decision["message"]}
        case "reject":
            return (
                {"type": "reject", "message": decision["message"]}
                if decision.get("message")
                else {"type": "reject"}
            )
    return {"type": "approve"}
