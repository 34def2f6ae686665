"""metrics-server, where a cluster has no `metrics.k8s.io`: what `kubectl top` and autoscaling on resources need.

Certificates are checked both ways: the API server checks this server's, and this server checks the kubelets' against
the cluster's own authority. A cluster whose kubelets sign their own certificates needs `serverTLSBootstrap` first.
Source: kubernetes-sigs/metrics-server `manifests/base`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import manifest
from components.autoscaling.aggregated_api import CERTIFICATE, KEY, PORT_NAME, ApiVersion, certified, serve
from components.autoscaling.reading_program import ReadingArgs, ReadingProgram
from components.graph import Resources
from components.namespace import Namespace
from components.program import Health, Program

COMPONENT = "metrics-server"
IMAGE = "metrics-server"
SERVED = ApiVersion(group="metrics.k8s.io", version="v1beta1")
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
        trusted = certified(COMPONENT, namespace, self, name=COMPONENT)
        running = ReadingProgram(
            COMPONENT,
            ReadingArgs(
                namespace=namespace,
                program=program(args.image, trusted.secret),
                rules=ROLE_RULES,
                api_server_ports=args.api_server_ports,
                serves=True,
                calls_out=[KUBELET_PORT],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        serve(running, COMPONENT, namespace, [SERVED], trusted.authority, asked_by=args.asked_by, parent=self)
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
        ports={PORT_NAME: PORT},
        health=Health(port=PORT_NAME, ready="/readyz", alive="/livez", scheme="HTTPS"),
        resources=RESOURCES,
        volumes=[{"name": "certificate", "secret": {"secretName": secret, "defaultMode": 0o440}}],
        mounts=[{"name": "certificate", "mountPath": CERTIFICATE_FOLDER, "readOnly": True}],
    )
