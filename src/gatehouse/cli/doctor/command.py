"""`gatehouse doctor`."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gatehouse.cli.environment import load_settings
from gatehouse.cli.failure import Failed
from gatehouse.cli.output import print_json

if TYPE_CHECKING:
    from gatehouse.cli.doctor.checks import Finding


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Test every configured part by using it, and say how to mend what is wrong.

    One line a part: ok, warning or failed. Exits with 1 when one failed.
    """
    findings = asyncio.run(find())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print(f"{finding.state:<8}{finding.part:<12}{finding.detail}")
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(1)


async def find() -> "Sequence[Finding]":
    """Return what was found; where the settings are wrong there is nothing else to test."""
    from gatehouse.cli.doctor.checks import Finding, examine

    try:
        settings = load_settings()
    except Failed as error:
        return [Finding("settings", "failed", str(error).removeprefix("settings: "))]
    return await examine(settings)
