"""Every setting of a server, read from the environment and `.env`."""

from gatehouse.settings.settings import Settings

__all__ = ["Settings"]
