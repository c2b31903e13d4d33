"""Which entries a caller may be told of as tools of MCP."""

from gatehouse.identity.principal import Principal
from gatehouse.registry.entry import ServedEntry
from gatehouse.registry.offered import offered
from gatehouse.services import Services


def tools_of(services: Services, principal: Principal) -> dict[str, ServedEntry]:
    """Return the entries, and the tools of entries, that the caller's tenant is offered, by their names."""
    entries = offered(services.settings, principal, services.entries).values()
    return {one.mcp_name: one for entry in entries for one in entry.told_over_mcp}
