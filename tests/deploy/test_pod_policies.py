"""What every pod keeps to: Pod Security `restricted`, bounded resources, probes, pinned images."""

import re

import pytest
from manifests import Rendered, labels_of, name_of, pod_of, selects

PINNED = re.compile(r"(?:[a-z0-9.-]+/)*[a-z0-9-]+:(?!latest$)[\w][\w.-]*")


def test_none_runs_as_root_or_may_become_it(overlay: Rendered) -> None:
    for name, container, pod in overlay.containers():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


def test_none_reaches_the_node_or_the_api_server(overlay: Rendered) -> None:
    for workload in overlay.workloads():
        pod = pod_of(workload)
        assert pod["automountServiceAccountToken"] is False, name_of(workload)
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name_of(workload)
        assert all("hostPath" not in volume for volume in pod.get("volumes", [])), name_of(workload)
    assert overlay.one("ServiceAccount")["automountServiceAccountToken"] is False


def test_no_service_defines_variables_that_would_be_read_as_settings(overlay: Rendered) -> None:
    """A Service `gatehouse-management` would otherwise set GATEHOUSE_MANAGEMENT_PORT to tcp://10.…"""
    assert all(pod_of(workload)["enableServiceLinks"] is False for workload in overlay.workloads())


def test_resources_are_bounded(overlay: Rendered) -> None:
    for name, container, pod in overlay.containers():
        resources = container["resources"]
        assert {"cpu", "memory"} <= resources["requests"].keys(), name
        assert "memory" in resources["limits"], name
        volumes = pod.get("volumes", [])
        assert all("sizeLimit" in volume["emptyDir"] for volume in volumes if "emptyDir" in volume), name


def test_images_are_pinned(overlay: Rendered) -> None:
    for name, container, _ in overlay.containers():
        assert PINNED.fullmatch(container["image"]), f"{name}: {container['image']}"


def test_what_is_written_is_written_to_volumes(overlay: Rendered) -> None:
    mounts = {mount["mountPath"] for mount in overlay.server["volumeMounts"]}
    assert mounts == {"/tmp", "/data"}
    assert overlay.settings["GATEHOUSE_DATA_DIR"] == "/data"


def test_servers_have_probes_and_jobs_an_end(overlay: Rendered) -> None:
    for name, container, _ in overlay.containers():
        if not name.startswith("Job"):
            assert {"readinessProbe", "livenessProbe"} <= container.keys(), name
    for job in overlay.of_kind("Job"):
        assert job["spec"]["backoffLimit"] > 0
        assert job["spec"]["activeDeadlineSeconds"] > 0
        assert job["spec"]["ttlSecondsAfterFinished"] > 0


def test_only_readiness_asks_about_what_a_restart_would_not_bring_back(overlay: Rendered) -> None:
    assert overlay.server["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert overlay.server["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert overlay.server["startupProbe"]["httpGet"]["path"] == "/livez"


def test_an_update_takes_no_replica_away_before_another_is_there(overlay: Rendered) -> None:
    deployment = overlay.one("Deployment")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert "replicas" not in deployment


def test_streams_may_end_before_the_pod_is_killed(overlay: Rendered) -> None:
    grace = pod_of(overlay.one("Deployment"))["terminationGracePeriodSeconds"]
    delay, drain = (
        float(overlay.settings[name]) for name in ("GATEHOUSE_DRAIN_DELAY", "GATEHOUSE_DRAIN_SECONDS")
    )
    assert delay >= 2, "endpoints need a moment to converge"
    assert grace >= delay + drain + 10


def test_an_eviction_leaves_a_replica_wherever_there_are_two(overlay: Rendered) -> None:
    budget = overlay.one("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert selects(budget["selector"], labels_of(overlay.one("Deployment")))


def test_one_autoscaler_scales_the_deployment(overlay: Rendered) -> None:
    scalers = overlay.of_kind("HorizontalPodAutoscaler") + overlay.of_kind("ScaledObject")
    assert len(scalers) == 1
    assert scalers[0]["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": overlay.one("Deployment")["metadata"]["name"],
    }


def test_where_people_are_a_replica_may_go(remote_overlay: Rendered) -> None:
    (scaler,) = remote_overlay.of_kind("HorizontalPodAutoscaler") + remote_overlay.of_kind("ScaledObject")
    spec = scaler["spec"]
    assert spec.get("minReplicas", spec.get("minReplicaCount")) >= 2


def test_replicas_are_spread_over_zones_and_nodes(overlay: Rendered) -> None:
    deployment = overlay.one("Deployment")
    spread = pod_of(deployment)["topologySpreadConstraints"]
    assert {each["topologyKey"] for each in spread} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }
    assert all(selects(each["labelSelector"], labels_of(deployment)) for each in spread)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_workloads_select_their_own_pods_and_no_others(kind: str, overlay: Rendered) -> None:
    for workload in overlay.of_kind(kind):
        taken = [
            name_of(each)
            for each in overlay.workloads()
            if selects(workload["spec"]["selector"], labels_of(each))
        ]
        assert taken == [name_of(workload)]


def test_each_release_has_a_migration_of_its_own(overlay: Rendered) -> None:
    tag = overlay.server["image"].rpartition(":")[2]
    (job,) = overlay.of_kind("Job")
    assert job["metadata"]["name"] == f"gatehouse-migrate-{tag}"
    steps = [
        *pod_of(job).get("initContainers", []),
        *pod_of(job)["containers"],
    ]
    assert steps[0]["args"] == ["db", "upgrade"]
    assert {step["image"] for step in steps} == {overlay.server["image"]}
