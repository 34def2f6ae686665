"""Autoscaling of a stack: what is refused before anything is deployed, and what is deployed otherwise."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from components import api_server, guardrails
from components.api_server import ApiServer
from components.autoscaling.prometheus_adapter import VERSIONS
from components.image import ThirdPartyImages
from components.refusal import Refusal
from stacks import application, autoscaling, program, rendering
from stacks.reading import KEY, read_spec
from stacks.spec import StackSpec
from tests.stacks.conftest import Run
from tests.support import values
from tests.support.api_server_standin import ApiServerStandIn
from tests.support.platform_images import NAMES, platform_lock, reference, willing_cluster

IMAGES = ThirdPartyImages(path=None, references={n: reference(n) for n in ("prometheus-adapter", "vpa-recommender")})
NONE = ThirdPartyImages(path=None, references={})
NAMESPACE = "ros2bench-platform"
VPA = "/apis/autoscaling.k8s.io/v1"
CUSTOM, EXTERNAL = "/apis/custom.metrics.k8s.io/v1beta1", "/apis/external.metrics.k8s.io/v1beta1"
RESOURCES = "/apis/metrics.k8s.io/v1beta1"
SERVED: dict[str, Any] = {CUSTOM: {"resources": []}, EXTERNAL: {"resources": []}, RESOURCES: {"resources": []}, VPA: {}}
ADAPTER = {"adapter": {"enabled": True}}
BUILTIN = {"mode": "builtin", "grafana": {"enabled": False}}


def platform(**section: Any) -> StackSpec:
    return read_spec("platform", {KEY: {"autoscaling": section, "observability": BUILTIN}}, {})


def workers(node: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """An application of a queue and of workers that may be copied."""
    scaled = {"maxReplicas": 4, "latencyS": {"/outcomes": 0.5}} | changes
    worker = {
        "executable": ["ros2bench-node", "worker"],
        "image": "application-detector",
        "publishes": ["/outcomes"],
        "stateless": True,
        "autoscaling": scaled,
    }
    return {
        "name": "work",
        "nodes": {
            "queue": {"executable": ["ros2bench-node", "queue"], "image": "application-camera"},
            "worker": worker | (node or {}),
        },
        "topics": {
            "/outcomes": {"type": "ros2bench_interfaces/msg/Outcome", "stamp": "ros2bench", "result": True},
            "/unmeasured": {"type": "std_msgs/msg/String"},
            "/stampless": {"type": "std_msgs/msg/String", "measured": True},
            "/trailing_": {"type": "std_msgs/msg/Header", "stamp": "header", "measured": True},
        },
    }


def spec_of(wanted: dict[str, Any], **sections: Any) -> StackSpec:
    return read_spec("microservices", {KEY: {"application": wanted, **sections}}, {})


def check(wanted: dict[str, Any], mapped: dict[str, str] | None = None) -> None:
    built = application.built(spec_of(wanted).application, lambda _: "")
    autoscaling.check_signals(built, mapped or {})


def served(wanted: dict[str, Any], answers: dict[str, Any], **sections: Any) -> ApiServerStandIn:
    spec = spec_of(wanted, **sections)
    api = ApiServerStandIn(answers)
    autoscaling.check_served(spec, application.built(spec.application, lambda _: ""), lambda: api)
    return api


def plan(spec: StackSpec, answers: dict[str, Any] | None = None, images: ThirdPartyImages = IMAGES) -> Any:
    return autoscaling.plan(
        "platform", NAMESPACE, spec, ApiServerStandIn(SERVED if answers is None else answers), images
    )


def test_nothing_is_planned_and_nobody_is_asked_unless_it_is_wanted() -> None:
    api = ApiServerStandIn({})
    assert autoscaling.plan("platform", NAMESPACE, platform(), api, NONE) is None
    assert api.asked == []


def test_the_adapter_asks_the_prometheus_of_its_own_stack_or_the_one_that_is_named() -> None:
    assert plan(platform(**ADAPTER)).prometheus_url == f"http://prometheus.{NAMESPACE}.svc:9090"
    named = {"adapter": {"enabled": True, "prometheusUrl": "https://metrics.example/prom"}}
    assert plan(platform(**named)).prometheus_url == "https://metrics.example/prom"


def test_an_adapter_without_any_prometheus_is_refused() -> None:
    without = read_spec("platform", {KEY: {"autoscaling": ADAPTER}}, {})
    with pytest.raises(Refusal, match=r"adapter\.prometheusUrl: is not set, and observability\.mode is none"):
        plan(without)


@pytest.mark.parametrize("name", ["adapter", "recommender"])
def test_an_image_that_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(Refusal, match="make lock-images"):
        plan(platform(**{name: {"enabled": True}}), images=NONE)


def test_an_api_that_somebody_else_serves_is_refused() -> None:
    path = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.external.metrics.k8s.io"
    theirs = {"spec": {"service": {"namespace": "keda", "name": "keda-operator-metrics-apiserver"}}}
    with pytest.raises(Refusal, match="served by keda/keda-operator-metrics-apiserver already"):
        plan(platform(**ADAPTER), {path: theirs})
    ours = {"spec": {"service": {"namespace": NAMESPACE, "name": "prometheus-adapter"}}}
    assert plan(platform(**ADAPTER), {path: ours}).adapter == reference("prometheus-adapter")


def test_not_knowing_who_serves_an_api_is_no_permission_to_take_it() -> None:
    path = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.custom.metrics.k8s.io"
    with pytest.raises(Refusal, match=r"adapter\.enabled: the API server answered 403 when asked who serves custom\."):
        plan(platform(**ADAPTER), {path: 403})


def test_a_recommender_without_its_definitions_is_refused() -> None:
    with pytest.raises(Refusal, match="does not know VerticalPodAutoscaler"):
        plan(platform(recommender={"enabled": True}), {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no certificate", "holds no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----", "holds a private key"),
        (None, "cannot be read"),
    ],
)
def test_an_authority_that_is_none_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "authority.pem"
    if text is not None:
        file.write_text(text)
    own = {"adapter": {"enabled": True, "certificate": {"secret": "mine", "authorityFile": str(file)}}}
    with pytest.raises(Refusal, match=said):
        plan(platform(**own))


def test_a_key_in_rendered_manifests_is_refused(tmp_path: Path) -> None:
    environment = {
        "ROS2BENCH_PLATFORM_IMAGES": str(platform_lock(tmp_path, [*NAMES, "prometheus-adapter"])),
        "ROS2BENCH_IMAGES_LOCK": str(values.lock_file(tmp_path)),
    }
    section = {"autoscaling": ADAPTER, "observability": BUILTIN}
    spec = read_spec("platform", {KEY: section}, environment)
    with pytest.raises(Refusal, match="Rendered manifests hold no key"):
        rendering.manifests("platform", spec)


@pytest.mark.parametrize(
    ("stack", "section", "said"),
    [
        ("microservices", ADAPTER, "a cluster has one of each"),
        ("platform", {"recommendations": True}, "a platform has no application"),
        ("platform", {"adapter": {"certificate": {"secret": "mine"}}}, "secret and authorityFile belong together"),
        ("platform", {"adapter": {"prometheusUrl": "prometheus:9090"}}, "prometheusUrl"),
        ("platform", {"recommender": {"resources": {"memoryLimitMebibytes": 1}}}, "memoryLimitMebibytes"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_read(stack: str, section: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        read_spec(stack, {KEY: {"autoscaling": section}}, {})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"minReplicas": 5}, r"minReplicas is 5, more than maxReplicas \(4\)"),
        ({"latencyS": {}}, "names no signal"),
        ({"latencyS": {"/outcomes": 0}}, "latencyS"),
        ({"cpuRatio": 0}, "cpuRatio"),
        ({"series": {"wait": {"target": 1, "aggregate": "median"}}}, "aggregate"),
        ({"scaleDown": {"percent": 200}}, "scaleDown.percent"),
    ],
)
def test_an_autoscaling_that_makes_no_sense_is_refused_when_it_is_read(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        spec_of(workers(**changes))


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"stateless": False}, r"worker\.autoscaling\.maxReplicas: is 4, but the node publishes /outcomes"),
        ({"replicas": 2}, r"worker\.replicas: is 2, but autoscaling sets the number of copies"),
        ({"persistentVolumes": {"kept": {"path": "/kept", "sizeMebibytes": 1}}}, "writes to kept"),
    ],
)
def test_a_node_that_cannot_be_copied_is_refused(node: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        spec_of(workers(node))


def test_a_stateful_node_may_be_one_to_one() -> None:
    spec_of(workers({"stateless": False}, maxReplicas=1))


@pytest.mark.parametrize(
    ("changes", "mapped", "said"),
    [
        ({"latencyS": {"/unmeasured": 1}}, {}, "the topic is not measured"),
        ({"latencyS": {"/outcome": 1}}, {}, "Did you mean /outcomes"),
        ({"latencyS": {"/stampless": 1}}, {}, "have no stamp"),
        ({"latencyS": {"/trailing_": 1}}, {}, "cannot be asked for"),
        ({"series": {"queue_wait": {"target": 1}}}, {"queue_wait_seconds": "gauge"}, "Did you mean queue_wait_seconds"),
        ({"series": {"w": {"target": 1, "aggregate": "rate"}}}, {"w": "gauge"}, "Choices: max, mean, sum"),
        ({"series": {"w": {"target": 1}}}, {"w": "histogram"}, "Choices: p95"),
        ({"series": {"ros2bench_messages_total": {"target": 1}}}, {}, "Choices: rate"),
        ({"podSeries": {"busy": 1}}, {}, "no port named metrics"),
    ],
)
def test_a_signal_without_a_series_is_refused(changes: dict[str, Any], mapped: dict[str, str], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        check(workers(**{"latencyS": {}} | changes), mapped)


def test_a_topic_that_is_asked_for_with_another_one_is_refused() -> None:
    wanted = workers(latencyS={"/jobs/done": 1})
    stamped = {"type": "std_msgs/msg/Header", "stamp": "header", "measured": True}
    wanted["topics"] |= {"/jobs/done": stamped, "/jobs_open": stamped, "/jobs_done": stamped | {"measured": False}}
    check(wanted)
    wanted["topics"]["/jobs_done"] = stamped
    with pytest.raises(Refusal, match=r"latencyS\./jobs/done: is asked for as /jobs\.done.* match /jobs_done as well"):
        check(wanted)
    # The other way round there is no dot, so nothing can be mistaken.
    check(wanted | {"nodes": workers(latencyS={"/jobs_done": 1})["nodes"]})


def test_signals_that_have_series_are_accepted() -> None:
    port = {"ports": {"metrics": {"port": 8090, "expose": "pod"}}}
    series = {
        "w": {"target": 1, "aggregate": "mean"},
        "ros2bench_messages_total": {"target": 9, "aggregate": "rate", "perReplica": True},
    }
    check(workers(port, series=series, podSeries={"busy_total": 0.7}, cpuRatio=0.7), {"w": "gauge"})


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, EXTERNAL),
        ({"series": {"ros2bench_messages_total": {"target": 1, "aggregate": "rate"}}}, EXTERNAL),
        ({"podSeries": {"busy": 1}}, CUSTOM),
        ({"latencyS": {}, "cpuRatio": 0.7}, RESOURCES),
    ],
)
@pytest.mark.parametrize(("answer", "said"), [(404, "the cluster serves no"), (503, "does not answer")])
def test_an_api_that_is_missing_or_down_is_refused(
    changes: dict[str, Any], missing: str, answer: int, said: str
) -> None:
    port = {"ports": {"metrics": {"port": 8090, "expose": "pod"}}}
    with pytest.raises(Refusal, match=said) as refused:
        served(workers(port, **changes), SERVED | {missing: answer})
    assert missing.split("/")[2] in str(refused.value)


def test_nobody_is_asked_where_nothing_is_followed() -> None:
    wanted = workers()
    del wanted["nodes"]["worker"]["autoscaling"]
    assert served(wanted, {}).asked == []
    assert served(workers(), SERVED).asked == [EXTERNAL]


def test_recommendations_without_their_definitions_are_refused() -> None:
    with pytest.raises(Refusal, match=r"autoscaling\.recommendations: the cluster does not know"):
        served(workers(), SERVED | {VPA: 404}, autoscaling={"recommendations": True})


def answers(monkeypatch: pytest.MonkeyPatch, api: ApiServerStandIn) -> None:
    """Put a stand-in where the program would connect to the cluster."""

    def connect(context: str, kubeconfigs: Sequence[Path]) -> ApiServer:
        _ = context, kubeconfigs
        return api

    monkeypatch.setattr(api_server, "connect", connect)
    assert program.api_server is api_server


def test_an_autoscaled_deployment_states_no_number_of_copies(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ApiServerStandIn(SERVED))
    made = run("microservices", application=workers(minReplicas=2), autoscaling={"recommendations": True})
    scaler = made.one("HorizontalPodAutoscaler", "worker").inputs
    assert scaler["spec"]["scaleTargetRef"]["name"] == "worker-1a2b3c4d"
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 4)
    assert "replicas" not in made.one("Deployment", "worker").inputs["spec"]
    assert made.one("Deployment", "queue").inputs["spec"]["replicas"] == 1
    assert len(made.of("HorizontalPodAutoscaler")) == 1
    assert {each.inputs["spec"]["targetRef"]["name"] for each in made.of("VerticalPodAutoscaler")} == {
        "worker-1a2b3c4d",
        "queue-1a2b3c4d",
    }
    pods = {pod["name"]: pod["replicas"] for pod in made.value["application"]["pods"]}
    assert pods == {"queue": 1, "worker": 2}


def test_a_parked_stack_has_no_autoscaler(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ApiServerStandIn(SERVED))
    made = run("microservices", application=workers(), state="parked")
    assert made.of("HorizontalPodAutoscaler") == []


def test_nodes_of_one_pod_are_copied_together_or_not_at_all(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ApiServerStandIn(SERVED))
    wanted = workers() | {"images": {"monolithic": "application-monolithic"}}
    with pytest.raises(Refusal, match="contradict each other in autoscaling: queue says 'none', worker says '1 to 4"):
        run("monolithic", application=wanted)


def test_the_platform_deploys_adapter_and_recommender_with_a_checked_certificate(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers(monkeypatch, ApiServerStandIn(willing_cluster() | SERVED))
    lock = platform_lock(tmp_path, [*NAMES, "prometheus-adapter", "vpa-recommender"])
    made = run(
        "platform",
        autoscaling=ADAPTER | {"recommender": {"enabled": True}},
        observability=BUILTIN,
        images={"checkRegistry": False, "platformLock": str(lock)},
    )
    for name in ("prometheus-adapter", "vpa-recommender"):
        deployment = made.one("Deployment", name)
        assert deployment.inputs["metadata"]["namespace"] == NAMESPACE
        assert guardrails.violations({"kind": "Deployment", **deployment.inputs}) == ()
        role = made.one("ClusterRole", name)
        assert guardrails.violations({"kind": "ClusterRole", **role.inputs}) == ()
    services = [each for each in made.of("APIService") if "metrics.k8s.io" in each.name]
    assert {each.name for each in services} == {served.name for served in VERSIONS}
    sealed = made.one("Secret", "prometheus-adapter-certificate-1").inputs["data"]
    assert "tls.key" not in sealed, "the engine gets it as an encrypted value only"
    files = sealed["value"]
    authority = files["ca.crt"]
    for each in services:
        assert each.inputs["spec"]["caBundle"] == authority
        assert "insecureSkipTLSVerify" not in each.inputs["spec"]
        assert each.inputs["spec"]["service"] == {"name": "prometheus-adapter", "namespace": NAMESPACE, "port": 443}
    certificate = x509.load_pem_x509_certificate(base64.b64decode(files["tls.crt"]))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"prometheus-adapter.{NAMESPACE}.svc"]
    assert "PRIVATE" not in json.dumps(made.value)
    assert made.one("Service", "prometheus-adapter").inputs["metadata"]["name"] == "prometheus-adapter"
