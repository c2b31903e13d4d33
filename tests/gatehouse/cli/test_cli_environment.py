"""Settings as commands read them, and the file that lists them."""

from pathlib import Path

import pytest

from gatehouse.cli.env_example import env_example
from gatehouse.cli.environment import load_settings
from gatehouse.cli.failure import Failed
from gatehouse.settings import Settings
from gatehouse.settings.settings import variable

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.usefixtures("run")


class TestLoadSettings:
    def test_an_option_stands_above_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PORT", "9001")
        assert load_settings(port=None).port == 9001
        assert load_settings(port=9002, host="::1").port == 9002

    def test_dotenv_is_read(self, home: Path) -> None:
        (home / ".env").write_text("PORT=9003\nGATEHOUSE_ISSUER=https://issuer.example\n")
        settings = load_settings()
        assert (settings.port, settings.issuer) == (9003, "https://issuer.example")

    def test_what_is_wrong_is_told_by_its_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PORT", "eighty")
        monkeypatch.setenv("GATEHOUSE_RUN_DEADLINE", "-1")
        with pytest.raises(Failed) as failed:
            load_settings()
        assert str(failed.value).startswith("settings: PORT: Input should be a valid integer")
        assert "GATEHOUSE_RUN_DEADLINE: Input should be greater than 0" in str(failed.value)

    def test_a_value_is_not_repeated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_LOG_LEVEL", "hunter2")
        with pytest.raises(Failed, match="GATEHOUSE_LOG_LEVEL") as failed:
            load_settings()
        assert "hunter2" not in str(failed.value)

    def test_production_says_what_it_needs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_ENVIRONMENT", "production")
        with pytest.raises(Failed, match="settings: production needs GATEHOUSE_DATABASE_URL, ") as failed:
            load_settings()
        assert "\n" not in str(failed.value)


class TestEnvExample:
    def test_file_agrees_with_the_settings(self) -> None:
        """Write it anew with `.venv/bin/python -m gatehouse.cli.env_example > .env.example`."""
        assert (ROOT / ".env.example").read_text() == env_example()

    @pytest.mark.parametrize("name", Settings.model_fields)
    def test_has_every_setting_commented_out_under_its_description(self, name: str) -> None:
        text = " ".join(env_example().replace("\n# ", " ").split())
        assert f"{Settings.model_fields[name].description} {variable(name)}=" in text
        assert f"\n# {variable(name)}=" in env_example()

    def test_uncommented_it_changes_nothing(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("GATEHOUSE_DATA_DIR")
        monkeypatch.delenv("GATEHOUSE_MODEL")
        lines = env_example().splitlines()
        (home / ".env").write_text("\n".join(line.removeprefix("# ") for line in lines if "=" in line))
        assert load_settings() == Settings(_env_file=None)

    def test_holds_no_secret(self) -> None:
        assert "# OPENAI_API_KEY=\n" in env_example()
        assert "# GATEHOUSE_JWT_SECRET=\n" in env_example()
