"""All dashboards, in the order in which they are listed."""

from components.dashboards import (
    comparison,
    experiment,
    gpu_power,
    kpis,
    platform_health,
    pod_lifecycle,
    resources,
    robots,
)
from components.dashboards.panel import Dashboard

DASHBOARDS: tuple[Dashboard, ...] = (
    experiment.DASHBOARD,
    pod_lifecycle.DASHBOARD,
    resources.DASHBOARD,
    gpu_power.DASHBOARD,
    kpis.DASHBOARD,
    robots.DASHBOARD,
    comparison.DASHBOARD,
    platform_health.DASHBOARD,
)
