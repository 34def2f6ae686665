"""The update cycle: what is changed in which pattern, what is timed, what is missing, and that it is undone."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from probes import update
from probes.clock import ClockOffset
from probes.component_calls import Loaded, Wanted
from probes.conclusion import run_campaign
from probes.defined_update import changed_roles, find_update, placed_component
from probes.errors import ExitCode, UsageError
from probes.measurement import undeclared
from probes.measurements.service import Measured as Gap
from probes.measurements.service import update_gaps
from probes.measurements.update import Measured, cycle_readings
from probes.phases import PodTimeline, Sighting
from probes.plan import Durations
from probes.provenance import PROJECT_ROOT
from probes.publishing import NotPossible, new_bytes, publish
from probes.registry import Blob, Image, Reference
from probes.samples import Samples
from probes.session import Request, recorder_of
from probes.turn import Step, before_updates, listening, new_since_ns, replaced_at_ns, silence_s, turn_of
from probes.update import Subject, measure_update
from probes.update_evidence import CHANGES, Turn, UpdateCycle
from stacks.outputs import (
    ComponentContainer,
    MountedOverlay,
    PlacedComponent,
    PodPlacement,
    StackOutputs,
)
from tests.probes.campaigning import Epochs, Outside, outside, shorten
from tests.probes.standins import StandInRecorder, outputs_of, pod
from tests.probes.test_factors import pulled_event

ONE_CLOCK = ClockOffset(0, 0, "one_kernel")
CHANGED = json.dumps(
    {
        "steps": [
            {"op": "same", "urn": "urn:pulumi:s::p::pulumi:pulumi:Stack::p-s"},
            {"op": "replace", "urn": "urn:pulumi:s::p::kubernetes:core/v1:ConfigMap::perception"},
            {"op": "update", "urn": "urn:pulumi:s::p::kubernetes:apps/v1:Deployment::perception"},
        ]
    }
)


def reference(role: str, letter: str = "a") -> str:
    return f"registry.invalid:5000/ros2bench/{role}@sha256:{letter * 64}"


def placed(*pods: PodPlacement, stack: str = "monolithic") -> StackOutputs:
    known = outputs_of(stack).application
    assert known is not None
    return outputs_of(stack, application=known.model_copy(update={"pods": list(pods)}))


MONOLITHIC = placed(
    PodPlacement(
        name="application",
        image=reference("application-monolithic"),
        processes=[["camera"], ["detector"]],
        replicas=1,
    )
)
MICROSERVICES = placed(
    PodPlacement(name="camera", image=reference("application-camera"), processes=[["camera"]], replicas=1),
    PodPlacement(name="detector", image=reference("application-detector"), processes=[["detector"]], replicas=1),
)
OVERLAY = placed(
    PodPlacement(
        name="application",
        image=reference("application-overlay-base"),
        processes=[["camera"], ["detector"]],
        replicas=1,
        overlays=[
            MountedOverlay(name="interfaces", image=reference("overlay-interfaces"), path="/opt/overlays/10"),
            MountedOverlay(name="nodes", image=reference("overlay-nodes"), path="/opt/overlays/20"),
        ],
        delivery="image-volume",
    )
)
COMPOSITION = placed(
    PodPlacement(
        name="application",
        image=reference("application-composition"),
        processes=[["camera"], ["detector"]],
        replicas=1,
        component_container=ComponentContainer(
            name="/perception",
            process="per-component",
            executor="single",
            public_key="a2V5",
            components=[
                PlacedComponent(
                    node="detector", package="n", plugin="n.Detector", parameters={"score_threshold": 0.5, "threads": 1}
                )
            ],
        ),
    )
)


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Outside]:
    shorten(monkeypatch, tmp_path)
    application = Epochs(down_s=0.15)
    with StandInRecorder(application) as recorder:
        found = outside(tmp_path, recorder, application, monolithic=MONOLITHIC)
        found.target.previewed = CHANGED
        application.start()
        yield found


def cycle(found: Outside, change: Any, outputs: StackOutputs = MONOLITHIC) -> UpdateCycle:
    """Make one update of the running stand-in."""
    assert outputs.application is not None
    assert outputs.recorder is not None
    topic, endpoint = outputs.application.topics[0], outputs.recorder

    async def run() -> UpdateCycle:
        async with (
            found.connect() as cluster,
            recorder_of(cluster, endpoint) as recorder,
            listening(recorder, ONE_CLOCK, topic) as listener,
        ):
            subject = Subject(outputs, listener, found.root.parent, 5.0)
            return await measure_update(found.world(), cluster, subject, change)

    return asyncio.run(run())


def spec_of(override: Path) -> Any:
    return yaml.safe_load(override.read_text())


def test_a_parameter_is_updated_by_an_override_and_brought_back_without_it(around: Outside) -> None:
    made = cycle(around, "parameter")
    there, back = around.target.overridden
    assert [spec_of(file) for file in there] == [{"application": {"load": {"detectorScoreThreshold": 0.6}}}]
    assert back == ()
    assert around.target.switched == [("monolithic", "running")] * 2
    assert (made.means, made.objects_changed, made.bytes_wire) == ("rollout", 2, 0)
    assert made.missing == {"publish_s": "nothing_to_publish"}
    for turn in (made.update, made.rollback):
        assert turn is not None
        assert turn.first_result_ns is not None
        assert turn.silence_s is not None
        assert turn.started_ns < turn.rolled_out_ns
        assert 0.15 <= turn.silence_s < 3
        assert turn.first_result_ns > turn.started_ns + 0.15e9
    assert around.recorder.captures == {}


def test_changed_code_is_published_as_another_lock(around: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def stand_in(patch: Path, stamp: str, roles: list[str], lock: Path) -> float:
        asked.append((patch.name, len(stamp), roles))
        asked.append(lock)
        return 12.5

    monkeypatch.setattr(update, "publish", stand_in)
    made = cycle(around, "code")
    assert asked[0] == ("code.patch", 16, ["application-monolithic"])
    assert made.publish_s == 12.5
    assert spec_of(around.target.overridden[0][0]) == {"images": {"lock": str(asked[1])}}
    assert not [name for name in made.missing if name != "bytes_wire"]


def test_what_cannot_be_published_is_missing_and_nothing_is_deployed(
    around: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROS2BENCH_IMAGES_LOCK", raising=False)
    made = cycle(around, "model")
    assert set(made.missing.values()) == {"publish_failed"}
    assert around.target.switched == []
    assert "ROS2BENCH_IMAGES_LOCK names no lock" in around.shown.getvalue()


def test_a_failed_build_says_its_last_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS2BENCH_IMAGES_LOCK", str(tmp_path / "none"))
    monkeypatch.setenv("ROS2BENCH_IN_OWN_MOUNTS", "yes")
    monkeypatch.delenv("ROS2BENCH_REGISTRY", raising=False)
    with pytest.raises(NotPossible, match="registry") as caught:
        asyncio.run(publish(tmp_path / "x.patch", "0" * 16, ["recorder"], tmp_path / "lock"))
    assert caught.value.reason == "publish_failed"


def test_a_change_that_changes_nothing_is_not_made(around: Outside) -> None:
    around.target.previewed = '{"steps": []}'
    assert set(cycle(around, "parameter").missing.values()) == {"update_changes_nothing"}
    assert around.target.switched == []


def test_a_preview_that_is_none_is_a_reason(around: Outside) -> None:
    around.target.previewed = "no JSON"
    assert set(cycle(around, "parameter").missing.values()) == {"preview_failed"}


def test_without_a_definition_or_the_node_the_reason_says_so(around: Outside) -> None:
    camera = PodPlacement(name="camera", image=reference("a"), processes=[["camera"]], replicas=1)
    assert set(cycle(around, "code", placed(camera)).missing.values()) == {"node_not_placed"}
    assert MONOLITHIC.application is not None
    other = outputs_of(application=MONOLITHIC.application.model_copy(update={"name": "mine"}))
    assert set(cycle(around, "code", other).missing.values()) == {"no_defined_update"}


class Container:
    """A component container whose detector publishes as long as it is loaded."""

    def __init__(self, application: Epochs) -> None:
        self.application = application
        self.loaded: list[Wanted] = []

    async def find(self, node: str) -> Loaded:
        """It is there."""
        return Loaded(unique_id=3, full_node_name=f"/{node}")

    async def unload(self, unique_id: int) -> None:
        """Fall silent."""
        assert unique_id == 3
        assert self.application.since_ns is not None
        self.application.past.append((self.application.since_ns, time.time_ns()))
        self.application.since_ns = None

    async def load(self, wanted: Wanted) -> None:
        """Publish again, a moment later."""
        await asyncio.sleep(0.1)
        self.loaded.append(wanted)
        self.application.since_ns = time.time_ns()


def test_a_component_is_swapped_by_calls_and_no_object_changes(
    around: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = Container(around.application)

    @asynccontextmanager
    async def client(_world: Any, stack: str, name: str) -> AsyncGenerator[Container]:
        assert (stack, name) == ("monolithic", "/perception")
        yield container

    monkeypatch.setattr(update, "container_client", client)
    made = cycle(around, "parameter", COMPOSITION)
    assert (made.means, made.objects_changed, made.bytes_wire) == ("swap", 0, 0)
    assert [dict(wanted.parameters) for wanted in container.loaded] == [
        {"score_threshold": 0.6, "threads": 1},
        {"score_threshold": 0.5, "threads": 1},
    ]
    assert around.target.switched == []
    assert made.update is not None
    assert 0.1 <= (made.update.rolled_out_ns - made.update.started_ns) / 1e9 < 2
    assert made.update.silence_s is not None
    assert made.update.silence_s >= 0.1


def test_a_run_with_update_cycles_has_every_stage_and_unharmed_frames(
    around: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stand_in(*_arguments: Any) -> float:
        # What the update makes a machine pull is not of the install before, which was a warm one.
        around.cluster.happened.append(pulled_event())
        return 1.5

    monkeypatch.setattr(update, "publish", stand_in)
    durations = Durations(warmup_s=0.02, window_s=0.2, drain_s=0.02, cool_down_s=0, ready_timeout_s=5)
    request = Request((), 1, "update", durations, 1, None)
    assert run_campaign(request, around.world()) == ExitCode.COMMITTED, around.shown.getvalue()
    manifest = around.folders()[-1].read_json("sealed/manifest.json")
    metrics = manifest["metrics"]
    for change in CHANGES:
        for stage in ("rollout", "ready", "gap", "rollback"):
            assert metrics[f"update_s{{change={change},stage={stage}}}"]["value"] > 0.1, (change, stage)
        assert metrics[f"service_gap_s{{change={change},part=rollback}}"]["value"] > 0.1
        assert metrics[f"config_objects_changed{{change={change}}}"]["value"] == 2
    assert metrics["update_s{change=code,stage=publish}"]["value"] == 1.5
    kept = manifest["repetitions"][0]["updates"]
    assert [cycle["change"] for cycle in kept] == list(CHANGES)
    assert kept[0]["update"]["started_ns"] < kept[0]["update"]["rolled_out_ns"] < kept[0]["rollback"]["started_ns"]
    assert metrics["update_s{change=parameter,stage=publish}"] == {"missing": "nothing_to_publish"}
    assert metrics["config_lines_changed{change=code}"]["value"] == 2
    assert metrics["frames_intended"]["value"] == pytest.approx(80, abs=2)
    assert metrics["frames_lost"]["value"] == 0
    assert metrics["service_gap_s"]["value"] < 0.1


def test_without_update_cycles_the_reason_is_that_nobody_asked(around: Outside) -> None:
    durations = Durations(warmup_s=0.02, window_s=0.1, drain_s=0.02, cool_down_s=0, ready_timeout_s=5)
    run_campaign(Request((), 1, "none", durations, 1, None), around.world())
    metrics = around.folders()[-1].read_json("sealed/manifest.json")["metrics"]
    assert metrics["update_s"] == metrics["update_bytes_wire"] == {"missing": "not_requested"}
    assert metrics["config_objects_changed"] == {"missing": "not_requested"}


def test_each_pattern_makes_the_least_image_anew() -> None:
    defined = find_update("perception")
    assert defined is not None
    roles = {
        (name, change): changed_roles(outputs, defined, change)
        for name, outputs in {"m": MONOLITHIC, "s": MICROSERVICES, "o": OVERLAY, "c": COMPOSITION}.items()
        for change in CHANGES
    }
    assert roles["m", "code"] == roles["m", "model"] == ["application-monolithic"]
    assert roles["s", "code"] == roles["s", "model"] == ["application-detector"]
    assert (roles["o", "code"], roles["o", "model"]) == (["overlay-nodes"], ["application-overlay-base"])
    assert roles["c", "code"] == ["application-composition"]


def test_only_a_container_that_obeys_signed_calls_is_swapped() -> None:
    found = placed_component(COMPOSITION, "detector")
    assert found is not None
    assert (found[0], found[1].plugin) == ("/perception", "n.Detector")
    assert placed_component(COMPOSITION, "camera") is None
    assert placed_component(MONOLITHIC, "detector") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("node: [", "cannot be read"),
        ("code: {patch: x}", "node: Field required"),
        ("node: a\nnote: b", "note: Extra inputs"),
        ("node: a\ncode: {patch: none.patch}", "there is no file"),
    ],
)
def test_a_wrong_definition_is_named_with_its_key(tmp_path: Path, content: str, said: str) -> None:
    folder = tmp_path / "updates" / "mine"
    folder.mkdir(parents=True)
    (folder / "update.yaml").write_text(content)
    with pytest.raises(UsageError, match=said):
        find_update("mine", tmp_path)


def sighting(at_ns: int, kind: str, uid: str, *, ready: bool = True, deleted: bool = False) -> Sighting:
    item = pod("monolithic", uid=uid, is_ready=ready)
    if deleted:
        item["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return Sighting(at_ns, kind, item)


def test_a_rollout_is_done_when_the_old_pod_is_gone_and_the_new_one_ready() -> None:
    timeline, before, replicas = PodTimeline(), frozenset({"old"}), {"application": 1}
    course = [
        (sighting(1, "ADDED", "old"), None),
        (sighting(2, "MODIFIED", "old", deleted=True), None),
        (sighting(3, "DELETED", "old"), None),
        (sighting(4, "ADDED", "new", ready=False), None),
        (sighting(5, "MODIFIED", "new"), 5),
    ]
    for seen, expected in course:
        timeline.see(seen)
        assert replaced_at_ns(timeline, before, replicas) == expected
    assert new_since_ns(timeline, before) == 4


def test_beside_an_old_pod_the_new_version_counts_from_when_that_is_gone() -> None:
    timeline, before = PodTimeline(), frozenset({"old"})
    timeline.see(sighting(1, "ADDED", "old"))
    timeline.see(sighting(2, "ADDED", "new"))
    timeline.see(sighting(3, "MODIFIED", "old", deleted=True))
    assert replaced_at_ns(timeline, before, {"application": 1}) is None
    timeline.see(sighting(9, "DELETED", "old"))
    assert replaced_at_ns(timeline, before, {"application": 1}) == 2
    assert new_since_ns(timeline, before) == 9


def arrivals(*times_ns: int) -> Samples:
    rows = np.full((len(times_ns), 8), -1, dtype=np.int64)
    for column in (2, 3, 4):
        rows[:, column] = times_ns
    return Samples(rows)


def test_the_silence_of_a_change_reaches_beyond_its_start() -> None:
    samples = arrivals(0, 90, 100, 110, 170, 180)
    assert silence_s(samples, 105) == pytest.approx(60e-9)
    assert silence_s(samples, 175) == pytest.approx(10e-9)
    assert silence_s(samples, 180) is None
    assert silence_s(arrivals(1), 0) is None


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=30, unique=True), st.integers(0, 10**9))
def test_the_silence_is_one_of_the_gaps_and_none_after_the_start_is_longer(times: list[int], since_ns: int) -> None:
    ordered = sorted(times)
    later = [(b - a) / 1e9 for a, b in itertools.pairwise(ordered) if b > since_ns]
    assert silence_s(arrivals(*times), since_ns) == (max(later) if later else None)


def test_a_result_that_never_comes_leaves_the_silence_without_an_end() -> None:
    turn = turn_of(Step(100, 150, 160), arrivals(0, 90, 110), ONE_CLOCK)
    assert (turn.first_result_ns, turn.silence_s) == (None, None)
    readings = {reading.key: reading for reading in cycle_readings(UpdateCycle("code", "rollout", update=turn))}
    assert readings["update_s{change=code,stage=ready}"].missing == "no_result_after_update"
    assert readings["update_s{change=code,stage=gap}"].missing == "no_result_after_update"
    assert readings["update_s{change=code,stage=rollout}"].value == pytest.approx(50e-9)


def test_a_clock_that_is_related_too_loosely_withholds_the_first_result() -> None:
    turn = Turn(started_ns=0, rolled_out_ns=10, first_result_ns=100, silence_s=1.0, clock_bound_ns=11)
    readings = {reading.key: reading for reading in cycle_readings(UpdateCycle("code", "rollout", update=turn))}
    assert readings["update_s{change=code,stage=ready}"].missing == "clock_unproven"


def test_the_clock_of_the_recorder_is_taken_back_to_the_runners() -> None:
    turn = turn_of(Step(100, 150, 160), arrivals(1090, 1170, 1180), ClockOffset(1000, 5, "four_timestamps"))
    assert (turn.first_result_ns, turn.clock_bound_ns) == (170, 5)
    assert turn.silence_s == pytest.approx(80e-9)


def test_samples_after_the_first_update_are_kept_out_of_the_window_s_count() -> None:
    turn = Turn(100, 120, 130, 0.0, 0)
    cycles = [UpdateCycle("code"), UpdateCycle("model", "rollout", update=turn)]
    assert before_updates(arrivals(50, 99, 100), cycles, ONE_CLOCK).column("received_ns").tolist() == [50, 99]
    assert len(before_updates(arrivals(50, 99, 100), (), ONE_CLOCK)) == 3


def test_only_bytes_that_are_new_count_and_each_once() -> None:
    def image(*digests: str) -> Image:
        blobs = tuple(Blob(digest, len(digest), "layer") for digest in digests)
        return Image(Reference("h", "r", "d"), blobs[0], blobs[1:])

    assert new_bytes([image("a", "bb")], [image("ccc", "bb", "dddd"), image("a", "dddd")]) == 3 + 4


def test_every_reading_and_reason_is_declared() -> None:
    for reason in ("not_requested", "no_defined_update", "change_not_defined", "node_not_placed", "publish_failed"):
        cycles = [update.missing_cycle(change, reason) for change in CHANGES]
        readings = [reading for made in cycles for reading in cycle_readings(made)]
        assert undeclared(Measured(), readings) == []
        assert undeclared(Gap(), [reading for made in cycles for reading in update_gaps(made)]) == []


def test_the_patches_of_the_reference_application_fit_this_checkout() -> None:
    defined = find_update("perception", PROJECT_ROOT)
    assert defined is not None
    assert {change: defined.patch(change) is not None for change in CHANGES} == {
        "code": True,
        "parameter": False,
        "model": True,
    }
