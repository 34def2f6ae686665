"""Stand-ins for classes of ROS messages: they tell their fields as the generated ones do, and hold them."""

import array
from types import SimpleNamespace
from typing import Any, ClassVar

from tests.images.in_cluster import module

MappingError = module("ros2bench_recorder.field_path").MappingError


class Message(SimpleNamespace):
    """Base: fields by name."""

    FIELDS: ClassVar[dict[str, str]] = {}

    @classmethod
    def get_fields_and_field_types(cls) -> dict[str, str]:
        """Types of the fields, as rosidl writes them."""
        return cls.FIELDS


class Vector3(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {"x": "double", "y": "double", "z": "double"}


class Twist(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {"linear": "geometry_msgs/Vector3", "angular": "geometry_msgs/Vector3"}


class TwistWithCovariance(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {"twist": "geometry_msgs/Twist", "covariance": "double[36]"}


class Odometry(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {"child_frame_id": "string", "twist": "geometry_msgs/TwistWithCovariance"}


class JointState(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {
        "name": "sequence<string>",
        "position": "sequence<double>",
        "velocity": "sequence<double>",
        "effort": "sequence<double>",
    }


class BatteryState(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {
        "voltage": "float",
        "temperature": "float",
        "current": "float",
        "percentage": "float",
        "present": "boolean",
    }


class KeyValue(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {"key": "string", "value": "string"}


class DiagnosticStatus(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {
        "level": "octet",
        "name": "string",
        "hardware_id": "string",
        "values": "sequence<diagnostic_msgs/KeyValue, 8>",
    }


class DiagnosticArray(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {"status": "sequence<diagnostic_msgs/DiagnosticStatus>"}


class Float32(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {"data": "float"}


class Bool(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {"data": "boolean"}


class ArmState(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {
        "state": "string<32>",
        "progress": "float",
        "is_stopped": "boolean",
        "cycles": "uint32",
        "torques": "double[3]",
        "joints": "sequence<my_interfaces/Joint>",
    }


class Joint(Message):
    """Its fields, or those that are used."""

    FIELDS: ClassVar = {"name": "string", "torque": "double"}


CLASSES: dict[str, type[Message]] = {
    "geometry_msgs/Vector3": Vector3,
    "geometry_msgs/Twist": Twist,
    "geometry_msgs/TwistWithCovariance": TwistWithCovariance,
    "nav_msgs/Odometry": Odometry,
    "sensor_msgs/JointState": JointState,
    "sensor_msgs/BatteryState": BatteryState,
    "diagnostic_msgs/KeyValue": KeyValue,
    "diagnostic_msgs/DiagnosticStatus": DiagnosticStatus,
    "diagnostic_msgs/DiagnosticArray": DiagnosticArray,
    "std_msgs/Float32": Float32,
    "std_msgs/Bool": Bool,
    "my_interfaces/ArmState": ArmState,
    "my_interfaces/Joint": Joint,
}


def find(name: str) -> type[Message]:
    """A class by its name; the refusal of an image that lacks it."""
    if name not in CLASSES:
        raise MappingError(f"this recorder image does not hold the type {name}")
    return CLASSES[name]


def joints(names: list[str], position: list[float], velocity: tuple[float, ...] = ()) -> JointState:
    """A JointState; numbers are arrays of the standard library, as in real messages."""
    return JointState(
        name=names, position=array.array("d", position), velocity=array.array("d", velocity), effort=array.array("d")
    )


def arm(**fields: Any) -> ArmState:
    """An ArmState at rest."""
    resting: dict[str, Any] = {
        "state": "idle",
        "progress": 0.0,
        "is_stopped": False,
        "cycles": 0,
        "torques": [0.0, 0.0, 0.0],
        "joints": [],
    }
    return ArmState(**resting | fields)
