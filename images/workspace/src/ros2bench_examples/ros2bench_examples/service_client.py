"""The service's client: switches the lamp at a steady rate, publishes what became of it."""

import sys
import time
from functools import partial
from typing import Any

from rclpy.task import Future
from std_srvs.srv import SetBool

from ros2bench_examples.parameters import RULES
from ros2bench_examples.scheduled_node import ScheduledNode
from ros2bench_examples.service_server import SERVICE
from ros2bench_interfaces.msg import Outcome
from ros2bench_nodes.application_node import run
from ros2bench_nodes.stamps import stamp, time_message
from ros2bench_nodes.topics import EVENTS_QOS


class ServiceClient(ScheduledNode):
    """Calls `switch`, publishes `outcomes`: one per answer, stamped with when its call was due.

    A call without an answer leaves a gap in the numbers, which the recorder counts as a loss.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__('service_client', RULES['service_client'], **node_options)

    def make(self) -> None:
        """Begin to call."""
        self._publisher = self.create_publisher(Outcome, 'outcomes', EVENTS_QOS)
        self._service = self.create_client(SetBool, SERVICE)
        self.start_schedule()

    def act(self, due_ns: int, number: int) -> None:
        """Call, if there is a server; its answer is published when it comes."""
        if not self._service.service_is_ready():
            self.get_logger().warning(
                f'There is no server of {self._service.srv_name} yet.', throttle_duration_sec=5.0
            )
            return
        sent_s = time.monotonic()
        future = self._service.call_async(SetBool.Request(data=number % 2 == 0))
        future.add_done_callback(partial(self._on_answer, due_ns, number, sent_s))

    def _on_answer(self, due_ns: int, number: int, sent_s: float, future: Future) -> None:
        answer = future.result()
        if answer is None:
            return
        self._publisher.publish(
            Outcome(
                stamp=stamp(time_message(due_ns), number),
                success=answer.success,
                duration_s=time.monotonic() - sent_s,
                detail=answer.message,
            )
        )
        self.health.note_message()


def main() -> int:
    """Run the client alone."""
    return run(ServiceClient)


if __name__ == '__main__':
    sys.exit(main())
