"""Alerts, dashboard and autoscaler ask for metrics that there are, in PromQL that parses."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from custom_resources import RuleGroups
from manifests import ROOT, rendered
from metric_names import METRICS

RULES = yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((ROOT / "k8s/components/monitoring/dashboard.json").read_text())
RUNBOOK = ROOT / "docs/operations.md"

# of every Python process with prometheus_client, and of Prometheus itself
OF_OTHERS: dict[str, set[str]] = {
    "process_resident_memory_bytes": set(),
    "process_cpu_seconds_total": set(),
    "process_open_fds": set(),
    "up": set(),
    "ALERTS": {"alertname", "alertstate"},
}
KNOWN = METRICS | OF_OTHERS
OF_PROMETHEUS = {"job", "instance", "namespace", "pod"}


def panels() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def expressions() -> Iterator[tuple[str, str]]:
    """Yield every expression with a name to report."""
    yield from ((rule["alert"], rule["expr"]) for rule in ALERTS)
    yield from panels()
    yield from (("annotation", each["expr"]) for each in DASHBOARD["annotations"]["list"])
    for trigger in rendered("production").one("ScaledObject")["spec"]["triggers"]:
        if trigger["type"] == "prometheus":
            yield "ScaledObject", trigger["metadata"]["query"]


def selectors(node: Any) -> Iterator[promql_parser.VectorSelector]:
    """Yield every selection of a metric in a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for part in ("expr", "lhs", "rhs", "vector_selector"):
        if (inner := getattr(node, part, None)) is not None:
            yield from selectors(inner)
    for argument in getattr(node, "args", None) or []:
        yield from selectors(argument)


def parsed(expression: str) -> Any:
    return promql_parser.parse(expression.replace("$__rate_interval", "1m"))


def test_the_list_is_what_the_server_measures() -> None:
    telemetry = pytest.importorskip("gatehouse.telemetry.metrics")
    measured = {}
    for metric in vars(telemetry.Metrics()).values():
        if kind := getattr(metric, "_type", None):
            ending = {"counter": "_total", "histogram": "_bucket"}.get(kind, "")
            measured[metric._name + ending] = set(metric._labelnames) | (
                {"le"} if kind == "histogram" else set()
            )
    assert measured == METRICS


def test_expressions_ask_for_metrics_and_labels_that_there_are() -> None:
    asked = list(expressions())
    for name, expression in asked:
        found = list(selectors(parsed(expression)))
        assert found, name
        for selector in found:
            assert selector.name in KNOWN, f"{name}: {selector.name}"
            labels = {matcher.name for matcher in selector.matchers.matchers}
            assert labels <= KNOWN[selector.name] | OF_PROMETHEUS, f"{name}: {labels}"
    assert len(asked) > 40


def test_expressions_group_by_labels_of_their_metrics() -> None:
    for name, expression in expressions():
        labels = {
            label.strip()
            for group in re.findall(r"\bby \(([^)]*)\)", expression)
            for label in group.split(",")
        }
        known = set().union(*(KNOWN[str(each.name)] for each in selectors(parsed(expression))))
        assert labels <= known | OF_PROMETHEUS, f"{name}: {labels - known}"


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = {selector.name for _, expression in panels() for selector in selectors(parsed(expression))}
    assert METRICS.keys() - shown == set()


def test_compose_and_kubernetes_have_the_same_alerts() -> None:
    """deploy/prometheus/rules.yaml and k8s/components/monitoring/prometheusrule.yaml."""
    RuleGroups.model_validate(RULES)
    assert rendered("production").one("PrometheusRule")["spec"] == RULES


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_has_its_runbook(rule: dict[str, Any]) -> None:
    path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert ROOT / path == RUNBOOK
    assert anchor == rule["alert"].lower()
    assert anchor in headings(RUNBOOK)


def test_every_runbook_is_of_an_alert() -> None:
    written = {heading for heading in headings(RUNBOOK) if heading.startswith("gatehouse")}
    assert written == {rule["alert"].lower() for rule in ALERTS}


def headings(document: Path) -> set[str]:
    """Return the anchors of a document's headings of one word."""
    return {heading.lower() for heading in re.findall(r"^#+ (\w+)$", document.read_text(), re.MULTILINE)}


def test_panels_have_titles_and_units_and_ids_of_their_own() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["type"] == "row" or panel["fieldConfig"]["defaults"]["unit"]


def test_the_dashboard_is_in_the_config_map_that_grafana_looks_for() -> None:
    config = rendered("production").one("ConfigMap", "gatehouse-dashboard")
    assert json.loads(config["data"]["gatehouse.json"]) == DASHBOARD
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_autoscaler_counts_the_runs_of_its_own_namespace() -> None:
    scaler = rendered("production").one("ScaledObject")
    query = scaler["spec"]["triggers"][0]["metadata"]["query"]
    assert f'namespace="{scaler["metadata"]["namespace"]}"' in query
