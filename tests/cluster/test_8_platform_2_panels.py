"""Every panel, rule and alert against the lab's live Prometheus while an experiment runs; alerts provoked and resolved.

Not provoked here, as a lab has no such thing or would have to wait for hours: a GPU, power, a machine that is lost,
losses of the network, a full disk, an old backup, a certificate's end. Those fire and resolve against a real Prometheus
with stand-in exporters in tests/components/dashboards/test_live_alerts.py, and in promtool's time in test_promtool.py.
"""

import json
import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest

from components.dashboards.alerts import alerts
from components.dashboards.catalogue import DASHBOARDS
from components.dashboards.queries import QUERIES
from components.dashboards.rules import recordings
from components.dashboards.thresholds import Thresholds
from components.dashboards.units import Unit
from tests.cluster.conftest import Journey
from tests.cluster.observed import Platform, forwarded, query, seconds_until, until, up

pytestmark = pytest.mark.cluster

EXPERIMENT = "ros2bench-microservices"
SETTLED_S = 75
"""Longer than every window of a panel but those of an hour."""
LONGEST_GAP_S = 11.0
"""Twice the interval at which an experiment is scraped, and a second."""
TOLD_WITHIN_S = 15
NOT_IN_A_LAB = {
    "GPU in use", "GPU memory", "GPU memory of all there is", "GPU clock", "GPU temperature", "GPU throttled",
    "Messages per second of a busy GPU", "Power of limit", "Temperatures",
    "Power", "Power by rail", "Energy of the last hour", "Energy per message", "Power, mean of the last hour",
    "Run being captured", "Waiting, and why", "Ended before, and why", "Alerts that hold", "Age of backups",
    "Time left to certificates", "Mapped fields: errors and series dropped", "Perception: the model alone",
    "Planning: time to converge", "Missions that succeeded", "Pods: disks", "Disks by pod",
    "Pods: held back by a limit", "Held back by a limit",
    *(panel.title for dashboard in DASHBOARDS if dashboard.name == "robots" for panel in dashboard.panels),
}  # fmt: skip
"""Panels that may have no series in a lab; each says why. All others must have some."""
BOUNDS: dict[Unit, tuple[float, float]] = {Unit.RATIO: (-0.001, 3.0), Unit.CORES: (0, 64), Unit.BYTES: (0, 1e14)}


@contextmanager
def prometheus(journey: Journey) -> Generator[httpx.Client]:
    """Reach the platform's Prometheus."""
    with forwarded(journey, "prometheus", 9090) as client:
        yield client


def firing(client: httpx.Client, name: str) -> list[dict[str, Any]]:
    return query(client, f'ALERTS{{alertname="{name}",alertstate="firing",stack="microservices"}}')


@pytest.fixture(scope="module")
def watched(observed: Platform) -> Journey:
    """A platform and an experiment that has run for a while."""
    journey = observed.journey
    up(journey, "microservices")
    journey.kubectl(f"wait -n {EXPERIMENT} pods --all --for=condition=Ready --timeout=180s")
    until(lambda: is_settled(observed), SETTLED_S + 30)
    return journey


def is_settled(platform: Platform) -> bool:
    """Whether the experiment's series have no gap for as long as the longest rate of a panel reaches back."""
    found = platform.query(f'ros2bench_messages_total{{stack="microservices",topic="/results"}}[{SETTLED_S}s]')
    times = [time.time() - SETTLED_S, *(float(at) for at, _ in found[0]["values"]), time.time()] if found else [0, 1e9]
    return max(after - before for before, after in pairwise(times)) < LONGEST_GAP_S


def test_1_every_panel_has_series_or_says_why_not(watched: Journey) -> None:
    done = watched.in_lab("python -m probes.panels -s microservices --platform platform --minutes 3 --check -o p.html")
    assert done.returncode == 0, done.stdout + done.stderr
    empty = {found[1]: found[2] for found in re.finditer(r"^  (.+?): not here: (.+)$", done.stdout, re.MULTILINE)}
    assert set(empty) <= NOT_IN_A_LAB, set(empty) - NOT_IN_A_LAB
    page = (watched.checkout / "p.html").read_text()
    assert page.count("<figure>") == sum(len(dashboard.panels) for dashboard in DASHBOARDS)
    assert "<script" not in page


def test_2_every_query_is_understood_and_its_values_fit_its_unit(watched: Journey) -> None:
    with prometheus(watched) as client:
        for each in QUERIES.values():
            for stack in ("microservices", ".+"):
                for series in query(client, each.resolved(stack=stack)):
                    value = float(series["value"][1])
                    low, high = BOUNDS.get(each.unit, (-1e18, 1e18))
                    # A pod may use many times what it asks for.
                    high = 1e4 if each.name.endswith("_of_request") else high
                    assert not low > value, f"{each.name}: {series}"
                    assert not value > high, f"{each.name}: {series}"
        (rate,) = query(client, QUERIES["message_rate"].resolved(stack="microservices", topic="/results"))
        (expected,) = query(client, QUERIES["expected_rate"].resolved(stack="microservices", topic="/results"))
        assert float(rate["value"][1]) == pytest.approx(float(expected["value"][1]), rel=0.2), "messages per second"
        (median,) = query(client, QUERIES["latency_p50"].resolved(stack="microservices", topic="/results"))
        assert 0.001 < float(median["value"][1]) < 2, "seconds, not milliseconds or nanoseconds"
        for series in query(client, QUERIES["machine_memory_available"].resolved()):
            assert 1e8 < float(series["value"][1]) < 1e13, "bytes, not kibibytes"


def test_3_every_rule_is_evaluated_and_recorded(watched: Journey) -> None:
    with prometheus(watched) as client:
        groups = client.get("/api/v1/rules").json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
        names = {rule["name"] for rule in rules}
        assert {alert.name for alert in alerts(Thresholds())} <= names
        assert {rule.name for rule in recordings(Thresholds())} <= names
        for rule in recordings(Thresholds()):
            if "power" not in rule.name:
                assert query(client, f'{{__name__="{rule.name}"}}'), rule.name
        late = [group for group in groups if group["evaluationTime"] > group["interval"] / 2]
        assert late == [], "rules take less than half of their interval"
        assert query(client, 'ALERTS{alertstate="firing",stack="microservices"}') == [], "all is well"


def test_4_silence_is_told_within_fifteen_seconds_and_resolved(watched: Journey) -> None:
    camera = watched.kubectl(f"get deployments -n {EXPERIMENT} -l app.kubernetes.io/name=camera -o name").strip()
    with prometheus(watched) as client:
        watched.kubectl(f"scale -n {EXPERIMENT} {camera} --replicas=0")
        silent = QUERIES["silence"].resolved(stack="microservices", topic="/results")
        until(lambda: any(float(each["value"][1]) > 3 for each in query(client, silent)), 60)
        after_s = seconds_until(lambda: firing(client, "TopicSilent"), TOLD_WITHIN_S)
        print(f"TopicSilent: told {after_s:.1f} s after its condition held")
        watched.kubectl(f"scale -n {EXPERIMENT} {camera} --replicas=1")
        after_s = seconds_until(lambda: not firing(client, "TopicSilent"), 90)
        print(f"TopicSilent: resolved {after_s:.1f} s after the camera was asked back")


@pytest.mark.full
def test_5_a_restart_storm_is_told_and_ends_with_its_pod(watched: Journey) -> None:
    pods = f"-n {EXPERIMENT} -l app.kubernetes.io/name=reader"
    pod = watched.kubectl(f"get pods {pods} -o name").split()[0]
    with prometheus(watched) as client:
        for count in (1, 2, 3):
            watched.in_lab(f"kubectl exec -n {EXPERIMENT} {pod} -- python3 -c 'import os; os.kill(1, 15)'")
            until(lambda: restarts_of_running(watched, pod) == count, 90)  # noqa: B023
        after_s = seconds_until(lambda: firing(client, "RestartStorm"), TOLD_WITHIN_S + 5)
        print(f"RestartStorm: told {after_s:.1f} s after the third restart")
        watched.kubectl(f"delete -n {EXPERIMENT} {pod} --grace-period=0 --force")
        until(lambda: not firing(client, "RestartStorm"), 90)


def restarts_of_running(journey: Journey, pod: str) -> int | None:
    """How often the container of a pod was restarted; None while it does not run."""
    (status,) = json.loads(journey.kubectl(f"get -n {EXPERIMENT} {pod} -o json"))["status"]["containerStatuses"]
    return status["restartCount"] if "running" in status["state"] else None


@pytest.mark.full
def test_6_a_parked_stack_is_not_called_silent(watched: Journey) -> None:
    up(watched, "microservices", ROS2BENCH_STATE="parked")
    time.sleep(90)
    with prometheus(watched) as client:
        assert firing(client, "TopicSilent") == []
        assert query(client, QUERIES["parked"].resolved(stack="microservices")) != []
    words = "--platform platform --minutes 1 --window 15s --check -o p.html"
    done = watched.in_lab(f"python -m probes.panels -s microservices {words}")
    assert done.returncode == 0, done.stdout
    assert "Latency: not here: the application is parked" in done.stdout


def test_7_bad_input_is_explained(watched: Journey) -> None:
    done = watched.in_lab("python -m probes.panels -s microservices --url http://127.0.0.1:9")
    assert done.returncode == 4
    assert "cannot be asked at http://127.0.0.1:9" in done.stderr
    done = watched.in_lab("python -m probes.panels -s nobody")
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
