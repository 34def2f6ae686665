"""`GET /v1/starts`: when each container's program began to run, as its runtime's folder tells.

runc keeps a folder for each container, in which its `runc init` waits behind a named pipe.
`runc start` opens the pipe, the program is executed, and the pipe is removed: that last change of
the folder is dated by the kernel, to a tick of it. Whoever reports the start later (shim,
containerd, kubelet) waits for processor time that the program already uses.
Source: opencontainers/runc, libcontainer: `exec`, `handleFifoResult`, standard_init_linux.go.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ros2bench_machine_reader.configuration import Configuration
from ros2bench_machine_reader.routing import Extension, Request, Response, Route, json_response

PIPE = 'exec.fifo'
STATE = 'state.json'
CONTAINER_ID = re.compile(r'[0-9a-f]{64}')
# Linux's number of it; Python has no name for the clock that files are dated by.
CLOCK_REALTIME_COARSE = 5
TICK_NS = round(time.clock_getres(CLOCK_REALTIME_COARSE) * 1e9)
"""Files are dated by the kernel's last tick, so half of one before the change in the mean."""
REWRITTEN_NS = 1_000_000
"""Between making a container, which writes its state, and its start lies more than this. A later
change of limits writes the state anew, and the folder is then dated by that."""
NOT_ASKED = 'runtime_state_not_asked'
NOT_FOUND = 'no_runtime_state'


def starts(folder: Path) -> Iterator[tuple[str, int]]:
    """Identifier of each container that has started, and when, in ns since the Unix epoch.

    Args:
        folder: The runtime's, with a folder for each container.

    Raises:
        OSError: the folder cannot be read.
    """
    for each in sorted(folder.iterdir()):
        if not CONTAINER_ID.fullmatch(each.name):
            continue
        try:
            started_ns, written_ns = each.stat().st_mtime_ns, (each / STATE).stat().st_mtime_ns
            waits = (each / PIPE).exists()
        except OSError:
            # It ended between the listing and now.
            continue
        if not waits and started_ns - written_ns > REWRITTEN_NS:
            yield each.name, started_ns + TICK_NS // 2


def answer(folder: Path | None) -> dict[str, Any]:
    """What the call answers.

    Args:
        folder: The runtime's; none where the stack file does not ask for it.
    """
    if folder is None:
        return {'starts': [], 'resolution_ns': TICK_NS, 'missing': NOT_ASKED}
    try:
        found = [{'container_id': name, 'started_ns': at_ns} for name, at_ns in starts(folder)]
    except OSError:
        return {'starts': [], 'resolution_ns': TICK_NS, 'missing': NOT_FOUND}
    return {'starts': found, 'resolution_ns': TICK_NS, 'missing': None}


def extension(configuration: Configuration) -> Extension:
    """The call."""

    def give(_: Request) -> Response:
        return json_response(200, answer(configuration.runtime_state))

    return Extension(routes={('GET', '/v1/starts'): Route(give)})
