"""Loki, as one program: keeps the lines that our pods wrote, for a time, and answers who asks.

Lines are no measurement: they go when their time is over. It is asked through the API server (`python -m probes.logs`).
"""

from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

from components import labels, manifest, policies
from components.configuration import configuration
from components.graph import Resources
from components.namespace import Namespace
from components.needs import PersistentVolume
from components.program import METRICS, Health, Program, deployment_manifest, service_manifest
from components.storage import claim
from components.telemetry.endpoint import taken_from

COMPONENT = "loki"
IMAGE = "loki"
"""Name in the lock of third-party images."""
SHIPPER = "promtail"
"""Component of those who send."""
PORT = 3100
FOLDER = "/etc/loki"
FILE = "loki.yaml"
DATA_FOLDER = "/loki"
MEMORY_SHARE = 0.9
MOST_LINES = 10_000
"""Lines of one answer."""


@dataclass(frozen=True, kw_only=True)
class LokiArgs:
    """What it is made of, how much it keeps and where; `persistent`: on a claim, otherwise lines end with the pod."""

    namespace: Namespace
    image: str
    retention_hours: int
    size_mebibytes: int
    resources: Resources
    persistent: bool = True
    storage_class: str | None = None


class Loki(pulumi.ComponentResource):
    """Deployment of Loki, its volume, its name, and the ways that the network leaves open."""

    def __init__(self, name: str, args: LokiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Loki", name, None, opts)
        namespace = args.namespace
        files = {FILE: yaml.safe_dump(settings(args.retention_hours), sort_keys=False)}
        configured = configuration(COMPONENT, files, namespace=namespace, component=COMPONENT, parent=self)
        runs = program(args, configured, self._claim(args) if args.persistent else None)
        made = policies.create(policy_specs(namespace.stack), namespace, self)
        manifest.create(COMPONENT, service_manifest(namespace, runs), namespace.options(self))
        metadata = namespace.metadata(name=COMPONENT, component=COMPONENT)
        deployed = deployment_manifest(metadata, namespace.stack, runs)
        self.deployment = namespace.deploy(COMPONENT, deployed, self, depends_on=made)
        self.register_outputs({"deployment": manifest.created_name(self.deployment)})

    def _claim(self, args: LokiArgs) -> pulumi.Output[str]:
        volume = PersistentVolume(
            name="lines", path=DATA_FOLDER, size_mebibytes=args.size_mebibytes, storage_class=args.storage_class
        )
        return claim(volume, args.namespace, name=COMPONENT, component=COMPONENT, parent=self)


def settings(retention_hours: int, *, folder: str = DATA_FOLDER, address: str = "", port: int = PORT) -> dict[str, Any]:
    """Contents of loki.yaml, for Loki 3.

    Args:
        retention_hours: How long lines are kept.
        folder: Where.
        address: Address on which it serves; empty: every one of its pod.
        port: TCP port on which it serves.
    """
    return {
        # Who may reach it may read it: the network's policies and the API server decide on that.
        "auth_enabled": False,
        "server": {
            "http_listen_address": address,
            "http_listen_port": port,
            # One program alone talks to itself.
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": 9096,
            "log_level": "warn",
            "log_format": "json",
        },
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": folder,
            "storage": {"filesystem": {"chunks_directory": f"{folder}/chunks", "rules_directory": f"{folder}/rules"}},
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
        },
        "schema_config": {
            "configs": [
                {
                    "from": "2024-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "limits_config": {
            "retention_period": f"{retention_hours}h",
            "max_entries_limit_per_query": MOST_LINES,
            "volume_enabled": False,
        },
        "compactor": {
            "working_directory": f"{folder}/compactor",
            "retention_enabled": True,
            "delete_request_store": "filesystem",
        },
        # Nothing is told to anybody outside.
        "analytics": {"reporting_enabled": False},
    }


def program(args: LokiArgs, configured: pulumi.Input[str], claim: pulumi.Input[str] | None) -> Program:
    """Loki as a program.

    Args:
        args: What it is made of.
        configured: Name of the ConfigMap.
        claim: Name of the claim; none where lines end with the pod.
    """
    limit_bytes = int(args.resources.memory_limit_mebibytes * 1024 * 1024 * MEMORY_SHARE)
    kept: manifest.Manifest = {"persistentVolumeClaim": {"claimName": claim}}
    if claim is None:
        kept = {"emptyDir": {"sizeLimit": f"{args.size_mebibytes}Mi"}}
    return Program(
        name=COMPONENT,
        image=args.image,
        args=(f"-config.file={FOLDER}/{FILE}",),
        ports={METRICS: PORT},
        # Ready comes 15 s after the start by Loki's own rule; alive is who answers at all.
        health=Health(port=METRICS, ready="/ready", alive="/loki/api/v1/status/buildinfo"),
        resources=args.resources,
        environment=[{"name": "GOMEMLIMIT", "value": str(limit_bytes)}],
        volumes=[
            {"name": "configuration", "configMap": {"name": configured}},
            {"name": "lines", **kept},
            {"name": "temporary", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
        mounts=[
            {"name": "configuration", "mountPath": FOLDER, "readOnly": True},
            {"name": "lines", "mountPath": DATA_FOLDER},
            {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108 - the mount itself
        ],
    )


def policy_specs(stack: str) -> dict[str, policies.Spec]:
    """Those who read the machines' logs send, its own namespace asks, its metrics are read."""
    pods = labels.selector(stack, component=COMPONENT)
    return {
        "allow-lines": taken_from(pods, SHIPPER, PORT),
        "allow-line-queries": {
            "podSelector": {"matchLabels": pods},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [policies.SAME_NAMESPACE], "ports": [{"protocol": "TCP", "port": PORT}]}],
        },
        f"allow-{COMPONENT}-metrics": policies.scraped(pods, [PORT]),
    }
