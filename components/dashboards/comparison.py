"""Dashboard that puts stacks side by side. Verdicts with intervals are those of probes.compare."""

from components.dashboards.needs import MESSAGES, READERS, RECORDER, RUNNING, SEQUENCE_NUMBERS, STATE_METRICS
from components.dashboards.panel import Dashboard, Panel, Row, lines, numbers
from components.dashboards.queries import application, messages, pods

FLOWING = (RECORDER, RUNNING, MESSAGES)


def latency() -> Panel:
    """Median latency of each stack."""
    return lines("Latency, p50", messages.latency_p50, needs=FLOWING)


def tail() -> Panel:
    """Tail latency of each stack."""
    return lines("Latency, p99", messages.latency_p99, needs=FLOWING)


def mean() -> Panel:
    """Mean latency of each stack."""
    return lines("Latency, mean", messages.latency_mean, needs=FLOWING)


def rate() -> Panel:
    """Frames per second of each stack."""
    return lines("Messages per second", messages.message_rate, needs=FLOWING)


def lost() -> Panel:
    """Losses of each stack."""
    return lines("Lost", messages.loss_ratio, needs=(*FLOWING, SEQUENCE_NUMBERS))


def cpu() -> Panel:
    """Processor time of each stack."""
    return lines("Processor time", application.cpu_by_stack, needs=(READERS, STATE_METRICS, RECORDER))


def memory() -> Panel:
    """Memory of each stack."""
    return lines("Memory", application.memory_by_stack, needs=(READERS, STATE_METRICS, RECORDER))


def start() -> Panel:
    """How long the application took to start."""
    return numbers("Created to Ready", pods.application_start, needs=(STATE_METRICS, RUNNING), width=12)


def restarts() -> Panel:
    """Restarts of each stack."""
    return numbers("Restarts in the last hour", pods.restarts_last_hour, needs=(STATE_METRICS,), width=12)


DASHBOARD = Dashboard(
    name="comparison",
    title="Comparison over stacks",
    description="Stacks side by side. While something is measured only one runs: see `python -m probes.compare`.",
    rows=(
        Row("What it does", (latency(), tail(), mean(), rate(), lost())),
        Row("What it costs", (cpu(), memory(), start(), restarts())),
    ),
)
