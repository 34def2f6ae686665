"""Ways in for traffic that is not DDS: Service, load balancer or Ingress of a pod's ports.

The NetworkPolicies that let it pass are made with all others, in `components.policies`.
"""

from collections.abc import Mapping, Sequence

import pulumi

from components import labels, manifest
from components.namespace import Namespace
from components.needs import Port

COMPONENT = "application"
GROUPS = ("cluster", "load-balancer", "ingress")


class Exposure(pulumi.ComponentResource):
    """Everything through which the ports of one pod are reached; nothing where no port asks for it."""

    def __init__(
        self,
        name: str,
        ports: Sequence[Port],
        namespace: Namespace,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("ros2bench:components:Exposure", name, None, opts)
        selector = labels.selector(namespace.stack, component=COMPONENT, name=name)
        asked = {labels.ASKED_BY: f"ros2bench:spec.application.nodes ports {', '.join(port.name for port in ports)}"}
        for group in GROUPS:
            chosen = [port for port in ports if port.expose == group]
            if not chosen:
                continue
            # Not the pod's own name: that is the headless Service by which its peers find it.
            logical = f"{name}-{group}"
            metadata = namespace.metadata(name=name, component=COMPONENT, annotations={**manifest.SKIP_AWAIT, **asked})
            service = manifest.create(
                logical,
                {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service_spec(chosen, selector)},
                namespace.options(self),
            )
            if group == "ingress":
                self._ingress(logical, chosen, namespace, metadata, manifest.created_name(service))
        self.register_outputs({"ports": [port.name for port in ports if port.expose != "pod"]})

    def _ingress(
        self,
        logical: str,
        ports: Sequence[Port],
        namespace: Namespace,
        metadata: manifest.Manifest,
        service: pulumi.Output[str],
    ) -> None:
        rendered = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": metadata,
            "spec": ingress_spec(ports, service),
        }
        manifest.create(logical, rendered, namespace.options(self))


def exposed(ports: Sequence[Port]) -> bool:
    """Whether anything outside the pod is to reach one of its ports."""
    return any(port.expose != "pod" for port in ports)


def service_spec(ports: Sequence[Port], selector: Mapping[str, str]) -> manifest.Manifest:
    """Service in front of ports of one kind."""
    kind = "LoadBalancer" if ports[0].expose == "load-balancer" else "ClusterIP"
    return {
        "type": kind,
        "selector": dict(selector),
        "ports": [
            {"name": port.name, "protocol": port.protocol, "port": port.port, "targetPort": port.name} for port in ports
        ],
    }


def ingress_spec(ports: Sequence[Port], service: pulumi.Input[str]) -> manifest.Manifest:
    """Ingress with one rule for each port."""
    spec: manifest.Manifest = {
        "rules": [
            {
                **({"host": port.host} if port.host else {}),
                "http": {
                    "paths": [
                        {
                            "path": port.path,
                            "pathType": "Prefix",
                            "backend": {"service": {"name": service, "port": {"name": port.name}}},
                        }
                    ]
                },
            }
            for port in ports
        ]
    }
    if classes := [port.ingress_class for port in ports if port.ingress_class]:
        spec["ingressClassName"] = classes[0]
    if certified := [port for port in ports if port.tls_secret]:
        spec["tls"] = [{"hosts": [port.host] if port.host else [], "secretName": port.tls_secret} for port in certified]
    return spec
