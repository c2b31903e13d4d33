"""`gatehouse doctor` finds nothing wrong with what the overlays for people set."""

import pytest
from live_server import free_port
from manifests import Rendered
from migrated_databases import migrate
from postgres_databases import empty_database

from gatehouse.cli.doctor.checks import examine
from gatehouse.settings import Settings

SECRET = "a-secret-in-the-place-of-the-issuer-s-keys"


async def test_every_part_is_well(
    remote_overlay: Rendered, postgres_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with empty_database(postgres_url) as database:
        await migrate(database)
        made = {
            "GATEHOUSE_DATABASE_URL": database,
            "GATEHOUSE_REDIS_URL": redis_url,
            "GATEHOUSE_API_KEY_PEPPER": SECRET,
            "GATEHOUSE_JWT_SECRET": SECRET,
            "GATEHOUSE_MODEL": "scripted",
            "PORT": str(free_port()),
        }
        for name, value in (remote_overlay.settings | made).items():
            monkeypatch.setenv(name, value)
        findings = await examine(Settings(_env_file=None))
    assert {finding.part: finding.state for finding in findings} == dict.fromkeys(
        [finding.part for finding in findings], "ok"
    ), findings
