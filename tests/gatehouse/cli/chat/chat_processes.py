"""`gatehouse chat` as a process of its own, for a server that runs."""

from contextlib import AbstractContextManager
from pathlib import Path

from gatehouse_processes import GATEHOUSE
from live_server import LiveServer, server_environment
from terminal import Terminal, terminal


def chat_environment(url: str, key: str, folder: Path) -> dict[str, str]:
    """Return the variables of somebody with this key, who has a home of their own."""
    client = {"GATEHOUSE_URL": url, "GATEHOUSE_API_KEY": key}
    return {**server_environment(folder), "HOME": str(folder), "LANG": "C.UTF-8", **client}


def of_alice(server: LiveServer, folder: Path) -> dict[str, str]:
    return chat_environment(server.url, server.keys["alice"], folder)


def chat_command(*arguments: str) -> list[str]:
    return [GATEHOUSE, "chat", *arguments]


def chat_terminal(
    server: LiveServer, folder: Path, *arguments: str, columns: int = 80, rows: int = 24
) -> AbstractContextManager[Terminal]:
    """Return alice's terminal, in which she chats."""
    return terminal(chat_command(*arguments), of_alice(server, folder), folder, columns, rows)
