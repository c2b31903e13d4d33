"""Where the settings say that the issuer's keys are."""

from pathlib import Path

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.dev_secrets import jwt_secret
from gatehouse.auth.tokens.jwk_set import keys_from_jwks
from gatehouse.auth.tokens.keys import HMAC_BYTES, KeySet, keys_from_pem, keys_from_secret
from gatehouse.settings import Settings

SOURCES = ("jwt_secret", "jwt_public_key_file", "jwks_file", "jwks_url")


def check_sources(settings: Settings) -> None:
    """Raise BadConfiguration when the settings name more than one source of keys, or HS* for public ones."""
    given = _given(settings)
    if len(given) > 1:
        # a public key is known to everyone: where HS256 is taken too, it would do as the secret
        raise BadConfiguration(f"{' and '.join(given)} are set: tokens have one source of keys, choose one.")
    symmetric = [name for name in settings.jwt_algorithms if name in HMAC_BYTES]
    if settings.remote_keys and symmetric:
        raise BadConfiguration(
            f"GATEHOUSE_JWT_ALGORITHMS lists {', '.join(symmetric)}, and keys that an issuer publishes are "
            "for RS*, PS*, ES* and EdDSA only."
        )


def load_keys(settings: Settings) -> KeySet:
    """Return the keys that tokens are verified with, where they are given. Reads files, so it blocks.

    In development a secret is generated when the settings name no key. Raises BadConfiguration when
    they name more than one source, a key that is weak or cannot be read, or an algorithm that no key fits.
    """
    check_sources(settings)
    given = _given(settings)
    if settings.jwt_public_key_file is not None:
        keys = keys_from_pem(_read(settings.jwt_public_key_file, given[0]), settings.jwt_algorithms)
    elif settings.jwks_file is not None:
        keys = keys_from_jwks(_read(settings.jwks_file, given[0]), given[0], settings.jwt_algorithms)
    else:
        return keys_from_secret(jwt_secret(settings), settings.jwt_algorithms or ("HS256",))
    return keys.only(settings.jwt_algorithms) if settings.jwt_algorithms else keys


def _given(settings: Settings) -> list[str]:
    return [f"GATEHOUSE_{name.upper()}" for name in SOURCES if getattr(settings, name) is not None]


def _read(file: Path, setting: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadConfiguration(f"{setting}: {file} cannot be read ({error.strerror}).") from None
