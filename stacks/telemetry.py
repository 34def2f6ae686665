"""Traces and logs of a stack: what a platform deploys for them, and where an experiment sends its traces."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd

import pulumi

from components import labels
from components.image import ThirdPartyImages
from components.namespace import Namespace, NamespaceArgs
from components.telemetry import jaeger, loki, promtail
from components.telemetry.endpoint import Traces
from stacks import outputs
from stacks.spec import StackSpec

SECTION = "ros2bench:spec"


@dataclass(frozen=True, kw_only=True)
class TelemetryPlan:
    """What is deployed, decided before anything is: references by digest, by the names of contract 17."""

    images: Mapping[str, str] = field(default_factory=dict[str, str])


def plan(spec: StackSpec, images: ThirdPartyImages) -> TelemetryPlan | None:
    """Decide what a platform deploys for traces and logs; None where it deploys nothing.

    Args:
        spec: What the stack is.
        images: Third-party images.

    Raises:
        Refusal: An image is unknown.
    """
    names: list[str] = []
    if keeps_traces(spec):
        names.append(jaeger.IMAGE)
    if spec.logs.mode == "loki":
        names += [loki.IMAGE, promtail.IMAGE]
    if not names:
        return None
    return TelemetryPlan(images={name: images.reference(name) for name in names})


def keeps_traces(spec: StackSpec) -> bool:
    """Whether the stack has a Jaeger of its own; a dev stack that sends elsewhere has none."""
    return spec.kind != "experiment" and spec.tracing.enabled and spec.tracing.endpoint is None


def logs_namespace_name(stack: str) -> str:
    """Name of the namespace of those who read the machines' files of lines."""
    return f"ros2bench-{stack}-logs"


def deploy(
    stack: str, spec: StackSpec, decided: TelemetryPlan | None, namespace: Namespace, opts: pulumi.ResourceOptions
) -> None:
    """Register what keeps traces and lines.

    Args:
        stack: Name of the stack.
        spec: What the stack is.
        decided: What is deployed; none where nothing is.
        namespace: The platform's namespace.
        opts: Must name the provider.
    """
    if decided is None:
        return
    if jaeger.IMAGE in decided.images:
        args = jaeger.JaegerArgs(
            namespace=namespace,
            image=decided.images[jaeger.IMAGE],
            max_traces=spec.tracing.max_traces,
            resources=spec.tracing.resources.asked(),
        )
        jaeger.Jaeger("jaeger", args, opts)
    if loki.IMAGE in decided.images:
        _deploy_logs(stack, spec, decided, namespace, opts)


def _deploy_logs(
    stack: str, spec: StackSpec, decided: TelemetryPlan, namespace: Namespace, opts: pulumi.ResourceOptions
) -> None:
    wanted = spec.logs
    args = loki.LokiArgs(
        namespace=namespace,
        image=decided.images[loki.IMAGE],
        retention_hours=wanted.retention_hours,
        size_mebibytes=wanted.storage.size_mebibytes,
        resources=wanted.resources.asked(),
        persistent=wanted.storage.persistent,
        storage_class=wanted.storage.storage_class,
    )
    loki.Loki("loki", args, opts)
    of_logs = Namespace(
        "logs",
        NamespaceArgs(
            stack=stack, name=logs_namespace_name(stack), machine_access=True, why_machine_access=promtail.WHY
        ),
        opts,
    )
    shipper = promtail.PromtailArgs(
        namespace=of_logs,
        image=decided.images[promtail.IMAGE],
        url=f"http://{loki.COMPONENT}.{namespace.name}.svc:{loki.PORT}/loki/api/v1/push",
        asked_by=(f"{SECTION}.logs.mode",),
    )
    promtail.Promtail("promtail", shipper, opts)


def traces(spec: StackSpec, platform_namespace: str) -> Traces | None:
    """Where the application of a stack sends its traces; None where it makes none.

    Args:
        spec: What the stack is.
        platform_namespace: Namespace of the platform that takes them, if the stack file names no address.
    """
    wanted = spec.tracing
    if not wanted.enabled:
        return None
    if sentence := sampling_warning(spec):
        pulumi.log.warn(sentence)
    url = wanted.endpoint or f"http://{jaeger.COMPONENT}.{platform_namespace}.svc:{jaeger.OTLP_PORT}"
    return Traces(url=url, sample_every=wanted.sample_every)


def sampling_warning(spec: StackSpec) -> str | None:
    """Why the reader's spans would be in some runs too often or never; none where the choice is even.

    The reader takes about the same one of every so many frames, and frames are chosen for tracing by their number:
    where both counts share a divisor, the start of the reader decides whether it is ever traced.

    Args:
        spec: What the stack is.
    """
    load, every = spec.application.load, spec.tracing.sample_every
    if load is None or not spec.tracing.enabled:
        return None
    # As decimal numbers, as they are written: 3 × 0.1 is no whole number in binary ones.
    step = Fraction(str(load.rate_hz)) * Fraction(str(load.trigger_period_s))
    shared = gcd(every, step.numerator)
    if step.denominator != 1 or shared == 1:
        return None
    better = next(number for number in range(every + 1, every + step.numerator + 2) if gcd(number, step.numerator) == 1)
    return (
        f"{SECTION}.tracing.sampleEvery: is {every}, and the reader takes one frame in {step.numerator} (rateHz × "
        f"triggerPeriodS): both are multiples of {shared}, so its spans may be in {shared} times as many traces as "
        f"they should be, or in none. Set it to {better}"
    )


def observed(
    stack: str, spec: StackSpec, namespace: str, decided: TelemetryPlan | None, known: outputs.Observability | None
) -> outputs.Observability | None:
    """What the stack's output says of its observability, with its traces and lines.

    Args:
        stack: Name of the stack.
        spec: What the stack is.
        namespace: The platform's namespace.
        decided: What is deployed.
        known: What it says without them; None where nothing else is observed.
    """
    found: dict[str, outputs.ProgramEndpoint] = {}
    if decided is not None and jaeger.IMAGE in decided.images:
        found["jaeger"] = _endpoint(stack, namespace, jaeger.COMPONENT, jaeger.QUERY_PORT)
    if decided is not None and loki.IMAGE in decided.images:
        found["loki"] = _endpoint(stack, namespace, loki.COMPONENT, loki.PORT)
    elif spec.logs.mode == "external" and spec.logs.external.kind == "loki":
        found["loki"] = outputs.ProgramEndpoint(url=spec.logs.external.url)
    if not found:
        return known
    return (known or outputs.Observability(mode="none")).model_copy(update=found)


def _endpoint(stack: str, namespace: str, component: str, port: int) -> outputs.ProgramEndpoint:
    return outputs.ProgramEndpoint(namespace=namespace, labels=labels.selector(stack, component=component), port=port)
