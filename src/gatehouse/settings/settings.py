"""Every setting, read from the environment and `.env`: the one place that reads either."""

from typing import Self

from pydantic import model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatehouse.settings.identity import IdentitySettings
from gatehouse.settings.limits import LimitSettings
from gatehouse.settings.model import ChatModelSettings
from gatehouse.settings.server import ServerSettings


class Settings(LimitSettings, IdentitySettings, ChatModelSettings, ServerSettings, BaseSettings):
    """Gatehouse's settings: `GATEHOUSE_<NAME>` in the environment or `.env`. No secret has a default."""

    model_config = SettingsConfigDict(
        env_prefix="GATEHOUSE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True,
        populate_by_name=True,
    )  # fmt: skip

    @model_validator(mode="after")
    def _refuse_embedded_defaults_in_production(self) -> Self:
        if self.environment == "development":
            return self
        required = ("database_url", "redis_url", "api_key_pepper")
        missing = [f"GATEHOUSE_{name.upper()}" for name in required if getattr(self, name) is None]
        if not (self.fixed_keys or self.remote_keys):
            missing.append(
                "an https:// GATEHOUSE_ISSUER (or GATEHOUSE_JWKS_URL, GATEHOUSE_JWKS_FILE, "
                "GATEHOUSE_JWT_PUBLIC_KEY_FILE, GATEHOUSE_JWT_SECRET)"
            )
        if self.oidc_client_id and not self.public_url:
            missing.append("GATEHOUSE_PUBLIC_URL beside GATEHOUSE_OIDC_CLIENT_ID")
        if self.public_url and not self.public_url.startswith("https://"):
            missing.append("an https:// GATEHOUSE_PUBLIC_URL")
        if missing:
            raise ValueError("production needs " + ", ".join(missing))
        return self

    @property
    def issuer_on_the_web(self) -> bool:
        """Whether the issuer can be asked about itself. In development it may be without TLS."""
        return self.issuer.startswith(("https://", "http://") if self.development else "https://")

    @property
    def remote_keys(self) -> bool:
        """Whether the keys of tokens are fetched: from the URL that is set, or the one the issuer names."""
        return self.jwks_url is not None or (not self.fixed_keys and self.issuer_on_the_web)
