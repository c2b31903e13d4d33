"""API keys: made, verified, listed, rotated and revoked."""

import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Self

import structlog
from sqlalchemy import func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.auth.api_keys.format import KeyEnvironment, KeyText
from gatehouse.auth.api_keys.peppers import Peppers
from gatehouse.auth.api_keys.queries import found, with_id, working
from gatehouse.auth.api_keys.record import ApiKey, KeyRow, api_key_of
from gatehouse.auth.api_keys.tables import api_keys
from gatehouse.auth.api_keys.upkeep import KeyUpkeep
from gatehouse.auth.dev_secrets import api_key_pepper
from gatehouse.identity.identifiers import identifier
from gatehouse.identity.principal import Principal
from gatehouse.identity.recent import Recent
from gatehouse.problems.errors import InvalidCredential, NotFound
from gatehouse.settings import Settings
from gatehouse.storage.digest import digest_of
from gatehouse.storage.tenancy import let_see, see_as_operator, tenant_transaction

log = structlog.get_logger(__name__)

REMEMBERED_SECONDS = 4.0  # a revocation reaches every replica within 5 s
REMEMBERED_KEYS = 4096
NO_HASH = bytes(32)  # what an unknown key is compared with, so that it costs the same as a wrong secret
NO_SUCH_KEY = "There is no such API key."

# What is done with a changed key in the transaction that changes it: both happen, or neither
Within = Callable[[AsyncConnection, ApiKey], Awaitable[None]]


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
        self.upkeep = KeyUpkeep(engine)

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
        within: Within | None = None,
    ) -> CreatedKey:
        """Make a key for a user. Raises ValueError for a tenant, user or name that names nobody."""
        async with tenant_transaction(self._engine, identifier(tenant_id)) as connection:
            return await self._insert(
                connection,
                within,
                tenant_id=tenant_id,
                user_id=identifier(user_id),
                name=identifier(name) if name else "",
                scopes=sorted(set(scopes)),
                expires_at=expires_at,
                plan=plan,
                claims=dict(claims or {}),
            )

    async def verify(self, text: str) -> Principal:
        """Return whom a key stands for. Raises InvalidCredential for one that does not or no longer work.

        What was verified is remembered for 4 s. Its use is noted, and written later.
        """
        key = KeyText.parse(text)
        if key is None or key.environment != self._environment:
            raise InvalidCredential
        fingerprint = digest_of(text)
        record = self._recent.get(fingerprint) or await self._look_up(key, fingerprint)
        if record is None or not record.works:
            raise InvalidCredential(record.principal if record else None)
        self.upkeep.note_use(record)
        return record.principal

    async def works(self, key_id: str) -> bool:
        """Tell whether the key with this id still works: what was begun with it ends with it."""
        record = self._recent.get(key_id)
        if record is None:
            asked = monotonic()
            row = await found(self._engine, key_id)
            if row is None:
                return False
            record = api_key_of(row)
            self._recent.put(key_id, record, asked)
        return record.works

    async def get(self, key_id: str, tenant_id: str | None = None) -> ApiKey:
        """Return a key, of this tenant if one is named. Raises NotFound."""
        row = await found(self._engine, key_id)
        if row is None or tenant_id not in (None, row.tenant_id):
            raise NotFound(NO_SUCH_KEY)
        return api_key_of(row)

    async def list(self, tenant_id: str | None = None) -> tuple[ApiKey, ...]:
        """Return every key, or those of one tenant, the oldest first; revoked and expired ones too."""
        query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
        async with self._engine.begin() as connection:
            if tenant_id is None:
                await see_as_operator(connection)
            else:
                await let_see(connection, "gatehouse.tenant", tenant_id)
                query = query.where(api_keys.c.tenant_id == tenant_id)
            return tuple(api_key_of(row) for row in await connection.execute(query))

    async def page(self, tenant_id: str, limit: int, after: str | None) -> tuple[ApiKey, ...]:
        """Return at most `limit` of the tenant's keys, the oldest first, from behind the key `after`.

        Raises NotFound when there is no such key in the tenant.
        """
        order = tuple_(api_keys.c.created_at, api_keys.c.id)
        query = select(api_keys).where(api_keys.c.tenant_id == tenant_id).order_by(*order).limit(limit)
        if after is not None:
            before = await self.get(after, tenant_id)
            query = query.where(order > (before.created_at, before.id))
        async with tenant_transaction(self._engine, tenant_id) as connection:
            return tuple(api_key_of(row) for row in await connection.execute(query))

    async def rotate(
        self, key_id: str, overlap: float, tenant_id: str | None = None, within: Within | None = None
    ) -> CreatedKey:
        """Make a key that takes over from this one, which goes on working for `overlap` seconds.

        The new key has the same owner, scopes and length of life. Raises NotFound when there is no such
        key, of this tenant if one is named, or when it works no longer.
        """
        old = await self.get(key_id, tenant_id)
        now = datetime.now(UTC)
        ends = now + timedelta(seconds=overlap)
        async with tenant_transaction(self._engine, old.tenant_id) as connection:
            ended = await connection.execute(
                update(api_keys)
                .where(api_keys.c.id == key_id, working(now))
                .values(expires_at=min(ends, old.expires_at) if old.expires_at else ends)
            )
            if ended.rowcount != 1:
                raise NotFound("This API key no longer works.")
            created = await self._insert(
                connection,
                within,
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

    async def revoke(self, key_id: str, tenant_id: str | None = None, within: Within | None = None) -> ApiKey:
        """End a key and return it: here at once, on the other replicas within 5 s.

        Raises NotFound when there is none, in this tenant if one is named.
        """
        key = await self.get(key_id, tenant_id)
        async with tenant_transaction(self._engine, key.tenant_id) as connection:
            await connection.execute(
                update(api_keys)
                .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
                .values(revoked_at=datetime.now(UTC))
            )
            revoked = api_key_of((await connection.execute(with_id(key_id))).one())
            if within is not None:
                await within(connection, revoked)
        self._forget(key_id)
        return revoked

    async def count(self, tenant_id: str) -> int:
        """Return how many keys of the tenant work."""
        of_tenant = api_keys.c.tenant_id == tenant_id
        query = select(func.count()).select_from(api_keys).where(of_tenant, working(datetime.now(UTC)))
        async with tenant_transaction(self._engine, tenant_id) as connection:
            return await connection.scalar(query) or 0

    async def _insert(self, connection: AsyncConnection, within: Within | None, **columns: Any) -> CreatedKey:
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
        record = api_key_of((await connection.execute(with_id(key.id))).one())
        if within is not None:
            await within(connection, record)
        return CreatedKey(key.text, record)

    async def _look_up(self, key: KeyText, fingerprint: str) -> ApiKey | None:
        """Return the record of a key whose secret is right, remembered from then on."""
        asked = monotonic()
        row = await found(self._engine, key.id)
        if not self._has_secret_of(key, row) or row is None:
            return None
        record = api_key_of(row)
        self._recent.put(fingerprint, record, asked)
        version = self._peppers.current
        if record.pepper_version != version:
            self.upkeep.rehash(record, self._peppers.hash(key, version), version)
        return record

    def _has_secret_of(self, key: KeyText, row: KeyRow | None) -> bool:
        version, expected = (row.pepper_version, row.secret_hash) if row else (self._peppers.current, NO_HASH)
        if version not in self._peppers.by_version:
            log.error("API key needs a pepper that is not configured", key_id=key.id, version=version)
            return False
        return hmac.compare_digest(self._peppers.hash(key, version), expected)

    def _forget(self, key_id: str) -> None:
        self._recent.forget(lambda record: record.id == key_id)
