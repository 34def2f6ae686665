"""Names of metrics for people; the key of the record stands beside them wherever a value does."""

from collections.abc import Mapping

TITLES: Mapping[str, str] = {
    "startup_efficiency": "Start-up efficiency",
    "energy_efficiency": "Energy efficiency",
    "deployment_overhead_ratio": "Deployment overhead",
    "image_bytes_wire": "Images, compressed",
    "image_bytes_disk": "Images, unpacked",
    "image_bytes_unique": "Images, in layers not shared",
    "pulled_bytes": "Pulled by an install",
    "install_s": "Install until ready",
    "ready_s": "Install until first result",
    "inference_s": "Latency, median",
    "inference_deviation_s": "Latency, standard deviation",
    "jitter_s": "Jitter",
    "frames_hz": "Results per second",
    "frames_hz_peak": "Largest rate carried",
    "frames_delivered_ratio": "Frames delivered",
    "frames_lost": "Frames lost",
    "service_gap_s": "Longest silence in the window",
    "cpu_cores": "Processor cores",
    "cpu_limit_ratio": "Processor, share of the limit",
    "cpu_throttled_ratio": "Processor, held back by the limit",
    "memory_limit_ratio": "Memory, share of the limit",
    "foreign_cpu_ratio": "Processor time of others",
    "stolen_cpu_ratio": "Processor time taken by the host",
    "memory_peak_bytes": "Memory, most ever charged",
    "gpu_memory_bytes": "GPU memory",
    "memory_bytes": "Memory",
    "gpu_ratio": "GPU busy",
    "io_read_bytes_per_s": "Read from disk",
    "io_write_bytes_per_s": "Written to disk",
    "power_w": "Power",
    "energy_per_frame_j": "Energy per frame",
    "network_rtt_s": "Round trip",
    "network_lost_ratio": "Datagrams lost",
    "network_bandwidth_bytes_per_s": "Bandwidth",
    "update_bytes_wire": "Update, bytes",
    "update_s": "Update",
    "swap_s": "Swap of one node",
    "memory_trend_bytes_per_swap": "Memory kept per swap",
    "memory_after_swap_bytes": "Memory after a swap",
    "config_lines_changed": "Update, lines changed",
    "config_files_changed": "Update, files changed",
    "config_objects_changed": "Update, objects changed",
    "first_message_s": "First message",
    "pod_phase_s": "Pod phase",
    "pipeline_s": "Pipeline",
    "recorder_cpu_cores": "Recorder, processor cores",
}
LABELS: Mapping[str, str] = {
    "statistic=p50": "median",
    "statistic=p95": "p95",
    "statistic=p99": "p99",
    "statistic=max": "largest",
    "statistic=mean": "mean",
    "statistic=low": "lower end",
    "statistic=high": "upper end",
    "statistic=lower_bound": "at least",
    "part=app": "in the application",
    "part=serialise": "serialisation",
    "part=transport": "transport",
    "part=probe": "in the probe",
    "part=idle": "idle",
    "part=load": "under load",
    "part=gross": "idle share included",
    "part=update": "during the update",
    "part=rollback": "during the rollback",
    "part=swap": "during a swap",
    "change=code": "code",
    "change=parameter": "parameter",
    "change=model": "model",
    "stage=publish": "build and push",
    "stage=rollout": "until new pods are ready",
    "stage=ready": "until first new result",
    "stage=gap": "silence",
    "stage=rollback": "way back to the first result",
}


CHANGES: Mapping[str, str] = {
    "update_s": "{} update",
    "service_gap_s": "Silence during a {} update",
    "update_bytes_wire": "{} update, bytes",
    "config_lines_changed": "{} update, lines changed",
    "config_files_changed": "{} update, files changed",
    "config_objects_changed": "{} update, objects changed",
}


def split_key(key: str) -> tuple[str, list[str]]:
    """Take a key apart: name and labels."""
    name, _, inside = key.rstrip("}").partition("{")
    return name, [label for label in inside.split(",") if label]


def title_of(key: str) -> str:
    """Name a key for people."""
    name, labels = split_key(key)
    said = TITLES.get(name, name.replace("_", " ").capitalize())
    if not labels:
        return said
    if name in CHANGES and labels[0].startswith("change="):
        change = labels.pop(0).removeprefix("change=")
        said = CHANGES[name].format(change)
        said = said[0].upper() + said[1:]
        if labels == ["part=update"]:
            return said
        if labels == ["part=rollback"]:
            return said.replace("update", "rollback")
        if not labels:
            return said
    if name == "inference_s" and labels[0].startswith("statistic="):
        said = "Latency"
    return f"{said}, {', '.join(LABELS.get(label, label.partition('=')[2].replace('_', ' ')) for label in labels)}"
