"""prometheus-adapter: answers the API server's questions for custom and external metrics with queries to Prometheus.

The API server checks its certificate. The private key is made with the stack, is in the stack's state as an encrypted
value only, and in the cluster in one Secret. Sources: kubernetes-sigs/prometheus-adapter `deploy/manifests/`, v0.12.
"""

import datetime as dt
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi
import yaml

from components import labels, manifest
from components.autoscaling import certificate
from components.autoscaling.adapter_rules import configuration as rules
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
CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"
CUSTOM, EXTERNAL = "custom.metrics.k8s.io", "external.metrics.k8s.io"
VERSIONS: tuple[tuple[str, str, int], ...] = (
    (CUSTOM, "v1beta1", 100),
    (CUSTOM, "v1beta2", 200),
    (EXTERNAL, "v1beta1", 100),
)
"""Groups and versions that it serves, and which version comes first."""
GROUP_PRIORITY = 100
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
        self._args = args
        namespace = args.namespace
        secret, authority = self._certified()
        configured = configuration(
            COMPONENT,
            {CONFIGURATION_FILE: yaml.safe_dump(rules(), sort_keys=False, width=1000)},
            namespace=namespace,
            component=COMPONENT,
            parent=self,
        )
        service = manifest.create(COMPONENT, service_manifest(namespace), namespace.options(self))
        running = ReadingProgram(
            COMPONENT,
            ReadingArgs(
                namespace=namespace,
                program=program(args, configured, secret),
                rules=READ,
                api_server_ports=args.api_server_ports,
                serves=True,
                talks_to=dict([args.prometheus]) if args.prometheus else {},
                calls_out=[args.calls_out] if args.calls_out is not None else [],
                depends_on=args.depends_on,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        who_calls = [
            running.bind("ClusterRoleBinding", f"{COMPONENT}-delegator", "ClusterRole", "system:auth-delegator"),
            running.bind(
                "RoleBinding",
                f"{COMPONENT}-authentication-reader",
                "Role",
                "extension-apiserver-authentication-reader",
                namespace="kube-system",
            ),
        ]
        for group, version, priority in VERSIONS:
            # Gone before its server: the API server deletes no namespace while it cannot ask who serves a group.
            manifest.create(
                f"{version}.{group}",
                api_service_manifest(
                    running.cluster_metadata(name=f"{version}.{group}"), namespace, group, version, priority, authority
                ),
                pulumi.ResourceOptions(
                    parent=self,
                    depends_on=[running.deployment, service, namespace.resource, *who_calls],
                    delete_before_replace=True,
                ),
            )
        self.register_outputs({"deployment": manifest.created_name(running.deployment)})

    def _certified(self) -> tuple[pulumi.Input[str], pulumi.Input[str]]:
        """Name of the Secret with the certificate, and the authority's PEM in Base64."""
        existing, namespace = self._args.existing, self._args.namespace
        if existing is not None:
            return existing.secret, b64encode(existing.authority).decode("ascii")
        made = certificate.made(dns_name(namespace.name), dt.datetime.now(dt.UTC))
        logical = f"{COMPONENT}-certificate-{self._args.generation}"
        rendered = secret_manifest(namespace.metadata(name=COMPONENT, component=COMPONENT), made)
        # What is in the state stays: each run of the program makes another certificate, of which the first is kept.
        kept = pulumi.ResourceOptions(ignore_changes=["data"], additional_secret_outputs=["data"])
        secret = manifest.create(logical, rendered, pulumi.ResourceOptions.merge(namespace.options(self), kept))
        data = cast("pulumi.Output[Mapping[str, str]]", cast("Any", secret).data)
        return manifest.created_name(secret), pulumi.Output.unsecret(data.apply(lambda found: found[AUTHORITY]))


def dns_name(namespace: str) -> str:
    """Name by which the API server calls the adapter, and which its certificate must have."""
    return f"{COMPONENT}.{namespace}.svc"


def secret_manifest(metadata: Mapping[str, Any], made: certificate.ServerCertificate) -> manifest.Manifest:
    """Secret with certificate, key and authority; the key enters the state encrypted."""
    files = {CERTIFICATE: made.certificate, KEY: made.key, AUTHORITY: made.authority}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": dict(metadata),
        "type": "kubernetes.io/tls",
        "immutable": True,
        "data": {name: pulumi.Output.secret(b64encode(text).decode("ascii")) for name, text in files.items()},
    }


def program(args: PrometheusAdapterArgs, configured: pulumi.Input[str], secret: pulumi.Input[str]) -> Program:
    """The adapter as a program: flags, files, and how the cluster asks whether it works."""
    return Program(
        name=COMPONENT,
        image=args.image,
        args=arguments(args.prometheus_url),
        ports={"https": PORT},
        health=Health(port="https", ready="/readyz", alive="/livez", scheme="HTTPS"),
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


def service_manifest(namespace: Namespace) -> manifest.Manifest:
    """Service that the API server calls; its name is in the certificate, so that nobody else makes it up."""
    annotations = {**manifest.SKIP_AWAIT, labels.ASKED_BY: "ros2bench:spec.autoscaling.adapter.enabled"}
    metadata = namespace.metadata(name=COMPONENT, component=COMPONENT, annotations=annotations)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata | {"name": COMPONENT},
        "spec": {
            "selector": labels.selector(namespace.stack, component=COMPONENT),
            "ports": [{"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP"}],
        },
    }


def api_service_manifest(
    metadata: Mapping[str, Any],
    namespace: Namespace,
    group: str,
    version: str,
    priority: int,
    authority: pulumi.Input[str],
) -> manifest.Manifest:
    """APIService: the API server asks the adapter for a group, and believes only a certificate of this authority."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": dict(metadata),
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": GROUP_PRIORITY,
            "versionPriority": priority,
            "caBundle": authority,
            "service": {"name": COMPONENT, "namespace": namespace.name, "port": 443},
        },
    }
