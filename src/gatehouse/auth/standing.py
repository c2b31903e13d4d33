"""Whether a credential still holds that was verified some time ago: what was begun with it ends with it."""

import time
from dataclasses import dataclass

from gatehouse.auth.api_keys.store import ApiKeys
from gatehouse.auth.browser.sessions import Sessions
from gatehouse.auth.tokens.revoked import RevokedTokens
from gatehouse.identity.principal import Principal


@dataclass(frozen=True, slots=True)
class CredentialStanding:
    """Asks where each kind of credential ends: the database, Redis, the list of revoked tokens."""

    api_keys: ApiKeys
    sessions: Sessions
    revoked: RevokedTokens

    async def credential_valid(self, principal: Principal) -> bool:
        """Tell whether the principal's credential is neither expired nor revoked, nor signed out.

        A revocation is known within 5 s. Raises SQLAlchemyError, RedisError or OSError when it cannot be
        told.
        """
        if principal.expires_at is not None and principal.expires_at <= time.time():
            return False
        if principal.credential == "session" and not await self.sessions.goes_on(principal.credential_id):
            return False
        return await self.is_not_revoked(principal)

    async def is_not_revoked(self, principal: Principal) -> bool:
        """Tell whether the principal's API key or token, or that of its session, was not taken back.

        Raises as `credential_valid` does.
        """
        kind, _, name = (
            principal.opened_with or f"{principal.credential}:{principal.credential_id}"
        ).partition(":")
        if kind == "api_key":
            return await self.api_keys.works(name)
        if kind == "jwt":
            return not await self.revoked.includes(principal.tenant_id, name)
        return True
