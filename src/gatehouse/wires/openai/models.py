"""What a client can ask: each entry that a text or messages can be said to is a model."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InsufficientScope, NotFound, Unauthenticated
from gatehouse.registry.entry import ServedEntry
from gatehouse.registry.offered import offered
from gatehouse.services import Services, services_of
from gatehouse.web.dependencies import CurrentPrincipal
from gatehouse.wires.openai.errors import NoSuchModel

OWNER = "gatehouse"


class Model(BaseModel):
    """A runnable, as a model of OpenAI's API."""

    id: str = Field(examples=["agent"])
    object: Literal["model"] = "model"
    created: int = Field(0, description="Unix seconds; a runnable has no date of its own: 0")
    owned_by: str = OWNER


class Models(BaseModel):
    """The models that the caller may use, in the registry's order."""

    object: Literal["list"] = "list"
    data: list[Model]


router = APIRouter(prefix="/v1", tags=["OpenAI"], responses=Unauthenticated.schema())


@router.get("/models")
async def list_models(request: Request, principal: CurrentPrincipal) -> Models:
    """The models that the caller may use."""
    entries = models_of(services_of(request), principal).values()
    return Models(data=[Model(id=entry.name) for entry in entries if principal.may(entry.required_scope)])


@router.get("/models/{model:path}", responses=NotFound.schema())
async def get_model(request: Request, principal: CurrentPrincipal, model: str) -> Model:
    """One model."""
    return Model(id=model_named(services_of(request), principal, model).name)


def models_of(services: Services, principal: Principal) -> dict[str, ServedEntry]:
    """Return the entries that are models and that the caller's tenant is offered, by name."""
    entries = offered(services.settings, principal, services.entries)
    return {name: entry for name, entry in entries.items() if entry.shape.saying is not None}


def model_named(services: Services, principal: Principal, name: str) -> ServedEntry:
    """Return the entry that is the model of this name. Raises NoSuchModel or InsufficientScope."""
    entry = models_of(services, principal).get(name)
    if entry is None:
        raise NoSuchModel
    if not principal.may(entry.required_scope):
        raise InsufficientScope(entry.required_scope)
    return entry
