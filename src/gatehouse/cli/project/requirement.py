"""What a project asks an installer for, to get the Gatehouse that wrote it."""

import json
from importlib.metadata import Distribution, distribution

DISTRIBUTION = "gatehouse-server"  # `gatehouse` is another project's name on the public index


def requirement() -> str:
    """Return the requirement of the Gatehouse that runs: the release, else where it was installed from."""
    return requirement_of(distribution(DISTRIBUTION))


def requirement_of(installed: Distribution) -> str:
    """Return `name==version` of what came from an index, `name @ URL` of a wheel, a folder or a repository.

    Installers note where else a distribution came from in direct_url.json (PEP 610).
    """
    name, noted = installed.name, installed.read_text("direct_url.json")
    if noted is None:
        return f"{name}=={installed.version}"
    origin = json.loads(noted)
    url = origin["url"].replace("'", "%27").replace("$", "%24")  # it stands in a Makefile, in quotes
    if repository := origin.get("vcs_info"):
        return f"{name} @ {repository['vcs']}+{url}@{repository['commit_id']}"
    return f"{name} @ {url}"
