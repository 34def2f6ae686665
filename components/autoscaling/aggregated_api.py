"""A server behind the API server (an aggregated API): its certificate, its Service, and who sends questions to it.

The API server checks the certificate. The private key is made with the stack, is in the stack's state as an encrypted
value only, and in the cluster in one Secret. Source: Kubernetes documentation, "Configure the Aggregation Layer".
"""

import datetime as dt
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi

from components import labels, manifest
from components.autoscaling import certificate
from components.autoscaling.reading_program import ReadingProgram
from components.namespace import Namespace

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"
PORT_NAME = "https"
GROUP_PRIORITY = 100


@dataclass(frozen=True, kw_only=True)
class ApiVersion:
    """A version of an API group that the server answers for; the highest `priority` of a group comes first."""

    group: str
    version: str
    priority: int = 100

    @property
    def name(self) -> str:
        """Name of its APIService."""
        return f"{self.version}.{self.group}"


@dataclass(frozen=True, kw_only=True)
class Certified:
    """Name of the Secret with a server's certificate, and the PEM in Base64 of the authority that vouches for it."""

    secret: pulumi.Input[str]
    authority: pulumi.Input[str]


def certified(component: str, namespace: Namespace, parent: pulumi.Resource, *, name: str) -> Certified:
    """Make a server's certificate and the Secret that holds it.

    Args:
        component: Name of the server, and of its Service.
        namespace: Where it runs.
        parent: The component that needs it.
        name: Logical name of the Secret; another name is another certificate.
    """
    made = certificate.made(f"{component}.{namespace.name}.svc", dt.datetime.now(dt.UTC))
    rendered = secret_manifest(namespace.metadata(name=component, component=component), made)
    # What is in the state stays: each run of the program makes another certificate, of which the first is kept.
    kept = pulumi.ResourceOptions(ignore_changes=["data"], additional_secret_outputs=["data"])
    secret = manifest.create(name, rendered, pulumi.ResourceOptions.merge(namespace.options(parent), kept))
    data = cast("pulumi.Output[Mapping[str, str]]", cast("Any", secret).data)
    authority = pulumi.Output.unsecret(data.apply(lambda found: found[AUTHORITY]))
    return Certified(secret=manifest.created_name(secret), authority=authority)


def serve(
    running: ReadingProgram,
    component: str,
    namespace: Namespace,
    versions: Sequence[ApiVersion],
    authority: pulumi.Input[str],
    *,
    asked_by: str,
    parent: pulumi.Resource,
) -> None:
    """Let the API server send the questions of API groups to a program.

    Args:
        running: The program; it listens on a port named `https`.
        component: Its name, and its Service's.
        namespace: Where it runs.
        versions: What it answers for.
        authority: PEM in Base64 of the authority of its certificate.
        asked_by: Key of the stack file that asks for it.
        parent: The component that registers all of it.
    """
    service = manifest.create(component, service_manifest(component, namespace, asked_by), namespace.options(parent))
    who_calls = [
        running.bind("ClusterRoleBinding", f"{component}-delegator", "ClusterRole", "system:auth-delegator"),
        running.bind(
            "RoleBinding",
            f"{component}-authentication-reader",
            "Role",
            "extension-apiserver-authentication-reader",
            namespace="kube-system",
        ),
    ]
    # Gone before its server: the API server deletes no namespace while it cannot ask who serves a group.
    options = pulumi.ResourceOptions(
        parent=parent,
        depends_on=[running.deployment, service, namespace.resource, *who_calls],
        delete_before_replace=True,
    )
    for served in versions:
        spec = api_service_spec(served, component, namespace.name, authority)
        rendered: manifest.Manifest = {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": running.cluster_metadata(name=served.name),
            "spec": spec,
        }
        manifest.create(served.name, rendered, options)


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


def service_manifest(component: str, namespace: Namespace, asked_by: str) -> manifest.Manifest:
    """Service that the API server calls; its name is in the certificate, so that nobody else makes it up."""
    annotations = {**manifest.SKIP_AWAIT, labels.ASKED_BY: asked_by}
    metadata = namespace.metadata(name=component, component=component, annotations=annotations)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata | {"name": component},
        "spec": {
            "selector": labels.selector(namespace.stack, component=component),
            "ports": [{"name": PORT_NAME, "port": 443, "targetPort": PORT_NAME, "protocol": "TCP"}],
        },
    }


def api_service_spec(
    served: ApiVersion, service: str, namespace: str, authority: pulumi.Input[str]
) -> manifest.Manifest:
    """The API server asks this Service for the group, and believes only a certificate of this authority."""
    return {
        "group": served.group,
        "version": served.version,
        "groupPriorityMinimum": GROUP_PRIORITY,
        "versionPriority": served.priority,
        "caBundle": authority,
        "service": {"name": service, "namespace": namespace, "port": 443},
    }
