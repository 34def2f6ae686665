"""Alertmanager: groups alerts and tells the receivers of the stack file, which are webhooks.

Its configuration is in a Secret, because the address of a webhook often is one. Silences end with its pod.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi

from components import labels, manifest, policies
from components.graph import Resources
from components.namespace import Namespace
from components.program import METRICS, Health, Program, deployment_manifest, service_manifest

COMPONENT = "alertmanager"
IMAGE = "alertmanager"
PORT = 9093
FOLDER = "/etc/alertmanager"
FILE = "alertmanager.yml"
STATE_FOLDER = "/alertmanager"
NOBODY = "_nobody"
"""Receiver of what no route takes; the stack file cannot use the name."""
GROUP_INTERVAL_S = 5
RESOURCES = Resources(cpu_request_millicores=10, memory_request_mebibytes=32, memory_limit_mebibytes=128)


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Who is told of which severities. `opening` is what it takes to reach its address, where that is no secret."""

    name: str
    url: pulumi.Input[str]
    severities: Sequence[str]
    opening: policies.Spec | None = None


SECRET_ADDRESS: policies.Spec = {"ports": [{"protocol": "TCP", "port": 443}]}


@dataclass(frozen=True, kw_only=True)
class AlertmanagerArgs:
    """Whom it tells, and how patiently."""

    namespace: Namespace
    image: str
    receivers: Sequence[Receiver] = ()
    group_wait_s: int = 2
    repeat_interval_s: int = 14_400


class Alertmanager(pulumi.ComponentResource):
    """Deployment, Service and configuration of one Alertmanager."""

    def __init__(self, name: str, args: AlertmanagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Alertmanager", name, None, opts)
        namespace = args.namespace
        rendered: manifest.Manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": namespace.metadata(name=COMPONENT, component=COMPONENT),
            "immutable": True,
            "stringData": {FILE: self._text(args)},
        }
        secret = manifest.created_name(manifest.create(COMPONENT, rendered, namespace.options(self)))
        made = policies.create(policy_specs(namespace.stack, args.receivers), namespace, self)
        runs = program(args.image, secret)
        manifest.create(COMPONENT, service_manifest(namespace, runs), namespace.options(self))
        metadata = namespace.metadata(name=COMPONENT, component=COMPONENT)
        deployed = deployment_manifest(metadata, namespace.stack, runs)
        self.deployment = namespace.deploy(COMPONENT, deployed, self, depends_on=made)
        self.register_outputs({"deployment": manifest.created_name(self.deployment)})

    @staticmethod
    def _text(args: AlertmanagerArgs) -> pulumi.Output[str]:
        def rendered(urls: list[str]) -> str:
            found = dict(zip([receiver.name for receiver in args.receivers], urls, strict=True))
            return json.dumps(settings(args, found), indent=1) + "\n"

        urls = cast("pulumi.Output[list[str]]", pulumi.Output.all(*(receiver.url for receiver in args.receivers)))
        return pulumi.Output.secret(urls.apply(rendered))


def settings(args: AlertmanagerArgs, urls: Mapping[str, str]) -> dict[str, Any]:
    """Contents of alertmanager.yml; JSON is YAML.

    Args:
        args: Whom it tells.
        urls: Address of each receiver by its name.
    """
    routes = [
        {"receiver": receiver.name, "matchers": [f'severity=~"{"|".join(receiver.severities)}"'], "continue": True}
        for receiver in args.receivers
    ]
    return {
        "route": {
            "receiver": NOBODY,
            "group_by": ["alertname", "stack"],
            "group_wait": f"{args.group_wait_s}s",
            "group_interval": f"{GROUP_INTERVAL_S}s",
            "repeat_interval": f"{args.repeat_interval_s}s",
            "routes": routes,
        },
        "receivers": [
            {"name": NOBODY},
            *({"name": name, "webhook_configs": [{"url": url, "send_resolved": True}]} for name, url in urls.items()),
        ],
    }


def program(image: str, secret: pulumi.Input[str]) -> Program:
    """Alertmanager as a program.

    Args:
        image: Reference by digest.
        secret: Name of the Secret with its configuration.
    """
    return Program(
        name=COMPONENT,
        image=image,
        args=(
            f"--config.file={FOLDER}/{FILE}",
            f"--storage.path={STATE_FOLDER}",
            f"--web.listen-address=:{PORT}",
            # One alone needs no cluster; without this it would open a port for others.
            "--cluster.listen-address=",
            "--log.format=json",
        ),
        ports={METRICS: PORT},
        health=Health(port=METRICS, ready="/-/ready", alive="/-/healthy"),
        resources=RESOURCES,
        volumes=[
            {"name": "configuration", "secret": {"secretName": secret, "defaultMode": 0o440}},
            {"name": "state", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
        mounts=[
            {"name": "configuration", "mountPath": FOLDER, "readOnly": True},
            {"name": "state", "mountPath": STATE_FOLDER},
        ],
    )


def policy_specs(stack: str, receivers: Sequence[Receiver]) -> dict[str, policies.Spec]:
    """Its metrics are read; it calls its receivers, those whose address is a secret on port 443."""
    pods = labels.selector(stack, component=COMPONENT)
    found = {f"allow-{COMPONENT}-metrics": policies.scraped(pods, [PORT])}
    if receivers:
        openings: list[policies.Spec] = []
        for opening in (receiver.opening or SECRET_ADDRESS for receiver in receivers):
            openings += [opening] if opening not in openings else []
        found[f"allow-{COMPONENT}-calls"] = {
            "podSelector": {"matchLabels": pods},
            "policyTypes": ["Egress"],
            "egress": openings,
        }
    return found
