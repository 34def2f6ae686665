"""Fields of messages as metrics: what is taken, what is refused, what presets read."""

from typing import Any

import pytest

from tests.images.in_cluster import module
from tests.images.message_standins import (
    BatteryState,
    Bool,
    DiagnosticArray,
    DiagnosticStatus,
    Float32,
    Joint,
    Message,
    Odometry,
    Twist,
    TwistWithCovariance,
    Vector3,
    arm,
    find,
    joints,
)

mappings = module("ros2bench_recorder.mappings")
mapped_topic = module("ros2bench_recorder.mapped_topic")

NAN = float("nan")
ARM = "my_interfaces/msg/ArmState"
TORQUE: dict[str, Any] = {
    "name": "arm_joint_torque_newton_meters",
    "kind": "gauge",
    "help": "Torque.",
    "field": "joints[].torque",
    "labels": {"joint": "joints[].name"},
}
STOPS = {"name": "arm_stops_total", "kind": "events", "help": "Stops.", "field": "is_stopped"}


def chosen(*items: Any, known: dict[str, str] | None = None) -> Any:
    return mappings.choose(items, known or {}, find)


def values(*items: dict[str, Any], topic: str = "/arm", **more: Any) -> dict[str, Any]:
    return {"topic": topic, "type": ARM, "values": list(items), **more}


class Reading:
    """A topic whose messages are handed over as they are, read at once."""

    def __init__(self, *items: Any) -> None:
        found = chosen(*items)
        assert found.problems == ()
        ((_, mapped),) = found.topics.items()
        self._messages: list[Message] = []
        self.topic = mapped_topic.MappedTopic(mapped, self._made, 0.0)
        self._now_s = 0.0

    def _made(self, serialised: bytes) -> Message:
        if serialised == b"broken":
            raise RuntimeError("no message")
        return self._messages[int(serialised)]

    def say(self, *messages: Message | None) -> "Reading":
        """Let messages come, a second apart; None: bytes that are none."""
        for message in messages:
            self._now_s += 1
            self._messages.append(message or Message())
            self.topic.offer(b"broken" if message is None else str(len(self._messages) - 1).encode())
            self.topic.turn(self._now_s)
        return self

    def wait(self, seconds: float) -> "Reading":
        """Let time pass."""
        self._now_s += seconds
        return self

    @property
    def lines(self) -> list[str]:
        """All series of now."""
        return [line for _, lines, _, _ in self.topic.metrics(self._now_s) for line in lines]

    def counted(self, name: str) -> tuple[int, int]:
        """Errors of a metric, and values dropped."""
        return next((bad, beyond) for value, _, bad, beyond in self.topic.metrics(self._now_s) if value.name == name)


def test_joints_are_named_and_what_a_driver_does_not_tell_is_absent() -> None:
    reading = Reading({"topic": "/joint_states", "preset": "joint-states"})
    assert reading.say(joints(["a", "b"], [0.5, NAN], (1.0, 2.0))).lines == [
        'ros2bench_joint_position_radians{topic="/joint_states",joint="a"} 0.5',
        'ros2bench_joint_velocity_radians_per_second{topic="/joint_states",joint="a"} 1.0',
        'ros2bench_joint_velocity_radians_per_second{topic="/joint_states",joint="b"} 2.0',
    ]
    assert reading.counted("ros2bench_joint_effort_newton_meters") == (0, 0)


def test_joints_of_two_publishers_stand_beside_each_other() -> None:
    reading = Reading({"topic": "/joint_states", "preset": "joint-states"})
    reading.say(joints(["a"], [1.0]), joints(["g"], [2.0]), joints(["a"], [3.0]))
    assert [line.rpartition(" ")[2] for line in reading.lines] == ["3.0", "2.0"]


def test_arrays_of_different_lengths_are_an_error_and_leave_no_old_value() -> None:
    reading = Reading({"topic": "/joint_states", "preset": "joint-states"}).say(joints(["a", "b"], [1.0, 2.0]))
    reading.say(joints(["a", "b"], [1.0]))
    assert reading.lines == []
    assert reading.counted("ros2bench_joint_position_radians") == (1, 0)
    assert "position[] has 1 elements, name[] has 2" in reading.topic.status()["problem"]


def test_joints_of_one_name_cannot_be_told_apart() -> None:
    reading = Reading({"topic": "/joint_states", "preset": "joint-states"}).say(joints(["a", "a"], [1.0, 2.0]))
    assert reading.lines == []
    assert reading.counted("ros2bench_joint_position_radians") == (1, 0)


def test_a_battery_tells_what_it_measures() -> None:
    reading = Reading({"topic": "/battery", "preset": "battery"})
    reading.say(BatteryState(voltage=24.0, temperature=NAN, current=-1.5, percentage=0.75))
    assert reading.lines == [
        'ros2bench_battery_charge_ratio{topic="/battery"} 0.75',
        'ros2bench_battery_voltage_volts{topic="/battery"} 24.0',
        'ros2bench_battery_current_amperes{topic="/battery"} -1.5',
    ]
    assert reading.counted("ros2bench_battery_temperature_celsius") == (0, 0)


def test_levels_of_diagnostics_are_bytes() -> None:
    status = [
        DiagnosticStatus(level=b"\x02", name='motor "x"', hardware_id="m"),
        DiagnosticStatus(level=b"\x00", name="imu", hardware_id=""),
    ]
    assert Reading({"topic": "/diagnostics", "preset": "diagnostics"}).say(DiagnosticArray(status=status)).lines == [
        'ros2bench_diagnostic_level{topic="/diagnostics",name="motor \\"x\\"",hardware_id="m"} 2.0',
        'ros2bench_diagnostic_level{topic="/diagnostics",name="imu",hardware_id=""} 0.0',
    ]


def test_speed_is_the_length_of_the_velocity() -> None:
    twist = Twist(linear=Vector3(x=3.0, y=4.0, z=0.0), angular=Vector3(x=0.0, y=0.0, z=-2.0))
    message = Odometry(child_frame_id="base", twist=TwistWithCovariance(twist=twist))
    lines = Reading({"topic": "/odom", "preset": "odometry"}).say(message).lines
    assert [line.rpartition(" ")[2] for line in lines] == ["5.0", "2.0"]


def test_a_mission_has_a_progress_or_a_state_of_ones_own_message() -> None:
    assert Reading({"topic": "/progress", "preset": "mission"}).say(Float32(data=0.25)).lines == [
        'ros2bench_mission_progress_ratio{topic="/progress"} 0.25'
    ]
    fields = {"progress": "progress", "state": "state"}
    reading = Reading({"topic": "/arm", "type": ARM, "preset": "mission", "fields": fields})
    reading.say(arm(state="idle"), arm(state="moving", progress=0.5))
    assert reading.lines == [
        'ros2bench_mission_progress_ratio{topic="/arm"} 0.5',
        'ros2bench_mission_state{topic="/arm",state="idle"} 0',
        'ros2bench_mission_state{topic="/arm",state="moving"} 1',
    ]


def test_raised_flags_are_counted() -> None:
    flags = [True, False, True, True, False, True]
    reading = Reading({"topic": "/estop", "preset": "safety"}).say(*(Bool(data=flag) for flag in flags))
    assert reading.lines == [
        'ros2bench_safety_flag{topic="/estop"} 1.0',
        'ros2bench_safety_events_total{topic="/estop"} 2',
    ]


def test_changes_of_any_value_are_events() -> None:
    changes = {"name": "arm_state_changes_total", "kind": "events", "help": "Changes.", "field": "state"}
    reading = Reading(values(changes)).say(*(arm(state=state) for state in ("a", "a", "b", "a")))
    assert reading.lines == ['arm_state_changes_total{topic="/arm"} 2']


def test_values_have_kinds_scales_and_labels() -> None:
    reading = Reading(
        values(
            TORQUE | {"scale": 1000.0},
            {"name": "arm_cycles_total", "kind": "counter", "help": "Cycles.", "field": "cycles"},
            {"name": "arm_spread_ratio", "kind": "histogram", "help": "Spread.", "field": "progress", "buckets": [0.5]},
            {
                "name": "arm_first_newtons",
                "kind": "gauge",
                "help": "First.",
                "field": "torques[0]",
                "labels": {"state": "state", "stopped": "is_stopped"},
            },
        )
    )
    reading.say(arm(joints=[Joint(name="a", torque=2.0)], cycles=7, progress=0.25, torques=[9.0, 0.0, 0.0]))
    assert reading.lines == [
        'arm_joint_torque_newton_meters{topic="/arm",joint="a"} 2000.0',
        'arm_cycles_total{topic="/arm"} 7.0',
        'arm_spread_ratio_bucket{topic="/arm",le="0.5"} 1',
        'arm_spread_ratio_bucket{topic="/arm",le="+Inf"} 1',
        'arm_spread_ratio_sum{topic="/arm"} 0.25',
        'arm_spread_ratio_count{topic="/arm"} 1',
        'arm_first_newtons{topic="/arm",state="idle",stopped="false"} 9.0',
    ]


def test_what_is_counted_begins_at_zero_before_the_first_message() -> None:
    success = {"name": "arm_success", "kind": "histogram", "help": "S.", "field": "progress", "buckets": [0.5]}
    by_state = success | {"name": "arm_success_by_state", "labels": {"state": "state"}}
    counter = {"name": "arm_cycles_total", "kind": "counter", "help": "C.", "field": "cycles"}
    gauge = {"name": "arm_progress_ratio", "kind": "gauge", "help": "P.", "field": "progress"}
    reading = Reading(values(success, by_state, counter, gauge, STOPS))
    born = [
        'arm_success_bucket{topic="/arm",le="0.5"} 0',
        'arm_success_bucket{topic="/arm",le="+Inf"} 0',
        'arm_success_sum{topic="/arm"} 0.0',
        'arm_success_count{topic="/arm"} 0',
        'arm_stops_total{topic="/arm"} 0',
    ]
    assert reading.lines == born
    assert reading.wait(1000).lines == born
    reading.say(arm(progress=1.0), arm(progress=0.0))
    for line in ('arm_success_bucket{topic="/arm",le="0.5"} 1', 'arm_success_sum{topic="/arm"} 1.0'):
        assert line in reading.lines
    assert 'arm_success_count{topic="/arm"} 2' in reading.lines


def test_what_is_no_number_is_an_error_and_counted_values_stay() -> None:
    spread = {"name": "arm_spread_ratio", "kind": "histogram", "help": "S.", "field": "progress", "buckets": [0.5]}
    gauge = {"name": "arm_progress_ratio", "kind": "gauge", "help": "P.", "field": "progress"}
    reading = Reading(values(spread, gauge)).say(arm(progress=0.25), arm(progress=float("inf")))
    assert not [line for line in reading.lines if line.startswith("arm_progress_ratio")]
    assert 'arm_spread_ratio_count{topic="/arm"} 1' in reading.lines
    assert reading.counted("arm_progress_ratio") == reading.counted("arm_spread_ratio") == (1, 0)
    assert 'arm_progress_ratio{topic="/arm"} 0.75' in reading.say(arm(progress=0.75)).lines


def test_a_counter_below_zero_and_an_array_too_short_are_errors() -> None:
    counter = {"name": "arm_cycles_total", "kind": "counter", "help": "C.", "field": "cycles", "scale": -1.0}
    short = {"name": "arm_fourth_newtons", "kind": "gauge", "help": "F.", "field": "torques[3]"}
    reading = Reading(values(counter, short)).say(arm(cycles=3))
    assert reading.lines == []
    assert reading.counted("arm_cycles_total") == reading.counted("arm_fourth_newtons") == (1, 0)


def test_bytes_that_are_no_message_are_an_error_of_every_metric() -> None:
    reading = Reading(values(TORQUE, STOPS)).say(arm(joints=[Joint(name="a", torque=1.0)]), None)
    assert reading.lines == ['arm_stops_total{topic="/arm"} 0']
    assert reading.counted("arm_stops_total") == (1, 0)
    assert "cannot be deserialised: no message" in reading.topic.status()["problem"]


def test_label_sets_above_the_limit_are_dropped_and_counted() -> None:
    many = arm(joints=[Joint(name=f"j{number}", torque=1.0) for number in range(12)])
    reading = Reading(values(TORQUE, maxSeries=10)).say(many, many)
    assert len(reading.lines) == 10
    assert reading.counted("arm_joint_torque_newton_meters") == (0, 4)


def test_a_label_too_long_is_an_error() -> None:
    reading = Reading(values(TORQUE)).say(arm(joints=[Joint(name="x" * 300, torque=1.0)]))
    assert (reading.lines, reading.counted("arm_joint_torque_newton_meters")) == ([], (1, 0))


def test_a_label_set_that_messages_no_longer_name_ends_but_silence_ends_nothing() -> None:
    both = arm(joints=[Joint(name="a", torque=1.0), Joint(name="b", torque=2.0)])
    reading = Reading(values(TORQUE)).say(both).wait(1000)
    assert len(reading.lines) == 2
    assert len(reading.say(arm(joints=[Joint(name="a", torque=1.0)])).lines) == 1


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (7, "must be an object"),
        ({"topic": "arm", "preset": "battery"}, "topic is 'arm'"),
        ({"topic": "/a", "preset": "robot"}, "choices: joint-states, battery"),
        ({"topic": "/a", "preset": "safety", "durability": "forever"}, "choices: volatile, transient_local"),
        ({"topic": "/a"}, "a preset or values"),
        ({"topic": "/a", "preset": "battery", "extra": 1}, "unknown keys ['extra']"),
        ({"topic": "/a", "preset": "battery", "fields": {"charge": "data"}}, "write values instead"),
        ({"topic": "/a", "type": ARM, "preset": "safety", "fields": {"state": "state"}}, "by flag"),
        ({"topic": "/a", "preset": "mission", "fields": {"progress": "data"}}, "nobody says which type"),
        ({"topic": "/a", "type": "other_msgs/msg/A", "preset": "battery"}, "does not hold the type other_msgs/A"),
        ({"topic": "/a", "type": ARM, "preset": "battery"}, "there is no field percentage"),
        ({"topic": "/a", "values": [TORQUE]}, "nobody says which type"),
        (values(), "not empty"),
        (values(TORQUE, maxSeries=0), "maxSeries is 0"),
        (values(TORQUE, maxSeries=1.5), "maxSeries is 1.5"),
        (values(TORQUE, maxRateHz=0), "maxRateHz is 0"),
        (values(TORQUE, maxRateHz=NAN), "maxRateHz is nan"),
        (values(TORQUE, TORQUE), "taken twice"),
        (values(TORQUE | {"extra": 1}), "unknown keys"),
        (values(TORQUE | {"name": "Arm"}), "is no name of a metric"),
        (values(TORQUE | {"name": "ros2bench_topic_arm"}), "counted by ros2bench"),
        (values(TORQUE | {"name": "arm_total"}), "must not end with _total"),
        (values(STOPS | {"name": "arm_stops"}), "must end with _total"),
        (values(TORQUE | {"name": "arm_sum"}), "a meaning of their own"),
        (values(TORQUE | {"kind": "summary"}), "gauge, counter, events, histogram"),
        (values(TORQUE | {"help": ""}), "help must be"),
        (values(TORQUE | {"field": "joints[].speed"}), "choices: name, torque"),
        (values(TORQUE | {"labels": {"topic": "joints[].name"}}), "the label topic"),
        (values(TORQUE | {"labels": {"Joint": "joints[].name"}}), "no name of a label"),
        (values(TORQUE | {"labels": {"joint": "joints[].torque"}}), "must be text or a whole number"),
        (values(TORQUE | {"labels": {}}), "would all be one series"),
        (values(STOPS | {"labels": {"joint": "joints[].name"}}), "write [] in both or in none"),
        (values(TORQUE | {"scale": "x"}), "scale is 'x'"),
        (values(TORQUE | {"buckets": [1.0]}), "buckets are for a histogram"),
        (values(STOPS | {"kind": "histogram", "name": "stops"}), "needs buckets"),
        (values(STOPS | {"kind": "histogram", "name": "stops", "buckets": [2, 1]}), "must rise"),
        (values({"name": "arm_state", "kind": "gauge", "help": "S.", "field": "state"}), "must be a number"),
    ],
)
def test_a_broken_mapping_is_a_problem_of_its_own(item: Any, words: str) -> None:
    found = chosen({"topic": "/battery", "preset": "battery"}, item)
    assert list(found.topics) == ["/battery"]
    (problem,) = found.problems
    assert words in problem.sentence


def test_a_name_means_one_thing_on_every_topic() -> None:
    found = chosen(
        values(STOPS),
        values(STOPS, topic="/other"),
        values(STOPS | {"help": "Other."}, topic="/third"),
        values(STOPS),
    )
    assert list(found.topics) == ["/arm", "/other"]
    assert [problem.metrics for problem in found.problems] == [("arm_stops_total",)] * 2
    assert "taken by a mapping of /other" in found.problems[0].sentence
    assert "taken twice on /arm" in found.problems[1].sentence


def test_types_come_from_the_mapping_the_topics_or_the_preset_and_must_agree() -> None:
    known = {"/arm": ARM}
    found = chosen({"topic": "/arm", "values": [STOPS]}, {"topic": "/battery", "preset": "battery"}, known=known)
    assert (found.type_of("/arm"), found.type_of("/battery")) == (ARM, "sensor_msgs/msg/BatteryState")
    found = chosen({"topic": "/arm", "preset": "battery", "type": "sensor_msgs/msg/BatteryState"}, known=known)
    assert f"/arm is known as {ARM}" in found.problems[0].sentence
