"""Every object is what Kubernetes and the operators' definitions say it has to be."""

import kubernetes_validate
import pytest
from custom_resources import CUSTOM_RESOURCES
from manifests import ROOT, Rendered, name_of
from pydantic import ValidationError

OLDEST, NEWEST = "1.31", "1.37"


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_objects_fit_the_schemas_of_kubernetes(overlay: Rendered, version: str) -> None:
    checked = [found for found in overlay.objects if found["kind"] not in CUSTOM_RESOURCES]
    for found in checked:
        kubernetes_validate.validate(found, version, strict=True)
    assert len(checked) > 10


def test_the_guide_promises_no_other_versions() -> None:
    assert f"Kubernetes {OLDEST} to {NEWEST};" in (ROOT / "docs/operations.md").read_text()


def test_a_field_that_there_is_not_is_found(overlay: Rendered) -> None:
    deployment = overlay.one("Deployment")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {**deployment, "spec": {**deployment["spec"], "replica": 3}}, NEWEST, strict=True
        )


def test_custom_resources_fit_the_definitions_of_their_operators(remote_overlay: Rendered) -> None:
    custom = [found for found in remote_overlay.objects if found["kind"] in CUSTOM_RESOURCES]
    for found in custom:
        CUSTOM_RESOURCES[found["kind"]].model_validate(found, strict=True)
    assert {found["kind"] for found in custom} >= {"ServiceMonitor", "PrometheusRule", "ExternalSecret"}


@pytest.mark.parametrize("kind", CUSTOM_RESOURCES)
def test_so_does_none_with_a_field_that_there_is_not(kind: str, remote_overlay: Rendered) -> None:
    for found in remote_overlay.of_kind(kind):
        with pytest.raises(ValidationError):
            CUSTOM_RESOURCES[kind].model_validate({**found, "spec": {**found["spec"], "misspelt": 1}})


def test_names_are_unique(overlay: Rendered) -> None:
    names = [name_of(found) for found in overlay.objects]
    assert len(names) == len(set(names))


def test_every_object_is_in_the_namespace_of_its_overlay(overlay: Rendered) -> None:
    (namespace,) = overlay.of_kind("Namespace")
    others = [found for found in overlay.objects if found["kind"] != "Namespace"]
    assert {found["metadata"].get("namespace") for found in others} == {namespace["metadata"]["name"]}
