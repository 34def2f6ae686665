"""Recording rules and alerts as plain data, made of the same queries as the dashboards.

An alert is told at most 15 s after its condition holds: one scrape (5 s; two where an exporter must be silent twice),
one evaluation (3 s), its own `for` (3 s at most where somebody waits for it), and 2 s in which Alertmanager waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from components.dashboards.alerts import ALERTS_INTERVAL_S, Alert, alerts
from components.dashboards.queries import application, machines
from components.dashboards.queries.names import MESSAGE_LATENCY_SECONDS
from components.dashboards.query import exactly
from components.dashboards.thresholds import Thresholds

RECORDINGS_INTERVAL_S = 5
LATE_WINDOWS = ("30s", "5m", "1h")
Group = Literal["ros2bench-recordings", "ros2bench-alerts"]
RuleFile = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Recording:
    """An expression that is dear, evaluated once for all who ask. `name` is LEVEL:SERIES:OPERATION."""

    name: str
    expression: str


def recordings(thresholds: Thresholds) -> tuple[Recording, ...]:
    """Give the recording rules."""
    late = [
        Recording(
            name=f"stack_topic:{MESSAGE_LATENCY_SECONDS}:late_ratio{window}",
            expression=late_ratio(thresholds.objective_s, window),
        )
        for window in LATE_WINDOWS
    ]
    return (
        *late,
        Recording(
            name="stack_pod:ros2bench_container_cpu_cores:rate1m",
            expression=application.container_cpu.resolved(window="1m"),
        ),
        Recording(
            name="stack_pod:ros2bench_container_memory_bytes:sum", expression=application.container_memory.resolved()
        ),
        Recording(name="machine:ros2bench_machine_power_watts:rate1m", expression=machines.power.resolved(window="1m")),
        Recording(name="machine:up:max", expression=machines.machine_up.resolved()),
    )


def late_ratio(objective_s: float, window: str) -> str:
    """Give the expression of the share of messages that took longer than an objective.

    Args:
        objective_s: A bound of the recorder's histogram.
        window: Duration as Prometheus writes it.
    """
    # Prometheus 3 writes the bound 1 as 1.0.
    bound = f'le=~"{exactly(f"{objective_s:g}")}(\\\\.0)?"'
    by = "stack, pattern, topic"
    within = f"sum by ({by}) (rate({MESSAGE_LATENCY_SECONDS}_bucket{{{bound}}}[{window}]))"
    return f"1 - {within} / (sum by ({by}) (rate({MESSAGE_LATENCY_SECONDS}_count[{window}])) > 0)"


def prometheus_rules(
    thresholds: Thresholds | None = None, *, certificates: Mapping[str, float] | None = None, runbooks: str = ""
) -> RuleFile:
    """Give the rule file of Prometheus; the same data is the `spec` of a PrometheusRule.

    Args:
        thresholds: From where on alerts hold.
        certificates: Ends of certificates that the program makes itself, as Unix time by name: a certificate in a
            Secret has no exporter, and its end does not change.
        runbooks: What stands before `docs/runbooks/` in the runbooks' addresses: of a repository's site, or nothing.
    """
    chosen = thresholds or Thresholds()
    kept = [{"record": rule.name, "expr": rule.expression} for rule in recordings(chosen)]
    ends = [
        {
            "record": "ros2bench_certificate_expiration_timestamp_seconds",
            "expr": f"vector({end:.0f})",
            "labels": {"certificate": name},
        }
        for name, end in sorted((certificates or {}).items())
    ]
    return {
        "groups": [
            _group("ros2bench-recordings", RECORDINGS_INTERVAL_S, [*kept, *ends]),
            _group("ros2bench-alerts", ALERTS_INTERVAL_S, [_rule(alert, runbooks) for alert in alerts(chosen)]),
        ]
    }


def _group(name: Group, interval_s: int, rules: Sequence[RuleFile]) -> RuleFile:
    return {"name": name, "interval": f"{interval_s}s", "rules": list(rules)}


def _rule(alert: Alert, runbooks: str) -> RuleFile:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        **({"for": f"{alert.for_s}s"} if alert.for_s else {}),
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "runbook_url": f"{runbooks}{alert.runbook}"},
    }
