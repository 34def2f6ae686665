"""What is shown and told of experiments while they run: queries, dashboards, recording rules, alerts.

units.py query.py queries/   every expression, once
series.py      which series there are, by whom they are given
panel.py needs.py   what a dashboard is made of, and why a panel may be empty
experiment.py pod_lifecycle.py resources.py gpu_power.py kpis.py robots.py comparison.py platform_health.py   one each
catalogue.py   all of them
grafana.py     a dashboard as Grafana's JSON
thresholds.py alerts.py rules.py   from where on an alert holds, the alerts, the rule file
"""


def dashboards() -> dict[str, str]:
    """Give Grafana's JSON of every dashboard by name."""
    # Grafana's SDK takes half a second to import, and only a stack with dashboards needs it.
    from components.dashboards.catalogue import DASHBOARDS  # noqa: PLC0415
    from components.dashboards.grafana import encoded  # noqa: PLC0415

    return {dashboard.name: encoded(dashboard) for dashboard in DASHBOARDS}
