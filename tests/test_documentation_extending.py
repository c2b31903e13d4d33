"""The blocks of docs/extending.md, written into a new project and run there."""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import pytest
from gatehouse_processes import GATEHOUSE, ForkedProcess, completed, forked
from live_server import LiveServer, running, server_environment
from new_project import PACKAGE, environment_of_a_person, new_project

DOCUMENT = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
BLOCKS = re.findall(r"^```python\n# (\S+?)(, at its end)?\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project with all that the document adds to it."""
    folder = new_project(tmp_path_factory.mktemp("extending") / "mine")
    for name, at_the_end, code in BLOCKS:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.read_text() + "\n" + code if at_the_end else code)
    return folder


@pytest.fixture(scope="module")
def served(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """What the document's app/main.py makes, served by uvicorn, with the tables of the project."""
    path = os.pathsep.join([str(project), str(PACKAGE)])
    variables = server_environment(tmp_path_factory.mktemp("data"), PYTHONPATH=path)
    del variables["GATEHOUSE_MIGRATIONS"]
    for command in ([GATEHOUSE, "db", "upgrade"], [sys.executable, "-m", "tools.fill_notes"]):
        completed(command, variables, project).check_returncode()
    keys = {
        user: key_of(user, tenant, project, variables)
        for user, tenant in (("alice", "acme"), ("bob", "beta"))
    }
    command = [sys.executable, "-m", "uvicorn", "app.main:create_app", "--factory"]
    with running(command, project, variables, keys, on_its_port) as server:
        yield server


def on_its_port(command: Sequence[str], environment: Mapping[str, str], *where: Path) -> ForkedProcess:
    """Start uvicorn, which takes its port from the command line, not from PORT."""
    return forked([*command, "--port", environment["PORT"]], environment, *where)


def key_of(user: str, tenant: str, project: Path, variables: dict[str, str]) -> str:
    """Return a new API key with every scope."""
    command = [GATEHOUSE, "keys", "create", "--tenant", tenant, "--user", user, "--scope", "*"]
    done = completed(command, variables, project)
    (key,) = re.findall(r"gh_dev_\w+", done.stdout)
    return str(key)


def answer(server: LiveServer, runnable: str, query: str, user: str = "alice") -> str:
    asked = httpx.post(
        f"{server.url}/api/chat",
        json={"query": query, "runnable": runnable},
        headers={"x-api-key": server.keys[user]},
        timeout=30,
    )
    return str(asked.raise_for_status().json()["response"])


def test_every_block_is_a_file() -> None:
    assert [name for name, _, _ in BLOCKS] == [
        "chains/letter.py",
        "chains/registry.py",
        "tools/notes.py",
        "tools/migrations/versions/0001_notes.py",
        "tools/fill_notes.py",
        "app/main.py",
        "watch.py",
    ]
    assert len(BLOCKS) == DOCUMENT.count("```python")


def test_the_chain_answers_with_its_further_input(served: LiveServer) -> None:
    body = {"input": {"input": "[say Dear all,]", "tone": "formal"}}
    asked = httpx.post(
        f"{served.url}/letter/invoke", json=body, headers={"x-api-key": served.keys["alice"]}, timeout=30
    )
    assert asked.raise_for_status().json()["output"] == "Dear all,"


def test_the_tools_keep_what_each_caller_says(served: LiveServer) -> None:
    assert "milk" in answer(served, "notes", '[tool add_note {"text": "milk"}]')
    assert answer(served, "notes", "[tool list_notes]") == 'The results: {"notes":["Welcome, alice.","milk"]}'
    assert answer(served, "notes", "[tool list_notes]", "bob") == 'The results: {"notes":["Welcome, bob."]}'


def test_a_tools_refusal_is_told_to_the_model(served: LiveServer) -> None:
    assert "The note is empty." in answer(served, "notes", '[tool add_note {"text": " "}]')


def test_the_route_knows_who_is_calling(served: LiveServer) -> None:
    asked = httpx.get(f"{served.url}/letters", headers={"x-api-key": served.keys["alice"]})
    assert asked.json() == {"letters_of": "alice"}
    assert httpx.get(f"{served.url}/letters").status_code == httpx.codes.UNAUTHORIZED
    few = {"authorization": f"Bearer {served.token('alice', 'acme', scopes=('runnable:ask',))}"}
    assert httpx.get(f"{served.url}/letters", headers=few).status_code == httpx.codes.FORBIDDEN


def test_the_handlers_hear_the_model(project: Path) -> None:
    done = completed([sys.executable, "watch.py"], environment_of_a_person(), project)
    assert done.stdout.splitlines() == ["> A bond is a loan.", "A bond is a loan.", "A bond is a loan."]
    assert done.stderr.strip()
