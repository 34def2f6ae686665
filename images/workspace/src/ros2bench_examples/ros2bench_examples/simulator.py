"""The simulator: a physics loop without a display that drives the clock of everybody else."""

import sys
import time
from collections import OrderedDict
from typing import Any

from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState

from ros2bench_examples.parameters import RULES
from ros2bench_examples.physics import Motion, Pendulums, advance, at_rest
from ros2bench_examples.scheduled_node import ScheduledNode
from ros2bench_interfaces.msg import Outcome
from ros2bench_nodes.application_node import run
from ros2bench_nodes.stamps import stamp, time_message
from ros2bench_nodes.topics import EVENTS_QOS

JOINT_STATES = 'joint_states'
JOINT_COMMANDS = 'joint_commands'
STEPS_KEPT = 256
NANOSECONDS_PER_SECOND = 1_000_000_000


class Simulator(ScheduledNode):
    """Publishes `/clock` and `joint_states`, obeys `joint_commands`, publishes `steps`.

    Each of the `steps` answers one simulated step: stamped with the real moment when the step was
    due, published when the command for it has arrived. So the loop through the controller is
    measured in real time, although everybody else lives in simulated time.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__('simulator', RULES['simulator'], **node_options)

    def make(self) -> None:
        """Begin at simulated time 0 with all joints at rest."""
        values = self.values
        self._pendulums = Pendulums()
        self._motion: Motion = at_rest(values['joints'])
        self._torques = [0.0] * values['joints']
        self._names = [f'joint_{index}' for index in range(values['joints'])]
        self._unanswered: OrderedDict[int, tuple[int, int, float]] = OrderedDict()
        self._clock_publisher = self.create_publisher(Clock, '/clock', 10)
        self._states = self.create_publisher(JointState, JOINT_STATES, EVENTS_QOS)
        self._steps = self.create_publisher(Outcome, 'steps', EVENTS_QOS)
        self.create_subscription(JointState, JOINT_COMMANDS, self._on_command, EVENTS_QOS)
        self.start_schedule()

    def act(self, due_ns: int, number: int) -> None:
        """Simulate up to the next step and tell time and state."""
        values = self.values
        step_s = values['real_time_factor'] / values['rate_hz']
        physics_steps = max(1, round(step_s * values['physics_rate_hz']))
        self._motion = advance(
            self._pendulums, self._motion, self._torques, step_s / physics_steps, physics_steps
        )
        simulated_ns = round((number + 1) * step_s * NANOSECONDS_PER_SECOND)
        self._unanswered[simulated_ns] = (due_ns, number, time.monotonic())
        if len(self._unanswered) > STEPS_KEPT:
            self._unanswered.popitem(last=False)
        now = time_message(simulated_ns)
        self._clock_publisher.publish(Clock(clock=now))
        state = JointState(
            name=self._names,
            position=self._motion.angles.tolist(),
            velocity=self._motion.speeds.tolist(),
            effort=self._torques,
        )
        state.header.stamp = now
        self._states.publish(state)

    def _on_command(self, command: JointState) -> None:
        given = command.header.stamp
        step = self._unanswered.pop(given.sec * NANOSECONDS_PER_SECOND + given.nanosec, None)
        if step is None or len(command.effort) != len(self._torques):
            self.get_logger().warning(
                'A command answers no step or names another number of joints.',
                throttle_duration_sec=5.0,
            )
            return
        self._torques = command.effort.tolist()
        due_ns, number, sent_s = step
        self._steps.publish(
            Outcome(
                stamp=stamp(time_message(due_ns), number),
                success=True,
                duration_s=time.monotonic() - sent_s,
                detail=f'joint_0 at {self._motion.angles[0]:.3f} rad',
            )
        )
        self.health.note_message()


def main() -> int:
    """Run the simulator alone."""
    return run(Simulator)


if __name__ == '__main__':
    sys.exit(main())
