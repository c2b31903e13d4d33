"""Default deny, and each exception names pods and ports that there are."""

from ipaddress import ip_address, ip_network

import yaml
from manifests import ROOT, Manifest, Rendered, labels_of, name_of, pod_of, selects


def policy(overlay: Rendered, name: str) -> Manifest:
    spec: Manifest = overlay.one("NetworkPolicy", name)["spec"]
    return spec


def outward(overlay: Rendered) -> list[Manifest]:
    return [rule for each in overlay.of_kind("NetworkPolicy") for rule in each["spec"].get("egress", [])]


def test_what_is_not_allowed_is_denied(overlay: Rendered) -> None:
    assert policy(overlay, "default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_every_policy_selects_pods_that_there_are(overlay: Rendered) -> None:
    pods = [labels_of(workload) for workload in overlay.workloads()]
    for each in overlay.of_kind("NetworkPolicy"):
        assert any(selects(each["spec"]["podSelector"], labels) for labels in pods), name_of(each)


def test_every_pod_may_do_something(overlay: Rendered) -> None:
    named = [each["spec"]["podSelector"] for each in overlay.of_kind("NetworkPolicy")]
    for workload in overlay.workloads():
        assert any(selector and selects(selector, labels_of(workload)) for selector in named), name_of(
            workload
        )


def test_ports_let_in_are_ports_of_the_pods_containers(overlay: Rendered) -> None:
    for each in overlay.of_kind("NetworkPolicy"):
        for rule in each["spec"].get("ingress", []):
            names = {port["port"] for port in rule["ports"]}
            for workload in overlay.workloads():
                if selects(each["spec"]["podSelector"], labels_of(workload)):
                    assert names <= {
                        port["name"] for box in pod_of(workload)["containers"] for port in box["ports"]
                    }


def test_the_ingress_reaches_the_server_and_monitoring_its_figures(overlay: Rendered) -> None:
    ingress, monitoring = policy(overlay, "server")["ingress"]
    (namespaces,) = ingress["from"]
    assert namespaces["namespaceSelector"]["matchExpressions"][0]["values"] == [
        "ingress-nginx",
        "nginx-ingress",
    ]
    assert ingress["ports"] == [{"protocol": "TCP", "port": "http"}]
    assert monitoring["ports"] == [{"protocol": "TCP", "port": "management"}]


def test_the_server_reaches_its_stores_and_https(overlay: Rendered) -> None:
    stores, web = policy(overlay, "server")["egress"]
    assert {port["port"] for port in stores["ports"]} == {6379, 5432}
    assert {port["port"] for port in web["ports"]} == {443}
    beside = next(peer["podSelector"] for peer in stores["to"] if "podSelector" in peer)
    for name in ("redis", "postgres"):
        there = [each for each in overlay.workloads() if each["metadata"]["name"] == name]
        assert all(selects(beside, labels_of(each)) for each in there)


def test_nothing_reaches_the_metadata_service_of_a_cloud(overlay: Rendered) -> None:
    for metadata in (ip_address("169.254.169.254"), ip_address("fd00:ec2::254")):
        for rule in outward(overlay):
            if not {443, 80} & {port["port"] for port in rule["ports"]}:
                continue
            for block in (peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer):
                excepted = any(metadata in ip_network(cidr) for cidr in block.get("except", []))
                assert excepted or metadata not in ip_network(block["cidr"])


def test_the_migration_reaches_the_database_only(overlay: Rendered) -> None:
    (rule,) = policy(overlay, "migration")["egress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 5432}]


def test_the_component_for_mcp_servers_opens_the_servers_way_alone(overlay: Rendered) -> None:
    text = (ROOT / "k8s/components/mcp-servers/networkpolicy.yaml").read_text()
    opened = yaml.safe_load(text)["spec"]
    assert opened["podSelector"] == policy(overlay, "server")["podSelector"]
    assert opened["policyTypes"] == ["Egress"]
    (to,) = opened["egress"][0]["to"]
    assert to["podSelector"]["matchLabels"]
