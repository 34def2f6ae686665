"""The controller: swings the joints of the simulation, in simulated time."""

import math
import sys
from typing import Any

from rclpy.time import Time
from sensor_msgs.msg import JointState

from ros2bench_examples.parameters import RULES
from ros2bench_examples.simulator import JOINT_COMMANDS, JOINT_STATES
from ros2bench_nodes.application_node import ApplicationNode, run
from ros2bench_nodes.parameters import ParameterError
from ros2bench_nodes.topics import EVENTS_QOS

NANOSECONDS_PER_SECOND = 1_000_000_000


class Controller(ApplicationNode):
    """Subscribes to `joint_states`, publishes `joint_commands`: one per state, with its stamp."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('controller', rules=RULES['controller'], **node_options)

    def make(self) -> None:
        """Begin to control.

        Raises:
            ParameterError: the node does not follow the simulated clock.
        """
        if not self.get_parameter('use_sim_time').value:
            raise ParameterError(
                'Parameter "use_sim_time" of the controller is False but the controller follows '
                'the clock of the simulation: set it to true in the parameters file.'
            )
        self._publisher = self.create_publisher(JointState, JOINT_COMMANDS, EVENTS_QOS)
        self.create_subscription(JointState, JOINT_STATES, self._on_state, EVENTS_QOS)

    def _on_state(self, state: JointState) -> None:
        values = self.values
        simulated_ns = max(
            Time.from_msg(state.header.stamp).nanoseconds, self.get_clock().now().nanoseconds
        )
        turn = 2 * math.pi / values['period_s']
        phase = turn * simulated_ns / NANOSECONDS_PER_SECOND
        wanted = values['amplitude_rad'] * math.sin(phase)
        wanted_speed = values['amplitude_rad'] * turn * math.cos(phase)
        command = JointState(
            name=state.name,
            effort=[
                values['stiffness'] * (wanted - angle) + values['damping'] * (wanted_speed - speed)
                for angle, speed in zip(state.position, state.velocity, strict=True)
            ],
        )
        command.header.stamp = state.header.stamp
        self._publisher.publish(command)
        self.health.note_message()


def main() -> int:
    """Run the controller alone."""
    return run(Controller)


if __name__ == '__main__':
    sys.exit(main())
