"""The worker: takes jobs from the queue and publishes what became of each. Any number may run."""

import sys
import time
from typing import Any

from rclpy.task import Future

from ros2bench_bringup import health_server
from ros2bench_examples import worker_metrics
from ros2bench_examples.job_queue import SERVICE
from ros2bench_examples.parameters import RULES
from ros2bench_interfaces.msg import Outcome
from ros2bench_interfaces.srv import TakeJob
from ros2bench_nodes.application_node import ApplicationNode, run
from ros2bench_nodes.parameters import ParameterError
from ros2bench_nodes.processor_load import ProcessorLoad
from ros2bench_nodes.stamps import stamp
from ros2bench_nodes.topics import EVENTS_QOS

ASK_PERIOD_S = 0.05
ANSWER_LIMIT_S = 2.0


class Worker(ApplicationNode):
    """Calls `take_job` whenever it is idle, publishes `outcomes`: one per job, with its stamp.

    It keeps nothing between two jobs, and no two workers get the same job: copies share the work
    and publish nothing twice. A worker that is told to stop asks for nothing more and ends the job
    that it has, if that takes no more than half a second.
    """

    def __init__(self, **node_options: Any) -> None:
        self._metrics_server: health_server.HealthServer | None = None
        super().__init__('worker', rules=RULES['worker'], **node_options)

    def make(self) -> None:
        """Begin to ask for jobs."""
        self._load = ProcessorLoad(self.values['cost_s'])
        self._metrics = worker_metrics.WorkerMetrics()
        self._publisher = self.create_publisher(Outcome, 'outcomes', EVENTS_QOS)
        self._queue = self.create_client(TakeJob, SERVICE)
        self._asked: tuple[Future, float] | None = None
        # Not asked from the answer itself: a node that stops would take a job and never do it.
        self._idle = self.create_guard_condition(self._on_idle)
        self.create_timer(ASK_PERIOD_S, self._on_idle)
        self._serve_metrics()

    def destroy_node(self) -> None:
        """Stop telling and free everything that the node made."""
        if self._metrics_server is not None:
            health_server.stop(self._metrics_server)
            self._metrics_server = None
        super().destroy_node()

    def _serve_metrics(self) -> None:
        port = self.values['metrics_port']
        try:
            self._metrics_server = worker_metrics.listen(port, self._metrics)
        except OSError as error:
            raise ParameterError(
                f'Parameter "metrics_port" of the worker is {port} but that port cannot be used '
                f'({error.strerror}): give another one or 0 for none.'
            ) from error
        if self._metrics_server is not None:
            health_server.serve(self._metrics_server)

    def _on_idle(self) -> None:
        """Ask, unless an answer is still to come; one that is lost is not waited for for ever."""
        if self._asked is not None:
            future, asked_s = self._asked
            if time.monotonic() - asked_s < ANSWER_LIMIT_S:
                return
            self._queue.remove_pending_request(future)
            self._asked = None
        if not self._queue.service_is_ready():
            self.get_logger().warning(
                f'There is no queue at {self._queue.srv_name} yet.', throttle_duration_sec=5.0
            )
            return
        future = self._queue.call_async(TakeJob.Request())
        self._asked = future, time.monotonic()
        future.add_done_callback(self._on_answer)

    def _on_answer(self, future: Future) -> None:
        self._asked = None
        answer = future.result()
        if answer is None:
            return
        self.health.note_message()
        if not answer.success:
            return
        begun_s = time.monotonic()
        self._load.burn()
        time.sleep(self.values['wait_s'])
        busy_s = time.monotonic() - begun_s
        self._publisher.publish(
            Outcome(
                stamp=stamp(answer.stamp.intended, answer.stamp.frame_number),
                success=True,
                duration_s=busy_s,
                detail='',
            )
        )
        self._metrics.note_job(busy_s)
        self._idle.trigger()


def main() -> int:
    """Run the worker alone."""
    return run(Worker)


if __name__ == '__main__':
    sys.exit(main())
