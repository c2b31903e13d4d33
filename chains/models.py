"""Which chat model answers. What one provider needs is imported when it is chosen."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr, ValidationError

from chains.model_settings import ModelSettings

NO_KEY = SecretStr("not-needed")  # the client insists on a key, a server of one's own may not


@dataclass(frozen=True, slots=True)
class ChatModel:
    """The model that answers, and what to call it before people."""

    model: BaseChatModel
    label: str


class ModelUnavailable(Exception):
    """The chat model cannot be opened; the message says which setting or command mends it."""


@asynccontextmanager
async def open_chat_model(settings: ModelSettings) -> AsyncIterator[ChatModel]:
    """Yield the chat model that `settings` ask for. Raises ModelUnavailable."""
    async with AsyncExitStack() as stack:
        yield await _opened(settings, stack)


async def _opened(settings: ModelSettings, stack: AsyncExitStack) -> ChatModel:
    kind, _, name = (settings.choice or _default_choice(settings)).partition(":")
    match kind, name:
        case "embedded", "":
            return await _embedded(stack)
        case "scripted", "":
            return _scripted()
        case (("azure" | "azure_openai"), _):
            return _azure(settings, name or settings.azure_deployment)
        case "openai", _:
            return _openai(settings, name or settings.openai_model)
        case _, "":
            raise ModelUnavailable(
                f"GATEHOUSE_MODEL={settings.choice} is not known. "
                "Use embedded, scripted, azure, openai, or provider:name such as anthropic:claude-sonnet-4-5."
            )
        case _:
            return _of_provider(kind, name)


def _default_choice(settings: ModelSettings) -> str:
    if settings.azure_api_key and settings.azure_endpoint:
        return "azure"
    return "openai" if settings.openai_api_key or settings.openai_base_url else "embedded"


async def _embedded(stack: AsyncExitStack) -> ChatModel:
    from chains.embedded.opening import open_embedded_chat
    from chains.embedded.server import CannotStart

    try:
        model = await stack.enter_async_context(open_embedded_chat())
    except CannotStart as error:
        raise ModelUnavailable(str(error)) from error
    return ChatModel(model, "SmolLM2-135M (embedded, in this process; a very small model)")


def _scripted() -> ChatModel:
    from chains.scripted import ScriptedChatModel

    return ChatModel(ScriptedChatModel(), "scripted (for tests: it does what the message tells it to)")


def _azure(settings: ModelSettings, deployment: str | None) -> ChatModel:
    from langchain_openai import AzureChatOpenAI

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
        stream_usage=True,
    )
    return ChatModel(model, f"Azure OpenAI deployment {deployment}")


def _openai(settings: ModelSettings, name: str) -> ChatModel:
    from langchain_openai import ChatOpenAI

    if not (settings.openai_api_key or settings.openai_base_url):
        raise ModelUnavailable("OpenAI needs OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own.")
    model = ChatOpenAI(
        model=name,
        api_key=settings.openai_api_key or NO_KEY,
        base_url=settings.openai_base_url,
        stream_usage=True,
    )
    host = urlsplit(settings.openai_base_url or "").netloc.rpartition("@")[2]  # never the password
    return ChatModel(model, f"{name} at {host}" if host else f"OpenAI {name}")


def _of_provider(provider: str, name: str) -> ChatModel:
    """Open a model of any provider that LangChain knows; its package reads its key from the environment."""
    from langchain.chat_models import init_chat_model

    choice = f"GATEHOUSE_MODEL={provider}:{name}"
    try:
        model = init_chat_model(name, model_provider=provider)
    except (ImportError, ValueError) as error:
        if isinstance(error, ValidationError):  # a ValueError too, but one that quotes what it was given
            raise _not_configured(choice, provider, error) from error
        raise ModelUnavailable(f"{choice}: {error}") from error  # names the package or the providers
    except Exception as error:  # each provider's package has its own for a missing key
        raise _not_configured(choice, provider, error) from error
    return ChatModel(model, f"{provider} {name}")


def _not_configured(choice: str, provider: str, error: Exception) -> ModelUnavailable:
    return ModelUnavailable(
        f"{choice} cannot be opened ({type(error).__name__}). Its package reads its settings from the "
        f"environment, such as {provider.upper()}_API_KEY; .env is read for Gatehouse's own settings only."
    )
