"""`ros2bench-recorder FILE`: records the topics of a file until SIGTERM."""

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import rclpy
from rclpy.signals import SignalHandlerOptions

from ros2bench_recorder.capture import Effort
from ros2bench_recorder.captures import Captures
from ros2bench_recorder.clock import RecorderClock, clock_of_environment
from ros2bench_recorder.components import Relay, RosConnection
from ros2bench_recorder.configuration import Configuration, ConfigurationError, read_configuration
from ros2bench_recorder.drain import Loop, make_loop
from ros2bench_recorder.graph_view import nodes_up
from ros2bench_recorder.http_api import Api, listen
from ros2bench_recorder.mapped_topic import MappingReader
from ros2bench_recorder.metrics import Exposition, Moment
from ros2bench_recorder.status import matched_publishers, other_nodes, resident_bytes, status
from ros2bench_recorder.watching import watch
from ros2bench_service.flushing import Flusher
from ros2bench_service.signed_calls import CallVerifier
from ros2bench_telemetry import json_lines

EXIT_FAILED = 1
EXIT_USAGE = 2
SILENCE_LIMIT_S = 5.0
STOP_LIMIT_S = 0.8
NAMESPACE = 'ROS2BENCH_NAMESPACE'
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def health(loop: Loop, path: str) -> tuple[int, str]:
    """Answer to `/healthz` and `/readyz`; both begin only when all subscriptions are made."""
    silence_s = time.monotonic() - loop.turned_s
    if silence_s > SILENCE_LIMIT_S:
        return 503, f'the drain loop last turned {silence_s:.1f} s ago'
    return 200, 'recording' if path == '/healthz' else 'all subscriptions are made'


def audience(environment: Mapping[str, str]) -> str:
    """Name by which signed calls must mean this recorder.

    Raises:
        ConfigurationError: the environment does not say in which namespace it runs.
    """
    namespace = environment.get(NAMESPACE)
    if not namespace:
        raise ConfigurationError(
            f'{NAMESPACE} is not set, but signed calls name the namespace: set it to the '
            f"pod's own (fieldRef metadata.namespace)."
        )
    return f'recorder/{namespace}'


def open_captures(
    configuration: Configuration, loops: Sequence[Loop], clock: RecorderClock
) -> Captures:
    """The captures of the configured folder.

    Args:
        configuration: where they are.
        loops: holds the drain loop, once there is one.
        clock: dates them.

    Raises:
        ConfigurationError: the folder cannot be used.
    """
    folder = configuration.captures_folder
    try:
        return Captures(
            folder,
            configuration.captures_limit_bytes,
            [topic.name for topic in configuration.topics],
            real_clock_ns=clock.real_time_ns,
            heard_until_ns=lambda: (
                min((loop.swept_ns for loop in loops), default=time.time_ns()) + clock.offset_ns
            ),
            effort=lambda: Effort(time.process_time_ns(), sum(loop.busy_ns for loop in loops)),
        )
    except OSError as error:
        raise ConfigurationError(
            f'captures.folder {folder} cannot be used: {error.strerror}.'
        ) from error


def record(configuration: Configuration, own_audience: str) -> int:
    """Record until SIGTERM or SIGINT.

    Args:
        configuration: what is recorded, where to, and whom to obey.
        own_audience: see `audience`.

    Returns:
        Exit code: 0 after a clean stop, 1 when the drain loop ended by itself.

    Raises:
        ConfigurationError: a message type that the image does not hold, a folder that cannot be
            used, or the port is taken.
    """
    clock = clock_of_environment()
    started_ns, boot_id = clock.real_time_ns(), clock.boot_id()
    # Blocked before any thread exists and fetched below, so that no other thread can be hit by one.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    loops: list[Loop] = []
    captures = open_captures(configuration, loops, clock)
    json_lines.of_run(lambda: json_lines.run_of(captures.active_identifier))
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node(
        'ros2bench_recorder', enable_rosout=False, start_parameter_services=False
    )
    watching = watch(configuration, captures, clock.offset_ns)
    recorders = watching.recorders
    loop = make_loop(os.environ.get('ROS2BENCH_RECORDER_LOOP', 'auto'), node, recorders)
    loops.append(loop)
    exposition = Exposition(watching.watched, watching.mapped)
    reader = MappingReader(watching.mapped.topics)
    failed = threading.Event()
    thread = _drain(loop, failed)
    flusher = Flusher(captures.flush)
    flusher.start()
    reader.start()

    def moment() -> Moment:
        return Moment(
            publishers=matched_publishers(node, loop, recorders),
            nodes=nodes_up(configuration.nodes, other_nodes(node)),
            capture=captures.active_identifier,
            cpu_ns=time.process_time_ns(),
            memory_bytes=resident_bytes(),
            monotonic_s=time.monotonic(),
        )

    api = Api(
        captures,
        CallVerifier(configuration.operator, own_audience, clock.real_time_ns),
        status=lambda: status(
            node,
            loop,
            recorders=watching.measured,
            captures=captures,
            flusher=flusher,
            started_ns=started_ns,
            boot_id=boot_id,
            mappings=watching.status(),
        ),
        metrics=lambda: exposition.text(moment()),
        health=lambda path: health(loop, path),
        relay=Relay(RosConnection),
        clock_ns=clock.real_time_ns,
    )
    try:
        server = listen(api, configuration.port)
    except OSError as error:
        raise ConfigurationError(
            f'port {configuration.port} cannot be used: {error.strerror}.'
        ) from error
    gc.collect()
    gc.freeze()
    signal.sigwait(STOP_SIGNALS)
    server.shutdown()
    loop.stop()
    thread.join(STOP_LIMIT_S)
    reader.stop(STOP_LIMIT_S)
    flusher.stop()
    captures.close()
    node.destroy_node()
    rclpy.try_shutdown()
    return EXIT_FAILED if failed.is_set() else 0


def _drain(loop: Loop, failed: threading.Event) -> threading.Thread:
    """Run the loop in a thread; if it ends by itself, so does the process."""

    def drain() -> None:
        try:
            loop.run()
        except BaseException:
            failed.set()
            os.kill(os.getpid(), signal.SIGTERM)
            raise

    thread = threading.Thread(target=drain, name='drain', daemon=True)
    thread.start()
    return thread


def main() -> int:
    """Read the configuration and record."""
    json_lines.install('recorder')
    if len(sys.argv) != 2:
        print('usage: ros2bench-recorder /etc/ros2bench/recorder.json', file=sys.stderr)
        return EXIT_USAGE
    try:
        return record(read_configuration(Path(sys.argv[1])), audience(os.environ))
    except ConfigurationError as error:
        print(f'ros2bench-recorder: {error}', file=sys.stderr)
        return EXIT_USAGE


if __name__ == '__main__':
    sys.exit(main())
