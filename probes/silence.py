"""Pure: why no valid message arrived, from what the recorder has discovered.

Two questions are kept apart: whether the recorder has found anybody at all (else discovery is blocked or the domain is
wrong), and whether it has found a publisher but hears nothing from it (else quality of service, type, or lost data).
"""

from probes.errors import NoMessage
from probes.recorder import RecorderStatus
from stacks.outputs import MeasuredTopic, Network

NODES_SHOWN = 8
DDS_BASE_PORT, DDS_PORTS_PER_DOMAIN, FLOW_PORTS = 7400, 250, "7000-7399"
SERVER_PORT = 11811


def explain_silence(
    status: RecorderStatus,
    topic: MeasuredTopic,
    network: Network | None,
    *,
    waited_s: float,
    ready: int,
    expected: int,
    namespace: str,
) -> NoMessage:
    """Name the topic, its type, the domain and the middleware, what was discovered, and the likely cause.

    Args:
        status: What the recorder says.
        topic: What should have been heard.
        network: The stack's network, if it exports one.
        waited_s: How long nothing was heard.
        ready: Pods of the application that are Ready.
        expected: Pods that it should have.
        namespace: Where they are.
    """
    own = next((known for known in status.topics if known.name == topic.name), None)
    publishers = own.publishers if own else []
    elsewhere = sorted(other.topic for other in status.discovered if other.publishers)
    lines = [
        f"No valid message on {topic.name} ({topic.type}) within {waited_s:g} s.",
        f"  recorder  domain {status.domain_id}, {status.rmw}, on machine {status.machine}",
        f"  stack     {_described(network)}",
        f"  pods      {ready} of {expected} Ready",
        f"  nodes discovered by the recorder: {_nodes(status)}",
        f"  publishers of {topic.name}: "
        + (
            "; ".join(
                f"{publisher.node} ({publisher.reliability}, depth {publisher.depth}"
                + (", INCOMPATIBLE" if publisher.incompatible else "")
                + ")"
                for publisher in publishers
            )
            or "none discovered"
        ),
        f"  topics with publishers in the domain: {', '.join(elsewhere) or 'none'}",
        f"Likely: {_likely(status, topic, network, runs=ready > 0, namespace=namespace)}",
    ]
    return NoMessage(
        "\n".join(lines), next_step=f"kubectl -n {namespace} logs -l app.kubernetes.io/component=application --tail=50"
    )


def _likely(
    status: RecorderStatus, topic: MeasuredTopic, network: Network | None, *, runs: bool, namespace: str
) -> str:
    """Give the first cause that the facts support, from the most certain to the least."""
    if network is not None and status.domain_id != network.domain_id:
        return "recorder and application are in different domains: deploy again."
    if network is not None and status.rmw != network.rmw:
        return "recorder and application use different middlewares: deploy again."
    if not _somebody(status):
        return _nobody(status, network, runs=runs, namespace=namespace)
    own = next((known for known in status.topics if known.name == topic.name), None)
    others = [other for other in status.discovered if other.topic == topic.name and other.publishers]
    if others or (own is not None and own.publishers):
        return _publisher_without_data(status, topic, network)
    return (
        f"discovery works, but nobody publishes {topic.name}: the node that should has not started, has failed, or "
        "publishes under another name (remapping, namespace)."
    )


def _somebody(status: RecorderStatus) -> bool:
    """Whether the recorder has found anybody else in its domain."""
    return bool(status.nodes) or any(other.publishers for other in status.discovered)


def _nobody(status: RecorderStatus, network: Network | None, *, runs: bool, namespace: str) -> str:
    if not runs:
        return (
            "no pod of the application is Ready, so nobody is there to be discovered: see why with "
            f"kubectl -n {namespace} describe pods -l app.kubernetes.io/component=application."
        )
    domain = status.domain_id
    first = DDS_BASE_PORT + DDS_PORTS_PER_DOMAIN * domain
    ports = f"UDP {first}-{first + DDS_PORTS_PER_DOMAIN - 1} and {FLOW_PORTS}"
    return (
        f"no participant at all is discovered in domain {domain}, although the application runs: discovery is blocked, "
        f"or the application is in another domain or has other peers. {_check(network, ports, namespace)}"
    )


def _check(network: Network | None, ports: str, namespace: str) -> str:
    """What to look at first, by the way in which the participants should have met."""
    match network.discovery if network else None:
        case "server":
            return (
                f"Check that the discovery server runs (kubectl -n {namespace} get pods -l "
                f"app.kubernetes.io/component=discovery), that UDP {SERVER_PORT} as well as {ports} may pass between "
                "the pods, and that no image sets ROS_DOMAIN_ID or ROS_DISCOVERY_SERVER itself."
            )
        case "multicast":
            return (
                "Most pod networks carry no multicast, least of all between machines: set network.discovery to server "
                "or static-peers."
            )
        case "static-peers":
            return (
                f"Check the names (kubectl -n {namespace} get services,endpointslices), that the images hold ROS 2 "
                f"Jazzy or newer (older ones ignore ROS_STATIC_PEERS), and that {ports} may pass between the pods."
            )
        case "host-network":
            return f"Check that the machines' network carries multicast and that no firewall drops {ports}."
        case _:
            return f"Check that {ports} may pass between the pods."


def _publisher_without_data(status: RecorderStatus, topic: MeasuredTopic, network: Network | None) -> str:
    own = next((known for known in status.topics if known.name == topic.name), None)
    types = {kind for other in status.discovered if other.topic == topic.name for kind in other.types}
    if types and topic.type not in types:
        return f"{topic.name} is published as {', '.join(sorted(types))}, not as {topic.type}: correct the type."
    if own is not None and any(publisher.incompatible for publisher in own.publishers):
        return "the publisher's quality of service does not match the recorder's: make the reliability fit."
    if own is not None and own.received_total:
        return (
            f"{own.received_total} messages did arrive, but none that was published after the start: the stamp in "
            "the message is not what the topic's stamp setting says, or the clock of its machine is behind."
        )
    buffers = f" of {network.socket_buffer_bytes} B" if network else ""
    return (
        "the publisher is discovered, so discovery works, but no data arrives: it waits for input or loads its model; "
        f"or its messages are larger than the socket buffers{buffers}, which net.core.rmem_max of the machines caps; "
        f"or UDP {FLOW_PORTS}, on which Fast DDS receives data, is blocked."
    )


def _nodes(status: RecorderStatus) -> str:
    if status.nodes is None:
        return "not told by this recorder"
    shown = ", ".join(status.nodes[:NODES_SHOWN])
    more = len(status.nodes) - NODES_SHOWN
    return (shown + (f" and {more} more" if more > 0 else "")) or "none"


def _described(network: Network | None) -> str:
    if network is None:
        return "exports no network"
    return f"domain {network.domain_id}, {network.rmw}, {network.mode} network, discovery {network.discovery}"
