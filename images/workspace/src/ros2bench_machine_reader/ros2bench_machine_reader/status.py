"""What the machine reader says about itself and its machine; the open calls."""

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ros2bench_machine_reader.captures import Captures
from ros2bench_machine_reader.cgroup_tree import Tree
from ros2bench_machine_reader.exposition import TEXT
from ros2bench_machine_reader.routing import (
    Extension,
    Request,
    Response,
    Route,
    json_response,
)
from ros2bench_machine_reader.sources import COLUMNS, Absent, Source

CONTRACT = 1


@dataclass(frozen=True)
class Identity:
    """Which machine this is.

    Attributes:
        boot_id: identity of the running kernel, one for all clocks that are the same.
        machine: name of the machine as the cluster knows it.
        address: of this pod, where other machine readers find it.
    """

    boot_id: str
    machine: str
    address: str


def own_identity(proc_root: Path, environment: Mapping[str, str]) -> Identity:
    """Who this machine reader is.

    Raises:
        OSError: the kernel does not tell its boot id.
    """
    boot_id = (proc_root / 'sys/kernel/random/boot_id').read_text(encoding='ascii').strip()
    machine = environment.get('ROS2BENCH_MACHINE') or socket.gethostname()
    return Identity(boot_id, machine, environment.get('ROS2BENCH_ADDRESS', ''))


def describe(
    sources: Sequence[Source], absent: Sequence[Absent], tree: Tree
) -> dict[str, dict[str, str]]:
    """What each kind comes from, or why it is missing.

    Args:
        sources: what is read.
        absent: kinds that the machine does not offer.
        tree: its control groups.
    """
    found: dict[str, dict[str, str]] = {each.kind: {'missing': each.reason} for each in absent}
    for source in sources:
        known = found.get(source.kind, {}).get('source')
        found[source.kind] = {'source': f'{known}+{source.name}' if known else source.name}
    groups = {'missing': 'no_cgroups'}
    if tree.main is not None:
        groups = {'source': f'cgroup_{tree.version}'}
    pods = {'containers': groups, 'processes': {'source': 'proc'} if tree.main else groups}
    known = {**pods, **found}
    return {kind: known.get(kind, {'missing': 'no_source'}) for kind in COLUMNS}


def extension(
    identity: Identity,
    tree: Tree,
    sources: Mapping[str, Mapping[str, str]],
    captures: Captures,
    *,
    metrics: Callable[[], bytes],
    silence: Callable[[], str | None],
) -> Extension:
    """The calls that anybody may make.

    Args:
        identity: which machine.
        tree: its control groups.
        sources: by kind.
        captures: what is captured.
        metrics: text for Prometheus.
        silence: what does not turn any more, None while all is well.
    """

    def status(_: Request) -> Response:
        return json_response(
            200,
            {
                'contract': CONTRACT,
                'boot_id': identity.boot_id,
                'machine': identity.machine,
                'address': identity.address,
                'cgroup': tree.version,
                'sources': sources,
                'cpu_ns': time.process_time_ns(),
                'rss_bytes': _resident_bytes(),
                'active_captures': [capture.identifier for capture in captures.active()],
            },
        )

    def clock(request: Request) -> Response:
        times: dict[str, Any] = {'received_ns': request.received_ns, 'sent_ns': time.time_ns()}
        return json_response(200, times)

    def exposed(_: Request) -> Response:
        return Response(200, TEXT, metrics())

    def health(_: Request) -> Response:
        if sentence := silence():
            return json_response(503, {'error': sentence})
        return json_response(200, {'status': 'reading'})

    return Extension(
        {
            ('GET', '/v1/status'): Route(status, open=True),
            ('GET', '/v1/clock'): Route(clock, open=True),
            ('GET', '/metrics'): Route(exposed, open=True),
            ('GET', '/healthz'): Route(health, open=True),
            ('GET', '/readyz'): Route(health, open=True),
        }
    )


def _resident_bytes() -> int:
    pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')
