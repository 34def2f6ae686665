"""Pure: why no valid message arrived, from what the recorder has discovered."""

from probes.errors import NoMessage
from probes.recorder import RecorderStatus
from stacks.outputs import MeasuredTopic, Network


def explain_silence(
    status: RecorderStatus, topic: MeasuredTopic, network: Network | None, *, waited_s: float, pods: str, namespace: str
) -> NoMessage:
    """Name the topic, its type, the domain and the middleware, what was discovered, and the likely causes."""
    own = next((known for known in status.topics if known.name == topic.name), None)
    publishers = own.publishers if own else []
    matching = [other for other in status.discovered if other.topic == topic.name and other.publishers]
    elsewhere = sorted(other.topic for other in status.discovered if other.publishers)
    lines = [
        f"No valid message on {topic.name} ({topic.type}) within {waited_s:g} s.",
        f"  recorder  domain {status.domain_id}, {status.rmw}, on machine {status.machine}",
        f"  stack     {_described(network)}",
        f"  pods      {pods}",
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
        f"Likely: {_likely(status, topic, network, has_publisher=bool(publishers or matching))}",
    ]
    return NoMessage(
        "\n".join(lines), next_step=f"kubectl -n {namespace} logs -l app.kubernetes.io/component=application --tail=50"
    )


def _likely(status: RecorderStatus, topic: MeasuredTopic, network: Network | None, *, has_publisher: bool) -> str:
    """Give the first cause that the facts support, from the most certain to the least."""
    own = next((known for known in status.topics if known.name == topic.name), None)
    types = {kind for other in status.discovered if other.topic == topic.name for kind in other.types}
    mismatch = own is not None and any(publisher.incompatible for publisher in own.publishers)
    causes = (
        (
            network is not None and status.domain_id != network.domain_id,
            "recorder and application are in different domains: deploy again.",
        ),
        (
            network is not None and status.rmw != network.rmw,
            "recorder and application use different middlewares: deploy again.",
        ),
        (
            bool(types) and topic.type not in types,
            f"{topic.name} is published as {', '.join(sorted(types))}, not as {topic.type}: correct the type.",
        ),
        (
            mismatch,
            "the publisher's quality of service does not match the recorder's: make the reliability fit.",
        ),
        (
            has_publisher,
            "the publisher is known but silent: it waits for input, loads its model, or large messages are lost.",
        ),
        (
            any(other.publishers for other in status.discovered),
            "other topics are published, so discovery works: the publishing node has not started or failed.",
        ),
    )
    nothing = "nothing is published in this domain: the application does not run, or discovery does not reach it."
    return next((text for holds, text in causes if holds), nothing)


def _described(network: Network | None) -> str:
    if network is None:
        return "exports no network"
    return f"domain {network.domain_id}, {network.rmw}, {network.mode} network, discovery {network.discovery}"
