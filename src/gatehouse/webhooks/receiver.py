"""Where webhooks go, as the settings say."""

from dataclasses import dataclass

from gatehouse.settings import Settings
from gatehouse.storage.opening import CannotStart
from gatehouse.webhooks.signing import BadSecret, key_of


@dataclass(frozen=True, slots=True)
class Receiver:
    """An address, and the key that what is sent there is signed with."""

    url: str
    key: bytes


def receiver_of(settings: Settings) -> Receiver | None:
    """Return the receiver, None without one. Raises CannotStart."""
    if settings.webhook_url is None:
        return None
    if not settings.development and not settings.webhook_url.startswith("https://"):
        raise CannotStart("GATEHOUSE_WEBHOOK_URL: production needs https://")
    if settings.webhook_secret is None:
        raise CannotStart("GATEHOUSE_WEBHOOK_SECRET: webhooks are signed, so that it is needed")
    try:
        return Receiver(settings.webhook_url, key_of(settings.webhook_secret.get_secret_value()))
    except BadSecret as error:
        raise CannotStart(f"GATEHOUSE_WEBHOOK_SECRET: {error}") from None
