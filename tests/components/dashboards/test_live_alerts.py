"""Every alert against a real Prometheus in real time: provoked, told within 15 s, resolved. Takes about a minute.

The exporters are stand-ins on 127.0.0.1; rules, intervals and Prometheus are the real ones. That conditions with long
windows resolve (restarts, losses, latency) is told by promtool in test_promtool.py, which does not wait.
"""

import sys
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.dashboards.alerts import alerts
from components.dashboards.rules import prometheus_rules
from components.dashboards.thresholds import Thresholds
from probes.panel_answers import Asking, Scope, faults
from probes.prometheus import Prometheus, Span
from tests.components.dashboards.exporters import exporters, running_prometheus
from tests.components.dashboards.promtool import find_program

pytestmark = pytest.mark.image

JOBS = {
    "recorder": "1s",
    "machine-reader": "5s",
    "node-exporter": "5s",
    "kube-state-metrics": "5s",
    "platform": "5s",
    "gone": "1s",
}
DELAY_S = 15.0
GROUP_WAIT_S = 2.0
"""What Alertmanager adds."""
WARM_UP_S = 20.0
LONG_WINDOWS = frozenset({"RestartStorm", "MessagesLost", "LatencyObjectiveBurning"})
POD = 'stack="a",namespace="ros2bench-a",pod="camera-1"'
DEPLOYMENT = 'stack="a",namespace="ros2bench-a",deployment'
BACKUP = "kube_cronjob_status_last_successful_time"
BOUNDS = ("2e-05", "0.01", "0.1", "0.2", "0.5", "+Inf")


@dataclass
class World:
    """What the stand-ins tell; `is_bad` from `since_s` on."""

    is_bad: bool = False
    since_s: float = 0.0
    began_s: float = field(default_factory=time.time)

    def turn(self, *, is_bad: bool, now_s: float) -> None:
        """Let everything go wrong, or be well again."""
        self.is_bad, self.since_s = is_bad, now_s

    def bad_s(self, now_s: float) -> float:
        """How long it has been bad."""
        return now_s - self.since_s if self.is_bad else 0.0

    def recorder(self, now_s: float) -> str:
        """Messages at 10 Hz that stop, are lost or are late."""
        count = int((now_s - self.began_s) * 10)
        late = int(self.bad_s(now_s) * 10)
        heard = now_s - self.bad_s(now_s)
        topic = 'topic="/results"'
        # The topic that is silent is another one than those that lose messages and are late.
        lines = [
            f'ros2bench_topic_last_message_timestamp_seconds{{topic="/frames"}} {heard}',
            f"ros2bench_topic_last_message_timestamp_seconds{{{topic}}} {now_s}",
            'ros2bench_topic_expected_rate_hertz{topic="/frames"} 10',
            f"ros2bench_topic_expected_rate_hertz{{{topic}}} 10",
            f"ros2bench_messages_total{{{topic}}} {count}",
            f"ros2bench_messages_lost_total{{{topic}}} {late}",
            *(
                f'ros2bench_message_latency_seconds_bucket{{{topic},le="{bound}"}} '
                f"{count if bound in {'0.5', '+Inf'} else count - late}"
                for bound in BOUNDS
            ),
            f"ros2bench_message_latency_seconds_count{{{topic}}} {count}",
            f"ros2bench_message_latency_seconds_sum{{{topic}}} {count * 0.05}",
        ]
        if self.is_bad:
            lines.append('ros2bench_topic_expected_rate_hertz{topic="/never"} 1')
        return "\n".join(lines) + "\n"

    def reader(self, now_s: float) -> str:
        """A machine with a GPU that becomes hot, and a rail above its limit."""
        celsius, throttled = (95, 1) if self.is_bad else (60, 0)
        age_s = now_s - self.began_s
        energy = 20 * age_s + 60 * self.bad_s(now_s)
        lines = [
            f'ros2bench_machine_gpu_temperature_celsius{{gpu="gpu0"}} {celsius}',
            f'ros2bench_machine_gpu_throttled{{gpu="gpu0"}} {throttled}',
            f'ros2bench_machine_energy_joules_total{{rail="VDD_IN",is_total="true"}} {energy}',
            f'ros2bench_machine_energy_covered_seconds_total{{rail="VDD_IN",is_total="true"}} {age_s}',
            'ros2bench_machine_power_limit_watts{rail="VDD_IN"} 50',
            f"probe_ssl_earliest_cert_expiry {now_s + (86_400 if self.is_bad else 90 * 86_400)}",
        ]
        return "\n".join(lines) + "\n"

    def node(self, now_s: float) -> str:
        """A machine whose disk fills and whose clock is off."""
        labels = 'device="d",fstype="ext4",mountpoint="/machine-disk"'
        lines = [
            f"node_time_seconds {now_s + (1 if self.is_bad else 0)}",
            f"node_filesystem_avail_bytes{{{labels}}} {5 if self.is_bad else 50}",
            f"node_filesystem_size_bytes{{{labels}}} 100",
        ]
        return "\n".join(lines) + "\n"

    def state(self, now_s: float) -> str:
        """What the API server knows."""
        restarts = min(int(self.bad_s(now_s)), 5)
        backup_s = now_s - (100_000 if self.is_bad else 60)
        ready = 0 if self.is_bad else 1
        lines = [
            f'kube_deployment_labels{{{DEPLOYMENT}="recorder",label_app_kubernetes_io_component="recorder"}} 1',
            f'kube_deployment_labels{{{DEPLOYMENT}="camera",label_app_kubernetes_io_component="application"}} 1',
            f'kube_pod_labels{{{POD},label_app_kubernetes_io_component="application"}} 1',
            f"kube_pod_info{{{POD}}} 1",
            f"kube_pod_created{{{POD}}} {self.began_s - 3600}",
            f'kube_pod_status_ready{{{POD},condition="true"}} 1',
            f'kube_pod_container_status_restarts_total{{{POD},container="camera"}} {restarts}',
            f'kube_node_status_condition{{node="far",machine="far",condition="Ready",status="true"}} {ready}',
            f'{BACKUP}{{stack="p",namespace="ros2bench-p",cronjob="nightly-backup"}} {backup_s}',
        ]
        return "\n".join(lines) + "\n"

    def platform(self, _: float) -> str:
        """A program that always answers."""
        return "process_resident_memory_bytes 1\n"

    def gone(self, now_s: float) -> str:
        """A recorder of another stack, which is gone while all is bad."""
        if self.is_bad:
            raise OSError
        return f"ros2bench_recorder_memory_bytes {now_s}\n"


@pytest.fixture
def watched(tmp_path: Path) -> Generator[tuple[World, Prometheus]]:
    world = World()
    pages = {
        "recorder": world.recorder,
        "machine-reader": world.reader,
        "node-exporter": world.node,
        "kube-state-metrics": world.state,
        "platform": world.platform,
        "gone": world.gone,
    }
    rules = prometheus_rules(Thresholds())
    with (
        exporters(pages) as port,
        running_prometheus(find_program("prometheus"), tmp_path, port, JOBS, rules) as found,
    ):
        client = Prometheus(f"http://127.0.0.1:{found}", is_forwarded=True)
        try:
            yield world, client
        finally:
            client.close()


def firing(client: Prometheus) -> set[str]:
    return {series.labels["alertname"] for series in client.now('ALERTS{alertstate="firing"}')}


def test_every_alert_is_told_in_time_and_resolved(watched: tuple[World, Prometheus]) -> None:
    world, client = watched
    time.sleep(WARM_UP_S)
    assert firing(client) == set(), "nothing is told while all is well"
    wanted = {alert.name for alert in alerts(Thresholds())}
    began_s = time.time()
    world.turn(is_bad=True, now_s=began_s)
    told_s: dict[str, float] = {}
    while wanted - told_s.keys() and time.time() - began_s < 90:
        for name in firing(client) - told_s.keys():
            told_s[name] = time.time() - began_s
        time.sleep(0.5)
    said = {name: round(after_s, 1) for name, after_s in sorted(told_s.items(), key=lambda item: item[1])}
    sys.stdout.write(f"told after seconds: {said}\n")
    assert wanted <= told_s.keys(), f"never told: {wanted - told_s.keys()}"
    for name, after_s in told_s.items():
        assert after_s <= condition_s(name) + DELAY_S - GROUP_WAIT_S + 1, f"{name} was told after {after_s:.1f} s"
    world.turn(is_bad=False, now_s=time.time())
    deadline_s = time.time() + 40
    while (left := firing(client) - LONG_WINDOWS) and time.time() < deadline_s:
        time.sleep(0.5)
    assert left == set()


def condition_s(name: str) -> float:
    """After how long of trouble an alert's condition holds."""
    return {
        "TopicSilent": 3.0,
        "TopicNeverHeard": 12.0,
        # Restarts come one a second; a share of a minute, and of five, has to be reached.
        "RestartStorm": 3.0,
        "MessagesLost": 2.0,
        "LatencyObjectiveBurning": 5.0,
        "PowerBudgetExceeded": 12.0,
    }.get(name, 0.0)


def test_every_query_is_understood_by_a_real_prometheus(watched: tuple[World, Prometheus]) -> None:
    _, client = watched
    deadline_s = time.time() + 60
    while len(client.now("up == 1")) < len(JOBS) and time.time() < deadline_s:
        time.sleep(0.5)
    # Rates need two scrapes.
    time.sleep(6)
    now_s = time.time()
    found = Asking(client, Span(now_s - 60, now_s, 5), Scope()).dashboards()
    assert [answer.why for _, answer in faults(found) if answer.verdict == "refused"] == []
    by_title = {answer.panel.title: answer for each in found for answer in each.answers}
    assert by_title["GPU temperature"].verdict == "found"
    assert by_title["Machines: disk free"].verdict == "found"
    assert by_title["Joint positions"].why == "application.metrics of the stack has no preset joint-states"
