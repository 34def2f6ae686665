"""The platform's own workloads in a lab: live series, a gap that stays a gap, no change without one.

What is refused is refused before anything is deployed.
"""

import json
import subprocess
import time
from collections.abc import Generator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from components.observability.prometheus import LOOKBACK_S
from tests.cluster.conftest import UP, Journey
from tests.cluster.observed import PLATFORM, Platform, forwarded, machine_count, objects, override, until, up

pytestmark = pytest.mark.cluster

EXPERIMENT = "ros2bench-microservices"
RECEIVERS = "alert-receiver"
PROVOKED = "Provoked"
AWAY_S = LOOKBACK_S + 15
SETTLED_S = 90
MOST_CORES = 0.12
"""Twice the figure of docs/observability.md, 3 % of two cores: another machine's cores are other cores."""
MOST_BYTES = 600e6
RECEIVER = """
import http.server, sys
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(("", 8080), Receiver).serve_forever()
"""


def up_with(journey: Journey, name: str, **observability: Any) -> subprocess.CompletedProcess[str]:
    """Deploy the platform with further settings."""
    return journey.in_lab(f"{UP} -s platform", timeout_s=900, **override(journey, name, observability=observability))


@pytest.fixture(scope="module")
def platform(observed: Platform) -> Generator[Platform]:
    """The platform, first alone; afterwards who was told is gone, and the experiment stays for who follows."""
    yield observed
    observed.journey.kubectl(f"delete namespace {RECEIVERS} --ignore-not-found")


def test_1_the_stack_says_where_its_programs_answer_and_what_is_not_there(platform: Platform) -> None:
    done = platform.journey.in_lab("pulumi stack output -s platform ros2bench --json")
    found = json.loads(done.stdout)["observability"]
    assert found["mode"] == "builtin"
    assert found["prometheus"]["namespace"] == PLATFORM
    assert found["alertmanager"]["port"] == 9093
    assert found["grafana"] is None
    assert "its image is unknown" in found["notDeployed"]["grafana"]


@pytest.mark.full
def test_2_at_rest_it_costs_little(platform: Platform) -> None:
    time.sleep(SETTLED_S)
    ours = 'on (pod_uid) group_left () label_replace(kube_pod_info{stack="platform"}, "pod_uid", "$1", "uid", "(.+)")'
    cores = platform.value(f"sum(rate(ros2bench_container_cpu_seconds_total[1m]) * {ours})")
    memory_bytes = platform.value(f"sum(ros2bench_container_memory_bytes * {ours})")
    print(f"platform at rest: {cores} cores, {memory_bytes} bytes")
    assert cores is not None
    assert memory_bytes is not None
    assert 0 < cores <= MOST_CORES
    assert 0 < memory_bytes <= MOST_BYTES


def test_3_every_source_gives_live_series_with_its_labels(platform: Platform) -> None:
    journey = platform.journey
    up(journey, "microservices")
    machines = machine_count(journey)
    until(lambda: platform.value('sum(ros2bench_messages_total{stack="microservices"})'), 90)
    found_up = {each["metric"]["job"]: float(each["value"][1]) for each in platform.query("sum by (job) (up)")}
    assert found_up["recorder"] == 1
    assert found_up["machine-reader"] == machines
    assert found_up["node-exporter"] == machines
    assert found_up["kube-state-metrics"] == 1
    assert found_up["platform"] >= 2
    assert platform.query("up == 0") == []
    (recorder,) = platform.query('up{job="recorder"}')
    assert (
        recorder["metric"]
        | {
            "stack": "microservices",
            "pattern": "microservices",
            "namespace": EXPERIMENT,
        }
        == recorder["metric"]
    )
    for expression, count in (
        ('ros2bench_machine_cpu_busy_seconds_total{stack="platform"}', machines),
        ("node_memory_MemAvailable_bytes", machines),
        ('node_filesystem_avail_bytes{mountpoint="/machine-disk"}', machines),
        ('kube_pod_info{stack="microservices",namespace="ros2bench-microservices"}', None),
        ('kube_pod_labels{stack="microservices",label_ros2bench_pattern="microservices"}', None),
        ('ros2bench_messages_total{stack="microservices",topic="/results"}', 1),
    ):
        found = platform.query(expression)
        assert found, expression
        assert all(each["metric"].get("machine") for each in found if count == machines), expression
        if count is not None:
            assert len(found) == count, expression
    assert platform.query('{stack="microservices",namespace!~"|ros2bench-microservices"}') == []
    assert platform.query('{__name__=~"kube_.+",namespace="kube-system"}') == []


def test_4_without_a_change_nothing_is_changed(platform: Platform) -> None:
    done = platform.journey.in_lab(f"{UP} -s platform --expect-no-changes")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_5_what_was_missed_while_prometheus_was_away_stays_missing(platform: Platform) -> None:
    journey = platform.journey
    name = journey.kubectl(f"get deployments -n {PLATFORM} -l app.kubernetes.io/component=prometheus -o name").strip()
    began_s = time.time()
    journey.kubectl(f"scale -n {PLATFORM} {name} --replicas=0")
    # Killed, so that it cannot mark the end of its series.
    journey.kubectl(f"delete pods -n {PLATFORM} -l app.kubernetes.io/component=prometheus --grace-period=0 --force")
    time.sleep(AWAY_S)
    journey.kubectl(f"scale -n {PLATFORM} {name} --replicas=1")
    back_s = time.time()
    journey.kubectl(f"rollout status -n {PLATFORM} {name} --timeout=180s")
    topic = 'ros2bench_messages_total{stack="microservices",topic="/results"}'
    until(lambda: platform.query(topic), 60)
    time.sleep(5)
    (series,) = platform.query(f"{topic}[10m]")
    times = [float(at) for at, _ in series["values"]]
    gaps = [(after - before, before, after) for before, after in pairwise(times)]
    longest, last, first = max(gaps)
    assert longest >= AWAY_S
    assert last < began_s + 10
    assert first > back_s
    counted = {float(at): float(number) for at, number in series["values"]}
    assert counted[first] > counted[last], "the recorder counted on, and nothing was made up in between"
    assert platform.query(topic, at_s=first - 2) == [], "after the look-back the gap shows as a gap"


def test_6_an_alert_reaches_the_receiver_and_its_end_does_too(platform: Platform) -> None:
    journey = platform.journey
    lock = json.loads(journey.in_lab('cat "$ROS2BENCH_IMAGES_LOCK"').stdout)
    entry = lock["images"]["machine-reader"]
    image = f"{lock['registry']}/{entry['repository']}@{entry['digest']}"
    _receiver(journey, image)
    url = f"http://receiver.{RECEIVERS}.svc:8080/"
    done = up_with(journey, "told", alerts={"receivers": [{"name": "test", "url": url}]})
    assert done.returncode == 0, done.stderr[-3000:]
    labels = {"alertname": PROVOKED, "severity": "critical", "stack": "microservices"}
    with forwarded(journey, "alertmanager", 9093) as client:
        began_s = time.monotonic()
        assert client.post("/api/v2/alerts", json=[{"labels": labels}]).status_code == 200
        until(lambda: "firing" in {each["status"] for each in _told(journey)}, 15)
        print(f"told after {time.monotonic() - began_s:.1f} s")
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        assert client.post("/api/v2/alerts", json=[{"labels": labels, "endsAt": now}]).status_code == 200
        until(lambda: "resolved" in {each["status"] for each in _told(journey)}, 30)
    assert all(each["receiver"] == "test" for each in _told(journey))


def _receiver(journey: Journey, image: str) -> None:
    """A webhook of the test's own: it prints what it is told."""
    found = {"app": "receiver"}
    container = {"name": "receiver", "image": image, "command": ["python3", "-c", RECEIVER]}
    items: list[Mapping[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": RECEIVERS}},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "receiver", "namespace": RECEIVERS, "labels": found},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "receiver", "namespace": RECEIVERS},
            "spec": {"selector": found, "clusterIP": "None", "ports": [{"port": 8080}]},
        },
    ]
    file = journey.checkout / "receiver.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    journey.kubectl(f"apply -f {file}")
    journey.kubectl(f"wait -n {RECEIVERS} pod/receiver --for=condition=Ready --timeout=60s")


def _told(journey: Journey) -> list[dict[str, Any]]:
    """What was told of the alert that the test provoked; the machine may have others, for example of its disk."""
    lines = journey.kubectl(f"logs -n {RECEIVERS} receiver").splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in found if each["groupLabels"].get("alertname") == PROVOKED]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "operator without definitions": ({"mode": "operator"}, "the Prometheus Operator's definitions are not installed"),
    "wrong address": ({"mode": "external", "external": {"url": "http://127.0.0.1:1"}}, "nothing answers at"),
    "something else": ({"mode": "external", "external": {"url": "STORE"}}, "where no Prometheus answers"),
    "retention too small": ({"retentionHours": 1}, "blocks of 2 hours"),
    "storage too small": ({"storage": {"sizeMebibytes": 100}}, "the log of the last hours alone takes"),
    "unknown storage class": ({"storage": {"storageClass": "fast"}}, "which the cluster does not have"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_7_what_cannot_work_is_refused_and_nothing_is_touched(platform: Platform, case: str) -> None:
    journey = platform.journey
    wanted, said = REFUSED[case]
    if wanted.get("external", {}).get("url") == "STORE":
        wanted = {**wanted, "external": {"url": journey.in_lab('echo "$ROS2BENCH_RECORDS_ENDPOINT"').stdout.strip()}}
    before = objects(journey)
    done = up_with(journey, "refused", **wanted)
    assert done.returncode != 0
    shown = " ".join((done.stdout + done.stderr).split())
    assert said in shown
    assert "Traceback" not in shown
    assert objects(journey) == before


def test_8_an_image_that_nobody_knows_is_refused(platform: Platform) -> None:
    journey = platform.journey
    lock = json.loads(journey.in_lab('cat "$ROS2BENCH_PLATFORM_IMAGES"').stdout)
    lock["images"].pop("kube-state-metrics")
    file = journey.checkout / "fewer-images.json"
    file.write_text(json.dumps(lock))
    before = objects(journey)
    # `lab env` exports its own lock, which comes first: say it after that.
    done = journey.in_lab(f"export ROS2BENCH_PLATFORM_IMAGES={file}; {UP} -s platform")
    assert done.returncode != 0
    assert "images.kube-state-metrics is not in the lock" in " ".join((done.stdout + done.stderr).split())
    assert objects(journey) == before
