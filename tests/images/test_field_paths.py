"""Names of fields: read, checked against a message type, followed."""

import pytest

from tests.images.in_cluster import module
from tests.images.message_standins import ArmState, Joint, arm, find

field_path = module("ros2bench_recorder.field_path")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("state", "string<32>"),
        ("torques[]", "double"),
        ("torques[2]", "double"),
        ("joints[].torque", "double"),
        ("joints[0].name", "string"),
    ],
)
def test_a_path_has_the_type_of_what_it_leads_to(text: str, kind: str) -> None:
    assert field_path.value_type(field_path.parse_path(text), ArmState, find) == kind


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("speed", "there is no field speed; choices: state, progress"),
        ("state.x", "a string<32> has no fields"),
        ("state[]", "has no elements"),
        ("state[0]", "has no element 0"),
        ("joints.torque", "take its elements with []"),
        ("joints[].speed", "there is no field speed; choices: name, torque"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(text: str, words: str) -> None:
    with pytest.raises(field_path.MappingError) as refused:
        field_path.value_type(field_path.parse_path(text), ArmState, find)
    assert words in str(refused.value)


def test_the_class_of_a_nested_message_may_be_missing() -> None:
    class Outer:
        @staticmethod
        def get_fields_and_field_types() -> dict[str, str]:
            return {"inner": "other_msgs/Inner"}

    with pytest.raises(field_path.MappingError, match="does not hold the type other_msgs/Inner"):
        field_path.value_type(field_path.parse_path("inner.x"), Outer, find)


@pytest.mark.parametrize(
    "text", ["", ".a", "a.", "a..b", "a[-1]", "a[x]", "a b", "A", "a[]]", "data[1", 7, None, "__a"]
)
def test_what_is_no_path_is_refused(text: object) -> None:
    with pytest.raises(field_path.MappingError, match="is no name of a field"):
        field_path.parse_path(text)


def test_elements_of_elements_are_refused() -> None:
    with pytest.raises(field_path.MappingError, match=r"status\[\]\.values\[0\]\.value"):
        field_path.parse_path("status[].values[].value")


def test_steps_are_followed() -> None:
    message = arm(torques=[1.0, 2.0, 3.0], joints=[Joint(name="a", torque=4.0), Joint(name="b", torque=5.0)])
    assert field_path.getter(field_path.parse_path("torques[1]").steps)(message) == 2.0
    assert field_path.getter(field_path.parse_path("joints[1].torque").steps)(message) == 5.0
    assert field_path.getter(field_path.parse_path("state").steps)(message) == "idle"
    with pytest.raises(IndexError):
        field_path.getter(field_path.parse_path("joints[2].name").steps)(message)
