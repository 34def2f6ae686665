"""The action's server: counts down, tells every step, and can be told to stop."""

import sys
from typing import Any

from rclpy.action import ActionServer as RosActionServer
from rclpy.action import CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from ros2bench_examples.parameters import RULES
from ros2bench_interfaces.action import Countdown
from ros2bench_nodes.application_node import ApplicationNode, run

ACTION = 'countdown'
LARGEST_START = 1000
LONGEST_PERIOD_S = 3600.0


class ActionServer(ApplicationNode):
    """Serves `countdown`; several goals run side by side, because waiting blocks no executor."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('action_server', rules=RULES['action_server'], **node_options)

    def make(self) -> None:
        """Begin to serve."""
        self._server = RosActionServer(
            self,
            Countdown,
            ACTION,
            execute_callback=self._count,
            goal_callback=self._judge,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    def _judge(self, wanted: Countdown.Goal) -> GoalResponse:
        """Reject what would never end; anybody in the domain may send goals."""
        sensible = wanted.start <= LARGEST_START and 0 < wanted.period_s <= LONGEST_PERIOD_S
        return GoalResponse.ACCEPT if sensible else GoalResponse.REJECT

    async def _count(self, goal: ServerGoalHandle) -> Countdown.Result:
        wanted: Countdown.Goal = goal.request
        for remaining in range(wanted.start - 1, -1, -1):
            await self._wait(wanted.period_s)
            if goal.is_cancel_requested:
                goal.canceled()
                return Countdown.Result(counted=wanted.start - remaining - 1)
            goal.publish_feedback(Countdown.Feedback(remaining=remaining))
            self.health.note_message()
        goal.succeed()
        return Countdown.Result(counted=wanted.start)

    async def _wait(self, seconds: float) -> None:
        """Let others run in the executor for some time."""
        over = Future(executor=self.executor)
        timer = self.create_timer(seconds, lambda: over.set_result(None))
        try:
            await over
        finally:
            self.destroy_timer(timer)

    def destroy_node(self) -> None:
        """Stop serving and free everything that the node made."""
        self._server.destroy()
        super().destroy_node()


def main() -> int:
    """Run the server alone."""
    return run(ActionServer)


if __name__ == '__main__':
    sys.exit(main())
