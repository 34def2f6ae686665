"""The platform itself: what is read, how long it takes, what it keeps, which alerts hold. Labels: stack, job."""

from components.dashboards.query import Query
from components.dashboards.units import Unit

OWN = 'job="platform"'
EXPORTERS = 'up{job=~"recorder|machine-reader|node-exporter|kube-state-metrics|application|platform"}'
ENDING = "(time() - kube_pod_deletion_timestamp < 60)"
"""Pods that are being deleted: they need not answer any more. The time is that at which they are to be gone."""
TARGET = "stack, job, instance"


def _ends(series: str, label: str) -> str:
    return f'min by (certificate) (label_replace({series}, "certificate", "$1", "{label}", "(.+)"))'


targets_by_job = Query(
    name="targets_by_job",
    expression="sum by (stack, job) (up)",
    unit=Unit.COUNT,
    legend="{{stack}} {{job}}",
    description="Pods of each job whose last scrape worked.",
)
scrape_duration = Query(
    name="scrape_duration",
    expression="max by (stack, job) (scrape_duration_seconds)",
    unit=Unit.SECONDS,
    legend="{{stack}} {{job}}",
    description="How long the slowest scrape of a job took.",
)
scraped_samples = Query(
    name="scraped_samples",
    expression="sum by (stack, job) (scrape_samples_scraped)",
    unit=Unit.COUNT,
    legend="{{stack}} {{job}}",
    description="Samples that one round of scrapes gives.",
)
head_series = Query(
    name="head_series",
    expression=f"sum by (stack, instance) (prometheus_tsdb_head_series{{{OWN}}})",
    unit=Unit.COUNT,
    legend="{{instance}}",
    description="Series that Prometheus holds in memory.",
)
kept_bytes = Query(
    name="kept_bytes",
    expression=f"sum by (stack, instance) (prometheus_tsdb_storage_blocks_bytes{{{OWN}}} + "
    f"prometheus_tsdb_wal_storage_size_bytes{{{OWN}}})",
    unit=Unit.BYTES,
    legend="{{instance}}",
    description="What Prometheus keeps on its volume.",
)
rule_duration = Query(
    name="rule_duration",
    expression=f"max by (stack, rule_group) (prometheus_rule_group_last_duration_seconds{{{OWN}}})",
    unit=Unit.SECONDS,
    legend="{{rule_group}}",
    description="How long the rules of a group took.",
)
rule_failures = Query(
    name="rule_failures",
    expression=f"sum by (stack, rule_group) (rate(prometheus_rule_evaluation_failures_total{{{OWN}}}[$window]))",
    unit=Unit.PER_SECOND,
    legend="{{rule_group}}",
    description="Rules that could not be evaluated.",
)
notifications_dropped = Query(
    name="notifications_dropped",
    expression=f"sum by (stack, instance) (rate(prometheus_notifications_dropped_total{{{OWN}}}[$window]))",
    unit=Unit.PER_SECOND,
    legend="{{instance}}",
    description="Alerts that could not be told to the Alertmanager.",
)
alerts_firing = Query(
    name="alerts_firing",
    expression='sum by (alertname, severity, stack, machine, topic, pod) (ALERTS{alertstate="firing"})',
    unit=Unit.COUNT,
    legend="{{alertname}} {{stack}} {{machine}} {{topic}} {{pod}}",
    description="Alerts that hold now.",
)
programs_cpu = Query(
    name="programs_cpu",
    expression=f"sum by (stack, instance) (rate(process_cpu_seconds_total{{{OWN}}}[$window]))",
    unit=Unit.CORES,
    legend="{{instance}}",
    description="Processor time of Prometheus and its neighbours.",
)
programs_memory = Query(
    name="programs_memory",
    expression=f"sum by (stack, instance) (process_resident_memory_bytes{{{OWN}}})",
    unit=Unit.BYTES,
    legend="{{instance}}",
    description="Resident memory of Prometheus and its neighbours.",
)
readers_cpu = Query(
    name="readers_cpu",
    expression="sum by (stack, machine) (rate(ros2bench_machine_reader_cpu_seconds_total[$window]))",
    unit=Unit.CORES,
    legend="{{machine}}",
    description="Processor time of the machine readers themselves.",
)
targets_down = Query(
    name="targets_down",
    expression=f"min by ({TARGET}) ({EXPORTERS} unless on (namespace, pod) {ENDING}) == 0 "
    f"and on ({TARGET}) max_over_time({EXPORTERS}[9s]) == 0 "
    f"unless on ({TARGET}) (count_over_time({EXPORTERS}[2m]) < 12 and max_over_time({EXPORTERS}[2m]) == 0)",
    unit=Unit.COUNT,
    legend="{{job}} {{instance}}",
    description="Pods with metrics that have not answered twice; one that is starting has some time, one that is being "
    "deleted need not.",
)
certificate_left = Query(
    name="certificate_left",
    expression="(min by (certificate) (ros2bench_certificate_expiration_timestamp_seconds) - time()) or "
    f"({_ends('certmanager_certificate_expiration_timestamp_seconds', 'name')} - time()) or "
    f"({_ends('probe_ssl_earliest_cert_expiry', 'instance')} - time())",
    unit=Unit.SECONDS,
    legend="{{certificate}}",
    description="Time until a certificate ends: those that the platform made, those of cert-manager, and those that a "
    "blackbox exporter sees, where these are there.",
)
