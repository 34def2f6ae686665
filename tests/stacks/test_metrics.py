"""Fields of messages as metrics: refused before anything is deployed, or handed to a recorder that takes them."""

import json
from typing import Any

import pytest

from components.refusal import Refusal
from stacks.metrics import RECORDER_PACKAGES, check_image
from stacks.outputs import StackOutputs
from stacks.reading import KEY, SpecError, read_spec
from stacks.spec import StackSpec
from stacks.spec_metrics import OWN_PREFIXES, PRESET_FIELDS, PRESET_SERIES, PRESET_TYPES, MetricMapping, kinds
from tests.images.in_cluster import module
from tests.images.message_standins import find
from tests.stacks.conftest import Run
from tests.stacks.test_application import chatter

mappings = module("ros2bench_recorder.mappings")
presets = module("ros2bench_recorder.mapping_presets")
mapping_rules = module("ros2bench_recorder.mapping")

ARM = "my_interfaces/msg/ArmState"
TORQUE: dict[str, Any] = {
    "name": "arm_joint_torque_newton_meters",
    "kind": "gauge",
    "help": "Torque.",
    "field": "joints[].torque",
    "labels": {"joint": "joints[].name"},
    "scale": 1.0,
}
SPREAD = {"name": "arm_spread_ratio", "kind": "histogram", "help": "S.", "field": "spread", "buckets": [0.5, 1]}
OF_ARM: dict[str, Any] = {"topic": "/arm", "type": ARM, "values": [TORQUE, SPREAD], "maxSeries": 50, "maxRateHz": 5}


def spec(*metrics: dict[str, Any], **application: Any) -> StackSpec:
    return read_spec("monolithic", {KEY: {"application": {"metrics": list(metrics), **application}}}, {})


def refusal(*metrics: dict[str, Any], **application: Any) -> str:
    with pytest.raises(SpecError) as refused:
        spec(*metrics, **application)
    return str(refused.value)


def test_mappings_reach_the_recorder_word_for_word_with_the_type_of_the_topic(run: Run) -> None:
    metrics = [
        {"topic": "/joint_states", "preset": "joint-states"},
        {
            "topic": "/results",
            "values": [{"name": "boxes_total", "kind": "counter", "help": "Boxes.", "field": "box_count"}],
        },
    ]
    deployment = run(application={"metrics": metrics})
    settings = json.loads(deployment.one("ConfigMap", "recorder").inputs["data"]["recorder.json"])
    assert settings["mappings"] == [
        {**metrics[0], "type": "sensor_msgs/msg/JointState"},
        {**metrics[1], "type": "ros2bench_interfaces/msg/Result"},
    ]
    assert [topic["name"] for topic in settings["topics"]] == ["/results"]


def test_a_latched_topic_is_asked_for_what_was_sent_before(run: Run) -> None:
    def asked(*metrics: dict[str, Any], **of_topic: str) -> str:
        """What the recorder asks for, with what the stack has told it."""
        given = chatter()
        topics = given["topics"] | ({"/stop": {"type": "std_msgs/msg/Bool", **of_topic}} if of_topic else {})
        deployment = run("microservices", application=given | {"metrics": list(metrics), "topics": topics})
        settings = json.loads(deployment.one("ConfigMap", "recorder").inputs["data"]["recorder.json"])
        return mappings.choose(settings["mappings"], {}, find).durability_of("/stop")

    of_stop = {"topic": "/stop", "preset": "safety"}
    latched = of_stop | {"durability": "transient_local"}
    counted = {"name": "stops_total", "kind": "events", "help": "Stops.", "field": "data"}
    assert asked(of_stop) == "volatile"
    assert asked(latched) == "transient_local"
    assert asked(latched, {"topic": "/stop", "values": [counted]}) == "transient_local"
    assert asked(of_stop, durability="transient_local") == "transient_local"
    with pytest.raises(Refusal, match=r"/stop is known as volatile\. Leave durability out"):
        asked(latched, durability="volatile")


def test_metrics_alone_give_a_recorder_that_measures_nothing(run: Run) -> None:
    of_battery = [{"topic": "/battery", "preset": "battery"}]
    deployment = run("microservices", application=chatter() | {"metrics": of_battery})
    settings = json.loads(deployment.one("ConfigMap", "recorder").inputs["data"]["recorder.json"])
    assert (settings["topics"], settings["nodes"]) == ([], ["talker", "listener"])
    assert StackOutputs.model_validate(deployment.value).recorder is None


def test_nodes_that_do_not_take_their_name_are_not_expected(run: Run) -> None:
    measured = chatter(rosArguments=False) | {"topics": {"/chatter": {"type": "std_msgs/msg/String", "measured": True}}}
    deployment = run("microservices", application=measured)
    settings = json.loads(deployment.one("ConfigMap", "recorder").inputs["data"]["recorder.json"])
    assert settings["nodes"] == ["listener"]


def test_what_the_stack_takes_the_recorder_takes() -> None:
    fields = {"progress": "task.progress", "state": "task.state"}
    of_mission = {"topic": "/task", "type": "my_interfaces/msg/Task", "preset": "mission", "fields": fields}
    usual = [{"topic": f"/{name}", "preset": name} for name in PRESET_TYPES]
    usual = [{**each, "topic": each["topic"].replace("-", "_")} for each in usual]
    written = spec(OF_ARM, of_mission, *usual).application.metrics
    for mapping in written:
        item = mapping.model_dump(by_alias=True, exclude_unset=True)
        read = mappings.parse_mapping(json.loads(json.dumps(item)))
        assert (read.topic, read.max_series, read.max_rate_hz) == (
            mapping.topic,
            mapping.max_series,
            mapping.max_rate_hz,
        )
        assert [value.name for value in read.values] == list(mapping.kinds())


def test_both_sides_know_the_same_presets_and_rules() -> None:
    for name, preset in presets.PRESETS.items():
        assert preset.type == PRESET_TYPES[name]
        told = {value.name: value.kind for value in preset.values.values()}
        assert told == PRESET_SERIES[name]
        open_keys = {key for key in (*preset.values, *(preset.offered or {})) if key not in presets.SAME_FIELD}
        assert (open_keys if preset.is_open else set()) == set(PRESET_FIELDS.get(name, {}))
    assert presets.PRESETS.keys() == PRESET_TYPES.keys()
    assert mapping_rules.OWN_PREFIXES == OWN_PREFIXES
    defaults = MetricMapping(topic="/a", preset="battery")
    assert (defaults.max_series, defaults.max_rate_hz) == (mapping_rules.MOST_SERIES, mapping_rules.RATE_HZ)


def test_kinds_of_all_metrics_are_known_by_name() -> None:
    of_safety = {"topic": "/estop", "preset": "safety"}
    assert kinds(spec(OF_ARM, of_safety).application.metrics) == {
        "arm_joint_torque_newton_meters": "gauge",
        "arm_spread_ratio": "histogram",
        "ros2bench_safety_flag": "gauge",
        "ros2bench_safety_events_total": "events",
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"preset": "battery"}, "a preset or values, one of both"),
        ({"values": None}, "a preset or values, one of both"),
        ({"values": []}, "values"),
        ({"values": [TORQUE, TORQUE]}, "arm_joint_torque_newton_meters is taken twice"),
        ({"fields": {"progress": "a"}}, "choices: none: write values instead"),
        ({"topic": "arm"}, "topic"),
        ({"type": "ArmState"}, "type"),
        ({"maxSeries": 0}, "maxSeries"),
        ({"maxRateHz": 0}, "maxRateHz"),
        ({"extra": 1}, "extra"),
        ({"values": [TORQUE | {"name": "Arm"}]}, "name"),
        ({"values": [TORQUE | {"name": "ros2bench_topic_arm"}]}, "counted by ros2bench"),
        ({"values": [TORQUE | {"name": "arm_total"}]}, "does not end with _total"),
        ({"values": [TORQUE | {"kind": "events"}]}, "ends with _total"),
        ({"values": [TORQUE | {"name": "arm_bucket"}]}, "a meaning of their own"),
        ({"values": [TORQUE | {"kind": "summary"}]}, "kind"),
        ({"values": [TORQUE | {"field": "joints[].values[].x"}]}, "one [] is possible"),
        ({"values": [TORQUE | {"field": "joints..x"}]}, "field"),
        ({"values": [TORQUE | {"labels": {}}]}, "would all be one series"),
        ({"values": [TORQUE | {"field": "torque"}]}, "Write [] in both or in none"),
        ({"values": [TORQUE | {"labels": {"pod": "joints[].name"}}]}, "pod is added to every series"),
        ({"values": [TORQUE | {"buckets": [1.0]}]}, "buckets belong to the kind histogram"),
        ({"values": [SPREAD | {"buckets": [1, 1]}]}, "must rise"),
    ],
)
def test_a_broken_mapping_is_refused_with_its_key(change: dict[str, Any], words: str) -> None:
    said = refusal({key: value for key, value in (OF_ARM | change).items() if value is not None})
    assert "ros2bench:spec.application.metrics" in said
    assert words in said


def test_fields_of_a_preset_are_refused_where_it_has_none_of_the_name() -> None:
    of_mission = {"topic": "/m", "type": ARM, "preset": "mission"}
    assert "choices: progress, state" in refusal(of_mission | {"fields": {"flag": "a"}})
    assert "one is possible" in refusal(of_mission | {"fields": {"state": "a[]"}})


def test_names_and_types_that_contradict_one_another_are_refused() -> None:
    other = OF_ARM | {"topic": "/other"}
    assert kinds(spec(OF_ARM, other).application.metrics)
    assert "taken twice on /arm" in refusal(OF_ARM, OF_ARM)
    assert "is taken by /arm" in refusal(OF_ARM, other | {"values": [TORQUE | {"help": "Other."}]})
    assert "nobody says which type /arm has" in refusal({"topic": "/arm", "values": [TORQUE]})
    assert "/results is known as ros2bench_interfaces/msg/Result" in refusal(OF_ARM | {"topic": "/results"})


def test_ros_1_has_no_metrics() -> None:
    nodes = {"old": {"executable": ["rosrun", "p", "old"], "image": "ros1"}}
    said = refusal({"topic": "/b", "preset": "battery"}, name="old", nodes=nodes, master=True)
    assert "hears nothing of ROS 1" in said


def test_a_package_that_the_recorder_is_known_to_lack_is_refused() -> None:
    item = {"topic": "/arm", "type": ARM}
    with pytest.raises(Refusal, match="Build one with the package my_interfaces"):
        check_image([item], "recorder", "wheels")
    check_image([item], "registry.example/recorder@sha256:0", "wheels")
    check_image([item], "recorder", "official")
    for kind in PRESET_TYPES.values():
        assert kind.partition("/")[0] in RECORDER_PACKAGES
