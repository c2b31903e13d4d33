"""SQLite files with the newest schema. They are made once: a copy costs a test a tenth of that."""

import asyncio
import atexit
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from gatehouse.settings import Settings
from gatehouse.storage.database import open_engine
from gatehouse.storage.schema import Schema, schemas_of, upgrade
from tools.portfolio.seed import seed

SCHEMAS: tuple[Schema, ...] = schemas_of(Settings(_env_file=None, migrations="tools.migrations"))


def url_of(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


def migrated_copy(file: Path, *, seeded: bool = False) -> Path:
    """Make a database of `file`, with the demo's customers if it is `seeded`, and return it."""
    return Path(shutil.copy(made_once(seeded=seeded), file))


@cache
def made_once(*, seeded: bool) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gh-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "gatehouse.db"
    with ThreadPoolExecutor(1) as elsewhere:  # the caller may have an event loop of its own
        elsewhere.submit(asyncio.run, migrate(url_of(file), seeded=seeded)).result()
    return file


async def migrate(url: str, *, seeded: bool = False) -> None:
    """Bring a database up to date."""
    engine = open_engine(url)
    await upgrade(engine, SCHEMAS)
    if seeded:
        await seed(engine)
    await engine.dispose()
