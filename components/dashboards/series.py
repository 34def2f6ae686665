"""Which series there are, who gives them, and with which labels: what queries may name.

A test compares the tables with the exporters' own; kube-state-metrics and the node exporter are documented upstream.
"""

from collections.abc import Mapping

TARGET_LABELS = frozenset({"job", "instance", "namespace", "pod", "machine", "stack", "pattern"})
"""Labels that relabelling gives every series of a pod of ours."""

RECORDER: Mapping[str, tuple[str, ...]] = {
    "ros2bench_messages_total": ("topic",),
    "ros2bench_message_bytes_total": ("topic",),
    "ros2bench_messages_lost_total": ("topic",),
    "ros2bench_messages_late_total": ("topic",),
    "ros2bench_messages_from_the_future_total": ("topic",),
    "ros2bench_message_latency_seconds_bucket": ("topic", "le"),
    "ros2bench_message_latency_seconds_sum": ("topic",),
    "ros2bench_message_latency_seconds_count": ("topic",),
    "ros2bench_topic_last_message_timestamp_seconds": ("topic",),
    "ros2bench_topic_expected_rate_hertz": ("topic",),
    "ros2bench_topic_publishers": ("topic",),
    "ros2bench_node_up": ("node",),
    "ros2bench_run_info": ("run",),
    "ros2bench_recorder_cpu_seconds_total": (),
    "ros2bench_recorder_memory_bytes": (),
    "ros2bench_mapping_errors_total": ("metric",),
    "ros2bench_mapping_series_dropped_total": ("metric",),
}
"""Of every recorder, by the contract's table; a histogram is its three parts."""

MACHINE_READER: Mapping[str, tuple[str, ...]] = {
    **{
        f"ros2bench_container_{name}": ("pod_uid", "container_id")
        for name in (
            "cpu_seconds_total",
            "throttled_seconds_total",
            "throttled_periods_total",
            "memory_bytes",
            "memory_peak_bytes",
            "io_read_bytes_total",
            "io_write_bytes_total",
        )
    },
    **{
        f"ros2bench_machine_{name}": ()
        for name in (
            "cpu_busy_seconds_total",
            "cpu_stolen_seconds_total",
            "cpu_seconds_total",
            "memory_available_bytes",
            "io_read_bytes_total",
            "io_write_bytes_total",
            "network_received_bytes_total",
            "network_sent_bytes_total",
            "load_1m",
        )
    },
    **{
        f"ros2bench_machine_{name}": ("rail", "is_total")
        for name in ("power_watts", "energy_joules_total", "energy_covered_seconds_total")
    },
    **{
        f"ros2bench_machine_gpu_{name}": ("gpu",)
        for name in (
            "busy_ratio",
            "memory_used_bytes",
            "memory_total_bytes",
            "temperature_celsius",
            "clock_hertz",
            "throttled",
        )
    },
    **{f"ros2bench_machine_cpu_{name}": ("core",) for name in ("busy_ratio", "clock_hertz")},
    **{f"ros2bench_machine_memory_controller_{name}": () for name in ("busy_ratio", "clock_hertz")},
    "ros2bench_machine_temperature_celsius": ("sensor",),
    "ros2bench_machine_power_limit_watts": ("rail",),
    "ros2bench_machine_reader_cpu_seconds_total": (),
}
"""Of machine readers; GPU, power, sensors and limits where the machine tells."""

MAPPED: Mapping[str, tuple[str, ...]] = {
    "ros2bench_joint_position_radians": ("topic", "joint"),
    "ros2bench_joint_velocity_radians_per_second": ("topic", "joint"),
    "ros2bench_joint_effort_newton_meters": ("topic", "joint"),
    "ros2bench_battery_charge_ratio": ("topic",),
    "ros2bench_battery_voltage_volts": ("topic",),
    "ros2bench_battery_temperature_celsius": ("topic",),
    "ros2bench_diagnostic_level": ("topic", "name", "hardware_id"),
    "ros2bench_odometry_linear_speed_meters_per_second": ("topic",),
    "ros2bench_odometry_angular_speed_radians_per_second": ("topic",),
    "ros2bench_mission_progress_ratio": ("topic",),
    "ros2bench_mission_state": ("topic", "state"),
    "ros2bench_safety_flag": ("topic",),
    "ros2bench_safety_events_total": ("topic",),
}
"""Of the presets of `application.metrics`."""

BY_HAND: Mapping[str, tuple[str, ...]] = {
    f"{name}_{part}": ("topic", *(("le",) if part == "bucket" else ()))
    for name in (
        "ros2bench_mission_success",
        "ros2bench_planning_duration_seconds",
        "ros2bench_perception_duration_seconds",
    )
    for part in ("bucket", "sum", "count")
}
"""Histograms that a stack file maps from messages of its own, as docs/observability.md shows."""

POD = ("namespace", "pod", "stack")
DEPLOYMENT = ("namespace", "deployment", "stack")
KUBE_STATE_METRICS: Mapping[str, tuple[str, ...]] = {
    "kube_pod_info": (*POD, "uid", "node", "machine", "created_by_kind", "created_by_name"),
    "kube_pod_labels": (
        *POD,
        "label_app_kubernetes_io_component",
        "label_app_kubernetes_io_name",
        "label_ros2bench_pattern",
        "label_ros2bench_stack",
    ),
    "kube_pod_created": POD,
    "kube_pod_deletion_timestamp": (*POD, "uid"),
    "kube_pod_start_time": POD,
    "kube_pod_status_phase": (*POD, "phase"),
    "kube_pod_status_ready": (*POD, "condition"),
    "kube_pod_status_scheduled_time": POD,
    "kube_pod_status_initialized_time": POD,
    "kube_pod_status_ready_time": POD,
    "kube_pod_container_status_restarts_total": (*POD, "container"),
    "kube_pod_container_status_waiting_reason": (*POD, "container", "reason"),
    "kube_pod_container_status_last_terminated_reason": (*POD, "container", "reason"),
    "kube_pod_container_resource_requests": (*POD, "container", "resource", "unit", "node", "machine"),
    "kube_pod_container_resource_limits": (*POD, "container", "resource", "unit", "node", "machine"),
    "kube_deployment_labels": (*DEPLOYMENT, "label_app_kubernetes_io_component"),
    "kube_deployment_created": DEPLOYMENT,
    "kube_deployment_deletion_timestamp": DEPLOYMENT,
    "kube_node_status_condition": ("node", "machine", "condition", "status"),
    "kube_cronjob_created": ("namespace", "cronjob", "stack"),
    "kube_cronjob_status_last_successful_time": ("namespace", "cronjob", "stack"),
}
"""What is used of kube-state-metrics 2.x; `stack` and `machine` are relabelled from `namespace` and `node`."""

NODE_EXPORTER: Mapping[str, tuple[str, ...]] = {
    "node_filesystem_avail_bytes": ("device", "fstype", "mountpoint"),
    "node_filesystem_size_bytes": ("device", "fstype", "mountpoint"),
    "node_time_seconds": (),
    "node_timex_maxerror_seconds": (),
}
"""What is used of the node exporter 1.x: its collectors `filesystem`, `time` and `timex`."""

PROMETHEUS: Mapping[str, tuple[str, ...]] = {
    "up": (),
    "scrape_duration_seconds": (),
    "scrape_samples_scraped": (),
    "prometheus_tsdb_head_series": (),
    "prometheus_tsdb_storage_blocks_bytes": (),
    "prometheus_tsdb_wal_storage_size_bytes": (),
    "prometheus_rule_group_last_duration_seconds": ("rule_group",),
    "prometheus_rule_evaluation_failures_total": ("rule_group",),
    "prometheus_notifications_dropped_total": (),
    "process_cpu_seconds_total": (),
    "process_resident_memory_bytes": (),
    "ALERTS": ("alertname", "alertstate", "severity", "topic"),
}
"""What Prometheus makes itself, and what its neighbours tell of themselves."""

CERTIFICATES: Mapping[str, tuple[str, ...]] = {
    "ros2bench_certificate_expiration_timestamp_seconds": ("certificate",),
    "certmanager_certificate_expiration_timestamp_seconds": ("name",),
    "probe_ssl_earliest_cert_expiry": (),
}
"""Ends of certificates: a rule of ours, cert-manager, a blackbox exporter."""

RECORDED: Mapping[str, tuple[str, ...]] = {
    "stack_topic:ros2bench_message_latency_seconds:late_ratio30s": ("topic",),
    "stack_topic:ros2bench_message_latency_seconds:late_ratio5m": ("topic",),
    "stack_topic:ros2bench_message_latency_seconds:late_ratio1h": ("topic",),
    "stack_pod:ros2bench_container_memory_bytes:sum": (),
    "stack_pod:ros2bench_container_cpu_cores:rate1m": (),
    "machine:ros2bench_machine_power_watts:rate1m": (),
    "machine:up:max": (),
}
"""What the recording rules of rules.py keep."""

ALL: Mapping[str, frozenset[str]] = {
    name: TARGET_LABELS | frozenset(labels)
    for table in (
        RECORDER,
        MACHINE_READER,
        MAPPED,
        BY_HAND,
        KUBE_STATE_METRICS,
        NODE_EXPORTER,
        PROMETHEUS,
        CERTIFICATES,
        RECORDED,
    )
    for name, labels in table.items()
}
"""Every series that a query may name, with every label that it may have."""
