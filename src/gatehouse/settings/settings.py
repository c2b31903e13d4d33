"""Every setting, read from the environment and `.env`: the one place that reads either."""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gatehouse.settings.engine import EngineSettings
from gatehouse.settings.models import ModelSettings
from gatehouse.settings.plans import Plan, WithoutRedis, parsed_plans

ORIGIN = re.compile(r"https?://[^/?#@\s]+")

Algorithm = Literal["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"]


class Settings(BaseSettings):
    """Gatehouse's settings: `GATEHOUSE_<NAME>` in the environment or `.env`. No secret has a default."""

    model_config = SettingsConfigDict(
        env_prefix="GATEHOUSE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True,
        populate_by_name=True,
    )  # fmt: skip

    # the server
    environment: Literal["development", "production"] = Field(
        "development", description="production refuses the embedded defaults for identity, database and Redis"
    )
    registry: str = Field(
        "chains.registry:REGISTRY",
        description="package.module:NAME of what is served: a list of entries, or a function that returns it",
    )
    data_dir: Path = Field(Path(".gatehouse"), description="where the embedded defaults keep their data")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(
        8000, ge=0, le=65535, validation_alias=AliasChoices("PORT", "port"), description="port to listen on"
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="origins that CORS allows, separated by commas; none by default"
    )
    trusted_proxies: str = Field(
        "127.0.0.1", description="addresses whose X-Forwarded-* headers count, separated by commas"
    )
    frontend_dir: Path | None = Field(
        None, description="folder of the web client's build; by default the package's own"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level logged")

    # what operators watch
    management_port: int | None = Field(
        None, ge=0, le=65535, description="port of /metrics and /livez, for the operator; none by default"
    )
    management_host: str = Field("127.0.0.1", description="address that the management port listens on")
    otel_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "otel_endpoint"),
        description="https://HOST:4318 that takes traces (OTLP over HTTP); without it nothing is traced",
    )  # fmt: skip
    otel_exporter: Literal["otlp", "none"] | None = Field(
        None, validation_alias=AliasChoices("OTEL_TRACES_EXPORTER", "otel_exporter"),
        description="otlp traces also without an endpoint (localhost:4318), none never",
    )  # fmt: skip
    otel_service_name: str = Field(
        "gatehouse", validation_alias=AliasChoices("OTEL_SERVICE_NAME", "otel_service_name"),
        description="what traces call this server",
    )  # fmt: skip
    langsmith_tracing: bool = Field(
        False, validation_alias=AliasChoices("LANGSMITH_TRACING", "langsmith_tracing"),
        description="true sends runs, with their texts, to LangSmith; LANGSMITH_API_KEY says whose",
    )  # fmt: skip
    audit_days: int = Field(
        365, ge=30, description="days that a row of the audit log is kept; the database keeps each for 30"
    )

    # where data is kept
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the database; by default a SQLite file in the data folder"
    )
    migrations: str | None = Field(
        None,
        description="package of a deployment's own migrations; by default tools.migrations, if it is there",
    )
    database_pool: int = Field(10, gt=0, description="connections that a process keeps to the database")
    redis_url: SecretStr | None = Field(
        None, description="redis://, rediss:// or unix:// URL; by default a Valkey in the data folder"
    )
    redis_pool: int = Field(100, ge=4, description="most connections that a process has to Redis")
    start_wait: float | None = Field(
        None,
        ge=0,
        description="seconds that a start waits for database and Redis; by default 30 in production, else 0",
    )

    # the chat model
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
    model_breaker_failures: int = Field(
        5, ge=0, description="failures in a row after which the model is left alone; 0: never"
    )
    model_breaker_cooldown: float = Field(
        15, gt=0, description="seconds that it is left alone before one call tries again"
    )
    model_connections: int = Field(
        1000, gt=0, description="connections of a process to OpenAI, Azure or a server like them"
    )
    model_name: str = Field(
        "gpt-5-mini", validation_alias=AliasChoices("OPENAI_MODEL", "model_name"),
        description="model asked of OpenAI or of the server at OPENAI_BASE_URL",
    )  # fmt: skip
    openai_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key"), description="key for OpenAI"
    )
    openai_base_url: str | None = Field(
        None, validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url"),
        description="any server that speaks OpenAI's API",
    )  # fmt: skip
    azure_openai_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("AZURE_OPENAI_API_KEY", "azure_openai_api_key"),
        description="key for Azure OpenAI",
    )  # fmt: skip
    azure_openai_endpoint: str | None = Field(
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

    # LangSmith, whose own package reads the rest of LANGSMITH_* from the environment
    langsmith_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("LANGSMITH_API_KEY", "langsmith_api_key"),
        description="key for LangSmith: /RUNNABLE/feedback puts feedback beside the traces there",
    )  # fmt: skip
    langsmith_endpoint: str = Field(
        "https://api.smith.langchain.com",
        validation_alias=AliasChoices("LANGSMITH_ENDPOINT", "langsmith_endpoint"),
        description="LangSmith's address",
    )

    # who is calling
    issuer: str = Field("gatehouse", description="the only `iss` accepted in a JWT")
    audience: str = Field("gatehouse", description="the `aud` that a JWT must name")
    jwt_secret: SecretStr | None = Field(
        None, description="HS256 secret, at least 32 bytes; generated in development when no key is set"
    )
    jwt_public_key_file: Path | None = Field(None, description="PEM public key for RS256, ES256 or EdDSA")
    jwks_file: Path | None = Field(None, description="JWKS file for RS256, ES256 or EdDSA")
    jwks_url: str | None = Field(
        None, description="URL of the issuer's JWKS; without any key set, an https issuer says where it is"
    )
    jwks_max_age: float = Field(
        3600,
        gt=0,
        description="seconds after which fetched keys are fetched again; sooner if the issuer asks",
    )
    jwks_cooldown: float = Field(
        30, gt=0, description="seconds between two fetches, however many tokens name unknown keys"
    )
    jwks_stale: float = Field(
        86_400, ge=0, description="seconds that keys are used beyond their age while the issuer is down"
    )
    jwt_algorithms: Annotated[tuple[Algorithm, ...], NoDecode] = Field(
        (), description="algorithms accepted, separated by commas; by default those that fit the keys"
    )
    jwt_leeway: float = Field(30, ge=0, le=60, description="seconds that clocks may differ")
    jwt_max_lifetime: float = Field(86_400, gt=0, description="seconds from iat to exp at most")
    claim_audience: str = Field("aud", description="claim of the audience; Cognito's is client_id")
    claim_user_id: str = Field("sub", description="claim that becomes user_id")
    claim_tenant_id: str = Field("tenant_id", description="claim that becomes tenant_id")
    tenant_id: str | None = Field(None, description="tenant of every token, in place of a claim")
    claim_name: str = Field("name", description="claim that becomes user_name")
    claim_scopes: Annotated[tuple[str, ...], NoDecode] = Field(
        ("scope", "scopes"), description="claims whose scopes add up, separated by commas"
    )
    scope_prefix: str = Field(
        "", description="what scopes of tokens begin with, as Cognito's gatehouse/: others do not count"
    )
    claim_plan: str = Field("plan", description="claim that becomes the plan")
    claims: Annotated[dict[str, str], NoDecode] = Field(
        {},
        description="further claims that chains and tools are told, separated by commas: portfolio_id, or "
        "desk=custom:desk where the token calls it otherwise",
    )
    oidc_client_id: str | None = Field(
        None, description="client id for signing in at the issuer (OpenID Connect); none: not offered"
    )
    oidc_client_secret: SecretStr | None = Field(
        None, description="that client's secret; none for a public client"
    )
    oidc_scopes: str = Field("openid profile", description="scopes asked of the issuer, separated by spaces")
    oidc_name: str = Field("", description="name of the issuer on the sign-in page; by default its host")
    oidc_grants: str = Field(
        "", description="scopes of everybody who signs in at the issuer, beside those of the ID token"
    )
    public_url: str | None = Field(
        None, description="https://HOST under which browsers reach this server, for signing in at the issuer"
    )
    api_key_pepper: SecretStr | None = Field(
        None, description="secret that API keys are hashed with; generated in development"
    )
    session_lifetime: float = Field(28_800, gt=0, description="seconds that a browser stays signed in")
    start_link: SecretStr | None = Field(
        None, description="one-time token of the sign-in link; `gatehouse serve` makes one in development"
    )

    tenant_runnables: dict[str, tuple[str, ...]] = Field(
        {}, description='runnables by tenant, as {"acme": ["chat"], "*": ["*"]}; without it every tenant is '
        "offered all; with it, one that is not listed what `*` lists, else none",
    )  # fmt: skip

    # how much a caller may use
    plans: Annotated[dict[str, Plan], NoDecode] = Field(
        {},
        description="limits by plan, as JSON (docs/limits.md); by default those that are built in",
    )
    limits_without_redis: WithoutRedis = Field(
        "refuse", description="refuse answers 503 while Redis is away, allow lets everybody do everything"
    )
    signin_failures: int = Field(
        20, gt=0, le=1_000_000, description="failed sign-ins that a network address has in ten minutes"
    )
    max_body_bytes: int = Field(1_048_576, gt=0, description="largest request body")
    body_timeout: float = Field(20, gt=0, description="seconds within which a request body must arrive")
    max_batch: int = Field(32, gt=0, description="most inputs in one /batch")
    batch_concurrency: int = Field(4, gt=0, description="inputs of one /batch that run at once")
    recursion_limit: int = Field(25, gt=0, description="most steps of an agent in one run")

    # runs
    run_deadline: float = Field(300, gt=0, description="seconds after which a run is ended")
    run_keep: float = Field(3600, gt=0, description="seconds that an ended run can be read again")
    run_lease: float = Field(5, gt=0, description="seconds after which a dead process's runs are taken over")
    max_attempts: int = Field(2, ge=1, description="most attempts at a run, each after a crash")
    disconnect_grace: float = Field(
        30, ge=0, description="seconds that a run goes on after its last viewer left"
    )
    disconnect_grace_max: float = Field(300, ge=0, description="most that x-disconnect-grace may ask for")
    log_length: int = Field(10_000, gt=0, description="events that a run's log keeps")
    log_age: float = Field(3600, gt=0, description="seconds that an event stays in its run's log")
    history_tokens: int = Field(
        2000, gt=0, description="most tokens of a thread's history given to the model"
    )
    send_timeout: float = Field(
        30, gt=0, description="seconds after which a reader that takes nothing is cut"
    )
    drain_delay: float = Field(
        0,
        ge=0,
        description="seconds that all is served still after SIGTERM, while proxies notice /readyz",
    )
    drain_seconds: float = Field(30, ge=0, description="seconds that open streams may go on after that")

    @field_validator("plans", mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        return parsed_plans(value)

    @field_validator("claims", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = (part.strip().partition("=") for part in value.split(",") if part.strip())
        return {name.strip(): (claim or name).strip() for name, _, claim in pairs}

    @field_validator("allowed_origins", "jwt_algorithms", "claim_scopes", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        origin = value.removesuffix("/")
        if not ORIGIN.fullmatch(origin):
            raise ValueError("GATEHOUSE_PUBLIC_URL has to be https://HOST, without a path")
        return origin

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
    def development(self) -> bool:
        return self.environment == "development"

    @property
    def start_patience(self) -> float:
        """Seconds that a start waits for the database and for Redis, for each."""
        if self.start_wait is not None:
            return self.start_wait
        return 0.0 if self.development else 30.0

    @property
    def fixed_keys(self) -> bool:
        """Whether the keys of tokens are given, rather than fetched from the issuer."""
        sources = (self.jwt_secret, self.jwt_public_key_file, self.jwks_file)
        return any(source is not None for source in sources)

    @property
    def remote_keys(self) -> bool:
        """Whether the keys of tokens are fetched: from the URL that is set, or the one the issuer names."""
        return self.jwks_url is not None or (not self.fixed_keys and self.issuer_on_the_web)

    @property
    def issuer_on_the_web(self) -> bool:
        """Whether the issuer can be asked about itself. In development it may be without TLS."""
        return self.issuer.startswith(("https://", "http://") if self.development else "https://")

    @cached_property
    def database(self) -> str:
        """The database's URL, with its password: never log it."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{(self.data_dir / 'gatehouse.db').absolute()}"

    @property
    def runs(self) -> EngineSettings:
        """What the run engine needs to know."""
        return EngineSettings(
            lease=self.run_lease,
            keep=self.run_keep,
            log_length=self.log_length,
            log_age=self.log_age,
            deadline=self.run_deadline,
            max_attempts=self.max_attempts,
            recursion_limit=self.recursion_limit,
        )

    @property
    def traces(self) -> bool:
        """Whether OpenTelemetry traces are made."""
        return self.otel_exporter != "none" and (self.otel_exporter or self.otel_endpoint) is not None

    @property
    def chat_model(self) -> ModelSettings:
        """What `gatehouse.models.opening` needs to open the chat model."""
        return ModelSettings(
            choice=self.model,
            fallback=self.fallback_model,
            silence=self.model_timeout,
            call_seconds=self.model_call_timeout,
            retries=self.model_retries,
            connections=self.model_connections,
            breaker_failures=self.model_breaker_failures,
            breaker_cooldown=self.model_breaker_cooldown,
            openai_model=self.model_name,
            openai_api_key=self.openai_api_key,
            openai_base_url=self.openai_base_url,
            azure_api_key=self.azure_openai_api_key,
            azure_endpoint=self.azure_openai_endpoint,
            azure_deployment=self.azure_openai_deployment_name,
            azure_api_version=self.azure_openai_api_version,
        )
