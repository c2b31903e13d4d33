"""Who the caller is and what they may still use; what was used."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from gatehouse.identity.principal import CredentialKind
from gatehouse.problems.errors import InsufficientScope, InvalidInput, Unauthenticated
from gatehouse.services import services_of
from gatehouse.usage.store import UsageOfDay
from gatehouse.web.dependencies import CurrentPrincipal

MOST_DAYS = 92
USUAL_DAYS = 30
READ_OTHERS = "usage:read"

router = APIRouter(prefix="/api", tags=["usage"], responses=Unauthenticated.schema())


class LimitLeft(BaseModel):
    """What is left of a limit. Those that begin with `tenant-` are of all users of the tenant together."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["requests", "runs", "tokens", "tenant-requests"])
    limit: int
    remaining: int
    reset_seconds: int = Field(description="after which the limit is whole again; of runs, nobody can say")
    window: int | None = Field(
        description="seconds in which `limit` may be used; null for runs that go on at once"
    )


class Me(BaseModel):
    """The caller. `expires_at` is when the credential ends, in Unix seconds."""

    tenant_id: str
    user_id: str
    name: str
    scopes: list[str]
    credential: CredentialKind
    expires_at: float | None
    plan: str
    limits: list[LimitLeft]


class UsageOfRange(BaseModel):
    """The usage of the days from `first` to `last`, newest first."""

    first: date
    last: date
    total_tokens: int
    cost: float | None = Field(description="of all that have a price; null when none has")
    currency: str = Field(examples=["USD"])
    items: list[UsageOfDay]


@router.get("/me")
async def me(request: Request, principal: CurrentPrincipal) -> Me:
    """Who you are, what you may do, and what you may still use."""
    limiter = services_of(request).limits.limiter
    standing = await limiter.look(principal)
    return Me(
        tenant_id=principal.tenant_id,
        user_id=principal.user_id,
        name=principal.name,
        scopes=sorted(principal.scopes),
        credential=principal.credential,
        expires_at=principal.expires_at,
        plan=limiter.plans.of(principal.plan).name,
        limits=[LimitLeft.model_validate(limit) for limit in standing.limits()] if standing else [],
    )


@router.get("/usage", responses={**InsufficientScope.schema(), **InvalidInput.schema()})
async def usage(
    request: Request,
    principal: CurrentPrincipal,
    first: Annotated[date | None, Query(description="first day, in UTC; by default 30 days are told")] = None,
    last: Annotated[date | None, Query(description="last day, in UTC; by default today")] = None,
    of: Annotated[Literal["me", "tenant"], Query(description="tenant needs the scope usage:read")] = "me",
) -> UsageOfRange:
    """Runs, tokens and costs by day, runnable and model. A run is entered a second or two after its end."""
    first, last = checked_range(first, last)
    store = services_of(request).usage
    if of == "me":
        items = await store.of_user(principal, first, last)
    elif principal.may(READ_OTHERS):
        items = await store.of_tenant(principal, first, last)
    else:
        raise InsufficientScope(READ_OTHERS)
    costs = [item.cost for item in items if item.cost is not None]
    return UsageOfRange(
        first=first,
        last=last,
        items=items,
        total_tokens=sum(item.total_tokens for item in items),
        cost=sum(costs) if costs else None,
        currency=store.prices.currency,
    )


def checked_range(first: date | None, last: date | None) -> tuple[date, date]:
    """Return the days that were asked for. Raises InvalidInput for too many, or for none."""
    last = last or datetime.now(UTC).date()
    if first is None:
        first = date.fromordinal(max(1, last.toordinal() - USUAL_DAYS + 1))
    if first > last:
        raise InvalidInput("The first day is after the last.")
    if last - first >= timedelta(days=MOST_DAYS):
        raise InvalidInput(f"At most {MOST_DAYS} days are told at once.")
    return first, last
