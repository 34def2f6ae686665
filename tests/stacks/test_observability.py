"""Observability of a platform: what is refused before anything is deployed, and what each mode deploys."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from components import guardrails
from components.refusal import Refusal
from stacks import observability, program
from stacks.observability_checks import check_external, unread
from stacks.outputs import Observability, StackOutputs
from stacks.platform import third_party
from stacks.reading import KEY, read_spec
from tests.support import platform_images, values
from tests.support.api_server_standin import Answer, ApiServerStandIn
from tests.support.deployment import Deployment, deploy
from tests.support.platform_images import KUBELET, METRICS_SERVICE, MONITORING, REVIEWS, STORAGE_CLASSES

PASSWORD = {"grafana-admin-password": "correct horse"}
NAMESPACE = "ros2bench-platform"
Answers = dict[str, Answer]


@pytest.fixture(autouse=True)
def _small_rules(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Rules and dashboards have tests of their own."""
    rules: dict[str, Any] = {"groups": [{"name": "g", "rules": []}]}

    def rule_file(_wanted: object) -> dict[str, Any]:
        return rules

    monkeypatch.setattr(observability, "rule_file", rule_file)
    monkeypatch.setattr(observability, "dashboard_files", lambda: {"experiment": "{}"})


def planned(
    folder: Path,
    answers: Answers | None = None,
    *,
    secrets: Mapping[str, str] = PASSWORD,
    images: tuple[str, ...] = platform_images.NAMES,
    **wanted: Any,
) -> observability.ObservabilityPlan | None:
    """Plan a platform with this section, on a cluster that answers so."""
    lock = platform_images.platform_lock(folder, images)
    section = {"mode": "builtin"} | wanted
    spec = read_spec("platform", {KEY: {"observability": section, "images": {"platformLock": str(lock)}}}, {})
    api = ApiServerStandIn(platform_images.willing_cluster() | (answers or {}))
    return observability.plan("platform", NAMESPACE, spec, api, third_party(spec), frozenset(secrets))


def deployed(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: Answers | None = None,
    stack: str = "platform",
    **wanted: Any,
) -> Deployment:
    """Run the program of a platform with this section under recording mocks."""
    environment = {
        "KUBECONFIG": str(values.kubeconfig(folder)),
        "ROS2BENCH_IMAGES_LOCK": str(values.lock_file(folder)),
        "ROS2BENCH_PLATFORM_IMAGES": str(platform_images.platform_lock(folder)),
        "HTTPS_PROXY": "http://proxy.example",
    }
    api = ApiServerStandIn(platform_images.willing_cluster() | (answers or {}))

    def connect(*_: object) -> ApiServerStandIn:
        return api

    monkeypatch.setattr("stacks.program.api_server.connect", connect)
    document = {"images": {"checkRegistry": False}, "observability": {"mode": "builtin"} | wanted}
    spec = read_spec(stack, {KEY: document}, environment)
    return deploy(lambda: program.run(stack, spec, environment, PASSWORD))


def contract(deployment: Deployment) -> Observability:
    found = StackOutputs.model_validate_json(json.dumps(deployment.value)).observability
    assert found is not None
    return found


def components(deployment: Deployment, kind: str) -> set[str]:
    """Names of the programs of a kind."""
    return {each.name for each in deployment.of(kind) if each.type.startswith("kubernetes:")}


def test_builtin_deploys_its_programs_and_says_where_they_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = deployed(tmp_path, monkeypatch)
    assert components(found, "Deployment") == {"prometheus", "alertmanager", "kube-state-metrics", "grafana"}
    assert components(found, "DaemonSet") == {"node-exporter"}
    where = contract(found)
    assert where.mode == "builtin"
    assert where.not_deployed == {}
    for name, port in (("prometheus", 9090), ("alertmanager", 9093), ("grafana", 3000)):
        endpoint = getattr(where, name)
        assert (endpoint.namespace, endpoint.port, endpoint.url) == (NAMESPACE, port, None)
        pods = found.one("Deployment", name).inputs["spec"]["template"]["metadata"]["labels"]
        assert endpoint.labels.items() <= pods.items()


def test_nobody_watches_what_owns_nothing_being_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [each for each in deployed(tmp_path, monkeypatch).resources if each.type.startswith("kubernetes:")]
    watched = {
        each.kind
        for each in found
        if (each.inputs.get("metadata") or {}).get("annotations", {}).get("pulumi.com/deletionPropagationPolicy")
        != "background"
    }
    assert "ClusterRole" in {each.kind for each in found}
    assert {"Namespace", "Deployment", "DaemonSet"} <= watched
    assert watched <= {"Namespace", "Deployment", "DaemonSet", "Service", "PersistentVolumeClaim"}


def test_every_object_passes_the_guardrails_and_lives_in_a_closed_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        {"kind": each.kind, **each.inputs}
        for each in deployed(tmp_path, monkeypatch, {METRICS_SERVICE: 404}).resources
        if each.type.startswith("kubernetes:") and each.kind != "Provider"
    ]
    kinds = {str(each["kind"]) for each in found}
    assert {"APIService", "ClusterRole", "ClusterRoleBinding", "PersistentVolumeClaim", "RoleBinding"} <= kinds
    assert [sentence for each in found for sentence in guardrails.violations(each)] == []
    assert guardrails.violations_together(found) == ()


def test_a_dev_stack_has_it_beside_its_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = deployed(tmp_path, monkeypatch, stack="dev")
    endpoint = contract(found).prometheus
    assert endpoint is not None
    assert endpoint.namespace == "ros2bench-dev-platform"


def test_what_is_configured_arrives_at_prometheus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = deployed(
        tmp_path,
        monkeypatch,
        retentionHours=48,
        rosScrapeIntervalS=2,
        storage={"sizeMebibytes": 2000, "storageClass": "local-path"},
        remoteWrite={"url": "https://long.example/write"},
        scrapeNamespaces=["robots"],
    )
    spec = found.one("Deployment", "prometheus").inputs["spec"]["template"]["spec"]
    args = spec["containers"][0]["args"]
    assert "--storage.tsdb.retention.time=48h" in args
    assert "--storage.tsdb.retention.size=1600MB" in args
    claim = found.one("PersistentVolumeClaim", "prometheus").inputs["spec"]
    assert claim["resources"]["requests"]["storage"] == "2000Mi"
    assert claim["storageClassName"] == "local-path"
    files = found.one("ConfigMap", "prometheus").inputs["data"]
    settings = yaml.safe_load(files["prometheus.yml"])
    assert settings["remote_write"] == [{"url": "https://long.example/write"}]
    jobs = {job["job_name"]: job for job in settings["scrape_configs"]}
    assert jobs["recorder"]["scrape_interval"] == "2s"
    assert jobs["machine-reader"]["scrape_interval"] == "5s"
    assert jobs["other-pods"]["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"names": ["robots"]}}]
    assert yaml.safe_load(files["rules.yml"])["groups"][0]["name"] == "g"


def test_series_may_end_with_the_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = deployed(tmp_path, monkeypatch, storage={"persistent": False, "sizeMebibytes": 1000})
    assert found.of("PersistentVolumeClaim") == []
    volumes = found.one("Deployment", "prometheus").inputs["spec"]["template"]["spec"]["volumes"]
    assert {"name": "series", "emptyDir": {"sizeLimit": "1000Mi"}} in volumes


def test_receivers_are_told_of_the_severities_that_they_want(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"receivers": [{"name": "pager", "url": "http://hook.example:8080/x", "severities": ["critical"]}]}
    found = deployed(tmp_path, monkeypatch, alerts=wanted)
    kept = found.one("Secret", "alertmanager").inputs["stringData"]
    assert "value" in kept, "it enters the state encrypted"
    text = json.loads(kept["value"]["alertmanager.yml"])
    assert text["route"]["routes"] == [{"receiver": "pager", "matchers": ['severity=~"critical"'], "continue": True}]
    assert text["receivers"][1]["webhook_configs"] == [{"url": "http://hook.example:8080/x", "send_resolved": True}]
    calls = found.one("NetworkPolicy", "allow-alertmanager-calls").inputs["spec"]["egress"]
    assert calls == [{"ports": [{"protocol": "TCP", "port": 8080}]}]


def test_metrics_server_is_deployed_only_where_nobody_else_is_one(tmp_path: Path) -> None:
    def images(answer: Mapping[str, Any] | int) -> set[str]:
        found = planned(tmp_path, {METRICS_SERVICE: answer})
        assert found is not None
        return set(found.images)

    def named(stack: str) -> Mapping[str, Any]:
        return {"metadata": {"labels": {"ros2bench/stack": stack}}}

    assert "metrics-server" in images(404)
    assert "metrics-server" in images(named("platform")), "a second `up` keeps what the first one made"
    assert "metrics-server" not in images(named("other"))
    assert "metrics-server" not in images({"metadata": {}})


def test_without_its_image_grafana_is_left_out_and_all_else_is_there(tmp_path: Path) -> None:
    found = planned(tmp_path, secrets={}, images=platform_images.NAMES[:-1])
    assert found is not None
    assert set(found.images) == {"prometheus", "alertmanager", "kube-state-metrics", "node-exporter"}
    assert "its image is unknown" in found.not_deployed["grafana"]
    where = observability.contract("platform", NAMESPACE, found)
    assert where is not None
    assert where.grafana is None
    assert set(where.not_deployed) == {"grafana"}


def test_an_image_named_in_the_stack_file_comes_before_the_lock(tmp_path: Path) -> None:
    own = f"mirror.example/prometheus@{values.DIGEST}"
    lock = platform_images.platform_lock(tmp_path)
    images = {"platformLock": str(lock), "platform": {"prometheus": own}}
    spec = read_spec("platform", {KEY: {"images": images}}, {})
    assert third_party(spec).reference("prometheus") == own


REFUSED: dict[str, tuple[Answers, dict[str, Any], str]] = {
    "no default StorageClass": ({STORAGE_CLASSES: {"items": []}}, {}, "no default StorageClass"),
    "unknown StorageClass": ({}, {"storage": {"storageClass": "locla-path"}}, "Did you mean local-path"),
    "no right to give roles": ({REVIEWS: {"status": {"allowed": False}}}, {}, "may not create clusterroles"),
    "API server that refuses": ({STORAGE_CLASSES: 403}, {}, "answered 403"),
    "aggregation layer that refuses": ({METRICS_SERVICE: 403}, {}, "metricsServer"),
    "operator without definitions": ({MONITORING: 404}, {"mode": "operator"}, "no podmonitors, prometheusrules"),
    "operator half there": (
        {MONITORING: {"resources": [{"name": "podmonitors"}]}},
        {"mode": "operator"},
        "no prometheusrules of",
    ),
    "operator without permission": (
        {REVIEWS: {"status": {"allowed": False}}},
        {"mode": "operator"},
        "kubectl auth can-i create podmonitors.monitoring.coreos.com -n ros2bench-platform",
    ),
    "operator's namespace": (
        {},
        {"mode": "operator", "operator": {"prometheus": {"namespace": "mointoring"}}},
        "'mointoring', which the cluster does not have",
    ),
    "secret of a receiver": (
        {},
        {"alerts": {"receivers": [{"name": "pager", "urlSecret": "pager-url"}]}},
        "alerts.receivers.pager.urlSecret",
    ),
    "secret of remote write": (
        {},
        {"remoteWrite": {"url": "https://long.example", "tokenSecret": "token"}},
        "remoteWrite.tokenSecret",
    ),
    "password of Grafana": ({}, {"grafana": {"passwordSecret": "other"}}, "ros2bench:secrets.other"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_come_up_by_half_is_refused(tmp_path: Path, case: str) -> None:
    answers, wanted, said = REFUSED[case]
    with pytest.raises(Refusal, match=said.replace("'", ".")):
        planned(tmp_path, answers, **wanted)


def test_an_image_that_nobody_knows_is_refused_with_the_command_that_learns_it(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"images\.prometheus is not in the lock.*make lock-images"):
        planned(tmp_path, images=("alertmanager",))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"retentionHours": 1}, "blocks of 2 hours"),
        ({"retentionMebibytes": 100}, "Set it to that or more"),
        ({"retentionMebibytes": 10_000}, "a tenth must be free"),
        ({"storage": {"sizeMebibytes": 200}}, "the log of the last hours alone"),
        ({"mode": "external"}, r"external\.url says not where"),
        ({"mode": "external", "external": {"url": "prometheus:9090"}}, "external.url"),
        ({"mode": "internal"}, "builtin"),
        ({"alerts": {"receivers": [{"name": "a"}]}}, "exactly one of url and urlSecret"),
        ({"alerts": {"receivers": [{"name": "a", "url": "http://x"}] * 2}}, "the name a is there twice"),
        ({"remoteWrite": {"tokenSecret": "x"}}, "to whom"),
        (
            {"mode": "operator", "alerts": {"receivers": [{"name": "a", "url": "http://x"}]}},
            "receivers would tell nobody",
        ),
        ({"mode": "operator", "remoteWrite": {"url": "http://x"}}, "remoteWrite.url would tell nobody"),
        ({"scrapeIntervalS": 15}, "scrapeIntervalS"),
        ({"alerts": {"thresholds": {"lossRatoi": 0.1}}}, "there is no threshold lossRatoi; choices: silenceS"),
        ({"alerts": {"thresholds": {"gpuCelsius": -1}}}, "gpuCelsius is -1.*choose a number above 0"),
        ({"alerts": {"thresholds": {"objectiveS": 0.3}}}, "objectiveS is 0.3, which the histogram does not part"),
    ],
)
def test_a_bad_setting_is_refused_with_its_key(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        read_spec("platform", {KEY: {"observability": {"mode": "builtin"} | wanted}}, {})


@pytest.mark.parametrize("answer", [{"kubeletconfig": {}}, 403])
def test_metrics_server_is_left_out_where_it_could_not_check_kubelets(
    tmp_path: Path, answer: Mapping[str, Any] | int
) -> None:
    found = planned(tmp_path, {METRICS_SERVICE: 404, KUBELET: answer})
    assert found is not None
    assert "metrics-server" not in found.images
    assert "no certificate of the cluster's authority" in found.not_deployed["metrics-server"]


@pytest.mark.parametrize(
    ("selectors", "labels", "said"),
    [
        ({"podMonitorSelector": {}, "ruleSelector": {}}, {}, None),
        ({"podMonitorSelector": {"matchLabels": {"release": "a"}}, "ruleSelector": {}}, {"release": "a"}, None),
        ({"podMonitorSelector": {"matchLabels": {"release": "a"}}, "ruleSelector": {}}, {}, "PodMonitors.*release"),
        ({"podMonitorSelector": {}, "ruleSelector": {"matchLabels": {"role": "r"}}}, {"release": "a"}, "rules"),
        ({"ruleSelector": {}}, {}, "PodMonitors"),
    ],
)
def test_what_no_prometheus_of_the_operator_selects_is_told(
    selectors: dict[str, Any], labels: dict[str, str], said: str | None
) -> None:
    found = unread([{"spec": selectors}], labels)
    assert (found is None) if said is None else (found is not None and re.search(said, found))
    assert unread([], labels) is not None


def test_with_an_operator_only_kube_state_metrics_needs_a_role_of_the_cluster(tmp_path: Path) -> None:
    def without_roles(sent: Mapping[str, Any]) -> dict[str, Any]:
        allowed = not sent["spec"]["resourceAttributes"]["resource"].startswith("clusterrole")
        return {"status": {"allowed": allowed}}

    answers: Answers = {REVIEWS: without_roles}
    with pytest.raises(Refusal, match=r"kubeStateMetrics: is true, but .* may not create clusterroles"):
        planned(tmp_path, answers, mode="operator")
    found = planned(tmp_path, answers, mode="operator", kubeStateMetrics=False)
    assert found is not None
    assert "kube-state-metrics" not in found.images


def test_thresholds_of_the_stack_file_are_those_of_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    chosen = {"lossRatio": 0.25, "restarts": 7, "powerBudgetWatts": 15.0}
    section = {"observability": {"mode": "builtin", "alerts": {"thresholds": chosen}}}
    found = json.dumps(observability.rule_file(read_spec("platform", {KEY: section}, {}).observability))
    assert "> 0.25" in found
    assert ">= 7" in found
    assert "15 W are" in found


def test_an_experiment_only_serves_its_metrics() -> None:
    with pytest.raises(Refusal, match="an experiment only serves its metrics"):
        read_spec("monolithic", {KEY: {"observability": {"mode": "builtin"}}}, {})


def client(answers: Mapping[str, httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(lambda asked: answers.get(asked.url.path, httpx.Response(404))))


def test_an_external_prometheus_is_asked_before_anything_is_deployed() -> None:
    check_external("http://p.example:9090/", client({"/-/ready": httpx.Response(200)}))
    built = httpx.Response(200, json={"status": "success", "data": {}})
    check_external("http://p.example/prometheus", client({"/prometheus/api/v1/status/buildinfo": built}))


def test_an_address_at_which_no_prometheus_answers_is_refused() -> None:
    page = httpx.Response(200, text="<html>")
    with pytest.raises(Refusal, match="404 to /-/ready, 200 to /api/v1/status/buildinfo"):
        check_external("http://p.example", client({"/api/v1/status/buildinfo": page}))

    def silent(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Refusal, match=r"nothing answers at http://p\.example/-/ready: refused"):
        check_external("http://p.example", httpx.Client(transport=httpx.MockTransport(silent)))


def test_external_deploys_nothing_but_names_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def willing(*_: object) -> None:
        return None

    monkeypatch.setattr(observability, "check_external", willing)
    found = deployed(tmp_path, monkeypatch, mode="external", external={"url": "http://p.example:9090"})
    assert components(found, "Deployment") == set()
    endpoint = contract(found).prometheus
    assert endpoint is not None
    assert (endpoint.url, endpoint.namespace) == ("http://p.example:9090", None)


def test_operator_is_told_of_every_job_rules_and_dashboards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"release": "stack"}
    found = deployed(tmp_path, monkeypatch, mode="operator", operator={"labels": chosen})
    monitors = {each.name: each.inputs for each in found.of("PodMonitor")}
    assert set(monitors) == {"recorder", "machine-reader", "kube-state-metrics", "node-exporter", "application"}
    (rules,) = found.of("PrometheusRule")
    for each in (*monitors.values(), rules.inputs):
        assert chosen.items() <= each["metadata"]["labels"].items()
        assert guardrails.violations(each) == ()
    shown = found.one("ConfigMap", "dashboard-experiment").inputs
    assert shown["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert components(found, "Deployment") == {"kube-state-metrics"}
    endpoint = contract(found).prometheus
    assert endpoint is not None
    assert (endpoint.namespace, endpoint.port) == ("monitoring", 9090)
