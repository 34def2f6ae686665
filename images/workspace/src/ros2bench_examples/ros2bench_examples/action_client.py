"""The action's client: sends goals at a steady rate and publishes what became of each."""

import sys
import time
from functools import partial
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient as RosActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.task import Future

from ros2bench_examples.action_server import ACTION
from ros2bench_examples.parameters import RULES
from ros2bench_examples.scheduled_node import ScheduledNode
from ros2bench_interfaces.action import Countdown
from ros2bench_interfaces.msg import Outcome
from ros2bench_nodes.application_node import run
from ros2bench_nodes.stamps import stamp, time_message
from ros2bench_nodes.topics import EVENTS_QOS


class ActionClient(ScheduledNode):
    """Sends goals to `countdown`, publishes `outcomes`: one per result or rejection.

    A goal without an end leaves a gap in the numbers, which the recorder counts as a loss.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__('action_client', RULES['action_client'], **node_options)

    def make(self) -> None:
        """Begin to send."""
        self._publisher = self.create_publisher(Outcome, 'outcomes', EVENTS_QOS)
        self._action = RosActionClient(self, Countdown, ACTION)
        self.start_schedule()

    def act(self, due_ns: int, number: int) -> None:
        """Send a goal, if there is a server; what becomes of it is published when it has ended."""
        if not self._action.server_is_ready():
            self.get_logger().warning(
                f'There is no server of {ACTION} yet.', throttle_duration_sec=5.0
            )
            return
        goal = Countdown.Goal(start=self.values['start'], period_s=self.values['period_s'])
        accepted = self._action.send_goal_async(goal)
        accepted.add_done_callback(partial(self._on_accepted, due_ns, number, time.monotonic()))

    def _on_accepted(self, due_ns: int, number: int, sent_s: float, future: Future) -> None:
        goal: ClientGoalHandle | None = future.result()
        if goal is None:
            return
        if goal.accepted:
            done = goal.get_result_async()
            done.add_done_callback(partial(self._on_result, due_ns, number, sent_s))
        else:
            self._publish(due_ns, number, sent_s, success=False, detail='rejected')

    def _on_result(self, due_ns: int, number: int, sent_s: float, future: Future) -> None:
        answer = future.result()
        if answer is None:
            return
        success = answer.status == GoalStatus.STATUS_SUCCEEDED
        detail = f'counted {answer.result.counted}'
        self._publish(due_ns, number, sent_s, success=success, detail=detail)

    def _publish(
        self, due_ns: int, number: int, sent_s: float, *, success: bool, detail: str
    ) -> None:
        self._publisher.publish(
            Outcome(
                stamp=stamp(time_message(due_ns), number),
                success=success,
                duration_s=time.monotonic() - sent_s,
                detail=detail,
            )
        )
        self.health.note_message()

    def destroy_node(self) -> None:
        """Stop sending and free everything that the node made."""
        self.stop_schedule()
        self._action.destroy()
        super().destroy_node()


def main() -> int:
    """Run the client alone."""
    return run(ActionClient)


if __name__ == '__main__':
    sys.exit(main())
