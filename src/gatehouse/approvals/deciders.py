"""Who may decide: whoever asked, or another person of the tenant, as an entry says."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Self

from gatehouse.identity.principal import WRITE_RUNS, Principal

DECIDE = "approvals:decide"


@dataclass(frozen=True, slots=True)
class Deciders:
    """Who decides on what an entry's runs ask.

    By default that is whoever began the run, and those of the tenant with the scope `approvals:decide`. With
    `four_eyes` nobody decides on what they asked for themselves. With `groups` only those decide who have one
    of them in the `claim` of their credential.
    """

    four_eyes: bool = False
    groups: Collection[str] = ()
    claim: str = "groups"

    def include(self, principal: Principal, user_id: str) -> bool:
        """Tell whether a principal of the tenant may decide on what this user asked for."""
        if self.groups and set(self.groups).isdisjoint(texts_of(principal.claims.get(self.claim))):
            return False
        if principal.user_id == user_id:
            return not self.four_eyes and principal.may(WRITE_RUNS)
        return principal.may(DECIDE)

    def json(self) -> dict[str, Any]:
        return {**asdict(self), "groups": sorted(self.groups)}

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Self:
        """Return what `json` kept."""
        return cls(**{**kept, "groups": tuple(kept["groups"])})


def texts_of(claim: Any) -> set[str]:
    """Return the values of a claim: one text, or a list of them."""
    values = claim if isinstance(claim, list | tuple) else [claim]
    return {value for value in values if isinstance(value, str)}
