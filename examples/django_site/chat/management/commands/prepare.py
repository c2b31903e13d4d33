"""`manage.py prepare`: all that the site needs before its first start. What is there already stays."""

import json
import os
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from chat import identity
from chat.models import Customer

# Customers of Gatehouse's demonstration, with portfolios that differ
DEMO = (
    ("alice", "Alice", "Martin", "acme", "acme-alice-1"),
    ("bob", "Bob", "Rossi", "beta", "beta-bob-1"),
)


class Command(BaseCommand):
    help = "Make the keys and the database, and with --demo two users to try the site with."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="add the users alice and bob")
        parser.add_argument("--password", help="theirs; by default one is made up and printed")

    def handle(self, *_: Any, demo: bool, password: str | None, **__: Any) -> None:
        settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_private(settings.SECRET_KEY_FILE, secrets.token_urlsafe(50).encode())
        make_private(settings.TOKEN_KEY_FILE, new_key())
        public = settings.DATA_DIR / "jwks.json"
        public.write_text(json.dumps(identity.jwks(), indent=2))
        call_command("migrate", verbosity=0)
        if demo:
            self.add_demo_users(password)
        self.stdout.write(f"Gatehouse trusts the site with GATEHOUSE_ISSUER={settings.TOKEN_ISSUER} and")
        self.stdout.write(f"  GATEHOUSE_JWKS_URL={settings.TOKEN_ISSUER}/.well-known/jwks.json or")
        self.stdout.write(f"  GATEHOUSE_JWKS_FILE={public.absolute()}")

    def add_demo_users(self, password: str | None) -> None:
        if not settings.DEBUG:
            raise CommandError("the demonstration's users are for development")
        for name, first, last, tenant, portfolio in DEMO:
            user, new = get_user_model().objects.get_or_create(
                username=name, defaults={"first_name": first, "last_name": last}
            )
            if new or password:
                chosen = password or secrets.token_urlsafe(9)
                user.set_password(chosen)
                user.save()
                self.stdout.write(f"Sign in as {name} with {chosen}")
            Customer.objects.get_or_create(
                user=user, defaults={"subject": name, "tenant_id": tenant, "portfolio_id": portfolio}
            )


def make_private(file: Path, content: bytes) -> None:
    """Write a file that only its owner may read, unless it is there."""
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)


def new_key() -> bytes:
    """Return a new signing key as PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
