"""Every setting, read from the environment and `.env`: the one place that reads either."""

import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Self

from pydantic import AliasChoices, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatehouse.settings.identity import IdentitySettings
from gatehouse.settings.limits import LimitSettings
from gatehouse.settings.mcp import McpSettings
from gatehouse.settings.model import ChatModelSettings
from gatehouse.settings.origins import ANYBODY, under_every_loopback_name
from gatehouse.settings.server import ServerSettings
from gatehouse.settings.written import boundless, endless, fault_in, missing_certificates


def variable(name: str) -> str:
    """Return the environment variable of a field of Settings; another name is one already."""
    if name not in Settings.model_fields:
        return name
    alias = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"GATEHOUSE_{name.upper()}"


class Settings(LimitSettings, IdentitySettings, ChatModelSettings, McpSettings, ServerSettings, BaseSettings):
    """Gatehouse's settings: `GATEHOUSE_<NAME>` in the environment or `.env`. No secret has a default."""

    model_config = SettingsConfigDict(
        env_prefix="GATEHOUSE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True,
        populate_by_name=True,
    )  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _strip(cls, values: Any) -> Any:
        """Take white space from around texts: a secret of Kubernetes ends easily with a line's end."""
        if os.environ.get("GATEHOUSE_ENVIRONMENT", "development").strip() == "":
            raise ValueError("GATEHOUSE_ENVIRONMENT is empty: write development or production")
        if missing := missing_certificates(os.environ):
            raise ValueError(missing)
        if not isinstance(values, dict):
            return values
        stripped = {
            name: value.strip() if isinstance(value, str) else value for name, value in values.items()
        }
        if found := fault_in(stripped):
            raise ValueError(f"{variable(found[0])}: {found[1]}")
        return stripped

    @model_validator(mode="after")
    def _end(self) -> Self:
        if found := endless(self.__dict__):
            raise ValueError(f"{variable(found[0])} has no end: write a number")
        return self

    @model_validator(mode="after")
    def _refuse_what_opens_doors(self) -> Self:
        if self.development:
            return self
        if missing := [*self._missing_in_production()]:
            raise ValueError("production needs " + ", ".join(missing))
        if open_to_all := sorted(ANYBODY & set(self.allowed_origins)):
            raise ValueError(
                f"GATEHOUSE_ALLOWED_ORIGINS lists {', '.join(open_to_all)}, which lets any page act for "
                "whoever opens it: list the origins of your own pages"
            )
        if network := boundless(self.trusted_proxies):
            raise ValueError(
                f"GATEHOUSE_TRUSTED_PROXIES has {network}, so that any client says which address it has: "
                "list the addresses or networks of your proxies"
            )
        return self

    def _missing_in_production(self) -> Iterator[str]:
        for name in ("database_url", "redis_url", "api_key_pepper"):
            if getattr(self, name) is None:
                yield f"GATEHOUSE_{name.upper()}"
        if not (self.fixed_keys or self.remote_keys):
            yield (
                "an https:// GATEHOUSE_ISSUER (or GATEHOUSE_JWKS_URL, GATEHOUSE_JWKS_FILE, "
                "GATEHOUSE_JWT_PUBLIC_KEY_FILE, GATEHOUSE_JWT_SECRET)"
            )
        if self.oidc_client_id and not self.public_url:
            yield "GATEHOUSE_PUBLIC_URL beside GATEHOUSE_OIDC_CLIENT_ID"
        if self.public_url and not self.public_url.startswith("https://"):
            yield "an https:// GATEHOUSE_PUBLIC_URL"

    @cached_property
    def page_origins(self) -> tuple[str, ...]:
        """The origins whose pages are let in. In development a page of this machine has all its names."""
        return under_every_loopback_name(self.allowed_origins) if self.development else self.allowed_origins

    @property
    def issuer_on_the_web(self) -> bool:
        """Whether the issuer can be asked about itself. In development it may be without TLS."""
        return self.issuer.startswith(("https://", "http://") if self.development else "https://")

    @property
    def remote_keys(self) -> bool:
        """Whether the keys of tokens are fetched: from the URL that is set, or the one the issuer names."""
        return self.jwks_url is not None or (not self.fixed_keys and self.issuer_on_the_web)
