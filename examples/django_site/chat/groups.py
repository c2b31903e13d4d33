"""What goes over the channel layer: to all sockets of one user, in every process of the site."""

from typing import Any


def group_of(user_id: int) -> str:
    """Return the name of the user's group."""
    return f"user-{user_id}"


def shown(event: dict[str, Any]) -> dict[str, Any]:
    """Return the message that shows an event in every tab."""
    return {"type": "chat.shown", "event": event}


def signed_out(session: str) -> dict[str, Any]:
    """Return the message that closes the sockets of a session."""
    return {"type": "chat.signed_out", "session": session}
