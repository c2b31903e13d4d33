"""The routes of API keys: make, list, rotate and revoke those of one's own tenant."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, StringConstraints, field_validator
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse.audit.entry import Action
from gatehouse.auth.api_keys.record import ApiKey
from gatehouse.auth.api_keys.store import CreatedKey, Within
from gatehouse.auth.authenticator import lookup
from gatehouse.identity.identifiers import identifier
from gatehouse.identity.principal import Principal, why_no_claim
from gatehouse.problems.errors import (
    Conflict,
    InsufficientScope,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from gatehouse.problems.faults import StrictModel
from gatehouse.services import services_of
from gatehouse.web.audited import entry_of
from gatehouse.web.dependencies import CurrentPrincipal, requires

ADMIN = "keys:admin"
MOST_KEYS = 1000  # that work, of one tenant
TEN_YEARS = 3650 * 86_400.0
SCOPE = r"^[\x21\x23-\x5b\x5d-\x7e]+$"  # a scope-token of RFC 6749 section 3.3

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Scope = Annotated[str, StringConstraints(max_length=255, pattern=SCOPE)]


class NewKey(StrictModel):
    """What a key is made with. Its tenant and its plan are those of who makes it."""

    user_id: Identifier = Field(description="whom the key stands for", examples=["alice"])
    name: Annotated[str, StringConstraints(max_length=255)] = Field("", examples=["Alice's laptop"])
    scopes: list[Scope] = Field([], max_length=100, examples=[["runnable:chat"]])
    expires_in: float | None = Field(
        None, gt=0, le=TEN_YEARS, description="seconds; without it the key works until it is revoked"
    )
    claims: dict[str, Identifier] = Field(
        {}, max_length=20, description="what tools are told", examples=[{"desk": "fx"}]
    )

    @field_validator("user_id", "name")
    @classmethod
    def _printable(cls, value: str) -> str:
        return identifier(value) if value else value

    @field_validator("claims")
    @classmethod
    def _usable(cls, claims: dict[str, str]) -> dict[str, str]:
        for name in claims:
            if fault := why_no_claim(name):
                raise ValueError(fault)
        return {name: identifier(value) for name, value in claims.items()}


class Overlap(StrictModel):
    """How long the old key still works."""

    overlap: float = Field(3600, ge=0, le=30 * 86_400, description="seconds")


class KeyInfo(BaseModel):
    """What is known of a key. The key itself is kept by nobody but its owner."""

    id: str
    user_id: str
    name: str
    scopes: list[str]
    plan: str | None
    claims: dict[str, Any]
    state: Literal["works", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        return cls(**fields_of(key))


class NewKeyInfo(KeyInfo):
    """A new key. `key` is its text: shown now, and never again."""

    key: str

    @classmethod
    def of_created(cls, created: CreatedKey) -> Self:
        return cls(**fields_of(created.record), key=created.key)


class KeyPage(BaseModel):
    """Some of the tenant's keys; `next_cursor` is None on the last page."""

    items: list[KeyInfo]
    next_cursor: str | None


PROBLEMS = {**Unauthenticated.schema(), **InsufficientScope.schema(), **Unavailable.schema()}
TAKING_A_BODY = {**UnsupportedMediaType.schema(), **InvalidInput.schema()}
ONE_KEY = NotFound.schema()

router = APIRouter(
    prefix="/api/keys", tags=["API keys"], responses=PROBLEMS, dependencies=[Depends(requires(ADMIN))]
)


@router.post("", status_code=201, responses={**TAKING_A_BODY, **Conflict.schema()})
async def create_key(request: Request, principal: CurrentPrincipal, new: NewKey) -> NewKeyInfo:
    """Make a key for a user of the caller's tenant, with scopes that the caller has."""
    api_keys = services_of(request).authenticator.api_keys
    check_grants(principal, new.scopes)
    with lookup():
        if await api_keys.count(principal.tenant_id) >= MOST_KEYS:
            raise Conflict(f"This tenant has {MOST_KEYS} keys that work: revoke one before.")
        created = await api_keys.create(
            tenant_id=principal.tenant_id,
            user_id=new.user_id,
            name=new.name,
            scopes=new.scopes,
            expires_at=datetime.now(UTC) + timedelta(seconds=new.expires_in) if new.expires_in else None,
            plan=principal.plan,
            claims=new.claims,
            within=audited(request, principal, "key.create"),
        )
    return NewKeyInfo.of_created(created)


@router.get("", responses={**NotFound.schema(), **InvalidInput.schema()})
async def list_keys(
    request: Request,
    principal: CurrentPrincipal,
    limit: Annotated[int, Query(ge=1, le=100, description="most items of the page")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=16, description="`next_cursor` of the page before")
    ] = None,
) -> KeyPage:
    """The tenant's keys, the oldest first; expired and revoked ones too."""
    with lookup():
        page = await services_of(request).authenticator.api_keys.page(principal.tenant_id, limit + 1, cursor)
    items = [KeyInfo.of(key) for key in page[:limit]]
    return KeyPage(items=items, next_cursor=items[-1].id if len(page) > limit else None)


@router.get("/{key_id}", responses=ONE_KEY)
async def read_key(request: Request, principal: CurrentPrincipal, key_id: str) -> KeyInfo:
    """One of the tenant's keys."""
    with lookup():
        return KeyInfo.of(await services_of(request).authenticator.api_keys.get(key_id, principal.tenant_id))


@router.post("/{key_id}/rotate", status_code=201, responses={**ONE_KEY, **TAKING_A_BODY})
async def rotate_key(
    request: Request, principal: CurrentPrincipal, key_id: str, overlap: Overlap
) -> NewKeyInfo:
    """Make a key that takes over from another: same user, scopes and length of life."""
    api_keys = services_of(request).authenticator.api_keys
    with lookup():
        old = await api_keys.get(key_id, principal.tenant_id)
        check_grants(principal, old.scopes)  # else whoever may rotate a key would get what it may do
        within = audited(request, principal, "key.rotate", old=key_id)
        return NewKeyInfo.of_created(
            await api_keys.rotate(key_id, overlap.overlap, principal.tenant_id, within)
        )


@router.post("/{key_id}/revoke", responses=ONE_KEY)
async def revoke_key(request: Request, principal: CurrentPrincipal, key_id: str) -> KeyInfo:
    """End a key. Every replica refuses it within 5 s, and ends the runs that were started with it."""
    api_keys = services_of(request).authenticator.api_keys
    with lookup():
        within = audited(request, principal, "key.revoke")
        return KeyInfo.of(await api_keys.revoke(key_id, principal.tenant_id, within))


def audited(request: Request, principal: Principal, action: Action, **details: str) -> Within:
    """Return what writes the change of a key into the audit log: the one is not there without the other."""

    async def write(connection: AsyncConnection, key: ApiKey) -> None:
        scopes = " ".join(sorted(key.scopes))
        entry = entry_of(request, action, "ok", principal, key.id, user=key.user_id, scopes=scopes, **details)
        await services_of(request).audit.write_within(connection, entry)

    return write


def check_grants(principal: Principal, scopes: Collection[str]) -> None:
    """Raise InsufficientScope for the first scope that the principal lacks: nobody gives what they lack."""
    for scope in sorted(scopes):
        if not principal.may(scope):
            raise InsufficientScope(scope)


def fields_of(key: ApiKey) -> dict[str, Any]:
    names = (
        "id",
        "user_id",
        "name",
        "plan",
        "state",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    )
    fields = {name: getattr(key, name) for name in names}
    return {**fields, "scopes": sorted(key.scopes), "claims": key.claims}
