"""`ros2bench-recorder-benchmark`: the recorder and ordinary subscribers on the same topics.

First all of them at the same time at a moderate rate, for the processor time of each; then each
alone at growing rates on one topic, for the largest without a loss: with many topics an executor
takes a message of each in one turn, which hides what a message costs. The rates are sought twice:
with the queue that an ordinary node has, and with one as deep as the recorder's, which leaves only
what each message costs. Writes a line of JSON for each result;
`python -m benchmarks.recorder_against_subscriber` computes what they mean.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ros2bench_recorder.benchmark import DEFAULT_DEPTH, depth
from ros2bench_recorder.benchmark.parts import Conversation, Recorder, Subscriber, load_for
from ros2bench_recorder.benchmark.rates import Round, largest_loss_free

SETTLE_S = 1.0
ROUND_S = 3.0
ARRIVAL_LIMIT_S = 5.0
Listener = Recorder | Subscriber


def main() -> int:
    """Run both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--topics', type=int, default=50, help='number of topics')
    parser.add_argument('--rate-hz', type=float, default=30.0, help='messages per second and topic')
    parser.add_argument('--windows', type=int, default=10, help='windows of the first part')
    parser.add_argument('--window-s', type=float, default=5.0, help='length of a window')
    parser.add_argument('--rate-topics', type=int, default=1, help='topics of the searches')
    parser.add_argument('--searches', type=int, default=3, help='searches for the largest rate')
    parser.add_argument('--seed', type=int, default=1, help='seed of every order')
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _cpu(_names(asked.topics), Path(folder), asked)
        _rates(_names(asked.rate_topics), Path(folder), asked)
    return 0


def _names(count: int) -> list[str]:
    return [f'/benchmark/topic_{number:02d}' for number in range(count)]


def _tell(kind: str, **content: Any) -> None:
    print(json.dumps({'kind': kind, **content}), flush=True)


def _cpu(topics: Sequence[str], folder: Path, asked: argparse.Namespace) -> None:
    """New processes for each window: two equal ones may differ by some percent all their life."""
    chance = random.Random(asked.seed)  # noqa: S311 (an order, not a secret)
    for _ in range(asked.windows):
        makers = _makers(topics, folder, depth(len(topics)))
        order = chance.sample(sorted(makers), len(makers))
        listeners = {name: makers[name]() for name in order}
        _cpu_window(topics, listeners, asked.rate_hz * asked.topics, asked.window_s)


def _makers(topics: Sequence[str], folder: Path, queued: int) -> dict[str, Callable[[], Listener]]:
    """Start the recorder, and two ordinary nodes with a queue of a depth."""
    return {
        'recorder': partial(Recorder, topics, folder, depth(len(topics))),
        'subscriber': partial(Subscriber, topics, queued),
        'again': partial(Subscriber, topics, queued),
    }


def _cpu_window(
    topics: Sequence[str], listeners: Mapping[str, Listener], rate_hz: float, window_s: float
) -> None:
    """Everybody hears every message."""
    load = load_for(topics, len(listeners))
    try:
        # Buffers and caches fill in a first round that is not counted.
        load.ask(f'{rate_hz} {SETTLE_S}')
        time.sleep(SETTLE_S)
        before = {name: listener.counts() for name, listener in listeners.items()}
        told = load.ask(f'{rate_hz} {window_s}')
        time.sleep(SETTLE_S)
        after = {name: listener.counts() for name, listener in listeners.items()}
        spent = {name: (after[name][1] - before[name][1]) / 1e9 for name in listeners}
        received = {name: after[name][0] - before[name][0] for name in listeners}
        _tell('cpu', seconds=spent, received=received, **told)
        _tell('dropped', recorder=listeners['recorder'].dropped())
    finally:
        _close(load, *listeners.values())


def _rates(topics: Sequence[str], folder: Path, asked: argparse.Namespace) -> None:
    """Each alone: a machine of two cores has one for the sender and one for the listener."""
    chance = random.Random(asked.seed)  # noqa: S311 (an order, not a secret)
    for _ in range(asked.searches):
        for queue, queued in {'default': DEFAULT_DEPTH, 'equal': depth(len(topics))}.items():
            makers = _makers(topics, folder, queued)
            found = {}
            for name in chance.sample(sorted(makers), len(makers)):
                found[name] = _largest_rate(topics, makers[name]())
            _tell('rate', queue=queue, **found)


def _largest_rate(topics: Sequence[str], listener: Listener) -> dict[str, Any]:
    load = load_for(topics, 1)
    try:
        free = largest_loss_free(lambda rate_hz: _round(load, listener, rate_hz))
    finally:
        _close(load, listener)
    return {'hz': free.rate_hz, 'is_bound': free.is_bound}


def _round(load: Conversation, listener: Listener, rate_hz: float) -> Round:
    before, _ = listener.counts()
    told = load.ask(f'{rate_hz} {ROUND_S}')
    received = _arrived(listener, before, told['sent'])
    return Round(told['sent'], received, told['achieved_hz'])


def _arrived(listener: Listener, before: int, wanted: int) -> int:
    """Messages that have arrived once all are there or no more come."""
    end_s, last = time.monotonic() + ARRIVAL_LIMIT_S, -1
    while time.monotonic() < end_s:
        received = listener.counts()[0] - before
        if received >= wanted or received == last:
            return received
        last = received
        time.sleep(SETTLE_S / 2)
    return last


def _close(*parts: Conversation | Recorder) -> None:
    for part in parts:
        part.close()


if __name__ == '__main__':
    sys.exit(main())
