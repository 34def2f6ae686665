"""What a network probe may be asked for."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from ros2bench_machine_reader.network_partner import parse_nonce
from ros2bench_machine_reader.probe_datagram import LARGEST_BYTES, LEAST_BYTES
from ros2bench_machine_reader.routing import CallRefused

REQUIRED = ('nonce', 'peer', 'port', 'mode', 'bytes')
OPTIONAL = ('count', 'interval_s', 'seconds')
MODES = ('rtt', 'bandwidth')
MOST_PROBES = 100_000
LONGEST_S = 300.0


@dataclass(frozen=True)
class Asked:
    """A probe as it was asked for."""

    nonce: bytes
    peer: tuple[str, int]
    mode: str
    size_bytes: int
    count: int
    interval_s: float
    seconds: float


def parse_probe(body: dict[str, Any]) -> Asked:
    """Check the body of a request; its keys have been checked.

    Raises:
        CallRefused: a value is refused.
    """
    mode = body['mode']
    if mode not in MODES:
        raise CallRefused(400, f'mode is {mode!r} but must be one of {list(MODES)}')
    needed = ('count', 'interval_s') if mode == 'rtt' else ('seconds',)
    if lacking := [key for key in needed if key not in body]:
        raise CallRefused(400, f'mode {mode} needs {", ".join(lacking)}')
    try:
        peer = str(IPv4Address(body['peer']))
    except ValueError as error:
        raise CallRefused(400, f'peer: {error}') from error
    asked = Asked(
        nonce=parse_nonce(body['nonce']),
        peer=(peer, int(_number(body, 'port', 1, 65535, whole=True))),
        mode=mode,
        size_bytes=int(_number(body, 'bytes', LEAST_BYTES, LARGEST_BYTES, whole=True)),
        count=int(_number(body, 'count', 1, MOST_PROBES, whole=True)),
        interval_s=_number(body, 'interval_s', 0, LONGEST_S),
        seconds=_number(body, 'seconds', 0.1, LONGEST_S),
    )
    if mode == 'rtt' and asked.count * asked.interval_s > LONGEST_S:
        raise CallRefused(400, f'count * interval_s is more than {LONGEST_S:g} s')
    return asked


def _number(
    body: dict[str, Any], key: str, low: float, high: float, *, whole: bool = False
) -> float:
    value = body.get(key, low)
    right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not right or not low <= value <= high:
        kind = 'whole number' if whole else 'number'
        raise CallRefused(400, f'{key} is {value!r} but must be a {kind} from {low:g} to {high:g}')
    return value
