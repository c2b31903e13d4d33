import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from auth_settings import MakeSettings
from signed_tokens import SECRET

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.dev_secrets import api_key_pepper, jwt_secret

PRODUCTION = {
    "environment": "production",
    "database_url": "postgresql+psycopg://gatehouse@db/gatehouse",
    "redis_url": "redis://redis",
    "jwt_secret": SECRET,
    "api_key_pepper": "a pepper of more than thirty-two bytes",
}


class TestGeneratedSecret:
    def test_is_made_once_and_kept(self, make_settings: MakeSettings) -> None:
        settings = make_settings()
        assert jwt_secret(settings) == jwt_secret(settings)
        assert len(jwt_secret(settings)) == 64

    def test_is_another_for_each_end(self, make_settings: MakeSettings) -> None:
        assert jwt_secret(make_settings()) != api_key_pepper(make_settings())

    def test_can_be_read_by_its_owner_only(self, make_settings: MakeSettings, tmp_path: Path) -> None:
        folder = tmp_path / "deep" / "data"
        api_key_pepper(make_settings(data_dir=folder))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "api_key_pepper").stat().st_mode) == 0o600

    def test_is_the_same_for_workers_that_start_at_once(self, make_settings: MakeSettings) -> None:
        settings, workers = make_settings(), 16
        barrier = Barrier(workers)

        def start(_worker: int) -> str:
            barrier.wait()
            return jwt_secret(settings)

        with ThreadPoolExecutor(workers) as pool:
            assert len(set(pool.map(start, range(workers)))) == 1
        assert [file.name for file in settings.data_dir.iterdir()] == ["jwt_secret"]

    def test_is_not_replaced_by_a_worker_that_looked_too_early(
        self, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = jwt_secret(make_settings())
        monkeypatch.setattr(Path, "exists", lambda _path: False)
        assert jwt_secret(make_settings()) == first

    def test_needs_a_folder_that_can_be_written(self, make_settings: MakeSettings, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(BadConfiguration, match="GATEHOUSE_DATA_DIR"):
            jwt_secret(make_settings(data_dir=tmp_path / "file" / "data"))


class TestConfiguredSecret:
    def test_wins_and_nothing_is_written(self, make_settings: MakeSettings) -> None:
        settings = make_settings(jwt_secret=SECRET)
        assert jwt_secret(settings) == SECRET
        assert not settings.data_dir.exists()

    def test_is_needed_in_production(self, make_settings: MakeSettings) -> None:
        settings = make_settings(**PRODUCTION).model_copy(update={"jwt_secret": None})
        with pytest.raises(BadConfiguration, match="GATEHOUSE_JWT_SECRET is not set"):
            jwt_secret(settings)
