"""Fast DDS discovery server: how participants find one another where the network carries no multicast."""

import hashlib
import json
from dataclasses import dataclass

import pulumi

from components import labels, manifest
from components.configuration import configuration
from components.deployment import PodTemplate, Scheduling, container, deployment_manifest
from components.graph import Resources
from components.namespace import Namespace
from components.participant import Participant, environment, profile_file
from components.peers import service_manifest
from components.policies import DISCOVERY_SERVER_PORT

COMPONENT = "discovery"
GRACE_S = 2
SERVICE_PORTS = ({"name": "discovery", "protocol": "UDP", "port": DISCOVERY_SERVER_PORT},)


@dataclass(frozen=True, kw_only=True)
class DiscoveryServerArgs:
    """Where the server runs and as what. `participant` names no server: it is the server."""

    namespace: Namespace
    image: str
    participant: Participant
    resources: Resources
    scheduling: Scheduling


class DiscoveryServer(pulumi.ComponentResource):
    """One server and a headless Service that names its pod; no address is translated on the way.

    Participants look the name up once, when they start: `identity` changes with the server, so that they follow.
    """

    def __init__(self, name: str, args: DiscoveryServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:DiscoveryServer", name, None, opts)
        selector = labels.selector(args.namespace.stack, component=COMPONENT)
        template = PodTemplate(
            labels=labels.labels(args.namespace.stack, name=COMPONENT, component=COMPONENT),
            selector=selector,
            containers=[server_container(args.image, args.participant, args.resources)],
            configuration=configuration(
                COMPONENT,
                profile_file(args.participant),
                namespace=args.namespace,
                component=COMPONENT,
                parent=self,
            ),
            scheduling=args.scheduling,
            grace_s=GRACE_S,
        )
        metadata = args.namespace.metadata(name=COMPONENT, component=COMPONENT)
        self.deployment = args.namespace.deploy(COMPONENT, deployment_manifest(metadata, template), self)
        service = service_manifest(metadata, selector, SERVICE_PORTS)
        self.service = manifest.create(COMPONENT, service, args.namespace.options(self))
        self.address = pulumi.Output.concat(manifest.created_name(self.service), ":", str(DISCOVERY_SERVER_PORT))
        self.identity = server_identity(args)
        self.register_outputs({"address": self.address})


def server_container(image: str, participant: Participant, resources: Resources) -> manifest.Manifest:
    """The server has no health port: it is up when its process is, which ends if it cannot listen."""
    return container(
        name=COMPONENT,
        image=image,
        command=("ros2bench-discovery-server", str(DISCOVERY_SERVER_PORT)),
        environment=environment(participant),
        resources=resources,
        health_port=None,
    )


def server_identity(args: DiscoveryServerArgs) -> str:
    """Digest over everything whose change replaces the server's pod."""
    rendered = [
        server_container(args.image, args.participant, args.resources),
        profile_file(args.participant),
        dict(args.scheduling.node_selector),
    ]
    return hashlib.sha256(json.dumps(rendered, sort_keys=True).encode()).hexdigest()[:16]
