"""What a machine reader may do that no other pod of ours may, as sentences on what goes beyond it.

The exception holds for one kind of object: a DaemonSet of component `machine-reader` in a namespace that is made for
it. Never for a pod of an experiment, whatever its labels say: those are in a ROS domain.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from components import pod_security
from components.labels import ASKED_BY, COMPONENT, DOMAIN, MACHINE_ACCESS, MACHINE_READER

Manifest = Mapping[str, Any]

FOLDERS = ("/sys", "/sys/fs/cgroup")
"""Folders of the machine that every machine reader sees."""
ASKED_FOLDERS = {
    "containerd": "machineReaders.allowImageRemoval",
    "runtime-state": "machineReaders.runtimeState",
    "tegrastats": "machineReaders.power.tegrastats",
}
"""Volumes beside them, and the key of the stack file that asks for each."""
FAULTS = "machineReaders.allowFaults"


def is_machine_reader(manifest: Manifest) -> bool:
    """Whether the exception is claimed and may be: by kind, component and namespace, and outside any ROS domain."""
    own = manifest.get("metadata", {}).get("labels") or {}
    template = manifest.get("spec", {}).get("template", {}).get("metadata", {}).get("labels") or {}
    return (
        manifest.get("kind") == "DaemonSet"
        and own.get(COMPONENT) == template.get(COMPONENT) == MACHINE_READER
        and own.get(MACHINE_ACCESS) == "yes"
        and DOMAIN not in own
    )


def host_access(manifest: Manifest) -> Iterator[str]:
    """What a machine reader's pods see of their machine beyond its processes and read-only folders."""
    spec = manifest["spec"]["template"]["spec"]
    for key in ("hostIPC", "hostNetwork"):
        if spec.get(key):
            yield f"{key} is set"
    mounted = {volume["name"]: volume["hostPath"] for volume in spec.get("volumes", []) if "hostPath" in volume}
    for name, folder in mounted.items():
        path = folder.get("path")
        if path not in FOLDERS and not _asked(manifest, ASKED_FOLDERS.get(name)):
            yield f"volume {name}: {path} of the machine is mounted, which nothing in {ASKED_BY} asks for"
    for container in _containers(spec):
        for mount in container.get("volumeMounts", []):
            if mount.get("name") in mounted and mount.get("readOnly") is not True:
                yield f"container {container.get('name')}: {mount.get('mountPath')} of the machine is writable"
        for port in container.get("ports", []):
            if "hostPort" in port:
                yield f"container {container.get('name')}: hostPort is set"


def privileges(manifest: Manifest) -> Iterator[str]:
    """What a machine reader may do beyond being root without capabilities."""
    spec = manifest["spec"]["template"]["spec"]
    for container in _containers(spec):
        context = container.get("securityContext", {})
        name = f"container {container.get('name')}"
        if context.get("readOnlyRootFilesystem") is not True:
            yield f"{name}: root file system is writable"
        if context.get("privileged"):
            if not _asked(manifest, FAULTS):
                yield f"{name}: is privileged, which nothing in {ASKED_BY} asks for ({FAULTS})"
            continue
        # Root itself is the exception; the user of the pod is the container's too.
        shown = {key: value for key, value in context.items() if key not in ("runAsUser", "runAsNonRoot")}
        for sentence in pod_security.of_container(shown):
            yield f"{name}: {sentence}"
        if spec.get("securityContext", {}).get("seccompProfile", {}).get("type") not in pod_security.CONFINED:
            yield "securityContext.seccompProfile is neither RuntimeDefault nor Localhost"
    if spec.get("securityContext", {}).get("sysctls"):
        yield "securityContext.sysctls changes the kernel of the machine"


def _asked(manifest: Manifest, key: str | None) -> bool:
    asked = manifest.get("metadata", {}).get("annotations", {}).get(ASKED_BY, "")
    return key is not None and any(one.endswith(key) for one in asked.split(","))


def _containers(spec: Manifest) -> tuple[Manifest, ...]:
    return (*spec.get("initContainers", ()), *spec.get("containers", ()))
