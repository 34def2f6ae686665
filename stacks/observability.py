"""Metrics, rules, alerts and dashboards of a platform: what is decided before anything is deployed, then the resources.

Three modes: workloads of our own (`builtin`), objects for an existing Prometheus Operator (`operator`), or only an
address (`external`). Whatever can be known to fail is refused in `plan`, so that nothing is half deployed.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pulumi

from components import labels
from components.api_server import ApiServer
from components.image import ThirdPartyImages
from components.namespace import Namespace
from components.observability import (
    alertmanager,
    grafana,
    kube_state_metrics,
    metrics_server,
    node_exporter,
    prometheus,
)
from components.observability.operator import OperatorObjects, OperatorObjectsArgs
from components.observability.scraping import Scraping
from components.policies import called
from components.refusal import Refusal
from stacks import outputs, spec_observability
from stacks.observability_checks import (
    check_builtin,
    check_external,
    check_operator,
    external_client,
    kubelets_are_certified,
    serves_metrics,
)
from stacks.reading import SECRETS_KEY
from stacks.spec import StackSpec

SECTION = "ros2bench:spec.observability"
SecretValues = Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True, kw_only=True)
class ObservabilityPlan:
    """What is deployed, decided before anything is.

    Attributes:
        wanted: What the stack file says.
        images: References by digest, by the names of contract 17, of exactly what is deployed.
        rules: Contents of the rule file.
        dashboards: JSON texts by name.
        not_deployed: Why a program that is wanted is not there, by its name.
    """

    wanted: spec_observability.Observability
    images: Mapping[str, str] = field(default_factory=dict[str, str])
    rules: Mapping[str, Any] = field(default_factory=dict[str, Any])
    dashboards: Mapping[str, str] = field(default_factory=dict[str, str])
    not_deployed: Mapping[str, str] = field(default_factory=dict[str, str])


def plan(
    stack: str,
    namespace: str,
    spec: StackSpec,
    api: ApiServer | None,
    images: ThirdPartyImages,
    secrets: Collection[str] | None = None,
    client: Callable[[], httpx.Client] = external_client,
) -> ObservabilityPlan | None:
    """Decide what is deployed; None where nothing is observed.

    Args:
        stack: Name of the stack.
        namespace: The platform's own namespace.
        spec: What the stack is.
        api: Whom to ask about the cluster; None where nobody can be asked.
        images: Third-party images.
        secrets: Names in the stack's encrypted configuration; None where it is not at hand.
        client: Opens a client for somebody else's Prometheus.

    Raises:
        Refusal: An image or a secret is unknown, the cluster lacks what a mode needs, or nobody answers at an address.
    """
    wanted = spec.observability
    if wanted.mode == "none":
        return None
    if wanted.mode == "external":
        if api is not None:
            with client() as opened:
                check_external(str(wanted.external.url), opened)
        return ObservabilityPlan(wanted=wanted)
    if wanted.mode == "operator":
        if api is not None:
            check_operator(namespace, wanted, api, pulumi.log.warn)
        names = exporters(wanted)
        found = {name: images.reference(name) for name in names}
        return ObservabilityPlan(wanted=wanted, images=found, rules=rule_file(wanted), dashboards=dashboard_files())
    names = [prometheus.IMAGE, alertmanager.IMAGE, *exporters(wanted)]
    missing: dict[str, str] = {}
    if api is not None:
        check_builtin(wanted, api)
        more, missing = with_metrics_server(stack, wanted, api)
        names += more
    found = {name: images.reference(name) for name in names}
    if wanted.grafana.enabled:
        if images.holds(grafana.IMAGE):
            found[grafana.IMAGE] = images.reference(grafana.IMAGE)
        else:
            missing[grafana.IMAGE] = "its image is unknown: the lock of the platform's images does not name it"
            pulumi.log.warn(
                f"Grafana is not deployed: {missing[grafana.IMAGE]}. Run make lock-images where its publisher can be "
                f"reached, name it in ros2bench:spec.images.platform.grafana, or set {SECTION}.grafana.enabled: false"
            )
    _check_secrets(stack, wanted, secrets, with_grafana=grafana.IMAGE in found)
    return ObservabilityPlan(
        wanted=wanted,
        images=found,
        rules=rule_file(wanted),
        dashboards=dashboard_files() if grafana.IMAGE in found else {},
        not_deployed=missing,
    )


def with_metrics_server(
    stack: str, wanted: spec_observability.Observability, api: ApiServer
) -> tuple[list[str], dict[str, str]]:
    """Image of metrics-server where the cluster lacks it and it could work; else why it is left out, by name."""
    if not wanted.metrics_server or serves_metrics(stack, api):
        return [], {}
    if kubelets_are_certified(api):
        return [metrics_server.IMAGE], {}
    why = "kubelets have no certificate of the cluster's authority"
    pulumi.log.warn(
        f"metrics-server is not deployed: {why}, so it could not check whom it asks. Set serverTLSBootstrap: true in "
        f"the kubelets' configuration and approve their requests, or set {SECTION}.metricsServer to false"
    )
    return [], {metrics_server.IMAGE: why}


def exporters(wanted: spec_observability.Observability) -> list[str]:
    """Images of the exporters that the stack file wants."""
    chosen = {kube_state_metrics.IMAGE: wanted.kube_state_metrics, node_exporter.IMAGE: wanted.node_exporter}
    return [name for name, is_wanted in chosen.items() if is_wanted]


def rule_file(wanted: spec_observability.Observability) -> dict[str, Any]:
    """Recording rules and alerts, from the stack file's thresholds on."""
    from components.dashboards import rules  # noqa: PLC0415 - an experiment, whose start is timed, needs none of it

    return dict(rules.prometheus_rules(wanted.alerts.chosen_thresholds()))


def dashboard_files() -> dict[str, str]:
    """Dashboards as Grafana reads them."""
    from components.dashboards import dashboards  # noqa: PLC0415 - as above; it also loads Grafana's types

    return dict(dashboards())


def deploy(
    decided: ObservabilityPlan, namespace: Namespace, opts: pulumi.ResourceOptions, secrets: SecretValues | None = None
) -> None:
    """Register the resources.

    Args:
        decided: What is deployed.
        namespace: The platform's namespace.
        opts: Name the provider.
        secrets: The stack's encrypted configuration, by name.
    """
    wanted, images, values = decided.wanted, decided.images, secrets or {}
    ports = wanted.api_server_ports
    if wanted.mode == "operator":
        objects = OperatorObjectsArgs(
            namespace=namespace,
            scraping=scraping(namespace.stack, wanted),
            rules=decided.rules,
            dashboards=decided.dashboards,
            labels=wanted.operator.labels,
        )
        OperatorObjects("operator", objects, opts)
    if prometheus.IMAGE in images:
        prometheus.Prometheus("prometheus", prometheus_args(decided, namespace, values), opts)
    if alertmanager.IMAGE in images:
        told = alertmanager.AlertmanagerArgs(
            namespace=namespace,
            image=images[alertmanager.IMAGE],
            receivers=[receiver(each, values) for each in wanted.alerts.receivers],
            group_wait_s=wanted.alerts.group_wait_s,
            repeat_interval_s=wanted.alerts.repeat_interval_s,
        )
        alertmanager.Alertmanager("alertmanager", told, opts)
    if kube_state_metrics.IMAGE in images:
        seen = kube_state_metrics.KubeStateMetricsArgs(
            namespace=namespace, image=images[kube_state_metrics.IMAGE], api_server_ports=ports
        )
        kube_state_metrics.KubeStateMetrics("kube-state-metrics", seen, opts)
    if node_exporter.IMAGE in images:
        of_machines = node_exporter.NodeExporterArgs(namespace=namespace, image=images[node_exporter.IMAGE])
        node_exporter.NodeExporter("node-exporter", of_machines, opts)
    if metrics_server.IMAGE in images:
        serving = metrics_server.MetricsServerArgs(
            namespace=namespace,
            image=images[metrics_server.IMAGE],
            api_server_ports=ports,
            asked_by=f"{SECTION}.metricsServer",
        )
        metrics_server.MetricsServer("metrics-server", serving, opts)
    if grafana.IMAGE in images:
        shown = grafana.GrafanaArgs(
            namespace=namespace,
            image=images[grafana.IMAGE],
            dashboards=decided.dashboards,
            password=values[wanted.grafana.password_secret],
        )
        grafana.Grafana("grafana", shown, opts)


def scraping(stack: str, wanted: spec_observability.Observability) -> Scraping:
    """What is read, and how often."""
    return Scraping(
        stack=stack,
        interval_s=wanted.scrape_interval_s,
        ros_interval_s=wanted.ros_scrape_interval_s,
        namespaces=tuple(wanted.scrape_namespaces),
    )


def prometheus_args(
    decided: ObservabilityPlan, namespace: Namespace, values: SecretValues
) -> prometheus.PrometheusArgs:
    """What the stack file says of Prometheus, in the component's words."""
    wanted = decided.wanted
    token = wanted.remote_write.token_secret
    return prometheus.PrometheusArgs(
        namespace=namespace,
        image=decided.images[prometheus.IMAGE],
        scraping=scraping(namespace.stack, wanted),
        rules=decided.rules,
        retention_hours=wanted.retention_hours,
        kept_mebibytes=wanted.kept_mebibytes(),
        size_mebibytes=wanted.storage.size_mebibytes,
        storage_class=wanted.storage.storage_class,
        persistent=wanted.storage.persistent,
        resources=wanted.resources.asked(),
        remote_write=wanted.remote_write.url,
        remote_write_token=values[token] if token is not None else None,
        machine_networks=wanted.machine_networks,
        api_server_ports=wanted.api_server_ports,
    )


def receiver(wanted: spec_observability.Receiver, values: SecretValues) -> alertmanager.Receiver:
    """A receiver of the stack file, in the component's words."""
    url = values[wanted.url_secret] if wanted.url_secret is not None else str(wanted.url)
    return alertmanager.Receiver(
        name=wanted.name,
        url=url,
        severities=tuple(wanted.severities),
        opening=called(url) if isinstance(url, str) else None,
    )


def contract(stack: str, namespace: str, decided: ObservabilityPlan | None) -> outputs.Observability | None:
    """What the stack's output says of it; None where nothing is observed.

    Args:
        stack: Name of the stack.
        namespace: The platform's namespace.
        decided: What is deployed.
    """
    if decided is None:
        return None
    wanted = decided.wanted
    found: dict[str, outputs.ProgramEndpoint] = {}
    if wanted.mode == "external":
        found["prometheus"] = outputs.ProgramEndpoint(url=wanted.external.url)
    elif wanted.mode == "operator":
        found["prometheus"] = _running(wanted.operator.prometheus)
        if wanted.operator.alertmanager is not None:
            found["alertmanager"] = _running(wanted.operator.alertmanager)
    else:
        served = {
            prometheus.COMPONENT: prometheus.PORT,
            alertmanager.COMPONENT: alertmanager.PORT,
            grafana.COMPONENT: grafana.PORT,
        }
        for component, port in served.items():
            if component in decided.images:
                selected = labels.selector(stack, component=component)
                found[component] = outputs.ProgramEndpoint(namespace=namespace, labels=selected, port=port)
    return outputs.Observability(
        mode=wanted.mode,
        prometheus=found["prometheus"],
        alertmanager=found.get("alertmanager"),
        grafana=found.get("grafana"),
        not_deployed=dict(decided.not_deployed),
    )


def needed_secrets(wanted: spec_observability.Observability, *, with_grafana: bool) -> dict[str, str]:
    """Names in the stack's encrypted configuration that are read, by the key that names each.

    Args:
        wanted: What the stack file says.
        with_grafana: Whether Grafana is deployed.
    """
    named = {f"alerts.receivers.{each.name}.urlSecret": each.url_secret for each in wanted.alerts.receivers}
    named["remoteWrite.tokenSecret"] = wanted.remote_write.token_secret
    named["grafana.passwordSecret"] = wanted.grafana.password_secret if with_grafana else None
    return {key: name for key, name in named.items() if name is not None}


def _running(wanted: spec_observability.RunningProgram) -> outputs.ProgramEndpoint:
    return outputs.ProgramEndpoint(namespace=wanted.namespace, labels=dict(wanted.labels), port=wanted.port)


def _check_secrets(
    stack: str, wanted: spec_observability.Observability, known: Collection[str] | None, *, with_grafana: bool
) -> None:
    """Refuse what would be deployed without the secret that it needs."""
    if known is None:
        return
    for key, name in needed_secrets(wanted, with_grafana=with_grafana).items():
        if name not in known:
            raise Refusal(
                f"Pulumi.{stack}.yaml: config.{SECRETS_KEY} has no {name}, which {SECTION}.{key} names. Set it: "
                f"pulumi config set -s {stack} --secret --path {SECRETS_KEY}.{name}"
            )
