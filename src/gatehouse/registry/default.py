"""Which entry answers what is asked of none in particular, the same on every wire."""

from collections.abc import Mapping

from gatehouse.identity.principal import Principal
from gatehouse.registry.checked import BadRegistry, Registry
from gatehouse.registry.entry import ServedEntry


def with_one_default(registry: Registry) -> Registry:
    """Return the registry. Raises BadRegistry, with their names, when several entries are its default."""
    defaults = [entry.path for entry in registry.entries if entry.default]
    if len(defaults) > 1:
        raise BadRegistry(
            f"{registry.name}: {', '.join(defaults)}: one entry can be the default, not {len(defaults)}"
        )
    return registry


def default_entry(entries: Mapping[str, ServedEntry], principal: Principal) -> ServedEntry | None:
    """Return the default of these entries, or the first when none of them is: of those the principal may use.

    One that may use none of them is told the scope of the one that would answer; None without entries.
    """
    by_rank = sorted(entries.values(), key=lambda entry: not entry.default)
    usable = (entry for entry in by_rank if principal.may(entry.required_scope))
    return next(usable, by_rank[0] if by_rank else None)
