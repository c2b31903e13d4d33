"""Which runnables a tenant is offered (GATEHOUSE_TENANT_RUNNABLES). What it is not, does not exist for it."""

from collections.abc import Collection, Mapping
from typing import TypeVar

from gatehouse.identity.principal import Principal
from gatehouse.settings import Settings

Served = TypeVar("Served")


def is_offered(settings: Settings, tenant_id: str, name: str) -> bool:
    """Tell whether a tenant may know of a runnable: its list names it, or lists were never set."""
    lists = settings.tenant_runnables
    if lists is None:
        return True
    names = lists.get(tenant_id, lists.get("*", ()))
    return name in names or "*" in names


def offered(settings: Settings, principal: Principal, served: Mapping[str, Served]) -> dict[str, Served]:
    """Return those of the served runnables, by name, that the principal's tenant is offered."""
    tenant_id = principal.tenant_id
    return {name: entry for name, entry in served.items() if is_offered(settings, tenant_id, name)}


def runnable_under(path: str, names: Collection[str]) -> str | None:
    """Return the name of the runnable that a path is under, the longest that fits; None for no one's path."""
    under = f"{path}/"
    return max((name for name in names if under.startswith(f"/{name}/")), key=len, default=None)
