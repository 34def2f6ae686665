"""A program of the platform that reads the cluster: account, role, Deployment, and what its network lets pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components import labels, manifest, policies
from components.namespace import Namespace
from components.program import Program, Reading, account_manifest, deployment_manifest

RBAC_GROUP = "rbac.authorization.k8s.io"
RBAC = f"{RBAC_GROUP}/v1"


@dataclass(frozen=True, kw_only=True)
class ReadingArgs:
    """One such program.

    Attributes:
        namespace: Where it runs.
        program: What runs.
        rules: Rules of its ClusterRole.
        api_server_ports: Ports of the API server, whose address no policy can name.
        serves: Whether somebody outside our namespaces calls its ports: the API server, from a machine's address.
        talks_to: Components of the same namespace, and the TCP port on which it calls each.
        calls_out: TCP ports of addresses outside the cluster that it calls.
        depends_on: What must be there before its pod starts.
    """

    namespace: Namespace
    program: Program
    rules: Sequence[manifest.Manifest]
    api_server_ports: Sequence[int]
    serves: bool = False
    talks_to: Mapping[str, int] = field(default_factory=dict[str, int])
    calls_out: Sequence[int] = ()
    depends_on: Sequence[pulumi.Resource] = ()


class ReadingProgram(pulumi.ComponentResource):
    """Everything that one such program consists of; its account is made before anything that is bound to it."""

    def __init__(self, name: str, args: ReadingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:ReadingProgram", name, None, opts)
        self._args = args
        namespace, component = args.namespace, args.program.name
        metadata = namespace.metadata(name=component, component=component)
        account = manifest.create(component, account_manifest(metadata), namespace.options(self))
        self.account = manifest.created_name(account)
        rule = {
            "apiVersion": RBAC,
            "kind": "ClusterRole",
            "metadata": self.cluster_metadata(),
            "rules": list(args.rules),
        }
        role = manifest.create(component, rule, pulumi.ResourceOptions(parent=self))
        bound = self.bind("ClusterRoleBinding", component, "ClusterRole", manifest.created_name(role))
        allowed = policies.create(policy_specs(args), namespace, self)
        self.deployment = namespace.deploy(
            component,
            deployment_manifest(metadata, namespace.stack, args.program, Reading(account=self.account)),
            self,
            depends_on=[bound, *allowed, *args.depends_on],
        )
        self.register_outputs({"deployment": manifest.created_name(self.deployment)})

    def cluster_metadata(self, **more: Any) -> dict[str, Any]:
        """Metadata of an object of the program that is in no namespace of ours."""
        component = self._args.program.name
        found = labels.labels(self._args.namespace.stack, name=component, component=component)
        return {"labels": found, **more}

    def bind(
        self, kind: str, name: str, role_kind: str, role: pulumi.Input[str], *, namespace: str | None = None
    ) -> pulumi.CustomResource:
        """Give a role to the program's account.

        Args:
            kind: `ClusterRoleBinding`, or `RoleBinding` in a namespace.
            name: Logical name.
            role_kind: `ClusterRole` or `Role`.
            role: Name of the role.
            namespace: Where a RoleBinding holds.
        """
        rendered: manifest.Manifest = {
            "apiVersion": RBAC,
            "kind": kind,
            "metadata": self.cluster_metadata(**({"namespace": namespace} if namespace else {})),
            "roleRef": {"apiGroup": RBAC_GROUP, "kind": role_kind, "name": role},
            "subjects": [
                {"kind": "ServiceAccount", "name": self.account, "namespace": self._args.namespace.created_name}
            ],
        }
        return manifest.create(name, rendered, pulumi.ResourceOptions(parent=self))


def policy_specs(args: ReadingArgs) -> dict[str, policies.Spec]:
    """NetworkPolicies of the program by name; names are looked up as everywhere in the namespace."""
    stack, component = args.namespace.stack, args.program.name
    own = {"podSelector": {"matchLabels": labels.selector(stack, component=component)}}
    # The API server is no pod, and a machine's address is nobody's label: only the port can be named.
    egress: list[policies.Spec] = [{"ports": _tcp([*args.api_server_ports, *args.calls_out])}]
    specs: dict[str, policies.Spec] = {}
    for other, port in args.talks_to.items():
        there = {"podSelector": {"matchLabels": labels.selector(stack, component=other)}}
        egress.append({"to": [there], "ports": _tcp([port])})
        specs[f"allow-{component}-to-{other}"] = {
            **there,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [own], "ports": _tcp([port])}],
        }
    specs[f"allow-{component}"] = {**own, "policyTypes": ["Egress"], "egress": egress}
    if args.serves:
        specs[f"allow-{component}-calls"] = {
            **own,
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": _tcp(list(args.program.ports.values()))}],
        }
    return specs


def _tcp(ports: Sequence[int]) -> list[policies.Spec]:
    return [{"protocol": "TCP", "port": port} for port in dict.fromkeys(ports)]
