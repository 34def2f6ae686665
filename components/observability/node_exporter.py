"""Node exporter: load, memory, disks, pressure, clock and temperatures of every machine.

Without a folder of the machine, so that it needs no exception: a container's own /proc and /sys show the machine's
counters, and an emptyDir lies on the file system on which pods live. What only the machine's own network and mounts
show, machine readers have.
"""

from dataclasses import dataclass

import pulumi

from components import labels, manifest, policies
from components.graph import Resources
from components.namespace import Namespace
from components.program import METRICS, Health, Program, account_manifest, daemon_set_manifest

COMPONENT = "node-exporter"
IMAGE = "node-exporter"
PORT = 9100
DISK = "/machine-disk"
"""Mount point in `node_filesystem_*` of the file system on which pods live."""
OTHER_MOUNTS = "^/($|[^m]|m[^a])"
"""Mount points that begin otherwise than the one above; the pattern language has no negation."""
RESOURCES = Resources(cpu_request_millicores=10, memory_request_mebibytes=24, memory_limit_mebibytes=96)
COLLECTORS = (
    "cpu",
    "cpufreq",
    "diskstats",
    "filesystem",
    "hwmon",
    "loadavg",
    "meminfo",
    "pressure",
    "stat",
    "thermal_zone",
    "time",
    "timex",
    "uname",
    "vmstat",
)
"""What a container sees of its machine; all other collectors are off."""


@dataclass(frozen=True, kw_only=True)
class NodeExporterArgs:
    """Where it runs."""

    namespace: Namespace
    image: str


class NodeExporter(pulumi.ComponentResource):
    """DaemonSet of the node exporter."""

    def __init__(self, name: str, args: NodeExporterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:NodeExporter", name, None, opts)
        namespace = args.namespace
        scraped = policies.scraped(labels.selector(namespace.stack, component=COMPONENT), [PORT])
        made = policies.create({f"allow-{COMPONENT}-metrics": scraped}, namespace, self)
        metadata = namespace.metadata(name=COMPONENT, component=COMPONENT)
        account = manifest.create(COMPONENT, account_manifest(metadata), namespace.options(self))
        rendered = daemon_set_manifest(metadata, namespace.stack, program(args.image))
        rendered["spec"]["template"]["spec"]["serviceAccountName"] = manifest.created_name(account)
        self.daemon_set = manifest.create(COMPONENT, rendered, namespace.options(self, depends_on=made))
        self.register_outputs({"daemonSet": manifest.created_name(self.daemon_set)})


def program(image: str) -> Program:
    """The node exporter as a program."""
    return Program(
        name=COMPONENT,
        image=image,
        args=(
            f"--web.listen-address=:{PORT}",
            "--collector.disable-defaults",
            *(f"--collector.{name}" for name in COLLECTORS),
            # Only the emptyDir: everything else that a container has mounted is of its own.
            f"--collector.filesystem.mount-points-exclude={OTHER_MOUNTS}",
            # The machine's disk may be of a kind that is left out by default, such as overlay.
            "--collector.filesystem.fs-types-exclude=^$",
            "--collector.diskstats.device-exclude=^(loop|ram|zram|sr|fd)\\d+$",
            "--log.format=json",
        ),
        ports={METRICS: PORT},
        health=Health(port=METRICS, ready="/", alive="/"),
        resources=RESOURCES,
        # The counters of one machine take one thread: more would only compete with what is measured.
        environment=[{"name": "GOMAXPROCS", "value": "1"}],
        volumes=[{"name": "disk", "emptyDir": {"sizeLimit": "1Mi"}}],
        mounts=[{"name": "disk", "mountPath": DISK, "readOnly": True}],
        tolerates_everything=True,
    )
