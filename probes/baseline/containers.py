"""Pure: from the manifests of stacks to the containers that are run without Kubernetes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from probes.errors import UsageError

NAME = "baseline"
COMPONENT_LABEL = "app.kubernetes.io/component"
MACHINE_READER = "machine-reader"
FIELDS: Mapping[str, str] = {"spec.nodeName": NAME, "metadata.namespace": NAME, "status.podIP": "127.0.0.1"}
"""What the API server would tell a pod about itself."""

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class ContainerPlan:
    """A container as its pod would run it.

    Attributes:
        name: `recorder`, `machine-reader`, or the name of the application's pod.
        image: Reference of the image.
        arguments: What follows the image's entry point.
        environment: Additions to the image's environment.
        files: Folders of configuration files: path in the container to file name to text.
        writable: Folders that are empty and writable at the start.
        port: Port of its health answers.
        host: What it sees of this machine, read-only: path in the container to path here.
    """

    name: str
    image: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    files: Mapping[str, Mapping[str, str]]
    writable: tuple[str, ...]
    port: int
    host: Mapping[str, str] = field(default_factory=dict[str, str])


def container_plans(manifests: Sequence[Manifest]) -> tuple[ContainerPlan, ContainerPlan]:
    """Read recorder and application from the manifests of `python -m stacks.render`.

    Raises:
        UsageError: The stack has several application pods, or needs what only a cluster has.
    """
    recorder, application = (
        _workloads(manifests, "Deployment", component) for component in ("recorder", "application")
    )
    if len(application) != 1 or len(recorder) != 1:
        names = ", ".join(each["metadata"]["name"] for each in application) or "none"
        raise UsageError(
            f"A baseline runs one application container and one recorder, but the stack has {len(recorder)} recorders "
            f"and the application pods {names}.",
            next_step="python -m probes.baseline -s monolithic",
        )
    return _plan(recorder[0], manifests), _plan(application[0], manifests)


def reader_plan(manifests: Sequence[Manifest]) -> ContainerPlan:
    """Read the machine reader from the manifests of a platform, which `StackOutputs.machine_readers` says it has.

    Raises:
        UsageError: It needs what only a cluster has.
    """
    (reader,) = _workloads(manifests, "DaemonSet", MACHINE_READER)
    return _plan(reader, manifests, sees_machine=True)


def _workloads(manifests: Sequence[Manifest], kind: str, component: str) -> list[Manifest]:
    return [
        each
        for each in manifests
        if each["kind"] == kind and each["metadata"]["labels"].get(COMPONENT_LABEL) == component
    ]


def _plan(workload: Manifest, manifests: Sequence[Manifest], *, sees_machine: bool = False) -> ContainerPlan:
    name, pod = workload["metadata"]["name"], workload["spec"]["template"]["spec"]
    if len(pod["containers"]) != 1 or pod.get("initContainers"):
        raise _refusal(name, "has further containers")
    (container,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    files: dict[str, Mapping[str, str]] = {}
    writable: list[str] = []
    host: dict[str, str] = {}
    for mount in container.get("volumeMounts", []):
        volume, path = volumes[mount["name"]], mount["mountPath"]
        if "emptyDir" in volume and "subPath" not in mount:
            writable.append(path)
        elif "configMap" in volume and "subPath" not in mount and "items" not in volume["configMap"]:
            files[path] = _data(manifests, volume["configMap"]["name"])
        elif "hostPath" in volume and mount.get("readOnly") and sees_machine:
            host[path] = volume["hostPath"]["path"]
        else:
            raise _refusal(name, f"mounts the volume {mount['name']} at {path}, which only a cluster can")
    return ContainerPlan(
        name=name,
        image=container["image"],
        arguments=tuple(container.get("args", ())),
        environment={entry["name"]: _value(name, entry) for entry in container.get("env", [])},
        files=files,
        writable=tuple(writable),
        port=container["ports"][0]["containerPort"],
        host=host,
    )


def _data(manifests: Sequence[Manifest], name: str) -> Mapping[str, str]:
    return next(each["data"] for each in manifests if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name)


def _value(container: str, entry: Mapping[str, Any]) -> str:
    if "value" in entry:
        return str(entry["value"])
    field = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
    if field not in FIELDS:
        raise _refusal(container, f"takes {entry['name']} from the cluster")
    return FIELDS[field]


def _refusal(name: str, reason: str) -> UsageError:
    return UsageError(
        f"Pod {name} of the stack {reason}; a baseline has no cluster.",
        next_step="python -m probes.baseline -s monolithic",
    )
