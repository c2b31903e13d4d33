"""The chat models that can be chosen. What one provider needs is imported when it is chosen."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr, ValidationError

from gatehouse.models.addresses import without_addresses
from gatehouse.models.guarded.calls import Patience
from gatehouse.settings.model import ModelSettings

if TYPE_CHECKING:
    from gatehouse.models.http import ModelHttp

Model = TypeVar("Model", bound=BaseChatModel)

# by what LangChain calls the providers
EXTRAS = {
    "anthropic": "anthropic",
    "google_genai": "google",
    "litellm": "litellm",
    "mistralai": "mistral",
    "ollama": "ollama",
    "openrouter": "openrouter",
}
NO_KEY = SecretStr("not-needed")  # the client insists on a key, a server of one's own may not


@dataclass(frozen=True, slots=True)
class Provided:
    """A model, what to call it before people, and how long it may take."""

    model: BaseChatModel
    label: str
    patience: Patience


class ModelUnavailable(Exception):
    """The chat model cannot be opened; the message says which setting or command mends it."""


class Providers:
    """Opens models by their settings; what they use is closed with `stack`."""

    def __init__(self, settings: ModelSettings, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.patience = Patience(settings.silence, settings.call_seconds, settings.retries)
        self._stack = stack
        self._http: ModelHttp | None = None

    async def first(self) -> Provided:
        """Return the model that is chosen, or that the keys allow. Raises ModelUnavailable."""
        choice = self.settings.choice or default_choice(self.settings)
        return await self._open("GATEHOUSE_MODEL", choice)

    async def fallback(self) -> Provided:
        """Return the model for when the first one fails. Raises ModelUnavailable."""
        return await self._open("GATEHOUSE_FALLBACK_MODEL", self.settings.fallback)

    async def _open(self, setting: str, choice: str) -> Provided:
        kind, _, name = map(str.strip, choice.partition(":"))
        match kind, name:
            case "embedded", "":
                return await self._embedded()
            case "scripted", "":
                return self._scripted()
            case (("azure" | "azure_openai"), _):
                return await self._azure(name or self.settings.azure_deployment)
            case "openai", _:
                return await self._openai(name or self.settings.openai_model)
            case "openrouter", _ if name:
                return await self._openrouter(f"{setting}={choice}", name)
            case _, "":
                raise ModelUnavailable(
                    f"{setting}={choice} is not known. Use embedded, scripted, azure, openai, "
                    "or provider:name such as anthropic:claude-sonnet-4-5."
                )
            case _:
                return self._of_provider(f"{setting}={choice}", kind, name)

    async def _embedded(self) -> Provided:
        from gatehouse.models.embedded.opening import open_embedded_chat
        from gatehouse.models.embedded.server import CannotStart

        try:
            model = await self._stack.enter_async_context(open_embedded_chat())
        except CannotStart as error:
            raise ModelUnavailable(str(error)) from error
        label = (
            "SmolLM2-135M, embedded (a very small model: it chooses tools by vectors; "
            "for real answers set OPENAI_API_KEY or GATEHOUSE_MODEL)"
        )
        # its calls take turns on this machine's cores: who waits is not waiting for somebody who is down
        return Provided(model, label, Patience(silence=None, call=None, retries=0))

    def _scripted(self) -> Provided:
        from gatehouse.models.scripted.chat import ScriptedChatModel

        label = "scripted (for tests: it does what the message tells it to)"
        return Provided(ScriptedChatModel(), label, self.patience)

    async def _azure(self, deployment: str | None) -> Provided:
        from langchain_openai import AzureChatOpenAI

        settings = self.settings
        needed = {
            "AZURE_OPENAI_API_KEY": settings.azure_api_key,
            "AZURE_OPENAI_ENDPOINT": settings.azure_endpoint,
            "AZURE_OPENAI_DEPLOYMENT_NAME": deployment,
            "AZURE_OPENAI_API_VERSION": settings.azure_api_version,
        }
        if missing := [name for name, value in needed.items() if not value]:
            raise ModelUnavailable(f"Azure OpenAI is chosen, but {', '.join(missing)} is not set.")
        model = AzureChatOpenAI(
            azure_deployment=deployment,
            azure_endpoint=settings.azure_endpoint,
            api_key=settings.azure_api_key,
            api_version=settings.azure_api_version,
            **await self._calling(),
        )
        return Provided(self._telling(model), f"Azure OpenAI deployment {deployment}", self.patience)

    async def _openai(self, name: str) -> Provided:
        from langchain_openai import ChatOpenAI

        settings = self.settings
        if not (settings.openai_api_key or settings.openai_base_url):
            raise ModelUnavailable(
                "OpenAI needs OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own."
            )
        model = ChatOpenAI(
            model=name,
            api_key=settings.openai_api_key or NO_KEY,
            base_url=settings.openai_base_url,
            **await self._calling(),
        )
        host = urlsplit(settings.openai_base_url or "").netloc.rpartition("@")[2]  # never the password
        label = f"{name} at {host}" if host else f"OpenAI {name}"
        return Provided(self._telling(model), label, self.patience)

    async def _openrouter(self, choice: str, name: str) -> Provided:
        """Return a model of OpenRouter's, whose API is OpenAI's and is read as that of any server like it.

        LangChain's package for it loses refusals, errors and whole answers out of streams, and its client
        repeats a call for an hour.
        """
        from langchain_openai import ChatOpenAI

        if not self.settings.openrouter_api_key:
            raise ModelUnavailable(f"{choice} needs OPENROUTER_API_KEY.")
        model = ChatOpenAI(
            model=name,
            api_key=self.settings.openrouter_api_key,
            base_url=self.settings.openrouter_base_url,
            **await self._calling(),
        )
        return Provided(self._telling(model), f"openrouter {name}", self.patience)

    def _telling(self, model: Model) -> Model:
        """Return a model of OpenAI's kind that tells what its streams used, where its server can."""
        from gatehouse.models.judged.stream_usage import asking_for_usage

        return asking_for_usage(model) if self.settings.stream_usage == "auto" else model

    async def _calling(self) -> dict[str, Any]:
        """Return how models of OpenAI's kind are called: over the process's pool, repeated by us alone."""
        from gatehouse.models.http import open_model_http

        if self._http is None:
            pool = open_model_http(self.settings.connections, self.settings.call_seconds)
            self._http = await self._stack.enter_async_context(pool)
        return {
            "stream_usage": self.settings.stream_usage != "never",
            "max_retries": 0,
            "stream_chunk_timeout": 0,  # `guarded.silence` watches, without a task a token
            "timeout": self._http.timeout,
            "http_async_client": self._http.asynchronous,
            "http_client": self._http.synchronous,
        }

    def _of_provider(self, choice: str, provider: str, name: str) -> Provided:
        """Return a model of any provider that LangChain knows; its package reads its key itself."""
        from langchain.chat_models import init_chat_model

        try:
            model = init_chat_model(name, model_provider=provider)
        except ImportError as error:
            raise ModelUnavailable(f"{choice}: {missing(provider, error)}") from error
        except ValueError as error:
            if isinstance(error, ValidationError):  # a ValueError too, but one that quotes what it was given
                raise not_configured(choice, provider, error) from error
            raise ModelUnavailable(f"{choice}: {error}") from error  # names the package or the providers
        except Exception as error:  # each provider's package has its own for a missing key
            raise not_configured(choice, provider, error) from error
        if "max_retries" in type(model).model_fields:
            model.max_retries = 0  # type: ignore[attr-defined]  # else its repetitions would multiply ours
        return Provided(without_addresses(model), f"{provider} {name}", self.patience)


def missing(provider: str, error: ImportError) -> str:
    """Return what to do about a provider's package that is not installed; LangChain's error names others.

    It says so too of one that is there and cannot be imported: why not is what that error comes from.
    """
    cause = error.__cause__
    if isinstance(cause, ImportError) and not isinstance(cause, ModuleNotFoundError):
        return f"its package cannot be loaded: {cause}"
    if extra := EXTRAS.get(provider):
        package = f"langchain-{provider.replace('_', '-')}"
        return f"{package} is not installed: pip install 'gatehouse-server[{extra}]'"
    return str(error)


def default_choice(settings: ModelSettings) -> str:
    """Return the choice that the keys allow, when none is made."""
    if settings.azure_api_key and settings.azure_endpoint:
        return "azure"
    return "openai" if settings.openai_api_key or settings.openai_base_url else "embedded"


def not_configured(choice: str, provider: str, error: Exception) -> ModelUnavailable:
    """Return what to raise for a provider whose package lacks something; its own error may quote a key."""
    return ModelUnavailable(
        f"{choice} cannot be opened ({type(error).__name__}). Its package reads its settings from the "
        f"environment, such as {provider.upper()}_API_KEY; .env is read for Gatehouse's own settings only."
    )
