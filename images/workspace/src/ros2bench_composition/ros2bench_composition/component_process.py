"""The process of one component; started by the container, which speaks to it over a socket."""

import base64
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ros2bench_composition.component import Component
from ros2bench_composition.guarded_import import install
from ros2bench_composition.manifest import parse_manifest
from ros2bench_composition.refusal import Refusal
from ros2bench_composition.wire import Wire
from ros2bench_telemetry import json_lines

EXIT_FAILED = 1
EXIT_REFUSED = 2
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(component: Component, wire: Wire, questions: Iterator[Any]) -> int:
    """Load a component, say so, turn it until SIGTERM.

    Returns:
        Exit code.

    Raises:
        Refusal: it cannot be loaded.
    """
    # Imported under the guard, and only in the process that turns a node.
    import rclpy  # noqa: PLC0415
    from rclpy.executors import SingleThreadedExecutor  # noqa: PLC0415
    from rclpy.signals import SignalHandlerOptions  # noqa: PLC0415

    from ros2bench_composition.hosted_node import health_of, make_node  # noqa: PLC0415
    from ros2bench_composition.turning import Turning  # noqa: PLC0415

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = make_node(component, rclpy.get_default_context())
    health = health_of(node)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    failures: list[str] = []

    def failed(sentence: str) -> None:
        failures.append(sentence)
        os.kill(os.getpid(), signal.SIGTERM)

    turning = Turning(executor, 'executor', failed)
    threading.Thread(target=answer, args=(wire, questions, health), daemon=True).start()
    wire.send({'loaded': node.get_fully_qualified_name()})
    signal.sigwait(STOP_SIGNALS)
    turning.stop()
    node.destroy_node()
    rclpy.try_shutdown()
    return EXIT_FAILED if failures else 0


def answer(wire: Wire, questions: Iterator[Any], health: Callable[[str], tuple[int, str]]) -> None:
    """Answer questions about the node's health; end when the container is gone."""
    try:
        for question in questions:
            wire.send({'number': question['number'], 'health': health(question['path'])})
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """Take the order from the socket of the container and obey it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    # With `-m` Python puts the working folder first; nothing is to be found there.
    sys.path[:] = [path for path in sys.path if path not in {'', '/'}]
    wire = Wire(socket.socket(fileno=int(sys.argv[1])))
    os.chdir(os.environ.get('HOME', '/'))
    questions = wire.lines()
    order = next(questions)
    try:
        component = Component(**order['component'])
        json_lines.install('component', node=component.node)
        install(parse_manifest(base64.b64decode(order['manifest'])))
        return run(component, wire, questions)
    except Refusal as refusal:
        wire.send({'refused': refusal.reason, 'sentence': str(refusal)})
        return EXIT_REFUSED


if __name__ == '__main__':
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The node is destroyed; to take down the interpreter and its libraries costs more than that.
    os._exit(code)
