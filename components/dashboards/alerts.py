"""Alerts: what must hold, for how long, how bad it is, what is said, and where it is written what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from components.dashboards.queries import machines, messages, platform, pods
from components.dashboards.queries.names import EXPECTED_RATE_HERTZ, MESSAGE_LATENCY_SECONDS
from components.dashboards.query import Query
from components.dashboards.thresholds import Thresholds

Severity = Literal["critical", "warning"]
RUNBOOKS = "docs/runbooks"
ALERTS_INTERVAL_S = 3
BLIP_S = 3
"""As long as one evaluation: what holds for a moment between two states tells nobody."""
RESTARTS_WINDOW = "10m"
LOSS_WINDOW = "1m"
POWER_WINDOW = "15s"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert.

    Attributes:
        name: As it is shown; two rules may share one, where one condition is bad in two degrees.
        query: What it watches; its variables are left to everything.
        expression: What Prometheus evaluates; its series are the alert's.
        for_s: How long it must hold.
        severity: `critical` calls somebody now, `warning` can wait for the day.
        summary: One sentence, with Prometheus' templates for labels and the value.
    """

    name: str
    query: Query
    expression: str
    for_s: int = 0
    severity: Severity
    summary: str

    @property
    def runbook(self) -> str:
        """Path of the page that says what it means, how to look and what to do."""
        return f"{RUNBOOKS}/{self.name}.md"


def alerts(thresholds: Thresholds) -> tuple[Alert, ...]:
    """Give every alert."""
    return (
        *_of_messages(thresholds),
        *_of_latency(thresholds),
        *_of_pods(thresholds),
        *_of_machines(thresholds),
        *_of_gpus(thresholds),
        *_of_power(thresholds),
        *_of_keeping(thresholds),
    )


def _of_messages(thresholds: Thresholds) -> Sequence[Alert]:
    rate = f"max by (stack, topic) ({EXPECTED_RATE_HERTZ} > 0)"
    limit = f"clamp_min({thresholds.silence_periods:g} / {rate}, {thresholds.silence_s:g})"
    parked = messages.parked.resolved()
    starting = f"{pods.application_age.resolved()} < {thresholds.start_s:g}"
    lost = messages.loss_ratio.resolved(window=LOSS_WINDOW)
    return (
        Alert(
            name="TopicSilent",
            query=messages.silence,
            expression=f"{messages.silence.resolved()} > on (stack, topic) group_left () {limit} "
            f"unless on (stack) ({parked}) unless on (stack) ({starting})",
            for_s=BLIP_S,
            severity="critical",
            summary="Topic {{ $labels.topic }} of stack {{ $labels.stack }} has been silent for "
            "{{ $value | humanizeDuration }}.",
        ),
        Alert(
            name="TopicNeverHeard",
            query=messages.never_heard,
            expression=f"({messages.never_heard.resolved()}) and on (stack) ({pods.application_ready.resolved()} == 1)",
            # Discovery across machines takes seconds after the last pod is Ready.
            for_s=12,
            severity="warning",
            summary="Nothing was ever heard on topic {{ $labels.topic }} of stack {{ $labels.stack }}, whose pods are "
            "all Ready.",
        ),
        Alert(
            name="MessagesLost",
            query=messages.loss_ratio,
            expression=f"{lost} > {thresholds.loss_ratio:g}",
            for_s=BLIP_S,
            severity="warning",
            summary="Topic {{ $labels.topic }} of stack {{ $labels.stack }} loses {{ $value | humanizePercentage }} of "
            "its messages.",
        ),
    )


def _of_latency(thresholds: Thresholds) -> Sequence[Alert]:
    allowed = 1 - thresholds.objective_ratio

    def both(short: str, long: str, burn: float) -> str:
        # The long window says that it matters, the short one that it still goes on.
        series = f"stack_topic:{MESSAGE_LATENCY_SECONDS}:late_ratio"
        return f"{series}{long} > {burn * allowed:g} and {series}{short} > {burn * allowed:g}"

    said = (
        "Of the messages on {{ $labels.topic }} of stack {{ $labels.stack }} {{ $value | humanizePercentage }} "
        f"take longer than {thresholds.objective_s:g} s; {allowed:.2%} are allowed."
    )
    return (
        Alert(
            name="LatencyObjectiveBurning",
            query=messages.latency_shares,
            expression=both("30s", "5m", thresholds.fast_burn),
            severity="critical",
            summary=said,
        ),
        Alert(
            name="LatencyObjectiveBurning",
            query=messages.latency_shares,
            expression=both("5m", "1h", thresholds.slow_burn),
            severity="warning",
            summary=said,
        ),
    )


def _of_pods(thresholds: Thresholds) -> Sequence[Alert]:
    counted = f"{pods.restarts.resolved(window=RESTARTS_WINDOW)} >= {thresholds.restarts:g}"
    return (
        Alert(
            name="RestartStorm",
            query=pods.restarts,
            # Windows remember a pod that was deleted.
            expression=f"({counted} or {pods.crash_looping.resolved()}) and on ({pods.BY}) kube_pod_info",
            severity="critical",
            summary="Pod {{ $labels.pod }} of stack {{ $labels.stack }} is restarted again and again.",
        ),
    )


def _of_machines(thresholds: Thresholds) -> Sequence[Alert]:
    full = f"{machines.disk_free.resolved()} < {thresholds.disk_free_ratio:g}"
    return (
        Alert(
            name="MachineGone",
            query=machines.machine_silent,
            expression=f"({machines.machine_silent.resolved()}) or ({machines.machine_ready.resolved()} == 0)",
            severity="critical",
            summary="Machine {{ $labels.machine }} does not answer, or Kubernetes calls it not Ready.",
        ),
        Alert(
            name="ClockOffset",
            query=machines.clock_offset_sure,
            expression=f"{machines.clock_offset_sure.resolved()} > {thresholds.clock_s:g}",
            for_s=BLIP_S,
            severity="warning",
            summary="The clock of machine {{ $labels.machine }} is {{ $value | humanizeDuration }} off, or more.",
        ),
        Alert(
            name="DiskFilling",
            query=machines.disk_free,
            expression=f"{full} or ({machines.disk_pressure.resolved()} == 1)",
            for_s=BLIP_S,
            severity="critical",
            summary="The disk of machine {{ $labels.machine }} is nearly full; the kubelet will evict pods.",
        ),
        Alert(
            name="ExporterDown",
            query=platform.targets_down,
            expression=platform.targets_down.resolved(),
            severity="warning",
            summary="{{ $labels.job }} {{ $labels.instance }} does not answer: its series have a gap, and alerts on "
            "them are blind.",
        ),
    )


def _of_gpus(thresholds: Thresholds) -> Sequence[Alert]:
    hot = f"{machines.gpu_temperature.resolved()} > {thresholds.gpu_celsius:g}"
    of_sensors = (
        f'max by (machine, sensor) (ros2bench_machine_temperature_celsius{{sensor=~"(?i).*gpu.*"}}) > '
        f"{thresholds.gpu_celsius:g}"
    )
    return (
        Alert(
            name="GpuHot",
            query=machines.gpu_temperature,
            expression=f"{hot} or {of_sensors}",
            for_s=BLIP_S,
            severity="warning",
            summary="A GPU of machine {{ $labels.machine }} has {{ $value }} °C.",
        ),
        Alert(
            name="GpuThrottled",
            query=machines.gpu_throttled,
            expression=f"{machines.gpu_throttled.resolved()} > 0",
            for_s=BLIP_S,
            severity="warning",
            summary="Heat or power holds GPU {{ $labels.gpu }} of machine {{ $labels.machine }} back: what is measured "
            "now is not what it can do.",
        ),
    )


def _of_power(thresholds: Thresholds) -> Sequence[Alert]:
    of_limit = Alert(
        name="PowerBudgetExceeded",
        query=machines.power_of_limit,
        expression=f"{machines.power_of_limit.resolved(window=POWER_WINDOW)} > {thresholds.power_ratio:g}",
        for_s=BLIP_S,
        severity="warning",
        summary="Rail {{ $labels.rail }} of machine {{ $labels.machine }} takes {{ $value | humanizePercentage }} of "
        "its limit.",
    )
    if thresholds.power_budget_watts is None:
        return (of_limit,)
    of_budget = Alert(
        name="PowerBudgetExceeded",
        query=machines.power,
        expression=f"{machines.power.resolved(window=POWER_WINDOW)} > {thresholds.power_budget_watts:g}",
        for_s=BLIP_S,
        severity="warning",
        summary=f"Machine {{{{ $labels.machine }}}} takes {{{{ $value }}}} W; {thresholds.power_budget_watts:g} W are "
        "its budget.",
    )
    return (of_limit, of_budget)


def _of_keeping(thresholds: Thresholds) -> Sequence[Alert]:
    old = f"({pods.backup_age.resolved()}) > {thresholds.backup_s:g}"
    never = f"({pods.backup_never.resolved()}) > {thresholds.backup_s:g}"
    return (
        Alert(
            name="BackupMissed",
            query=pods.backup_age,
            expression=f"{old} or {never}",
            severity="critical",
            summary="Backup {{ $labels.cronjob }} in {{ $labels.namespace }} is {{ $value | humanizeDuration }} old, "
            "or was never made.",
        ),
        Alert(
            name="CertificateEnding",
            query=platform.certificate_left,
            expression=f"({platform.certificate_left.resolved()}) < {thresholds.certificate_s:g}",
            severity="warning",
            summary="Certificate {{ $labels.certificate }} ends in {{ $value | humanizeDuration }}.",
        ),
    )
