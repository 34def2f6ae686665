"""Objects for an existing Prometheus Operator: what its Prometheus reads, its rules, and dashboards for its Grafana."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import manifest
from components.manifest import MONITORING
from components.namespace import Namespace
from components.observability.scraping import Scraping, monitored, pod_monitors

COMPONENT = "monitoring"
DASHBOARD: Mapping[str, str] = {"grafana_dashboard": "1"}
"""Label by which the sidecar of a Grafana of the operator's world finds dashboards."""
FOLDER: Mapping[str, str] = {"grafana_folder": "ros2bench"}
"""Annotation by which that sidecar puts them into a folder."""
DEFINED = ("podmonitors", "prometheusrules")
"""Resources of the operator's API group that are created."""


@dataclass(frozen=True, kw_only=True)
class OperatorObjectsArgs:
    """What an existing operator is told.

    Attributes:
        namespace: Where the objects are.
        scraping: What its Prometheus reads, and how often.
        rules: Contents of the rule file.
        dashboards: JSON texts by name.
        labels: Labels by which its Prometheus selects what it reads and evaluates.
    """

    namespace: Namespace
    scraping: Scraping
    rules: Mapping[str, Any]
    dashboards: Mapping[str, str]
    labels: Mapping[str, str]


class OperatorObjects(pulumi.ComponentResource):
    """PodMonitors, one PrometheusRule, and a ConfigMap for each dashboard."""

    def __init__(self, name: str, args: OperatorObjectsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:OperatorObjects", name, None, opts)
        namespace = args.namespace
        metadata = {job: namespace.metadata(name=job, component=COMPONENT) for job in monitored()}
        for job, rendered in pod_monitors(args.scraping, metadata, args.labels).items():
            manifest.create(job, rendered, namespace.options(self))
        manifest.create("rules", rule_manifest(args), namespace.options(self))
        for dashboard, text in args.dashboards.items():
            found = namespace.metadata(name=dashboard, component=COMPONENT, annotations=dict(FOLDER))
            rendered = dashboard_manifest(found, dashboard, text)
            manifest.create(f"dashboard-{dashboard}", rendered, namespace.options(self))
        self.register_outputs({"monitors": list(monitored())})


def rule_manifest(args: OperatorObjectsArgs) -> manifest.Manifest:
    """The rule file as a PrometheusRule."""
    metadata = args.namespace.metadata(name="rules", component=COMPONENT)
    return {
        "apiVersion": MONITORING,
        "kind": "PrometheusRule",
        "metadata": {**metadata, "labels": {**metadata["labels"], **args.labels}},
        "spec": dict(args.rules),
    }


def dashboard_manifest(metadata: Mapping[str, Any], name: str, text: str) -> manifest.Manifest:
    """ConfigMap of one dashboard, as Grafana's sidecar looks for it.

    Args:
        metadata: Metadata of the ConfigMap.
        name: Name of the dashboard.
        text: Its JSON.
    """
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**metadata, "labels": {**metadata["labels"], **DASHBOARD}},
        "immutable": True,
        "data": {f"{name}.json": text},
    }
