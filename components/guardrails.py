"""Rules that every object must pass before it is sent to a cluster, as plain functions on rendered manifests.

They run in every preview, on every object, whatever pattern or user patch produced it. A rule reads a
manifest and yields one sentence for each violation; it never reads values that are known only after deployment.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from components import cluster_access, machine_access, pod_security, secrecy
from components.labels import ASKED_BY, DOMAIN, MACHINE_ACCESS, NETWORK, PART_OF, STACK, WHY_PRIVILEGED
from components.refusal import Refusal

Manifest = Mapping[str, Any]
Rule = Callable[[Manifest], Iterator[str]]

DIGEST_REFERENCE = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
LATEST = re.compile(r":latest(@|$)")
VOLUME_TYPES = frozenset(
    {
        "configMap",
        "emptyDir",
        "secret",
        "projected",
        "downwardAPI",
        "csi",
        "ephemeral",
        "persistentVolumeClaim",
        "image",
    }
)
ROS_VARIABLES = ("ROS_DOMAIN_ID", "RMW_IMPLEMENTATION", "ROS_MASTER_URI", "ROS_DISCOVERY_SERVER", "ROS_STATIC_PEERS")
DISCOVERY_PORTS = (11811, 11311)
"""Discovery server and ROS 1 master: both tell addresses to others, which a translation makes wrong."""
DDS_PORTS = (7000, 32899)
"""From the first flow port of Fast DDS to the last port of domain 101, for an object that names no domain."""
EXPOSING = ("NodePort", "LoadBalancer", "ExternalName")


def labelled(manifest: Manifest) -> Iterator[str]:
    """Everything carries the labels by which it is found and cleaned up."""
    found = labels_of(manifest)
    if not found.get(STACK):
        yield f"has no label {STACK}"
    if found.get("app.kubernetes.io/part-of") != PART_OF:
        yield f"has no label app.kubernetes.io/part-of={PART_OF}"


def images_by_digest(manifest: Manifest) -> Iterator[str]:
    """A tag can move between two runs; a digest cannot."""
    mounted = [volume for volume in pod_spec(manifest).get("volumes", []) if "image" in volume]
    named = [
        *((f"container {container.get('name')}", container.get("image")) for container in containers(manifest)),
        *((f"volume {volume['name']}", volume["image"].get("reference")) for volume in mounted),
    ]
    for where, image in named:
        if not DIGEST_REFERENCE.fullmatch(str(image or "")):
            yield f"{where}: image {image!r} is not named by digest"
        elif LATEST.search(str(image)):
            yield f"{where}: image {image!r} names the tag latest, which says nothing"


def no_host_access(manifest: Manifest) -> Iterator[str]:
    """No process space, memory, port or folder of the machine but what `machine_access` lists."""
    if machine_access.sees_machine(manifest):
        yield from machine_access.host_access(manifest)
        return
    spec = pod_spec(manifest)
    for key in ("hostPID", "hostIPC"):
        if spec.get(key):
            yield f"{key} is set"
    for volume in spec.get("volumes", []):
        if foreign := set(volume) - {"name"} - VOLUME_TYPES:
            yield f"volume {volume['name']}: type {', '.join(sorted(foreign))} is not allowed"
    for container in containers(manifest):
        for port in container.get("ports", []):
            # On the machine's network the API server itself fills in the same number.
            if "hostPort" in port and not (spec.get("hostNetwork") and port["hostPort"] == port.get("containerPort")):
                yield f"container {container['name']}: hostPort is set, which translates addresses"


def host_network_declared(manifest: Manifest) -> Iterator[str]:
    """The machine's network only where the whole namespace is made for it, and with the cluster's name server."""
    spec = pod_spec(manifest)
    if not spec.get("hostNetwork"):
        return
    if labels_of(manifest).get(NETWORK) != "host":
        yield (
            f"hostNetwork is set without the label {NETWORK}=host. Set ros2bench:spec.network.discovery to "
            "host-network, which makes the namespace for it"
        )
    if spec.get("dnsPolicy") != "ClusterFirstWithHostNet":
        yield "hostNetwork is set without dnsPolicy ClusterFirstWithHostNet, so no name of the cluster is known"


def restricted(manifest: Manifest) -> Iterator[str]:
    """Pod Security Standard "restricted", and a read-only root file system; of machine readers what they need not."""
    if machine_access.sees_machine(manifest):
        yield from machine_access.privileges(manifest)
        return
    if spec := pod_spec(manifest):
        yield from pod_security.of_pod(spec.get("securityContext", {}))
    for container in containers(manifest):
        for sentence in pod_security.of_container(container.get("securityContext", {})):
            yield f"container {container['name']}: {sentence}"


def resources_stated(manifest: Manifest) -> Iterator[str]:
    """Requests, so that the scheduler can place it; a memory limit, so that it cannot starve the machine."""
    for container in containers(manifest):
        resources: Manifest = container.get("resources", {})
        for kind, names in (("requests", ("cpu", "memory")), ("limits", ("memory",))):
            for name in names:
                if name not in resources.get(kind, {}):
                    yield f"container {container['name']}: resources.{kind}.{name} is missing"


def no_cluster_token(manifest: Manifest) -> Iterator[str]:
    """Nothing in an experiment talks to the API server, so nothing holds a token for it; few programs elsewhere do."""
    if cluster_access.may_hold_token(manifest):
        return
    spec = pod_spec(manifest)
    if spec and spec.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken is not false"
    for volume in spec.get("volumes", []):
        if any("serviceAccountToken" in source for source in volume.get("projected", {}).get("sources", [])):
            yield f"volume {volume['name']}: mounts a token of the API server"


def least_roles(manifest: Manifest) -> Iterator[str]:
    """Roles read what they name, for the few components that may ask the API server anything."""
    kind = str(manifest.get("kind"))
    if kind in ("Role", "ClusterRole"):
        yield from cluster_access.role(manifest)
    if kind in ("RoleBinding", "ClusterRoleBinding"):
        yield from cluster_access.binding(manifest)


def failures_explained(manifest: Manifest) -> Iterator[str]:
    """The last lines of a failed container appear in the error of `pulumi up`."""
    for container in containers(manifest):
        if container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            yield f"container {container['name']}: terminationMessagePolicy is not FallbackToLogsOnError"


def one_ros_container(manifest: Manifest) -> Iterator[str]:
    """Participants of two containers of one pod would share ports and an address, but no memory."""
    spec = pod_spec(manifest)
    # An init container that is restarted for ever runs beside the others.
    lasting = [c for c in spec.get("initContainers", []) if c.get("restartPolicy") == "Always"]
    ros = [
        str(container["name"])
        for container in (*lasting, *spec.get("containers", []))
        if any(variable.get("name") in ROS_VARIABLES for variable in container.get("env", []))
    ]
    if len(ros) > 1:
        yield f"containers {', '.join(ros)} are all ROS participants; a pod has one address: give each its own pod"


def untranslated_discovery(manifest: Manifest) -> Iterator[str]:
    """DDS tells its own addresses to others, so no Service may put another one in front of them."""
    if manifest.get("kind") != "Service" or manifest["spec"].get("clusterIP") == "None":
        return
    domain = labels_of(manifest).get(DOMAIN)
    first, last = DDS_PORTS
    if domain is not None:
        first, last = 7400 + 250 * int(domain), 7400 + 250 * int(domain) + 249
    for port in manifest["spec"].get("ports", []):
        number = port.get("targetPort", port.get("port"))
        numbers = {n for n in (number, port.get("port")) if isinstance(n, int)}
        udp = port.get("protocol", "TCP") == "UDP"
        if numbers & set(DISCOVERY_PORTS) or (udp and any(_is_dds(n, first, last) for n in numbers)):
            yield (
                f"port {port.get('port')} is for DDS or discovery, and this Service would translate it. "
                "Make it headless (clusterIP: None), or leave it out: participants find one another by themselves"
            )


def _is_dds(port: int, first: int, last: int) -> bool:
    return first <= port <= last or 7000 <= port < 7400


def exposed_as_asked(manifest: Manifest) -> Iterator[str]:
    """Probes come in through the API server; a pod is opened to others only where the stack file asks for it."""
    kind, spec = manifest.get("kind"), manifest.get("spec", {})
    opens = kind == "Ingress" or (kind == "Service" and spec.get("clusterIP") != "None")
    if opens and not manifest.get("metadata", {}).get("annotations", {}).get(ASKED_BY):
        what = f"Service type {spec.get('type', 'ClusterIP')}" if kind == "Service" else "Ingress"
        yield (
            f"{what} opens a pod to others, but no annotation {ASKED_BY} says which key of the stack file asks for it. "
            "Write ros2bench:spec.application.nodes.NODE.ports with expose"
        )
    if kind == "Service" and spec.get("type") in EXPOSING and spec.get("clusterIP") == "None":
        yield f"Service type {spec['type']} cannot be headless"
    if kind == "Service" and spec.get("type") == "NodePort":
        yield "Service type NodePort opens the same port on every machine; use a load balancer or an Ingress"


def no_secret_in_plain_config(manifest: Manifest) -> Iterator[str]:
    """Plain configuration is read by everybody who may list objects, and is kept in the state of the stack."""
    for container in containers(manifest):
        for variable in container.get("env", []):
            if (value := variable.get("value")) and (why := secrecy.of_variable(str(variable.get("name")), value)):
                yield f"container {container['name']}: env {variable['name']} {why}. {secrecy.CURE}"
    if manifest.get("kind") == "ConfigMap":
        for name, text in (manifest.get("data") or {}).items():
            if why := secrecy.of_file(name, text):
                yield f"data {name} {why}. {secrecy.CURE}"


def namespace_enforces(manifest: Manifest) -> Iterator[str]:
    """The cluster enforces on its own what these rules check, or the namespace says why it cannot."""
    if manifest.get("kind") != "Namespace":
        return
    level = labels_of(manifest).get("pod-security.kubernetes.io/enforce")
    host = labels_of(manifest).get(NETWORK) == "host"
    declared = host or labels_of(manifest).get(MACHINE_ACCESS) == "yes"
    why = manifest["metadata"].get("annotations", {}).get(WHY_PRIVILEGED)
    if declared and level == "privileged" and why:
        return
    if level == "privileged":
        yield (
            f"Pod Security is not enforced, which needs label {NETWORK}=host or {MACHINE_ACCESS}=yes, and annotation "
            f"{WHY_PRIVILEGED}"
        )
    elif level != "restricted":
        yield "Pod Security restricted is not enforced"


RULES: tuple[Rule, ...] = (
    labelled,
    images_by_digest,
    no_host_access,
    host_network_declared,
    restricted,
    resources_stated,
    no_cluster_token,
    least_roles,
    failures_explained,
    one_ros_container,
    untranslated_discovery,
    exposed_as_asked,
    no_secret_in_plain_config,
    namespace_enforces,
)


def labels_of(manifest: Manifest) -> Manifest:
    """Labels of an object itself."""
    return manifest.get("metadata", {}).get("labels") or {}


def pod_spec(manifest: Manifest) -> Manifest:
    """Specification of the pods that an object makes; empty if it makes none."""
    if manifest.get("kind") == "Pod":
        return manifest.get("spec", {})
    return manifest.get("spec", {}).get("template", {}).get("spec", {})


def containers(manifest: Manifest) -> tuple[Manifest, ...]:
    """Every container of an object's pods, init containers first."""
    spec = pod_spec(manifest)
    return (*spec.get("initContainers", ()), *spec.get("containers", ()))


def violations(manifest: Manifest) -> tuple[str, ...]:
    """One sentence for each rule that a manifest breaks, the rule's name first."""
    return tuple(f"{rule.__name__}: {sentence}" for rule in RULES for sentence in rule(manifest))


def violations_together(manifests: Sequence[Manifest]) -> tuple[str, ...]:
    """One sentence for each thing that is wrong with the objects of a stack only because of what else there is.

    Args:
        manifests: Every object of the stack, namespaces included.
    """
    host = {
        _name(each) for each in manifests if each.get("kind") == "Namespace" and labels_of(each).get(NETWORK) == "host"
    }
    open_to_readers = {
        _name(each)
        for each in manifests
        if each.get("kind") == "Namespace" and labels_of(each).get(MACHINE_ACCESS) == "yes"
    }
    closed = {_namespace(each) for each in manifests if _denies_everything(each)}
    found: list[str] = []
    for each in manifests:
        spec, where = pod_spec(each), _namespace(each)
        if not spec:
            continue
        if spec.get("hostNetwork") and where not in host:
            found.append(
                f"host_network_declared: {_title(each)} uses hostNetwork, namespace {where} is not made for it"
            )
        if machine_access.sees_machine(each) != (where in open_to_readers):
            found.append(
                f"machine_readers_alone: {_title(each)} is in namespace {where}; pods that see their machine have a "
                "namespace of their own, and nothing else is in it"
            )
        if not spec.get("hostNetwork") and where not in closed:
            found.append(
                f"closed_namespace: {_title(each)} is in namespace {where}, which denies no traffic by default"
            )
    return tuple(found)


def _denies_everything(manifest: Manifest) -> bool:
    """Whether a NetworkPolicy selects every pod for both directions and allows nothing itself."""
    spec = manifest.get("spec", {})
    return (
        manifest.get("kind") == "NetworkPolicy"
        and not spec.get("podSelector")
        and set(spec.get("policyTypes", ())) == {"Ingress", "Egress"}
        and not spec.get("ingress")
        and not spec.get("egress")
    )


def _name(manifest: Manifest) -> str:
    return str(manifest.get("metadata", {}).get("name", ""))


def _namespace(manifest: Manifest) -> str:
    return str(manifest.get("metadata", {}).get("namespace", ""))


def _title(manifest: Manifest) -> str:
    shown = _name(manifest) or labels_of(manifest).get("app.kubernetes.io/name", "without a name")
    return f"{manifest.get('kind')} {shown}"


def enforce(name: str, manifest: Manifest) -> None:
    """Refuse a manifest that breaks a rule.

    Raises:
        Refusal: Names the object and each broken rule.
    """
    if broken := violations(manifest):
        lines = "".join(f"\n  {sentence}" for sentence in broken)
        raise Refusal(
            f"{manifest.get('kind')} {name} is not sent to the cluster, because it breaks the rules of "
            f"components/guardrails.py:{lines}\nChange what renders it, then: pulumi preview"
        )
