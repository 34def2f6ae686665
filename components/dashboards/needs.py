"""Reasons why a panel may rightly have no series, and how that is told from a fault."""

from components.dashboards.panel import Need
from components.dashboards.queries import messages
from components.dashboards.queries.names import MACHINE, MESSAGES_LOST_TOTAL, STACK, TOPIC

RECORDER = Need(
    name="recorder",
    reason="the stack has no recorder that is read: no topic of it is measured, or it is not up",
    sign=f'up{{job="recorder",{STACK}}}',
)
RUNNING = Need(
    name="running",
    reason="the application is parked: ROS2BENCH_STATE=running pulumi up -s STACK",
    sign=f'up{{job="recorder",{STACK}}} unless on (stack) ({messages.parked.expression})',
)
MESSAGES = Need(
    name="messages",
    reason="no message has arrived on these topics in the window",
    sign=f"{messages.message_rate.expression} > 0",
)
EXPECTED_RATE = Need(
    name="expected rate",
    reason="no topic has an expected rate in the stack file",
    sign=messages.expected_rate.expression,
)
SEQUENCE_NUMBERS = Need(
    name="sequence numbers",
    reason="the middleware tells no sequence numbers (ROS 2 Humble): records count losses by frame numbers",
    sign=f"{MESSAGES_LOST_TOTAL}{{{TOPIC}}}",
)
CAPTURE = Need(name="capture", reason="no run is being captured in this time")
STATE_METRICS = Need(
    name="kube-state-metrics",
    reason="kube-state-metrics is not read: observability.kubeStateMetrics is off, or it is somebody else's",
    sign='up{job="kube-state-metrics"}',
)
NODE_EXPORTER = Need(
    name="node exporter",
    reason="the node exporter is not read: observability.nodeExporter is off, or it is somebody else's",
    sign='up{job="node-exporter"}',
)
READERS = Need(
    name="machine readers",
    reason="the platform has no machine readers: machineReaders.enabled is off",
    sign=f'up{{job="machine-reader",{MACHINE}}}',
)
CONTAINERS_TELL = Need(name="containers", reason="the machine's control groups do not tell it for containers")
LIMITS = Need(
    name="limits",
    reason="no container has a limit of this kind, which is the default for processor time",
    sign=f'kube_pod_container_resource_limits{{{STACK},resource="memory"}}',
)
MACHINE_TELLS = Need(name="machine", reason="the machine does not tell it")
GPU = Need(
    name="GPU",
    reason="no machine reader sees a GPU (tegrastats, sysfs, NVML)",
    sign=f"ros2bench_machine_gpu_busy_ratio{{{MACHINE}}} or ros2bench_machine_gpu_memory_used_bytes{{{MACHINE}}}",
)
POWER = Need(
    name="power",
    reason="no machine tells its power (tegrastats, INA3221, RAPL, NVML)",
    sign=f"ros2bench_machine_energy_joules_total{{{MACHINE}}}",
)
POWER_TOTAL = Need(
    name="total power",
    reason="no rail of a machine is its total; rails overlap and are not added up",
    sign=f'ros2bench_machine_energy_joules_total{{{MACHINE},is_total="true"}}',
)
RESULTS = Need(name="results", reason="no message in the window", sign=f"ros2bench_messages_total{{{TOPIC}}}")
OWN_PROMETHEUS = Need(
    name="own Prometheus",
    reason="the Prometheus is somebody else's and does not read itself under the job `platform`",
    sign='prometheus_tsdb_head_series{job="platform"}',
)
TROUBLE = Need(name="trouble", reason="nothing of the kind has happened in this time, which is good")
MAPPING = Need(
    name="mapping", reason="the stack maps no field of a message, or every value could be read: application.metrics"
)
BACKUPS = Need(name="backups", reason="there is no CronJob with `backup` in its name in a namespace of ours")
CERTIFICATES = Need(
    name="certificates", reason="no certificate is made by the platform, and no exporter tells of others"
)


def preset(name: str) -> Need:
    """Give the need for a preset of `application.metrics`."""
    return Need(name=f"preset {name}", reason=f"application.metrics of the stack has no preset {name}", preset=name)


def mapped(metric: str) -> Need:
    """Give the need for a metric that a stack file maps by hand."""
    return Need(
        name=metric,
        reason=f"application.metrics of the stack maps no field to {metric} (docs/observability.md shows how)",
        metric=metric,
    )
