"""The chat model, and LangSmith, which looks on."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, SecretStr

from gatehouse.settings.written import ApiAddress, AzureAddress, HeaderKey, web_address


class ModelSettings(BaseModel):
    """What decides the chat model. `choice` wins; else Azure, else OpenAI, else the embedded model.

    `fallback` is asked when that one fails. Times are in seconds, see the settings of the same names.
    """

    model_config = ConfigDict(frozen=True)

    choice: str = ""
    fallback: str = ""
    openai_model: str = "gpt-5-mini"
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    openrouter_api_key: SecretStr | None = None
    openrouter_base_url: str = ""
    azure_api_key: SecretStr | None = None
    azure_endpoint: str | None = None
    azure_deployment: str | None = None
    azure_api_version: str | None = None
    silence: float = 60.0
    call_seconds: float = 180.0
    retries: int = 2
    stream_usage: Literal["auto", "always", "never"] = "auto"
    connections: int = 1000
    tenant_share: float = 0.5
    breaker_failures: int = 5
    breaker_cooldown: float = 15.0

    @property
    def embedded(self) -> bool:
        """Whether the embedded model is asked, first or as the fallback."""
        if self.fallback == "embedded":
            return True
        if self.choice:
            return self.choice == "embedded"
        azure = self.azure_api_key and self.azure_endpoint
        return not (azure or self.openai_api_key or self.openai_base_url)

    @property
    def name(self) -> str:
        """What metrics call the model: its provider's name for it, or the kind of one that has none."""
        kind, _, name = self.choice.partition(":")
        if not kind and self.azure_api_key and self.azure_endpoint:
            kind = "azure"
        if kind in ("azure", "azure_openai"):
            return name or self.azure_deployment or kind
        if kind == "openai" or (not kind and (self.openai_api_key or self.openai_base_url)):
            return name or self.openai_model
        return name or kind or "embedded"


class ChatModelSettings(BaseModel):
    """Which chat model answers. The rest of LANGSMITH_* is read by LangSmith's own package."""

    model: str = Field(
        "", description="embedded, scripted, azure or provider:name; by default what the keys below allow"
    )
    fallback_model: str = Field("", description="what is asked when that model fails, in the same words")
    model_timeout: float = Field(
        60, gt=0, description="seconds that the model may be silent, before its first token and between two"
    )
    model_call_timeout: float = Field(
        180, gt=0, description="seconds that a call of the model may take, with its repetitions"
    )
    model_retries: int = Field(
        2,
        ge=0,
        le=10,
        description="repetitions of a call that failed, for a passing reason, before its first token",
    )
    model_stream_usage: Literal["auto", "always", "never"] = Field(
        "auto",
        description="whether a stream of OpenAI's API is asked what it used; auto: until its server refuses",
    )
    model_prices: Path | None = Field(
        None, description="JSON file of what a million tokens cost by model, for the costs in /api/usage"
    )
    model_breaker_failures: int = Field(
        5, ge=0, description="failures in a row after which the model is left alone; 0: never"
    )
    model_breaker_cooldown: float = Field(
        15, gt=0, description="seconds that it is left alone before one call tries again"
    )
    model_connections: int = Field(
        1000, gt=0, description="connections of a process to OpenAI, Azure or a server like them"
    )
    model_tenant_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="part of these that calls for one tenant may hold at once; further ones wait",
    )
    model_name: str = Field(
        "gpt-5-mini", validation_alias=AliasChoices("OPENAI_MODEL", "model_name"),
        description="model asked of OpenAI or of the server at OPENAI_BASE_URL",
    )  # fmt: skip
    openai_api_key: HeaderKey = Field(
        None, validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key"), description="key for OpenAI"
    )
    openai_base_url: ApiAddress = Field(
        None, validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url"),
        description="any server that speaks OpenAI's API",
    )  # fmt: skip
    openrouter_api_key: HeaderKey = Field(
        None, validation_alias=AliasChoices("OPENROUTER_API_KEY", "openrouter_api_key"),
        description="key for OpenRouter, which GATEHOUSE_MODEL=openrouter:NAME asks",
    )  # fmt: skip
    openrouter_api_base: ApiAddress = Field(
        "https://openrouter.ai/api/v1",
        validation_alias=AliasChoices("OPENROUTER_API_BASE", "openrouter_api_base"),
        description="OpenRouter's address",
    )
    azure_openai_api_key: HeaderKey = Field(
        None, validation_alias=AliasChoices("AZURE_OPENAI_API_KEY", "azure_openai_api_key"),
        description="key for Azure OpenAI",
    )  # fmt: skip
    azure_openai_endpoint: AzureAddress = Field(
        None, validation_alias=AliasChoices("AZURE_OPENAI_ENDPOINT", "azure_openai_endpoint"),
        description="https://RESOURCE.openai.azure.com",
    )  # fmt: skip
    azure_openai_deployment_name: str | None = Field(
        None, validation_alias=AliasChoices("AZURE_OPENAI_DEPLOYMENT_NAME", "azure_openai_deployment_name"),
        description="name of the deployment",
    )  # fmt: skip
    azure_openai_api_version: str | None = Field(
        None, validation_alias=AliasChoices("AZURE_OPENAI_API_VERSION", "azure_openai_api_version"),
        description="such as 2024-10-21",
    )  # fmt: skip

    langsmith_api_key: HeaderKey = Field(
        None, validation_alias=AliasChoices("LANGSMITH_API_KEY", "langsmith_api_key"),
        description="key for LangSmith: /RUNNABLE/feedback puts feedback beside the traces there",
    )  # fmt: skip
    langsmith_endpoint: Annotated[str, AfterValidator(web_address)] = Field(
        "https://api.smith.langchain.com",
        validation_alias=AliasChoices("LANGSMITH_ENDPOINT", "langsmith_endpoint"),
        description="LangSmith's address",
    )

    @property
    def chat_model(self) -> ModelSettings:
        """What `gatehouse.models.opening` needs to open the chat model."""
        return ModelSettings(
            choice=self.model,
            fallback=self.fallback_model,
            silence=self.model_timeout,
            call_seconds=self.model_call_timeout,
            retries=self.model_retries,
            stream_usage=self.model_stream_usage,
            connections=self.model_connections,
            tenant_share=self.model_tenant_share,
            breaker_failures=self.model_breaker_failures,
            breaker_cooldown=self.model_breaker_cooldown,
            openai_model=self.model_name,
            openai_api_key=self.openai_api_key,
            openai_base_url=self.openai_base_url,
            openrouter_api_key=self.openrouter_api_key,
            openrouter_base_url=self.openrouter_api_base or "",
            azure_api_key=self.azure_openai_api_key,
            azure_endpoint=self.azure_openai_endpoint,
            azure_deployment=self.azure_openai_deployment_name,
            azure_api_version=self.azure_openai_api_version,
        )
