"""Runs all components in this process, on the executor that the configuration names."""

import gc
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rclpy.context import Context
from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.node import Node

from ros2bench_composition.component import Component
from ros2bench_composition.hosted_node import health_of, make_node
from ros2bench_composition.limits import resident_bytes
from ros2bench_composition.refusal import Refusal
from ros2bench_composition.turning import Turning


@dataclass(frozen=True)
class Hosted:
    """A node, the executor that turns it, how to ask for its health."""

    node: Node
    turning: Turning
    health: Callable[[str], tuple[int, str]]


class SharedHost:
    """One process for all components: least memory, but one can starve or crash the others."""

    def __init__(
        self, context: Context, executor: str, failed: Callable[[str], None], process_id: int
    ) -> None:
        """Begin with no component.

        Args:
            context: of all nodes.
            executor: `single`, `multi`, or `isolated`: an executor and a thread per node.
            failed: told why the process must end.
            process_id: this process.
        """
        self._context = context
        self._kind = executor
        self._failed = failed
        self._process_id = process_id
        self._common = None if executor == 'isolated' else self._turning()
        self._begun: dict[int, Component] = {}
        self._hosted: dict[int, Hosted] = {}

    def _turning(self) -> Turning:
        kind = MultiThreadedExecutor if self._kind == 'multi' else SingleThreadedExecutor
        return Turning(kind(context=self._context), 'executor', self._failed)

    def begin(self, unique_id: int, component: Component) -> None:
        """Note what is to be made."""
        self._begun[unique_id] = component

    def finish(self, unique_id: int, timeout_s: float) -> None:
        """Make the node and let it turn.

        Raises:
            Refusal: it cannot be made; after a time-out the whole process ends, because a
                constructor cannot be stopped.
        """
        component = self._begun.pop(unique_id)
        made: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def make() -> None:
            try:
                made.put(make_node(component, self._context))
            except Refusal as refusal:
                made.put(refusal)

        threading.Thread(target=make, name=component.full_name, daemon=True).start()
        try:
            node = made.get(timeout=timeout_s)
        except queue.Empty:
            sentence = f'{component.full_name} was not made within {timeout_s:g} s'
            self._failed(sentence)
            raise Refusal('load_timeout', sentence) from None
        if isinstance(node, Refusal):
            # What its constructor had made before it failed holds names in the ROS graph.
            reason, sentence = node.reason, str(node)
            del node
            gc.collect()
            raise Refusal(reason, sentence)
        health = health_of(node)
        turning = self._common or self._turning()
        turning.executor.add_node(node)
        self._hosted[unique_id] = Hosted(node, turning, health)

    def unload(self, unique_id: int) -> None:
        """Destroy the node."""
        hosted = self._hosted.pop(unique_id)
        hosted.turning.destroy(hosted.node)
        if hosted.turning is not self._common:
            hosted.turning.stop()

    def health(self, path: str) -> Mapping[str, tuple[int, str]]:
        """Health of each component, asked directly."""
        hosted = list(self._hosted.values())
        return {item.node.get_fully_qualified_name(): item.health(path) for item in hosted}

    def resident_bytes(self) -> int:
        """Memory of this process."""
        return resident_bytes([self._process_id])

    def stop(self) -> None:
        """Stop the executors, then destroy the nodes."""
        hosted = list(self._hosted.values())
        for turning in {id(item.turning): item.turning for item in hosted}.values():
            turning.stop()
        for item in hosted:
            item.node.destroy_node()
