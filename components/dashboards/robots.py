"""Dashboard of robots and missions: joints, battery, diagnostics, movement, progress, safety, as messages tell them."""

from components.dashboards.needs import RECORDER, mapped, preset
from components.dashboards.panel import Dashboard, Panel, Row, lines, states
from components.dashboards.queries import robots
from components.dashboards.query import Query


def _of(name: str, title: str, *queries: Query) -> Panel:
    return lines(title, *queries, needs=(RECORDER, preset(name)))


def joint_positions() -> Panel:
    """Where the joints are."""
    return _of("joint-states", "Joint positions", robots.joint_position)


def joint_velocities() -> Panel:
    """How fast they move."""
    return _of("joint-states", "Joint velocities", robots.joint_velocity)


def joint_efforts() -> Panel:
    """How hard they push."""
    return _of("joint-states", "Joint efforts", robots.joint_effort)


def charge() -> Panel:
    """What is left in the battery."""
    return _of("battery", "Battery charge", robots.battery_charge)


def voltage() -> Panel:
    """Voltage of the battery."""
    return _of("battery", "Battery voltage", robots.battery_voltage)


def battery_heat() -> Panel:
    """Temperature of the battery."""
    return _of("battery", "Battery temperature", robots.battery_temperature)


def diagnostics() -> Panel:
    """Level of every diagnostic status."""
    return _of("diagnostics", "Diagnostics", robots.diagnostic_level)


def linear_speed() -> Panel:
    """How fast the robot drives."""
    return _of("odometry", "Speed", robots.linear_speed)


def angular_speed() -> Panel:
    """How fast it turns."""
    return _of("odometry", "Turning", robots.angular_speed)


def progress() -> Panel:
    """How far the mission is."""
    return _of("mission", "Mission progress", robots.mission_progress)


def mission_state() -> Panel:
    """In which state the mission is."""
    return states("Mission state", robots.mission_state, needs=(RECORDER, mapped("ros2bench_mission_state")))


def success() -> Panel:
    """How many missions end well."""
    return lines(
        "Missions that succeeded", robots.mission_success, needs=(RECORDER, mapped("ros2bench_mission_success"))
    )


def safety_flags() -> Panel:
    """Which safety flags are raised."""
    return states("Safety flags", robots.safety_flag, needs=(RECORDER, preset("safety")))


def safety_events() -> Panel:
    """How often they were raised."""
    return _of("safety", "Safety flags raised in the last hour", robots.safety_events)


DASHBOARD = Dashboard(
    name="robots",
    title="Robots and missions",
    description="Fields of messages that application.metrics of a stack file maps.",
    rows=(
        Row("Missions", (progress(), mission_state(), success())),
        Row("Safety", (safety_flags(), safety_events(), diagnostics())),
        Row("Body", (joint_positions(), joint_velocities(), joint_efforts(), linear_speed(), angular_speed())),
        Row("Battery", (charge(), voltage(), battery_heat())),
    ),
)
