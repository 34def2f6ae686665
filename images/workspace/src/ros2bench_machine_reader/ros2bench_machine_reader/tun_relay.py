"""The relay: reads packets from a TUN device, holds them, and gives them back to the machine."""

import contextlib
import ctypes
import fcntl
import gc
import os
import select
import struct
import time
from pathlib import Path

from ros2bench_machine_reader.fault_path import LARGEST_PACKET_BYTES
from ros2bench_machine_reader.packet_queue import PacketQueue

TUN_DEVICE = Path('/dev/net/tun')
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_INTERFACE_REQUEST = struct.Struct('16sH22x')
_PR_SET_TIMERSLACK = 29
_READS_AT_ONCE = 64
_IPV4 = 4
_FIRST = -20
NANOSECONDS_PER_SECOND = 1e9


def open_tun(name: str, device: Path = TUN_DEVICE) -> int:
    """Make a TUN device that exists as long as the file is open.

    Returns:
        Its file descriptor, not blocking.

    Raises:
        OSError: the kernel has none, or this process may not make one.
    """
    tun = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        request = _INTERFACE_REQUEST.pack(name.encode(), _IFF_TUN | _IFF_NO_PI)
        fcntl.ioctl(tun, _TUNSETIFF, request)
    except OSError:
        os.close(tun)
        raise
    return tun


def relay(tun: int, queue: PacketQueue, ended: int, until_s: float) -> None:
    """Pass packets on until somebody ends it or its time is over; then call `drain`.

    Args:
        tun: TUN device.
        queue: decides about packets.
        ended: file that becomes readable when the fault must end.
        until_s: monotonic time at which it ends by itself.
    """
    _wake_in_time()
    gc.collect()
    gc.freeze()
    gc.disable()
    files = [tun, ended]
    while (now_s := time.monotonic()) < until_s:
        due_ns = queue.due_ns
        wait_s = until_s - now_s
        if due_ns is not None:
            wait_s = min(wait_s, max(0.0, due_ns / NANOSECONDS_PER_SECOND - now_s))
        ready = select.select(files, (), (), wait_s)[0]
        if ended in ready:
            break
        if tun in ready:
            _read(tun, queue)
        while (packet := queue.pop(time.monotonic_ns())) is not None:
            _send(tun, queue, packet)


def _wake_in_time() -> None:
    """Come first among processes, as the kernel's own netem would; `latest_ns` tells how well."""
    # The kernel would otherwise wake this process up to 50 µs late.
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1)
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        # Not permitted everywhere, even to root: the next best is permitted to it.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _FIRST)


def drain(tun: int, queue: PacketQueue) -> None:
    """Pass on what has arrived and what is held, once no more packets are led here."""
    while _read(tun, queue) == _READS_AT_ONCE:
        pass
    for packet in queue.pop_all():
        _send(tun, queue, packet)


def _read(tun: int, queue: PacketQueue) -> int:
    for count in range(_READS_AT_ONCE):
        try:
            packet = os.read(tun, LARGEST_PACKET_BYTES)
        except BlockingIOError:
            return count
        # The kernel itself sends a little IPv6 into every new device.
        if packet and packet[0] >> 4 == _IPV4:
            queue.add(packet, time.monotonic_ns())
    return _READS_AT_ONCE


def _send(tun: int, queue: PacketQueue, packet: bytes) -> None:
    try:
        os.write(tun, packet)
    except OSError:
        queue.counts.failed += 1
        return
    queue.counts.sent += 1
    queue.counts.sent_bytes += len(packet)
