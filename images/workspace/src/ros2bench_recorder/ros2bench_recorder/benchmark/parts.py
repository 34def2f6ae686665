"""The processes of the benchmark: sender, ordinary subscriber, recorder; each tells what it did."""

import base64
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ros2bench_service.signed_calls import HEADER, signed_content

NAMESPACE = 'benchmark'
PORT = 8099
READY_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0
MESSAGE_TYPE = 'ros2bench_interfaces/msg/Text'
MOST_SAMPLES = 10_000_000
CAPTURES_BYTES = 2**30


class Conversation:
    """A program that answers each line of its input with a line of JSON."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, '-m', f'ros2bench_recorder.benchmark.{module}', *arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read()

    def ask(self, line: str = '') -> dict[str, Any]:
        """Its answer to a line.

        Raises:
            SystemExit: it has ended.
        """
        if self._process.stdin is None:
            raise SystemExit('a program of the benchmark has no input')
        self._process.stdin.write(f'{line}\n')
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ''
        if not line:
            raise SystemExit(f'{self._process.args} ended with {self._process.wait()}')
        return json.loads(line)

    def close(self) -> None:
        """End its input, upon which it ends itself."""
        self._process.communicate(timeout=STOP_LIMIT_S)


class Subscriber(Conversation):
    """The ordinary node."""

    def __init__(self, topics: Sequence[str], depth: int) -> None:
        """Start it.

        Args:
            topics: what it hears.
            depth: of its queues.
        """
        super().__init__('subscriber', str(depth), *topics)

    def counts(self) -> tuple[int, int]:
        """Messages received and nanoseconds of processor time, since its start."""
        told = self.ask()
        return told['received'], told['cpu_ns']


class Recorder:
    """The recorder itself, with a capture that runs from its start on."""

    def __init__(self, topics: Sequence[str], folder: Path, depth: int) -> None:
        """Start it and wait until it hears.

        Args:
            topics: what it records.
            folder: for its file and its samples.
            depth: of its queues.
        """
        self._key = Ed25519PrivateKey.generate()
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        path = folder / 'recorder.json'
        path.write_text(
            json.dumps(_file(topics, folder / 'captures', public, depth)), encoding='utf-8'
        )
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'ros2bench_recorder.recorder', str(path)],
            env={**os.environ, 'ROS2BENCH_NAMESPACE': NAMESPACE},
        )
        self._wait()
        self._begin_capture()

    @contextmanager
    def without_capture(self) -> Iterator[None]:
        """It keeps no samples meanwhile, as between two runs; what it kept is deleted."""
        self._end_capture()
        try:
            yield
        finally:
            self._begin_capture()

    def _begin_capture(self) -> None:
        self._call('POST', '/v1/captures', {'capture': 'a', 'max_samples': MOST_SAMPLES})

    def _end_capture(self) -> None:
        self._call('POST', '/v1/captures/a/stop')
        self._call('DELETE', '/v1/captures/a')

    @property
    def cpu_ns(self) -> int:
        """Nanoseconds of processor time since its start, as the kernel counts them.

        The clock is that of clock_getcpuclockid(3), which Python does not call; Linux forms its
        number from the process identifier (include/linux/posix-timers.h, CPUCLOCK_SCHED).
        """
        return time.clock_gettime_ns(~self._process.pid << 3 | 2)

    def counts(self) -> tuple[int, int]:
        """Messages received and nanoseconds of processor time, since its start."""
        told = self._call('GET', '/v1/captures/a')
        return sum(told['samples'].values()) + sum(told['dropped'].values()), self.cpu_ns

    def dropped(self) -> int:
        """Messages that it received but could not keep."""
        return sum(self._call('GET', '/v1/captures/a')['dropped'].values())

    def close(self) -> None:
        """End it and delete what it kept, which the next one in this folder would find."""
        self._end_capture()
        self._process.terminate()
        self._process.wait(STOP_LIMIT_S)

    def _wait(self) -> None:
        end_s = time.monotonic() + READY_LIMIT_S
        while not _listens(PORT):
            if time.monotonic() > end_s or self._process.poll() is not None:
                raise SystemExit(f'the recorder does not answer on port {PORT}')
            time.sleep(0.1)
        self._call('GET', '/readyz')

    def _call(self, method: str, path: str, content: Any = None) -> Any:
        body = b'' if content is None else json.dumps(content).encode()
        nonce, now_ns = secrets.token_hex(16), time.time_ns()
        signed = signed_content(
            f'recorder/{NAMESPACE}', method, path, body, time_ns=now_ns, nonce=nonce
        )
        signature = base64.b64encode(self._key.sign(signed)).decode()
        header = {HEADER: f'ros2bench time_ns={now_ns},nonce={nonce},signature={signature}'}
        connection = http.client.HTTPConnection('127.0.0.1', PORT, timeout=READY_LIMIT_S)
        try:
            connection.request(method, path, body, header)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise SystemExit(f'the recorder answers {method} {path} with {answer.status}: {said!r}')
        return json.loads(said) if said else None


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(('127.0.0.1', port)) == 0


def _file(topics: Sequence[str], captures: Path, public: bytes, depth: int) -> dict[str, Any]:
    return {
        'contract': 1,
        'port': PORT,
        'operator': base64.b64encode(public).decode(),
        'captures': {'folder': str(captures), 'limit_bytes': CAPTURES_BYTES},
        'topics': [
            {
                'name': name,
                'type': MESSAGE_TYPE,
                'reliability': 'best_effort',
                'depth': depth,
                'stamp': 'ros2bench',
            }
            for name in topics
        ],
    }


def load_for(topics: Sequence[str], subscribers: int) -> Conversation:
    """A sender that has found everybody who listens."""
    return Conversation('load', str(subscribers), *topics)
