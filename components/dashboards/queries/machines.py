"""Machines: availability, processor, memory, network, disks, clock, GPU, power. Label: machine.

A machine belongs to no experiment, so these are the only queries that do not part by stack.
"""

from components.dashboards.queries.names import MACHINE, MESSAGES_TOTAL, TOPIC
from components.dashboards.query import Query
from components.dashboards.units import Unit

TOTAL = f'{MACHINE},is_total="true"'
SHARED = "Machines of a lab share one kernel, so that each shows the whole computer."


def _rate(series: str, by: str = "machine") -> str:
    return f"sum by ({by}) (rate(ros2bench_machine_{series}{{{MACHINE}}}[$window]))"


machine_up = Query(
    name="machine_up",
    expression=f'max by (machine) (up{{{MACHINE},job=~"machine-reader|node-exporter"}})',
    unit=Unit.COUNT,
    legend="{{machine}}",
    description="1 where one of the machine's exporters answers, 0 where none does.",
)
machine_silent = Query(
    name="machine_silent",
    expression=f"{machine_up.expression} == 0 "
    f'and on (machine) max by (machine) (max_over_time(up{{{MACHINE},job=~"machine-reader|node-exporter"}}[9s])) == 0 '
    f"unless on (machine) (count_over_time(machine:up:max{{{MACHINE}}}[2m]) < 12 "
    f"and max_over_time(machine:up:max{{{MACHINE}}}[2m]) == 0)",
    unit=Unit.COUNT,
    legend="{{machine}}",
    description="Machines of which no exporter has answered twice; one that has just come has some time.",
)
machine_ready = Query(
    name="machine_ready",
    expression=f'max by (machine) (kube_node_status_condition{{{MACHINE},condition="Ready",status="true"}})',
    unit=Unit.COUNT,
    legend="{{machine}}",
    description="1 where Kubernetes calls the machine Ready.",
)
machine_availability = Query(
    name="machine_availability",
    expression=f"avg_over_time(machine:up:max{{{MACHINE}}}[1h])",
    unit=Unit.RATIO,
    legend="{{machine}}",
    description="Share of the last hour in which the machine answered; what Prometheus missed does not count.",
)
machine_cpu = Query(
    name="machine_cpu",
    expression=f"{_rate('cpu_busy_seconds_total')} / {_rate('cpu_seconds_total')}",
    unit=Unit.RATIO,
    legend="{{machine}}",
    description=f"Processor time in use, of all there is. {SHARED}",
)
machine_cpu_stolen = Query(
    name="machine_cpu_stolen",
    expression=f"{_rate('cpu_stolen_seconds_total')} / {_rate('cpu_seconds_total')}",
    unit=Unit.RATIO,
    legend="{{machine}}",
    description="Processor time that the host of a virtual machine gave to its other guests; 0 on hardware of its own.",
)
machine_load = Query(
    name="machine_load",
    expression=f"max by (machine) (ros2bench_machine_load_1m{{{MACHINE}}})",
    unit=Unit.COUNT,
    legend="{{machine}}",
    description="Processes that run or wait to run, mean of the last minute.",
)
machine_memory_available = Query(
    name="machine_memory_available",
    expression=f"max by (machine) (ros2bench_machine_memory_available_bytes{{{MACHINE}}})",
    unit=Unit.BYTES,
    legend="{{machine}}",
    description=f"Memory that programs may still get. {SHARED}",
)
machine_io_read = Query(
    name="machine_io_read",
    expression=_rate("io_read_bytes_total"),
    unit=Unit.BYTES_PER_SECOND,
    legend="{{machine}} read",
    description=f"Read from disks. {SHARED}",
)
machine_io_write = Query(
    name="machine_io_write",
    expression=_rate("io_write_bytes_total"),
    unit=Unit.BYTES_PER_SECOND,
    legend="{{machine}} written",
    description=f"Written to disks. {SHARED}",
)
machine_received = Query(
    name="machine_received",
    expression=_rate("network_received_bytes_total"),
    unit=Unit.BYTES_PER_SECOND,
    legend="{{machine}} received",
    description="Received from other machines.",
)
machine_sent = Query(
    name="machine_sent",
    expression=_rate("network_sent_bytes_total"),
    unit=Unit.BYTES_PER_SECOND,
    legend="{{machine}} sent",
    description="Sent to other machines.",
)
disk_free = Query(
    name="disk_free",
    expression=f'min by (machine, mountpoint) (node_filesystem_avail_bytes{{{MACHINE},fstype!~"tmpfs|ramfs"}} '
    f'/ node_filesystem_size_bytes{{{MACHINE},fstype!~"tmpfs|ramfs"}})',
    unit=Unit.RATIO,
    legend="{{machine}} {{mountpoint}}",
    description="Free share of the file system on which pods live.",
)
disk_pressure = Query(
    name="disk_pressure",
    expression=f'max by (machine) (kube_node_status_condition{{{MACHINE},condition="DiskPressure",status="true"}})',
    unit=Unit.COUNT,
    legend="{{machine}}",
    description="1 where the kubelet evicts pods because a disk is full.",
)
clock_offset = Query(
    name="clock_offset",
    expression=f"max by (machine) (node_time_seconds{{{MACHINE}}} - timestamp(node_time_seconds{{{MACHINE}}}))",
    unit=Unit.SECONDS,
    legend="{{machine}}",
    description="The machine's clock less Prometheus'; a scrape takes some milliseconds, which are in it.",
)
clock_offset_sure = Query(
    name="clock_offset_sure",
    expression=f"abs({clock_offset.expression}) - on (machine) "
    f'max by (machine) (scrape_duration_seconds{{{MACHINE},job="node-exporter"}})',
    unit=Unit.SECONDS,
    legend="{{machine}}",
    description="Size of the offset, less the time of the scrape, which it could be due to.",
)
clock_error = Query(
    name="clock_error",
    expression=f"max by (machine) (node_timex_maxerror_seconds{{{MACHINE}}})",
    unit=Unit.SECONDS,
    legend="{{machine}}",
    description="Largest error that the kernel claims for its clock; 16 s means that nothing synchronises it.",
)
gpu_busy = Query(
    name="gpu_busy",
    expression=f"max by (machine, gpu) (ros2bench_machine_gpu_busy_ratio{{{MACHINE}}})",
    unit=Unit.RATIO,
    legend="{{machine}} {{gpu}}",
    description="Share of the time in which the GPU worked.",
)
gpu_memory = Query(
    name="gpu_memory",
    expression=f"max by (machine, gpu) (ros2bench_machine_gpu_memory_used_bytes{{{MACHINE}}})",
    unit=Unit.BYTES,
    legend="{{machine}} {{gpu}}",
    description="GPU memory in use; on a Jetson it is the machine's own.",
)
gpu_memory_ratio = Query(
    name="gpu_memory_ratio",
    expression=f"{gpu_memory.expression} / "
    f"max by (machine, gpu) (ros2bench_machine_gpu_memory_total_bytes{{{MACHINE}}})",
    unit=Unit.RATIO,
    legend="{{machine}} {{gpu}}",
    description="GPU memory in use, of all there is.",
)
gpu_clock = Query(
    name="gpu_clock",
    expression=f"max by (machine, gpu) (ros2bench_machine_gpu_clock_hertz{{{MACHINE}}})",
    unit=Unit.HERTZ,
    legend="{{machine}} {{gpu}}",
    description="Clock of the GPU.",
)
gpu_temperature = Query(
    name="gpu_temperature",
    expression=f"max by (machine, gpu) (ros2bench_machine_gpu_temperature_celsius{{{MACHINE}}})",
    unit=Unit.CELSIUS,
    legend="{{machine}} {{gpu}}",
    description="Temperature of the GPU.",
)
gpu_throttled = Query(
    name="gpu_throttled",
    expression=f"max by (machine, gpu) (ros2bench_machine_gpu_throttled{{{MACHINE}}})",
    unit=Unit.COUNT,
    legend="{{machine}} {{gpu}}",
    description="1 while heat or power holds the GPU below the clock that it would take.",
)
gpu_messages = Query(
    name="gpu_messages",
    expression=f"sum by (stack, topic) (rate({MESSAGES_TOTAL}{{{TOPIC}}}[$window])) / on () group_left () "
    f"(sum (ros2bench_machine_gpu_busy_ratio{{{MACHINE}}}) > 0)",
    unit=Unit.HERTZ,
    legend="{{stack}} {{topic}}",
    description="Messages for each second in which a GPU worked. Right where one experiment uses the GPUs.",
)
temperature = Query(
    name="temperature",
    expression=f"max by (machine, sensor) (ros2bench_machine_temperature_celsius{{{MACHINE}}})",
    unit=Unit.CELSIUS,
    legend="{{machine}} {{sensor}}",
    description="Temperatures of the machine's sensors.",
)
power_by_rail = Query(
    name="power_by_rail",
    expression=f"sum by (machine, rail) (rate(ros2bench_machine_energy_joules_total{{{MACHINE}}}[$window])) / "
    f"(sum by (machine, rail) (rate(ros2bench_machine_energy_covered_seconds_total{{{MACHINE}}}[$window])) > 0)",
    unit=Unit.WATTS,
    legend="{{machine}} {{rail}}",
    description="Mean power of each supply rail: its energy over the time for which it is known. Rails overlap.",
)
power = Query(
    name="power",
    expression="sum by (machine) ("
    f"sum by (machine, rail) (rate(ros2bench_machine_energy_joules_total{{{TOTAL}}}[$window])) / "
    f"(sum by (machine, rail) (rate(ros2bench_machine_energy_covered_seconds_total{{{TOTAL}}}[$window])) > 0))",
    unit=Unit.WATTS,
    legend="{{machine}}",
    description="Mean power of the machine: the rail that measures its input, else the sum of those that make it up.",
)
power_trend = Query(
    name="power_trend",
    expression=f"avg_over_time(machine:ros2bench_machine_power_watts:rate1m{{{MACHINE}}}[1h])",
    unit=Unit.WATTS,
    legend="{{machine}}",
    description="Mean power of the last hour.",
)
power_of_limit = Query(
    name="power_of_limit",
    expression=f"{power_by_rail.expression} / "
    f"max by (machine, rail) (ros2bench_machine_power_limit_watts{{{MACHINE}}})",
    unit=Unit.RATIO,
    legend="{{machine}} {{rail}}",
    description="Mean power of a rail, of the limit that the machine tells for it.",
)
energy_last_hour = Query(
    name="energy_last_hour",
    expression=f"sum by (machine) (increase(ros2bench_machine_energy_joules_total{{{TOTAL}}}[1h]))",
    unit=Unit.JOULES,
    legend="{{machine}}",
    description="Energy of the last hour, as far as it is known.",
)
energy_per_message = Query(
    name="energy_per_message",
    expression=f"scalar(sum ({power.expression})) / "
    f"(sum by (stack, topic) (rate({MESSAGES_TOTAL}{{{TOPIC}}}[$window])) > 0)",
    unit=Unit.JOULES,
    legend="{{stack}} {{topic}}",
    description="Energy of the machines for each message, idle power included. Right while one experiment runs; "
    "records tell it with the idle power taken off.",
)
