"""What tracing adds to a node: processor time of a loop that traces, and of one that does not.

`python3 -m ros2bench_recorder.benchmark.traced`. Each window is a process that wakes for every
frame and does nothing else, so that what tracing takes can be told from it; spans go over HTTP to a
stand-in for a collector, which answers and forgets. Writes a line of JSON for each round of four
windows in an order drawn anew; `python -m benchmarks.tracing_cost` computes what they mean.
"""

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ros2bench_telemetry.tracer import ENDPOINT, SAMPLE_EVERY, Tracer, open_tracer

# Of how many frames one is traced; two arms are alike without tracing: the control.
ARMS = {'traced': 1, 'sampled': 7, 'untraced': 0, 'again': 0}
# Imports, the first connection and the first batch are no part of what a frame costs.
SETTLE_S = 6.0
LATE_NS = 10_000_000


class StandInCollector(BaseHTTPRequestHandler):
    """Takes every request as a collector of OTLP does."""

    protocol_version = 'HTTP/1.1'

    def do_POST(self) -> None:
        """Answer that all spans were taken."""
        self.rfile.read(int(self.headers['Content-Length']))
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'{}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> int:
    """Run all rounds, or, as a process of its own, one window."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rate-hz', type=float, default=10.0, help='frames per second')
    parser.add_argument('--rounds', type=int, default=10, help='rounds of four windows')
    parser.add_argument('--window-s', type=float, default=10.0, help='length of a window')
    parser.add_argument('--seed', type=int, default=1, help='seed of the order')
    parser.add_argument('--port', type=int, help='one window: port of the collector')
    parser.add_argument('--sample-every', type=int, help='one window: one frame in how many, or 0')
    asked = parser.parse_args()
    if asked.port is not None:
        print(window(asked.port, asked.sample_every, asked.rate_hz, asked.window_s))
        return 0
    server = ThreadingHTTPServer(('127.0.0.1', 0), StandInCollector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    chance = random.Random(asked.seed)  # noqa: S311 (an order, not a secret)
    for _ in range(asked.rounds):
        spent = {}
        for arm in chance.sample(sorted(ARMS), len(ARMS)):
            spent[arm] = _in_process(
                f'--port={server.server_port}',
                f'--sample-every={ARMS[arm]}',
                f'--rate-hz={asked.rate_hz}',
                f'--window-s={asked.window_s}',
            )
        print(json.dumps({'kind': 'round', **spent}), flush=True)
    return 0


def _in_process(*options: str) -> float:
    command = [sys.executable, '-m', 'ros2bench_recorder.benchmark.traced', *options]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def window(port: int, sample_every: int, rate_hz: float, seconds: float) -> float:
    """Seconds of processor time of a window in which one frame in so many is traced; 0 for none."""
    tracer = _tracer(port, sample_every) if sample_every else None
    first = _frames(tracer, rate_hz, SETTLE_S, 0)
    before_ns = time.process_time_ns()
    _frames(tracer, rate_hz, seconds, first)
    spent_ns = time.process_time_ns() - before_ns
    if tracer is not None:
        tracer.close()
    return spent_ns / 1e9


def _tracer(port: int, sample_every: int) -> Tracer:
    environment = {ENDPOINT: f'http://127.0.0.1:{port}', SAMPLE_EVERY: str(sample_every)}
    return open_tracer(
        'detect',
        kind='detector',
        node='/detector',
        stream=0,
        topic='/detections',
        after='camera',
        environment=environment,
    )


def _frames(tracer: Tracer | None, rate_hz: float, seconds: float, first: int) -> int:
    """Wake for every frame of a span of time, and trace it; gives the number of the next one."""
    began_s, count = time.monotonic(), round(rate_hz * seconds)
    for number in range(count):
        time.sleep(max(0.0, began_s + number / rate_hz - time.monotonic()))
        now_ns = time.time_ns()
        if tracer is not None:
            tracer.note(first + number, now_ns - LATE_NS, now_ns)
    return first + count


if __name__ == '__main__':
    sys.exit(main())
