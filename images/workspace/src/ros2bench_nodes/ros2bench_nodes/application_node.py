"""What all nodes of the application share: checked parameters, health, a clean stop."""

import sys
import threading
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from ros2bench_nodes.health import Health, serve
from ros2bench_nodes.parameters import ParameterError, checked
from ros2bench_nodes.stop_request import StopRequest

EXIT_FAILED = 1
EXIT_BAD_PARAMETER = 2
STOP_LIMIT_S = 0.5
HEARTBEAT_PERIOD_S = 1.0
DECLARED_BY_RCLPY = frozenset({'use_sim_time', 'start_type_description_service'})


class ApplicationNode(Node):
    """A node that can run alone or be loaded beside others: it never spins itself."""

    def __init__(self, kind: str, **node_options: Any) -> None:
        """Check the parameters and begin to answer health probes.

        Args:
            kind: which rules of `parameters.RULES` hold; also the default node name.
            node_options: as `rclpy.node.Node` takes them (context, parameter_overrides …).

        Raises:
            ParameterError: a parameter is refused or the health port is taken.
        """
        super().__init__(kind, automatically_declare_parameters_from_overrides=True, **node_options)
        given = {
            name: parameter.value
            for name, parameter in self.get_parameters_by_prefix('').items()
            if name not in DECLARED_BY_RCLPY and not name.startswith('qos_overrides.')
        }
        self.values = checked(kind, given)
        for name in self.values.keys() - given.keys():
            self.declare_parameter(name, self.values[name])
        self.health = Health()
        try:
            self._health_server = serve(self.health, self.values['health_port'])
        except OSError as error:
            raise ParameterError(
                f'Parameter "health_port" of the {kind} is {self.values["health_port"]} but that '
                f'port cannot be used ({error.strerror}): give another one or 0 for none.'
            ) from error
        self._heartbeat = self.create_timer(HEARTBEAT_PERIOD_S, self._beat)

    def check_work(self) -> None:
        """Raise if a thread of the node has died; nodes with threads override this."""

    def _beat(self) -> None:
        self.check_work()
        self.health.beat()

    def destroy_node(self) -> None:
        """Stop answering health probes and free everything that the node made."""
        if self._health_server is not None:
            self._health_server.shutdown()
            self._health_server.server_close()
        super().destroy_node()


def run(make_node: Callable[[], ApplicationNode]) -> int:
    """Run one node until SIGTERM or SIGINT.

    Returns:
        Exit code: 0 after a clean stop, 2 when a parameter is refused.
    """
    stop = StopRequest()
    try:
        rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
        node = make_node()
    except ParameterError as error:
        print(error, file=sys.stderr)
        rclpy.try_shutdown()
        return EXIT_BAD_PARAMETER
    except rclpy._rclpy_pybind11.RCLError as error:  # noqa: SLF001 (its only name)
        sentence = str(error).partition(', at ')[0]
        print(
            f'The ROS arguments or the parameters file cannot be used: {sentence}', file=sys.stderr
        )
        return EXIT_BAD_PARAMETER
    return spin_until(stop, node)


def spin_until(stop: StopRequest, node: ApplicationNode) -> int:
    """Spin a node in a thread of its own until a stop is requested or a callback fails.

    Returns:
        Exit code: 0 after a clean stop, 1 after a failure, whose traceback has been printed.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    stopping = Future()
    ended_well = threading.Event()

    def spin() -> None:
        try:
            executor.spin_until_future_complete(stopping)
            ended_well.set()
        finally:
            stop.request()

    thread = threading.Thread(target=spin, name='executor', daemon=True)
    thread.start()
    stop.wait()
    # Wakes the executor; rclpy's own signal handling may miss a wake-up until the next timer.
    stopping.set_result(None)
    thread.join(STOP_LIMIT_S)
    node.destroy_node()
    executor.shutdown(timeout_sec=0)
    rclpy.try_shutdown()
    return 0 if ended_well.is_set() else EXIT_FAILED
