"""`gatehouse db`."""

from pathlib import Path

import pytest
from cli_results import Run, data_of, failure_of


class TestUpgrade:
    def test_makes_the_schema(self, run: Run, home: Path) -> None:
        assert run("db", "upgrade").stdout == "The database's schema is up to date.\n"
        assert (home / "data" / "gatehouse.db").exists()
        assert data_of(run("db", "status", "--json")) == {"ready": True, "reason": None}

    def test_again_does_nothing(self, run: Run, migrated: Path) -> None:
        assert run("db", "upgrade").exit_code == 0

    def test_quietly_prints_nothing(self, run: Run) -> None:
        result = run("db", "upgrade", "--quiet")
        assert (result.exit_code, result.output) == (0, "")


class TestStatus:
    def test_is_ready_after_an_upgrade(self, run: Run, migrated: Path) -> None:
        result = run("db", "status")
        assert result.exit_code == 0
        assert "up to date" in result.stdout

    def test_fails_without_a_schema(self, run: Run) -> None:
        assert "run gatehouse db upgrade" in failure_of(run("db", "status"))

    def test_fails_as_json_too(self, run: Run) -> None:
        result = run("db", "status", "--json")
        assert result.exit_code == 1
        assert '"ready": false' in result.stdout


class TestUnusableDatabase:
    @pytest.mark.parametrize("command", ["upgrade", "status"])
    @pytest.mark.parametrize(
        ("url", "part"),
        [
            ("no url, but hunter2", "settings: GATEHOUSE_DATABASE_URL: "),
            ("sqlite+nodriver:///hunter2", "settings: GATEHOUSE_DATABASE_URL: "),
            ("postgresql+psycopg://user:hunter2@127.0.0.1:1/gatehouse", "database: "),
        ],
        ids=["no URL", "no driver", "nobody answers"],
    )
    def test_is_told_in_one_line_without_its_password(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, command: str, url: str, part: str
    ) -> None:
        monkeypatch.setenv("GATEHOUSE_DATABASE_URL", url)
        line = failure_of(run("db", command))
        assert line.startswith(part)
        assert "hunter2" not in line
