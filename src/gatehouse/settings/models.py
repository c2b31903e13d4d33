"""What decides the chat model. Apart from `gatehouse.models.opening`, which takes seconds to import."""

from pydantic import BaseModel, ConfigDict, SecretStr


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
    azure_api_key: SecretStr | None = None
    azure_endpoint: str | None = None
    azure_deployment: str | None = None
    azure_api_version: str | None = None
    silence: float = 60.0
    call_seconds: float = 180.0
    retries: int = 2
    connections: int = 1000
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
