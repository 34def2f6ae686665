"""What the few pods that see their machine may do that no other pod of ours may, as sentences on what goes beyond it.

The exception holds for DaemonSets of the components of `ALLOWED` in a namespace that is made for them. Never for a pod
of an experiment, whatever its labels say: those are in a ROS domain.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from components import pod_security
from components.labels import ASKED_BY, COMPONENT, DEVICE_PLUGIN, DOMAIN, LOG_SHIPPER, MACHINE_ACCESS, MACHINE_READER

Manifest = Mapping[str, Any]

FAULTS = "machineReaders.allowFaults"
KUBELET_DEVICE_PLUGINS = "/var/lib/kubelet/device-plugins"
POD_LOGS = "/var/log/pods"


@dataclass(frozen=True, kw_only=True)
class Access:
    """What pods of one component may see of their machine.

    Attributes:
        folders: Folders that every one of them sees read-only.
        writable: Folders that every one of them may write to.
        asked_folders: Further volumes by name, read-only, and the end of the key of the stack file that asks for each.
        processes: Whether they see the machine's processes.
        privileged: End of the key that asks for privilege; none where nothing may.
    """

    folders: frozenset[str] = frozenset()
    writable: frozenset[str] = frozenset()
    asked_folders: Mapping[str, str] = field(default_factory=dict[str, str])
    processes: bool = False
    privileged: str | None = None


ALLOWED: Mapping[str, Access] = {
    MACHINE_READER: Access(
        folders=frozenset({"/sys", "/sys/fs/cgroup"}),
        asked_folders={
            "containerd": "machineReaders.allowImageRemoval",
            "runtime-state": "machineReaders.runtimeState",
            "tegrastats": "machineReaders.power.tegrastats",
        },
        processes=True,
        privileged=FAULTS,
    ),
    # The kubelet listens in this folder and calls the socket that a device plugin makes beside its own.
    DEVICE_PLUGIN: Access(writable=frozenset({KUBELET_DEVICE_PLUGINS})),
    LOG_SHIPPER: Access(folders=frozenset({POD_LOGS})),
}
"""By component; whatever is not in here sees nothing of its machine."""


def sees_machine(manifest: Manifest) -> bool:
    """Whether the exception is claimed and may be: by kind, component and namespace, and outside any ROS domain."""
    own = manifest.get("metadata", {}).get("labels") or {}
    template = manifest.get("spec", {}).get("template", {}).get("metadata", {}).get("labels") or {}
    return (
        manifest.get("kind") == "DaemonSet"
        and own.get(COMPONENT) == template.get(COMPONENT)
        and own.get(COMPONENT) in ALLOWED
        and own.get(MACHINE_ACCESS) == "yes"
        and DOMAIN not in own
    )


def host_access(manifest: Manifest) -> Iterator[str]:
    """What the pods see of their machine beyond what their component may."""
    spec, access = manifest["spec"]["template"]["spec"], _access(manifest)
    for key in ("hostIPC", "hostNetwork", *(() if access.processes else ("hostPID",))):
        if spec.get(key):
            yield f"{key} is set"
    mounted = {volume["name"]: volume["hostPath"] for volume in spec.get("volumes", []) if "hostPath" in volume}
    for name, folder in mounted.items():
        path = folder.get("path")
        known = path in access.folders | access.writable
        if not known and not _asked(manifest, access.asked_folders.get(name)):
            yield f"volume {name}: {path} of the machine is mounted, which nothing in {ASKED_BY} asks for"
    for container in _containers(spec):
        for mount in container.get("volumeMounts", []):
            folder = mounted.get(mount.get("name"))
            if folder and folder.get("path") not in access.writable and mount.get("readOnly") is not True:
                yield f"container {container.get('name')}: {mount.get('mountPath')} of the machine is writable"
        for port in container.get("ports", []):
            if "hostPort" in port:
                yield f"container {container.get('name')}: hostPort is set"


def privileges(manifest: Manifest) -> Iterator[str]:
    """What the pods may do beyond being root without capabilities."""
    spec, access = manifest["spec"]["template"]["spec"], _access(manifest)
    for container in _containers(spec):
        context = container.get("securityContext", {})
        name = f"container {container.get('name')}"
        if context.get("readOnlyRootFilesystem") is not True:
            yield f"{name}: root file system is writable"
        if context.get("privileged"):
            if not _asked(manifest, access.privileged):
                yield f"{name}: is privileged, which nothing in {ASKED_BY} asks for ({access.privileged or 'no key'})"
            continue
        # Root itself is the exception; the user of the pod is the container's too.
        shown = {key: value for key, value in context.items() if key not in ("runAsUser", "runAsNonRoot")}
        for sentence in pod_security.of_container(shown):
            yield f"{name}: {sentence}"
        if spec.get("securityContext", {}).get("seccompProfile", {}).get("type") not in pod_security.CONFINED:
            yield "securityContext.seccompProfile is neither RuntimeDefault nor Localhost"
    if spec.get("securityContext", {}).get("sysctls"):
        yield "securityContext.sysctls changes the kernel of the machine"


def _access(manifest: Manifest) -> Access:
    return ALLOWED[manifest["metadata"]["labels"][COMPONENT]]


def _asked(manifest: Manifest, key: str | None) -> bool:
    asked = manifest.get("metadata", {}).get("annotations", {}).get(ASKED_BY, "")
    return key is not None and any(one.endswith(key) for one in asked.split(","))


def _containers(spec: Manifest) -> tuple[Manifest, ...]:
    return (*spec.get("initContainers", ()), *spec.get("containers", ()))
