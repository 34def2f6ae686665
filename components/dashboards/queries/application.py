"""What the containers of an experiment use, from the machine readers' counters. Labels: stack, namespace, pod, machine.

The same counters are in records. Container counters know a pod by its UID; kube-state-metrics names it.
"""

from components.dashboards.queries.names import MACHINE, MESSAGES_TOTAL, PATTERNS, STACK, of_pods
from components.dashboards.query import Query
from components.dashboards.units import Unit

OF_POD = "{{stack}} {{pod}}"
BY = "stack, namespace, pod"
COUNTERS = "From the control groups, read by machine readers."


def _rate(series: str) -> str:
    return of_pods(f"rate({series}{{{MACHINE}}}[$window])")


def _level(series: str) -> str:
    return of_pods(f"{series}{{{MACHINE}}}")


def _requested(resource: str, kind: str = "requests") -> str:
    return f'sum by ({BY}) (kube_pod_container_resource_{kind}{{{STACK},resource="{resource}"}}) > 0'


def _by_stack(joined: str) -> str:
    return f"sum by (stack, pattern) (sum by (stack) ({joined}) * on (stack) group_left (pattern) {PATTERNS})"


container_cpu = Query(
    name="container_cpu",
    expression=_rate("ros2bench_container_cpu_seconds_total"),
    unit=Unit.CORES,
    legend=OF_POD,
    description=f"Processor time per time. {COUNTERS}",
)
container_throttled = Query(
    name="container_throttled",
    expression=_rate("ros2bench_container_throttled_seconds_total"),
    unit=Unit.RATIO,
    legend=OF_POD,
    description=f"Time for which a limit held the containers back, per time. {COUNTERS}",
)
container_memory = Query(
    name="container_memory",
    expression=_level("ros2bench_container_memory_bytes"),
    unit=Unit.BYTES,
    legend=OF_POD,
    description=f"Working set: memory charged less inactive file pages. {COUNTERS}",
)
container_memory_peak = Query(
    name="container_memory_peak",
    expression=_level("ros2bench_container_memory_peak_bytes"),
    unit=Unit.BYTES,
    legend=OF_POD,
    description=f"Most that the kernel ever charged. {COUNTERS}",
)
container_io_read = Query(
    name="container_io_read",
    expression=_rate("ros2bench_container_io_read_bytes_total"),
    unit=Unit.BYTES_PER_SECOND,
    legend=f"{OF_POD} read",
    description=f"Read from disks. {COUNTERS}",
)
container_io_write = Query(
    name="container_io_write",
    expression=_rate("ros2bench_container_io_write_bytes_total"),
    unit=Unit.BYTES_PER_SECOND,
    legend=f"{OF_POD} written",
    description=f"Written to disks; control groups of version 1 do not see buffered writes. {COUNTERS}",
)
cpu_of_request = Query(
    name="cpu_of_request",
    expression=f"sum by ({BY}) ({container_cpu.expression}) / ({_requested('cpu')})",
    unit=Unit.RATIO,
    legend=OF_POD,
    description="Processor time used, of what the pod has set aside: far below 1 is reserved in vain, above 1 is taken "
    "from others.",
)
memory_of_limit = Query(
    name="memory_of_limit",
    expression=f"sum by ({BY}) ({container_memory.expression}) / ({_requested('memory', 'limits')})",
    unit=Unit.RATIO,
    legend=OF_POD,
    description="Working set, of the limit at which the kernel ends the container.",
)
memory_recorded = Query(
    name="memory_recorded",
    expression=f"stack_pod:ros2bench_container_memory_bytes:sum{{{STACK}}}",
    unit=Unit.BYTES,
    legend=OF_POD,
    description="Working set by pod, as the recording rule keeps it.",
)
memory_trend = Query(
    name="memory_trend",
    expression=f"sum by ({BY}) (deriv(stack_pod:ros2bench_container_memory_bytes:sum{{{STACK}}}[1h]))",
    unit=Unit.BYTES_PER_SECOND,
    legend=OF_POD,
    description="Slope of the working set over the last hour, by least squares: what stays above 0 leaks.",
)
cpu_by_stack = Query(
    name="cpu_by_stack",
    expression=_by_stack(container_cpu.expression),
    unit=Unit.CORES,
    legend="{{stack}} ({{pattern}})",
    description="Processor time of all pods of an experiment, its recorder included.",
)
memory_by_stack = Query(
    name="memory_by_stack",
    expression=_by_stack(container_memory.expression),
    unit=Unit.BYTES,
    legend="{{stack}} ({{pattern}})",
    description="Working set of all pods of an experiment, its recorder included.",
)
cpu_per_message = Query(
    name="cpu_per_message",
    expression=f"({cpu_by_stack.expression}) / on (stack, pattern) group_right () "
    f'(sum by (stack, pattern, topic) (rate({MESSAGES_TOTAL}{{{STACK},topic=~"$topic"}}[$window])) > 0)',
    unit=Unit.SECONDS,
    legend="{{stack}} {{topic}}",
    description="Processor time of the whole experiment for each message of a topic.",
)
