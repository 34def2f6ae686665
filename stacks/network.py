"""The network of an experiment: how its pods find one another, and what the rest of the program must know of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pulumi

from components import discovery, graph, labels, master, peers, policies, recorder, workload
from components.deployment import Scheduling
from components.graph import Resources
from components.labels import NetworkMode
from components.namespace import Namespace, NamespaceArgs
from components.needs import Port
from components.participant import HEALTH_PORT, Participant
from components.refusal import Refusal
from components.telemetry import endpoint
from components.telemetry.endpoint import Traces
from stacks import outputs
from stacks.spec import Network

LAST_PORT = 65535


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the network must know of the experiment.

    `image` is that of the recorder, which holds the discovery server too; `master_image` is none where no ROS 1
    master is wanted. `scheduling` is that of the recorder; `recorded` is off where nothing is measured. `traces` is
    where the application sends its traces, if it does.
    """

    network: Network
    pods: Sequence[graph.Pod]
    image: str
    resources: Resources
    scheduling: Scheduling
    master_image: str | None = None
    recorded: bool = True
    traces: Traces | None = None


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Network settings of the recorder and of each pod of the application, and what must exist before they start.

    Attributes:
        recorder: settings of the recorder.
        pods: settings of each pod.
        before: what the application waits for; the recorder starts beside it, and finds the server when it answers.
        policies: what every pod waits for.
    """

    recorder: Participant
    pods: Mapping[str, Participant]
    before: tuple[pulumi.Resource, ...]
    policies: tuple[pulumi.Resource, ...] = ()


def mode(network: Network) -> NetworkMode:
    """Whether the pods have addresses of their own or share those of their machines."""
    return "host" if network.discovery == "host-network" else "pod"


def contract(network: Network) -> outputs.Network:
    """What the stack's output says of the network."""
    return outputs.Network(
        domain_id=network.domain_id,
        rmw=network.rmw,
        mode=mode(network),
        discovery=network.discovery,
        socket_buffer_bytes=network.socket_buffer_bytes,
        policies=mode(network) == "pod",
    )


def namespace_args(stack: str, name: str, network: Network, pattern: str | None = None) -> NamespaceArgs:
    """What the namespace of an experiment is for."""
    return NamespaceArgs(stack=stack, name=name, network=mode(network), domain_id=network.domain_id, pattern=pattern)


def health_ports(network: Network, pods: Sequence[graph.Pod]) -> dict[str, int]:
    """Port on which each pod serves its health, the recorder's under its own name.

    Pods with addresses of their own all have the same. On the machine's network each has a block of its own: its
    port, and one above it for each of its processes.

    Raises:
        Refusal: The blocks do not fit below the last port.
    """
    names = (recorder.COMPONENT, *(pod.name for pod in pods))
    if mode(network) == "pod":
        return dict.fromkeys(names, HEALTH_PORT)
    sizes = (1, *(1 + len(pod.container.processes) for pod in pods))
    starts = [network.host_port_base + sum(sizes[:position]) for position in range(len(sizes))]
    if (last := network.host_port_base + sum(sizes) - 1) > LAST_PORT:
        raise Refusal(
            f"ros2bench:spec.network.hostPortBase is {network.host_port_base}: {sum(sizes)} ports from there on end at "
            f"{last}, which is beyond {LAST_PORT}. Set it to {LAST_PORT - sum(sizes) + 1} or less"
        )
    return dict(zip(names, starts, strict=True))


def openings(network: Network, pods: Sequence[graph.Pod], *, with_master: bool) -> policies.Openings:
    """What the NetworkPolicies must let pass."""
    return policies.Openings(
        domain_id=None if with_master else network.domain_id,
        multicast=network.discovery == "multicast" and not with_master,
        discovery_server=network.discovery == "server" and not with_master,
        master=with_master,
        ports=declared_ports(pods),
    )


def declared_ports(pods: Sequence[graph.Pod]) -> dict[str, tuple[Port, ...]]:
    """Ports for traffic that is not DDS, by the pod that declares them."""
    return {pod.name: tuple(port for node in pod.nodes() for port in node.needs.ports) for pod in pods}


def join(around: Surroundings, namespace: Namespace, opts: pulumi.ResourceOptions) -> Joined:
    """Register what the participants need to find one another.

    Args:
        around: The rest of the experiment.
        namespace: Where it lives.
        opts: Must name the provider.

    Raises:
        Refusal: There are not enough ports on the machines.
    """
    network = around.network
    ports = health_ports(network, around.pods)
    alone = Participant(
        domain_id=network.domain_id,
        rmw=network.rmw,
        socket_buffer_bytes=network.socket_buffer_bytes,
        host_network=mode(network) == "host",
        variables=endpoint.identity(namespace.stack, namespace.pattern),
    )
    made: tuple[pulumi.Resource, ...] = ()
    if mode(network) == "pod":
        opened = openings(network, around.pods, with_master=around.master_image is not None)
        if around.traces is not None:
            opened = replace(opened, further={"allow-traces": endpoint.sent_by(namespace.stack, around.traces)})
        args = policies.NetworkPoliciesArgs(namespace=namespace, openings=opened)
        made = tuple(policies.NetworkPolicies("policies", args, opts).resources)
    joined = _meeting(around, namespace, alone, opts)
    return Joined(
        recorder=replace(joined.recorder, health_port=ports[recorder.COMPONENT]),
        pods={
            name: replace(
                participant,
                health_port=ports[name],
                variables={**participant.variables, **endpoint.variables(around.traces)},
            )
            for name, participant in joined.pods.items()
        },
        before=joined.before,
        policies=made,
    )


def _meeting(around: Surroundings, namespace: Namespace, alone: Participant, opts: pulumi.ResourceOptions) -> Joined:
    """Participants by the way in which they meet, all with the same health port."""
    names = [pod.name for pod in around.pods]
    if around.master_image is not None:
        return _by_master(around, around.master_image, namespace, alone, opts)
    match around.network.discovery:
        case "server":
            server = discovery.DiscoveryServer(
                "discovery",
                discovery.DiscoveryServerArgs(
                    namespace=namespace,
                    image=around.image,
                    participant=alone,
                    resources=around.resources,
                    scheduling=around.scheduling,
                ),
                opts,
            )
            client = replace(alone, discovery_server=server.address, discovery_identity=server.identity)
            return Joined(recorder=client, pods=dict.fromkeys(names, client), before=(server.deployment,))
        case "static-peers":
            return _by_names(around, namespace, alone, opts)
        case "multicast" | "host-network":
            return Joined(recorder=alone, pods=dict.fromkeys(names, alone), before=())


def _by_names(around: Surroundings, namespace: Namespace, alone: Participant, opts: pulumi.ResourceOptions) -> Joined:
    """Every pod knows all others; the recorder, which is there before them, knows those that exist when it starts."""
    stack, names = namespace.stack, [pod.name for pod in around.pods]
    listening = [recorder.COMPONENT] if around.recorded else []
    selectors = {name: labels.selector(stack, component=recorder.COMPONENT) for name in listening} | {
        name: labels.selector(stack, component=workload.COMPONENT, name=name) for name in names
    }
    known = peers.Peers("peers", peers.PeersArgs(namespace=namespace, selectors=selectors), opts).names
    return Joined(
        recorder=replace(alone, static_peers=(peers.OWN_ADDRESS,), optional_peers=tuple(known[name] for name in names)),
        pods={
            name: replace(alone, static_peers=peers.peers_of(name, known, others=(*listening, *names)))
            for name in names
        },
        before=(),
    )


def _by_master(
    around: Surroundings, image: str, namespace: Namespace, alone: Participant, opts: pulumi.ResourceOptions
) -> Joined:
    """ROS 1 nodes meet at a master; the recorder, of ROS 2, has nobody to meet and announces itself to none."""
    core = master.Master(
        "master",
        master.MasterArgs(
            namespace=namespace,
            image=image,
            participant=alone,
            resources=master.RESOURCES,
            scheduling=around.scheduling,
        ),
        opts,
    )
    node = replace(alone, master=core.uri)
    return Joined(
        recorder=replace(alone, static_peers=(peers.OWN_ADDRESS,)),
        pods={pod.name: node for pod in around.pods},
        before=(core.deployment,),
    )
