"""API keys: made, verified, listed, rotated and revoked."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Self

import structlog
from sqlalchemy import Select, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.auth.dev_secrets import api_key_pepper
from app.auth.identifiers import identifier
from app.auth.key_format import KeyEnvironment, KeyText
from app.auth.key_record import ApiKey, KeyRow, api_key_of
from app.auth.peppers import Peppers
from app.auth.principal import Principal
from app.auth.recent import Recent
from app.auth.tables import api_keys
from app.errors import InvalidCredential, NotFound
from app.settings import Settings

log = structlog.get_logger(__name__)

REMEMBERED_SECONDS = 4.0  # a revocation reaches every replica within 5 s
REMEMBERED_KEYS = 4096
USE_NOTED_EVERY = timedelta(minutes=1)
NO_HASH = bytes(32)  # what an unknown key is compared with, so that it costs the same as a wrong secret


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key. `key` is its text: shown now, and never again."""

    key: str = field(repr=False)
    record: ApiKey


class ApiKeys:
    """The API keys of this deployment. A key of another environment (dev, live) is none of them."""

    def __init__(self, engine: AsyncEngine, peppers: Peppers, environment: KeyEnvironment) -> None:
        self._engine = engine
        self._peppers = peppers
        self._environment: KeyEnvironment = environment
        self._recent: Recent[ApiKey] = Recent(REMEMBERED_SECONDS, REMEMBERED_KEYS)

    @classmethod
    def from_settings(cls, settings: Settings, engine: AsyncEngine) -> Self:
        """Return the keys of the settings' environment. Blocks on the disk. Raises BadConfiguration."""
        peppers = Peppers.parse(api_key_pepper(settings))
        return cls(engine, peppers, "dev" if settings.development else "live")

    async def create(
        self,
        *,
        tenant_id: str,
        user_id: str,
        name: str = "",
        scopes: Iterable[str] = (),
        expires_at: datetime | None = None,
        plan: str | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> CreatedKey:
        """Make a key for a user. Raises ValueError for a tenant, user or name that names nobody."""
        async with self._engine.begin() as connection:
            return await self._insert(
                connection,
                tenant_id=identifier(tenant_id),
                user_id=identifier(user_id),
                name=identifier(name) if name else "",
                scopes=sorted(set(scopes)),
                expires_at=expires_at,
                plan=plan,
                claims=dict(claims or {}),
            )

    async def verify(self, text: str) -> Principal:
        """Return whom a key stands for. Raises InvalidCredential for one that does not or no longer work.

        What was verified is remembered for 4 s. Its use is noted once a minute.
        """
        key = KeyText.parse(text)
        if key is None or key.environment != self._environment:
            raise InvalidCredential
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        record = self._recent.get(fingerprint) or await self._look_up(key, fingerprint)
        if record is None or not record.works:
            raise InvalidCredential
        return record.principal

    async def works(self, key_id: str) -> bool:
        """Tell whether the key with this id still works: a session that was opened with it ends with it."""
        record = self._recent.get(key_id)
        if record is None:
            asked = monotonic()
            async with self._engine.connect() as connection:
                row = await _find(connection, key_id)
            if row is None:
                return False
            record = api_key_of(row)
            self._recent.put(key_id, record, asked)
        return record.works

    async def list(self, tenant_id: str | None = None) -> tuple[ApiKey, ...]:
        """Return every key, or those of one tenant, the oldest first; revoked and expired ones too."""
        query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
        if tenant_id is not None:
            query = query.where(api_keys.c.tenant_id == tenant_id)
        async with self._engine.connect() as connection:
            return tuple(api_key_of(row) for row in await connection.execute(query))

    async def rotate(self, key_id: str, overlap: float) -> CreatedKey:
        """Make a key that takes over from this one, which goes on working for `overlap` seconds.

        The new key has the same owner, scopes and length of life. Raises NotFound when there is no such
        key, or when it works no longer.
        """
        async with self._engine.begin() as connection:
            row = await _find(connection, key_id)
            if row is None or not (old := api_key_of(row)).works:
                raise NotFound("There is no such API key, or it no longer works.")
            now = datetime.now(UTC)
            ends = now + timedelta(seconds=overlap)
            ends = min(ends, old.expires_at) if old.expires_at else ends
            this = api_keys.c.id == key_id
            await connection.execute(update(api_keys).where(this).values(expires_at=ends))
            created = await self._insert(
                connection,
                tenant_id=old.tenant_id,
                user_id=old.user_id,
                name=old.name,
                scopes=sorted(old.scopes),
                expires_at=now + (old.expires_at - old.created_at) if old.expires_at else None,
                plan=old.plan,
                claims=dict(old.claims),
            )
        self._forget(key_id)
        return created

    async def revoke(self, key_id: str) -> None:
        """End a key: here at once, on the other replicas within 5 s. Raises NotFound when there is none."""
        this = api_keys.c.id == key_id
        async with self._engine.begin() as connection:
            if await _find(connection, key_id) is None:
                raise NotFound("There is no such API key.")
            await connection.execute(
                update(api_keys)
                .where(this, api_keys.c.revoked_at.is_(None))
                .values(revoked_at=datetime.now(UTC))
            )
        self._forget(key_id)

    async def _insert(self, connection: AsyncConnection, **columns: Any) -> CreatedKey:
        key = KeyText.new(self._environment)
        version = self._peppers.current
        await connection.execute(
            insert(api_keys).values(
                id=key.id,
                secret_hash=self._peppers.hash(key, version),
                pepper_version=version,
                created_at=datetime.now(UTC),
                **columns,
            )
        )
        row = (await connection.execute(_with(key.id))).one()
        return CreatedKey(key.text, api_key_of(row))

    async def _look_up(self, key: KeyText, fingerprint: str) -> ApiKey | None:
        """Return the record of a key whose secret is right, remembered from then on."""
        asked = monotonic()
        async with self._engine.connect() as connection:
            row = await _find(connection, key.id)
        if not self._has_secret_of(key, row) or row is None:
            return None
        record = api_key_of(row)
        if record.works:
            self._recent.put(fingerprint, record, asked)
            await self._note_use(record)
        return record

    def _has_secret_of(self, key: KeyText, row: KeyRow | None) -> bool:
        version, expected = (row.pepper_version, row.secret_hash) if row else (self._peppers.current, NO_HASH)
        if version not in self._peppers.by_version:
            log.error("API key needs a pepper that is not configured", key_id=key.id, version=version)
            return False
        return hmac.compare_digest(self._peppers.hash(key, version), expected)

    async def _note_use(self, record: ApiKey) -> None:
        """Write when the key was used last, when a minute went by. A failure does not refuse the caller."""
        now = datetime.now(UTC)
        due = now - USE_NOTED_EVERY
        if record.last_used_at is not None and record.last_used_at > due:
            return
        last = api_keys.c.last_used_at
        try:
            async with self._engine.begin() as connection:
                await connection.execute(
                    update(api_keys)
                    .where(api_keys.c.id == record.id, or_(last.is_(None), last <= due))
                    .values(last_used_at=now)
                )
        except (SQLAlchemyError, OSError) as error:
            log.warning("use of an API key not noted", key_id=record.id, reason=type(error).__name__)

    def _forget(self, key_id: str) -> None:
        self._recent.forget(lambda record: record.id == key_id)


async def _find(connection: AsyncConnection, key_id: str) -> KeyRow | None:
    return (await connection.execute(_with(key_id))).one_or_none()


def _with(key_id: str) -> Select[*tuple[Any, ...]]:
    return select(api_keys).where(api_keys.c.id == key_id)
