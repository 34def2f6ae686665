"""Prometheus: reads the metrics of every pod of ours, keeps them on a volume, evaluates rules, tells of alerts.

Flags and configuration fit Prometheus 2.42 and 3. What it missed while it was away stays missing: nothing is filled in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

from components import labels, manifest, policies
from components.autoscaling.reading_program import ReadingArgs, ReadingProgram
from components.configuration import configuration
from components.graph import Resources
from components.namespace import Namespace
from components.needs import PersistentVolume
from components.observability import alertmanager
from components.observability.scraping import Scraping, scrape_configs
from components.program import METRICS, Health, Program, service_manifest
from components.storage import claim

COMPONENT = "prometheus"
IMAGE = "prometheus"
PORT = 9090
FOLDER = "/etc/prometheus"
SERIES_FOLDER = "/prometheus"
TOKEN_FOLDER = "/etc/remote-write"  # noqa: S105 - a folder
TOKEN_KEY = "token"  # noqa: S105 - name of an entry
EVALUATION_S = 5
"""An alert is told within one scrape, its own `for` and one evaluation."""
LOOKBACK_S = 15
"""For how long a series that nobody gives any more is still shown; by default five minutes, which would hide a gap."""
MEMORY_SHARE = 0.85
"""Of the limit, at which Go begins to collect harder: better slow than killed."""


@dataclass(frozen=True, kw_only=True)
class PrometheusArgs:
    """What Prometheus reads, keeps and tells.

    Attributes:
        namespace: Where it runs.
        image: Reference by digest.
        scraping: What it reads.
        rules: Contents of the rule file.
        retention_hours: How long series are kept.
        kept_mebibytes: How much of its storage they may take.
        size_mebibytes: Size of its storage.
        storage_class: StorageClass of the claim; None for the cluster's default one.
        persistent: Whether the storage outlives the pod.
        resources: What it asks of its machine.
        remote_write: Address to which every sample is sent as well; None for nowhere.
        remote_write_token: Bearer token for it.
        machine_networks: Networks of the machines' own addresses that it may reach.
        api_server_ports: Ports of the API server.
        alerts: Whether there is an Alertmanager of ours.
    """

    namespace: Namespace
    image: str
    scraping: Scraping
    rules: Mapping[str, Any]
    retention_hours: int
    kept_mebibytes: int
    size_mebibytes: int
    resources: Resources
    api_server_ports: Sequence[int]
    storage_class: str | None = None
    persistent: bool = True
    remote_write: str | None = None
    remote_write_token: pulumi.Input[str] | None = None
    machine_networks: Sequence[str] = ()
    alerts: bool = True


class Prometheus(pulumi.ComponentResource):
    """Prometheus, its volume, its account that may list pods, and the ways that the network leaves open for it."""

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Prometheus", name, None, opts)
        namespace = args.namespace
        files = {"prometheus.yml": text(settings(args)), "rules.yml": text(args.rules)}
        configured = configuration(COMPONENT, files, namespace=namespace, component=COMPONENT, parent=self)
        claim = self._claim(args) if args.persistent else None
        token = self._token(args) if args.remote_write_token is not None else None
        rendered = program(args, configured, claim, token)
        made = policies.create(policy_specs(namespace.stack, args), namespace, self)
        running = ReadingProgram(
            COMPONENT,
            ReadingArgs(
                namespace=namespace,
                program=rendered,
                rules=role_rules(args.scraping),
                api_server_ports=args.api_server_ports,
                talks_to={alertmanager.COMPONENT: alertmanager.PORT} if args.alerts else {},
                depends_on=made,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        manifest.create(COMPONENT, service_manifest(namespace, rendered), namespace.options(self))
        self.deployment = running.deployment
        self.register_outputs({"deployment": manifest.created_name(running.deployment)})

    def _claim(self, args: PrometheusArgs) -> pulumi.Output[str]:
        volume = PersistentVolume(
            name="series", path=SERIES_FOLDER, size_mebibytes=args.size_mebibytes, storage_class=args.storage_class
        )
        return claim(volume, args.namespace, name=COMPONENT, component=COMPONENT, parent=self)

    def _token(self, args: PrometheusArgs) -> pulumi.Output[str]:
        rendered: manifest.Manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": args.namespace.metadata(name="remote-write", component=COMPONENT),
            "immutable": True,
            "stringData": {TOKEN_KEY: pulumi.Output.secret(args.remote_write_token)},
        }
        return manifest.created_name(manifest.create("remote-write", rendered, args.namespace.options(self)))


def settings(args: PrometheusArgs) -> manifest.Manifest:
    """Contents of prometheus.yml."""
    found: manifest.Manifest = {
        "global": {
            "scrape_interval": f"{args.scraping.interval_s}s",
            "evaluation_interval": f"{EVALUATION_S}s",
            "external_labels": {"platform": args.namespace.stack},
        },
        "rule_files": [f"{FOLDER}/rules.yml"],
        "scrape_configs": scrape_configs(args.scraping),
    }
    if args.alerts:
        address = f"{alertmanager.COMPONENT}:{alertmanager.PORT}"
        found["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [address]}]}]}
    if args.remote_write is not None:
        writing: manifest.Manifest = {"url": args.remote_write}
        if args.remote_write_token is not None:
            writing["authorization"] = {"credentials_file": f"{TOKEN_FOLDER}/{TOKEN_KEY}"}
        found["remote_write"] = [writing]
    return found


def program(
    args: PrometheusArgs,
    configured: pulumi.Input[str],
    claim: pulumi.Input[str] | None,
    token: pulumi.Input[str] | None,
) -> Program:
    """Prometheus as a program.

    Args:
        args: What it reads, keeps and tells.
        configured: Name of the ConfigMap.
        claim: Name of the claim; none where series end with the pod.
        token: Name of the Secret with the token of remote write; none without one.
    """
    limit_bytes = int(args.resources.memory_limit_mebibytes * 1024 * 1024 * MEMORY_SHARE)
    kept: manifest.Manifest = {"persistentVolumeClaim": {"claimName": claim}}
    if claim is None:
        kept = {"emptyDir": {"sizeLimit": f"{args.size_mebibytes}Mi"}}
    volumes: list[manifest.Manifest] = [
        {"name": "configuration", "configMap": {"name": configured}},
        {"name": "series", **kept},
    ]
    mounts: list[manifest.Manifest] = [
        {"name": "configuration", "mountPath": FOLDER, "readOnly": True},
        {"name": "series", "mountPath": SERIES_FOLDER},
    ]
    if token is not None:
        volumes.append({"name": "remote-write", "secret": {"secretName": token, "defaultMode": 0o440}})
        mounts.append({"name": "remote-write", "mountPath": TOKEN_FOLDER, "readOnly": True})
    return Program(
        name=COMPONENT,
        image=args.image,
        args=arguments(args),
        ports={METRICS: PORT},
        health=Health(port=METRICS, ready="/-/ready", alive="/-/healthy"),
        resources=args.resources,
        environment=[{"name": "GOMEMLIMIT", "value": str(limit_bytes)}, {"name": "GOGC", "value": "75"}],
        volumes=volumes,
        mounts=mounts,
    )


def arguments(args: PrometheusArgs) -> tuple[str, ...]:
    """Arguments of Prometheus."""
    return (
        f"--config.file={FOLDER}/prometheus.yml",
        f"--storage.tsdb.path={SERIES_FOLDER}",
        f"--storage.tsdb.retention.time={args.retention_hours}h",
        f"--storage.tsdb.retention.size={args.kept_mebibytes}MB",
        f"--web.listen-address=:{PORT}",
        f"--query.lookback-delta={max(LOOKBACK_S, 3 * args.scraping.interval_s)}s",
        "--query.max-concurrency=4",
        # What is told before the Alertmanager answers is told again this much later, by default after a minute.
        "--rules.alert.resend-delay=10s",
        "--query.timeout=30s",
        "--log.format=json",
    )


def role_rules(scraping: Scraping) -> list[manifest.Manifest]:
    """What it may ask the API server: which pods there are; of Services only where other namespaces are read."""
    verbs = ["get", "list", "watch"]
    found: list[manifest.Manifest] = [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]
    if scraping.namespaces:
        found[0]["resources"] = ["pods", "services"]
        found.append({"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": verbs})
    return found


def policy_specs(stack: str, args: PrometheusArgs) -> dict[str, policies.Spec]:
    """What it may reach beside the API server and the Alertmanager, and who may reach it.

    Which of our pods' ports it may read is said by those pods' own policies.
    """
    own = {"podSelector": {"matchLabels": labels.selector(stack, component=COMPONENT)}}
    other = {"namespaceSelector": {"matchExpressions": [_named(args.scraping.namespaces)]}}
    to: list[policies.Spec] = [policies.OUR_NAMESPACES, *([other] if args.scraping.namespaces else [])]
    egress: list[policies.Spec] = [{"to": to, "ports": [{"protocol": "TCP"}]}]
    if args.machine_networks:
        blocks = [{"ipBlock": {"cidr": cidr}} for cidr in args.machine_networks]
        egress.append({"to": blocks, "ports": [{"protocol": "TCP"}]})
    if args.remote_write is not None:
        egress.append(policies.called(args.remote_write))
    return {
        "allow-scraping": {**own, "policyTypes": ["Egress"], "egress": egress},
        "allow-queries": {
            **own,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [policies.SAME_NAMESPACE], "ports": [{"protocol": "TCP", "port": PORT}]}],
        },
    }


def text(value: Mapping[str, Any]) -> str:
    """A configuration file of these contents."""
    return yaml.safe_dump(dict(value), sort_keys=False, width=1000)


def _named(namespaces: Sequence[str]) -> manifest.Manifest:
    return {"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(namespaces)}
