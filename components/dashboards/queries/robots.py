"""Robots and missions: fields of messages that `application.metrics` of a stack file maps. Labels: stack and their own.

The names are those of the presets, except the last ones, which `docs/observability.md` maps by hand.
"""

from components.dashboards.queries.names import STACK
from components.dashboards.query import Query
from components.dashboards.units import Unit


def _gauge(name: str, series: str, unit: Unit, by: str, description: str) -> Query:
    legend = " ".join(f"{{{{{label}}}}}" for label in ("stack", *by.split(", ")) if label)
    return Query(
        name=name,
        expression=f"max by (stack, {by}) ({series}{{{STACK}}})",
        unit=unit,
        legend=legend,
        description=description,
    )


def _share(name: str, share: float, series: str, description: str) -> Query:
    return Query(
        name=name,
        expression=f"histogram_quantile({share:g}, "
        f"sum by (stack, topic, le) (rate({series}_bucket{{{STACK}}}[$window])))",
        unit=Unit.SECONDS,
        legend=f"{{{{stack}}}} {{{{topic}}}} p{share * 100:g}",
        description=description,
    )


joint_position = _gauge(
    "joint_position",
    "ros2bench_joint_position_radians",
    Unit.RADIANS,
    "topic, joint",
    "Position of each joint; of a prismatic one in meters.",
)
joint_velocity = _gauge(
    "joint_velocity",
    "ros2bench_joint_velocity_radians_per_second",
    Unit.RADIANS_PER_SECOND,
    "topic, joint",
    "Velocity of each joint; of a prismatic one in meters per second.",
)
joint_effort = _gauge(
    "joint_effort",
    "ros2bench_joint_effort_newton_meters",
    Unit.NEWTON_METERS,
    "topic, joint",
    "Effort of each joint; of a prismatic one in newtons.",
)
battery_charge = _gauge(
    "battery_charge", "ros2bench_battery_charge_ratio", Unit.RATIO, "topic", "Charge of the battery, 1 is full."
)
battery_voltage = _gauge(
    "battery_voltage", "ros2bench_battery_voltage_volts", Unit.VOLTS, "topic", "Voltage of the battery."
)
battery_temperature = _gauge(
    "battery_temperature",
    "ros2bench_battery_temperature_celsius",
    Unit.CELSIUS,
    "topic",
    "Temperature of the battery.",
)
diagnostic_level = _gauge(
    "diagnostic_level",
    "ros2bench_diagnostic_level",
    Unit.COUNT,
    "topic, name, hardware_id",
    "Level of each diagnostic status: 0 is well, 1 a warning, 2 an error, 3 stale.",
)
linear_speed = _gauge(
    "linear_speed",
    "ros2bench_odometry_linear_speed_meters_per_second",
    Unit.METERS_PER_SECOND,
    "topic",
    "Length of the linear velocity.",
)
angular_speed = _gauge(
    "angular_speed",
    "ros2bench_odometry_angular_speed_radians_per_second",
    Unit.RADIANS_PER_SECOND,
    "topic",
    "Length of the angular velocity.",
)
mission_progress = _gauge(
    "mission_progress", "ros2bench_mission_progress_ratio", Unit.RATIO, "topic", "Progress of the mission, 1 is done."
)
mission_state = _gauge(
    "mission_state", "ros2bench_mission_state", Unit.COUNT, "topic, state", "1 for the state that the mission is in."
)
safety_flag = _gauge("safety_flag", "ros2bench_safety_flag", Unit.COUNT, "topic", "1 while the flag is raised.")
safety_events = Query(
    name="safety_events",
    expression=f"sum by (stack, topic) (increase(ros2bench_safety_events_total{{{STACK}}}[1h]))",
    unit=Unit.COUNT,
    legend="{{stack}} {{topic}}",
    description="How often the flag was raised in the last hour.",
)
mission_success = Query(
    name="mission_success",
    expression=f"sum by (stack, topic) (increase(ros2bench_mission_success_sum{{{STACK}}}[1h])) / "
    f"(sum by (stack, topic) (increase(ros2bench_mission_success_count{{{STACK}}}[1h])) > 0)",
    unit=Unit.RATIO,
    legend="{{stack}} {{topic}}",
    description="Missions that succeeded in the last hour, of those that ended: a histogram of the field that says so.",
)
planning_p50 = _share(
    "planning_p50",
    0.5,
    "ros2bench_planning_duration_seconds",
    "Median time until the planner has converged, as its messages tell it.",
)
planning_p95 = _share(
    "planning_p95",
    0.95,
    "ros2bench_planning_duration_seconds",
    "p95 of the time until the planner has converged, as its messages tell it.",
)
perception_p50 = _share(
    "perception_p50",
    0.5,
    "ros2bench_perception_duration_seconds",
    "Median time that the model takes for one picture, as its messages tell it.",
)
perception_p95 = _share(
    "perception_p95",
    0.95,
    "ros2bench_perception_duration_seconds",
    "p95 of the time that the model takes for one picture, as its messages tell it.",
)
