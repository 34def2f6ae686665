"""Publishes small messages on many topics; each line `RATE_HZ SECONDS` of its input is one round.

Answers each round with a line of JSON. Messages are serialised beforehand, since Python would else
spend more on making them than the middleware on sending them.
"""

import json
import struct
import sys
import time
from collections.abc import Sequence
from typing import Any

import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy

from ros2bench_interfaces.msg import Text
from ros2bench_recorder.benchmark import depth

MATCH_LIMIT_S = 60.0
LEAST_PAUSE_S = 0.001
NANOSECONDS_PER_SECOND = 1_000_000_000
TEXT = b'a message of ordinary length, as many topics of a robot carry it\0'
BODY = struct.Struct('<IiIQiI')


def serialised(frame_number: int, due_ns: int, now_ns: int) -> bytes:
    """A `ros2bench_interfaces/msg/Text` as CDR, little endian."""
    head = BODY.pack(
        0x0100,
        *divmod(due_ns, NANOSECONDS_PER_SECOND),
        frame_number,
        *divmod(now_ns, NANOSECONDS_PER_SECOND),
    )
    return head + struct.pack('<I', len(TEXT)) + TEXT


def send(publishers: Sequence[Any], rate_hz: float, seconds: float, first: int) -> dict[str, Any]:
    """Send on all topics in turn, on a schedule that never waits for anybody.

    Args:
        publishers: one per topic.
        rate_hz: messages per second of all topics together.
        seconds: length of the round.
        first: number of its first message.
    """
    count = round(rate_hz * seconds)
    period_ns = NANOSECONDS_PER_SECOND / rate_hz
    started_ns, sent = time.time_ns(), 0
    while sent < count:
        now_ns = time.time_ns()
        due = min(count, int((now_ns - started_ns) / period_ns) + 1)
        while sent < due:
            message = serialised(first + sent, started_ns + round(sent * period_ns), time.time_ns())
            publishers[sent % len(publishers)].publish(message)
            sent += 1
        time.sleep(LEAST_PAUSE_S)
    elapsed_s = (time.time_ns() - started_ns) / NANOSECONDS_PER_SECOND
    return {'sent': sent, 'achieved_hz': sent / max(elapsed_s, seconds)}


def wait_for_subscribers(publishers: Sequence[Any], wanted: int) -> None:
    """Wait until everybody who shall hear has been found.

    Raises:
        SystemExit: not within a minute.
    """
    end_s = time.monotonic() + MATCH_LIMIT_S
    while any(publisher.get_subscription_count() < wanted for publisher in publishers):
        if time.monotonic() > end_s:
            raise SystemExit(f'not every topic has {wanted} subscribers after {MATCH_LIMIT_S:g} s')
        time.sleep(0.1)


def main() -> int:
    """Publish as told: arguments are how many subscribers to wait for, and the topics."""
    wanted, topics = int(sys.argv[1]), sys.argv[2:]
    rclpy.init(args=[])
    node = rclpy.create_node('benchmark_load', enable_rosout=False, start_parameter_services=False)
    quality = QoSProfile(depth=depth(len(topics)), reliability=ReliabilityPolicy.BEST_EFFORT)
    publishers = [node.create_publisher(Text, topic, quality) for topic in topics]
    wait_for_subscribers(publishers, wanted)
    print(json.dumps({'ready': True}), flush=True)
    first = 0
    for line in sys.stdin:
        rate_hz, seconds = map(float, line.split())
        told = send(publishers, rate_hz, seconds, first)
        first += told['sent']
        print(json.dumps(told), flush=True)
    node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
