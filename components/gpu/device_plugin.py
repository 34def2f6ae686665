"""NVIDIA's device plugin as a DaemonSet: root without capabilities, one writable folder of the machine, no network.

Its pods run on the machines that have a GPU by their labels and nowhere else, so that a machine without one is not
left with a pod that ends again and again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

from components import labels, manifest, policies
from components.configuration import configuration
from components.deployment import restricted_context, toleration
from components.gpu import matching
from components.graph import Resources
from components.machine_access import KUBELET_DEVICE_PLUGINS
from components.namespace import Namespace
from components.needs import Toleration
from components.participant import CONFIGURATION_DIRECTORY

COMPONENT = labels.DEVICE_PLUGIN
IMAGE = "nvidia-device-plugin"
"""Name in the lock of third-party images."""
CONFIGURATION_FILE = "device-plugin.yaml"
PRIORITY_CLASS = "system-node-critical"
GRACE_S = 5
TEGRA = "tegra"


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """How often each GPU is offered, and whether under a name of its own."""

    replicas: int = 1
    rename: bool = False

    @property
    def resource(self) -> str:
        """Name under which the GPUs are offered."""
        return f"{matching.NVIDIA}.shared" if self.replicas > 1 and self.rename else matching.NVIDIA


@dataclass(frozen=True, kw_only=True)
class DevicePluginArgs:
    """What the device plugin is made of and where it runs.

    Args:
        namespace: A namespace of its own.
        image: Reference by digest.
        strategy: How it finds GPUs: `auto`, `nvml` or `tegra`.
        machines: Sets of labels; it runs on machines that have all labels of one set.
        tolerations: Taints of machines that it accepts.
        sharing: Whether pods share a GPU.
        runtime_class: RuntimeClass of its pods; none for the machines' default runtime.
        resources: What one asks of its machine.
        asked_by: Keys of the stack file that ask for it.
    """

    namespace: Namespace
    image: str
    strategy: str
    machines: tuple[Mapping[str, str], ...]
    tolerations: tuple[Toleration, ...]
    sharing: Sharing
    runtime_class: str | None
    resources: Resources
    asked_by: tuple[str, ...]


class DevicePlugin(pulumi.ComponentResource):
    """DaemonSet of the device plugin, its configuration, and a policy that lets nothing in or out."""

    def __init__(self, name: str, args: DevicePluginArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:DevicePlugin", name, None, opts)
        namespace = args.namespace
        denied = {"podSelector": policies.EVERYONE, "policyTypes": policies.BOTH_WAYS}
        policies.create({"default-deny": denied}, namespace, self, prefix=f"{COMPONENT}-")
        files = {CONFIGURATION_FILE: yaml.safe_dump(settings(args), sort_keys=False)}
        configured = configuration(COMPONENT, files, namespace=namespace, component=COMPONENT, parent=self)
        metadata = namespace.metadata(name=COMPONENT, component=COMPONENT)
        rendered = daemon_set_manifest(metadata, args, configured)
        self.daemon_set = manifest.create(COMPONENT, rendered, namespace.options(self))
        self.register_outputs({"daemonSet": manifest.created_name(self.daemon_set)})


def settings(args: DevicePluginArgs) -> dict[str, Any]:
    """The plugin's configuration file (github.com/NVIDIA/k8s-device-plugin, `api/config/v1`)."""
    found: dict[str, Any] = {
        "version": "v1",
        "flags": {"migStrategy": "none", "failOnInitError": True, "deviceDiscoveryStrategy": args.strategy},
    }
    if args.strategy == TEGRA:
        # Its one device is called `tegra` there, a name that NVIDIA's runtime need not know; its number it does.
        found["flags"]["plugin"] = {"deviceIDStrategy": "index"}
    if args.sharing.replicas > 1:
        found["sharing"] = {
            "timeSlicing": {
                "renameByDefault": args.sharing.rename,
                # Two slices of one GPU are not twice as fast: who asks for them has misunderstood.
                "failRequestsGreaterThanOne": True,
                "resources": [{"name": matching.NVIDIA, "replicas": args.sharing.replicas}],
            }
        }
    return found


def daemon_set_manifest(
    metadata: dict[str, Any], args: DevicePluginArgs, configured: pulumi.Input[str]
) -> manifest.Manifest:
    """DaemonSet whose pods run on the machines with a GPU.

    Args:
        metadata: Metadata of the DaemonSet.
        args: What it is made of.
        configured: Name of the ConfigMap.
    """
    spec: manifest.Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_S,
        "priorityClassName": PRIORITY_CLASS,
        "securityContext": {"runAsUser": 0, "runAsGroup": 0, "seccompProfile": {"type": "RuntimeDefault"}},
        "affinity": matching.with_terms({}, matching.set_terms(args.machines)),
        "tolerations": [toleration(each) for each in args.tolerations],
        "containers": [_container(args)],
        "volumes": [
            {"name": "configuration", "configMap": {"name": configured}},
            {"name": "device-plugins", "hostPath": {"path": KUBELET_DEVICE_PLUGINS, "type": "Directory"}},
        ],
    }
    if args.runtime_class is not None:
        spec["runtimeClassName"] = args.runtime_class
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": metadata | {"annotations": {labels.ASKED_BY: ",".join(args.asked_by)}},
        "spec": {
            "revisionHistoryLimit": 1,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "selector": {"matchLabels": labels.selector(args.namespace.stack, component=COMPONENT)},
            "template": {
                "metadata": {"labels": labels.labels(args.namespace.stack, name=COMPONENT, component=COMPONENT)},
                "spec": spec,
            },
        },
    }


def _container(args: DevicePluginArgs) -> manifest.Manifest:
    wanted = args.resources
    return {
        "name": COMPONENT,
        "image": args.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [f"--config-file={CONFIGURATION_DIRECTORY}/{CONFIGURATION_FILE}"],
        # NVIDIA's runtime puts the driver's libraries into containers that ask for them by these names.
        "env": [
            {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"},
            {"name": "NVIDIA_DRIVER_CAPABILITIES", "value": "compute,utility"},
        ],
        "resources": {
            "requests": {
                "cpu": f"{wanted.cpu_request_millicores}m",
                "memory": f"{wanted.memory_request_mebibytes}Mi",
            },
            "limits": {"memory": f"{wanted.memory_limit_mebibytes}Mi"},
        },
        "securityContext": restricted_context(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "configuration", "mountPath": CONFIGURATION_DIRECTORY, "readOnly": True},
            {"name": "device-plugins", "mountPath": KUBELET_DEVICE_PLUGINS},
        ],
    }
