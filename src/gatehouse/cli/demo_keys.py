"""The API keys of the demo's users. The database has hashes only, so development keeps the keys in a file."""

import asyncio
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.auth.api_keys import ApiKeys
from app.auth.principal import ALL_SCOPES
from app.cli.failure import Failed
from app.errors import InvalidCredential
from tools.portfolio.demo_data import DEMO_CUSTOMERS, DemoCustomer

FILE = "demo-keys.json"
USERS = ("alice", "bob")  # of two tenants


@dataclass(frozen=True, slots=True)
class DemoKey:
    """A key that works, and whom it stands for."""

    customer: DemoCustomer
    key: str = field(repr=False)


async def demo_keys(api_keys: ApiKeys, data_dir: Path) -> tuple[DemoKey, ...]:
    """Return a key for each of the demo's users: the one that is kept, or else a new one, kept from now on.

    A kept key that was revoked, or is of another database, is replaced. The file is readable by its owner
    only. Raises Failed when the folder cannot keep it.
    """
    try:
        return await kept_or_made(api_keys, data_dir / FILE)
    except OSError as error:
        raise Failed(f"data folder: {data_dir} cannot keep the demo's keys ({error.strerror})") from None


async def kept_or_made(api_keys: ApiKeys, file: Path) -> tuple[DemoKey, ...]:
    """Raises OSError."""
    kept = await asyncio.to_thread(read, file)
    keys = tuple(
        [
            DemoKey(customer, await working_key(api_keys, customer, kept.get(customer.user_id)))
            for customer in DEMO_CUSTOMERS
            if customer.user_id in USERS
        ]
    )
    texts = {key.customer.user_id: key.key for key in keys}
    if texts != kept:
        await asyncio.to_thread(write, file, texts)
    return keys


async def working_key(api_keys: ApiKeys, customer: DemoCustomer, kept: str | None) -> str:
    """Return `kept` when it is a key of this customer that works, else a new one."""
    if kept is not None and await is_of(api_keys, customer, kept):
        return kept
    created = await api_keys.create(
        tenant_id=customer.tenant_id,
        user_id=customer.user_id,
        name=customer.name,
        scopes=[ALL_SCOPES],
        claims={"portfolio_id": customer.portfolio_id},
    )
    return created.key


async def is_of(api_keys: ApiKeys, customer: DemoCustomer, key: str) -> bool:
    try:
        principal = await api_keys.verify(key)
    except InvalidCredential:
        return False
    return (principal.tenant_id, principal.user_id) == (customer.tenant_id, customer.user_id)


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
