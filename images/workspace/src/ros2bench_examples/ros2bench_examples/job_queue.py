"""The queue: jobs become due at a steady rate and wait until a worker takes them."""

import sys
from typing import Any

from std_msgs.msg import Float64

from ros2bench_examples.parameters import RULES
from ros2bench_examples.waiting_jobs import WaitingJobs
from ros2bench_interfaces.srv import TakeJob
from ros2bench_nodes.application_node import ApplicationNode, run
from ros2bench_nodes.metronome import Metronome
from ros2bench_nodes.stamps import stamp, time_message
from ros2bench_nodes.topics import EVENTS_QOS

SERVICE = 'take_job'
WAIT_PERIOD_S = 0.2


class JobQueue(ApplicationNode):
    """Serves `take_job`: a job goes to one worker, however many ask. Publishes `queue_wait`.

    A topic would give every job to every worker, and of several servers of a service each would
    do every job; so the workers ask, and there is one queue. `queue_wait` is the age of the oldest
    waiting job in seconds, five times a second. A job that finds the queue full is dropped, which
    leaves a gap in the numbers of the outcomes, as does one whose worker ends meanwhile.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__('job_queue', rules=RULES['job_queue'], **node_options)

    def make(self) -> None:
        """Begin to serve, then to let jobs become due."""
        self._jobs = WaitingJobs(self.values['capacity'])
        self._publisher = self.create_publisher(Float64, 'queue_wait', EVENTS_QOS)
        self.create_service(TakeJob, SERVICE, self._on_take)
        self.create_timer(WAIT_PERIOD_S, self._on_wait)
        self._metronome = Metronome(
            self.get_name(),
            self.values['rate_hz'],
            self._on_due,
            is_over=lambda: not self.context.ok(),
        )
        self._metronome.start()

    def check_work(self) -> None:
        """Raise if the schedule's thread has died, so that the pod is restarted, not silent."""
        self._metronome.check()

    def destroy_node(self) -> None:
        """Let nothing more become due and free everything that the node made."""
        self._metronome.stop()
        super().destroy_node()

    def _on_due(self, due_ns: int, number: int) -> None:
        if not self._jobs.add(due_ns, number):
            self.get_logger().warning(
                f'The queue is full ({self.values["capacity"]} jobs), so jobs are dropped: start '
                f'more workers.',
                throttle_duration_sec=5.0,
            )

    def _on_take(self, request: TakeJob.Request, response: TakeJob.Response) -> TakeJob.Response:
        del request
        job = self._jobs.take()
        response.success = job is not None
        if job is not None:
            response.stamp = stamp(time_message(job.due_ns), job.number)
        return response

    def _on_wait(self) -> None:
        self._publisher.publish(Float64(data=self._jobs.wait_s()))
        self.health.note_message()


def main() -> int:
    """Run the queue alone."""
    return run(JobQueue)


if __name__ == '__main__':
    sys.exit(main())
