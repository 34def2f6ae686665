"""Dashboard of the key performance indicators: system health, application performance, use of resources."""

from components.dashboards.needs import (
    CONTAINERS_TELL,
    GPU,
    MACHINE_TELLS,
    MESSAGES,
    POWER,
    POWER_TOTAL,
    READERS,
    RECORDER,
    RESULTS,
    RUNNING,
    STATE_METRICS,
    mapped,
)
from components.dashboards.panel import Dashboard, Panel, Row, lines, numbers
from components.dashboards.queries import application, machines, messages, pods, robots

FLOWING = (RECORDER, RUNNING, MESSAGES)


def restart_frequency() -> Panel:
    """Pod restart frequency."""
    return numbers("Pod restarts in the last hour", pods.restarts_last_hour, needs=(STATE_METRICS,))


def availability() -> Panel:
    """Node availability percentage."""
    return numbers("Machine availability in the last hour", machines.machine_availability, needs=(READERS,))


def gpu_efficiency() -> Panel:
    """GPU utilisation efficiency: how busy it is."""
    return lines("GPU in use", machines.gpu_busy, needs=(GPU,), width=6)


def gpu_work() -> Panel:
    """GPU utilisation efficiency: what comes of it."""
    return lines("Messages per second of a busy GPU", machines.gpu_messages, needs=(GPU, RESULTS), width=6)


def latency_distribution() -> Panel:
    """Network latency distribution, as far as messages show it."""
    return lines("Distribution of message latency", messages.latency_shares, needs=FLOWING, width=24)


def perception() -> Panel:
    """Perception processing time, from the frame that was due to its result."""
    return lines("Perception: from frame to result", messages.latency_p50, messages.latency_p95, needs=FLOWING)


def perception_model() -> Panel:
    """Perception processing time of the model alone."""
    needs = (RECORDER, mapped("ros2bench_perception_duration_seconds"))
    return lines("Perception: the model alone", robots.perception_p50, robots.perception_p95, needs=needs)


def planning() -> Panel:
    """Planning algorithm convergence."""
    needs = (RECORDER, mapped("ros2bench_planning_duration_seconds"))
    return lines("Planning: time to converge", robots.planning_p50, robots.planning_p95, needs=needs)


def control_loop() -> Panel:
    """Control loop frequency."""
    return lines("Control loops: messages per second", messages.message_rate, messages.expected_rate, needs=FLOWING)


def mission_success() -> Panel:
    """End-to-end mission success rate."""
    needs = (RECORDER, mapped("ros2bench_mission_success"))
    return lines("Missions that succeeded", robots.mission_success, needs=needs, width=24)


def memory_patterns() -> Panel:
    """Memory usage patterns: how much."""
    return lines("Memory", application.memory_recorded, needs=(READERS, STATE_METRICS))


def memory_trend() -> Panel:
    """Memory usage patterns: whereto."""
    return lines("Memory: slope of the last hour", application.memory_trend, needs=(READERS, STATE_METRICS))


def cpu_effectiveness() -> Panel:
    """CPU scheduling effectiveness: used of what is reserved."""
    return lines(
        "Processor time of request", application.cpu_of_request, needs=(READERS, STATE_METRICS, RUNNING), width=8
    )


def cpu_throttled() -> Panel:
    """CPU scheduling effectiveness: held back."""
    needs = (READERS, STATE_METRICS, CONTAINERS_TELL)
    return lines("Held back by a limit", application.container_throttled, needs=needs, width=8)


def cpu_per_message() -> Panel:
    """CPU scheduling effectiveness: what comes of it."""
    return lines(
        "Processor time per message", application.cpu_per_message, needs=(READERS, STATE_METRICS, *FLOWING), width=8
    )


def power_trend() -> Panel:
    """Power consumption trends."""
    return lines("Power, mean of the last hour", machines.power_trend, needs=(POWER, POWER_TOTAL))


def energy_per_message() -> Panel:
    """Power consumption by what comes of it."""
    return lines("Energy per message", machines.energy_per_message, needs=(POWER, POWER_TOTAL, RESULTS))


def storage_io() -> Panel:
    """Storage I/O performance of the machines."""
    return lines("Disks", machines.machine_io_read, machines.machine_io_write, needs=(READERS, MACHINE_TELLS))


def storage_io_of_pods() -> Panel:
    """Storage I/O of the pods."""
    return lines(
        "Disks by pod",
        application.container_io_read,
        application.container_io_write,
        needs=(READERS, STATE_METRICS, CONTAINERS_TELL),
    )


DASHBOARD = Dashboard(
    name="kpis",
    title="Key performance indicators",
    description="System health, application performance, use of resources.",
    rows=(
        Row(
            "System health",
            (restart_frequency(), availability(), gpu_efficiency(), gpu_work(), latency_distribution()),
        ),
        Row(
            "Application performance",
            (perception(), perception_model(), planning(), control_loop(), mission_success()),
        ),
        Row(
            "Use of resources",
            (
                memory_patterns(),
                memory_trend(),
                cpu_effectiveness(),
                cpu_throttled(),
                cpu_per_message(),
                power_trend(),
                energy_per_message(),
                storage_io(),
                storage_io_of_pods(),
            ),
        ),
    ),
)
"""The three lists of indicators, each indicator in one panel or several."""
