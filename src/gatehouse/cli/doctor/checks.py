"""What `gatehouse doctor` tests: every configured part, by using it."""

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal
from urllib.error import URLError
from urllib.request import urlopen

import httpx2
from langgraph.checkpoint.memory import InMemorySaver
from redis.exceptions import RedisError
from sqlalchemy.engine import make_url

from gatehouse.auth.api_keys.peppers import Peppers
from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.dev_secrets import api_key_pepper
from gatehouse.auth.oidc.oidc import check_oidc
from gatehouse.auth.tokens.claim_names import claim_names
from gatehouse.auth.tokens.issuer_http import IssuerUnreachable, client_options
from gatehouse.auth.tokens.issuer_keys import remote_issuer
from gatehouse.auth.tokens.key_source import check_sources, load_keys
from gatehouse.auth.tokens.keys import KeySet
from gatehouse.cli.failure import Failed
from gatehouse.cli.serving.banner import url_of
from gatehouse.cli.stores import open_database
from gatehouse.models.errors import ModelFailed
from gatehouse.models.opening import ModelUnavailable, open_chat_model
from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.process.endings import StartFailed
from gatehouse.process.listening import listen
from gatehouse.registry.building import Builder
from gatehouse.registry.checked import BadRegistry
from gatehouse.registry.entry import Parts
from gatehouse.registry.loading import load_registry
from gatehouse.settings import Settings
from gatehouse.settings.model import ModelSettings
from gatehouse.storage.database import NO_ROW_SECURITY, above_row_security
from gatehouse.storage.opening import CannotStart, open_redis
from gatehouse.storage.redis.cluster.client import ClusterRedis
from gatehouse.storage.tenancy import why_no_operator
from gatehouse.store.items import CallersStore
from gatehouse.telemetry.redaction import redact
from gatehouse.tools.building import Resources

OLDEST_REDIS = (6, 2)
MODEL_SECONDS = 30  # within which the first token must come
QUESTION = "Is water wet? Answer with one word."

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: what is used, or what is wrong and how to mend it."""

    part: str
    state: State
    detail: str


class Unusable(Exception):
    """A part cannot be used; the message says why and how to mend it."""


class Doubtful(Exception):
    """A part can be used, but perhaps not as it is meant; the message says why."""


async def examine(settings: Settings) -> list[Finding]:
    """Return what every check found, in the order in which a start needs the parts."""
    return [await found_by(part, check, settings) for part, check in CHECKS.items()]


async def found_by(part: str, check: "Check", settings: Settings) -> Finding:
    try:
        return Finding(part, "ok", await check(settings))
    except Doubtful as error:
        return Finding(part, "warning", str(error))
    except Unusable as error:
        return Finding(part, "failed", str(error))


async def environment(settings: Settings) -> str:
    if not settings.development:
        return "production"
    if settings.host not in ("127.0.0.1", "::1", "localhost"):
        raise Doubtful(f"development, and others reach {settings.host}: set GATEHOUSE_ENVIRONMENT=production")
    return "development"


async def data_folder(settings: Settings) -> str:
    def write() -> None:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.data_dir):
            pass

    if not settings.development:
        return "not used in production"
    try:
        await asyncio.to_thread(write)
    except OSError as error:
        raise Unusable(
            f"{settings.data_dir} cannot be written ({error.strerror}): name another in GATEHOUSE_DATA_DIR"
        ) from None
    return f"{settings.data_dir} can be written"


async def database(settings: Settings) -> str:
    try:
        async with open_database(settings) as engine:
            if await above_row_security(engine):
                raise Doubtful(NO_ROW_SECURITY)
            if reason := await why_no_operator(engine):
                raise Doubtful(f"keys cannot be listed and old rows are not purged: {reason}")
            return f"{make_url(settings.database).get_backend_name()}, its schema is up to date"
    except Failed as error:
        raise Unusable(str(error).removeprefix("database: ")) from None


async def redis(settings: Settings) -> str:
    try:
        async with open_redis(
            settings.model_copy(update={"start_wait": 0})
        ) as client:  # asked, not waited for
            server = await client.info("server")
            if settings.redis_url is None:
                return f"Valkey {server['valkey_version']}, with its data in {settings.data_dir}"
            version = str(server["redis_version"])
            primaries = len(await client.nodes.primaries()) if isinstance(client, ClusterRedis) else 0
    except CannotStart as error:
        raise Unusable(str(error).removeprefix("Redis: ")) from None
    except (RedisError, ValueError, OSError) as error:
        raise Unusable(f"GATEHOUSE_REDIS_URL cannot be used ({type(error).__name__})") from None
    if tuple(map(int, version.split(".")[:2])) < OLDEST_REDIS:
        raise Unusable(f"it is version {version}, and Gatehouse needs 6.2 or newer")
    return f"version {version}" + (f", a cluster of {primaries} primaries" if primaries else "")


async def identity(settings: Settings) -> str:
    """Fetch the issuer's keys where they are fetched, and its document where people sign in there."""
    try:
        await asyncio.to_thread(lambda: Peppers.parse(api_key_pepper(settings)))
        claim_names(settings)
        async with httpx2.AsyncClient(**client_options()) as client:
            keys = await issuer_keys(settings, client)
            signing_in = await sign_in_at(settings, client)
    except BadConfiguration as error:
        raise Unusable(str(error)) from None
    except IssuerUnreachable as error:
        raise Unusable(f"the issuer: {error}") from None
    algorithms = ", ".join(sorted({key.algorithm for key in keys.keys}))
    return f"tokens of {settings.issuer} ({algorithms}), API keys{signing_in}"


async def issuer_keys(settings: Settings, client: httpx2.AsyncClient) -> KeySet:
    """Raises BadConfiguration, IssuerUnreachable."""
    check_sources(settings)
    if settings.remote_keys:
        return (await remote_issuer(settings, client).fetch_keys()).keys
    return await asyncio.to_thread(load_keys, settings)


async def sign_in_at(settings: Settings, client: httpx2.AsyncClient) -> str:
    """Return how signing in at the issuer is told of. Raises BadConfiguration, IssuerUnreachable."""
    if settings.oidc_client_id is None:
        return ""
    check_oidc(settings, settings.oidc_client_id)
    metadata = await remote_issuer(settings, client).metadata()
    if metadata.authorization_endpoint is None or metadata.token_endpoint is None:
        raise IssuerUnreachable(f"{settings.issuer} names no endpoints for signing in")
    if "S256" not in metadata.code_challenge_methods_supported:
        raise IssuerUnreachable(f"{settings.issuer} does not take PKCE with S256")
    return f", sign-in as its client {settings.oidc_client_id}"


async def chat_model(settings: Settings) -> str:
    """Ask the model, and the one for when it fails: what is behind a URL or a key shows when it is used."""
    once = settings.chat_model.model_copy(update={"fallback": "", "retries": 0})
    answers = await answering(once)
    if not settings.fallback_model:
        return answers
    try:
        second = await answering(once.model_copy(update={"choice": settings.fallback_model}))
    except Unusable as error:
        raise Unusable(f"{answers}, but GATEHOUSE_FALLBACK_MODEL: {error}") from None
    return f"{answers}, and as its fallback {second}"


async def answering(settings: ModelSettings) -> str:
    """Return that the model answers. Raises Unusable."""
    label = settings.choice or "the chat model"
    try:
        async with asyncio.timeout(MODEL_SECONDS), open_chat_model(settings) as opened:
            label = opened.label
            async with aclosing(opened.model.astream(QUESTION)) as answer:  # type: ignore[type-var]
                async for _ in answer:
                    return f"{label} answers"
    except ModelUnavailable as error:
        raise Unusable(" ".join(str(error).split())) from None
    except TimeoutError:
        raise Unusable(
            f"{label} did not answer within {MODEL_SECONDS} s: check its address and key"
        ) from None
    except Exception as error:  # whatever a provider's client raises
        own = error.__cause__ if isinstance(error, ModelFailed) and error.__cause__ else error
        text = redact(" ".join(str(own).split()))[:200]
        raise Unusable(f"{label} does not answer ({type(own).__name__}: {text})") from None
    raise Unusable(f"{label} answered nothing")


async def served(settings: Settings) -> str:
    try:
        async with open_database(settings, ready=False) as engine:
            registry = load_registry(settings.registry)
            parts = Parts(ScriptedChatModel(), checkpointer=InMemorySaver(), store=CallersStore(engine))
            built = Builder(registry, parts, Resources(engine)).build()
    except BadRegistry as error:
        raise Unusable(str(error)) from None
    except Failed:
        raise Doubtful("not tested, since the database cannot be used") from None
    return f"{len(registry.entries)} runnables, {len(built.tools)} tools"


async def port(settings: Settings) -> str:
    try:
        listen(settings.host, settings.port).close()
    except StartFailed as error:
        if await asyncio.to_thread(is_gatehouse, url_of(settings.host, settings.port)):
            raise Doubtful(f"{settings.port} is in use by a Gatehouse that runs already") from None
        raise Unusable(str(error)) from None
    return f"{settings.port} on {settings.host} is free"


def is_gatehouse(url: str) -> bool:
    try:
        with urlopen(f"{url}/livez", timeout=2) as answer:  # noqa: S310  # http, this machine
            return bool(json.load(answer) == {"status": "ok"})
    except (URLError, OSError, ValueError):
        return False


Check = Callable[[Settings], Awaitable[str]]

CHECKS: dict[str, Check] = {
    "settings": environment,
    "data folder": data_folder,
    "database": database,
    "Redis": redis,
    "identity": identity,
    "chat model": chat_model,
    "runnables": served,
    "port": port,
}
