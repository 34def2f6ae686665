"""How each metric of the catalogue is judged in a comparison: which direction is better, and from what on it matters.

A table of its own beside the catalogue, because a comparison starts in a fraction of the time that importing every
measurement takes. A test holds the two together. A metric that is not here is compared, too, but neither good nor bad.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from probes.comparison import Better

GROUPS = ("timing", "deployment", "updates", "resources", "network", "energy", "indicators", "pipeline", "others")
"""Headings, in the order in which they are shown."""

PRACTICAL = 0.02
TAIL = 0.05
"""Practical thresholds, as ratios: what is nearer to 1 does not matter; extremes and tails scatter more."""

TAIL_LABELS = ("statistic=p95", "statistic=p99", "statistic=max")


@dataclass(frozen=True)
class Rule:
    """How a metric is judged.

    Args:
        group: Heading under which it is shown.
        better: Which direction is better; `neither` for what describes and does not judge.
        is_exact: Whether it is counted or read from content, so that the same thing always gives the same number, and
            one repetition decides.
        practical_threshold: Ratios from 1 / (1 + this) to 1 + this do not matter.
    """

    group: str
    better: Better = "neither"
    is_exact: bool = False
    practical_threshold: float = PRACTICAL


RULES: Mapping[str, Rule] = {
    "image_bytes_wire": Rule("deployment", "lower", is_exact=True),
    "image_bytes_disk": Rule("deployment", "lower", is_exact=True),
    "image_bytes_unique": Rule("deployment", is_exact=True),
    "update_bytes_wire": Rule("updates", "lower", is_exact=True),
    "install_s": Rule("deployment", "lower"),
    "ready_s": Rule("deployment", "lower"),
    "inference_s": Rule("timing", "lower"),
    "frames_hz": Rule("timing", "higher"),
    "frames_hz_peak": Rule("timing", "higher", practical_threshold=TAIL),
    "jitter_s": Rule("timing", "lower", practical_threshold=TAIL),
    "cpu_cores": Rule("resources", "lower"),
    "gpu_ratio": Rule("resources"),
    "io_read_bytes_per_s": Rule("resources", "lower", practical_threshold=TAIL),
    "io_write_bytes_per_s": Rule("resources", "lower", practical_threshold=TAIL),
    "power_w": Rule("energy", "lower"),
    "energy_per_frame_j": Rule("energy", "lower"),
    "network_rtt_s": Rule("network", "lower", practical_threshold=TAIL),
    "network_bandwidth_bytes_per_s": Rule("network", "higher", practical_threshold=TAIL),
    "pod_phase_s": Rule("deployment", "lower"),
    "config_lines_changed": Rule("updates", "lower", is_exact=True),
    "config_files_changed": Rule("updates", "lower", is_exact=True),
    "config_objects_changed": Rule("updates", "lower", is_exact=True),
    "pipeline_s": Rule("pipeline", "lower"),
    "cpu_limit_ratio": Rule("resources"),
    "cpu_throttled_ratio": Rule("resources", "lower"),
    "foreign_cpu_ratio": Rule("resources"),
    "stolen_cpu_ratio": Rule("resources"),
    "gpu_memory_bytes": Rule("resources", "lower"),
    "pulled_bytes": Rule("deployment", "lower", is_exact=True),
    "startup_efficiency": Rule("indicators", "higher"),
    "energy_efficiency": Rule("indicators", "higher"),
    "deployment_overhead_ratio": Rule("indicators"),
    "inference_deviation_s": Rule("timing", "lower", practical_threshold=TAIL),
    "frames_intended": Rule("timing"),
    "frames_delivered": Rule("timing", "higher"),
    "frames_on_time": Rule("timing", "higher"),
    "frames_late": Rule("timing", "lower"),
    "frames_too_late": Rule("timing", "lower"),
    "frames_lost": Rule("timing", "lower"),
    "frames_duplicate": Rule("timing", "lower"),
    "frames_delivered_ratio": Rule("timing", "higher"),
    "recorder_cpu_cores": Rule("resources"),
    "memory_bytes": Rule("resources", "lower"),
    "memory_peak_bytes": Rule("resources", "lower"),
    "memory_limit_ratio": Rule("resources"),
    "network_lost_ratio": Rule("network", "lower"),
    "first_message_s": Rule("deployment", "lower"),
    "service_gap_s": Rule("updates", "lower", practical_threshold=TAIL),
    "swap_s": Rule("updates", "lower"),
    "memory_after_swap_bytes": Rule("updates", "lower"),
    "memory_trend_bytes_per_swap": Rule("updates", "lower"),
    "memory_leak": Rule("updates", "lower", is_exact=True),
    "update_s": Rule("updates", "lower"),
}

HEADLINE = (
    "inference_s", "inference_s{statistic=p95}", "jitter_s", "frames_hz", "frames_hz_peak", "frames_delivered_ratio",
    "image_bytes_wire", "install_s", "ready_s",
    "update_s{change=code,stage=ready}", "update_bytes_wire{change=code}", "config_lines_changed{change=code}",
    "service_gap_s{change=code,part=update}", "swap_s",
    "cpu_cores", "memory_bytes", "network_rtt_s", "power_w", "energy_per_frame_j",
)  # fmt: skip
"""Keys that a comparison shows without being asked: the first family of comparisons."""

UNKNOWN = Rule("others")


def rule_of(key: str) -> Rule:
    """Give the rule of a metric's key; tails have at least the threshold of tails."""
    rule = RULES.get(key.partition("{")[0], UNKNOWN)
    if not rule.is_exact and any(label in key for label in TAIL_LABELS) and rule.practical_threshold < TAIL:
        return Rule(rule.group, rule.better, rule.is_exact, TAIL)
    return rule


def place_of(key: str) -> tuple[int, int, int, str]:
    """Give the place of a key in a comparison: by group, headline metrics first, then in the order of the table."""
    name, names = key.partition("{")[0], list(RULES)
    return (
        GROUPS.index(rule_of(key).group),
        HEADLINE.index(key) if key in HEADLINE else len(HEADLINE),
        names.index(name) if name in names else len(names),
        key,
    )
