"""`ros2bench-machine-reader FILE`: reads a machine's counters for whoever asks, until SIGTERM."""

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from ros2bench_machine_reader import capture_calls, status
from ros2bench_machine_reader.block_devices import physical_devices
from ros2bench_machine_reader.board_facts import rows_of, sysfs_facts
from ros2bench_machine_reader.captures import Captures
from ros2bench_machine_reader.cgroup_tree import Tree, find_tree
from ros2bench_machine_reader.configuration import (
    Configuration,
    ConfigurationError,
    read_configuration,
)
from ros2bench_machine_reader.exposition import exposition
from ros2bench_machine_reader.extensions import extensions, open_sources
from ros2bench_machine_reader.http_server import listen
from ros2bench_machine_reader.machine_counters import MachineCounters
from ros2bench_machine_reader.pod_counters import PodCounters
from ros2bench_machine_reader.reading import Newest, Reading, read_kernel, read_source
from ros2bench_machine_reader.routing import Extension, Key, Route
from ros2bench_machine_reader.sources import Absent, Row, Source
from ros2bench_service.flushing import Flusher
from ros2bench_service.signed_calls import CallVerifier, operator_key
from ros2bench_telemetry import json_lines

EXIT_USAGE = 2
SILENCE_LIMIT_S = 5.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def read_machine(configuration: Configuration) -> int:
    """Read and serve until SIGTERM or SIGINT.

    Returns:
        Exit code.

    Raises:
        ConfigurationError: a setting cannot be used on this machine.
    """
    allow_many_files()
    # Blocked before any thread exists and fetched below, so that no other thread can be hit by one.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        key = operator_key(configuration.operator)
    except ValueError as error:
        raise ConfigurationError(f'operator cannot be used: {error}.') from error
    with ExitStack() as stack:
        try:
            routes, identity = _start(configuration, stack)
            verifier = CallVerifier(key, f'machine-reader/{identity.machine}')
            server = listen(routes, verifier, configuration.port)
        except OSError as error:
            named = error.filename or f'port {configuration.port}'
            raise ConfigurationError(f'{named} cannot be used: {error.strerror}.') from error
        stack.callback(server.shutdown)
        signal.sigwait(STOP_SIGNALS)
    return 0


def allow_many_files() -> None:
    """Take as many open files as this process may have: each container needs half a dozen."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _start(
    configuration: Configuration, stack: ExitStack
) -> tuple[dict[Key, Route], status.Identity]:
    """Start everything but the server; the stack ends it in reverse order.

    Raises:
        OSError: /proc, the control groups or the folder of captures cannot be used.
    """
    identity = status.own_identity(configuration.proc_root, os.environ)
    tree = find_tree(configuration.cgroup_root)
    machine = MachineCounters(configuration.proc_root, configuration.sys_root)
    offered = open_sources(configuration)
    sources = [each for each in offered if not isinstance(each, Absent)]
    absent = [each for each in offered if isinstance(each, Absent)]
    captures = Captures(
        configuration.folder, configuration.limit_bytes, configuration.period_s, absent
    )
    json_lines.of_run(lambda: json_lines.run_of(captures.newest_active))
    flusher = Flusher(captures.flush)
    newest = Newest()
    readings = _readings(configuration, captures, tree, (machine, sources), newest)
    added: list[Extension] = [
        capture_calls.extension(captures),
        status.extension(
            identity,
            tree,
            status.describe([machine, *sources], absent, tree),
            captures,
            metrics=_metrics(configuration, tree, newest, sources),
            silence=lambda: _silence(readings[0]),
        ),
        *extensions(configuration),
    ]
    for each in added:
        each.start()
        stack.callback(each.stop)
    for source in sources:
        stack.callback(source.close)
    flusher.start()
    stack.callback(flusher.stop)
    for reading in readings:
        reading.start()
        stack.callback(reading.stop)
    return {key: route for each in added for key, route in each.routes.items()}, identity


def _readings(
    configuration: Configuration,
    captures: Captures,
    tree: Tree,
    sources: tuple[MachineCounters, Sequence[Source]],
    newest: Newest,
) -> list[Reading]:
    """The thread of the kernel's counters, then one for each further source."""
    machine, further = sources
    devices = physical_devices(configuration.sys_root)
    pods = PodCounters(tree, configuration.proc_root, devices)
    kernel = read_kernel(captures, pods, machine, configuration.period_s)
    return [
        Reading('kernel', captures, configuration.period_s, kernel, is_timed=True),
        *(
            Reading(
                f'{source.kind}-{source.name}',
                captures,
                configuration.period_s,
                read_source(captures, source, newest),
                is_asked=newest.is_asked,
            )
            for source in further
        ),
    ]


def _metrics(
    configuration: Configuration, tree: Tree, newest: Newest, sources: Sequence[Source]
) -> Callable[[], bytes]:
    """What makes the text for Prometheus: readings of its own, so that no capture waits for it."""
    devices = physical_devices(configuration.sys_root)
    pods = PodCounters(tree, configuration.proc_root, devices)
    machine = MachineCounters(configuration.proc_root, configuration.sys_root)
    one_at_a_time = threading.Lock()

    def metrics() -> bytes:
        with one_at_a_time:
            of_pods = pods.read(None)
            # Of all containers of the machine: too many files to keep open until the next scrape.
            pods.close()
            rows = {
                **of_pods,
                machine.kind: machine.read(time.time_ns(), time.monotonic_ns()),
                'power': newest.rows('power'),
                'energy': newest.energy.rows(time.monotonic_ns()),
                'gpu': newest.rows('gpu'),
                **_facts(configuration.sys_root, sources),
            }
        return exposition(rows, time.process_time_ns())

    return metrics


def _facts(sys_root: Path, sources: Sequence[Source]) -> dict[str, list[Row]]:
    now_ns = time.monotonic_ns()
    of_sources = (getattr(source, 'facts', None) for source in sources)
    return rows_of((*of_sources, sysfs_facts(sys_root, time.time_ns(), now_ns)), now_ns)


def _silence(reading: Reading) -> str | None:
    silent_s = time.monotonic() - reading.turned_s
    if silent_s <= SILENCE_LIMIT_S:
        return None
    return f'the reading loop last turned {silent_s:.1f} s ago'


def main() -> int:
    """Read the configuration, then the machine."""
    json_lines.install('machine-reader')
    if len(sys.argv) != 2:
        print('usage: ros2bench-machine-reader /etc/ros2bench/machine-reader.json', file=sys.stderr)
        return EXIT_USAGE
    try:
        return read_machine(read_configuration(Path(sys.argv[1])))
    except ConfigurationError as error:
        print(f'ros2bench-machine-reader: {error}', file=sys.stderr)
        return EXIT_USAGE


if __name__ == '__main__':
    sys.exit(main())
