"""metrics-server, where a cluster has no `metrics.k8s.io`: what `kubectl top` and autoscaling on resources need.

Certificates are checked both ways: the API server checks this server's, and this server checks the kubelets' against
the cluster's own authority. A cluster whose kubelets sign their own certificates needs `serverTLSBootstrap` first.
Source: kubernetes-sigs/metrics-server `manifests/base`.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi

from components import labels, manifest
from components.autoscaling import certificate
from components.autoscaling.prometheus_adapter import AUTHORITY, CERTIFICATE, KEY, secret_manifest
from components.autoscaling.reading_program import ReadingArgs, ReadingProgram
from components.graph import Resources
from components.namespace import Namespace
from components.program import Health, Program

COMPONENT = "metrics-server"
IMAGE = "metrics-server"
GROUP, VERSION = "metrics.k8s.io", "v1beta1"
PORT = 10250
KUBELET_PORT = 10250
CERTIFICATE_FOLDER = "/certificate"
CLUSTER_AUTHORITY = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
RESOURCES = Resources(cpu_request_millicores=25, memory_request_mebibytes=64, memory_limit_mebibytes=256)
ROLE_RULES: tuple[manifest.Manifest, ...] = (
    {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list", "watch"]},
)


@dataclass(frozen=True, kw_only=True)
class MetricsServerArgs:
    """Where it runs. `api_server_ports` are the ports of the API server; `asked_by` the key that asks for it."""

    namespace: Namespace
    image: str
    api_server_ports: Sequence[int]
    asked_by: str


class MetricsServer(pulumi.ComponentResource):
    """The server, its certificate, and the APIService by which the API server finds and checks it."""

    def __init__(self, name: str, args: MetricsServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:MetricsServer", name, None, opts)
        namespace = args.namespace
        made = certificate.made(f"{COMPONENT}.{namespace.name}.svc", dt.datetime.now(dt.UTC))
        rendered = secret_manifest(namespace.metadata(name=COMPONENT, component=COMPONENT), made)
        # Each run of the program makes another certificate, of which the first is kept.
        kept = pulumi.ResourceOptions(ignore_changes=["data"], additional_secret_outputs=["data"])
        secret = manifest.create(COMPONENT, rendered, pulumi.ResourceOptions.merge(namespace.options(self), kept))
        service = manifest.create(COMPONENT, service_manifest(namespace, args.asked_by), namespace.options(self))
        running = ReadingProgram(
            COMPONENT,
            ReadingArgs(
                namespace=namespace,
                program=program(args.image, manifest.created_name(secret)),
                rules=ROLE_RULES,
                api_server_ports=args.api_server_ports,
                serves=True,
                calls_out=[KUBELET_PORT],
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
        data = cast("pulumi.Output[Mapping[str, str]]", cast("Any", secret).data)
        authority = pulumi.Output.unsecret(data.apply(lambda found: found[AUTHORITY]))
        # Gone before its server: the API server deletes no namespace while it cannot ask who serves a group.
        manifest.create(
            f"{VERSION}.{GROUP}",
            api_service_manifest(running.cluster_metadata(name=f"{VERSION}.{GROUP}"), namespace, authority),
            pulumi.ResourceOptions(
                parent=self,
                depends_on=[running.deployment, service, namespace.resource, *who_calls],
                delete_before_replace=True,
            ),
        )
        self.register_outputs({"deployment": manifest.created_name(running.deployment)})


def program(image: str, secret: pulumi.Input[str]) -> Program:
    """metrics-server as a program.

    Args:
        image: Reference by digest.
        secret: Name of the Secret with its certificate.
    """
    return Program(
        name=COMPONENT,
        image=image,
        args=(
            f"--secure-port={PORT}",
            f"--tls-cert-file={CERTIFICATE_FOLDER}/{CERTIFICATE}",
            f"--tls-private-key-file={CERTIFICATE_FOLDER}/{KEY}",
            f"--kubelet-certificate-authority={CLUSTER_AUTHORITY}",
            "--kubelet-preferred-address-types=InternalIP,Hostname",
            "--kubelet-use-node-status-port",
            "--metric-resolution=15s",
        ),
        ports={"https": PORT},
        health=Health(port="https", ready="/readyz", alive="/livez", scheme="HTTPS"),
        resources=RESOURCES,
        volumes=[{"name": "certificate", "secret": {"secretName": secret, "defaultMode": 0o440}}],
        mounts=[{"name": "certificate", "mountPath": CERTIFICATE_FOLDER, "readOnly": True}],
    )


def service_manifest(namespace: Namespace, asked_by: str) -> manifest.Manifest:
    """Service that the API server calls; its name is in the certificate, so that nobody else makes it up."""
    annotations = {**manifest.SKIP_AWAIT, labels.ASKED_BY: asked_by}
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
    metadata: Mapping[str, Any], namespace: Namespace, authority: pulumi.Input[str]
) -> manifest.Manifest:
    """APIService: the API server asks this server for the group, and believes only a certificate of this authority."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": dict(metadata),
        "spec": {
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "caBundle": authority,
            "service": {"name": COMPONENT, "namespace": namespace.name, "port": 443},
        },
    }
