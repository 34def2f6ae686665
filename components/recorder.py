"""The probe in the cluster: one process that listens to the results from before the application starts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import labels, manifest
from components.configuration import configuration
from components.deployment import PodTemplate, Scheduling, container, deployment_manifest
from components.graph import Resources, Topic
from components.namespace import Namespace
from components.participant import (
    CONFIGURATION_DIRECTORY,
    Participant,
    annotations,
    environment,
    pod_network,
    profile_file,
)
from components.program import METRICS, scrape_annotations
from components.readiness import ready_and_alive

COMPONENT = "recorder"
IMAGE_ROLE = "recorder"
GRACE_S = 5
QUEUE_DEPTH = 1000
CAPTURES_FOLDER = "/captures"
CAPTURES_MEBIBYTES = 1024
# The kubelet counts blocks and evicts: states of captures and the rounding of files need room too.
CAPTURES_RESERVE_MEBIBYTES = 64
CONFIGURATION_FILE = "recorder.json"
# On the machine's disk, so that a capture outlives its container and its length costs no memory.
CAPTURES_VOLUME: manifest.Manifest = {"name": "captures", "emptyDir": {"sizeLimit": f"{CAPTURES_MEBIBYTES}Mi"}}


@dataclass(frozen=True, kw_only=True)
class RecorderArgs:
    """What the recorder listens to, whom it obeys and where it runs.

    `operator` is the public key, in Base64, whose signed calls it obeys. `nodes` are the names that must be in the ROS
    graph; `mappings` say which fields of messages become metrics, as the stack file does.
    """

    namespace: Namespace
    image: str
    topics: Sequence[Topic]
    operator: str
    participant: Participant
    resources: Resources
    scheduling: Scheduling
    nodes: Sequence[str] = ()
    mappings: Sequence[Mapping[str, Any]] = ()
    depends_on: Sequence[pulumi.Resource] = ()


class Recorder(pulumi.ComponentResource):
    """Deployment of the recorder. It has no Service: probes reach its pod through the API server."""

    def __init__(self, name: str, args: RecorderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Recorder", name, None, opts)
        port = args.participant.health_port
        settings = recorder_settings(args.topics, port, args.operator, nodes=args.nodes, mappings=args.mappings)
        files = {CONFIGURATION_FILE: json.dumps(settings, indent=1) + "\n"} | profile_file(args.participant)
        template = PodTemplate(
            labels=args.namespace.pod_labels(name=COMPONENT, component=COMPONENT),
            selector=labels.selector(args.namespace.stack, component=COMPONENT),
            containers=[recorder_container(args.image, args.participant, args.resources)],
            configuration=configuration(COMPONENT, files, namespace=args.namespace, component=COMPONENT, parent=self),
            scheduling=args.scheduling,
            grace_s=GRACE_S,
            volumes=[CAPTURES_VOLUME],
            annotations={**annotations(args.participant), **scrape_annotations(port)},
            network=pod_network(args.participant),
        )
        metadata = args.namespace.metadata(name=COMPONENT, component=COMPONENT)
        rendered = deployment_manifest(metadata, template)
        self.deployment = args.namespace.deploy(COMPONENT, rendered, self, depends_on=args.depends_on)
        self.register_outputs({"deployment": manifest.created_name(self.deployment)})


def recorder_settings(
    topics: Sequence[Topic],
    port: int,
    operator: str,
    *,
    nodes: Sequence[str] = (),
    mappings: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Contents of recorder.json. The queue is deep, so that a burst is counted as it is."""
    limit_mebibytes = CAPTURES_MEBIBYTES - CAPTURES_RESERVE_MEBIBYTES
    return {
        "contract": 1,
        "port": port,
        "operator": operator,
        "captures": {"folder": CAPTURES_FOLDER, "limit_bytes": limit_mebibytes * 1024 * 1024},
        "topics": [
            {
                "name": topic.name,
                "type": topic.type,
                "reliability": topic.reliability,
                "depth": QUEUE_DEPTH,
                "stamp": topic.stamp,
                "expected_rate_hz": topic.expected_rate_hz,
                # An older recorder knows no such key, and needs none for what is usual.
                **({} if topic.durability == "volatile" else {"durability": topic.durability}),
            }
            for topic in topics
        ],
        "nodes": list(nodes),
        "mappings": [dict(mapping) for mapping in mappings],
    }


def recorder_container(image: str, participant: Participant, resources: Resources) -> manifest.Manifest:
    """The recorder sees the whole graph, so that it can name publishers that it does not match."""
    return container(
        name=COMPONENT,
        image=image,
        command=("ros2bench-recorder", f"{CONFIGURATION_DIRECTORY}/{CONFIGURATION_FILE}"),
        environment=[
            *environment(participant, sees_everything=True),
            {"name": "ROS2BENCH_MACHINE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "ROS2BENCH_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        ],
        resources=resources,
        # Its health is served on the port of its metrics, and a port has one name.
        health_port=None,
        ports=[{"name": METRICS, "containerPort": participant.health_port, "protocol": "TCP"}],
        probes=ready_and_alive(METRICS),
        mounts=[{"name": CAPTURES_VOLUME["name"], "mountPath": CAPTURES_FOLDER}],
    )
