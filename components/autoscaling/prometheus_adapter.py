"""prometheus-adapter: answers the API server's questions for custom and external metrics with queries to Prometheus.

Sources: kubernetes-sigs/prometheus-adapter `deploy/manifests/`, v0.12.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import yaml

from components import manifest
from components.autoscaling.adapter_rules import configuration as rules
from components.autoscaling.aggregated_api import CERTIFICATE, KEY, PORT_NAME, ApiVersion, Certified, certified, serve
from components.autoscaling.reading_program import ReadingArgs, ReadingProgram
from components.configuration import configuration
from components.graph import Resources
from components.namespace import Namespace
from components.program import Health, Program

COMPONENT = "prometheus-adapter"
IMAGE = "prometheus-adapter"
PORT = 6443
CONFIGURATION_DIRECTORY = "/etc/adapter"
CONFIGURATION_FILE = "config.yaml"
CERTIFICATE_DIRECTORY = "/etc/certificate"
CUSTOM, EXTERNAL = "custom.metrics.k8s.io", "external.metrics.k8s.io"
VERSIONS = (
    ApiVersion(group=CUSTOM, version="v1beta1", priority=100),
    ApiVersion(group=CUSTOM, version="v1beta2", priority=200),
    ApiVersion(group=EXTERNAL, version="v1beta1", priority=100),
)
"""What it answers for."""
# It fetches the list of known series this often; a new experiment is known that much later.
RELIST_S = 10
# A series that was there within this time is known: longer than a recorder's restart.
MAX_AGE_S = 120
READ = [{"apiGroups": [""], "resources": ["namespaces", "pods"], "verbs": ["get", "list", "watch"]}]
"""For metrics of pods it lists them by labels; upstream's role reads nodes and services, too, which no rule names."""


@dataclass(frozen=True, kw_only=True)
class ExistingCertificate:
    """A certificate that somebody else makes: a Secret of type kubernetes.io/tls, and the PEM of its authority."""

    secret: str
    authority: bytes


@dataclass(frozen=True, kw_only=True)
class PrometheusAdapterArgs:
    """What the adapter needs.

    Attributes:
        namespace: Where it runs.
        image: Reference by digest.
        prometheus_url: Whom it asks.
        prometheus: Component and port of the stack's own Prometheus; none where it is somebody else's.
        calls_out: TCP port of somebody else's Prometheus.
        resources: What it asks of its machine.
        api_server_ports: Ports of the API server.
        existing: Certificate that somebody else makes.
        generation: Number of the certificate that the stack makes; another number is another certificate.
        depends_on: What must be there before.
    """

    namespace: Namespace
    image: str
    prometheus_url: str
    resources: Resources
    api_server_ports: Sequence[int]
    prometheus: tuple[str, int] | None = None
    calls_out: int | None = None
    existing: ExistingCertificate | None = None
    generation: int = 1
    depends_on: Sequence[pulumi.Resource] = ()


class PrometheusAdapter(pulumi.ComponentResource):
    """The adapter, its certificate, and the APIServices by which the API server finds and checks it."""

    def __init__(self, name: str, args: PrometheusAdapterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:PrometheusAdapter", name, None, opts)
        namespace = args.namespace
        trusted = self._certified(args)
        configured = configuration(
            COMPONENT,
            {CONFIGURATION_FILE: yaml.safe_dump(rules(), sort_keys=False, width=1000)},
            namespace=namespace,
            component=COMPONENT,
            parent=self,
        )
        running = ReadingProgram(
            COMPONENT,
            ReadingArgs(
                namespace=namespace,
                program=program(args, configured, trusted.secret),
                rules=READ,
                api_server_ports=args.api_server_ports,
                serves=True,
                talks_to=dict([args.prometheus]) if args.prometheus else {},
                calls_out=[args.calls_out] if args.calls_out is not None else [],
                depends_on=args.depends_on,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        asked_by = "ros2bench:spec.autoscaling.adapter.enabled"
        serve(running, COMPONENT, namespace, VERSIONS, trusted.authority, asked_by=asked_by, parent=self)
        self.register_outputs({"deployment": manifest.created_name(running.deployment)})

    def _certified(self, args: PrometheusAdapterArgs) -> Certified:
        if args.existing is not None:
            authority = b64encode(args.existing.authority).decode("ascii")
            return Certified(secret=args.existing.secret, authority=authority)
        return certified(COMPONENT, args.namespace, self, name=f"{COMPONENT}-certificate-{args.generation}")


def program(args: PrometheusAdapterArgs, configured: pulumi.Input[str], secret: pulumi.Input[str]) -> Program:
    """The adapter as a program: flags, files, and how the cluster asks whether it works."""
    return Program(
        name=COMPONENT,
        image=args.image,
        args=arguments(args.prometheus_url),
        ports={PORT_NAME: PORT},
        health=Health(port=PORT_NAME, ready="/readyz", alive="/livez", scheme="HTTPS"),
        resources=args.resources,
        volumes=[
            {"name": "configuration", "configMap": {"name": configured}},
            {"name": "certificate", "secret": {"secretName": secret, "defaultMode": 0o440}},
            {"name": "temporary", "emptyDir": {"sizeLimit": "16Mi"}},
        ],
        mounts=[
            {"name": "configuration", "mountPath": CONFIGURATION_DIRECTORY, "readOnly": True},
            {"name": "certificate", "mountPath": CERTIFICATE_DIRECTORY, "readOnly": True},
            {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108 - the mount itself
        ],
    )


def arguments(prometheus_url: str) -> tuple[str, ...]:
    """Arguments of the adapter."""
    return (
        f"--secure-port={PORT}",
        f"--tls-cert-file={CERTIFICATE_DIRECTORY}/{CERTIFICATE}",
        f"--tls-private-key-file={CERTIFICATE_DIRECTORY}/{KEY}",
        "--tls-min-version=VersionTLS12",
        f"--config={CONFIGURATION_DIRECTORY}/{CONFIGURATION_FILE}",
        f"--prometheus-url={prometheus_url}",
        f"--metrics-relist-interval={RELIST_S}s",
        f"--metrics-max-age={MAX_AGE_S}s",
    )
