"""Workers follow signals of ROS, up and down, through the real adapter; a real recommender says what to ask for."""

import json
import re
import time
from collections.abc import Generator
from typing import Any

import pytest

from tests.cluster.conftest import UP, Journey, manifest
from tests.cluster.observed import provided

pytestmark = [pytest.mark.cluster, pytest.mark.full]

STACK = "queue-workers"
NAMESPACE = f"ros2bench-{STACK}"
EXTERNAL = f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}"
CUSTOM = f"/apis/custom.metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}"
# The pace of the stack file is for robots; a test has no ten minutes.
PACE = """
application:
  nodes:
    job_queue: {{parameters: {{rate_hz: {{double: {rate_hz}}}}}}}
    worker:
      autoscaling:
        maxReplicas: 3
        scaleUp: {{stabilizationS: 0, percent: 100, periodS: 15}}
        scaleDown: {{stabilizationS: 15, percent: 100, periodS: 15}}
autoscaling: {{recommendations: true}}
"""
PLATFORM = """
observability: {mode: builtin, grafana: {enabled: false}, nodeExporter: false}
autoscaling:
  adapter: {enabled: true}
  recommender: {enabled: true, intervalS: 10}
"""
BUSY_HZ, CALM_HZ = 14, 2
SCALED_LIMIT_S = 240


def overridden(journey: Journey, name: str, *texts: str) -> str:
    """Write overrides and give the variable that names them, after the example's own."""
    files: list[str] = []
    for number, text in enumerate(texts):
        file = journey.checkout / f"{name}-{number}.yaml"
        file.write_text(text)
        files.append(str(file))
    return ":".join(files)


def workers_up(journey: Journey, rate_hz: float) -> str:
    """Deploy the example with its autoscaling at a rate of jobs."""
    pace = overridden(journey, f"rate-{rate_hz}", PACE.format(rate_hz=rate_hz))
    scaled = f"{journey.checkout}/examples/{STACK}/autoscaling.yaml:{pace}"
    done = journey.in_lab(f"ROS2BENCH_SPEC_OVERRIDE={scaled} {UP} -s {STACK}", timeout_s=300)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    return scaled


def raw(journey: Journey, path: str) -> dict[str, Any]:
    """What the API server answers."""
    return json.loads(journey.kubectl(f"get --raw '{path}'"))


def scaler(journey: Journey) -> dict[str, Any]:
    (found,) = json.loads(journey.kubectl(f"-n {NAMESPACE} get hpa -o json"))["items"]
    return found


def copies(journey: Journey) -> int:
    """How many copies the workers' Deployment is told to have."""
    (deployment,) = json.loads(
        journey.kubectl(f"-n {NAMESPACE} get deployments -l app.kubernetes.io/name=worker -o json")
    )["items"]
    return deployment["spec"]["replicas"]


def wait_for_copies(journey: Journey, wanted: range) -> dict[str, Any]:
    """Wait until the autoscaler wants a number of copies and they are Ready; gives its object."""
    deadline_s = time.monotonic() + SCALED_LIMIT_S
    while True:
        now = scaler(journey)
        (deployment,) = json.loads(
            journey.kubectl(f"-n {NAMESPACE} get deployments -l app.kubernetes.io/name=worker -o json")
        )["items"]
        ready = deployment["status"].get("readyReplicas", 0)
        if now["status"].get("desiredReplicas", 0) in wanted and ready in wanted:
            return now
        assert time.monotonic() < deadline_s, json.dumps(now["status"], indent=1)
        time.sleep(3)


@pytest.fixture(scope="module")
def platform(journey: Journey, four_patterns: None) -> Generator[None]:
    """The lab with everything of the platform, and a platform stack with adapter and recommender."""
    provided(journey, "all")
    wanted = overridden(journey, "autoscaling-platform", PLATFORM)
    line = f"pulumi stack select --create platform && ROS2BENCH_SPEC_OVERRIDE={wanted} {UP} -s platform"
    done = journey.in_lab(line, timeout_s=600)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    again = journey.in_lab(f"ROS2BENCH_SPEC_OVERRIDE={wanted} {UP.replace(' --suppress-outputs', '')} -s platform")
    assert re.search(r"\d+ unchanged", again.stdout)
    assert not re.search(r"[1-9]\d* (created|updated|replaced|deleted)", again.stdout), "the certificate stays"
    yield
    assert journey.in_lab("pulumi destroy -s platform --yes --skip-preview", timeout_s=900).returncode == 0
    left = journey.kubectl("get apiservices")
    assert "external.metrics.k8s.io" not in left


def test_without_an_adapter_it_is_refused_before_anything_is_deployed(journey: Journey, four_patterns: None) -> None:
    journey.in_lab(f"cp examples/{STACK}/Pulumi.{STACK}.yaml . && pulumi stack init {STACK}")
    scaled = f"examples/{STACK}/autoscaling.yaml"
    done = journey.in_lab(f"ROS2BENCH_SPEC_OVERRIDE={scaled} {UP} -s {STACK}")
    assert done.returncode != 0
    assert "serves no external.metrics.k8s.io" in done.stdout + done.stderr
    assert NAMESPACE not in journey.kubectl("get namespaces")


@pytest.fixture(scope="module")
def workers(journey: Journey, platform: None) -> Generator[str]:
    """The example at a rate that one worker can bear; gives its overrides."""
    journey.in_lab(f"cp examples/{STACK}/Pulumi.{STACK}.yaml . && pulumi stack select --create {STACK}")
    yield workers_up(journey, CALM_HZ)
    destroyed = journey.in_lab(f"pulumi destroy -s {STACK} --yes --skip-preview && pulumi stack rm {STACK} --yes")
    assert destroyed.returncode == 0, destroyed.stderr


def test_the_api_server_checks_the_adapter_and_gives_every_signal(journey: Journey, workers: str) -> None:
    services = json.loads(journey.kubectl("get apiservices -o json"))["items"]
    ours = [each for each in services if each["spec"].get("service", {}).get("name") == "prometheus-adapter"]
    assert len(ours) == 3
    for each in ours:
        assert each["spec"].get("caBundle")
        assert not each["spec"].get("insecureSkipTLSVerify")
        available = {one["type"]: one["status"] for one in each["status"]["conditions"]}
        assert available["Available"] == "True"
    deadline_s = time.monotonic() + 120
    paths = (
        f"{EXTERNAL}/queue_wait_seconds_max",
        f"{EXTERNAL}/ros2bench_message_latency_seconds_p95?labelSelector=topic%3Doutcomes",
        f"{CUSTOM}/pods/%2A/worker_busy_seconds_per_second",
    )
    for path in paths:
        while True:
            done = journey.in_lab(f"kubectl get --raw '{path}'")
            if done.returncode == 0 and json.loads(done.stdout)["items"]:
                break
            assert time.monotonic() < deadline_s, f"{path}: {done.stdout} {done.stderr}"
            time.sleep(3)
    # Another experiment's namespace has no such value, although the series exist.
    elsewhere = journey.in_lab(f"kubectl get --raw '{paths[0].replace(NAMESPACE, 'default')}'")
    assert elsewhere.returncode != 0 or not json.loads(elsewhere.stdout)["items"]


def test_workers_follow_the_load_up_and_down(journey: Journey, workers: str) -> None:
    wait_for_copies(journey, range(1, 2))
    workers_up(journey, BUSY_HZ)
    busy = wait_for_copies(journey, range(2, 4))
    current = [each for each in busy["status"]["currentMetrics"] if each]
    assert {each["type"] for each in current} == {"External", "Pods"}
    assert copies(journey) >= 2
    workers_up(journey, BUSY_HZ)
    assert copies(journey) >= 2, "a deployment in between does not set the number back"
    workers_up(journey, CALM_HZ)
    calm = wait_for_copies(journey, range(1, 2))
    conditions = {each["type"]: each["status"] for each in calm["status"]["conditions"]}
    assert conditions["ScalingActive"] == "True"


def test_copies_publish_each_outcome_once(journey: Journey, workers: str) -> None:
    fixed = overridden(journey, "fixed", "application: {nodes: {worker: {replicas: 3}}}")
    done = journey.in_lab(f"ROS2BENCH_SPEC_OVERRIDE={fixed} {UP} -s {STACK}", timeout_s=300)
    assert done.returncode == 0, done.stderr[-3000:]
    run = journey.in_lab(
        f"ROS2BENCH_SPEC_OVERRIDE={fixed} python -m probes.run -s {STACK} --repetitions 1 --duration-s 10"
    )
    assert run.returncode == 0, run.stderr[-3000:]
    metrics = manifest(journey, run.stdout + run.stderr)["metrics"]
    assert metrics["frames_lost"]["value"] == 0
    assert 4 < metrics["frames_hz"]["value"] < 6, "five jobs a second, each done once"


def test_the_recommender_says_what_containers_should_ask_for(journey: Journey, workers: str) -> None:
    workers_up(journey, CALM_HZ)
    deadline_s = time.monotonic() + 300
    while True:
        done = journey.in_lab(f"python -m probes.recommendations -s {STACK} --json")
        assert done.returncode == 0, done.stderr
        lines = json.loads(done.stdout)["containers"]
        if lines and all(line["missing"] is None for line in lines):
            break
        assert time.monotonic() < deadline_s, lines
        time.sleep(10)
    assert {(line["pod"], line["resource"]) for line in lines} == {
        (pod, resource) for pod in ("job-queue", "worker") for resource in ("cpu", "memory")
    }
    for line in lines:
        assert 0 < line["lower"] <= line["target"] <= line["upper"]
        assert line["asked"]
    run = journey.in_lab(f"python -m probes.run -s {STACK} --repetitions 1 --duration-s 15")
    assert run.returncode == 0, run.stderr[-3000:]
    kept = manifest(journey, run.stdout + run.stderr)["repetitions"][0]["recommendations"]
    assert kept["missing"] is None
    assert len(kept["containers"]) == 4
    page = journey.in_lab("python -m probes.report -o advice.html && cat advice.html")
    assert "Asked, used, recommended" in page.stdout
