"""Settings: from the environment and `.env`, refused when they cannot work, secrets never shown."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gatehouse.settings import Settings
from gatehouse.settings.model import ModelSettings

SECRET = "a secret of the bank"
PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "database_url": "postgresql+psycopg://gatehouse@db/gatehouse",
    "redis_url": "redis://redis",
    "api_key_pepper": SECRET,
    "jwt_secret": SECRET,
}


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing but the test decides: no `.env`, no variable of the machine."""
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


class TestSources:
    def test_the_defaults_need_nothing(self) -> None:
        settings = Settings()
        assert settings.development
        assert settings.host == "127.0.0.1"
        assert settings.port == 8000
        assert settings.allowed_origins == ()

    def test_no_secret_has_a_default(self) -> None:
        secrets = [
            name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
        ]
        assert len(secrets) >= 7
        assert [getattr(Settings(), name) for name in secrets] == [None] * len(secrets)

    def test_the_environment_wins_over_the_file(
        self, monkeypatch: pytest.MonkeyPatch, empty_folder: Path
    ) -> None:
        (empty_folder / ".env").write_text("GATEHOUSE_ISSUER=file\nGATEHOUSE_AUDIENCE=file\nPORT=9000\n")
        monkeypatch.setenv("GATEHOUSE_ISSUER", "environment")
        settings = Settings()
        assert (settings.issuer, settings.audience, settings.port) == ("environment", "file", 9000)

    def test_an_empty_variable_is_none_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_REDIS_URL", "")
        monkeypatch.setenv("GATEHOUSE_RUN_DEADLINE", "")
        assert Settings().redis_url is None
        assert Settings().run_deadline == 300

    @pytest.mark.parametrize(
        ("variable", "name"),
        [
            ("PORT", "port"),
            ("OPENAI_MODEL", "model_name"),
            ("OPENAI_BASE_URL", "openai_base_url"),
            ("AZURE_OPENAI_ENDPOINT", "azure_openai_endpoint"),
            ("AZURE_OPENAI_DEPLOYMENT_NAME", "azure_openai_deployment_name"),
            ("AZURE_OPENAI_API_VERSION", "azure_openai_api_version"),
        ],
    )
    def test_the_ecosystem_s_own_variables_are_read(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, name: str
    ) -> None:
        value = "https://a.example" if "_BASE_URL" in variable or "_ENDPOINT" in variable else "1234"
        monkeypatch.setenv(variable, value)
        assert str(getattr(Settings(), name)) == value

    @pytest.mark.parametrize(("text", "listed"), [("a", ("a",)), (" a, b ,,", ("a", "b"))])
    def test_lists_are_separated_by_commas(
        self, monkeypatch: pytest.MonkeyPatch, text: str, listed: tuple[str, ...]
    ) -> None:
        monkeypatch.setenv("GATEHOUSE_CLAIM_SCOPES", text)
        assert Settings().claim_scopes == listed

    def test_they_do_not_change(self) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            Settings().port = 1  # type: ignore[misc]


class TestRefusal:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("port", 65_536),
            ("run_deadline", 0),
            ("run_deadline", "soon"),
            ("max_body_bytes", 0),
            ("max_attempts", 0),
            ("jwt_leeway", 61),
            ("jwt_algorithms", "none"),
            ("jwt_algorithms", "HS256,nonE"),
            ("environment", "staging"),
            ("log_level", "loud"),
        ],
    )
    def test_a_value_that_cannot_work_is_refused_by_name(self, name: str, value: Any) -> None:
        with pytest.raises(ValidationError, match=name):
            Settings(**{name: value})


class TestProduction:
    def test_works_with_everything_set(self) -> None:
        assert not Settings(**PRODUCTION).development

    @pytest.mark.parametrize("name", ["database_url", "redis_url", "api_key_pepper"])
    def test_refuses_an_embedded_default_by_its_variable(self, name: str) -> None:
        settings = {key: value for key, value in PRODUCTION.items() if key != name}
        with pytest.raises(ValidationError, match=f"production needs GATEHOUSE_{name.upper()}"):
            Settings(**settings)

    @pytest.mark.parametrize("key", ["jwt_secret", "jwt_public_key_file", "jwks_file", "jwks_url", "issuer"])
    def test_any_key_for_tokens_will_do(self, key: str) -> None:
        settings = {**PRODUCTION, "jwt_secret": None, key: "https://issuer.example/one"}
        assert not Settings(**settings).development

    @pytest.mark.parametrize("issuer", ["gatehouse", "http://issuer.example"])
    def test_refuses_to_be_without_one(self, issuer: str) -> None:
        with pytest.raises(ValidationError, match="needs an https:// GATEHOUSE_ISSUER .*GATEHOUSE_JWKS_FILE"):
            Settings(**{**PRODUCTION, "jwt_secret": None, "issuer": issuer})

    def test_refuses_to_sign_in_at_the_issuer_under_a_name_that_the_browser_chooses(self) -> None:
        settings = {**PRODUCTION, "jwt_secret": None, "issuer": "https://a.example", "oidc_client_id": "web"}
        with pytest.raises(ValidationError, match="GATEHOUSE_PUBLIC_URL"):
            Settings(**settings)
        assert Settings(**settings, public_url="https://chat.example.com").oidc_client_id == "web"
        assert Settings(**settings, public_url="https://chat.example.com/").public_url == (
            "https://chat.example.com"
        )

    @pytest.mark.parametrize(
        "url", ["chat.example.com", "http://chat.example.com", "https://", "https://a/b"]
    )
    def test_refuses_a_public_url_that_is_no_https_origin(self, url: str) -> None:
        with pytest.raises(ValidationError, match="GATEHOUSE_PUBLIC_URL"):
            Settings(**PRODUCTION, public_url=url)


class TestKeysOfTheIssuer:
    @pytest.mark.parametrize(
        ("changes", "remote"),
        [
            ({}, False),
            ({"issuer": "https://a.example"}, True),
            ({"issuer": "http://a.example"}, True),
            ({"issuer": "https://a.example", "jwt_secret": SECRET}, False),
            ({"issuer": "https://a.example", "jwks_file": "a"}, False),
            ({"jwks_url": "https://a.example"}, True),
        ],
    )
    def test_are_fetched_when_none_are_given(self, changes: dict[str, Any], remote: bool) -> None:
        assert Settings(**changes).remote_keys is remote


class TestDatabase:
    def test_is_a_file_in_the_data_folder(self, empty_folder: Path) -> None:
        assert Settings(data_dir=Path("data")).database == (
            f"sqlite+aiosqlite:///{empty_folder / 'data' / 'gatehouse.db'}"
        )

    def test_is_what_the_url_says(self) -> None:
        assert Settings(**PRODUCTION).database == PRODUCTION["database_url"]


class TestSecrets:
    def test_are_not_shown(self) -> None:
        shown = repr(Settings(**PRODUCTION)) + Settings(**PRODUCTION).model_dump_json()
        assert SECRET not in shown


class TestParts:
    def test_the_engine_gets_its_settings(self) -> None:
        runs = Settings(run_deadline=7, run_lease=2, max_attempts=3, recursion_limit=9, log_length=11).runs
        assert (runs.deadline, runs.lease, runs.max_attempts) == (7, 2, 3)
        assert (runs.recursion_limit, runs.log_length) == (9, 11)

    def test_the_chat_model_gets_its_settings(self) -> None:
        chosen = Settings(
            model="openai", model_name="m", openai_api_key="sk-of-nobody", azure_openai_endpoint="https://e"
        )
        model = chosen.chat_model
        assert (model.choice, model.openai_model, model.azure_endpoint) == ("openai", "m", "https://e")
        assert model.openai_api_key is not None
        assert model.openai_api_key.get_secret_value() == "sk-of-nobody"


class TestOrigins:
    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("https://a.example/", "https://a.example"),
            ("HTTPS://A.Example", "https://a.example"),
            ("https://a.example:443", "https://a.example"),
            ("http://a.example:80/", "http://a.example"),
            ("http://a.example:8080", "http://a.example:8080"),
            ('["https://a.example/"]', "https://a.example"),
            ("https://[::1]:443", "https://[::1]"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
        ],
    )
    def test_are_as_browsers_send_them(
        self, monkeypatch: pytest.MonkeyPatch, written: str, meant: str
    ) -> None:
        monkeypatch.setenv("GATEHOUSE_ALLOWED_ORIGINS", written)
        assert Settings().allowed_origins == (meant,)

    @pytest.mark.parametrize(
        "written",
        ["a.example", "https://a.example/app", "https://a.example?x", "ftp://a.example", "https://u@a.example",
         "https://", "https://a.example:port", "[", "https://*.example/x",
         "https://*.example"],
    )  # fmt: skip
    def test_that_are_none_are_refused(self, monkeypatch: pytest.MonkeyPatch, written: str) -> None:
        monkeypatch.setenv("GATEHOUSE_ALLOWED_ORIGINS", written)
        with pytest.raises(ValidationError, match="write|an origin (ends|is one host)"):
            Settings()


class TestDoors:
    @pytest.mark.parametrize(
        ("name", "value"),
        [("allowed_origins", "*"), ("allowed_origins", "https://a.example,null"), ("trusted_proxies", "*"),
         ("trusted_proxies", "10.0.0.1, *"), ("trusted_proxies", "0.0.0.0/0"), ("trusted_proxies", "::/0"),
         ("trusted_proxies", "0.0.0.0/1,128.0.0.0/1"), ("trusted_proxies", "::ffff:0:0/96")],
    )  # fmt: skip
    def test_that_stand_open_are_refused_in_production(self, name: str, value: str) -> None:
        with pytest.raises(ValidationError, match=f"GATEHOUSE_{name.upper()}"):
            Settings(**{**PRODUCTION, name: value})
        assert Settings(**{name: value})  # type: ignore[arg-type]

    def test_that_lead_to_networks_of_one_s_own_are_not(self) -> None:
        assert Settings(**{**PRODUCTION, "trusted_proxies": "10.0.0.0/8,fc00::/7,::1,::ffff:10.0.0.0/104"})

    @pytest.mark.parametrize("value", ["", "  "])
    def test_an_empty_environment_is_not_development(
        self, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv("GATEHOUSE_ENVIRONMENT", value)
        with pytest.raises(ValidationError, match="GATEHOUSE_ENVIRONMENT"):
            Settings()

    def test_a_secret_ends_before_its_line_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-key\n")
        key = Settings().openai_api_key
        assert key is not None
        assert key.get_secret_value() == "sk-key"


@pytest.mark.parametrize(
    ("model", "embedded"),
    [
        ({}, True),
        ({"choice": "embedded"}, True),
        ({"choice": "openai:gpt-5"}, False),
        ({"choice": "openai:gpt-5", "fallback": "embedded"}, True),
        ({"openai_base_url": "http://127.0.0.1:9/v1"}, False),
        ({"azure_api_key": "k"}, True),  # of which an endpoint is missing
        ({"azure_api_key": "k", "azure_endpoint": "https://x.example"}, False),
    ],
)
def test_the_embedded_model_is_begun_where_it_is_asked(model: dict[str, Any], embedded: bool) -> None:
    assert ModelSettings(**model).embedded is embedded
