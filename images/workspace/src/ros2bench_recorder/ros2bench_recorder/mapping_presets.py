"""What is read from the usual message types without saying how. Needs no ROS.

`joint-states`: sensor_msgs/msg/JointState, position, velocity and effort of every joint.
`battery`: sensor_msgs/msg/BatteryState, charge, voltage, current, temperature.
`diagnostics`: diagnostic_msgs/msg/DiagnosticArray, level of every status.
`odometry`: nav_msgs/msg/Odometry, speeds.
`mission`: std_msgs/msg/Float32, or any type by `fields`: progress (0 to 1), state.
`safety`: std_msgs/msg/Bool, or any type by `fields`: a flag, and how often it was raised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ros2bench_recorder.field_path import MappingError, parse_path
from ros2bench_recorder.mapping import MappedValue


@dataclass(frozen=True)
class Preset:
    """Values by their keys, and the message type whose fields they name.

    Attributes:
        type: message type where the mapping and the recorder's topics name none.
        values: by key, of what is read unless `fields` says otherwise.
        offered: further values, which are read only where `fields` names their field.
        is_open: whether `fields` may name fields, so that any message type will do.
    """

    type: str
    values: Mapping[str, MappedValue]
    offered: Mapping[str, MappedValue] | None = None
    is_open: bool = False


def _gauge(name: str, meaning: str, path: str, **more: bool) -> MappedValue:
    return MappedValue(name, 'gauge', meaning, parse_path(path), **more)


def _of_joint(name: str, meaning: str, path: str) -> MappedValue:
    labels = {'joint': parse_path('name[]')}
    return MappedValue(name, 'gauge', meaning, parse_path(path), labels, may_be_nan=True)


_NAMED = {'name': parse_path('status[].name'), 'hardware_id': parse_path('status[].hardware_id')}

PRESETS: Mapping[str, Preset] = {
    'joint-states': Preset(
        'sensor_msgs/msg/JointState',
        {
            'position': _of_joint(
                'ros2bench_joint_position_radians',
                'Position of a joint; of a prismatic one in meters.',
                'position[]',
            ),
            'velocity': _of_joint(
                'ros2bench_joint_velocity_radians_per_second',
                'Velocity of a joint; of a prismatic one in meters per second.',
                'velocity[]',
            ),
            'effort': _of_joint(
                'ros2bench_joint_effort_newton_meters',
                'Effort of a joint; of a prismatic one in newtons.',
                'effort[]',
            ),
        },
    ),
    'battery': Preset(
        'sensor_msgs/msg/BatteryState',
        {
            'charge': _gauge(
                'ros2bench_battery_charge_ratio',
                'Charge, 1 is full.',
                'percentage',
                may_be_nan=True,
            ),
            'voltage': _gauge(
                'ros2bench_battery_voltage_volts', 'Voltage.', 'voltage', may_be_nan=True
            ),
            'current': _gauge(
                'ros2bench_battery_current_amperes',
                'Current, negative while it discharges.',
                'current',
                may_be_nan=True,
            ),
            'temperature': _gauge(
                'ros2bench_battery_temperature_celsius',
                'Temperature.',
                'temperature',
                may_be_nan=True,
            ),
        },
    ),
    'diagnostics': Preset(
        'diagnostic_msgs/msg/DiagnosticArray',
        {
            'level': MappedValue(
                'ros2bench_diagnostic_level',
                'gauge',
                'Level of a status: 0 is well, 1 a warning, 2 an error, 3 stale.',
                parse_path('status[].level'),
                _NAMED,
            )
        },
    ),
    'odometry': Preset(
        'nav_msgs/msg/Odometry',
        {
            'linear': _gauge(
                'ros2bench_odometry_linear_speed_meters_per_second',
                'Length of the linear velocity.',
                'twist.twist.linear',
                is_magnitude=True,
            ),
            'angular': _gauge(
                'ros2bench_odometry_angular_speed_radians_per_second',
                'Length of the angular velocity.',
                'twist.twist.angular',
                is_magnitude=True,
            ),
        },
    ),
    'mission': Preset(
        'std_msgs/msg/Float32',
        {'progress': _gauge('ros2bench_mission_progress_ratio', 'Progress, 1 is done.', 'data')},
        offered={
            'state': MappedValue(
                'ros2bench_mission_state',
                'state',
                'Whether the mission is in this state.',
                parse_path('state'),
            )
        },
        is_open=True,
    ),
    'safety': Preset(
        'std_msgs/msg/Bool',
        {
            'flag': _gauge('ros2bench_safety_flag', 'Whether the flag is raised.', 'data'),
            'events': MappedValue(
                'ros2bench_safety_events_total',
                'events',
                'How often the flag was raised while somebody looked.',
                parse_path('data'),
            ),
        },
        is_open=True,
    ),
}
SAME_FIELD = {'events': 'flag'}
"""Of values that `fields` names together: the key of the one that names the field for both."""


def preset_values(name: object, fields: object) -> tuple[MappedValue, ...]:
    """Values of a preset, with the fields that a mapping names itself.

    Args:
        name: of the preset.
        fields: of the message, by key of the value; None: those of the usual type. A mission whose
            `fields` name only one of progress and state has only that one.

    Raises:
        MappingError: there is no such preset, or it has no such key.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise MappingError(f'there is no preset {name!r}; choices: {", ".join(PRESETS)}')
    preset = PRESETS[name]
    if fields is None:
        return tuple(preset.values.values())
    known = {**preset.values, **(preset.offered or {})}
    choices = [key for key in known if key not in SAME_FIELD]
    if not preset.is_open:
        raise MappingError(f'the preset {name} has fields of its own: write values instead')
    if not isinstance(fields, dict) or not fields or not fields.keys() <= set(choices):
        raise MappingError(
            f'fields is {fields!r} but must name fields of the message by {", ".join(choices)}'
        )
    return tuple(_named(known, fields))


def _named(known: Mapping[str, MappedValue], fields: Mapping[str, object]) -> Sequence[MappedValue]:
    found = []
    for key, value in known.items():
        path = fields.get(SAME_FIELD.get(key, key))
        if path is not None:
            parsed = parse_path(path)
            if parsed.takes_elements:
                raise MappingError(
                    f'fields.{key}: {parsed.text} takes every element, one is possible'
                )
            found.append(replace(value, field=parsed))
    return found
