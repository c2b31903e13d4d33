"""Which claim of a token becomes what of a principal, as the settings name them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.tokens.signed import BadToken
from gatehouse.identity.identifiers import identifier
from gatehouse.identity.principal import why_no_claim
from gatehouse.settings import Settings


@dataclass(frozen=True, slots=True)
class ClaimName:
    """Where a claim is: the keys that lead to it through nested objects."""

    path: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that a setting holds.

        Dots lead into nested objects (Keycloak's `realm_access.roles`). A name with a colon or a slash
        is a URL (Auth0's `https://example.com/tenant`) or has a prefix (Cognito's `custom:tenant`): it
        is one claim's whole name. Raises ValueError.
        """
        path = (text,) if ":" in text or "/" in text else tuple(text.split("."))
        if not all(path):
            raise ValueError(f"{text!r} names no claim")
        return cls(path)

    def is_plain(self, name: str) -> bool:
        return self.path == (name,)

    def value(self, claims: Mapping[str, Any]) -> Any:
        """Return the claim's value, None when there is none."""
        found: Any = claims
        for key in self.path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def __str__(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """The claims of a principal.

    `further` are those that chains and tools are told beside, by the name that they get in `configurable`;
    `fixed_tenant` is every token's tenant, whatever the token says.
    """

    audience: ClaimName = ClaimName(("aud",))
    user_id: ClaimName = ClaimName(("sub",))
    tenant_id: ClaimName = ClaimName(("tenant_id",))
    name: ClaimName = ClaimName(("name",))
    scopes: tuple[ClaimName, ...] = (ClaimName(("scope",)), ClaimName(("scopes",)))
    plan: ClaimName = ClaimName(("plan",))
    further: Mapping[str, ClaimName] = field(default_factory=dict)
    fixed_tenant: str | None = None
    scope_prefix: str = ""

    @property
    def by_sub(self) -> bool:
        """Whether `sub` names the user. Where another claim does, a token may be without it."""
        return self.user_id.is_plain("sub")

    def check_audience(self, claims: Mapping[str, Any], audiences: Collection[str]) -> None:
        """Raise BadToken unless one of the audiences is the claim's value, or is in the list that it is."""
        value = self.audience.value(claims)
        if not any(found in audiences for found in (value if isinstance(value, list) else [value])):
            raise BadToken(f"{self.audience} is not GATEHOUSE_AUDIENCE")


def claim_names(settings: Settings) -> ClaimNames:
    """Return the names that the settings hold. Raises BadConfiguration for one that names no claim."""
    return ClaimNames(
        audience=_name(settings, "claim_audience"),
        user_id=_name(settings, "claim_user_id"),
        tenant_id=_name(settings, "claim_tenant_id"),
        name=_name(settings, "claim_name"),
        scopes=tuple(_parse("claim_scopes", text) for text in settings.claim_scopes),
        plan=_name(settings, "claim_plan"),
        further={name: _further(name, claim) for name, claim in settings.claims.items()},
        fixed_tenant=_tenant(settings.tenant_id),
        scope_prefix=settings.scope_prefix,
    )


def _further(name: str, claim: str) -> ClaimName:
    if fault := why_no_claim(name):
        raise BadConfiguration(f"GATEHOUSE_CLAIMS: {fault}.")
    return _parse("claims", claim)


def _name(settings: Settings, setting: str) -> ClaimName:
    return _parse(setting, getattr(settings, setting))


def _parse(setting: str, text: str) -> ClaimName:
    try:
        return ClaimName.parse(text)
    except ValueError as error:
        raise BadConfiguration(f"GATEHOUSE_{setting.upper()}: {error}.") from None


def _tenant(tenant_id: str | None) -> str | None:
    try:
        return None if tenant_id is None else identifier(tenant_id)
    except ValueError as error:
        raise BadConfiguration(f"GATEHOUSE_TENANT_ID: {error}.") from None
