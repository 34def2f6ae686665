"""What all nodes of the application share: checked parameters, health, a clean stop."""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from ros2bench_bringup import health_server
from ros2bench_nodes.health import Health
from ros2bench_nodes.parameters import RULES, ParameterError, Rule, checked, from_environment
from ros2bench_nodes.stop_request import StopRequest

EXIT_FAILED = 1
EXIT_BAD_PARAMETER = 2
TRACES_ENDPOINT = 'ROS2BENCH_TRACES_ENDPOINT'
STOP_LIMIT_S = 0.5
TURN_PERIOD_S = 1.0
DECLARED_BY_RCLPY = frozenset({'use_sim_time', 'start_type_description_service'})


class ApplicationNode(Node):
    """A node that can run alone or be loaded beside others: it never spins itself.

    A node overrides `make`, calls `self.health.note_message` whenever it has done something with a
    message, and where it has threads `check_work` and `destroy_node`.
    """

    def __init__(
        self, kind: str, *, rules: Mapping[str, Rule] | None = None, **node_options: Any
    ) -> None:
        """Check the parameters, make what the node is made of, and answer health probes.

        Args:
            kind: what the node is in words; also its name unless `node_name` says otherwise.
            rules: its parameters; None: those of `parameters.RULES` for this kind.
            node_options: as `rclpy.node.Node` takes them (context, parameter_overrides …).

        Raises:
            ParameterError: a parameter is refused or the health port is taken.
        """
        super().__init__(
            node_options.pop('node_name', kind),
            automatically_declare_parameters_from_overrides=True,
            **node_options,
        )
        self._health_server: health_server.HealthServer | None = None
        self._kind = kind
        self._tracers: list[Any] = []
        try:
            self.values = self._checked_parameters(kind, RULES[kind] if rules is None else rules)
            self.health = Health(self.values['silence_limit_s'])
            self._health_server = self._serve_health(kind)
            self.make()
        except BaseException:
            # A component container lives on; nothing of a node that could not be made may stay.
            ApplicationNode.destroy_node(self)
            raise
        # On the steady clock: a simulated clock that stands still must not look like a hung node.
        self._turning = self.create_timer(
            TURN_PERIOD_S, self._on_turn, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self.health.note_start()

    def make(self) -> None:
        """Make models, publishers and subscriptions from `self.values`, threads last.

        Raises:
            ParameterError: a parameter names something that is not there.
        """

    def open_tracer(self, span: str, *, topic: str, after: str = '') -> Any:
        """What notes the frames that the node handled; None where nobody asks for traces.

        Args:
            span: what the node does for a frame.
            topic: where it publishes what came of it.
            after: kind of the node whose messages it takes; empty for the first of the path.

        Raises:
            ParameterError: the environment asks for traces in a way that cannot be understood.
        """
        if TRACES_ENDPOINT not in os.environ:
            return None
        # Costs nothing where nobody asks for traces.
        from ros2bench_telemetry.tracer import open_tracer  # noqa: PLC0415

        try:
            tracer = open_tracer(
                span,
                kind=self._kind,
                node=self.get_name(),
                stream=self.values['stream'],
                topic=self.resolve_topic_name(topic),
                after=after,
            )
        except ValueError as error:
            raise ParameterError(f'The variable {error}.') from error
        self._tracers.append(tracer)
        return tracer

    def check_work(self) -> None:
        """Raise if a thread of the node has died; nodes with threads override this."""

    def destroy_node(self) -> None:
        """Stop answering health probes and free everything that the node made."""
        if self._health_server is not None:
            health_server.stop(self._health_server)
            self._health_server = None
        for tracer in self._tracers:
            tracer.close()
        super().destroy_node()

    def _checked_parameters(self, kind: str, rules: Mapping[str, Rule]) -> dict[str, Any]:
        given = {
            name: parameter.value
            for name, parameter in self.get_parameters_by_prefix('').items()
            if name not in DECLARED_BY_RCLPY and not name.startswith('qos_overrides.')
        }
        values = checked(kind, from_environment(kind, rules, os.environ) | given, rules)
        for name in values.keys() - given.keys():
            self.declare_parameter(name, values[name])
        return values

    def _serve_health(self, kind: str) -> health_server.HealthServer | None:
        def answer(path: str) -> tuple[int, dict[str, str]]:
            status, sentence = self.health.answer(path)
            return status, {'status': sentence}

        port = self.values['health_port']
        try:
            server = health_server.listen(port, answer)
        except OSError as error:
            raise ParameterError(
                f'Parameter "health_port" of the {kind} is {port} but that port cannot be used '
                f'({error.strerror}): give another one or 0 for none.'
            ) from error
        if server is not None:
            health_server.serve(server)
        return server

    def _on_turn(self) -> None:
        self.check_work()
        self.health.note_turn()


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
    stopping = threading.Event()
    ended_well = threading.Event()

    def spin() -> None:
        try:
            # Not `spin_until_future_complete`: it adds a callback to its future at every turn.
            while not stopping.is_set():
                executor.spin_once()
            ended_well.set()
        finally:
            stop.request()

    thread = threading.Thread(target=spin, name='executor', daemon=True)
    thread.start()
    stop.wait()
    stopping.set()
    # Only work ends a turn; a mere wake-up would let it wait on.
    executor.create_task(lambda: None)
    thread.join(STOP_LIMIT_S)
    node.destroy_node()
    executor.shutdown(timeout_sec=0)
    rclpy.try_shutdown()
    return 0 if ended_well.is_set() else EXIT_FAILED
