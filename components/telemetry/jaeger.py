"""Jaeger, all in one program: takes spans by OTLP over HTTP, keeps the newest traces in memory, answers who asks.

Traces end with its pod. It is asked through the API server (`python -m probes.traces`, `kubectl port-forward`).
"""

from dataclasses import dataclass

import pulumi

from components import labels, manifest, policies
from components.graph import Resources
from components.namespace import Namespace
from components.program import METRICS, Health, Program, deployment_manifest, service_manifest
from components.telemetry.endpoint import taken_from

COMPONENT = "jaeger"
IMAGE = "jaeger"
"""Name in the lock of third-party images."""
OTLP_PORT = 4318
QUERY_PORT = 16686
ADMIN_PORT = 14269
NOWHERE = "127.0.0.1"
"""Receivers and servers that nobody needs listen inside the pod alone: the program cannot be told to leave them out."""
MEMORY_SHARE = 0.9


@dataclass(frozen=True, kw_only=True)
class JaegerArgs:
    """What it is made of, and how many traces it keeps."""

    namespace: Namespace
    image: str
    max_traces: int
    resources: Resources


class Jaeger(pulumi.ComponentResource):
    """Deployment of Jaeger, the name under which nodes send to it, and the ways that the network leaves open."""

    def __init__(self, name: str, args: JaegerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Jaeger", name, None, opts)
        namespace = args.namespace
        made = policies.create(policy_specs(namespace.stack), namespace, self)
        runs = program(args)
        manifest.create(COMPONENT, service_manifest(namespace, runs), namespace.options(self))
        metadata = namespace.metadata(name=COMPONENT, component=COMPONENT)
        deployed = deployment_manifest(metadata, namespace.stack, runs)
        self.deployment = namespace.deploy(COMPONENT, deployed, self, depends_on=made)
        self.register_outputs({"deployment": manifest.created_name(self.deployment)})


def program(args: JaegerArgs) -> Program:
    """Jaeger as a program."""
    limit_bytes = int(args.resources.memory_limit_mebibytes * 1024 * 1024 * MEMORY_SHARE)
    return Program(
        name=COMPONENT,
        image=args.image,
        args=arguments(args.max_traces),
        ports={METRICS: ADMIN_PORT, "otlp": OTLP_PORT, "query": QUERY_PORT},
        health=Health(port=METRICS, ready="/", alive="/"),
        resources=args.resources,
        environment=[
            {"name": "SPAN_STORAGE_TYPE", "value": "memory"},
            # It would trace the questions that it is asked, and keep those traces among ours.
            {"name": "OTEL_TRACES_SAMPLER", "value": "always_off"},
            {"name": "GOMEMLIMIT", "value": str(limit_bytes)},
        ],
    )


def arguments(max_traces: int) -> tuple[str, ...]:
    """Arguments of Jaeger 1.62, all in one."""
    return (
        f"--memory.max-traces={max_traces}",
        "--collector.otlp.enabled=true",
        f"--collector.otlp.http.host-port=:{OTLP_PORT}",
        f"--collector.otlp.grpc.host-port={NOWHERE}:4317",
        f"--collector.http-server.host-port={NOWHERE}:14268",
        f"--collector.grpc-server.host-port={NOWHERE}:14250",
        # The agent that is part of it, and takes what older clients send.
        f"--http-server.host-port={NOWHERE}:5778",
        f"--processor.zipkin-compact.server-host-port={NOWHERE}:5775",
        f"--processor.jaeger-compact.server-host-port={NOWHERE}:6831",
        f"--processor.jaeger-binary.server-host-port={NOWHERE}:6832",
        f"--query.http-server.host-port=:{QUERY_PORT}",
        f"--query.grpc-server.host-port={NOWHERE}:16685",
        f"--admin.http.host-port=:{ADMIN_PORT}",
        "--log-level=warn",
    )


def policy_specs(stack: str) -> dict[str, policies.Spec]:
    """Applications of our namespaces send spans, its own namespace asks, its metrics are read."""
    pods = labels.selector(stack, component=COMPONENT)
    return {
        "allow-traces": taken_from(pods, "application", OTLP_PORT),
        "allow-trace-queries": {
            "podSelector": {"matchLabels": pods},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [policies.SAME_NAMESPACE], "ports": [{"protocol": "TCP", "port": QUERY_PORT}]}],
        },
        f"allow-{COMPONENT}-metrics": policies.scraped(pods, [ADMIN_PORT]),
    }
