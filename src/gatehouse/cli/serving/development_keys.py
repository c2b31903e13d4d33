"""The API keys of a development server's users, kept in the data folder: the database has hashes only."""

import asyncio
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gatehouse.auth.api_keys.store import ApiKeys
from gatehouse.cli.failure import Failed
from gatehouse.identity.principal import ALL_SCOPES
from gatehouse.problems.errors import InvalidCredential

FILE = "development-keys.json"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody to try a development server as."""

    tenant_id: str
    user_id: str
    name: str


USERS = (User("acme", "alice", "Alice Martin"), User("beta", "bob", "Bob Rossi"))  # of two tenants


@dataclass(frozen=True, slots=True)
class DevelopmentKey:
    """A key that works, and whom it stands for."""

    user: User
    key: str = field(repr=False)


async def development_keys(api_keys: ApiKeys, data_dir: Path) -> tuple[DevelopmentKey, ...]:
    """Return a key for each of the users: the one that is kept, or else a new one, kept from now on.

    A kept key that was revoked, or is of another database, is replaced. The file is readable by its owner
    only. Raises Failed when the folder cannot keep it.
    """
    try:
        return await kept_or_made(api_keys, data_dir / FILE)
    except OSError as error:
        raise Failed(f"data folder: {data_dir} cannot keep the API keys ({error.strerror})") from None


async def kept_or_made(api_keys: ApiKeys, file: Path) -> tuple[DevelopmentKey, ...]:
    """Raises OSError."""
    kept = await asyncio.to_thread(read, file)
    keys = tuple(
        [DevelopmentKey(user, await working_key(api_keys, user, kept.get(user.user_id))) for user in USERS]
    )
    texts = {key.user.user_id: key.key for key in keys}
    if texts != kept:
        await asyncio.to_thread(write, file, texts)
    return keys


async def working_key(api_keys: ApiKeys, user: User, kept: str | None) -> str:
    """Return `kept` when it is a key of this user that works, else a new one."""
    if kept is not None and await is_of(api_keys, user, kept):
        return kept
    created = await api_keys.create(
        tenant_id=user.tenant_id, user_id=user.user_id, name=user.name, scopes=[ALL_SCOPES]
    )
    return created.key


async def is_of(api_keys: ApiKeys, user: User, key: str) -> bool:
    try:
        principal = await api_keys.verify(key)
    except InvalidCredential:
        return False
    return (principal.tenant_id, principal.user_id) == (user.tenant_id, user.user_id)


def read(file: Path) -> dict[str, str]:
    """Return the kept keys by user; none when the file is missing or is not ours."""
    try:
        kept = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(kept, dict):
        return {}
    return {user: key for user, key in kept.items() if isinstance(key, str)}


def write(file: Path, keys: Mapping[str, str]) -> None:
    """Replace the file at once: a server that starts beside this one reads the old keys or the new ones."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        json.dump(keys, opened, indent=2)
    draft.replace(file)
