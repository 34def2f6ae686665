"""When pods reached their phases, each time with its source and resolution."""

from typing import Any

import pytest

from probes.phases import (
    PodTimeline,
    Sighting,
    blockage_of,
    event_rows,
    event_time,
    events_table_rows,
    images_pulled,
    parse_time_ns,
    phases_of,
    watch_rows,
)
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


def test_rows_carry_source_and_resolution() -> None:
    timeline = PodTimeline()
    timeline.see(Sighting(5, "ADDED", pod("monolithic")))
    rows = watch_rows(3, timeline)
    assert {(row["phase"], row["source"], row["resolution_ns"]) for row in rows} == {
        (phase, "watch", 1_000_000) for phase in ("created", "scheduled", "started", "ready")
    }
    assert {row["repetition"] for row in rows} == {3}
    named = event_rows(3, [event("application-u1.17e5a1b2c3d4e5f6"), event("x", "Killing")], {"application-u1": "edge"})
    assert [(row["phase"], row["source"], row["machine"]) for row in named] == [("pulled", "event_name", "edge")]


def test_events_of_earlier_repetitions_stay_out() -> None:
    old, new = f"a.{10 * SECOND:016x}", f"a.{20 * SECOND:016x}"
    rows = events_table_rows(0, [event(new), event(old)], 20 * SECOND)
    assert [row["at_ns"] for row in rows] == [20 * SECOND]


def test_only_real_pulls_after_the_start_count() -> None:
    present = event(f"a.{20 * SECOND:016x}", message='Container image "x" already present on machine')
    pulled = event(f"b.{21 * SECOND:016x}", message='Successfully pulled image "x" in 3s')
    earlier = event(f"c.{9 * SECOND:016x}", message='Successfully pulled image "x" in 3s')
    assert images_pulled([present, pulled, earlier], 20 * SECOND) == ['Successfully pulled image "x" in 3s']
