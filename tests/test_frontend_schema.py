"""The web client's types come from the API as it is."""

from pathlib import Path

from gatehouse.cli.openapi import openapi_document

FRONTEND = Path(__file__).parent.parent / "frontend"


def test_the_checked_in_document_is_that_of_the_server() -> None:
    # make types
    assert (FRONTEND / "openapi.json").read_text() == openapi_document()


def test_the_lock_file_names_no_host() -> None:
    lock = (FRONTEND / "package-lock.json").read_text()
    assert '"resolved"' not in lock
