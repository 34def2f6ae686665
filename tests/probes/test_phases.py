"""When pods reached their phases, each time with its source and resolution."""

from typing import Any

import pytest

from probes.event_times import event_time, event_times, events_table_rows, images_pulled, parse_time_ns
from probes.phases import PodTimeline, Sighting, blockage_of, phases_of, startup_period_ns, watch_times
from tests.probes.standins import pod

SECOND = 1_000_000_000


def event(name: str, reason: str = "Pulled", **changes: Any) -> dict[str, Any]:
    involved = {"kind": "Pod", "name": "application-u1"}
    created = {"name": name, "creationTimestamp": "2026-01-02T03:04:05Z"}
    return {"metadata": created, "reason": reason, "message": "", "involvedObject": involved} | changes


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("1970-01-01T00:00:01Z", SECOND),
        ("2026-01-02T03:04:05.123456Z", 1767323045_123456000),
        ("2026-01-02T03:04:05Z", 1767323045_000000000),
    ],
)
def test_times_are_read_to_the_last_digit(text: str, expected_ns: int) -> None:
    assert parse_time_ns(text) == expected_ns


def test_an_event_is_dated_by_its_best_source() -> None:
    assert event_time(event("x", eventTime="1970-01-01T00:00:01.5Z")) == (1_500_000_000, "event_time")
    assert event_time(event("application-u1.17e5a1b2c3d4e5f6")) == (0x17E5A1B2C3D4E5F6, "event_name")
    assert event_time(event("no-suffix")) == (1767323045 * SECOND, "condition")
    assert event_time(event("no-suffix", firstTimestamp="1970-01-01T00:00:02Z")) == (2 * SECOND, "condition")


def test_phases_come_in_their_order() -> None:
    assert phases_of({"metadata": {}, "status": {}}) == ("created",)
    assert phases_of(pod("monolithic", is_ready=False)) == ("created", "scheduled", "started")
    assert phases_of(pod("monolithic")) == ("created", "scheduled", "started", "ready")


def test_the_first_arrival_counts_and_a_repeated_sighting_changes_nothing() -> None:
    timeline = PodTimeline()
    timeline.see(Sighting(10, "ADDED", pod("monolithic", is_ready=False)))
    assert timeline.ready_at_ns({"application": 1}) is None
    timeline.see(Sighting(20, "MODIFIED", pod("monolithic")))
    timeline.see(Sighting(30, "ADDED", pod("monolithic")))
    assert timeline.ready_at_ns({"application": 1}) == 20


def test_install_ends_with_the_last_of_all_pods() -> None:
    timeline = PodTimeline()
    timeline.see(Sighting(10, "ADDED", pod("monolithic", uid="a")))
    assert timeline.ready_at_ns({"application": 2}) is None
    timeline.see(Sighting(25, "ADDED", pod("monolithic", uid="b")))
    assert timeline.ready_at_ns({"application": 2}) == 25


def test_a_pod_that_goes_away_or_ends_is_not_ready() -> None:
    timeline = PodTimeline()
    timeline.see(Sighting(10, "ADDED", pod("monolithic")))
    timeline.see(Sighting(11, "DELETED", pod("monolithic")))
    assert timeline.ready_at_ns({"application": 1}) is None
    ending = pod("monolithic")
    ending["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    timeline.see(Sighting(12, "MODIFIED", ending))
    assert timeline.ready_at_ns({"application": 1}) is None


def test_a_blockage_must_last_and_goes_away_with_its_cause() -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    last = {"terminated": {"exitCode": 2, "reason": "Error"}}
    status = {"containerStatuses": [{"image": "i@sha256:1", "state": waiting, "lastState": last, "restartCount": 1}]}
    timeline = PodTimeline()
    timeline.see(Sighting(SECOND, "ADDED", pod("monolithic", status=status)))
    assert timeline.blockages(2 * SECOND) == []
    found = timeline.blockages(7 * SECOND)
    assert [(item.reason, item.image) for item in found] == [("CrashLoopBackOff", "i@sha256:1")]
    assert "last exit code 2" in found[0].message
    timeline.see(Sighting(8 * SECOND, "MODIFIED", pod("monolithic")))
    assert timeline.blockages(20 * SECOND) == []


def test_an_unschedulable_pod_is_a_blockage() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes"}
    found = blockage_of(pod("monolithic", status={"conditions": [condition]}))
    assert found is not None
    assert found.message == "0/2 nodes"


def test_times_carry_source_resolution_and_whose_clock_it_is() -> None:
    timeline = PodTimeline()
    timeline.see(Sighting(5, "ADDED", pod("monolithic")))
    times = watch_times(timeline)
    assert {(time.phase, time.source, time.resolution_ns, time.clock_machine) for time in times} == {
        (phase, "watch", 1_000_000, "") for phase in ("created", "scheduled", "started", "ready")
    }
    assert {time.as_row(3)["repetition"] for time in times} == {3}
    kubelet = event("application-u1.17e5a1b2c3d4e5f6", source={"host": "edge"})
    bound = event("x", "Scheduled", eventTime="1970-01-01T00:00:01.5Z", reportingInstance="default-scheduler-cloud")
    named = event_times([kubelet, bound, event("x", "Killing")], {"application-u1": "edge"})
    assert [(time.phase, time.source, time.machine, time.clock_machine) for time in named] == [
        ("scheduled", "event_time", "edge", "cloud"),
        ("pulled", "event_name", "edge", "edge"),
    ]


def test_events_of_init_containers_are_told_apart() -> None:
    involved = {"kind": "Pod", "name": "application-u1", "fieldPath": "spec.initContainers{overlay}"}
    assert [time.phase for time in event_times([event("x", involvedObject=involved)], {"application-u1": "edge"})] == [
        "init_pulled"
    ]


def test_the_end_of_a_start_is_as_coarse_as_its_probe() -> None:
    waiting = pod("monolithic")
    waiting["spec"]["containers"] = [{"startupProbe": {"periodSeconds": 2}}, {"startupProbe": {"httpGet": {}}}]
    assert startup_period_ns(waiting) == 10 * SECOND
    assert "startup_passed" not in phases_of(waiting)
    waiting["status"]["containerStatuses"][0]["started"] = True
    assert phases_of(waiting)[-2:] == ("startup_passed", "ready")


def test_events_of_earlier_repetitions_stay_out() -> None:
    old, new = f"a.{10 * SECOND:016x}", f"a.{20 * SECOND:016x}"
    rows = events_table_rows(0, [event(new), event(old)], 20 * SECOND)
    assert [row["at_ns"] for row in rows] == [20 * SECOND]


def test_only_real_pulls_after_the_start_count() -> None:
    present = event(f"a.{20 * SECOND:016x}", message='Container image "x" already present on machine')
    pulled = event(f"b.{21 * SECOND:016x}", message='Successfully pulled image "x" in 3s')
    earlier = event(f"c.{9 * SECOND:016x}", message='Successfully pulled image "x" in 3s')
    assert images_pulled([present, pulled, earlier], 20 * SECOND, 30 * SECOND) == [
        'Successfully pulled image "x" in 3s'
    ]


def test_what_an_update_after_the_window_pulls_is_not_of_the_install() -> None:
    before = event(f"b.{21 * SECOND:016x}", message='Successfully pulled image "x" in 3s')
    later = event(f"b.{31 * SECOND:016x}", message='Successfully pulled image "y" in 3s')
    assert images_pulled([before, later], 20 * SECOND, 30 * SECOND) == ['Successfully pulled image "x" in 3s']
