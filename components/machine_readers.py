"""The machine readers: one pod on every machine, which reads its counters for whoever measures pods there.

The only pods of ours that see their machine. They read it through read-only mounts, as root without any capability,
because the kernel shows energy counters and process lists to nobody else; more only where the stack file asks for it.
"""

import json
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pulumi

from components import labels, manifest, policies
from components.configuration import configuration
from components.graph import Resources
from components.namespace import Namespace
from components.participant import CONFIGURATION_DIRECTORY
from components.program import METRICS, scrape_annotations
from components.readiness import ready_and_alive
from components.telemetry.endpoint import identity

COMPONENT = labels.MACHINE_READER
IMAGE_ROLE = "machine-reader"
PORT = 8090
NETWORK_PORT = 8091
PERIOD_S = 0.1
GRACE_S = 5
CONFIGURATION_FILE = "machine-reader.json"
CAPTURES_FOLDER = "/captures"
CAPTURES_MEBIBYTES = 1024
# The kubelet counts blocks and evicts: states of captures and the rounding of files need room too.
CAPTURES_RESERVE_MEBIBYTES = 64
TEMPORARY_MEBIBYTES = 64
SYS = "/sys"
CGROUPS = "/sys/fs/cgroup"
HOST = "/host"


@dataclass(frozen=True, kw_only=True)
class Power:
    """Where power is read: a source by name or `auto`, and the path of tegrastats where it is not found by itself."""

    source: str = "auto"
    tegrastats: str | None = None


@dataclass(frozen=True, kw_only=True)
class MachineReadersArgs:
    """What the machine readers may do, and what they are made of.

    Args:
        namespace: A namespace of their own.
        image: Reference by digest.
        operator: Public key, in Base64, whose signed calls they obey.
        resources: What one asks of its machine.
        power: Where power is read.
        containerd: Path of containerd's socket on the machines, if images may be listed and removed.
        runtime_state: Folder of runc on the machines, if starts of containers are to be dated by it.
        faults: Whether network faults may be injected, which takes privilege.
        runtime_class: RuntimeClass that brings a GPU driver's library; none for the default one.
        asked_by: Keys of the stack file that ask for it.
    """

    namespace: Namespace
    image: str
    operator: str
    resources: Resources
    power: Power = field(default_factory=Power)
    containerd: str | None = None
    runtime_state: str | None = None
    faults: bool = False
    runtime_class: str | None = None
    asked_by: tuple[str, ...] = ()


class MachineReaders(pulumi.ComponentResource):
    """DaemonSet of the machine readers, with an account that has no token, and policies that let nothing else in."""

    def __init__(self, name: str, args: MachineReadersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:MachineReaders", name, None, opts)
        namespace = args.namespace
        metadata = namespace.metadata(name=COMPONENT, component=COMPONENT)
        policies.create(
            policies.machine_reader_specs(namespace.stack, PORT, NETWORK_PORT), namespace, self, prefix=f"{COMPONENT}-"
        )
        account = manifest.create(COMPONENT, account_manifest(metadata), namespace.options(self))
        files = {CONFIGURATION_FILE: json.dumps(settings(args), indent=1) + "\n"}
        configured = configuration(COMPONENT, files, namespace=namespace, component=COMPONENT, parent=self)
        self.daemon_set = manifest.create(
            COMPONENT,
            daemon_set_manifest(metadata, args, configured, manifest.created_name(account)),
            namespace.options(self),
        )
        self.register_outputs({"daemonSet": manifest.created_name(self.daemon_set)})


def account_manifest(metadata: dict[str, Any]) -> manifest.Manifest:
    """An account of their own, so that nobody's rights become theirs; no token of it is mounted."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}


def settings(args: MachineReadersArgs) -> dict[str, Any]:
    """Contents of machine-reader.json."""
    limit_mebibytes = CAPTURES_MEBIBYTES - CAPTURES_RESERVE_MEBIBYTES
    power = {"source": args.power.source} | ({"tegrastats": args.power.tegrastats} if args.power.tegrastats else {})
    found: dict[str, Any] = {
        "contract": 1,
        "port": PORT,
        "network_port": NETWORK_PORT,
        "operator": args.operator,
        "period_s": PERIOD_S,
        "cgroup_root": f"{HOST}{CGROUPS}",
        "proc_root": "/proc",
        "sys_root": f"{HOST}{SYS}",
        "power": power,
        "captures": {"folder": CAPTURES_FOLDER, "limit_bytes": limit_mebibytes * 1024 * 1024},
        "allow": {"image_removal": args.containerd is not None, "faults": args.faults},
    }
    if args.containerd is not None:
        found["containerd"] = f"{HOST}{args.containerd}"
    if args.runtime_state is not None:
        found["runtime_state"] = f"{HOST}{args.runtime_state}"
    return found


def daemon_set_manifest(
    metadata: dict[str, Any],
    args: MachineReadersArgs,
    configured: pulumi.Input[str],
    account: pulumi.Input[str],
) -> manifest.Manifest:
    """DaemonSet whose pods run on every machine, whatever it is tainted with.

    Args:
        metadata: Metadata of the DaemonSet.
        args: What they may do.
        configured: Name of the ConfigMap.
        account: Name of the ServiceAccount.
    """
    stack = args.namespace.stack
    folders = host_folders(args)
    spec: manifest.Manifest = {
        "automountServiceAccountToken": False,
        "serviceAccountName": account,
        "enableServiceLinks": False,
        "hostPID": True,
        "terminationGracePeriodSeconds": GRACE_S,
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {"runAsUser": 0, "runAsGroup": 0, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [reader_container(args, folders)],
        "volumes": [
            {"name": "configuration", "configMap": {"name": configured}},
            {"name": "temporary", "emptyDir": {"sizeLimit": f"{TEMPORARY_MEBIBYTES}Mi"}},
            # On the machine's disk, so that a capture outlives its container and its length costs no memory.
            {"name": "captures", "emptyDir": {"sizeLimit": f"{CAPTURES_MEBIBYTES}Mi"}},
            *({"name": name, "hostPath": {"path": path, "type": kind}} for name, (path, kind, _) in folders.items()),
        ],
    }
    if args.runtime_class is not None:
        spec["runtimeClassName"] = args.runtime_class
    if args.faults:
        # Privilege and the default filter of system calls contradict each other.
        spec["securityContext"] = {"runAsUser": 0, "runAsGroup": 0}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": metadata | {"annotations": {labels.ASKED_BY: ",".join(args.asked_by)}},
        "spec": {
            "revisionHistoryLimit": 1,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "selector": {"matchLabels": labels.selector(stack, component=COMPONENT)},
            "template": {
                "metadata": {
                    "labels": labels.labels(stack, name=COMPONENT, component=COMPONENT),
                    "annotations": scrape_annotations(PORT),
                },
                "spec": spec,
            },
        },
    }


HostFolders = dict[str, tuple[str, str, str]]
"""By the name of the volume: path on the machine, its type, and path in the container."""


def host_folders(args: MachineReadersArgs) -> HostFolders:
    """What is mounted of the machine, all of it read-only."""
    found: HostFolders = {
        "sys": (SYS, "Directory", f"{HOST}{SYS}"),
        # Mounted once more, because a read-only mount of /sys does not cover what is mounted below it everywhere.
        "cgroups": (CGROUPS, "Directory", f"{HOST}{CGROUPS}"),
    }
    if args.containerd is not None:
        # The folder, not the socket: containerd makes a new one whenever it starts.
        folder = str(PurePosixPath(args.containerd).parent)
        found["containerd"] = (folder, "Directory", f"{HOST}{folder}")
    if args.runtime_state is not None:
        found["runtime-state"] = (args.runtime_state, "Directory", f"{HOST}{args.runtime_state}")
    if args.power.tegrastats is not None:
        found["tegrastats"] = (args.power.tegrastats, "File", args.power.tegrastats)
    return found


def reader_container(args: MachineReadersArgs, folders: HostFolders) -> manifest.Manifest:
    """The one container."""
    environment: list[dict[str, Any]] = [
        {"name": "ROS2BENCH_MACHINE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "ROS2BENCH_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        *({"name": name, "value": value} for name, value in identity(args.namespace.stack, None).items()),
    ]
    if args.runtime_class is not None:
        environment += [
            {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"},
            {"name": "NVIDIA_DRIVER_CAPABILITIES", "value": "utility"},
        ]
    return {
        "name": COMPONENT,
        "image": args.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["ros2bench-machine-reader", f"{CONFIGURATION_DIRECTORY}/{CONFIGURATION_FILE}"],
        "env": environment,
        "ports": [
            # Its health is served on the port of its metrics, and a port has one name.
            {"name": METRICS, "containerPort": PORT, "protocol": "TCP"},
            {"name": "network", "containerPort": NETWORK_PORT, "protocol": "UDP"},
        ],
        "resources": {
            "requests": {
                "cpu": f"{args.resources.cpu_request_millicores}m",
                "memory": f"{args.resources.memory_request_mebibytes}Mi",
            },
            "limits": {"memory": f"{args.resources.memory_limit_mebibytes}Mi"},
        },
        "securityContext": security_context(faults=args.faults),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "configuration", "mountPath": CONFIGURATION_DIRECTORY, "readOnly": True},
            {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108 - the mount itself
            {"name": "captures", "mountPath": CAPTURES_FOLDER},
            *(
                {"name": name, "mountPath": path, "readOnly": True, "recursiveReadOnly": "IfPossible"}
                for name, (_, _, path) in folders.items()
            ),
        ],
        **{key: dict(probe) for key, probe in ready_and_alive(METRICS).items()},
    }


def security_context(*, faults: bool) -> manifest.Manifest:
    """Root, but with nothing that root may do; with everything where faults are injected into another network."""
    if faults:
        return {"privileged": True, "readOnlyRootFilesystem": True}
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
