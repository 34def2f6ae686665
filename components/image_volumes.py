"""Whether a cluster can mount an OCI image as a volume: asked of its API server and of what its machines report.

The API server tells with a dry run whether it knows the volume; the machines tell which kubelet and container
runtime they have, because an old one would leave the pod waiting without end.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.api_server import FIRST_ERROR, ApiServer, listed
from components.refusal import Refusal

DRY_RUN_NAMESPACE = "default"
NODES = "/api/v1/nodes"
DRY_RUN = f"/api/v1/namespaces/{DRY_RUN_NAMESPACE}/pods?dryRun=All&fieldValidation=Ignore"
REFUSALS = (400, 403, 422)
LEAST_KUBELET = (1, 31)
LEAST_RUNTIME: Mapping[str, tuple[int, int]] = {"containerd": (2, 1), "cri-o": (1, 31)}
VERSION = re.compile(r"(\d+)\.(\d+)")
UNPULLED = "registry.invalid/ros2bench@sha256:" + "0" * 64


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Whether images can be mounted, and the sentence that says why or why not."""

    supported: bool
    reason: str


def ask(api: ApiServer) -> Answer:
    """Ask a cluster whether every machine could mount an image.

    A cluster that does not let us ask is taken for one that cannot: copying works everywhere.

    Args:
        api: Whom to ask.
    """
    try:
        machines = [machine["status"]["nodeInfo"] for machine in listed(api, NODES)]
        reply = api.call("POST", DRY_RUN, trial_pod())
    except Refusal as refusal:
        return Answer(supported=False, reason=f"the cluster could not be asked: {refusal}")
    said = reply.body.get("message", f"status {reply.status}")
    if reply.status in REFUSALS:
        return judged(machines, str(said))
    if reply.status >= FIRST_ERROR:
        return Answer(supported=False, reason=f"the cluster could not be asked: {said}")
    return judged(machines, reply.body)


def judged(machines: Sequence[Mapping[str, Any]], kept: Mapping[str, Any] | str) -> Answer:
    """What two answers of a cluster mean.

    Args:
        machines: `status.nodeInfo` of every machine.
        kept: The trial pod as the API server would keep it, or its refusal.
    """
    for info in machines:
        if reason := too_old(info):
            return Answer(supported=False, reason=reason)
    if isinstance(kept, str):
        return Answer(supported=False, reason=f"the API server refuses a pod with an image volume: {kept}")
    volumes: list[Mapping[str, Any]] = kept.get("spec", {}).get("volumes", [])
    if not any("image" in volume for volume in volumes):
        return Answer(supported=False, reason="the API server drops image volumes: feature gate ImageVolume is off")
    return Answer(supported=True, reason="the API server keeps image volumes and every machine's runtime mounts them")


def too_old(info: Mapping[str, Any]) -> str | None:
    """Why a machine cannot mount images, from its `nodeInfo`; none if it can."""
    kubelet, runtime = str(info.get("kubeletVersion", "")), str(info.get("containerRuntimeVersion", ""))
    if _version(kubelet) < LEAST_KUBELET:
        return f"a machine has kubelet {kubelet}, image volumes need {_text(LEAST_KUBELET)}"
    name, _, version = runtime.partition("://")
    if name not in LEAST_RUNTIME:
        return f"a machine has the container runtime {runtime}, of which it is not known whether it mounts images"
    if _version(version) < LEAST_RUNTIME[name]:
        return f"a machine has {name} {version}, image volumes need {_text(LEAST_RUNTIME[name])}"
    return None


def trial_pod() -> dict[str, Any]:
    """A pod that would mount an image; it is never made, so its images need not exist."""
    container = {
        "name": "trial",
        "image": UNPULLED,
        "volumeMounts": [{"name": "trial", "mountPath": "/trial", "readOnly": True}],
        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "1m", "memory": "1Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "ros2bench-image-volume-", "namespace": DRY_RUN_NAMESPACE},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "trial", "image": {"reference": UNPULLED, "pullPolicy": "IfNotPresent"}}],
        },
    }


def _version(text: str) -> tuple[int, int]:
    found = VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
