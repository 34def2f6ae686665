"""ROS 1 master: where the nodes of a ROS 1 application register and look one another up."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pulumi

from components import labels, manifest
from components.configuration import configuration
from components.deployment import PodTemplate, Scheduling, container, deployment_manifest
from components.graph import Resources
from components.namespace import Namespace
from components.participant import Participant, environment, pod_network
from components.peers import service_manifest
from components.policies import MASTER_PORT

COMPONENT = "master"
IMAGE_ROLE = "ros1"
GRACE_S = 5
STARTUP_LIMIT_S = 60
FAILURES = 3
TIMEOUT_S = 3
LIVENESS_PERIOD_S = 10
RESOURCES = Resources(cpu_request_millicores=50, memory_request_mebibytes=96, memory_limit_mebibytes=256)
PORTS = ({"name": "master", "protocol": "TCP", "port": MASTER_PORT},)


@dataclass(frozen=True, kw_only=True)
class MasterArgs:
    """Where the master runs and as what."""

    namespace: Namespace
    image: str
    participant: Participant
    resources: Resources
    scheduling: Scheduling


class Master(pulumi.ComponentResource):
    """A roscore, and a headless Service that names its pod: nodes reach it as they reach one another, untranslated."""

    def __init__(self, name: str, args: MasterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Master", name, None, opts)
        selector = labels.selector(args.namespace.stack, component=COMPONENT)
        template = PodTemplate(
            labels=labels.labels(args.namespace.stack, name=COMPONENT, component=COMPONENT),
            selector=selector,
            containers=[master_container(args.image, args.participant, args.resources)],
            configuration=configuration(COMPONENT, {}, namespace=args.namespace, component=COMPONENT, parent=self),
            scheduling=args.scheduling,
            grace_s=GRACE_S,
            network=pod_network(args.participant),
        )
        metadata = args.namespace.metadata(name=COMPONENT, component=COMPONENT)
        self.deployment = args.namespace.deploy(COMPONENT, deployment_manifest(metadata, template), self)
        self.service = manifest.create(
            COMPONENT, service_manifest(metadata, selector, PORTS), args.namespace.options(self)
        )
        self.uri = pulumi.Output.concat("http://", manifest.created_name(self.service), ":", str(MASTER_PORT))
        self.register_outputs({"uri": self.uri})


def master_container(image: str, participant: Participant, resources: Resources) -> manifest.Manifest:
    """The program of ROS 1 itself. It answers XML-RPC, which no HTTP probe speaks, so that its port is looked at."""
    own = replace(participant, master=f"http://localhost:{MASTER_PORT}")
    return container(
        name=COMPONENT,
        image=image,
        command=("roscore", "--port", str(MASTER_PORT)),
        environment=environment(own),
        resources=resources,
        health_port=None,
        probes=master_probes(),
        ports=[{"name": "master", "containerPort": MASTER_PORT, "protocol": "TCP"}],
    )


def master_probes() -> dict[str, Mapping[str, Any]]:
    """Startup, readiness and liveness by the master's port."""
    return {
        "startupProbe": _tcp(period_s=1, failures=STARTUP_LIMIT_S),
        "readinessProbe": _tcp(period_s=1, failures=FAILURES),
        "livenessProbe": _tcp(period_s=LIVENESS_PERIOD_S, failures=FAILURES),
    }


def _tcp(*, period_s: int, failures: int) -> Mapping[str, Any]:
    return {
        "tcpSocket": {"port": "master"},
        "periodSeconds": period_s,
        "timeoutSeconds": TIMEOUT_S,
        "failureThreshold": failures,
    }
