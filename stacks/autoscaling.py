"""Autoscaling of a stack: the programs of a platform, and what an experiment's nodes follow.

Everything that can be known to fail is refused before anything is deployed: an autoscaler that gets no value changes
nothing, and says so only in its own status.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pulumi

from components import graph
from components.api_server import FIRST_ERROR, NOT_FOUND, ApiServer
from components.autoscaling import prometheus_adapter, vpa
from components.autoscaling.prometheus_adapter import (
    CUSTOM,
    EXTERNAL,
    ExistingCertificate,
    PrometheusAdapter,
    PrometheusAdapterArgs,
)
from components.autoscaling.signals import (
    AGGREGATES,
    LATENCY_SERIES,
    OWN_SERIES,
    Latency,
    PodSeries,
    Resource,
    Series,
    Signal,
    topic_value,
)
from components.autoscaling.vpa import Recommender, RecommenderArgs
from components.image import ThirdPartyImages
from components.namespace import Namespace
from components.observability import prometheus
from components.policies import port_of
from components.program import METRICS
from components.refusal import Refusal, choices
from stacks.reading import PROJECT_FOLDER
from stacks.spec import StackSpec

SECTION = "ros2bench:spec.autoscaling"
NODES = "ros2bench:spec.application.nodes"
RESOURCE_METRICS = "metrics.k8s.io"
LONGEST_LABEL = 63
HOW_TO_SERVE = f"Set {SECTION}.adapter.enabled: true in the platform's stack file, then: pulumi up -s platform"


@dataclass(frozen=True, kw_only=True)
class AutoscalingPlan:
    """What a platform deploys for autoscaling.

    Attributes:
        adapter: Image of prometheus-adapter by digest; none where it is not deployed.
        prometheus_url: Whom the adapter asks.
        authority: Who signed the adapter's certificate, where somebody else made it; PEM.
        recommender: Image of the recommender by digest; none where it is not deployed.
    """

    adapter: str | None = None
    prometheus_url: str = ""
    authority: bytes | None = None
    recommender: str | None = None


def plan(
    stack: str, namespace: str, spec: StackSpec, api: ApiServer | None, images: ThirdPartyImages
) -> AutoscalingPlan | None:
    """Decide what a platform deploys for autoscaling; none where it deploys nothing.

    Args:
        stack: Name of the stack.
        namespace: Name of the platform's namespace.
        spec: What the stack is.
        api: Whom to ask about the cluster; none where it is rendered without one.
        images: Third-party images.

    Raises:
        Refusal: An image, a Prometheus, a certificate or a definition is missing, or the cluster has such a program.
    """
    wanted = spec.autoscaling
    if spec.kind == "experiment" or not (wanted.adapter.enabled or wanted.recommender.enabled):
        return None
    decided = AutoscalingPlan()
    if wanted.adapter.enabled:
        decided = AutoscalingPlan(
            adapter=images.reference(prometheus_adapter.IMAGE),
            prometheus_url=_prometheus_url(namespace, spec),
            authority=_authority(spec, rendered=api is None),
        )
    if wanted.recommender.enabled:
        decided = replace(decided, recommender=images.reference(vpa.IMAGE))
    if api is not None and decided.adapter is not None:
        _check_nobody_else_serves(stack, namespace, api)
    if api is not None and decided.recommender is not None:
        _check_definitions(api, f"{SECTION}.recommender.enabled")
    return decided


def deploy(
    spec: StackSpec, decided: AutoscalingPlan | None, namespace: Namespace, opts: pulumi.ResourceOptions
) -> None:
    """Register what a platform deploys for autoscaling.

    Args:
        spec: What the stack is.
        decided: What `plan` decided; none registers nothing.
        namespace: The platform's namespace.
        opts: Name the provider.
    """
    if decided is None:
        return
    ports = spec.observability.api_server_ports
    if decided.adapter is not None:
        PrometheusAdapter("prometheus-adapter", adapter_args(spec, decided, decided.adapter, namespace), opts)
    if decided.recommender is not None:
        wanted = spec.autoscaling.recommender
        Recommender(
            "vpa-recommender",
            RecommenderArgs(
                namespace=namespace,
                image=decided.recommender,
                resources=wanted.resources.asked(),
                interval_s=wanted.interval_s,
                api_server_ports=ports,
            ),
            opts,
        )


def adapter_args(
    spec: StackSpec, decided: AutoscalingPlan, reference: str, namespace: Namespace
) -> PrometheusAdapterArgs:
    """What the spec says of the adapter, in the component's words."""
    wanted = spec.autoscaling.adapter
    existing = None
    if wanted.certificate.secret is not None and decided.authority is not None:
        existing = ExistingCertificate(secret=wanted.certificate.secret, authority=decided.authority)
    own = wanted.prometheus_url is None
    return PrometheusAdapterArgs(
        namespace=namespace,
        image=reference,
        prometheus_url=decided.prometheus_url,
        prometheus=(prometheus.COMPONENT, prometheus.PORT) if own else None,
        calls_out=None if own else port_of(decided.prometheus_url),
        resources=wanted.resources.asked(),
        api_server_ports=spec.observability.api_server_ports,
        existing=existing,
        generation=wanted.certificate.generation,
    )


def check_signals(deployed: graph.Application, mapped: Mapping[str, str]) -> None:
    """Refuse signals that have no series.

    Args:
        deployed: The application.
        mapped: Kind of each metric that `application.metrics` makes, by name.

    Raises:
        Refusal: A topic is not measured, or nothing serves a series of the name.
    """
    for node in deployed.nodes:
        for signal in _signals(node):
            _check_signal(f"{NODES}.{node.name}.autoscaling", node, signal, deployed, mapped)


def check_served(spec: StackSpec, deployed: graph.Application, ask: Callable[[], ApiServer]) -> None:
    """Refuse signals, and recommendations, that nobody in the cluster serves.

    Args:
        spec: What the stack is.
        deployed: Its application.
        ask: Connects to the cluster; called only where something is needed.

    Raises:
        Refusal: An API group is missing or does not answer.
    """
    # A dev stack may bring the server itself, with the same `up`.
    served_here = {CUSTOM, EXTERNAL} if spec.autoscaling.adapter.enabled else set[str]()
    for group, where in needed_groups(deployed).items():
        if group not in served_here:
            _check_served(ask(), group, where)
    if spec.autoscaling.recommendations:
        _check_definitions(ask(), f"{SECTION}.recommendations")


def needed_groups(deployed: graph.Application) -> dict[str, str]:
    """API groups that the signals of nodes come from, each with the first key of the stack file that needs it."""
    found: dict[str, str] = {}
    for node in deployed.nodes:
        for signal in _signals(node):
            found.setdefault(_group(signal), f"{NODES}.{node.name}.autoscaling")
    return found


def _group(signal: Signal) -> str:
    if isinstance(signal, Resource):
        return RESOURCE_METRICS
    return CUSTOM if isinstance(signal, PodSeries) else EXTERNAL


def _signals(node: graph.Node) -> tuple[Signal, ...]:
    return node.needs.autoscaling.signals if node.needs.autoscaling else ()


def _check_signal(
    where: str, node: graph.Node, signal: Signal, deployed: graph.Application, mapped: Mapping[str, str]
) -> None:
    if isinstance(signal, Latency):
        _check_topic(f"{where}.latencyS.{signal.topic}", signal.topic, deployed)
    elif isinstance(signal, Series):
        _check_series(f"{where}.series.{signal.name}", signal, deployed, mapped)
    elif isinstance(signal, PodSeries) and not any(port.name == METRICS for port in node.needs.ports):
        raise Refusal(
            f"{where}.podSeries.{signal.name}: the node has no port named {METRICS}, so nobody reads its series. Write "
            f"ports: {{{METRICS}: {{port: NUMBER, expose: pod}}}}, on which it serves them at /metrics"
        )


def _check_topic(where: str, topic: str, deployed: graph.Application) -> None:
    measured = {each.name: each for each in deployed.measured_topics()}
    if topic not in measured:
        raise Refusal(
            f"{where}: the topic is not measured, so there is no series of its latency. {choices(topic, measured)} Set "
            f"measured: true in ros2bench:spec.application.topics.{topic}"
        )
    if measured[topic].stamp == "none":
        raise Refusal(
            f"{where}: the messages have no stamp (stamp: none), so their latency is not known and {LATENCY_SERIES} "
            "stays empty. Follow another signal, or send messages that begin with a stamp or a std_msgs/Header"
        )
    value = topic_value(topic)
    if len(value) > LONGEST_LABEL or not (value[0].isalnum() and value[-1].isalnum()):
        raise Refusal(
            f"{where}: the name cannot be asked for: a label of Kubernetes has at most {LONGEST_LABEL} characters and "
            "begins and ends with a letter or digit. Rename the topic, or follow another signal"
        )
    # The dots that stand for slashes match any character in the question to Prometheus. Topics that are only mapped
    # have no latency, so that nothing of theirs is added.
    if mistaken := [name for name in measured if name != topic and re.fullmatch(f"/{value}", name)]:
        raise Refusal(
            f"{where}: is asked for as /{value}, because a label of Kubernetes knows no slash, and the dots match "
            f"{', '.join(mistaken)} as well: both latencies would become one. Rename one of the topics, or do not "
            f"measure {mistaken[0]} (measured: false in ros2bench:spec.application.topics.{mistaken[0]})"
        )


def _check_series(where: str, signal: Series, deployed: graph.Application, mapped: Mapping[str, str]) -> None:
    if not deployed.measured_topics() and not mapped:
        raise Refusal(
            f"{where}: the stack has no recorder, which would serve it: no topic is measured. Measure one in "
            "ros2bench:spec.application.topics"
        )
    possible = AGGREGATES[mapped[signal.name]] if signal.name in mapped else ()
    if signal.name in OWN_SERIES:
        possible = (OWN_SERIES[signal.name],)
    if not possible:
        known = choices(signal.name, [*mapped, *OWN_SERIES])
        raise Refusal(
            f"{where}: no series of this name is served by the recorder. {known} "
            "A field of a message becomes one in ros2bench:spec.application.metrics"
        )
    if signal.aggregate not in possible:
        what = f"a {mapped[signal.name]}" if signal.name in mapped else "a counter"
        raise Refusal(
            f"{where}.aggregate: is {signal.aggregate}, but {signal.name} is {what}. Choices: {', '.join(possible)}"
        )


def _check_served(api: ApiServer, group: str, where: str) -> None:
    path = f"/apis/{group}/v1beta1"
    reply = api.call("GET", path)
    if reply.status == NOT_FOUND:
        how = HOW_TO_SERVE
        if group == RESOURCE_METRICS:
            how = "Install metrics-server, or set observability.mode: builtin in the platform's stack file"
        raise Refusal(
            f"{where}: the cluster serves no {group}, so the signal would never have a value and the number of copies "
            f"would never change. {how}; try: kubectl get apiservices"
        )
    if reply.status >= FIRST_ERROR:
        said = reply.body.get("message", "no reason given")
        raise Refusal(
            f"{where}: the cluster's {group} does not answer ({reply.status}: {said}): "
            "its APIService is there, but what should serve it is not. Look at it: kubectl get apiservices "
            f"v1beta1.{group} -o yaml"
        )


def _check_definitions(api: ApiServer, where: str) -> None:
    reply = api.call("GET", f"/apis/{vpa.API}")
    if reply.status >= FIRST_ERROR:
        raise Refusal(
            f"{where}: the cluster does not know VerticalPodAutoscaler ({vpa.API}), so recommendations have no place. "
            "Apply the definitions of kubernetes/autoscaler, vertical-pod-autoscaler/deploy/vpa-v1-crd-gen.yaml of "
            "v1.4.1 (the lab: python -m lab up --platform all)"
        )


def _check_nobody_else_serves(stack: str, namespace: str, api: ApiServer) -> None:
    for served in prometheus_adapter.VERSIONS:
        reply = api.call("GET", f"/apis/apiregistration.k8s.io/v1/apiservices/{served.name}")
        if reply.status == NOT_FOUND:
            continue
        if reply.status >= FIRST_ERROR:
            raise Refusal(
                f"{SECTION}.adapter.enabled: the API server answered {reply.status} when asked who serves "
                f"{served.group}: {reply.body.get('message', 'no reason given')}. Set it to false, or use an account "
                "that may ask"
            )
        service = reply.body.get("spec", {}).get("service") or {}
        if service.get("namespace") != namespace:
            raise Refusal(
                f"{SECTION}.adapter.enabled: {served.group} of this cluster is served by "
                f"{service.get('namespace')}/{service.get('name')} already, and it has one server at most. Leave the "
                f"adapter of stack {stack} out and add the rules of components/autoscaling/adapter_rules.py to that "
                "one, or remove it"
            )


def _prometheus_url(namespace: str, spec: StackSpec) -> str:
    if spec.autoscaling.adapter.prometheus_url is not None:
        return spec.autoscaling.adapter.prometheus_url
    if spec.observability.mode != "builtin":
        raise Refusal(
            f"{SECTION}.adapter.prometheusUrl: is not set, and observability.mode is {spec.observability.mode}: the "
            "stack has no Prometheus of its own. Write the address of yours as a pod reaches it, for example "
            "http://prometheus-operated.monitoring.svc:9090, or set observability.mode: builtin"
        )
    return f"http://{prometheus.COMPONENT}.{namespace}.svc:{prometheus.PORT}"


def _authority(spec: StackSpec, *, rendered: bool) -> bytes | None:
    wanted = spec.autoscaling.adapter.certificate
    if wanted.authority_file is None:
        if rendered:
            raise Refusal(
                f"{SECTION}.adapter.certificate: is not set. Rendered manifests hold no key, so the adapter's "
                "certificate must be somebody else's: make a Secret of type kubernetes.io/tls, and write secret and "
                "authorityFile"
            )
        return None
    key = f"{SECTION}.adapter.certificate.authorityFile"
    try:
        text = (PROJECT_FOLDER / Path(wanted.authority_file)).read_bytes()
    except OSError as error:
        raise Refusal(f"{key}: {wanted.authority_file} cannot be read: {error}") from None
    if b"-----BEGIN CERTIFICATE-----" not in text:
        raise Refusal(f"{key}: {wanted.authority_file} holds no certificate in PEM")
    if b"PRIVATE KEY-----" in text:
        raise Refusal(f"{key}: {wanted.authority_file} holds a private key, which nobody else should see. Take it out")
    return text
