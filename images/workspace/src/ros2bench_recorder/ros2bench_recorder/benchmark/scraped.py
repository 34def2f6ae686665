"""What a recorder costs that Prometheus reads every second: as exporter alone, and with a capture.

`python3 -m ros2bench_recorder.benchmark.scraped`. Writes a line of JSON for each round of four
windows in an order drawn anew; `python -m benchmarks.exporter_cost` computes what they mean.
"""

import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ros2bench_recorder.benchmark.parts import PORT, Conversation, Recorder, load_for
from ros2bench_recorder.watching import DEPTH

EXPORTER, READ = 'exporter', 'read'
# Of these only the first keeps no samples, and only the first two are read.
ARMS = (EXPORTER, READ, 'unread', 'again')
SETTLE_S = 1.0
PERIOD_S = 1.0
TIMEOUT_S = 5.0
MESSAGES = 'ros2bench_messages_total'


def main() -> int:
    """Run all rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--topics', type=int, default=50, help='number of topics')
    parser.add_argument('--rate-hz', type=float, default=30.0, help='messages per second and topic')
    parser.add_argument('--rounds', type=int, default=5, help='rounds of three windows')
    parser.add_argument('--window-s', type=float, default=10.0, help='length of a window')
    parser.add_argument('--seed', type=int, default=1, help='seed of the order')
    asked = parser.parse_args()
    chance = random.Random(asked.seed)  # noqa: S311 (an order, not a secret)
    topics = [f'/benchmark/topic_{number:02d}' for number in range(asked.topics)]
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(topics, Path(folder), DEPTH)
        load = load_for(topics, 1)
        rate_hz = asked.rate_hz * asked.topics
        try:
            load.ask(f'{rate_hz} {SETTLE_S}')
            for _ in range(asked.rounds):
                windows = {}
                for arm in chance.sample(ARMS, len(ARMS)):
                    is_read = arm in {EXPORTER, READ}
                    keeping = recorder.without_capture() if arm == EXPORTER else nullcontext()
                    with keeping:
                        windows[arm] = _window(
                            recorder, load, rate_hz, asked.window_s, is_read=is_read
                        )
                print(json.dumps({'kind': 'round', **windows}), flush=True)
        finally:
            load.close()
            recorder.close()
    return 0


def _window(
    recorder: Recorder, load: Conversation, rate_hz: float, seconds: float, *, is_read: bool
) -> dict[str, Any]:
    """One window: processor time of the recorder, messages, and the pages that were read."""
    time.sleep(SETTLE_S)
    ended = threading.Event()
    sizes: list[int] = []
    reader = threading.Thread(target=_read, args=(ended, sizes), daemon=True)
    received, cpu_ns = _received(), recorder.cpu_ns
    if is_read:
        reader.start()
    told = load.ask(f'{rate_hz} {seconds}')
    ended.set()
    if is_read:
        reader.join()
    time.sleep(SETTLE_S)
    cpu_after_ns = recorder.cpu_ns
    return {
        'cpu_s': (cpu_after_ns - cpu_ns) / 1e9,
        'sent': told['sent'],
        'received': _received() - received,
        'pages': len(sizes),
        'page_bytes': max(sizes, default=0),
    }


def _received() -> int:
    """Messages of all topics since the recorder's start, as its page tells them."""
    connection = http.client.HTTPConnection('127.0.0.1', PORT, timeout=TIMEOUT_S)
    try:
        lines = _page(connection).decode().splitlines()
    finally:
        connection.close()
    return sum(
        round(float(line.rpartition(' ')[2])) for line in lines if line.startswith(f'{MESSAGES}{{')
    )


def _read(ended: threading.Event, sizes: list[int]) -> None:
    """Read the page once a second, as Prometheus does: on one connection that stays open."""
    connection = http.client.HTTPConnection('127.0.0.1', PORT, timeout=TIMEOUT_S)
    while not ended.is_set():
        sizes.append(len(_page(connection)))
        ended.wait(PERIOD_S)
    connection.close()


def _page(connection: http.client.HTTPConnection) -> bytes:
    connection.request('GET', '/metrics', headers={'Accept': 'text/plain;version=0.0.4'})
    answer = connection.getresponse()
    page = answer.read()
    if answer.status != http.client.OK:
        raise SystemExit(f'/metrics answered {answer.status}')
    return page


if __name__ == '__main__':
    sys.exit(main())
