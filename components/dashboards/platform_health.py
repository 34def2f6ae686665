"""Dashboard of the platform itself: what is read, what that costs, which alerts hold, clocks, backups."""

from components.dashboards.needs import (
    BACKUPS,
    CERTIFICATES,
    NODE_EXPORTER,
    OWN_PROMETHEUS,
    READERS,
    STATE_METRICS,
    TROUBLE,
)
from components.dashboards.panel import Dashboard, Panel, Row, lines, numbers, states
from components.dashboards.queries import machines, platform, pods


def alerts() -> Panel:
    """Alerts that hold."""
    return states("Alerts that hold", platform.alerts_firing, needs=(TROUBLE,), width=24)


def targets() -> Panel:
    """Who answers."""
    return numbers("Pods that answer", platform.targets_by_job, width=8)


def machines_up() -> Panel:
    """Which machines answer."""
    return states("Machines that answer", machines.machine_up, needs=(READERS,), width=8)


def machines_ready() -> Panel:
    """Which machines Kubernetes calls Ready."""
    return states("Machines that are Ready", machines.machine_ready, needs=(STATE_METRICS,), width=8)


def scrape_duration() -> Panel:
    """How long reading takes."""
    return lines("Slowest scrape", platform.scrape_duration)


def samples() -> Panel:
    """How much is read."""
    return lines("Samples of a round", platform.scraped_samples)


def series() -> Panel:
    """How much Prometheus holds."""
    return lines("Series in memory", platform.head_series, needs=(OWN_PROMETHEUS,))


def kept() -> Panel:
    """How much Prometheus keeps."""
    return lines("Kept on the volume", platform.kept_bytes, needs=(OWN_PROMETHEUS,))


def rules() -> Panel:
    """How long rules take."""
    return lines("Rules: time of a round", platform.rule_duration, needs=(OWN_PROMETHEUS,))


def failures() -> Panel:
    """Rules that fail and alerts that reach nobody."""
    return lines(
        "Rules that fail, alerts not told",
        platform.rule_failures,
        platform.notifications_dropped,
        needs=(OWN_PROMETHEUS,),
    )


def programs_cpu() -> Panel:
    """What the platform costs."""
    return lines("Programs: processor time", platform.programs_cpu, needs=(OWN_PROMETHEUS,))


def programs_memory() -> Panel:
    """What the platform holds."""
    return lines("Programs: memory", platform.programs_memory, needs=(OWN_PROMETHEUS,))


def readers_cpu() -> Panel:
    """What machine readers cost."""
    return lines("Machine readers: processor time", platform.readers_cpu, needs=(READERS,))


def clocks() -> Panel:
    """How far clocks are apart."""
    return lines("Clock offset", machines.clock_offset, machines.clock_error, needs=(NODE_EXPORTER,))


def backups() -> Panel:
    """How old backups are."""
    return lines("Age of backups", pods.backup_age, needs=(STATE_METRICS, BACKUPS))


def certificates() -> Panel:
    """How long certificates hold."""
    return lines("Time left to certificates", platform.certificate_left, needs=(CERTIFICATES,))


DASHBOARD = Dashboard(
    name="platform-health",
    title="Platform health",
    description="Whether everything is read, and what watching costs.",
    rows=(
        Row("Now", (alerts(), targets(), machines_up(), machines_ready())),
        Row("Reading", (scrape_duration(), samples(), series(), kept())),
        Row("Rules", (rules(), failures())),
        Row("Cost", (programs_cpu(), programs_memory(), readers_cpu())),
        Row("Keeping", (clocks(), backups(), certificates())),
    ),
)
