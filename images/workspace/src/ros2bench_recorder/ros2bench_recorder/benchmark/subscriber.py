"""An ordinary node: a callback per topic that notes when a message came.

Answers each line of its input with its counts.
"""

import json
import sys
import threading
import time
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile, ReliabilityPolicy

from ros2bench_interfaces.msg import Text

NANOSECONDS_PER_SECOND = 1_000_000_000


def keeper(kept: list[tuple[int, int, int]]) -> Callable[[Text], None]:
    """A callback that keeps of a message what the recorder keeps too, as far as it is told."""

    def callback(message: Text) -> None:
        intended = message.stamp.intended
        intended_ns = intended.sec * NANOSECONDS_PER_SECOND + intended.nanosec
        kept.append((message.stamp.frame_number, intended_ns, time.time_ns()))

    return callback


def main() -> int:
    """Listen with a queue depth to topics: the arguments."""
    rclpy.init(args=[])
    node = rclpy.create_node('benchmark_subscriber')
    depth, topics = int(sys.argv[1]), sys.argv[2:]
    kept: dict[str, list[tuple[int, int, int]]] = {topic: [] for topic in topics}
    quality = QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
    for topic, samples in kept.items():
        node.create_subscription(Text, topic, keeper(samples), quality)

    def answer() -> None:
        print(json.dumps({'ready': True}), flush=True)
        for _ in sys.stdin:
            received = sum(map(len, kept.values()))
            told = {'received': received, 'cpu_ns': time.process_time_ns()}
            print(json.dumps(told), flush=True)
        rclpy.try_shutdown()

    threading.Thread(target=answer, daemon=True).start()
    try:
        rclpy.spin(node)
    except ExternalShutdownException:
        node.destroy_node()
    return 0


if __name__ == '__main__':
    sys.exit(main())
