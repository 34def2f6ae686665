"""Dashboard of one experiment while it runs: latency, frames per second, losses, silence, nodes, by topic."""

from components.dashboards.needs import CAPTURE, EXPECTED_RATE, MAPPING, MESSAGES, RECORDER, RUNNING, SEQUENCE_NUMBERS
from components.dashboards.panel import Dashboard, Panel, Row, lines, numbers, states
from components.dashboards.queries import messages

FLOWING = (RECORDER, RUNNING, MESSAGES)


def frames_per_second() -> Panel:
    """What arrives, beside what the source intends to send."""
    return lines("Messages per second", messages.message_rate, messages.expected_rate, needs=FLOWING)


def delivered() -> Panel:
    """Share of what was intended that arrived."""
    return lines("Delivered", messages.delivered_ratio, needs=(*FLOWING, EXPECTED_RATE))


def latency() -> Panel:
    """Quantiles of latency."""
    return lines("Latency", messages.latency_p50, messages.latency_p95, messages.latency_p99, needs=FLOWING)


def jitter() -> Panel:
    """How far the slow ones are from the usual ones."""
    return lines("Jitter (p95 less p50)", messages.latency_jitter, needs=FLOWING)


def distribution() -> Panel:
    """Shares below every bound of the histogram."""
    return lines("Distribution of latency", messages.latency_shares, needs=FLOWING, width=24)


def lost() -> Panel:
    """Share that never arrived."""
    return lines("Lost", messages.loss_ratio, needs=(*FLOWING, SEQUENCE_NUMBERS))


def late() -> Panel:
    """Share that took longer than a period."""
    return lines("Later than one period", messages.late_ratio, needs=(*FLOWING, EXPECTED_RATE))


def bandwidth() -> Panel:
    """Bytes of what arrives."""
    return lines("Bytes per second", messages.message_bytes_rate, needs=FLOWING)


def silence() -> Panel:
    """Time since the last message."""
    return lines("Silence", messages.silence, needs=(RECORDER, RUNNING, MESSAGES))


def publishers() -> Panel:
    """Matched publishers."""
    return numbers("Publishers", messages.publishers, needs=(RECORDER,))


def nodes() -> Panel:
    """Which nodes are in the ROS graph."""
    return states("Nodes in the ROS graph", messages.node_up, needs=(RECORDER,))


def captures() -> Panel:
    """Which run is being captured."""
    return states("Run being captured", messages.run_info, needs=(RECORDER, CAPTURE))


def recorder_cpu() -> Panel:
    """What the observer costs."""
    return lines("Recorder: processor time", messages.recorder_cpu, needs=(RECORDER,))


def recorder_memory() -> Panel:
    """What the observer holds."""
    return lines("Recorder: memory", messages.recorder_memory, needs=(RECORDER,))


def mapping() -> Panel:
    """Mapped fields that could not be read, or were too many."""
    return lines(
        "Mapped fields: errors and series dropped",
        messages.mapping_errors,
        messages.mapping_dropped,
        needs=(RECORDER, MAPPING),
    )


DASHBOARD = Dashboard(
    name="experiment",
    title="Experiment",
    description="One experiment while it runs, by topic.",
    rows=(
        Row("Flow", (frames_per_second(), delivered(), lost(), late())),
        Row("Latency", (latency(), jitter(), distribution())),
        Row("Graph", (silence(), nodes(), publishers(), bandwidth())),
        Row("Observer", (captures(), recorder_cpu(), recorder_memory(), mapping())),
    ),
)
