"""Ports, settings and secrets agree: with each other, with src/gatehouse/settings/settings.py, with the Dockerfile."""

import re
from typing import Any

import pytest
from manifests import ROOT, Manifest, Rendered, labels_of, selects, written_project

from gatehouse.settings import Settings

NEEDED = ("GATEHOUSE_DATABASE_URL", "GATEHOUSE_REDIS_URL", "GATEHOUSE_API_KEY_PEPPER")


def variable(name: str) -> str:
    alias: Any = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if alias else f"GATEHOUSE_{name.upper()}"


SETTINGS = {variable(name): name for name in Settings.model_fields}
SECRETS = {
    variable(name) for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
}


def secret_keys(overlay: Rendered) -> set[str]:
    """Return the variables that the Secret `gatehouse` holds, or will."""
    if overlay.for_development:
        return set(overlay.one("Secret")["data"])
    if overlay.overlay.startswith("project/"):
        return set(re.findall(r"--from-literal=(\w+)=", (written_project() / "README.md").read_text()))
    return {entry["secretKey"] for entry in overlay.one("ExternalSecret")["spec"]["data"]}


def test_every_variable_is_a_setting(overlay: Rendered) -> None:
    assert overlay.settings.keys() - SETTINGS.keys() == set()
    assert secret_keys(overlay) - SETTINGS.keys() == set()


def test_secrets_are_in_secrets(overlay: Rendered) -> None:
    assert overlay.settings.keys() & SECRETS == set()
    assert secret_keys(overlay) <= SECRETS
    assert set(NEEDED) <= secret_keys(overlay)


def test_no_secret_is_written_where_people_are(remote_overlay: Rendered) -> None:
    assert remote_overlay.of_kind("Secret") == []


def test_containers_read_the_config_map_and_the_secret(overlay: Rendered) -> None:
    config = overlay.one("ConfigMap")["metadata"]["name"]
    assert config != "gatehouse", "without a hash a changed setting would roll no pod"
    secret = overlay.one("Secret")["metadata"]["name"] if overlay.for_development else "gatehouse"
    for name, container, _ in overlay.containers():
        if container["image"] == overlay.server["image"]:
            assert container["envFrom"] == [
                {"configMapRef": {"name": config}},
                {"secretRef": {"name": secret}},
            ], name


def test_the_settings_are_accepted(overlay: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    """With secrets of the right form: production refuses what it cannot work with."""
    for name, value in environment(overlay).items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert settings.development is overlay.for_development
    assert settings.port == 8000


def environment(overlay: Rendered) -> dict[str, str]:
    made = {
        "GATEHOUSE_DATABASE_URL": "postgresql+psycopg://gatehouse:x@postgres/gatehouse",
        "GATEHOUSE_REDIS_URL": "rediss://:x@redis:6379/0",
    }
    return overlay.settings | {name: made.get(name, "s" * 32) for name in secret_keys(overlay)}


def test_ports_are_those_of_the_settings_and_of_the_image(overlay: Rendered) -> None:
    ports = {port["name"]: port["containerPort"] for port in overlay.server["ports"]}
    assert ports == {
        "http": int(overlay.settings["PORT"]),
        "management": int(overlay.settings["GATEHOUSE_MANAGEMENT_PORT"]),
    }
    assert re.findall(r"^EXPOSE (\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == [
        str(ports["http"])
    ]


def test_probes_and_services_name_ports_of_their_pods(overlay: Rendered) -> None:
    names = {port["name"] for port in overlay.server["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert overlay.server[probe]["httpGet"]["port"] in names
    for service in overlay.of_kind("Service"):
        (workload,) = [
            each
            for each in overlay.workloads()
            if selects({"matchLabels": service["spec"]["selector"]}, labels_of(each))
        ]
        offered = {
            port["name"]
            for box in workload["spec"]["template"]["spec"]["containers"]
            for port in box["ports"]
        }
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= offered


def test_the_ingress_leads_to_the_service_under_the_public_name(remote_overlay: Rendered) -> None:
    ingress, service = remote_overlay.one("Ingress"), remote_overlay.one("Service")
    (rule,) = ingress["spec"]["rules"]
    assert f"https://{rule['host']}" == remote_overlay.settings["GATEHOUSE_PUBLIC_URL"]
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}


def test_the_ingress_lets_streams_through(remote_overlay: Rendered) -> None:
    notes: Manifest = remote_overlay.one("Ingress")["metadata"]["annotations"]
    deadline = Settings.model_fields["run_deadline"].default
    assert notes["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert float(notes["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > deadline
    assert notes["nginx.org/proxy-buffering"] == "False"
    assert float(notes["nginx.org/proxy-read-timeout"].removesuffix("s")) > deadline


def test_the_ingress_takes_bodies_as_large_as_the_server_does(remote_overlay: Rendered) -> None:
    notes: Manifest = remote_overlay.one("Ingress")["metadata"]["annotations"]
    assert Settings.model_fields["max_body_bytes"].default == 1024 * 1024
    assert notes["nginx.ingress.kubernetes.io/proxy-body-size"] == "10m"
    assert notes["nginx.org/client-max-body-size"] == "10m"


def test_the_scrape_finds_the_management_port(remote_overlay: Rendered) -> None:
    monitor, service = remote_overlay.one("ServiceMonitor"), remote_overlay.one("Service")
    assert selects(monitor["spec"]["selector"], service["metadata"]["labels"])
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] == "management"
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
