"""Takes serialised messages from the middleware as soon as they arrive.

Two loops with the same face: `WaitSetLoop` drains the subscriptions without an executor, which
costs a tenth of the processor time but uses rclpy's implementation module; `PublicLoop` uses
nothing but the documented interface.
"""

import threading
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

from ros2bench_recorder.configuration import ConfigurationError, Topic
from ros2bench_recorder.pace import Pace
from ros2bench_recorder.quality import quality
from ros2bench_recorder.topic_recorder import TopicRecorder

NANOSECONDS_PER_SECOND = 1_000_000_000
TURN_S = 1.0


class Loop(Protocol):
    """A drain loop: `run` blocks in a thread of its own.

    Attributes:
        name: `waitset` or `public`.
        turned_s: its heartbeat.
        swept_ns: real time before which everything that had arrived has been taken.
        busy_ns: time spent outside of waiting; -1 where it cannot be told.
        subscriptions: one per recorder, in their order.
    """

    name: str
    subscriptions: Sequence[Any]
    turned_s: float
    swept_ns: int
    busy_ns: int

    def run(self) -> None:
        """Take messages until stopped."""
        ...

    def stop(self) -> None:
        """Make `run` return soon; may be called from any thread."""
        ...


def message_class(topic: Topic) -> Any:
    """Class of a topic's messages.

    Raises:
        ConfigurationError: this image has no such message package or type.
    """
    package, _, name = topic.type.split('/')
    try:
        return getattr(import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f'Topic {topic.name} has the type {topic.type}, which this recorder image does not '
            f'hold ({error}): build a recorder image with the package {package} in its workspace.'
        ) from error


class WaitSetLoop:
    """Waits on all subscriptions at once, takes what is there, and rests while it gathers anew."""

    name = 'waitset'

    def __init__(self, node: Node, recorders: Sequence[TopicRecorder]) -> None:
        # Imported here, so that a distribution without it can still use the other loop.
        from rclpy.impl.implementation_singleton import (  # noqa: PLC0415
            rclpy_implementation,
        )

        self.turned_s = time.monotonic()
        self.swept_ns = time.time_ns()
        self.busy_ns = 0
        self._stopping = threading.Event()
        self._guard = node.create_guard_condition(lambda: None)
        self._inputs = [
            (
                node.create_subscription(
                    message_class(recorder.topic),
                    recorder.topic.name,
                    lambda _: None,
                    quality(recorder.topic),
                    raw=True,
                    # An event that nobody takes would end every wait at once.
                    event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
                ),
                recorder,
            )
            for recorder in recorders
        ]
        self.subscriptions = [subscription for subscription, _ in self._inputs]
        shallowest = min((recorder.topic.depth for recorder in recorders), default=1)
        self._pace = Pace(len(recorders), shallowest)
        self._wait_set = rclpy_implementation.WaitSet(
            len(self._inputs), 1, 0, 0, 0, 0, node.context.handle
        )

    def run(self) -> None:
        """Take messages until stopped."""
        takers = {
            subscription.handle.pointer: (
                number,
                subscription.handle.take_message,
                subscription.msg_type,
                recorder.record,
            )
            for number, (subscription, recorder) in enumerate(self._inputs)
        }
        everyone = list(takers.values())
        pace, rested, woken_ns = self._pace, False, time.monotonic_ns()
        while not self._stopping.is_set():
            began_ns = time.time_ns()
            if rested:
                # Asking each queue is cheaper than asking which of them have something.
                ready = everyone
            else:
                self.busy_ns += time.monotonic_ns() - woken_ns
                ready = [takers[pointer] for pointer in self._wait()]
                woken_ns = time.monotonic_ns()
            found = False
            for number, take, message_type, record in ready:
                count = 0
                while (taken := take(message_type, True)) is not None:  # noqa: FBT003
                    record(*taken)
                    count += 1
                if count:
                    found = True
                    pace.note(number, count)
            self.turned_s, self.swept_ns = time.monotonic(), began_ns
            now_ns = time.monotonic_ns()
            rested = found and pace.may_rest(now_ns)
            if rested:
                self.busy_ns += now_ns - woken_ns
                time.sleep(pace.rest_s)
                woken_ns = time.monotonic_ns()

    def _wait(self) -> list[int]:
        """Wait for a message or a second; gives the subscriptions that have one."""
        wait_set = self._wait_set
        wait_set.clear_entities()
        for subscription, _ in self._inputs:
            wait_set.add_subscription(subscription.handle)
        wait_set.add_guard_condition(self._guard.handle)
        wait_set.wait(round(TURN_S * NANOSECONDS_PER_SECOND))
        return wait_set.get_ready_entities('subscription')

    def stop(self) -> None:
        """Make `run` return soon."""
        self._stopping.set()
        self._guard.trigger()


class PublicLoop:
    """Raw subscriptions with message information, called by an executor."""

    name = 'public'

    def __init__(self, node: Node, recorders: Sequence[TopicRecorder]) -> None:
        self.turned_s = time.monotonic()
        self.swept_ns = time.time_ns()
        self.busy_ns = -1
        self._executor = SingleThreadedExecutor(context=node.context)
        self._stopping = Future()
        self.subscriptions = [
            node.create_subscription(
                message_class(recorder.topic),
                recorder.topic.name,
                _two_arguments(recorder),
                quality(recorder.topic),
                raw=True,
            )
            for recorder in recorders
        ]
        node.create_timer(TURN_S, self._turn)
        self._executor.add_node(node)

    def _turn(self) -> None:
        # An executor does not tell what it has left; every turn of the timer it has been through.
        self.swept_ns = time.time_ns() - round(TURN_S * NANOSECONDS_PER_SECOND)
        self.turned_s = time.monotonic()

    def run(self) -> None:
        """Take messages until stopped."""
        self._executor.spin_until_future_complete(self._stopping)

    def stop(self) -> None:
        """Make `run` return soon."""
        self._stopping.set_result(None)


def _two_arguments(recorder: TopicRecorder) -> Any:
    """A plain function: rclpy counts its arguments to know that it wants the information."""

    def callback(serialised: bytes, info: Any) -> None:
        recorder.record(serialised, info)

    return callback


LOOPS = {'waitset': WaitSetLoop, 'public': PublicLoop}


def make_loop(choice: str, node: Node, recorders: Sequence[TopicRecorder]) -> Loop:
    """Make the drain loop and its subscriptions.

    Args:
        choice: `waitset`, `public`, or `auto`: the first that this rclpy supports.
        node: owner of the subscriptions.
        recorders: one per topic.

    Raises:
        ConfigurationError: unknown choice, or a message type that the image does not hold.
    """
    if choice in LOOPS:
        return LOOPS[choice](node, recorders)
    if choice != 'auto':
        raise ConfigurationError(
            f'ROS2BENCH_RECORDER_LOOP is {choice!r}; choices: auto, {", ".join(LOOPS)}.'
        )
    try:
        return WaitSetLoop(node, recorders)
    except (AttributeError, ImportError, TypeError) as error:
        node.get_logger().warning(f'no wait set in this rclpy ({error}): using the public loop')
        return PublicLoop(node, recorders)
