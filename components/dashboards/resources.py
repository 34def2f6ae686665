"""Dashboard of resources: what containers use of processor, memory and disks, and what is left of the machines."""

from components.dashboards.needs import CONTAINERS_TELL, LIMITS, MACHINE_TELLS, NODE_EXPORTER, READERS, STATE_METRICS
from components.dashboards.panel import Dashboard, Panel, Row, lines
from components.dashboards.queries import application, machines

JOINED = (READERS, STATE_METRICS)


def container_cpu() -> Panel:
    """Processor time of each pod."""
    return lines("Pods: processor time", application.container_cpu, needs=JOINED)


def container_throttled() -> Panel:
    """Time for which limits held pods back."""
    return lines("Pods: held back by a limit", application.container_throttled, needs=(*JOINED, CONTAINERS_TELL))


def container_memory() -> Panel:
    """Working set of each pod."""
    return lines("Pods: memory", application.container_memory, needs=JOINED)


def container_memory_peak() -> Panel:
    """Most ever charged."""
    return lines("Pods: most memory ever", application.container_memory_peak, needs=(*JOINED, CONTAINERS_TELL))


def container_io() -> Panel:
    """Disks, by pod."""
    return lines(
        "Pods: disks", application.container_io_read, application.container_io_write, needs=(*JOINED, CONTAINERS_TELL)
    )


def cpu_of_request() -> Panel:
    """Processor time of what is set aside."""
    return lines("Pods: processor time of request", application.cpu_of_request, needs=JOINED)


def memory_of_limit() -> Panel:
    """Memory of the limit."""
    return lines("Pods: memory of limit", application.memory_of_limit, needs=(*JOINED, LIMITS))


def machine_cpu() -> Panel:
    """Processor time of the machines."""
    return lines("Machines: processor time in use", machines.machine_cpu, needs=(READERS,))


def machine_cpu_stolen() -> Panel:
    """Stolen time of each machine."""
    return lines("Machines: processor time taken by the host", machines.machine_cpu_stolen, needs=(READERS,))


def machine_load() -> Panel:
    """Load of the machines."""
    return lines("Machines: load", machines.machine_load, needs=(READERS,))


def machine_memory() -> Panel:
    """Memory that is left."""
    return lines("Machines: memory available", machines.machine_memory_available, needs=(READERS,))


def machine_network() -> Panel:
    """Network of the machines."""
    return lines("Machines: network", machines.machine_received, machines.machine_sent, needs=(READERS, MACHINE_TELLS))


def machine_io() -> Panel:
    """Disks of the machines."""
    return lines("Machines: disks", machines.machine_io_read, machines.machine_io_write, needs=(READERS, MACHINE_TELLS))


def disk_free() -> Panel:
    """Free share of the disks."""
    return lines("Machines: disk free", machines.disk_free, needs=(NODE_EXPORTER,))


DASHBOARD = Dashboard(
    name="resources",
    title="Resources",
    description="What pods use and what machines have left, from the counters that records keep, too.",
    rows=(
        Row(
            "Processor",
            (
                container_cpu(),
                cpu_of_request(),
                container_throttled(),
                machine_cpu(),
                machine_cpu_stolen(),
                machine_load(),
            ),
        ),
        Row("Memory", (container_memory(), memory_of_limit(), container_memory_peak(), machine_memory())),
        Row("Disks and network", (container_io(), machine_io(), disk_free(), machine_network())),
    ),
)
