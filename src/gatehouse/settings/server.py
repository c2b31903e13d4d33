"""Where a server listens, what it keeps where, and what its operator sees."""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, Field, SecretStr

from gatehouse.settings.origins import Origins
from gatehouse.settings.written import DatabaseAddress, Folder, Networks, WebAddress


class ServerSettings(BaseModel):
    """The process and what it stands on."""

    environment: Literal["development", "production"] = Field(
        "development", description="production refuses the embedded defaults for identity, database and Redis"
    )
    registry: str = Field(
        "chains.registry:REGISTRY",
        description="package.module:NAME of what is served: a list of entries, or a function that returns it",
    )
    data_dir: Folder = Field(Path(".gatehouse"), description="where the embedded defaults keep their data")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(
        8000, ge=0, le=65535, validation_alias=AliasChoices("PORT", "port"), description="port to listen on"
    )
    allowed_origins: Origins = Field(
        (), description="origins that CORS allows, separated by commas; none by default"
    )
    root_path: str = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*/?$",
        description="prefix that a proxy takes off the paths of requests; LangServe's playground begins its "
        "addresses with it",
    )
    trusted_proxies: Networks = Field(
        "127.0.0.1", description="addresses whose X-Forwarded-* headers count, separated by commas"
    )
    frontend_dir: Path | None = Field(
        None, description="folder of the web client's build; by default the package's own"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level logged")

    management_port: int | None = Field(
        None, ge=0, le=65535, description="port of /metrics and /livez, for the operator; none by default"
    )
    management_host: str = Field("127.0.0.1", description="address that the management port listens on")
    otel_endpoint: WebAddress = Field(
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

    approval_hours: float = Field(
        72, gt=0, description="hours after which a run ends that waits for a person's approval"
    )
    webhook_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s]+$",
        description="where it is told that an approval opened or a run ended; by default nowhere",
    )
    webhook_secret: SecretStr | None = Field(
        None, description="whsec_ and 24 to 64 random bytes in base64, with which webhooks are signed"
    )
    usage_days: int | None = Field(
        None, ge=30, description="days that what runs used is kept in the books; by default for ever"
    )
    thread_days: int | None = Field(
        None, ge=1, description="days after its last message that a thread is erased; by default never"
    )

    database_url: DatabaseAddress = Field(
        None, description="SQLAlchemy URL of the database; by default a SQLite file in the data folder"
    )
    migrations: str | None = Field(
        None,
        description="package of a deployment's own migrations; by default tools.migrations, if it is there",
    )
    database_pool: int = Field(10, gt=0, description="connections that a process keeps to the database")
    redis_url: SecretStr | None = Field(
        None,
        description="redis://, rediss:// or unix:// URL, redis+sentinel://host:26379,host2/name/0, or "
        "redis+cluster://host:6379,host2; by default a Valkey in the data folder",
    )
    redis_pool: int = Field(100, ge=4, description="most connections that a process has to Redis")
    start_wait: float | None = Field(
        None,
        ge=0,
        description="seconds that a start waits for database and Redis; by default 30 in production, else 0",
    )

    @property
    def development(self) -> bool:
        return self.environment == "development"

    @property
    def start_patience(self) -> float:
        """Seconds that a start waits for the database and for Redis, for each."""
        if self.start_wait is not None:
            return self.start_wait
        return 0.0 if self.development else 30.0

    @cached_property
    def database(self) -> str:
        """The database's URL, with its password: never log it."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{(self.data_dir / 'gatehouse.db').absolute()}"

    @property
    def traces(self) -> bool:
        """Whether OpenTelemetry traces are made."""
        return self.otel_exporter != "none" and (self.otel_exporter or self.otel_endpoint) is not None
