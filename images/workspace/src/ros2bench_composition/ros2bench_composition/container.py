"""`ros2bench-component-container FILE`: holds components and loads what is listed and signed."""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from ros2bench_bringup import health_server
from ros2bench_composition import signature
from ros2bench_composition.audit import Audit, standard_output
from ros2bench_composition.component import Component
from ros2bench_composition.configuration import (
    Configuration,
    ConfigurationError,
    read_configuration,
)
from ros2bench_composition.guarded_import import install
from ros2bench_composition.last_good import DEFAULT, LastGood
from ros2bench_composition.manager import Host, Manager
from ros2bench_composition.manifest import parse_manifest
from ros2bench_composition.process_host import ProcessHost
from ros2bench_composition.refusal import Refusal
from ros2bench_composition.trusted_file import changeable_folders, read_trusted
from ros2bench_telemetry import json_lines

EXIT_FAILED = 1
EXIT_USAGE = 2
SETTLE_PERIOD_S = 1.0
STOP_LIMIT_S = 0.3
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SEARCH_PATHS = ('LD_LIBRARY_PATH', 'AMENT_PREFIX_PATH')


class Failure:
    """Why the container must end before it was asked to; the first reason counts."""

    def __init__(self) -> None:
        self.code = 0
        self._lock = threading.Lock()

    def because(self, sentence: str, code: int = EXIT_FAILED) -> None:
        """End the container with a sentence."""
        with self._lock:
            if self.code == 0:
                self.code = code
                say(sentence)
                os.kill(os.getpid(), signal.SIGTERM)


def say(sentence: str) -> None:
    """Tell whoever reads the log why the container ends."""
    json_lines.say('ERROR', sentence, logger='ros2bench-component-container')


def check_surroundings(configuration: Configuration, environment: Mapping[str, str]) -> None:
    """Refuse to run where somebody in this container could change what is loaded.

    Raises:
        Refusal: `writable` or `sros2`.
    """
    libraries = [p for name in SEARCH_PATHS for p in environment.get(name, '').split(':') if p]
    writable = changeable_folders([*sys.path, *libraries])
    if writable:
        raise Refusal(
            'writable',
            f'{", ".join(writable)} on the search path can be written here: run the container with '
            f'a read-only root and as the user of the image.',
        )
    enforced = (
        environment.get('ROS_SECURITY_ENABLE') == 'true'
        and environment.get('ROS_SECURITY_STRATEGY') == 'Enforce'
    )
    if configuration.trust.sros2 and not enforced:
        raise Refusal(
            'sros2',
            'trust.sros2 is true but ROS_SECURITY_ENABLE=true and ROS_SECURITY_STRATEGY=Enforce '
            'are not set: nothing would guard the services.',
        )


def first_set(
    configuration: Configuration, last_good: LastGood, audit: Audit
) -> tuple[Component, ...]:
    """What is loaded at the start: the last good set of this pod, else the configured one."""
    try:
        kept = last_good.read()
    except Refusal as refusal:
        audit.refused('last_good', 'container', refusal.reason, str(refusal))
        kept = None
    if kept is None:
        return configuration.components
    audit.accepted('last_good', 'container', nodes=[item.full_name for item in kept])
    return kept


def run(configuration: Configuration, last_good_path: Path) -> int:
    """Hold components until SIGTERM or SIGINT, or until something fails.

    Returns:
        Exit code.

    Raises:
        Refusal: the container is not safe to run, or the manifest is not the operator's.
        OSError: the port is taken.
    """
    check_surroundings(configuration, os.environ)
    trust = configuration.trust
    key = signature.public_key(trust.public_key)
    manifest_bytes = read_trusted(trust.manifest)
    signature.check_manifest(manifest_bytes, key, trust.signature)
    manifest = parse_manifest(manifest_bytes)
    # Blocked before any thread exists and fetched below, so that no other thread can be hit by one.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    container = f'/{configuration.container}'
    audit = Audit(container, manifest.sha256, standard_output())
    failure = Failure()
    host = make_host(configuration, manifest_bytes, audit, failure)
    last_good = LastGood(last_good_path, configuration.sha256)
    manager = Manager(
        container,
        manifest=manifest,
        limits=configuration.limits,
        host=host,
        authority=None if trust.sros2 else signature.Authority(key),
        caller='sros2' if trust.sros2 else f'key {signature.fingerprint(trust.public_key)}',
        audit=audit,
        last_good=last_good,
    )
    server = health_server.listen(configuration.port, manager.health)
    if server is not None:
        health_server.serve(server)
    stopped = threading.Event()

    def work() -> None:
        try:
            manager.start(first_set(configuration, last_good, audit))
        except Refusal as refusal:
            failure.because(str(refusal), EXIT_USAGE)
            return
        services = start_services(configuration.container, manager, failure)
        while not stopped.wait(SETTLE_PERIOD_S):
            manager.settle()
        services.stop()

    worker = threading.Thread(target=work, name='container', daemon=True)
    worker.start()
    signal.sigwait(STOP_SIGNALS)
    stopped.set()
    host.stop()
    worker.join(STOP_LIMIT_S)
    audit.flush()
    return failure.code


def make_host(
    configuration: Configuration, manifest: bytes, audit: Audit, failure: Failure
) -> Host:
    """What runs the components."""
    if configuration.process == 'per-component':
        return ProcessHost(manifest, audit)
    install(parse_manifest(manifest))
    # Where each component has its own process, the container needs ROS only once they are started.
    from rclpy import get_default_context, init  # noqa: PLC0415
    from rclpy.signals import SignalHandlerOptions  # noqa: PLC0415

    from ros2bench_composition.shared_host import SharedHost  # noqa: PLC0415

    init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    return SharedHost(get_default_context(), configuration.executor, failure.because, os.getpid())


def start_services(container: str, manager: Manager, failure: Failure):  # noqa: ANN201
    """Serve load, unload and list."""
    # See make_host.
    from rclpy import get_default_context, init, ok  # noqa: PLC0415
    from rclpy.signals import SignalHandlerOptions  # noqa: PLC0415

    from ros2bench_composition.services import Services  # noqa: PLC0415

    if not ok():
        init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    return Services(container, manager, get_default_context(), failure.because)


def main() -> int:
    """Read the configuration and hold components."""
    json_lines.install('component-container')
    if len(sys.argv) != 2:
        print(
            'usage: ros2bench-component-container /etc/ros2bench/composition.json', file=sys.stderr
        )
        return EXIT_USAGE
    try:
        return run(read_configuration(Path(sys.argv[1])), DEFAULT)
    except (ConfigurationError, Refusal) as error:
        say(str(error))
    except OSError as error:
        say(f'port cannot be used: {error.strerror}.')
    return EXIT_USAGE


if __name__ == '__main__':
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # All components are stopped; to take down the interpreter costs more than that.
    os._exit(code)
