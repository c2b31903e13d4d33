"""deploy/compose.yaml: valid, closed but for nginx, and in agreement with what it starts."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from manifests import ROOT
from test_pod_policies import PINNED

from gatehouse.settings import Settings

TEXT = (ROOT / "deploy/compose.yaml").read_text()
EXAMPLE = (ROOT / "deploy/.env.example").read_text()
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")
PORT = re.compile(r"127\.0\.0\.1:\d+:\d+")

Service = dict[str, Any]


def interpolated(text: str) -> dict[str, Any]:
    """Return the document as compose reads it with secrets and nothing else set."""
    filled = VARIABLE.sub(lambda found: found[3] if found[2] == "-" else "made-secret", text)
    document: dict[str, Any] = yaml.safe_load(filled)
    return document


DOCUMENT = interpolated(TEXT)
SERVICES: dict[str, Service] = DOCUMENT["services"]


def test_it_is_a_compose_file() -> None:
    assert set(PyCompose.from_yaml(yaml.safe_dump(DOCUMENT)).service_names()) == SERVICES.keys()


def test_a_misspelt_key_is_found() -> None:
    with pytest.raises(Exception, match="replica"):
        PyCompose.from_yaml(yaml.safe_dump(DOCUMENT | {"services": {"app": {"image": "x", "replica": 2}}}))


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_closed(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert PINNED.fullmatch(service["image"])


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "migrate"])
def test_services_are_watched(name: str) -> None:
    from_the_image = name == "app" and "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()
    assert from_the_image or SERVICES[name]["healthcheck"]["test"]


def test_only_nginx_listens_on_the_host_and_there_on_loopback() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports.keys() == {"nginx", "grafana"}
    assert SERVICES["grafana"]["profiles"] == ["monitoring"]
    assert all(PORT.fullmatch(port) for offered in ports.values() for port in offered)


def test_each_starts_when_what_it_needs_is_healthy() -> None:
    assert {
        name: {part: each["condition"] for part, each in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    } == {
        "postgres": {},
        "redis": {},
        "migrate": {"postgres": "service_healthy"},
        "app": {"migrate": "service_completed_successfully", "redis": "service_healthy"},
        "nginx": {"app": "service_healthy"},
        "prometheus": {},
        "grafana": {"prometheus": "service_healthy"},
    }


def test_secrets_are_asked_for_and_are_in_the_example() -> None:
    required = {found[1] for found in VARIABLE.finditer(TEXT) if found[2] == "?"}
    assert required == {
        "POSTGRES_PASSWORD",
        "DATABASE_PASSWORD",
        "REDIS_PASSWORD",
        "GATEHOUSE_API_KEY_PEPPER",
        "GRAFANA_PASSWORD",
    }
    assert required <= set(re.findall(r"^(\w+)=$", EXAMPLE, re.MULTILINE))


def test_the_example_names_every_variable_and_no_other() -> None:
    used = {found[1] for found in VARIABLE.finditer(TEXT)}
    assert set(re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == used


def test_the_guides_loop_gives_each_secret_a_value_of_its_own(tmp_path: Path) -> None:
    guide = (ROOT / "docs/operations.md").read_text()
    (loop,) = re.findall(r"^(while IFS=.*?chmod 600 deploy/\.env)$", guide, re.MULTILINE | re.DOTALL)
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/.env.example").write_text(EXAMPLE)
    subprocess.run(["sh", "-ec", loop], cwd=tmp_path, check=True, timeout=30)
    filled = re.findall(r"^\w+=(.*)$", (tmp_path / "deploy/.env").read_text(), re.MULTILINE)
    assert len(set(filled)) == 6
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in filled)
    assert (tmp_path / "deploy/.env").stat().st_mode & 0o777 == 0o600


def environment() -> dict[str, str]:
    return {name: str(value or "") for name, value in SERVICES["app"]["environment"].items()}


def test_every_variable_of_the_app_is_a_setting() -> None:
    aliases: list[Any] = [field.validation_alias for field in Settings.model_fields.values()]
    names = {f"GATEHOUSE_{name.upper()}" for name in Settings.model_fields}
    names |= {str(alias.choices[0]) for alias in aliases if alias}
    assert environment().keys() - names == set()


def test_the_app_starts_as_production_with_the_example_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = {"GATEHOUSE_JWT_SECRET": "s" * 32, "GATEHOUSE_API_KEY_PEPPER": "p" * 32}
    for name, value in (environment() | secret).items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert not settings.development
    assert settings.database.startswith("postgresql+psycopg://gatehouse:made-secret@postgres:5432/")


def test_the_app_connects_as_the_role_that_the_script_makes() -> None:
    script = (ROOT / "k8s/components/postgres/create-role.sh").read_text()
    assert re.search(r"CREATE ROLE gatehouse .*NOSUPERUSER NOBYPASSRLS", script)
    mounts = SERVICES["postgres"]["volumes"]
    assert "../k8s/components/postgres/create-role.sh:/docker-entrypoint-initdb.d/create-role.sh:ro" in mounts


def test_streams_may_end_before_a_replica_is_killed() -> None:
    drain = float(environment()["GATEHOUSE_DRAIN_DELAY"]) + float(environment()["GATEHOUSE_DRAIN_SECONDS"])
    assert float(SERVICES["app"]["stop_grace_period"].removesuffix("s")) >= drain + 10


def test_only_nginx_counts_as_a_proxy() -> None:
    edge = DOCUMENT["networks"]["edge"]
    assert environment()["GATEHOUSE_TRUSTED_PROXIES"] == edge["ipam"]["config"][0]["subnet"]
    assert {name for name, service in SERVICES.items() if "edge" in service["networks"]} == {"app", "nginx"}


def test_nginx_and_the_app_share_no_other_network() -> None:
    """Else nginx would reach the app from an address that is no trusted proxy's."""
    assert set(SERVICES["nginx"]["networks"]) & set(SERVICES["app"]["networks"]) == {"edge"}


def test_the_stores_have_no_way_out() -> None:
    for name in ("postgres", "redis", "migrate", "prometheus"):
        assert all(DOCUMENT["networks"][each].get("internal") for each in SERVICES[name]["networks"]), name


def test_every_file_that_is_mounted_is_there() -> None:
    for name, service in SERVICES.items():
        for mount in service.get("volumes", []):
            source = mount.partition(":")[0]
            if source.startswith("."):
                assert (ROOT / "deploy" / source).exists(), f"{name}: {source}"


def test_prometheus_asks_every_replica_where_it_serves_its_figures() -> None:
    scrape = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yaml").read_text())
    (job,) = scrape["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert job["job_name"] == "gatehouse"
    assert found["names"] == ["app"]
    assert found["port"] == int(environment()["GATEHOUSE_MANAGEMENT_PORT"])
    assert set(SERVICES["prometheus"]["networks"]) & set(SERVICES["app"]["networks"])
