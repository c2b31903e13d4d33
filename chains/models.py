"""Which chat model answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from pydantic import BaseModel, ConfigDict, SecretStr

from chains.scripted import ScriptedChatModel

NO_KEY = SecretStr("none")  # a compatible server may want no key; the client insists on one


class ModelUnavailable(Exception):
    """The configured chat model can't be used; the message says which setting or command mends it."""


class ModelSettings(BaseModel):
    """What decides the chat model. `choice` wins; else Azure, else OpenAI, else the embedded model."""

    model_config = ConfigDict(frozen=True)

    choice: str = ""
    openai_model: str = "gpt-5-mini"
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    azure_api_key: SecretStr | None = None
    azure_endpoint: str | None = None
    azure_deployment: str | None = None
    azure_api_version: str | None = None

    @property
    def chosen(self) -> str:
        """The choice, or what the keys allow."""
        if self.choice:
            return self.choice
        if self.azure_api_key and self.azure_endpoint:
            return "azure"
        return "openai" if self.openai_api_key or self.openai_base_url else "embedded"


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A chat model, and what people are told answers."""

    model: BaseChatModel
    label: str


@asynccontextmanager
async def open_chat_model(settings: ModelSettings) -> AsyncIterator[ChatModel]:
    """Yield the chat model that the settings choose. Raises ModelUnavailable."""
    if settings.chosen == "embedded":
        embedded = import_module("chains.embedded")  # its packages are large, and need not be installed
        async with embedded.open_embedded_model() as model:
            yield ChatModel(model, "SmolLM2-135M (embedded in this process; a very small model)")
    else:
        yield remote(settings)


def remote(settings: ModelSettings) -> ChatModel:
    """Return a model that needs no server of ours. Raises ModelUnavailable."""
    match settings.chosen:
        case "scripted":
            return ChatModel(ScriptedChatModel(), "The scripted model")
        case "openai":
            return openai(settings)
        case "azure":
            return azure(settings)
        case choice if ":" in choice:
            return by_provider(choice)
        case choice:
            raise ModelUnavailable(
                f"GATEHOUSE_MODEL={choice} is not known: embedded, scripted, openai, azure or provider:name"
            )


def openai(settings: ModelSettings) -> ChatModel:
    if not (settings.openai_api_key or settings.openai_base_url):
        raise ModelUnavailable("OpenAI needs OPENAI_API_KEY (or OPENAI_BASE_URL for a compatible server)")
    model = ChatOpenAI(
        model=settings.openai_model,
        api_key=settings.openai_api_key or NO_KEY,
        base_url=settings.openai_base_url,
        stream_usage=True,
    )
    where = f" at {settings.openai_base_url}" if settings.openai_base_url else ""
    return ChatModel(model, f"OpenAI {settings.openai_model}{where}")


def azure(settings: ModelSettings) -> ChatModel:
    needed = {
        "AZURE_OPENAI_API_KEY": settings.azure_api_key,
        "AZURE_OPENAI_ENDPOINT": settings.azure_endpoint,
        "AZURE_OPENAI_DEPLOYMENT_NAME": settings.azure_deployment,
        "AZURE_OPENAI_API_VERSION": settings.azure_api_version,
    }
    if missing := [name for name, value in needed.items() if not value]:
        raise ModelUnavailable(f"Azure OpenAI needs {', '.join(missing)}")
    model = AzureChatOpenAI(
        azure_deployment=settings.azure_deployment,
        azure_endpoint=settings.azure_endpoint,
        api_key=settings.azure_api_key,
        api_version=settings.azure_api_version,
        stream_usage=True,
    )
    return ChatModel(model, f"Azure OpenAI deployment {settings.azure_deployment}")


def by_provider(choice: str) -> ChatModel:
    """Return a model of any provider that `init_chat_model` knows, for `provider:name`."""
    try:
        return ChatModel(init_chat_model(choice), choice)
    except ImportError as error:
        raise ModelUnavailable(f"GATEHOUSE_MODEL={choice}: {error}") from error
    except ValueError as error:
        raise ModelUnavailable(f"GATEHOUSE_MODEL={choice} cannot be used: {error}") from error
