"""The custom resources that we use, as far as we use them: a field that is not here is an error.

From the API references of prometheus-operator (monitoring.coreos.com/v1), KEDA (keda.sh/v1alpha1) and External
Secrets (external-secrets.io/v1).
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Duration = Annotated[str, Field(pattern=r"^([0-9]+(ms|s|m|h|d))+$")]
Severity = Literal["critical", "warning", "info"]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Resource(Part):
    metadata: dict[str, Any]


class LabelSelector(Part):
    matchLabels: dict[str, str]


class Endpoint(Part):
    port: str
    path: str
    interval: Duration
    scrapeTimeout: Duration


class ServiceMonitorSpec(Part):
    selector: LabelSelector
    endpoints: Annotated[list[Endpoint], Field(min_length=1)]


class ServiceMonitor(Resource):
    apiVersion: Literal["monitoring.coreos.com/v1"]
    kind: Literal["ServiceMonitor"]
    spec: ServiceMonitorSpec


class AlertLabels(Part):
    severity: Severity


class AlertAnnotations(Part):
    summary: str
    runbook_url: str


class Alert(Part):
    alert: Annotated[str, Field(pattern=r"^Gatehouse[A-Z]\w+$")]
    expr: str
    for_: Annotated[Duration | None, Field(alias="for")] = None
    labels: AlertLabels
    annotations: AlertAnnotations


class RuleGroup(Part):
    name: str
    rules: Annotated[list[Alert], Field(min_length=1)]


class RuleGroups(Part):
    groups: Annotated[list[RuleGroup], Field(min_length=1)]


class PrometheusRule(Resource):
    apiVersion: Literal["monitoring.coreos.com/v1"]
    kind: Literal["PrometheusRule"]
    spec: RuleGroups


class ScaleTarget(Part):
    apiVersion: str
    kind: str
    name: str


class Fallback(Part):
    failureThreshold: int
    replicas: int


class HpaConfig(Part):
    behavior: dict[Literal["scaleUp", "scaleDown"], dict[str, Any]]


class Advanced(Part):
    horizontalPodAutoscalerConfig: HpaConfig


class PrometheusMetadata(Part):
    serverAddress: str
    query: str
    threshold: str


class PrometheusTrigger(Part):
    type: Literal["prometheus"]
    metricType: Literal["AverageValue", "Value"]
    metadata: PrometheusMetadata


class CpuMetadata(Part):
    value: str


class CpuTrigger(Part):
    type: Literal["cpu"]
    metricType: Literal["Utilization", "AverageValue"]
    metadata: CpuMetadata


class ScaledObjectSpec(Part):
    scaleTargetRef: ScaleTarget
    pollingInterval: int
    minReplicaCount: int
    maxReplicaCount: int
    fallback: Fallback
    advanced: Advanced
    triggers: list[Annotated[PrometheusTrigger | CpuTrigger, Field(discriminator="type")]]


class ScaledObject(Resource):
    apiVersion: Literal["keda.sh/v1alpha1"]
    kind: Literal["ScaledObject"]
    spec: ScaledObjectSpec


class StoreRef(Part):
    kind: Literal["SecretStore", "ClusterSecretStore"]
    name: str


class SecretTarget(Part):
    name: str
    creationPolicy: Literal["Owner", "Orphan", "Merge", "None"]
    deletionPolicy: Literal["Retain", "Delete", "Merge"]


class RemoteRef(Part):
    key: str
    property: str


class SecretData(Part):
    secretKey: str
    remoteRef: RemoteRef


class ExternalSecretSpec(Part):
    refreshInterval: Duration
    secretStoreRef: StoreRef
    target: SecretTarget
    data: Annotated[list[SecretData], Field(min_length=1)]


class ExternalSecret(Resource):
    apiVersion: Literal["external-secrets.io/v1"]
    kind: Literal["ExternalSecret"]
    spec: ExternalSecretSpec


CUSTOM_RESOURCES: dict[str, type[Resource]] = {
    "ServiceMonitor": ServiceMonitor,
    "PrometheusRule": PrometheusRule,
    "ScaledObject": ScaledObject,
    "ExternalSecret": ExternalSecret,
}
