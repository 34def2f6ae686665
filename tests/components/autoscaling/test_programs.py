"""Adapter and recommender: arguments, roles, and that no rule of the guardrails is broken."""

import pytest

from components import cluster_access
from components.autoscaling import prometheus_adapter, vpa
from components.labels import COMPONENT


def test_the_adapter_asks_the_prometheus_that_it_is_told_and_serves_its_own_certificate() -> None:
    words = prometheus_adapter.arguments("http://prometheus.x.svc:9090")
    assert "--prometheus-url=http://prometheus.x.svc:9090" in words
    assert "--tls-cert-file=/etc/certificate/tls.crt" in words
    assert not any("insecure" in word for word in words)


def test_the_adapter_knows_series_for_longer_than_it_takes_to_list_them() -> None:
    assert prometheus_adapter.MAX_AGE_S >= prometheus_adapter.RELIST_S


@pytest.mark.parametrize(
    ("component", "rules"), [("prometheus-adapter", prometheus_adapter.READ), ("vpa-recommender", vpa.role_rules())]
)
def test_roles_read_what_they_name_and_write_recommendations_alone(
    component: str, rules: list[dict[str, object]]
) -> None:
    role = {"kind": "ClusterRole", "metadata": {"labels": {COMPONENT: component}}, "rules": rules}
    assert list(cluster_access.role(role)) == []


def test_a_recommendation_changes_nothing() -> None:
    spec = vpa.vpa_manifest({}, "worker")["spec"]
    assert spec["updatePolicy"] == {"updateMode": "Off"}
    assert spec["targetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "worker"}
