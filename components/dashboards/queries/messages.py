"""What the recorder hears: rates, latency, losses, silence, nodes. Labels: stack, pattern, topic."""

from components.dashboards.queries.names import (
    DEPLOYMENTS_OF_APPLICATION,
    DEPLOYMENTS_OF_RECORDER,
    EXPECTED_RATE_HERTZ,
    LAST_MESSAGE_TIMESTAMP_SECONDS,
    MESSAGE_BYTES_TOTAL,
    MESSAGE_LATENCY_SECONDS,
    MESSAGES_LATE_TOTAL,
    MESSAGES_LOST_TOTAL,
    MESSAGES_TOTAL,
    RECORDER_CPU_SECONDS_TOTAL,
    STACK,
    TOPIC,
)
from components.dashboards.query import Query
from components.dashboards.units import Unit

BY = "stack, pattern, topic"
OF_TOPIC = "{{stack}} {{topic}}"


def _rate(series: str, by: str = BY) -> str:
    return f"sum by ({by}) (rate({series}{{{TOPIC}}}[$window]))"


def _quantile(share: float) -> str:
    return f"histogram_quantile({share:g}, {_rate(f'{MESSAGE_LATENCY_SECONDS}_bucket', f'{BY}, le')})"


def _latency(name: str, share: float, said: str) -> Query:
    return Query(
        name=name,
        expression=_quantile(share),
        unit=Unit.SECONDS,
        legend=f"{OF_TOPIC} {said}",
        description=f"{said} of the time from when a message was due (without a stamp: was sent) until the recorder "
        "received it, between the bounds of a histogram with steps of 1, 2, 5. Records hold every sample.",
    )


message_rate = Query(
    name="message_rate",
    expression=_rate(MESSAGES_TOTAL),
    unit=Unit.HERTZ,
    legend=OF_TOPIC,
    description="Messages that arrived at the recorder per second; of a topic of results these are frames per second.",
)
expected_rate = Query(
    name="expected_rate",
    expression=f"max by ({BY}) ({EXPECTED_RATE_HERTZ}{{{TOPIC}}})",
    unit=Unit.HERTZ,
    legend=f"{OF_TOPIC} expected",
    description="Rate at which the source intends to send, as the stack file says.",
)
delivered_ratio = Query(
    name="delivered_ratio",
    expression=f"{message_rate.expression} / ({expected_rate.expression} > 0)",
    unit=Unit.RATIO,
    legend=OF_TOPIC,
    description="Messages that arrived, of those that the source intended to send.",
)
message_bytes_rate = Query(
    name="message_bytes_rate",
    expression=_rate(MESSAGE_BYTES_TOTAL),
    unit=Unit.BYTES_PER_SECOND,
    legend=OF_TOPIC,
    description="Serialised bytes of the messages that arrived.",
)
loss_ratio = Query(
    name="loss_ratio",
    expression=f"{_rate(MESSAGES_LOST_TOTAL)} / ({_rate(MESSAGES_LOST_TOTAL)} + {_rate(MESSAGES_TOTAL)})",
    unit=Unit.RATIO,
    legend=OF_TOPIC,
    description="Messages that never arrived, by gaps in the publishers' sequence numbers, of all that were sent.",
)
late_ratio = Query(
    name="late_ratio",
    expression=f"{_rate(MESSAGES_LATE_TOTAL)} / {_rate(MESSAGES_TOTAL)}",
    unit=Unit.RATIO,
    legend=OF_TOPIC,
    description="Messages that took longer than one period of the expected rate, of those that arrived.",
)
latency_p50 = _latency("latency_p50", 0.5, "p50")
latency_p95 = _latency("latency_p95", 0.95, "p95")
latency_p99 = _latency("latency_p99", 0.99, "p99")
latency_jitter = Query(
    name="latency_jitter",
    expression=f"{_quantile(0.95)} - {_quantile(0.5)}",
    unit=Unit.SECONDS,
    legend=OF_TOPIC,
    description="Jitter: p95 less p50 of the latency, as in records.",
)
latency_mean = Query(
    name="latency_mean",
    expression=f"{_rate(f'{MESSAGE_LATENCY_SECONDS}_sum')} / {_rate(f'{MESSAGE_LATENCY_SECONDS}_count')}",
    unit=Unit.SECONDS,
    legend=OF_TOPIC,
    description="Mean latency; of it the histogram knows the exact sum.",
)
latency_shares = Query(
    name="latency_shares",
    expression=f"{_rate(f'{MESSAGE_LATENCY_SECONDS}_bucket', f'{BY}, le')} / ignoring (le) group_left () "
    f"{_rate(f'{MESSAGE_LATENCY_SECONDS}_count')}",
    unit=Unit.RATIO,
    legend=f"{OF_TOPIC} <= {{{{le}}}} s",
    description="Distribution: the share of messages that took no longer than each bound of the histogram.",
)
silence = Query(
    name="silence",
    expression=f"time() - max by ({BY}) ({LAST_MESSAGE_TIMESTAMP_SECONDS}{{{TOPIC}}})",
    unit=Unit.SECONDS,
    legend=OF_TOPIC,
    description="Time since the last message, by Prometheus' clock and the recorder's.",
)
never_heard = Query(
    name="never_heard",
    expression=f"{expected_rate.expression} > 0 unless on (stack, topic) "
    f"max by ({BY}) ({LAST_MESSAGE_TIMESTAMP_SECONDS}{{{TOPIC}}})",
    unit=Unit.HERTZ,
    legend=OF_TOPIC,
    description="Expected rate of topics of which the recorder has heard nothing since it started.",
)
publishers = Query(
    name="publishers",
    expression=f"max by ({BY}) (ros2bench_topic_publishers{{{TOPIC}}})",
    unit=Unit.COUNT,
    legend=OF_TOPIC,
    description="Publishers that discovery has matched with the recorder.",
)
node_up = Query(
    name="node_up",
    expression=f"min by (stack, pattern, node) (ros2bench_node_up{{{STACK}}})",
    unit=Unit.COUNT,
    legend="{{stack}} {{node}}",
    description="1: the node is in the ROS graph. 0: it is expected and not there.",
)
parked = Query(
    name="parked",
    # A Deployment that is being deleted stays for as long as its pods do.
    expression=f"group by (stack) ({DEPLOYMENTS_OF_RECORDER}) unless on (stack) group by (stack) "
    f"({DEPLOYMENTS_OF_APPLICATION} unless on (namespace, deployment) kube_deployment_deletion_timestamp)",
    unit=Unit.COUNT,
    legend="{{stack}}",
    description="1 for an experiment with the recorder's Deployment and none of the application: parked on purpose. "
    "Deployments without pods (scaled to 0, refused by a quota) are not parked.",
)
run_info = Query(
    name="run_info",
    expression=f"max by (stack, pattern, run) (ros2bench_run_info{{{STACK}}})",
    unit=Unit.COUNT,
    legend="{{stack}} {{run}}",
    description="1 while that run is being captured.",
)
recorder_cpu = Query(
    name="recorder_cpu",
    expression=f"sum by (stack, pattern) (rate({RECORDER_CPU_SECONDS_TOTAL}{{{STACK}}}[$window]))",
    unit=Unit.CORES,
    legend="{{stack}}",
    description="Processor time that the recorder itself takes.",
)
recorder_memory = Query(
    name="recorder_memory",
    expression=f"max by (stack, pattern) (ros2bench_recorder_memory_bytes{{{STACK}}})",
    unit=Unit.BYTES,
    legend="{{stack}}",
    description="Resident memory of the recorder itself.",
)
mapping_errors = Query(
    name="mapping_errors",
    expression=f"sum by (stack, metric) (rate(ros2bench_mapping_errors_total{{{STACK}}}[$window]))",
    unit=Unit.PER_SECOND,
    legend="{{stack}} {{metric}}",
    description="Fields of messages that could not be read as the mapping says.",
)
mapping_dropped = Query(
    name="mapping_dropped",
    expression=f"sum by (stack, metric) (rate(ros2bench_mapping_series_dropped_total{{{STACK}}}[$window]))",
    unit=Unit.PER_SECOND,
    legend="{{stack}} {{metric}}",
    description="Values left out because a mapping has as many label sets as it may.",
)
