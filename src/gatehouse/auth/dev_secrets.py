"""Secrets of a development server: made once, and kept in its data folder."""

import secrets
from pathlib import Path

from pydantic import SecretStr

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.settings import Settings

SECRET_BYTES = 32


def jwt_secret(settings: Settings) -> str:
    """Return the HS256 secret: the configured one, else the generated one. Blocks on the disk.

    Raises BadConfiguration in production when none is configured, or when the data folder can't be used.
    """
    return _configured_or_kept(settings, "jwt_secret", settings.jwt_secret)


def api_key_pepper(settings: Settings) -> str:
    """Return what API keys are hashed with: the configured one, else the generated one. Blocks on the disk.

    Raises BadConfiguration in production when none is configured, or when the data folder can't be used.
    """
    return _configured_or_kept(settings, "api_key_pepper", settings.api_key_pepper)


def _configured_or_kept(settings: Settings, name: str, configured: SecretStr | None) -> str:
    if configured is not None:
        return configured.get_secret_value()
    if not settings.development:
        raise BadConfiguration(f"GATEHOUSE_{name.upper()} is not set: make one with `openssl rand -hex 64`.")
    try:
        return _kept(settings.data_dir / name)
    except OSError as error:
        raise BadConfiguration(
            f"GATEHOUSE_DATA_DIR: {settings.data_dir} cannot keep a generated secret ({error.strerror})."
        ) from None


def _kept(file: Path) -> str:
    """Return the secret in `file`, made when it is not there. Processes that start at once agree on one.

    A secret is written whole to a file of its own, then linked to its name: a link is made by one of
    them only, and no reader meets a half-written file.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        draft.touch(mode=0o600, exist_ok=False)
        try:
            draft.write_text(secrets.token_hex(SECRET_BYTES))
            file.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text().strip()
