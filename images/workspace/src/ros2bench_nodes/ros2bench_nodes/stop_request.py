"""Waits for SIGTERM and SIGINT in a way that no other thread can spoil."""

import signal
import socket

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """A stop that is requested by a signal or by another thread; make it in the main thread.

    Libraries start threads of their own, and a signal may reach any thread. Whichever it is, the
    interpreter writes a byte to the wake-up socket, for which the main thread waits.
    """

    def __init__(self) -> None:
        self._waiting, self._waking = socket.socketpair()
        self._waking.settimeout(0)
        signal.set_wakeup_fd(self._waking.fileno())
        for stop_signal in STOP_SIGNALS:
            signal.signal(stop_signal, lambda *_: None)

    def request(self) -> None:
        """Request a stop from any thread."""
        self._waking.send(b'\0')

    def wait(self) -> None:
        """Return when a stop has been requested."""
        self._waiting.recv(1)
