"""Promtail on every machine: brings the lines that pods of our namespaces wrote to whoever keeps them.

It reads the files in which the kubelet keeps them, which are root's, read-only, and asks no API server: namespace, pod
and container are in a file's path.
"""

from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

from components import labels, manifest, policies
from components.configuration import configuration
from components.graph import Resources
from components.machine_access import POD_LOGS
from components.namespace import Namespace
from components.program import METRICS, Health, Program
from components.program import daemon_set_manifest as program_manifest

COMPONENT = labels.LOG_SHIPPER
IMAGE = "promtail"
"""Name in the lock of third-party images."""
PORT = 9080
FOLDER = "/etc/promtail"
FILE = "promtail.yaml"
STATE_FOLDER = "/run/promtail"
MACHINE = "ROS2BENCH_MACHINE"
OWN_FILES = f"{POD_LOGS}/ros2bench-*/*/*.log"
"""Lines of our own namespaces alone: what others write is not ours to read."""
PATH = "^.*/pods/(?P<namespace>[^_/]+)_(?P<pod>[^_/]+)_[^/]+/(?P<container>[^/]+)/"
"""No backslash and no dollar: Promtail changes both where it puts variables in."""
WHY = (
    "Brings the lines of pods to whoever keeps them: they are files of root on the machine, mounted read-only. "
    "components/machine_access.py lists what it may do, and admits nothing else here."
)
RESOURCES = Resources(cpu_request_millicores=20, memory_request_mebibytes=48, memory_limit_mebibytes=192)


@dataclass(frozen=True, kw_only=True)
class PromtailArgs:
    """What it is made of, and to whom it sends.

    Args:
        namespace: A namespace of its own.
        image: Reference by digest.
        url: Address that takes lines, `…/loki/api/v1/push`.
        asked_by: Keys of the stack file that ask for it.
    """

    namespace: Namespace
    image: str
    url: str
    asked_by: tuple[str, ...]


class Promtail(pulumi.ComponentResource):
    """DaemonSet of Promtail, its configuration, and policies that let it ask for names and send, no more."""

    def __init__(self, name: str, args: PromtailArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Promtail", name, None, opts)
        namespace = args.namespace
        policies.create(policy_specs(namespace.stack, args.url), namespace, self, prefix=f"{COMPONENT}-")
        files = {FILE: yaml.safe_dump(settings(args.url), sort_keys=False, width=1000)}
        configured = configuration(COMPONENT, files, namespace=namespace, component=COMPONENT, parent=self)
        metadata = namespace.metadata(name=COMPONENT, component=COMPONENT)
        rendered = daemon_set_manifest(metadata, args, configured)
        self.daemon_set = manifest.create(COMPONENT, rendered, namespace.options(self))
        self.register_outputs({"daemonSet": manifest.created_name(self.daemon_set)})


def settings(
    url: str, *, files: str = OWN_FILES, state_folder: str = STATE_FOLDER, address: str = "", port: int = PORT
) -> dict[str, Any]:
    """Contents of promtail.yaml.

    Args:
        url: Address that takes lines.
        files: Which files it reads.
        state_folder: Where it keeps how far it has read.
        address: Address on which it serves its metrics; empty: every one of its pod.
        port: TCP port on which it serves them.
    """
    return {
        "server": {
            "http_listen_address": address,
            "http_listen_port": port,
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": 0,
            "log_level": "warn",
            "log_format": "json",
        },
        "positions": {"filename": f"{state_folder}/positions.yaml"},
        "clients": [{"url": url, "batchwait": "1s"}],
        "target_config": {"sync_period": "2s"},
        "scrape_configs": [
            {
                "job_name": "pods",
                "static_configs": [
                    {"targets": ["localhost"], "labels": {"machine": f"${{{MACHINE}}}", "__path__": files}}
                ],
                "pipeline_stages": [
                    {"cri": {}},
                    {"regex": {"source": "filename", "expression": PATH}},
                    {"json": {"expressions": {"level": "level", "stack": "stack", "time": "time"}}},
                    # Few values each; run and node stay in the line, where a query filters by them.
                    {"labels": dict.fromkeys(("namespace", "pod", "container", "level", "stack"), "")},
                    # A line that is no JSON of ours keeps the time at which the runtime took it.
                    {"timestamp": {"source": "time", "format": "RFC3339Nano", "action_on_failure": "skip"}},
                    {"labeldrop": ["filename", "stream"]},
                ],
            }
        ],
    }


def program(args: PromtailArgs, configured: pulumi.Input[str]) -> Program:
    """Promtail as a program.

    Args:
        args: What it is made of.
        configured: Name of the ConfigMap.
    """
    return Program(
        name=COMPONENT,
        image=args.image,
        args=(f"-config.file={FOLDER}/{FILE}", "-config.expand-env=true"),
        ports={METRICS: PORT},
        health=Health(port=METRICS, ready="/ready", alive="/metrics"),
        resources=RESOURCES,
        environment=[{"name": MACHINE, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        volumes=[
            {"name": "configuration", "configMap": {"name": configured}},
            {"name": "pod-logs", "hostPath": {"path": POD_LOGS, "type": "Directory"}},
            {"name": "state", "emptyDir": {"sizeLimit": "16Mi"}},
        ],
        mounts=[
            {"name": "configuration", "mountPath": FOLDER, "readOnly": True},
            {"name": "pod-logs", "mountPath": POD_LOGS, "readOnly": True, "recursiveReadOnly": "IfPossible"},
            {"name": "state", "mountPath": STATE_FOLDER},
        ],
        tolerates_everything=True,
    )


def daemon_set_manifest(
    metadata: dict[str, Any], args: PromtailArgs, configured: pulumi.Input[str]
) -> manifest.Manifest:
    """DaemonSet whose pods run on every machine, as root without capabilities: the files are root's.

    Args:
        metadata: Metadata of the DaemonSet.
        args: What it is made of.
        configured: Name of the ConfigMap.
    """
    asked = metadata | {"annotations": {labels.ASKED_BY: ",".join(args.asked_by)}}
    rendered = program_manifest(asked, args.namespace.stack, program(args, configured))
    rendered["spec"]["template"]["spec"]["securityContext"] = {
        "runAsUser": 0,
        "runAsGroup": 0,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return rendered


def policy_specs(stack: str, url: str) -> dict[str, policies.Spec]:
    """It asks for names, sends to one port, and its metrics are read."""
    pods = labels.selector(stack, component=COMPONENT)
    return {
        "default-deny": {"podSelector": policies.EVERYONE, "policyTypes": policies.BOTH_WAYS},
        "allow-name-look-ups": policies.name_look_ups(),
        "allow-sending": {
            "podSelector": {"matchLabels": pods},
            "policyTypes": ["Egress"],
            "egress": [policies.called(url)],
        },
        "allow-metrics": policies.scraped(pods, [PORT]),
    }
