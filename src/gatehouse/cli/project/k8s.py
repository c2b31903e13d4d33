"""`gatehouse k8s`: the manifests of this release."""

from pathlib import Path
from typing import Annotated

import typer

from gatehouse.cli.failure import Failed


def k8s(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder that gets `base` and `components`, as k8s.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace those of another release, or that were changed.")
    ] = False,
) -> None:
    """Write this release's Kubernetes manifests: DIR/base and DIR/components, for an overlay beside them.

    They are Gatehouse's: what is yours belongs into the overlay. What is there and differs is left as it is,
    without --replace.
    """
    from gatehouse.cli.project.manifests import PARTS, NotOurs, differing, write_manifests

    try:
        if not replace and (files := differing(directory)):
            raise Failed(
                f"{files[0]} is not as this release has it{and_others(len(files) - 1)}: --replace writes it "
                "anew. Nothing was written"
            )
        write_manifests(directory, replace=replace)
    except NotOurs as error:
        raise Failed(f"{error} is no folder of manifests of Gatehouse's. Nothing was written") from None
    except OSError as error:
        raise Failed(f"{error.filename or directory} cannot be written ({error.strerror})") from None
    print(" and ".join(str(directory / part) for part in PARTS) + " are this release's.")


def and_others(number: int) -> str:
    return f", nor are {number} other files" if number else ""
