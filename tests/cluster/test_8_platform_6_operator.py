"""A platform beside the real Prometheus Operator: its Prometheus reads our pods and evaluates our rules.

The operator, its reloader and its Prometheus are built from their Go modules; the objects below are what its own
quick start asks a cluster's owner for. What is ours is only what `pulumi up -s platform` makes.
"""

import json
from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from components.dashboards.catalogue import DASHBOARDS
from tests.cluster.conftest import Journey
from tests.cluster.observed import EXPERIMENTS, destroyed, machine_count, override, provided, until, up

pytestmark = [pytest.mark.cluster, pytest.mark.full]

MONITORING = "monitoring"
EXPERIMENT = "ros2bench-microservices"
CHOSEN = {"release": "lab"}
OPERATOR_GROUPS = (
    ("monitoring.coreos.com", ["*"]),
    ("apps", ["statefulsets"]),
    ("", ["configmaps", "secrets", "pods", "services", "services/finalizers", "endpoints", "events"]),
    ("", ["namespaces", "nodes"]),
    ("events.k8s.io", ["events"]),
    ("discovery.k8s.io", ["endpointslices"]),
    ("networking.k8s.io", ["ingresses"]),
    ("storage.k8s.io", ["storageclasses"]),
)  # fmt: skip
READS = [{"apiGroups": [""], "resources": ["pods", "services", "endpoints"], "verbs": ["get", "list", "watch"]}]


def account(name: str, rules: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A service account that may do what some rules say."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"lab-{name}"}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": MONITORING}
    rights = "rbac.authorization.k8s.io/v1"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": MONITORING}},
        {"apiVersion": rights, "kind": "ClusterRole", "metadata": {"name": f"lab-{name}"}, "rules": rules},
        {
            "apiVersion": rights,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"lab-{name}"},
            "roleRef": role,
            "subjects": [subject],
        },
    ]


def operators_world(images: Mapping[str, str]) -> list[dict[str, Any]]:
    """What somebody who runs the operator has in the cluster before us."""
    rules: list[Mapping[str, Any]] = [
        {"apiGroups": [group], "resources": resources, "verbs": ["*"]} for group, resources in OPERATOR_GROUPS
    ]
    found = {"app": "prometheus-operator"}
    container = {
        "name": "operator",
        "image": images["prometheus-operator"],
        "args": [f"--prometheus-config-reloader={images['prometheus-config-reloader']}", "--log-level=warn"],
    }
    pod = {"serviceAccountName": "prometheus-operator", "containers": [container]}
    chosen = {"matchLabels": CHOSEN}
    prometheus = {
        "image": images["prometheus"],
        "version": "v3.5.0",
        "replicas": 1,
        "serviceAccountName": "prometheus",
        "podMonitorSelector": chosen,
        "podMonitorNamespaceSelector": {},
        "ruleSelector": chosen,
        "ruleNamespaceSelector": {},
        "evaluationInterval": "5s",
    }
    marked = {"name": MONITORING, "labels": {"ros2bench/scraper": "yes"}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": marked},
        *account("prometheus-operator", rules),
        *account("prometheus", [*READS]),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "prometheus-operator", "namespace": MONITORING},
            "spec": {"selector": {"matchLabels": found}, "template": {"metadata": {"labels": found}, "spec": pod}},
        },
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Prometheus",
            "metadata": {"name": "lab", "namespace": MONITORING},
            "spec": prometheus,
        },
    ]  # fmt: skip


def ask(journey: Journey, path: str) -> Any:
    """Ask the operator's Prometheus, through the API server; None while it cannot be asked."""
    door = f"/api/v1/namespaces/{MONITORING}/pods/prometheus-lab-0:9090/proxy/api/v1/{path}"
    done = journey.in_lab(f"kubectl get --raw '{door}'")
    return json.loads(done.stdout)["data"] if done.returncode == 0 else None


def query(journey: Journey, expression: str) -> list[dict[str, Any]]:
    answer = ask(journey, f"query?query={quote(expression)}")
    return answer["result"] if answer else []


@pytest.fixture(scope="module")
def beside(journey: Journey) -> Generator[Journey]:
    """A cluster with somebody's operator, our platform beside it, and an experiment; afterwards all three are gone."""
    destroyed(journey, *EXPERIMENTS)
    provided(journey, "all")
    images = json.loads(journey.in_lab('cat "$ROS2BENCH_PLATFORM_IMAGES"').stdout)["images"]
    world = journey.checkout / "operators-world.json"
    world.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": operators_world(images)}))
    journey.kubectl(f"apply -f {world}")
    wanted = {"mode": "operator", "operator": {"labels": CHOSEN}}
    up(journey, "platform", override(journey, "beside", observability=wanted))
    up(journey, "microservices")
    yield journey
    destroyed(journey, "microservices", "platform")
    journey.kubectl(f"delete -f {world} --ignore-not-found --wait=true")


def test_1_its_prometheus_reads_every_pod_of_ours_with_our_labels(beside: Journey) -> None:
    rate = 'rate(ros2bench_messages_total{stack="microservices",topic="/results"}[15s])'
    (series,) = until(lambda: [each for each in query(beside, rate) if float(each["value"][1]) > 5], 240)
    assert series["metric"]["pattern"] == "microservices"
    assert series["metric"]["namespace"] == EXPERIMENT
    assert float(series["value"][1]) < 15, "ten results a second"
    machines = machine_count(beside)
    up = {each["metric"]["job"]: float(each["value"][1]) for each in query(beside, "sum by (job) (up)")}
    assert up["recorder"] == 1
    assert up["machine-reader"] == machines
    assert query(beside, "up == 0") == []


def test_2_its_prometheus_evaluates_our_rules(beside: Journey) -> None:
    def ours() -> list[dict[str, Any]]:
        groups = (ask(beside, "rules") or {"groups": []})["groups"]
        return [rule for group in groups for rule in group["rules"] if rule["health"] != "unknown"]

    rules = until(lambda: (found := ours()) and len(found) > 10 and found, 120)
    assert {rule["health"] for rule in rules} == {"ok"}, [rule for rule in rules if rule["health"] != "ok"]
    assert {"TopicSilent", "RestartStorm", "MachineGone"} <= {rule["name"] for rule in rules}


def test_3_dashboards_wait_where_grafanas_sidecar_looks_for_them(beside: Journey) -> None:
    found = json.loads(beside.kubectl("get configmaps -A -l grafana_dashboard=1 -o json"))["items"]
    assert len(found) == len(DASHBOARDS)
    for each in found:
        (text,) = each["data"].values()
        assert json.loads(text)["panels"]
        assert each["metadata"]["annotations"]["grafana_folder"] == "ros2bench"


def test_4_panels_are_shown_from_its_prometheus(beside: Journey) -> None:
    done = beside.in_lab("python -m probes.panels -s microservices --platform platform --minutes 1 -o beside.html")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (beside.checkout / "beside.html").stat().st_size > 100_000


def test_5_destroy_takes_away_what_is_ours_and_nothing_else(beside: Journey) -> None:
    done = beside.in_lab("pulumi destroy -s platform --yes --skip-preview", timeout_s=900)
    assert done.returncode == 0, done.stderr
    kinds = "podmonitors,prometheusrules,configmaps"
    assert (
        beside.kubectl(f"get {kinds} -A -l app.kubernetes.io/part-of=ros2bench,ros2bench/stack=platform -o name") == ""
    )
    assert "prometheus.monitoring.coreos.com/lab" in beside.kubectl(f"get prometheuses -n {MONITORING} -o name")
    until(lambda: not query(beside, 'up{job="machine-reader"}'))
