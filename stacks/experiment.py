"""Program of an experiment: one application in one pattern, its recorder, and the namespace that holds both.

The recorder and the discovery server come first and are ready before the application starts; `state: parked`
is everything but the application, so that an install is parked → running with the recorder already listening.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import pulumi

from components import graph, image, labels, patterns, recorder, workload
from components.cluster import Cluster
from components.deployment import Scheduling
from components.discovery import DiscoveryServer, DiscoveryServerArgs
from components.image import ImageLock
from components.namespace import RECORDER_PORT, Namespace, NamespaceArgs, NetworkPolicies, NetworkPoliciesArgs
from components.participant import Participant
from stacks import application
from stacks.outputs import (
    Application,
    MeasuredTopic,
    Network,
    PodPlacement,
    RecorderEndpoint,
    Records,
    StackOutputs,
)
from stacks.platform import namespace_name
from stacks.spec import PodResources, StackSpec


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that is decided before anything is deployed."""

    stack: str
    spec: StackSpec
    deployed: graph.Application
    pods: tuple[graph.Pod, ...]
    lock: ImageLock

    def images(self) -> dict[str, str]:
        """Reference by digest of every image that the stack needs, by role."""
        roles = {pod.container.image_role for pod in self.pods} | {recorder.IMAGE_ROLE}
        return {role: self.lock.reference(role) for role in sorted(roles)}


def plan(stack: str, spec: StackSpec) -> Plan:
    """Decide what to deploy; reads the image lock and asks the registry for the digests.

    Raises:
        Refusal: An image is missing, or the resources contradict one another.
    """
    wanted = application.with_resources(application.reference(spec.application), spec.resources.nodes)
    lock = image.read_lock(Path(spec.images.lock) if spec.images.lock else None)
    pods = patterns.placement(spec.pattern or stack, wanted)
    decided = Plan(stack=stack, spec=spec, deployed=wanted, pods=pods, lock=lock)
    roles = decided.images()
    if spec.images.check_registry:
        authority = Path(spec.images.registry_ca) if spec.images.registry_ca else None
        with image.registry_client(authority) as client:
            image.check_registry(lock, roles, client=client, warn=pulumi.log.warn)
    return decided


def deploy(decided: Plan, cluster: Cluster) -> pulumi.Output[StackOutputs]:
    """Register the experiment's resources.

    Returns:
        The contract, known once the cluster has said which one it is.
    """
    spec, images = decided.spec, decided.images()
    on_cluster = pulumi.ResourceOptions(provider=cluster.provider)
    namespace = Namespace(
        "namespace",
        NamespaceArgs(stack=decided.stack, name=namespace_name(decided.stack)),
        on_cluster,
    )
    policies = NetworkPolicies(
        "policies",
        NetworkPoliciesArgs(
            namespace=namespace,
            domain_id=spec.network.domain_id,
            multicast=spec.network.discovery == "multicast",
        ),
        on_cluster,
    )
    near_machine = Scheduling(node_selector=spec.placement.recorder_node_selector)
    participant, before = _discovery(decided, namespace, near_machine, on_cluster)
    listening = recorder.Recorder(
        "recorder",
        recorder.RecorderArgs(
            namespace=namespace,
            image=images[recorder.IMAGE_ROLE],
            topics=decided.deployed.measured_topics(),
            participant=participant,
            resources=_resources(spec.resources.recorder),
            scheduling=near_machine,
            depends_on=[*policies.resources, *before],
        ),
        on_cluster,
    )
    if spec.state == "running":
        _application(decided, namespace, participant, listening, on_cluster)
    return cluster.uid.apply(lambda uid: outputs(decided, cluster_uid=uid))


def outputs(decided: Plan, *, cluster_uid: str) -> StackOutputs:
    """The contract of an experiment stack, from what was decided and the cluster's identity."""
    spec, stack, images = decided.spec, decided.stack, decided.images()
    name = namespace_name(stack)
    return StackOutputs(
        contract=1,
        kind=spec.kind,
        stack=stack,
        cluster_uid=cluster_uid,
        namespace=name,
        pattern=spec.pattern,
        state=spec.state,
        application=Application(
            name=decided.deployed.name,
            pods=[placed(pod, images[pod.container.image_role]) for pod in decided.pods],
            labels=labels.selector(stack, component=workload.COMPONENT),
            topics=[measured(topic, decided.deployed) for topic in decided.deployed.measured_topics()],
            load=spec.application.load.model_dump(by_alias=True),
        ),
        recorder=RecorderEndpoint(
            namespace=name,
            labels=labels.selector(stack, component=recorder.COMPONENT),
            port=RECORDER_PORT,
        ),
        network=Network(**spec.network.model_dump()),
        records=Records(**spec.records.model_dump()),
        registry=decided.lock.registry,
        platform=None if spec.platform == "none" else spec.platform,
        spec=spec.model_dump(by_alias=True),
    )


def placed(pod: graph.Pod, reference: str) -> PodPlacement:
    """What the contract says of one pod."""
    processes = [[node.name for node in process.nodes] for process in pod.container.processes]
    return PodPlacement(name=pod.name, image=reference, processes=processes, replicas=pod.replicas)


def measured(topic: graph.Topic, application: graph.Application) -> MeasuredTopic:
    """What the contract says of one measured topic."""
    return MeasuredTopic(
        name=topic.name,
        type=topic.type,
        stamp=topic.stamp,
        expected_rate_hz=topic.expected_rate_hz,
        is_result=topic.name == application.result,
    )


def _discovery(
    decided: Plan, namespace: Namespace, scheduling: Scheduling, opts: pulumi.ResourceOptions
) -> tuple[Participant, list[pulumi.Resource]]:
    """Network settings of all other participants, and what they wait for."""
    network = decided.spec.network
    alone = Participant(
        domain_id=network.domain_id,
        rmw=network.rmw,
        socket_buffer_bytes=network.socket_buffer_bytes,
    )
    if network.discovery == "multicast":
        return alone, []
    server = DiscoveryServer(
        "discovery",
        DiscoveryServerArgs(
            namespace=namespace,
            image=decided.images()[recorder.IMAGE_ROLE],
            participant=alone,
            resources=_resources(decided.spec.resources.discovery),
            scheduling=scheduling,
        ),
        opts,
    )
    return replace(alone, discovery_server=server.address, discovery_identity=server.identity), [server.deployment]


def _application(
    decided: Plan,
    namespace: Namespace,
    participant: Participant,
    listening: recorder.Recorder,
    opts: pulumi.ResourceOptions,
) -> None:
    placement = decided.spec.placement
    recorder_pods = labels.selector(decided.stack, component=recorder.COMPONENT)
    scheduling = Scheduling(
        near=recorder_pods if placement.near_recorder else {}, node_selector=placement.node_selector
    )
    for pod in decided.pods:
        workload.Workload(
            pod.name,
            workload.WorkloadArgs(
                pod=pod,
                namespace=namespace,
                images=decided.images(),
                participant=participant,
                scheduling=scheduling,
                depends_on=[listening.deployment],
            ),
            opts,
        )


def _resources(wanted: PodResources) -> graph.Resources:
    return graph.Resources(
        cpu_request_millicores=wanted.cpu_request_millicores,
        memory_request_mebibytes=wanted.memory_request_mebibytes,
        memory_limit_mebibytes=wanted.memory_limit_mebibytes,
    )
