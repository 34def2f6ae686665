"""`ros2bench-recorder FILE`: records the topics of a file until SIGTERM."""

import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path

import rclpy
from rclpy.signals import SignalHandlerOptions

from ros2bench_recorder.captures import Captures
from ros2bench_recorder.components import Relay, RosConnection
from ros2bench_recorder.configuration import Configuration, ConfigurationError, read_configuration
from ros2bench_recorder.drain import Loop, make_loop
from ros2bench_recorder.http_api import Api, listen
from ros2bench_recorder.metrics import exposition
from ros2bench_recorder.status import status
from ros2bench_recorder.topic_recorder import TopicRecorder

EXIT_FAILED = 1
EXIT_USAGE = 2
SILENCE_LIMIT_S = 5.0
STOP_LIMIT_S = 0.8
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def health(loop: Loop, path: str) -> tuple[int, str]:
    """Answer to `/healthz` and `/readyz`; both begin only when all subscriptions are made."""
    silence_s = time.monotonic() - loop.turned_s
    if silence_s > SILENCE_LIMIT_S:
        return 503, f'the drain loop last turned {silence_s:.1f} s ago'
    return 200, 'recording' if path == '/healthz' else 'all subscriptions are made'


def record(configuration: Configuration) -> int:
    """Record until SIGTERM or SIGINT.

    Returns:
        Exit code: 0 after a clean stop, 1 when the drain loop ended by itself.

    Raises:
        ConfigurationError: a message type that the image does not hold, or the port is taken.
    """
    started_ns = time.time_ns()
    # Blocked before any thread exists and fetched below, so that no other thread can be hit by one.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node(
        'ros2bench_recorder', enable_rosout=False, start_parameter_services=False
    )
    captures = Captures([topic.name for topic in configuration.topics])
    recorders = [TopicRecorder(topic, captures) for topic in configuration.topics]
    tallies = {recorder.topic.name: recorder.tally for recorder in recorders}
    loop = make_loop(os.environ.get('ROS2BENCH_RECORDER_LOOP', 'auto'), node, recorders)
    failed = threading.Event()

    def drain() -> None:
        try:
            loop.run()
        except BaseException:
            failed.set()
            os.kill(os.getpid(), signal.SIGTERM)
            raise

    thread = threading.Thread(target=drain, name='drain', daemon=True)
    thread.start()
    api = Api(
        captures,
        status=lambda: status(node, loop, recorders, captures, started_ns),
        metrics=lambda: exposition(tallies),
        health=lambda path: health(loop, path),
        relay=Relay(RosConnection),
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
    node.destroy_node()
    rclpy.try_shutdown()
    return EXIT_FAILED if failed.is_set() else 0


def main() -> int:
    """Read the configuration and record."""
    if len(sys.argv) != 2:
        print('usage: ros2bench-recorder /etc/ros2bench/recorder.json', file=sys.stderr)
        return EXIT_USAGE
    try:
        return record(read_configuration(Path(sys.argv[1])))
    except ConfigurationError as error:
        print(f'ros2bench-recorder: {error}', file=sys.stderr)
        return EXIT_USAGE


if __name__ == '__main__':
    sys.exit(main())
