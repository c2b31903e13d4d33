"""A server under attack, and what it left behind."""

import base64
from dataclasses import dataclass, field

import httpx
from live_server import SECRET, LiveServer
from redis import Redis


@dataclass
class Guarded:
    """The server, and what it left in Redis. `secrets` are texts that must never be in its log."""

    server: LiveServer
    redis: Redis
    environment: dict[str, str]
    secrets: set[str] = field(default_factory=set)
    checked: int = 0  # characters of the log

    def client(self, **headers: str) -> httpx.Client:
        self.secrets.update(value.removeprefix("Bearer ") for value in headers.values())
        return httpx.Client(base_url=self.server.url, headers=headers, timeout=20)

    def bearer(self, user: str = "alice", tenant: str = "acme", scopes: tuple[str, ...] = ("*",)) -> str:
        token = self.server.token(user, tenant, scopes)
        self.secrets.add(token)
        return f"Bearer {token}"

    def api_key(self, scopes: tuple[str, ...], user: str = "alice") -> str:
        """Return a new key of this user of acme."""
        body = {"user_id": user, "scopes": list(scopes)}
        with self.client(authorization=self.bearer()) as admin:
            key: str = admin.post("/api/keys", json=body).raise_for_status().json()["key"]
        self.secrets.add(key)
        return key

    def runs(self) -> int:
        """Return how many runs there have been: a model or a tool is called in no other way."""
        return int(self.redis.eval("return #redis.call('KEYS', ARGV[1])", 0, "gh:{*}:run"))

    def check_log(self) -> None:
        """Fail when a secret that was sent, or that the server was configured with, is in its log.

        What was looked at before is not looked at again: the server has logged nothing before it was sent.
        """
        whole = self.server.log
        log, self.checked = whole[self.checked :], whole.rfind("\n") + 1
        assert '"event": "request"' in whole
        for secret in {*self.secrets, *self.server.keys.values(), SECRET}:
            for written in (secret, base64.b64encode(secret.encode()).decode()):
                assert written not in log
