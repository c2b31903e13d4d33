"""Which chat model answers, and which one when it fails."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from gatehouse.models.guarded.calls import Candidate, ModelWatch, UnwatchedModel
from gatehouse.models.guarded.circuit import ModelCircuit, nobody
from gatehouse.models.guarded.model import GuardedChatModel
from gatehouse.models.guarded.shares import TenantShares
from gatehouse.models.providers import ModelUnavailable, Providers
from gatehouse.models.using import ModelUsers
from gatehouse.settings.model import ModelSettings

__all__ = ["ChatModel", "ModelUnavailable", "open_chat_model"]


@dataclass(frozen=True, slots=True)
class ChatModel:
    """The model that answers, what to call it before people, and which runnables use it."""

    model: GuardedChatModel
    label: str
    users: ModelUsers = field(default_factory=ModelUsers)

    def left_alone(self) -> list[str]:
        """Return the names of the models that are not asked for now, whoever asks."""
        return [candidate.name for candidate in self.model.candidates if candidate.circuit.open]


@asynccontextmanager
async def open_chat_model(
    settings: ModelSettings, watch: ModelWatch | None = None
) -> AsyncIterator[ChatModel]:
    """Yield the chat model that `settings` ask for; `watch` is told how it does. Raises ModelUnavailable.

    The state of its circuits is this process's own: each replica finds out by itself that a provider is down.
    """
    watch = watch or UnwatchedModel()
    async with AsyncExitStack() as stack:
        providers = Providers(settings, stack)
        provided = [await providers.first()]
        if settings.fallback:
            provided.append(await providers.fallback())
        candidates = []
        for number, one in enumerate(provided):
            changed = nobody if number else watch.circuit
            circuit = ModelCircuit(settings.breaker_failures, settings.breaker_cooldown, changed=changed)
            candidates.append(Candidate(one.label, one.model, circuit, one.patience))
        label = ", else ".join(one.label for one in provided)
        shares = TenantShares(max(1, int(settings.connections * settings.tenant_share)))
        yield ChatModel(GuardedChatModel.of(candidates, watch, shares), label)
