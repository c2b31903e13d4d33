"""Under which keys Redis counts. Ids are hashed, so that no name reaches into a key's syntax."""

from functools import lru_cache
from typing import NamedTuple

from gatehouse.identity.principal import Principal
from gatehouse.storage.digest import digest_of
from gatehouse.storage.redis.slots import tagged


class Keys(NamedTuple):
    """The keys of one who is counted: a user, or a tenant."""

    rate: str  # the theoretical arrival time of gatehouse.limits.rate
    slots: str  # a sorted set: runs that go on, by when their lease runs out
    reserved: str  # a sorted set of `seat:tokens`, by the same times
    tokens: str  # a hash: the day, and the tokens that were used and are reserved in it


class Counted(NamedTuple):
    """Those whose limits a call counts against."""

    user: Keys
    tenant: Keys

    @property
    def rates(self) -> tuple[str, str]:
        return (self.user.rate, self.tenant.rate)

    @property
    def runs(self) -> tuple[str, ...]:
        """The keys in the order that the scripts of gatehouse.limits.scripts want."""
        return (*self.user[1:], *self.tenant[1:])


def counted(principal: Principal, on_cluster: bool = False) -> Counted:
    """Return the keys of a principal and of their tenant. A user's limits span their credentials.

    A cluster has all of a tenant in one slot: each script counts for the user and for the tenant.
    """
    tenant_id = principal.tenant_id
    of = _keys_on_cluster if on_cluster else _keys
    return Counted(of("user", tenant_id, principal.user_id), of("tenant", tenant_id))


def address_key(address: str) -> str:
    """Return under which key an address's failed sign-ins are counted."""
    return f"gh:limits:{digest_of('address', address)[:32]}:signin"


@lru_cache(10_000)
def _keys_on_cluster(*whose: str) -> Keys:
    tag = _name("tenant", whose[1])
    return Keys(*(tagged(tag, key) for key in _keys(*whose)))


def _name(*whose: str) -> str:
    return digest_of(*whose)[:32]


@lru_cache(10_000)
def _keys(*whose: str) -> Keys:
    prefix = f"gh:limits:{_name(*whose)}"
    return Keys(f"{prefix}:rate", f"{prefix}:slots", f"{prefix}:reserved", f"{prefix}:tokens")
