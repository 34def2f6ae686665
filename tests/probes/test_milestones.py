"""From times of several sources and clocks to the length of each phase, or the reason why it is unknown."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.clock import ClockOffset
from probes.evidence import ContainerIdentity, PhaseTime, PodIdentity
from probes.milestones import (
    APPLICATION,
    PHASES,
    RECORDER_CLOCK,
    STAGES,
    WATCH_LAG_NS,
    Milestone,
    Span,
    Start,
    best_milestone,
    clocks_of,
    pod_spans,
    stage_spans,
)
from tests.probes.standins import machine

MS = 1_000_000
ONE_KERNEL = ClockOffset(0, 0, "one_kernel")
CONTAINERS = (ContainerIdentity("one", "c1"),)


def pod(name: str = "p", containers: tuple[ContainerIdentity, ...] = CONTAINERS, *, init: int = 0) -> PodIdentity:
    return PodIdentity(name, f"uid-{name}", "edge", name, containers, init, has_startup_probe=False)


def time(phase: str, at_ms: float, source: str = "watch", name: str = "p", clock: str = "") -> PhaseTime:
    writer = clock or ("edge" if source.startswith("event") else "")
    resolution = {"watch": MS, "event_time": 1_000, "event_name": 1}.get(source, 1)
    return PhaseTime(name, "edge", phase, round(at_ms * MS), source, resolution, writer)


def start(
    times: Sequence[PhaseTime], pods: Sequence[PodIdentity] = (pod(),), clocks: dict[str, ClockOffset] | None = None
) -> Start:
    known = {"edge": ONE_KERNEL, RECORDER_CLOCK: ONE_KERNEL} if clocks is None else clocks
    return Start(0, tuple(pods), tuple(times), known)


def lengths(spans: Sequence[Span]) -> dict[str, float | str]:
    return {span.stage: span.missing or round((span.seconds or 0.0) * 1e3, 6) for span in spans}


WHOLE = [
    time("created", 100),
    time("scheduled", 103.5),
    time("scheduled", 102, "event_time"),
    time("pulled", 110.25, "event_name"),
    time("started", 150),
    time("started", 140.5, "event_name"),
    time("ready", 200),
]


def test_each_phase_takes_its_best_source() -> None:
    spans = pod_spans(start(WHOLE), pod())
    assert lengths(spans) == {
        "created": 100,
        "scheduled": 2,
        "pulled": 8.25,
        "started": 30.25,
        "ready": 59.5,
        "initialised": "no_init_container",
    }
    assert [span.source for span in spans[:4]] == [
        "runner..watch",
        "watch..event_time",
        "event_time..event_name",
        "event_name..event_name",
    ]
    assert [span.resolution_ns for span in spans[:4]] == [MS, MS, 1_000, 1]


def test_images_of_volumes_that_are_told_again_after_the_start_are_no_pull() -> None:
    again = [*WHOLE, time("pulled", 160, "event_name"), time("pulled", 161, "event_name")]
    assert lengths(pod_spans(start(again), pod())) == lengths(pod_spans(start(WHOLE), pod()))


def test_expired_events_make_missing_what_only_they_tell_and_what_follows_it() -> None:
    without = [item for item in WHOLE if not item.source.startswith("event")]
    assert lengths(pod_spans(start(without), pod())) == {
        "created": 100,
        "scheduled": 3.5,
        "pulled": "events_expired",
        "started": "preceding_phase_unknown",
        "ready": 50,
        "initialised": "no_init_container",
    }


def test_one_event_for_two_containers_is_not_the_last_of_them() -> None:
    two = pod(containers=(*CONTAINERS, ContainerIdentity("two", "c2")))
    found = lengths(pod_spans(start(WHOLE, [two]), two))
    assert (found["pulled"], found["started"]) == ("events_expired", "preceding_phase_unknown")
    complete = [*WHOLE, time("pulled", 120, "event_name"), time("started", 145, "event_name")]
    assert lengths(pod_spans(start(complete, [two]), two))["started"] == 25


def test_a_clock_that_cannot_be_related_is_not_used() -> None:
    found = lengths(pod_spans(start(WHOLE, clocks={}), pod()))
    assert (found["scheduled"], found["pulled"]) == (3.5, "clock_unproven")


def test_a_related_clock_is_corrected_and_its_bound_is_told() -> None:
    clock = ClockOffset(40 * MS, 3 * MS, "four_timestamps")
    shifted = [
        time(item.phase, item.at_ns / MS + (40 if item.source.startswith("event") else 0), item.source)
        for item in WHOLE
    ]
    spans = pod_spans(start(shifted, clocks={"edge": clock}), pod())
    assert lengths(spans)["scheduled"] == 2
    assert spans[1].resolution_ns == MS + 3 * MS


def test_an_end_before_its_beginning_is_lag_or_a_contradiction() -> None:
    early = [time("created", 100), time("scheduled", 96, "event_time"), *WHOLE[3:]]
    assert lengths(pod_spans(start(early), pod()))["scheduled"] == 0
    wrong = [time("created", 100), time("scheduled", 60, "event_time"), *WHOLE[3:]]
    assert lengths(pod_spans(start(wrong), pod()))["scheduled"] == "order_contradicts"


def test_init_containers_come_before_the_pull_of_the_others() -> None:
    own = pod(init=1)
    times = [*WHOLE[:3], time("initialised", 108), *WHOLE[3:]]
    found = lengths(pod_spans(start(times, [own]), own))
    assert (found["initialised"], found["pulled"]) == (6, 2.25)


@given(st.lists(st.integers(1, 10_000), min_size=len(PHASES), max_size=len(PHASES)))
def test_phases_add_up_to_the_whole(steps_ms: list[int]) -> None:
    ends = [sum(steps_ms[: index + 1]) for index in range(len(steps_ms))]
    times = [
        time(phase, end, "event_name" if phase == "pulled" else "watch")
        for phase, end in zip(PHASES, ends, strict=True)
    ]
    spans = [span for span in pod_spans(start(times), pod()) if span.missing is None]
    assert sum(span.seconds or 0.0 for span in spans) * 1e3 == pytest.approx(ends[-1])


@given(
    st.dictionaries(st.sampled_from(["a", "b"]), st.lists(st.integers(0, 5_000), min_size=5, max_size=5), min_size=1),
    st.integers(1, 20_000),
    st.integers(0, 20_000),
)
def test_stages_add_up_to_the_first_message_whatever_overtakes_what(
    steps_ms: dict[str, list[int]], first_ms: int, discovered_ms: int
) -> None:
    times = [
        time(phase, sum(steps[: index + 1]), "event_name" if phase == "pulled" else "watch", name)
        for name, steps in steps_ms.items()
        for index, phase in enumerate(PHASES)
    ]
    times += [
        time("discovered", discovered_ms, "poll", APPLICATION),
        time("first_message", first_ms, "sample", APPLICATION, RECORDER_CLOCK),
    ]
    spans = stage_spans(start(times, [pod(name) for name in steps_ms]))
    assert [span.stage for span in spans] == list(STAGES)
    assert lengths(spans)["initialise"] == "no_init_container"
    assert lengths(spans)["model_load"] == "no_startup_probe"
    known = [span.seconds for span in spans if span.missing is None]
    assert all(length is not None and length >= 0 for length in known)
    assert sum(length or 0.0 for length in known) * 1e3 == pytest.approx(first_ms)


def test_without_a_discovery_the_last_stage_has_no_beginning() -> None:
    times = [*WHOLE, time("first_message", 300, "sample", APPLICATION, RECORDER_CLOCK)]
    found = lengths(stage_spans(start(times)))
    assert (found["discovery"], found["first_message"]) == ("not_seen", "preceding_phase_unknown")


def test_machines_of_the_runners_kernel_have_its_clock() -> None:
    measured = ClockOffset(5, 1, "four_timestamps")
    found = clocks_of([machine("edge", "mine"), machine("far", "other")], "mine", {"far": "no_platform"}, measured)
    assert found == {"edge": ONE_KERNEL, RECORDER_CLOCK: measured}
    assert clocks_of([machine("edge", "")], "", {}, measured).keys() == {RECORDER_CLOCK}


def test_the_lag_of_the_watch_is_small_against_what_is_measured() -> None:
    assert WATCH_LAG_NS <= 10 * MS
    found = best_milestone([time("ready", 5)], "ready", {}, 1)
    assert found == Milestone(5 * MS, "watch", MS, 0)
